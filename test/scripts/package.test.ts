import { assert, describe, it } from "vitest"
import { checkTarball } from "../../scripts/package.ts"
import { printFinding } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const manifest = {
  name: "effigent",
  version: "0.0.0",
  type: "module",
  license: "MIT",
  files: ["dist", "src", "layers"],
  exports: {
    ".": { types: "./dist/src/index.d.ts", default: "./dist/src/index.js" },
    "./layers/*": { types: "./dist/layers/*/index.d.ts", default: "./dist/layers/*/index.js" }
  },
  peerDependencies: {}
}
const build = {
  compilerOptions: {
    target: "ES2024",
    module: "NodeNext",
    types: [],
    declaration: true,
    rewriteRelativeImportExtensions: true,
    rootDir: ".",
    outDir: "dist"
  },
  include: ["src", "layers"]
}
const base = {
  "package.json": JSON.stringify(manifest),
  "tsconfig.build.json": JSON.stringify(build),
  "src/index.ts": 'export { a } from "./a/A.ts"\n',
  "src/a/A.ts": "export const a: number = 1\n",
  "layers/one/index.ts": 'export { a as one } from "../../src/a/A.ts"\n'
}

const findings = (files: Readonly<Record<string, string>>) =>
  withFiles({ ...base, ...files }, async (root) => {
    const { findings, note } = await checkTarball(root)
    return { found: findings.map(printFinding), note }
  })

describe("package", () => {
  it("passes a package whose entries load", async () => {
    const { found, note } = await findings({})
    assert.deepStrictEqual(found, [])
    assert.match(note ?? "", /2 entries/)
  })

  it("catches a build that fails", async () => {
    const { found } = await findings({ "src/a/A.ts": "export const a: number = true\n" })
    assert.match(found.join("\n"), /npm run build fails:\nsrc\/a\/A\.ts\(1,14\): error TS2322/)
  })

  it("catches a hard dependency of the main entry, a local path, a test and an entry that does not load", async () => {
    const { found } = await findings({
      "src/a/A.ts":
        '// @ts-expect-error there are no types here\nimport { sep } from "node:path"\nexport const a: string = sep\n',
      "src/a/A.test.ts": "export {}\n",
      "layers/one/index.ts": 'export const where: string = "/home/someone/project"\n',
      "layers/two/index.ts": 'export const two: number = Date.now()\nif (two > 0) throw new Error("no")\n'
    })
    const text = found.join("\n")
    assert.match(text, /dist\/src\/index\.js: the main entry needs node:path/)
    assert.match(text, /src\/a\/A\.test\.ts: does not belong into the tarball/)
    assert.match(text, /layers\/one\/index\.ts:1: holds a path of this machine/)
    assert.match(text, /import\("effigent\/layers\/two"\) fails in plain Node: no/)
  })
})
