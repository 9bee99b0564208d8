import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schema, Stream } from "effect"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import { reasonOf, settle } from "./support.ts"

const Advice = TriggerFlow.define("advice", {
  input: Schema.Number,
  stream: Schema.Json,
  result: Schema.Json,
  intervention: Schema.String
})

describe("Interventions", () => {
  it.effect(
    "TF-50 is taken in at its point, seen behind it, and settled by who uses it; what comes too late expires",
    () =>
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const flow = Advice.build(
          Advice.start.pipe(
            Chain.to("before", (_, run) => Effect.andThen(Deferred.await(go), run.interventions)),
            Chain.to("count", (seen, run) => run.put(seen.length)),
            Chain.interventionPoint("review"),
            Chain.to("after", (_, run) =>
              Effect.gen(function* () {
                const seen = yield* run.interventions
                yield* run.put(seen.map(({ payload, author, status }) => [payload, author ?? null, status]))
                for (const [at, { id }] of seen.entries())
                  yield* run.settleIntervention(id, at === 0 ? "applied" : "ignored")
              })
            )
          )
        )
        const execution = yield* TriggerFlow.open(flow, 1)
        assert.strictEqual(yield* execution.intervene("be brief", { id: "i1", author: "ann", target: "review" }), "i1")
        yield* execution.intervene("be kind", { id: "i2", target: "review" })
        yield* execution.intervene("elsewhere", { id: "i3", target: "nowhere" })
        yield* execution.intervene("again", { id: "i1", target: "review" })
        const statuses = Effect.map(execution.interventions, (all) => all.map(({ id, status }) => [id, status]))
        assert.deepStrictEqual(yield* statuses, [
          ["i1", "pending"],
          ["i2", "pending"],
          ["i3", "pending"]
        ])
        yield* Deferred.succeed(go, undefined)
        yield* settle
        yield* execution.close()
        assert.deepStrictEqual(yield* statuses, [
          ["i1", "applied"],
          ["i2", "ignored"],
          ["i3", "expired"]
        ])
        assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), [
          0,
          [
            ["be brief", "ann", "inserted"],
            ["be kind", null, "inserted"]
          ]
        ])
        const actions = (yield* Stream.runCollect(execution.entries())).flatMap(({ event }) =>
          event._tag === "intervention" ? [`${event.id} ${event.action}`] : []
        )
        assert.deepStrictEqual(actions, [
          "i1 append",
          "i2 append",
          "i3 append",
          "i1 reject",
          "i1 insert",
          "i2 insert",
          "i1 consume",
          "i2 consume",
          "i3 expire"
        ])
      })
  )

  it.effect("TF-50 one for a chunk is taken in before that chunk, one for nobody at the next place", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const flow = Advice.build(
        Advice.start.pipe(
          Chain.to("wait", () => Deferred.await(go)),
          Chain.to("first", (_, run) => Effect.map(run.interventions, (all) => all.map(({ payload }) => payload))),
          Chain.to("second", (seen, run) =>
            Effect.map(run.interventions, (all) => [seen.join(), all.map(({ payload }) => payload).join()])
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* execution.intervene("for the second", { target: "second" })
      yield* execution.intervene("for anybody")
      yield* Deferred.succeed(go, undefined)
      const closed = yield* execution.close()
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, [
        "for anybody",
        "for the second,for anybody"
      ])
    })
  )

  it.effect("what does not fit is refused, and it neither stops nor changes anything", () =>
    Effect.gen(function* () {
      const flow = Advice.build(
        Advice.start.pipe(
          Chain.interventionPoint("p"),
          Chain.to("same", (n) => Effect.succeed(n)),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.create(flow, 7)
      // What plain JavaScript could pass.
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.intervene(5 as never))), "ContractViolation")
      yield* execution.intervene("words")
      yield* execution.start
      const closed = yield* execution.close()
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, 7)
    })
  )

  it.live("interventions that are over cost the steps behind them nothing", () =>
    Effect.gen(function* () {
      const Go = Signal.make("Go", Schema.Number)
      const Said = TriggerFlow.define("said", { signals: [Go], intervention: Schema.Number })
      const flow = Said.build(
        Said.on(Go).pipe(
          Chain.to("list", (n) => Effect.succeed(Array.from({ length: n }, (_, at) => at))),
          Chain.forEach((i) => i.pipe(Chain.to("item", (n) => Effect.succeed(n))))
        )
      )
      const took = (said: number) =>
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(flow, undefined)
          for (let n = 0; n < said; n++) yield* execution.intervene(n, { id: `${n}` })
          yield* execution.emit(Go, 10)
          const from = performance.now()
          yield* execution.emit(Go, 20_000)
          return performance.now() - from
        }).pipe(Effect.scoped)
      yield* took(0)
      const without = Math.min(yield* took(0), yield* took(0))
      assert.isBelow((yield* took(6_000)) / without, 5)
    })
  )
})
