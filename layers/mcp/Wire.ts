/** What carries messages to one server and back: a child process or HTTP. A wire is opened in a Scope and ends with it. */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ExecutorError, ExecutorErrorReason } from "../../services/ActionExecutor.ts"
import type { Notification, Request, Response, ServerRequest } from "./Protocol.ts"

/**
 * A message has not come through, or its answer has not.
 *
 * @category errors
 */
export class Lost extends Data.TaggedError("Lost")<{
  readonly reason: ExecutorErrorReason
  /** Whether the server may have got it. */
  readonly sent: boolean
  /** Whether the wire as a whole is at its end. */
  readonly over: boolean
}> {}

/** HTTP headers by name. @category models */
export type Headers = Readonly<Record<string, string>>

/** Takes what comes in besides answers; gives the answer to a request of the server. @category models */
export type Receive = (message: Notification | ServerRequest) => Effect.Effect<Response | undefined>

/**
 * An open connection. Interrupting `request` tells the server that it is cancelled.
 *
 * @category models
 */
export interface Wire {
  readonly request: (message: Request, headers: Headers) => Effect.Effect<Response, Lost>
  readonly notify: (message: Notification, headers: Headers) => Effect.Effect<void, Lost>
  /** Waits for the end of the wire. */
  readonly ended: Effect.Effect<Lost>
  /** Is told what the handshake came to; afterwards messages that answer nothing may come. */
  readonly greeted: (version: string, headers: Headers) => Effect.Effect<void>
  /** What it would be useful to know where the server does not answer: what it has said instead. */
  readonly hint: () => string
}

/**
 * How to reach a server: `R` is what that needs, `H` what the headers of a message need.
 *
 * @category models
 */
export interface Transport<out R = never, out H = never> {
  /** Where the server is, for messages: the command, or the URL without its secrets. */
  readonly target: string
  /** Headers of each message: those of whoever sends it. */
  readonly headers: Effect.Effect<Headers, ExecutorError, H>
  readonly open: (receive: Receive) => Effect.Effect<Wire, Lost, R | Scope.Scope>
}

/** That a request is cancelled. @category constructors */
export const cancelled = (id: number): Notification => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId: id, reason: "the caller was interrupted" }
})

/** How many characters a message may have, either way. @category limits */
export const largest = 16 * 1024 * 1024
