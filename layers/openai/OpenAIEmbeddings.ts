/**
 * An `EmbeddingProvider` over OpenAI's embeddings endpoint, as OpenAI and most other servers speak it (Azure, Ollama,
 * vLLM, Jina, Voyage, ...). Many texts go out as several requests, some at once. Retrying is not done here.
 *
 * The official SDK builds and sends the requests. Answers are read field by field: every text has to have got its vector,
 * and all vectors have to be of one length, else the answer is `Malformed`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { EmbeddingProvider, type EmbeddingRequest, type Embeddings } from "../../services/EmbeddingProvider.ts"
import type { ModelError } from "../../services/ModelError.ts"
import type * as Endpoint from "../../src/wire/Endpoint.ts"
import * as Fields from "../../src/wire/Fields.ts"
import * as Client from "./Client.ts"

/**
 * Where and how to ask.
 *
 * @category models
 */
export interface Options extends Omit<Endpoint.EndpointOptions, "timeouts"> {
  /** The base URL, up to and with the version. Default `https://api.openai.com/v1`. */
  readonly baseUrl?: string | undefined
  /** The organization that pays. */
  readonly organization?: string | undefined
  /** The project that pays. */
  readonly project?: string | undefined
  /** The length of the vectors where a request names none. Default: the model's own. */
  readonly dimensions?: number | undefined
  /** How many texts one request takes at most. Default 256; OpenAI takes 2,048. */
  readonly batchSize?: number | undefined
  /** How many characters the texts of one request have together at most, unless it is one text. Default 250,000. */
  readonly batchCharacters?: number | undefined
  /** How many requests run at once. Default 4. */
  readonly concurrency?: number | undefined
  /**
   * How the vectors are sent. `base64` is a quarter of the size, and not every server knows it; either is understood,
   * whatever was asked for. Default `float`.
   */
  readonly encoding?: "float" | "base64" | undefined
  /** From sending a request to the end of its answer. Default 60 s. */
  readonly timeout?: Duration.Input | undefined
  /** The provider's name in errors and spans. Default `openai`. */
  readonly name?: string | undefined
}

interface Batch {
  readonly vectors: ReadonlyArray<Float32Array>
  readonly model: string | undefined
  readonly tokens: number | undefined
}

const batchesOf = (texts: ReadonlyArray<string>, size: number, characters: number) => {
  const batches: Array<Array<string>> = []
  let length = 0
  for (const text of texts) {
    const last = batches.at(-1)
    length += text.length
    if (last === undefined || last.length >= size || length > characters) {
      batches.push([text])
      length = text.length
    } else last.push(text)
  }
  return batches
}

const vectorOf = (value: unknown): Float32Array | undefined => {
  if (typeof value === "string") {
    const bytes = Base64.decode(value)
    if (Result.isFailure(bytes) || bytes.success.length % 4 !== 0) return undefined
    const view = new DataView(bytes.success.buffer, bytes.success.byteOffset, bytes.success.length)
    return Float32Array.from({ length: bytes.success.length / 4 }, (_, i) => view.getFloat32(i * 4, true))
  }
  const numbers = Fields.list(value)
  return numbers.every((one) => typeof one === "number") ? Float32Array.from(numbers) : undefined
}

const isVector = (vector: Float32Array | undefined, length: number | undefined): vector is Float32Array =>
  vector !== undefined &&
  vector.length > 0 &&
  vector.length === (length ?? vector.length) &&
  vector.every(Number.isFinite)

// What is wrong with an answer is said in words.
const read = (body: string, count: number): Result.Result<Batch, string> => {
  const answer = Fields.object(Fields.json(body))
  if (answer === undefined) return Result.fail("expected a JSON object")
  const data = Fields.list(answer["data"])
  if (data.length !== count) return Result.fail(`expected ${count} vectors, got ${data.length}`)
  const vectors = Array.from<Float32Array | undefined>({ length: count })
  for (const [position, item] of data.entries()) {
    const fields = Fields.object(item)
    vectors[Fields.number(fields?.["index"]) ?? position] = vectorOf(fields?.["embedding"])
  }
  const length = vectors[0]?.length
  const missing = vectors.findIndex((vector) => !isVector(vector, length))
  if (missing >= 0 || vectors.length !== count) {
    return Result.fail(`text ${Math.max(missing, 0)} of ${count} has no vector of the length of the others`)
  }
  return Result.succeed({
    vectors: vectors.filter((vector) => vector !== undefined),
    model: Fields.text(answer["model"]),
    tokens: Fields.number(Fields.object(answer["usage"])?.["prompt_tokens"])
  })
}

/** The provider as a value. @category constructors */
export const make = (options: Options): EmbeddingProvider["Service"] => {
  const { failures, name, onRejected: rejected, sdk: client } = Client.open(options)
  const limit = Duration.fromInputUnsafe(options.timeout ?? "60 seconds")

  const send = Effect.fnUntraced(function* (texts: ReadonlyArray<string>, request: EmbeddingRequest, model: string) {
    const now = yield* Clock.currentTimeMillis
    const dimensions = request.dimensions ?? options.dimensions
    const body = {
      model,
      input: [...texts],
      encoding_format: options.encoding ?? "float",
      ...(dimensions === undefined ? {} : { dimensions })
    }
    let connected = false
    // One promise for headers and body, so that an interruption aborts either.
    const text = yield* Effect.tryPromise({
      try: (signal) =>
        client.embeddings
          .create(body, { signal })
          .asResponse()
          .then((response) => {
            connected = true
            return response.text()
          }),
      catch: (cause) => (connected ? failures.lost(cause) : rejected(cause, now))
    })
    const batch = read(text, texts.length)
    return Result.isSuccess(batch) ? batch.success : yield* Effect.fail(failures.malformed(batch.failure, text))
  })

  return {
    name,
    embed: Effect.fnUntraced(function* (request): Effect.fn.Return<Embeddings, ModelError> {
      const model = request.model ?? options.model
      const batches = batchesOf(request.texts, options.batchSize ?? 256, options.batchCharacters ?? 250_000)
      const one = (texts: ReadonlyArray<string>) =>
        send(texts, request, model).pipe(
          Effect.timeoutOrElse({
            duration: limit,
            orElse: () => Effect.fail(failures.timedOut("total", Duration.toMillis(limit)))
          }),
          Effect.mapError((reason) => failures.error(model, reason))
        )
      const answers = yield* Effect.forEach(batches, one, { concurrency: options.concurrency ?? 4 })
      const vectors = answers.flatMap((answer) => answer.vectors)
      const odd = vectors.find((vector) => vector.length !== vectors[0]?.length)
      if (odd !== undefined) {
        const detail = `the requests of one call got vectors of ${vectors[0]?.length} and of ${odd.length} dimensions`
        return yield* failures.error(model, failures.malformed(detail, ""))
      }
      const told = answers.flatMap(({ tokens }) => (tokens === undefined ? [] : [tokens]))
      const usage = told.length === 0 ? {} : { inputTokens: told.reduce((sum, tokens) => sum + tokens, 0) }
      return { vectors, model: answers[0]?.model ?? model, usage }
    })
  }
}

/**
 * The provider as a layer.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { OpenAIEmbeddings } from "effigent/layers/openai"
 *
 * const local = OpenAIEmbeddings.layer({ baseUrl: "http://localhost:11434/v1", model: "nomic-embed-text" })
 * console.log(Layer.isLayer(local)) // => true
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<EmbeddingProvider> =>
  Layer.sync(EmbeddingProvider, () => make(options))
