/**
 * What the studio tells of traces: trees of spans with what was sent to models, what they wrote, and what it cost. `Api`
 * has these Schemas, too. Nothing here needs Node.
 */
import * as Schema from "effect/Schema"
import { RunUsage } from "../../../services/Run.ts"

const optional = Schema.optionalKey

/** A JSON Schema (2020-12), or any other JSON object. @category schemas */
export const JsonObject = Schema.Record(Schema.String, Schema.Json)

/** An action that an agent may call. @category models */
export const ActionInfo = Schema.Struct({
  name: Schema.String,
  description: optional(Schema.String),
  /** JSON Schema of what it is passed. */
  input: optional(JsonObject)
})

/** An action, as a type. @category models */
export type ActionInfo = typeof ActionInfo.Type

/** What a span is of. `group`: several agents under one name, or a run of a program. @category models */
export const SpanKind = Schema.Literals(["agent", "chat", "tool", "flow", "step", "group"])

/** How a span stands. @category models */
export const SpanStatus = Schema.Literals(["running", "ok", "error", "cancelled"])

const measures = {
  /** Tokens of it; of an agent those of all its attempts. */
  usage: optional(RunUsage),
  /** Money, where the price of the model is known. */
  cost: optional(Schema.Finite),
  /** Milliseconds to the first piece of the answer. */
  timeToFirstToken: optional(Schema.Finite)
}

/** A trace in a list: a run of an agent, or an execution, with everything that it began. @category models */
export const TraceRow = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  kind: SpanKind,
  status: SpanStatus,
  /** Milliseconds since 1970. */
  startedAt: Schema.Finite,
  /** Milliseconds; absent while it is at work. */
  duration: optional(Schema.Finite),
  /** How many spans it has, how many of them failed, and how many are kept no more. */
  spans: Schema.Int,
  errors: Schema.Int,
  dropped: Schema.Int,
  ...measures,
  error: optional(Schema.Struct({ tag: Schema.String, message: Schema.String })),
  /** The run and the execution that it is of. */
  run: optional(Schema.String),
  execution: optional(Schema.String)
})

/** A trace in a list, as a type. @category models */
export type TraceRow = typeof TraceRow.Type

/** A part of a list, newest first. @category models */
export const TracePage = Schema.Struct({
  traces: Schema.Array(TraceRow),
  next: optional(Schema.String),
  /** How many are kept in all, and how many were kept and are no more. */
  total: Schema.Int,
  dropped: Schema.Int
})

/** A span, as a row of a waterfall. @category models */
export const SpanRow = Schema.Struct({
  id: Schema.String,
  parent: optional(Schema.String),
  /** 0 for the root of the trace. */
  depth: Schema.Int,
  name: Schema.String,
  kind: SpanKind,
  status: SpanStatus,
  /** Milliseconds since the trace began. */
  start: Schema.Finite,
  /** Milliseconds; absent while it is at work. */
  duration: optional(Schema.Finite),
  /** How many spans stand right below it, and how many in all. */
  children: Schema.Int,
  descendants: Schema.Int,
  ...measures,
  error: optional(Schema.Struct({ tag: Schema.String, message: Schema.String })),
  /** The number of the attempt; above 1: a correction. */
  attempt: optional(Schema.Int),
  model: optional(Schema.String)
})

/** A span, as a type. @category models */
export type SpanRow = typeof SpanRow.Type

/** A part of a trace: rows in the order of the tree, each span behind its parent. @category models */
export const SpanPage = Schema.Struct({
  trace: TraceRow,
  /** How many rows the same query has in all. */
  total: Schema.Int,
  offset: Schema.Int,
  rows: Schema.Array(SpanRow)
})

/** A part of a trace, as a type. @category models */
export type SpanPage = typeof SpanPage.Type

/** A piece of a message. What there is depends on `type`. @category models */
export const MessagePart = Schema.Struct({
  type: Schema.Literals(["text", "reasoning", "tool-call", "tool-result", "file", "other"]),
  text: optional(Schema.String),
  /** Of calls and results. */
  id: optional(Schema.String),
  name: optional(Schema.String),
  value: optional(Schema.Json),
  mediaType: optional(Schema.String)
})

/** A piece of a message, as a type. @category models */
export type MessagePart = typeof MessagePart.Type

/** A request as it was given to the provider: what a prompt was rendered to. @category models */
export const RenderedRequest = Schema.Struct({
  provider: Schema.String,
  model: optional(Schema.String),
  attempt: Schema.Int,
  messages: Schema.Array(Schema.Struct({ role: Schema.String, parts: Schema.Array(MessagePart) })),
  tools: Schema.Array(ActionInfo),
  toolChoice: optional(Schema.Json),
  output: Schema.Struct({
    name: Schema.String,
    format: Schema.String,
    native: Schema.Boolean,
    jsonSchema: optional(JsonObject)
  }),
  /** `temperature`, `maxTokens`, ...; what looks like a key or a password in it is left out. */
  options: JsonObject
})

/** A rendered request, as a type. @category models */
export type RenderedRequest = typeof RenderedRequest.Type

/** What the model wrote. @category models */
export const ModelResponse = Schema.Struct({
  id: optional(Schema.String),
  model: optional(Schema.String),
  text: Schema.String,
  reasoning: Schema.String,
  refusal: optional(Schema.String),
  calls: Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String, arguments: Schema.String })),
  finishReason: optional(Schema.String),
  /** How often the provider began anew. */
  restarts: Schema.Int
})

/** What the model wrote, as a type. @category models */
export type ModelResponse = typeof ModelResponse.Type

/** A span with everything that is kept of it. @category models */
export const SpanDetail = Schema.Struct({
  trace: Schema.String,
  span: SpanRow,
  attributes: JsonObject,
  events: Schema.Array(
    Schema.Struct({
      /** Milliseconds since the trace began. */
      at: Schema.Finite,
      name: Schema.String,
      attributes: JsonObject
    })
  ),
  /** Of an agent, a tool, a flow: what it was given and what it gave. */
  input: optional(Schema.Json),
  output: optional(Schema.Json),
  /** Of a chat. */
  request: optional(RenderedRequest),
  response: optional(ModelResponse),
  /** Whether something of it was cut, being too large. A text that was cut ends with `... [n more]`. */
  truncated: Schema.Boolean
})

/** A span with everything, as a type. @category models */
export type SpanDetail = typeof SpanDetail.Type
