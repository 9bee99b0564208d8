import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { Chain, TriggerFlow } from "effigent/triggerflow"

/** The snapshot as another process reads it. */
const asText = (json: unknown): unknown => JSON.parse(JSON.stringify(json))

describe("Checkpoints", () => {
  it.effect("S35 a tool that has answered before the crash is not called again", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const asked = yield* Deferred.make<void>()
      let crashes = true
      const Turn = TriggerFlow.define("turn", { input: Schema.Array(Schema.String), result: Schema.String })
      const turn = Turn.build(
        Turn.start.pipe(
          Chain.forEach((tool) =>
            tool.pipe(Chain.to("call", (name) => Effect.sync(() => `${name} ${calls.push(name)}`)))
          ),
          Chain.to("model", (results) =>
            crashes
              ? Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
              : Effect.succeed(results.join(", "))
          ),
          Chain.result
        )
      )
      const process = Scope.makeUnsafe()
      const before = yield* Scope.provide(TriggerFlow.open(turn, ["search", "fetch"]), process)
      yield* Deferred.await(asked)
      const saved = asText(yield* before.save())
      yield* Scope.close(process, Exit.void)
      crashes = false
      const after = yield* TriggerFlow.load(turn, saved)
      const { result } = yield* after.await
      assert.deepStrictEqual(result, Option.some("search 1, fetch 2"))
      assert.deepStrictEqual(calls, ["search", "fetch"])
    })
  )

  it.effect("S36 the same id joins the run that there is, a new id begins a new one", () =>
    Effect.gen(function* () {
      const runs: Array<string> = []
      const Turn = TriggerFlow.define("turn", { input: Schema.String, result: Schema.String })
      const turn = Turn.build(
        Turn.start.pipe(
          Chain.to("answer", (text) => Effect.sync(() => `${text} ${runs.push(text)}`)),
          Chain.result
        )
      )
      const program = Effect.gen(function* () {
        const start = (input: string, id: string) =>
          Effect.flatMap(TriggerFlow.start(Turn, input, { id }), (execution) => execution.result)
        assert.strictEqual(yield* start("hello", "run-1"), "hello 1")
        assert.strictEqual(yield* start("hello", "run-1"), "hello 1")
        // Another input under the same id is told, not ignored.
        const conflict = yield* Effect.flip(start("other", "run-1"))
        assert.strictEqual(conflict._tag, "ExecutionConflict")
        assert.strictEqual(yield* start("hello", "run-2"), "hello 2")
      })
      const host = Layer.provideMerge(TriggerFlow.toLayer(turn), ExecutionHosts.inProcess())
      yield* Effect.provide(program, host)
      assert.deepStrictEqual(runs, ["hello", "hello"])
    })
  )

  it.effect("S67 a fan-out that is gone on with runs only what was not done", () =>
    Effect.gen(function* () {
      const ran: Array<number> = []
      const stuck = yield* Deferred.make<void>()
      let hangs = true
      const Gather = TriggerFlow.define("gather", {
        input: Schema.Array(Schema.Int),
        result: Schema.Array(Schema.Int)
      })
      const gather = Gather.build(
        Gather.start.pipe(
          Chain.forEach((slot) =>
            slot.pipe(
              Chain.to("work", (n) =>
                Effect.suspend(() => {
                  ran.push(n)
                  if (n !== 1 || !hangs) return Effect.succeed(n * 10)
                  return Effect.andThen(Deferred.succeed(stuck, undefined), Effect.never)
                })
              )
            )
          ),
          Chain.result
        )
      )
      const process = Scope.makeUnsafe()
      const before = yield* Scope.provide(TriggerFlow.open(gather, [0, 1, 2]), process)
      yield* Deferred.await(stuck)
      const saved = asText(yield* before.save())
      yield* Scope.close(process, Exit.void)
      assert.deepStrictEqual(ran.splice(0), [0, 1, 2])
      hangs = false
      const after = yield* TriggerFlow.load(gather, saved)
      assert.deepStrictEqual((yield* after.await).result, Option.some([0, 10, 20]))
      assert.deepStrictEqual(ran, [1])
    })
  )
})
