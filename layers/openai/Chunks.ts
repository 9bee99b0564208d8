/**
 * Decodes the chunks of a streamed chat completion to model events. Lenient, field by field: what is missing, null or
 * of another type is passed over, whatever the server.
 */
import type { ModelErrorReason } from "../../services/ModelError.ts"
import type { FinishReason, ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"
import type { Decoder } from "../../src/wire/ServerEvents.ts"
import { ToolCalls } from "./ToolCalls.ts"

const finishReasons: { readonly [word: string]: FinishReason } = {
  stop: "stop",
  end_turn: "stop",
  eos: "stop",
  length: "length",
  max_tokens: "length",
  model_length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter"
}

/**
 * The decoder of one answer.
 *
 * @category decoding
 */
export class ChunkDecoder implements Decoder {
  private readonly failures: Failures
  private readonly includeRaw: boolean
  private readonly vendor: string
  private readonly tools = new ToolCalls()
  private usage: Usage = {}
  private id: string | undefined
  private model: string | undefined
  private finishWord: string | undefined
  private closed = false

  constructor(failures: Failures, includeRaw: boolean, vendor: string) {
    this.failures = failures
    this.includeRaw = includeRaw
    this.vendor = vendor
  }

  get isClosed(): boolean {
    return this.closed
  }

  event(name: string, data: string, out: Array<ModelEvent>): ModelErrorReason | undefined {
    if (data.startsWith("[DONE]")) {
      this.closed = true
      return undefined
    }
    const parsed = Fields.json(data)
    if (parsed === undefined) {
      return name === "error" ? this.failures.frame(data) : this.failures.malformed("an event is not JSON", data)
    }
    if (this.includeRaw) out.push({ _tag: "Raw", frame: parsed })
    const chunk = Fields.object(parsed)
    if (chunk === undefined) return name === "error" ? this.failures.frame(parsed) : undefined
    const error = chunk["error"]
    if (name === "error" || (error !== undefined && error !== null) || chunk["object"] === "error") {
      return this.failures.frame(chunk)
    }
    this.info(chunk, out)
    const choices = Fields.list(chunk["choices"])
    for (const choice of choices) {
      const fields = Fields.object(choice)
      if (fields !== undefined && (fields["index"] ?? 0) === 0) this.choice(fields, out)
    }
    const usage = Fields.object(chunk["usage"])
    if (usage !== undefined) this.count(usage, out)
    return this.finishWord === "error" ? this.failures.frame({ message: "finish reason `error`" }) : undefined
  }

  finish(out: Array<ModelEvent>): boolean {
    const raw = this.finishWord
    if (raw === undefined) return false
    this.tools.finish(out)
    // Some servers say `stop` where they mean `tool_calls`.
    const said = finishReasons[raw] ?? "other"
    const reason = said === "stop" && !this.tools.isEmpty ? "tool-calls" : said
    out.push({ _tag: "Finish", reason, raw })
    return true
  }

  private info(chunk: Fields.Fields, out: Array<ModelEvent>): void {
    if (this.id !== undefined && this.model !== undefined) return
    const id = this.id ?? Fields.text(chunk["id"])
    const model = this.model ?? Fields.text(chunk["model"])
    if (id === this.id && model === this.model) return
    this.id = id
    this.model = model
    out.push({ _tag: "Info", id, model })
  }

  private choice(choice: Fields.Fields, out: Array<ModelEvent>): void {
    // A server that answers as a whole sends `message` where a stream has `delta`.
    const delta = Fields.object(choice["delta"]) ?? Fields.object(choice["message"])
    if (delta !== undefined) {
      this.reasoning(delta, out)
      const content = delta["content"]
      if (typeof content === "string") {
        if (content !== "") out.push({ _tag: "Text", text: content })
      } else {
        for (const part of Fields.list(content)) contentPart(Fields.object(part), out)
      }
      const refusal = Fields.text(delta["refusal"])
      if (refusal !== undefined) out.push({ _tag: "Refusal", text: refusal })
      for (const call of Fields.list(delta["tool_calls"])) {
        const piece = Fields.object(call)
        if (piece !== undefined) this.tools.push(piece, this.id, out)
      }
      // How calls were sent before tools had ids.
      const legacy = Fields.object(delta["function_call"])
      if (legacy !== undefined) this.tools.push({ function: legacy }, this.id, out)
    }
    this.finishWord = Fields.text(choice["finish_reason"]) ?? this.finishWord
  }

  // The same thoughts may come in two or three fields at once: the first that says something counts, and the details
  // add what only they have.
  private reasoning(delta: Fields.Fields, out: Array<ModelEvent>): void {
    const plain = Fields.text(delta["reasoning_content"]) ?? Fields.text(delta["reasoning"])
    if (plain !== undefined) out.push({ _tag: "Reasoning", text: plain })
    for (const item of Fields.list(delta["reasoning_details"])) {
      const detail = Fields.object(item)
      if (detail === undefined) continue
      const said = Fields.text(detail["text"]) ?? Fields.text(detail["summary"]) ?? ""
      const text = plain === undefined ? said : ""
      const signature = Fields.text(detail["signature"])
      const redacted = Fields.text(detail["data"])
      if (text === "" && signature === undefined && redacted === undefined) continue
      out.push({
        _tag: "Reasoning",
        text,
        ...(signature === undefined ? {} : { signature }),
        ...(redacted === undefined ? {} : { redacted }),
        ...(signature === undefined && redacted === undefined ? {} : { vendor: this.vendor })
      })
    }
  }

  private count(usage: Fields.Fields, out: Array<ModelEvent>): void {
    const input = Fields.object(usage["prompt_tokens_details"])
    const output = Fields.object(usage["completion_tokens_details"])
    const inputTokens = Fields.number(usage["prompt_tokens"])
    const outputTokens = Fields.number(usage["completion_tokens"])
    const cached = Fields.number(input?.["cached_tokens"]) ?? Fields.number(usage["prompt_cache_hit_tokens"])
    const reasoning = Fields.number(output?.["reasoning_tokens"])
    this.usage = {
      ...this.usage,
      ...(inputTokens === undefined ? {} : { inputTokens }),
      ...(cached === undefined ? {} : { cachedInputTokens: cached }),
      ...(outputTokens === undefined ? {} : { outputTokens }),
      ...(reasoning === undefined ? {} : { reasoningTokens: reasoning })
    }
    out.push({ _tag: "Usage", usage: this.usage })
  }
}

// Content as an array of parts: text, and thinking which holds parts of its own.
const contentPart = (part: Fields.Fields | undefined, out: Array<ModelEvent>): void => {
  const said = Fields.text(part?.["text"])
  if (part?.["type"] !== "thinking") {
    if (said !== undefined) out.push({ _tag: "Text", text: said })
    return
  }
  const thinking = part["thinking"]
  const pieces = typeof thinking === "string" ? [thinking] : Fields.list(thinking)
  for (const piece of pieces) {
    const text = Fields.text(piece) ?? Fields.text(Fields.object(piece)?.["text"])
    if (text !== undefined) out.push({ _tag: "Reasoning", text })
  }
}
