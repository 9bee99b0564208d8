/**
 * The guides for those who come from elsewhere as a check. One of `docs/from-*.md` numbers what it takes over, `A1`,
 * `A2`, ... in its headings, without a gap; and under each number the code of the other library is followed by code of
 * this one, which the step `snippets` runs. And every guide that the README names has its line in `docs/how-do-i.md`.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { filesIn, type Finding } from "./sources.ts"

/** What is wrong with the guides below `root`. */
export const migrationFindings = (root: string): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  for (const file of filesIn(root, ["docs"], ".md")) {
    if (!/^docs\/from-[\w-]+\.md$/.test(file)) continue
    const lines = readFileSync(join(root, file), "utf8").split("\n")
    let expected = 1
    let section: { readonly line: number; readonly id: string; waits: number } | undefined
    const leave = () => {
      if (section !== undefined && section.waits > 0)
        findings.push({
          file,
          line: section.line,
          message: `${section.id} shows code of theirs with no ts block behind it`
        })
      section = undefined
    }
    let fence = ""
    for (const [index, line] of lines.entries()) {
      const [, mark = "", language = ""] = /^(`{3,})(\w*)/.exec(line) ?? []
      if (fence !== "") {
        if (mark === fence) fence = ""
        continue
      }
      if (mark !== "") {
        fence = mark
        if (section !== undefined && language === "python") section.waits += 1
        if (section !== undefined && language === "ts") section.waits = 0
        continue
      }
      if (!/^#{1,6} /.test(line)) continue
      leave()
      const [, id = "", number = ""] = /^#{2,6} ([A-Z](\d+))\b/.exec(line) ?? []
      if (id === "") continue
      if (Number(number) !== expected)
        findings.push({ file, line: index + 1, message: `${id} comes where number ${expected} is due` })
      expected = Number(number) + 1
      section = { line: index + 1, id, waits: 0 }
    }
    leave()
  }
  return findings
}

const linked = (text: string): ReadonlySet<string> =>
  new Set(
    [...text.matchAll(/\]\((?:docs\/)?([\w.-]+\.md)[#)]/g)].flatMap(([, file]) => (file === undefined ? [] : [file]))
  )

/** The guides of the README that nobody finds by a task. */
export const taskFindings = (root: string): ReadonlyArray<Finding> => {
  const [readme, tasks] = [join(root, "README.md"), join(root, "docs/how-do-i.md")]
  if (!existsSync(readme) || !existsSync(tasks)) return []
  const found = linked(readFileSync(tasks, "utf8"))
  // Only rows of tables: they are what there is.
  const rows = readFileSync(readme, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|"))
  return [...linked(rows.join("\n"))]
    .filter((file) => !found.has(file))
    .map((file) => ({ file: "docs/how-do-i.md", line: 0, message: `has no task that links to ${file}` }))
}
