/** From a `ModelRequest` to the body of a messages request. */
import type Anthropic from "@anthropic-ai/sdk"
import * as Result from "effect/Result"
import { Tool } from "../../services/AiTool.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import * as CacheMarks from "../../src/wire/CacheMarks.ts"
import * as ToolSchema from "../../src/wire/ToolSchema.ts"
import * as Messages from "./Messages.ts"

// The newest models take no sampling options and the SDK's types list none; older models and other servers do.
type Body = Anthropic.MessageCreateParamsStreaming & { temperature?: number; top_p?: number }

/**
 * How requests are written, where servers and programs differ.
 *
 * @category models
 */
export interface Dialect {
  /** The limit of the answer where the request sets none. */
  readonly maxTokens: number
  /** Whose seals on thoughts are sent back. */
  readonly vendor: string
}

/**
 * The body of a request. Fails with what cannot be sent. The protocol has no seed.
 *
 * @category rendering
 */
export const body = (request: ModelRequest, model: string, dialect: Dialect): Result.Result<Body, string> => {
  const { options, output } = request
  const prompt = options.cache === undefined ? request.prompt : CacheMarks.add(request.prompt, options.cache)
  const conversation = Messages.fromPrompt(prompt, dialect.vendor)
  if (Result.isFailure(conversation)) return Result.fail(conversation.failure)
  const { messages, system } = conversation.success
  const body: Body = { model, max_tokens: options.maxTokens ?? dialect.maxTokens, messages, stream: true }
  if (system.length > 0) body.system = system
  if (request.tools.length > 0) {
    const tools: Array<Anthropic.Tool> = []
    for (const tool of request.tools) {
      if (Tool.isProviderDefined(tool)) return Result.fail(`the provider-defined tool ${tool.name} cannot be sent`)
      tools.push(customTool(tool))
    }
    const last = tools.at(-1)
    // The tools stand before the system text, whose mark holds for both.
    if (options.cache !== undefined && last !== undefined && system.length === 0) {
      if (CacheMarks.count(prompt) < CacheMarks.most) last.cache_control = CacheMarks.markOf(options.cache)
    }
    body.tools = tools
    body.tool_choice = toolChoice(request.toolChoice ?? "auto")
  }
  if (output.native && output.format === "json" && output.strict.anthropic !== undefined) {
    body.output_config = { format: { type: "json_schema", schema: output.strict.anthropic } }
  }
  if (options.temperature !== undefined) body.temperature = options.temperature
  if (options.topP !== undefined) body.top_p = options.topP
  if (options.stop !== undefined && options.stop.length > 0) body.stop_sequences = [...options.stop]
  return Result.succeed(Object.assign(body, options.provider))
}

const toolChoice = (choice: NonNullable<ModelRequest["toolChoice"]>): Anthropic.ToolChoice =>
  typeof choice !== "string"
    ? { type: "tool", name: choice.tool }
    : choice === "required"
      ? { type: "any" }
      : { type: choice }

const customTool = (tool: Tool.Any): Anthropic.Tool => {
  const description = Tool.getDescription(tool)
  return {
    name: tool.name,
    ...(description === undefined ? {} : { description }),
    input_schema: { ...ToolSchema.parameters(tool), type: "object" },
    ...(Tool.getStrictMode(tool) === true ? { strict: true } : {})
  }
}
