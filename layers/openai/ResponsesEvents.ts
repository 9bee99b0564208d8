/**
 * Decodes the events of a streamed response to model events. Lenient, field by field: unknown events and items are
 * passed over, and what is missing, null or of another type as well.
 *
 * The protocol says most things twice: in deltas, and whole where a part, an item and the response end. Deltas count;
 * of what is said whole only that is taken which no delta has brought, so that servers which send few deltas or none
 * are understood too. Parts are known by their place in the output, for some servers change the ids of items.
 */
import type { ModelErrorReason } from "../../services/ModelError.ts"
import type { FinishReason, ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"
import type { Decoder } from "../../src/wire/ServerEvents.ts"

interface Call {
  readonly index: number
  readonly id: string
  readonly name: string
  arguments: string
  ended: boolean
}

type Kind = "Text" | "Refusal" | "Reasoning"

const incompleteReasons: { readonly [word: string]: FinishReason } = {
  max_output_tokens: "length",
  max_tokens: "length",
  // Where a server does not say why, the limit is what cuts answers.
  incomplete: "length",
  content_filter: "content-filter"
}

/**
 * The decoder of one response.
 *
 * @category decoding
 */
export class ResponsesDecoder implements Decoder {
  private readonly failures: Failures
  private readonly includeRaw: boolean
  private readonly vendor: string
  /** What has been said of each part, by its kind and place. */
  private readonly parts = new Map<string, string>()
  private readonly calls: Array<Call> = []
  /** The last call at each place. */
  private readonly callAt = new Map<string, Call>()
  /** The types of the items that have said something. */
  private readonly seen = new Set<unknown>()
  /** Reasoning items whose cipher has been told. */
  private readonly ciphers = new Set<string>()
  private id: string | undefined
  private model: string | undefined
  private lastSummary: string | undefined
  private end: { readonly reason: FinishReason; readonly raw: string } | undefined

  constructor(failures: Failures, includeRaw: boolean, vendor: string) {
    this.failures = failures
    this.includeRaw = includeRaw
    this.vendor = vendor
  }

  get isClosed(): boolean {
    return this.end !== undefined
  }

  event(name: string, data: string, out: Array<ModelEvent>): ModelErrorReason | undefined {
    // What gateways for chat completions append.
    if (data.startsWith("[DONE]")) return undefined
    const parsed = Fields.json(data)
    if (parsed === undefined) {
      return name === "error" ? this.failures.frame(data) : this.failures.malformed("an event is not JSON", data)
    }
    if (this.includeRaw) out.push({ _tag: "Raw", frame: parsed })
    const event = Fields.object(parsed)
    if (event === undefined) return name === "error" ? this.failures.frame(parsed) : undefined
    // A server that answers as a whole sends the response itself.
    if (event["object"] === "response") return this.ended(Fields.text(event["status"]), event, out)
    const type = Fields.text(event["type"]) ?? name
    switch (type) {
      case "response.created":
      case "response.in_progress":
      case "response.queued":
        this.info(Fields.object(event["response"]), out)
        return undefined
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
      case "response.cancelled": {
        const response = Fields.object(event["response"]) ?? {}
        const word = type.slice("response.".length)
        // Some servers always say `response.completed`, and how it ended in the response.
        return this.ended(word === "completed" ? (Fields.text(response["status"]) ?? word) : word, response, out)
      }
      case "error":
        return this.failures.frame(event)
      default:
        if (type.startsWith("response.")) this.progress(type.slice("response.".length), event, out)
        else if (event["error"] !== undefined && event["error"] !== null) return this.failures.frame(event)
        return undefined
    }
  }

  finish(out: Array<ModelEvent>): boolean {
    if (this.end === undefined) return false
    for (const call of this.calls) this.endCall(call, out)
    const { raw, reason } = this.end
    out.push({ _tag: "Finish", reason: reason === "stop" && this.calls.length > 0 ? "tool-calls" : reason, raw })
    return true
  }

  private progress(type: string, event: Fields.Fields, out: Array<ModelEvent>): void {
    const item = place(event)
    const part = `${item}/${Fields.number(event["content_index"]) ?? 0}`
    const summary = `${item}/s${Fields.number(event["summary_index"]) ?? 0}`
    switch (type) {
      case "output_text.delta":
        return this.piece("Text", part, event["delta"], out)
      case "output_text.done":
        return this.whole("Text", part, event["text"], out)
      case "refusal.delta":
        return this.piece("Refusal", part, event["delta"], out)
      case "refusal.done":
        return this.whole("Refusal", part, event["refusal"], out)
      case "reasoning_text.delta":
        return this.piece("Reasoning", part, event["delta"], out)
      case "reasoning_text.done":
        return this.whole("Reasoning", part, event["text"], out)
      case "reasoning_summary_text.delta":
        return this.piece("Reasoning", summary, event["delta"], out)
      case "reasoning_summary_text.done":
        return this.whole("Reasoning", summary, event["text"], out)
      case "function_call_arguments.delta": {
        const call = this.callAt.get(item)
        if (call !== undefined) this.argue(call, Fields.text(event["delta"]), out)
        return
      }
      case "function_call_arguments.done": {
        const call = this.callAt.get(item)
        if (call !== undefined) this.argue(call, rest(call.arguments, event["arguments"]), out)
        return
      }
      case "content_part.added":
      case "content_part.done":
        return this.content(part, Fields.object(event["part"]), out)
      case "output_item.added":
        return this.item(item, Fields.object(event["item"]), false, out)
      case "output_item.done":
        return this.item(item, Fields.object(event["item"]), true, out)
    }
  }

  // An item as it stands where it begins or ends; the cipher of one that begins may not be whole.
  private item(place: string, item: Fields.Fields | undefined, isDone: boolean, out: Array<ModelEvent>): void {
    switch (item?.["type"]) {
      case "message":
        return Fields.list(item["content"]).forEach((part, at) =>
          this.content(`${place}/${at}`, Fields.object(part), out)
        )
      case "reasoning": {
        Fields.list(item["summary"]).forEach((part, at) =>
          this.whole("Reasoning", `${place}/s${at}`, Fields.object(part)?.["text"], out)
        )
        Fields.list(item["content"]).forEach((part, at) => this.content(`${place}/${at}`, Fields.object(part), out))
        const redacted = Fields.text(item["encrypted_content"])
        if (!isDone || redacted === undefined || this.ciphers.has(place)) return
        this.ciphers.add(place)
        this.seen.add("reasoning")
        out.push({ _tag: "Reasoning", text: "", redacted, vendor: this.vendor })
        return
      }
      case "function_call": {
        const known = this.callAt.get(place)
        const id = Fields.text(item["call_id"]) ?? known?.id
        // Some servers give all items one place.
        const call = known === undefined || known.id !== id ? this.call(place, item, out) : known
        this.argue(call, rest(call.arguments, item["arguments"]), out)
        if (isDone) this.endCall(call, out)
      }
    }
  }

  private content(place: string, part: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    switch (part?.["type"]) {
      case "output_text":
      case "text":
        return this.whole("Text", place, part["text"], out)
      case "refusal":
        return this.whole("Refusal", place, part["refusal"], out)
      case "reasoning_text":
        return this.whole("Reasoning", place, part["text"], out)
    }
  }

  private piece(kind: Kind, place: string, delta: unknown, out: Array<ModelEvent>): void {
    let text = Fields.text(delta)
    if (text === undefined) return
    const key = `${kind} ${place}`
    this.parts.set(key, (this.parts.get(key) ?? "") + text)
    this.seen.add(kind === "Reasoning" ? "reasoning" : "message")
    // Each part of a summary is a paragraph of its own.
    if (kind === "Reasoning" && place !== this.lastSummary) {
      if (this.lastSummary !== undefined) text = `\n\n${text}`
      this.lastSummary = place
    }
    out.push({ _tag: kind, text })
  }

  private whole(kind: Kind, place: string, text: unknown, out: Array<ModelEvent>): void {
    this.piece(kind, place, rest(this.parts.get(`${kind} ${place}`) ?? "", text), out)
  }

  private call(place: string, item: Fields.Fields, out: Array<ModelEvent>): Call {
    const index = this.calls.length
    const given = Fields.text(item["call_id"]) ?? Fields.text(item["id"])
    const id = given ?? `call_${index}_${this.id ?? globalThis.crypto.randomUUID()}`
    const call: Call = { index, id, name: Fields.text(item["name"]) ?? "", arguments: "", ended: false }
    this.calls.push(call)
    this.callAt.set(place, call)
    this.seen.add("function_call")
    out.push({ _tag: "ToolCallDelta", index, id, name: call.name, delta: "" })
    return call
  }

  private argue(call: Call, delta: string | undefined, out: Array<ModelEvent>): void {
    if (delta === undefined || call.ended) return
    call.arguments += delta
    out.push({ _tag: "ToolCallDelta", index: call.index, id: call.id, name: call.name, delta })
  }

  private endCall(call: Call, out: Array<ModelEvent>): void {
    if (call.ended) return
    call.ended = true
    const { id, index, name } = call
    const args = call.arguments.trim() === "" ? "{}" : call.arguments
    const input = Fields.json(args)
    out.push(
      input === undefined
        ? { _tag: "ToolCall", index, id, name, arguments: args }
        : { _tag: "ToolCall", index, id, name, arguments: args, input }
    )
  }

  private ended(
    status: string | undefined,
    response: Fields.Fields,
    out: Array<ModelEvent>
  ): ModelErrorReason | undefined {
    this.info(response, out)
    if (status === "failed" || status === "cancelled") {
      const error = Fields.object(response["error"]) ?? { message: `the response was ${status}` }
      this.count(Fields.object(response["usage"]), out)
      return this.failures.frame({ error })
    }
    const details = Fields.object(response["incomplete_details"])
    const why = status === "incomplete" ? (Fields.text(details?.["reason"]) ?? status) : undefined
    // A response that is still under way says nothing about its end.
    if (status !== "completed" && why === undefined) return undefined
    // Of what has come before, the places may be others here.
    const before = new Set(this.seen)
    Fields.list(response["output"]).forEach((item, at) => {
      const fields = Fields.object(item)
      if (!before.has(fields?.["type"])) this.item(String(at), fields, true, out)
    })
    this.count(Fields.object(response["usage"]), out)
    this.end =
      why === undefined ? { reason: "stop", raw: "completed" } : { reason: incompleteReasons[why] ?? "other", raw: why }
    return undefined
  }

  private info(response: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    if (this.id !== undefined && this.model !== undefined) return
    const id = this.id ?? Fields.text(response?.["id"])
    const model = this.model ?? Fields.text(response?.["model"])
    if (id === this.id && model === this.model) return
    this.id = id
    this.model = model
    out.push({ _tag: "Info", id, model })
  }

  private count(counted: Fields.Fields | undefined, out: Array<ModelEvent>): void {
    if (counted === undefined) return
    const input = Fields.object(counted["input_tokens_details"])
    const output = Fields.object(counted["output_tokens_details"])
    const inputTokens = Fields.number(counted["input_tokens"])
    const outputTokens = Fields.number(counted["output_tokens"])
    const read = Fields.number(input?.["cached_tokens"])
    const written = Fields.number(input?.["cache_write_tokens"])
    const reasoning = Fields.number(output?.["reasoning_tokens"])
    const usage: Usage = {
      ...(inputTokens === undefined ? {} : { inputTokens }),
      ...(read === undefined ? {} : { cachedInputTokens: read }),
      ...(written === undefined ? {} : { cacheWriteInputTokens: written }),
      ...(outputTokens === undefined ? {} : { outputTokens }),
      ...(reasoning === undefined ? {} : { reasoningTokens: reasoning })
    }
    out.push({ _tag: "Usage", usage })
  }
}

// The place of an item in the output; its id where a server does not tell.
const place = (event: Fields.Fields): string => {
  const index = Fields.number(event["output_index"])
  if (index !== undefined) return String(index)
  return Fields.text(event["item_id"]) ?? Fields.text(Fields.object(event["item"])?.["id"]) ?? "0"
}

// What of the whole has not been said yet. Where both disagree, what was said stays.
const rest = (said: string, whole: unknown): string | undefined => {
  const text = Fields.text(whole)
  return text !== undefined && text.length > said.length && text.startsWith(said) ? text.slice(said.length) : undefined
}
