// A model for the demo project of the studio: it works without a network, writes piece by piece, thinks, calls tools, and
// makes a mistake where it is asked to, so that all there is to see can be seen.
import { Effect, Layer, Stream } from "effect"
import type { Json } from "effigent/services/Json"
import { type ModelEvent, ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"

/** What the last user message says, and whether tools have answered since. */
const lastOf = ({ prompt }: ModelRequest): { readonly text: string; readonly results: ReadonlyArray<Json> } => {
  let text = ""
  let results: Array<Json> = []
  for (const { content, role } of prompt.content) {
    if (role === "user") {
      const said =
        typeof content === "string" ? content : content.map((part) => ("text" in part ? part.text : "")).join(" ")
      // A correction asks again and brings no question of its own.
      const [, input = said] = /\[INPUT\]:\s*([\s\S]*?)(?:\n\s*\[[A-Z ]+\]:|$)/.exec(said) ?? []
      if (!/^(your (last )?answer|the answer)/i.test(said)) text = input.trim()
      results = []
    }
    if (role === "tool" && typeof content !== "string")
      // What tools have given is JSON.
      for (const part of content) if (part.type === "tool-result") results.push(part.result as Json)
  }
  return { text, results }
}

const pieces = (text: string): ReadonlyArray<string> => text.match(/\s*\S{1,12}/g) ?? []

const sums = (text: string): { readonly bill: string; readonly euros: number } => ({
  bill: /\b(rent|telephone|power|water)\b/i.exec(text)?.[1]?.toLowerCase() ?? "rent",
  euros: Number(/(\d+)\s*(?:euros?|€)?/.exec(text)?.[1] ?? 900)
})

const ticket = (text: string, isWrong: boolean): Json => {
  const sentences = text.split(/(?<=[.!?])\s+/).filter((one) => one.trim() !== "")
  const whole = {
    subject: (sentences[0] ?? "A letter").replace(/[.!?]$/, "").slice(0, 60),
    urgency: /fire|urgent|now|!/i.test(text) ? "high" : "normal",
    summary: `It says: ${sentences.join(" ").slice(0, 200)}`,
    tasks: [
      { who: "support", what: "answer the letter" },
      { who: "facility", what: "look at the place" }
    ]
  }
  // The tasks are missing: the output contract wants them, and asks again.
  return isWrong ? { subject: whole.subject, urgency: whole.urgency, summary: whole.summary } : whole
}

const answerOf = (request: ModelRequest): ReadonlyArray<ModelEvent> => {
  const { results, text } = lastOf(request)
  const names = request.tools.map(({ name }) => name)
  const thoughts = pieces("I look at what is asked, and at what I may do about it.").map((text): ModelEvent => ({
    _tag: "Reasoning",
    text
  }))
  if (names.includes("pay") && results.length === 0 && request.toolChoice !== "none") {
    const calls = /pay/i.test(text)
      ? [
          { name: "balance", input: {} },
          { name: "pay", input: sums(text) }
        ]
      : [{ name: "balance", input: {} }]
    return [
      ...thoughts,
      ...calls.map(({ input, name }, index): ModelEvent => ({
        _tag: "ToolCall",
        index,
        id: `call-${index + 1}`,
        name,
        arguments: JSON.stringify(input),
        input
      })),
      { _tag: "Finish", reason: "tool-calls" }
    ]
  }
  const said =
    request.output.format !== "text"
      ? JSON.stringify(ticket(text, /wrong/i.test(text) && request.attempt === 1))
      : results.length > 0
        ? `Done. What the tools said: ${results.map((result) => JSON.stringify(result)).join(", ")}.`
        : `You said: "${text}". Ask me for the balance, or to pay a bill, and I will.`
  return [
    ...(names.length > 0 ? [] : thoughts),
    ...pieces(said).map((text): ModelEvent => ({ _tag: "Text", text })),
    { _tag: "Finish", reason: "stop" }
  ]
}

/** The model; `delay`: milliseconds between pieces. */
export const demo = (delay: number): Layer.Layer<ModelProvider> =>
  Layer.succeed(ModelProvider, {
    name: "demo",
    stream: (request) => {
      const events = answerOf(request)
      const inputTokens = Math.ceil(JSON.stringify(request.prompt.content).length / 4)
      const all: ReadonlyArray<ModelEvent> = [
        { _tag: "Info", id: "demo", model: "demo-1" },
        {
          _tag: "Usage",
          usage: { inputTokens, cachedInputTokens: Math.floor(inputTokens / 2), outputTokens: 2 * events.length }
        },
        ...events
      ]
      return Stream.fromIterable(all).pipe(
        Stream.rechunk(1),
        Stream.tap(() => (delay > 0 ? Effect.sleep(delay) : Effect.void))
      )
    }
  })
