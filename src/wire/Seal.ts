/**
 * Thoughts that a vendor has signed or encrypted, on their way back to it. A seal says who set it; only there it can be
 * read, and every other vendor refuses the whole request for it. So a conversation that moves to another vendor leaves
 * the seals of the one before behind, and takes them up again where it moves back.
 */
import type { Prompt } from "../../services/Ai.ts"
import * as Fields from "./Fields.ts"
import * as Opaque from "./Opaque.ts"

/**
 * What a vendor wants back with a thought.
 *
 * @category models
 */
export interface Seal {
  readonly signature?: string | undefined
  readonly redacted?: string | undefined
}

/** Who seals: a protocol at a host, as `anthropic@api.anthropic.com`. @category constructors */
export const vendor = (protocol: string, baseUrl: string): string =>
  `${protocol}@${URL.canParse(baseUrl) ? new URL(baseUrl).host : baseUrl}`

/**
 * The seal of a thought, where this vendor has set it. One that does not say who set it counts as the vendor's own.
 *
 * @category reading
 */
export const of = (part: Prompt.ReasoningPart, vendor: string): Seal => {
  const options = Fields.object(part.options["effigent"])
  const by = Fields.text(options?.["vendor"])
  if (by !== undefined && by !== vendor) return {}
  const signature = Fields.text(options?.["signature"])
  return {
    redacted: Fields.text(options?.["redacted"]),
    // Another library's attachment is no signature of the vendor's.
    signature: Opaque.fromSignature(signature) === undefined ? signature : undefined
  }
}
