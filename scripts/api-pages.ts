/** The pages of `docs/api`: one for each entry of the package, one for all services, and an index. */
import { posix } from "node:path"
import { type Api, description, type Entry, type Export, firstSentence, type Module } from "./api.ts"

/** The pages that a generator makes, by their paths below the root. */
export type Pages = Map<string, string>

/** Said at the top of whatever is made by machine. */
export const madeBy = "<!-- Made by `npm run docs` from the doc comments. Change those, not this page. -->"

const folder = "docs/api"

/** The page that tells of an entry. */
export const pageOf = (specifier: string): string => {
  const [first = "", second = "", ...rest] = specifier.split("/")
  if (second === "services") return `${folder}/services.md`
  return `${folder}/${[second === "" ? first : second, ...rest].join("-")}.md`
}

const code = (text: string): string => (text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``)

// What comes from a package is named, and not linked.
const fileLink = (file: string): string =>
  file.endsWith(".ts") ? `[${file}](${posix.relative(folder, file)})` : `\`${file}\``

/** The tags of errors, by the file and the name of their classes. */
export type Tags = ReadonlyMap<string, string>

const exportLines = (one: Export, module: Module, tags: Tags): ReadonlyArray<string> => {
  const sentence = firstSentence(one.doc)
  const away = one.file === module.file || module.name === "" ? "" : ` (${fileLink(one.file)})`
  const tag = tags.get(`${one.file} ${one.declaredAs}`)
  const page = tag === undefined ? "" : ` [Its page](../errors/${tag}.md).`
  return [`- **${one.name}**: ${sentence}${away}${page}`, ...one.signatures.map((text) => `  - ${code(text)}`)]
}

const moduleLines = (module: Module, entry: Entry, level: string, tags: Tags): ReadonlyArray<string> => {
  const lines: Array<string> = []
  if (module.name !== "") {
    lines.push(`${level} ${module.name}`, "")
    lines.push(
      `${firstSentence(module.doc)} ${code(`import { ${module.name} } from "${entry.specifier}"`)}, from ${fileLink(module.file)}.`,
      ""
    )
  }
  const byCategory = Map.groupBy(module.exports, ({ category }) => category || "others")
  for (const [category, exports] of byCategory) {
    lines.push(`*${category}*`, "", ...exports.flatMap((one) => exportLines(one, module, tags)), "")
  }
  return lines
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const entryLines = (entry: Entry, level: string, tags: Tags): ReadonlyArray<string> => {
  const lines = [`${level} ${entry.specifier}`, ""]
  const words = description(entry.doc).replace(new RegExp(`^\`${entry.specifier}\`:\\s*`), "")
  if (words !== "") lines.push(capital(words), "")
  const [only, ...more] = entry.modules
  if (more.length === 0 && only?.name === "") lines.push(`From ${fileLink(entry.file)}.`, "")
  // What an entry exports by its own name comes behind its namespaces.
  for (const module of entry.modules) {
    if (module.name === "" && entry.modules.length > 1) lines.push(`${level}# By their own names`, "")
    lines.push(...moduleLines(module, entry, `${level}#`, tags))
  }
  return lines
}

const count = (entry: Entry): number => entry.modules.reduce((sum, { exports }) => sum + exports.length, 0)

const anchor = (specifier: string): string => specifier.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "")

/** The pages of an API; errors with a tag link to theirs. */
export const apiPages = ({ entries }: Api, tags: Tags): Pages => {
  const pages: Pages = new Map()
  const byPage = Map.groupBy(entries, ({ specifier }) => pageOf(specifier))
  const index = [madeBy, "", "# API index", ""]
  index.push(
    "Every entry of the package, its modules, and each export with its signature (shortened) and the first sentence of its doc comment. The whole comments, with examples, stand in the sources that each page links to. Errors have [pages of their own](../errors/README.md).",
    "",
    "| entry | what | modules | exports |",
    "|---|---|---|---|"
  )
  for (const [page, those] of byPage) {
    const isOne = those.length === 1
    const lines = [madeBy, ""]
    if (!isOne)
      lines.push(
        "# Services",
        "",
        "The services that the library is made of and that Layers provide, each an entry of its own.",
        ""
      )
    for (const entry of those) {
      lines.push(...entryLines(entry, isOne ? "#" : "##", tags))
      const name = posix.basename(page)
      const link = isOne ? name : `${name}#${anchor(entry.specifier)}`
      const modules = entry.modules.flatMap(({ name }) => (name === "" ? [] : [code(name)])).join(", ")
      const words = capital(firstSentence(entry.doc).replace(/^`[^`]*`:\s*/, ""))
      index.push(
        `| [\`${entry.specifier}\`](${link}) | ${words.replaceAll("|", "\\|")} | ${modules} | ${count(entry)} |`
      )
    }
    pages.set(page, `${lines.join("\n").trimEnd()}\n`)
  }
  const total = entries.reduce((sum, entry) => sum + count(entry), 0)
  pages.set(`${folder}/index.md`, `${[...index, "", `${total} exports of ${entries.length} entries.`].join("\n")}\n`)
  return pages
}
