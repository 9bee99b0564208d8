// When an extraction runs, what waits for it, and what becomes of it when its run or its owner ends.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scheduler, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Budget } from "effigent"
import { Memory } from "effigent/memory"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { answers, extractor, learns, promptOf, reports, stores, texts } from "./support.ts"

const cook = Agent.make({ system: "You are a cook." })
const fact = [{ op: "add" as const, text: "The user is Ada." }]

const slow = (seconds: number) => learns(fact, { latency: `${seconds} seconds` })

describe("When memories are made", () => {
  it.effect("the extraction runs beside the model: the longer of the two is what a run takes", () =>
    Effect.gen(function* () {
      const { agent: small, prompts } = extractor(slow(2))
      const { told, report } = reports()
      const memory = Memory.make({ extractor: small, report })
      const fiber = yield* cook.pipe(
        Memory.attach(memory, "ada"),
        Agent.input("I am Ada."),
        Agent.run,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([prompts.length, yield* ScriptedModel.openStreams], [1, 1])
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "Hi.")
      assert.deepStrictEqual([told[0]?.status, told[0]?.duration], ["kept", 3_000])
    }).pipe(Effect.provide([answers("Hi.", { latency: "3 seconds" }), stores]))
  )

  it.effect("readers have every field and word before a slow extraction ends; only the end waits for it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { agent: small } = extractor(slow(5))
        const memory = Memory.make({ extractor: small })
        const response = yield* cook.pipe(Memory.attach(memory, "ada"), Agent.input("I am Ada."), Agent.respond)
        const words: Array<string> = []
        const reader = yield* response.deltas.pipe(
          Stream.runForEach((delta) => Effect.sync(() => words.push(delta._tag === "TextDelta" ? delta.text : ""))),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(words.join(""), "Good morning.")
        assert.isUndefined(reader.pollUnsafe())
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.join(reader)
        assert.deepStrictEqual(yield* texts(memory, "ada"), ["The user is Ada."])
      })
    ).pipe(Effect.provide([answers("Good morning.", { chunkSize: 4 }), stores]))
  )

  it.effect("a run waits for a slow extraction as long as `patience`, then it is given up and reported", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(ScriptedModel.hang)
      const { told, report } = reports()
      const memory = Memory.make({ extractor: small, report, patience: "2 seconds" })
      const fiber = yield* cook.pipe(
        Memory.attach(memory, "ada"),
        Agent.input("I am Ada."),
        Agent.run,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("2900 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "Hi.")
      assert.deepStrictEqual([told[0]?.status, told[0]?.duration], ["failed", 3_000])
      assert.include(String(told[0]?.cause), "raise `patience`")
      assert.deepStrictEqual(yield* texts(memory, "ada"), [])
    }).pipe(Effect.provide([answers("Hi.", { latency: "1 second" }), stores]))
  )

  it.effect("a run that is interrupted leaves no memory, even where the extraction was done", () =>
    Effect.gen(function* () {
      for (const extraction of [learns(fact), slow(9)]) {
        const { agent: small } = extractor(extraction)
        const { told, report } = reports()
        const memory = Memory.make({ extractor: small, report })
        const fiber = yield* cook.pipe(
          Memory.attach(memory, "ada"),
          Agent.input("I am Ada."),
          Agent.run,
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(
          told.map(({ status }) => status),
          ["dropped"]
        )
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* texts(memory, "ada"), [])
      }
    }).pipe(Effect.provide([answers("Hi.", { latency: "3 seconds" }), stores]))
  )

  it.effect("a run that is interrupted while it waits for its extraction leaves none either", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(slow(3))
      const { told, report } = reports()
      const memory = Memory.make({ extractor: small, report })
      const fiber = yield* cook.pipe(
        Memory.attach(memory, "ada"),
        Agent.input("I am Ada."),
        Agent.run,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([told.map(({ status }) => status), yield* texts(memory, "ada")], [["dropped"], []])
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("a run that fails leaves no memory", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(learns(fact))
      const { told, report } = reports()
      const memory = Memory.make({ extractor: small, report })
      const error = yield* Effect.flip(cook.pipe(Memory.attach(memory, "ada"), Agent.input("I am Ada."), Agent.run))
      assert.strictEqual(error._tag, "ModelError")
      assert.deepStrictEqual([told.map(({ status }) => status), yield* texts(memory, "ada")], [["dropped"], []])
    }).pipe(
      Effect.provide([ScriptedModel.always(ScriptedModel.fail(new RateLimited({ detail: "slow down" }))), stores])
    )
  )

  it.effect("in the background a run does not wait, and what it told is remembered later", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(slow(5))
      const { told, report } = reports()
      const memory = yield* Memory.background({ extractor: small, report })
      const mine = cook.pipe(Memory.attach(memory, "ada"), Agent.input("I am Ada."))
      assert.strictEqual(yield* Agent.run(mine), "Hi.")
      assert.deepStrictEqual([told.length, yield* texts(memory, "ada")], [0, []])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([told[0]?.status, yield* texts(memory, "ada")], ["kept", ["The user is Ada."]])
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("in the background the default extractor is the model that was there when the memory was made", () =>
    Effect.gen(function* () {
      const memory = yield* Memory.background().pipe(
        Effect.provide(yield* Layer.build(ScriptedModel.layer([learns(fact)])))
      )
      yield* cook.pipe(Memory.attach(memory, "ada"), Agent.input("I am Ada."), Agent.run)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* texts(memory, "ada"), ["The user is Ada."])
    }).pipe(Effect.provide([ScriptedModel.layer([ScriptedModel.text("Hi.")]), stores]))
  )

  it.effect("closing the owner's Scope ends extractions that are under way, as a whole", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(slow(5))
      const { told, report } = reports()
      const owner = yield* Scope.make()
      const memory = yield* Scope.provide(Memory.background({ extractor: small, report }), owner)
      const mine = cook.pipe(Memory.attach(memory, "ada"), Agent.input("I am Ada."))
      yield* Agent.run(mine)
      yield* TestClock.adjust("1 second")
      yield* Scope.close(owner, Exit.void)
      assert.deepStrictEqual(
        told.map(({ status }) => status),
        ["dropped"]
      )
      assert.strictEqual(yield* Agent.run(mine), "Hi.")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* texts(memory, "ada"), [])
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("in the background the extraction spends its owner's budget, not the run's", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor([learns(fact), learns(fact)])
      const { told, report } = reports()
      const memory = yield* Memory.background({ extractor: small, report }).pipe(Budget.within({ requests: 1 }))
      const mine = cook.pipe(Memory.attach(memory, "ada"), Agent.input("I am Ada."))
      yield* Agent.run(mine).pipe(Budget.within({ requests: 1 }))
      yield* TestClock.adjust(1)
      yield* Agent.run(mine).pipe(Budget.within({ requests: 1 }))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        told.map(({ status }) => status),
        ["kept", "failed"]
      )
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("a run that is interrupted at any step leaves no extraction waiting for its answer", () =>
    Effect.gen(function* () {
      let started = 0
      for (let steps = 0; steps < 150; steps++) {
        const memory = yield* Memory.background({ extractor: extractor(learns([])).agent })
        const fibers: Array<Fiber.Fiber<void>> = []
        const { owner } = memory
        assert(owner !== undefined)
        const watched: Memory.Memory = {
          ...memory,
          owner: (work) => Effect.tap(owner(work), (fiber) => Effect.sync(() => void fibers.push(fiber)))
        }
        const run = yield* cook.pipe(
          Memory.attach(watched, "ada"),
          Agent.input("Hello"),
          Agent.run,
          // Other fibers get their turn after every few steps.
          Effect.provideService(Scheduler.MaxOpsBeforeYield, 3),
          Effect.forkChild({ startImmediately: true })
        )
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        yield* Fiber.interrupt(run)
        for (let step = 0; step < 300; step++) yield* Effect.yieldNow
        started += fibers.length
        assert.isTrue(
          fibers.every((fiber) => fiber.pollUnsafe() !== undefined),
          `interrupted after ${steps} steps`
        )
      }
      assert.isAbove(started, 0)
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("1,000 runs of 10 users at once: each user's facts are there, once, and no fiber is left", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(
        ScriptedModel.respond((request) =>
          learns([{ op: "add", text: `The user said ${/Remember (fact-\d+)/.exec(promptOf(request))?.[1]}.` }])
        )
      )
      const { told, report } = reports()
      const memory = Memory.make({ extractor: small, report })
      yield* Effect.forEach(
        Array.from({ length: 1_000 }, (_, index) => index),
        (index) =>
          cook.pipe(
            Memory.attach(memory, `user-${index % 10}`),
            Agent.input(`Remember fact-${Math.floor(index / 10) % 7}`),
            Agent.run
          ),
        { concurrency: 100 }
      )
      for (let user = 0; user < 10; user++) {
        const expected = Array.from({ length: 7 }, (_, n) => `The user said fact-${n}.`)
        assert.deepStrictEqual(yield* texts(memory, `user-${user}`), expected)
      }
      assert.lengthOf(told, 1_000)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
    }).pipe(Effect.provide([answers("Noted."), stores]))
  )
})
