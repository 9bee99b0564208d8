import { assert, describe, it } from "vitest"
import { checkDocs } from "../../scripts/docs.ts"
import { printFinding } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const findings = (text: string, path = "src/a/A.ts") =>
  withFiles({ [path]: text }, (root) => checkDocs(root).findings.map(printFinding))

const header = "/** What it is for. */\n"
const doc = "/** One. @category models */\n"

describe("docs coverage", () => {
  it("passes a documented file", async () => {
    const text =
      header +
      `import * as Effect from "effect/Effect"\n` +
      `${doc}export const a = 1\n${doc}export interface B {}\n${doc}export type C = 1\n${doc}export class D {}\n` +
      `${doc}export function e(x: 1): 1\nexport function e(x: 2): 2\nexport function e(x: number) { return x }\n` +
      `${doc}// a remark\nexport const f = 2\nconst inner = 3\n${doc}const g = 4\nexport { g }\nexport { h } from "./H.ts"\nexport * from "./I.ts"\n`
    assert.deepStrictEqual(await findings(text), [])
  })

  it("catches an undocumented export of every form", async () => {
    for (const [name, text] of [
      ["a", "export const a = 1"],
      ["a", "export interface a {}"],
      ["a", "export type a = 1"],
      ["a", "export class a {}"],
      ["a", "export function a() {}"],
      ["a", "export abstract class a {}"],
      ["a", "const a = 1\nexport { a }"],
      ["a", "// no doc comment\nexport const a = 1"],
      ["a", "/* no doc comment */\nexport const a = 1"],
      ["a", `${doc}const other = 1\nexport const a = other`],
      ["default", "export default 1"],
      ["X", `export * as X from "./X.ts"`]
    ] as const) {
      const found = await findings(`${header}\n${text}\n`)
      assert.strictEqual(found.length, 1, `${text}\n${found.join("\n")}`)
      assert.match(found[0] ?? "", new RegExp(`^src/a/A\\.ts:\\d+: export ${name} has no doc comment`))
    }
  })

  it("the opening comment of the file is not that of its first export", async () => {
    const found = await findings(`${doc}export const a = 1\n`)
    assert.strictEqual(found.length, 1)
    assert.match(found[0] ?? "", /export a has no doc comment/)
  })

  it("the opening comment of a barrel may be that of its first export", async () => {
    const text = `${header}export * as A from "./A.ts"\nexport * as B from "./B.ts"\n`
    assert.deepStrictEqual(await findings(text, "layers/a/index.ts"), [
      "layers/a/index.ts:3: export B has no doc comment directly above it"
    ])
  })

  it("asks for an opening comment", async () => {
    assert.match((await findings(`import "./B.ts"\n`))[0] ?? "", /does not open with a comment/)
  })

  it("asks for a category where consumers can reach the module", async () => {
    const file = `${header}\n/** One. */\nexport const a = 1\n`
    assert.deepStrictEqual(await findings(file), [])
    assert.match((await findings(file, "services/A.ts"))[0] ?? "", /services\/A\.ts:4: .*lacks "@category/)
    const exported = await withFiles(
      { "src/a/A.ts": file, "src/index.ts": `${header}\n/** The room. */\nexport * as A from "./a/A.ts"\n` },
      (root) => checkDocs(root).findings.map(printFinding)
    )
    assert.deepStrictEqual(exported, ['src/a/A.ts:4: the doc comment of a lacks "@category <name>"'])
  })

  it("programs need no doc comments", async () => {
    assert.deepStrictEqual(await findings(`${header}export const a = 1\n`, "layers/apps/start/main.ts"), [])
    assert.deepStrictEqual(await findings(`${header}export const a = 1\n`, "examples/01.ts"), [])
  })
})

describe("casts", () => {
  it("a cast needs a reason on its line or the previous one", async () => {
    for (const text of [
      "const a = 1 as unknown",
      "const a = <unknown>1",
      `${doc}const a = 1 as unknown`,
      "// why\n\nconst a = 1 as unknown"
    ]) {
      const found = await findings(`${header}\n${text}\n`)
      assert.strictEqual(found.length, 1, text)
      assert.match(found[0] ?? "", /the cast to unknown needs a comment/)
    }
    for (const text of [
      "const a = 1 as unknown // the caller checks it",
      "// the caller checks it\nconst a = 1 as unknown as string",
      "const a = [1] as const",
      "const a = 1 satisfies number"
    ]) {
      assert.deepStrictEqual(await findings(`${header}\n${text}\n`), [], text)
    }
  })

  it("tests and programs of the repository may cast", async () => {
    assert.deepStrictEqual(await findings(`${header}const a = 1 as unknown\n`, "examples/01.ts"), [])
  })
})
