/**
 * From fields to signals: a step of a chain that reads a model's answer while it is written, emits a signal for each finished
 * field, and puts what a person wants to watch into the runtime stream.
 *
 * It takes any response (`Agent.respond`) and knows agents by their types alone, so that flows without models do not load
 * them.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Output from "../output/Output.ts"
import type { Field, InstantEvent } from "../parse/InstantEvent.ts"
import type { FullResponse, ModelResponse } from "../request/ModelResponse.ts"
import type { ResponseAborted } from "../request/ResponseError.ts"
import * as Chain from "./Chain.ts"
import * as Chunk from "./Chunk.ts"
import { ContractViolation } from "./FlowError.ts"
import type { Handler } from "./Node.ts"
import type { Run } from "./Run.ts"
import type * as Signal from "./Signal.ts"
import type { Spec } from "./Spec.ts"

/**
 * A finished field: its decoded value and where it stands.
 *
 * @category models
 */
export interface Finished<out V> {
  /** The path under which the signal stands, wildcards included. */
  readonly key: string
  /** Where it stands, in dot style: `actions[0]`. */
  readonly path: string
  /** The indexes on its path, outermost first. */
  readonly indexes: ReadonlyArray<number>
  readonly value: V
  /** The attempt that it was written in, from 1. */
  readonly attempt: number
  /** How often another value of this place was emitted before: 0 unless the model began anew and wrote something else. */
  readonly revision: number
}

/** A signal and what it carries. @category type-level */
export type Emission<S extends Signal.Any> = S extends Signal.Any
  ? readonly [signal: S, payload: Signal.Payload<S>]
  : never

type Carrying<S, V> =
  S extends Signal.Signal<infer _N, infer P, infer _R>
    ? // What the type does not say is checked when it comes.
      unknown extends V
      ? S
      : [V] extends [P]
        ? S
        : never
    : never

/**
 * What is emitted for a field of type `V`: a signal that carries its value, or a function that gives a signal and its
 * payload, or `undefined` for nothing.
 *
 * @category type-level
 */
export type Target<S extends Signal.Any, V> = Carrying<S, V> | ((field: Finished<V>) => Emission<S> | undefined)

/**
 * For each path what is emitted for every finished field there.
 *
 * @category type-level
 */
export type Targets<S extends Signal.Any, A, I> =
  // A conditional type is known by the time the functions in it are looked at, so that they need no annotations.
  [I] extends [infer J] ? { readonly [P in Output.KeyPaths<J>]?: Target<S, Output.At<A, P>> | undefined } : never

/**
 * Which fields are emitted and how.
 *
 * @category models
 */
export interface Options<C extends Spec, A, I, B, E, R, F = never> {
  /** For each path the signal that is emitted for every finished field there. Default: none. */
  readonly on?: Targets<C["signals"], A, I> | undefined
  /**
   * How many emits may be pending at once. While so many are, the reader waits; nothing is lost, and the model goes on
   * writing. Default 8.
   */
  readonly concurrency?: number | undefined
  /**
   * Emit nothing before the answer is accepted, and then only what stands in it. Default false: fields are emitted as
   * soon as they are finished, also those of an attempt that is rejected later; the next attempt emits again what
   * differs.
   */
  readonly accepted?: boolean | undefined
  /**
   * Makes items of the runtime stream of what happens: fields that are finished, restarts, ends of attempts, pieces of
   * tool calls. They are visible at once. `undefined` leaves one out. It never waits for the emits. Default: nothing.
   */
  readonly forward?: ((event: InstantEvent) => C["item"] | undefined) | undefined
  /**
   * The same for each piece by which a text grows; these items are volatile. Default: nothing.
   */
  readonly deltas?: ((event: Field) => C["item"] | undefined) | undefined
  /**
   * Takes the failure of what an emit has started; the other branches and the model go on. Default: such a failure fails
   * the execution.
   */
  readonly onFailure?:
    | ((cause: Cause.Cause<unknown>, field: Finished<unknown>, run: Run<C>) => Effect.Effect<unknown, E, R>)
    | undefined
  /** What the next step is given. Default: the typed data. */
  readonly give?: ((response: FullResponse<A>) => B) | undefined
  /** How the step is retried, limited and timed out; a try that fails aborts its request. */
  readonly chunk?: Chunk.Options<F, R> | undefined
}

/** How a step fails that reads a response. @category type-level */
export type Failure<E, E2, E3> = Exclude<E, ResponseAborted> | E2 | E3

/**
 * Adds a step that reads a response, emits a signal for each finished field while the model still writes, and goes on
 * with the typed data when the model and all that was emitted have ended.
 *
 * `name` tells the step apart in the flow, as that of a handler does. `respond` opens the response, such as
 * `(letter) => triage.pipe(Agent.input(letter), Agent.respond)`. A path that its output lacks, and a signal that does not
 * carry what stands there, do not compile. Where the response fails the step fails, and what was emitted and has not
 * ended is interrupted; interrupting the flow aborts the request.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 * import { Chain, Fields, Signal, TriggerFlow } from "effigent/triggerflow"
 *
 * const Task = Signal.make("Task", Schema.String)
 * const Plan = TriggerFlow.define("plan", {
 *   input: Schema.String,
 *   stream: Schema.String,
 *   result: Schema.Int,
 *   signals: [Task]
 * })
 * const planner = Agent.make({ output: Schema.Struct({ tasks: Schema.Array(Schema.String) }) })
 * const plan = Plan.build(
 *   Plan.start.pipe(
 *     Fields.toSignals("plan", (goal) => planner.pipe(Agent.input(goal), Agent.respond), { on: { "tasks[*]": Task } }),
 *     Chain.to("count", ({ tasks }) => Effect.succeed(tasks.length)),
 *     Chain.result
 *   ),
 *   Plan.on(Task).pipe(Chain.to("say", (task, run) => run.put(task)))
 * )
 * const model = ScriptedModel.layer([ScriptedModel.json({ tasks: ["dig", "plant"] })])
 * console.log(await Effect.runPromise(TriggerFlow.runResult(plan, "A tree").pipe(Effect.provide(model)))) // => 2
 * ```
 *
 * @category operators
 */
export const toSignals =
  <C extends Spec, In, A, E, I, E2, R2, B = A, E3 = never, R3 = never>(
    name: string,
    respond: (input: In, run: Run<C>) => Effect.Effect<ModelResponse<A, E, I>, E2, R2>,
    options: Options<C, A, I, B, E3, R3, Failure<E, E2, E3>>
  ) =>
  <E0, R0>(
    self: Chain.Chain<C, In, E0, R0>
  ): Chain.Chain<C, B, E0 | Failure<E, E2, E3>, R0 | Exclude<R2 | R3, Scope.Scope>> => {
    const read = (input: In, run: Run<C>): Effect.Effect<B, Failure<E, E2, E3>, Exclude<R2, Scope.Scope> | R3> =>
      Effect.scoped(Effect.flatMap(respond(input, run), (response) => reading(response, run, options)))
    // The node holds the handler with its types erased; they stand in the chain.
    const node = Chunk.toNode(name, read as Handler, options.chunk as Chunk.Options<never, unknown> | undefined)
    return Chain.fromData({ trigger: self.data.trigger, body: [...self.data.body, node] })
  }

// Reads to the end, by several readers at once.
const reading = <C extends Spec, A, E, I, B, E3, R3, F>(
  response: ModelResponse<A, E, I>,
  run: Run<C>,
  options: Options<C, A, I, B, E3, R3, F>
): Effect.Effect<B, Exclude<E, ResponseAborted> | E3, R3> => {
  const ended = Effect.all([response.full, forwarding(response, run, options), emitting(response, run, options)], {
    concurrency: "unbounded"
  })
  const settled = Effect.catch(ended, (error) =>
    isAborted(error)
      ? // Nobody but this Effect reads the response: what aborts it is an interruption from within.
        Effect.interrupt
      : // All others.
        Effect.fail(error as Exclude<typeof error, ResponseAborted>)
  )
  const { give } = options
  return Effect.map(settled, ([full]) =>
    give === undefined
      ? // B is A by its default.
        (full.data as unknown as B)
      : give(full)
  )
}

const isAborted = (error: unknown): error is ResponseAborted =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "ResponseAborted"

// Emits a signal for each finished field, so many at once.
const emitting = <C extends Spec, A, E, I, B, E3, R3, F>(
  response: ModelResponse<A, E, I>,
  run: Run<C>,
  options: Options<C, A, I, B, E3, R3, F>
): Effect.Effect<void, E | E3, R3> => {
  const targets = new Map(
    // `Targets` says of a record that its keys are paths and its values are targets.
    Object.entries(options.on ?? {}) as ReadonlyArray<readonly [string, Target<C["signals"], never>]>
  )
  if (targets.size === 0) return Effect.void
  const { accepted, concurrency = 8, onFailure } = options
  const emit = (field: Finished<never>): Effect.Effect<unknown, E3, R3> => {
    const target = targets.get(field.key)
    const emission = typeof target === "function" ? target(field) : target && [target, field.value]
    if (emission === undefined) return Effect.void
    // `Target` says that the signal carries the value, and where it cannot, the next lines do.
    const [signal, payload] = emission as readonly [C["signals"], Signal.Payload<C["signals"]>]
    if (!Schema.is(signal.payload)(payload)) {
      const issue = `what stands at ${field.path} is not what it carries`
      return Effect.die(new ContractViolation({ part: `signal ${signal.name}`, issue }))
    }
    const key = keyOf(field)
    if (onFailure === undefined) return run.emit(signal, payload, { key })
    return Effect.flatMap(run.emitExit(signal, payload, { key }), (exit) =>
      Exit.isFailure(exit) ? onFailure(exit.cause, field, run) : Effect.void
    )
  }
  // The keys of `on` are paths, and a value is found under one of them.
  const found = response.finished([...targets.keys()] as ReadonlyArray<string> as ReadonlyArray<never>, { accepted })
  return found.pipe(
    Stream.mapEffect((field) => emit(field as unknown as Finished<never> /* as above */), {
      concurrency,
      unordered: true
    }),
    Stream.runDrain
  )
}

// Tells one emit from the others, and, where the handler is run again, from one whose field the model wrote differently.
const keyOf = ({ key, path, revision, value }: Finished<unknown>): string => {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}` : part))
  return `${key} ${path} ${revision} ${Hash.string(text ?? "")}`
}

// Puts items into the runtime stream, in the order of the events.
const forwarding = <C extends Spec, A, E, I, B, E3, R3, F>(
  response: ModelResponse<A, E, I>,
  run: Run<C>,
  { deltas, forward }: Options<C, A, I, B, E3, R3, F>
): Effect.Effect<void, E> => {
  if (deltas === undefined && forward === undefined) return Effect.void
  const put = (event: InstantEvent): Effect.Effect<void> => {
    const grows = event._tag === "Field" && event.eventType === "delta"
    const item = grows ? deltas?.(event) : forward?.(event)
    if (item === undefined) return Effect.void
    // What is not volatile is visible with the next commit; a delta behind it must not overtake it.
    return grows ? run.put(item, { volatile: true }) : Effect.andThen(run.put(item), run.commit)
  }
  return Stream.runForEach(response.instant, put)
}

/**
 * What a reader of a runtime stream is told of an answer while it is written: a field that grows (without `value`) or is
 * finished (without `delta`), a restart, the end of an attempt. Made for the `stream` of a contract, alone or in a union.
 *
 * @category schemas
 */
export const Event = Schema.Union([
  Schema.TaggedStruct("Field", {
    path: Schema.String,
    wildcardPath: Schema.String,
    indexes: Schema.Array(Schema.Int),
    eventType: Schema.Literals(["delta", "done"]),
    /** What a text grew by. */
    delta: Schema.optionalKey(Schema.String),
    /** The finished value, still encoded. */
    value: Schema.optionalKey(Schema.Json),
    source: Schema.Literals(["observed", "final", "repaired"]),
    attempt: Schema.Int
  }),
  Schema.TaggedStruct("Reset", { path: Schema.String, attempt: Schema.Int, reason: Schema.String }),
  Schema.TaggedStruct("Status", {
    attempt: Schema.Int,
    state: Schema.Literals(["completed", "failed", "cancelled", "acted"]),
    retry: Schema.Boolean,
    reason: Schema.optionalKey(Schema.String)
  })
])

/** One of these events. @category models */
export type Event = typeof Event.Type

/**
 * Makes the `Event` of an instant event: for `forward` and `deltas`. Pieces of tool calls have none.
 *
 * @category conversions
 */
export const toEvent = (event: InstantEvent): Event | undefined => {
  switch (event._tag) {
    case "Field": {
      const { attempt, delta, eventType, indexes, path, source, value, wildcardPath } = event
      const place = { _tag: "Field", path, wildcardPath, indexes, eventType, source, attempt } as const
      return eventType === "delta"
        ? { ...place, delta: delta ?? "" }
        : // The parser gives JSON.
          { ...place, value: value as Schema.Json }
    }
    case "Reset":
      return { _tag: "Reset", path: event.path, attempt: event.attempt, reason: event.reason }
    case "Status": {
      const { attempt, reason, retry, state } = event
      return { _tag: "Status", attempt, state, retry, ...(reason === undefined ? {} : { reason }) }
    }
    case "ToolCall":
      return undefined
  }
}
