import { assert, describe, it } from "vitest"
import { join } from "node:path"
import { type Coverage, coverage, idsIn, render } from "../../scripts/scenarios.ts"
import { run } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const root = join(import.meta.dirname, "../..")
const scenarios = JSON.stringify({
  Parsing: { "IS-01": "in order", "IS-02": "paths", "IS-03": "numbers" },
  Runs: { S01: "events", S02: "errors", S03: "back-off", S04: "never" }
})

const covered = (tests: Readonly<Record<string, string>>) =>
  withFiles({ "test/scenarios.json": scenarios, ...tests }, (folder) => coverage(folder))

const titles = ({ groups }: Coverage) =>
  Object.fromEntries(
    groups.flatMap(({ scenarios }) =>
      scenarios.flatMap(({ id, tests }) =>
        tests.length === 0 ? [] : [[id, tests.map(({ file, line, title }) => `${file}:${line} ${title}`)]]
      )
    )
  )

describe("scenarios", () => {
  it("finds ids in titles, alone, several, and as ranges", () => {
    assert.deepStrictEqual(idsIn("IS-05 no delta follows done"), ["IS-05"])
    assert.deepStrictEqual(idsIn("reads both (RV-03, S18)"), ["RV-03", "S18"])
    assert.deepStrictEqual(idsIn("S08 to S10 keep"), ["S08", "S10", "S09"])
    assert.deepStrictEqual(idsIn("RV-01 to S03"), ["RV-01", "S03"])
    assert.deepStrictEqual(idsIn("HTTPS01, XS-011, S1, is-01"), [])
  })

  it("covers a scenario by tests of every form", async () => {
    const found = await covered({
      "test/a.test.ts": [
        `describe("S01 runs", () => {`,
        `  it("begins", () => {})`,
        `  it.effect.prop("IS-01 in any order", [], () => {})`,
        `})`,
        `it.live.each([1])("IS-02 with %s", () => {})`,
        "it(`IS-03 ${1}`, () => {})"
      ].join("\n"),
      "test/b/cases.ts": `export const cases = [\n  ["S02 a row of a table", 1]\n]\nfor (const [title] of cases) it(title, () => {})`
    })
    assert.deepStrictEqual(titles(found), {
      S01: ["test/a.test.ts:2 S01 runs > begins", "test/a.test.ts:3 S01 runs > IS-01 in any order"],
      "IS-01": ["test/a.test.ts:3 S01 runs > IS-01 in any order"],
      "IS-02": ["test/a.test.ts:5 IS-02 with %s"],
      "IS-03": ["test/a.test.ts:6 IS-03 ${1}"],
      S02: ["test/b/cases.ts:2 S02 a row of a table"]
    })
  })

  it("a scenario may say why no test covers it", async () => {
    const scenarios = JSON.stringify({ Edge: { "SV-01": { title: "statuses", reason: "not built yet" } } })
    const found = await withFiles({ "test/scenarios.json": scenarios }, (folder) => coverage(folder))
    assert.include(render(found, { open: true }), "  ~ SV-01 statuses\n            not built yet\n")
  })

  it("comments and other texts cover nothing", async () => {
    const found = await covered({
      "test/a.test.ts": `// IS-01\nit("begins", () => { const text = "as in IS-02"; send("IS-03") })\nsend("x (S01)", () => {})`
    })
    assert.deepStrictEqual(titles(found), {})
  })

  it("tells ids that no scenario has", async () => {
    const found = await covered({ "test/a.test.ts": `it("IS-99 unheard of", () => {})` })
    assert.deepStrictEqual(
      found.unknown.map(({ id, test }) => [id, test.file, test.line]),
      [["IS-99", "test/a.test.ts", 1]]
    )
    assert.include(render(found), "Ids that no scenario has:\n  IS-99 test/a.test.ts:1")
  })

  it("renders groups with counts, all of it, what is open, or some", async () => {
    const found = await covered({ "test/a.test.ts": `it("IS-02 paths everywhere", () => {})` })
    const text = render(found)
    assert.include(
      text,
      [
        "Parsing: 1 of 3",
        "  - IS-01 in order",
        "  x IS-02 paths",
        "            test/a.test.ts:1 IS-02 paths everywhere",
        "  - IS-03 numbers",
        "",
        "Runs: 0 of 4"
      ].join("\n")
    )
    assert.match(text, /^1 of 7 scenarios are covered\.$/m)
    assert.notInclude(render(found, { open: true }), "IS-02")
    const some = render(found, { only: ["S0", "IS-03"] })
    assert.include(some, "IS-03")
    assert.notInclude(some, "IS-01")
  })

  it("runs on this repository: every id of the data has one form and one title, and no test names another", async () => {
    const { code, stdout } = await run("node", ["scripts/scenarios.ts"], { cwd: root })
    assert.strictEqual(code, 0)
    assert.match(stdout, /\d+ of 235 scenarios are covered\./)
    const { groups, unknown } = coverage(root)
    assert.deepStrictEqual(unknown, [])
    const all = groups.flatMap(({ scenarios }) => scenarios)
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, 235)
    for (const { id, title } of all) {
      assert.deepStrictEqual(idsIn(id), [id])
      assert.isAbove(title.length, 5)
      assert.isAtMost(title.length, 80)
    }
  })
})
