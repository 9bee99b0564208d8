/**
 * What is measured of agents and flows, by the names and the buckets of the GenAI conventions. Metrics of effect: any
 * exporter of effect sends them. `names` lists those of the other parts of the library beside them.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Usage } from "../../services/ModelProvider.ts"
import { type Attributes, Key } from "./Conventions.ts"

const seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const tokens = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]

const duration = (name: string, description: string) =>
  Metric.histogram(name, { description, boundaries: seconds, attributes: { unit: "s" } })

/** Tokens of one request, with `gen_ai.token.type` `input` or `output`. @category metrics */
export const tokenUsage = Metric.histogram("gen_ai.client.token.usage", {
  description: "Number of input and output tokens used.",
  boundaries: tokens,
  attributes: { unit: "{token}" }
})

/** How long a request took, in seconds. @category metrics */
export const operationDuration = duration("gen_ai.client.operation.duration", "GenAI operation duration.")

/** Seconds from sending a request to the first piece of its answer. @category metrics */
export const timeToFirstChunk = duration(
  "gen_ai.client.operation.time_to_first_chunk",
  "Time to receive the first chunk of the answer."
)

/** How long an agent took, in seconds. @category metrics */
export const agentDuration = duration("gen_ai.invoke_agent.duration", "Duration of one agent invocation.")

/** How long an action took, in seconds. @category metrics */
export const toolDuration = duration("gen_ai.execute_tool.duration", "Duration of one tool execution.")

/** How long an execution of a flow took in this process, in seconds. @category metrics */
export const workflowDuration = duration("gen_ai.workflow.duration", "GenAI workflow duration.")

/**
 * The names of all metrics of the library: those of this room, of durable executions (`effigent/durable`), of servers
 * (`effigent/layers/http`), and of the stores over SQL (`effigent/layers/sql-store`).
 *
 * @category constants
 */
export const names = {
  agents: [
    "gen_ai.client.token.usage",
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.invoke_agent.duration",
    "gen_ai.execute_tool.duration",
    "gen_ai.workflow.duration"
  ],
  executions: [
    "effigent_executions_started",
    "effigent_executions_recovered",
    "effigent_executions_buried",
    "effigent_recovery_lag_millis",
    "effigent_executions_active",
    "effigent_lease_age_millis"
  ],
  servers: [
    "http.server.request.duration",
    "effigent_http_streams_open",
    "effigent_http_streams_dropped",
    "effigent_http_runs_active"
  ],
  stores: ["effigent_store_commit_batch", "effigent_store_commit_milliseconds", "effigent_store_commit_waiting"]
} as const

/** Measures one value. @category measuring */
export const record = (
  context: Context.Context<never>,
  metric: Metric.Metric<number, unknown>,
  value: number,
  attributes: Attributes
): void => {
  const known: { [key: string]: string } = {}
  for (const key in attributes) if (attributes[key] !== undefined) known[key] = String(attributes[key])
  Metric.withAttributes(metric, known).updateUnsafe(value, context)
}

/** Measures the tokens of one request, as far as the provider says. @category measuring */
export const recordUsage = (context: Context.Context<never>, usage: Usage, attributes: Attributes): void => {
  const { inputTokens, outputTokens } = usage
  if (inputTokens !== undefined) record(context, tokenUsage, inputTokens, { ...attributes, [Key.tokenType]: "input" })
  if (outputTokens !== undefined)
    record(context, tokenUsage, outputTokens, { ...attributes, [Key.tokenType]: "output" })
}
