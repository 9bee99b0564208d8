/** The promises of `ExecutionHost` as cases for any implementation. Every case registers flows of its own. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ExecutionHost, WatchEntry } from "../../services/ExecutionHost.ts"
import * as Chain from "../../src/triggerflow/Chain.ts"
import { define, type Flow } from "../../src/triggerflow/Flow.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import { load } from "../../src/triggerflow/TriggerFlow.ts"
import * as Runner from "../../src/triggerflow/hosting/Runner.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"
import type { ConformanceFailure } from "./ModelProviderConformance.ts"
import { expect, runAll, type StoreCase, storeCase } from "./StoreCase.ts"

type Service = ExecutionHost["Service"]
type Problem = { readonly message: string }
type Check = Effect.Effect<void, string | Problem, Scope.Scope>

const Add = Signal.make("Add", Schema.NumberFromString, { reply: Schema.NumberFromString })
const Hold = Signal.make("Hold", Schema.String)
const Break = Signal.make("Break", Schema.String)
const Approval = Interrupt.make("Approval", {
  payload: Schema.Struct({ cents: Schema.Int }),
  resume: Schema.Struct({ approved: Schema.Boolean })
})
const Rejected = Schema.TaggedStruct("Rejected", { order: Schema.String })

/** What the handlers of a case tell it, and what they wait for. */
class Bench {
  readonly log: Array<string> = []
  readonly gate = Deferred.makeUnsafe<void>()
  readonly at = Deferred.makeUnsafe<void>()
}

const contractOf = (name: string, version?: string) =>
  define(name, {
    version,
    input: Schema.Struct({ n: Schema.NumberFromString }),
    state: Schema.Struct({ total: Schema.Number, names: Schema.Array(Schema.String) }),
    initial: { total: 0, names: [] },
    stream: Schema.Struct({ at: Schema.DateFromMillis }),
    result: Schema.NumberFromString,
    error: Rejected,
    signals: [Add, Hold, Break],
    interrupts: [Approval]
  })

/** A flow that can do everything that a host has to carry. `Break` fails it in the way that its payload names. */
const counter = (bench: Bench, name: string, version?: string) => {
  const contract = contractOf(name, version)
  return contract.build(
    contract.start.pipe(
      Chain.to("begin", ({ n }, run) =>
        Effect.gen(function* () {
          bench.log.push(`begin ${n}`)
          yield* run.state.set("total", n)
          yield* run.put({ at: new Date(n) })
          return n
        })
      ),
      Chain.result
    ),
    contract.on(Add).pipe(
      Chain.to("add", (n, run) =>
        Effect.tap(
          run.state.update("total", (total) => total + n),
          (total) => run.put({ at: new Date(total) })
        )
      )
    ),
    contract.on(Add).pipe(Chain.to("negate", (n) => Effect.succeed(-n))),
    contract.on(Hold).pipe(
      Chain.to("hold", (how, run) =>
        Effect.gen(function* () {
          bench.log.push(`hold ${how}`)
          yield* Deferred.succeed(bench.at, undefined)
          if (how === "ask") return yield* run.pause(Approval, { cents: 100 })
          return yield* Effect.onInterrupt(Effect.as(Deferred.await(bench.gate), { approved: true }), () =>
            Effect.sync(() => bench.log.push("stopped"))
          )
        })
      ),
      Chain.to("held", ({ approved }) => Effect.sync(() => bench.log.push(`held ${approved}`)))
    ),
    contract.on(Break).pipe(
      Chain.to("break", (how, run): Effect.Effect<void, TypeError | typeof Rejected.Type> =>
        how === "error"
          ? Effect.fail({ _tag: "Rejected" as const, order: "A-17" })
          : how === "other"
            ? Effect.fail(new TypeError("the shelf is empty"))
            : how === "interrupt"
              ? Effect.interrupt
              : how === "defect"
                ? Effect.die(new RangeError("out of range"))
                : // Against its type, as plain JavaScript would.
                  run.state.set("total", "three" as never)
      )
    )
  )
}

const registered = <C extends Spec, E>(host: Service, flow: Flow<C, E, never>) =>
  Effect.flatMap(Runner.make(flow, "fingerprint"), host.register)

const never = { autoClose: false } as const

const make = (name: string, check: (host: Service, flow: string, bench: Bench) => Check): StoreCase<Service> =>
  storeCase<Service, Problem>(name, (host) =>
    Effect.suspend(() => Effect.scoped(check(host, `Conformance/${name}`, new Bench())))
  )

/** What an effect fails with; that it does not is a problem. */
const refusal = <E, R>(what: string, effect: Effect.Effect<unknown, E, R>): Effect.Effect<E, string, R> =>
  Effect.flatMap(Effect.result(effect), (result) =>
    Result.isFailure(result)
      ? Effect.succeed(result.failure)
      : Effect.fail(`${what} succeeds with ${JSON.stringify(result.success)}`)
  )

const tagOf = <E extends { readonly _tag: string }, R>(what: string, effect: Effect.Effect<unknown, E, R>) =>
  Effect.map(refusal(what, effect), ({ _tag }) => _tag)

const untilQuestion = (host: Service, id: string) =>
  host.watch(id).pipe(
    Stream.filter(({ event }) => event._tag === "interrupt"),
    Stream.take(1),
    Stream.runDrain
  )

const itemsOf = (entries: ReadonlyArray<WatchEntry>) =>
  entries.flatMap(({ event }) => (event._tag === "item" ? [event.item] : []))

/** All promises. @category cases */
export const cases: ReadonlyArray<StoreCase<Service>> = [
  make("runs a registered flow and gives its state and result as JSON", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow, "1"))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: { autoClose: 0 } })
      const { closedAt, startedAt, ...view } = yield* host.await(id)
      yield* expect("view", view, {
        id,
        flow,
        version: "1",
        fingerprint: "fingerprint",
        status: "completed",
        lifecycle: "closed",
        questions: [],
        failures: [],
        state: { total: 3, names: [] },
        result: "3"
      })
      yield* expect("times", closedAt !== undefined && closedAt >= startedAt, true)
      yield* expect("asked again", (yield* host.get(id)).result, "3")
    })
  ),
  make("starts under one id and input are one start", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const request = { flow, input: { n: "3" }, id: `${flow}/once`, settings: never }
      const ids = yield* Effect.forEach(Array.from({ length: 8 }), () => host.start(request), {
        concurrency: "unbounded"
      })
      yield* expect("ids", new Set(ids).size, 1)
      yield* host.close(request.id)
      yield* expect("a start after its end", yield* host.start(request), request.id)
      yield* expect("starts", bench.log, ["begin 3"])
    })
  ),
  make("an id with another input, flow or version is a conflict and starts nothing", (host, flow, bench) =>
    Effect.gen(function* () {
      const id = `${flow}/taken`
      yield* registered(host, counter(bench, flow, "1"))
      yield* registered(host, counter(bench, flow, "2"))
      yield* registered(host, counter(bench, `${flow}/other`))
      yield* host.start({ flow, version: "1", input: { n: "3" }, id, settings: never })
      for (const request of [
        { flow, version: "1", input: { n: "4" }, id },
        { flow, version: "2", input: { n: "3" }, id },
        { flow: `${flow}/other`, input: { n: "3" }, id }
      ])
        yield* expect("error", yield* tagOf("the start", host.start(request)), "ExecutionConflict")
      yield* expect("starts", bench.log, ["begin 3"])
    })
  ),
  make("an input that the contract refuses starts nothing, and its id stays free", (host, flow, bench) =>
    Effect.gen(function* () {
      const id = `${flow}/refused`
      yield* registered(host, counter(bench, flow))
      const refused = yield* refusal("it", host.start({ flow, input: { m: 1 }, id }))
      if (refused._tag !== "FlowFailed") return yield* Effect.fail(refused.message)
      yield* expect("failure", refused.failure._tag, "FlowError")
      yield* expect("where", refused.message.includes("input") && refused.message.includes("n"), true)
      yield* expect("handlers that ran", bench.log, [])
      yield* expect("get", yield* tagOf("get", host.get(id)), "UnknownExecution")
      yield* expect("again", yield* host.start({ flow, input: { n: "1" }, id, settings: never }), id)
    })
  ),
  make("a flow or version that nobody registered is told from those that are", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow, "1"))
      const unknown = yield* refusal("it", host.start({ flow, version: "2", input: { n: "1" } }))
      if (unknown._tag !== "UnknownFlow") return yield* Effect.fail(unknown.message)
      yield* expect("known", unknown.known, ["1"])
      yield* expect(
        "error",
        yield* tagOf("the start", host.start({ flow: `${flow}/none`, input: null })),
        "UnknownFlow"
      )
      yield* expect("error", yield* tagOf("register", registered(host, counter(bench, flow, "1"))), "FlowRegistered")
      yield* registered(host, counter(bench, flow, "2"))
      const id = yield* host.start({ flow, input: { n: "1" }, settings: never })
      yield* expect("version of a start that names none", (yield* host.get(id)).version, "2")
    })
  ),
  make("nothing can be asked of an execution that there is not", (host, flow) =>
    Effect.gen(function* () {
      const id = `${flow}/none`
      const requests = {
        get: host.get(id),
        save: host.save(id),
        signal: host.signal(id, "Add", "1", { wait: true }),
        answer: host.answer(id, "Approval#1", {}),
        intervene: host.intervene(id, {}),
        watch: Stream.runDrain(host.watch(id)),
        seal: host.seal(id),
        close: host.close(id),
        cancel: host.cancel(id),
        await: host.await(id)
      }
      for (const [name, request] of Object.entries<Effect.Effect<unknown, { readonly _tag: string }>>(requests))
        yield* expect(name, yield* tagOf(name, request), "UnknownExecution")
    })
  ),
  make("a signal that is waited for gives its replies, in order, when it has ended", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      yield* expect("replies", yield* host.signal(id, "Add", "4", { wait: true }), ["7", "-4"])
      yield* expect("state", (yield* host.get(id)).state, { total: 7, names: [] })
      yield* expect("no replies", yield* host.signal(id, "Hold", "gate", { wait: false }), [])
      yield* expect("status", (yield* host.get(id)).status, "running")
      yield* Deferred.succeed(bench.gate, undefined)
      yield* host.close(id)
      yield* expect("log", bench.log, ["begin 3", "hold gate", "held true"])
    })
  ),
  make("a signal that the contract refuses harms nothing", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      for (const [signal, payload] of [
        ["Add", { m: 1 }],
        ["Nothing", "1"]
      ] as const)
        yield* expect(
          "error",
          yield* tagOf("the signal", host.signal(id, signal, payload, { wait: true })),
          "FlowFailed"
        )
      yield* expect("lifecycle", (yield* host.get(id)).lifecycle, "open")
      yield* expect("replies", yield* host.signal(id, "Add", "1", { wait: true }), ["4", "-1"])
    })
  ),
  make("a question is seen, listed and answered; its answer may be sent again", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      yield* host.signal(id, "Hold", "ask", { wait: false })
      yield* untilQuestion(host, id)
      const { questions, status } = yield* host.get(id)
      yield* expect("status", status, "waiting")
      const [question] = questions
      yield* expect(
        "question",
        [question?.id, question?.interrupt, question?.payload, question?.chunk],
        ["Approval#1", "Approval", { cents: 100 }, "hold"]
      )
      const answer = (value: Schema.Json, requestId: string) =>
        host.answer(id, "Approval#1", value, { requestId, interrupt: "Approval" })
      yield* expect("a bad answer", yield* tagOf("it", answer({ approved: "yes" }, "r1")), "FlowFailed")
      yield* answer({ approved: false }, "r1")
      yield* answer({ approved: false }, "r1")
      yield* expect("another value", yield* tagOf("it", answer({ approved: true }, "r1")), "FlowFailed")
      yield* expect("another request", yield* tagOf("it", answer({ approved: false }, "r2")), "FlowFailed")
      yield* host.close(id)
      yield* expect("log", bench.log, ["begin 3", "hold ask", "held false"])
    })
  ),
  make(
    "a saved execution goes on elsewhere, and undisturbed where it is; a closed one is refused",
    (host, flow, bench) =>
      Effect.gen(function* () {
        const definition = counter(bench, flow)
        yield* registered(host, definition)
        const id = yield* host.start({ flow, input: { n: "1" }, settings: never })
        yield* host.signal(id, "Hold", "ask", { wait: false })
        yield* untilQuestion(host, id)
        const json = JSON.stringify(yield* host.save(id))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const copy = yield* load(definition, JSON.parse(json))
            const [question] = yield* copy.interrupts
            yield* copy.answer(Approval, { approved: false }, { id: question?.id ?? "" })
            const { state } = yield* copy.close()
            yield* expect("total of the copy", state.total, 1)
          }).pipe(Effect.mapError((error) => (typeof error === "string" ? error : JSON.stringify(error))))
        )
        yield* expect("log", bench.log, ["begin 1", "hold ask", "held false"])
        const { questions, status } = yield* host.get(id)
        yield* expect("status", [status, questions.length], ["waiting", 1])
        yield* host.close(id, { pending: "cancel" })
        yield* expect("of a closed one", yield* tagOf("save", host.save(id)), "FlowFailed")
      })
  ),
  make("an answer may come before its question", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      yield* host.answer(id, "Approval#1", { approved: true }, { interrupt: "Approval" })
      yield* host.signal(id, "Hold", "ask", { wait: true })
      yield* expect("log", bench.log, ["begin 3", "hold ask", "held true"])
    })
  ),
  make("watching gives every entry once, in order, from any cursor, during and after", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "1" }, settings: never })
      const early = yield* Effect.forkChild(Stream.runCollect(host.watch(id)), { startImmediately: true })
      for (const n of ["1", "1", "1"]) yield* host.signal(id, "Add", n, { wait: true })
      yield* host.close(id)
      const all = yield* Stream.runCollect(host.watch(id))
      yield* expect("items", itemsOf(all), [{ at: 1 }, { at: 2 }, { at: 3 }, { at: 4 }])
      yield* expect("an early reader", yield* Fiber.join(early), all)
      const second = all[1]?.cursor ?? 0
      yield* expect("from a cursor", yield* Stream.runCollect(host.watch(id, second)), all.slice(1))
    })
  ),
  make("a failure of the contract's kind crosses encoded, to everybody who asks", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      const error = { _tag: "Rejected", order: "A-17" }
      const asked = [
        yield* refusal("it", host.signal(id, "Break", "error", { wait: true })),
        yield* refusal("it", Stream.runDrain(host.watch(id)))
      ]
      for (const found of asked) {
        if (found._tag !== "FlowFailed" || found.failure._tag === "Defect") return yield* Effect.fail(found.message)
        yield* expect("error", found.failure.error, error)
      }
      for (const view of [yield* host.await(id), yield* host.get(id), yield* host.close(id)]) {
        yield* expect("status", [view.status, view.lifecycle], ["failed", "closed"])
        yield* expect("failure", view.failure?._tag === "Error" ? view.failure.error : undefined, error)
        yield* expect("state", view.state, { total: 3, names: [] })
      }
    })
  ),
  make("other failures are never lost, and say what happened in words", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      for (const [how, tag, words] of [
        ["other", "Defect", "the shelf is empty"],
        ["defect", "Defect", "out of range"],
        ["interrupt", "Defect", "interrupted"],
        ["violation", "FlowError", "state.total"]
      ] as const) {
        const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
        yield* host.signal(id, "Break", how, { wait: false })
        const { failure, status } = yield* host.await(id)
        yield* expect("status", status, "failed")
        yield* expect(`${how}: ${failure?.message}`, [failure?._tag, failure?.message.includes(words)], [tag, true])
      }
    })
  ),
  make("failures that end their own chain only are kept, and the execution goes on", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: { ...never, failures: "continue" } })
      for (const how of ["error", "other"]) yield* host.signal(id, "Break", how, { wait: true })
      yield* expect("replies", yield* host.signal(id, "Add", "1", { wait: true }), ["4", "-1"])
      const { failures, status } = yield* host.close(id)
      yield* expect("status", status, "completed")
      yield* expect(
        "failures",
        failures.map(({ _tag }) => _tag),
        ["Error", "Defect"]
      )
    })
  ),
  make("a sealed execution refuses signals and finishes what is at work", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      yield* host.signal(id, "Hold", "gate", { wait: false })
      yield* host.seal(id)
      yield* expect("lifecycle", (yield* host.get(id)).lifecycle, "sealed")
      yield* expect("error", yield* tagOf("it", host.signal(id, "Add", "1", { wait: false })), "FlowFailed")
      const closing = yield* Effect.forkChild(host.close(id), { startImmediately: true })
      yield* Deferred.succeed(bench.gate, undefined)
      yield* expect("status", (yield* Fiber.join(closing)).status, "completed")
      yield* expect("log", bench.log, ["begin 3", "hold gate", "held true"])
    })
  ),
  make("an execution with open questions refuses to close, or drops them", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      yield* host.signal(id, "Hold", "ask", { wait: false })
      yield* untilQuestion(host, id)
      yield* expect("error", yield* tagOf("close", host.close(id)), "FlowFailed")
      yield* expect("status", (yield* host.get(id)).status, "waiting")
      yield* expect("closed", (yield* host.close(id, { pending: "cancel" })).status, "completed")
    })
  ),
  make("cancelling stops one execution, and gives when it has stopped", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
      const other = yield* host.start({ flow, input: { n: "4" }, settings: never })
      const held = yield* Effect.forkChild(refusal("it", host.signal(id, "Hold", "gate", { wait: true })), {
        startImmediately: true
      })
      yield* Deferred.await(bench.at)
      const { failure, lifecycle, status } = yield* host.cancel(id, "the customer has left")
      yield* expect("log", bench.log, ["begin 3", "begin 4", "hold gate", "stopped"])
      yield* expect("status", [status, lifecycle], ["cancelled", "closed"])
      yield* expect("why", failure?.message.includes("the customer has left"), true)
      yield* expect("who waited", (yield* Fiber.join(held))._tag, "FlowFailed")
      yield* expect("again", (yield* host.cancel(id)).status, "cancelled")
      yield* expect("the other one", yield* host.signal(other, "Add", "1", { wait: true }), ["5", "-1"])
    })
  ),
  make("who started an execution may go; it goes on", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const id = yield* Effect.scoped(host.start({ flow, input: { n: "3" }, settings: never }))
      const waiting = yield* Effect.forkChild(host.signal(id, "Hold", "gate", { wait: true }), {
        startImmediately: true
      })
      yield* Deferred.await(bench.at)
      yield* Fiber.interrupt(waiting)
      yield* Deferred.succeed(bench.gate, undefined)
      yield* host.close(id)
      yield* expect("log", bench.log, ["begin 3", "hold gate", "held true"])
    })
  ),
  make("executions are listed by flow, version and status, in pages, oldest first", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow, "1"))
      yield* registered(host, counter(bench, flow, "2"))
      const ids: Array<string> = []
      for (let n = 0; n < 5; n++) {
        const version = n === 4 ? "2" : "1"
        ids.push(yield* host.start({ flow, version, input: { n: `${n}` }, id: `${flow}/${n}`, settings: never }))
      }
      yield* host.close(`${flow}/1`)
      const seen: Array<string> = []
      let after: string | undefined
      do {
        const page = yield* host.list({ flow, limit: 2, ...(after === undefined ? {} : { after }) })
        if (page.executions.length > 2) return yield* Effect.fail("a page is longer than its limit")
        seen.push(...page.executions.map(({ id }) => id))
        after = page.next
      } while (after !== undefined)
      yield* expect("pages", seen, ids)
      const listed = (query: Parameters<Service["list"]>[0]) =>
        Effect.map(host.list({ flow, ...query }), ({ executions }) => executions.map(({ id }) => id))
      yield* expect("completed", yield* listed({ status: "completed" }), [`${flow}/1`])
      yield* expect("version", yield* listed({ version: "2" }), [`${flow}/4`])
      yield* expect("none", yield* listed({ status: "failed" }), [])
    })
  ),
  make("when a registration ends, its executions have stopped and no more start", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* registered(host, counter(bench, flow))
          const id = yield* host.start({ flow, input: { n: "3" }, settings: never })
          yield* host.signal(id, "Hold", "gate", { wait: false })
          yield* Deferred.await(bench.at)
        })
      )
      yield* expect("log", bench.log, ["begin 3", "hold gate", "stopped"])
      yield* expect("error", yield* tagOf("start", host.start({ flow, input: { n: "3" } })), "UnknownFlow")
    })
  ),
  make("TF-64 50 executions at once keep their inputs and states apart", (host, flow, bench) =>
    Effect.gen(function* () {
      yield* registered(host, counter(bench, flow))
      const numbers = Array.from({ length: 50 }, (_, index) => index)
      const totals = yield* Effect.forEach(
        numbers,
        (n) =>
          Effect.gen(function* () {
            const id = yield* host.start({ flow, input: { n: `${n}` }, settings: never })
            const replies = yield* host.signal(id, "Add", `${n * 100}`, { wait: true })
            const { result, state } = yield* host.close(id)
            return [replies, result, state["total"]]
          }),
        { concurrency: "unbounded" }
      )
      yield* expect(
        "totals",
        totals,
        numbers.map((n) => [[`${n * 101}`, `${-n * 100}`], `${n}`, n * 101])
      )
    })
  )
]

/** Runs all cases; fails with the first promise that is not kept. @category running */
export const run = (harness: string, host: Service): Effect.Effect<void, ConformanceFailure> =>
  runAll(cases, harness, host)
