// ModelError and AiError as each other: the whole table in both directions.
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Stream } from "effect"
import { AiError, LanguageModel, type Response } from "effect/ai"
import { EffectAi } from "effigent/layers/effect-ai"
import {
  ConnectionLost,
  ContextOverflow,
  Incomplete,
  InvalidRequest,
  Malformed,
  ModelError,
  type ModelErrorReason,
  ProviderUnavailable,
  QuotaExhausted,
  RateLimited,
  Refused,
  StreamFailed,
  TimedOut,
  Unauthorized,
  Unreachable,
  Unsupported
} from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { plainRequest, run } from "../wire/Cases.ts"

const outwards: ReadonlyArray<readonly [ModelErrorReason, AiError.AiErrorReason["_tag"]]> = [
  [new Unauthorized({ detail: "bad key", status: 401 }), "AuthenticationError"],
  [new Unauthorized({ detail: "not yours", status: 403, code: "permission_denied" }), "AuthenticationError"],
  [new RateLimited({ detail: "slow down", status: 429, retryAfterMillis: 1500 }), "RateLimitError"],
  [new QuotaExhausted({ detail: "pay", code: "insufficient_quota" }), "QuotaExhaustedError"],
  [new InvalidRequest({ detail: "no such model", status: 404 }), "InvalidRequestError"],
  [new ContextOverflow({ detail: "too long" }), "InvalidRequestError"],
  [new ProviderUnavailable({ detail: "busy", status: 503, retryAfterMillis: 20 }), "InternalProviderError"],
  [new Unreachable({ detail: "refused", code: "ECONNREFUSED" }), "NetworkError"],
  [new ConnectionLost({ detail: "reset" }), "NetworkError"],
  [new TimedOut({ detail: "idle", stage: "idle", millis: 60_000 }), "NetworkError"],
  [new Incomplete({ detail: "no end" }), "NetworkError"],
  [new StreamFailed({ detail: "overloaded", transient: true }), "InternalProviderError"],
  [new StreamFailed({ detail: "broken", transient: false }), "UnknownError"],
  [new Malformed({ detail: "<html>" }), "InvalidResponseError"],
  [new Unsupported({ detail: "no files" }), "InvalidRequestError"],
  [new Refused({ detail: "no" }), "ContentPolicyError"]
]

const scripted = (reason: ModelErrorReason, texts: ReadonlyArray<string> = []) =>
  ScriptedModel.always(ScriptedModel.failAfter(texts, reason), { name: "acme" })

describe("a ModelError as an AiError", () => {
  for (const [reason, tag] of outwards) {
    it.effect(`${reason._tag} (${reason.detail}) is ${tag}, retryable as before, and comes back the same`, () =>
      Effect.gen(function* () {
        const fails = yield* Effect.flip(LanguageModel.generateText({ prompt: "hi" }))
        const streams = yield* Effect.flip(Stream.runDrain(LanguageModel.streamText({ prompt: "hi" })))
        for (const [error, method] of [
          [fails, "generateText"],
          [streams, "streamText"]
        ] as const) {
          assert.strictEqual(error.reason._tag, tag)
          assert.strictEqual(error.module, "acme")
          assert.strictEqual(error.method, method)
          assert.strictEqual(error.isRetryable, new ModelError({ provider: "acme", reason }).isRetryable)
        }
        const provider = Context.get(yield* Layer.build(EffectAi.modelProvider), ModelProvider)
        const back = yield* run(provider.stream(plainRequest()))
        assert.deepStrictEqual(back.error?.reason, reason)
        assert.strictEqual(back.error?.provider, "effect-ai")
      }).pipe(Effect.provide(EffectAi.languageModel), Effect.provide(scripted(reason)))
    )
  }

  it.effect("the provider's words, the model and how long to wait stand in it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "hi" }))
      assert.include(error.message, "bad parameter")
      assert.deepStrictEqual("metadata" in error.reason ? error.reason.metadata["effigent"] : undefined, {
        provider: "acme",
        model: "m2",
        reason: { _tag: "InvalidRequest", detail: "bad parameter", status: 400 }
      })
    }).pipe(
      Effect.provide(EffectAi.languageModelWith({ model: "m2" })),
      Effect.provide(scripted(new InvalidRequest({ detail: "bad parameter", status: 400 })))
    )
  )
})

// A model of effect/ai that fails with a reason after what it has said.
const failing = (reason: AiError.AiErrorReason, said: ReadonlyArray<Response.StreamPartEncoded> = []) =>
  EffectAi.modelProviderWith({ name: "theirs" }).pipe(
    Layer.provide(
      Layer.effect(
        LanguageModel.LanguageModel,
        LanguageModel.make({
          generateText: () => Effect.succeed([]),
          streamText: () =>
            Stream.concat(
              Stream.fromIterable(said),
              Stream.fail(AiError.make({ module: "Theirs", method: "streamText", reason }))
            )
        })
      )
    )
  )

const http = (status: number) => ({ response: { status, headers: {} } })
const network = (reason: "TransportError" | "EncodeError" | "InvalidUrlError") =>
  new AiError.NetworkError({ reason, method: "POST", url: "https://example.com", description: "went wrong" })

const inwards: ReadonlyArray<readonly [AiError.AiErrorReason, ModelErrorReason["_tag"]]> = [
  [new AiError.RateLimitError({ http: http(429) }), "RateLimited"],
  [new AiError.QuotaExhaustedError({}), "QuotaExhausted"],
  [new AiError.AuthenticationError({ kind: "InvalidKey", http: http(401) }), "Unauthorized"],
  [new AiError.ContentPolicyError({ description: "went wrong" }), "Refused"],
  [new AiError.InvalidRequestError({ description: "went wrong", http: http(400) }), "InvalidRequest"],
  [new AiError.InvalidRequestError({ description: "maximum context length is 8 tokens" }), "ContextOverflow"],
  [new AiError.InvalidResponseError({ description: "went wrong" }), "Malformed"],
  [new AiError.InternalProviderError({ description: "went wrong", http: http(500) }), "ProviderUnavailable"],
  [network("TransportError"), "Unreachable"],
  [network("EncodeError"), "InvalidRequest"],
  [network("InvalidUrlError"), "InvalidRequest"],
  [new AiError.InvalidOutputError({ description: "went wrong" }), "StreamFailed"],
  [new AiError.StructuredOutputError({ description: "went wrong", responseText: "" }), "StreamFailed"],
  [new AiError.UnsupportedSchemaError({ description: "went wrong" }), "Unsupported"],
  [new AiError.UnknownError({ description: "went wrong" }), "StreamFailed"],
  [new AiError.ToolNotFoundError({ toolName: "x", availableTools: [] }), "StreamFailed"],
  [new AiError.ToolParameterValidationError({ toolName: "x", description: "went wrong" }), "StreamFailed"],
  [new AiError.InvalidToolResultError({ toolName: "x", description: "went wrong" }), "InvalidRequest"],
  [new AiError.ToolResultEncodingError({ toolName: "x", toolResult: 1, description: "d" }), "InvalidRequest"],
  [new AiError.ToolConfigurationError({ toolName: "x", description: "went wrong" }), "InvalidRequest"],
  [new AiError.ToolkitRequiredError({ pendingApprovals: ["x"] }), "InvalidRequest"],
  [new AiError.InvalidUserInputError({ description: "went wrong" }), "InvalidRequest"]
]

describe("an AiError as a ModelError", () => {
  for (const [reason, tag] of inwards) {
    it.effect(`${reason._tag} (${reason.message.slice(0, 40)}) is ${tag}, retryable as before`, () =>
      Effect.gen(function* () {
        const outcome = yield* ModelProvider.use((provider) => run(provider.stream(plainRequest())))
        assert.strictEqual(outcome.error?.reason._tag, tag)
        assert.strictEqual(outcome.error?.provider, "theirs")
        assert.strictEqual(outcome.error?.isRetryable, reason.isRetryable)
        const status = "http" in reason ? reason.http?.response?.status : undefined
        assert.strictEqual(outcome.error?.reason.status, tag === "ContextOverflow" ? 400 : status)
        assert.notStrictEqual(outcome.error?.reason.detail, "")
      }).pipe(Effect.provide(failing(reason)))
    )
  }

  it("every reason of effect/ai stands in the table", () => {
    const known = new Set(inwards.map(([reason]) => reason._tag))
    assert.deepStrictEqual(
      AiError.AiErrorReason.members.map((member) => member.fields._tag.schema.literal).filter((tag) => !known.has(tag)),
      []
    )
  })

  it.effect("keeps how long to wait", () =>
    Effect.gen(function* () {
      const outcome = yield* ModelProvider.use((provider) => run(provider.stream(plainRequest())))
      assert.strictEqual(outcome.error?.retryAfterMillis, 2000)
    }).pipe(Effect.provide(failing(new AiError.RateLimitError({ retryAfter: Duration.seconds(2) }))))
  )

  it.effect("a connection that breaks after the first words is lost, and the words stay", () =>
    Effect.gen(function* () {
      const outcome = yield* ModelProvider.use((provider) => run(provider.stream(plainRequest())))
      assert.strictEqual(outcome.text, "Hel")
      assert.strictEqual(outcome.error?.reason._tag, "ConnectionLost")
    }).pipe(
      Effect.provide(
        failing(network("TransportError"), [
          { type: "text-start", id: "0" },
          { type: "text-delta", id: "0", delta: "Hel" }
        ])
      )
    )
  )
})
