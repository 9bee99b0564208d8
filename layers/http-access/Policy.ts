/** Whom a model may ask over HTTP, and how: the options, their defaults, and the names of all rules that refuse. */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

/**
 * Whom a model may ask, and how.
 *
 * @category models
 */
export interface Options {
  /**
   * The hosts that may be asked: `example.com`, `*.example.com` (its subdomains), `*` (every public host), each with a
   * port behind it where it is not that of the scheme: `example.com:8443`.
   */
  readonly hosts: ReadonlyArray<string>
  /** Default: `https` alone. */
  readonly schemes?: ReadonlyArray<"https" | "http"> | undefined
  /** Default: `GET` and `HEAD`. */
  readonly methods?: ReadonlyArray<string> | undefined
  /** The headers that a request may set. Instead of `requestHeaders`. */
  readonly requestHeaders?: ReadonlyArray<string> | undefined
  /** The headers that an answer shows. Instead of `responseHeaders`. */
  readonly responseHeaders?: ReadonlyArray<string> | undefined
  /** Hosts that may have private addresses: services of your own. Exact names or addresses; they have to be in `hosts` too. */
  readonly privateHosts?: ReadonlyArray<string> | undefined
  /**
   * Headers that are added to requests to one host, and to no other, over `https` alone unless it is one of
   * `privateHosts`: `{ "api.example.com": { authorization: Redacted.make("Bearer ...") } }`.
   */
  readonly credentials?: Readonly<Record<string, Readonly<Record<string, Redacted.Redacted<string>>>>> | undefined
  /** What is done with what is no text. Default: `refuse`. */
  readonly binary?: "refuse" | "base64" | undefined
  readonly limits?: Partial<Limits> | undefined
  /** Asks for the addresses of a host. Default: the resolver of this machine. */
  readonly resolve?: ((host: string) => Effect.Effect<ReadonlyArray<string>, { readonly message: string }>) | undefined
}

/**
 * How much at once.
 *
 * @category models
 */
export interface Limits {
  /** Milliseconds from the first look-up to the last byte. Default: 20,000. */
  readonly millis: number
  /** Bytes of an answer, as they come and as they are unpacked. Default: 5 MiB. */
  readonly bytes: number
  /** Characters of text that an answer shows. Default: 100,000. */
  readonly textLength: number
  /** Bytes of a request's body. Default: 1 MiB. */
  readonly requestBytes: number
  /** Bytes of an answer's headers. Default: 16 KiB. */
  readonly headerBytes: number
  /** Redirections that are followed. Default: 5. */
  readonly redirects: number
}

/** How much at once where nobody says. @category constants */
export const limits: Limits = {
  millis: 20_000,
  bytes: 5 * 1024 * 1024,
  textLength: 100_000,
  requestBytes: 1024 * 1024,
  headerBytes: 16 * 1024,
  redirects: 5
}

/** The headers that a request may set where nobody says. @category constants */
export const requestHeaders: ReadonlyArray<string> = [
  "accept",
  "accept-language",
  "content-type",
  "if-modified-since",
  "if-none-match"
]

/** The headers that an answer shows where nobody says. @category constants */
export const responseHeaders: ReadonlyArray<string> = [
  "allow",
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "date",
  "etag",
  "last-modified",
  "link",
  "location",
  "retry-after"
]

/** What belongs to the connection or names who asks: no request sets it, whatever the policy says. */
export const ownHeaders: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via"
])

/**
 * The rules that refuse, by the names that stand in `Refused.rule`.
 *
 * @category constants
 */
export const rules = {
  /** A URL is complete, without control characters, spaces, backslashes, and at most 8,192 characters long. */
  "url.malformed": "a URL is complete and plain",
  /** No `user:password@` in a URL. */
  "url.userinfo": "a URL names no user",
  /** The scheme is one of the policy. */
  "url.scheme": "the policy allows the scheme",
  /** The host is one of the policy. */
  "host.notAllowed": "the policy allows the host",
  /** The port is that of the scheme, or one of the policy. */
  "host.port": "the policy allows the port",
  /** The host is public: its name, and every address that it has. */
  "host.private": "the host is public",
  /** The method is one of the policy. */
  "method.notAllowed": "the policy allows the method",
  /** A header is one of the policy. */
  "header.notAllowed": "the policy allows the header",
  /** A header has a name and one line of text. */
  "header.malformed": "a header is one line",
  /** `GET` and `HEAD` have no body. */
  "body.notAllowed": "the method has a body",
  /** An answer is packed in a way that is known, at most once. */
  "body.encoding": "an answer is packed once",
  /** An answer is text. */
  "body.binary": "an answer is text",
  /** A redirection does not lead from https to http. */
  "redirect.downgrade": "a redirection stays with https",
  /** A body is not sent on to another host. */
  "redirect.body": "a body goes to one host"
} as const

/** The name of a rule. @category models */
export type Rule = keyof typeof rules
