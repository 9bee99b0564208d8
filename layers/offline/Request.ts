/**
 * What of a request the offline model answers: the input that stands in the prompt, what tools have answered so far, and
 * which tools are to be called.
 */
import * as Result from "effect/Result"
import type { Prompt } from "../../services/Ai.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Json, JsonObject } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import * as File from "../../src/wire/File.ts"
import * as Text from "./Text.ts"

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isText = (file: File.File) => /^text\/|^application\/(?:json|yaml|toml|xml)$/.test(File.kindOf(file))

// The texts of a message; those of text files are texts like others.
const textsOf = (message: Prompt.Message): ReadonlyArray<string> => {
  if (typeof message.content === "string") return [message.content]
  const parts: ReadonlyArray<Exclude<Prompt.Message, Prompt.SystemMessage>["content"][number]> = message.content
  return parts.flatMap((part) => {
    if (part.type === "text") return [part.text]
    if (part.type !== "file") return []
    const file = File.of(part)
    return isText(file) ? Result.match(File.textOf(file), { onFailure: () => [], onSuccess: (text) => [text] }) : []
  })
}

const textOf = (message: Prompt.Message): string => textsOf(message).join("\n")

const kindOf = (file: File.File): string => {
  const kind = File.kindOf(file)
  if (kind === "application/pdf") return "PDF document"
  const [family = ""] = kind.split("/")
  return family === "image" ? "image" : ["audio", "video", "text"].includes(family) ? `${family} file` : "file"
}

// What is attached and not read, in words: how many of which kind.
const unreadOf = (message: Prompt.UserMessage): string => {
  const counts = new Map<string, number>()
  for (const part of message.content) {
    if (part.type !== "file") continue
    const file = File.of(part)
    if (isText(file) && Result.isSuccess(File.textOf(file))) continue
    const kind = kindOf(file)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  if (counts.size === 0) return ""
  const listed = [...counts].map(([kind, count]) => `${count} ${kind}${count === 1 ? "" : "s"}`)
  const isOne = [...counts.values()].reduce((sum, count) => sum + count, 0) === 1
  return `${listed.join(" and ")} ${isOne ? "is" : "are"} attached; the offline model looks into no files.`
}

const sectionTitle = /^\[([A-Z][^\]\n]*)\]:[ \t]*$/m

/** The sections of a user message, by title; a message without any is an INPUT. @category prompts */
export const sectionsOf = (text: string): ReadonlyMap<string, string> => {
  const parts = text.split(new RegExp(sectionTitle.source, "gm"))
  const [before = ""] = parts
  if (parts.length < 3) return new Map([["INPUT", text]])
  const out = new Map<string, string>()
  if (before.trim() !== "") out.set("", before.trim())
  for (let i = 1; i < parts.length; i += 2) {
    const title = parts[i] ?? ""
    // A line of the input that looks like a title is rare: the first section of a name counts.
    if (!out.has(title)) out.set(title, (parts[i + 1] ?? "").trim())
  }
  return out
}

const written = new Set(["OUTPUT REQUIREMENT", "OUTPUT CORRECTION", "OUTPUT", "EXAMPLES"])

/** What a user message is about: its INPUT, else all that is not about the form of the answer. @category prompts */
export const inputOf = (text: string): string => {
  const sections = sectionsOf(text)
  const input = sections.get("INPUT")
  if (input !== undefined) return input
  return [...sections].flatMap(([title, body]) => (written.has(title) || body === "" ? [] : [body])).join("\n\n")
}

/**
 * The parts of a request that an answer is made of.
 *
 * @category models
 */
export interface Question {
  /** What the request is about. */
  readonly input: string
  /** The texts that are attached to it, those of text files included. */
  readonly attached: ReadonlyArray<string>
  /** A sentence on the attached files that are not read; empty where there are none. */
  readonly unread: string
  /** What the tools answered in this turn. */
  readonly results: ReadonlyArray<{ readonly name: string; readonly result: Json }>
  /** All texts of the prompt, for counting tokens. */
  readonly prompt: string
}

const asJson = (value: unknown): Json => {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value
  if (Array.isArray(value)) return value.map(asJson)
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asJson(item)]))
  return String(value)
}

/** Reads a request. @category prompts */
export const read = (request: ModelRequest): Question => {
  const messages = request.prompt.content
  const users = messages.filter((message) => message.role === "user")
  // The last message may speak of the form alone, with the question in the one before.
  const { attached, input, unread } =
    users
      .toReversed()
      .map((message) => {
        const texts = textsOf(message)
        const isSaid = (text: string) => text.trim() !== ""
        return {
          input: inputOf(texts.at(-1) ?? ""),
          attached: texts.slice(0, -1).filter(isSaid),
          unread: unreadOf(message)
        }
      })
      .find(({ attached, input, unread }) => input.trim() !== "" || attached.length > 0 || unread !== "") ?? nothing
  const turn = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1)
  const results = turn.flatMap((message) =>
    message.role === "tool"
      ? message.content.flatMap((part) =>
          part.type === "tool-result" ? [{ name: part.name, result: asJson(part.result) }] : []
        )
      : []
  )
  const prompt = messages.map(textOf).join("\n")
  return { input, attached, unread, results, prompt }
}

const nothing = { input: "", attached: [], unread: "" }

/** All that is to be read: the input and what is attached to it. @category prompts */
export const contentOf = ({ attached, input }: Question): string =>
  [input, ...attached].filter((text) => text.trim() !== "").join("\n\n")

/** Single facts by their name in small letters and digits, from tool results and from what is said as JSON. @category prompts */
export const factsOf = (question: Question): ReadonlyMap<string, Json> => {
  const out = new Map<string, Json>()
  const add = (value: Json) => {
    if (!isObject(value)) return
    for (const [key, item] of Object.entries(value)) {
      const name = Text.wordsOf(key).join("")
      if (isObject(item)) add(item)
      else if (!Array.isArray(item) && item !== null && !out.has(name)) out.set(name, item)
    }
  }
  for (const { result } of question.results) add(result)
  for (const said of [question.input, ...question.attached]) {
    if (!said.trimStart().startsWith("{")) continue
    try {
      const parsed: Json = JSON.parse(said)
      add(parsed)
    } catch {
      // Not JSON after all: it is read as text.
    }
  }
  return out
}

const verbs = new Set([
  "get",
  "set",
  "list",
  "look",
  "lookup",
  "find",
  "fetch",
  "search",
  "create",
  "make",
  "do",
  "run",
  "call",
  "use",
  "up",
  "by",
  "for",
  "the",
  "tool",
  "current",
  "of",
  "to",
  "send",
  "read",
  "query",
  "check",
  "compute"
])

/** Whether a text speaks of what a tool is for, as its name says it. @category tools */
export const callsFor = (text: string, name: string): boolean => {
  const words = Text.wordsOf(name)
  const telling = words.filter((word) => !verbs.has(word) && word.length > 2)
  const sought = telling.length > 0 ? telling : words
  return sought.filter((word) => Text.mentions(text, word)).length * 2 >= Math.max(1, sought.length)
}

/** The tools that a request has called now, in the order in which it offers them. @category tools */
export const toolsToCall = (request: ModelRequest, question: Question): ReadonlyArray<Tool.Any> => {
  const choice = request.toolChoice ?? "auto"
  const offered = request.tools.filter((tool) => !Tool.isProviderDefined(tool))
  if (choice === "none" || offered.length === 0 || question.results.length > 0) return []
  if (typeof choice === "object") return offered.filter((tool) => tool.name === choice.tool)
  const asked = offered.filter((tool) => callsFor(question.input, tool.name))
  return asked.length === 0 && choice === "required" ? offered.slice(0, 1) : asked
}

const isJsonObject = (value: Json): value is JsonObject => isObject(value)

/** The JSON Schema of a tool's parameters. @category tools */
export const parametersOf = (tool: Tool.Any): JsonObject => {
  const schema = asJson(Tool.getJsonSchema(tool))
  return isJsonObject(schema) ? schema : {}
}
