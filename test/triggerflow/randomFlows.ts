/**
 * Random flows by a seed, for tests that save them, write them down or end them at any moment. Every run of a chunk notes
 * itself with its last write, which is seen with its end alone: a chunk that is run again after it has ended would be
 * noted twice, one that is lost not at all.
 */
import { Effect, Exit, Option, Schema } from "effect"
import { Interrupt, Signal } from "effigent/triggerflow"
import type { Execution } from "../../src/triggerflow/Execution.ts"
import { define, type Flow } from "../../src/triggerflow/Flow.ts"
import type { Body, ChunkNode, FlowData, Handler, Node } from "../../src/triggerflow/Node.ts"
import type { Run } from "../../src/triggerflow/Run.ts"

const signals = [0, 1, 2].map((n) => Signal.make(`S${n}`, Schema.Number, { reply: Schema.Number }))
const Question = Interrupt.make("Question", { payload: Schema.Number, resume: Schema.Number })
const config = {
  input: Schema.Number,
  error: Schema.Literal("odd"),
  result: Schema.Unknown,
  signals,
  interrupts: [Question],
  state: Schema.Struct({ log: Schema.Array(Schema.String) }),
  initial: { log: [] }
}
const contract = define("random", config)
/** The types of every random flow. */
export interface Types {
  readonly input: number
  readonly state: { readonly log: ReadonlyArray<string> }
  readonly shared: {}
  readonly item: never
  readonly result: unknown
  readonly failure: "odd"
  readonly signals: Signal.Signal<string, number, number>
  readonly interrupts: typeof Question
  readonly intervention: Schema.Json
}

/** Numbers that depend on a seed alone. */
export const randomly = (seed: number) => {
  let state = seed * 2654435761 + 1
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 8) & 0xffffff) % below
  }
}

const sum = (value: unknown): number =>
  typeof value === "number"
    ? value
    : typeof value === "object" && value !== null
      ? Object.values(value).reduce((total: number, item: unknown) => total + sum(item), 0)
      : 0

/** Makes a flow by a seed. */
export const generate = (seed: number): FlowData => {
  const random = randomly(seed)
  let names = 0
  let budget = 14
  const name = (kind: string) => `${kind}${names++}`

  const chunk = (level: number): ChunkNode => {
    const kind = random(9)
    const add = random(5)
    const turns = random(3)
    const target = level < signals.length ? signals[level + random(signals.length - level)] : undefined
    const own = name("c")
    const handler = (input: unknown, run: Run<Types>) =>
      Effect.gen(function* () {
        for (let i = 0; i < turns; i++) yield* Effect.yieldNow
        const n = sum(input) % 1000
        let out: unknown = n + add
        if (target !== undefined && kind === 0) out = sum(yield* run.emit(target, n))
        if (target !== undefined && kind === 1)
          out = sum(
            yield* Effect.all([run.emit(target, n, { key: "a" }), run.emit(target, n + 1, { key: "b" })], {
              concurrency: 2
            })
          )
        if (target !== undefined && kind === 2) yield* run.emitFork(target, n)
        if (target !== undefined && kind === 3) {
          const exit = yield* run.emitExit(target, n)
          out = Exit.isSuccess(exit) ? sum(exit.value) + 1 : -1
        }
        if (kind === 4 || kind === 5) out = yield* run.pause(Question, n)
        if (kind === 6 && Option.isNone(run.resumed(Question))) return yield* run.pause(Question, n, { to: "self" })
        if (kind === 6) out = Option.getOrElse(run.resumed(Question), () => 0)
        for (let i = 0; i < turns; i++) yield* Effect.yieldNow
        yield* run.state.append("log", `${own}:${n}`)
        return out
      })
    // The types of a chunk are those of its chain, which is made of data here.
    return { kind: "chunk", name: own, handler: handler as Handler, settings: {} }
  }

  const node = (level: number, depth: number): Node => {
    budget--
    const kind = depth <= 0 || budget <= 0 ? 0 : random(13)
    const body = () => bodyOf(level, depth - 1)
    const concurrency = random(2) === 0 ? undefined : 1 + random(2)
    switch (kind) {
      case 6:
        return {
          kind: "batch",
          name: undefined,
          branches: Array.from({ length: 1 + random(3) }, (_, i) => [`b${i}`, body()] as const),
          concurrency
        }
      case 7: {
        const onError = random(3) === 0 ? "fail" : random(2) === 0 ? "skip" : "collect"
        const fail: ReadonlyArray<Node> =
          onError === "fail"
            ? []
            : [
                {
                  kind: "chunk",
                  name: name("odd"),
                  handler: ((n: number) => (n % 2 === 1 ? Effect.fail("odd") : Effect.succeed(n))) as Handler, // of numbers
                  settings: {}
                }
              ]
        return { kind: "forEach", name: undefined, body: [...fail, ...body()], concurrency, onError }
      }
      case 8:
        return {
          kind: "match",
          name: undefined,
          mode: random(2) === 0 ? "first" : "all",
          cases: [2, 3].map((by) => ({
            name: `by${by}`,
            test: {
              _tag: "if",
              condition: (value: unknown) =>
                by === 2 ? sum(value) % 2 === 0 : Effect.as(Effect.yieldNow, sum(value) % 3 === 0)
            },
            body: body()
          })),
          otherwise: random(2) === 0 ? body() : undefined
        }
      case 9:
        return {
          kind: "loop",
          name: undefined,
          body: body(),
          while: (_: unknown, round: number) => round < 2,
          max: 10
        }
      case 10:
        return { kind: "side", name: undefined, body: body() }
      case 11: {
        const flow: FlowData = {
          contract: { ...contract.data, name: name("sub") },
          chains: [
            { trigger: { _tag: "start" }, body: [...bodyOf(signals.length, depth - 1), show(), { kind: "result" }] }
          ]
        }
        return {
          kind: "subFlow",
          name: undefined,
          flow,
          capture: (value: unknown) => sum(value),
          result: (closed: { readonly state: Types["state"]; readonly result: Option.Option<unknown> }) =>
            String(Option.getOrUndefined(closed.result)).length + closed.state.log.length,
          writeBack: undefined
        }
      }
      case 12: {
        const turn = random(3)
        // Long enough to be saved, or ended, while it sleeps.
        return { kind: "sleep", name: name("nap"), time: turn === 0 ? 0 : turn === 1 ? 1 : () => `${random(2)} millis` }
      }
      default:
        return chunk(level)
    }
  }

  const list = (length: number): ChunkNode => ({
    kind: "chunk",
    name: name("list"),
    handler: ((value: unknown) => Effect.succeed(Array.from({ length }, (_, i) => sum(value) + i))) as Handler, // of anything
    settings: {}
  })

  const bodyOf = (level: number, depth: number): Body =>
    Array.from({ length: 1 + random(3) }, () => node(level, depth)).flatMap((one): Body =>
      one.kind === "forEach" ? [list(random(4)), one] : [one]
    )

  const show = (): ChunkNode => ({
    kind: "chunk",
    name: name("show"),
    handler: ((value: unknown) => Effect.succeed(JSON.stringify(value) ?? "undefined")) as Handler, // of anything
    settings: {}
  })

  const toNumber = (): ChunkNode => ({
    kind: "chunk",
    name: name("number"),
    handler: ((value: unknown) => Effect.succeed(sum(value))) as Handler, // of anything
    settings: {}
  })

  return {
    contract: contract.data,
    chains: [
      { trigger: { _tag: "start" }, body: [chunk(0), ...bodyOf(0, 3), show(), { kind: "result" }] },
      ...signals.flatMap((signal, level) =>
        Array.from({ length: 1 + random(2) }, () => ({
          trigger: { _tag: "signal" as const, signal },
          body: [...bodyOf(level + 1, 1), toNumber()]
        }))
      )
    ]
  }
}

/** A random flow. */
export type Random = Flow<Types, "odd", never>

/** Answers every question, in an order of its own, until the execution is closed. */
export const drive = (execution: Execution<Types, "odd">, random: (below: number) => number) =>
  Effect.gen(function* () {
    for (;;) {
      const lifecycle = yield* execution.lifecycle
      if (lifecycle === "closed") break
      const waiting = yield* execution.interrupts
      const one = waiting[random(Math.max(1, waiting.length))]
      if (one !== undefined) yield* Effect.ignore(execution.answerJson(one.id, sum(one.payload) * 3 + 1))
      for (let i = random(4); i >= 0; i--) yield* Effect.yieldNow
    }
    const { result, state, status } = yield* execution.await
    return { result, log: state.log.toSorted(), status }
  })
