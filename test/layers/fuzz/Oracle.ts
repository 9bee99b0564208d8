/**
 * What a stream of bytes says, read in the most naive way: the whole at once, by a reading of its own of each protocol.
 * It knows texts, proof and broken frames, and nothing of chunks, time or tools.
 */

/** What was said up to the closing event, the first broken frame, or the end. */
export interface Said {
  readonly text: string
  readonly reasoning: string
  /** Whether a finish reason was given. */
  readonly isProven: boolean
  /** Whether a frame was no frame of the protocol, or said that something failed. */
  readonly isBroken: boolean
}

type Verdict = "closed" | "broken" | undefined
interface Reader {
  text: string
  reasoning: string
  isProven: boolean
  read: (name: string, event: unknown) => Verdict
}

export type Protocol = "chat" | "messages" | "responses"

// What stands at a place of a JSON value, if anything.
const at = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((node, key) => (node instanceof Object ? Reflect.get(node, key) : undefined), value)
const string = (value: unknown, ...path: ReadonlyArray<string>): string => {
  const found = at(value, ...path)
  return typeof found === "string" ? found : ""
}
const number = (value: unknown, key: string): number | undefined => {
  const found = at(value, key)
  return typeof found === "number" ? found : undefined
}
const list = (value: unknown, ...path: ReadonlyArray<string>): ReadonlyArray<unknown> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

const chat = (): Reader => ({
  text: "",
  reasoning: "",
  isProven: false,
  read(name, chunk) {
    if (name === "error" || (at(chunk, "error") ?? null) !== null || at(chunk, "object") === "error") return "broken"
    for (const choice of list(chunk, "choices")) {
      if (!(choice instanceof Object) || (at(choice, "index") ?? 0) !== 0) continue
      this.reasoning += string(choice, "delta", "reasoning_content") || string(choice, "delta", "reasoning")
      this.text += string(choice, "delta", "content")
      if (string(choice, "finish_reason") === "error") return "broken"
      if (string(choice, "finish_reason") !== "") this.isProven = true
    }
    return undefined
  }
})

const messages = (): Reader => ({
  text: "",
  reasoning: "",
  isProven: false,
  read(name, event) {
    const type = string(event, "type") || name
    if (name === "error" || type === "error") return "broken"
    if (type === "content_block_start" || type === "content_block_delta") {
      const part = at(event, type === "content_block_start" ? "content_block" : "delta")
      if (/^text(_delta)?$/.test(string(part, "type"))) this.text += string(part, "text")
      if (/^thinking(_delta)?$/.test(string(part, "type"))) this.reasoning += string(part, "thinking")
    }
    if (type === "message_start" && string(event, "message", "stop_reason") !== "") this.isProven = true
    if (type === "message_delta" && string(event, "delta", "stop_reason") !== "") this.isProven = true
    if (type !== "message_stop") return undefined
    this.isProven = true
    return "closed"
  }
})

const responses = (): Reader => {
  const said: Record<string, string> = {}
  let last: string | undefined
  return {
    text: "",
    reasoning: "",
    isProven: false,
    read(name, event) {
      const type = string(event, "type") || name
      const index = number(event, "output_index")
      const item = index === undefined ? string(event, "item_id") || string(event, "item", "id") || "0" : String(index)
      const part = `${item}/${number(event, "content_index") ?? 0}`
      const summary = `${item}/s${number(event, "summary_index") ?? 0}`
      const say = (kind: "text" | "reasoning", place: string, piece: string) => {
        if (piece === "") return
        const key = `${kind} ${place}`
        said[key] = (said[key] ?? "") + piece
        this[kind] += kind === "reasoning" && last !== undefined && last !== key ? `\n\n${piece}` : piece
        if (kind === "reasoning") last = key
      }
      const whole = (kind: "text" | "reasoning", place: string, all: string) => {
        const before = said[`${kind} ${place}`] ?? ""
        if (all.startsWith(before)) say(kind, place, all.slice(before.length))
      }
      const isText = (value: unknown) => /^(output_)?text$/.test(string(value, "type"))
      if (type === "error") return "broken"
      if (type === "response.output_text.delta") say("text", part, string(event, "delta"))
      if (type === "response.output_text.done") whole("text", part, string(event, "text"))
      if (type === "response.reasoning_summary_text.delta") say("reasoning", summary, string(event, "delta"))
      if (type === "response.reasoning_summary_text.done") whole("reasoning", summary, string(event, "text"))
      if (type.startsWith("response.content_part.") && isText(at(event, "part"))) {
        whole("text", part, string(event, "part", "text"))
      }
      if (type.startsWith("response.output_item.") && string(event, "item", "type") === "message") {
        list(event, "item", "content").forEach((one, place) => {
          if (isText(one)) whole("text", `${item}/${place}`, string(one, "text"))
        })
      }
      if (type === "response.failed" || type === "response.cancelled") return "broken"
      if (type !== "response.completed" && type !== "response.incomplete") return undefined
      const status = type === "response.completed" ? string(event, "response", "status") || "completed" : "incomplete"
      if (status === "failed" || status === "cancelled") return "broken"
      if (status !== "completed" && status !== "incomplete") return undefined
      this.isProven = true
      return "closed"
    }
  }
}

const readers = { chat, messages, responses }

const thinking = /^\s{0,64}<think>\s*([^]*?)(?:<\/think>\s*|$)([^]*)$/

/** Reads all the bytes of a body. */
export const listen = (protocol: Protocol, bytes: Uint8Array, inline: boolean): Said => {
  const reader = readers[protocol]()
  const blocks = new TextDecoder().decode(bytes).replace(/\r\n?/g, "\n").split(/\n\n/)
  let isBroken = false
  for (const [n, block] of blocks.entries()) {
    let name = "message"
    const data: Array<string> = []
    for (const line of block.split("\n")) {
      const [, field, value = ""] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? []
      if (field === "event") name = value || "message"
      if (field === "data") data.push(value)
    }
    const source = data.join("\n")
    if (source === "" || source.startsWith(":")) continue
    if (protocol === "messages" && name === "ping") continue
    if (source.startsWith("[DONE]")) {
      if (protocol === "responses") continue
      break
    }
    let verdict: Verdict
    try {
      const parsed: unknown = JSON.parse(source)
      const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
      verdict = isObject ? reader.read(name, parsed) : name === "error" ? "broken" : undefined
    } catch {
      // What the end has cut is no garbage.
      verdict = n === blocks.length - 1 ? undefined : "broken"
    }
    isBroken = verdict === "broken"
    if (verdict !== undefined) break
  }
  const { isProven, reasoning, text } = reader
  const match = inline ? thinking.exec(text) : null
  if (match === null) return { text, reasoning, isProven, isBroken }
  return { text: match[2] ?? "", reasoning: reasoning + (match[1] ?? ""), isProven, isBroken }
}
