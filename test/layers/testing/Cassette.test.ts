import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, FileSystem, Layer, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Prompt } from "effigent/services/Ai"
import { Tool } from "effigent/services/AiTool"
import { RateLimited } from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import {
  Cassette,
  type ModelProviderConformance,
  ModelProviderConformance as Suite,
  ScriptedModel
} from "effigent/testing"
import { scripted, stepOf } from "./harness.ts"
import { request } from "./requests.ts"

const temporary = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return `${yield* fs.makeTempDirectoryScoped()}/folder/cassette.json`
})

const run = (of: ModelRequest | string) =>
  ModelProvider.use((provider) =>
    Stream.runCollect(Stream.chunks(provider.stream(typeof of === "string" ? request(of) : of)))
  )

const recorded = <A, E>(
  path: string,
  steps: ReadonlyArray<ScriptedModel.Step>,
  program: Effect.Effect<A, E, ModelProvider>
) => program.pipe(Effect.provide(Layer.provide(Cassette.record(path), ScriptedModel.layer(steps, { name: "vendor" }))))

const replayed = <A, E>(path: string, program: Effect.Effect<A, E, ModelProvider>) =>
  program.pipe(Effect.provide(Cassette.replay(path)))

const read = (path: string) => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path))

describe("Cassette", () => {
  const test = (
    name: string,
    body: (path: string) => Effect.Effect<void, unknown, FileSystem.FileSystem | Scope.Scope>
  ) => it.effect(name, () => Effect.flatMap(temporary, body).pipe(Effect.provide(NodeFileSystem.layer)))

  test("replays the same events in the same chunks, under the name of the recorded provider", (path) =>
    Effect.gen(function* () {
      const step = ScriptedModel.text("Hello, wörld 😀", {
        chunkSize: 3,
        usage: { inputTokens: 3, outputTokens: 4 },
        info: { id: "r1", model: "m1" },
        reasoning: "thinking\nhard"
      })
      const first = yield* recorded(path, [step], run("hi"))
      const again = yield* replayed(path, run("hi"))
      assert.isAbove(first.length, 5)
      assert.deepStrictEqual(again, first)
      const name = yield* replayed(
        path,
        ModelProvider.use((provider) => Effect.succeed(provider.name))
      )
      assert.strictEqual(name, "vendor")
    }))

  test("replays tool calls, refusals and restarts", (path) =>
    Effect.gen(function* () {
      const odd: ReadonlyArray<ReadonlyArray<ModelEvent>> = [
        [{ _tag: "Refusal", text: "no" }],
        [
          { _tag: "Restarted", reason: "lost" },
          { _tag: "Reasoning", text: "", signature: "s", redacted: "r" }
        ],
        [{ _tag: "Finish", reason: "content-filter", raw: "filtered" }]
      ]
      const steps = [ScriptedModel.toolCalls([{ name: "t", input: { a: [1, null] } }]), ScriptedModel.events(odd)]
      const both = Effect.all([run("tools"), run("odd")])
      const first = yield* recorded(path, steps, both)
      assert.deepStrictEqual(yield* replayed(path, both), first)
      assert.deepStrictEqual(first[1], odd)
    }))

  test("replays failures as the same error, after the text that came before", (path) =>
    Effect.gen(function* () {
      const reason = new RateLimited({ detail: "slow down", status: 429, retryAfterMillis: 100 })
      const asked = Effect.gen(function* () {
        const provider = yield* ModelProvider
        const seen: Array<ModelEvent> = []
        const error = yield* Effect.flip(
          Stream.runForEach(provider.stream(request("x", { model: "m" })), (event) =>
            Effect.sync(() => seen.push(event))
          )
        )
        return { seen, error }
      })
      const first = yield* recorded(path, [ScriptedModel.failAfter(["half"], reason)], asked)
      const again = yield* replayed(path, asked)
      assert.deepStrictEqual(again.seen, [{ _tag: "Text", text: "half" }])
      assert.strictEqual(again.error.message, first.error.message)
      assert.deepStrictEqual(again.error.reason, reason)
      assert.strictEqual(again.error.retryAfterMillis, 100)
    }))

  test("replays the same request in the order of its recordings, and then the last one", (path) =>
    Effect.gen(function* () {
      const text = Effect.map(run("again"), (chunks) => chunks[0]?.[0])
      yield* recorded(path, [ScriptedModel.text("one"), ScriptedModel.text("two")], Effect.all([text, text]))
      const three = yield* replayed(path, Effect.all([text, text, text]))
      assert.deepStrictEqual(
        three.map((event) => (event?._tag === "Text" ? event.text : "")),
        ["one", "two", "two"]
      )
    }))

  test("keeps the order of requests that run at the same time", (path) =>
    Effect.gen(function* () {
      const text = Effect.map(run("same"), (chunks) => JSON.stringify(chunks[0]))
      const steps = ["a", "b", "c"].map((name, i) => ScriptedModel.text(name, { latency: (3 - i) * 10 }))
      const all = Effect.all([text, text, text], { concurrency: 3 })
      const fiber = yield* Effect.forkChild(recorded(path, steps, all), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const first = yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* replayed(path, Effect.all([text, text, text])), first)
    }))

  test("is a file that people can read, without times and with one chunk per line", (path) =>
    Effect.gen(function* () {
      const of = request("line one\nline two", { model: "m", options: { temperature: 0, maxTokens: 9 } })
      yield* recorded(path, [ScriptedModel.text("abcd", { chunkSize: 2 })], run(of))
      assert.strictEqual(
        yield* read(path),
        `{
  "cassette": 1,
  "provider": "vendor",
  "recordings": [
    {
      "request": {
        "messages": [
          {
            "content": [
              "line one",
              "line two"
            ],
            "role": "user"
          }
        ],
        "model": "m",
        "options": {
          "maxTokens": 9,
          "temperature": 0
        },
        "output": {
          "format": "text",
          "jsonSchema": {
            "type": "string"
          },
          "name": "answer",
          "native": false
        },
        "tools": []
      },
      "chunks": [
        [{"_tag":"Text","text":"ab"}],
        [{"_tag":"Text","text":"cd"}],
        [{"_tag":"Finish","reason":"stop"}]
      ],
      "end": {"_tag":"Done"}
    }
  ]
}
`
      )
    }))

  test("does not depend on the order of keys, the attempt's number, or frames asked for", (path) =>
    Effect.gen(function* () {
      const provider = { a: 1, b: { c: 2, d: 3 } }
      const turned = { b: { d: 3, c: 2 }, a: 1 }
      yield* recorded(path, [ScriptedModel.text("x")], run(request("x", { options: { provider, temperature: 1 } })))
      const again = run(request("x", { options: { temperature: 1, provider: turned }, attempt: 2, includeRaw: true }))
      assert.lengthOf(yield* replayed(path, again), 2)
    }))

  test("keeps secrets out of the file, and what only looks like one in it", (path) =>
    Effect.gen(function* () {
      const provider = {
        api_key: "sk-1",
        max_tokens: 77,
        extra_headers: { Authorization: "Bearer 2", "x-trace": "visible" },
        auth: [{ accessToken: "t-3" }],
        secretThings: { inner: "s-4" }
      }
      const prompt = Prompt.make([
        { role: "system", content: "hi", options: { vendor: { sessionToken: "t-5", cache: "ephemeral" } } },
        { role: "user", content: [{ type: "text", text: "x" }] }
      ])
      const of = request("x", { prompt, options: { provider } })
      yield* recorded(path, [ScriptedModel.text("x")], run(of))
      const text = yield* read(path)
      for (const secret of ["sk-1", "Bearer 2", "t-3", "s-4", "t-5"]) assert.notInclude(text, secret)
      for (const shown of ["77", "visible", "ephemeral", "<redacted>"]) assert.include(text, shown)
      assert.lengthOf(yield* replayed(path, run(of)), 2)
      const otherKey = request("x", { prompt, options: { provider: { ...provider, api_key: "sk-other" } } })
      assert.lengthOf(yield* replayed(path, run(otherKey)), 2)
    }))

  test("keeps frames, and shows them only where they are asked for", (path) =>
    Effect.gen(function* () {
      const loop: { self?: unknown } = {}
      loop.self = loop
      const frames = ScriptedModel.events([
        [{ _tag: "Raw", frame: { n: 1 } }],
        [
          { _tag: "Raw", frame: loop },
          { _tag: "Raw", frame: undefined },
          { _tag: "Finish", reason: "stop" }
        ]
      ])
      const asking = request("x", { includeRaw: true })
      yield* recorded(path, [frames], run(asking))
      assert.deepStrictEqual(yield* replayed(path, run(asking)), [
        [{ _tag: "Raw", frame: { n: 1 } }],
        [{ _tag: "Finish", reason: "stop" }]
      ])
      assert.deepStrictEqual(yield* replayed(path, run("x")), [[{ _tag: "Finish", reason: "stop" }]])
    }))

  test("tells a request that was not recorded how it differs from the nearest one", (path) =>
    Effect.gen(function* () {
      const Weather = Tool.make("weather", {
        parameters: Schema.Struct({ city: Schema.String }),
        success: Schema.String
      })
      const near = request("Line one\nWhere is my order?\nLine three", { tools: [Weather] })
      yield* recorded(path, [ScriptedModel.text("a"), ScriptedModel.text("b")], Effect.all([run("unlike"), run(near)]))
      const asked = request("Line one\nWhere is my parcel?\nLine three", { tools: [Weather], model: "m" })
      const error = yield* Effect.flip(replayed(path, run(asked)))
      assert.strictEqual(error._tag, "ModelError")
      if (error._tag !== "ModelError") return
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.isFalse(error.isRetryable)
      const { detail } = error.reason
      assert.include(detail, `no recording on ${path} is of this request`)
      assert.include(detail, "number 2 of 2 (- recorded, + asked)")
      assert.include(detail, `-        "Where is my order?",\n+        "Where is my parcel?",`)
      assert.include(detail, `+  "model": "m",`)
      assert.notInclude(detail, "weather")
    }))

  test("says that an empty cassette is empty", (path) =>
    Effect.gen(function* () {
      yield* recorded(path, [], Effect.void)
      const error = yield* Effect.flip(replayed(path, run("x")))
      assert.include(error.message, `the cassette ${path} is empty`)
    }))

  test("a cassette that is not there, or is none, is a typed error of the layer", (path) =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(replayed(path, Effect.void))
      assert.instanceOf(missing, Cassette.CassetteError)
      assert.include(missing.message, `${path}: there is no such file; record it first`)
      yield* recorded(path, [], Effect.void)
      const fs = yield* FileSystem.FileSystem
      for (const text of ["{", "[]", `{"cassette":2,"provider":"x","recordings":[]}`]) {
        yield* fs.writeFileString(path, text)
        assert.include((yield* Effect.flip(replayed(path, Effect.void))).message, "it is no cassette of this version")
      }
    }))

  test("a file that cannot be written is a defect, not a silent loss", (path) =>
    Effect.gen(function* () {
      yield* recorded(path, [], Effect.void)
      const exit = yield* Effect.exit(recorded(`${path}/below-a-file.json`, [ScriptedModel.text("x")], run("x")))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))

  test("says so where a recording ends because its reader left", (path) =>
    Effect.gen(function* () {
      const early = ModelProvider.use((provider) => Stream.runCollect(Stream.take(provider.stream(request("x")), 1)))
      const step = ScriptedModel.chunks(["a", "b"])
      assert.lengthOf(yield* recorded(path, [step], early), 1)
      assert.lengthOf(yield* replayed(path, early), 1)
      const error = yield* Effect.flip(replayed(path, run("x")))
      assert.include(error.message, "its reader left; record it again to the end")
    }))

  describe("auto", () => {
    const auto = <A, E>(
      path: string,
      steps: ReadonlyArray<ScriptedModel.Step>,
      program: Effect.Effect<A, E, ModelProvider>
    ) =>
      program.pipe(Effect.provide(Layer.provide(Cassette.auto(path), ScriptedModel.layer(steps, { name: "vendor" }))))

    test("asks the provider the first time, and never again", (path) =>
      Effect.gen(function* () {
        const first = yield* auto(path, [ScriptedModel.text("live")], run("x"))
        const file = yield* read(path)
        assert.deepStrictEqual(yield* auto(path, [], run("x")), first)
        assert.strictEqual(yield* read(path), file)
      }))

    test("records what is new behind what is there", (path) =>
      Effect.gen(function* () {
        yield* auto(path, [ScriptedModel.text("one")], run("1"))
        yield* auto(path, [ScriptedModel.text("two")], Effect.all([run("1"), run("2")]))
        const both = yield* replayed(path, Effect.all([run("1"), run("2")]))
        assert.deepStrictEqual(
          both.map((chunks) => chunks[0]),
          [[{ _tag: "Text", text: "one" }], [{ _tag: "Text", text: "two" }]]
        )
      }))

    test("asks again for an answer whose reader left", (path) =>
      Effect.gen(function* () {
        const early = ModelProvider.use((provider) => Stream.runCollect(Stream.take(provider.stream(request("x")), 1)))
        yield* auto(path, [ScriptedModel.chunks(["a", "b"])], early)
        yield* auto(path, [ScriptedModel.text("whole")], run("x"))
        assert.deepStrictEqual((yield* auto(path, [], run("x")))[0], [{ _tag: "Text", text: "whole" }])
      }))
  })

  describe("replays every scenario of the conformance suite as it was recorded", () => {
    // A stall cannot be recorded to its end: what is replayed is a recording that was left.
    const harness: ModelProviderConformance.Harness = {
      name: "Cassette",
      prepare: (scenario) =>
        Effect.gen(function* () {
          if (scenario.answer._tag === "Stalls") return yield* Suite.skip("a recording does not stall")
          const path = yield* Effect.orDie(temporary)
          yield* Effect.ignore(recorded(path, [stepOf(scenario)], run(scenario.request)))
          const context = yield* Effect.orDie(Layer.build(Cassette.replay(path)))
          const inner = yield* Effect.provide(ModelProvider, context)
          let requests = 0
          return {
            requests: Effect.sync(() => requests),
            provider: {
              name: inner.name,
              stream: (request: ModelRequest) =>
                Stream.suspend(() => {
                  requests++
                  return inner.stream(request)
                })
            }
          }
        }).pipe(Effect.provide(NodeFileSystem.layer))
    }
    for (const one of Suite.cases) {
      it.effect(one.name, () =>
        Effect.map(one.run(harness), (outcome) => {
          if (outcome._tag === "Skipped") assert.strictEqual(outcome.reason, "a recording does not stall")
        })
      )
    }

    it.effect("and a provider that is being recorded keeps every promise too", () =>
      Effect.gen(function* () {
        const plain = scripted()
        const report = yield* Suite.run({
          name: "recorded",
          prepare: (scenario) =>
            Effect.gen(function* () {
              const subject = yield* plain.prepare(scenario)
              const path = yield* Effect.orDie(temporary)
              const model = Layer.succeed(ModelProvider, subject.provider)
              const context = yield* Layer.build(Layer.provide(Cassette.record(path), model))
              return { ...subject, provider: yield* Effect.provide(ModelProvider, context) }
            }).pipe(Effect.provide(NodeFileSystem.layer))
        })
        assert.isTrue(report.conforms, Suite.render(report))
        assert.isTrue(
          report.results.every(({ result }) => result._tag === "Passed"),
          Suite.render(report)
        )
      })
    )
  })
})
