/** From a `ModelRequest` to the call options of an AI SDK model. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FunctionTool,
  LanguageModelV4ProviderTool,
  LanguageModelV4ToolChoice,
  SharedV4ProviderOptions
} from "@ai-sdk/provider"
import { Tool } from "../../services/AiTool.ts"
import type { JsonObject } from "../../services/Json.ts"
import type { ModelRequest, PromptCache } from "../../services/ModelProvider.ts"
import * as CacheMarks from "../../src/wire/CacheMarks.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as ToolSchema from "../../src/wire/ToolSchema.ts"
import * as Messages from "./Messages.ts"

/**
 * How requests are written.
 *
 * @category models
 */
export interface Dialect {
  /** The strict dialect of JSON Schema that the model's native mode takes. */
  readonly dialect: "openai" | "anthropic" | undefined
  /** The key of `providerOptions` under which the model looks for its own. */
  readonly namespace: string
}

type JSONSchema = LanguageModelV4FunctionTool["inputSchema"]

/** The call options; `signal` aborts the request. @category rendering */
export const callOptions = (
  { includeRaw, options, output, prompt, toolChoice, tools }: ModelRequest,
  { dialect, namespace }: Dialect,
  signal: AbortSignal
): LanguageModelV4CallOptions => {
  const call: LanguageModelV4CallOptions = {
    prompt: Messages.fromPrompt(options.cache === undefined ? prompt : CacheMarks.add(prompt, options.cache)),
    abortSignal: signal,
    includeRawChunks: includeRaw
  }
  if (options.temperature !== undefined) call.temperature = options.temperature
  if (options.topP !== undefined) call.topP = options.topP
  if (options.maxTokens !== undefined) call.maxOutputTokens = options.maxTokens
  if (options.stop !== undefined && options.stop.length > 0) call.stopSequences = [...options.stop]
  if (options.seed !== undefined) call.seed = options.seed
  if (tools.length > 0) {
    call.tools = tools.map(tool)
    call.toolChoice = choice(toolChoice ?? "auto")
  }
  if (output.native && output.format === "json") {
    const strict = dialect === undefined ? undefined : output.strict[dialect]
    // JSON Schema as both sides write it; the SDK's type is a stricter spelling of the same.
    call.responseFormat = { type: "json", schema: (strict ?? output.jsonSchema) as JSONSchema, name: output.name }
  }
  const own = { ...(dialect === "openai" ? cacheOptions(options.cache) : {}), ...options.provider }
  return Object.keys(own).length === 0 ? call : { ...call, ...provider(own, namespace) }
}

// Anthropic's models look for marks in the prompt; these are the names of OpenAI's.
const cacheOptions = ({ key, retention }: PromptCache = {}): JsonObject => ({
  ...(key === undefined ? {} : { promptCacheKey: key }),
  ...(retention === "long" ? { promptCacheRetention: "24h" } : {})
})

const choice = (choice: NonNullable<ModelRequest["toolChoice"]>): LanguageModelV4ToolChoice =>
  typeof choice === "string" ? { type: choice } : { type: "tool", toolName: choice.tool }

const tool = (tool: Tool.Any): LanguageModelV4FunctionTool | LanguageModelV4ProviderTool => {
  if (Tool.isProviderDefined(tool)) {
    return { type: "provider", id: tool.id, name: tool.name, args: { ...Fields.object(tool.args) } }
  }
  const description = Tool.getDescription(tool)
  const strict = Tool.getStrictMode(tool)
  return {
    type: "function",
    name: tool.name,
    ...(description === undefined ? {} : { description }),
    inputSchema: ToolSchema.parameters(tool),
    ...(strict === undefined ? {} : { strict })
  }
}

// What the SDK has for all vendors beside our own sampling options.
const shared = new Set(["topK", "presencePenalty", "frequencyPenalty", "reasoning", "headers"])

/**
 * Options of the provider: those that the SDK has for all vendors by its names, `providerOptions` as it stands, and
 * everything else as the model's own.
 */
const provider = (options: JsonObject, namespace: string): Partial<LanguageModelV4CallOptions> => {
  const common: Record<string, unknown> = {}
  const own: Record<string, unknown> = {}
  const given = Fields.object(options["providerOptions"])
  for (const [key, value] of Object.entries(options)) {
    if (key === "providerOptions") continue
    ;(shared.has(key) ? common : own)[key] = value
  }
  const named: Record<string, unknown> = { ...given }
  if (Object.keys(own).length > 0) named[namespace] = { ...Fields.object(named[namespace]), ...own }
  if (Object.keys(named).length === 0) return common
  // They came as JSON; the SDK's type is that of mutable JSON.
  return { ...common, providerOptions: named as SharedV4ProviderOptions }
}
