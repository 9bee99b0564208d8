/**
 * Puts the pieces of parallel tool calls together. Servers disagree on how pieces say which call they belong to, so
 * that identity is, in this order: an id that is new and says something, the index, the call that was open last. A new
 * id at an index in use opens another call; an id or a name that is repeated on each piece is not appended.
 */
import type { ModelEvent } from "../../services/ModelProvider.ts"
import * as Fields from "../../src/wire/Fields.ts"

interface Call {
  readonly ordinal: number
  id: string
  name: string
  arguments: string
  /** Pieces that came before the name. */
  held: string
  announced: boolean
}

/**
 * The open tool calls of one answer.
 *
 * @category decoding
 */
export class ToolCalls {
  private readonly calls: Array<Call> = []
  private readonly byId = new Map<string, Call>()
  private readonly byIndex = new Map<number, Call>()

  /** Whether any call was seen. */
  get isEmpty(): boolean {
    return this.calls.length === 0
  }

  /** Takes one element of `delta.tool_calls`. `responseId` makes ids unique where the server gives none. */
  push(piece: Fields.Fields, responseId: string | undefined, out: Array<ModelEvent>): void {
    const fn = Fields.object(piece["function"]) ?? Fields.object(piece["custom"])
    const id = Fields.text(piece["id"])
    const name = Fields.text(fn?.["name"])
    const given = fn?.["arguments"] ?? fn?.["input"]
    const delta = typeof given === "string" ? given : Fields.object(given) === undefined ? "" : JSON.stringify(given)
    const call = this.find(id, Fields.number(piece["index"]), name, responseId)
    call.arguments += delta
    if (call.name === "" && name !== undefined) call.name = name
    if (call.name === "") {
      call.held += delta
    } else if (!call.announced || delta !== "") {
      call.announced = true
      out.push({ _tag: "ToolCallDelta", index: call.ordinal, id: call.id, name: call.name, delta: call.held + delta })
      call.held = ""
    }
  }

  /** Ends all calls, in the order in which they began. */
  finish(out: Array<ModelEvent>): void {
    for (const { arguments: args, id, name, ordinal: index } of this.calls) {
      const input = args.trim() === "" ? {} : Fields.json(args)
      const text = args.trim() === "" ? "{}" : args
      out.push(
        input === undefined
          ? { _tag: "ToolCall", index, id, name, arguments: text }
          : { _tag: "ToolCall", index, id, name, arguments: text, input }
      )
    }
  }

  private find(
    id: string | undefined,
    index: number | undefined,
    name: string | undefined,
    responseId: string | undefined
  ): Call {
    const known = id === undefined ? undefined : this.byId.get(id)
    if (known !== undefined) return known
    const open = index === undefined ? this.calls.at(-1) : this.byIndex.get(index)
    if (open !== undefined) {
      if (id === undefined) {
        // Without id and index, a name after complete arguments begins the next call.
        const isNext = index === undefined && name !== undefined && Fields.json(open.arguments) !== undefined
        if (!isNext) return open
      } else if (index !== undefined && !open.announced && !this.byId.has(open.id)) {
        open.id = id
        this.byId.set(id, open)
        return open
      }
    }
    const ordinal = this.calls.length
    const call: Call = {
      ordinal,
      id: id ?? `call_${ordinal}_${responseId ?? globalThis.crypto.randomUUID()}`,
      name: "",
      arguments: "",
      held: "",
      announced: false
    }
    this.calls.push(call)
    if (id !== undefined) this.byId.set(id, call)
    if (index !== undefined) this.byIndex.set(index, call)
    return call
  }
}
