/**
 * The handlers of the groups whose types do not depend on what is served: runs, executions and those who operate them,
 * graphs, sessions and health.
 */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ExecutionHost, type ExecutionView, type HistoryEntry } from "../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../services/ExecutionKeeper.ts"
import { SessionStore } from "../../services/SessionStore.ts"
import * as Mermaid from "../../src/triggerflow/definition/Mermaid.ts"
import { Timeline } from "../../src/triggerflow/journal/Timeline.ts"
import type { FlowData } from "../../src/triggerflow/Node.ts"
import type * as Runs from "../../src/run/Runs.ts"
import type { RunStatus } from "../../services/Run.ts"
import type { AgentRuns } from "./AgentRuns.ts"
import * as Api from "./Api.ts"
import * as Problem from "./Problem.ts"
import { refusals } from "./Refusals.ts"
import { after, answered, Client, served, type Serving } from "./Serving.ts"
import { closing, closingFrame, frame } from "./Streams.ts"

const host = served(ExecutionHost, "ExecutionHost")
const keeper = served(ExecutionKeeper, "ExecutionKeeper")
const sessionStore = served(SessionStore, "SessionStore")

// A page of runs, oldest first; what is not on it is not looked into further than it has to be.
const pageOf = Effect.fnUntraced(function* (
  all: ReadonlyArray<Runs.AnyRun>,
  { after, agent, limit = 100, status }: RunQuery
) {
  const place = after === undefined ? -1 : all.findIndex(({ id }) => id === after)
  if (after !== undefined && place < 0)
    return yield* Problem.refuse(
      400,
      "InvalidRequest",
      `The run "${after}", behind which the list was to go on, is forgotten. Begin anew.`
    )
  const runs: Array<typeof Api.RunSummary.Type> = []
  for (const run of all.slice(place + 1)) {
    if (status !== undefined && (yield* run.status) !== status) continue
    const [root] = (yield* run.snapshot).runs
    if (agent !== undefined && root?.agent !== agent) continue
    const last = runs.at(-1)
    if (runs.length === limit && last !== undefined) return { runs, next: last.run }
    runs.push({
      run: run.id,
      status: root?.status ?? "pending",
      ...(root?.agent === undefined ? {} : { agent: root.agent }),
      ...(root?.startedAt === undefined ? {} : { startedAt: root.startedAt }),
      ...(root?.endedAt === undefined ? {} : { endedAt: root.endedAt })
    })
  }
  return { runs }
})

interface RunQuery {
  readonly status?: RunStatus
  readonly agent?: string
  readonly limit?: number
  readonly after?: string
}

/** The runs of the agents. @category layers */
export const runs = (serving: Serving, agentRuns: AgentRuns) =>
  HttpApiBuilder.group(Api.fixed, "runs", (handlers) =>
    handlers
      .handle("list", ({ query }) => answered(Effect.flatMap(serving.registry.list, (all) => pageOf(all, query))))
      .handle("get", ({ params }) => answered(Effect.flatMap(serving.registry.get(params.id), (run) => run.snapshot)))
      .handle("events", ({ headers, params }) =>
        answered(
          Effect.gen(function* () {
            const from = yield* after(headers["last-event-id"])
            const run = yield* serving.registry.get(params.id)
            return yield* agentRuns.watch(run, { after: from, disconnect: "detach" })
          })
        )
      )
      .handle("approvals", ({ params }) =>
        answered(Effect.map(serving.registry.get(params.id), ({ id }) => agentRuns.approving.of(id)))
      )
      .handle("approve", ({ params: { approval, id }, payload }) =>
        answered(
          Effect.andThen(
            serving.registry.get(id),
            Effect.flatMap(Client, (client) => agentRuns.approving.decideIn(id, approval, payload, client))
          )
        )
      )
      .handle("cancel", ({ params, payload }) =>
        answered(
          Effect.flatMap(serving.registry.get(params.id), (run) =>
            Effect.andThen(run.cancel(payload.reason), run.snapshot)
          )
        )
      )
  )

// How far the steps have come, as the timeline of the studio has it.
const stepsOf = (view: ExecutionView, history: ReadonlyArray<HistoryEntry>): ReadonlyMap<string, Mermaid.Status> => {
  const timeline = new Timeline(0, true)
  timeline.take(history)
  if (view.lifecycle === "closed") timeline.stop(history.at(-1)?.seq ?? 0, view.closedAt ?? view.startedAt)
  return new Map([...timeline.states.values()].map(({ key, status }) => [key, status]))
}

const text = (picture: string) => HttpServerResponse.text(picture, { contentType: "text/vnd.mermaid" })

const flowData = (flow: Api.AnyFlow | undefined): FlowData | undefined =>
  flow !== undefined && "chains" in flow.data ? flow.data : undefined

const noGraph = (flow: string) =>
  Problem.refuse(
    404,
    "NoGraph",
    `The server knows no chains of the flow "${flow}". Give it the flow itself, not the contract alone.`
  )

/** Pictures of flows. @category layers */
export const graphs = (flows: Api.Flows) =>
  HttpApiBuilder.group(Api.fixed, "graphs", (handlers) =>
    handlers
      .handle("list", () =>
        Effect.succeed(
          Object.entries(flows).map(([name, flow]) => {
            const { version } = Api.contractOf(flow)
            return { flow: name, graph: flowData(flow) !== undefined, ...(version === undefined ? {} : { version }) }
          })
        )
      )
      .handle("get", ({ params }) => {
        const data = flowData(Object.hasOwn(flows, params.id) ? flows[params.id] : undefined)
        return answered(
          data === undefined ? Effect.fail(noGraph(params.id)) : Effect.sync(() => text(Mermaid.toMermaid({ data })))
        )
      })
  )

/** Executions. @category layers */
export const executions = (serving: Serving, flows: Api.Flows) =>
  HttpApiBuilder.group(Api.fixed, "executions", (handlers) =>
    handlers
      .handle("list", ({ query }) => answered(Effect.flatMap(host, ({ list }) => list(query))))
      .handle("get", ({ params }) => answered(Effect.flatMap(host, ({ get }) => get(params.id))))
      .handle("events", ({ headers, params }) =>
        answered(
          Effect.gen(function* () {
            const from = yield* after(headers["last-event-id"])
            const { get, watch } = yield* host
            // Before the response begins, so that one that there is not is a 404.
            yield* get(params.id)
            const known = yield* Effect.serviceOption(ExecutionKeeper)
            return yield* serving.streams.respond(yield* Client, {
              closing: closingFrame(Option.isSome(known) ? closing.journal : closing.memory),
              events: watch(params.id, from + 1),
              encode: (entry) => frame(JSON.stringify(entry), { id: entry.cursor }),
              end: Effect.map(
                Effect.orElseSucceed(get(params.id), () => ({ status: "unknown" })),
                ({ status }) => frame(JSON.stringify({ status }), { event: "end" })
              )
            })
          })
        )
      )
      .handle("snapshot", ({ params }) => answered(Effect.flatMap(host, ({ save }) => refusals(save(params.id)))))
      .handle("graph", ({ params }) =>
        answered(
          Effect.gen(function* () {
            const view = yield* (yield* host).get(params.id)
            const data = Object.values(flows)
              .map(flowData)
              .find(
                (one) =>
                  one?.contract.name === view.flow &&
                  (view.version === undefined || one.contract.version === view.version)
              )
            if (data === undefined) return yield* noGraph(view.flow)
            // Without a journal nobody knows how far the steps have come.
            const known = yield* Effect.serviceOption(ExecutionKeeper)
            const history = Option.isSome(known) ? yield* known.value.history(params.id, { runs: true }) : []
            return text(Mermaid.toMermaid({ data }, { status: stepsOf(view, history) }))
          })
        )
      )
      .handle("signal", ({ params, payload: { payload, requestId, wait } }) =>
        answered(
          Effect.flatMap(host, ({ signal }) =>
            Effect.map(
              refusals(
                signal(params.id, params.signal, payload, {
                  wait: wait === true,
                  ...(requestId === undefined ? {} : { requestId })
                })
              ),
              (replies) => ({ replies })
            )
          )
        )
      )
      .handle("answer", ({ params, payload: { value, ...options } }) =>
        answered(Effect.flatMap(host, ({ answer }) => refusals(answer(params.id, params.question, value, options))))
      )
      .handle("intervene", ({ params, payload: { payload, ...options } }) =>
        answered(
          Effect.flatMap(host, ({ intervene }) =>
            Effect.map(refusals(intervene(params.id, payload, options)), (intervention) => ({ intervention }))
          )
        )
      )
      .handle("seal", ({ params }) => answered(Effect.flatMap(host, ({ seal }) => seal(params.id))))
      .handle("close", ({ params, payload }) =>
        answered(Effect.flatMap(host, ({ close }) => refusals(close(params.id, payload))))
      )
      .handle("cancel", ({ params, payload }) =>
        answered(Effect.flatMap(host, ({ cancel }) => cancel(params.id, payload.reason)))
      )
  )

/** What those who operate durable executions need. @category layers */
export const operations = HttpApiBuilder.group(Api.fixed, "operations", (handlers) =>
  handlers
    .handle("history", ({ params }) => answered(Effect.flatMap(keeper, ({ history }) => history(params.id))))
    .handle("fork", ({ params, payload }) =>
      answered(
        Effect.flatMap(keeper, ({ fork }) => Effect.map(fork(params.id, payload), (execution) => ({ execution })))
      )
    )
    .handle("deadLetters", ({ query }) => answered(Effect.flatMap(keeper, ({ deadLetters }) => deadLetters(query))))
    .handle("retry", ({ params }) => answered(Effect.flatMap(keeper, ({ retry }) => retry(params.id))))
    .handle("discard", ({ params }) => answered(Effect.flatMap(keeper, ({ discard }) => discard(params.id))))
)

/** Conversations. @category layers */
export const sessions = HttpApiBuilder.group(Api.fixed, "sessions", (handlers) =>
  handlers
    .handle("get", ({ params: { id }, query }) =>
      answered(
        Effect.gen(function* () {
          const store = yield* sessionStore
          const { turns: total, version, ...state } = yield* store.head(id)
          if (version === 0)
            return yield* Problem.refuse(404, "UnknownSession", `There is no session "${id}": nothing was ever saved.`)
          const limit = query.limit ?? 100
          const from = query.from ?? Math.max(0, total - limit)
          return { id, version, total, state, from, turns: yield* store.read(id, from, from + limit) }
        })
      )
    )
    .handle("list", ({ query }) => answered(Effect.flatMap(sessionStore, ({ list }) => list(query))))
    .handle("remove", ({ params: { id } }) =>
      answered(Effect.flatMap(sessionStore, (store) => store.exclusive(id, store.remove(id))))
    )
)

/** How the server is. @category layers */
export const health = (serving: Serving) =>
  HttpApiBuilder.group(Api.fixed, "health", (handlers) =>
    handlers
      .handle("live", () => Effect.succeed({ status: "up" as const })) // The literal that the Schema wants.
      .handle("ready", () =>
        Effect.gen(function* () {
          const known = yield* Effect.serviceOption(ExecutionKeeper)
          const keeper = Option.isSome(known) ? yield* known.value.health : undefined
          const all = yield* serving.registry.list
          const atWork = yield* Effect.filter(all, (run) => Effect.map(run.status, (status) => status === "running"))
          const status: typeof Api.Ready.Type.status = serving.state.isClosing
            ? "closing"
            : keeper !== undefined && keeper.status !== "up"
              ? "unhealthy"
              : "up"
          const said = {
            status,
            streams: serving.streams.size,
            runs: atWork.length,
            ...(keeper === undefined ? {} : { keeper })
          }
          return HttpServerResponse.jsonUnsafe(said, { status: status === "up" ? 200 : 503 })
        })
      )
  )

/** All of them. @category layers */
export const all = (serving: Serving, agentRuns: AgentRuns, flows: Api.Flows) =>
  Layer.mergeAll(
    runs(serving, agentRuns),
    graphs(flows),
    executions(serving, flows),
    operations,
    sessions,
    health(serving)
  )
