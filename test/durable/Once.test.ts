// What must not be done twice, however often its handler is run again.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Once } from "effigent/durable"
import { EffectLedgers } from "effigent/layers/store"
import { EffectLedger } from "effigent/services/EffectLedger"

const run = { executionId: "order-1", chunk: "charge", keyOf: (name: string) => `order-1/3:${name}` }
const Receipt = Schema.Struct({ at: Schema.DateFromMillis, cents: Schema.Int })
const receipt = { at: new Date(5), cents: 500 }

class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

describe("Once", () => {
  it.effect("what was done is given again, decoded, and not done again", () =>
    Effect.gen(function* () {
      const keys: Array<string> = []
      const charge = Once.perform(run, "charge", { output: Receipt }, (key) =>
        Effect.sync(() => {
          keys.push(key)
          return receipt
        })
      )
      assert.deepStrictEqual(yield* charge, receipt)
      assert.deepStrictEqual(yield* charge, receipt)
      assert.deepStrictEqual(keys, ["order-1/3:charge"])
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("a typed failure says that it was not done: it may be tried again", () =>
    Effect.gen(function* () {
      let tries = 0
      const charge = Once.perform(run, "charge", { output: Receipt }, () =>
        Effect.suspend(() => (++tries < 3 ? Effect.fail(new Declined()) : Effect.succeed(receipt)))
      )
      assert.strictEqual((yield* Effect.flip(charge))._tag, "Declined")
      assert.deepStrictEqual(yield* Effect.retry(charge, { times: 3 }), receipt)
      assert.strictEqual(tries, 3)
      assert.deepStrictEqual(yield* charge, receipt)
      assert.strictEqual(tries, 3)
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  const interrupted = <A, E, R>(effect: (begun: Deferred.Deferred<void>) => Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(effect(begun))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
    })

  it.effect("after an interruption nobody knows, and it is not done again by itself", () =>
    Effect.gen(function* () {
      let done = 0
      yield* interrupted((begun) =>
        Once.perform(run, "charge", { output: Receipt }, () =>
          Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        )
      )
      const again = Once.perform(run, "charge", { output: Receipt }, () =>
        Effect.sync(() => {
          done++
          return receipt
        })
      )
      const error = yield* Effect.flip(again)
      assert.instanceOf(error, Once.OnceUnknown)
      assert.include(error.message, "order-1/3:charge")
      assert.strictEqual(done, 0)
      const open = yield* EffectLedger.use((ledger) => ledger.list({ group: "order-1", state: "open" }))
      assert.deepStrictEqual(
        open.map(({ id, name }) => [id, name]),
        [["order-1/3:charge", "charge: charge"]]
      )
      // A person has looked.
      assert.isTrue(yield* Once.clear("order-1/3:charge"))
      assert.deepStrictEqual(yield* again, receipt)
      assert.strictEqual(done, 1)
      assert.isFalse(yield* Once.settle("order-1/3:charge", Receipt, { ...receipt, cents: 1 }))
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("after a defect nobody knows; a person may say what came out", () =>
    Effect.gen(function* () {
      const broken = Once.perform(run, "charge", { output: Receipt }, () => Effect.die("the socket closed"))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(broken)))
      assert.isTrue(yield* Once.settle("order-1/3:charge", Receipt, receipt))
      assert.deepStrictEqual(yield* broken, receipt)
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("reconcile is asked where nobody knows: done is taken over, not done begins again", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      let known: Option.Option<typeof receipt> = Option.none()
      let done = 0
      const options = {
        output: Receipt,
        reconcile: (key: string) =>
          Effect.sync(() => {
            asked.push(key)
            return known
          })
      }
      const hang = (name: string) =>
        interrupted((begun) =>
          Once.perform(run, name, options, () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
        )
      const charge = (name: string) =>
        Once.perform(run, name, options, () =>
          Effect.sync(() => {
            done++
            return receipt
          })
        )
      yield* hang("a")
      assert.deepStrictEqual(yield* charge("a"), receipt)
      assert.strictEqual(done, 1)
      yield* hang("b")
      known = Option.some({ ...receipt, cents: 7 })
      assert.strictEqual((yield* charge("b")).cents, 7)
      assert.strictEqual((yield* charge("b")).cents, 7)
      assert.strictEqual(done, 1)
      assert.deepStrictEqual(asked, ["order-1/3:a", "order-1/3:b"])
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("what is idempotent is done again under the same key", () =>
    Effect.gen(function* () {
      const keys: Array<string> = []
      const options = { output: Schema.Int, level: "idempotent" as const }
      yield* interrupted((begun) =>
        Once.perform(run, "put", options, (key) => {
          keys.push(key)
          return Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        })
      )
      const put = Once.perform(run, "put", options, (key) => Effect.sync(() => keys.push(key)))
      assert.strictEqual(yield* put, 2)
      assert.deepStrictEqual(keys, ["order-1/3:put", "order-1/3:put"])
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("of 20 that begin it at once, one does it", () =>
    Effect.gen(function* () {
      let done = 0
      const charge = Once.perform(run, "charge", { output: Schema.Int }, () =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => ++done)
        )
      )
      const exits = yield* Effect.all(
        Array.from({ length: 20 }, () => Effect.exit(charge)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(done, 1)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
    }).pipe(Effect.provide(EffectLedgers.memory))
  )

  it.effect("an output that its Schema does not admit is a typed failure, and nothing is said to be known", () =>
    Effect.gen(function* () {
      const odd = Once.perform(run, "charge", { output: Schema.Int }, () => Effect.succeed(0.5))
      assert.strictEqual((yield* Effect.flip(odd))._tag, "EffectLedgerError")
      assert.strictEqual((yield* Effect.flip(odd))._tag, "OnceUnknown")
    }).pipe(Effect.provide(EffectLedgers.memory))
  )
})

describe("an outcome that is known", () => {
  it.effect("an interruption does not lose an outcome that is known", () =>
    Effect.gen(function* () {
      const inner = yield* EffectLedger
      const settling = yield* Deferred.make<void>()
      const ledger = EffectLedger.of({
        ...inner,
        settle: (...args) =>
          Effect.andThen(
            Deferred.succeed(settling, undefined),
            Effect.andThen(Effect.sleep(100), inner.settle(...args))
          )
      })
      const run = { executionId: "order-1", chunk: "charge", keyOf: (name: string) => `order-1/3:${name}` }
      const charge = Once.perform(run, "charge", { output: Schema.String }, () => Effect.succeed("receipt")).pipe(
        Effect.provideService(EffectLedger, ledger)
      )
      const fiber = yield* Effect.forkChild(charge)
      yield* Deferred.await(settling)
      const over = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust(100)
      yield* Fiber.join(over)
      const again = yield* Effect.forkChild(charge)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(again), "receipt")
    }).pipe(Effect.provide(EffectLedgers.memory))
  )
})
