/**
 * TriggerFlow: event-driven programs as data, run as trees of supervised fibers. `define` a contract, `build` a flow of
 * chains, then `run` it to its end, `open` an execution to talk to it, or `runStream` to read what it puts.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Closed } from "./Closed.ts"
import type { Engine } from "./Engine.ts"
import * as Execution from "./Execution.ts"
import type { Flow } from "./Flow.ts"
import type { FlowError } from "./FlowError.ts"
import type { Spec } from "./Spec.ts"

export { define } from "./Flow.ts"
export {
  attach,
  start,
  toLayer,
  type HostedExecution,
  type HostedFailure,
  type HostFailure,
  type StartOptions
} from "./Hosted.ts"
export { shared } from "./Shared.ts"

export {
  /**
   * Checks a flow: gives it, or fails with everything that is wrong with its definition at once. Whatever runs a flow
   * checks it first, once.
   *
   * @category running
   */
  check
} from "./Execution.ts"

const sugar = { recorded: false, failOnPause: true, autoClose: 0 } as const
const explicit = { recorded: true, failOnPause: false, autoClose: "10 seconds" } as const

/** What `run` and its like take: an execution that ends by itself. @category models */
export type RunOptions = Omit<Execution.Options, "autoClose">

const finished = <C extends Spec, E, R, A>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options: RunOptions | undefined,
  then: (engine: Engine) => Effect.Effect<A, FlowError>
): Effect.Effect<A, E | FlowError, R> =>
  Effect.contextWith((context) =>
    Effect.flatMap(Execution.check(flow), () => {
      const settings = Execution.settingsOf(options ?? {}, options?.id ?? Execution.newId(context), sugar)
      const engine = Execution.engineOf(flow, settings, context, options ?? {})
      const closed = Effect.callback<void, unknown>((resume) => {
        engine.onClosed(resume)
        engine.start(input)
        return engine.shutdown("who ran it was interrupted")
      })
      // How handlers fail stands in the type of the flow.
      return Effect.flatMap(closed, () => then(engine)) as Effect.Effect<A, E | FlowError>
    })
  )

/**
 * Runs a flow to its end and gives what is left: state, status and result. It closes as soon as nothing is at work. A
 * question fails it (`Paused`), since nobody could answer; interrupting it interrupts everything inside.
 *
 * @category running
 */
export const run = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options?: RunOptions
): Effect.Effect<Closed<C>, E | FlowError, R> =>
  finished(flow, input, options, (engine) => Effect.sync(() => Execution.closedOf<C>(engine)))

/**
 * Runs a flow to its end and gives its result; fails with `NoResult` where there is none.
 *
 * @category running
 */
export const runResult = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options?: RunOptions
): Effect.Effect<C["result"], E | FlowError, R> => finished(flow, input, options, Execution.resultOf)

/**
 * Opens an execution without starting it: `execution.start` does, or its first reader. Leaving the Scope cancels it.
 *
 * @category running
 */
export const create = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options?: Execution.Options
): Effect.Effect<Execution.Execution<C, E>, FlowError, R | Scope.Scope> =>
  Effect.contextWith((context) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.map(
          Effect.andThen(
            Execution.check(flow),
            options?.id === undefined ? Execution.freshId : Effect.succeed(options.id)
          ),
          (id) => Execution.engineOf(flow, Execution.settingsOf(options ?? {}, id, explicit), context, options ?? {})
        ),
        (engine) => engine.shutdown("its Scope was closed")
      ),
      (engine) => Execution.fromEngine<C, E>(engine, input)
    )
  )

/**
 * Opens an execution and starts it. Leaving the Scope cancels it.
 *
 * @category running
 */
export const open = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options?: Execution.Options
): Effect.Effect<Execution.Execution<C, E>, FlowError, R | Scope.Scope> =>
  Effect.tap(create(flow, input, options), (execution) => execution.start)

/**
 * Runs a flow and gives what it puts into its runtime stream; fails as the flow fails. A reader that ends early ends the
 * flow.
 *
 * @category running
 */
export const runStream = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options?: RunOptions
): Stream.Stream<C["item"], E | FlowError, R> =>
  Stream.unwrap(
    Effect.contextWith((context: Context.Context<R | Scope.Scope>) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.map(Execution.check(flow), () =>
            Execution.engineOf(
              flow,
              Execution.settingsOf(options ?? {}, options?.id ?? Execution.newId(context), sugar),
              context,
              options ?? {}
            )
          ),
          (engine) => engine.shutdown("its reader has ended")
        ),
        (engine) => Execution.fromEngine<C, E>(engine, input).stream
      )
    )
  )
