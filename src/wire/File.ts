/**
 * Files in prompts: a file part carries bytes, base64, a data URL or an address. Vendors want raw base64 with a media type,
 * a data URL, or an address, each in its own place; this gives any of them from any of them.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { Prompt } from "../../services/Ai.ts"

/** A file by its address, or its bytes in base64. @category models */
export type File =
  | { readonly _tag: "Url"; readonly url: string; readonly mediaType: string }
  | { readonly _tag: "Base64"; readonly mediaType: string; readonly data: string }

const dataUrl = /^data:([^;,]*)((?:;[^,]*)?),(.*)$/is

/**
 * The file of a file part. The media type `image/*` stands for JPEG; a data URL says its own.
 *
 * @category reading
 */
export const of = (part: Prompt.FilePart): File => {
  const mediaType = part.mediaType === "image/*" ? "image/jpeg" : part.mediaType
  if (part.data instanceof Uint8Array) return { _tag: "Base64", mediaType, data: Base64.encode(part.data) }
  const source = part.data instanceof URL ? part.data.href : part.data
  const match = dataUrl.exec(source)
  if (match === null) {
    return /^https?:\/\//i.test(source)
      ? { _tag: "Url", mediaType, url: source }
      : { _tag: "Base64", mediaType, data: source }
  }
  const [, type = "", parameters = "", body = ""] = match
  const isBase64 = /;base64$/i.test(parameters)
  return { _tag: "Base64", mediaType: type || mediaType, data: isBase64 ? body : Base64.encode(unescape(body)) }
}

const unescape = (body: string): string =>
  Result.getOrElse(
    Result.try(() => decodeURIComponent(body)),
    () => body
  )

/** The data URL of a file that has its bytes. @category rendering */
export const toDataUrl = (file: Extract<File, { readonly _tag: "Base64" }>): string =>
  `data:${file.mediaType};base64,${file.data}`

/** Why a file that stands at an address cannot be sent where its bytes are wanted. @category rendering */
export const notByAddress = (file: File): string =>
  `a file of type ${kindOf(file)} cannot be sent by its address; attach its bytes, or read it from a path`

/**
 * The text of a text file, or why there is none: it stands at an address, or its bytes are no UTF-8.
 *
 * @category reading
 */
export const textOf = (file: File): Result.Result<string, string> =>
  file._tag === "Url"
    ? Result.fail(notByAddress(file))
    : Result.mapError(
        Result.flatMap(Base64.decode(file.data), (bytes) =>
          Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes))
        ),
        () => `a file of type ${kindOf(file)} cannot be sent, for it is no UTF-8 text`
      )

/** The media type without its parameters, in lower case. @category reading */
export const kindOf = (file: File): string => file.mediaType.replace(/;.*$/s, "").trim().toLowerCase()
