/**
 * Who may use a server. Without any of these a server runs on this machine's loopback addresses alone.
 */
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Redacted from "effect/Redacted"
import * as Problem from "./Problem.ts"

/**
 * Who asks.
 *
 * @category models
 */
export interface Principal {
  /** By which its streams are counted and its requests are logged. */
  readonly id: string
}

/**
 * How requests are admitted.
 *
 * @category models
 */
export type Auth<R = never> =
  | {
      readonly _tag: "Checked"
      /** The scheme, for the OpenAPI document: `bearer`, or in words. */
      readonly scheme: string
      readonly check: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Principal, Problem.Refused, R>
    }
  /** Whoever mounts the handler has admitted the request. */
  | { readonly _tag: "Elsewhere" }

const digest = (text: string): Buffer => Crypto.createHash("sha256").update(text).digest()

const unauthorized = (detail: string): Problem.Refused => Problem.refuse(401, "Unauthorized", detail)

/**
 * Admits requests with one of these tokens (`Authorization: Bearer <token>`). Compared in a time that says nothing about
 * the tokens.
 *
 * @param tokens each token by the id of whom it belongs to
 * @category constructors
 */
export const bearer = (tokens: { readonly [principal: string]: Redacted.Redacted }): Auth => {
  const known = Object.entries(tokens).map(([id, token]) => ({ id, digest: digest(Redacted.value(token)) }))
  return {
    _tag: "Checked",
    scheme: "bearer",
    check: (request) =>
      Effect.suspend(() => {
        const header = request.headers.authorization
        if (header === undefined) return Effect.fail(unauthorized("Send a header `Authorization: Bearer <token>`."))
        const [, token] = /^bearer +(\S+)$/i.exec(header) ?? []
        const given = digest(token ?? "")
        let found: string | undefined
        // All of them, so that the time does not tell which one it was.
        for (const one of known) if (Crypto.timingSafeEqual(one.digest, given)) found = one.id
        return token === undefined || found === undefined
          ? Effect.fail(unauthorized("The token is not known. Check it, or ask for another one."))
          : Effect.succeed({ id: found })
      })
  }
}

/**
 * Admits requests by a check of the program's own: it gives who asks, or `undefined` for nobody (401).
 *
 * @category constructors
 */
export const custom = <R>(
  check: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Principal | undefined, Problem.Refused, R>
): Auth<R> => ({
  _tag: "Checked",
  scheme: "custom",
  check: (request) =>
    Effect.flatMap(check(request), (principal) =>
      principal === undefined ? Effect.fail(unauthorized("The request was not admitted.")) : Effect.succeed(principal)
    )
})

/** Says that the server in which the handler is mounted has admitted the request. @category constructors */
export const elsewhere: Auth = { _tag: "Elsewhere" }
