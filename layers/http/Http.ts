/**
 * An HTTP server for agents and flows: run, stream, background runs, executions, sessions, health, an OpenAPI document
 * with a page to browse, and a typed client of the same definition. `layer` serves on any `HttpServer`; `webHandler` is a
 * function from a web `Request` to a `Response`, for servers of others.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { ExecutionHost, FlowFailed } from "../../services/ExecutionHost.ts"
import type { Json } from "../../services/Json.ts"
import type * as Agent from "../../src/agent/Agent.ts"
import * as Runs from "../../src/run/Runs.ts"
import * as Codec from "../../src/triggerflow/engine/Codec.ts"
import { AgentRuns, type ServedAgent } from "./AgentRuns.ts"
import * as Api from "./Api.ts"
import * as Approving from "./Approving.ts"
import type { Auth } from "./Auth.ts"
import * as Chats from "./Chats.ts"
import * as Edge from "./Edge.ts"
import * as Handlers from "./Handlers.ts"
import * as Metrics from "./Metrics.ts"
import * as Problem from "./Problem.ts"
import { after, answered, served, type Serving } from "./Serving.ts"
import * as SocketRoutes from "./SocketRoutes.ts"
import { Streams } from "./Streams.ts"

/**
 * Limits of a server.
 *
 * @category models
 */
export interface Limits {
  /** Bytes of a body. Default 1 MiB. */
  readonly body?: number | undefined
  /** Bytes of all headers together. Default 16 KiB. */
  readonly headers?: number | undefined
  /** Characters of a path with its query. Default 8,192. */
  readonly url?: number | undefined
  /** How long a body may take to arrive. Default 30 s. */
  readonly bodyTime?: Duration.Input | undefined
  /** How long a run may take whose answer is waited for. Default 5 min. */
  readonly time?: Duration.Input | undefined
  /** How many events of a run are kept for readers that come, or come back; older ones are a `WatcherOverflow`. Default 100,000. */
  readonly events?: number | undefined
  /** How many streams one client may have open. Default 100. */
  readonly streamsPerClient?: number | undefined
  /** How many streams may be open in all. Default 10,000. */
  readonly streams?: number | undefined
  /** How long a reader may take nothing of what waits for it. Default 1 min. */
  readonly stall?: Duration.Input | undefined
  /** Bytes of a message on a WebSocket. Default: those of a body. */
  readonly message?: number | undefined
  /** How long a WebSocket may be open on which nothing is at work and nothing is said. Default 5 min. */
  readonly idle?: Duration.Input | undefined
}

/**
 * How a server is run.
 *
 * @category models
 */
export interface Options<R = never, E = never> {
  /** Who may use it. Absent: only this machine, and the server does not start on any other address. */
  readonly auth?: Auth<R> | undefined
  readonly limits?: Limits | undefined
  /** Origins of pages that may use it from a browser. Default: none. */
  readonly cors?: ReadonlyArray<string> | undefined
  /** What becomes of a run when its last reader has left. Default `abort`. */
  readonly disconnect?: "abort" | "detach" | undefined
  /** How long readers may be away before that. Default 2 s. */
  readonly grace?: Duration.Input | undefined
  /** After how long of silence a comment is sent on a stream. Default 15 s. */
  readonly heartbeat?: Duration.Input | undefined
  /** How many runs that have ended are remembered, where the program has no `Runs.Registry`. Default 1,000. */
  readonly remember?: number | undefined
  /** About how many bytes of memory those may take together. Default 64 MiB. */
  readonly rememberBytes?: number | undefined
  /** How long requests and streams have to end when the server closes. Default 10 s. */
  readonly deadline?: Duration.Input | undefined
  /** Whether `/openapi.json` and `/docs` are served; `public`: to everybody. Default true. */
  readonly docs?: boolean | "public" | undefined
  /** Whether `/metrics` is served, for Prometheus; behind `auth` as all else is. Default true. */
  readonly metrics?: boolean | undefined
  /**
   * More routes, behind the same `auth` and limits: `McpOffer.layerHttp`, for one. Bodies that are sent to them are JSON.
   * `Client` says there who asks.
   */
  readonly routes?: Layer.Layer<never, E, HttpRouter.HttpRouter | R> | undefined
}

/**
 * An agent with what the API cannot know of it.
 *
 * @category models
 */
export interface ServedWith<A, E, R, I, In extends Schema.Top, E2, R2> {
  readonly agent: Agent.Agent<A, E, R, I>
  /** What it is asked with. */
  readonly input: In
  /** Makes the agent of one request: with the session that the request names, for one. */
  readonly prepare?:
    | ((
        agent: Agent.Agent<A, E, R, I>,
        about: { readonly session: string | undefined; readonly client: string }
      ) => Agent.Agent<A, E2, R2, I>)
    | undefined
  /** Keeps the types of what `prepare` gives. */
  readonly "~R"?: R | R2
}

/** An agent with the Schema of its input, and how it is prepared for a request. @category constructors */
export const agent = <A, E, R, I, In extends Schema.Top = typeof Schema.Json, E2 = E, R2 = R>(
  agent: Agent.Agent<A, E, R, I>,
  options: {
    readonly input?: In | undefined
    readonly prepare?: ServedWith<A, E, R, I, In, E2, R2>["prepare"]
  } = {}
): ServedWith<A, E, R, I, In, E2, R2> => ({
  agent,
  // Where there is none, In is the default.
  input: options.input ?? (Schema.Json as unknown as In),
  prepare: options.prepare
})

type ServicesOfEntry<T> = T extends { readonly "~R"?: infer R }
  ? Exclude<R, undefined>
  : T extends Agent.Agent<infer _A, infer _E, infer R, infer _I>
    ? R
    : never

/** What the agents and flows of a definition need. @category type-level */
export type Services<A extends Api.Agents, F extends Api.Flows> =
  | Exclude<{ [K in keyof A]: ServicesOfEntry<A[K]> }[keyof A], Scope.Scope>
  | ([keyof F] extends [never] ? never : ExecutionHost)

/**
 * The server asks nobody who they are, and could be reached by others than this machine.
 *
 * @category errors
 */
export class UnsafeBinding extends Schema.TaggedError<UnsafeBinding>()("UnsafeBinding", {
  /** Where it was to be served; absent where nobody knows. */
  address: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const where =
      this.address === undefined ? "a web handler does not know who reaches it" : `it was to listen on ${this.address}`
    return `The server has no auth, and ${where}. Give it \`auth: Auth.bearer(...)\` or \`Auth.custom(...)\`, listen on 127.0.0.1, or say \`Auth.elsewhere\` where another server checks.`
  }
}

const millis = (input: Duration.Input | undefined, otherwise: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? otherwise))

const bodyLimit = 1_048_576

const isFlag = (flag: string | undefined): boolean => flag === "true"

interface Query {
  readonly query: {
    readonly run?: string
    readonly session?: string
    readonly disconnect?: "abort" | "detach"
    readonly fields?: "true" | "false"
    readonly approvals?: "ask"
  }
  readonly headers: { readonly "idempotency-key"?: string; readonly "last-event-id"?: string }
  readonly payload: unknown
}

const servedAgents = (agents: Api.Agents): ReadonlyArray<ServedAgent & { readonly input: Schema.Top }> =>
  Object.entries(agents).flatMap(([name, entry]) => {
    const { agent, input, output } = Api.agentOf(entry)
    if (agent === undefined) return []
    const prepare = "prepare" in entry ? (entry.prepare as ServedAgent["prepare"]) : undefined // Made by `agent`.
    return [{ name, agent, input, output, prepare }]
  })

// Whether a text is an input. The Schema of an input needs no services; its types are of no interest here.
const fits = (schema: Schema.Top, input: string): boolean =>
  Result.isSuccess(
    // By its kind alone: what it decodes to is thrown away.
    Schema.decodeUnknownResult(Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, unknown>)(input)
  )

// The groups whose endpoints are made of the entries. Their types are known where they are served and not here.
const dynamic = (
  api: AnyApi,
  definition: Api.Definition<Api.Agents, Api.Flows>,
  agents: ReturnType<typeof servedAgents>,
  agentRuns: AgentRuns
) => {
  const asking = (
    group: string,
    answer: (
      agent: ServedAgent,
      asked: Parameters<AgentRuns["start"]>[1],
      query: Query
    ) => Effect.Effect<unknown, unknown, unknown>
  ) =>
    loose(api, group, (handlers) =>
      agents.reduce((handlers, one) => {
        const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(one.input))
        return handlers.handle(one.name, (request) =>
          answered(
            Effect.flatMap(Effect.orDie(encode(request.payload)), (input) =>
              answer(
                one,
                {
                  // Encoded by a JSON codec.
                  input: input as Json,
                  run: request.query.run,
                  session: request.query.session,
                  disconnect: request.query.disconnect,
                  fields: isFlag(request.query.fields),
                  approvals: request.query.approvals,
                  requestId: request.headers["idempotency-key"]
                },
                request
              )
            )
          )
        )
      }, handlers)
    )
  const chatting = <A>(
    group: string,
    read: (payload: A) => Chats.Conversation,
    make: (payload: A, hasOutput: boolean) => (run: string) => Chats.Translator
  ) =>
    loose(api, group, (handlers) =>
      agents.reduce(
        (handlers, one) =>
          handlers.handle(one.name, ({ payload, query }) =>
            answered(
              Effect.gen(function* () {
                const body = payload as A // By its endpoint.
                const { history, input } = read(body)
                if (input === undefined || !fits(one.input, input))
                  return yield* Problem.refuse(
                    400,
                    "InvalidRequest",
                    `The last message has to be the user's, with a text that ${one.name} takes as its input.`
                  )
                const hasOutput = one.agent.config.output !== undefined
                const { approvals, disconnect, run, session } = query
                // A session has the conversation itself.
                const before = session === undefined ? { history } : {}
                return yield* agentRuns.chat(
                  one,
                  { input, run, session, disconnect, approvals, ...before },
                  make(body, hasOutput)
                )
              })
            )
          ),
        handlers
      )
    )
  const host = served(ExecutionHost, "ExecutionHost")
  const contracts = Object.entries(definition.flows ?? {}).map(([name, flow]) => ({
    name,
    contract: Api.contractOf(flow)
  }))
  return Layer.mergeAll(
    asking("agents", (one, asked) => agentRuns.run(one, asked)),
    asking("streams", (one, asked, { headers }) =>
      Effect.gen(function* () {
        const from = yield* after(headers["last-event-id"])
        const run = yield* agentRuns.start(one, asked)
        return yield* agentRuns.watch(run, { after: from, disconnect: agentRuns.disconnectOf(asked) })
      })
    ),
    asking("begin", (one, asked) => Effect.map(agentRuns.start(one, asked), ({ id }) => ({ run: id }))),
    chatting("chats", Chats.ofUi, (_body, hasOutput) => (run) => Chats.uiMessages(run, hasOutput)),
    chatting("agUi", Chats.ofAgUi, (body: typeof Chats.AgUiRequest.Type) => () => Chats.agUi(body)),
    loose(api, "flows", (handlers) =>
      contracts.reduce(
        (handlers, { contract, name }) =>
          handlers.handle(name, ({ payload }) =>
            answered(
              Effect.gen(function* () {
                const { input, ...options } = payload as { readonly input: unknown } & object // By its endpoint.
                const json = Codec.of(contract.input).encode(input)
                if (json._tag === "Failure")
                  return yield* Problem.refuse(400, "InvalidRequest", `The input does not fit: ${json.failure}`)
                const { start } = yield* host
                const version = contract.version === undefined ? {} : { version: contract.version }
                const execution = yield* start({ ...options, ...version, flow: contract.name, input: json.success })
                return { execution }
              })
            )
          ),
        handlers
      )
    ),
    loose(api, "results", (handlers) =>
      contracts.reduce(
        (handlers, { contract, name }) =>
          handlers.handle(name, ({ params }) =>
            answered(
              Effect.gen(function* () {
                const executions = yield* host
                const view = yield* executions.await(params.id)
                if (view.flow !== contract.name)
                  return yield* Problem.refuse(
                    404,
                    "UnknownExecution",
                    `"${params.id}" is an execution of "${view.flow}".`
                  )
                if (view.status !== "completed")
                  return yield* view.status === "failed" && view.failure !== undefined
                    ? new FlowFailed({ flow: view.flow, id: view.id, failure: view.failure })
                    : Problem.refuse(422, "Cancelled", view.failure?.message ?? `The execution is ${view.status}.`)
                return HttpServerResponse.jsonUnsafe(view.result ?? null)
              })
            )
          ),
        handlers
      )
    )
  )
}

type AnyApi = Parameters<typeof HttpApiBuilder.layer>[0]

interface LooseHandlers {
  readonly handle: (
    name: string,
    handler: (request: Query & { readonly params: { readonly id: string } }) => Effect.Effect<unknown, never, unknown>
  ) => LooseHandlers
}

const loose = (api: AnyApi, group: string, build: (handlers: LooseHandlers) => LooseHandlers): Layer.Layer<never> =>
  // The endpoints of the group are those that `Api.make` has made of the same entries.
  HttpApiBuilder.group(api as never, group as never, build as never) as unknown as Layer.Layer<never>

// The page to browse has its script in itself, and may ask this server alone.
const seclusion = "default-src 'self' 'unsafe-inline' data: blob:; object-src 'none'; base-uri 'none'"

const secluded = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
    /^\/docs(?:[?#]|$)/.test(url)
      ? Effect.map(app, HttpServerResponse.setHeader("content-security-policy", seclusion))
      : app
  )

/**
 * Agents and flows as an application of effect, to be mounted in a larger one.
 *
 * @category models
 */
export interface Application<R> {
  readonly app: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    never,
    R | Scope.Scope | HttpServerRequest.HttpServerRequest
  >
  /** Gives streams their last event, and lets requests end until the deadline. */
  readonly close: Effect.Effect<void>
}

const build = Effect.fnUntraced(function* <R, E>(
  definition: Api.Definition<Api.Agents, Api.Flows>,
  options: Options<R, E>
): Effect.fn.Return<Application<R>, E, Scope.Scope> {
  const limits = options.limits ?? {}
  const scope = yield* Effect.scope
  const known = yield* Effect.serviceOption(Runs.Registry)
  const registry = Option.isSome(known)
    ? known.value
    : Context.get(
        yield* Layer.build(Runs.layer({ remember: options.remember, rememberBytes: options.rememberBytes })),
        Runs.Registry
      )
  const streams = new Streams({
    heartbeat: millis(options.heartbeat, "15 seconds"),
    stall: millis(limits.stall, "1 minute"),
    perClient: limits.streamsPerClient ?? 100,
    total: limits.streams ?? 10_000
  })
  yield* Effect.forkIn(streams.keep, scope)
  const state: Edge.State = { isClosing: false, active: new Set() }
  const serving: Serving = {
    streams,
    registry,
    state,
    disconnect: options.disconnect ?? "abort",
    keep: limits.events,
    grace: millis(options.grace, "2 seconds"),
    time: millis(limits.time, "5 minutes")
  }
  const agentRuns = new AgentRuns(serving, scope, (yield* Approving.Shared) ?? new Approving.Approving())
  const agents = servedAgents(definition.agents ?? {})
  const scheme = options.auth?._tag === "Checked" ? options.auth.scheme : undefined
  const api: AnyApi = Api.make(definition, scheme) as unknown as AnyApi // Its groups are served below, all of them.
  const docs = options.docs ?? true
  const openapiPath = docs === false ? {} : { openapiPath: "/openapi.json" as const } // The literal that it wants.
  const routes = Layer.mergeAll(
    HttpApiBuilder.layer(api, openapiPath),
    docs === false ? Layer.empty : HttpApiScalar.layer(api, { path: "/docs", scalar: { withDefaultFonts: false } }),
    options.metrics === false ? Layer.empty : Metrics.route(serving),
    options.routes ?? Layer.empty,
    SocketRoutes.routes({
      serving,
      agentRuns,
      agents,
      flows: definition.flows ?? {},
      settings: { message: limits.message ?? limits.body ?? bodyLimit, idle: millis(limits.idle, "5 minutes") }
    })
  ).pipe(
    Layer.provide(Handlers.all(serving, agentRuns, definition.flows ?? {})),
    Layer.provide(dynamic(api, definition, agents, agentRuns)),
    Layer.provide(HttpServer.layerServices)
  )
  // The services of the agents are those of the fiber that builds, see `Services`.
  const router = yield* HttpRouter.toHttpEffect(routes as unknown as Layer.Layer<never, E, HttpRouter.HttpRouter>)
  const app = Edge.around<R>({
    auth: options.auth,
    origins: options.cors ?? [],
    body: limits.body ?? bodyLimit,
    headers: limits.headers ?? 16_384,
    url: limits.url ?? 8_192,
    bodyTime: millis(limits.bodyTime, "30 seconds"),
    open: new Set(["/health/live", "/health/ready", ...(docs === "public" ? ["/docs", "/openapi.json"] : [])]),
    state
  })(docs === false ? router : secluded(router))
  const idle: Effect.Effect<void> = Effect.suspend(() =>
    state.active.size === 0 ? Effect.void : Effect.andThen(Effect.sleep(5), idle)
  )
  const interrupt = Effect.sync(() => {
    for (const fiber of state.active) fiber.interruptUnsafe()
  })
  const close = Effect.suspend(() => {
    state.isClosing = true
    return Effect.timeoutOrElse(Effect.andThen(streams.close, idle), {
      duration: options.deadline ?? "10 seconds",
      orElse: () => interrupt
    })
  })
  return { app, close }
})

/**
 * The definition as an `HttpApi`: for clients, and for what else `effect/http-api` makes of one.
 *
 * @category constructors
 */
export const api = <const A extends Api.Agents = {}, const F extends Api.Flows = {}>(
  definition: Api.Definition<A, F>
): Api.Of<A, F> => Api.make(definition)

/**
 * Agents and flows as an application that another one mounts, below a path that it takes off. It lives as long as the
 * Scope; whoever mounts it closes it first. It has to be told who checks its callers: `auth`, which may be
 * `Auth.elsewhere`. What agents and flows need is taken from where it is made.
 *
 * @category constructors
 */
export const application = <const A extends Api.Agents = {}, const F extends Api.Flows = {}, R = never, E = never>(
  definition: Api.Definition<A, F>,
  options: Options<R, E>
): Effect.Effect<Application<R>, UnsafeBinding | E, Services<A, F> | Scope.Scope> =>
  Effect.gen(function* () {
    if (options.auth === undefined) return yield* new UnsafeBinding({})
    yield* Effect.context<Services<A, F>>()
    return yield* build(definition, options)
  })

/**
 * Serves agents and flows on an `HttpServer`. Fails with `UnsafeBinding` where it has no `auth` and listens on other
 * addresses than those of this machine alone. When the Layer closes, streams are told so, requests have until the
 * deadline to end, and runs are cancelled.
 *
 * @category layers
 */
export const layer = <const A extends Api.Agents = {}, const F extends Api.Flows = {}, R = never, E = never>(
  definition: Api.Definition<A, F>,
  options: Options<R, E> = {}
): Layer.Layer<never, UnsafeBinding | E, HttpServer.HttpServer | Services<A, F> | R> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      if (
        options.auth === undefined &&
        !NetAddress.isUnixPathAddress(address) &&
        !NetAddress.isLoopback(address.address)
      )
        return yield* new UnsafeBinding({ address: HttpServer.formatAddress(address) })
      yield* Effect.context<Services<A, F>>()
      const { app, close } = yield* build(definition, options)
      // Closed before the server is: it was opened after it.
      return Layer.effectDiscard(Effect.addFinalizer(() => close)).pipe(Layer.provideMerge(HttpServer.serve(app)))
    })
  )

/**
 * Agents and flows as a function from a web `Request` to a web `Response`, to be mounted in a server of others. It lives as
 * long as the Scope. It has to be told who checks its callers: `auth`, which may be `Auth.elsewhere`.
 *
 * @category constructors
 */
export const webHandler = <const A extends Api.Agents = {}, const F extends Api.Flows = {}, R = never, E = never>(
  definition: Api.Definition<A, F>,
  options: Options<R, E>
): Effect.Effect<(request: Request) => Promise<Response>, UnsafeBinding | E, Services<A, F> | R | Scope.Scope> =>
  Effect.gen(function* () {
    if (options.auth === undefined) return yield* new UnsafeBinding({})
    const { app, close } = yield* build(definition, options)
    yield* Effect.addFinalizer(() => close)
    const context = Context.omit(Scope.Scope)(yield* Effect.context<Services<A, F> | R | Scope.Scope>())
    // What the application needs is in the context; a request brings its own Scope.
    const provided = context as unknown as Context.Context<R>
    return HttpEffect.toWebHandlerWith<R, R | Scope.Scope | HttpServerRequest.HttpServerRequest, never>(provided)(app)
  })

/**
 * A typed client of a definition.
 *
 * @category constructors
 */
export const client = <const A extends Api.Agents = {}, const F extends Api.Flows = {}>(
  definition: Api.Definition<A, F>,
  options: { readonly baseUrl?: string | URL | undefined; readonly token?: Redacted.Redacted | undefined } = {}
) => {
  const { token } = options
  return HttpApiClient.make(api(definition), {
    baseUrl: options.baseUrl,
    transformClient: (http) =>
      token === undefined ? http : HttpClient.mapRequest(http, HttpClientRequest.bearerToken(Redacted.value(token)))
  })
}
