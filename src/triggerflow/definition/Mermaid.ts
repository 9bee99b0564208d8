/**
 * Flows as Mermaid flowcharts: their pictures as text, and, where the state of an execution is given, a colour for each
 * step. Names may be any text: ids are numbers, and labels are quoted and escaped.
 */
import type { FlowData } from "../Node.ts"
import * as Picture from "./Picture.ts"

/**
 * How far a step has come.
 *
 * @category models
 */
export type Status = "pending" | "running" | "waiting" | "done" | "stopped" | "failed"

/**
 * How a flow is drawn.
 *
 * @category models
 */
export interface Options {
  /**
   * `detailed` (default) draws limits, the points where branches part and meet, the way back of loops and the inside of
   * sub-flows; `simplified` leaves them out.
   */
  readonly mode?: Picture.Mode | undefined
  /**
   * How far the steps have come, by step key (see `stepKeys`). A step of a sub-flow has the key of the sub-flow, `/`, and
   * its own key. Steps that are not in it keep their plain look.
   */
  readonly status?: ReadonlyMap<string, Status> | undefined
}

const colours: { readonly [S in Status]: string } = {
  pending: "fill:#f4f4f5,stroke:#a1a1aa,color:#52525b,stroke-dasharray:4 3",
  running: "fill:#dbeafe,stroke:#2563eb,color:#1e3a8a",
  waiting: "fill:#fef3c7,stroke:#d97706,color:#78350f",
  done: "fill:#dcfce7,stroke:#16a34a,color:#14532d",
  stopped: "fill:#e4e4e7,stroke:#52525b,color:#27272a",
  failed: "fill:#fee2e2,stroke:#dc2626,color:#7f1d1d"
}

const shapes = {
  start: ["([", "])"],
  step: ["[", "]"],
  signal: [">", "]"],
  data: ["[(", ")]"],
  gate: ["{{", "}}"],
  collector: ["[/", "\\]"],
  junction: ["((", "))"],
  choice: ["{", "}"],
  point: ["(", ")"],
  sleep: ["[\\", "/]"],
  sub: ["[[", "]]"],
  result: ["(((", ")))"]
} as const satisfies { readonly [S in Picture.Shape]: readonly [string, string] }

// Letters, digits, everything outside of ASCII and what means nothing to Mermaid inside quotes stays; the rest, and so
// every word of Mermaid's own, is written as entities.
const escape = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .replace(/[^\p{L}\p{N}\u0080-\u{10ffff} _.,/()+*='?!@$^~-]/gu, (char) => `#${char.codePointAt(0)};`)

/**
 * Draws a flow as a Mermaid flowchart.
 *
 * @example
 * ```ts
 * import { Chain, Mermaid, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Words = TriggerFlow.define("words", { input: Schema.String, result: Schema.Int })
 * const words = Words.build(
 *   Words.start.pipe(
 *     Chain.to("split", (text) => Effect.succeed(text.split(" "))),
 *     Chain.to("count", (list) => Effect.succeed(list.length)),
 *     Chain.result
 *   )
 * )
 * console.log(Mermaid.toMermaid(words).split("\n")[1]?.trim()) // => n1(["START"])
 * ```
 *
 * @category conversions
 */
export const toMermaid = (flow: { readonly data: FlowData }, options: Options = {}): string => {
  const { edges, items } = Picture.of(flow, options.mode)
  const lines = ["flowchart TD"]
  const classes = new Map<Status, Array<string>>()
  let depth = 1
  const line = (text: string) => lines.push("  ".repeat(depth) + text)
  const color = (key: string | undefined, id: string) => {
    const status = key === undefined ? undefined : options.status?.get(key)
    if (status !== undefined) classes.set(status, [...(classes.get(status) ?? []), id])
  }
  for (const item of items) {
    if (item._tag === "node") {
      const [open, close] = shapes[item.shape]
      line(`${item.id}${open}"${escape(item.label) || " "}"${close}`)
      color(item.key, item.id)
    } else if (item._tag === "open") {
      line(`subgraph ${item.id}["${escape(item.label) || " "}"]`)
      depth++
    } else {
      depth--
      line("end")
      color(item.key, item.id)
    }
  }
  // Edges come last: an edge inside a box would pull its ends into it.
  for (const { dotted, from, label, to } of edges)
    lines.push(`  ${from} ${dotted ? "-.->" : "-->"}${label === undefined ? "" : `|"${escape(label)}"|`} ${to}`)
  for (const [status, ids] of classes) {
    lines.push(`  classDef ${status} ${colours[status]}`)
    lines.push(`  class ${ids.join(",")} ${status}`)
  }
  return `${lines.join("\n")}\n`
}
