/**
 * The list of guides and what is made of it. `docs/README.md` is written by hand, in reading order; a guide that it does
 * not name is put at its end with the first sentence of its page. `llms.txt` is the same list for models, by the
 * convention of that name; all of the guides in one text go into the package with the build.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { firstSentence } from "./api.ts"
import type { Pages } from "./api-pages.ts"
import { filesIn } from "./sources.ts"

const list = "docs/README.md"
const rest = "## More"

const read = (root: string, file: string): string =>
  existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8") : ""

/** The first paragraph below the heading of a page, up to its first sentence's end. */
const opening = (text: string): string => {
  const [, after = ""] = text.split(/^# .*$/m)
  const paragraph = after.trim().split(/\n\s*\n/)[0] ?? ""
  return firstSentence(paragraph.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1"))
}

const title = (text: string): string => /^# (.*)$/m.exec(text)?.[1] ?? ""

/** `docs/README.md` with all guides that are there. */
const guideList = (root: string): string => {
  const text = read(root, list)
  const named = new Set([...text.matchAll(/\]\(([\w.-]+\.md)[#)]/g)].map(([, file]) => file))
  const lines = filesIn(root, ["docs"], ".md").flatMap((file) => {
    const name = file.slice("docs/".length)
    if (name.includes("/") || name === "README.md" || named.has(name)) return []
    const page = read(root, file)
    return [`- [${title(page)}](${name}): ${opening(page)}`]
  })
  if (lines.length === 0) return text
  const begun = text.includes(`\n${rest}\n`) ? text.trimEnd() : `${text.trimEnd()}\n\n${rest}\n`
  return `${begun}\n${lines.join("\n")}\n`
}

/** The examples, each with the first sentence of the comment that it opens with. */
const examples = (root: string): string =>
  filesIn(root, ["examples"], ".ts")
    .map((file) => {
      const comment = /^(?:\/\/.*\n)+/.exec(read(root, file))?.[0] ?? ""
      return `- [${file}](${file}): ${firstSentence(comment.replace(/^\/\/ ?/gm, ""))}`
    })
    .join("\n")

/** `docs/README.md` and `llms.txt` as they should be. */
export const listPages = (root: string): Pages => {
  const guides = guideList(root)
  const summary = opening(read(root, "README.md"))
  const sections = guides
    .slice(Math.max(0, guides.indexOf("\n## ") + 1))
    .replace(/\]\((?!\.\.\/|[a-z]+:)([^)]+)\)/g, "](docs/$1)")
    .replace(/\]\(\.\.\/([^)]+)\)/g, "]($1)")
    .trimEnd()
  const text = `# Effigent

> ${summary} A program yields an agent call and gets a typed value; models are services that Layers provide; output is an Effect \`Schema\`; every failure stands in the type.

Written for Effect 4: \`effect/Schema\`, \`Context.Service\`, \`Effect.catchReason\`; what is known of Effect 3 misleads. All code in these pages is run by the checks of the repository. Paths are relative to the repository and to the npm package; the package holds all guides as one text in \`dist/llms-full.txt\`.

- [AGENTS](AGENTS.md): How to write programs with Effigent, the traps, and how to work on the repository itself.

${sections}

## Optional

${examples(root)}
`
  return new Map([
    [list, guides],
    ["llms.txt", text]
  ])
}

/** All guides in one text, in reading order; guides for those who come from elsewhere are left out. */
export const fullText = (root: string): string => {
  const guides = read(root, list)
  const names = [...guides.matchAll(/\]\(([\w-]+\.md)[#)]/g)].flatMap(([, name]) => (name === undefined ? [] : [name]))
  const files = [...new Set(names)].filter((name) => !name.startsWith("from-")).map((name) => `docs/${name}`)
  return ["README.md", "AGENTS.md", ...files]
    .filter((file) => existsSync(join(root, file)))
    .map((file) => `<!-- ${file} -->\n\n${read(root, file).trim()}\n`)
    .join("\n")
}
