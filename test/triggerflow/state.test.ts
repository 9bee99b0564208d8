import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, SchemaGetter } from "effect"
import { TestClock } from "effect/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { A, beside, E, F, pure, reasonOf, settle } from "./support.ts"

const S = TriggerFlow.define("s", {
  input: Schema.Number,
  state: Schema.Struct({
    k: Schema.Struct({ a: Schema.Array(Schema.Number) }),
    p: Schema.Struct({ q: Schema.Struct({ r: Schema.Number }), other: Schema.Number }),
    l: Schema.Array(Schema.Number),
    at: Schema.Date,
    set: Schema.ReadonlySet(Schema.String)
  }),
  initial: { k: { a: [] }, p: { q: { r: 0 }, other: 7 }, l: [], at: new Date(0), set: new Set<string>() },
  stream: Schema.Json,
  result: Schema.Json
})

describe("State", () => {
  it.effect("TF-60 what is written and what is read are copies: changing them changes nothing", () =>
    Effect.gen(function* () {
      const written = { a: [1] }
      const flow = S.build(
        S.start.pipe(
          Chain.to("w", (_, { state }) =>
            Effect.gen(function* () {
              yield* state.set("k", written)
              written.a.push(2)
              const read = yield* state.get("k")
              assert.deepStrictEqual(read, { a: [1] })
              assert.throws(() => Object.assign(read, { a: [] }), TypeError)
              assert.throws(() => (read.a as Array<number>).push(3), TypeError)
              yield* state.append("l", 1)
              yield* state.append("l", 1)
              assert.deepStrictEqual(yield* state.get("l"), [1, 1])
            })
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const { state } = yield* execution.close()
      assert.deepStrictEqual(state.k, { a: [1] })
      assert.deepStrictEqual(state.l, [1, 1])
      assert.throws(() => Object.assign(state, { l: [] }), TypeError)
    })
  )

  it.effect("TF-60 a nested field is changed by update, in place of a dotted key", () =>
    Effect.gen(function* () {
      const flow = S.build(
        S.start.pipe(
          Chain.to("w", (r, { state }) => state.update("p", (p) => ({ ...p, q: { ...p.q, r } }))),
          Chain.result
        )
      )
      const closed = yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(closed.state.p, { q: { r: 1 }, other: 7 })
      assert.deepStrictEqual(closed.result._tag === "Some" && closed.result.value, { q: { r: 1 }, other: 7 })
    })
  )

  it.effect("values that are no JSON come back as they were", () =>
    Effect.gen(function* () {
      const flow = S.build(
        S.start.pipe(
          Chain.to("w", (n, { state }) =>
            Effect.andThen(state.set("at", new Date(n)), state.set("set", new Set(["x"])))
          ),
          Chain.to("r", (_, { state }) => Effect.all([state.get("at"), state.get("set")])),
          Chain.to(
            "json",
            pure(([at, set]) => [at.getTime(), ...set])
          ),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 5), [5, "x"])
    })
  )

  it.effect("a handler reads what it has written; others see it at its next visible point", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(
        F.build(
          F.start.pipe(
            Chain.to("w", (_, run) =>
              Effect.gen(function* () {
                yield* run.state.set("n", 1)
                yield* run.state.append("list", 1)
                yield* run.state.set("note", "own")
                yield* run.state.delete("note")
                assert.deepStrictEqual(yield* run.state.all, { n: 1, list: [1] })
                yield* run.emit(E, 0)
                yield* run.state.set("n", 2)
                yield* run.emit(E, 0)
                yield* run.state.set("n", 3)
                yield* run.commit
                yield* Effect.never
              })
            )
          ),
          F.on(E).pipe(Chain.to("see", (_, run) => Effect.flatMap(run.state.get("n"), (n) => run.put(n)))),
          F.on(A).pipe(Chain.to("seeA", (_, run) => Effect.flatMap(run.state.get("n"), (n) => run.put(["A", n]))))
        ),
        0
      )
      yield* settle
      assert.strictEqual(yield* execution.state.get("n"), 3)
      yield* execution.emit(A, 0)
      const items = execution.engine.stream.entries.map(({ event }) => (event._tag === "item" ? event.json : undefined))
      assert.deepStrictEqual(items, [1, 2, ["A", 3]])
    })
  )

  it.effect("nothing that a handler has not made visible is seen, and all of it is seen at once", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const execution = yield* TriggerFlow.open(
        F.build(
          F.start.pipe(
            Chain.to("w", (_, run) =>
              Effect.gen(function* () {
                yield* run.state.set("n", 1)
                yield* run.setResult("early")
                yield* run.put("item")
                yield* run.put("live", { volatile: true })
                yield* Deferred.await(go)
                yield* run.state.append("list", 9)
              })
            )
          )
        ),
        0
      )
      yield* settle
      assert.deepStrictEqual(yield* execution.state.all, { n: 0, list: [] })
      assert.strictEqual(execution.engine.stream.entries.length, 1)
      yield* Deferred.succeed(go, undefined)
      yield* settle
      assert.deepStrictEqual(yield* execution.state.all, { n: 1, list: [9] })
      assert.strictEqual(execution.engine.stream.entries.length, 2)
    })
  )

  it.effect("a failed handler leaves behind what it had made visible, and nothing else", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("w", (_, run) =>
            Effect.gen(function* () {
              yield* run.state.set("n", 1)
              yield* run.commit
              yield* run.state.set("n", 2)
              yield* run.put("never")
              return yield* Effect.fail("bad")
            })
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 0)
      yield* Effect.exit(execution.await)
      assert.deepStrictEqual(yield* execution.state.all, { n: 1, list: [] })
      assert.strictEqual(execution.engine.stream.entries.length, 0)
    })
  )

  it.effect("update loses no change, whoever writes at the same time", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed(Array.from({ length: 200 }, (_, at) => at))),
          Chain.forEach((item) =>
            item.pipe(
              Chain.to("inc", (_, run) =>
                Effect.andThen(
                  run.state.update("n", (n) => n + 1),
                  Effect.andThen(
                    Effect.yieldNow,
                    run.state.update("n", (n) => n + 1)
                  )
                )
              )
            )
          )
        )
      )
      const execution = yield* TriggerFlow.create(flow, 0)
      const fiber = yield* beside(
        Effect.forEach(Array.from({ length: 100 }), () => execution.state.update("n", (n) => n + 1), {
          concurrency: 10
        })
      )
      const closed = yield* Effect.andThen(execution.start, execution.close())
      yield* Effect.exit(
        Effect.andThen(
          settle,
          Effect.sync(() => fiber.pollUnsafe())
        )
      )
      assert.strictEqual(closed.state.n, 500)
    })
  )

  it.effect("update sees what its own handler has written, gives the new value, and tells listeners", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("w", (_, run) =>
            Effect.gen(function* () {
              yield* run.state.set("n", 10, { silent: true })
              seen.push(yield* run.state.update("n", (n) => n + 1))
              seen.push(yield* run.state.update("n", (n) => n + 1, { silent: true }))
              seen.push(yield* run.state.get("n"))
            })
          )
        ),
        F.on(F.state("n")).pipe(
          Chain.to(
            "n",
            pure((n) => seen.push(n * 100))
          )
        )
      )
      yield* TriggerFlow.run(flow, 0)
      assert.sameMembers(seen, [11, 1100, 12, 12])
    })
  )

  it.effect("a value that its Schema does not admit fails, and a function that throws is a defect", () =>
    Effect.gen(function* () {
      // What plain JavaScript could pass.
      const wrong = "x" as never
      const cases = [
        (run: { readonly state: typeof execution.state }) => run.state.set("n", wrong),
        (run: { readonly state: typeof execution.state }) => run.state.append("list", wrong),
        (run: { readonly state: typeof execution.state }) => Effect.asVoid(run.state.update("n", () => wrong))
      ]
      const execution = yield* TriggerFlow.open(F.build(), 0)
      for (const write of cases) {
        assert.strictEqual(reasonOf(yield* Effect.exit(write(execution))), "ContractViolation")
        const flow = F.build(F.start.pipe(Chain.to("w", (_, run) => write(run))))
        assert.strictEqual(reasonOf(yield* Effect.exit(TriggerFlow.run(flow, 0))), "ContractViolation")
      }
      const bad = (): number => {
        throw new Error("bad update")
      }
      assert.include(String(yield* Effect.exit(execution.state.update("n", bad))), "bad update")
      const flow = F.build(F.start.pipe(Chain.to("w", (_, run) => run.state.update("n", bad))))
      assert.include(String(yield* Effect.exit(TriggerFlow.run(flow, 0))), "bad update")
      yield* execution.state.set("n", 3)
      assert.strictEqual((yield* execution.close()).state.n, 3)
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.state.set("n", 4))), "NotOpen")
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.state.delete("note"))), "NotOpen")
      assert.strictEqual(reasonOf(yield* Effect.exit(execution.put(1))), "NotOpen")
      assert.strictEqual(yield* execution.state.get("n"), 3)
    })
  )

  it.live("an append costs the item and not the list", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", (n) => Effect.succeed(Array.from({ length: n }, (_, at) => at))),
          Chain.forEach((item) => item.pipe(Chain.to("append", (n, run) => run.state.append("list", n))))
        )
      )
      const took = (n: number) =>
        Effect.gen(function* () {
          let best = Infinity
          for (let round = 0; round < 3; round++) {
            const since = performance.now()
            assert.strictEqual((yield* TriggerFlow.run(flow, n)).state.list.length, n)
            best = Math.min(best, performance.now() - since)
          }
          return best
        })
      yield* took(3_000)
      const [small, large] = [yield* took(3_000), yield* took(60_000)]
      // Copying the list for each item would be 400 times as long.
      assert.isBelow(large / small, 200)
    })
  )

  it.effect("what is read and cannot be frozen is everybody's own", () =>
    Effect.gen(function* () {
      const flow = S.build(
        S.start.pipe(
          Chain.to("change", (_, { state }) =>
            Effect.gen(function* () {
              ;(yield* state.get("at")).setTime(5)
              const set = yield* state.get("set")
              if (set instanceof Set) set.add("changed")
            })
          ),
          Chain.to("read", (_, { state }) => Effect.all([state.get("at"), state.get("set")])),
          Chain.to("tell", ([at, set]) => Effect.succeed([at.getTime(), set.size])),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* TriggerFlow.runResult(flow, 1), [0, 0])
    })
  )

  it.effect("what is asked of a list as a whole is asked when something is appended", () =>
    Effect.gen(function* () {
      const Short = TriggerFlow.define("short", {
        state: Schema.Struct({ list: Schema.Array(Schema.Number).check(Schema.isMaxLength(2)) }),
        initial: { list: [] }
      })
      const flow = Short.build(
        Short.start.pipe(
          Chain.to("s", (_, run) => Effect.forEach([1, 2, 3], (n) => run.state.append("list", n), { discard: true }))
        )
      )
      assert.strictEqual(reasonOf(yield* Effect.exit(TriggerFlow.run(flow, undefined))), "ContractViolation")
      const execution = yield* TriggerFlow.open(Short.build(), undefined, { autoClose: false })
      const append = (n: number) => Effect.exit(execution.state.append("list", n))
      assert.deepStrictEqual(
        [yield* append(1), yield* append(2), yield* append(3)].map(({ _tag }) => _tag),
        ["Success", "Success", "Failure"]
      )
      assert.deepStrictEqual((yield* execution.close()).state, { list: [1, 2] })
    })
  )

  it.effect("appends of several handlers at once to a list that is checked as a whole are all kept", () =>
    Effect.gen(function* () {
      const Some = TriggerFlow.define("some", {
        state: Schema.Struct({ list: Schema.Array(Schema.Number).check(Schema.isMaxLength(9)) }),
        initial: { list: [] }
      })
      const add = (name: string, n: number) =>
        Some.start.pipe(Chain.to(name, (_, run) => Effect.andThen(run.state.append("list", n), Effect.sleep(10))))
      const fiber = yield* Effect.forkChild(TriggerFlow.run(Some.build(add("a", 1), add("b", 2)), undefined), {
        startImmediately: true
      })
      yield* TestClock.adjust(10)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).state.list, [1, 2])
    })
  )

  it.effect("appending from outside costs the item, not the list", () =>
    Effect.gen(function* () {
      let encoded = 0
      const Counted = Schema.Number.pipe(
        Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transform((n: number) => {
            encoded++
            return n
          })
        })
      )
      const L = TriggerFlow.define("l", {
        state: Schema.Struct({ list: Schema.Array(Counted) }),
        initial: { list: [] }
      })
      const execution = yield* TriggerFlow.open(L.build(), undefined, { autoClose: false })
      for (let n = 0; n < 20; n++) yield* execution.state.append("list", n)
      assert.strictEqual(encoded, 20)
      assert.strictEqual((yield* execution.close()).state.list.length, 20)
    })
  )
})
