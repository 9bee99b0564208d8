/**
 * A project at work: its Layer built, and a host with its flows. Executions are written down in the JournalStore of the
 * project, else in one in memory, so that history, forks and dead letters are there in both cases.
 *
 * A command is a runner of its own for as long as it lives, and takes only executions that it is asked for: what others
 * have left is for servers to find.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { ExecutionHost, type FlowRunner, type RunningExecution } from "../../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../../services/ExecutionKeeper.ts"
import { JournalStore } from "../../../services/JournalStore.ts"
import { freshId } from "../../../src/agent/Conversation.ts"
import type * as Flow from "../../../src/triggerflow/Flow.ts"
import * as Hosted from "../../../src/triggerflow/hosting/Hosted.ts"
import type { Spec } from "../../../src/triggerflow/Spec.ts"
import type * as Durable from "../../../src/durable/Settings.ts"
import { durable } from "../../host/DurableHost.ts"
import * as JournalStores from "../../store/JournalStores.ts"
import type { Platform, Project } from "./Project.ts"

/** The Layer of a project, or the host of its flows, could not be made. @category errors */
export class ProjectFailed extends Schema.TaggedError<ProjectFailed>()("ProjectFailed", {
  /** What was being made. */
  part: Schema.String,
  /** The tag of what it failed with. */
  tag: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.part} cannot be made: ${this.detail}`
  }
}

/** The tag and the words of a failure, whatever it is. @category conversions */
export const wordsOf = (cause: Cause.Cause<unknown>): { readonly tag: string; readonly detail: string } => {
  const error = Cause.squash(cause)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Defect"
  return { tag, detail: error instanceof Error && error.message !== "" ? error.message : String(error) }
}

const named = <A, E, R>(part: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, ProjectFailed, R> =>
  Effect.catchCause(effect, (cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.fail(new ProjectFailed({ part, ...wordsOf(cause) }))
  )

/**
 * Builds the Layer of a project, over what those who run it give besides.
 *
 * @category opening
 */
export const services = <A, E>(
  project: Project,
  base: Layer.Layer<A, E, Platform>
): Effect.Effect<Context.Context<A>, ProjectFailed, Platform | Scope.Scope> =>
  named(
    "The layer of the configuration",
    Effect.gen(function* () {
      const given = yield* Layer.build(base)
      const own = yield* Effect.provideContext(Layer.build(project.layer), Context.merge(yield* platform, given))
      return Context.merge(given, own)
    })
  )

const platform = Effect.context<Platform | Scope.Scope>()

/**
 * The flows of a project at work.
 *
 * @category models
 */
export interface Hosting {
  readonly host: ExecutionHost["Service"]
  /** Absent where the project brings a host without one. */
  readonly keeper: ExecutionKeeper["Service"] | undefined
  /** Where executions are written down; absent where the project brings its own host. */
  readonly store: JournalStore["Service"] | undefined
  /** Whether executions outlive this process. */
  readonly keeps: boolean
  readonly runnerOf: (flow: string, version: string | undefined) => FlowRunner | undefined
  /** Whether nothing of an execution is at work; absent where it is not here. */
  readonly resting: (id: string) => Effect.Effect<boolean | undefined>
}

/**
 * How the host of a project is made, where the project brings none.
 *
 * @category models
 */
export interface HostOptions extends Pick<Durable.Options, "keepSnapshots" | "runner"> {
  /** It also takes executions that others have left, and lets handlers end before it does. Default false. */
  readonly isServer?: boolean | undefined
}

/**
 * Registers the flows of a project with its host. `options` are those of the host that it is given where it brings none.
 *
 * @category opening
 */
export const hosting = <A>(
  project: Project,
  context: Context.Context<A>,
  options: HostOptions = {}
): Effect.Effect<Hosting, ProjectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { isServer = false, ...settings } = options
    const brought = Context.getOption(context, ExecutionHost)
    const stored = Context.getOption(context, JournalStore)
    let host: ExecutionHost["Service"]
    let keeper: ExecutionKeeper["Service"] | undefined
    let store: JournalStore["Service"] | undefined
    if (brought._tag === "Some") {
      host = brought.value
      const kept = Context.getOption(context, ExecutionKeeper)
      keeper = kept._tag === "Some" ? kept.value : undefined
      store = stored._tag === "Some" ? stored.value : undefined
    } else {
      store =
        stored._tag === "Some" ? stored.value : Context.get(yield* Layer.build(JournalStores.memory), JournalStore)
      const made = yield* named(
        "The host of the flows",
        Effect.flatMap(freshId, (id) =>
          isServer
            ? Layer.build(durable({ runner: id, ...settings }))
            : // At its end nothing of it is waited for: what is under way is written down up to its last step.
              Layer.build(durable({ runner: `cli-${id}`, drain: 0, ...settings }))
        ).pipe(Effect.provideService(JournalStore, isServer ? store : { ...store, claim: () => Effect.succeed([]) }))
      )
      host = Context.get(made, ExecutionHost)
      keeper = Context.get(made, ExecutionKeeper)
    }
    const runners: Array<FlowRunner> = []
    const running = new Map<string, RunningExecution>()
    const watched: ExecutionHost["Service"] = {
      ...host,
      register: (runner) => {
        runners.push(runner)
        return host.register({
          ...runner,
          open: (request) => Effect.tap(runner.open(request), (one) => Effect.sync(() => running.set(request.id, one))),
          recover: (written, journal) =>
            Effect.tap(runner.recover(written, journal), (one) => Effect.sync(() => running.set(written.id, one)))
        })
      }
    }
    const all = Context.add(context, ExecutionHost, watched)
    for (const flow of project.flows) {
      // What the handlers need is in the Layer of the project, as the type of `defineConfig` says.
      const layer = Hosted.toLayer(flow as Flow.Flow<Spec, unknown, never>)
      yield* named(`The flow ${flow.name}`, Effect.provideContext(Layer.build(layer), all))
    }
    return {
      host,
      keeper,
      store,
      resting: (id) => running.get(id)?.resting ?? Effect.undefined,
      keeps: brought._tag === "Some" || stored._tag === "Some",
      runnerOf: (flow, version) =>
        runners.find((runner) => runner.flow === flow && (version === undefined || runner.version === version))
    }
  })
