/**
 * The WebSockets of a server: for each agent and flow one on which runs and executions are started and told, and one for
 * each run and execution that there is. What can be said of them over HTTP can be said on the socket.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Decision } from "../../services/Action.ts"
import * as Host from "../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../services/ExecutionKeeper.ts"
import type { Json } from "../../services/Json.ts"
import type * as Runs from "../../src/run/Runs.ts"
import * as Codec from "../../src/triggerflow/engine/Codec.ts"
import type { AgentRuns, ServedAgent } from "./AgentRuns.ts"
import * as Api from "./Api.ts"
import * as Problem from "./Problem.ts"
import { refusals } from "./Refusals.ts"
import { after, answered, Client, served, type Serving } from "./Serving.ts"
import * as Sockets from "./Sockets.ts"
import { closing } from "./Streams.ts"

// Executions in a journal go on when the server is back.
const closingOfExecution = Effect.map(Effect.serviceOption(ExecutionKeeper), (known) =>
  Option.isSome(known) ? closing.journal : closing.memory
)

const host = served(Host.ExecutionHost, "ExecutionHost")

const place = Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))
const reason = Schema.optionalKey(Schema.String)

const Start = Schema.Struct({
  type: Schema.Literal("start"),
  input: Schema.Json,
  run: Api.RunQuery.run,
  session: Api.RunQuery.session,
  disconnect: Api.RunQuery.disconnect,
  fields: Schema.optionalKey(Schema.Boolean),
  approvals: Api.RunQuery.approvals,
  /** As the header `Idempotency-Key`. */
  key: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)))
})
const Watch = Schema.Struct({ type: Schema.Literal("watch"), run: Schema.String, after: place })
const Cancel = Schema.Struct({ type: Schema.Literal("cancel"), reason })
const Approve = Schema.Struct({ type: Schema.Literal("approve"), approval: Schema.String, decision: Decision })

/** What is said on the socket of an agent. @category schemas */
export const AgentCommand = Schema.Union([Start, Watch, Approve, Cancel])

/** What is said on the socket of a run. @category schemas */
export const RunCommand = Schema.Union([Approve, Cancel])

const StartFlow = Schema.Struct({ type: Schema.Literal("start"), input: Schema.Json, ...Api.startFields })
const WatchFlow = Schema.Struct({ type: Schema.Literal("watch"), execution: Schema.String, after: place })
const executionCommands = [
  Schema.Struct({
    type: Schema.Literal("signal"),
    signal: Schema.String,
    payload: Schema.Json,
    wait: Schema.optionalKey(Schema.Boolean),
    requestId: Schema.optionalKey(Schema.String)
  }),
  Schema.Struct({
    type: Schema.Literal("answer"),
    question: Schema.String,
    value: Schema.Json,
    ...Host.AnswerOptions.fields
  }),
  Schema.Struct({ type: Schema.Literal("intervene"), payload: Schema.Json, ...Host.InterveneOptions.fields }),
  Schema.Struct({ type: Schema.Literal("seal") }),
  Schema.Struct({ type: Schema.Literal("close"), ...Host.CloseOptions.fields }),
  Cancel
] as const // A tuple, so that the union knows its members.

/** What is said on the socket of an execution. @category schemas */
export const ExecutionCommand = Schema.Union(executionCommands)

/** What is said on the socket of a flow. @category schemas */
export const FlowCommand = Schema.Union([StartFlow, WatchFlow, ...executionCommands])

// Where to read on: by the header, or by the query where a page cannot set headers.
const from = Effect.gen(function* () {
  const { headers, url } = yield* HttpServerRequest.HttpServerRequest
  const query = new URL(url, "http://x").searchParams.get("after")
  return yield* after(query ?? headers["last-event-id"])
})

const idOf = Effect.map(HttpRouter.params, ({ id }) => id ?? "")

const ended = (status: string): string => Sockets.message(JSON.stringify({ status }), { event: "end" })

const nothingYet = (what: string) =>
  Problem.refuse(409, "NothingStarted", `There is no ${what} on this socket yet. Say \`start\` or \`watch\` first.`)

/** What the sockets of a server need to know. @category models */
export interface Options {
  readonly serving: Serving
  readonly settings: Sockets.Settings
  readonly agentRuns: AgentRuns
  readonly agents: ReadonlyArray<ServedAgent & { readonly input: Schema.Top }>
  readonly flows: Api.Flows
}

// What agents need is known where they are served: see `Services` of `Http`.
type Needs = unknown

/** The sockets, as routes. @category layers */
export const routes = ({ agentRuns, agents, flows, serving, settings }: Options) => {
  const { registry, streams } = serving

  const follow = (
    connection: Sockets.Connection,
    run: Runs.AnyRun,
    where: { readonly after: number; readonly disconnect: "abort" | "detach"; readonly once: boolean }
  ) =>
    connection.follow(
      {
        events: run.events({ after: Math.max(0, where.after) }),
        encode: (event) => Sockets.message(agentRuns.jsonOf(run, event), { id: event.sequence }),
        end: Effect.map(run.status, ended),
        attend: agentRuns.attend(run, where.disconnect)
      },
      where.once
    )

  const agentSocket = (agent: Options["agents"][number]) => {
    // The Schema of an input needs no services.
    const codec = Schema.toCodecJson(agent.input) as unknown as Schema.Codec<unknown, Json>
    return Effect.suspend(() => {
      let current: Runs.AnyRun | undefined
      return Sockets.serve<typeof AgentCommand.Type, Needs>(streams, settings, {
        command: AgentCommand,
        closing: closing.run,
        begin: () => Effect.void,
        run: (connection, said) => {
          switch (said.type) {
            case "start":
              return {
                later: false,
                reply: Effect.gen(function* () {
                  const input = yield* Effect.flatMap(
                    Schema.decodeUnknownEffect(codec)(said.input),
                    Schema.encodeEffect(codec)
                  ).pipe(
                    Effect.mapError(({ message }) =>
                      Problem.refuse(400, "InvalidRequest", `The input does not fit: ${message}`)
                    )
                  )
                  if (connection.isFollowing()) return yield* Sockets.busy
                  const asked = { ...said, input, requestId: said.key }
                  const run = yield* agentRuns.start(agent, asked)
                  current = run
                  const disconnect = agentRuns.disconnectOf(asked)
                  connection.say(Sockets.message(JSON.stringify({ run: run.id }), { event: "started" }))
                  yield* follow(connection, run, { after: -1, disconnect, once: false })
                  return { run: run.id }
                })
              }
            case "watch":
              return {
                later: false,
                reply: Effect.gen(function* () {
                  const run = yield* registry.get(said.run)
                  yield* follow(connection, run, { after: said.after ?? -1, disconnect: "detach", once: false })
                  current = run
                  return { run: run.id }
                })
              }
            case "approve":
              return {
                later: false,
                reply: current === undefined ? nothingYet("run") : approve(current, said)
              }
            case "cancel":
              return current === undefined
                ? { later: false, reply: nothingYet("run") }
                : { later: true, reply: cancel(current, said.reason) }
          }
        }
      })
    })
  }

  const approve = ({ id }: Runs.AnyRun, { approval, decision }: typeof Approve.Type) =>
    Effect.flatMap(Client, (client) => agentRuns.approving.decideIn(id, approval, decision, client))

  const cancel = (run: Runs.AnyRun, reason: string | undefined) => Effect.as(run.cancel(reason), { run: run.id })

  const runSocket = Effect.gen(function* () {
    const where = yield* from
    const run = yield* registry.get(yield* idOf)
    return yield* Sockets.serve<typeof RunCommand.Type, Needs>(streams, settings, {
      command: RunCommand,
      closing: closing.run,
      begin: (connection) => follow(connection, run, { after: where, disconnect: "detach", once: true }),
      run: (_connection, said) =>
        said.type === "approve"
          ? { later: false, reply: approve(run, said) }
          : { later: true, reply: cancel(run, said.reason) }
    })
  })

  const tell = (
    executions: Host.ExecutionHost["Service"],
    connection: Sockets.Connection,
    id: string,
    where: number,
    once: boolean
  ) =>
    connection.follow(
      {
        events: executions.watch(id, where + 1),
        encode: (entry) => Sockets.message(JSON.stringify(entry), { id: entry.cursor }),
        end: Effect.map(
          Effect.orElseSucceed(executions.get(id), () => ({ status: "unknown" })),
          ({ status }) => ended(status)
        )
      },
      once
    )

  const say = (
    executions: Host.ExecutionHost["Service"],
    id: string,
    said: typeof ExecutionCommand.Type
  ): { readonly later: boolean; readonly reply: Effect.Effect<unknown, unknown> } => {
    switch (said.type) {
      case "signal": {
        const wait = said.wait === true
        const options = { wait, ...(said.requestId === undefined ? {} : { requestId: said.requestId }) }
        const reply = executions.signal(id, said.signal, said.payload, options)
        return { later: wait, reply: Effect.map(refusals(reply), (replies) => ({ replies })) }
      }
      case "answer": {
        const { question, type: _type, value, ...options } = said
        return { later: false, reply: refusals(executions.answer(id, question, value, options)) }
      }
      case "intervene": {
        const { payload, type: _type, ...options } = said
        const reply = executions.intervene(id, payload, options)
        return { later: false, reply: Effect.map(refusals(reply), (intervention) => ({ intervention })) }
      }
      case "seal":
        return { later: false, reply: executions.seal(id) }
      case "close": {
        const { type: _type, ...options } = said
        return { later: true, reply: refusals(executions.close(id, options)) }
      }
      case "cancel":
        return { later: true, reply: executions.cancel(id, said.reason) }
    }
  }

  const executionSocket = Effect.gen(function* () {
    const where = yield* from
    const executions = yield* host
    const id = yield* idOf
    yield* executions.get(id)
    return yield* Sockets.serve<typeof ExecutionCommand.Type, Needs>(streams, settings, {
      command: ExecutionCommand,
      closing: yield* closingOfExecution,
      begin: (connection) => tell(executions, connection, id, where, true),
      run: (_connection, said) => say(executions, id, said)
    })
  })

  const flowSocket = (flow: Api.AnyFlow) => {
    const contract = Api.contractOf(flow)
    return Effect.gen(function* () {
      const executions = yield* host
      let current: string | undefined
      const attach = (connection: Sockets.Connection, id: string, where: number) =>
        Effect.andThen(
          tell(executions, connection, id, where, false),
          Effect.sync(() => {
            current = id
            return { execution: id }
          })
        )
      return yield* Sockets.serve<typeof FlowCommand.Type, Needs>(streams, settings, {
        command: FlowCommand,
        closing: yield* closingOfExecution,
        begin: () => Effect.void,
        run: (connection, said) => {
          if (said.type === "start") {
            const { input, type: _type, ...options } = said
            const version = contract.version === undefined ? {} : { version: contract.version }
            return {
              later: false,
              reply: Effect.gen(function* () {
                const codec = Codec.of(contract.input)
                const read = codec.decode(input)
                const json = read._tag === "Success" ? codec.encode(read.success) : read
                if (json._tag === "Failure")
                  return yield* Problem.refuse(400, "InvalidRequest", `The input does not fit: ${json.failure}`)
                if (connection.isFollowing()) return yield* Sockets.busy
                const id = yield* executions.start({ ...options, ...version, flow: contract.name, input: json.success })
                connection.say(Sockets.message(JSON.stringify({ execution: id }), { event: "started" }))
                return yield* attach(connection, id, -1)
              })
            }
          }
          if (said.type === "watch")
            return {
              later: false,
              reply: Effect.gen(function* () {
                const { flow } = yield* executions.get(said.execution)
                if (flow !== contract.name) return yield* new Host.UnknownExecution({ id: said.execution })
                return yield* attach(connection, said.execution, said.after ?? -1)
              })
            }
          return current === undefined
            ? { later: false, reply: nothingYet("execution") }
            : say(executions, current, said)
        }
      })
    })
  }

  return Layer.mergeAll(
    HttpRouter.add("GET", "/runs/:id/socket", answered(runSocket)),
    HttpRouter.add("GET", "/executions/:id/socket", answered(executionSocket)),
    ...agents.map((agent) => HttpRouter.add("GET", `/agents/${agent.name}/socket`, answered(agentSocket(agent)))),
    ...Object.entries(flows).map(([name, flow]) =>
      HttpRouter.add("GET", `/flows/${name}/socket`, answered(flowSocket(flow)))
    )
  )
}
