/** From our model events to effect/ai's response parts: as a stream, and as the content of a whole answer. */
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import { ModelError, ProviderUnavailable, Refused } from "../../services/ModelError.ts"
import type { ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { Decoder } from "../../src/wire/Through.ts"
import * as Errors from "./Errors.ts"

type Part = Response.StreamPartEncoded

/**
 * What an answer belongs to.
 *
 * @category models
 */
export interface Call {
  /** The provider that answers. */
  readonly provider: string
  /** The model that was asked, where one was named. */
  readonly model: string | undefined
  /** The operation, for errors. */
  readonly method: "generateText" | "streamText"
  readonly options: LanguageModel.ProviderOptions
}

/** The tokens of an answer, as effect/ai counts them. @category conversions */
export const usage = (usage: Usage): Response.FinishPartEncoded["usage"] => {
  const { cacheWriteInputTokens, cachedInputTokens, inputTokens, outputTokens, reasoningTokens } = usage
  const isCached = cachedInputTokens !== undefined || cacheWriteInputTokens !== undefined
  return {
    inputTokens: {
      total: inputTokens,
      uncached:
        inputTokens === undefined || !isCached
          ? undefined
          : inputTokens - (cachedInputTokens ?? 0) - (cacheWriteInputTokens ?? 0),
      cacheRead: cachedInputTokens,
      cacheWrite: cacheWriteInputTokens
    },
    outputTokens: {
      total: outputTokens,
      text: outputTokens === undefined || reasoningTokens === undefined ? undefined : outputTokens - reasoningTokens,
      reasoning: reasoningTokens
    }
  }
}

/**
 * The decoder of one answer. The finish part comes at the very end, for usage may follow the finish reason.
 *
 * @category decoding
 */
export class PartWriter implements Decoder<ModelEvent, ModelError, Part, AiError.AiError> {
  /** The usage so far. */
  usage: Usage = {}
  /** Who answers, as far as it was told. */
  info: { readonly id?: string | undefined; readonly model?: string | undefined } = {}
  private readonly call: Call
  private readonly names: ReadonlySet<string>
  private readonly openCalls = new Map<number, string>()
  private open: { readonly kind: "text" | "reasoning"; readonly id: string } | undefined
  private blocks = 0
  private refusal = ""
  private begun = false
  private finish: Extract<ModelEvent, { readonly _tag: "Finish" }> | undefined

  constructor(call: Call) {
    this.call = call
    this.names = new Set(call.options.tools.map(({ name }) => name))
  }

  push(event: ModelEvent, out: Array<Part>): AiError.AiError | undefined {
    switch (event._tag) {
      case "Text": {
        const id = this.enter("text", out)
        out.push({ type: "text-delta", id, delta: event.text })
        return undefined
      }
      case "Reasoning":
        return this.reasoning(event, out)
      case "ToolCallDelta": {
        this.close(out)
        if (!this.openCalls.has(event.index)) {
          this.openCalls.set(event.index, event.id)
          out.push({ type: "tool-params-start", id: event.id, name: event.name })
        }
        if (event.delta !== "") out.push({ type: "tool-params-delta", id: event.id, delta: event.delta })
        this.begun = true
        return undefined
      }
      case "ToolCall":
        return this.toolCall(event, out)
      case "Refusal":
        this.refusal += event.text
        return undefined
      case "Info":
        this.info = event
        out.push({
          type: "response-metadata",
          ...(event.id === undefined ? {} : { id: event.id }),
          ...(event.model === undefined ? {} : { modelId: event.model })
        })
        return undefined
      case "Usage":
        this.usage = event.usage
        return undefined
      case "Finish":
        this.finish = event
        return undefined
      case "Restarted":
        return this.restart(event.reason, out)
      case "Raw":
        return undefined
    }
  }

  end(out: Array<Part>): AiError.AiError | undefined {
    this.close(out)
    if (this.refusal !== "") return this.error(new Refused({ detail: this.refusal.slice(0, 300) }))
    // The stream of a provider that keeps its promises ends with a Finish; effect/ai's word for none is `unknown`.
    const { finish } = this
    out.push({
      type: "finish",
      reason: finish?.reason ?? "unknown",
      usage: usage(this.usage),
      ...(finish?.raw === undefined ? {} : { metadata: { effigent: { finishReason: finish.raw } } })
    })
    return undefined
  }

  fail(error: ModelError): AiError.AiError {
    return Errors.toAiError(error, this.call.method)
  }

  /** The reason of the finish, once it is known. */
  get finishReason(): string | undefined {
    return this.finish?.reason
  }

  private enter(kind: "text" | "reasoning", out: Array<Part>): string {
    if (this.open?.kind === kind) return this.open.id
    this.close(out)
    this.begun = true
    const id = String(this.blocks++)
    this.open = { kind, id }
    out.push(kind === "text" ? { type: "text-start", id } : { type: "reasoning-start", id })
    return id
  }

  private close(out: Array<Part>): void {
    if (this.open === undefined) return
    const { id, kind } = this.open
    this.open = undefined
    out.push(kind === "text" ? { type: "text-end", id } : { type: "reasoning-end", id })
  }

  // A signature ends the block that it signs. It comes back to our providers as `options.effigent`.
  private reasoning(event: Extract<ModelEvent, { readonly _tag: "Reasoning" }>, out: Array<Part>): undefined {
    const { redacted, signature, text, vendor } = event
    if (redacted !== undefined) this.close(out)
    const id = this.enter("reasoning", out)
    if (text !== "") out.push({ type: "reasoning-delta", id, delta: text })
    if (signature === undefined && redacted === undefined) return
    this.open = undefined
    const effigent = {
      ...(signature === undefined ? {} : { signature }),
      ...(redacted === undefined ? {} : { redacted }),
      ...(vendor === undefined ? {} : { vendor })
    }
    out.push({ type: "reasoning-end", id, metadata: { effigent } })
  }

  private toolCall(
    event: Extract<ModelEvent, { readonly _tag: "ToolCall" }>,
    out: Array<Part>
  ): AiError.AiError | undefined {
    const { arguments: text, id, index, input, name } = event
    this.close(out)
    this.begun = true
    if (this.openCalls.delete(index)) out.push({ type: "tool-params-end", id })
    if (!this.names.has(name) && this.call.options.toolCallValidation !== "deferred") {
      const reason = new AiError.ToolNotFoundError({ toolName: name, availableTools: [...this.names] })
      return AiError.make({ module: this.call.provider, method: this.call.method, reason })
    }
    // Arguments that are no JSON go on as the text that the model wrote: the tool's Schema says what is wrong.
    out.push({ type: "tool-call", id, name, params: input === undefined ? text : input })
    return undefined
  }

  // Parts cannot be taken back: what has been streamed stands.
  private restart(reason: string, out: Array<Part>): AiError.AiError | undefined {
    if (this.begun && this.call.method === "streamText") {
      const detail = `the provider began its answer again, and effect/ai has no part for that: ${reason}`
      return this.error(new ProviderUnavailable({ detail }))
    }
    out.length = 0
    this.open = undefined
    this.openCalls.clear()
    this.refusal = ""
    this.usage = {}
    this.finish = undefined
    return undefined
  }

  private error(reason: ModelError["reason"]): AiError.AiError {
    const model = this.info.model ?? this.call.model
    const error = new ModelError({
      provider: this.call.provider,
      ...(model === undefined ? {} : { model }),
      reason
    })
    return Errors.toAiError(error, this.call.method)
  }
}

/** The content of a whole answer, made of its stream. @category conversions */
export const content = (parts: ReadonlyArray<Part>): Array<Response.PartEncoded> => {
  const out: Array<Response.PartEncoded> = []
  let text = ""
  for (const part of parts) {
    switch (part.type) {
      case "text-start":
      case "reasoning-start":
        text = ""
        break
      case "text-delta":
      case "reasoning-delta":
        text += part.delta
        break
      case "text-end":
        out.push({ type: "text", text })
        break
      case "reasoning-end":
        out.push({ type: "reasoning", text, ...(part.metadata === undefined ? {} : { metadata: part.metadata }) })
        break
      case "tool-call":
      case "response-metadata":
      case "finish":
        out.push(part)
        break
    }
  }
  return out
}
