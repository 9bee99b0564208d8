/**
 * What other libraries' providers attach to their answers (signatures of thoughts, ids, encrypted content) and want back
 * with the next turn. It travels as the `signature` of a `Reasoning` event: opaque to everything between the provider
 * that wrote it and the provider that reads it.
 */
import type { JsonObject } from "../../services/Json.ts"
import * as Fields from "./Fields.ts"

/**
 * What was attached, by the vendors' names.
 *
 * @category models
 */
export interface Attachment {
  readonly metadata: { readonly [vendor: string]: JsonObject }
  /** The call that it belongs to; absent: it belongs to the thoughts. */
  readonly toolCall?: string | undefined
}

const mark = "metadata:"

/** Writes an attachment as a signature; absent where there is nothing to keep. @category codecs */
export const toSignature = (metadata: unknown, toolCall?: string): string | undefined => {
  const vendors = Object.entries(Fields.object(metadata) ?? {}).filter(([, value]) => {
    const object = Fields.object(value)
    return object !== undefined && Object.keys(object).length > 0
  })
  if (vendors.length === 0) return undefined
  return mark + JSON.stringify({ metadata: Object.fromEntries(vendors), toolCall })
}

/** Reads a signature that `toSignature` has written; absent for one that is a vendor's own. @category codecs */
export const fromSignature = (signature: unknown): Attachment | undefined => {
  if (typeof signature !== "string" || !signature.startsWith(mark)) return undefined
  const read = Fields.object(Fields.json(signature.slice(mark.length)))
  const metadata = Fields.object(read?.["metadata"])
  if (metadata === undefined) return undefined
  // It was JSON, and `toSignature` keeps objects alone.
  return { metadata: metadata as Attachment["metadata"], toolCall: Fields.text(read?.["toolCall"]) }
}
