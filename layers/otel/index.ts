/** Agents and flows as traces and metrics. */

/** Traces as text for people. */
export * as ConsoleTraces from "./ConsoleTraces.ts"
/** Names and units of all metrics. */
export * as Metrics from "./Metrics.ts"
/** Spans and metrics by OpenTelemetry's GenAI conventions, and their export over OTLP. */
export * as Otel from "./Otel.ts"
