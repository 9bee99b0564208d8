/** SHA-256 of texts and JSON: what approvals are bound to and artifacts are known by. */
import * as Effect from "effect/Effect"
import { canonical } from "../../services/Json.ts"

const utf8 = new TextEncoder()

/** SHA-256 of a text in UTF-8: 64 hexadecimal digits. @category conversions */
export const ofText = (text: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", utf8.encode(text))),
    (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  )

/** SHA-256 of JSON, in which the order of keys does not count. @category conversions */
export const ofJson = (json: unknown): Effect.Effect<string> => ofText(canonical(json))
