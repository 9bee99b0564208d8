/**
 * What of a request the offline model answers: the input that stands in the prompt, what tools have answered so far, and
 * which tools are to be called.
 */
import type { Prompt } from "../../services/Ai.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Json, JsonObject } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import * as Text from "./Text.ts"

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (message: Prompt.Message): string =>
  typeof message.content === "string"
    ? message.content
    : message.content.map((part) => (part.type === "text" ? part.text : "")).join("\n")

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
  const input =
    users
      .toReversed()
      .map((message) => inputOf(textOf(message)))
      .find((text) => text.trim() !== "") ?? ""
  const turn = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1)
  const results = turn.flatMap((message) =>
    message.role === "tool"
      ? message.content.flatMap((part) =>
          part.type === "tool-result" ? [{ name: part.name, result: asJson(part.result) }] : []
        )
      : []
  )
  const prompt = messages.map(textOf).join("\n")
  return { input, results, prompt }
}

/** Single facts by their name in small letters and digits, from tool results and from an input that is JSON. @category prompts */
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
  const input = question.input.trim()
  if (input.startsWith("{")) {
    try {
      const parsed: Json = JSON.parse(input)
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
