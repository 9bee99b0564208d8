/**
 * TriggerFlow: event-driven programs as data, run as trees of supervised fibers. `define` a contract, `build` a flow of
 * chains, then `run` it to its end, `open` an execution to talk to it, or `runStream` to read what it puts.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Closed } from "./Closed.ts"
import type { Engine } from "./engine/Engine.ts"
import * as Execution from "./Execution.ts"
import * as Opening from "./Opening.ts"
import * as Flows from "./Flow.ts"
import type { Flow } from "./Flow.ts"
import { FlowError, NotLoadable } from "./FlowError.ts"
import * as Loading from "./saving/Loading.ts"
import type * as Migration from "./saving/Migration.ts"
import type { Difference } from "./definition/ShapeDiff.ts"
import type { Snapshot } from "./saving/Snapshot.ts"
import type { Spec } from "./Spec.ts"

export { define } from "./Flow.ts"
export {
  attach,
  recover,
  start,
  toLayer,
  type HostedExecution,
  type HostedFailure,
  type HostFailure,
  type HostingOptions,
  type StartOptions
} from "./hosting/Hosted.ts"
export { shared } from "./hosting/Shared.ts"

export {
  /**
   * Checks a flow: gives it, or fails with everything that is wrong with its definition at once. Whatever runs a flow
   * checks it first, once.
   *
   * @category running
   */
  check
} from "./Opening.ts"

const sugar = { recorded: false, failOnPause: true, autoClose: 0 } as const
const explicit = <C extends Spec, E, R>({ data }: Flow<C, E, R>) =>
  ({ recorded: true, failOnPause: false, autoClose: Opening.autoCloseOf(data) }) as const

/** What `run` and its like take: an execution that ends by itself. @category models */
export type RunOptions = Omit<Execution.Options, "autoClose">

const finished = <C extends Spec, E, R, A>(
  flow: Flow<C, E, R>,
  input: C["input"],
  options: RunOptions | undefined,
  then: (engine: Engine) => Effect.Effect<A, FlowError>
): Effect.Effect<A, E | FlowError, R> =>
  Effect.contextWith((context) =>
    Effect.flatMap(Opening.check(flow, options), () => {
      const settings = Opening.settingsOf(options ?? {}, options?.id ?? Opening.newId(context), sugar)
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
            Opening.check(flow, options),
            options?.id === undefined ? Opening.freshId : Effect.succeed(options.id)
          ),
          (id) =>
            Execution.engineOf(flow, Opening.settingsOf(options ?? {}, id, explicit(flow)), context, options ?? {})
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
 * How an execution goes on: what is absent is as it was saved.
 *
 * @category models
 */
export interface LoadOptions extends Omit<Execution.Options, "id"> {
  /** How snapshots of older definitions become such of this one. Default: they are refused. */
  readonly migrate?: ReadonlyArray<Migration.Migration> | undefined
}

/**
 * What is known of a snapshot without loading it.
 *
 * @category models
 */
export interface Inspection {
  /** Whether `load` would succeed here. */
  readonly loadable: boolean
  /** Everything that is in the way. */
  readonly findings: ReadonlyArray<Loading.Finding>
  /** What has changed in the definition since it was saved. */
  readonly differences: ReadonlyArray<Difference>
  /** The keys of services that the flow says it needs and that are not provided here. */
  readonly missing: ReadonlyArray<string>
  /** The snapshot behind its migrations, where it can be read at all. */
  readonly snapshot: Option.Option<Snapshot>
}

/**
 * Says which services the handlers of a flow need, so that loading a snapshot without them fails at once and names
 * them. For flows whose types do not say it, such as those loaded from blueprints; types of other flows gain nothing new.
 *
 * @category constructors
 */
export const requires = <C extends Spec, E, R, const S extends ReadonlyArray<Context.Service.Any>>(
  flow: Flow<C, E, R>,
  services: S
): Flow<C, E, R | S[number]["Identifier"]> =>
  Flows.fromData({
    ...flow.data,
    services: [...new Set([...(flow.data.services ?? []), ...services.map(({ key }) => key)])]
  })

/**
 * Lets an execution go on that was saved. Questions wait under the ids that they had; what stood in line starts; handlers
 * that were at work are run again, and what they had emitted is not emitted again. Chunks that had ended are not run
 * again. Leaving the Scope cancels it. Fails with `NotLoadable`, which says why.
 *
 * `snapshot`: what `execution.save` has given, as JSON.
 *
 * @example
 * ```ts
 * import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })
 * const Letter = TriggerFlow.define("letter", { input: Schema.String, result: Schema.String, interrupts: [Approval] })
 * const letter = Letter.build(
 *   Letter.start.pipe(
 *     Chain.to("ask", (text, run) => run.pause(Approval, text)),
 *     Chain.to("send", (approved) => Effect.succeed(approved ? "sent" : "thrown away")),
 *     Chain.result
 *   )
 * )
 * const text = await TriggerFlow.open(letter, "Dear all").pipe(
 *   Effect.flatMap((execution) => execution.save()),
 *   Effect.map((snapshot) => JSON.stringify(snapshot)),
 *   Effect.scoped,
 *   Effect.runPromise
 * )
 * const program = Effect.gen(function* () {
 *   const execution = yield* TriggerFlow.load(letter, JSON.parse(text))
 *   yield* execution.answer(Approval, true, { id: "Approval#1" })
 *   return (yield* execution.close()).result
 * })
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => { _id: 'Option', _tag: 'Some', value: 'sent' }
 * ```
 *
 * @category snapshots
 */
export const load = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  snapshot: unknown,
  options: LoadOptions = {}
): Effect.Effect<Execution.Execution<C, E>, FlowError, R | Scope.Scope> =>
  Effect.contextWith((context: Context.Context<R | Scope.Scope>) =>
    Effect.flatMap(Opening.check(flow, options), () => {
      // What handlers need is in the context; nobody looks at it but by key.
      const services = context as Context.Context<never>
      const { findings, snapshot: saved } = Loading.examine(flow.data, snapshot, services, options.migrate ?? [])
      const id = saved?.execution.executionId ?? ""
      if (findings.length > 0 || saved === undefined) return Effect.fail(notLoadable(flow, id, findings))
      const settings = Loading.overridden(Loading.settingsOf(saved), options)
      const loaded = Loading.engineOf(flow.data, saved, settings, services)
      if (Result.isFailure(loaded)) return Effect.fail(notLoadable(flow, id, [loaded.failure]))
      const { engine, input } = loaded.success
      engine.onStep = options.onStep
      return Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => engine.resume()),
          () => engine.shutdown("its Scope was closed")
        ),
        () => Execution.fromEngine<C, E>(engine, input)
      )
    })
  )

const notLoadable = (
  flow: { readonly name: string },
  execution: string,
  findings: ReadonlyArray<Loading.Finding>
): FlowError => {
  const why = findings[0]?.why ?? "value"
  const issue = findings.map(({ issue }) => issue).join("\n")
  return new FlowError({ flow: flow.name, execution, reason: new NotLoadable({ why, issue }) })
}

/**
 * Says whether a snapshot can be loaded here, and everything that is in the way, without loading it. Which services are
 * provided is seen in the context that it runs in.
 *
 * @category snapshots
 */
export const inspect = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  snapshot: unknown,
  options: { readonly migrate?: ReadonlyArray<Migration.Migration> | undefined } = {}
): Effect.Effect<Inspection> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      const {
        differences,
        findings,
        missing,
        snapshot: saved
      } = Loading.examine(flow.data, snapshot, context, options.migrate ?? [])
      // Values are looked at where the definition fits.
      const fits = saved !== undefined && findings.every(({ why }) => why === "services")
      const value = fits ? Loading.readable(flow.data, saved, context) : undefined
      const all = value === undefined ? findings : [...findings, value]
      return {
        loadable: all.length === 0,
        findings: all,
        differences,
        missing,
        snapshot: Option.fromUndefinedOr(saved)
      }
    })
  )

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
          Effect.map(Opening.check(flow, options), () =>
            Execution.engineOf(
              flow,
              Opening.settingsOf(options ?? {}, options?.id ?? Opening.newId(context), sugar),
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
