/** From the rendered prompt to the messages of a chat-completions request. Nothing is sent where a part has no form. */
import * as Result from "effect/Result"
import type OpenAI from "openai"
import { Prompt } from "../../services/Ai.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as File from "../../src/wire/File.ts"

type Message = OpenAI.ChatCompletionMessageParam
type UserPart = OpenAI.ChatCompletionContentPart

/**
 * How messages are written, where servers differ.
 *
 * @category models
 */
export interface Dialect {
  /** The role of developer messages. */
  readonly developerRole: "developer" | "system"
  /** The field that carries reasoning of earlier turns back; absent: it is not sent. */
  readonly reasoningField: "reasoning" | "reasoning_content" | undefined
}

/**
 * The messages of a prompt. Fails with what cannot be sent.
 *
 * @category rendering
 */
export const fromPrompt = (prompt: Prompt.Prompt, dialect: Dialect): Result.Result<Array<Message>, string> => {
  const messages: Array<Message> = []
  for (const message of prompt.content) {
    switch (message.role) {
      case "system": {
        const role =
          Fields.object(message.options["effigent"])?.["role"] === "developer" ? dialect.developerRole : "system"
        messages.push({ role, content: message.content })
        break
      }
      case "user": {
        const content = userContent(message.content)
        if (Result.isFailure(content)) return Result.fail(content.failure)
        messages.push({ role: "user", content: content.success })
        break
      }
      case "assistant": {
        const assistant = assistantMessage(message.content, dialect)
        if (Result.isFailure(assistant)) return Result.fail(assistant.failure)
        messages.push(assistant.success)
        break
      }
      case "tool": {
        for (const part of message.content) {
          if (part.type === "tool-result" && !part.providerExecuted) {
            messages.push({ role: "tool", tool_call_id: part.id, content: resultText(part) })
          }
        }
        break
      }
    }
  }
  return Result.succeed(messages)
}

const userContent = (parts: ReadonlyArray<Prompt.UserMessagePart>): Result.Result<string | Array<UserPart>, string> => {
  const first = parts[0]
  if (first === undefined) return Result.succeed("")
  if (parts.length === 1 && first.type === "text") return Result.succeed(first.text)
  const content: Array<UserPart> = []
  for (const part of parts) {
    if (part.type === "text") {
      content.push({ type: "text", text: part.text })
      continue
    }
    const file = filePart(part)
    if (Result.isFailure(file)) return Result.fail(file.failure)
    content.push(file.success)
  }
  return Result.succeed(content)
}

const audioFormats: { readonly [type: string]: "wav" | "mp3" } = {
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/wave": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3"
}

// Images go by address or data URL; audio as raw base64; documents as a data URL.
const filePart = (part: Prompt.FilePart): Result.Result<UserPart, string> => {
  const file = File.of(part)
  const type = File.kindOf(file)
  if (type.startsWith("image/")) {
    const detail = Fields.text(Fields.object(part.options["openai"])?.["imageDetail"])
    const url = file._tag === "Url" ? file.url : File.toDataUrl(file)
    return Result.succeed({ type: "image_url", image_url: { url, ...(isDetail(detail) ? { detail } : {}) } })
  }
  const format = audioFormats[type]
  const text = type.startsWith("text/")
  if (format === undefined && type !== "application/pdf" && !text) {
    return Result.fail(`files of type ${type} cannot be sent, only images, WAV and MP3 audio, PDF and text`)
  }
  if (text) return Result.map(File.textOf(file), (content) => ({ type: "text", text: content }))
  if (file._tag === "Url") return Result.fail(File.notByAddress(file))
  if (format !== undefined) return Result.succeed({ type: "input_audio", input_audio: { data: file.data, format } })
  const filename = part.fileName ?? "document.pdf"
  return Result.succeed({ type: "file", file: { filename, file_data: File.toDataUrl(file) } })
}

const isDetail = (detail: string | undefined): detail is "auto" | "low" | "high" =>
  detail === "auto" || detail === "low" || detail === "high"

const assistantMessage = (
  parts: ReadonlyArray<Prompt.AssistantMessagePart>,
  { reasoningField }: Dialect
): Result.Result<Message, string> => {
  let content = ""
  let reasoning = ""
  const calls: Array<OpenAI.ChatCompletionMessageFunctionToolCall> = []
  for (const part of parts) {
    if (part.type === "text") content += part.text
    else if (part.type === "reasoning") reasoning += part.text
    else if (part.type === "file") return Result.fail("files in assistant messages cannot be sent")
    else if (part.type === "tool-call" && !part.providerExecuted) {
      calls.push({
        id: part.id,
        type: "function",
        function: { name: part.name, arguments: argumentsText(part.params) }
      })
    }
  }
  const message: Message & { reasoning?: string; reasoning_content?: string } = {
    role: "assistant",
    content: content === "" && calls.length > 0 ? null : content
  }
  if (calls.length > 0) message.tool_calls = calls
  if (reasoningField !== undefined && reasoning !== "") message[reasoningField] = reasoning
  return Result.succeed(message)
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
