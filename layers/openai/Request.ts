/** From a `ModelRequest` to the body of a chat-completions request. */
import * as Result from "effect/Result"
import type OpenAI from "openai"
import { Tool } from "../../services/AiTool.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import * as ToolSchema from "../../src/wire/ToolSchema.ts"
import { cacheFields } from "./Client.ts"
import * as Messages from "./Messages.ts"

type Body = OpenAI.ChatCompletionCreateParamsStreaming

/**
 * How requests are written, where servers differ.
 *
 * @category models
 */
export interface Dialect extends Messages.Dialect {
  /** The field that limits the answer. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  /** Whether the server knows the fields of the prompt cache; others may refuse what they do not know. */
  readonly hasCacheFields: boolean
}

/**
 * The body of a request. Fails with what cannot be sent.
 *
 * @category rendering
 */
export const body = (request: ModelRequest, model: string, dialect: Dialect): Result.Result<Body, string> => {
  const messages = Messages.fromPrompt(request.prompt, dialect)
  if (Result.isFailure(messages)) return Result.fail(messages.failure)
  const { options, output } = request
  const body: Body = {
    model,
    messages: messages.success,
    stream: true,
    stream_options: { include_usage: true }
  }
  if (request.tools.length > 0) {
    const tools: Array<OpenAI.ChatCompletionFunctionTool> = []
    for (const tool of request.tools) {
      if (Tool.isProviderDefined(tool)) return Result.fail(`the provider-defined tool ${tool.name} cannot be sent`)
      tools.push(functionTool(tool))
    }
    body.tools = tools
    const choice = request.toolChoice ?? "auto"
    body.tool_choice = typeof choice === "string" ? choice : { type: "function", function: { name: choice.tool } }
  }
  if (output.native && output.format === "json" && output.strict.openai !== undefined) {
    body.response_format = {
      type: "json_schema",
      json_schema: { name: output.name, strict: true, schema: output.strict.openai }
    }
  }
  if (options.temperature !== undefined) body.temperature = options.temperature
  if (options.topP !== undefined) body.top_p = options.topP
  if (options.maxTokens !== undefined) body[dialect.maxTokensField] = options.maxTokens
  if (options.stop !== undefined && options.stop.length > 0) body.stop = [...options.stop]
  if (options.seed !== undefined) body.seed = options.seed
  if (options.cache !== undefined && dialect.hasCacheFields) Object.assign(body, cacheFields(options.cache))
  return Result.succeed(Object.assign(body, options.provider))
}

const functionTool = (tool: Tool.Any): OpenAI.ChatCompletionFunctionTool => {
  const description = Tool.getDescription(tool)
  return {
    type: "function",
    function: {
      name: tool.name,
      ...(description === undefined ? {} : { description }),
      parameters: ToolSchema.parameters(tool),
      ...(Tool.getStrictMode(tool) === true ? { strict: true } : {})
    }
  }
}
