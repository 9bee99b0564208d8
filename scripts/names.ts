/**
 * Names in prose as a check: where a page says `Module.name` in backticks and there is such a module, it exports the name.
 * What stands in blocks of code is the compiler's.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Api } from "./api.ts"
import { filesIn, type Finding } from "./sources.ts"

// In the guides to flows it stands for whatever contract the reader has.
const placeholders = new Set(["Contract"])

/** Names of our modules that the pages below `root` use and that are not there. */
export const nameFindings = (root: string, { entries }: Api): ReadonlyArray<Finding> => {
  const modules = new Map<string, Set<string>>()
  for (const { name, exports } of entries.flatMap((entry) => entry.modules)) {
    const known = modules.get(name) ?? new Set()
    for (const one of exports) known.add(one.name)
    modules.set(name, known)
  }
  const pages = [
    ...["README.md", "AGENTS.md", "CHANGELOG.md"].filter((page) => existsSync(join(root, page))),
    ...filesIn(root, ["docs"], ".md").filter((page) => !page.startsWith("docs/api/"))
  ]
  const findings: Array<Finding> = []
  for (const file of pages) {
    let fence = ""
    for (const [index, line] of readFileSync(join(root, file), "utf8").split("\n").entries()) {
      const [, mark = ""] = /^\s*(`{3,})/.exec(line) ?? []
      if (fence !== "" || mark !== "") {
        fence = fence === "" ? mark : line.trim() === fence ? "" : fence
        continue
      }
      // Of a table that compares libraries the last column is ours.
      const ours = file === "docs/how-do-i.md" && line.startsWith("|") ? line.slice(line.lastIndexOf(" | ")) : line
      for (const [code] of ours.matchAll(/`[^`]+`/g)) {
        for (const [, name = "", member = ""] of code.matchAll(/(?<![\w./])([A-Z]\w*)\.([a-zA-Z]\w*)\b(?!\.ts|\*)/g)) {
          const known = placeholders.has(name) ? undefined : modules.get(name)
          if (known === undefined || known.has(member)) continue
          findings.push({ file, line: index + 1, message: `names ${name}.${member}, which ${name} does not export` })
        }
      }
    }
  }
  return findings
}
