/**
 * What goes over the wire between MCP peers, in the form in which it goes: JSON-RPC messages, and the answers of servers as
 * Schemas that ask for no more than this library uses, since servers of other makes leave out or add what they like.
 */
import * as Schema from "effect/Schema"
import type { Json, JsonObject } from "../../services/Json.ts"

/** The revisions of the protocol that are spoken here, newest first: those with a handshake. @category models */
export const versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const

/** A request of ours. @category models */
export interface Request {
  readonly jsonrpc: "2.0"
  readonly id: number
  readonly method: string
  readonly params: JsonObject
}

/** A notification, in either direction. @category models */
export interface Notification {
  readonly jsonrpc: "2.0"
  readonly method: string
  readonly params?: JsonObject | undefined
}

/** A request of the server. @category models */
export interface ServerRequest extends Notification {
  readonly id: string | number
}

/** How a request ended. @category models */
export type Response =
  | { readonly jsonrpc: "2.0"; readonly id: string | number | null; readonly result: Json }
  | {
      readonly jsonrpc: "2.0"
      readonly id?: string | number | null
      readonly error: { readonly code: number; readonly message: string; readonly data?: Json }
    }

/** What comes in. @category models */
export type Incoming = Notification | ServerRequest | Response

/** Whether a value is a JSON object. @category guards */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a message is an answer. @category guards */
export const isResponse = (message: Incoming): message is Response => !("method" in message)

/** Whether a message is a request of the server. @category guards */
export const isServerRequest = (message: Incoming): message is ServerRequest => "method" in message && "id" in message

const isId = (value: unknown): boolean => value === null || typeof value === "string" || typeof value === "number"

const isError = (value: unknown): boolean =>
  isObject(value) && typeof value["code"] === "number" && typeof value["message"] === "string"

/** The messages of a text: one, or a batch; absent where it is not JSON-RPC. @category reading */
export const parse = (text: string): ReadonlyArray<Incoming> | undefined => {
  let json: unknown
  // Not an Effect: it is paid for each line.
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  const all: ReadonlyArray<unknown> = Array.isArray(json) ? json : [json]
  const right = all.every((item) => {
    if (!isObject(item) || item["jsonrpc"] !== "2.0") return false
    if (typeof item["method"] === "string") return item["id"] === undefined || isId(item["id"])
    return isId(item["id"] ?? null) && ("result" in item || isError(item["error"]))
  })
  // The shapes were looked at one line above.
  return right && all.length > 0 ? (all as ReadonlyArray<Incoming>) : undefined
}

const text = Schema.optionalKey(Schema.NullOr(Schema.String))
const flag = Schema.optionalKey(Schema.NullOr(Schema.Boolean))
const anything = Schema.Record(Schema.String, Schema.Json)

/** What a server says of itself when it is greeted. @category schemas */
export const Hello = Schema.Struct({
  protocolVersion: Schema.String,
  capabilities: anything,
  serverInfo: Schema.optionalKey(Schema.Struct({ name: Schema.String, version: text })),
  instructions: text
})

/** What a server says of itself, as a type. @category models */
export type Hello = typeof Hello.Type

/** A tool of a server. @category schemas */
export const ToolInfo = Schema.Struct({
  name: Schema.String,
  title: text,
  description: text,
  /** What it takes, as JSON Schema. */
  inputSchema: anything,
  /** What its structured result looks like, as JSON Schema. */
  outputSchema: Schema.optionalKey(Schema.NullOr(anything)),
  /** Hints of the server about itself, which it may have wrong. */
  annotations: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        title: text,
        readOnlyHint: flag,
        destructiveHint: flag,
        idempotentHint: flag,
        openWorldHint: flag
      })
    )
  )
})

/** A tool of a server, as a type. @category models */
export type ToolInfo = typeof ToolInfo.Type

/** A resource of a server. @category schemas */
export const ResourceInfo = Schema.Struct({
  uri: Schema.String,
  name: Schema.String,
  title: text,
  description: text,
  mimeType: text
})

/** A resource of a server, as a type. @category models */
export type ResourceInfo = typeof ResourceInfo.Type

/** A family of resources of a server, by a template of their URIs. @category schemas */
export const TemplateInfo = Schema.Struct({
  uriTemplate: Schema.String,
  name: Schema.String,
  title: text,
  description: text,
  mimeType: text
})

/** A family of resources, as a type. @category models */
export type TemplateInfo = typeof TemplateInfo.Type

/** What a resource holds: a text, or bytes in base64. @category schemas */
export const ResourceContents = Schema.Struct({
  uri: Schema.String,
  mimeType: text,
  text,
  blob: text
})

/** What a resource holds, as a type. @category models */
export type ResourceContents = typeof ResourceContents.Type

/** A prompt of a server. @category schemas */
export const PromptInfo = Schema.Struct({
  name: Schema.String,
  title: text,
  description: text,
  arguments: Schema.optionalKey(
    Schema.NullOr(Schema.Array(Schema.Struct({ name: Schema.String, description: text, required: flag })))
  )
})

/** A prompt of a server, as a type. @category models */
export type PromptInfo = typeof PromptInfo.Type

const media = { data: Schema.String, mimeType: Schema.String }

/** A piece of what a tool or a prompt gives. @category schemas */
export const Content = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({ type: Schema.Literal("image"), ...media }),
  Schema.Struct({ type: Schema.Literal("audio"), ...media }),
  Schema.Struct({ type: Schema.Literal("resource"), resource: ResourceContents }),
  Schema.Struct({
    type: Schema.Literal("resource_link"),
    uri: Schema.String,
    name: Schema.String,
    description: text,
    mimeType: text
  })
])

/** A piece of what a tool or a prompt gives, as a type. @category models */
export type Content = typeof Content.Type

/** What a tool gives. @category schemas */
export const ToolResult = Schema.Struct({
  content: Schema.Array(Content),
  /** The same as data, where the tool says what it looks like. */
  structuredContent: Schema.optionalKey(Schema.NullOr(Schema.Json)),
  isError: flag
})

/** What a tool gives, as a type. @category models */
export type ToolResult = typeof ToolResult.Type

/** The messages of a prompt. @category schemas */
export const PromptResult = Schema.Struct({
  description: text,
  messages: Schema.Array(Schema.Struct({ role: Schema.Literals(["user", "assistant"]), content: Content }))
})

/** The messages of a prompt, as a type. @category models */
export type PromptResult = typeof PromptResult.Type

/** What a resource holds, in its parts. @category schemas */
export const ReadResult = Schema.Struct({ contents: Schema.Array(ResourceContents) })

/** How far a call is. @category models */
export interface Progress {
  readonly progress: number
  readonly total?: number
  readonly message?: string
}
