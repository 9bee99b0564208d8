/** From the stream parts of an AI SDK model to model events. */
import type { LanguageModelV4StreamPart, LanguageModelV4Usage } from "@ai-sdk/provider"
import { Incomplete, type ModelErrorReason, StreamFailed } from "../../services/ModelError.ts"
import type { FinishReason, ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as Opaque from "../../src/wire/Opaque.ts"
import type { Decoder } from "../../src/wire/Through.ts"
import * as Errors from "./Errors.ts"

/** A part of the stream. @category models */
export type Part = LanguageModelV4StreamPart

interface Call {
  readonly index: number
  readonly name: string
  arguments: string
}

/** Whether a part is content: what ends the wait for the first token. @category reading */
export const isContent = ({ type }: Part): boolean =>
  type === "text-delta" || type === "reasoning-delta" || type === "tool-input-start" || type === "tool-call"

const counted = (key: keyof Usage, tokens: unknown): Usage => {
  const n = Fields.number(tokens)
  return n === undefined ? {} : { [key]: n }
}

// Read leniently: third-party models fill it as they please.
const usageOf = (usage: LanguageModelV4Usage | undefined): Usage => ({
  ...counted("inputTokens", usage?.inputTokens?.total),
  ...counted("cachedInputTokens", usage?.inputTokens?.cacheRead),
  ...counted("cacheWriteInputTokens", usage?.inputTokens?.cacheWrite),
  ...counted("outputTokens", usage?.outputTokens?.total),
  ...counted("reasoningTokens", usage?.outputTokens?.reasoning)
})

const finishReasons: { readonly [reason: string]: FinishReason } = {
  stop: "stop",
  length: "length",
  "content-filter": "content-filter",
  "tool-calls": "tool-calls"
}

/**
 * The decoder of one answer. Passed over: files, sources and custom content, and tools that the provider ran itself.
 *
 * @category decoding
 */
export class PartReader implements Decoder<Part, ModelErrorReason, ModelEvent, ModelErrorReason> {
  private readonly failures: Failures
  private readonly now: () => number
  private readonly calls = new Map<string, Call>()
  private readonly thoughts = new Map<string, Record<string, unknown>>()
  private callCount = 0
  private begun = false
  private finished = false

  constructor(failures: Failures, now: () => number) {
    this.failures = failures
    this.now = now
  }

  push(part: Part, out: Array<ModelEvent>): ModelErrorReason | undefined {
    if (this.finished) return undefined
    switch (part.type) {
      case "text-delta":
        this.begun = true
        if (part.delta !== "") out.push({ _tag: "Text", text: part.delta })
        return undefined
      case "reasoning-start":
        this.thoughts.set(part.id, { ...part.providerMetadata })
        return undefined
      case "reasoning-delta":
        this.begun = true
        if (part.delta !== "") out.push({ _tag: "Reasoning", text: part.delta })
        Object.assign(this.thoughts.get(part.id) ?? {}, part.providerMetadata)
        return undefined
      case "reasoning-end":
        this.attach({ ...this.thoughts.get(part.id), ...part.providerMetadata }, undefined, out)
        this.thoughts.delete(part.id)
        return undefined
      case "tool-input-start":
        // Deltas of another encoding are no pieces of the arguments' JSON; the whole comes with the call.
        if (part.providerExecuted !== true && part.inputEncoding !== "text") {
          this.calls.set(part.id, { index: this.callCount++, name: part.toolName, arguments: "" })
        }
        return undefined
      case "tool-input-delta": {
        const call = this.calls.get(part.id)
        if (call === undefined || part.delta === "") return undefined
        this.begun = true
        call.arguments += part.delta
        out.push({ _tag: "ToolCallDelta", index: call.index, id: part.id, name: call.name, delta: part.delta })
        return undefined
      }
      case "tool-call":
        if (part.providerExecuted !== true) this.toolCall(part, out)
        return undefined
      case "response-metadata":
        if (part.id !== undefined || part.modelId !== undefined) {
          out.push({ _tag: "Info", id: part.id, model: part.modelId })
        }
        return undefined
      case "finish":
        return this.finish(part, out)
      case "raw":
        out.push({ _tag: "Raw", frame: part.rawValue })
        return undefined
      case "error":
        return Errors.part(part.error, this.failures, this.now())
      default:
        return undefined
    }
  }

  end(): ModelErrorReason | undefined {
    return this.finished ? undefined : this.failures.incomplete(this.begun ? "no finish part" : "")
  }

  fail(reason: ModelErrorReason): ModelErrorReason {
    return reason
  }

  // All that the vendor attached is sent back with the next turn: signatures, ids, encrypted content.
  private attach(metadata: unknown, toolCall: string | undefined, out: Array<ModelEvent>): void {
    const signature = Opaque.toSignature(metadata, toolCall)
    if (signature !== undefined) out.push({ _tag: "Reasoning", text: "", signature })
  }

  private toolCall(part: Extract<Part, { readonly type: "tool-call" }>, out: Array<ModelEvent>): void {
    this.begun = true
    const { input: written, providerMetadata, toolCallId: id, toolName: name } = part
    const open = this.calls.get(id)
    this.calls.delete(id)
    const index = open?.index ?? this.callCount++
    const said = open === undefined || open.arguments === "" ? written : open.arguments
    const text = said.trim() === "" ? "{}" : said
    const input = Fields.json(text)
    this.attach(providerMetadata, id, out)
    out.push({ _tag: "ToolCall", index, id, name, arguments: text, ...(input === undefined ? {} : { input }) })
  }

  private finish(
    part: Extract<Part, { readonly type: "finish" }>,
    out: Array<ModelEvent>
  ): ModelErrorReason | undefined {
    const usage = usageOf(part.usage)
    if (Object.keys(usage).length > 0) out.push({ _tag: "Usage", usage })
    const { raw, unified } = part.finishReason
    if (unified === "error") {
      return new StreamFailed({ detail: "the model says that it ended with an error", transient: false })
    }
    if (unified === "interrupted") {
      return new Incomplete({ detail: "the model says that its stream ended without a finish reason" })
    }
    this.finished = true
    out.push({
      _tag: "Finish",
      reason: finishReasons[unified] ?? "other",
      ...(raw === undefined ? {} : { raw })
    })
    return undefined
  }
}
