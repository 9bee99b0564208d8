/** Small helpers that the test layers share: cutting texts, naming prompts. */
import type { Prompt } from "../../services/Ai.ts"

/**
 * Cuts a text into pieces of `size` UTF-16 units, at least one; a surrogate pair stays whole. An empty text has no
 * pieces.
 *
 * @category text
 */
export const splitText = (text: string, size: number): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  const step = Math.max(1, Math.floor(size))
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + step)
    const last = text.charCodeAt(to - 1)
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to++
    pieces.push(text.slice(from, to))
    from = to
  }
  return pieces
}

/** Shortens a text to about `limit` characters, keeping its beginning and its end. @category text */
export const clip = (text: string, limit: number): string => {
  if (text.length <= limit) return text
  const half = Math.floor((limit - 5) / 2)
  return `${text.slice(0, half)} ... ${text.slice(-half)}`
}

/** The texts of a message, one after the other. @category prompts */
export const messageText = (message: Prompt.Message): string =>
  typeof message.content === "string"
    ? message.content
    : message.content.map((part) => (part.type === "text" ? part.text : `<${part.type}>`)).join("\n")

/** A prompt in one line of an error: the text of its last user message. @category prompts */
export const describePrompt = (prompt: Prompt.Prompt): string => {
  const last = prompt.content.findLast((message) => message.role === "user")
  return last === undefined
    ? `no user message among ${prompt.content.length}`
    : JSON.stringify(clip(messageText(last), 400))
}
