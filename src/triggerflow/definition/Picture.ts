/**
 * Flows as pictures: what each chain listens to, its steps, a box for each operator and sub-flow, and the ways between
 * them. `Mermaid` writes a picture as text; pages draw it as they like.
 *
 * What only handlers know is not in it: which signals they emit, where they pause, which fields they write.
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
 * How something looks. `junction`: where branches part and meet; `gate`: what waits for several sources; `sub`: a sub-flow
 * that is not drawn itself.
 *
 * @category models
 */
export type Shape =
  | "start"
  | "step"
  | "signal"
  | "data"
  | "gate"
  | "collector"
  | "junction"
  | "choice"
  | "point"
  | "sleep"
  | "sub"
  | "result"

/**
 * A piece of a picture, in the order of the definition: a node, or the begin or end of a box. `key` is that of the step
 * (see `stepKeys`); a step of a sub-flow has the key of the sub-flow, `/`, and its own.
 *
 * @category models
 */
export type Item =
  | {
      readonly _tag: "node"
      readonly id: string
      readonly shape: Shape
      readonly label: string
      readonly key: string | undefined
    }
  | { readonly _tag: "open"; readonly id: string; readonly label: string; readonly key: string }
  | { readonly _tag: "close"; readonly id: string; readonly key: string }

/** A way from one node to another. `dotted`: something that is listened to. @category models */
export interface Edge {
  readonly from: string
  readonly to: string
  readonly label: string | undefined
  readonly dotted: boolean
}

/** A flow as nodes, boxes and ways. @category models */
export interface Picture {
  readonly items: ReadonlyArray<Item>
  readonly edges: ReadonlyArray<Edge>
}

/**
 * How much is drawn: `detailed` draws limits, the points where branches part and meet, the way back of loops and the
 * inside of sub-flows; `simplified` leaves them out.
 *
 * @category models
 */
export type Mode = "detailed" | "simplified"

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

class Drawing implements Picture {
  readonly items: Array<Item> = []
  readonly edges: Array<Edge> = []
  readonly detailed: boolean
  private count = 0

  constructor(mode: Mode) {
    this.detailed = mode === "detailed"
  }

  node(shape: Shape, label: string, key?: string): string {
    const id = `n${++this.count}`
    this.items.push({ _tag: "node", id, shape, label, key })
    return id
  }

  // A box with nothing in it is left out.
  box<A>(label: string, key: string, draw: () => A): A {
    const id = `g${++this.count}`
    const before = this.items.length
    this.items.push({ _tag: "open", id, label, key })
    const out = draw()
    if (this.items.length === before + 1) this.items.pop()
    else this.items.push({ _tag: "close", id, key })
    return out
  }

  edge({ dotted, id, label }: End, to: string): void {
    this.edges.push({ from: id, to, label: label === "" ? undefined : label, dotted: dotted === true })
  }

  join(ends: ReadonlyArray<End>, to: string): void {
    for (const end of ends) this.edge(end, to)
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
  const single = (shape: Shape, label: string): string => {
    const id = drawing.node(shape, label, key)
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
const shared = (drawing: Drawing, frame: Frame, trigger: TriggerData, shape: Shape, label: string): string => {
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

/** Draws a flow. @category conversions */
export const of = (flow: { readonly data: FlowData }, mode: Mode = "detailed"): Picture => {
  const drawing = new Drawing(mode)
  drawFlow(drawing, flow.data, "", [])
  return drawing
}
