// The pages of the studio for the tests that open them in a browser: built before the first test, where they are older
// than what they are made of.
import { existsSync, globSync, statSync } from "node:fs"
import { join } from "node:path"
import { buildStudio } from "../../scripts/studio.ts"

const root = join(import.meta.dirname, "../..")

/** Where they stand, below the root of the repository. */
export const studioPages = ".cache/studio"

/** The browser that the tests use. */
export const chromium = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium"

const changedAt = (file: string): number => statSync(join(root, file)).mtimeMs

export const setup = async (): Promise<void> => {
  if (!existsSync(chromium)) return
  const index = join(studioPages, "index.html")
  const sources = globSync("layers/apps/studio/web/**/*.{ts,tsx,css,html,svg}", { cwd: root })
  const newest = Math.max(...sources.map(changedAt), changedAt("scripts/studio.ts"))
  if (existsSync(join(root, index)) && changedAt(index) > newest) return
  await buildStudio(root, studioPages)
}
