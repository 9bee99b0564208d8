import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { OpenAIEmbeddings } from "effigent/layers/openai"
import type { EmbeddingRequest } from "effigent/services/EmbeddingProvider"
import { type Answer, eventually, serve } from "../wire/Server.ts"

const json =
  (
    make: (
      body: { readonly input: ReadonlyArray<string>; readonly encoding_format: string },
      ordinal: number
    ) => unknown
  ): Answer =>
  (response, request, ordinal) => {
    response.writeHead(200, { "content-type": "application/json" })
    const value = make(JSON.parse(request.body), ordinal)
    response.end(typeof value === "string" ? value : JSON.stringify(value))
  }

// A vector that tells its text: the length of it, and its first character.
const vectorOf = (text: string) => [text.length, text.charCodeAt(0) / 2, 0.5]

const honest = json(({ input }) => ({
  model: "embed-1",
  data: input.map((text, index) => ({ index, embedding: vectorOf(text) })).toReversed(),
  usage: { prompt_tokens: input.length * 2 }
}))

const ask = (answer: Answer, request: EmbeddingRequest, options: Partial<OpenAIEmbeddings.Options> = {}) =>
  Effect.gen(function* () {
    const server = yield* serve(answer)
    const provider = OpenAIEmbeddings.make({ model: "m1", baseUrl: `${server.url}/v1`, ...options })
    const outcome = yield* Effect.result(provider.embed(request))
    return { outcome, server, bodies: server.received.map(({ body }) => JSON.parse(body)) }
  })

const failure = Effect.fnUntraced(function* (answer: Answer, options: Partial<OpenAIEmbeddings.Options> = {}) {
  const { outcome } = yield* ask(answer, { texts: ["a", "b"] }, options)
  if (outcome._tag === "Success") return assert.fail("it succeeds")
  return outcome.failure
})

describe("OpenAIEmbeddings", () => {
  it.live("sends what was asked for, and puts the vectors in the order of the texts", () =>
    Effect.gen(function* () {
      const texts = ["one", "three", "\u00fcber \ud83d\ude00"]
      const { bodies, outcome, server } = yield* ask(
        honest,
        { texts, dimensions: 3 },
        { apiKey: Redacted.make("sk-1") }
      )
      assert.deepStrictEqual(bodies, [{ model: "m1", input: texts, encoding_format: "float", dimensions: 3 }])
      assert.strictEqual(server.received[0]?.path, "/v1/embeddings")
      assert.strictEqual(server.received[0]?.headers["authorization"], "Bearer sk-1")
      assert.deepStrictEqual(outcome._tag === "Success" ? outcome.success : undefined, {
        vectors: texts.map((text) => Float32Array.from(vectorOf(text))),
        model: "embed-1",
        usage: { inputTokens: 6 }
      })
    })
  )

  it.live("a request's model and dimensions win over the layer's", () =>
    Effect.gen(function* () {
      const { bodies } = yield* ask(honest, { texts: ["a"], model: "m2", dimensions: 8 }, { dimensions: 4 })
      assert.deepInclude(bodies[0], { model: "m2", dimensions: 8 })
      assert.deepInclude((yield* ask(honest, { texts: ["a"] }, { dimensions: 4 })).bodies[0], { dimensions: 4 })
    })
  )

  it.live("many texts go out in batches by number and by size, some at once, and come back in order", () =>
    Effect.gen(function* () {
      const texts = Array.from({ length: 25 }, (_, i) => "x".repeat(i + 1))
      const { bodies, outcome } = yield* ask(honest, { texts }, { batchSize: 10, batchCharacters: 100, concurrency: 3 })
      const sizes = bodies.map(({ input }) => input.length)
      assert.strictEqual(
        sizes.reduce((sum, size) => sum + size, 0),
        25
      )
      assert.isAtLeast(bodies.length, 4)
      for (const { input } of bodies) {
        assert.isAtMost(input.length, 10)
        assert.isAtMost(input.join("").length, 100)
      }
      if (outcome._tag === "Failure") return assert.fail(outcome.failure.message)
      assert.deepStrictEqual(
        outcome.success.vectors.map((vector) => vector[0]),
        texts.map(({ length }) => length)
      )
      assert.strictEqual(outcome.success.usage.inputTokens, 50)
    })
  )

  it.live("a text longer than a batch goes out alone; no texts, no request", () =>
    Effect.gen(function* () {
      const long = yield* ask(honest, { texts: ["a", "x".repeat(50), "b"] }, { batchCharacters: 10, concurrency: 1 })
      assert.deepStrictEqual(
        long.bodies.map(({ input }) => input.length),
        [1, 1, 1]
      )
      const none = yield* ask(honest, { texts: [] })
      assert.lengthOf(none.bodies, 0)
      assert.deepStrictEqual(none.outcome._tag === "Success" ? none.outcome.success.vectors : undefined, [])
    })
  )

  it.live("base64 vectors are understood, asked for or not", () =>
    Effect.gen(function* () {
      const encoded = json(({ encoding_format, input }) => ({
        data: input.map((text) => ({
          embedding: Buffer.from(Float32Array.from(vectorOf(text)).buffer).toString("base64")
        })),
        format: encoding_format
      }))
      for (const encoding of ["base64", undefined] as const) {
        const { bodies, outcome } = yield* ask(encoded, { texts: ["one", "two!"] }, { encoding })
        assert.strictEqual(bodies[0].encoding_format, encoding ?? "float")
        if (outcome._tag === "Failure") return assert.fail(outcome.failure.message)
        assert.deepStrictEqual(
          outcome.success.vectors,
          [vectorOf("one"), vectorOf("two!")].map((one) => Float32Array.from(one))
        )
        assert.deepStrictEqual([outcome.success.model, outcome.success.usage], ["m1", {}])
      }
    })
  )

  it.live("an answer in which a text has no good vector is Malformed", () =>
    Effect.gen(function* () {
      const good = [1, 2]
      for (const data of [
        [{ index: 0, embedding: good }],
        [
          { index: 0, embedding: good },
          { index: 0, embedding: good }
        ],
        [
          { index: 0, embedding: good },
          { index: 7, embedding: good }
        ],
        [
          { index: 0, embedding: good },
          { index: -1, embedding: good }
        ],
        [
          { index: 0, embedding: good },
          { index: 1.5, embedding: good }
        ],
        [
          { index: 0, embedding: good },
          { index: 1, embedding: [1] }
        ],
        [
          { index: 0, embedding: good },
          { index: 1, embedding: [1, null] }
        ],
        [
          { index: 0, embedding: good },
          { index: 1, embedding: [1, "2"] }
        ],
        [
          { index: 0, embedding: [] },
          { index: 1, embedding: [] }
        ],
        [
          { index: 0, embedding: "AAA" },
          { index: 1, embedding: "%%%%" }
        ],
        [null, 3],
        {}
      ]) {
        const error = yield* failure(json(() => ({ data })))
        assert.strictEqual(error.reason._tag, "Malformed", JSON.stringify(data))
      }
      for (const body of ["", "<html>", "[]", "null"]) {
        assert.strictEqual((yield* failure(json(() => body))).reason._tag, "Malformed", body)
      }
      const mixed = json(({ input }, ordinal) => ({
        data: input.map(() => ({ embedding: ordinal === 0 ? [1] : [1, 2] }))
      }))
      const error = yield* failure(mixed, { batchSize: 1, concurrency: 1 })
      assert.include(error.message, "vectors of 1 and of 2 dimensions")
    })
  )

  it.live("statuses have their reasons, without the key; nothing is retried", () =>
    Effect.gen(function* () {
      const cases = [
        [401, "Unauthorized"],
        [429, "RateLimited"],
        [400, "InvalidRequest"],
        [500, "ProviderUnavailable"]
      ] as const
      for (const [status, tag] of cases) {
        let requests = 0
        const error = yield* failure(
          (response) => {
            requests++
            response.writeHead(status, { "content-type": "application/json", "retry-after": "2" })
            response.end(JSON.stringify({ error: { message: "no, sk-secret-123 is not good" } }))
          },
          { apiKey: Redacted.make("sk-secret-123") }
        )
        assert.strictEqual(error.reason._tag, tag)
        assert.strictEqual(error.model, "m1")
        assert.notInclude(error.message, "sk-secret-123")
        assert.strictEqual(requests, 1)
        if (tag === "RateLimited") assert.strictEqual(error.retryAfterMillis, 2000)
      }
      const nobody = OpenAIEmbeddings.make({ model: "m1", baseUrl: "http://127.0.0.1:1" })
      assert.strictEqual((yield* Effect.flip(nobody.embed({ texts: ["a"] }))).reason._tag, "Unreachable")
      const cut = yield* failure((response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
        response.write('{"data":[')
        setImmediate(() => response.destroy())
      })
      assert.strictEqual(cut.reason._tag, "ConnectionLost")
    })
  )

  const stalls: ReadonlyArray<readonly [string, Answer]> = [
    ["before the headers", () => {}],
    [
      "in the body",
      (response) => {
        response.writeHead(200, { "content-type": "application/json" })
        response.write('{"data":[')
      }
    ]
  ]
  for (const [when, answer] of stalls) {
    it.live(`a time-out and an interruption ${when} close the connection`, () =>
      Effect.gen(function* () {
        const { outcome, server } = yield* ask(answer, { texts: ["a"] }, { timeout: "50 millis" })
        assert.strictEqual(outcome._tag === "Failure" ? outcome.failure.reason._tag : "", "TimedOut")
        yield* eventually(() => server.received[0]?.closedAt !== undefined, "the time-out leaves the connection open")

        const other = yield* serve(answer)
        const provider = OpenAIEmbeddings.make({ model: "m1", baseUrl: other.url })
        const running = yield* Effect.forkChild(provider.embed({ texts: ["a"] }), { startImmediately: true })
        yield* eventually(() => other.received.length === 1, "nothing was sent")
        yield* Fiber.interrupt(running)
        yield* eventually(
          () => other.received[0]?.closedAt !== undefined,
          "the interruption leaves the connection open"
        )
      })
    )
  }
})
