import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Deltas, type InstantEvent, Output } from "effigent"
import { ProviderUnavailable } from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const Letter = Schema.Struct({
  title: Output.ensure(Schema.String, "Title"),
  tags: Schema.Array(Schema.String),
  meta: Schema.Struct({ n: Schema.Int, ok: Schema.Boolean })
})
const letter = { title: "Hello", tags: ["a", "b"], meta: { n: 25, ok: true } }
const agent = Agent.make({ name: "test", output: Letter }).pipe(Agent.input("go"))

const requestCount = Effect.map(ScriptedModel.requests, (all) => all.length)
const aborted = ScriptedModel.aborted

const doneOf = (events: ReadonlyArray<InstantEvent>) =>
  events.flatMap((event) => (event._tag === "Field" && event.isComplete ? [event.path] : []))

// Lets every forked fiber run until it waits.
const settle = Effect.gen(function* () {
  for (let i = 0; i < 20; i++) yield* Effect.yieldNow
})

describe("a response", () => {
  it.effect("sends nothing before it is read", () =>
    Effect.gen(function* () {
      yield* Agent.respond(agent)
      yield* settle
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("IS-21 gives early and late readers the same events of one request", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const early = yield* Effect.forkChild(Stream.runCollect(response.instant))
      const data = yield* response.data
      const [late, later] = yield* Effect.all(
        [Stream.runCollect(response.instant), Stream.runCollect(response.instant)],
        {
          concurrency: 2
        }
      )
      assert.deepStrictEqual(data, letter)
      assert.deepStrictEqual(late, yield* Fiber.join(early))
      assert.deepStrictEqual(later, late)
      assert.deepStrictEqual(doneOf(late), ["title", "tags[0]", "tags[1]", "tags", "meta.n", "meta.ok", "meta"])
      assert.strictEqual(yield* requestCount, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(letter, { chunkSize: 3 })])))
  )

  it.effect("EV-02 gives text, data, full, meta and streams of the same answer, and ends with the facts", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const text = yield* response.text
      assert.deepStrictEqual(JSON.parse(text), letter)
      assert.strictEqual(yield* Stream.mkString(Deltas.inBand(response.deltas)), text)
      const meta = yield* response.meta
      assert.strictEqual(meta.finishReason, "stop")
      assert.deepStrictEqual(meta.usage.outputTokens, 7)
      assert.strictEqual(meta.attempts.length, 1)
      const full = yield* response.full
      assert.deepStrictEqual(full.data, letter)
      assert.strictEqual(full.attempts[0]?.text, text)
      const kinds = yield* Stream.runCollect(Stream.map(response.events("all"), (event) => event._tag))
      assert.deepStrictEqual(kinds.slice(-3), ["Done", "Meta", "Status"])
      const finish = yield* Stream.runCollect(response.events(["Finish"]))
      assert.deepStrictEqual(finish, [{ _tag: "Finish", reason: "stop" }])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(letter, { usage: { outputTokens: 7 } })])))
  )

  it.effect("IS-15 gives nothing but the status in the instant stream of a plain text", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({}).pipe(Agent.input("go"), Agent.respond)
      const events = yield* Stream.runCollect(response.instant)
      assert.deepStrictEqual(
        events.map((event) => event._tag),
        ["Status"]
      )
      assert.strictEqual(yield* response.data, "plain text")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("plain text")])))
  )

  it.effect("IS-16 shows a provider that replays: status, reset, then all events again", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const events = yield* Stream.runCollect(response.instant)
      const status = events.findIndex((event) => event._tag === "Status")
      assert.deepInclude(events[status], { state: "failed", retry: true, attempt: 1, nextAttempt: 2 })
      assert.deepInclude(events[status + 1], { _tag: "Reset", path: "", attempt: 2 })
      assert.deepStrictEqual(doneOf(events.slice(0, status)), ["title"])
      assert.deepStrictEqual(doneOf(events.slice(status)), [
        "title",
        "tags[0]",
        "tags[1]",
        "tags",
        "meta.n",
        "meta.ok",
        "meta"
      ])
      assert.strictEqual((yield* response.text).startsWith('{"title":"Hello"'), true)
      assert.strictEqual(yield* requestCount, 1)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "Text", text: '{"title":"Old","ta' }],
            [{ _tag: "Restarted", reason: "connection lost" }],
            [{ _tag: "Text", text: JSON.stringify(letter) }],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )

  it.effect("IS-16 IS-17 renders a replay in band with an escaped reason", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({}).pipe(Agent.input("go"), Agent.respond)
      assert.strictEqual(
        yield* Stream.mkString(Deltas.inBand(response.deltas)),
        "par<$retry>a &lt;b&gt; &amp; c</$retry>whole"
      )
      assert.strictEqual(yield* response.text, "whole")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "Text", text: "par" }],
            [{ _tag: "Restarted", reason: "a <b> & c" }],
            [{ _tag: "Text", text: "whole" }],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )

  it.effect("IS-19 shows tool calls as they grow and when they are whole", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({}).pipe(Agent.input("go"), Agent.respond)
      const calls = (yield* Stream.runCollect(response.instant)).filter((event) => event._tag === "ToolCall")
      assert.deepStrictEqual(
        calls.map((call) => [call.path, call.arguments, call.delta, call.isComplete]),
        [
          ["$tool_calls", '{"a"', '{"a"', false],
          ["$tool_calls", '{"a":1}', ":1}", false],
          ["$tool_calls", '{"a":1}', undefined, true]
        ]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "ToolCallDelta", index: 0, id: "c", name: "get", delta: '{"a"' }],
            [{ _tag: "ToolCallDelta", index: 0, id: "c", name: "get", delta: ":1}" }],
            [{ _tag: "ToolCall", index: 0, id: "c", name: "get", arguments: '{"a":1}', input: { a: 1 } }],
            [{ _tag: "Finish", reason: "tool-calls" }]
          ])
        ])
      )
    )
  )

  it.effect("gives one field's text as it grows", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const pieces = yield* Stream.runCollect(response.field("title"))
      assert.isAbove(pieces.length, 1)
      assert.strictEqual(pieces.map((delta) => (delta._tag === "TextDelta" ? delta.text : "?")).join(""), "Hello")
      assert.deepStrictEqual(yield* Stream.runCollect(response.field("meta.n")), [{ _tag: "TextDelta", text: "25" }])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(letter, { chunkSize: 2 })])))
  )

  it.effect("gives growing snapshots that end with the whole value", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const snapshots = yield* Stream.runCollect(response.partial)
      assert.deepStrictEqual(snapshots.at(-1), letter)
      assert.isAbove(snapshots.length, 3)
      assert.deepStrictEqual(yield* response.data, letter)
    }).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.json(letter, { chunkSize: 8, delay: "1 millis" })])),
      TestClock.withLive
    )
  )

  it.effect("gives one item of a tuple where one is named", () =>
    Effect.gen(function* () {
      const Pair = Schema.Struct({ pair: Schema.Tuple([Schema.String, Schema.String]) })
      const response = yield* Agent.make({ output: Pair }).pipe(Agent.input("go"), Agent.respond)
      assert.deepStrictEqual(yield* Stream.runCollect(response.field("pair[1]")), [
        { _tag: "TextDelta", text: "second" }
      ])
      assert.deepStrictEqual(yield* Stream.runCollect(response.each("pair[0]")), ["first"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ pair: ["first", "second"] })])))
  )

  it.effect("the last snapshot is the whole value, for a live reader too", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({ output: Schema.Int }).pipe(Agent.input("go"), Agent.respond)
      const live = yield* Effect.forkChild(Stream.runCollect(response.partial))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(live), [42])
      assert.deepStrictEqual(yield* Stream.runCollect(response.partial), [42])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.chunks(["4", "2"], { delay: "1 second" })])))
  )

  it.effect("an end without a finish reason is no success, whatever the provider", () =>
    Effect.gen(function* () {
      const silent = Layer.succeed(ModelProvider, {
        name: "silent",
        stream: () => Stream.make({ _tag: "Text", text: "half" } as const)
      })
      const error = yield* Agent.make({}).pipe(Agent.input("go"), Agent.run, Effect.provide(silent), Effect.flip)
      assert.strictEqual(error._tag === "ModelError" ? error.reason._tag : error._tag, "Incomplete")
    })
  )

  it.effect("EV-01 keeps reasoning apart from the answer, with the signature that has to be sent back", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({}).pipe(Agent.input("go"), Agent.respond)
      assert.strictEqual(yield* Stream.mkString(Deltas.inBand(response.reasoning)), "thinking")
      assert.strictEqual(yield* response.text, "hello")
      const { reasoning } = yield* response.full
      assert.strictEqual(reasoning, "thinking")
      const events = yield* Stream.runCollect(response.events(["Reasoning", "Text", "Done"]))
      assert.deepStrictEqual(events, [
        { _tag: "Reasoning", text: "think" },
        { _tag: "Reasoning", text: "ing" },
        { _tag: "Reasoning", text: "", signature: "SIG==" },
        { _tag: "Text", text: "he" },
        { _tag: "Text", text: "llo" },
        { _tag: "Done", text: "hello", reasoning: "thinking" }
      ])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "Reasoning", text: "think" }],
            [{ _tag: "Reasoning", text: "ing", signature: "SIG==" }],
            [
              { _tag: "Text", text: "he" },
              { _tag: "Text", text: "llo" }
            ],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )

  it.effect("keeps the provider's frames where asked to", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(Agent.settings(agent, { keepOriginal: true }))
      assert.deepStrictEqual(yield* Stream.runCollect(response.original), [{ id: 1 }])
      assert.isTrue((yield* ScriptedModel.requests)[0]?.includeRaw)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [
              { _tag: "Raw", frame: { id: 1 } },
              { _tag: "Text", text: JSON.stringify(letter) }
            ],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )

  it.effect("keeps the provider's frames only where asked to", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const exit = yield* Effect.exit(Stream.runCollect(response.original))
      assert.isTrue(Exit.isFailure(exit) && String(Cause.squash(exit.cause)).includes("keepOriginal"))
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("runs validation once, however often it is read (RV-08)", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      yield* response.data
      yield* response.data
      yield* Stream.runDrain(response.instant)
      yield* response.text
      assert.strictEqual(yield* requestCount, 2)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ tags: [] }), ScriptedModel.json(letter)])))
  )
})

describe("the life of a response", () => {
  const slow = ScriptedModel.layer([ScriptedModel.json(letter, { chunkSize: 4, delay: "1 second" })])
  const hanging = ScriptedModel.layer([ScriptedModel.hang])

  it.effect("EV-06 a reader that takes one element ends only itself", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const first = yield* Effect.forkChild(Stream.runCollect(Stream.take(response.deltas, 1)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(first)).length, 1)
      const data = yield* Effect.forkChild(response.data)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(data), letter)
      assert.strictEqual(yield* aborted, 0)
    }).pipe(Effect.provide(slow))
  )

  it.effect("S72 a reader that comes in mid-answer is given all of it, without a gap and without repeats", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({ input: "go" }).pipe(Agent.respond)
      const read = Effect.forkChild(Stream.runCollect(response.deltas), { startImmediately: true })
      const early = yield* read
      yield* TestClock.adjust("2500 millis")
      const late = yield* read
      yield* TestClock.adjust("1 minute")
      const all = ["a", "b", "c", "d", "e", "f"].map((text) => ({ _tag: "TextDelta", text }))
      assert.deepStrictEqual<ReadonlyArray<unknown>>(yield* Fiber.join(early), all)
      const texts = (yield* Fiber.join(late)).map((delta) => (delta._tag === "TextDelta" ? delta.text : delta._tag))
      assert.strictEqual(texts.join(""), "abcdef")
      assert.lengthOf(yield* ScriptedModel.requests, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.chunks([..."abcdef"], { delay: "1 second" })])))
  )

  it.effect("EV-07 S30 interrupting the last reader aborts the request, and later reads say so", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const reader = yield* Effect.forkChild(response.data, { startImmediately: true })
      yield* settle
      assert.strictEqual(yield* requestCount, 1)
      yield* Fiber.interrupt(reader)
      assert.strictEqual(yield* aborted, 1)
      const error = yield* Effect.flip(response.data)
      assert.strictEqual(error._tag, "ResponseAborted")
      const streamed = yield* Effect.flip(Stream.runDrain(response.instant))
      assert.strictEqual(streamed._tag, "ResponseAborted")
      const seen = yield* Stream.runCollect(Stream.catch(response.instant, () => Stream.empty))
      assert.deepInclude(seen.at(-1), { _tag: "Status", state: "cancelled", retry: false })
    }).pipe(Effect.provide(hanging))
  )

  it.effect("interrupting one of two readers leaves the other alone", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const stays = yield* Effect.forkChild(response.data, { startImmediately: true })
      const goes = yield* Effect.forkChild(Stream.runDrain(response.instant), { startImmediately: true })
      yield* settle
      yield* Fiber.interrupt(goes)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(stays), letter)
    }).pipe(Effect.provide(slow))
  )

  it.effect("interrupting a stream reader that is the last one aborts the request", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const reader = yield* Effect.forkChild(Stream.runDrain(response.instant), { startImmediately: true })
      yield* settle
      yield* Fiber.interrupt(reader)
      assert.strictEqual(yield* aborted, 1)
    }).pipe(Effect.provide(hanging))
  )

  it.effect("Effect.timeout of a reader aborts the request", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.timeout(response.data, "30 seconds")))
      yield* TestClock.adjust("30 seconds")
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isTimeoutError(Cause.squash(exit.cause)))
      assert.strictEqual(yield* aborted, 1)
    }).pipe(Effect.provide(hanging))
  )

  it.effect("closing the Scope aborts the request and fails readers outside of it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const response = yield* Scope.provide(Agent.respond(agent), scope)
      const reader = yield* Effect.forkChild(Effect.flip(response.data), { startImmediately: true })
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(reader))._tag, "ResponseAborted")
      assert.strictEqual(yield* aborted, 1)
    }).pipe(Effect.provide(hanging))
  )

  it.effect("S31 a response that was never read does not send anything after its Scope closed", () =>
    Effect.gen(function* () {
      const response = yield* Effect.scoped(Agent.respond(agent))
      assert.strictEqual((yield* Effect.flip(response.data))._tag, "ResponseAborted")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("a failing side branch fails the whole and aborts the request", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const both = Effect.all(
        [response.each("tags[*]").pipe(Stream.runForEach(() => Effect.fail("dispatch failed"))), response.data],
        { concurrency: "unbounded" }
      )
      const fiber = yield* Effect.forkChild(Effect.flip(both))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "dispatch failed")
      assert.strictEqual(yield* aborted, 1)
    }).pipe(Effect.provide(slow))
  )

  it.effect("an error in mid-stream reaches every reader after what had come before it", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const seen: Array<string> = []
      const error = yield* Effect.flip(
        Stream.runForEach(response.instant, (event) =>
          Effect.sync(() => void seen.push(event._tag === "Field" ? `${event.path} ${event.source}` : event._tag))
        )
      )
      assert.strictEqual(error._tag, "ModelError")
      assert.deepStrictEqual(seen, ["title observed", "title observed", "tags repaired", "Status"])
      assert.strictEqual((yield* Effect.flip(response.data))._tag, "ModelError")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.failAfter(['{"title":"Hello","tags":['], new ProviderUnavailable({ detail: "overloaded" }))
        ])
      )
    )
  )

  it.effect("a defect of the provider reaches the readers as a defect", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const exit = yield* Effect.exit(response.data)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      const streamed = yield* Effect.exit(Stream.runDrain(response.deltas))
      assert.isTrue(Exit.isFailure(streamed) && Cause.hasDies(streamed.cause))
      const states: Array<string> = []
      yield* Stream.runForEach(response.instant, (event) =>
        Effect.sync(() => void states.push(event._tag === "Status" ? event.state : event._tag))
      ).pipe(Effect.exit)
      assert.deepStrictEqual(states, ["failed"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.respond(() => {
            throw new Error("broken provider")
          })
        ])
      )
    )
  )

  it.effect("readers may come and go while the model writes, and none misses anything", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const done = yield* Deferred.make<string>()
      yield* Effect.forkChild(Effect.flatMap(response.text, (text) => Deferred.succeed(done, text)))
      const readers: Array<Fiber.Fiber<string, unknown>> = []
      for (let i = 0; i < 20; i++) {
        readers.push(yield* Effect.forkChild(Stream.mkString(Deltas.inBand(response.deltas))))
        yield* TestClock.adjust("1 second")
      }
      yield* TestClock.adjust("1 minute")
      const text = yield* Deferred.await(done)
      for (const reader of readers) assert.strictEqual(yield* Fiber.join(reader), text)
    }).pipe(Effect.provide(slow))
  )
})
