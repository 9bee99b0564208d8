/** `npm run build`: compiles services, src and layers into `dist`, afresh. Programs and tests need no build. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { type Outcome, run } from "./sources.ts"

/** Builds below `root`, into `outDir` below it; the output of the compiler is its list of errors. */
export const build = (root: string, outDir = "dist"): Promise<Outcome> => {
  rmSync(join(root, outDir), { recursive: true, force: true })
  return run("tsc", ["-p", "tsconfig.build.json", "--outDir", outDir, "--pretty", "false"], { cwd: root })
}

if (import.meta.main) {
  const { code, output } = await build(join(import.meta.dirname, ".."))
  if (output !== "") console.error(output)
  process.exitCode = code
}
