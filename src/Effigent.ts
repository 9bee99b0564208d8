/**
 * The way in for programs that do not use Effect: run an agent as a Promise, or read its events as an async iterable.
 * Programs that use Effect take `Agent.run` and `Agent.respond`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Agent from "./agent/Agent.ts"
import type { InstantEvent } from "./parse/InstantEvent.ts"
import type { Delta, ModelResponse } from "./request/ModelResponse.ts"
import type { ResponseAborted } from "./request/ResponseError.ts"

/**
 * What an agent needs to run outside of Effect.
 *
 * @category models
 */
export interface RunOptions<R> {
  /** Everything that the agent needs, above all its model: `OpenAICompatible.layer({ ... })`. */
  readonly layer: Layer.Layer<R, unknown>
  /** Aborts the run, and the HTTP request with it. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs an agent on an input. The Promise rejects with the typed error itself (`ModelError`, `OutputError`, ...), or
 * with the signal's reason where it was aborted.
 *
 * @example
 * ```ts
 * import { Agent, Effigent, Output } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 * import { Schema } from "effect"
 *
 * const greeter = Agent.make({ output: { greeting: Output.ensure(Schema.String, "One line") } })
 * const layer = ScriptedModel.layer([ScriptedModel.json({ greeting: "Hello, Ada" })])
 * const value = await Effigent.runPromise(greeter, "Greet Ada.", { layer })
 * console.log(value.greeting) // => "Hello, Ada"
 * ```
 *
 * @category running
 */
export const runPromise = async <A, E, R, I>(
  agent: Agent.Agent<A, E, R, I>,
  input: unknown,
  { layer, signal }: RunOptions<Exclude<R, Scope.Scope>>
): Promise<A> => {
  signal?.throwIfAborted()
  const run = Agent.run(Agent.input(agent, input)).pipe(Effect.provide(layer))
  const exit = await Effect.runPromiseExit(run, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  throw signal?.aborted === true && Cause.hasInterruptsOnly(exit.cause) ? signal.reason : Cause.squash(exit.cause)
}

/**
 * Runs an agent on an input and gives its events as they come. Leaving the loop, or aborting the signal, aborts the
 * request. The iterator throws the typed error where the run fails.
 *
 * @example
 * ```ts
 * import { Agent, Effigent, Output } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 * import { Schema } from "effect"
 *
 * const greeter = Agent.make({ output: { greeting: Output.ensure(Schema.String, "One line") } })
 * const layer = ScriptedModel.layer([ScriptedModel.json({ greeting: "Hello, Ada" })])
 * const done: Array<string> = []
 * for await (const event of Effigent.stream(greeter, "Greet Ada.", { layer })) {
 *   if (event._tag === "Field" && event.isComplete) done.push(`${event.path} = ${event.value}`)
 * }
 * console.log(done) // => [ 'greeting = Hello, Ada' ]
 * ```
 *
 * @category running
 */
export const stream = <A, E, R, I>(
  agent: Agent.Agent<A, E, R, I>,
  input: unknown,
  options: RunOptions<Exclude<R, Scope.Scope>>
): AsyncIterable<InstantEvent> => iterate(agent, input, options, (response) => response.instant)

/**
 * Runs an agent on an input and gives the text of its answer as it comes, with a `Restarted` in between where another
 * attempt begins. For agents without an output, whose answer is a text.
 *
 * @example
 * ```ts
 * import { Agent, Effigent } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const layer = ScriptedModel.layer([ScriptedModel.chunks(["Hel", "lo"])])
 * let text = ""
 * for await (const delta of Effigent.deltas(Agent.make({}), "Say hello.", { layer })) {
 *   text = delta._tag === "TextDelta" ? text + delta.text : ""
 * }
 * console.log(text) // => Hello
 * ```
 *
 * @category running
 */
export const deltas = <A, E, R, I>(
  agent: Agent.Agent<A, E, R, I>,
  input: unknown,
  options: RunOptions<Exclude<R, Scope.Scope>>
): AsyncIterable<Delta> => iterate(agent, input, options, (response) => response.deltas)

const iterate = <A, E, R, I, B, E2>(
  agent: Agent.Agent<A, E, R, I>,
  input: unknown,
  { layer, signal }: RunOptions<Exclude<R, Scope.Scope>>,
  read: (response: ModelResponse<A, E | Agent.AgentError | ResponseAborted, I>) => Stream.Stream<B, E2>
): AsyncIterable<B> => {
  const items = Stream.unwrap(Effect.map(Agent.respond(Agent.input(agent, input)), read)).pipe(Stream.provide(layer))
  return Stream.toAsyncIterable(signal === undefined ? items : untilAborted(items, signal))
}

const untilAborted = <A, E, R>(stream: Stream.Stream<A, E, R>, signal: AbortSignal): Stream.Stream<A, unknown, R> =>
  Stream.suspend(() =>
    signal.aborted
      ? Stream.fail(signal.reason)
      : Stream.interruptWhen<A, E, R, never, unknown, never>(stream, aborted(signal))
  )

const aborted = (signal: AbortSignal): Effect.Effect<never, unknown> =>
  Effect.callback((resume) => {
    const abort = () => resume(Effect.fail(signal.reason))
    // The fiber that waits here starts a moment after the stream.
    if (signal.aborted) return abort()
    signal.addEventListener("abort", abort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", abort))
  })
