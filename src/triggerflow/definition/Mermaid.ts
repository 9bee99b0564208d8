/**
 * Flows as Mermaid flowcharts: what each chain listens to, its steps, a box for each operator and sub-flow, and, where
 * the state of an execution is given, a colour for each step. Names may be any text: ids are numbers, and labels are
 * quoted and escaped.
 *
 * What only handlers know is not drawn: which signals they emit, where they pause, which fields they write.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { pointOf } from "../engine/SleepTime.ts"
import type {
  Body,
  ChainData,
  CollectorData,
  FlowData,
  LoopNode,
  MatchNode,
  Node,
  SleepNode,
  SubFlowNode,
  TriggerData
} from "../Node.ts"
import * as StepKey from "./StepKey.ts"

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
  readonly mode?: "detailed" | "simplified" | undefined
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
} as const

// Letters, digits, everything outside of ASCII and what means nothing to Mermaid inside quotes stays; the rest, and so
// every word of Mermaid's own, is written as entities.
const escape = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .replace(/[^\p{L}\p{N}\u0080-\u{10ffff} _.,/()+*='?!@$^~-]/gu, (char) => `#${char.codePointAt(0)};`)

/** An end of an edge that has not been drawn yet. */
interface End {
  readonly id: string
  readonly label?: string | undefined
  readonly dotted?: boolean | undefined
}

/** What one flow of the picture has drawn so far. */
interface Frame {
  readonly keys: ReadonlyMap<Node, string>
  readonly prefix: string
  readonly around: ReadonlyArray<FlowData>
  readonly chunks: Map<string, string>
  readonly collectors: Map<CollectorData, string>
  readonly sources: Map<string, string>
  result: string | undefined
}

class Drawing {
  readonly lines: Array<string> = ["flowchart TD"]
  // Edges come last: an edge inside a box would pull its ends into it.
  readonly edges: Array<string> = []
  readonly classes = new Map<Status, Array<string>>()
  private count = 0
  private depth = 1
  readonly options: Options

  constructor(options: Options) {
    this.options = options
  }

  get detailed(): boolean {
    return this.options.mode !== "simplified"
  }

  private line(text: string): void {
    this.lines.push("  ".repeat(this.depth) + text)
  }

  node(shape: keyof typeof shapes, label: string): string {
    const id = `n${++this.count}`
    const [open, close] = shapes[shape]
    this.line(`${id}${open}"${escape(label) || " "}"${close}`)
    return id
  }

  // A box with nothing in it is left out.
  box<A>(label: string, key: string, draw: () => A): A {
    const id = `g${++this.count}`
    const before = this.lines.length
    this.line(`subgraph ${id}["${escape(label) || " "}"]`)
    this.depth++
    const out = draw()
    this.depth--
    if (this.lines.length === before + 1) this.lines.pop()
    else {
      this.line("end")
      this.status(key, id)
    }
    return out
  }

  edge(from: End, to: string): void {
    const arrow = from.dotted === true ? "-.->" : "-->"
    const label = from.label === undefined || from.label === "" ? "" : `|"${escape(from.label)}"|`
    this.edges.push(`  ${from.id} ${arrow}${label} ${to}`)
  }

  join(ends: ReadonlyArray<End>, to: string): void {
    for (const end of ends) this.edge(end, to)
  }

  status(key: string, id: string): void {
    const status = this.options.status?.get(key)
    if (status !== undefined) this.classes.set(status, [...(this.classes.get(status) ?? []), id])
  }

  print(): string {
    const styles = [...this.classes].flatMap(([status, ids]) => [
      `  classDef ${status} ${colours[status]}`,
      `  class ${ids.join(",")} ${status}`
    ])
    return `${[...this.lines, ...this.edges, ...styles].join("\n")}\n`
  }
}

const time = (input: Duration.Input): string =>
  Option.match(Duration.fromInput(input), { onNone: () => String(input), onSome: Duration.format })

const until = (input: SleepNode["time"]): string => {
  if (typeof input === "function") return "until a time of its own"
  const point = pointOf(input)
  if (point !== undefined) return Number.isFinite(point) ? `until ${new Date(point).toISOString()}` : "until no date"
  // What is no point in time is a duration.
  return `for ${time(input as Duration.Input)}`
}

const title = (node: Node, drawing: Drawing): string => {
  const name = StepKey.nameOf(node)
  const facts: Array<string> = []
  const fact = (text: string, value: unknown) => {
    if (drawing.detailed && value !== undefined) facts.push(text)
  }
  switch (node.kind) {
    case "chunk": {
      const { catch: caught, concurrency, idleTimeout, retry, review, timeout } = node.settings
      fact("review", review)
      fact("retry", retry)
      fact("catch", caught)
      fact(`at most ${concurrency} at once`, concurrency)
      if (timeout !== undefined) fact(`timeout ${time(timeout)}`, timeout)
      if (idleTimeout !== undefined) fact(`idle timeout ${time(idleTimeout)}`, idleTimeout)
      break
    }
    case "batch":
      fact("beside its input", node.keep)
      fact(`at most ${node.concurrency} at once`, node.concurrency)
      fact("collect failures", node.onError === "collect" ? true : undefined)
      break
    case "forEach":
      fact(`at most ${node.concurrency} at once`, node.concurrency)
      fact(`${node.onError} failures`, node.onError === "fail" ? undefined : node.onError)
      break
    case "match":
      fact("all that hold", node.mode === "all" ? true : undefined)
      break
    case "loop":
      fact(`at most ${node.max} rounds`, node.max)
      break
    case "sleep":
      fact(until(node.time), node.time)
      break
    default:
      break
  }
  const head = node.kind === "chunk" ? node.name : name === undefined ? node.kind : `${node.kind} ${name}`
  return facts.length === 0 ? head : `${head} (${facts.join(", ")})`
}

const isText = (value: unknown): value is string | number | boolean =>
  ["string", "number", "boolean"].includes(typeof value)

const drawStep = (drawing: Drawing, frame: Frame, node: Node, ends: ReadonlyArray<End>): ReadonlyArray<End> => {
  const key = frame.prefix + (frame.keys.get(node) ?? "")
  const single = (shape: keyof typeof shapes, label: string): string => {
    const id = drawing.node(shape, label)
    drawing.status(key, id)
    drawing.join(ends, id)
    return id
  }
  const boxed = (draw: () => ReadonlyArray<End>): ReadonlyArray<End> => drawing.box(title(node, drawing), key, draw)
  // Where branches part and meet; nothing in simplified drawings.
  const junction = (from: ReadonlyArray<End>): ReadonlyArray<End> => {
    if (!drawing.detailed) return from
    const id = drawing.node("junction", " ")
    drawing.join(from, id)
    return [{ id }]
  }
  const relabel = (from: ReadonlyArray<End>, label: string): ReadonlyArray<End> =>
    from.map((end) => ({ ...end, label: end.label === undefined ? label : `${end.label} / ${label}` }))

  switch (node.kind) {
    case "chunk": {
      const id = single("step", title(node, drawing))
      if (!frame.chunks.has(node.name)) frame.chunks.set(node.name, id)
      return [{ id }]
    }
    case "point":
      return [{ id: single("point", `point ${node.name}`) }]
    case "sleep":
      return [{ id: single("sleep", title(node, drawing)) }]
    case "batch":
      return boxed(() => {
        const from = junction(ends)
        return junction(node.branches.flatMap(([name, body]) => drawBody(drawing, frame, body, relabel(from, name))))
      })
    case "forEach":
      return boxed(() => junction(drawBody(drawing, frame, node.body, relabel(junction(ends), "each item"))))
    case "match":
      return boxed(() => drawMatch(drawing, frame, node, ends, relabel))
    case "loop":
      return boxed(() => drawLoop(drawing, frame, node, ends))
    case "side":
      boxed(() => {
        // What a side body ends with goes nowhere.
        drawBody(
          drawing,
          frame,
          node.body,
          ends.map((end) => ({ ...end, dotted: true }))
        )
        return []
      })
      return ends
    case "collect": {
      const to = collector(drawing, frame, node.collector)
      for (const end of ends) drawing.edge({ ...end, label: node.branch, dotted: true }, to)
      return ends
    }
    case "result": {
      if (frame.result === undefined) return ends
      drawing.join(node.stop === true ? relabel(ends, "stop") : ends, frame.result)
      return node.stop === true ? [] : ends
    }
    case "subFlow":
      return drawSubFlow(drawing, frame, node, key, ends, single)
  }
}

type Relabel = (from: ReadonlyArray<End>, label: string) => ReadonlyArray<End>

const drawMatch = (
  drawing: Drawing,
  frame: Frame,
  node: MatchNode,
  ends: ReadonlyArray<End>,
  relabel: Relabel
): ReadonlyArray<End> => {
  let from = ends
  if (drawing.detailed) {
    const id = drawing.node("choice", node.mode === "all" ? "which?" : "which first?")
    drawing.join(ends, id)
    from = [{ id }]
  }
  const out = node.cases.flatMap(({ body, name, test }) => {
    const value = drawing.detailed && test._tag === "is" && isText(test.value) ? ` = ${test.value}` : ""
    return drawBody(drawing, frame, body, relabel(from, name + value))
  })
  return [...out, ...drawBody(drawing, frame, node.otherwise ?? [], relabel(from, "otherwise"))]
}

const drawLoop = (drawing: Drawing, frame: Frame, node: LoopNode, ends: ReadonlyArray<End>): ReadonlyArray<End> => {
  if (!drawing.detailed) return drawBody(drawing, frame, node.body, ends)
  const id = drawing.node("choice", "again?")
  drawing.join(ends, id)
  drawing.join(drawBody(drawing, frame, node.body, [{ id, label: "yes" }]), id)
  return [{ id, label: "no" }]
}

const drawSubFlow = (
  drawing: Drawing,
  frame: Frame,
  node: SubFlowNode,
  key: string,
  ends: ReadonlyArray<End>,
  single: (shape: "sub", label: string) => string
): ReadonlyArray<End> => {
  const name = node.flow.contract.name
  const label = node.name === undefined ? `flow ${name}` : `flow ${name} as ${node.name}`
  if (!drawing.detailed || frame.around.includes(node.flow)) return [{ id: single("sub", label) }]
  return drawing.box(label, key, () => {
    const { result, start } = drawFlow(drawing, node.flow, `${key}/`, frame.around)
    const end = drawing.node("junction", " ")
    // What is not written as a result goes on when the whole flow has ended.
    drawing.join(ends, start ?? end)
    if (result !== undefined) drawing.edge({ id: result }, end)
    else if (start !== undefined) drawing.edge({ id: start, label: "when all is done", dotted: true }, end)
    return [{ id: end }]
  })
}

const drawBody = (drawing: Drawing, frame: Frame, body: Body, ends: ReadonlyArray<End>): ReadonlyArray<End> =>
  body.reduce((from, node) => drawStep(drawing, frame, node, from), ends)

const collector = (drawing: Drawing, frame: Frame, data: CollectorData): string => {
  const known = frame.collectors.get(data)
  if (known !== undefined) return known
  const id = drawing.node(
    "collector",
    drawing.detailed ? `collect ${data.name} (${data.mode})` : `collect ${data.name}`
  )
  frame.collectors.set(data, id)
  return id
}

// Where what a chain listens to stands.
const source = (drawing: Drawing, frame: Frame, trigger: TriggerData): End => {
  switch (trigger._tag) {
    case "collect":
      return { id: collector(drawing, frame, trigger.collector) }
    case "chunk": {
      const id = frame.chunks.get(trigger.chunk)
      // A chunk that is not drawn by now is missing, or waits for this chain: the check of the flow says so.
      return id === undefined
        ? { id: shared(drawing, frame, trigger, "step", trigger.chunk) }
        : { id, label: "completed", dotted: true }
    }
    case "start":
      return { id: shared(drawing, frame, trigger, "start", "START") }
    case "signal":
      return { id: shared(drawing, frame, trigger, "signal", trigger.signal.name) }
    case "state":
      return { id: shared(drawing, frame, trigger, "data", `state ${trigger.key}`) }
    case "flowData":
      return { id: shared(drawing, frame, trigger, "data", `flow data ${trigger.key}`) }
    case "any":
    case "all": {
      const from = trigger.of.map(([name, of]) => {
        const end = source(drawing, frame, of)
        return trigger._tag === "all" || trigger.named ? { ...end, label: name } : end
      })
      const key = trigger._tag === "all" && drawing.detailed && trigger.by !== undefined ? " (by key)" : ""
      const id = drawing.node("gate", trigger._tag + key)
      drawing.join(from, id)
      return { id }
    }
  }
}

// Several chains may listen to the same source: it is drawn once.
const shared = (
  drawing: Drawing,
  frame: Frame,
  trigger: TriggerData,
  shape: keyof typeof shapes,
  label: string
): string => {
  const key = `${trigger._tag} ${StepKey.triggerKey(trigger)}`
  const id = frame.sources.get(key) ?? drawing.node(shape, label)
  frame.sources.set(key, id)
  return id
}

const drawFlow = (drawing: Drawing, flow: FlowData, prefix: string, around: ReadonlyArray<FlowData>) => {
  const keys = StepKey.stepKeys(flow)
  const frame: Frame = {
    keys,
    prefix,
    around: [...around, flow],
    chunks: new Map(),
    collectors: new Map(),
    sources: new Map(),
    result: undefined
  }
  // What several chains share stands outside of their boxes.
  const start = flow.chains.find(({ trigger }) => trigger._tag === "start")
  const startId = start === undefined ? undefined : source(drawing, frame, start.trigger).id
  for (const node of keys.keys()) {
    if (node.kind === "collect") collector(drawing, frame, node.collector)
    if (node.kind === "result") frame.result ??= drawing.node("result", "RESULT")
  }
  // A chain that listens to a chunk is drawn behind the chain that the chunk stands in.
  let rest: ReadonlyArray<ChainData> = flow.chains
  while (rest.length > 0) {
    const ready = rest.filter(({ trigger }) => chunksOf(trigger).every((name) => frame.chunks.has(name)))
    const now = ready.length > 0 ? ready : rest
    for (const { body, trigger } of now) drawBody(drawing, frame, body, [source(drawing, frame, trigger)])
    rest = rest.filter((chain) => !now.includes(chain))
  }
  return { start: startId, result: frame.result }
}

const chunksOf = (trigger: TriggerData): ReadonlyArray<string> =>
  trigger._tag === "chunk"
    ? [trigger.chunk]
    : trigger._tag === "any" || trigger._tag === "all"
      ? trigger.of.flatMap(([, of]) => chunksOf(of))
      : []

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
  const drawing = new Drawing(options)
  drawFlow(drawing, flow.data, "", [])
  return drawing.print()
}
