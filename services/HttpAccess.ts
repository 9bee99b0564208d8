/**
 * HTTP for models, as a service: one request in, one bounded answer out, both JSON. Which hosts may be asked, how, and how
 * much may come back is the policy of the implementation; `effigent/layers/http-access` has one that refuses everything
 * private by default.
 *
 * What an implementation promises:
 *
 * - no connection is opened to an address that the policy does not allow, by whatever name or redirection;
 * - an answer is bounded in size, as it is unpacked, and in time;
 * - what identifies the program to one host is never sent to another one.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutorError } from "./ActionExecutor.ts"

/**
 * A request.
 *
 * @category models
 */
export const HttpAsk = Schema.Struct({
  url: Schema.String,
  /** Default: `GET`. */
  method: Schema.optionalKey(Schema.String),
  headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  /** The body, as text. */
  body: Schema.optionalKey(Schema.String),
  /** How a web page is given: its text with links as Markdown (`text`, the default), or as it came (`source`). */
  page: Schema.optionalKey(Schema.Literals(["text", "source"]))
})

/** A request, as a type. @category models */
export type HttpAsk = typeof HttpAsk.Type

/**
 * An answer, whatever its status.
 *
 * @category models
 */
export const HttpAnswer = Schema.Struct({
  /** The URL that answered, after all redirections. */
  url: Schema.String,
  status: Schema.Int,
  /** What the policy lets through of the headers, in small letters. */
  headers: Schema.Record(Schema.String, Schema.String),
  /** The body: text, or Base64 where it is binary. */
  body: Schema.String,
  encoding: Schema.Literals(["text", "base64"]),
  /** Bytes of the body, unpacked. */
  size: Schema.Int,
  /** Whether the text is cut. */
  truncated: Schema.Boolean,
  /** How many redirections there were. */
  redirects: Schema.Int
})

/** An answer, as a type. @category models */
export type HttpAnswer = typeof HttpAnswer.Type

/**
 * HTTP for models.
 *
 * @category services
 */
export class HttpAccess extends Context.Service<
  HttpAccess,
  {
    /** Sends a request and reads the whole answer. A status of 400 and more is an answer too. */
    readonly fetch: (ask: HttpAsk) => Effect.Effect<HttpAnswer, ExecutorError>
  }
>()("effigent/HttpAccess") {}
