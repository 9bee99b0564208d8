/** Images in prompts: a file part carries bytes, base64, a data URL or an address; vendors want one of two forms. */
import * as Base64 from "effect/encoding/Base64"
import type { Prompt } from "../../services/Ai.ts"

/** An image by its address, or its bytes in base64. @category models */
export type Image =
  | { readonly _tag: "Url"; readonly url: string }
  | { readonly _tag: "Base64"; readonly mediaType: string; readonly data: string }

const dataUrl = /^data:([^;,]*)(?:;[^,]*)?;base64,(.*)$/s

/**
 * The image of a file part, or absent where the part is no image. The media type `image/*` stands for JPEG.
 *
 * @category reading
 */
export const fromFile = (part: Prompt.FilePart): Image | undefined => {
  if (!part.mediaType.startsWith("image/")) return undefined
  const mediaType = part.mediaType === "image/*" ? "image/jpeg" : part.mediaType
  if (part.data instanceof Uint8Array) return { _tag: "Base64", mediaType, data: Base64.encode(part.data) }
  const source = part.data instanceof URL ? part.data.href : part.data
  const match = dataUrl.exec(source)
  if (match !== null) return { _tag: "Base64", mediaType: match[1] || mediaType, data: match[2] ?? "" }
  return /^https?:\/\//i.test(source) ? { _tag: "Url", url: source } : { _tag: "Base64", mediaType, data: source }
}
