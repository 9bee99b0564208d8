/**
 * `npm run build`: makes `dist` afresh: declarations by the compiler, one bundle for each public entry (with chunks for
 * what entries share), so that importing the library opens a few files and not a hundred. Packages stay imports.
 * Programs and tests need no build.
 */
import { existsSync, globSync, rmSync, writeFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { build as bundle, type InputOptions } from "rolldown"
import { fullText } from "./llms.ts"
import { type Outcome, run } from "./sources.ts"
import { buildStudio, pages } from "./studio.ts"

// The public entries, as package.json exports them, and the command line.
const sources = [
  "src/**/index.ts",
  "services/*.ts",
  "layers/*/index.ts",
  "layers/apps/config/index.ts",
  "layers/apps/studio/index.ts",
  "layers/apps/cli/main.ts"
]
const entries = (root: string): Record<string, string> =>
  Object.fromEntries(
    globSync(sources, { cwd: root }).map((file) => [file.replaceAll("\\", "/").replace(/\.ts$/, ""), join(root, file)])
  )

// The modules that an entry is made of, without those of which it takes types alone.
const reach = async (options: InputOptions, input: string): Promise<ReadonlySet<string>> => {
  if (!existsSync(input)) return new Set()
  const { output } = await bundle({ ...options, input, write: false })
  return new Set(output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : [])))
}

/** Builds below `root`, into `outDir` below it; the output of the compiler is its list of errors. */
export const build = async (root: string, outDir = "dist"): Promise<Outcome> => {
  rmSync(join(root, outDir), { recursive: true, force: true })
  const declared = await run(
    "tsc",
    ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", outDir, "--pretty", "false"],
    { cwd: root }
  )
  if (declared.code !== 0) return declared
  const common: InputOptions = {
    cwd: root,
    external: (id) => !id.startsWith(".") && !isAbsolute(id),
    platform: "node",
    logLevel: "silent"
  }
  // What agents and flows share with further entries would else be cut into a file for each set of entries that shares
  // it, and every file costs an import.
  const agents = await reach(common, join(root, "src/index.ts"))
  const flows = await reach(common, join(root, "src/triggerflow/index.ts"))
  const inSrc = (id: string) => id.startsWith(join(root, "src"))
  await bundle({
    ...common,
    input: entries(root),
    output: {
      dir: join(root, outDir),
      format: "esm",
      entryFileNames: "[name].js",
      chunkFileNames: "chunks/[name]-[hash].js",
      sourcemap: true,
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [
          { name: "common", test: (id) => inSrc(id) && agents.has(id) && flows.has(id) },
          { name: "agents", test: (id) => inSrc(id) && agents.has(id) },
          { name: "flows", test: (id) => inSrc(id) && flows.has(id) }
        ]
      }
    }
  })
  if (existsSync(join(root, pages))) await buildStudio(root, join(outDir, "studio"))
  // All guides in one file, for models that read the package.
  writeFileSync(join(root, outDir, "llms-full.txt"), fullText(root))
  return declared
}

if (import.meta.main) {
  const { code, output } = await build(join(import.meta.dirname, ".."))
  if (output !== "") console.error(output)
  process.exitCode = code
}
