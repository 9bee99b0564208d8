/**
 * What other libraries' providers attach to their answers (signatures of thoughts, ids, encrypted content) and want back
 * with the next turn. It travels as the `signature` of a `Reasoning` event: opaque to everything between the provider
 * that wrote it and the provider that reads it.
 */
import { Prompt } from "../../services/Ai.ts"
import type { JsonObject } from "../../services/Json.ts"
import * as Fields from "./Fields.ts"

/**
 * What was attached, by the vendors' names.
 *
 * @category models
 */
export interface Attachment {
  readonly metadata: { readonly [vendor: string]: JsonObject }
  /** The call that it belongs to; absent: it belongs to the thoughts. */
  readonly toolCall?: string | undefined
}

const mark = "metadata:"

/** Writes an attachment as a signature; absent where there is nothing to keep. @category codecs */
export const toSignature = (metadata: unknown, toolCall?: string): string | undefined => {
  const vendors = Object.entries(Fields.object(metadata) ?? {}).filter(([, value]) => {
    const object = Fields.object(value)
    return object !== undefined && Object.keys(object).length > 0
  })
  if (vendors.length === 0) return undefined
  return mark + JSON.stringify({ metadata: Object.fromEntries(vendors), toolCall })
}

/** Reads a signature that `toSignature` has written; absent for one that is a vendor's own. @category codecs */
export const fromSignature = (signature: unknown): Attachment | undefined => {
  if (typeof signature !== "string" || !signature.startsWith(mark)) return undefined
  const read = Fields.object(Fields.json(signature.slice(mark.length)))
  const metadata = Fields.object(read?.["metadata"])
  if (metadata === undefined) return undefined
  // It was JSON, and `toSignature` keeps objects alone.
  return { metadata: metadata as Attachment["metadata"], toolCall: Fields.text(read?.["toolCall"]) }
}

const attached = (part: Prompt.AssistantMessagePart): Attachment | undefined =>
  part.type === "reasoning" ? fromSignature(Fields.object(part.options["effigent"])?.["signature"]) : undefined

const assistant = (message: Prompt.AssistantMessage): Prompt.AssistantMessage => {
  const calls = new Map<string, Attachment>()
  for (const part of message.content) {
    const attachment = attached(part)
    if (attachment?.toolCall !== undefined) calls.set(attachment.toolCall, attachment)
  }
  const content = message.content.flatMap((part): ReadonlyArray<Prompt.AssistantMessagePart> => {
    if (part.type === "tool-call") {
      const attachment = calls.get(part.id)
      return [attachment === undefined ? part : { ...part, options: { ...part.options, ...attachment.metadata } }]
    }
    const attachment = attached(part)
    if (attachment === undefined || part.type !== "reasoning") return [part]
    if (attachment.toolCall === undefined) return [{ ...part, options: attachment.metadata }]
    // It stood for the call alone, unless there are thoughts.
    return part.text === "" ? [] : [{ ...part, options: {} }]
  })
  return Prompt.makeMessage("assistant", { content, options: message.options })
}

/** A prompt on its way to the provider: what its own answers had attached stands where it was. @category codecs */
export const restore = (prompt: Prompt.Prompt): Prompt.Prompt =>
  prompt.content.some((message) => message.role === "assistant" && message.content.some((part) => attached(part)))
    ? Prompt.fromMessages(
        prompt.content.map((message) => (message.role === "assistant" ? assistant(message) : message))
      )
    : prompt
