/**
 * `npm run docs`: writes what is made of the sources: the API index, the page of each error tag, the list of guides and
 * `llms.txt`. `npm run check` tells where one of them is not current.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { readApi } from "./api.ts"
import { apiPages } from "./api-pages.ts"
import { errorPages, errorTags } from "./error-pages.ts"
import { migrationFindings, taskFindings } from "./migration.ts"
import { listPages } from "./llms.ts"
import { nameFindings } from "./names.ts"
import { filesIn, type Finding, printFinding, type Report } from "./sources.ts"

/** Compares the pages that are made with those that are there; with `write` they are written. */
export const checkReference = (root: string, options: { readonly write?: boolean } = {}): Report => {
  const findings: Array<Finding> = []
  const api = readApi(root)
  const errors = errorPages(root, api)
  const pages = new Map([...apiPages(api, errorTags(api)), ...errors.pages])
  const settle = (page: string, text: string) => {
    const path = join(root, page)
    if (existsSync(path) && readFileSync(path, "utf8") === text) return
    if (options.write === true) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    } else findings.push({ file: page, line: 0, message: "is not what the sources say; run npm run docs" })
  }
  for (const [page, text] of pages) settle(page, text)
  for (const page of filesIn(root, ["docs/api"], ".md")) {
    if (pages.has(page)) continue
    if (options.write === true) rmSync(join(root, page))
    else findings.push({ file: page, line: 0, message: "is of an entry that is gone; run npm run docs" })
  }
  for (const [page, text] of listPages(root)) settle(page, text)
  findings.push(...errors.findings, ...migrationFindings(root), ...taskFindings(root), ...nameFindings(root, api))
  const exports = api.entries.flatMap(({ modules }) => modules).reduce((sum, module) => sum + module.exports.length, 0)
  return { findings, note: `${exports} exports, ${errors.pages.size - 2} error tags` }
}

if (import.meta.main) {
  const { findings, note } = checkReference(join(import.meta.dirname, ".."), { write: true })
  for (const finding of findings) console.error(printFinding(finding))
  console.log(note)
  process.exitCode = findings.length === 0 ? 0 : 1
}
