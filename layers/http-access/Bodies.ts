/** The bodies of answers: read and unpacked within bounds, and turned into text by what they say they are. */
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Zlib from "node:zlib"
import { Broken, type ExecutorErrorReason, LimitExceeded } from "../../services/ActionExecutor.ts"
import { refused } from "./Targets.ts"

const tooLarge = (limit: number, how: string) =>
  new LimitExceeded({ limit: "output", detail: `the answer has more than ${limit} bytes${how}; ask for less of it` })

type Unpack = (
  bytes: Uint8Array,
  options: { readonly maxOutputLength: number },
  done: (error: Error | null, bytes: Uint8Array) => void
) => void

const unpackers: Readonly<Record<string, Unpack>> = {
  gzip: Zlib.gunzip,
  "x-gzip": Zlib.gunzip,
  // Some servers leave out the head that the standard asks for; those fail.
  deflate: Zlib.inflate,
  br: Zlib.brotliDecompress
}

/** What an answer may be packed with, as a request says it. */
export const packings = "gzip, deflate, br"

const unpack = (bytes: Uint8Array, how: Unpack, limit: number): Effect.Effect<Uint8Array, ExecutorErrorReason> =>
  Effect.callback((resume) => {
    how(bytes, { maxOutputLength: limit }, (error, all) => {
      if (error === null) resume(Effect.succeed(all))
      else if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
        resume(Effect.fail(tooLarge(limit, " unpacked")))
      else resume(Effect.fail(new Broken({ detail: `the answer cannot be unpacked: ${error.message}` })))
    })
  })

/** Reads a body and unpacks it. Neither what comes nor what it unpacks to is more than `limit` bytes. */
export const read = Effect.fnUntraced(function* (
  { headers, stream }: HttpClientResponse,
  limit: number,
  failed: (error: HttpClientError.HttpClientError) => ExecutorErrorReason
): Effect.fn.Return<Uint8Array, ExecutorErrorReason> {
  const packed = (headers["content-encoding"] ?? "").trim().toLowerCase()
  const how = packed === "" || packed === "identity" ? undefined : unpackers[packed]
  if (how === undefined && packed !== "" && packed !== "identity") {
    return yield* Effect.fail(
      refused("body.encoding", `the answer is packed with ${JSON.stringify(packed.slice(0, 100))}`)
    )
  }
  if (Number(headers["content-length"] ?? 0) > limit) return yield* Effect.fail(tooLarge(limit, ""))
  const chunks: Array<Uint8Array> = []
  let length = 0
  yield* stream.pipe(
    Stream.mapError(failed),
    Stream.runForEach((chunk) => {
      length += chunk.length
      if (length > limit) return Effect.fail(tooLarge(limit, ""))
      chunks.push(chunk)
      return Effect.void
    })
  )
  const bytes = Buffer.concat(chunks)
  return how === undefined || bytes.length === 0 ? bytes : yield* unpack(bytes, how, limit)
})

const texts =
  /^(text\/|application\/(json|xml|javascript|ecmascript|yaml|toml|sql|graphql|x-www-form-urlencoded|x-ndjson|ld\+json)\b|[a-z]+\/[a-z0-9.-]+\+(json|xml|yaml)\b|image\/svg)/

/** What a body is, by its content type and its first bytes. */
export interface Kind {
  readonly isText: boolean
  readonly isPage: boolean
  readonly charset: string
}

/** What a body is. */
export const kindOf = (contentType: string, bytes: Uint8Array): Kind => {
  const type = contentType.trim().toLowerCase()
  const charset = /;\s*charset\s*=\s*"?([a-z0-9._:-]{1,40})/.exec(type)?.[1] ?? "utf-8"
  const isWide = charset.startsWith("utf-16")
  const head = bytes.subarray(0, 8192)
  const isText = (type === "" || texts.test(type)) && (isWide || !head.includes(0))
  return { isText, isPage: /^(text\/html|application\/xhtml\+xml)\b/.test(type), charset }
}

/** A body as text; bytes that are no character of the charset become the replacement character. */
export const textOf = (bytes: Uint8Array, charset: string): Effect.Effect<string, ExecutorErrorReason> =>
  Effect.fromResult(
    Result.mapError(
      Result.try(() => new TextDecoder(charset).decode(bytes)),
      () => refused("body.binary", `nobody knows the charset ${JSON.stringify(charset)}`)
    )
  )
