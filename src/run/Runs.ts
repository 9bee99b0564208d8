/**
 * Runs: agents, or any Effects that ask agents, at work behind a handle. A handle tells what happens (events, state,
 * metrics), gives the result, and cancels with a reason. `start` gives a run to a Scope, `stream` to whoever reads it,
 * `background` to a `Registry`, where it is found by id until long after its end.
 *
 * Runs that are started inside others, by an action, a member of a team, a handler of a flow, tell into the log of the
 * outermost one, with no code of theirs. They end before the run that they are in, also when that is cancelled.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Json } from "../../services/Json.ts"
import {
  RunConflict,
  type RunEnvelope,
  type RunEvent,
  RunNotFound,
  type RunSnapshot,
  type RunStatus,
  RunWasCancelled,
  type WatcherOverflow
} from "../../services/Run.ts"
import * as Digest from "../action/Digest.ts"
import * as Agent from "../agent/Agent.ts"
import { freshId } from "../agent/Conversation.ts"
import { slotsOf } from "../agent/Requests.ts"
import * as Text from "../prompt/Text.ts"
import * as Telemetry from "../../services/Telemetry.ts"
import * as Watching from "../request/Watching.ts"
import { Log, type ReadOptions } from "./Log.ts"
import * as Metrics from "./Metrics.ts"
import { isOver } from "./View.ts"

export type { ReadOptions } from "./Log.ts"

/**
 * A run at work, or ended.
 *
 * @category models
 */
export interface Run<out A, out E> {
  /** Its id; those of the runs inside it begin with it. */
  readonly id: string
  /** Where it stands. */
  readonly status: Effect.Effect<RunStatus>
  /** It and the runs inside it, as the events so far have left them. */
  readonly snapshot: Effect.Effect<RunSnapshot>
  /**
   * Its events from a place on, those to come included, to its end. To attach to a run at work, take a snapshot and read
   * after its `sequence`: no event is missed, none comes twice. Leaving only leaves; the run goes on.
   */
  readonly events: (options?: ReadOptions) => Stream.Stream<RunEnvelope, WatcherOverflow>
  /** Waits for its end. */
  readonly result: Effect.Effect<A, E | RunWasCancelled>
  /** Stops it and all runs inside it, those first, and waits until they have. Does nothing where it has ended. */
  readonly cancel: (reason?: string) => Effect.Effect<void>
  /** About how many bytes of memory its events take. */
  readonly size: Effect.Effect<number>
  /** What it and the runs inside it have used so far; `cost` gives the price of a request. */
  readonly metrics: (cost?: Metrics.Cost) => Effect.Effect<Metrics.Metrics>
}

/**
 * What can be run: an agent that has its input, or any Effect. One that `observe` has made is the run itself, with its own
 * name.
 *
 * @category models
 */
export type Job<A, E, R> = Agent.Agent<A, E, R> | Effect.Effect<A, E, R>

/** What a job runs as. @category type-level */
export type EffectOf<J> =
  J extends Agent.Agent<infer A, infer E, infer R>
    ? Effect.Effect<A, E | Agent.AgentError, Exclude<R, Scope.Scope>>
    : J extends Effect.Effect<infer A, infer E, infer R>
      ? Effect.Effect<A, E, R>
      : never

/** The handle of a job. @category type-level */
export type RunOf<J> = Run<Effect.Success<EffectOf<J>>, Effect.Error<EffectOf<J>>>

/**
 * How a run is started.
 *
 * @category models
 */
export interface Options {
  /** Its id. Default: a random one. */
  readonly id?: string | undefined
  /** A name in its events, for an Effect; an agent has its own. */
  readonly name?: string | undefined
  /** What an Effect is about, for its first event; an agent has its own. */
  readonly input?: unknown
  /** How many events the log keeps. Default 100,000. */
  readonly keep?: number | undefined
}

type AnyJob = Job<unknown, unknown, unknown>

const isEffect = (job: AnyJob): job is Effect.Effect<unknown, unknown, unknown> => !Agent.isAgent(job)

const ObservedId = "~effigent/Runs/Observed"

/**
 * Tells that an Effect is a run: what a team or a program of several agents does, so that the runs inside it are shown
 * beneath it. Where nobody watches, the Effect is run as it is.
 *
 * @category watching
 */
export const observe = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  about: { readonly name?: string | undefined; readonly role?: string | undefined; readonly input?: unknown } = {}
): Effect.Effect<A, E, R> => {
  const traced = Effect.flatMap(Telemetry.Current, (telemetry) =>
    telemetry === undefined ? effect : telemetry.group(about.name, effect)
  )
  const observed = Effect.flatMap(Watching.Current, (parent) => {
    if (parent === undefined) return traced
    return Effect.flatMap(Watching.Role, (given) => {
      const role = about.role ?? given
      const node = parent.open({ agent: about.name, role })
      const input = Watching.jsonOf(about.input)
      node.publish({ _tag: "RunStarted", ...(input === undefined ? {} : { input }), role })
      return traced.pipe(
        Effect.provideService(Watching.Current, node),
        Effect.onExit((exit) => Effect.sync(() => node.publish(endOf(exit, node.reason()))))
      )
    })
  })
  // So that `start` does not put a run around what is one.
  return Object.assign(observed, { [ObservedId]: true })
}

const isObserved = (effect: object): boolean => ObservedId in effect

const endOf = (exit: Exit.Exit<unknown, unknown>, reason: string | undefined): RunEvent => {
  if (Exit.isFailure(exit)) return Watching.endOf(exit.cause, "", reason)
  const value = Watching.jsonOf(exit.value)
  return { _tag: "RunCompleted", ...(value === undefined ? {} : { value }), usage: {} }
}

/**
 * Says what the models of all runs that begin inside an Effect are used for, where their agents do not say it.
 *
 * @category watching
 */
export const withRole =
  (role: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Watching.Role, role)

/** Tells something of the run that the current fiber works for; nothing where nobody watches. @category watching */
export const tell = (event: RunEvent): Effect.Effect<void> =>
  Effect.map(Watching.Current, (node) => node?.publish(event))

/** Tells something of a program's own: an event `Custom` of the current run. @category watching */
export const emit = (name: string, value: Json): Effect.Effect<void> => tell({ _tag: "Custom", name, value })

const defaultKeep = 100_000

// Starts a job and gives its handle. Nothing of it runs before the fork does.
const launch = <A, E, R>(
  job: Job<A, E, R>,
  options: Options & { readonly id: string },
  scope: Scope.Scope,
  gate: <A2, E2, R2>(work: Effect.Effect<A2, E2, R2>) => Effect.Effect<A2, E2, R2>
): Effect.Effect<Run<A, E | Agent.AgentError>, never, R> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const log = new Log(options.id, clock, Math.max(1, options.keep ?? defaultKeep))
    const settled = Deferred.makeUnsafe<A, E | Agent.AgentError | RunWasCancelled>()
    const work: Effect.Effect<A, E | Agent.AgentError, R> = !isEffect(job)
      ? Agent.run(job)
      : isObserved(job)
        ? job
        : observe(job, options)
    const finish = (exit: Exit.Exit<A, E | Agent.AgentError>): void => {
      const root = log.view.get(log.root)
      if (root !== undefined && !isOver(root)) {
        // It ended before its agent began: stopped in time, or there was nothing that could be asked.
        const node = log.rootNode(isEffect(job) ? options.name : job.config.name)
        const isStopped = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        if (root.status === "pending" && !isStopped) node.publish({ _tag: "RunStarted", role: "main" })
        node.publish(endOf(exit, log.reason))
      }
      if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) {
        const reason = log.reason === undefined ? {} : { reason: log.reason }
        Deferred.doneUnsafe(settled, Effect.fail(new RunWasCancelled({ run: log.root, ...reason })))
      } else Deferred.doneUnsafe(settled, exit)
    }
    return gate(work).pipe(
      Effect.provideService(Watching.Current, log.entrance),
      Effect.forkIn(scope),
      Effect.map((fiber): Run<A, E | Agent.AgentError> => {
        // An observer is told also of a fiber that never began.
        fiber.addObserver(finish)
        const snapshot = Effect.sync(() => log.view.snapshot())
        return {
          id: log.root,
          status: Effect.sync(() => log.view.get(log.root)?.status ?? "pending"),
          snapshot,
          events: log.read,
          size: Effect.sync(() => log.size),
          result: Deferred.await(settled),
          cancel: (reason) =>
            Effect.suspend(() => {
              log.reason ??= reason
              return Effect.asVoid(Fiber.interrupt(fiber))
            }),
          metrics: (cost) => Effect.map(snapshot, (now) => Metrics.of(now, cost))
        }
      }),
      Effect.uninterruptible
    )
  })

const ungated = <A, E, R>(work: Effect.Effect<A, E, R>) => work

/**
 * Starts a run in the current Scope and gives its handle at once. Closing the Scope cancels it.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Agent } from "effigent"
 * import { Runs } from "effigent/run"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const program = Effect.gen(function* () {
 *   const run = yield* Runs.start(Agent.make({ name: "greeter", input: "Hello" }))
 *   const events = yield* Stream.runCollect(run.events())
 *   return [events.map(({ event }) => event._tag).join(" "), yield* run.result]
 * })
 * const model = ScriptedModel.layer([ScriptedModel.text("Hi.")])
 * console.log(await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(model))))
 * // => [ 'RunStarted ModelRequested Text ModelAnswered RunCompleted', 'Hi.' ]
 * ```
 *
 * @category running
 */
export const start = <const J extends AnyJob>(
  job: J,
  options: Options = {}
): Effect.Effect<RunOf<J>, never, Effect.Services<EffectOf<J>> | Scope.Scope> => {
  const started = Effect.flatMap(Effect.scope, (scope) =>
    Effect.flatMap(options.id === undefined ? freshId : Effect.succeed(options.id), (id) =>
      launch(job, { ...options, id }, scope, ungated)
    )
  )
  // What the job gives, how it fails and what it needs is what `EffectOf` says of its type.
  return started as Effect.Effect<RunOf<J>, never, Effect.Services<EffectOf<J>> | Scope.Scope>
}

/**
 * Runs a job and gives its events. The run belongs to the reader: leaving the stream cancels it. How it fails is told by
 * its last event.
 *
 * @category running
 */
export const stream = <const J extends AnyJob>(
  job: J,
  options: Options = {}
): Stream.Stream<RunEnvelope, WatcherOverflow, Exclude<Effect.Services<EffectOf<J>>, Scope.Scope>> =>
  Stream.unwrap(Effect.map(start(job, options), (run) => run.events()))

/**
 * How runs in the background are started.
 *
 * @category models
 */
export interface BackgroundOptions extends Options {
  /**
   * The id of the request that asks for this run: asked again with the same agent and input, it gives the same run; with
   * another input it is a `RunConflict`. Remembered as long as the run is.
   */
  readonly requestId?: string | undefined
}

/** A run of which no types are known. @category models */
export type AnyRun = Run<unknown, unknown>

/**
 * Where runs in the background live, and are found. `Runs.layer` makes one; closing it cancels what is at work.
 *
 * @category services
 */
export class Registry extends Context.Service<
  Registry,
  {
    /** Starts a run. What it was asked for is compared by `request`. */
    readonly launch: <A, E, R>(job: Job<A, E, R>, options: BackgroundOptions) => Effect.Effect<AnyRun, RunConflict, R>
    readonly get: (id: string) => Effect.Effect<AnyRun, RunNotFound>
    /** All that are known, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<AnyRun>>
  }
>()("effigent/Runs/Registry") {}

// What a request asks for, in a form in which two can be compared.
const askedBy = (job: AnyJob, { input, name }: Options): Effect.Effect<string | undefined> => {
  const asked = isEffect(job) ? { name, input } : { name: job.config.name, ...slotsOf(job.config) }
  const json = Text.toJson("input", asked)
  return Result.isSuccess(json) ? Digest.ofJson(json.success) : Effect.undefined
}

/**
 * A registry in memory.
 *
 * @category layers
 */
export const layer = (
  settings: {
    /** How many runs are at work at once; the others are `pending`. Default: no limit. */
    readonly concurrency?: number | undefined
    /** How many runs that have ended are remembered. Default 1,000. */
    readonly remember?: number | undefined
    /** About how many bytes those may take together; the one that ended last is remembered however large. Default 64 MiB. */
    readonly rememberBytes?: number | undefined
  } = {}
): Layer.Layer<Registry> =>
  Layer.effect(
    Registry,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const runs = new Map<string, AnyRun>()
      const requests = new Map<string, { readonly asked: string | undefined; readonly run: AnyRun }>()
      const ended: Array<{ readonly id: string; readonly requestId: string | undefined; readonly size: number }> = []
      const { remember = 1_000, rememberBytes = 64 * 1_048_576 } = settings
      let bytes = 0
      const gate =
        settings.concurrency === undefined ? ungated : (yield* Semaphore.make(settings.concurrency)).withPermits(1)
      const forget = (id: string, requestId: string | undefined, size: number): void => {
        ended.push({ id, requestId, size })
        bytes += size
        while (ended.length > remember || (bytes > rememberBytes && ended.length > 1)) {
          const oldest = ended.shift()
          if (oldest === undefined) return
          bytes -= oldest.size
          runs.delete(oldest.id)
          if (oldest.requestId !== undefined) requests.delete(oldest.requestId)
        }
      }
      // From looking an id up to taking it nothing else may come between; one at a time is enough.
      const door = yield* Semaphore.make(1)
      return Registry.of({
        launch: Effect.fnUntraced(function* (job, options) {
          const { requestId } = options
          const asked = requestId === undefined ? undefined : yield* askedBy(job, options)
          const fresh = options.id ?? (yield* freshId)
          const admit = Effect.gen(function* () {
            const known = requestId === undefined ? undefined : requests.get(requestId)
            if (known !== undefined && requestId !== undefined) {
              if (asked !== undefined && known.asked === asked) return known.run
              const detail = "it came before with another agent or input; use a new request id for other work"
              return yield* new RunConflict({ id: requestId, run: known.run.id, detail })
            }
            if (runs.has(fresh))
              return yield* new RunConflict({ id: fresh, run: fresh, detail: "give another id, or none" })
            const run = yield* launch(job, { ...options, id: fresh }, scope, gate)
            runs.set(fresh, run)
            if (requestId !== undefined) requests.set(requestId, { asked, run })
            yield* Effect.exit(run.result).pipe(
              Effect.andThen(run.size),
              Effect.map((size) => forget(fresh, requestId, size)),
              Effect.forkIn(scope, { startImmediately: true })
            )
            return run
          })
          // A run that is at work and not in the list could be found by nobody.
          return yield* door.withPermits(1)(Effect.uninterruptible(admit))
        }),
        get: (id) =>
          Effect.suspend(() => {
            const run = runs.get(id)
            return run === undefined ? Effect.fail(new RunNotFound({ run: id })) : Effect.succeed(run)
          }),
        list: Effect.sync(() => [...runs.values()])
      })
    })
  )

/**
 * Starts a run that outlives whoever asked for it, and gives its handle at once. It is found by its id (`get`) until it
 * has ended and was forgotten.
 *
 * @category running
 */
export const background = <const J extends AnyJob>(
  job: J,
  options: BackgroundOptions = {}
): Effect.Effect<RunOf<J>, RunConflict, Effect.Services<EffectOf<J>> | Registry> => {
  const launched = Effect.flatMap(Registry, (registry) => registry.launch(job, options))
  // As with `start`; where a request is joined, it was made by the same agent, by name and prompt.
  return launched as Effect.Effect<RunOf<J>, RunConflict, Effect.Services<EffectOf<J>> | Registry>
}

/** A run in the background, by its id. @category reading */
export const get = (id: string): Effect.Effect<AnyRun, RunNotFound, Registry> =>
  Effect.flatMap(Registry, (registry) => registry.get(id))

/** All runs that the registry knows, oldest first. @category reading */
export const list: Effect.Effect<ReadonlyArray<AnyRun>, never, Registry> = Effect.flatMap(
  Registry,
  (registry) => registry.list
)

/** Cancels a run in the background and waits for its end. @category running */
export const cancel = (id: string, reason?: string): Effect.Effect<void, RunNotFound, Registry> =>
  Effect.flatMap(get(id), (run) => run.cancel(reason))
