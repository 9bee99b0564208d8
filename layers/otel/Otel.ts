/**
 * Agents and flows as traces and metrics of OpenTelemetry, by its GenAI conventions.
 */
import type * as Duration from "effect/Duration"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import type * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../services/Telemetry.ts"
import * as Bounded from "./Bounded.ts"
import type { Capture } from "./Content.ts"
import * as Tracing from "./Tracing.ts"

export {
  /** How much exporters may have under way. @category models */
  type Bounds
} from "./Bounded.ts"
export {
  /** What is captured of what people and models say. @category models */
  type Capture,
  /** What a text is, for redactors. @category models */
  type Kind
} from "./Content.ts"
export {
  /** Names of events. @category constants */
  Event,
  /** Names of attributes. @category constants */
  Key,
  /** The version of the conventions. @category constants */
  schemaUrl
} from "./Conventions.ts"

/**
 * What is told of agents and flows.
 *
 * @category models
 */
export interface Options {
  /** Which content is captured. Default: none. */
  readonly capture?: Capture | undefined
}

/**
 * Puts spans around agents, requests, actions, flows and steps, and measures them. The spans go to the tracer of the
 * program, the metrics to its metrics: exporters are another Layer (`otlp`, `ConsoleTraces.layer`, any of effect's).
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Agent } from "effigent"
 * import { ConsoleTraces, Otel } from "effigent/layers/otel"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const lines: Array<string> = []
 * const seen = Layer.mergeAll(Otel.layer(), ConsoleTraces.layer({ times: false, write: (text) => lines.push(text) }))
 * const model = ScriptedModel.layer([ScriptedModel.text("Hi.", { usage: { inputTokens: 9, outputTokens: 3 } })])
 *
 * const greeter = Agent.make({ name: "greeter", model: "small", input: "Hello" })
 * await Effect.runPromise(Agent.run(greeter).pipe(Effect.provide(Layer.merge(model, seen))))
 * console.log(lines.join(""))
 * // => invoke_agent greeter  9 in, 3 out
 * // => `- chat small  9 in, 3 out
 * ```
 *
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.succeed(Telemetry.Current, Tracing.make(options.capture ?? {}))

/**
 * How traces, metrics and logs are sent.
 *
 * @category models
 */
export interface OtlpOptions extends Options, Bounded.Bounds {
  /** The collector: `http://localhost:4318`. The signals go to `/v1/traces`, `/v1/metrics`, `/v1/logs` below it. */
  readonly url: string
  /** The name of this program, as `service.name`. */
  readonly serviceName: string
  /** Its version, as `service.version`. */
  readonly serviceVersion?: string | undefined
  /** More attributes of the resource. */
  readonly attributes?: Record<string, unknown> | undefined
  /** Headers of each request, keys of vendors for one. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How bodies are encoded. Default `protobuf`. */
  readonly format?: "protobuf" | "json" | undefined
  /** Whether bodies are compressed. Default `none`. */
  readonly compression?: "gzip" | "none" | undefined
  /** How often spans and logs are sent. Default 5 seconds for spans, 1 second for logs. */
  readonly interval?: Duration.Input | undefined
  /** How often metrics are sent. Default 10 seconds. */
  readonly metricsInterval?: Duration.Input | undefined
  /** Spans or logs in one request. Default 1,000. */
  readonly maxBatchSize?: number | undefined
  /** How long the end of the program waits for the last request. Default 3 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
}

const serialization = (format: "protobuf" | "json" | undefined) =>
  format === "json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf

/**
 * All of it to a collector over OTLP/HTTP: traces, metrics, and the program's logs. A collector that is slow or away never
 * disturbs the program: what cannot be sent is dropped. `Flusher` sends what waits, at once.
 *
 * @category layers
 */
export const otlp = (options: OtlpOptions): Layer.Layer<OtlpExporter.Flusher, never, HttpClient.HttpClient> => {
  const { attributes, interval, serviceName, serviceVersion } = options
  const exporters = Otlp.layer({
    baseUrl: options.url,
    resource: { serviceName, serviceVersion, ...(attributes === undefined ? {} : { attributes }) },
    headers: options.headers,
    compression: options.compression,
    maxBatchSize: options.maxBatchSize,
    loggerExportInterval: interval,
    // Logs go where they went, and to the collector.
    loggerMergeWithExisting: true,
    tracerExportInterval: interval,
    metricsExportInterval: options.metricsInterval,
    shutdownTimeout: options.shutdownTimeout
  }).pipe(Layer.provide(serialization(options.format)), Layer.provide(Bounded.layer(options)))
  return Layer.merge(layer(options), exporters)
}

/**
 * The same, as the `OTEL_*` variables of the environment say: where (`OTEL_EXPORTER_OTLP_ENDPOINT`), how often, and what: a
 * signal is sent where `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` or `OTEL_LOGS_EXPORTER` is `otlp`. With
 * `OTEL_SDK_DISABLED` nothing is made or sent. Fails with a `ConfigError` where that is no boolean.
 *
 * @category layers
 */
export const fromConfig = (
  options: Options & Bounded.Bounds & Pick<OtlpOptions, "serviceName" | "format">
): Layer.Layer<OtlpExporter.Flusher, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(
    Effect.map(Config.Boolean("OTEL_SDK_DISABLED").pipe(Config.withDefault(false)), (isDisabled) => {
      const { serviceName } = options
      const exporters = Otlp.layerFromConfig({ resource: { serviceName }, loggerMergeWithExisting: true }).pipe(
        Layer.provide(serialization(options.format)),
        Layer.provide(Bounded.layer(options))
      )
      return isDisabled ? exporters : Layer.merge(layer(options), exporters)
    })
  )
