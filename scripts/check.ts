/**
 * `npm run check`: everything that can be said of the sources without running the tests. All steps, or those that are
 * named: `npm run check -- types lint`. Findings are printed in full; any finding fails the run. With `--write` the
 * diagrams of the documentation are written anew (`npm run check -- snippets --write`); `npm run docs` writes the pages
 * that are made of the sources.
 */
import { join } from "node:path"
import { checkDocs } from "./docs.ts"
import { checkFloors } from "./floors.ts"
import { checkLinks } from "./links.ts"
import { checkTarball } from "./package.ts"
import { checkReference } from "./reference.ts"
import { checkSnippets } from "./snippets.ts"
import { type Finding, printFinding, type Report, run } from "./sources.ts"

const root = join(import.meta.dirname, "..")
const atOnce = 2

/** Runs a tool whose findings are lines of its output that match; all of its output where none does. */
const tool = async (pattern: RegExp, command: string, args: ReadonlyArray<string>): Promise<Report> => {
  const { code, output } = await run(command, args, { cwd: root })
  if (code === 0) return { findings: [] }
  const findings: Array<Finding> = []
  for (const text of output.split("\n")) {
    const { file, line = "0", message } = pattern.exec(text)?.groups ?? {}
    if (file !== undefined && message !== undefined) findings.push({ file, line: Number(line), message })
    else if (findings.length > 0 && /^\s+\S/.test(text)) {
      const last = findings.pop()
      if (last !== undefined) findings.push({ ...last, message: `${last.message}\n${text}` })
    }
  }
  return { findings: findings.length > 0 ? findings : [{ file: command, line: 0, message: output.trim() }] }
}

const types = (project: string): Promise<Report> =>
  tool(/^(?<file>.+?)\((?<line>\d+),\d+\): error (?<message>.*)$/, "tsc", ["-p", project, "--pretty", "false"])

/** The slow ones first, so that they overlap with all others. */
const steps: Readonly<Record<string, () => Report | Promise<Report>>> = {
  package: () => checkTarball(root),
  snippets: () => checkSnippets(root, { write: process.argv.includes("--write") }),
  types: () => types("."),
  // The pages of the studio and their tests have settings of their own: they run in a browser.
  pages: async () => ({
    findings: (await Promise.all(["layers/apps/studio/web", "test/studio"].map(types))).flatMap(
      ({ findings }) => findings
    )
  }),
  lint: () => tool(/^(?<file>.+?):(?<line>\d+):\d+: (?<message>.*)$/, "oxlint", ["--format=agent"]),
  format: () => tool(/^(?<file>\S+)(?<message>)$/, "oxfmt", ["--list-different"]),
  floors: () => checkFloors(root),
  docs: () => checkDocs(root),
  links: () => checkLinks(root),
  reference: () => checkReference(root)
}

const named = process.argv.slice(2).filter((name) => name !== "--write")
const unknown = named.filter((name) => !Object.hasOwn(steps, name))
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(", ")}. Steps: ${Object.keys(steps).join(", ")}.`)
  process.exit(2)
}

const begun = performance.now()
const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`
const queue = Object.entries(steps).filter(([name]) => named.length === 0 || named.includes(name))
const findings: Array<Finding> = []

const worker = async (): Promise<void> => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [name, step] = next
    const since = performance.now()
    const report = await Promise.resolve()
      .then(step)
      .catch((error): Report => ({
        findings: [{ file: `scripts (${name})`, line: 0, message: String(error?.stack ?? error) }]
      }))
    const verdict = report.findings.length === 0 ? "ok" : `${report.findings.length} found`
    console.log(`${name.padEnd(9)} ${verdict.padEnd(10)} ${seconds(since).padStart(7)}  ${report.note ?? ""}`.trimEnd())
    const what = (finding: Finding) =>
      finding.message === "" ? { ...finding, message: "is not formatted; run npm run format" } : finding
    for (const finding of report.findings) console.log(`  ${printFinding(what(finding))}`)
    findings.push(...report.findings)
  }
}
await Promise.all(Array.from({ length: atOnce }, worker))
console.log(findings.length === 0 ? `All well in ${seconds(begun)}.` : `${findings.length} found in ${seconds(begun)}.`)
process.exitCode = findings.length === 0 ? 0 : 1
