import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ExecutionHosts } from "effigent/layers/host"
import {
  ExecutionConflict,
  ExecutionHost,
  ExecutionHostError,
  FlowFailed,
  FlowRegistered,
  UnknownExecution,
  UnknownFlow
} from "effigent/services/ExecutionHost"
import { Chain, FlowErrors, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"

const Paid = Signal.make("Paid", Schema.Struct({ cents: Schema.FiniteFromString }), {
  reply: Schema.DateFromString
})
const Fail = Signal.make("Fail", Schema.String)
const Ask = Signal.make("Ask", Schema.String)
const Approval = Interrupt.make("Approval", {
  payload: Schema.Struct({ since: Schema.DateFromString }),
  resume: Schema.Struct({ until: Schema.DateFromString })
})
class Refused extends Schema.TaggedError<Refused>()("Refused", { at: Schema.DateFromString }) {}

const day = new Date("2026-01-02T00:00:00.000Z")
const later = new Date("2026-03-04T00:00:00.000Z")

/** A service that the handlers need, and nobody who starts the flow. */
class Clerk extends Context.Service<Clerk, { readonly sign: (text: string) => string }>()("test/Clerk") {}

const Order = TriggerFlow.define("order", {
  version: "1",
  input: Schema.Struct({ n: Schema.FiniteFromString }),
  state: Schema.Struct({ day: Schema.DateFromString, log: Schema.Array(Schema.String) }),
  initial: { day, log: [] },
  stream: Schema.Struct({ at: Schema.DateFromString }),
  result: Schema.DateFromString,
  error: Refused,
  signals: [Paid, Fail, Ask],
  interrupts: [Approval],
  intervention: Schema.Struct({ advice: Schema.String })
})

let started = 0

const order = Order.build(
  Order.start.pipe(
    Chain.to("begin", ({ n }, run) =>
      Effect.gen(function* () {
        started++
        const clerk = yield* Clerk
        yield* run.state.append("log", clerk.sign(`n is ${n + 1}`))
        yield* run.put({ at: day })
        return later
      })
    ),
    Chain.result
  ),
  Order.on(Paid).pipe(
    Chain.to("paid", ({ cents }, run) => run.state.append("log", `paid ${cents + 1}`).pipe(Effect.as(later)))
  ),
  Order.on(Fail).pipe(
    Chain.to("fail", (how): Effect.Effect<void, Refused | TypeError> =>
      how === "typed"
        ? Effect.fail(new Refused({ at: later }))
        : how === "other"
          ? Effect.fail(new TypeError("no more paper"))
          : Effect.die("the roof is leaking")
    )
  ),
  Order.on(Ask).pipe(
    Chain.to("ask", (_, run) => run.pause(Approval, { since: day })),
    Chain.to("asked", ({ until }, run) => run.state.set("day", until))
  )
)

const clerk = Layer.succeed(Clerk, { sign: (text) => `${text}, signed` })
const hosted = TriggerFlow.toLayer(order).pipe(Layer.provide(clerk), Layer.provideMerge(ExecutionHosts.inProcess()))

/** Takes the type of an error apart. */
const failing = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(effect)

describe("TriggerFlow.start", () => {
  it.effect("TF-51 input, state, stream and result cross encoded, and are typed on both sides", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 }, { autoClose: 0 })
      assert.deepStrictEqual(yield* execution.result, later)
      const { executionId, result, state, status } = yield* execution.await
      assert.strictEqual(executionId, execution.id)
      assert.strictEqual(status, "completed")
      assert.deepStrictEqual(result, Option.some(later))
      assert.deepStrictEqual(state, { day, log: ["n is 4, signed"] })
      assert.deepStrictEqual(yield* execution.state, state)
      assert.deepStrictEqual(yield* Stream.runCollect(execution.stream), [{ at: day }])
    }).pipe(Effect.provide(hosted))
  )

  it.effect("TF-51 an encoded input is decoded by the Schema, and one that does not fit runs no chunk", () =>
    Effect.gen(function* () {
      const host = yield* ExecutionHost
      const id = yield* host.start({ flow: "order", input: { n: "3" }, settings: { autoClose: 0 } })
      assert.deepStrictEqual((yield* host.await(id)).state["log"], ["n is 4, signed"])
      const before = started
      for (const input of [{ m: 1 }, { n: "three" }, null, [], "3"]) {
        const error = yield* failing(host.start({ flow: "order", input }))
        assert.instanceOf(error, FlowFailed)
        assert.include(error.message, "input does not fit the contract")
      }
      assert.strictEqual(started, before)
      assert.strictEqual((yield* host.list({ flow: "order" })).executions.length, 1)
    }).pipe(Effect.provide(hosted))
  )

  it.effect("TF-51 a typed input that does not fit is refused before it is sent", () =>
    Effect.gen(function* () {
      const before = started
      // Against its type, as plain JavaScript would.
      const error = yield* failing(TriggerFlow.start(Order, { m: 1 } as never))
      assert.instanceOf(error, FlowErrors.FlowError)
      assert.strictEqual(error.reason._tag, "ContractViolation")
      assert.strictEqual(started, before)
    }).pipe(Effect.provide(hosted))
  )

  it.effect("TF-51 a stream item, a state value and a result that do not fit fail the execution", () =>
    Effect.gen(function* () {
      const Wrong = TriggerFlow.define("wrong", {
        input: Schema.Literals(["stream", "state", "result"]),
        stream: Schema.Int,
        state: Schema.Struct({ n: Schema.Int }),
        initial: { n: 0 },
        result: Schema.Int
      })
      const wrong = Wrong.build(
        Wrong.start.pipe(
          Chain.to("write", (part, run) =>
            part === "stream" ? run.put(1.5) : part === "state" ? run.state.set("n", 1.5) : run.setResult(1.5)
          )
        )
      )
      yield* Effect.gen(function* () {
        for (const [input, part] of [
          ["stream", "stream"],
          ["state", "state.n"],
          ["result", "result"]
        ] as const) {
          const execution = yield* TriggerFlow.start(Wrong, input)
          const error = yield* failing(execution.await)
          assert.deepInclude((error as FlowErrors.FlowError).reason, { _tag: "ContractViolation", part })
          assert.deepStrictEqual(yield* execution.state, { n: 0 })
        }
      }).pipe(Effect.provide(TriggerFlow.toLayer(wrong).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))))
    })
  )

  it.effect("an emit carries its payload there and its replies back", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 })
      assert.deepStrictEqual(yield* execution.emit(Paid, { cents: 5 }), [later])
      yield* execution.emitFork(Paid, { cents: 7 })
      const { state } = yield* execution.close()
      assert.deepStrictEqual(state.log, ["n is 4, signed", "paid 6", "paid 8"])
      const error = yield* failing(execution.emit(Paid, { cents: 5 }))
      assert.instanceOf(error, FlowErrors.FlowError)
      assert.strictEqual(error.reason._tag, "NotOpen")
    }).pipe(Effect.provide(hosted))
  )

  it.effect("another program attaches, sees the question typed and answers it", () =>
    Effect.gen(function* () {
      yield* TriggerFlow.start(Order, { n: 3 }, { id: "o-1" })
      const execution = yield* TriggerFlow.attach(Order, "o-1")
      yield* execution.emitFork(Ask, "")
      const asked = yield* execution.entries().pipe(
        Stream.filter(({ event }) => event._tag === "interrupt"),
        Stream.runHead,
        Effect.map(Option.getOrThrow)
      )
      assert.deepStrictEqual(asked.event._tag === "interrupt" ? asked.event.payload : undefined, { since: day })
      const [question] = yield* execution.interrupts
      assert.deepInclude(question, { id: "Approval#1", interrupt: "Approval", payload: { since: day }, chunk: "ask" })
      assert.strictEqual(yield* execution.status, "waiting")
      yield* execution.answer(Approval, { until: later }, { id: "Approval#1", requestId: "r" })
      yield* execution.answer(Approval, { until: later }, { id: "Approval#1", requestId: "r" })
      const error = yield* failing(execution.answer(Approval, { until: day }, { id: "Approval#1", requestId: "r" }))
      assert.deepInclude((error as FlowErrors.FlowError).reason, { _tag: "AnswerRejected", why: "conflict" })
      assert.deepStrictEqual((yield* execution.close()).state.day, later)
    }).pipe(Effect.provide(hosted))
  )

  it.effect("a failure of the contract's kind comes back as itself, everywhere and every time", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 })
      const asked = [
        execution.emit(Fail, "typed"),
        execution.await,
        execution.result,
        execution.close(),
        execution.close(),
        Stream.runDrain(execution.stream)
      ]
      for (const one of asked) {
        const error = yield* failing<unknown, unknown, never>(one)
        assert.instanceOf(error, Refused)
        assert.deepStrictEqual(error.at, later)
      }
      assert.strictEqual(yield* execution.status, "failed")
      assert.deepStrictEqual((yield* execution.state).log, ["n is 4, signed"])
    }).pipe(Effect.provide(hosted))
  )

  it.effect("failures that end their own chain only are listed with their types", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 }, { failures: "continue" })
      yield* execution.emit(Fail, "typed")
      yield* execution.emit(Fail, "other")
      assert.strictEqual((yield* execution.close()).status, "completed")
      const [first, second] = yield* execution.failures
      assert.instanceOf(first, Refused)
      assert.instanceOf(second, FlowErrors.FlowDefect)
    }).pipe(Effect.provide(hosted))
  )

  it.effect("another failure and a defect come back as FlowDefect, in words", () =>
    Effect.gen(function* () {
      for (const [how, words] of [
        ["other", "TypeError: no more paper"],
        ["defect", "the roof is leaking"]
      ] as const) {
        const execution = yield* TriggerFlow.start(Order, { n: 3 })
        const error = yield* failing(execution.emit(Fail, how))
        assert.instanceOf(error, FlowErrors.FlowDefect)
        assert.include(error.message, `order (${execution.id}) has failed`)
        assert.include(error.detail, words)
        assert.deepStrictEqual(yield* failing(execution.await), error)
      }
    }).pipe(Effect.provide(hosted))
  )

  it.effect("a failure of the execution itself comes back as FlowError with its reason", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 }, { timeout: "1 minute" })
      yield* execution.emitFork(Ask, "")
      yield* TestClock.adjust("2 minutes")
      const error = yield* failing(execution.await)
      assert.instanceOf(error, FlowErrors.FlowError)
      assert.deepInclude(error.reason, { _tag: "ExecutionTimeout", limit: 60_000 })
    }).pipe(Effect.provide(hosted))
  )

  it.effect("it closes after idleness, never while it waits", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 })
      const waiting = yield* TriggerFlow.start(Order, { n: 3 })
      yield* waiting.emitFork(Ask, "")
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* execution.lifecycle, "open")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* execution.lifecycle, "closed")
      assert.strictEqual(yield* waiting.lifecycle, "open")
      const error = yield* failing(waiting.close())
      assert.deepInclude((error as FlowErrors.FlowError).reason, { _tag: "PendingInterrupts", ids: ["Approval#1"] })
      assert.strictEqual((yield* waiting.close({ pending: "cancel" })).status, "completed")
    }).pipe(Effect.provide(hosted))
  )

  it.effect("cancel gives what is left; await then fails with why", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 })
      const { state, status } = yield* execution.cancel("nobody needs it")
      assert.strictEqual(status, "cancelled")
      assert.deepStrictEqual(state.log, ["n is 4, signed"])
      const error = yield* failing(execution.await)
      assert.include(error.message, "nobody needs it")
      assert.strictEqual((yield* execution.close()).status, "cancelled")
    }).pipe(Effect.provide(hosted))
  )

  it.effect("an intervention is checked, and told in the stream", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 3 })
      const id = yield* execution.intervene({ advice: "hurry" }, { author: "Ada" })
      const error = yield* failing(execution.intervene({ advice: 3 } as never))
      assert.instanceOf(error, FlowErrors.FlowError)
      yield* execution.close()
      const told = yield* Stream.runCollect(execution.entries())
      assert.deepInclude(
        told.map(({ event }) => event),
        { _tag: "intervention", id, action: "append" }
      )
    }).pipe(Effect.provide(hosted))
  )

  it.effect("the same id and input join, another input is a conflict", () =>
    Effect.gen(function* () {
      const before = started
      const first = yield* TriggerFlow.start(Order, { n: 3 }, { id: "o-1" })
      const second = yield* TriggerFlow.start(Order, { n: 3 }, { id: "o-1" })
      assert.strictEqual(first.id, second.id)
      assert.strictEqual(started, before + 1)
      const error = yield* failing(TriggerFlow.start(Order, { n: 4 }, { id: "o-1" }))
      assert.instanceOf(error, ExecutionConflict)
      assert.strictEqual(error.differs, "input")
    }).pipe(Effect.provide(hosted))
  )

  it.effect("attach refuses what is not there and what is another flow's", () =>
    Effect.gen(function* () {
      const Other = TriggerFlow.define("other", {})
      const Next = TriggerFlow.define("order", { version: "2" })
      yield* TriggerFlow.start(Order, { n: 3 }, { id: "o-1" })
      assert.instanceOf(yield* failing(TriggerFlow.attach(Order, "o-2")), UnknownExecution)
      assert.deepInclude(yield* failing(TriggerFlow.attach(Other, "o-1")), { differs: "flow" })
      assert.deepInclude(yield* failing(TriggerFlow.attach(Next, "o-1")), { differs: "version" })
      assert.instanceOf(yield* failing(TriggerFlow.start(Next, undefined)), UnknownFlow)
      assert.instanceOf(yield* failing(TriggerFlow.start(Other, undefined)), UnknownFlow)
    }).pipe(Effect.provide(hosted))
  )

  it.effect("a host that runs another contract than the caller's is found out, not believed", () =>
    Effect.gen(function* () {
      yield* TriggerFlow.start(Order, { n: 3 }, { id: "o-1", autoClose: 0 })
      const Wrong = TriggerFlow.define("order", {
        state: Schema.Struct({ day: Schema.Number }),
        initial: { day: 1 },
        result: Schema.Number
      })
      const execution = yield* TriggerFlow.attach(Wrong, "o-1")
      const error = yield* failing(execution.state)
      assert.deepInclude((error as FlowErrors.FlowError).reason, { _tag: "ContractViolation", part: "state" })
    }).pipe(Effect.provide(hosted))
  )

  it.effect("TF-64 50 executions at once keep their inputs apart", () =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: 50 }, (_, n) => n)
      const logs = yield* Effect.forEach(
        numbers,
        (n) =>
          Effect.gen(function* () {
            const execution = yield* TriggerFlow.start(Order, { n })
            yield* execution.emit(Paid, { cents: n * 2 })
            return (yield* execution.close()).state.log
          }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        logs,
        numbers.map((n) => [`n is ${n + 1}, signed`, `paid ${n * 2 + 1}`])
      )
    }).pipe(Effect.provide(hosted))
  )

  it.effect("the questions of a sub-flow are asked and answered on its parent", () =>
    Effect.gen(function* () {
      const Child = TriggerFlow.define("child", { interrupts: [Approval], result: Schema.DateFromString })
      const Parent = TriggerFlow.define("parent", { interrupts: [Approval], result: Schema.DateFromString })
      const child = Child.build(
        Child.start.pipe(
          Chain.to("ask", (_, run) => run.pause(Approval, { since: day })),
          Chain.to("until", ({ until }) => Effect.succeed(until)),
          Chain.result
        )
      )
      const parent = Parent.build(Parent.start.pipe(Chain.subFlow(child), Chain.result))
      yield* Effect.gen(function* () {
        const execution = yield* TriggerFlow.start(Parent, undefined)
        const [question] = yield* execution.interrupts
        assert.deepStrictEqual(question?.payload, { since: day })
        const [told] = yield* execution.entries().pipe(Stream.take(1), Stream.runCollect)
        assert.strictEqual(told?.event._tag === "interrupt" ? told.event.id : undefined, question?.id)
        yield* execution.answer(Approval, { until: later }, { id: question?.id ?? "" })
        assert.deepStrictEqual(yield* execution.result, later)
      }).pipe(Effect.provide(TriggerFlow.toLayer(parent).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))))
    })
  )
})

describe("TriggerFlow.toLayer", () => {
  it.effect("refuses an initial state that its Schema does not admit", () =>
    Effect.gen(function* () {
      const Bad = TriggerFlow.define("bad", {
        state: Schema.Struct({ n: Schema.Int }),
        initial: { n: 1.5 }
      })
      const layer = TriggerFlow.toLayer(Bad.build()).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))
      const error = yield* failing(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error._tag === "FlowError" ? error.reason._tag : error._tag, "InvalidDefinition")
    })
  )

  it.effect("tells definitions apart by their fingerprints", () =>
    Effect.gen(function* () {
      const One = TriggerFlow.define("one", { version: "1" })
      const Two = TriggerFlow.define("one", { version: "2" })
      const fingerprints = yield* Effect.forEach(["1", "2"], (version) =>
        Effect.gen(function* () {
          const host = yield* ExecutionHost
          const { fingerprint } = yield* host.get(yield* host.start({ flow: "one", version, input: null }))
          return fingerprint
        })
      ).pipe(
        Effect.provide(
          Layer.mergeAll(
            TriggerFlow.toLayer(One.build(One.start.pipe(Chain.to("a", () => Effect.void)))),
            TriggerFlow.toLayer(Two.build(Two.start.pipe(Chain.to("b", () => Effect.void))))
          ).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))
        )
      )
      assert.isString(fingerprints[0])
      assert.notStrictEqual(fingerprints[0], fingerprints[1])
    })
  )

  it.effect("refuses to register a flow twice", () =>
    Effect.gen(function* () {
      const twice = Layer.mergeAll(Layer.fresh(TriggerFlow.toLayer(order)), Layer.fresh(TriggerFlow.toLayer(order)))
      const error = yield* failing(
        Effect.scoped(Layer.build(twice.pipe(Layer.provide(clerk), Layer.provide(ExecutionHosts.inProcess()))))
      )
      assert.instanceOf(error, FlowRegistered)
    })
  )
})

describe("the Layer of a host", () => {
  const Wait = TriggerFlow.define("wait", { signals: [Ask] })

  it.effect("cancels its executions when it closes, waits for them, and takes no more", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const at = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const wait = Wait.build(
        Wait.start.pipe(
          Chain.to("wait", () =>
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() =>
                Effect.andThen(
                  Deferred.await(release),
                  Effect.sync(() => log.push("released"))
                )
              )
              yield* Deferred.succeed(at, undefined)
              return yield* Effect.never
            })
          )
        )
      )
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        TriggerFlow.toLayer(wait).pipe(Layer.provideMerge(ExecutionHosts.inProcess())),
        scope
      )
      const execution = yield* Effect.provide(TriggerFlow.start(Wait, undefined), context)
      const waiting = yield* Effect.forkChild(failing(execution.await), { startImmediately: true })
      yield* Deferred.await(at)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.deepStrictEqual(log, [])
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(log, ["released"])
      assert.include((yield* Fiber.join(waiting)).message, "no longer registered")
      assert.instanceOf(yield* failing(execution.status), ExecutionHostError)
      assert.instanceOf(yield* failing(Effect.provide(TriggerFlow.start(Wait, undefined), context)), ExecutionHostError)
    })
  )

  it.effect("keeps as many ended executions as it is told, the last ones", () =>
    Effect.gen(function* () {
      const executions = yield* Effect.forEach([1, 2, 3], (n) =>
        Effect.tap(TriggerFlow.start(Order, { n }, { id: `${n}` }), (execution) => execution.close())
      )
      const open = yield* TriggerFlow.start(Order, { n: 4 }, { id: "4" })
      const statuses = yield* Effect.forEach([...executions, open], (one) => Effect.option(one.status))
      assert.deepStrictEqual(statuses.map(Option.getOrUndefined), [undefined, "completed", "completed", "running"])
      // What is forgotten may be started anew.
      const before = started
      yield* TriggerFlow.start(Order, { n: 5 }, { id: "1" })
      assert.strictEqual(started, before + 1)
    }).pipe(
      Effect.provide(
        TriggerFlow.toLayer(order).pipe(Layer.provide(clerk), Layer.provideMerge(ExecutionHosts.inProcess({ keep: 2 })))
      )
    )
  )

  it.effect("forgets ended executions after a time", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.start(Order, { n: 1 })
      yield* execution.close()
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* execution.status, "completed")
      yield* TestClock.adjust("2 minutes")
      assert.instanceOf(yield* failing(execution.status), UnknownExecution)
      const host = yield* ExecutionHost
      assert.deepStrictEqual((yield* host.list()).executions, [])
    }).pipe(Effect.provide(hosted))
  )
})

describe("TriggerFlow.run and open", () => {
  it.effect("TF-51 refuse an input that the contract does not admit before any chunk runs", () =>
    Effect.gen(function* () {
      let ran = 0
      const Strict = TriggerFlow.define("strict", { input: Schema.Struct({ n: Schema.Int }) })
      const strict = Strict.build(Strict.start.pipe(Chain.to("count", () => Effect.sync(() => ran++))))
      for (const n of [1.5, "1"]) {
        // Against its type, as plain JavaScript would.
        const error = yield* failing(TriggerFlow.run(strict, { n } as never))
        assert.deepInclude(error.reason, { _tag: "ContractViolation", part: "input" })
        assert.include(error.message, `["n"]`)
        const execution = yield* TriggerFlow.open(strict, { n } as never)
        assert.deepInclude((yield* failing(execution.await)).reason, { _tag: "ContractViolation", part: "input" })
        assert.strictEqual(yield* execution.status, "failed")
      }
      assert.strictEqual(ran, 0)
      yield* TriggerFlow.run(strict, { n: 1 })
      assert.strictEqual(ran, 1)
    })
  )
})
