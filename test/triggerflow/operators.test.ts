import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Result, Schema } from "effect"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { Boom, during, errorOf, F, Meter, pure, reasonOf } from "./support.ts"

// A contract whose handlers may give any JSON.
const J = TriggerFlow.define("json", { input: Schema.Json, result: Schema.Json })
const Numbers = TriggerFlow.define("numbers", { input: Schema.Array(Schema.Number), result: Schema.Json })

describe("batch", () => {
  it.effect("TF-08 S57 gives the same input to every branch, and a record in declaration order", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            one: (c) => c.pipe(Chain.to("one", (n) => Effect.delay(Effect.succeed(n + 1), 100))),
            two: (c) => c.pipe(Chain.to("two", (n) => Effect.succeed(n * 10)))
          }),
          Chain.to(
            "keys",
            pure((both) => [Object.keys(both), both])
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(100, TriggerFlow.runResult(flow, 3)), [["one", "two"], { one: 4, two: 30 }])
    })
  )

  it.effect("TF-08 holds its limit", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const work = (n: number) => meter.during(Effect.delay(Effect.succeed(n), 10))
      const flow = F.build(
        F.start.pipe(
          Chain.batch(
            {
              a: (c) => c.pipe(Chain.to("a", work)),
              b: (c) => c.pipe(Chain.to("b", work)),
              c: (c) => c.pipe(Chain.to("c", work)),
              d: (c) => c.pipe(Chain.to("d", work))
            },
            { concurrency: 2 }
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(100, TriggerFlow.runResult(flow, 1)), { a: 1, b: 1, c: 1, d: 1 })
      assert.strictEqual(meter.max, 2)
    })
  )

  it.effect("a branch of its own nested operators ends when all of them have", () =>
    Effect.gen(function* () {
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.batch({
            twice: (c) => c.pipe(Chain.forEach((i) => i.pipe(Chain.to("x2", (n) => Effect.succeed(n * 2))))),
            nested: (c) =>
              c.pipe(
                Chain.batch({
                  size: (d) => d.pipe(Chain.to("size", (list) => Effect.succeed(list.length))),
                  same: (d) => d
                })
              )
          }),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, [1, 2]), {
        twice: [2, 4],
        nested: { size: 2, same: [1, 2] }
      })
    })
  )
})

describe("forEach", () => {
  it.effect("TF-09 keeps the order of its input, whatever ends first", () =>
    Effect.gen(function* () {
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) => item.pipe(Chain.to("x2", (n) => Effect.delay(Effect.succeed(n * 2), 100 - n * 10)))),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(100, TriggerFlow.runResult(flow, [1, 2, 3])), [2, 4, 6])
      assert.deepStrictEqual(yield* during(100, TriggerFlow.runResult(flow, [])), [])
    })
  )

  it.effect("TF-09 what is no list counts as one item, where the type of the flow is not known", () =>
    Effect.gen(function* () {
      const body = (item: Chain.Chain<never, never, never, never>) =>
        item.pipe(Chain.to("got", (value: unknown) => Effect.succeed(["got", value])))
      // As a flow that was loaded as data: nothing checks what forEach is given.
      const flow = J.build(J.start.pipe(Chain.forEach(body as never) as never, Chain.result as never) as never)
      const on = (input: Schema.Json) => TriggerFlow.runResult(flow, input)
      assert.deepStrictEqual(yield* on("abc"), [["got", "abc"]])
      assert.deepStrictEqual(yield* on(5), [["got", 5]])
      assert.deepStrictEqual(yield* on(null), [["got", null]])
      assert.deepStrictEqual(yield* on({ a: 1 }), [["got", { a: 1 }]])
      assert.deepStrictEqual(yield* on([1, 2]), [
        ["got", 1],
        ["got", 2]
      ])
      assert.deepStrictEqual(yield* on([]), [])
    })
  )

  it.effect("TF-10 stands in itself", () =>
    Effect.gen(function* () {
      const Lists = TriggerFlow.define("lists", {
        input: Schema.Array(Schema.Array(Schema.Number)),
        result: Schema.Json
      })
      const flow = Lists.build(
        Lists.start.pipe(
          Chain.forEach((list) =>
            list.pipe(Chain.forEach((n) => n.pipe(Chain.to("x10", (n) => Effect.succeed(n * 10)))))
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, [[1, 2], [3], []]), [[10, 20], [30], []])
    })
  )

  it.effect("TF-11 a limit of two holds two items at work", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach(
            (item) => item.pipe(Chain.to("work", (n) => meter.during(Effect.delay(Effect.succeed(n), 10)))),
            {
              concurrency: 2
            }
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(100, TriggerFlow.runResult(flow, [1, 2, 3, 4, 5, 6])), [1, 2, 3, 4, 5, 6])
      assert.strictEqual(meter.max, 2)
      assert.strictEqual(meter.total, 6)
    })
  )

  it.effect("TF-11 with a limit of one an item goes through its whole body before the next", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note = (name: string) => (n: number) =>
        Effect.delay(
          Effect.sync(() => (seen.push(`${name}(${n})`), n)),
          10
        )
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) => item.pipe(Chain.to("s1", note("s1")), Chain.to("s2", note("s2"))), { concurrency: 1 })
        )
      )
      yield* during(100, TriggerFlow.run(flow, [1, 2]))
      assert.deepStrictEqual(seen, ["s1(1)", "s2(1)", "s1(2)", "s2(2)"])
    })
  )

  const odd = (n: number): Effect.Effect<number, Boom> =>
    n % 2 === 0 ? Effect.fail(new Boom({ at: n })) : Effect.succeed(n)

  it.effect("onError skip leaves failures out, collect gives a Result for every item", () =>
    Effect.gen(function* () {
      const skip = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) => item.pipe(Chain.to("odd", odd)), { onError: "skip" }),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(skip, [1, 2, 3, 4]), [1, 3])
      assert.deepStrictEqual(yield* TriggerFlow.runResult(skip, [2, 4]), [])
      let collected: ReadonlyArray<Result.Result<number, Boom>> = []
      const collect = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) => item.pipe(Chain.to("odd", odd)), { onError: "collect" }),
          Chain.to("take", (results) => Effect.sync(() => void (collected = results)))
        )
      )
      yield* TriggerFlow.run(collect, [1, 2, 3])
      assert.deepStrictEqual(collected, [Result.succeed(1), Result.fail(new Boom({ at: 2 })), Result.succeed(3)])
    })
  )

  it.effect("onError fail stops the other items, and fails with the same error", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) =>
            item.pipe(Chain.to("x", (n) => (n === 3 ? Effect.fail(new Boom({ at: n })) : meter.during(Effect.never))))
          )
        )
      )
      const exit = yield* Effect.exit(TriggerFlow.run(flow, [1, 2, 3]))
      assert.deepStrictEqual(errorOf(exit), new Boom({ at: 3 }))
      assert.deepStrictEqual([meter.total, meter.now], [2, 0])
    })
  )

  it.effect("a failing item stops what else is at work in it, and only that", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const seen: Array<number> = []
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.side((s) =>
                  s.pipe(Chain.to("side", (n) => (n === 2 ? meter.during(Effect.never) : Effect.void)))
                ),
                Chain.batch({
                  work: (c) =>
                    c.pipe(Chain.to("work", (n) => (n === 2 ? meter.during(Effect.never) : Effect.succeed(n)))),
                  odd: (c) => c.pipe(Chain.to("odd", odd))
                }),
                Chain.to("end", (both) => Effect.sync(() => (seen.push(both.work), both.work)))
              ),
            { onError: "skip" }
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, [1, 2, 3]), [1, 3])
      assert.deepStrictEqual([meter.total, meter.now, seen], [2, 0, [1, 3]])
    })
  )

  it.effect("a defect in an item is neither skipped nor collected", () =>
    Effect.gen(function* () {
      for (const onError of ["skip", "collect"] as const) {
        const flow = Numbers.build(
          Numbers.start.pipe(
            Chain.forEach(
              (item) => item.pipe(Chain.to("bad", (n) => (n === 2 ? Effect.die("defect") : Effect.succeed(n)))),
              {
                // Both policies are typed alike here.
                onError: onError as "skip"
              }
            )
          )
        )
        const exit = yield* Effect.exit(TriggerFlow.run(flow, [1, 2]))
        assert.include(String(exit), "defect")
      }
    })
  )

  it.effect("a policy in a policy: the inner one is asked first", () =>
    Effect.gen(function* () {
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.to("list", (n) => Effect.succeed([n, n + 1])),
                Chain.forEach((inner) => inner.pipe(Chain.to("odd", odd)), { onError: "skip" }),
                Chain.to("one", (left) =>
                  left[0] === 3 ? Effect.fail(new Boom({ at: "outer" })) : Effect.succeed(left)
                )
              ),
            { onError: "collect" }
          ),
          Chain.to(
            "json",
            pure((all) => all.map((one) => (Result.isFailure(one) ? one.failure.at : one.success)))
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, [1, 3]), [[1], "outer"])
    })
  )

  it.live("TF-57 two thousand items take no longer than their share", () =>
    Effect.gen(function* () {
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) => item.pipe(Chain.to("x", (n) => Effect.succeed(n + 1)))),
          Chain.to(
            "sum",
            pure((list) => list.reduce((a, b) => a + b, 0))
          ),
          Chain.result
        )
      )
      const items = Array.from({ length: 2_000 }, (_, at) => at)
      yield* TriggerFlow.runResult(flow, items)
      const since = performance.now()
      assert.strictEqual(yield* TriggerFlow.runResult(flow, items), 2_001_000)
      assert.isBelow(performance.now() - since, 200)
    })
  )

  it.live("TF-57 twenty times the items take about twenty times as long, also where each one fails", () =>
    Effect.gen(function* () {
      const good = Numbers.build(
        Numbers.start.pipe(Chain.forEach((item) => item.pipe(Chain.to("x", (n) => Effect.succeed(n)))))
      )
      const bad = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach((item) => item.pipe(Chain.to("x", (n) => Effect.andThen(Effect.yieldNow, Effect.fail(n)))), {
            onError: "collect"
          })
        )
      )
      const took = (flow: typeof good, length: number) =>
        Effect.gen(function* () {
          const items = Array.from({ length }, (_, at) => at)
          let best = Infinity
          for (let round = 0; round < 3; round++) {
            const since = performance.now()
            yield* TriggerFlow.run(flow, items)
            best = Math.min(best, performance.now() - since)
          }
          return best
        })
      for (const flow of [good, bad as typeof good]) {
        yield* took(flow, 3_000)
        const [small, large] = [yield* took(flow, 3_000), yield* took(flow, 60_000)]
        // Quadratic work would be 400 times as long; the rest is room for the garbage collector.
        assert.isBelow(large / small, 200)
      }
    })
  )
})

describe("match", () => {
  const grade = (mode: "first" | "all") =>
    F.build(
      F.start.pipe(
        Chain.match(
          {
            ge90: { if: (n) => n >= 90, then: (c) => c.pipe(Chain.to("A", () => Effect.succeed("A"))) },
            ge80: { if: (n) => n >= 80, then: (c) => c.pipe(Chain.to("B", () => Effect.succeed("B"))) }
          },
          { mode }
        ),
        Chain.result
      )
    )

  it.effect("TF-13 if, else if, else", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.if((n) => n >= 90, {
            then: (c) => c.pipe(Chain.to("A", () => Effect.succeed("A"))),
            else: (c) =>
              c.pipe(
                Chain.if((n) => n >= 80, {
                  then: (d) => d.pipe(Chain.to("B", () => Effect.succeed("B"))),
                  else: (d) => d.pipe(Chain.to("C", () => Effect.succeed("C")))
                })
              )
          }),
          Chain.result
        )
      )
      const grades = yield* Effect.forEach([95, 85, 50], (n) => TriggerFlow.runResult(flow, n))
      assert.deepStrictEqual(grades, ["A", "B", "C"])
    })
  )

  it.effect("TF-14 takes all hits as a list or the first one raw; without a hit the input goes through", () =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach([95, 85, 50], (n) => TriggerFlow.runResult(grade("all"), n))
      assert.deepStrictEqual(all, [["A", "B"], ["B"], 50])
      const first = yield* Effect.forEach([95, 85, 50], (n) => TriggerFlow.runResult(grade("first"), n))
      assert.deepStrictEqual(first, ["A", "B", 50])
    })
  )

  it.effect("TF-14 all hits are at work at once, and their outputs stand in case order", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const slow = (name: string, millis: number) => () => meter.during(Effect.delay(Effect.succeed(name), millis))
      const flow = F.build(
        F.start.pipe(
          Chain.match(
            {
              a: { if: () => true, then: (c) => c.pipe(Chain.to("a", slow("a", 30))) },
              b: { if: () => false, then: (c) => c.pipe(Chain.to("b", slow("b", 20))) },
              c: { if: () => true, then: (c) => c.pipe(Chain.to("c", slow("c", 10))) }
            },
            { mode: "all" }
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(50, TriggerFlow.runResult(flow, 1)), ["a", "c"])
      assert.strictEqual(meter.max, 2)
    })
  )

  it.effect("TF-15 what otherwise gives is raw, with all hits too", () =>
    Effect.gen(function* () {
      for (const mode of ["first", "all"] as const) {
        const flow = F.build(
          F.start.pipe(
            Chain.match(
              { one: { is: 1, then: (c) => c.pipe(Chain.to("one", () => Effect.succeed("one"))) } },
              { mode, otherwise: (c) => c.pipe(Chain.to("else", () => Effect.succeed("else"))) }
            ),
            Chain.result
          )
        )
        assert.strictEqual(yield* TriggerFlow.runResult(flow, 2), "else")
        assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 1), mode === "all" ? ["one"] : "one")
      }
    })
  )

  it.effect("TF-16 conditions may be Effects, fail as the flow does, and are told apart by name, not by place", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const is = (n: number) => (value: number) => Effect.sync(() => (asked.push(`${n}`), value === n))
      // prettier-ignore
      const flow = F.build(F.start.pipe(Chain.match({ one: { if: is(1), then: (c) => c.pipe(Chain.to("1", () => Effect.succeed("one"))) }, two: { if: is(2), then: (c) => c.pipe(Chain.to("2", () => Effect.succeed("two"))) }, three: { if: (n) => Effect.delay(Effect.succeed(n === 3), 10), then: (c) => c.pipe(Chain.to("3", () => Effect.succeed("three"))) } }), Chain.result))
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 1), "one")
      assert.deepStrictEqual(asked.splice(0), ["1"])
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 2), "two")
      assert.deepStrictEqual(asked.splice(0), ["1", "2"])
      assert.strictEqual(yield* during(10, TriggerFlow.runResult(flow, 3)), "three")
      const failing = F.build(
        F.start.pipe(
          Chain.if((n) => (n > 1 ? Effect.fail(new Boom({ at: n })) : Effect.succeed(true)), { then: (c) => c })
        )
      )
      assert.deepStrictEqual(yield* Effect.flip(TriggerFlow.run(failing, 2)), new Boom({ at: 2 }))
    })
  )

  it.effect("is compares by structure", () =>
    Effect.gen(function* () {
      const P = TriggerFlow.define("p", {
        input: Schema.Struct({ kind: Schema.String, at: Schema.Array(Schema.Number) }),
        result: Schema.Json
      })
      const flow = P.build(
        P.start.pipe(
          Chain.match({
            it: { is: { kind: "x", at: [1, 2] }, then: (c) => c.pipe(Chain.to("it", () => Effect.succeed("it"))) }
          }),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, { kind: "x", at: [1, 2] }), "it")
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, { kind: "x", at: [1] }), { kind: "x", at: [1] })
    })
  )

  it.effect("conditions read the state", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("set", (n, run) => run.state.set("n", n)),
          Chain.if((_, run) => Effect.map(run.state.get("n"), (n) => n > 3), {
            then: (c) => c.pipe(Chain.to("big", () => Effect.succeed("big"))),
            else: (c) => c.pipe(Chain.to("small", () => Effect.succeed("small")))
          }),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 4), "big")
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 3), "small")
    })
  )
})

describe("loop", () => {
  it.effect("S53 asks before each round, with the number of rounds done", () =>
    Effect.gen(function* () {
      const rounds: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.loop((c) => c.pipe(Chain.to("inc", (n) => Effect.succeed(n + 1))), {
            while: (n, round) => (rounds.push(round), n < 3)
          }),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 0), 3)
      assert.deepStrictEqual(rounds, [0, 1, 2, 3])
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 9), 9)
    })
  )

  it.effect("more rounds than max fail; as many do not", () =>
    Effect.gen(function* () {
      const flow = (below: number) =>
        F.build(
          F.start.pipe(
            Chain.loop((c) => c.pipe(Chain.to("inc", (n) => Effect.succeed(n + 1))), {
              while: (n) => n < below,
              max: 5
            }),
            Chain.result
          )
        )
      assert.strictEqual(yield* TriggerFlow.runResult(flow(5), 0), 5)
      assert.strictEqual(reasonOf(yield* Effect.exit(TriggerFlow.runResult(flow(6), 0))), "LoopLimit")
    })
  )

  it.effect("a condition may be an Effect, and a body may be empty", () =>
    Effect.gen(function* () {
      let left = 3
      const flow = F.build(
        F.start.pipe(
          Chain.loop((c) => c, { while: () => Effect.sync(() => left-- > 0) }),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 7), 7)
      assert.strictEqual(left, -1)
    })
  )

  it.effect("a hundred thousand rounds grow neither stack nor time", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.loop((c) => c.pipe(Chain.to("inc", (n) => Effect.succeed(n + 1))), {
            while: (n) => n < 100_000,
            max: Infinity
          }),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 0), 100_000)
    })
  )
})

describe("side", () => {
  it.effect("TF-17 a side branch is given the same input, and what it gives is dropped", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = J.build(
        J.start.pipe(
          Chain.side((s) =>
            s.pipe(
              Chain.to(
                "side",
                pure((v) => (seen.push(`side ${v}`), "dropped"))
              )
            )
          ),
          Chain.to(
            "main",
            pure((v) => (seen.push(`main ${v}`), v))
          ),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, "v"), "v")
      assert.deepStrictEqual(seen.toSorted(), ["main v", "side v"])
    })
  )

  it.effect("TF-17 both are at work at once, and the body around waits for both", () =>
    Effect.gen(function* () {
      const open = yield* Deferred.make<void>()
      const seen: Array<string> = []
      const flow = Numbers.build(
        Numbers.start.pipe(
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.side((s) =>
                  s.pipe(
                    Chain.to("side", (n) =>
                      Effect.andThen(
                        Deferred.await(open),
                        Effect.sync(() => seen.push(`side${n}`))
                      )
                    )
                  )
                ),
                Chain.to("main", (n) =>
                  Effect.andThen(
                    Deferred.succeed(open, undefined),
                    Effect.sync(() => seen.push(`main${n}`))
                  )
                )
              ),
            { concurrency: 1 }
          ),
          Chain.to(
            "end",
            pure(() => seen.push("end"))
          )
        )
      )
      yield* TriggerFlow.run(flow, [1])
      assert.sameMembers(seen, ["main1", "side1", "end"])
      assert.strictEqual(seen.at(-1), "end")
    })
  )

  it.effect("TF-17 a side branch that fails fails the whole execution", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.side((s) => s.pipe(Chain.to("side", () => Effect.fail(new Boom({ at: "side" }))))),
          Chain.to("main", () => Effect.never)
        )
      )
      assert.deepStrictEqual(yield* Effect.flip(TriggerFlow.run(flow, 1)), new Boom({ at: "side" }))
    })
  )
})
