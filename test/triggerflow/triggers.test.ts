import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"
import { A, B, beside, E, F, Boom, pure, reasonOf, settle } from "./support.ts"

const all = Trigger.all({ a: A, b: B })

describe("Triggers", () => {
  it.effect("TF-03 every chain of a signal runs at each emit", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(Chain.to("s", (_, run) => Effect.forEach([1, 2, 3], (n) => run.emit(E, n), { discard: true }))),
        F.on(E).pipe(
          Chain.to(
            "h1",
            pure((n) => seen.push(`h1-${n}`))
          )
        ),
        F.on(E).pipe(
          Chain.to(
            "h2",
            pure((n) => seen.push(`h2-${n}`))
          )
        )
      )
      yield* TriggerFlow.run(flow, 0)
      assert.deepStrictEqual(seen, ["h1-1", "h2-1", "h1-2", "h2-2", "h1-3", "h2-3"])
    })
  )

  it.effect("TF-04 all waits for each source once, takes the last value, and starts anew", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = F.build(
        F.on(all).pipe(
          Chain.to(
            "both",
            pure((both) => seen.push(both))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* execution.emit(A, 1)
      yield* execution.emit(A, 11)
      assert.deepStrictEqual(seen, [])
      yield* execution.emit(B, 2)
      assert.deepStrictEqual(seen, [{ a: 11, b: 2 }])
      yield* execution.emit(B, 22)
      yield* execution.emit(A, 3)
      assert.deepStrictEqual(seen, [
        { a: 11, b: 2 },
        { a: 3, b: 22 }
      ])
    })
  )

  it.effect("TF-05 any says which one came, oneOf gives the value alone, a single source is raw", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = F.build(
        F.on(Trigger.any({ first: A, second: B })).pipe(
          Chain.to(
            "any",
            pure((one) => seen.push(one))
          )
        ),
        F.on(Trigger.oneOf([A, B])).pipe(
          Chain.to(
            "oneOf",
            pure((one) => seen.push(one))
          )
        ),
        F.on(A).pipe(
          Chain.to(
            "single",
            pure((one) => seen.push(one))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* execution.emit(A, 1)
      assert.deepStrictEqual(seen.splice(0), [{ _tag: "first", value: 1 }, 1, 1])
      yield* execution.emit(B, 2)
      assert.deepStrictEqual(seen, [{ _tag: "second", value: 2 }, 2])
    })
  )

  it.effect("TF-06 chains on a field of the state are told of set, append and delete, unless silent", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("w", (_, { state }) =>
            Effect.gen(function* () {
              yield* state.set("n", 1)
              yield* state.set("n", 1)
              yield* state.set("n", 2, { silent: true })
              yield* state.set("list", [5])
              yield* state.append("list", 6)
              yield* state.append("list", 7, { silent: true })
              yield* state.delete("note")
              yield* state.set("note", "x")
              yield* state.delete("note")
              yield* state.delete("note")
            })
          )
        ),
        F.on(F.state("n")).pipe(
          Chain.to(
            "n",
            pure((n) => seen.push(["n", n]))
          )
        ),
        F.on(F.state("list")).pipe(
          Chain.to(
            "list",
            pure((list) => seen.push(["list", list]))
          )
        ),
        F.on(F.state("note")).pipe(
          Chain.to(
            "note",
            pure((note) => seen.push(["note", note]))
          )
        )
      )
      const closed = yield* TriggerFlow.run(flow, 0)
      assert.deepStrictEqual(seen, [
        ["n", 1],
        ["n", 1],
        ["list", [5]],
        ["list", [5, 6]],
        ["note", "x"],
        ["note", undefined]
      ])
      assert.deepStrictEqual(closed.state, { n: 2, list: [5, 6, 7] })
    })
  )

  it.effect("TF-06 chains on a field run in the body of the writer, which waits for them", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.andThen(
              run.emit(E, 1),
              Effect.sync(() => seen.push("emitted"))
            )
          )
        ),
        F.on(E).pipe(Chain.to("w", (n, run) => run.state.set("n", n))),
        F.on(F.state("n")).pipe(
          Chain.to("slow", () => Effect.yieldNow),
          Chain.to(
            "heard",
            pure(() => seen.push("heard"))
          )
        )
      )
      yield* TriggerFlow.run(flow, 0)
      assert.deepStrictEqual(seen, ["heard", "emitted"])
    })
  )

  it.effect("TF-06 writes from outside are told too, and from outside nobody waits", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = F.build(
        F.on(F.state("n")).pipe(
          Chain.to(
            "n",
            pure((n) => seen.push(n))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* execution.state.set("n", 4)
      yield* execution.state.update("n", (n) => n + 1)
      yield* execution.state.set("n", 9, { silent: true })
      yield* settle
      assert.deepStrictEqual(seen, [4, 5])
      assert.strictEqual(yield* execution.state.get("n"), 9)
    })
  )

  it.effect("TF-07 all over fields of the state", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = F.build(
        F.start.pipe(Chain.to("w", (_, { state }) => Effect.andThen(state.set("n", 1), state.set("note", "two")))),
        F.on(Trigger.all({ n: F.state("n"), note: F.state("note") })).pipe(
          Chain.to(
            "both",
            pure((both) => seen.push(both))
          )
        )
      )
      yield* TriggerFlow.run(flow, 0)
      assert.deepStrictEqual(seen, [{ n: 1, note: "two" }])
    })
  )

  it.effect("all over a signal, a chunk and a field", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const work = F.chunk("work", (n: number, run) => run.state.set("n", n).pipe(Effect.as("worked")))
      const flow = F.build(
        F.start.pipe(
          Chain.to(work),
          Chain.to("emit", (_, run) => run.emit(A, 3))
        ),
        F.on(Trigger.all({ a: A, work, n: F.state("n") })).pipe(
          Chain.to(
            "x",
            pure((x) => seen.push(x))
          )
        )
      )
      yield* TriggerFlow.run(flow, 8)
      assert.deepStrictEqual(seen, [{ a: 3, work: "worked", n: 8 }])
    })
  )

  const Order = Signal.make("Order", Schema.Struct({ id: Schema.String, n: Schema.Number }))
  const Paid = Signal.make("Paid", Schema.Struct({ order: Schema.String }))
  const Orders = TriggerFlow.define("orders", { signals: [Order, Paid, A, B], stream: Schema.Json })

  it.effect("all by a key joins what belongs together", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = Orders.build(
        Orders.on(
          Trigger.all({ order: Order, paid: Paid }, { by: { order: ({ id }) => id, paid: ({ order }) => order } })
        ).pipe(
          Chain.to(
            "both",
            pure(({ order, paid }) => seen.push([order.n, paid.order]))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, undefined)
      yield* execution.emit(Order, { id: "x", n: 1 })
      yield* execution.emit(Order, { id: "y", n: 2 })
      yield* execution.emit(Paid, { order: "y" })
      yield* execution.emit(Paid, { order: "z" })
      assert.deepStrictEqual(seen, [[2, "y"]])
      yield* execution.emit(Paid, { order: "x" })
      assert.deepStrictEqual(seen, [
        [2, "y"],
        [1, "x"]
      ])
    })
  )

  it.effect("all joins what one signal from outside causes, and does not mix two of them", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const flow = (scope: "root" | "execution") =>
        Orders.build(
          Orders.on(Order).pipe(Chain.to("order", ({ n }, run) => run.emit(A, n))),
          Orders.on(Paid).pipe(Chain.to("paid", (_, run) => run.emitFork(B, 0))),
          Orders.on(Order).pipe(Chain.to("twice", ({ id, n }, run) => (id === "both" ? run.emit(B, n) : Effect.void))),
          Orders.on(Trigger.all({ a: A, b: B }, { scope })).pipe(
            Chain.to(
              "both",
              pure((both) => seen.push(both))
            )
          )
        )
      const apart = yield* TriggerFlow.open(flow("root"), undefined)
      yield* apart.emit(Order, { id: "x", n: 1 })
      yield* apart.emit(Paid, { order: "x" })
      yield* settle
      assert.deepStrictEqual(seen, [])
      yield* apart.emit(Order, { id: "both", n: 5 })
      assert.deepStrictEqual(seen.splice(0), [{ a: 5, b: 5 }])
      const together = yield* TriggerFlow.open(flow("execution"), undefined)
      yield* together.emit(Order, { id: "x", n: 1 })
      yield* together.emit(Paid, { order: "x" })
      yield* settle
      assert.deepStrictEqual(seen, [{ a: 1, b: 0 }])
    })
  )

  it.effect("TF-18 a collector tells every later value, or starts anew", () =>
    Effect.gen(function* () {
      const run = (mode: "update" | "reset") =>
        Effect.gen(function* () {
          const seen: Array<unknown> = []
          const meet = Trigger.collector("meet", { b1: Schema.Number, b2: Schema.Number }, { mode })
          const flow = F.build(
            F.start.pipe(
              Chain.to("rounds", (_, run) =>
                Effect.forEach([1, 2], (n) => Effect.andThen(run.emit(A, n), run.emit(B, n)), { discard: true })
              )
            ),
            F.on(A).pipe(Chain.collect(meet, "b1")),
            F.on(B).pipe(Chain.collect(meet, "b2")),
            F.on(meet).pipe(
              Chain.to(
                "met",
                pure((both) => seen.push(both))
              )
            )
          )
          yield* TriggerFlow.run(flow, 0)
          return seen
        })
      assert.deepStrictEqual(yield* run("update"), [
        { b1: 1, b2: 1 },
        { b1: 2, b2: 1 },
        { b1: 2, b2: 2 }
      ])
      assert.deepStrictEqual(yield* run("reset"), [
        { b1: 1, b2: 1 },
        { b1: 2, b2: 2 }
      ])
    })
  )

  it.effect("TF-18 a chain goes on with its own value behind a collector, and waits for the chains on it", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const meet = Trigger.collector("meet", { a: Schema.Number, b: Schema.Number })
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            a: (c) =>
              c.pipe(
                Chain.collect(meet, "a"),
                Chain.to("a", (n) => Effect.succeed(`a${n}`))
              ),
            b: (c) =>
              c.pipe(
                Chain.to("b", (n) => Effect.succeed(n * 2)),
                Chain.collect(meet, "b")
              )
          }),
          Chain.to(
            "end",
            pure((both) => seen.push(both))
          )
        ),
        F.on(meet).pipe(
          Chain.to("slow", (both) => Effect.as(Effect.yieldNow, both)),
          Chain.to(
            "met",
            pure((both) => seen.push(both))
          )
        )
      )
      yield* TriggerFlow.run(flow, 3)
      assert.deepStrictEqual(seen, [
        { a: 3, b: 6 },
        { a: "a3", b: 6 }
      ])
    })
  )

  it.effect("TF-56 two executions of one flow share neither joins nor batches nor state", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const both = yield* Deferred.make<void>()
      const meet = Trigger.collector("meet", { a: Schema.Number, b: Schema.Number })
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            one: (c) => c.pipe(Chain.to("one", (n, run) => run.state.set("n", n).pipe(Effect.as(n)))),
            two: (c) => c.pipe(Chain.to("two", (n) => Effect.as(Deferred.await(both), n)))
          }),
          Chain.result
        ),
        F.on(all).pipe(
          Chain.to(
            "all",
            pure((one) => seen.push(one))
          )
        ),
        F.on(A).pipe(Chain.collect(meet, "a")),
        F.on(B).pipe(Chain.collect(meet, "b")),
        F.on(meet).pipe(
          Chain.to(
            "met",
            pure((one) => seen.push(one))
          )
        )
      )
      const first = yield* TriggerFlow.open(flow, 1)
      const second = yield* TriggerFlow.open(flow, 2)
      yield* first.emit(A, 1)
      yield* second.emit(B, 2)
      assert.deepStrictEqual(seen, [])
      assert.strictEqual(yield* first.state.get("n"), 1)
      assert.strictEqual(yield* second.state.get("n"), 2)
      yield* Deferred.succeed(both, undefined)
      const ends = [yield* first.close(), yield* second.close()]
      assert.deepStrictEqual(
        ends.map(({ state, result }) => [state.n, result._tag === "Some" ? result.value : undefined]),
        [
          [1, { one: 1, two: 1 }],
          [2, { one: 2, two: 2 }]
        ]
      )
    })
  )

  it.effect("handlers can listen for as long as a Scope is open, from outside and from inside", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.gen(function* () {
              yield* run.on(E, (n) => Effect.sync(() => seen.push(`inner${n}`)))
              yield* run.emit(E, 1)
            })
          )
        ),
        F.on(E).pipe(
          Chain.to(
            "fixed",
            pure((n) => seen.push(`fixed${n}`))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* settle
      assert.deepStrictEqual(seen.splice(0), ["fixed1", "inner1"])
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* execution.on(E, (n) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => seen.push(`outer${n}`))
            )
          )
          yield* execution.emit(E, 2)
          assert.deepStrictEqual(seen.splice(0), ["fixed2", "outer2"])
        })
      )
      yield* execution.emit(E, 3)
      assert.deepStrictEqual(seen, ["fixed3"])
    })
  )

  it.effect("a handler that listens and dies fails the execution", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(F.build(), 0)
      yield* execution.on(E, () => Effect.die("bad listener"))
      const exit = yield* Effect.exit(execution.emit(E, 1))
      assert.strictEqual(exit._tag, "Failure")
      assert.strictEqual(yield* execution.status, "failed")
    })
  )

  it.effect("a key function that throws fails the execution, or what isolates it", () =>
    Effect.gen(function* () {
      const flow = Orders.build(
        Orders.on(
          Trigger.all(
            { order: Order, paid: Paid },
            {
              by: {
                order: () => {
                  throw new Error("no key")
                },
                paid: ({ order }) => order
              }
            }
          )
        ).pipe(Chain.to("both", () => Effect.fail(new Boom({ at: "never" }))))
      )
      const execution = yield* TriggerFlow.open(flow, undefined)
      const isolated = yield* execution.emitExit(Order, { id: "x", n: 1 })
      assert.include(String(isolated), "no key")
      assert.strictEqual(yield* execution.status, "running")
      const exit = yield* Effect.exit(execution.emit(Order, { id: "x", n: 1 }))
      assert.include(String(exit), "no key")
      assert.strictEqual(reasonOf(exit), "none")
      assert.strictEqual(yield* execution.status, "failed")
    })
  )

  it.effect("what waits for others of its signal from outside is let go of once that has ended, not before", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const meet = Trigger.collector("meet", { a: Schema.Number, b: Schema.Number })
      const Order = Signal.make("Order", Schema.Number)
      const Late = Signal.make("Late", Schema.Number)
      const O = TriggerFlow.define("orders", { signals: [Order, Late, A, B] })
      const flow = O.build(
        O.on(Order).pipe(
          Chain.to("order", (n, run) =>
            run.emit(A, n).pipe(
              // The fork goes on after the signal itself.
              Effect.andThen(n % 2 === 0 ? run.emitFork(Late, n) : Effect.void),
              Effect.as(n)
            )
          ),
          Chain.collect(meet, "a")
        ),
        O.on(Late).pipe(
          Chain.to("late", (n, run) => Effect.sleep(10).pipe(Effect.andThen(run.emit(B, -n)), Effect.as(-n))),
          Chain.collect(meet, "b")
        ),
        O.on(all).pipe(Chain.to("both", (value) => Effect.sync(() => seen.push(value)))),
        O.on(meet).pipe(Chain.to("met", (value) => Effect.sync(() => seen.push(value))))
      )
      const execution = yield* TriggerFlow.open(flow, undefined)
      for (let n = 1; n <= 4; n++) yield* beside(execution.emit(Order, n))
      yield* TestClock.adjust(10)
      assert.sameDeepMembers(
        seen,
        [2, 4].flatMap((n) => [
          { a: n, b: -n },
          { a: n, b: -n }
        ])
      )
      const { collectors, gates } = execution.engine.machine
      assert.deepStrictEqual([gates?.progress.size, collectors?.progress.size], [0, 0])
      assert.strictEqual((yield* execution.close()).status, "completed")
    })
  )
})
