import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { ExecutionHosts, FlowDataStores } from "effigent/layers/host"
import { FlowData, FlowDataError } from "effigent/services/FlowData"
import { Chain, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"
import type { Flow } from "../../src/triggerflow/Flow.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"

const Fields = Schema.Struct({
  total: Schema.Int,
  days: Schema.Array(Schema.DateFromString),
  note: Schema.optionalKey(Schema.String)
})
const day = new Date("2026-01-02T00:00:00.000Z")
const Go = Signal.make("Go", Schema.Void)

const Tally = TriggerFlow.define("tally", {
  input: Schema.Int,
  state: Schema.Struct({ seen: Schema.Array(Schema.Unknown) }),
  initial: { seen: [] },
  shared: Fields,
  initialShared: { total: 100, days: [] },
  result: Schema.Unknown,
  signals: [Go]
})

const adding = Tally.build(
  Tally.start.pipe(
    Chain.to("add", (n, run) => run.shared.update("total", (total) => total + n)),
    Chain.result
  )
)

const memory = FlowDataStores.memory

describe("run.shared", () => {
  it.effect("begins with the initial value, and is shared by all executions of the flow", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* TriggerFlow.runResult(adding, 1), 101)
      assert.strictEqual(yield* TriggerFlow.runResult(adding, 2), 103)
      const shared = yield* TriggerFlow.shared(Tally)
      assert.strictEqual(yield* shared.get("total"), 103)
    }).pipe(Effect.provide(memory))
  )

  it.effect("loses no update of 50 executions at once", () =>
    Effect.gen(function* () {
      const flow = Tally.build(
        Tally.start.pipe(
          Chain.to("add", (n, run) =>
            // Others come between the reading and the writing.
            Effect.andThen(
              Effect.yieldNow,
              run.shared.update("total", (total) => total + n)
            )
          )
        )
      )
      const numbers = Array.from({ length: 50 }, (_, n) => n)
      yield* Effect.forEach(numbers, (n) => TriggerFlow.run(flow, n), { concurrency: "unbounded" })
      assert.strictEqual(yield* (yield* TriggerFlow.shared(Tally)).get("total"), 100 + 1225)
    }).pipe(Effect.provide(slow(memory)))
  )

  it.effect("sets, appends, deletes and decodes; what is read cannot be changed", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = Tally.build(
        Tally.start.pipe(
          Chain.to("use", (_, run) =>
            Effect.gen(function* () {
              const { shared } = run
              seen.push(yield* shared.get("days"), yield* shared.get("note"))
              yield* shared.append("days", day)
              yield* shared.set("note", "a")
              seen.push(yield* shared.get("days"), yield* shared.get("note"))
              yield* shared.delete("note")
              seen.push(yield* shared.get("note"))
            })
          )
        )
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(seen, [[], undefined, [day], "a", undefined])
      assert.isTrue(Object.isFrozen(seen[0]))
      // In the store it is JSON.
      assert.deepStrictEqual(yield* (yield* FlowData).get("tally", "days"), {
        version: 1,
        value: ["2026-01-02T00:00:00.000Z"]
      })
    }).pipe(Effect.provide(memory))
  )

  it.effect("keeps what was written where the handler fails later", () =>
    Effect.gen(function* () {
      const flow = Tally.build(
        Tally.start.pipe(
          Chain.to("fail", (n, run) => Effect.andThen(run.shared.set("total", n), Effect.fail("no" as const)))
        )
      )
      assert.strictEqual(yield* Effect.flip(TriggerFlow.run(flow, 7)), "no")
      assert.strictEqual(yield* (yield* TriggerFlow.shared(Tally)).get("total"), 7)
    }).pipe(Effect.provide(memory))
  )

  it.effect("refuses what the contract does not admit, in the error channel", () =>
    Effect.gen(function* () {
      const shared = yield* TriggerFlow.shared(Tally)
      const refused = yield* Effect.flip(shared.set("total", 1.5))
      assert.instanceOf(refused, FlowDataError)
      assert.include(refused.message, `Cannot write the shared field "total" of tally: the value does not fit`)
      assert.strictEqual(yield* shared.get("total"), 100)
      // Against its type, as plain JavaScript would.
      assert.include((yield* Effect.flip(shared.get("none" as never))).message, "no such shared field")
    }).pipe(Effect.provide(memory))
  )

  it.effect("says that what somebody else has stored does not fit", () =>
    Effect.gen(function* () {
      yield* (yield* FlowData).set("tally", "total", "many", 0)
      const error = yield* Effect.flip(TriggerFlow.run(adding, 1))
      assert.instanceOf(error, FlowDataError)
      assert.include(error.message, "what is stored does not fit the contract")
    }).pipe(Effect.provide(memory))
  )

  it.effect("dies with its chunk", () =>
    Effect.gen(function* () {
      let leaked: Effect.Effect<number, FlowDataError> = Effect.succeed(0)
      const flow = Tally.build(
        Tally.start.pipe(Chain.to("leak", (_, run) => Effect.sync(() => void (leaked = run.shared.get("total")))))
      )
      yield* TriggerFlow.run(flow, 1)
      const exit = yield* Effect.exit(leaked)
      assert.include(JSON.stringify(exit), "RunHandleClosed")
    }).pipe(Effect.provide(memory))
  )
})

describe("the check of a flow that shares data", () => {
  const findings = <C extends Spec, E, R>(flow: Flow<C, E, R>) =>
    Effect.map(Effect.flip(TriggerFlow.check(flow)), ({ reason }) =>
      reason._tag === "InvalidDefinition" ? reason.findings : []
    )

  it.effect("finds initial values that do not fit, and fields that are missing", () =>
    Effect.gen(function* () {
      const Bad = TriggerFlow.define("bad", { shared: Schema.Struct({ n: Schema.Int }), initialShared: { n: 1.5 } })
      const [one] = yield* findings(Bad.build())
      assert.strictEqual(one?.at, "contract.initialShared")
      assert.include(one?.problem, `["n"]`)
      const None = TriggerFlow.define("none", { shared: Schema.Struct({ n: Schema.Int }) })
      assert.strictEqual((yield* findings(None.build()))[0]?.at, "contract.initialShared")
    })
  )

  it.effect("finds chains that listen to a field that is not shared", () =>
    Effect.gen(function* () {
      const Plain = TriggerFlow.define("plain", {})
      // Against their types, as plain JavaScript would.
      const plain = Plain.build(Plain.on(Tally.shared("total")).pipe(Chain.to("a", () => Effect.void)))
      assert.include((yield* findings(plain))[0]?.problem, `The contract shares no field "total"`)
      const other = Tally.build(Tally.on(Tally.shared("none" as never)).pipe(Chain.to("a", () => Effect.void)))
      assert.include((yield* findings(other))[0]?.fix, "total")
    })
  )
})

describe("chains on contract.shared", () => {
  const watching = Tally.build(
    Tally.on(Tally.shared("total")).pipe(Chain.to("seen", (total, run) => run.state.append("seen", total))),
    Tally.on(Tally.shared("note")).pipe(Chain.to("noted", (note, run) => run.state.append("seen", note ?? "gone")))
  )

  it.effect("are told of writes by other executions, in order, from their start on", () =>
    Effect.gen(function* () {
      yield* TriggerFlow.run(adding, 1)
      const one = yield* TriggerFlow.open(watching, 0)
      yield* TriggerFlow.run(adding, 2)
      const two = yield* TriggerFlow.open(watching, 0)
      yield* TriggerFlow.run(adding, 3)
      assert.deepStrictEqual((yield* one.close()).state.seen, [103, 106])
      assert.deepStrictEqual((yield* two.close()).state.seen, [106])
    }).pipe(Effect.provide(memory))
  )

  it.effect("are told of the flow's own writes too, and run before it closes", () =>
    Effect.gen(function* () {
      const flow = Tally.build(
        Tally.start.pipe(Chain.to("add", (n, run) => run.shared.set("total", n))),
        Tally.on(Tally.shared("total")).pipe(Chain.result)
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 5), 5)
    }).pipe(Effect.provide(memory))
  )

  it.effect("are given undefined where a field was deleted, and can be joined with signals", () =>
    Effect.gen(function* () {
      const joined = Tally.build(
        Tally.on(Trigger.all({ go: Go, total: Tally.shared("total") })).pipe(
          Chain.to("joined", ({ total }, run) => run.state.append("seen", `go ${total}`))
        )
      )
      const watcher = yield* TriggerFlow.open(watching, 0)
      const shared = yield* TriggerFlow.shared(Tally)
      yield* shared.set("note", "a")
      yield* shared.delete("note")
      assert.deepStrictEqual((yield* watcher.close()).state.seen, ["a", "gone"])

      const execution = yield* TriggerFlow.open(joined, 0)
      yield* shared.set("total", 3)
      yield* execution.emit(Go, undefined)
      assert.deepStrictEqual((yield* execution.close()).state.seen, ["go 3"])
    }).pipe(Effect.provide(memory))
  )

  it.effect("fail the execution where what was stored does not fit", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(watching, 0)
      yield* (yield* FlowData).set("tally", "total", "many", 0)
      const error: unknown = yield* Effect.flip(execution.await)
      assert.instanceOf(error, FlowDataError)
    }).pipe(Effect.provide(memory))
  )

  it.effect("leave nobody listening when the execution has closed", () =>
    Effect.gen(function* () {
      let listening = 0
      const counted = Layer.effect(
        FlowData,
        Effect.map(FlowData, (store) => ({
          ...store,
          listen: (flow: string, listener: Parameters<typeof store.listen>[1]) =>
            Effect.andThen(
              Effect.acquireRelease(
                Effect.sync(() => listening++),
                () => Effect.sync(() => listening--)
              ),
              store.listen(flow, listener)
            )
        }))
      ).pipe(Layer.provide(memory))
      yield* Effect.gen(function* () {
        const execution = yield* TriggerFlow.open(watching, 0)
        assert.strictEqual(listening, 1)
        yield* execution.close()
        yield* Effect.yieldNow
        assert.strictEqual(listening, 0)
        // Who listens to nothing does not listen.
        yield* TriggerFlow.open(adding, 0)
        assert.strictEqual(listening, 0)
      }).pipe(Effect.provide(counted))
    })
  )

  it.effect("work in hosted executions", () =>
    Effect.gen(function* () {
      const watcher = yield* TriggerFlow.start(Tally, 0)
      const shared = yield* TriggerFlow.shared(Tally)
      yield* shared.set("total", 5)
      yield* shared.set("total", 6)
      assert.deepStrictEqual((yield* watcher.close()).state.seen, [5, 6])
    }).pipe(
      Effect.provide(
        TriggerFlow.toLayer(watching).pipe(Layer.provideMerge(Layer.mergeAll(memory, ExecutionHosts.inProcess())))
      )
    )
  )
})

/** The same store, in which others come between any two uses. */
function slow(layer: Layer.Layer<FlowData>): Layer.Layer<FlowData> {
  return Layer.effect(
    FlowData,
    Effect.map(FlowData, (store) => ({
      ...store,
      get: (flow: string, key: string) => Effect.tap(store.get(flow, key), () => Effect.yieldNow)
    }))
  ).pipe(Layer.provide(layer))
}
