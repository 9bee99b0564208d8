/**
 * What is measured of a server, and the page on which Prometheus reads it, with all other metrics of the program: those of
 * agents and flows where `effigent/layers/otel` measures them, of durable executions, of stores.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type { Serving } from "./Serving.ts"

/** How long requests took until their response began, in seconds, by method, first part of the path, and status. @category metrics */
export const requestDuration = Metric.histogram("http.server.request.duration", {
  description: "Duration of HTTP server requests.",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  attributes: { unit: "s" }
})

/** Streams that are open, WebSockets among them. @category metrics */
export const streamsOpen = Metric.gauge("effigent_http_streams_open", { description: "Open streams and WebSockets." })

/** Readers that were dropped since they took nothing any more. @category metrics */
export const streamsDropped = Metric.gauge("effigent_http_streams_dropped", {
  description: "Readers that were dropped since they took nothing any more."
})

/** Runs that are at work. @category metrics */
export const runsActive = Metric.gauge("effigent_http_runs_active", { description: "Runs of agents at work." })

const groups = new Set("agents dead-letters docs executions flows health metrics openapi.json runs sessions".split(" "))

/** The part of a path by which requests are told apart: few, whatever is asked for. @category conversions */
export const groupOf = (path: string): string => {
  const first = path.split("/", 2)[1] ?? ""
  return groups.has(first) ? first : "other"
}

/** The page of a server's metrics. @category layers */
export const route = (serving: Serving): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.add(
    "GET",
    "/metrics",
    Effect.gen(function* () {
      const all = yield* serving.registry.list
      const atWork = yield* Effect.filter(all, (run) => Effect.map(run.status, (status) => status === "running"))
      yield* Metric.update(runsActive, atWork.length)
      yield* Metric.update(streamsOpen, serving.streams.size)
      yield* Metric.update(streamsDropped, serving.streams.dropped)
      const text = yield* PrometheusMetrics.format()
      return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
    })
  )
