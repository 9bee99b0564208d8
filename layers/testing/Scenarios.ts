/**
 * What the other side does in the cases of the conformance suite, as data: a harness reads it and plays it to its
 * provider in the provider's own wire format.
 */
import * as Schema from "effect/Schema"
import { Prompt } from "../../services/Ai.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Json } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"

/**
 * A tool call as the other side makes it.
 *
 * @category models
 */
export interface ToolCallScript {
  readonly id: string
  readonly name: string
  /** The arguments' JSON text, in the pieces in which it is sent. */
  readonly pieces: ReadonlyArray<string>
  /** What that text means. */
  readonly input: Json
}

/**
 * What the other side does with the request.
 *
 * @category models
 */
export type Answer =
  /** Says these texts, one per network write, tells `usage`, and ends well for the reason `finish`. */
  | {
      readonly _tag: "Says"
      readonly texts: ReadonlyArray<string>
      readonly finish: "stop" | "length"
      readonly usage: Tokens
    }
  /** Calls tools, tells `usage`, and ends well because of the calls. */
  | { readonly _tag: "CallsTools"; readonly calls: ReadonlyArray<ToolCallScript>; readonly usage: Tokens }
  /** Answers with this HTTP status instead of a stream, in the shape of the vendor's errors. */
  | { readonly _tag: "Rejects"; readonly status: number; readonly detail: string }
  /** Says these texts and ends the connection without a finish reason. */
  | { readonly _tag: "BreaksOff"; readonly texts: ReadonlyArray<string> }
  /** Says these texts, and then neither more nor the end, until the provider leaves. */
  | { readonly _tag: "Stalls"; readonly texts: ReadonlyArray<string> }

/** Tokens as the other side counts them. @category models */
export interface Tokens {
  readonly inputTokens: number
  readonly outputTokens: number
}

/**
 * One scenario: the request that the suite sends, and what the other side does with it.
 *
 * @category models
 */
export interface Scenario {
  readonly name: string
  readonly request: ModelRequest
  readonly answer: Answer
}

/** The tokens that every good answer tells. @category scenarios */
export const usage: Tokens = { inputTokens: 21, outputTokens: 9 }

const base: ModelRequest = {
  prompt: Prompt.make([
    { role: "system", content: "You are a shop's assistant." },
    {
      role: "user",
      content: [{ type: "text", text: "Where are my orders A-17 and B-4? I ordered them two weeks ago." }]
    }
  ]),
  tools: [],
  output: { name: "answer", format: "text", jsonSchema: { type: "string" }, strict: {}, native: false },
  options: { temperature: 0 },
  includeRaw: false,
  attempt: 1
}

// Umlauts, an emoji and a line break: whatever cuts bytes has to put them together again.
const texts = ["Both are ", "on ", "their way, gr\u00fc\u00df Gott \ud83d\ude00", ".\n", "Done", "."]

/** A plain answer in several pieces. @category scenarios */
export const says: Scenario = { name: "says", request: base, answer: { _tag: "Says", texts, finish: "stop", usage } }

/** An answer that was cut by the limit of tokens. @category scenarios */
export const saysTooMuch: Scenario = {
  name: "saysTooMuch",
  request: { ...base, options: { maxTokens: 3 } },
  answer: { _tag: "Says", texts: ["Both are ", "on"], finish: "length", usage }
}

const LookUpOrder = Tool.make("look_up_order", {
  description: "Looks up where an order is",
  parameters: Schema.Struct({ order: Schema.String, express: Schema.optionalKey(Schema.Boolean) }),
  success: Schema.String
})

/** Two tool calls, their arguments in pieces. @category scenarios */
export const callsTools: Scenario = {
  name: "callsTools",
  request: { ...base, tools: [LookUpOrder], toolChoice: "required" },
  answer: {
    _tag: "CallsTools",
    calls: [
      { id: "call_a", name: "look_up_order", pieces: ['{"ord', 'er":"A-', '17"}'], input: { order: "A-17" } },
      {
        id: "call_b",
        name: "look_up_order",
        pieces: ['{"order":"B-4",', '"express":true}'],
        input: { order: "B-4", express: true }
      }
    ],
    usage
  }
}

/** A refusal by HTTP status. @category scenarios */
export const rejects = (status: number): Scenario => ({
  name: `rejects${status}`,
  request: base,
  answer: { _tag: "Rejects", status, detail: `status ${status} on purpose` }
})

/** A connection that ends in mid-answer. @category scenarios */
export const breaksOff: Scenario = {
  name: "breaksOff",
  request: base,
  answer: { _tag: "BreaksOff", texts: ["Both ", "are"] }
}

/** An answer that stops coming. @category scenarios */
export const stalls: Scenario = { name: "stalls", request: base, answer: { _tag: "Stalls", texts: ["Both ", "are"] } }

/** An answer that never begins. @category scenarios */
export const stallsAtOnce: Scenario = { name: "stallsAtOnce", request: base, answer: { _tag: "Stalls", texts: [] } }

/** The whole text of an answer. @category scenarios */
export const textOf = (answer: Answer): string => ("texts" in answer ? answer.texts.join("") : "")

/** The tool calls of an answer. @category scenarios */
export const callsOf = (answer: Answer): ReadonlyArray<ToolCallScript> => ("calls" in answer ? answer.calls : [])
