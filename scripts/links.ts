/**
 * Links as a check: what a Markdown page links to inside of the repository exists, headings included. Addresses on the
 * web are not asked.
 */
import { existsSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { filesIn, type Finding, type Report } from "./sources.ts"

/** The lines of a page; those inside of code blocks are empty. */
const prose = (text: string): ReadonlyArray<string> => {
  let fence = ""
  return text.split("\n").map((line) => {
    const [, mark = ""] = /^\s*(`{3,}|~{3,})/.exec(line) ?? []
    if (fence === "") {
      fence = mark
      return mark === "" ? line : ""
    }
    if (line.trim() === fence) fence = ""
    return ""
  })
}

/** The name under which a heading is linked to, as GitHub makes it. */
export const slug = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

/** The headings of a page by their names; the second of one name is `name-1`. */
const anchorsOf = (text: string): ReadonlySet<string> => {
  const anchors = new Set<string>()
  for (const line of prose(text)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const name = slug(heading)
    let free = name
    for (let count = 1; anchors.has(free); count++) free = `${name}-${count}`
    anchors.add(free)
  }
  return anchors
}

/** Checks the links of all pages below `root`. */
export const checkLinks = (root: string): Report => {
  const pages = [
    ...["README.md", "AGENTS.md", "CHANGELOG.md"].filter((page) => existsSync(join(root, page))),
    ...filesIn(root, ["docs"], ".md")
  ]
  const anchors = new Map<string, ReadonlySet<string>>()
  const anchorsIn = (page: string): ReadonlySet<string> => {
    const known = anchors.get(page) ?? anchorsOf(readFileSync(join(root, page), "utf8"))
    anchors.set(page, known)
    return known
  }
  const findings: Array<Finding> = []
  for (const page of pages) {
    const lines = prose(readFileSync(join(root, page), "utf8"))
    for (const [index, line] of lines.entries()) {
      // Code between single backticks links to nothing.
      for (const [, target = ""] of line.replace(/`[^`]*`/g, "``").matchAll(/\]\(([^()\s]+(?:\([^()\s]*\))?)\)/g)) {
        if (/^[a-z][a-z\d+.-]*:/i.test(target)) continue
        const [path = "", anchor = ""] = target.split("#")
        const file = path === "" ? page : posix.join(posix.dirname(page), path)
        const refuse = (message: string) => findings.push({ file: page, line: index + 1, message })
        if (!existsSync(join(root, file))) refuse(`links to ${target}, which does not exist`)
        else if (anchor !== "" && file.endsWith(".md") && !anchorsIn(file).has(anchor))
          refuse(`links to ${target}: ${file} has no such heading`)
      }
    }
  }
  return { findings }
}
