/** From effect/ai's response parts to our model events. */
import * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import type { Json } from "../../services/Json.ts"
import { ModelError, type ModelErrorReason, StreamFailed } from "../../services/ModelError.ts"
import type { FinishReason, ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as Opaque from "../../src/wire/Opaque.ts"
import type { Decoder } from "../../src/wire/Through.ts"
import * as Errors from "./Errors.ts"

/** A part of a stream or of a whole answer, whatever its tools. @category models */
export type Part = Response.AnyPart

interface Call {
  readonly index: number
  readonly name: string
  arguments: string
}

const usageOf = ({ inputTokens, outputTokens }: Response.Usage): Usage => ({
  ...(inputTokens.total === undefined ? {} : { inputTokens: inputTokens.total }),
  ...(inputTokens.cacheRead === undefined ? {} : { cachedInputTokens: inputTokens.cacheRead }),
  ...(inputTokens.cacheWrite === undefined ? {} : { cacheWriteInputTokens: inputTokens.cacheWrite }),
  ...(outputTokens.total === undefined ? {} : { outputTokens: outputTokens.total }),
  ...(outputTokens.reasoning === undefined ? {} : { reasoningTokens: outputTokens.reasoning })
})

const finishReasons: { readonly [reason: string]: FinishReason } = {
  stop: "stop",
  length: "length",
  "content-filter": "content-filter",
  "tool-calls": "tool-calls",
  pause: "pause"
}

/**
 * The decoder of one answer. Passed over: files and sources, and tools that the provider ran itself.
 *
 * @category decoding
 */
export class EventWriter implements Decoder<Part, AiError.AiError, ModelEvent, ModelError> {
  private readonly failures: Failures
  private readonly name: string
  private readonly calls = new Map<string, Call>()
  private readonly thoughts = new Map<string, Record<string, unknown>>()
  private model: string | undefined
  private callCount = 0
  private begun = false
  private finished = false

  constructor(failures: Failures, name: string) {
    this.failures = failures
    this.name = name
  }

  push(part: Part, out: Array<ModelEvent>): ModelError | undefined {
    switch (part.type) {
      case "text":
        return this.text(part.text, out)
      case "text-delta":
        return this.text(part.delta, out)
      case "reasoning":
        this.reasoning(part.text, out)
        return this.signed(part.metadata, out)
      case "reasoning-start":
        this.thoughts.set(part.id, { ...part.metadata })
        return undefined
      case "reasoning-delta":
        this.reasoning(part.delta, out)
        Object.assign(this.thoughts.get(part.id) ?? {}, part.metadata)
        return undefined
      case "reasoning-end":
        return this.signed({ ...this.thoughts.get(part.id), ...part.metadata }, out)
      case "tool-params-start":
        if (!part.providerExecuted) {
          this.calls.set(part.id, { index: this.callCount++, name: part.name, arguments: "" })
        }
        return undefined
      case "tool-params-delta": {
        const call = this.calls.get(part.id)
        if (call === undefined || part.delta === "") return undefined
        this.begun = true
        call.arguments += part.delta
        out.push({ _tag: "ToolCallDelta", index: call.index, id: part.id, name: call.name, delta: part.delta })
        return undefined
      }
      case "tool-call":
        return part.providerExecuted ? undefined : this.toolCall(part, out)
      case "response-metadata":
        this.model = part.modelId ?? this.model
        if (part.id !== undefined || part.modelId !== undefined) {
          out.push({ _tag: "Info", id: part.id, model: part.modelId })
        }
        return undefined
      case "finish":
        return this.finish(part, out)
      case "error":
        return this.error(
          AiError.isAiError(part.error)
            ? Errors.fromAiError(part.error, this.failures, this.begun).reason
            : this.failures.frame(part.error instanceof Error ? { message: part.error.message } : part.error)
        )
      default:
        return undefined
    }
  }

  end(): ModelError | undefined {
    return this.finished ? undefined : this.error(this.failures.incomplete(this.begun ? "no finish part" : ""))
  }

  fail(error: AiError.AiError): ModelError {
    const { model, reason } = Errors.fromAiError(error, this.failures, this.begun)
    this.model = model ?? this.model
    return this.error(reason)
  }

  private text(text: string, out: Array<ModelEvent>): undefined {
    if (text === "") return
    this.begun = true
    out.push({ _tag: "Text", text })
  }

  private reasoning(text: string, out: Array<ModelEvent>): void {
    if (text === "") return
    this.begun = true
    out.push({ _tag: "Reasoning", text })
  }

  // Our own providers say what is to be sent back; of all others everything that they attached is.
  private signed(metadata: { readonly [vendor: string]: unknown }, out: Array<ModelEvent>): undefined {
    const ours = Fields.object(metadata["effigent"])
    const redacted = Fields.text(ours?.["redacted"])
    const signature =
      Fields.text(ours?.["signature"]) ?? (ours === undefined ? Opaque.toSignature(metadata) : undefined)
    const vendor = Fields.text(ours?.["vendor"])
    if (signature === undefined && redacted === undefined) return
    out.push({
      _tag: "Reasoning",
      text: "",
      ...(signature === undefined ? {} : { signature }),
      ...(redacted === undefined ? {} : { redacted }),
      ...(vendor === undefined ? {} : { vendor })
    })
  }

  private toolCall(
    part: Extract<Part, { readonly type: "tool-call" }>,
    out: Array<ModelEvent>
  ): ModelError | undefined {
    this.begun = true
    const { id, metadata, name } = part
    const open = this.calls.get(id)
    this.calls.delete(id)
    const index = open?.index ?? this.callCount++
    const params: unknown = part.params
    const written = typeof params === "string" ? params : (JSON.stringify(params) ?? "{}")
    const text = open === undefined || open.arguments.trim() === "" ? written : open.arguments
    const input: Json | undefined = Fields.json(text)
    const signature = Opaque.toSignature(metadata, id)
    if (signature !== undefined) out.push({ _tag: "Reasoning", text: "", signature })
    out.push({ _tag: "ToolCall", index, id, name, arguments: text, ...(input === undefined ? {} : { input }) })
    return undefined
  }

  private finish(part: Extract<Part, { readonly type: "finish" }>, out: Array<ModelEvent>): ModelError | undefined {
    const usage = usageOf(part.usage)
    if (Object.keys(usage).length > 0) out.push({ _tag: "Usage", usage })
    if (part.reason === "error") {
      return this.error(new StreamFailed({ detail: "the answer ended with an error", transient: false }))
    }
    const raw = Fields.text(Fields.object(part.metadata["effigent"])?.["finishReason"])
    this.finished = true
    out.push({
      _tag: "Finish",
      reason: finishReasons[part.reason] ?? "other",
      ...(raw === undefined ? {} : { raw })
    })
    return undefined
  }

  private error(reason: ModelErrorReason): ModelError {
    return new ModelError({
      provider: this.name,
      ...(this.model === undefined ? {} : { model: this.model }),
      reason
    })
  }
}
