/**
 * The studio of a project: one local server with its agents and flows (`/api`, as `effigent/layers/http` serves them),
 * with traces, timelines, prompts and approvals beside them (`/studio`), and with the pages that show them. It needs no
 * network, and nothing of it leaves the machine.
 */
import * as Context from "effect/Context"
import * as Crypto from "node:crypto"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import { ApprovalGate } from "../../../services/Action.ts"
import { ExecutionHost } from "../../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../../services/ExecutionKeeper.ts"
import { JournalStore } from "../../../services/JournalStore.ts"
import { SessionStore } from "../../../services/SessionStore.ts"
import * as Telemetry from "../../../services/Telemetry.ts"
import * as Runs from "../../../src/run/Runs.ts"
import { Approving, Shared } from "../../http/Approving.ts"
import * as Auth from "../../http/Auth.ts"
import * as Edge from "../../http/Edge.ts"
import * as Http from "../../http/Http.ts"
import * as Problem from "../../http/Problem.ts"
import { Streams } from "../../http/Streams.ts"
import * as SessionStores from "../../store/SessionStores.ts"
import * as Open from "../config/Open.ts"
import type { Platform, Project } from "../config/Project.ts"
import { definitionOf, flowNames } from "../config/Served.ts"
import * as Access from "./Access.ts"
import * as Api from "./Api.ts"
import * as Approvals from "./Approvals.ts"
import * as Assets from "./Assets.ts"
import * as Capture from "./Capture.ts"
import { Evals } from "./Evals.ts"
import { Executions } from "./Executions.ts"
import * as Handlers from "./Handlers.ts"
import * as Info from "./Info.ts"
import { type Bounds, traceRow, Traces } from "./Traces.ts"

/**
 * How a project is opened for a studio.
 *
 * @category models
 */
export interface OpenOptions {
  /** How much is kept of traces. */
  readonly traces?: Bounds | undefined
  /** Characters of what was said that are kept of one span. Default 262,144. */
  readonly characters?: number | undefined
  /** Of the host of its flows, where it brings none. */
  readonly host?: Open.HostOptions | undefined
}

/**
 * A project at work, with what a studio sees of it. Other servers may serve it as well.
 *
 * @category models
 */
export interface Opened {
  readonly project: Project
  /** All that agents and flows need: their host, where conversations are kept, the runs that the studio knows. */
  readonly services: Context.Context<never>
  readonly hosting: Open.Hosting
  readonly traces: Traces
  /** Calls that wait for a decision, those of runs with `approvals=ask` too. */
  readonly approvals: Approving
  /** Whether all other calls wait there, too: the project has no `ApprovalGate` of its own. */
  readonly isAsked: boolean
  /** Whether conversations outlive the process. */
  readonly keepsSessions: boolean
}

/**
 * How a studio is run.
 *
 * @category models
 */
export interface ServeOptions {
  /** What the pages call the project. Default: the name of the folder. */
  readonly title?: string | undefined
  /** The folder of the project, where `.effigent/evals` lies. Default: that of the process. */
  readonly folder?: string | undefined
  /** Whoever has it may use the studio. Default: a random one. `false`: everybody on this machine may. */
  readonly token?: string | false | undefined
  /** Names that the studio is reached by, besides those of this machine. With a token, addresses need not be named. */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** The folder with the built pages. Default: that of the package. */
  readonly pages?: string | undefined
  /** How long requests and streams have to end when the server closes. Default 2 s. */
  readonly deadline?: Duration.Input | undefined
}

/** All of it. @category models */
export interface Options extends OpenOptions, ServeOptions {}

/**
 * The studio listens where others than this machine may reach it.
 *
 * @category errors
 */
export class StudioExposed extends Schema.TaggedError<StudioExposed>()("StudioExposed", {
  address: Schema.String
}) {
  override get message(): string {
    return `The studio shows everything that agents are asked and answer, and ${this.address} may be reached by other machines. Use --host 127.0.0.1, or give it a token.`
  }
}

/**
 * A studio that is open.
 *
 * @category services
 */
export class Studio extends Context.Service<
  Studio,
  {
    /** What to open: with the token. */
    readonly url: string
    /** The address without it. */
    readonly baseUrl: string
    readonly token: string | undefined
    readonly traces: Traces
    readonly approvals: Approving
  }
>()("effigent/Studio") {}

// How often readers of the news are told of changes, in milliseconds.
const pace = 250

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse
type App = Effect.Effect<Response, never, Request | Scope.Scope>

const below = (prefix: string, app: App): App =>
  Effect.updateService(app, HttpServerRequest.HttpServerRequest, (request) =>
    request.modify({ url: request.url.slice(prefix.length) || "/" })
  )

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

/**
 * Opens a project so that a studio sees what it does. It ends with the Scope.
 *
 * @category constructors
 */
export const open = (
  project: Project,
  options: OpenOptions = {}
): Effect.Effect<Opened, Open.ProjectFailed, Platform | Scope.Scope> =>
  Effect.gen(function* () {
    const traces = new Traces(options.traces)
    const approvals = new Approving()
    const gate = Approvals.gate(approvals)
    const captured = Capture.make(traces, { prices: project.prices, characters: options.characters })
    const sessions = Context.get(yield* Layer.build(SessionStores.memory), SessionStore)
    const base = Layer.mergeAll(
      Layer.succeed(SessionStore, sessions),
      // The events of each are in memory.
      Runs.layer({ remember: 300 }),
      Layer.succeed(ApprovalGate, gate),
      Layer.succeed(Telemetry.Current, captured)
    )
    const given = yield* Open.services(project, base)
    const own = Context.get(given, Telemetry.Current)
    const traced =
      own === undefined || own === captured ? given : Context.add(given, Telemetry.Current, Capture.both(own, captured))
    // Timelines begin where the journal does: on disk it may be longer than in memory.
    const isOnDisk = Context.getOption(given, JournalStore)._tag === "Some"
    const hosting = yield* Open.hosting(project, traced, { keepSnapshots: isOnDisk ? 400 : 40, ...options.host })
    // Whatever serves the project has its calls wait where the studio sees them.
    const hosted = Context.add(traced, ExecutionHost, hosting.host).pipe(Context.add(Shared, approvals))
    const services = hosting.keeper === undefined ? hosted : Context.add(hosted, ExecutionKeeper, hosting.keeper)
    const keepsSessions = Context.get(given, SessionStore) !== sessions
    return {
      project,
      services,
      hosting,
      traces,
      approvals,
      isAsked: Context.get(given, ApprovalGate) === gate,
      keepsSessions
    }
  })

const make = Effect.fnUntraced(function* (
  { approvals, hosting, isAsked, keepsSessions, project, services, traces }: Opened,
  options: ServeOptions,
  port: number,
  token: string | undefined
) {
  const scope = yield* Effect.scope
  const folder = options.folder ?? process.cwd()
  const title = options.title ?? folder.split(/[\\/]/).findLast((part) => part !== "") ?? "project"
  const application = Http.application(definitionOf(project, { title }), {
    auth: Auth.elsewhere,
    disconnect: "detach",
    deadline: options.deadline ?? "2 seconds"
  })
  // What the agents need is in the Layer of the project, as the type of `defineConfig` says.
  const needsNothing = application as Effect.Effect<Http.Application<never>, Http.UnsafeBinding, Scope.Scope>
  const api = yield* Effect.provideContext(Effect.orDie(needsNothing), services)
  const known = Context.getOption(services, Runs.Registry)
  const registry = known._tag === "Some" ? known.value : Context.get(yield* Layer.build(Runs.layer()), Runs.Registry)
  const names = flowNames(project.flows)
  const ticks = yield* PubSub.sliding<Handlers.Tick>(256)
  const streams = new Streams({ heartbeat: 15_000, stall: 60_000, perClient: 1_000, total: 1_000 })
  yield* Effect.forkIn(streams.keep, scope)
  yield* Effect.forkIn(telling(traces, approvals, ticks), scope)
  const serving: Handlers.Serving = {
    project,
    flows: new Map(project.flows.map((flow, at) => [names[at] ?? flow.name, flow])),
    info: {
      title,
      version: Assets.version(),
      agents: yield* Effect.forEach(Object.entries(project.agents), ([name, agent]) => Info.agentOf(name, agent)),
      flows: project.flows.map((flow, at) => Info.flowOf(flow, names[at] ?? flow.name)),
      capabilities: {
        durable: hosting.keeps,
        history: hosting.store !== undefined,
        sessions: keepsSessions,
        approvals: isAsked,
        evals: false,
        prices: Object.keys(project.prices).length > 0
      }
    },
    streams,
    registry,
    approvals,
    executions: new Executions(hosting, traces),
    traces,
    evals: new Evals(join(folder, ".effigent", "evals")),
    ticks
  }
  const state: Edge.State = { isClosing: false, active: new Set() }
  const routes = HttpApiBuilder.layer(Api.StudioApi).pipe(
    Layer.provide(Handlers.all(serving)),
    Layer.provide(HttpServer.layerServices)
  )
  const router = yield* HttpRouter.toHttpEffect(routes)
  const studio = Edge.around<never>({
    auth: Auth.elsewhere,
    origins: [],
    body: 1_048_576,
    headers: 16_384,
    url: 8_192,
    bodyTime: 30_000,
    open: new Set(),
    state
  })(router)
  const pages = options.pages ?? Assets.defaultFolder()
  const settings: Access.Settings = { token, port, hosts: (options.hosts ?? []).map((host) => host.toLowerCase()) }
  const apps: { readonly [prefix: string]: App } = {
    api: below("/api", Effect.provideContext(api.app, services)),
    studio
  }
  const app: App = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.flatMap(Access.check(request, settings), (instead) => {
      if (instead !== undefined) return Effect.succeed(instead)
      const path = pathOf(request.url)
      const [, prefix = ""] = /^\/(api|studio)(?:\/|$)/.exec(path) ?? []
      const found = apps[prefix]
      if (found !== undefined) return found
      if (request.method === "GET" || request.method === "HEAD") return Assets.respond(pages, path)
      return Problem.response(Problem.refuse(404, "UnknownPath", "Pages are read with GET."))
    })
  )
  const close = Effect.suspend(() => {
    state.isClosing = true
    const ended = Effect.timeoutOrElse(streams.close, {
      duration: options.deadline ?? "2 seconds",
      orElse: () => Effect.void
    })
    return Effect.asVoid(Effect.all([ended, api.close], { concurrency: 2 }))
  })
  return { app, close }
})

// Tells readers of the news what has changed.
const telling = (traces: Traces, approvals: Approving, ticks: PubSub.PubSub<Handlers.Tick>): Effect.Effect<never> => {
  let version = approvals.version
  const look = Effect.suspend(() => {
    const changed = [...traces.changed].map(traceRow)
    traces.changed.clear()
    const isNew = approvals.version !== version
    version = approvals.version
    if (changed.length === 0 && !isNew) return Effect.void
    return PubSub.publish(ticks, { traces: changed, waiting: isNew ? approvals.waiting : undefined })
  })
  return Effect.forever(Effect.andThen(Effect.sleep(pace), look))
}

/**
 * Serves the studio of a project that is open on an `HttpServer`. Fails where it would listen to other machines without a
 * token.
 *
 * @category layers
 */
export const serve = (
  opened: Opened,
  options: ServeOptions = {}
): Layer.Layer<Studio, StudioExposed, HttpServer.HttpServer> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      const token =
        options.token === false ? undefined : (options.token ?? Crypto.randomBytes(24).toString("base64url"))
      const baseUrl = HttpServer.formatAddress(address)
      if (token === undefined && !NetAddress.isUnixPathAddress(address) && !NetAddress.isLoopback(address.address))
        return yield* new StudioExposed({ address: baseUrl })
      const port = NetAddress.isUnixPathAddress(address) ? 0 : address.port
      const { app, close } = yield* make(opened, options, port, token)
      const url = token === undefined ? `${baseUrl}/` : `${baseUrl}/?token=${encodeURIComponent(token)}`
      const { approvals, traces } = opened
      // Closed before the server is: it was opened after it.
      return Layer.effect(
        Studio,
        Effect.as(
          Effect.addFinalizer(() => close),
          { url, baseUrl, token, traces, approvals }
        )
      ).pipe(Layer.provideMerge(HttpServer.serve(app)))
    })
  )

/**
 * Opens the studio of a project on an `HttpServer`. Fails where the project cannot be opened, and where it would listen
 * to other machines without a token.
 *
 * @example
 * ```ts
 * import { NodeHttpServer, NodeServices } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Agent } from "effigent"
 * import { defineConfig } from "effigent/config"
 * import { OfflineModel } from "effigent/layers/offline"
 * import { Studio } from "effigent/studio"
 * import { createServer } from "node:http"
 *
 * const project = defineConfig({ agents: { poet: Agent.make({ instruct: "Write." }) }, layer: OfflineModel.layer })
 * const server = NodeHttpServer.layerServer(() => createServer(), { host: "127.0.0.1", port: 0 })
 * const studio = Studio.layer(project, { title: "Poems", token: "a-token" }).pipe(
 *   Layer.provide(server),
 *   Layer.provide(NodeServices.layer)
 * )
 * const program = Effect.gen(function* () {
 *   const { baseUrl } = yield* Studio.Studio
 *   const headers = { authorization: "Bearer a-token" }
 *   const response = yield* Effect.promise(() => fetch(`${baseUrl}/studio/project`, { headers }))
 *   const { agents, title } = JSON.parse(yield* Effect.promise(() => response.text()))
 *   return [title, agents[0].name]
 * })
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(studio)))) // => [ 'Poems', 'poet' ]
 * ```
 *
 * @category layers
 */
export const layer = (
  project: Project,
  options: Options = {}
): Layer.Layer<Studio, Open.ProjectFailed | StudioExposed, HttpServer.HttpServer | Platform> =>
  Layer.unwrap(Effect.map(open(project, options), (opened) => serve(opened, options)))
