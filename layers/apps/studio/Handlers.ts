/** Answers to what `Api` asks for. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type { RunSnapshot } from "../../../services/Run.ts"
import * as Metrics from "../../../src/run/Metrics.ts"
import type * as Runs from "../../../src/run/Runs.ts"
import type { Approving } from "../../http/Approving.ts"
import * as Problem from "../../http/Problem.ts"
import { after, answered, Client } from "../../http/Serving.ts"
import { frame, type Streams } from "../../http/Streams.ts"
import type { AnyFlow, Project } from "../config/Project.ts"
import * as Api from "./Api.ts"
import type { Evals } from "./Evals.ts"
import type { Executions, Live } from "./Executions.ts"
import { graphOf } from "./Info.ts"
import * as Prices from "./Prices.ts"
import { spanDetail, spanRow, traceRow, type Traces, windowOf } from "./Traces.ts"

/** What has happened since the last look. @category models */
export interface Tick {
  readonly traces: ReadonlyArray<Api.TraceRow>
  /** Present where the list has changed. */
  readonly waiting: ReadonlyArray<Api.Waiting> | undefined
}

/**
 * What the handlers of a studio share.
 *
 * @category models
 */
export interface Serving {
  readonly project: Project
  /** The flows by their names in paths. */
  readonly flows: ReadonlyMap<string, AnyFlow>
  readonly info: Api.Project
  readonly streams: Streams
  readonly registry: Runs.Registry["Service"]
  readonly approvals: Approving
  readonly executions: Executions
  readonly traces: Traces
  readonly evals: Evals
  readonly ticks: PubSub.PubSub<Tick>
}

const sse = (event: string, data: unknown, id?: number): string =>
  frame(JSON.stringify(data), id === undefined ? { event } : { event, id })

const project = (serving: Serving) =>
  HttpApiBuilder.group(Api.StudioApi, "project", (handlers) =>
    handlers
      .handle("get", () =>
        Effect.map(serving.evals.exists, (evals) => ({
          ...serving.info,
          capabilities: { ...serving.info.capabilities, evals }
        }))
      )
      .handle("graph", ({ params, query }) =>
        answered(
          Effect.suspend(() => {
            const { flows } = serving.project
            const flow =
              query.version === undefined
                ? (serving.flows.get(params.id) ?? flows.findLast(({ name }) => name === params.id))
                : flows.find(({ data, name }) => name === params.id && data.contract.version === query.version)
            if (flow !== undefined) return Effect.succeed(graphOf(flow))
            const version = query.version === undefined ? "" : ` of version "${query.version}"`
            return Problem.refuse(404, "UnknownFlow", `The project has no flow "${params.id}"${version}.`)
          })
        )
      )
      .handle("news", () =>
        answered(
          Effect.gen(function* () {
            const events = Stream.unwrap(
              Effect.map(PubSub.subscribe(serving.ticks), (subscription) => {
                const first: Tick = { traces: [], waiting: serving.approvals.waiting }
                return Stream.concat(Stream.make(first), Stream.fromSubscription(subscription))
              })
            )
            return yield* serving.streams.respond(yield* Client, {
              events,
              encode: ({ traces, waiting }) => {
                let text = waiting === undefined ? "" : sse("waiting", waiting)
                for (const trace of traces) {
                  text += sse("trace", trace)
                  if (trace.execution !== undefined) text += sse("execution", { id: trace.execution, flow: trace.name })
                }
                return text
              }
            })
          })
        )
      )
  )

// The session of a run stands in what it was asked: see `AgentRuns`.
const sessionOf = (input: unknown): string | undefined =>
  typeof input === "object" && input !== null && "session" in input && typeof input.session === "string"
    ? input.session
    : undefined

const rowOf = ({ project, traces }: Serving, id: string, snapshot: RunSnapshot): Api.RunRow => {
  let isOpen = false
  const { total } = Metrics.of(snapshot, (usage, model) => {
    const cost = Prices.costOf(project.prices, usage, model)
    if (cost === undefined) isOpen = true
    return cost ?? 0
  })
  const root = snapshot.runs.find(({ run }) => run === snapshot.root)
  const session = sessionOf(root?.input)
  const trace = traces.ofRun(id)?.id
  return {
    run: id,
    status: root?.status ?? "pending",
    requests: total.requests,
    usage: total.usage,
    ...(root?.agent === undefined ? {} : { agent: root.agent }),
    ...(session === undefined ? {} : { session }),
    ...(root?.startedAt === undefined ? {} : { startedAt: root.startedAt }),
    ...(root?.endedAt === undefined ? {} : { endedAt: root.endedAt }),
    ...(isOpen || total.cost === undefined ? {} : { cost: total.cost }),
    ...(total.timeToFirstToken === undefined ? {} : { timeToFirstToken: total.timeToFirstToken }),
    ...(trace === undefined ? {} : { trace })
  }
}

const runs = (serving: Serving) =>
  HttpApiBuilder.group(Api.StudioApi, "runs", (handlers) =>
    handlers
      .handle("list", ({ query: { agent, limit = 100, session } }) =>
        answered(
          Effect.gen(function* () {
            const rows: Array<Api.RunRow> = []
            for (const run of (yield* serving.registry.list).toReversed()) {
              const row = rowOf(serving, run.id, yield* run.snapshot)
              if (agent !== undefined && row.agent !== agent) continue
              if (session !== undefined && row.session !== session) continue
              rows.push(row)
              if (rows.length === limit) break
            }
            return rows
          })
        )
      )
      .handle("get", ({ params }) =>
        answered(
          Effect.flatMap(serving.registry.get(params.id), (run) =>
            Effect.map(run.snapshot, (snapshot) => rowOf(serving, run.id, snapshot))
          )
        )
      )
      .handle("waiting", () => Effect.sync(() => serving.approvals.waiting))
      .handle("decide", ({ params, payload }) =>
        answered(
          // Who decided stands in the record of the call.
          serving.approvals.decide(params.id, { ...payload, by: payload.by ?? "studio" })
        )
      )
  )

const encodeLive = (live: Live): string => {
  switch (live._tag) {
    case "entry":
      return sse("entry", live.entry, live.entry.cursor)
    case "standing":
      return sse("standing", live.standing)
    case "steps":
      return sse("steps", { seq: live.seq, steps: live.steps })
  }
}

const executions = (serving: Serving) =>
  HttpApiBuilder.group(Api.StudioApi, "executions", (handlers) =>
    handlers
      .handle("list", ({ query }) => answered(serving.executions.list(query)))
      .handle("get", ({ params }) => answered(serving.executions.get(params.id)))
      .handle("steps", ({ params }) =>
        answered(
          Effect.map(serving.executions.timeline(params.id), ({ seq, states }) => ({
            seq,
            steps: [...states.values()]
          }))
        )
      )
      .handle("timeline", ({ params, query }) =>
        answered(Effect.map(serving.executions.timeline(params.id), (timeline) => timeline.page(query)))
      )
      .handle("history", ({ params, query: { limit = 200, offset = 0 } }) =>
        answered(
          Effect.map(serving.executions.timeline(params.id), ({ complete, history, seq }) => ({
            total: history.length,
            offset,
            entries: history.slice(offset, offset + limit),
            seq,
            complete
          }))
        )
      )
      .handle("events", ({ headers, params }) =>
        answered(
          Effect.gen(function* () {
            const from = yield* after(headers["last-event-id"])
            // Before the response begins, so that one that there is not is a 404.
            yield* serving.executions.get(params.id)
            return yield* serving.streams.respond(yield* Client, {
              events: serving.executions.live(params.id, from + 1),
              encode: encodeLive,
              end: Effect.map(Effect.option(serving.executions.get(params.id)), (view) =>
                sse("end", { status: view._tag === "Some" ? view.value.status : "unknown" })
              )
            })
          })
        )
      )
  )

const noTrace = (id: string) =>
  Problem.refuse(
    404,
    "UnknownTrace",
    `There is no trace "${id}": it was dropped for newer ones, or the studio was restarted.`
  )

const noSpan = (id: string) => Problem.refuse(404, "UnknownSpan", `The trace has no span "${id}".`)

const traces = (serving: Serving) =>
  HttpApiBuilder.group(Api.StudioApi, "traces", (handlers) =>
    handlers
      .handle("list", ({ query }) =>
        Effect.sync(() => {
          const { next, traces } = serving.traces.list(query)
          return {
            traces: traces.map(traceRow),
            total: serving.traces.size.traces,
            dropped: serving.traces.dropped,
            ...(next === undefined ? {} : { next })
          }
        })
      )
      .handle("spans", ({ params, query }) =>
        answered(
          Effect.suspend((): Effect.Effect<Api.SpanPage, Problem.Refused> => {
            const trace = serving.traces.get(params.id)
            if (trace === undefined) return noTrace(params.id)
            const window = windowOf(trace, query)
            if (window === undefined) return noSpan(query.under ?? "")
            const { rows, total } = window
            return Effect.succeed({
              trace: traceRow(trace),
              total,
              offset: query.offset ?? 0,
              rows: rows.map(spanRow)
            })
          })
        )
      )
      .handle("span", ({ params }) =>
        answered(
          Effect.suspend((): Effect.Effect<Api.SpanDetail, Problem.Refused> => {
            const trace = serving.traces.get(params.id)
            if (trace === undefined) return noTrace(params.id)
            const span = trace.spans.get(params.span)
            return span === undefined ? noSpan(params.span) : Effect.succeed(spanDetail(span))
          })
        )
      )
      .handle("clear", () => Effect.sync(() => serving.traces.clear()))
  )

const evals = (serving: Serving) =>
  HttpApiBuilder.group(Api.StudioApi, "evals", (handlers) =>
    handlers
      .handle("list", () => serving.evals.list)
      .handle("get", ({ params }) => answered(serving.evals.get(params.id)))
  )

/** All of them. @category layers */
export const all = (serving: Serving) =>
  Layer.mergeAll(project(serving), runs(serving), executions(serving), traces(serving), evals(serving))
