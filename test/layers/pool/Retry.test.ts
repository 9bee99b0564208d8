// Transport retries: what is sent again, when, how often, and what the reader sees of it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Deltas, Output } from "effigent"
import { ModelPool } from "effigent/layers/pool"
import {
  ConnectionLost,
  InvalidRequest,
  ModelError,
  type ModelErrorReason,
  ProviderUnavailable,
  RateLimited,
  Unauthorized
} from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { request } from "../testing/requests.ts"

const busy = new ProviderUnavailable({ detail: "busy", status: 503 })
const slowDown = (retryAfterMillis?: number) =>
  new RateLimited({ detail: "slow down", status: 429, ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }) })
const lost = new ConnectionLost({ detail: "reset" })

const every = (delay: "1 second" | "100 millis") => Schedule.spaced(delay)

const retrying = (steps: ReadonlyArray<ScriptedModel.Step>, options?: ModelPool.RetryOptions) =>
  Layer.provideMerge(ModelPool.retry(options), ScriptedModel.layer(steps, { strict: false }))

const collect = Effect.gen(function* () {
  const provider = yield* ModelProvider
  return yield* Stream.runCollect(provider.stream(request("hello")))
})

const sent = Effect.map(ScriptedModel.requests, (all) => all.length)

const textOf = (events: ReadonlyArray<{ readonly _tag: string; readonly text?: unknown }>) =>
  events.flatMap((event) => (event._tag === "Text" ? [event.text] : event._tag === "Restarted" ? ["|"] : [])).join("")

// How many requests had been sent at each of these times.
const sentAt = (times: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(collect), { startImmediately: true })
    const counts: Array<number> = []
    let now = 0
    for (const time of times) {
      yield* TestClock.adjust(time - now)
      now = time
      counts.push(yield* sent)
    }
    yield* TestClock.adjust("10 minutes")
    return { counts, exit: yield* Fiber.join(fiber) }
  })

describe("without a retry layer", () => {
  const reasons: ReadonlyArray<ModelErrorReason> = [
    new InvalidRequest({ detail: "bad", status: 400 }),
    new Unauthorized({ detail: "no", status: 401 }),
    slowDown(10),
    busy,
    lost
  ]
  for (const reason of reasons) {
    it.effect(`TR-01 TR-04 S02 a failure is one physical request and a typed error: ${reason._tag}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Agent.run(Agent.make({ input: "go" })))
        assert.instanceOf(error, ModelError)
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.provider, "scripted")
        assert.include(error.message, reason.detail)
        assert.strictEqual(yield* sent, 1)
      }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.fail(reason)])))
    )
  }
})

describe("a retry layer", () => {
  it.effect("S03 waits twice as long each time and then answers", () =>
    Effect.gen(function* () {
      const { counts, exit } = yield* sentAt([99, 100, 299, 300])
      assert.deepStrictEqual(counts, [1, 2, 2, 3])
      assert.strictEqual(textOf(Exit.isSuccess(exit) ? exit.value : []), "||ok")
    }).pipe(
      Effect.provide(
        retrying([ScriptedModel.fail(busy), ScriptedModel.fail(lost), ScriptedModel.text("ok")], {
          schedule: Schedule.exponential("100 millis")
        })
      )
    )
  )

  it.effect("by default waits half a second and then a whole one, each changed by at most a fifth", () =>
    Effect.gen(function* () {
      const { counts } = yield* sentAt([399, 600, 1_199, 1_800])
      assert.deepStrictEqual(counts, [1, 2, 2, 3])
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(busy), ScriptedModel.fail(busy), ScriptedModel.text("ok")])))
  )

  it.effect("changes its delays at random, so that clients do not come back together", () =>
    Effect.gen(function* () {
      // The default delays of 40 clients that fail at the same moment.
      const times = new Set<number>()
      const step = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 40 }, (_, i) => i),
          () =>
            Effect.gen(function* () {
              yield* collect
              times.add(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
            }).pipe(Effect.provide(retrying([ScriptedModel.fail(busy), ScriptedModel.text("ok")]), { local: true })),
          { concurrency: "unbounded", discard: true }
        ),
        { startImmediately: true }
      )
      for (let i = 0; i < 700; i++) yield* TestClock.adjust(1)
      yield* Fiber.join(step)
      assert.isAbove(times.size, 10)
      assert.isAtLeast(Math.min(...times), 400)
      assert.isAtMost(Math.max(...times), 601)
    })
  )

  it.effect("waits as long as the provider asks", () =>
    Effect.gen(function* () {
      const { counts, exit } = yield* sentAt([100, 6_999, 7_000])
      assert.deepStrictEqual(counts, [1, 1, 2])
      assert.isTrue(Exit.isSuccess(exit))
    }).pipe(
      Effect.provide(
        retrying([ScriptedModel.fail(slowDown(7_000)), ScriptedModel.text("ok")], { schedule: every("100 millis") })
      )
    )
  )

  it.effect("never waits less than its own schedule says", () =>
    Effect.gen(function* () {
      const { counts } = yield* sentAt([999, 1_000])
      assert.deepStrictEqual(counts, [1, 2])
    }).pipe(
      Effect.provide(
        retrying([ScriptedModel.fail(slowDown(1)), ScriptedModel.text("ok")], { schedule: every("1 second") })
      )
    )
  )

  it.effect("lets no provider make it wait for more than a minute", () =>
    Effect.gen(function* () {
      const { counts } = yield* sentAt([59_999, 60_000])
      assert.deepStrictEqual(counts, [1, 2])
    }).pipe(
      Effect.provide(
        retrying([ScriptedModel.fail(slowDown(3_600_000)), ScriptedModel.text("ok")], { schedule: every("1 second") })
      )
    )
  )

  it.effect("S04 sends nothing again where a retry cannot help", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(collect)
      assert.strictEqual(error.reason._tag, "Unauthorized")
      assert.strictEqual(yield* sent, 1)
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(new Unauthorized({ detail: "no", status: 401 }))])))
  )

  it.effect("S05 spends one budget: three attempts of a permanent failure are three requests, then its error", () =>
    Effect.gen(function* () {
      const { exit } = yield* sentAt([])
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* sent, 3)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(ModelPool.retry(), ScriptedModel.always(ScriptedModel.fail(busy), { strict: false }))
      )
    )
  )

  it.effect("S05 retries around retries do not multiply", () =>
    Effect.gen(function* () {
      const { exit } = yield* sentAt([])
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* sent, 4)
    }).pipe(
      Effect.provide(
        ModelPool.retry({ attempts: 4 }).pipe(
          Layer.provideMerge(ModelPool.retry({ attempts: 3 })),
          Layer.provideMerge(ModelPool.retry({ attempts: 3 })),
          Layer.provideMerge(ScriptedModel.always(ScriptedModel.fail(busy), { strict: false }))
        )
      )
    )
  )

  it.effect("begins no request after its time is over", () =>
    Effect.gen(function* () {
      const { counts, exit } = yield* sentAt([3_000, 10_000])
      assert.deepStrictEqual(counts, [4, 4])
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          ModelPool.retry({ attempts: 100, time: "3500 millis", schedule: every("1 second") }),
          ScriptedModel.always(ScriptedModel.fail(busy), { strict: false })
        )
      )
    )
  )

  it.effect("ends with its schedule", () =>
    Effect.gen(function* () {
      const { exit } = yield* sentAt([])
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* sent, 2)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          ModelPool.retry({ attempts: 100, schedule: Schedule.upTo(every("1 second"), { times: 1 }) }),
          ScriptedModel.always(ScriptedModel.fail(busy), { strict: false })
        )
      )
    )
  )

  it.effect("TR-04 one attempt is one request", () =>
    Effect.gen(function* () {
      yield* Effect.flip(collect)
      assert.strictEqual(yield* sent, 1)
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(lost)], { attempts: 1 })))
  )

  it.effect("TR-05 S71 reports a failure after a part was shown, with that part before it", () =>
    Effect.gen(function* () {
      const provider = yield* ModelProvider
      const seen: Array<string> = []
      const error = yield* provider.stream(request("hello")).pipe(
        Stream.runForEach((event) => Effect.sync(() => void (event._tag === "Text" && seen.push(event.text)))),
        Effect.flip
      )
      assert.deepStrictEqual(seen, ["Hel", "lo "])
      assert.strictEqual(error.reason, lost)
      assert.strictEqual(yield* sent, 1)
    }).pipe(Effect.provide(retrying([ScriptedModel.failAfter(["Hel", "lo "], lost)])))
  )

  it.effect("S06 with `replay` says that the shown part is void and gives the whole answer", () =>
    Effect.gen(function* () {
      const { exit } = yield* sentAt([])
      assert.strictEqual(textOf(Exit.isSuccess(exit) ? exit.value : []), "Hello |world")
      assert.strictEqual(yield* sent, 2)
    }).pipe(
      Effect.provide(
        retrying([ScriptedModel.failAfter(["Hel", "lo "], busy), ScriptedModel.text("world")], { replay: true })
      )
    )
  )

  it.effect("interrupting a wait ends it, and nothing is sent any more", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(collect, { startImmediately: true })
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* sent, 1)
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(slowDown(10_000)), ScriptedModel.text("ok")])))
  )

  it.effect("closes the failed request before it waits for the next", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.exit(collect), { startImmediately: true })
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(slowDown(10_000))])))
  )
})

describe("a response over a retry layer", () => {
  const Title = Schema.Struct({ title: Output.ensure(Schema.String, "Title") })
  const agent = Agent.make({ input: "go", output: Title })
  const json = ScriptedModel.json({ title: "Hello" }, { usage: { outputTokens: 5 } })

  it.effect("TR-03 a reset before output is the end of attempt 1 and the begin of attempt 2", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const status = yield* Effect.forkChild(Stream.runCollect(response.events(["Status"])), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      const states = (yield* Fiber.join(status)).map(({ attempt, nextAttempt, retry, state }) => ({
        attempt,
        state,
        retry,
        nextAttempt
      }))
      assert.deepStrictEqual(states, [
        { attempt: 1, state: "failed", retry: true, nextAttempt: 2 },
        { attempt: 2, state: "completed", retry: false, nextAttempt: undefined }
      ])
      const { attempts, usage } = yield* response.meta
      assert.strictEqual(attempts.length, 2)
      assert.deepStrictEqual(usage.outputTokens, 5)
      assert.deepStrictEqual(yield* response.data, { title: "Hello" })
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(lost), json], { attempts: 2 })))
  )

  it.effect("IS-16 a replay after partial output resets the fields and shows in the deltas", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const reading = yield* Effect.forkChild(Stream.runCollect(response.instant), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      const events = yield* Fiber.join(reading)
      const kinds = events.map((event) =>
        event._tag === "Field" ? `${event.path} ${event.eventType} ${event.delta ?? ""}` : event._tag
      )
      const restart = events.findIndex((event) => event._tag === "Status" && event.retry)
      assert.isAbove(restart, 0, kinds.join("; "))
      assert.include(kinds.slice(0, restart).join("; "), "title delta")
      const after = events.slice(restart + 1)
      const title = after.flatMap((event) =>
        event._tag === "Field" && event.path === "title" && event.eventType === "delta" ? [event.delta] : []
      )
      assert.strictEqual(title.join(""), "Hello")
      const text = yield* Stream.mkString(Deltas.inBand(response.deltas))
      assert.match(text, /^\{"title":"He<\$retry>.*reset.*<\/\$retry>\{"title":"Hello"\}$/)
      assert.deepStrictEqual(yield* response.data, { title: "Hello" })
    }).pipe(Effect.provide(retrying([ScriptedModel.failAfter(['{"title":"He'], lost), json], { replay: true })))
  )

  it.effect("a correction has a transport budget of its own, and does not spend the corrections", () =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(Agent.run(agent), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(running), { title: "Hello" })
      assert.strictEqual(yield* sent, 4)
    }).pipe(
      Effect.provide(
        retrying([ScriptedModel.fail(busy), ScriptedModel.json({}), ScriptedModel.fail(busy), json], { attempts: 2 })
      )
    )
  )

  it.effect("S70 a provider that dies before the first chunk ends the response in time", () =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(Effect.flip(Agent.run(agent)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      const error = yield* Fiber.join(running)
      assert.strictEqual(error._tag === "ModelError" ? error.reason : undefined, lost)
    }).pipe(Effect.provide(retrying([ScriptedModel.fail(lost), ScriptedModel.fail(lost)], { attempts: 2 })))
  )
})
