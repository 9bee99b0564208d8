import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema, SchemaGetter } from "effect"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import { Boom, errorOf, Meter, reasonOf, settle } from "./support.ts"

const Sent = Signal.make("Sent", Schema.Struct({ n: Schema.Number }))
const C = TriggerFlow.define("c", {
  input: Schema.Struct({ n: Schema.Number }),
  stream: Schema.String,
  result: Schema.Number,
  signals: [Sent]
})
// What plain JavaScript could pass.
const wrong = { m: 1 } as never

describe("Contract", () => {
  it.effect("TF-51 an input that does not fit is refused before any chunk", () =>
    Effect.gen(function* () {
      let started = 0
      const flow = C.build(
        C.start.pipe(
          Chain.to("a", ({ n }) => Effect.sync(() => (started++, n))),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, { n: 3 }), 3)
      const exit = yield* Effect.exit(TriggerFlow.run(flow, wrong))
      assert.strictEqual(reasonOf(exit), "ContractViolation")
      assert.include(String(errorOf(exit)), "input")
      assert.include(String(errorOf(exit)), `"n"`)
      const execution = yield* TriggerFlow.open(flow, wrong)
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.await)), "ContractViolation")
      assert.strictEqual(started, 1)
    })
  )

  it.effect("TF-51 a signal from outside that does not fit is refused, and the execution goes on", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = C.build(C.on(Sent).pipe(Chain.to("s", ({ n }) => Effect.sync(() => seen.push(n)))))
      const execution = yield* TriggerFlow.open(flow, { n: 1 })
      for (const emit of [
        execution.emit(Sent, wrong),
        execution.emitFork(Sent, wrong),
        execution.emitExit(Sent, wrong)
      ])
        assert.strictEqual(reasonOf(yield* Effect.exit<unknown, unknown, never>(emit)), "ContractViolation")
      yield* execution.emit(Sent, { n: 2 })
      assert.deepStrictEqual(seen, [2])
    })
  )

  it.effect("TF-51 a stream item and a result that do not fit fail the execution", () =>
    Effect.gen(function* () {
      const bad = 5 as never
      const item = C.build(C.start.pipe(Chain.to("put", (_, run) => run.put(bad))))
      const exit = yield* Effect.exit(TriggerFlow.run(item, { n: 1 }))
      assert.strictEqual(reasonOf(exit), "ContractViolation")
      assert.include(String(errorOf(exit)), "stream")
      const text = "x" as never
      const results = [
        C.build(C.start.pipe(Chain.to("set", (_, run) => run.setResult(text)))),
        C.build(
          C.start.pipe(
            Chain.to("give", () => Effect.succeed(text)),
            Chain.result
          )
        )
      ]
      for (const flow of results) {
        const exit = yield* Effect.exit(TriggerFlow.run(flow, { n: 1 }))
        assert.strictEqual(reasonOf(exit), "ContractViolation")
        assert.include(String(errorOf(exit)), "result")
      }
      const execution = yield* TriggerFlow.open(C.build(), { n: 1 })
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.put(bad))), "ContractViolation")
    })
  )

  it.effect("results come back as their Schema decodes them", () =>
    Effect.gen(function* () {
      const D = TriggerFlow.define("d", { result: Schema.Date })
      const flow = D.build(
        D.start.pipe(
          Chain.to("d", () => Effect.succeed(new Date(9))),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, undefined), new Date(9))
      assert.deepStrictEqual((yield* TriggerFlow.run(flow, undefined)).result, Option.some(new Date(9)))
    })
  )

  it.effect("a failure names the flow and the execution", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(TriggerFlow.run(C.build(), wrong, { id: "the-id" }))
      assert.match(String(errorOf(exit)), /c \(the-id\)/)
    })
  )
})

describe("R5 poison", () => {
  const Any = Signal.make("Any", Schema.Unknown)
  const P = TriggerFlow.define("p", {
    input: Schema.Number,
    state: Schema.Struct({ any: Schema.Unknown }),
    initial: { any: null },
    stream: Schema.Unknown,
    result: Schema.Unknown,
    signals: [Any]
  })
  const circular: { self?: unknown } = {}
  circular.self = circular
  const nested = (() => {
    let value: unknown = 1
    for (let depth = 0; depth < 100_000; depth++) value = [value]
    return value
  })()
  const hostile = {
    get n(): number {
      throw new Error("hostile getter")
    }
  }
  const healthy = P.build(
    P.start.pipe(
      Chain.to("ok", (n) => Effect.as(Effect.yieldNow, n)),
      Chain.result
    )
  )

  // Every case fails its own execution only; another one in the same process ends as if nothing were.
  const fails = (name: string, flow: Parameters<typeof healthySibling>[0], tells: string) =>
    it.effect(name, () =>
      Effect.gen(function* () {
        const exit = yield* healthySibling(flow)
        assert.include(String(exit), tells)
      })
    )
  const healthySibling = (flow: typeof healthy) =>
    Effect.gen(function* () {
      const sibling = yield* TriggerFlow.open(healthy, 42)
      const exit = yield* Effect.exit(TriggerFlow.run(flow, 1))
      const closed = yield* sibling.close()
      assert.deepStrictEqual([closed.status, closed.result], ["completed", Option.some(42)])
      assert.strictEqual(exit._tag, "Failure")
      return exit
    })
  const throws = (message: string) => (): Effect.Effect<never> => {
    throw new Error(message)
  }

  fails("a handler that throws", P.build(P.start.pipe(Chain.to("x", throws("thrown")))), "thrown")
  fails("a handler that dies", P.build(P.start.pipe(Chain.to("x", () => Effect.die("died")))), "died")
  fails(
    "a handler that gives no Effect",
    // What plain JavaScript could write.
    P.build(P.start.pipe(Chain.to("x", (): Effect.Effect<void> => 5 as never))),
    "Fiber.runLoop"
  )
  fails(
    "a condition that throws",
    P.build(P.start.pipe(Chain.if(throws("condition"), { then: (c) => c }))),
    "condition"
  )
  fails(
    "a loop condition that throws",
    P.build(P.start.pipe(Chain.loop((c) => c, { while: throws("loop condition") }))),
    "loop condition"
  )
  fails(
    "a condition that dies",
    P.build(P.start.pipe(Chain.if(() => Effect.die("condition died"), { then: (c) => c }))),
    "condition died"
  )
  fails(
    "a finalizer that dies",
    P.build(P.start.pipe(Chain.to("x", () => Effect.addFinalizer(() => Effect.die("finalizer"))))),
    "finalizer"
  )
  fails(
    "a catch that throws",
    P.build(P.start.pipe(Chain.to("x", () => Effect.fail(new Boom({ at: 1 })), { catch: throws("catch") }))),
    "catch"
  )
  for (const [name, value] of [
    ["circular", circular],
    ["nested a hundred thousand deep", nested],
    ["with a getter that throws", hostile],
    ["a function", () => 1],
    ["a symbol", Symbol("s")]
  ] as const) {
    fails(
      `a state value that is ${name}`,
      P.build(P.start.pipe(Chain.to("x", (_, run) => run.state.set("any", value)))),
      "state.any"
    )
    fails(
      `a result that is ${name}`,
      P.build(
        P.start.pipe(
          Chain.to("x", () => Effect.succeed(value)),
          Chain.result
        )
      ),
      "result"
    )
    fails(
      `a set result that is ${name}`,
      P.build(P.start.pipe(Chain.to("x", (_, run) => run.setResult(value)))),
      "result"
    )
    fails(`a stream item that is ${name}`, P.build(P.start.pipe(Chain.to("x", (_, run) => run.put(value)))), "stream")
  }

  it.effect("a signal from outside that is circular is refused, and the execution goes on", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(P.build(), 1)
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.emit(Any, circular))), "ContractViolation")
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.state.set("any", circular))), "ContractViolation")
      assert.strictEqual((yield* execution.close()).status, "completed")
    })
  )

  it.effect("a Schema that cannot read what it has written fails its execution, listeners or not", () =>
    Effect.gen(function* () {
      const OneWay = Schema.String.pipe(
        Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.forbidden<number, string>(() => "unreadable"),
          encode: SchemaGetter.transform((n: number) => String(n))
        })
      )
      const O = TriggerFlow.define("o", { state: Schema.Struct({ x: OneWay }), initial: { x: 0 } })
      for (const listen of [true, false]) {
        const flow = O.build(
          O.start.pipe(
            Chain.to("w", (_, run) => run.state.set("x", 1)),
            Chain.to("r", (_, run) => run.state.get("x"))
          ),
          ...(listen ? [O.on(O.state("x")).pipe(Chain.to("heard", () => Effect.void))] : [])
        )
        const execution = yield* TriggerFlow.open(flow, undefined)
        const exit = yield* Effect.exit(execution.await)
        assert.strictEqual(exit._tag, "Failure")
        assert.match(String(exit), /unreadable|Forbidden/)
        assert.strictEqual(yield* execution.status, "failed")
      }
    })
  )

  it.effect("ten megabytes go through state, stream, result and signals", () =>
    Effect.gen(function* () {
      const large = "x".repeat(10 * 2 ** 20)
      const flow = P.build(
        P.start.pipe(
          Chain.to("w", (_, run) =>
            Effect.gen(function* () {
              yield* run.state.set("any", large)
              yield* run.put(large)
              yield* run.emit(Any, large)
              return large
            })
          ),
          Chain.result
        ),
        P.on(Any).pipe(Chain.to("any", (value, run) => run.put(String(value).length)))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const closed = yield* execution.close()
      assert.strictEqual(String(closed.state.any).length, 10 * 2 ** 20)
      assert.strictEqual(String(Option.getOrThrow(closed.result)).length, 10 * 2 ** 20)
      assert.strictEqual(execution.engine.stream.entries.length, 2)
    })
  )

  it.effect("a check that throws fails the execution, and leaves nothing at work", () =>
    Effect.gen(function* () {
      let steps = 0
      const meter = new Meter()
      const flow = P.build(
        P.start.pipe(
          Chain.side((s) => s.pipe(Chain.to("wait", () => meter.during(Effect.never)))),
          Chain.to("x", () => Effect.yieldNow)
        )
      )
      for (let at = 1; at < 5; at++) {
        steps = 0
        const execution = yield* TriggerFlow.open(flow, 1, {
          onStep: () => {
            if (++steps === at) throw new Error("check")
          }
        })
        yield* settle
        if (at > 2) continue
        assert.include(String(yield* Effect.exit(execution.await)), "check")
        assert.strictEqual(meter.now, 0)
      }
    })
  )
})
