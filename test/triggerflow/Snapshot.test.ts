// What snapshots hold, what they refuse, and how they are carried over to another definition.
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Option, Result, Schema } from "effect"
import { Chain, Interrupt, Signal, Snapshot, TriggerFlow } from "effigent/triggerflow"
import type { Execution } from "../../src/triggerflow/Execution.ts"
import type { Flow } from "../../src/triggerflow/Flow.ts"
import { FlowError } from "../../src/triggerflow/FlowError.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"

const E = Signal.make("E", Schema.Unknown)
const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })
const F = TriggerFlow.define("f", {
  input: Schema.Unknown,
  result: Schema.Unknown,
  signals: [E],
  interrupts: [Approval]
})
const succeed = Effect.succeed
const json = (snapshot: Snapshot.Snapshot): unknown => JSON.parse(JSON.stringify(snapshot))
const resultOf = <C extends Spec, E>(execution: Execution<C, E>) =>
  Effect.map(execution.close(), ({ result }) => Option.getOrUndefined(result))

/** How a flow refused. */
const reasonOf = <A>(effect: Effect.Effect<A, unknown, never>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Exit.findErrorOption(exit)) : undefined
    return error instanceof FlowError ? error.reason : undefined
  })

/** What `load` refuses with, in words. */
const refusal = <C extends Spec, E>(flow: Flow<C, E, never>, snapshot: unknown, options?: TriggerFlow.LoadOptions) =>
  Effect.map(reasonOf(Effect.scoped(TriggerFlow.load(flow, snapshot, options))), (reason) =>
    reason?._tag === "NotLoadable" ? reason : undefined
  )

describe("values", () => {
  /** Carries a value over a save: a handler makes it, another one is given it after the load. */
  const carried = (value: unknown, output?: Schema.Codec<unknown, unknown>) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let given: unknown
      const flow = F.build(
        F.start.pipe(
          Chain.to("make", () => succeed(value), output === undefined ? {} : { output }),
          Chain.to("take", (input) =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.sync(() => {
                given = input
              })
            )
          )
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const after = yield* TriggerFlow.load(flow, json(yield* before.save()))
      yield* before.cancel()
      yield* Deferred.succeed(gate, undefined)
      yield* after.close()
      return given
    })

  it.effect("plain data and what flows make themselves come back as they were", () =>
    Effect.gen(function* () {
      for (const value of [
        undefined,
        null,
        0,
        -0,
        NaN,
        -Infinity,
        12n,
        "",
        new Date(5),
        [1, undefined, [null]],
        { a: undefined, $: "own", b: { $: 1 } },
        Option.none(),
        Option.some({ d: new Date(0) }),
        Result.succeed(1n),
        Result.fail("no"),
        Exit.succeed(undefined),
        Exit.fail({ why: "no" })
      ])
        assert.deepStrictEqual(yield* carried(value), value)
    })
  )

  class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {}

  it.effect("other values come back by the output Schema of the chunk that made them", () =>
    Effect.gen(function* () {
      const back = yield* carried(new Point({ x: 3 }), Point)
      assert.instanceOf(back, Point)
      assert.deepStrictEqual(back, new Point({ x: 3 }))
    })
  )

  it.effect("the Schema of the output is used for the items of a list, the branches of a batch and replies too", () =>
    Effect.gen(function* () {
      const Where = Signal.make("Where", Schema.Number, { reply: Point })
      const G = TriggerFlow.define("g", { signals: [Where], interrupts: [Approval], result: Schema.Unknown })
      const point = (x: number) => succeed(new Point({ x }))
      const flow = G.build(
        G.start.pipe(
          Chain.to("reply", (_, run) => run.emit(Where, 7)),
          Chain.batch({
            each: (c) =>
              c.pipe(
                Chain.forEach((item) =>
                  item.pipe(
                    Chain.to("first", ({ x }) => succeed([1, 2, x])),
                    Chain.forEach((n) => n.pipe(Chain.to("point", point, { output: Point })))
                  )
                )
              ),
            ask: (c) => c.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?")))
          }),
          Chain.to("sum", ({ each }) => succeed(each.flat().map((one) => (one instanceof Point ? one.x : "no point")))),
          Chain.result
        ),
        G.on(Where).pipe(Chain.to("where", point, { output: Point }))
      )
      const before = yield* TriggerFlow.open(flow, undefined)
      const after = yield* TriggerFlow.load(flow, json(yield* before.save()))
      yield* after.answer(Approval, true, { id: "Approval#1" })
      assert.deepStrictEqual(yield* resultOf(after), [1, 2, 7])
    })
  )

  it.effect("a value that contains itself, is nested without end, or throws when it is read, breaks nothing", () =>
    Effect.gen(function* () {
      const itself: { own?: unknown } = {}
      itself.own = itself
      let deep: unknown = 1
      for (let i = 0; i < 100_000; i++) deep = [deep]
      const throwing = {
        get value() {
          throw new Error("no")
        }
      }
      for (const [value, issue] of [
        [itself, "contains itself"],
        [deep, "nested deeper"],
        [throwing, undefined]
      ] as const) {
        const flow = F.build(
          F.start.pipe(
            Chain.to("make", () => succeed(value)),
            Chain.to("hold", () => Effect.never)
          )
        )
        const execution = yield* TriggerFlow.open(flow, null)
        const reason = yield* reasonOf(execution.save())
        if (issue === undefined) assert.isUndefined(reason)
        else assert.include(reason?.message, issue)
        yield* execution.emit(E, 1)
        assert.strictEqual(yield* execution.status, "running")
        yield* execution.cancel()
      }
    })
  )

  it.effect("all values that cannot be saved are named at once, with the chunk", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            map: (c) => c.pipe(Chain.to("makeMap", () => succeed(new Map()))),
            call: (c) =>
              c.pipe(
                Chain.to("makeCall", () => succeed({ deep: [{ call: () => 1 }] })),
                Chain.to("hold", () => Effect.never)
              ),
            wrong: (c) =>
              c.pipe(
                Chain.to("makeWrong", () => succeed(new Map([["a", 1]])), { output: Point }),
                Chain.to("holdWrong", () => Effect.never)
              )
          })
        )
      )
      const before = yield* TriggerFlow.open(flow, null)
      const reason = yield* reasonOf(before.save())
      if (reason?._tag !== "NotSaveable") return assert.fail(`it is ${reason?._tag ?? "no reason"}`)
      assert.deepStrictEqual(
        reason.problems.map(({ at, issue }) => [at, issue.split(":")[0]]),
        [
          ["the output of start/batch.map", "a Map is no plain data"],
          ['the input of chunk "hold"', "at deep"],
          ['the input of chunk "holdWrong"', "the Schema of chunk makeWrong does not admit it"]
        ]
      )
      // It goes on undisturbed.
      assert.strictEqual(yield* before.status, "running")
      yield* before.cancel()
    })
  )
})

describe("what is refused", () => {
  const steps = (second: string) =>
    F.build(
      F.start.pipe(
        Chain.to("ask", (_, run) => run.pause(Approval, "?")),
        Chain.to(second, (ok) => succeed(`${second} ${ok}`)),
        Chain.result
      )
    )

  it.effect("TF-41 wrong kind, version, flow or definition; not where the same definition stands elsewhere", () =>
    Effect.gen(function* () {
      const flow = steps("send")
      const execution = yield* TriggerFlow.open(flow, null)
      const saved = yield* execution.save()
      const why = (snapshot: unknown) => Effect.map(refusal(flow, snapshot), (reason) => reason?.why)
      assert.strictEqual(yield* why("text"), "kind")
      assert.strictEqual(yield* why(undefined), "kind")
      assert.strictEqual(yield* why({ ...saved, kind: "session" }), "kind")
      assert.strictEqual(yield* why({ ...saved, schemaVersion: 2 }), "version")
      assert.strictEqual(yield* why({ ...saved, flow: { name: "other" } }), "flow")
      const { runs: _, ...damaged } = saved.execution
      assert.strictEqual(yield* why({ ...saved, execution: damaged }), "value")
      const changed = yield* refusal(steps("post"), saved)
      assert.strictEqual(changed?.why, "definition")
      assert.include(changed?.issue, 'chunk "send" was removed')
      assert.include(changed?.issue, 'chunk "post" was added')

      const elsewhere = F.build(
        F.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),

          // Other lines, another handler.
          Chain.to("send", (ok) => succeed(`moved ${ok}`)),
          Chain.result
        )
      )
      const after = yield* TriggerFlow.load(elsewhere, saved)
      yield* after.answer(Approval, true, { id: "Approval#1" })
      assert.strictEqual(yield* resultOf(after), "moved true")
    })
  )

  it.effect("values that do not fit are named, all at once, and nothing has started", () =>
    Effect.gen(function* () {
      let begun = 0
      const G = TriggerFlow.define("g", {
        interrupts: [Approval],
        state: Schema.Struct({ n: Schema.Number }),
        initial: { n: 0 }
      })
      const flow = G.build(
        G.start.pipe(
          Chain.batch({
            ask: (c) => c.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?"))),
            work: (c) =>
              c.pipe(
                Chain.to("work", () =>
                  Effect.andThen(
                    Effect.sync(() => begun++),
                    Effect.never
                  )
                )
              )
          })
        )
      )
      const execution = yield* TriggerFlow.open(flow, undefined)
      const saved = yield* execution.save()
      yield* execution.cancel()
      const { execution: image } = saved
      const reason = yield* refusal(flow, {
        ...saved,
        execution: {
          ...image,
          state: { n: "three", m: 1 },
          runs: image.runs.map((run) =>
            run.step === "work" ? { ...run, input: { $: "schema", of: "it", is: 1 } } : run
          ),
          interrupts: image.interrupts.map((one) => ({ ...one, run: 99 }))
        }
      })
      assert.strictEqual(reason?.why, "value")
      for (const part of ["state.n", "state.m", 'the input of "work"', "the question Approval#1"])
        assert.include(reason?.issue, part)
      assert.strictEqual(begun, 1)
    })
  )

  it.effect("TF-40 services that a flow says it needs are asked for by their keys", () =>
    Effect.gen(function* () {
      class Post extends Context.Service<Post, { readonly send: (text: string) => Effect.Effect<string> }>()("Post") {}
      const typed = F.build(
        F.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, "?")),
          Chain.to("send", (ok) => Effect.flatMap(Post, ({ send }) => send(`${ok}`))),
          Chain.result
        )
      )
      // As of a blueprint: the types say nothing of what the handlers need.
      const erased = typed as unknown as Flow<
        typeof typed extends Flow<infer C, infer _E, infer _R> ? C : never,
        never,
        never
      >
      const flow = TriggerFlow.requires(erased, [Post])
      const post = Layer.succeed(Post, { send: (text) => succeed(`sent ${text}`) })
      const saved = yield* Effect.flatMap(TriggerFlow.open(flow, null), (execution) => execution.save()).pipe(
        Effect.scoped,
        Effect.provide(post)
      )
      assert.deepStrictEqual(saved.services, ["Post"])
      // The snapshot itself says it, also where the flow does not.
      const reason = yield* refusal(erased, json(saved))
      assert.strictEqual(reason?.why, "services")
      assert.include(reason?.issue, "Post")
      assert.deepStrictEqual((yield* TriggerFlow.inspect(flow, saved)).missing, ["Post"])
      assert.isTrue((yield* Effect.provide(TriggerFlow.inspect(flow, saved), post)).loadable)
      const sent = yield* Effect.gen(function* () {
        const after = yield* TriggerFlow.load(flow, json(saved))
        yield* after.answer(Approval, true, { id: "Approval#1" })
        return yield* resultOf(after)
      }).pipe(Effect.scoped, Effect.provide(post))
      assert.strictEqual(sent, "sent true")
    })
  )

  it.effect("a repeated emit with another payload, or one that is missing, is a divergence", () =>
    Effect.gen(function* () {
      for (const second of ["other", "none"] as const) {
        let tries = 0
        const flow = F.build(
          F.start.pipe(
            Chain.to("work", (_, run) =>
              tries++ === 0 ? run.emit(E, { b: 1, a: 2 }) : second === "other" ? run.emit(E, { a: 3 }) : Effect.void
            )
          ),
          F.on(E).pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?")))
        )
        const before = yield* TriggerFlow.open(flow, null)
        const after = yield* TriggerFlow.load(flow, json(yield* before.save()))
        const reason = yield* reasonOf(after.await)
        assert.deepInclude(reason, { _tag: "ReplayDivergence", chunk: "work", operation: "E#1" })
      }
    })
  )

  it.effect("inspect says everything that is in the way, and changes nothing", () =>
    Effect.gen(function* () {
      const saved = yield* Effect.flatMap(TriggerFlow.open(steps("send"), null), (execution) => execution.save())
      const fine = yield* TriggerFlow.inspect(steps("send"), saved)
      assert.deepInclude(fine, { loadable: true, findings: [], differences: [], missing: [] })
      assert.deepStrictEqual(
        Option.map(fine.snapshot, ({ execution }) => execution.interrupts.map(({ id }) => id)),
        Option.some(["Approval#1"])
      )
      const changed = yield* TriggerFlow.inspect(steps("post"), saved)
      assert.isFalse(changed.loadable)
      assert.deepStrictEqual(changed.differences.map(({ change }) => change).toSorted(), ["added", "removed"])
      const damaged = { ...saved, execution: { ...saved.execution, frames: [] } }
      const values = yield* TriggerFlow.inspect(steps("send"), damaged)
      assert.deepStrictEqual(
        values.findings.map(({ why }) => why),
        ["value"]
      )
    })
  )
})

describe("migrations", () => {
  const define = (version: string, names: ReadonlyArray<string>) => {
    const n = { n: Schema.Number }
    // What the handlers see of the state is the same in both.
    const state: Schema.Codec<{ readonly n: number }, unknown> =
      version === "1" ? Schema.Struct(n) : Schema.Struct({ ...n, words: Schema.String })
    const initial = version === "1" ? { n: 1 } : { n: 1, words: "" }
    const G = TriggerFlow.define("g", { version, interrupts: [Approval], result: Schema.Unknown, state, initial })
    const [ask = "", send = ""] = names
    return G.build(
      G.start.pipe(
        Chain.to(ask, (_, run) => run.pause(Approval, "?")),
        Chain.to(send, (_, run) => run.state.all),
        Chain.result
      )
    )
  }
  const toTwo: Snapshot.Migration = {
    from: "1",
    to: "2",
    migrate: (snapshot) =>
      Snapshot.mapImages(snapshot, (image) => ({ ...image, state: { ...image.state, words: "new" } }))
  }
  const toThree: Snapshot.Migration = {
    from: "2",
    to: "3",
    migrate: (snapshot) => Snapshot.renameStep(snapshot, "ask", "question")
  }

  it.effect("carry a snapshot over several versions", () =>
    Effect.gen(function* () {
      const saved = yield* Effect.flatMap(TriggerFlow.open(define("1", ["ask", "send"]), undefined), (e) => e.save())
      const third = define("3", ["question", "send"])
      for (const migrate of [[], [toTwo], [toThree]])
        assert.strictEqual((yield* refusal(third, saved, { migrate }))?.why, "definition")
      const after = yield* TriggerFlow.load(third, json(saved), { migrate: [toThree, toTwo] })
      yield* after.answer(Approval, true, { id: "Approval#1" })
      assert.deepStrictEqual(yield* resultOf(after), { n: 1, words: "new" })
      // What is saved now is of the new definition.
      assert.isTrue((yield* TriggerFlow.inspect(third, yield* after.save())).loadable)
    })
  )

  it.effect("that leave something wrong, or throw, are refused with what is wrong", () =>
    Effect.gen(function* () {
      const saved = yield* Effect.flatMap(TriggerFlow.open(define("1", ["ask", "send"]), undefined), (e) => e.save())
      const second = define("2", ["question", "send"])
      const half = yield* refusal(second, saved, { migrate: [toTwo] })
      assert.strictEqual(half?.why, "value")
      assert.include(half?.issue, 'no step "ask"')
      const thrown = yield* refusal(second, saved, {
        migrate: [
          {
            from: saved.definition.fingerprint,
            to: "2",
            migrate: () => {
              throw new Error("no idea")
            }
          }
        ]
      })
      assert.include(thrown?.issue, "no idea")
    })
  )
})

describe("compaction and retention", () => {
  it.effect("TF-44 only digests of answers are kept, and the same answer is known by them", () =>
    Effect.gen(function* () {
      const Long = Interrupt.make("Long", { payload: Schema.String, resume: Schema.String })
      const G = TriggerFlow.define("g", { interrupts: [Long], result: Schema.Number })
      let sent = 0
      const flow = G.build(
        G.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Long, "?")),
          Chain.to("length", (text) => Effect.sync(() => (sent++, text.length))),
          Chain.result,
          Chain.to("more", (_, run) => run.pause(Long, "?"))
        )
      )
      const text = "x".repeat(10_000)
      const before = yield* TriggerFlow.open(flow, undefined)
      yield* before.answer(Long, text, { id: "Long#1", requestId: "r" })
      const saved = yield* before.save()
      assert.isBelow(JSON.stringify(saved.execution).length, 2000)
      const after = yield* TriggerFlow.load(flow, json(Snapshot.compact(saved)))
      yield* after.answer(Long, text, { id: "Long#1", requestId: "r" })
      const answer = (value: string, requestId: string) =>
        Effect.map(reasonOf(after.answer(Long, value, { id: "Long#1", requestId })), (reason) =>
          reason?._tag === "AnswerRejected" ? reason.why : reason
        )
      assert.strictEqual(yield* answer("other", "r"), "conflict")
      assert.strictEqual(yield* answer(text, "s"), "notWaiting")
      assert.strictEqual(sent, 1)
      // An answer that has come before its question waits for it.
      yield* after.answer(Long, "early", { id: "Long#3", requestId: "e" })
      const again = yield* TriggerFlow.load(flow, json(yield* after.save()))
      yield* again.answer(Long, "early", { id: "Long#3", requestId: "e" })
      assert.strictEqual(yield* again.status, "waiting")
    })
  )

  it.effect("large final values become digests that still tell what came out", () =>
    Effect.gen(function* () {
      const G = TriggerFlow.define("g", {
        result: Schema.String,
        state: Schema.Struct({ small: Schema.String, large: Schema.String }),
        initial: { small: "s", large: "l".repeat(5000) }
      })
      const flow = G.build(
        G.start.pipe(
          Chain.to("r", () => succeed("r".repeat(5000))),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, undefined, { autoClose: false })
      const open = yield* execution.save()
      assert.deepStrictEqual(Snapshot.compact(open, { reduceFrom: 4096 }), open)
      yield* execution.close()
      const saved = yield* execution.save()
      const small = Snapshot.compact(saved, { reduceFrom: 4096 })
      assert.deepStrictEqual(small.execution.state, { small: "s" })
      assert.isUndefined(small.execution.result)
      assert.isBelow(JSON.stringify(small.execution).length, 1000)
      for (const one of [saved, small]) {
        assert.isTrue(Snapshot.matches(one, "result", "r".repeat(5000)))
        assert.isFalse(Snapshot.matches(one, "result", "r"))
        assert.isTrue(Snapshot.matches(one, "state.large", "l".repeat(5000)))
        assert.isTrue(Snapshot.matches(one, "state.small", "s"))
        assert.isFalse(Snapshot.matches(one, "state.none", null))
      }
      const reason = yield* refusal(flow, json(small))
      assert.include(reason?.issue, "state.large, result")
    })
  )

  it.effect("settled interventions, older answers and stream entries are left out", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("ask1", (_, run) => run.pause(Approval, "?")),
          Chain.to("settle", (_, run) => run.settleIntervention("i1", "applied")),
          Chain.to("ask2", (_, run) => run.pause(Approval, "?")),
          Chain.to("ask3", (_, run) => run.pause(Approval, "?"))
        )
      )
      const execution = yield* TriggerFlow.open(flow, null)
      yield* execution.intervene("used", { id: "i1", target: "settle" })
      yield* execution.intervene("waits", { id: "i2", target: "nowhere" })
      for (const id of ["Approval#1", "Approval#2"]) yield* execution.answer(Approval, true, { id, requestId: id })
      const saved = yield* execution.save({ stream: true })
      const small = Snapshot.compact(saved, { answered: 1 })
      assert.deepStrictEqual(
        small.execution.interventions.map(({ id }) => id),
        ["i2"]
      )
      assert.deepStrictEqual(
        small.execution.answered.map(({ id }) => id),
        ["Approval#2"]
      )
      assert.isUndefined(small.stream.entries)
      assert.strictEqual(small.stream.head, saved.stream.head)
      assert.isDefined(Snapshot.compact(saved, { stream: true }).stream.entries)
      assert.deepStrictEqual(Snapshot.compact(saved, { answered: 0 }).execution.answered, [])
      assert.isTrue((yield* TriggerFlow.inspect(flow, json(small))).loadable)
    })
  )

  it.effect("TF-45 how many snapshots are kept is 3, or what was said, also after a load", () =>
    Effect.gen(function* () {
      const flow = F.build(F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?"))))
      const plain = yield* Effect.flatMap(TriggerFlow.open(flow, null), (execution) => execution.save())
      assert.strictEqual(plain.settings.keepSnapshots, 3)
      const said = yield* Effect.flatMap(TriggerFlow.open(flow, null, { keepSnapshots: 5, concurrency: 2 }), (e) =>
        e.save()
      )
      const loaded = yield* TriggerFlow.load(flow, json(said))
      const kept = yield* loaded.save()
      assert.deepStrictEqual(kept.settings, said.settings)
      const other = yield* TriggerFlow.load(flow, json(said), { keepSnapshots: 1 })
      assert.strictEqual((yield* other.save()).settings.keepSnapshots, 1)
    })
  )
})
