// The transcripts of docs/cli.md are what the command line prints, but for times, versions and folders.
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { effigent, folder } from "./support.ts"

interface Shown {
  readonly args: ReadonlyArray<string>
  readonly output: string
}

const wordsOf = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? "")

const transcripts = (text: string): ReadonlyArray<Shown> =>
  [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) =>
    block
      .split(/^\$ effigent /m)
      .slice(1)
      .map((part) => {
        const [command = "", ...output] = part.split("\n")
        return { args: wordsOf(command), output: output.join("\n") }
      })
  )

const steady = (text: string, root: string): string =>
  text
    .replaceAll(root, "/tmp/sample")
    .replaceAll(/\b[\d.]+ m?s\b/g, "<time>")
    .replaceAll(/"(timeToFirstToken|duration|startedAt|closedAt)":[\d.]+/g, '"$1":0')
    .replaceAll(/\d{8}T\d{9}Z-[\da-f]{32}/g, "<run>")
    .replaceAll(/\b[\da-f]{32}\b/g, "<id>")
    .replaceAll(/"fingerprint":"\w+"/g, '"fingerprint":"0"')
    .replaceAll(/^(✓ (?:node|effigent|package \S+): )[\d.]+/gm, "$1<version>")

// Steps of a flow are told while its agents talk: which line comes first is a matter of moments.
const unordered = (text: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .filter((line) => !line.startsWith("● "))
    .toSorted()

describe("docs/cli.md", () => {
  it("shows what the command line prints", async () => {
    const text = readFileSync(new URL("../../../../docs/cli.md", import.meta.url), "utf8")
    const shown = transcripts(text)
    assert.isAtLeast(shown.length, 9)
    const root = folder({})
    for (const { args, output } of shown) {
      const { err, out } = await effigent(root, args)
      const [printed, written] = [steady(err + out, root), steady(output, root)]
      if (args[1] === "start") assert.deepStrictEqual(unordered(printed), unordered(written))
      else assert.strictEqual(printed, written, `effigent ${args.join(" ")}`)
    }
  }, 90_000)
})
