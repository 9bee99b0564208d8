/**
 * Attachments of a request: texts, images, audio and documents, by address or by bytes (`Files.attachment` of
 * `effigent/layers/files` reads a path). They stand before the
 * text of the user message. What a provider does with one is its own business; one that it cannot take is a `ModelError`
 * with the reason `Unsupported`, and nothing is sent.
 */
import * as Result from "effect/Result"
import { Prompt } from "../../services/Ai.ts"

/**
 * A text with a name, or a file.
 *
 * @category models
 */
export type Attachment =
  | { readonly _tag: "Text"; readonly text: string; readonly name: string | undefined }
  | {
      readonly _tag: "File"
      readonly mediaType: string
      readonly data: Uint8Array | URL | string
      readonly name: string | undefined
      readonly detail: Detail | undefined
    }

/** How closely an image is looked at, where the provider lets one choose. @category models */
export type Detail = "auto" | "low" | "high"

/**
 * What is known of a file beside its content.
 *
 * @category models
 */
export interface Options {
  /** Default: from the data URL, the first bytes, or the ending of the name; `application/octet-stream` where none tells. */
  readonly mediaType?: string | undefined
  /** The file's name. Default: the last part of the path or the address. */
  readonly name?: string | undefined
  /** How closely an image is looked at. */
  readonly detail?: Detail | undefined
}

const endings: { readonly [ending: string]: string } = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  bmp: "image/bmp",
  svg: "image/svg+xml",
  wav: "audio/wav",
  mp3: "audio/mpeg",
  flac: "audio/flac",
  ogg: "audio/ogg",
  m4a: "audio/mp4",
  mp4: "video/mp4",
  pdf: "application/pdf",
  json: "application/json",
  yaml: "application/yaml",
  yml: "application/yaml",
  toml: "application/toml",
  xml: "application/xml",
  txt: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
  ts: "text/plain",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  zip: "application/zip"
}

const unknownType = "application/octet-stream"

const ofName = (name: string | undefined): string | undefined =>
  endings[(/\.([A-Za-z0-9]+)$/.exec(name ?? "")?.[1] ?? "").toLowerCase()]

// What files of a kind begin with, as Latin-1; a dot is any byte.
const beginnings: ReadonlyArray<readonly [RegExp, string]> = [
  [/^\x89PNG/, "image/png"],
  [/^\xff\xd8\xff/, "image/jpeg"],
  [/^GIF8/, "image/gif"],
  [/^RIFF[^]{4}WEBP/, "image/webp"],
  [/^BM/, "image/bmp"],
  [/^RIFF[^]{4}WAVE/, "audio/wav"],
  [/^(?:ID3|\xff[\xfb\xf3\xf2])/, "audio/mpeg"],
  [/^fLaC/, "audio/flac"],
  [/^OggS/, "audio/ogg"],
  [/^%PDF-/, "application/pdf"]
]

const ofBytes = (bytes: Uint8Array): string | undefined => {
  const head = String.fromCharCode(...bytes.subarray(0, 16))
  return beginnings.find(([pattern]) => pattern.test(head))?.[1]
}

const isText = (mediaType: string): boolean =>
  /^text\/|^application\/(?:[\w.-]+\+)?(?:json|xml|yaml|toml)$/.test(mediaType.replace(/;.*$/, ""))

const file = (data: Uint8Array | URL | string, mediaType: string, name: string | undefined, options: Options) =>
  ({ _tag: "File", mediaType, data, name, detail: options.detail }) as const

/**
 * A text of its own, such as a document or a log.
 *
 * @category constructors
 */
export const text = (text: string, options: Pick<Options, "name"> = {}): Attachment => ({
  _tag: "Text",
  text,
  name: options.name
})

/**
 * A file by its address: `https:`, or a `data:` URL. The provider fetches it; nothing is downloaded here.
 *
 * @category constructors
 */
export const fromUrl = (url: string | URL, options: Options = {}): Attachment => {
  const address = typeof url === "string" ? url : url.href
  const inline = /^data:([^;,]*)/i.exec(address)?.[1]
  const path = inline === undefined ? address.replace(/[?#].*$/s, "").replace(/^[a-z]+:\/\/[^/]*/i, "") : ""
  const name = options.name ?? (path.slice(path.lastIndexOf("/") + 1) || undefined)
  return file(address, options.mediaType ?? (inline || ofName(name)) ?? unknownType, name, options)
}

/**
 * A file by its bytes. Images, audio and PDF are recognised by their first bytes; what its type says to be text, and is
 * UTF-8, becomes a text.
 *
 * @example
 * ```ts
 * import { Attachment } from "effigent"
 *
 * const pdf = Attachment.fromBytes(new TextEncoder().encode("%PDF-1.7 ..."), { name: "contract.pdf" })
 * console.log(pdf._tag === "File" ? pdf.mediaType : "") // => application/pdf
 * ```
 *
 * @category constructors
 */
export const fromBytes = (bytes: Uint8Array, options: Options = {}): Attachment => {
  const { name } = options
  const mediaType = options.mediaType ?? ofBytes(bytes) ?? ofName(name) ?? unknownType
  const decoded = isText(mediaType) ? decode(bytes) : undefined
  return decoded === undefined ? file(bytes, mediaType, name, options) : text(decoded, { name })
}

const decode = (bytes: Uint8Array): string | undefined =>
  Result.getOrUndefined(Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)))

/**
 * The part of a user message that an attachment is.
 *
 * @category rendering
 */
export const toPart = (attachment: Attachment): Prompt.TextPart | Prompt.FilePart => {
  if (attachment._tag === "Text") {
    const { name, text } = attachment
    return Prompt.makePart("text", { text: name === undefined ? text : `[ATTACHMENT ${name}]:\n${text}` })
  }
  const { data, detail, mediaType, name } = attachment
  return Prompt.makePart("file", {
    mediaType,
    data,
    ...(name === undefined ? {} : { fileName: name }),
    ...(detail === undefined ? {} : { options: { openai: { imageDetail: detail } } })
  })
}
