import { assert, describe, it } from "vitest"
import { checkFloors } from "../../scripts/floors.ts"
import { printFinding } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const findings = (files: Readonly<Record<string, string>>) =>
  withFiles(files, (root) => checkFloors(root).findings.map(printFinding))

const one = async (files: Readonly<Record<string, string>>, place: string, what: RegExp) => {
  const found = await findings(files)
  assert.strictEqual(found.length, 1, found.join("\n"))
  assert.match(found[0] ?? "", what)
  assert.isTrue(found[0]?.startsWith(place), found[0])
}

describe("floors", () => {
  it("a tree that keeps the rules has no findings", async () => {
    const found = await findings({
      "services/A.ts": `import * as Effect from "effect/Effect"\nexport const a = Effect.void`,
      "services/Ai.ts": `export * as Prompt from "effect/ai/Prompt"`,
      "src/x/B.ts": `import { a } from "../../services/A.ts"\nexport const b = a`,
      "src/y/C.ts": `import { b } from "../x/B.ts"\nexport const c = b`,
      "src/index.ts": `export * from "./y/C.ts"`,
      "layers/one/One.ts": `import OpenAI from "openai"\nimport "node:fs"\nimport { b } from "../../src/x/B.ts"\nexport const d = [OpenAI, b]`,
      "layers/two/Two.ts": `export const e = 1`,
      "layers/two/index.ts": `export * as Two from "./Two.ts"`,
      "layers/apps/start/main.ts": `import { d } from "../../one/One.ts"\nimport { Two } from "../../two/index.ts"\nd; Two`,
      "examples/01.ts": `import { c } from "../src/index.ts"\nimport anything from "some-package"`,
      "test/a.test.ts": `import "../src/index.ts"\nimport "vitest"`
    })
    assert.deepStrictEqual(found, [])
  })

  it("services import effect only", async () => {
    await one(
      { "services/A.ts": `\nimport fs from "node:fs"` },
      "services/A.ts:2:",
      /"node:fs".*effect and nothing else/
    )
    await one({ "services/A.ts": `import z from "zod"` }, "services/A.ts:1:", /"zod"/)
  })

  it("src imports effect and services only, and no Node module", async () => {
    await one({ "src/a/A.ts": `import fs from "node:fs"` }, "src/a/A.ts:1:", /effect and services only/)
    await one({ "src/a/A.ts": `import OpenAI from "openai"` }, "src/a/A.ts:1:", /"openai"/)
  })

  it("an import never goes up a floor, also as a type, a re-export, a dynamic import or a type of import()", async () => {
    const base = {
      "src/a/A.ts": "export type A = 1",
      "layers/x/X.ts": "export type X = 1",
      "layers/apps/m.ts": "export {}"
    }
    await one(
      { ...base, "services/S.ts": `import type { A } from "../src/a/A.ts"` },
      "services/S.ts:1:",
      /floor 0.*floor 1/
    )
    await one({ ...base, "src/a/B.ts": `export * from "../../layers/x/X.ts"` }, "src/a/B.ts:1:", /floor 1.*floor 2/)
    await one({ ...base, "src/a/B.ts": `export type { X } from "../../layers/x/X.ts"` }, "src/a/B.ts:1:", /floor 2/)
    await one(
      { ...base, "src/a/B.ts": `export const b = () => import("../../layers/x/X.ts")` },
      "src/a/B.ts:1:",
      /floor 2/
    )
    await one({ ...base, "src/a/B.ts": `export type B = import("../../layers/x/X.ts").X` }, "src/a/B.ts:1:", /floor 2/)
    await one({ ...base, "layers/x/Y.ts": `import "../apps/m.ts"` }, "layers/x/Y.ts:1:", /floor 2.*floor 3/)
    await one({ ...base, "test/t.ts": "export {}", "src/a/B.ts": `import "../../test/t.ts"` }, "src/a/B.ts:1:", /tests/)
  })

  it("a room of layers never imports a sibling room", async () => {
    const files = { "layers/a/A.ts": "export const a = 1", "layers/b/B.ts": `import { a } from "../a/A.ts"\na` }
    await one(files, "layers/b/B.ts:1:", /room of layers.*layers\/a/)
  })

  it("nobody inside imports a barrel, or the library by its name", async () => {
    const barrel = { "src/a/A.ts": "export const a = 1", "src/index.ts": `export * from "./a/A.ts"` }
    await one({ ...barrel, "src/b/B.ts": `import { a } from "../index.ts"\na` }, "src/b/B.ts:1:", /barrel/)
    await one({ ...barrel, "layers/b/B.ts": `import { a } from "../../src/index.ts"\na` }, "layers/b/B.ts:1:", /barrel/)
    await one({ ...barrel, "src/b/B.ts": `import { a } from "effigent"\na` }, "src/b/B.ts:1:", /by name/)
  })

  it("a barrel only re-exports", async () => {
    await one({ "src/index.ts": `export const a = 1` }, "src/index.ts:1:", /only re-exports/)
  })

  it("layers import declared peers only", async () => {
    await one({ "layers/a/A.ts": `import z from "zod"` }, "layers/a/A.ts:1:", /zod is neither/)
    await one(
      { "layers/apps/A.ts": `import x from "@scope/name/part"` },
      "layers/apps/A.ts:1:",
      /@scope\/name is neither/
    )
  })

  it("unstable modules of effect stay out of services and src", async () => {
    await one({ "src/a/A.ts": `import * as Tool from "effect/ai/Tool"` }, "src/a/A.ts:1:", /unstable/)
    await one({ "services/A.ts": `import * as FileSystem from "effect/FileSystem"` }, "services/A.ts:1:", /unstable/)
  })

  it("a cycle is told once, with its path", async () => {
    const files = {
      "src/a/A.ts": `import "./B.ts"`,
      "src/a/B.ts": `import "../b/C.ts"`,
      "src/b/C.ts": `import "../a/A.ts"`
    }
    await one(files, "src/b/C.ts:1:", /cycle: src\/a\/A.ts -> src\/a\/B.ts -> src\/b\/C.ts -> src\/a\/A.ts/)
  })

  it("types may refer to each other within a folder, and not across folders", async () => {
    const within = { "src/a/A.ts": `import type { B } from "./B.ts"`, "src/a/B.ts": `import { A } from "./A.ts"` }
    assert.deepStrictEqual(await findings(within), [])
    const across = { "src/a/A.ts": `import type { B } from "../b/B.ts"`, "src/b/B.ts": `import { A } from "../a/A.ts"` }
    await one(across, "src/b/B.ts:1:", /cycle/)
  })

  it("a file of the library has at most 700 lines", async () => {
    assert.deepStrictEqual(await findings({ "src/a/A.ts": "//\n".repeat(700) }), [])
    await one({ "src/a/A.ts": "//\n".repeat(701) }, "src/a/A.ts:700:", /701 lines/)
    assert.deepStrictEqual(await findings({ "test/a.ts": "//\n".repeat(701) }), [])
  })
})
