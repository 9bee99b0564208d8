/**
 * The pages of `docs/errors`: one for each public error tag. What an error is (its fields, what it says, where it stands
 * in types, its HTTP status) is written here from the sources, between two marks; why it happens and what to do is
 * written by hand below them, and kept. The tags of the HTTP server's own problems share one page.
 */
import { existsSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { type Api, description, firstSentence } from "./api.ts"
import { madeBy, type Pages } from "./api-pages.ts"
import { type ErrorClass, errorsOf, type Field, fieldsOfClass, reasonsOf, saysOf } from "./error-classes.ts"
import { aliasesOf, importsOf, type Mentions, mentionsOf } from "./error-mentions.ts"
import { outsideCode, problemPage, statusesOf } from "./problem-page.ts"
import { filesIn, type Finding } from "./sources.ts"

const folder = "docs/errors"
const begin = "<!-- Made by `npm run docs` from the sources, down to the next mark. -->"
const end = "<!-- By hand from here on. -->"
const headings = ["## Why it happens", "## What to do"]

/** The tags of the errors that the API has, by the file and the name of their classes. */
export const errorTags = (api: Api): ReadonlyMap<string, string> =>
  new Map(errorsOf(api).map(({ export: { declaredAs, file }, tag }) => [`${file} ${declaredAs}`, tag]))

const cell = (text: string): string => text.replaceAll("|", "\\|")

const inCode = (text: string): string => (text.includes("`") ? `\`\` ${cell(text)} \`\`` : `\`${cell(text)}\``)

const fieldTable = (fields: ReadonlyArray<Field>): ReadonlyArray<string> => [
  "| field | Schema | |",
  "|---|---|---|",
  ...fields.map(({ doc, name, type }) => `| \`${name}\` | ${inCode(type.replace(/^typeof /, ""))} | ${cell(doc)} |`),
  ""
]

const importName = ({ export: { name }, module }: ErrorClass): string =>
  module.name === "" ? name : `${module.name}.${name}`

const generated = (
  error: ErrorClass,
  statuses: ReadonlyMap<string, number>,
  mentions: Mentions,
  reasonOf: string | undefined
) => {
  const {
    entry,
    export: { doc, file, name },
    module,
    source,
    tag
  } = error
  const fields = fieldsOfClass(source, error.node)
  const reasons = reasonsOf(source, fields)
  const says = saysOf(source, error.node)
  const status = statuses.get(tag)
  const lines = [begin, "", `# ${tag}`, "", description(doc).replace(/\s*\n\s*/g, " "), ""]
  const imported = module.name === "" ? name : module.name
  lines.push(
    `\`import { ${imported} } from "${entry.specifier}"\`${module.name === "" ? "" : `, as \`${importName(error)}\``}, from [${file}](${posix.relative(folder, file)}).`,
    ""
  )
  if (fields.length > 0) lines.push(...fieldTable(fields))
  if (reasons.length > 0) {
    const of = fields.find(({ name: field }) => /^(reason|failure)$/.test(field))?.name ?? "reason"
    lines.push(`| \`${of}._tag\` | means | with |`, "|---|---|---|")
    for (const reason of reasons) {
      const linked = reason.fields.map((one) => `\`${one.name}\``).join(", ")
      lines.push(`| \`${reason.tag}\` | ${cell(reason.doc.replace(/@category.*$/, "").trim())} | ${linked} |`)
    }
    lines.push("")
  }
  if (says.length > 0) lines.push("It says:", "", ...says.map((text) => `- ${outsideCode(text)}`), "")
  if (reasonOf !== undefined)
    lines.push(
      `A reason of [\`${reasonOf}\`](${reasonOf}.md): \`Effect.catchReason("${reasonOf}", "${tag}", ...)\`.`,
      ""
    )
  const { others, unions } = mentions
  if (unions.length > 0) lines.push(`Part of ${unions.join(", ")}.`, "")
  if (others.length > 0) {
    const most = 24
    const more = others.length > most ? `, and ${others.length - most} more` : ""
    lines.push(`In the types of ${others.slice(0, most).join(", ")}${more}.`, "")
  }
  if (status !== undefined)
    lines.push(`Over [HTTP](../http.md#problems): status ${status}, type \`urn:effigent:error:${tag}\`.`, "")
  lines.push(end)
  return lines.join("\n")
}

const handOf = (text: string | undefined): string => {
  const at = text?.indexOf(end) ?? -1
  return at < 0 || text === undefined ? "" : text.slice(at + end.length)
}

const stub = `\n\n${headings.map((heading) => `${heading}\n`).join("\n")}`

/** The pages of all error tags, and what is wrong with them that no generator can mend. */
export const errorPages = (
  root: string,
  api: Api
): { readonly pages: Pages; readonly findings: ReadonlyArray<Finding> } => {
  const errors = errorsOf(api)
  const statuses = statusesOf(api)
  const pages: Pages = new Map()
  const findings: Array<Finding> = []
  const cache = new Map<string, ReadonlySet<string>>()
  const imports = (file: string) => {
    const source = api.sources.get(file)
    const known = cache.get(file) ?? (source === undefined ? new Set<string>() : importsOf(source))
    cache.set(file, known)
    return known
  }
  const aliases = aliasesOf(api)
  const reasonOf = new Map<string, string>()
  for (const { node, source, tag } of errors)
    for (const reason of reasonsOf(source, fieldsOfClass(source, node)))
      if (errors.some((one) => one.tag === reason.tag && one.source === source)) reasonOf.set(reason.tag, tag)
  const index = [
    madeBy,
    "",
    "# Errors",
    "",
    "A page for each error tag: what it says, why it happens, what to do. Catch one with `Effect.catchTag(tag, ...)`, one reason of those that have reasons with `Effect.catchReason(tag, reason, ...)`. Over HTTP the tag stands in the problem's `tag` and `type`; the server's own tags are on [one page](problems.md).",
    ""
  ]
  const room = ({ entry }: ErrorClass) => entry.specifier.replace(/\/services\/.*$/, "/services")
  for (const [specifier, those] of Map.groupBy(errors, room)) {
    index.push(`## ${specifier}`, "", "| tag | when |", "|---|---|")
    for (const error of those)
      index.push(`| [\`${error.tag}\`](${error.tag}.md) | ${cell(firstSentence(error.export.doc))} |`)
    index.push("")
  }
  for (const error of errors) {
    const path = `${folder}/${error.tag}.md`
    const old = existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined
    const hand = handOf(old)
    const head = generated(error, statuses, mentionsOf(api, error, imports, aliases), reasonOf.get(error.tag))
    pages.set(path, `${head}${hand === "" ? stub : hand}`)
    for (const heading of headings) {
      const [, after = ""] = hand.split(`${heading}\n`)
      if (after.trim() === "" || after.trim().startsWith("## "))
        findings.push({ file: path, line: 0, message: `says nothing under "${heading}"; write it by hand` })
    }
  }
  const tags = new Set(errors.map(({ tag }) => tag))
  pages.set(`${folder}/README.md`, `${index.join("\n").trimEnd()}\n`)
  pages.set(`${folder}/problems.md`, problemPage(api, tags))
  for (const file of filesIn(root, [folder], ".md"))
    if (!pages.has(file))
      findings.push({ file, line: 0, message: "there is no such error tag any more; delete the page" })
  return { pages, findings }
}
