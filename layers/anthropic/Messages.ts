/**
 * From the rendered prompt to the system text and the messages of a messages request. System and developer messages,
 * wherever they stand, go to the system text; neighbours of one role become one message, for the protocol wants them
 * to alternate. Nothing is sent where a part has no form.
 *
 * A `cacheControl` under `anthropic` in the options of a system message, a text, a file, a tool call or a tool result
 * sets a cache breakpoint there: `{ anthropic: { cacheControl: { type: "ephemeral" } } }`.
 */
import type Anthropic from "@anthropic-ai/sdk"
import * as Result from "effect/Result"
import type { Prompt } from "../../services/Ai.ts"
import * as CacheMarks from "../../src/wire/CacheMarks.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as File from "../../src/wire/File.ts"
import * as Seal from "../../src/wire/Seal.ts"

type Block = Anthropic.ContentBlockParam

/**
 * A prompt in the protocol's form.
 *
 * @category models
 */
export interface Conversation {
  readonly system: Array<Anthropic.TextBlockParam>
  readonly messages: Array<Anthropic.MessageParam>
}

/**
 * The conversation of a prompt; `vendor` is whose seals on thoughts are sent. Fails with what cannot be sent.
 *
 * @category rendering
 */
export const fromPrompt = (prompt: Prompt.Prompt, vendor: string): Result.Result<Conversation, string> => {
  const system: Array<Anthropic.TextBlockParam> = []
  const turns: Array<{ readonly role: "user" | "assistant"; readonly content: Array<Block> }> = []
  for (const message of prompt.content) {
    if (message.role === "system") {
      // An empty text block is an error to the protocol, here and below.
      if (message.content !== "") system.push({ type: "text", text: message.content, ...caching(message.options) })
      continue
    }
    const blocks =
      message.role === "user"
        ? userBlocks(message.content)
        : message.role === "assistant"
          ? assistantBlocks(message.content, vendor)
          : resultBlocks(message.content)
    if (Result.isFailure(blocks)) return Result.fail(blocks.failure)
    const role = message.role === "assistant" ? "assistant" : "user"
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...blocks.success)
    else if (blocks.success.length > 0) turns.push({ role, content: blocks.success })
  }
  if (turns.length === 0) return Result.fail("a request needs a user message; there are only system messages")
  // White space at the end of what the model is to continue is an error to the protocol.
  const end = turns.at(-1)
  const prefill = end?.role === "assistant" ? end.content.at(-1) : undefined
  if (prefill?.type === "text") prefill.text = prefill.text.trimEnd()
  return Result.succeed({ system, messages: turns })
}

const caching = (options: Prompt.ProviderOptions): { readonly cache_control?: Anthropic.CacheControlEphemeral } => {
  const mark = CacheMarks.of(options)
  return mark === undefined ? {} : { cache_control: mark }
}

type UserBlock = Anthropic.TextBlockParam | Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam

const userBlocks = (
  parts: ReadonlyArray<Prompt.TextPart | Prompt.FilePart>
): Result.Result<Array<UserBlock>, string> => {
  const blocks: Array<UserBlock> = []
  for (const part of parts) {
    if (part.type === "text") {
      if (part.text !== "") blocks.push({ type: "text", text: part.text, ...caching(part.options) })
      continue
    }
    const block = fileBlock(part)
    if (Result.isFailure(block)) return Result.fail(block.failure)
    blocks.push({ ...block.success, ...caching(part.options) })
  }
  return Result.succeed(blocks)
}

// Bytes are raw base64 here, never a data URL.
const fileBlock = (
  part: Prompt.FilePart
): Result.Result<Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam, string> => {
  const file = File.of(part)
  const type = File.kindOf(file)
  if (type.startsWith("image/")) {
    if (file._tag === "Url") return Result.succeed({ type: "image", source: { type: "url", url: file.url } })
    if (!isImageType(type)) return Result.fail(`images of type ${type} cannot be sent`)
    return Result.succeed({ type: "image", source: { type: "base64", media_type: type, data: file.data } })
  }
  const title = part.fileName === undefined ? {} : { title: part.fileName }
  if (type === "application/pdf") {
    return Result.succeed({
      type: "document",
      source:
        file._tag === "Url" ? { type: "url", url: file.url } : { type: "base64", media_type: type, data: file.data },
      ...title
    })
  }
  if (!type.startsWith("text/")) return Result.fail(`files of type ${type} cannot be sent, only images, PDF and text`)
  return Result.map(File.textOf(file), (data) => ({
    type: "document",
    source: { type: "text", media_type: "text/plain", data },
    ...title
  }))
}

const isImageType = (type: string): type is Anthropic.Base64ImageSource["media_type"] =>
  type === "image/jpeg" || type === "image/png" || type === "image/gif" || type === "image/webp"

const assistantBlocks = (
  parts: ReadonlyArray<Prompt.AssistantMessagePart>,
  vendor: string
): Result.Result<Array<Block>, string> => {
  const blocks: Array<Block> = []
  for (const part of parts) {
    switch (part.type) {
      case "text": {
        if (part.text !== "") blocks.push({ type: "text", text: part.text, ...caching(part.options) })
        break
      }
      case "reasoning": {
        const block = thinking(part, vendor)
        if (block !== undefined) blocks.push(block)
        break
      }
      case "tool-call": {
        if (!part.providerExecuted) {
          const input = Fields.object(part.params) ?? { arguments: part.params ?? "" }
          blocks.push({ type: "tool_use", id: part.id, name: part.name, input, ...caching(part.options) })
        }
        break
      }
      case "file":
        return Result.fail("files in assistant messages cannot be sent")
    }
  }
  return Result.succeed(blocks)
}

// Thoughts go back as they came: signed or encrypted by the vendor. Others would be refused, and are left out.
const thinking = (part: Prompt.ReasoningPart, vendor: string): Block | undefined => {
  const ours = Seal.of(part, vendor)
  const theirs = Fields.object(part.options["anthropic"])
  const redacted = ours.redacted ?? Fields.text(theirs?.["redactedData"])
  if (redacted !== undefined) return { type: "redacted_thinking", data: redacted }
  const signature = ours.signature ?? Fields.text(theirs?.["signature"])
  return signature === undefined ? undefined : { type: "thinking", thinking: part.text, signature }
}

const resultBlocks = (parts: ReadonlyArray<Prompt.ToolMessagePart>): Result.Result<Array<Block>, string> => {
  const blocks: Array<Block> = []
  for (const part of parts) {
    if (part.type !== "tool-result" || part.providerExecuted) continue
    const output: Result.Result<NonNullable<Anthropic.ToolResultBlockParam["content"]>, string> = part.modelOutput ===
    undefined
      ? Result.succeed(resultText(part))
      : userBlocks(part.modelOutput)
    if (Result.isFailure(output)) return Result.fail(output.failure)
    blocks.push({
      type: "tool_result",
      tool_use_id: part.id,
      content: output.success,
      ...(part.isFailure ? { is_error: true } : {}),
      ...caching(part.options)
    })
  }
  return Result.succeed(blocks)
}

const resultText = ({ result }: Prompt.ToolResultPart): string =>
  typeof result === "string" ? result : (JSON.stringify(result) ?? "null")
