// `effigent eval`: a process of its own over evals of a configuration, their reports, gates and comparisons.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { Report } from "effigent/evals"
import * as Files from "../../../../layers/apps/cli/EvalFiles.ts"
import { atTerminal, effigent, ended, folder, json, start } from "./support.ts"

const config = `import { Effect, Schema } from "effect"
import { Agent } from "effigent"
import { defineConfig } from "effigent/config"
import { Dataset, Evals, Scorer } from "effigent/evals"
import { ScriptedModel } from "effigent/testing"
const letters = Dataset.make({
  name: "letters", input: Schema.String, expected: Schema.Boolean,
  cases: [
    { id: "fire", input: "The printer is on fire!", expected: true, tags: ["urgent"] },
    { id: "lunch", input: "Lunch on Friday?", expected: false },
    { id: "leak", input: "Water drips from the ceiling.", expected: true, tags: ["urgent"] }
  ]
})
const mark = process.env["MARK"] ?? "!"
const urgent = Evals.make("urgent", {
  dataset: letters, concurrency: 1, version: mark,
  subject: (letter) => letter === process.env["SLOW"] ? Effect.never
    : letter === "" ? Effect.fail(new Error("nothing to read")) : Effect.succeed(letter.endsWith(mark))
}, [Scorer.exact()])
const greet = Evals.make("greet all", {
  dataset: Dataset.make({ name: "names", input: Schema.String, cases: [{ id: "ada", input: "Ada" }] }),
  subject: Agent.make({ name: "greeter", instruct: "Greet." })
}, [Scorer.contains({ texts: ["Hello"] })])
const model = ScriptedModel.layer([ScriptedModel.text("Hello Ada", { usage: { inputTokens: 9, outputTokens: 3 } })], { strict: false })
export default defineConfig({ evals: [urgent, greet], layer: model })
`

const project = (content: Readonly<Record<string, string>> = {}) => folder({ "effigent.config.ts": config, ...content })

const reportsOf = (root: string) => {
  const at = join(root, ".effigent/evals")
  return existsSync(at) ? readdirSync(at).map((name) => join(at, name)) : []
}

const read = (file: string) => Effect.runPromise(Report.fromText(readFileSync(file, "utf8"), file))

const steady = (text: string) => text.replaceAll(/\b[\d.]+ m?s\b/g, "<time>")

// What the command says in one document with --json.
const evalsOf = (out: string) =>
  // Its list is one of objects.
  json(out)["evals"] as ReadonlyArray<Record<string, unknown>>

describe("effigent eval", () => {
  it("runs evals with a log on standard error and tables on standard output, and keeps their reports", async () => {
    const root = project()
    const { code, err, out } = await effigent(root, ["eval"])
    assert.strictEqual(code, 0, err)
    assert.strictEqual(
      steady(out),
      `urgent: 2 of 3 cases passed, <time>
scorer  mean   95 %            passed
exact   0.667  0.208 to 0.939  2 of 3
duration: median <time>, p95 <time>
✗  leak  "Water drips from the ceiling."  exact 0.000: false is not true
greet all: 1 of 1 case passed, 12 tokens, <time>
scorer    mean   95 %            passed
contains  1.000  0.207 to 1.000  1 of 1
duration: median <time>, p95 <time>; first token: median <time>
`
    )
    assert.match(
      steady(err),
      /^● urgent: 3 cases\n✓ fire <time>\n✓ lunch <time>\n✗ leak <time> {2}exact 0\.000: false is not true\nreport: /
    )
    const files = reportsOf(root)
    assert.lengthOf(files, 2)
    for (const file of files) assert.match(file, /(urgent|greet-all)-\d{8}T\d{9}Z-[\da-f]+\.json$/)
    const urgent = await read(files.find((file) => file.includes("urgent-")) ?? "")
    assert.deepInclude(urgent.summary, { cases: 3, passed: 2 })
  })

  it("runs those that are named, over chosen cases, as often as it is told, and tells it in one document", async () => {
    const root = project()
    const args = ["eval", "urgent", "--filter", "urgent", "--repeat", "2", "--concurrency", "2", "--json"]
    const { code, err, out } = await effigent(root, args)
    assert.strictEqual(code, 0)
    assert.strictEqual(err, "")
    const [one, ...others] = evalsOf(out)
    assert.lengthOf(others, 0)
    assert.deepNestedInclude(one, { "summary.cases": 2, "summary.samples": 4, "summary.passed": 1, misses: [] })
    assert.notProperty(one, "cases")
    const report = await read(String(one?.["file"]))
    assert.strictEqual(report.id, one?.["id"])
    const sampled = await effigent(root, [
      "eval",
      "urgent",
      "--sample",
      "1",
      "--seed",
      "3",
      "--json",
      "--out",
      "r.json"
    ])
    assert.deepNestedInclude(evalsOf(sampled.out)[0], { "summary.cases": 1, file: join(root, "r.json") })
  })

  it("takes cases of a JSONL file, and ends with code 2 and the line where one is wrong", async () => {
    const good = '\uFEFF{"id":"x","input":"Help!","expected":true}\r\n\r\n{"id":"y","input":"","expected":false}\r\n'
    const root = project({ "good.jsonl": good, "bad.jsonl": '{"input":"a","expected":true}\n{"input":"b"}\n' })
    const fine = await effigent(root, ["eval", "urgent", "--dataset", "good.jsonl"])
    assert.strictEqual(fine.code, 0)
    assert.include(fine.out, 'y  ""  Failure: nothing to read')
    const bad = await effigent(root, ["eval", "urgent", "--dataset", "bad.jsonl"])
    assert.strictEqual(bad.code, 2)
    assert.include(bad.err, "✗ Dataset letters, line 2: there is no expected answer")
    assert.strictEqual((await effigent(root, ["eval", "urgent", "--dataset", "none.jsonl"])).code, 5)
  })

  it("runs evals whose dataset is a file, which is read by the FileSystem of the process", async () => {
    const root = project({
      "letters.jsonl": '{"id":"x","input":"Help!","expected":true}\n',
      "effigent.config.ts": `import { Effect, FileSystem, Schema } from "effect"
import { defineConfig } from "effigent/config"
import { Dataset, Evals, Scorer } from "effigent/evals"
const Letters = Dataset.format({ name: "letters", input: Schema.String, expected: Schema.Boolean })
const dataset = FileSystem.FileSystem.use((fs) => Dataset.fromJsonl(Letters, fs.stream("letters.jsonl")))
const loud = Evals.make("loud", { dataset, subject: (letter) => Effect.succeed(letter.endsWith("!")) }, [Scorer.exact()])
export default defineConfig({ evals: [loud] })
`
    })
    const { code, err, out } = await effigent(root, ["eval", "--min", "1"])
    assert.strictEqual(code, 0, err)
    assert.include(out, "loud: 1 of 1 case passed")
  })

  it("ends with code 1 where a gate fails, and names the cases", async () => {
    const root = project()
    const low = await effigent(root, ["eval", "urgent", "--min", "0.9", "--min", "exact=0.5"])
    assert.strictEqual(low.code, 1)
    assert.include(low.err, "✗ passed is 0.6667, below 0.9 (leak)\n")
    assert.notInclude(low.err, "below 0.5")
    assert.strictEqual((await effigent(root, ["eval", "urgent", "--min", "exact=0.5"])).code, 0)
    const same = await effigent(root, ["eval", "urgent", "--baseline", "last"])
    assert.strictEqual(same.code, 0, same.err)
    const env = { MARK: "?" }
    const worse = await effigent(root, ["eval", "urgent", "--baseline", "last"], { env })
    assert.strictEqual(worse.code, 1)
    assert.include(worse.err, "✗ exact is 0.6667 worse than before, and may be 0 (fire, lunch)")
    assert.include(worse.out, "broken 2 fire, lunch\n")
    assert.include(worse.out, "differs in: version")
    const first = reportsOf(root).toSorted()[0] ?? ""
    const allowed = await effigent(root, ["eval", "urgent", "--baseline", first, "--worse", "0.7"], { env })
    assert.strictEqual(allowed.code, 0, allowed.err)
  }, 60_000)

  it("compares reports by files and ids, and lists evals with their latest run", async () => {
    const root = project()
    const before = evalsOf((await effigent(root, ["eval", "urgent", "--json"])).out)[0]
    const after = evalsOf((await effigent(root, ["eval", "urgent", "--json"], { env: { MARK: "." } })).out)[0]
    const args = ["eval", "compare", String(before?.["file"]), String(after?.["id"]).slice(0, 8)]
    const { code, out } = await effigent(root, args)
    assert.strictEqual(code, 0)
    assert.include(out, "fixed 1 leak\nbroken 1 fire\nsame 1\nMcNemar p 1.000; differs in: version\n")
    const document = json((await effigent(root, [...args, "--json"])).out)
    assert.deepInclude(document, { fixed: ["leak"], broken: ["fire"], probability: 1 })
    const elsewhere = folder({}, [])
    const files = [String(before?.["file"]), String(after?.["file"])]
    assert.strictEqual((await effigent(elsewhere, ["eval", "compare", ...files])).code, 0)
    const missing = await effigent(root, ["eval", "compare", "none.json", "none.json"])
    assert.strictEqual(missing.code, 5)
    assert.match(missing.err, /There is no report .*none\.json/)
    writeFileSync(join(root, "other.json"), "{}")
    assert.strictEqual((await effigent(root, ["eval", "compare", "other.json", "other.json"])).code, 2)
    const list = await effigent(root, ["eval", "list"])
    assert.match(
      list.out,
      /^EVAL {7}SCORERS {3}LAST RUN\nurgent {5}exact {5}\d{4}-.*Z {2}2 of 3 passed\ngreet all {2}contains {2}never\n$/
    )
  }, 60_000)

  it("keeps what is done where it is interrupted, with code 130", async () => {
    const root = project()
    const child = start(root, ["eval", "urgent"], { env: { SLOW: "Lunch on Friday?" } })
    const outcome = ended(child)
    await new Promise<void>((resolve) => {
      child.stderr?.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("✓ fire")) resolve()
      })
    })
    child.kill("SIGINT")
    const { code, err } = await outcome
    assert.strictEqual(code, 130)
    assert.match(err, /Interrupted; what was done is in .*\.json\n$/)
    const [file = ""] = reportsOf(root)
    const report = await read(file)
    assert.strictEqual(report.status, "interrupted")
    assert.deepInclude(report.summary, { cases: 3, done: 1, passed: 1 })
    // It is no baseline: what it has not run could be anything.
    const next = await effigent(root, ["eval", "urgent", "--baseline", "last", "--min", "0.5"])
    assert.strictEqual(next.code, 0, next.err)
    assert.include(next.err, "There is no whole report of urgent yet: nothing to compare with.")
    const worse = await effigent(root, ["eval", "urgent", "--baseline", "last"], { env: { MARK: "?" } })
    assert.include(worse.err, "exact is 0.6667 worse than before, and may be 0 (fire, lunch)")
  }, 60_000)

  it("takes as the latest report the one that began last, of an eval of exactly that name", async () => {
    const evals = (...names: ReadonlyArray<string>) => `import { Effect, Schema } from "effect"
import { defineConfig } from "effigent/config"
import { Dataset, Evals, Scorer } from "effigent/evals"
const one = (name, right) => Evals.make(name, {
  dataset: Dataset.make({ name: "n", input: Schema.String, cases: [{ id: "a", input: "a" }] }),
  subject: (input) => Effect.succeed(input)
}, [Scorer.make("s", { score: () => Effect.succeed(right) })])
export default defineConfig({ evals: [${names.join(", ")}] })
`
    const root = project({ "effigent.config.ts": evals('one("a b", true)', 'one("a-b", false)') })
    assert.strictEqual((await effigent(root, ["eval"])).code, 0)
    // That of "a-b" came later, and its files begin the same.
    const again = await effigent(root, ["eval", "--baseline", "last"])
    assert.strictEqual(again.code, 0, again.err)
    const list = await effigent(root, ["eval", "list"])
    assert.match(list.out, /^a b {3}s .* 1 of 1 passed\na-b {3}s .* 0 of 1 passed\n$/m)
    // Two runs within one second.
    const at = join(root, ".effigent/evals")
    const sample = await read(reportsOf(root).find((file) => file.includes("a-b-")) ?? "")
    const keep = (id: string, startedAt: number) => {
      const report = { ...sample, name: "a-b", id, startedAt }
      return Effect.runPromise(Files.save(join(at, Files.nameOf(report)), report))
    }
    const second = Date.UTC(2099, 0, 1)
    await keep("ffff", second + 100)
    await keep("0000", second + 900)
    const rows = json((await effigent(root, ["eval", "list", "--json"])).out)
    assert.deepNestedInclude({ rows }, { "rows[1].last.id": "0000" })
  }, 60_000)

  it("keeps no part of a report that cannot be written, and tells what it has measured", async () => {
    const root = project({ "there/file": "" })
    const out = await effigent(root, ["eval", "urgent", "--out", "there"])
    assert.strictEqual(out.code, 2)
    assert.include(out.err, "--out there is a folder. Name a file in it: there/report.json")
    assert.notInclude(out.err, "fire")
    const below = await effigent(root, ["eval", "urgent", "--out", "there/file/report.json"])
    assert.strictEqual(below.code, 2)
    assert.include(below.err, "The report cannot be written to")
    assert.include(below.out, "urgent: 2 of 3 cases passed")
    assert.deepStrictEqual(readdirSync(join(root, "there")), ["file"])
  })

  it("ends with code 5 where a dataset cannot be opened, however late it is read", async () => {
    const slow = config.replace(
      "const letters = Dataset.make({",
      'const letters = Effect.andThen(Effect.sleep("300 millis"), Dataset.make({'
    )
    const root = project({ "effigent.config.ts": slow.replace("  ]\n})\nconst mark", "  ]\n}))\nconst mark") })
    // A socket is there, and cannot be opened.
    const server = createServer()
    server.listen(join(root, "letters.jsonl"))
    await once(server, "listening")
    const { code, err } = await effigent(root, ["eval", "urgent", "--dataset", "letters.jsonl"])
    server.close()
    assert.strictEqual(code, 5, err)
    assert.match(err, /✗ The dataset .*letters\.jsonl cannot be read: ENXIO/)
  })

  it("shows on a terminal how far it is, and the cases that do not pass", async () => {
    const root = project()
    const { code, out } = await atTerminal(root, ["eval", "urgent"], [])
    assert.strictEqual(code, 0)
    const text = stripVTControlCharacters(out)
    assert.include(text, "urgent  1 of 3, 1 passed")
    assert.match(text, /✗ leak [\d.]+ ms {2}exact 0\.000: false is not true/)
    assert.notInclude(text, "✓ fire")
  })

  it("ends with code 2 or 4 where it is used wrongly", async () => {
    const root = project()
    for (const [args, said] of [
      [["eval", "frob"], 'There is no eval "frob". Evals of the configuration: urgent, greet all.'],
      [["eval", "--min", "high"], "--min high is no limit. Give 0 to 1"],
      [["eval", "--repeat", "0"], "--repeat"],
      [["eval", "--out", "r.json"], "--out takes one report, and there are 2 evals. Name one."]
    ] as const) {
      const { code, err } = await effigent(root, args)
      assert.strictEqual(code, 2, args.join(" "))
      assert.include(err, said)
    }
    const none = folder({
      "effigent.config.ts": 'import { defineConfig } from "effigent/config"\nexport default defineConfig({})\n'
    })
    assert.include((await effigent(none, ["eval"])).err, "The configuration has no evals.")
    const wrong = folder({
      "effigent.config.ts":
        'import { defineConfig } from "effigent/config"\nexport default defineConfig({ evals: ["urgent"] as never })\n'
    })
    const { code, err } = await effigent(wrong, ["eval"])
    assert.strictEqual(code, 4)
    assert.include(err, "evals[0] is no eval. Make it with Evals.make of effigent/evals.")
  }, 60_000)
})
