/**
 * Faults around any model provider: latency, cut streams, stalls, corrupt and shredded text, failures by status. Each
 * fault strikes where its schedule says so, and a schedule is a pure function of the number of the request and the
 * number of the event, so that a run can be repeated; `random` is such a function too.
 *
 * Requests count from 1 in the order in which their streams are run. Event 0 is the request itself, before anything is
 * sent; event `n` is the moment before the n-th event is passed on.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import {
  Incomplete,
  InvalidRequest,
  ModelError,
  type ModelErrorReason,
  ProviderUnavailable,
  RateLimited,
  Unauthorized
} from "../../services/ModelError.ts"
import { type ModelEvent, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import { splitText } from "./Pieces.ts"

/**
 * Where a fault strikes.
 *
 * @category schedules
 */
export type Schedule = (requestNumber: number, eventNumber: number) => boolean

/** Strikes at one event of one request, or of every request. @category schedules */
export const at =
  (where: { readonly request?: number | undefined; readonly event: number }): Schedule =>
  (request, event) =>
    event === where.event && (where.request === undefined || where.request === request)

/** Strikes at every event, the request itself not included. @category schedules */
export const everywhere: Schedule = (_, event) => event > 0

/** Strikes where the schedule does, in these requests alone. @category schedules */
export const during =
  (requests: ReadonlyArray<number>, schedule: Schedule): Schedule =>
  (request, event) =>
    requests.includes(request) && schedule(request, event)

/**
 * Strikes with a probability of 0 to 1 at each event, the request itself not included. The same seed strikes at the same
 * places, however often it is asked.
 *
 * @category schedules
 */
export const random =
  (seed: number, probability: number): Schedule =>
  (request, event) =>
    event > 0 && chance(seed, request, event) < probability

// A hash of the three numbers, from 0 to 1: a function rather than a generator, so that asking changes nothing.
const chance = (seed: number, request: number, event: number): number => {
  let value = 0x9e3779b9
  for (const part of [seed, request, event]) {
    value = Math.imul(value ^ part, 0x85ebca6b)
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
    value ^= value >>> 16
  }
  return (value >>> 0) / 2 ** 32
}

/**
 * One fault.
 *
 * @category models
 */
export type Fault = { readonly on: Schedule } & (
  | { readonly _tag: "Latency"; readonly duration: Duration.Input }
  | { readonly _tag: "Fail"; readonly reason: ModelErrorReason }
  | { readonly _tag: "Cut"; readonly silent: boolean }
  | { readonly _tag: "Stall" }
  | { readonly _tag: "Corrupt"; readonly change: (text: string) => string }
  | { readonly _tag: "Split"; readonly size: number }
)

const request = at({ event: 0 })
const firstEvent = at({ event: 1 })

/** Waits. Default: before the first event. @category faults */
export const latency = (duration: Duration.Input, on: Schedule = firstEvent): Fault => ({
  _tag: "Latency",
  duration,
  on
})

/** Fails with a reason. Default: before anything is sent, on every request. @category faults */
export const fail = (reason: ModelErrorReason, on: Schedule = request): Fault => ({ _tag: "Fail", reason, on })

/**
 * Fails as a provider does that answers with this HTTP status: 401 and 403 `Unauthorized`, 429 `RateLimited`, other 4xx
 * `InvalidRequest`, all else `ProviderUnavailable`. Default: before anything is sent, on every request.
 *
 * @category faults
 */
export const status = (
  status: number,
  options: { readonly retryAfterMillis?: number | undefined; readonly on?: Schedule | undefined } = {}
): Fault => {
  const facts = { detail: `injected status ${status}`, status }
  const wait = options.retryAfterMillis === undefined ? {} : { retryAfterMillis: options.retryAfterMillis }
  const reason =
    status === 401 || status === 403
      ? new Unauthorized(facts)
      : status === 429
        ? new RateLimited({ ...facts, ...wait })
        : status >= 400 && status < 500
          ? new InvalidRequest(facts)
          : new ProviderUnavailable({ ...facts, ...wait })
  return fail(reason, options.on)
}

/**
 * Ends the stream early, with the `Incomplete` that a well-behaved provider gives it; or `silent`, as if that were the
 * end, which no provider may do.
 *
 * @category faults
 */
export const cut = (on: Schedule, options: { readonly silent?: boolean | undefined } = {}): Fault => ({
  _tag: "Cut",
  silent: options.silent ?? false,
  on
})

/** Stops coming: neither events nor an end. @category faults */
export const stall = (on: Schedule): Fault => ({ _tag: "Stall", on })

/**
 * Changes the text that strikes; other events pass. Default: each character becomes the replacement character. What
 * becomes empty is left out.
 *
 * @category faults
 */
export const corrupt = (
  on: Schedule,
  change: (text: string) => string = (text) => "\ufffd".repeat(text.length)
): Fault => ({
  _tag: "Corrupt",
  change,
  on
})

/** Cuts texts into pieces of so many characters, each in a chunk of its own. Default: all texts. @category faults */
export const split = (size: number, on: Schedule = everywhere): Fault => ({ _tag: "Split", size, on })

type Chunk = Arr.NonEmptyReadonlyArray<ModelEvent>
type Ending = Extract<Fault, { readonly _tag: "Fail" | "Cut" | "Stall" }>

// What strikes at one event, in the order of the faults; waiting comes before an end.
interface Strike {
  readonly waits: ReadonlyArray<Duration.Input>
  readonly ending: Ending | undefined
  readonly changes: ReadonlyArray<Extract<Fault, { readonly _tag: "Corrupt" | "Split" }>>
}

const strikeAt = (faults: ReadonlyArray<Fault>, request: number, event: number): Strike => {
  const waits: Array<Duration.Input> = []
  const changes: Array<Strike["changes"][number]> = []
  let ending: Ending | undefined
  for (const fault of faults) {
    if (!fault.on(request, event)) continue
    if (fault._tag === "Latency") waits.push(fault.duration)
    else if (fault._tag === "Corrupt" || fault._tag === "Split") changes.push(fault)
    else ending ??= fault
  }
  return { waits, ending, changes }
}

const changed = (event: ModelEvent, changes: Strike["changes"]): ReadonlyArray<ModelEvent> => {
  if (event._tag !== "Text" || changes.length === 0) return [event]
  const texts = changes.reduce<ReadonlyArray<string>>(
    (texts, fault) =>
      texts.flatMap((text) => (fault._tag === "Corrupt" ? [fault.change(text)] : splitText(text, fault.size))),
    [event.text]
  )
  return texts.filter((text) => text !== "").map((text) => ({ _tag: "Text", text }))
}

const wait = (waits: ReadonlyArray<Duration.Input>) =>
  Effect.forEach(waits, (duration) => Effect.sleep(duration), { discard: true })

/**
 * The provider in the context, with faults.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Stream } from "effect"
 * import { Prompt } from "effigent/services/Ai"
 * import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
 * import { FaultInjection, ScriptedModel } from "effigent/testing"
 *
 * const request: ModelRequest = {
 *   prompt: Prompt.make("hello"),
 *   tools: [],
 *   output: { name: "answer", format: "text", jsonSchema: { type: "string" }, strict: {}, native: false },
 *   options: {},
 *   includeRaw: false,
 *   attempt: 1
 * }
 * // The first request is refused, the second is answered.
 * const busy = FaultInjection.layer([FaultInjection.status(503, { on: FaultInjection.at({ request: 1, event: 0 }) })])
 * const program = Effect.gen(function* () {
 *   const provider = yield* ModelProvider
 *   const first = yield* Effect.flip(Stream.runCollect(provider.stream(request)))
 *   const second = yield* Stream.runCollect(provider.stream(request))
 *   return [first.reason._tag, second.length]
 * })
 * const model = Layer.provide(busy, ScriptedModel.layer([ScriptedModel.text("hello")]))
 * console.log(Effect.runSync(program.pipe(Effect.provide(model)))) // => [ 'ProviderUnavailable', 2 ]
 * ```
 *
 * @category layers
 */
export const layer = (faults: ReadonlyArray<Fault>): Layer.Layer<ModelProvider, never, ModelProvider> =>
  Layer.effect(
    ModelProvider,
    Effect.map(ModelProvider, (inner) => {
      let requests = 0
      return {
        ...inner,
        stream: (request) => Stream.suspend(() => faulty(faults, inner, request, ++requests))
      }
    })
  )

const faulty = (
  faults: ReadonlyArray<Fault>,
  inner: ModelProvider["Service"],
  request: ModelRequest,
  number: number
): Stream.Stream<ModelEvent, ModelError> => {
  const model = request.model === undefined ? {} : { model: request.model }
  const end = (ending: Ending): Effect.Effect<never, ModelError | Cause.Done> => {
    if (ending._tag === "Stall") return Effect.never
    if (ending._tag === "Cut" && ending.silent) return Cause.done()
    const reason = ending._tag === "Fail" ? ending.reason : new Incomplete({ detail: "the stream was cut on purpose" })
    return Effect.fail(new ModelError({ provider: inner.name, ...model, reason }))
  }

  const before = strikeAt(faults, number, 0)
  if (before.ending !== undefined) {
    const ending = end(before.ending)
    return Stream.fromPull(Effect.succeed(Effect.andThen(wait(before.waits), ending)))
  }

  const sent = Stream.transformPull(inner.stream(request), (pull) =>
    Effect.sync(() => {
      // Events that have arrived and not been passed on, and what strikes at the first of them.
      let arrived: ReadonlyArray<ModelEvent> = []
      let position = 0
      let passed = 0
      let strike: Strike | undefined
      // Pieces of a split text, one chunk each.
      let pieces: ReadonlyArray<ModelEvent> = []

      const next: Effect.Effect<Chunk, ModelError | Cause.Done> = Effect.suspend(() => {
        const [piece, ...others] = pieces
        if (piece !== undefined) {
          pieces = others
          return Effect.succeed<Chunk>([piece])
        }
        const out: Array<ModelEvent> = []
        const flush = () => (Arr.isReadonlyArrayNonEmpty(out) ? Effect.succeed<Chunk>(out) : undefined)
        for (; position < arrived.length; position++, passed++, strike = undefined) {
          const event = arrived[position]
          if (event === undefined) break
          strike ??= strikeAt(faults, number, passed + 1)
          // What came before goes out first; the strike stays for the next pull.
          if (strike.waits.length > 0) {
            const ready = flush()
            if (ready !== undefined) return ready
            const waits = strike.waits
            strike = { ...strike, waits: [] }
            return Effect.andThen(wait(waits), next)
          }
          if (strike.ending !== undefined) return flush() ?? end(strike.ending)
          const made = changed(event, strike.changes)
          if (made.length <= 1 && !strike.changes.some((fault) => fault._tag === "Split")) out.push(...made)
          else {
            const ready = flush()
            if (ready !== undefined) return ready
            pieces = made
            position++
            passed++
            strike = undefined
            return next
          }
        }
        return (
          flush() ??
          Effect.flatMap(pull, (chunk) => {
            arrived = chunk
            position = 0
            return next
          })
        )
      })
      return next
    })
  )
  return before.waits.length === 0 ? sent : Stream.unwrap(Effect.as(wait(before.waits), sent))
}
