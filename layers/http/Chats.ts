/**
 * Runs for chat clients of others: the stream of UI messages of the AI SDK (`useChat`) and the events of AG-UI. Both are
 * made of the events of one run: what the asked agent itself says and does. What runs inside it is not shown.
 */
import * as Schema from "effect/Schema"
import type { Prompt } from "../../services/Ai.ts"
import type { RunEnvelope } from "../../services/Run.ts"
import { frame } from "./Streams.ts"

/** What a client of the AI SDK sends: the conversation, the question last. @category schemas */
export const UiRequest = Schema.Struct({
  id: Schema.optionalKey(Schema.String),
  messages: Schema.Array(
    Schema.Struct({
      id: Schema.optionalKey(Schema.String),
      role: Schema.Literals(["system", "user", "assistant"]),
      parts: Schema.Array(Schema.Struct({ type: Schema.String, text: Schema.optionalKey(Schema.String) }))
    })
  )
})

/** What a client of AG-UI sends. @category schemas */
export const AgUiRequest = Schema.Struct({
  threadId: Schema.String,
  runId: Schema.String,
  messages: Schema.Array(
    Schema.Struct({ id: Schema.String, role: Schema.String, content: Schema.optionalKey(Schema.Json) })
  )
})

/**
 * A conversation as an agent is asked it.
 *
 * @category models
 */
export interface Conversation {
  /** The text of the last message, which is the user's; absent: there is none. */
  readonly input: string | undefined
  /** What was said before. System messages of clients are left out: they are not theirs to give. */
  readonly history: ReadonlyArray<Prompt.MessageEncoded>
}

const conversation = (said: ReadonlyArray<{ readonly role: string; readonly text: string }>): Conversation => {
  const last = said.at(-1)
  const history = said.slice(0, -1).flatMap(({ role, text }): ReadonlyArray<Prompt.MessageEncoded> => {
    if (text === "") return []
    if (role === "user") return [{ role, content: [{ type: "text", text }] }]
    return role === "assistant" ? [{ role, content: [{ type: "text", text }] }] : []
  })
  return { input: last?.role === "user" ? last.text : undefined, history }
}

/** The conversation of a client of the AI SDK: the texts of its messages. @category conversions */
export const ofUi = ({ messages }: typeof UiRequest.Type): Conversation =>
  conversation(
    messages.map(({ parts, role }) => ({
      role,
      text: parts.map(({ text, type }) => (type === "text" ? (text ?? "") : "")).join("")
    }))
  )

const isPart = Schema.is(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }))

// Texts, alone or as parts among others.
const textOf = (content: unknown): string => {
  if (typeof content === "string") return content
  return Array.isArray(content) ? content.map((part) => (isPart(part) ? part.text : "")).join("") : ""
}

/** The conversation of a client of AG-UI: the texts of its messages. @category conversions */
export const ofAgUi = ({ messages }: typeof AgUiRequest.Type): Conversation =>
  conversation(messages.map(({ content, role }) => ({ role, text: textOf(content) })))

/**
 * Makes what a client reads of the events of one run; keeps what it has begun.
 *
 * @category models
 */
export interface Translator {
  readonly headers: { readonly [name: string]: string }
  readonly encode: (event: RunEnvelope) => string
  /** What follows where something failed outside of the run. */
  readonly failed: (message: string) => string
}

const wordsOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

// The failure of a run is told by its tag: its message may quote what a provider said.
const failureOf = (tag: string): string => `The run has failed: ${tag}`

/**
 * The UI message stream of the AI SDK (version 1 of the protocol). An attempt that is void resets its step; the answer of
 * an agent with an output follows as the part `data-output`.
 *
 * @category conversions
 */
export const uiMessages = (run: string, hasOutput: boolean): Translator => {
  let open: { readonly type: "text" | "reasoning"; readonly id: string } | undefined
  let parts = 0
  let inStep = false
  const chunk = (value: object): string => frame(JSON.stringify(value))
  const close = (): string => {
    if (open === undefined) return ""
    const text = chunk({ type: `${open.type}-end`, id: open.id })
    open = undefined
    return text
  }
  const endStep = (): string => {
    const text = close() + (inStep ? chunk({ type: "finish-step" }) : "")
    inStep = false
    return text
  }
  const piece = (type: "text" | "reasoning", delta: string): string => {
    let text = ""
    if (open?.type !== type) {
      text = close()
      open = { type, id: `${type}-${++parts}` }
      text += chunk({ type: `${type}-start`, id: open.id })
    }
    return text + chunk({ type: `${type}-delta`, id: open?.id, delta })
  }
  const done = "data: [DONE]\n\n"
  const failed = (errorText: string): string =>
    endStep() + chunk({ type: "error", errorText }) + chunk({ type: "finish", finishReason: "error" }) + done
  return {
    headers: { "x-vercel-ai-ui-message-stream": "v1" },
    failed,
    encode: ({ depth, event }) => {
      if (depth === 0) {
        switch (event._tag) {
          case "RunStarted":
            return chunk({ type: "start", messageId: run })
          case "RunCompleted":
            return (
              endStep() +
              (hasOutput ? chunk({ type: "data-output", data: event.value ?? null }) : "") +
              chunk({ type: "finish", finishReason: "stop" }) +
              done
            )
          case "RunFailed":
            return failed(failureOf(event.tag))
          case "RunCancelled":
            return endStep() + chunk({ type: "abort" }) + done
          default:
            return ""
        }
      }
      if (depth > 1) return ""
      switch (event._tag) {
        case "ModelRequested": {
          if (inStep) return ""
          inStep = true
          return chunk({ type: "start-step" })
        }
        case "Text":
          return piece("text", event.text)
        case "Reasoning":
          return piece("reasoning", event.text)
        case "Restarted":
          return close() + chunk({ type: "reset-step" })
        case "ActionStarted":
          return (
            close() +
            chunk({
              type: "tool-input-available",
              toolCallId: event.call.id,
              toolName: event.call.action,
              input: event.call.input,
              dynamic: true
            })
          )
        case "ActionEnded": {
          const { call, result, status } = event.record
          if (status === "success")
            return chunk({ type: "tool-output-available", toolCallId: call.id, output: result, dynamic: true })
          return chunk({ type: "tool-output-error", toolCallId: call.id, errorText: wordsOf(result), dynamic: true })
        }
        case "ModelAnswered":
          return event.finishReason === "tool-calls" ? close() : ""
        default:
          return ""
      }
    }
  }
}

/** The events of AG-UI. An attempt that is void ends its message; a `CUSTOM` event `restarted` says so. @category conversions */
export const agUi = ({ runId, threadId }: { readonly threadId: string; readonly runId: string }): Translator => {
  let open: { readonly id: string; readonly isReasoning: boolean } | undefined
  let messages = 0
  const said = (type: string, about: object = {}): string => frame(JSON.stringify({ type, ...about }))
  const close = (): string => {
    if (open === undefined) return ""
    const { id: messageId, isReasoning } = open
    open = undefined
    return isReasoning
      ? said("REASONING_MESSAGE_END", { messageId }) + said("REASONING_END", { messageId })
      : said("TEXT_MESSAGE_END", { messageId })
  }
  // A piece of what is said or thought; an empty one only begins it.
  const piece = (isReasoning: boolean, delta: string): string => {
    let text = ""
    if (open?.isReasoning !== isReasoning) {
      text = close()
      const messageId = `${runId}-${++messages}`
      open = { id: messageId, isReasoning }
      text += isReasoning
        ? said("REASONING_START", { messageId }) + said("REASONING_MESSAGE_START", { messageId, role: "reasoning" })
        : said("TEXT_MESSAGE_START", { messageId, role: "assistant" })
    }
    if (delta === "") return text
    return (
      text + said(isReasoning ? "REASONING_MESSAGE_CONTENT" : "TEXT_MESSAGE_CONTENT", { messageId: open?.id, delta })
    )
  }
  const failed = (text: string): string => close() + said("RUN_ERROR", { message: text })
  return {
    headers: {},
    failed,
    encode: ({ depth, event }) => {
      if (depth === 0) {
        switch (event._tag) {
          case "RunStarted":
            return said("RUN_STARTED", { threadId, runId })
          case "RunCompleted":
            return close() + said("RUN_FINISHED", { threadId, runId, result: event.value ?? null })
          case "RunFailed":
            return failed(failureOf(event.tag))
          case "RunCancelled":
            return failed("The run was cancelled")
          default:
            return ""
        }
      }
      if (depth > 1) return ""
      switch (event._tag) {
        case "Text":
          return piece(false, event.text)
        case "Reasoning":
          return piece(true, event.text)
        case "Restarted":
          return close() + said("CUSTOM", { name: "restarted", value: { attempt: event.attempt } })
        case "ActionStarted": {
          const { action, id, input } = event.call
          return (
            close() +
            said("TOOL_CALL_START", { toolCallId: id, toolCallName: action }) +
            said("TOOL_CALL_ARGS", { toolCallId: id, delta: JSON.stringify(input) }) +
            said("TOOL_CALL_END", { toolCallId: id })
          )
        }
        case "ActionEnded": {
          const { call, result } = event.record
          const about = { messageId: `${runId}-${call.id}`, toolCallId: call.id, role: "tool" }
          return said("TOOL_CALL_RESULT", { ...about, content: wordsOf(result) })
        }
        default:
          return ""
      }
    }
  }
}
