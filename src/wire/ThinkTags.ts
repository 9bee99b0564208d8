/**
 * Models that reason inline: open models behind plain servers write `<think>...</think>` before their answer, as if it
 * were part of it. This makes `Reasoning` of it, wherever the network cuts the tags.
 *
 * Only a block at the very start of the content is one; `<think>` inside an answer is the answer's own text. White
 * space around the tags belongs to neither side. A block that never ends is reasoning to its end.
 */
import type { ModelErrorReason } from "../../services/ModelError.ts"
import type { ModelEvent } from "../../services/ModelProvider.ts"
import type { Decoder } from "./ServerEvents.ts"

const open = "<think>"
const close = "</think>"
// How much white space may stand before the tag; more of it is an answer.
const maxIndent = 64

// The length of the longest end of `text` with which the closing tag may begin.
const beginningOfClose = (text: string): number => {
  for (let length = Math.min(close.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(close.slice(0, length))) return length
  }
  return 0
}

/**
 * A decoder whose texts are read for a block of reasoning at their start. Once the answer has begun, it costs one
 * comparison per event.
 *
 * @category decoding
 */
export class ThinkTags implements Decoder {
  private readonly inner: Decoder
  private state: "start" | "inside" | "after" | "answer" = "start"
  /** What cannot be told yet: the beginning of a tag. */
  private held = ""
  /** Whether nothing but white space has come since the last tag. */
  private blank = true

  constructor(inner: Decoder) {
    this.inner = inner
  }

  get isClosed(): boolean {
    return this.inner.isClosed
  }

  event(name: string, data: string, out: Array<ModelEvent>): ModelErrorReason | undefined {
    if (this.state === "answer") return this.inner.event(name, data, out)
    const from = out.length
    const reason = this.inner.event(name, data, out)
    for (const event of out.splice(from)) {
      if (event._tag === "Text") {
        this.text(event.text, out)
      } else {
        // What is no text proves that the text before it was whole.
        if (event._tag === "ToolCallDelta" || event._tag === "ToolCall" || event._tag === "Refusal") this.release(out)
        out.push(event)
      }
    }
    if (reason !== undefined) this.release(out)
    return reason
  }

  finish(out: Array<ModelEvent>): boolean {
    this.release(out)
    return this.inner.finish(out)
  }

  private text(piece: string, out: Array<ModelEvent>): void {
    switch (this.state) {
      case "start":
        return this.begin(this.held + piece, out)
      case "inside":
        return this.think(piece, out)
      case "after": {
        const text = piece.trimStart()
        if (text === "") return
        this.state = "answer"
        out.push({ _tag: "Text", text })
        return
      }
      case "answer":
        out.push({ _tag: "Text", text: piece })
    }
  }

  private begin(text: string, out: Array<ModelEvent>): void {
    this.held = ""
    const said = text.trimStart()
    const isIndent = text.length - said.length <= maxIndent
    if (isIndent && said.startsWith(open)) {
      this.state = "inside"
      this.text(said.slice(open.length), out)
    } else if (isIndent && open.startsWith(said)) {
      this.held = text
    } else {
      this.state = "answer"
      out.push({ _tag: "Text", text })
    }
  }

  private think(piece: string, out: Array<ModelEvent>): void {
    const text = this.held + (this.blank ? piece.trimStart() : piece)
    if (text === "") return
    this.held = ""
    this.blank = false
    const end = text.indexOf(close)
    const kept = end === -1 ? beginningOfClose(text) : 0
    const thought = text.slice(0, end === -1 ? text.length - kept : end)
    if (thought !== "") out.push({ _tag: "Reasoning", text: thought })
    if (end === -1) {
      this.held = text.slice(text.length - kept)
    } else {
      this.state = "after"
      this.text(text.slice(end + close.length), out)
    }
  }

  private release(out: Array<ModelEvent>): void {
    if (this.held === "") return
    const text = this.held
    this.held = ""
    if (this.state === "inside") {
      out.push({ _tag: "Reasoning", text })
    } else {
      this.state = "answer"
      out.push({ _tag: "Text", text })
    }
  }
}
