import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Ref, Result, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Concurrent } from "effigent"
import { ProviderUnavailable } from "effigent/services/ModelError"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

class Bad extends Schema.TaggedError<Bad>()("Bad", { n: Schema.Int }) {}

const evenOnly = (n: number) => (n % 2 === 0 ? Effect.succeed(n * 10) : Effect.fail(new Bad({ n })))

const inputOf = (request: ModelRequest): string => {
  const message = request.prompt.content.at(-1)
  const part = message?.role === "user" ? message.content[0] : undefined
  return part?.type === "text" ? part.text : ""
}

// Answers a text with the text itself in capitals, the longer the text, the later.
const shouting = ScriptedModel.always(
  ScriptedModel.respond((request) => {
    const text = inputOf(request)
    return ScriptedModel.text(text.toUpperCase(), { latency: text.length * 10 })
  })
)
const shout = Agent.make({})

// Counts how many runs there are at once, and the most there ever were.
const gauge = Effect.gen(function* () {
  const now = yield* Ref.make(0)
  const most = yield* Ref.make(0)
  const through = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.flatMap(
        Ref.updateAndGet(now, (n) => n + 1),
        (n) => Ref.update(most, (m) => Math.max(m, n))
      ),
      () => effect,
      () => Ref.update(now, (n) => n - 1)
    )
  return { through, now: Ref.get(now), most: Ref.get(most) }
})

describe("map", () => {
  it.effect("gives an agent's answers in input order, whatever order they come in", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Concurrent.map(["a long letter", "b", "third"], shout))
      yield* TestClock.adjust(130)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["A LONG LETTER", "B", "THIRD"])
    }).pipe(Effect.provide(shouting))
  )

  it.effect("runs data-last, over functions with their index, over any iterable", () =>
    Effect.gen(function* () {
      const worker = Concurrent.map((n: number, index) => Effect.succeed(n + index))
      assert.deepStrictEqual(yield* worker(new Set([10, 20, 30])), [10, 21, 32])
      assert.deepStrictEqual(yield* worker([]), [])
    })
  )

  it.effect("keeps the concurrency limit, 16 by default", () =>
    Effect.gen(function* () {
      const inputs = Array.from({ length: 50 }, (_, n) => n)
      for (const [options, limit] of [
        [{ concurrency: 3 }, 3],
        [{ concurrency: "unbounded" }, 50],
        [{}, 16]
      ] as const) {
        const { most, through } = yield* gauge
        const fiber = yield* Effect.forkChild(
          Concurrent.map(inputs, (n) => through(Effect.as(Effect.sleep(10), n)), options)
        )
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(yield* Fiber.join(fiber), inputs)
        assert.strictEqual(yield* most, limit)
      }
    })
  )

  it.effect("fails fast: the first failure interrupts the siblings and starts no other", () =>
    Effect.gen(function* () {
      const { now, through } = yield* gauge
      const started = yield* Ref.make(0)
      const error = yield* Effect.flip(
        Concurrent.map(
          [0, 1, 2, 3, 4],
          (n) =>
            Effect.andThen(
              Ref.update(started, (s) => s + 1),
              through(n === 1 ? evenOnly(n) : Effect.never)
            ),
          { concurrency: 2 }
        )
      )
      assert.deepStrictEqual(error, new Bad({ n: 1 }))
      assert.strictEqual(yield* now, 0)
      assert.strictEqual(yield* Ref.get(started), 2)
    })
  )

  it.effect("S63 results: three slots in order, the failure in its own, its siblings kept", () =>
    Effect.gen(function* () {
      const slots = yield* Concurrent.map([2, 3, 4], evenOnly, { collect: "results" })
      assert.deepStrictEqual(slots, [Result.succeed(20), Result.fail(new Bad({ n: 3 })), Result.succeed(40)])
    })
  )

  it.effect("S64 a slot over its time-out is interrupted at that time, with a typed error in the slot", () =>
    Effect.gen(function* () {
      const { now, through } = yield* gauge
      const fiber = yield* Effect.forkChild(
        Concurrent.map([10, 500, 20], (millis) => through(Effect.as(Effect.sleep(millis), millis)), {
          timeout: "50 millis",
          collect: "results"
        })
      )
      yield* TestClock.adjust(49)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const [a, b, c] = yield* Fiber.join(fiber)
      assert.deepStrictEqual([a, c], [Result.succeed(10), Result.succeed(20)])
      assert.deepStrictEqual(b, Result.fail(new Concurrent.SlotTimedOut({ slot: 1, millis: 50 })))
      assert.strictEqual(yield* now, 0)
    })
  )

  it.effect("S64 a slot's time-out counts from its own start, not from the queue", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Concurrent.map([30, 30, 30], (millis) => Effect.as(Effect.sleep(millis), millis), {
          concurrency: 1,
          timeout: 40
        })
      )
      yield* TestClock.adjust(90)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [30, 30, 30])
    })
  )

  it.effect("S64 a timed-out agent's request is aborted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Concurrent.map(["x"], shout, { timeout: 50, collect: "results" }))
      yield* TestClock.adjust(50)
      const [slot] = yield* Fiber.join(fiber)
      assert.isTrue(slot !== undefined && Result.isFailure(slot) && slot.failure._tag === "SlotTimedOut")
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      assert.strictEqual(yield* ScriptedModel.aborted, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.hang])))
  )

  it.effect("S65 nests to any depth under bounded concurrency", () =>
    Effect.gen(function* () {
      const { most, through } = yield* gauge
      const tree = (depth: number): Effect.Effect<number> =>
        depth === 0
          ? through(Effect.as(Effect.sleep(1), 1))
          : Effect.map(
              Concurrent.map([0, 1, 2], () => tree(depth - 1), { concurrency: 2 }),
              (counts) => counts.reduce((a, b) => a + b)
            )
      const fiber = yield* Effect.forkChild(tree(6))
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(fiber), 3 ** 6)
      assert.isAtMost(yield* most, 2 ** 6)
    })
  )

  it.effect("S66 an interrupted slot is an interruption, never a value", () =>
    Effect.gen(function* () {
      const worker = (n: number) => (n === 1 ? Effect.interrupt : Effect.succeed(n))
      for (const collect of ["values", "results", "all"] as const) {
        const exit = yield* Effect.exit(Concurrent.map([0, 1, 2], worker, { collect }))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause), collect)
      }
      const [a, b, c] = yield* Concurrent.map([0, 1, 2], worker, { collect: "exits" })
      assert.deepStrictEqual([a, c], [Exit.succeed(0), Exit.succeed(2)])
      assert.isTrue(b !== undefined && Exit.isFailure(b) && Cause.hasInterruptsOnly(b.cause))
    })
  )

  it.effect("exits: a defect stays in its slot; elsewhere it is the defect of the whole", () =>
    Effect.gen(function* () {
      const boom = (n: number): Effect.Effect<number> => {
        if (n === 1) throw new Error("boom")
        return Effect.succeed(n)
      }
      const [a, b] = yield* Concurrent.map([0, 1], boom, { collect: "exits" })
      assert.deepStrictEqual(a, Exit.succeed(0))
      assert.isTrue(b !== undefined && Exit.isFailure(b) && Cause.hasDies(b.cause))
      const exit = yield* Effect.exit(Concurrent.map([0, 1], boom, { collect: "results" }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("interrupting the whole interrupts every slot", () =>
    Effect.gen(function* () {
      const { now, through } = yield* gauge
      const fiber = yield* Effect.forkChild(
        Concurrent.map([0, 1, 2], () => through(Effect.never), { collect: "exits" }),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      assert.strictEqual(yield* now, 3)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* now, 0)
    })
  )

  it.effect("S69 all: every slot runs to its end, and one error names each that failed", () =>
    Effect.gen(function* () {
      const done = yield* Ref.make(0)
      const worker = (n: number) =>
        Effect.ensuring(
          evenOnly(n),
          Ref.update(done, (d) => d + 1)
        )
      assert.deepStrictEqual(yield* Concurrent.map([0, 2], worker, { collect: "all" }), [0, 20])
      const error = yield* Effect.flip(Concurrent.map([1, 2, 3], worker, { collect: "all" }))
      assert.strictEqual(error._tag, "SlotsFailed")
      assert.deepStrictEqual(error.failures, [
        { slot: 0, error: new Bad({ n: 1 }) },
        { slot: 2, error: new Bad({ n: 3 }) }
      ])
      assert.include(error.message, "2 of 3 slots failed: slot 0: ")
      assert.strictEqual(yield* Ref.get(done), 5)
    })
  )
})

describe("broadcast", () => {
  it.effect("S49 gives a record of what all make of one input, at once", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Concurrent.broadcast("hello", {
          loud: shout,
          length: (text: string) => Effect.as(Effect.sleep(50), text.length)
        })
      )
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { loud: "HELLO", length: 5 })
    }).pipe(Effect.provide(shouting))
  )

  it.effect("gives a tuple for a tuple, data-last, and nests in map", () =>
    Effect.gen(function* () {
      const both = Concurrent.broadcast([evenOnly, (n: number) => Effect.succeed(`${n}`)], { collect: "results" })
      assert.deepStrictEqual(yield* both(3), [Result.fail(new Bad({ n: 3 })), Result.succeed("3")])
      assert.deepStrictEqual(yield* Concurrent.map([2], both), [[Result.succeed(20), Result.succeed("2")]])
    })
  )

  it.effect("takes an input that looks like options", () =>
    Effect.gen(function* () {
      const workers = [(input: { readonly concurrency: number }) => Effect.succeed(input.concurrency)] as const
      assert.deepStrictEqual(yield* Concurrent.broadcast({ concurrency: 7 }, workers), [7])
      assert.deepStrictEqual(yield* Concurrent.broadcast(workers, { concurrency: 1 })({ concurrency: 8 }), [8])
    })
  )
})

describe("scatter", () => {
  it.effect("runs agents with inputs of their own beside other Effects", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Concurrent.scatter([Agent.input(shout, "one"), Effect.succeed(2), Agent.input(shout, "three")])
      )
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["ONE", 2, "THREE"])
    }).pipe(Effect.provide(shouting))
  )

  it.effect("names the slots of a record in its errors, and keeps any key", () =>
    Effect.gen(function* () {
      const jobs = { ok: evenOnly(2), slow: Effect.sleep(100), ["__proto__"]: evenOnly(4) }
      const fiber = yield* Effect.forkChild(Concurrent.scatter(jobs, { timeout: 10, collect: "results" }))
      yield* TestClock.adjust(10)
      const slots = yield* Fiber.join(fiber)
      assert.deepStrictEqual(Object.keys(slots), ["ok", "slow", "__proto__"])
      assert.deepStrictEqual(slots.slow, Result.fail(new Concurrent.SlotTimedOut({ slot: "slow", millis: 10 })))
    })
  )
})

describe("race", () => {
  it.effect("gives the first success, past failures, and aborts the others' requests", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Concurrent.race([evenOnly(1), Agent.input(shout, "much too late"), Agent.input(shout, "in time")])
      )
      yield* TestClock.adjust(70)
      assert.strictEqual(yield* Fiber.join(fiber), "IN TIME")
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      assert.strictEqual(yield* ScriptedModel.aborted, 1)
    }).pipe(Effect.provide(shouting))
  )

  it.effect("fails where all fail, with every failure in the Cause", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Concurrent.race([evenOnly(1), evenOnly(3)]))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) {
        assert.deepStrictEqual(
          exit.cause.reasons.map((reason) => (Cause.isFailReason(reason) ? reason.error : undefined)),
          [new Bad({ n: 1 }), new Bad({ n: 3 })]
        )
      }
    })
  )

  it.effect("gives up a job over its time-out", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(Concurrent.race([Effect.never, Effect.never], { timeout: 5 })))
      yield* TestClock.adjust(5)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "SlotTimedOut")
    })
  )
})

describe("spawn", () => {
  it.effect("has begun when it returns, and gives the answer on joining", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Concurrent.spawn(Effect.as(Deferred.succeed(begun, undefined), 1))
      assert.isTrue(yield* Deferred.isDone(begun))
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      const agent = yield* Concurrent.spawn(Agent.input(shout, ""))
      const error = yield* Effect.flip(Fiber.join(agent))
      assert.strictEqual(error._tag, "ModelError")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.fail(new ProviderUnavailable({ detail: "down" }))])))
  )

  it.effect("is interrupted when its Scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const fiber = yield* Scope.provide(Concurrent.spawn(Agent.input(shout, "x")), scope)
      yield* Effect.yieldNow
      assert.strictEqual(yield* ScriptedModel.openStreams, 1)
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.hang])))
  )
})
