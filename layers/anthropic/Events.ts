/**
 * Decodes the events of a streamed message to model events. Lenient, field by field: unknown events, blocks and deltas
 * are passed over.
 */
import type { ModelErrorReason } from "../../services/ModelError.ts"
import type { FinishReason, ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"
import type { Decoder } from "../../src/wire/ServerEvents.ts"

const finishReasons: { readonly [word: string]: FinishReason } = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
  refusal: "content-filter",
  pause_turn: "pause"
}

interface Call {
  readonly index: number
  readonly id: string
  readonly name: string
  /** What the block began with: some servers send the whole input there. */
  readonly initial: Fields.Fields
  arguments: string
}

/**
 * The decoder of one answer.
 *
 * @category decoding
 */
export class EventDecoder implements Decoder {
  private readonly failures: Failures
  private readonly includeRaw: boolean
  private readonly vendor: string
  private readonly open = new Map<number, Call>()
  private calls = 0
  private usage: Usage = {}
  private plainInput: number | undefined
  private id: string | undefined
  private model: string | undefined
  private finishWord: string | undefined
  private stopped = false
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
    if (name === "ping") return undefined
    // A sentinel of the other protocol, which gateways add.
    if (data.startsWith("[DONE]")) {
      this.closed = true
      return undefined
    }
    const parsed = Fields.json(data)
    if (parsed === undefined) {
      return name === "error" ? this.failures.frame(data) : this.failures.malformed("an event is not JSON", data)
    }
    if (this.includeRaw) out.push({ _tag: "Raw", frame: parsed })
    const event = Fields.object(parsed)
    if (event === undefined) return name === "error" ? this.failures.frame(parsed) : undefined
    const type = Fields.text(event["type"]) ?? name
    if (name === "error" || type === "error" || Fields.object(event["error"]) !== undefined) {
      return this.failures.frame(event)
    }
    switch (type) {
      case "content_block_delta": {
        this.delta(Fields.number(event["index"]) ?? 0, Fields.object(event["delta"]), out)
        break
      }
      case "content_block_start": {
        this.start(Fields.number(event["index"]) ?? 0, Fields.object(event["content_block"]), out)
        break
      }
      case "content_block_stop": {
        this.stop(Fields.number(event["index"]) ?? 0, out)
        break
      }
      case "message_start": {
        this.message(Fields.object(event["message"]), out)
        break
      }
      case "message_delta": {
        this.finishWord = Fields.text(Fields.object(event["delta"])?.["stop_reason"]) ?? this.finishWord
        this.count(Fields.object(event["usage"]), out)
        break
      }
      case "message_stop": {
        this.stopped = true
        this.closed = true
        break
      }
      // A server that answers as a whole, or whose first event is the message itself.
      case "message": {
        this.message(event, out)
        break
      }
    }
    return undefined
  }

  finish(out: Array<ModelEvent>): boolean {
    const raw = this.finishWord
    if (raw === undefined && !this.stopped) return false
    for (const index of this.open.keys()) this.stop(index, out)
    if (raw === undefined) out.push({ _tag: "Finish", reason: this.calls > 0 ? "tool-calls" : "stop" })
    else out.push({ _tag: "Finish", reason: finishReasons[raw] ?? "other", raw })
    return true
  }

  private message(message: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    if (message === undefined) return
    this.id = Fields.text(message["id"]) ?? this.id
    this.model = Fields.text(message["model"]) ?? this.model
    if (this.id !== undefined || this.model !== undefined) out.push({ _tag: "Info", id: this.id, model: this.model })
    Fields.list(message["content"]).forEach((block, index) => {
      this.start(index, Fields.object(block), out)
      this.stop(index, out)
    })
    this.finishWord = Fields.text(message["stop_reason"]) ?? this.finishWord
    this.count(Fields.object(message["usage"]), out)
  }

  private start(index: number, block: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    switch (block?.["type"]) {
      case "text": {
        const text = Fields.text(block["text"])
        if (text !== undefined) out.push({ _tag: "Text", text })
        break
      }
      case "thinking": {
        this.thought(Fields.text(block["thinking"]), Fields.text(block["signature"]), out)
        break
      }
      case "redacted_thinking": {
        const redacted = Fields.text(block["data"])
        if (redacted !== undefined) out.push({ _tag: "Reasoning", text: "", redacted, vendor: this.vendor })
        break
      }
      case "tool_use": {
        const ordinal = this.calls++
        const id = Fields.text(block["id"]) ?? `toolu_${ordinal}_${this.id ?? globalThis.crypto.randomUUID()}`
        const name = Fields.text(block["name"]) ?? ""
        const initial = Fields.object(block["input"]) ?? {}
        this.open.set(index, { index: ordinal, id, name, initial, arguments: "" })
        out.push({ _tag: "ToolCallDelta", index: ordinal, id, name, delta: "" })
        break
      }
    }
  }

  private delta(index: number, delta: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    switch (delta?.["type"]) {
      case "text_delta": {
        const text = Fields.text(delta["text"])
        if (text !== undefined) out.push({ _tag: "Text", text })
        break
      }
      case "thinking_delta": {
        this.thought(Fields.text(delta["thinking"]), undefined, out)
        break
      }
      case "signature_delta": {
        this.thought(undefined, Fields.text(delta["signature"]), out)
        break
      }
      case "input_json_delta": {
        const call = this.open.get(index)
        const piece = Fields.text(delta["partial_json"])
        if (call === undefined || piece === undefined) break
        call.arguments += piece
        out.push({ _tag: "ToolCallDelta", index: call.index, id: call.id, name: call.name, delta: piece })
        break
      }
    }
  }

  private thought(text: string | undefined, signature: string | undefined, out: Array<ModelEvent>): void {
    if (signature !== undefined) {
      out.push({ _tag: "Reasoning", text: text ?? "", signature, vendor: this.vendor })
    } else if (text !== undefined) out.push({ _tag: "Reasoning", text })
  }

  private stop(index: number, out: Array<ModelEvent>): void {
    const call = this.open.get(index)
    if (call === undefined) return
    this.open.delete(index)
    const args = call.arguments.trim() === "" ? JSON.stringify(call.initial) : call.arguments
    const input = Fields.json(args)
    const { id, index: ordinal, name } = call
    out.push(
      input === undefined
        ? { _tag: "ToolCall", index: ordinal, id, name, arguments: args }
        : { _tag: "ToolCall", index: ordinal, id, name, arguments: args, input }
    )
  }

  // `input_tokens` are those that the cache had no part in; the total is the sum of the three.
  private count(usage: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    if (usage === undefined) return
    this.plainInput = Fields.number(usage["input_tokens"]) ?? this.plainInput
    const written = Fields.number(usage["cache_creation_input_tokens"]) ?? this.usage.cacheWriteInputTokens
    const read = Fields.number(usage["cache_read_input_tokens"]) ?? this.usage.cachedInputTokens
    const output = Fields.number(usage["output_tokens"]) ?? this.usage.outputTokens
    const thinking = Fields.number(Fields.object(usage["output_tokens_details"])?.["thinking_tokens"])
    const reasoning = thinking ?? this.usage.reasoningTokens
    this.usage = {
      ...(this.plainInput === undefined ? {} : { inputTokens: this.plainInput + (written ?? 0) + (read ?? 0) }),
      ...(read === undefined ? {} : { cachedInputTokens: read }),
      ...(written === undefined ? {} : { cacheWriteInputTokens: written }),
      ...(output === undefined ? {} : { outputTokens: output }),
      ...(reasoning === undefined ? {} : { reasoningTokens: reasoning })
    }
    out.push({ _tag: "Usage", usage: this.usage })
  }
}
