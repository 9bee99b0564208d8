/**
 * A model that says what a test tells it to say. A script is a list of steps, one per request in the order in which the
 * streams are run; a step says which chunks arrive, how long they take and how the stream ends.
 *
 * A script is a promise in both directions: a request that no step is there for, or that a step does not expect, fails
 * with a `ModelError`, and a step that was never used, or a broken promise that the program swallowed, is a defect when
 * the layer's Scope closes after a success.
 *
 * Pauses are `Effect.sleep`: in a test with the TestClock they pass when the test says so.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Json } from "../../services/Json.ts"
import { InvalidRequest, ModelError, type ModelErrorReason } from "../../services/ModelError.ts"
import {
  type FinishReason,
  type ModelEvent,
  ModelProvider,
  type ModelRequest,
  type Usage
} from "../../services/ModelProvider.ts"
import { describePrompt, splitText } from "./Pieces.ts"

/**
 * What every step takes.
 *
 * @category models
 */
export interface StepOptions {
  /** What the request has to be: `true` when it is as expected, else `false` or a sentence that says what is wrong. */
  readonly expect?: ((request: ModelRequest) => boolean | string) | undefined
  /** How long the first chunk takes. Default: no time. */
  readonly latency?: Duration.Input | undefined
  /** How long every further chunk takes, or the failure after the last. Default: no time. */
  readonly delay?: Duration.Input | undefined
}

/**
 * What a step that answers takes besides.
 *
 * @category models
 */
export interface AnswerOptions extends StepOptions {
  /** Tokens to report, just before the finish. Default: none are reported. */
  readonly usage?: Usage | undefined
  /** Why the model stopped. Default `stop`. */
  readonly finish?: FinishReason | undefined
  /** Who answers; told before all else. Default: nobody says. */
  readonly info?: { readonly id?: string | undefined; readonly model?: string | undefined } | undefined
  /** Reasoning to show before the answer, in a chunk of its own. */
  readonly reasoning?: string | undefined
}

/**
 * What a step that answers with text of its own cutting takes besides.
 *
 * @category models
 */
export interface TextOptions extends AnswerOptions {
  /** Characters per chunk; a surrogate pair is not cut. Default: the whole text is one chunk. */
  readonly chunkSize?: number | undefined
}

/**
 * A step that plays chunks.
 *
 * @category models
 */
export interface Play extends StepOptions {
  readonly _tag: "Play"
  readonly chunks: ReadonlyArray<ReadonlyArray<ModelEvent>>
  /** What follows the last chunk: the end, a failure, or nothing ever. */
  readonly ending: "end" | "hang" | ModelErrorReason
}

/**
 * A step that is chosen when the request is there.
 *
 * @category models
 */
export interface Respond extends StepOptions {
  readonly _tag: "Respond"
  readonly respond: (request: ModelRequest) => Step
}

/**
 * One step of a script: how one request is answered.
 *
 * @category models
 */
export type Step = Play | Respond

/**
 * What a script tells about its run.
 *
 * @category services
 */
export class ScriptedModel extends Context.Service<
  ScriptedModel,
  {
    /** The requests so far, in the order in which their streams were run. */
    readonly requests: Effect.Effect<ReadonlyArray<ModelRequest>>
    /** How many streams are running now. */
    readonly openStreams: Effect.Effect<number>
    /** How many streams were left by their reader before their end: interrupted, or not read to the end. */
    readonly aborted: Effect.Effect<number>
  }
>()("effigent/testing/ScriptedModel") {}

/** The requests so far. @category accessors */
export const requests: Effect.Effect<ReadonlyArray<ModelRequest>, never, ScriptedModel> = ScriptedModel.use(
  (script) => script.requests
)

/** How many streams are running now. @category accessors */
export const openStreams: Effect.Effect<number, never, ScriptedModel> = ScriptedModel.use(
  (script) => script.openStreams
)

/** How many streams were left by their reader before their end. @category accessors */
export const aborted: Effect.Effect<number, never, ScriptedModel> = ScriptedModel.use((script) => script.aborted)

const answer = (
  body: ReadonlyArray<ReadonlyArray<ModelEvent>>,
  finish: FinishReason,
  options: AnswerOptions = {}
): Play => {
  const chunks: Array<ReadonlyArray<ModelEvent>> = []
  if (options.info !== undefined) chunks.push([{ _tag: "Info", ...options.info }])
  if (options.reasoning !== undefined) chunks.push([{ _tag: "Reasoning", text: options.reasoning }])
  chunks.push(...body)
  const usage: ReadonlyArray<ModelEvent> = options.usage === undefined ? [] : [{ _tag: "Usage", usage: options.usage }]
  chunks.push([...usage, { _tag: "Finish", reason: options.finish ?? finish }])
  return { ...options, _tag: "Play", chunks, ending: "end" }
}

const textChunks = (texts: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<ModelEvent>> =>
  texts.filter((text) => text !== "").map((text) => [{ _tag: "Text", text }])

/** Answers with these pieces of text, one per chunk; empty ones are left out. @category steps */
export const chunks = (texts: ReadonlyArray<string>, options?: AnswerOptions): Step =>
  answer(textChunks(texts), "stop", options)

/** Answers with a text. @category steps */
export const text = (text: string, options?: TextOptions): Step =>
  chunks(splitText(text, options?.chunkSize ?? text.length), options)

/** Answers with a value, written as compact JSON. @category steps */
export const json = (value: Json, options?: TextOptions): Step => text(JSON.stringify(value), options)

/**
 * Calls tools: for each the arguments' JSON in pieces of `chunkSize` characters, then the whole call. Ids are `call_1`,
 * `call_2`, ... unless given.
 *
 * @category steps
 */
export const toolCalls = (
  calls: ReadonlyArray<{ readonly name: string; readonly input: Json; readonly id?: string | undefined }>,
  options?: TextOptions
): Step =>
  answer(
    calls.flatMap(({ id = "", input, name }, index) => {
      const call = { index, id: id === "" ? `call_${index + 1}` : id, name }
      const json = JSON.stringify(input)
      const pieces = splitText(json, options?.chunkSize ?? json.length)
      return [
        ...pieces.map((delta): ReadonlyArray<ModelEvent> => [{ _tag: "ToolCallDelta", ...call, delta }]),
        [{ _tag: "ToolCall", ...call, arguments: json, input } satisfies ModelEvent]
      ]
    }),
    "tool-calls",
    options
  )

/**
 * Plays these chunks of events as they stand: nothing is added, no `Finish` either. For what no well-behaved provider
 * sends.
 *
 * @category steps
 */
export const events = (chunks: ReadonlyArray<ReadonlyArray<ModelEvent>>, options?: StepOptions): Step => ({
  ...options,
  _tag: "Play",
  chunks,
  ending: "end"
})

/** Fails before anything is said. @category steps */
export const fail = (reason: ModelErrorReason, options?: StepOptions): Step => failAfter([], reason, options)

/** Fails after these pieces of text. @category steps */
export const failAfter = (texts: ReadonlyArray<string>, reason: ModelErrorReason, options?: StepOptions): Step => ({
  ...options,
  _tag: "Play",
  chunks: textChunks(texts),
  ending: reason
})

/** Says these pieces of text, and then neither more nor that it is the end. @category steps */
export const hangAfter = (texts: ReadonlyArray<string>, options?: StepOptions): Step => ({
  ...options,
  _tag: "Play",
  chunks: textChunks(texts),
  ending: "hang"
})

/** Never says anything: for interruption and time-outs. @category steps */
export const hang: Step = hangAfter([])

/** Chooses the step when the request is there. @category steps */
export const respond = (respond: (request: ModelRequest) => Step, options?: StepOptions): Step => ({
  ...options,
  _tag: "Respond",
  respond
})

/**
 * Options of a script.
 *
 * @category models
 */
export interface LayerOptions {
  /** The provider's name. Default `scripted`. */
  readonly name?: string | undefined
  /** The JSON-Schema dialect of its native mode. Default: it has none. */
  readonly dialect?: "openai" | "anthropic" | undefined
  /** Whether an unused step or a swallowed surprise is a defect when the Scope closes after a success. Default true. */
  readonly strict?: boolean | undefined
}

/**
 * A provider that plays a script, and the service that tells about it.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
 * import { Prompt } from "effigent/services/Ai"
 * import { ScriptedModel } from "effigent/testing"
 * import { Stream } from "effect"
 *
 * const request: ModelRequest = {
 *   prompt: Prompt.make("Where is my parcel?"),
 *   tools: [],
 *   output: { name: "answer", format: "text", jsonSchema: { type: "string" }, strict: {}, native: false },
 *   options: {},
 *   includeRaw: false,
 *   attempt: 1
 * }
 * const program = Effect.gen(function* () {
 *   const provider = yield* ModelProvider
 *   const events = yield* Stream.runCollect(provider.stream(request))
 *   return events.map((event) => (event._tag === "Text" ? event.text : event._tag))
 * })
 * const script = ScriptedModel.layer([ScriptedModel.text("On its way.", { chunkSize: 6 })])
 * console.log(Effect.runSync(program.pipe(Effect.provide(script)))) // => [ 'On its', ' way.', 'Finish' ]
 * ```
 *
 * @category layers
 */
export const layer = (steps: ReadonlyArray<Step>, options?: LayerOptions): Layer.Layer<ModelProvider | ScriptedModel> =>
  makeLayer(
    (number, request, refuse) => {
      const step = steps[number - 1]
      return step ?? refuse(`request ${number} is unexpected: the script has ${count(steps.length, "step")}`, request)
    },
    (used) =>
      used < steps.length
        ? [`${count(steps.length - used, "step")} of ${steps.length} not used: from step ${used + 1} on`]
        : [],
    options
  )

/** A provider that answers every request with the same step. @category layers */
export const always = (step: Step, options?: LayerOptions): Layer.Layer<ModelProvider | ScriptedModel> =>
  makeLayer(
    () => step,
    () => [],
    options
  )

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`

type Refuse = (complaint: string, request: ModelRequest) => ModelError

const makeLayer = (
  choose: (number: number, request: ModelRequest, refuse: Refuse) => Step | ModelError,
  unused: (used: number) => ReadonlyArray<string>,
  { dialect, name = "scripted", strict = true }: LayerOptions = {}
) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const seen: Array<ModelRequest> = []
      const complaints: Array<string> = []
      let open = 0
      let left = 0

      yield* Effect.addFinalizer((exit) => {
        const found = [...complaints, ...unused(seen.length)]
        return strict && Exit.isSuccess(exit) && found.length > 0
          ? Effect.die(new Error(`ScriptedModel: ${found.join("; ")}`))
          : Effect.void
      })

      const refuse: Refuse = (complaint, request) => {
        complaints.push(complaint)
        return new ModelError({
          provider: name,
          ...(request.model === undefined ? {} : { model: request.model }),
          reason: new InvalidRequest({ detail: `${complaint}. The prompt: ${describePrompt(request.prompt)}` })
        })
      }

      const unmet = (step: Step, number: number, request: ModelRequest): string | undefined => {
        const verdict = step.expect?.(request) ?? true
        if (verdict === true) return undefined
        return `step ${number} expects another request${verdict === false ? "" : `: ${verdict}`}`
      }

      const stream = (request: ModelRequest): Stream.Stream<ModelEvent, ModelError> => {
        const begin = Effect.sync(() => {
          open++
          return { number: seen.push(request), ended: false }
        })
        const end = (run: { readonly ended: boolean }) =>
          Effect.sync(() => {
            open--
            if (!run.ended) left++
          })
        return Stream.unwrap(
          Effect.map(Effect.acquireRelease(begin, end), (run) => {
            const ending = () => {
              run.ended = true
            }
            let step = choose(run.number, request, refuse)
            for (;;) {
              const complaint = step instanceof ModelError ? undefined : unmet(step, run.number, request)
              if (complaint !== undefined) step = refuse(complaint, request)
              if (step instanceof ModelError) {
                ending()
                return Stream.fail(step)
              }
              if (step._tag === "Play") return play(step, name, request, ending)
              step = step.respond(request)
            }
          })
        )
      }

      return Context.make(ModelProvider, { name, dialect, stream }).pipe(
        Context.add(ScriptedModel, {
          requests: Effect.sync(() => [...seen]),
          openStreams: Effect.sync(() => open),
          aborted: Effect.sync(() => left)
        })
      )
    })
  )

const play = (
  step: Play,
  provider: string,
  request: ModelRequest,
  ending: () => void
): Stream.Stream<ModelEvent, ModelError> =>
  Stream.fromPull(
    Effect.sync(() => {
      const chunks = step.chunks.filter(Arr.isReadonlyArrayNonEmpty)
      const pause = (length: Duration.Input | undefined) => (length === undefined ? Effect.void : Effect.sleep(length))
      let position = 0
      const next = Effect.suspend((): Effect.Effect<Arr.NonEmptyReadonlyArray<ModelEvent>, ModelError | Cause.Done> => {
        const chunk = chunks[position++]
        if (chunk !== undefined) return Effect.succeed(chunk)
        if (step.ending === "hang") return Effect.never
        ending()
        if (step.ending === "end") return Cause.done()
        const model = request.model === undefined ? {} : { model: request.model }
        return Effect.fail(new ModelError({ provider, ...model, reason: step.ending }))
      })
      if (step.latency === undefined && step.delay === undefined) return next
      const first = Effect.andThen(pause(step.latency), next)
      const later = Effect.andThen(pause(step.delay), next)
      return Effect.suspend(() => {
        if (position === 0) return first
        return position === chunks.length && step.ending === "end" ? next : later
      })
    })
  )
