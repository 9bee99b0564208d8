/** Prompts on their way to a provider of effect/ai: what its own answers had attached goes back where it was. */
import { Prompt } from "../../services/Ai.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as Opaque from "../../src/wire/Opaque.ts"

const attached = (part: Prompt.AssistantMessagePart): Opaque.Attachment | undefined =>
  part.type === "reasoning" ? Opaque.fromSignature(Fields.object(part.options["effigent"])?.["signature"]) : undefined

const assistant = (message: Prompt.AssistantMessage): Prompt.AssistantMessage => {
  const calls = new Map<string, Opaque.Attachment>()
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

/** Puts attachments back. @category conversions */
export const restore = (prompt: Prompt.Prompt): Prompt.Prompt =>
  prompt.content.some((message) => message.role === "assistant" && message.content.some((part) => attached(part)))
    ? Prompt.fromMessages(
        prompt.content.map((message) => (message.role === "assistant" ? assistant(message) : message))
      )
    : prompt
