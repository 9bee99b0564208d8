/**
 * The definition of the API: which paths there are, what they take and give. The server, the OpenAPI document and the
 * typed client are made of it. Agents and flows bring their Schemas.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Decision } from "../../services/Action.ts"
import * as Host from "../../services/ExecutionHost.ts"
import { DeadExecution, KeeperHealth } from "../../services/ExecutionKeeper.ts"
import { RunEnvelope, RunSnapshot, RunStatus } from "../../services/Run.ts"
import { SessionPage, SessionState, SessionTurn } from "../../services/SessionStore.ts"
import * as Agent from "../../src/agent/Agent.ts"
import * as Output from "../../src/output/Output.ts"
import type { SpecOf } from "../../src/triggerflow/Flow.ts"
import type { ContractData, FlowData } from "../../src/triggerflow/Node.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"
import { WaitingCall } from "./Approving.ts"
import * as Chats from "./Chats.ts"
import * as Problem from "./Problem.ts"

/**
 * An agent as the API sees it: by the Schemas alone, or by an agent with the Schema of its input.
 *
 * @category models
 */
export interface AgentShape {
  /** What it is asked with. Default: any JSON. */
  readonly input?: Schema.Top | undefined
  /** What it answers with. Default: the output of the agent. */
  readonly output?: Schema.Top | undefined
  /** The agent, where it is served. */
  readonly agent?: Agent.Agent<unknown, unknown, unknown> | undefined
}

/** A flow or its contract, of any type. @category models */
export interface AnyFlow {
  readonly name: string
  readonly data: ContractData | FlowData
}

/** Flows and contracts by the names that they have in paths. @category models */
export type Flows = { readonly [name: string]: AnyFlow }

/** Agents by name. @category models */
export type Agents = { readonly [name: string]: Agent.Agent<unknown, unknown, unknown> | AgentShape }

type AgentOf<T> = T extends { readonly agent: infer A } ? A : T

type InputOf<T> = T extends { readonly input: infer S extends Schema.Top } ? S : typeof Schema.Json

type OutputOf<T> = T extends { readonly output: infer S extends Schema.Top }
  ? S
  : AgentOf<T> extends Agent.Agent<infer A, infer _E, infer _R, infer I>
    ? Schema.Codec<A, I>
    : typeof Schema.Json

/** The parts of an agent that the API needs. @category conversions */
export const agentOf = (
  entry: Agents[string]
): { readonly input: Schema.Top; readonly output: Schema.Top; readonly agent: AgentShape["agent"] } => {
  const shape: AgentShape = Agent.isAgent(entry) ? { agent: entry } : entry
  const source = shape.agent?.config.output
  return {
    input: shape.input ?? Schema.Json,
    output:
      shape.output ??
      (source === undefined ? (shape.agent === undefined ? Schema.Json : Schema.String) : Output.toSchema(source)),
    agent: shape.agent
  }
}

/** The contract of a flow. @category conversions */
export const contractOf = ({ data }: AnyFlow): ContractData => ("contract" in data ? data.contract : data)

// One Schema, once for each status, so that a client reads a problem whatever its status is.
const errors = Problem.statuses.map((status) =>
  Problem.Problem.annotate({
    httpApiStatus: status,
    "~httpApiEncoding": { _tag: "Json", contentType: "application/problem+json" }
  })
)

const error: typeof errors = errors

const stream = <S extends Schema.Top>(name: string, schema: S) =>
  HttpApiSchema.StreamSse({
    events: Schema.Union([
      Schema.Struct({
        id: Schema.String,
        event: Schema.Literal("message"),
        data: Schema.fromJsonString(schema)
      }),
      Schema.Struct({
        id: Schema.optional(Schema.String),
        event: Schema.Literal("end"),
        data: Schema.fromJsonString(Schema.Struct({ status: Schema.String }))
      }),
      Schema.Struct({
        id: Schema.optional(Schema.String),
        event: Schema.Literal("closing"),
        data: Schema.fromJsonString(Schema.Struct({ reason: Schema.String }))
      }),
      Schema.Struct({
        id: Schema.optional(Schema.String),
        event: Schema.Literal("problem"),
        data: Schema.fromJsonString(Problem.Problem)
      })
    ]).annotate({ identifier: name })
  })

/** The stream of a run: its events, then `end`. @category schemas */
export const RunStream = stream("RunStreamEvent", RunEnvelope)

/** The stream of an execution: its entries, then `end`. @category schemas */
export const WatchStream = stream("WatchStreamEvent", Host.WatchEntry)

const flag = Schema.Literals(["true", "false"])

/** How a run is started. @category schemas */
export const RunQuery = {
  /** The id of the run. Default: a random one. */
  run: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[\w.:-]{1,128}$/))),
  /** The conversation, for agents that have one. */
  session: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256))),
  /** What becomes of the run when nobody reads it any more. Default: as the server says. */
  disconnect: Schema.optionalKey(Schema.Literals(["abort", "detach"])),
  /** Whether the fields of the answer are told as they grow, by events `Custom` with the name `field`. */
  fields: Schema.optionalKey(flag),
  /** `ask`: those who watch the run decide on its calls, which are told by events `Custom` with the name `approval`. */
  approvals: Schema.optionalKey(Schema.Literal("ask"))
}

const runHeaders = {
  "idempotency-key": Schema.optionalKey(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)))
}
const resumeHeaders = { "last-event-id": Schema.optionalKey(Schema.String) }
const Started = Schema.Struct({ run: Schema.String })
const accepted = Started.annotate({ httpApiStatus: 202, identifier: "StartedRun" })

const runEndpoint = <K extends string, In extends Schema.Top, Out extends Schema.Top>(
  name: K,
  input: In,
  output: Out
) =>
  HttpApiEndpoint.post(name, `/agents/${name}/run`, {
    query: RunQuery,
    headers: runHeaders,
    payload: input,
    success: output,
    error
  }).annotate(OpenApi.Summary, `Ask ${name} and wait for the answer`)

const streamEndpoint = <K extends string, In extends Schema.Top>(name: K, input: In) =>
  HttpApiEndpoint.post(name, `/agents/${name}/stream`, {
    query: RunQuery,
    headers: { ...runHeaders, ...resumeHeaders },
    payload: input,
    success: RunStream,
    error
  }).annotate(OpenApi.Summary, `Ask ${name} and watch it at work`)

const beginEndpoint = <K extends string, In extends Schema.Top>(name: K, input: In) =>
  HttpApiEndpoint.post(name, `/agents/${name}/runs`, {
    query: RunQuery,
    headers: runHeaders,
    payload: input,
    success: accepted,
    error
  }).annotate(OpenApi.Summary, `Ask ${name} and do not wait`)

const chatEndpoint = <K extends string>(name: K) =>
  HttpApiEndpoint.post(name, `/agents/${name}/chat`, {
    query: RunQuery,
    payload: Chats.UiRequest,
    success: HttpApiSchema.StreamUint8Array({ contentType: "text/event-stream" }),
    error
  }).annotate(OpenApi.Summary, `Chat with ${name} by the UI message stream of the AI SDK`)

const agUiEndpoint = <K extends string>(name: K) =>
  HttpApiEndpoint.post(name, `/agents/${name}/ag-ui`, {
    query: RunQuery,
    payload: Chats.AgUiRequest,
    success: HttpApiSchema.StreamUint8Array({ contentType: "text/event-stream" }),
    error
  }).annotate(OpenApi.Summary, `Chat with ${name} by AG-UI`)

/** How an execution is started. @category schemas */
export const startFields = {
  /** Makes the start idempotent. */
  id: Schema.optionalKey(Schema.String),
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
  settings: Schema.optionalKey(Host.ExecutionSettings)
}
const Execution = Schema.Struct({ execution: Schema.String })

const startEndpoint = <K extends string, In extends Schema.Top>(name: K, input: In) =>
  HttpApiEndpoint.post(name, `/flows/${name}/executions`, {
    payload: Schema.Struct({ input, ...startFields }),
    success: Execution.annotate({ httpApiStatus: 201, identifier: "StartedExecution" }),
    error
  }).annotate(OpenApi.Summary, `Start the flow ${name}`)

const resultEndpoint = <K extends string, Out extends Schema.Top>(name: K, result: Out) =>
  HttpApiEndpoint.get(name, `/flows/${name}/executions/:id/result`, {
    params: { id: Schema.String },
    success: result,
    error
  }).annotate(OpenApi.Summary, `Wait for the result of an execution of ${name}`)

const id = { params: { id: Schema.String }, error }
const NoContent = HttpApiSchema.NoContent
const Picture = Schema.String.pipe(HttpApiSchema.asText())

/** Runs of agents, by id. @category schemas */
export const RunSummary = Schema.Struct({
  run: Schema.String,
  agent: Schema.optionalKey(Schema.String),
  status: RunStatus,
  startedAt: Schema.optionalKey(Schema.Finite),
  endedAt: Schema.optionalKey(Schema.Finite)
})

/** A part of the list of runs, oldest first. @category schemas */
export const RunPage = Schema.Struct({
  runs: Schema.Array(RunSummary),
  /** Where the list goes on; absent at its end. */
  next: Schema.optionalKey(Schema.String)
})

const whole = Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
const paging = {
  limit: Schema.optionalKey(whole.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1000))),
  after: Schema.optionalKey(Schema.String)
}

const runs = HttpApiGroup.make("runs").add(
  HttpApiEndpoint.get("list", "/runs", {
    query: { status: Schema.optionalKey(RunStatus), agent: Schema.optionalKey(Schema.String), ...paging },
    success: RunPage,
    error
  }),
  HttpApiEndpoint.get("get", "/runs/:id", { ...id, success: RunSnapshot }),
  HttpApiEndpoint.get("events", "/runs/:id/events", { ...id, headers: resumeHeaders, success: RunStream }),
  HttpApiEndpoint.get("approvals", "/runs/:id/approvals", { ...id, success: Schema.Array(WaitingCall) }),
  HttpApiEndpoint.post("approve", "/runs/:id/approvals/:approval", {
    params: { id: Schema.String, approval: Schema.String },
    payload: Decision,
    success: NoContent,
    error
  }),
  HttpApiEndpoint.post("cancel", "/runs/:id/cancel", {
    ...id,
    payload: Schema.Struct({ reason: Schema.optionalKey(Schema.String) }),
    success: RunSnapshot
  })
)

const page = {
  flow: Schema.optionalKey(Schema.String),
  version: Schema.optionalKey(Schema.String),
  ...paging
}

const flows = HttpApiGroup.make("graphs").add(
  HttpApiEndpoint.get("list", "/flows", {
    success: Schema.Array(
      Schema.Struct({ flow: Schema.String, version: Schema.optionalKey(Schema.String), graph: Schema.Boolean })
    ),
    error
  }),
  HttpApiEndpoint.get("get", "/flows/:id/graph", { ...id, success: Picture })
)

const executions = HttpApiGroup.make("executions").add(
  HttpApiEndpoint.get("list", "/executions", {
    query: {
      ...page,
      status: Schema.optionalKey(Host.ExecutionStatus),
      /** All of these. */
      tags: Schema.optionalKey(Schema.Array(Schema.String))
    },
    success: Host.ListPage,
    error
  }),
  HttpApiEndpoint.get("get", "/executions/:id", { ...id, success: Host.ExecutionView }),
  HttpApiEndpoint.get("events", "/executions/:id/events", { ...id, headers: resumeHeaders, success: WatchStream }),
  HttpApiEndpoint.get("snapshot", "/executions/:id/snapshot", { ...id, success: Schema.Json }),
  HttpApiEndpoint.get("graph", "/executions/:id/graph", { ...id, success: Picture }),
  HttpApiEndpoint.post("signal", "/executions/:id/signals/:signal", {
    params: { id: Schema.String, signal: Schema.String },
    payload: Schema.Struct({
      payload: Schema.Json,
      /** Whether the replies are waited for. Default false. */
      wait: Schema.optionalKey(Schema.Boolean),
      requestId: Schema.optionalKey(Schema.String)
    }),
    success: Schema.Struct({ replies: Schema.Array(Schema.Json) }),
    error
  }),
  HttpApiEndpoint.post("answer", "/executions/:id/questions/:question", {
    params: { id: Schema.String, question: Schema.String },
    payload: Schema.Struct({ value: Schema.Json, ...Host.AnswerOptions.fields }),
    success: NoContent,
    error
  }),
  HttpApiEndpoint.post("intervene", "/executions/:id/interventions", {
    ...id,
    payload: Schema.Struct({ payload: Schema.Json, ...Host.InterveneOptions.fields }),
    success: Schema.Struct({ intervention: Schema.String })
  }),
  HttpApiEndpoint.post("seal", "/executions/:id/seal", { ...id, success: NoContent }),
  HttpApiEndpoint.post("close", "/executions/:id/close", {
    ...id,
    payload: Host.CloseOptions,
    success: Host.ExecutionView
  }),
  HttpApiEndpoint.post("cancel", "/executions/:id/cancel", {
    ...id,
    payload: Schema.Struct({ reason: Schema.optionalKey(Schema.String) }),
    success: Host.ExecutionView
  })
)

const operations = HttpApiGroup.make("operations").add(
  HttpApiEndpoint.get("history", "/executions/:id/history", { ...id, success: Schema.Array(Host.HistoryEntry) }),
  HttpApiEndpoint.post("fork", "/executions/:id/fork", {
    ...id,
    payload: Schema.Struct({
      id: Schema.optionalKey(Schema.String),
      seq: Schema.optionalKey(Schema.Int),
      step: Schema.optionalKey(Schema.String)
    }),
    success: Execution.annotate({ httpApiStatus: 201 })
  }),
  HttpApiEndpoint.get("deadLetters", "/dead-letters", {
    query: page,
    success: Schema.Struct({ executions: Schema.Array(DeadExecution), next: Schema.optionalKey(Schema.String) }),
    error
  }),
  HttpApiEndpoint.post("retry", "/dead-letters/:id/retry", { ...id, success: NoContent }),
  HttpApiEndpoint.post("discard", "/dead-letters/:id/discard", { ...id, success: NoContent })
)

const sessions = HttpApiGroup.make("sessions").add(
  HttpApiEndpoint.get("get", "/sessions/:id", {
    ...id,
    query: {
      /** The first turn. Default: the last 100 turns. */
      from: Schema.optionalKey(whole),
      limit: Schema.optionalKey(whole.check(Schema.isLessThanOrEqualTo(1000)))
    },
    success: Schema.Struct({
      id: Schema.String,
      version: Schema.Int,
      /** How many turns there are. */
      total: Schema.Int,
      state: SessionState,
      from: Schema.Int,
      turns: Schema.Array(SessionTurn)
    })
  }),
  HttpApiEndpoint.get("list", "/sessions", {
    query: {
      /** What their ids begin with. */
      prefix: Schema.optionalKey(Schema.String),
      ...paging
    },
    success: SessionPage,
    error
  }),
  HttpApiEndpoint.delete("remove", "/sessions/:id", { ...id, success: NoContent })
)

/** How the server is. @category schemas */
export const Ready = Schema.Struct({
  status: Schema.Literals(["up", "closing", "unhealthy"]),
  streams: Schema.Int,
  runs: Schema.Int,
  keeper: Schema.optionalKey(KeeperHealth)
})

const health = HttpApiGroup.make("health").add(
  HttpApiEndpoint.get("live", "/health/live", { success: Schema.Struct({ status: Schema.Literal("up") }), error }),
  HttpApiEndpoint.get("ready", "/health/ready", {
    success: [Ready, Ready.annotate({ httpApiStatus: 503, identifier: "NotReady" })],
    error
  })
)

type Group<Id extends string, E extends HttpApiEndpoint.Constraint> = HttpApiGroup.HttpApiGroup<Id, E>

type FlowInput<F> = Schema.Codec<Extract<SpecOf<F>, Spec>["input"], Schema.Json>
type FlowResult<F> = Schema.Codec<Extract<SpecOf<F>, Spec>["result"], Schema.Json>

/**
 * The API of agents and flows, typed.
 *
 * @category models
 */
export type Of<A extends Agents, F extends Flows> = HttpApi.HttpApi<
  "effigent",
  | Group<
      "agents",
      { [K in keyof A & string]: ReturnType<typeof runEndpoint<K, InputOf<A[K]>, OutputOf<A[K]>>> }[keyof A & string]
    >
  | Group<"streams", { [K in keyof A & string]: ReturnType<typeof streamEndpoint<K, InputOf<A[K]>>> }[keyof A & string]>
  | Group<"begin", { [K in keyof A & string]: ReturnType<typeof beginEndpoint<K, InputOf<A[K]>>> }[keyof A & string]>
  | Group<"chats", { [K in keyof A & string]: ReturnType<typeof chatEndpoint<K>> }[keyof A & string]>
  | Group<"agUi", { [K in keyof A & string]: ReturnType<typeof agUiEndpoint<K>> }[keyof A & string]>
  | Group<"flows", { [K in keyof F & string]: ReturnType<typeof startEndpoint<K, FlowInput<F[K]>>> }[keyof F & string]>
  | Group<
      "results",
      { [K in keyof F & string]: ReturnType<typeof resultEndpoint<K, FlowResult<F[K]>>> }[keyof F & string]
    >
  | typeof runs
  | typeof flows
  | typeof executions
  | typeof operations
  | typeof sessions
  | typeof health
>

/**
 * What is served.
 *
 * @category models
 */
export interface Definition<A extends Agents, F extends Flows> {
  readonly agents?: A | undefined
  readonly flows?: F | undefined
  /** For the OpenAPI document. */
  readonly title?: string | undefined
  readonly version?: string | undefined
}

/** The groups whose types do not depend on what is served. @category models */
export const fixed = HttpApi.make("effigent").add(runs, flows, executions, operations, sessions, health)

/** The groups of `fixed`. @category models */
export type Fixed = typeof fixed

const secured = (scheme: string | undefined) => (document: Record<string, unknown>) => {
  if (scheme === undefined) return document
  const components = typeof document.components === "object" ? document.components : {}
  const description = scheme === "bearer" ? {} : { description: "As the server's own check says" }
  return {
    ...document,
    components: { ...components, securitySchemes: { access: { type: "http", scheme: "bearer", ...description } } },
    security: [{ access: [] }]
  }
}

/**
 * The API of agents and flows.
 *
 * @param scheme how requests are admitted, for the OpenAPI document
 * @category constructors
 */
export const make = <const A extends Agents, const F extends Flows>(
  definition: Definition<A, F>,
  scheme?: string
): Of<A, F> => {
  const agents = Object.entries<Agents[string]>(definition.agents ?? {}).map(([name, entry]) => ({
    name,
    ...agentOf(entry)
  }))
  const contracts = Object.entries<AnyFlow>(definition.flows ?? {}).map(([name, flow]) => ({
    ...contractOf(flow),
    name
  }))
  const api = HttpApi.make("effigent")
    .add(
      HttpApiGroup.make("agents").add(
        ...some(agents.map(({ input, name, output }) => runEndpoint(name, input, output)))
      ),
      HttpApiGroup.make("streams").add(...some(agents.map(({ input, name }) => streamEndpoint(name, input)))),
      HttpApiGroup.make("begin").add(...some(agents.map(({ input, name }) => beginEndpoint(name, input)))),
      HttpApiGroup.make("chats").add(...some(agents.map(({ name }) => chatEndpoint(name)))),
      HttpApiGroup.make("agUi").add(...some(agents.map(({ name }) => agUiEndpoint(name)))),
      HttpApiGroup.make("flows").add(...some(contracts.map(({ input, name }) => startEndpoint(name, input)))),
      HttpApiGroup.make("results").add(
        ...some(contracts.map(({ name, result }) => resultEndpoint(name, result ?? Schema.Null)))
      ),
      runs,
      flows,
      executions,
      operations,
      sessions,
      health
    )
    .annotateMerge(
      OpenApi.annotations({
        title: definition.title ?? "Effigent",
        version: definition.version ?? "1",
        transform: secured(scheme)
      })
    )
  // Its groups are made of the entries as `Of` says of their types.
  return api as unknown as Of<A, F>
}

// `add` wants at least one endpoint by its type; none is fine.
const some = <E>(endpoints: ReadonlyArray<E>) => endpoints as readonly [E, ...Array<E>]
