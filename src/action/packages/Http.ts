/**
 * Actions over `HttpAccess`. Which hosts may be asked is its policy. Reading and sending are two actions: running the one
 * again changes nothing, running the other again may.
 */
import * as Schema from "effect/Schema"
import { HttpAccess, HttpAnswer } from "../../../services/HttpAccess.ts"
import * as Action from "../Action.ts"

/**
 * How requests that may change something are approved.
 *
 * @category options
 */
export interface Options {
  /** Whether they need approval. Default: `always`. Reading never does. */
  readonly approval?: Action.Approval<unknown> | undefined
}

const Url = Schema.String.annotate({ description: "A complete URL with its scheme" })
const Headers = Schema.optionalKey(Schema.Record(Schema.String, Schema.String))

/** Reads what stands at a URL. @category actions */
export const fetchUrl = Action.make("fetch_url", {
  description:
    "Read what stands at a URL. Of a web page you get the text, with headings and links as Markdown; " +
    "with page: source as it came. Only some hosts can be asked.",
  input: Schema.Struct({
    url: Url,
    headers: Headers,
    page: Schema.optionalKey(Schema.Literals(["text", "source"]))
  }),
  output: HttpAnswer,
  sideEffect: "pure",
  run: (ask) => HttpAccess.use((http) => http.fetch(ask))
})

/** Sends a request that may change something. @category constructors */
export const sendRequest = ({ approval = "always" }: Options = {}) =>
  Action.make("send_http_request", {
    description: "Send an HTTP request that may change something, with a body. To read use fetch_url.",
    input: Schema.Struct({
      url: Url,
      method: Schema.Literals(["POST", "PUT", "PATCH", "DELETE"]),
      headers: Headers,
      body: Schema.optionalKey(Schema.String)
    }),
    output: HttpAnswer,
    sideEffect: "once",
    approval,
    run: (ask) => HttpAccess.use((http) => http.fetch(ask))
  })

/** Both actions. @category constructors */
export const all = (options: Options = {}) => [fetchUrl, sendRequest(options)] as const
