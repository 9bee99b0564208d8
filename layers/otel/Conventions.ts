/**
 * The names under which agents and flows are seen: those of the OpenTelemetry GenAI semantic conventions 1.42.0
 * (https://opentelemetry.io/schemas/gen-ai/1.42.0, status: Development), and below `effigent.` what they have no name for.
 * They stand here and nowhere else.
 */
import type { Usage } from "../../services/ModelProvider.ts"

/** The version of the conventions. @category constants */
export const schemaUrl = "https://opentelemetry.io/schemas/gen-ai/1.42.0"

/** Attributes of spans and metrics. @category constants */
export const Key = {
  operation: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  agent: "gen_ai.agent.name",
  workflow: "gen_ai.workflow.name",
  errorType: "error.type",
  requestModel: "gen_ai.request.model",
  requestStream: "gen_ai.request.stream",
  temperature: "gen_ai.request.temperature",
  topP: "gen_ai.request.top_p",
  maxTokens: "gen_ai.request.max_tokens",
  stop: "gen_ai.request.stop_sequences",
  seed: "gen_ai.request.seed",
  outputType: "gen_ai.output.type",
  responseId: "gen_ai.response.id",
  responseModel: "gen_ai.response.model",
  finishReasons: "gen_ai.response.finish_reasons",
  timeToFirstChunk: "gen_ai.response.time_to_first_chunk",
  inputTokens: "gen_ai.usage.input_tokens",
  cachedTokens: "gen_ai.usage.cache_read.input_tokens",
  cacheWriteTokens: "gen_ai.usage.cache_creation.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
  tokenType: "gen_ai.token.type",
  toolName: "gen_ai.tool.name",
  toolCall: "gen_ai.tool.call.id",
  toolDescription: "gen_ai.tool.description",
  toolType: "gen_ai.tool.type",
  /** Content: only where it is captured. */
  system: "gen_ai.system_instructions",
  input: "gen_ai.input.messages",
  output: "gen_ai.output.messages",
  toolArguments: "gen_ai.tool.call.arguments",
  toolResult: "gen_ai.tool.call.result",
  /** The number of an attempt, or how many there were. */
  attempt: "effigent.attempt",
  attempts: "effigent.attempts",
  actionStatus: "effigent.action.status",
  actionRound: "effigent.action.round",
  actionTries: "effigent.action.tries",
  execution: "effigent.execution.id",
  executionStatus: "effigent.execution.status",
  resumed: "effigent.execution.resumed",
  step: "effigent.step.name",
  stepRun: "effigent.step.run",
  stepResumes: "effigent.step.resumes",
  /** The work was cancelled, or whoever read it went away. */
  cancelled: "effigent.cancelled",
  /** Some of the content was left out, being longer than the limit. */
  truncated: "effigent.content.truncated"
} as const

/** Events of spans. @category constants */
export const Event = {
  /** The provider has begun the answer anew: what came before is void. */
  restarted: "effigent.chat.restarted",
  /** A call of the model was not run. */
  notRun: "effigent.action.not_run",
  /** A try of a step has failed. */
  failedTry: "effigent.step.failed_try",
  /** A step waits for an answer. */
  paused: "effigent.step.paused",
  /** An execution goes on from what was written down. */
  resumed: "effigent.execution.resumed",
  /** An execution was left as it is: another runner has it, or it rests in its store. */
  left: "effigent.execution.left"
} as const

/** Attributes of a span or an event. @category models */
export type Attributes = { [key: string]: unknown }

/** Tokens as attributes; what is not known is absent. @category conversions */
export const usageOf = (usage: Usage): Attributes => {
  const attributes: Attributes = {}
  if (usage.inputTokens !== undefined) attributes[Key.inputTokens] = usage.inputTokens
  if (usage.cachedInputTokens !== undefined) attributes[Key.cachedTokens] = usage.cachedInputTokens
  if (usage.cacheWriteInputTokens !== undefined) attributes[Key.cacheWriteTokens] = usage.cacheWriteInputTokens
  if (usage.outputTokens !== undefined) attributes[Key.outputTokens] = usage.outputTokens
  if (usage.reasoningTokens !== undefined) attributes[Key.reasoningTokens] = usage.reasoningTokens
  return attributes
}

const isTagged = (value: unknown): value is { readonly _tag: string } =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"

/** The class of an error, for `error.type`: its tag, with that of its reason where it has one. @category conversions */
export const errorType = (error: unknown): string => {
  if (isTagged(error)) {
    const reason = "reason" in error && isTagged(error.reason) ? `.${error.reason._tag}` : ""
    return error._tag + reason
  }
  return error instanceof Error && error.name !== "" ? error.name : "_OTHER"
}
