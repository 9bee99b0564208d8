/** A small repository in a temporary folder, for the tests of the checks. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const manifest = {
  name: "effigent",
  type: "module",
  exports: {
    ".": { "effigent:source": "./src/index.ts" },
    "./triggerflow": { "effigent:source": "./src/triggerflow/index.ts" }
  },
  scripts: { start: "node .", check: "node ." },
  peerDependencies: { effect: "*", openai: "*" }
}
const tsconfig = {
  compilerOptions: {
    target: "ES2024",
    lib: ["ES2024", "DOM"],
    module: "NodeNext",
    customConditions: ["effigent:source"],
    types: [],
    strict: true,
    noUnusedLocals: true,
    allowImportingTsExtensions: true,
    moduleDetection: "force",
    noEmit: true
  }
}

/** Writes the files, runs `body` with the folder, and removes the folder. */
export const withFiles = async <A>(
  files: Readonly<Record<string, string>>,
  body: (root: string) => A | Promise<A>
): Promise<A> => {
  const root = mkdtempSync(join(tmpdir(), "effigent-check-"))
  try {
    const all = { "package.json": JSON.stringify(manifest), "tsconfig.json": JSON.stringify(tsconfig), ...files }
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return await body(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
