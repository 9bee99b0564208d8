/** The page of the problems that the HTTP server itself makes, read from where it makes them. */
import type { Api } from "./api.ts"
import { madeBy } from "./api-pages.ts"
import { type Expression, objectNamed, textOf } from "./error-classes.ts"
import { visit } from "./sources.ts"

/** A text in which nothing reads as HTML; what stands in backticks does not anyway. */
export const outsideCode = (text: string): string =>
  text
    .split("`")
    .map((part, index) => (index % 2 === 0 ? part.replace(/[<>]/g, "\\$&") : part))
    .join("`")

/** The HTTP statuses of errors, by their tags, as the server knows them. */
export const statusesOf = ({ sources }: Api): ReadonlyMap<string, number> => {
  const source = sources.get("layers/http/Problem.ts")
  const known = source === undefined ? undefined : objectNamed(source, "known")
  const statuses = new Map<string, number>()
  if (source !== undefined && known?.type === "ObjectExpression")
    for (const property of known.properties)
      if (property.type === "Property")
        statuses.set(textOf(source, property.key), Number(textOf(source, property.value)))
  return statuses
}

interface ProblemTag {
  readonly tag: string
  readonly statuses: Set<string>
  readonly details: Set<string>
}

/** The tags that the server's own problems have, from where they are made. */
const problemTags = ({ sources }: Api): ReadonlyArray<ProblemTag> => {
  const tags = new Map<string, ProblemTag>()
  const add = (tag: string, status: string, detail: string) => {
    const known = tags.get(tag) ?? { tag, statuses: new Set(), details: new Set() }
    known.statuses.add(status)
    const text = /^(["`])([^]*)\1$/.exec(detail.trim())?.[2]?.replace(/\\(.)/g, "$1")
    if (text !== undefined) known.details.add(text.replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, "‹…›"))
    tags.set(tag, known)
  }
  for (const source of sources.values()) {
    if (!source.path.startsWith("layers/http/")) continue
    // A function of the file that refuses with the detail that it is given.
    for (const [, name = "", status = "", tag = ""] of source.text.matchAll(
      /const (\w+) = \((?:detail|reason): string\)[^=]*=>\s*(?:Problem\.)?refuse\((\d+), "(\w+)", \w+\)/g
    ))
      for (const [, detail = ""] of source.text.matchAll(new RegExp(`\\b${name}\\(\\s*("[^"]*"|\`[^\`]*\`)`, "g")))
        add(tag, status, detail)
    const literal = (node: { readonly type: string; readonly value?: unknown } | undefined) =>
      node?.type === "Literal" ? String(node.value) : undefined
    visit(source, {
      CallExpression: ({ arguments: args, callee }) => {
        const [status, tag, detail] = args
        if (!/(^|\.)refuse$/.test(textOf(source, callee))) return
        const said = literal(status)
        const name = literal(tag)
        if (said !== undefined && name !== undefined)
          add(name, said, detail === undefined ? "" : textOf(source, detail))
      },
      ObjectExpression: ({ properties }) => {
        const named = (node: Expression | undefined) =>
          node?.type === "Identifier" ? objectNamed(source, node.name) : node
        const value = (key: string) => {
          const property = properties.find((one) => one.type === "Property" && textOf(source, one.key) === key)
          return property?.type === "Property" ? property.value : undefined
        }
        const status = literal(value("status"))
        const tag = literal(value("tag"))
        const detail = named(value("detail"))
        if (status !== undefined && tag !== undefined)
          add(tag, status, detail === undefined ? "" : textOf(source, detail))
      }
    })
  }
  return [...tags.values()].sort((a, b) => a.tag.localeCompare(b.tag))
}

/** The page of them; tags with a page of their own are linked. */
export const problemPage = (api: Api, tags: ReadonlySet<string>): string => {
  const lines = [
    madeBy,
    "",
    "# Problems of the HTTP server",
    "",
    "What goes wrong on the server is told as problem details (RFC 9457); its `type` is `urn:effigent:error:<tag>`. The tag is that of an [error](README.md) with a page of its own, or one of these, which the server itself makes. The typed client fails with [Problem](Problem.md), which holds the tag.",
    ""
  ]
  for (const { details, statuses, tag } of problemTags(api)) {
    lines.push(
      `## ${tag}`,
      "",
      `Status ${[...statuses].join(", ")}.${tags.has(tag) ? ` See also [${tag}](${tag}.md).` : ""}`,
      ""
    )
    for (const detail of details) lines.push(`- ${outsideCode(detail)}`)
    if (details.size > 0) lines.push("")
  }
  return `${lines.join("\n").trimEnd()}\n`
}
