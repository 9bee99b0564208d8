// Time that outlives processes: sleeps, deadlines and questions that expire, over a journal that stays while runners come
// and go.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { JournalStore } from "effigent/services/JournalStore"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

const hour = 3_600_000
const day = 24 * hour

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.String })
const F = TriggerFlow.define("timed", {
  input: Schema.Number,
  result: Schema.Unknown,
  error: Schema.Literal("odd"),
  interrupts: [Ask]
})
const at = () => Clock.currentTimeMillis

const sleeps = F.build(F.start.pipe(Chain.sleep("long", "30 days"), Chain.to("at", at), Chain.result))

/** A life of a runner, until `end`; it looks around so seldom that days cost little. */
const live = <R>(layer: Layer.Layer<never, unknown, ExecutionHost | R>, store: JournalStore["Service"]) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const host = ExecutionHosts.durable({ drain: 0, lease: "5 hours", idleFor: "1 minute" }).pipe(
      Layer.provideMerge(Layer.succeed(JournalStore, store))
    )
    const context = yield* Layer.buildWithScope(
      // The flows of these tests need nothing else.
      (layer as Layer.Layer<never, unknown, ExecutionHost>).pipe(Layer.provideMerge(host)),
      scope
    )
    return {
      run: <A, E>(effect: Effect.Effect<A, E, ExecutionHost | ExecutionKeeper>) => Effect.provide(effect, context),
      end: Scope.close(scope, Exit.void)
    }
  })

const memory = Effect.map(Effect.scoped(Layer.build(JournalStores.memory)), (context) =>
  Effect.runSync(Effect.provide(JournalStore, context))
)

const runner = (flow: typeof sleeps) => TriggerFlow.toLayer(flow)
const view = (id: string) => ExecutionHost.use((host) => host.get(id))
const status = (id: string) => Effect.map(view(id), ({ status }) => status)

describe("a step that sleeps, in a journal", () => {
  it.effect("30 days: nothing of it is in memory, and it is woken on time", () =>
    Effect.gen(function* () {
      const store = yield* memory
      const { end, run } = yield* live(runner(sleeps), store)
      yield* run(TriggerFlow.start(F, 1, { id: "a" }))
      yield* TestClock.adjust(2 * hour)
      assert.strictEqual((yield* run(ExecutionKeeper.use(({ health }) => health))).active, 0)
      assert.deepStrictEqual(yield* store.nextWake([{ flow: "timed" }]), Option.some(30 * day))
      assert.strictEqual(yield* run(status("a")), "waiting")
      yield* TestClock.adjust(28 * day)
      assert.strictEqual((yield* run(ExecutionKeeper.use(({ health }) => health))).active, 0)
      yield* TestClock.adjust(2 * day)
      const { result, status: ended } = yield* run(view("a"))
      assert.deepStrictEqual([ended, result], ["completed", 30 * day])
      const history = yield* run(ExecutionKeeper.use((keeper) => keeper.history("a")))
      assert.deepStrictEqual(
        history.filter(({ step }) => step === "long").map(({ at, what }) => [what, at]),
        [
          ["sleeps", 0],
          ["done", 30 * day]
        ]
      )
      yield* end
    })
  )

  it.effect("goes on at once in the process that begins after its time", () =>
    Effect.gen(function* () {
      const store = yield* memory
      const first = yield* live(runner(sleeps), store)
      yield* first.run(TriggerFlow.start(F, 1, { id: "a" }))
      yield* TestClock.adjust(day)
      yield* first.end
      yield* TestClock.adjust(99 * day)
      const second = yield* live(runner(sleeps), store)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual((yield* second.run(view("a"))).result, 100 * day)
      yield* second.end
    })
  )

  it.effect("sleeps on in the process that begins before its time, through as many as come", () =>
    Effect.gen(function* () {
      const store = yield* memory
      for (let life = 0; life < 5; life++) {
        const { end, run } = yield* live(runner(sleeps), store)
        yield* run(TriggerFlow.start(F, 1, { id: "a" }))
        yield* TestClock.adjust(5 * day)
        yield* end
      }
      const last = yield* live(runner(sleeps), store)
      yield* TestClock.adjust(5 * day - 1)
      assert.strictEqual(yield* last.run(status("a")), "waiting")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* last.run(view("a"))).result, 30 * day)
      yield* last.end
    })
  )

  it.effect("in a sub-flow and in items: each wakes when its own time has come", () =>
    Effect.gen(function* () {
      const Inner = TriggerFlow.define("inner", { input: Schema.Number, result: Schema.Number })
      const inner = Inner.build(
        Inner.start.pipe(
          Chain.sleep("inside", (n: number) => n * day),
          Chain.to("woken", at),
          Chain.result
        )
      )
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([3, 1, 2])),
          Chain.forEach((c) => c.pipe(Chain.subFlow(inner))),
          Chain.result
        )
      )
      const store = yield* memory
      const first = yield* live(runner(flow), store)
      yield* first.run(TriggerFlow.start(F, 1, { id: "a" }))
      yield* TestClock.adjust(1.5 * day)
      yield* first.end
      const second = yield* live(runner(flow), store)
      yield* TestClock.adjust(2 * day)
      assert.deepStrictEqual((yield* second.run(view("a"))).result, [3 * day, day, 2 * day])
      yield* second.end
    })
  )

  it.effect("1,000 in one execution are woken in one life after another", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed(Array.from({ length: 1000 }, (_, n) => n))),
          Chain.forEach((c) => c.pipe(Chain.sleep("nap", (n: number) => (n % 10) * hour + hour))),
          Chain.to("sum", (list) => Effect.succeed(list.reduce((a, b) => a + b, 0))),
          Chain.result
        )
      )
      const store = yield* memory
      for (let life = 0; life < 3; life++) {
        const { end, run } = yield* live(runner(flow), store)
        if (life === 0) yield* run(TriggerFlow.start(F, 1, { id: "a" }))
        yield* TestClock.adjust(4 * hour)
        if (life === 2) assert.deepStrictEqual((yield* run(view("a"))).result, 499_500)
        yield* end
      }
    })
  )
})

describe("deadlines and questions, in a journal", () => {
  it.effect("the `timeout` of an execution is a point in time: it holds in the next process", () =>
    Effect.gen(function* () {
      const store = yield* memory
      const first = yield* live(runner(sleeps), store)
      yield* first.run(TriggerFlow.start(F, 1, { id: "a", timeout: "3 days" }))
      yield* TestClock.adjust(day)
      yield* first.end
      const second = yield* live(runner(sleeps), store)
      yield* TestClock.adjust(2 * day - 1)
      assert.strictEqual(yield* second.run(status("a")), "waiting")
      yield* TestClock.adjust(1)
      const { failure, status: ended } = yield* second.run(view("a"))
      assert.strictEqual(ended, "failed")
      assert.include(failure?.message, "took longer than")
      yield* second.end
    })
  )

  it.effect("a question expires while no process runs: `otherwise` is taken, or the step fails", () =>
    Effect.gen(function* () {
      const store = yield* memory
      const asks = (name: string, otherwise: boolean) =>
        F.build(
          F.start.pipe(
            Chain.to("ask", (_, run) =>
              run.pause(Ask, name, { expires: "2 days", ...(otherwise ? { otherwise: "nobody" } : {}) })
            ),
            Chain.result
          )
        )
      for (const otherwise of [true, false]) {
        const id = `${otherwise}`
        const first = yield* live(runner(asks(id, otherwise)), store)
        yield* first.run(TriggerFlow.start(F, 1, { id }))
        yield* TestClock.adjust(day)
        yield* first.end
        yield* TestClock.adjust(9 * day)
        const second = yield* live(runner(asks(id, otherwise)), store)
        yield* TestClock.adjust(0)
        const { failure, result, status: ended } = yield* second.run(view(id))
        if (otherwise) assert.deepStrictEqual([ended, result], ["completed", "nobody"])
        else assert.deepStrictEqual([ended, failure?.message.includes("expired")], ["failed", true])
        yield* second.end
      }
    })
  )

  it.effect("the `timeout` of a step begins anew with its handler, after a restart", () =>
    Effect.gen(function* () {
      const store = yield* memory
      let begun = 0
      const works = F.build(
        F.start.pipe(
          Chain.to(
            "work",
            () =>
              Effect.gen(function* () {
                begun++
                yield* Effect.sleep("8 hours")
                return begun
              }),
            { timeout: "10 hours" }
          ),
          Chain.result
        )
      )
      const first = yield* live(runner(works), store)
      yield* first.run(TriggerFlow.start(F, 1, { id: "a" }))
      yield* TestClock.adjust(7 * hour)
      yield* first.end
      const second = yield* live(runner(works), store)
      yield* TestClock.adjust(8 * hour)
      // 15 hours after it began for the first time.
      assert.deepStrictEqual((yield* second.run(view("a"))).result, 2)
      yield* second.end
    })
  )
})
