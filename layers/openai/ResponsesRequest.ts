/** From a `ModelRequest` to the body of a Responses request. Nothing is sent where a part has no form. */
import * as Result from "effect/Result"
import type { Responses } from "openai/resources/responses/responses"
import { Prompt } from "../../services/Ai.ts"
import { Tool } from "../../services/AiTool.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as File from "../../src/wire/File.ts"
import * as Seal from "../../src/wire/Seal.ts"
import * as ToolSchema from "../../src/wire/ToolSchema.ts"
import { cacheFields } from "./Client.ts"

type Body = Responses.ResponseCreateParamsStreaming
type Item = Responses.ResponseInputItem

/**
 * How requests are written, where servers and programs differ.
 *
 * @category models
 */
export interface Dialect {
  /** The role of developer messages. */
  readonly developerRole: "developer" | "system"
  /** Whether the server keeps the response. */
  readonly store: boolean
  /** How the model reasons. */
  readonly reasoning: Responses.ResponseCreateParams["reasoning"]
  /** Whose ciphers of thoughts are sent back. */
  readonly vendor: string
  /** Whether the server knows the fields of the prompt cache; others may refuse what they do not know. */
  readonly hasCacheFields: boolean
}

/**
 * The body of a request. Fails with what cannot be sent. The protocol has no seed.
 *
 * @category rendering
 */
export const body = (request: ModelRequest, model: string, dialect: Dialect): Result.Result<Body, string> => {
  const { options, output } = request
  if (options.stop !== undefined && options.stop.length > 0) {
    return Result.fail("the Responses API has no texts at which the model stops")
  }
  const input = fromPrompt(request.prompt, dialect)
  if (Result.isFailure(input)) return Result.fail(input.failure)
  const { instructions, items } = input.success
  const body: Body = { model, input: items, stream: true, store: dialect.store }
  if (instructions !== "") body.instructions = instructions
  if (dialect.reasoning !== undefined) body.reasoning = dialect.reasoning
  if (request.tools.length > 0) {
    const tools: Array<Responses.FunctionTool> = []
    for (const tool of request.tools) {
      if (Tool.isProviderDefined(tool)) return Result.fail(`the provider-defined tool ${tool.name} cannot be sent`)
      tools.push(functionTool(tool))
    }
    body.tools = tools
    const choice = request.toolChoice ?? "auto"
    body.tool_choice = typeof choice === "string" ? choice : { type: "function", name: choice.tool }
  }
  if (output.native && output.format === "json" && output.strict.openai !== undefined) {
    body.text = {
      format: { type: "json_schema", name: output.name, strict: true, schema: { ...output.strict.openai } }
    }
  }
  if (options.temperature !== undefined) body.temperature = options.temperature
  if (options.topP !== undefined) body.top_p = options.topP
  if (options.maxTokens !== undefined) body.max_output_tokens = options.maxTokens
  if (options.cache !== undefined && dialect.hasCacheFields) Object.assign(body, cacheFields(options.cache))
  return Result.succeed(Object.assign(body, options.provider))
}

// What is not said about strictness is taken for strict here.
const functionTool = (tool: Tool.Any): Responses.FunctionTool => {
  const description = Tool.getDescription(tool)
  return {
    type: "function",
    name: tool.name,
    ...(description === undefined ? {} : { description }),
    parameters: ToolSchema.parameters(tool),
    strict: Tool.getStrictMode(tool) === true
  }
}

interface Input {
  /** The system messages before all others. */
  readonly instructions: string
  readonly items: Array<Item>
}

const fromPrompt = (prompt: Prompt.Prompt, dialect: Dialect): Result.Result<Input, string> => {
  const items: Array<Item> = []
  const instructions: Array<string> = []
  for (const message of prompt.content) {
    switch (message.role) {
      case "system": {
        const isDeveloper = Fields.object(message.options["effigent"])?.["role"] === "developer"
        if (!isDeveloper && items.length === 0) instructions.push(message.content)
        else items.push({ role: isDeveloper ? dialect.developerRole : "system", content: message.content })
        break
      }
      case "user": {
        const content = userContent(message.content)
        if (Result.isFailure(content)) return Result.fail(content.failure)
        items.push({ role: "user", content: content.success })
        break
      }
      case "assistant": {
        for (const part of message.content) {
          const item = assistantItem(part, dialect.vendor)
          if (Result.isFailure(item)) return Result.fail(item.failure)
          if (item.success !== undefined) items.push(item.success)
        }
        break
      }
      case "tool": {
        for (const part of message.content) {
          if (part.type === "tool-result" && !part.providerExecuted) {
            items.push({ type: "function_call_output", call_id: part.id, output: resultText(part) })
          }
        }
        break
      }
    }
  }
  return Result.succeed({ instructions: instructions.join("\n\n"), items })
}

const userContent = (
  parts: ReadonlyArray<Prompt.UserMessagePart>
): Result.Result<string | Array<Responses.ResponseInputContent>, string> => {
  const first = parts[0]
  if (first === undefined) return Result.succeed("")
  if (parts.length === 1 && first.type === "text") return Result.succeed(first.text)
  const content: Array<Responses.ResponseInputContent> = []
  for (const part of parts) {
    if (part.type === "text") {
      content.push({ type: "input_text", text: part.text })
      continue
    }
    const file = filePart(part)
    if (Result.isFailure(file)) return Result.fail(file.failure)
    content.push(file.success)
  }
  return Result.succeed(content)
}

// Images and PDF go by address or data URL; audio has no form in this protocol.
const filePart = (part: Prompt.FilePart): Result.Result<Responses.ResponseInputContent, string> => {
  const file = File.of(part)
  const type = File.kindOf(file)
  const data = file._tag === "Url" ? file.url : File.toDataUrl(file)
  if (type.startsWith("image/")) {
    const detail = Fields.text(Fields.object(part.options["openai"])?.["imageDetail"])
    const known = detail === "low" || detail === "high" ? detail : "auto"
    return Result.succeed({ type: "input_image", image_url: data, detail: known })
  }
  if (type === "application/pdf") {
    return Result.succeed(
      file._tag === "Url"
        ? { type: "input_file", file_url: data }
        : { type: "input_file", filename: part.fileName ?? "document.pdf", file_data: data }
    )
  }
  if (!type.startsWith("text/")) return Result.fail(`files of type ${type} cannot be sent, only images, PDF and text`)
  return Result.map(File.textOf(file), (text) => ({ type: "input_text", text }))
}

const assistantItem = (part: Prompt.AssistantMessagePart, vendor: string): Result.Result<Item | undefined, string> => {
  switch (part.type) {
    case "text":
      return Result.succeed(part.text === "" ? undefined : { role: "assistant", content: part.text })
    case "reasoning":
      return Result.succeed(reasoningItem(part, vendor))
    case "tool-call": {
      if (part.providerExecuted) return Result.succeed(undefined)
      const { id, name, params } = part
      return Result.succeed({ type: "function_call", call_id: id, name, arguments: argumentsText(params) })
    }
    case "file":
      return Result.fail("files in assistant messages cannot be sent")
    default:
      return Result.succeed(undefined)
  }
}

// Thoughts go back as they came: encrypted by the vendor. Others would be refused, and are left out.
const reasoningItem = (part: Prompt.ReasoningPart, vendor: string): Item | undefined => {
  const cipher = Seal.of(part, vendor).redacted
  if (cipher === undefined) return undefined
  const summary = part.text === "" ? [] : [{ type: "summary_text", text: part.text }]
  // The type asks for an id, which names an item that the server has kept; a cipher needs none.
  return { type: "reasoning", summary, encrypted_content: cipher } as Responses.ResponseReasoningItem
}

// Arguments that were no JSON stand in the history as the text that the model wrote.
const argumentsText = (params: unknown): string =>
  typeof params === "string" ? params || "{}" : JSON.stringify(params ?? {})

const resultText = (part: Prompt.ToolResultPart): string =>
  part.modelOutput !== undefined
    ? Prompt.toolModelOutputToText(part.modelOutput)
    : typeof part.result === "string"
      ? part.result
      : (JSON.stringify(part.result) ?? "null")
