// Journals that are read append by append, as those do who follow an execution.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { ExecutionHost, type FlowRunner } from "../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../services/ExecutionKeeper.ts"
import { JournalStore } from "../../services/JournalStore.ts"
import { durable } from "../../layers/host/DurableHost.ts"
import * as JournalStores from "../../layers/store/JournalStores.ts"
import { Chain, Interrupt, TriggerFlow } from "../../src/triggerflow/index.ts"

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Boolean })

const Inner = TriggerFlow.define("inner", { input: Schema.Int, result: Schema.Int })
const inner = Inner.build(
  Inner.start.pipe(
    Chain.to("twice", (n) => Effect.succeed(2 * n)),
    Chain.result
  )
)
const Outer = TriggerFlow.define("outer", { input: Schema.Int, interrupts: [Ask], result: Schema.Boolean })
const outer = Outer.build(
  Outer.start.pipe(
    Chain.subFlow(inner),
    Chain.to("ask", (n, run) => run.pause(Ask, `is it ${n}?`)),
    Chain.to("answered", (yes) => Effect.succeed(yes)),
    Chain.result
  )
)

// The runner that the host is given, kept for the test.
const opened = Effect.gen(function* () {
  const runners: Array<FlowRunner> = []
  const host = yield* ExecutionHost
  const kept = ExecutionHost.of({
    ...host,
    register: (runner) => {
      runners.push(runner)
      return host.register(runner)
    }
  })
  yield* Layer.build(TriggerFlow.toLayer(outer)).pipe(Effect.provideService(ExecutionHost, kept))
  const id = yield* host.start({ flow: "outer", input: 4 })
  for (;;) {
    const { questions } = yield* host.get(id)
    const [question] = questions
    if (question !== undefined) {
      yield* host.answer(id, question.id, true)
      break
    }
    yield* Effect.yieldNow
  }
  yield* host.close(id)
  const { history } = yield* JournalStore
  const reader = runners[0]?.reader
  assert.isDefined(reader)
  return { entries: yield* history(id), reader, told: yield* (yield* ExecutionKeeper).history(id) }
})

const layer = durable({ runner: "reader" }).pipe(Layer.provideMerge(JournalStores.memory))

describe("a journal that is read append by append", () => {
  it.effect("tells the same in pieces as at once, with the beginnings and ends of runs", () =>
    Effect.gen(function* () {
      const { entries, reader, told } = yield* opened
      const whole = yield* (yield* reader(undefined)).take(entries)
      const { take } = yield* reader(undefined)
      const pieces = (yield* Effect.forEach(entries, (entry) => take([entry]))).flat()
      assert.isAbove(entries.length, 2)
      assert.deepStrictEqual(pieces, whole)
      // What `history` tells is all of it but these.
      const untold = new Set(["began", "ended"])
      assert.deepStrictEqual(
        whole.filter(({ what }) => !untold.has(what)),
        told
      )
      const of = (step: string) => whole.filter((entry) => entry.step === step).map(({ what }) => what)
      assert.deepStrictEqual(of("twice"), ["began", "done"])
      assert.deepStrictEqual(of("ask"), ["began", "asked", "ended"])
      assert.deepStrictEqual(of("answered"), ["began", "done"])
      const [began, done] = whole.filter(({ step }) => step === "start/subFlow")
      assert.deepStrictEqual([began?.what, done?.what], ["began", "done"])
      assert.strictEqual(began?.run, done?.run)
      assert.deepStrictEqual(whole.find(({ step }) => step === "twice")?.inside, ["start/subFlow"])
      assert.isUndefined(whole.find(({ step }) => step === "ask")?.inside)
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.effect("begins at a snapshot with what waited then", () =>
    Effect.gen(function* () {
      const { entries, reader } = yield* opened
      const store = yield* JournalStore
      const [execution] = (yield* store.list({ flow: "outer" })).heads
      assert.isDefined(execution)
      const keeper = yield* ExecutionKeeper
      const asked = entries.findLast(({ records }) => JSON.stringify(records).includes('"Paused"'))
      const fork = yield* keeper.fork(execution.id, { seq: asked?.seq ?? 0 })
      const read = Option.getOrUndefined(yield* store.read(fork, { until: 1 }))
      const begun = yield* reader(read?.snapshot?.json)
      const host = yield* ExecutionHost
      yield* host.answer(fork, "Ask#1", false)
      yield* host.close(fork)
      const happened = yield* begun.take((yield* store.history(fork)).filter(({ seq }) => seq > 1))
      assert.includeMembers(
        happened.map(({ step, what }) => `${step} ${what}`),
        ["ask ended", "answered began", "answered done"]
      )
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.effect("says what is wrong where it cannot be read", () =>
    Effect.gen(function* () {
      const { entries, reader } = yield* opened
      const { take } = yield* reader(undefined)
      const error = yield* Effect.flip(take(entries.slice(1)))
      assert.strictEqual(error._tag, "FlowFailed")
      assert.include(error.message, "its first record is missing")
    }).pipe(Effect.scoped, Effect.provide(layer))
  )
})
