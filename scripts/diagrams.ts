/**
 * The Mermaid diagrams of the documentation. Each is drawn by the library itself: the comment before it names a constant
 * of the last ts block,
 *
 *     <!-- mermaid: order -->
 *
 * which is a flow, drawn by `Mermaid.toMermaid`, or a text that the block has drawn itself (other options, a status).
 * `npm run check -- snippets` tells where a page shows another diagram; with `--write` the page is written anew.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Finding } from "./sources.ts"
import type { Block } from "./snippets.ts"

/** One diagram of a page. */
export interface Diagram {
  readonly block: Block
  /** The constant of the snippet that is drawn. */
  readonly what: string
  /** The block that makes it. */
  readonly snippet: Block
}

/** The diagrams among the blocks of a page, and what is wrong with those that nothing draws. */
export const diagramsOf = (
  text: string,
  blocks: ReadonlyArray<Block>
): { readonly diagrams: ReadonlyArray<Diagram>; readonly findings: ReadonlyArray<Finding> } => {
  const lines = text.split("\n")
  const diagrams: Array<Diagram> = []
  const findings: Array<Finding> = []
  let snippet: Block | undefined
  for (const block of blocks) {
    if (/^ts\b/.test(block.info)) snippet = block
    if (!/^mermaid\b/.test(block.info)) continue
    // The last line with something on it before the fence.
    const before = lines.slice(0, block.line - 2).findLast((line) => line.trim() !== "") ?? ""
    const what = /^<!-- mermaid: ([A-Za-z_$][\w$]*) -->$/.exec(before.trim())?.[1]
    const refuse = (message: string) => findings.push({ file: block.file, line: block.line - 1, message })
    if (what === undefined) refuse('nothing draws this diagram: put "<!-- mermaid: name -->" with the flow before it')
    else if (snippet === undefined) refuse(`no ts block before this diagram has made "${what}"`)
    else diagrams.push({ block, what, snippet })
  }
  return { diagrams, findings }
}

/** The lines to put behind a snippet so that it tells the runner what its diagrams look like. */
export const drawing = (name: string, whats: ReadonlyArray<string>): string => {
  if (whats.length === 0) return ""
  const calls = whats.map(
    (what) =>
      `globalThis.__diagram(${JSON.stringify(name)}, ${JSON.stringify(what)}, ` +
      `typeof ${what} === "string" ? ${what} : __mermaid.toMermaid(${what}))\n`
  )
  return `\nimport { Mermaid as __mermaid } from "effigent/triggerflow"\n${calls.join("")}`
}

/** Findings where pages show something else than what is drawn; with `write` the pages are mended instead. */
export const compareDiagrams = (
  root: string,
  diagrams: ReadonlyArray<Diagram>,
  drawn: (diagram: Diagram) => string | undefined,
  write: boolean
): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  // From the last to the first, so that the lines of those before stay where they are.
  for (const diagram of diagrams.toReversed()) {
    const { block, what } = diagram
    const text = drawn(diagram)
    // A snippet that failed is told of already.
    if (text === undefined || text.trimEnd() === block.code.trimEnd()) continue
    if (write) {
      const path = join(root, block.file)
      const lines = readFileSync(path, "utf8").split("\n")
      // An empty block has no line of its own.
      const length = block.code === "\n" && lines[block.line - 1]?.trim().startsWith("```") === true ? 0 : undefined
      lines.splice(block.line - 1, length ?? block.code.split("\n").length - 1, ...text.trimEnd().split("\n"))
      writeFileSync(path, lines.join("\n"))
    } else {
      const message = `is not what "${what}" looks like; run npm run check -- snippets --write`
      findings.push({ file: block.file, line: block.line, message })
    }
  }
  return findings.toReversed()
}
