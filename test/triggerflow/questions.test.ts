import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, type FlowErrors, Interrupt, TriggerFlow } from "effigent/triggerflow"
import { A, Approval, beside, Choice, E, errorOf, F, Got, pure, reasonOf, settle } from "./support.ts"

const yes = { ok: true }
const whyOf = (exit: Exit.Exit<unknown, FlowErrors.FlowError>): string => {
  const reason = errorOf(exit)?.reason
  return reason?._tag === "AnswerRejected" ? reason.why : "none"
}
const asking = F.build(
  F.start.pipe(
    Chain.to("ask", (n, run) => run.pause(Approval, `ok ${n}?`)),
    Chain.to("after", (a, run) => Effect.as(run.state.append("list", a.ok ? 1 : 0), a)),
    Chain.result
  )
)
const resultOf = <A>(closed: { readonly result: Option.Option<A> }): A | undefined =>
  Option.getOrUndefined(closed.result)

describe("Questions", () => {
  it.effect("TF-30 the answer is the input of the next step", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(asking, 3)
      const [pending] = yield* execution.interrupts
      assert.deepStrictEqual(pending, {
        id: "Approval#1",
        interrupt: "Approval",
        payload: "ok 3?",
        chunk: "ask",
        at: 0,
        expires: undefined
      })
      yield* execution.answer(Approval, yes, { id: "Approval#1" })
      assert.deepStrictEqual(yield* execution.interrupts, [])
      assert.deepStrictEqual(resultOf(yield* execution.close()), yes)
    })
  )

  it.effect("TF-31 a handler that asks for itself is run again with the answer", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("ask", (n, run) =>
            Effect.gen(function* () {
              const answer = run.resumed(Approval)
              assert.isTrue(Option.isNone(run.resumed(Choice)))
              if (Option.isNone(answer)) return yield* run.pause(Approval, "ok?", { to: "self" })
              return { input: n, dec: answer.value }
            })
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 4)
      yield* execution.answer(Approval, yes, { id: "Approval#1" })
      assert.deepStrictEqual(resultOf(yield* execution.close()), { input: 4, dec: yes })
    })
  )

  it.effect("TF-32 a handler that asks again and again fails at its limit", () =>
    Effect.gen(function* () {
      const flow = (maxResumes?: number) =>
        F.build(F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?", { to: "self" }), { maxResumes })))
      const once = yield* TriggerFlow.open(flow(), 1)
      yield* once.answer(Approval, yes, { id: "Approval#1" })
      assert.strictEqual(yield* once.status, "waiting")
      yield* once.answer(Approval, yes, { id: "Approval#2" })
      const exit = yield* Effect.exit(once.await)
      assert.strictEqual(reasonOf(exit), "ResumeLimit")
      assert.include(String(errorOf(exit)), `"ask"`)
      const thrice = yield* TriggerFlow.open(flow(3), 1)
      for (const at of [1, 2, 3]) yield* thrice.answer(Approval, yes, { id: `Approval#${at}` })
      assert.strictEqual(yield* thrice.status, "waiting")
      yield* thrice.answer(Approval, yes, { id: "Approval#4" })
      assert.strictEqual(reasonOf(yield* Effect.exit(thrice.await)), "ResumeLimit")
    })
  )

  const toSignal = (seen: Array<unknown>) =>
    F.build(
      F.start.pipe(
        Chain.to("ask", (_, run) => run.pause(Approval, "?", { to: Got })),
        Chain.to(
          "never",
          pure(() => seen.push("went on"))
        )
      ),
      F.on(Got).pipe(
        Chain.to(
          "got",
          pure((got) => seen.push(got))
        )
      )
    )

  it.effect("TF-33 an answer to a signal emits it once; emitting the signal answers too", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const answered = yield* TriggerFlow.open(toSignal(seen), 1)
      yield* answered.answer(Approval, yes, { id: "Approval#1" })
      assert.strictEqual((yield* answered.close()).status, "completed")
      assert.deepStrictEqual(seen.splice(0), [yes])
      const emitted = yield* TriggerFlow.open(toSignal(seen), 1)
      yield* emitted.emit(Got, { ok: false })
      assert.deepStrictEqual(yield* emitted.interrupts, [])
      const late = yield* Effect.exit(emitted.answer(Approval, yes, { id: "Approval#1" }))
      assert.strictEqual(whyOf(late), "notWaiting")
      assert.strictEqual((yield* emitted.close()).status, "completed")
      assert.deepStrictEqual(seen, [{ ok: false }])
    })
  )

  it.effect(
    "TF-33 the signal of an answer reaches listeners that were bound, and other questions that wait for it",
    () =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const flow = F.build(
          F.start.pipe(Chain.to("ask1", (_, run) => run.pause(Approval, "1", { to: Got }))),
          F.start.pipe(Chain.to("ask2", (_, run) => run.pause(Approval, "2", { to: Got })))
        )
        const execution = yield* TriggerFlow.open(flow, 1)
        yield* execution.on(Got, (got) => Effect.sync(() => seen.push(got)))
        yield* execution.answer(Approval, yes, { id: "Approval#1" })
        yield* settle
        assert.deepStrictEqual(seen, [yes])
        assert.deepStrictEqual(yield* execution.interrupts, [])
        assert.strictEqual((yield* execution.close()).status, "completed")
      })
  )

  it.effect("TF-61 a signal that was waited for is delivered once, with what was emitted", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const execution = yield* TriggerFlow.open(toSignal(seen), 1)
      assert.strictEqual(yield* execution.status, "waiting")
      yield* execution.emit(Got, { ok: true })
      assert.deepStrictEqual([seen, yield* execution.interrupts], [[yes], []])
      yield* execution.emit(Got, { ok: false })
      assert.deepStrictEqual(seen, [yes, { ok: false }])
      assert.strictEqual(yield* execution.status, "running")
    })
  )

  it.effect("TF-34 two questions answered at once both go on; one answered twice at once goes on once", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2])),
          Chain.forEach((i) => i.pipe(Chain.to("ask", (n, run) => run.pause(Choice, n)))),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const exits = yield* Effect.forEach(
        ["Choice#1", "Choice#2", "Choice#2"],
        (id, at) => Effect.exit(execution.answer(Choice, (at + 1) * 10, { id })),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(exits.map(whyOf), ["none", "none", "notWaiting"])
      assert.deepStrictEqual(resultOf(yield* execution.close()), [10, 20])
    })
  )

  it.effect("TF-35 an answer with a request id may be sent again, with another value it is a conflict", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(asking, 1)
      const send = (ok: boolean, requestId?: string) =>
        Effect.map(Effect.exit(execution.answer(Approval, { ok }, { id: "Approval#1", requestId })), (exit) =>
          Exit.isSuccess(exit) ? "taken" : whyOf(exit)
        )
      assert.strictEqual(yield* send(true, "r1"), "taken")
      assert.strictEqual(yield* send(true, "r1"), "taken")
      assert.strictEqual(yield* send(false, "r1"), "conflict")
      assert.strictEqual(yield* send(true, "r2"), "notWaiting")
      assert.strictEqual(yield* send(true), "notWaiting")
      yield* settle
      assert.deepStrictEqual((yield* execution.close()).state.list, [1])
    })
  )

  it.effect("TF-35 answers that came before the question are idempotent too", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.create(asking, 1)
      const send = (ok: boolean, requestId?: string) =>
        Effect.map(Effect.exit(execution.answer(Approval, { ok }, { id: "Approval#1", requestId })), (exit) =>
          Exit.isSuccess(exit) ? "taken" : whyOf(exit)
        )
      assert.strictEqual(yield* send(true, "r1"), "taken")
      assert.strictEqual(yield* send(true, "r1"), "taken")
      assert.strictEqual(yield* send(false, "r1"), "conflict")
      yield* execution.start
      assert.strictEqual(yield* send(true, "r1"), "taken")
      assert.strictEqual(yield* send(false, "r2"), "notWaiting")
      assert.deepStrictEqual((yield* execution.close()).state.list, [1])
    })
  )

  it.effect("an answer to another interrupt is not taken, neither early nor late", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(asking, 1)
      assert.strictEqual(whyOf(yield* Effect.exit(execution.answer(Choice, 1, { id: "Approval#1" }))), "unknown")
      const early = yield* TriggerFlow.create(asking, 1)
      yield* early.answer(Choice, 1, { id: "Approval#1" })
      yield* early.start
      assert.strictEqual(yield* early.status, "waiting")
      yield* early.answer(Approval, yes, { id: "Approval#1" })
      assert.deepStrictEqual(resultOf(yield* early.close()), yes)
    })
  )

  it.effect("TF-36 while one branch waits, the others go on; the batch ends with the answer", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            a: (c) => c.pipe(Chain.to("a", (_, run) => run.pause(Choice, 1))),
            b: (c) =>
              c.pipe(
                Chain.to("b", () => Effect.yieldNow),
                Chain.to(
                  "b2",
                  pure(() => (seen.push("b2"), "b"))
                )
              )
          }),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* settle
      assert.deepStrictEqual(seen, ["b2"])
      assert.strictEqual(yield* execution.status, "waiting")
      yield* execution.answer(Choice, 5, { id: "Choice#1" })
      assert.deepStrictEqual(resultOf(yield* execution.close()), { a: 5, b: "b" })
    })
  )

  it.effect("TF-37 a run that asks fails at once, and stops what else is at work", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "?"))),
        F.start.pipe(Chain.to("forever", () => Effect.never))
      )
      for (const run of [TriggerFlow.run(flow, 1), TriggerFlow.runResult(flow, 1)]) {
        const exit = yield* Effect.exit<unknown, FlowErrors.FlowError, never>(run)
        assert.strictEqual(reasonOf(exit), "Paused")
        assert.include(String(errorOf(exit)), "Approval#1")
      }
    })
  )

  it.effect("an answer is held against its Schema", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(asking, 1)
      // What plain JavaScript could pass.
      const wrong = { ok: "yes" } as never
      assert.strictEqual(
        reasonOf(yield* Effect.exit(execution.answer(Approval, wrong, { id: "Approval#1" }))),
        "ContractViolation"
      )
      assert.strictEqual(
        reasonOf(yield* Effect.exit(execution.answerJson("Approval#1", { ok: 1 }))),
        "ContractViolation"
      )
      assert.strictEqual(whyOf(yield* Effect.exit(execution.answerJson("Nothing#1", {}))), "unknown")
      yield* execution.answerJson("Approval#1", { ok: true }, { requestId: "r" })
      yield* execution.answerJson("Approval#1", { ok: true }, { requestId: "r" })
      assert.deepStrictEqual(resultOf(yield* execution.close()), yes)
    })
  )

  it.effect("ids may be given; the same one may not wait twice, but may be used again", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.loop((c) => c.pipe(Chain.to("ask", (n, run) => run.pause(Choice, n, { id: "the-id" }))), {
            while: (n) => n > 0
          }),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 2)
      yield* execution.answer(Choice, 1, { id: "the-id" })
      yield* execution.answer(Choice, 0, { id: "the-id" })
      assert.strictEqual(resultOf(yield* execution.close()), 0)
      const twice = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2])),
          Chain.forEach((i) => i.pipe(Chain.to("ask", (n, run) => run.pause(Choice, n, { id: "same" }))))
        )
      )
      const exit = yield* Effect.exit(Effect.flatMap(TriggerFlow.open(twice, 1), (one) => one.await))
      assert.strictEqual(reasonOf(exit), "ContractViolation")
    })
  )

  it.effect("a question expires: nobody may answer any more, and the chunk fails", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1])),
          Chain.forEach((i) => i.pipe(Chain.to("ask", (n, run) => run.pause(Choice, n, { expires: "1 minute" })))),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      assert.strictEqual((yield* execution.interrupts)[0]?.expires, 60_000)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(whyOf(yield* Effect.exit(Effect.asVoid(execution.await))), "expired")
      const inTime = yield* TriggerFlow.open(flow, 1)
      yield* TestClock.adjust(59_999)
      yield* inTime.answer(Choice, 7, { id: "Choice#1" })
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(resultOf(yield* inTime.close()), [7])
    })
  )

  it.effect("a pause that is made and not returned fails the execution, since nothing would have stopped", () =>
    Effect.gen(function* () {
      const paid: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("pay", (n, run) =>
            Effect.gen(function* () {
              yield* run.pause(Choice, n)
              paid.push(n)
              return n
            })
          ),
          Chain.to("next", () => Effect.sync(() => paid.push(0)))
        )
      )
      const error = yield* Effect.flip(TriggerFlow.run(flow, 1))
      assert.strictEqual(error._tag === "FlowError" && error.reason._tag, "PauseNotReturned")
      assert.include(error.message, "return yield* run.pause(...)")
      assert.deepStrictEqual(paid, [1])
    })
  )

  it.effect("no catch-all can swallow a pause", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("catches", (n, run) =>
            Effect.matchCauseEffect(run.pause(Choice, n), {
              onFailure: () => Effect.succeed(-1),
              onSuccess: (pause) => Effect.succeed(pause)
            })
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      assert.deepStrictEqual(
        (yield* execution.interrupts).map(({ chunk }) => chunk),
        ["catches"]
      )
      yield* execution.answer(Choice, 2, { id: "Choice#1" })
      assert.strictEqual(resultOf(yield* execution.close()), 2)
    })
  )

  it.effect("chains on a chunk that pauses begin with the answer", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const ask = F.chunk("ask", (n: number, run) => run.pause(Choice, n))
      const flow = F.build(
        F.start.pipe(Chain.to(ask)),
        F.on(ask).pipe(
          Chain.to(
            "heard",
            pure((n) => seen.push(n))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      assert.deepStrictEqual(seen, [])
      yield* execution.answer(Choice, 9, { id: "Choice#1" })
      yield* execution.close()
      assert.deepStrictEqual(seen, [9])
    })
  )

  it.effect("an item that waits counts against the limit of forEach until it is answered", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3])),
          Chain.forEach((i) => i.pipe(Chain.to("ask", (n, run) => run.pause(Choice, n))), { concurrency: 2 }),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const waiting = Effect.map(execution.interrupts, (all) => all.map(({ id }) => id))
      assert.deepStrictEqual(yield* waiting, ["Choice#1", "Choice#2"])
      yield* execution.answer(Choice, 20, { id: "Choice#2" })
      assert.deepStrictEqual(yield* waiting, ["Choice#1", "Choice#3"])
      yield* execution.answer(Choice, 10, { id: "Choice#1" })
      yield* execution.answer(Choice, 30, { id: "Choice#3" })
      assert.deepStrictEqual(resultOf(yield* execution.close()), [10, 20, 30])
    })
  )

  it.effect("R9 a thousand questions in one execution, answered in any order: none is stuck", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("list", (n) => Effect.succeed(Array.from({ length: n }, (_, at) => at))),
          Chain.forEach((i) => i.pipe(Chain.to("ask", (n, run) => run.pause(Choice, n, { id: `q${n}` })))),
          Chain.to(
            "sum",
            pure((all) => all.reduce((a, b) => a + b, 0))
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.create(flow, 1_000)
      // 617 and 1,000 have no divisor in common: every question once, far from its order. A third before it is asked.
      const order = Array.from({ length: 1_000 }, (_, at) => (at * 617) % 1_000)
      const answer = (n: number) => execution.answer(Choice, n, { id: `q${n}` })
      yield* Effect.forEach(order.slice(0, 333), answer, { discard: true })
      yield* execution.start
      yield* Effect.forEach(order.slice(333), answer, { concurrency: 50, discard: true })
      assert.strictEqual(resultOf(yield* execution.close()), 499_500)
    })
  )

  it.effect("R9 a thousand executions, answered before, while and after they ask: none is stuck", () =>
    Effect.gen(function* () {
      const Child = TriggerFlow.define("child", { input: Schema.Number, result: Schema.Number, interrupts: [Choice] })
      const child = Child.build(
        Child.start.pipe(
          Chain.to("childAsk", (n, run) => Effect.andThen(Effect.yieldNow, run.pause(Choice, n, { id: "child" }))),
          Chain.result
        )
      )
      const flow = F.build(
        F.start.pipe(
          Chain.loop(
            (c) =>
              c.pipe(
                Chain.to("work", (n) => Effect.as(n % 3 === 0 ? Effect.yieldNow : Effect.void, n)),
                Chain.to("loopAsk", (n, run) => run.pause(Choice, n)),
                Chain.to("self", (n, run) =>
                  Effect.gen(function* () {
                    const answer = run.resumed(Approval)
                    if (Option.isNone(answer)) return yield* run.pause(Approval, "?", { to: "self" })
                    return answer.value.ok ? n : -1
                  })
                )
              ),
            { while: (_, round) => round < 2 }
          ),
          Chain.batch({
            a: (c) => c.pipe(Chain.to("batchAsk", (n, run) => run.pause(Choice, n))),
            b: (c) => c.pipe(Chain.to("emits", (n, run) => run.emit(E, n))),
            child: (c) => c.pipe(Chain.subFlow(child))
          }),
          Chain.to(
            "json",
            pure(({ a, child }) => [a, child])
          ),
          Chain.result
        ),
        F.on(E).pipe(Chain.to("emitAsk", (n, run) => run.pause(Choice, n, { id: "inEmit" })))
      )
      const one = (at: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const execution = yield* TriggerFlow.create(flow, at)
            const ids = ["Choice#1", "Approval#1", "Choice#2", "Approval#2", "Choice#3", "inEmit"]
            const give = (id: string) =>
              id.startsWith("Approval") ? execution.answer(Approval, yes, { id }) : execution.answer(Choice, at, { id })
            const early = ids.filter((_, place) => (at + place) % 3 === 0)
            yield* Effect.forEach(early, give, { discard: true })
            const racing = yield* beside(
              Effect.forEach(
                ids.filter((_, place) => (at + place) % 3 === 1),
                (id) => Effect.andThen(Effect.yieldNow, give(id)),
                { concurrency: "unbounded" }
              )
            )
            yield* execution.start
            yield* Fiber.join(racing)
            // The rest is answered once it is asked, by what the list of questions says.
            for (let round = 0; round < 200 && (yield* execution.status) !== "completed"; round++) {
              for (const { id, interrupt } of yield* execution.interrupts)
                yield* execution.answerJson(id, interrupt === "Approval" ? yes : at)
              yield* Effect.yieldNow
              if ((yield* execution.interrupts).length === 0 && execution.engine.machine.idle) yield* execution.close()
            }
            return resultOf(yield* execution.close({ pending: "cancel" }))
          })
        )
      const all = yield* Effect.forEach(
        Array.from({ length: 1_000 }, (_, at) => at),
        one,
        { concurrency: 20 }
      )
      assert.deepStrictEqual(
        all,
        Array.from({ length: 1_000 }, (_, at) => [at, at])
      )
    })
  )

  it.effect("an interrupt may carry what is no JSON", () =>
    Effect.gen(function* () {
      const When = Interrupt.make("When", { payload: Schema.Date, resume: Schema.Date })
      const W = TriggerFlow.define("w", { interrupts: [When], result: Schema.Number })
      const flow = W.build(
        W.start.pipe(
          Chain.to("ask", (_, run) => run.pause(When, new Date(5))),
          Chain.to("ms", (date) => Effect.succeed(date.getTime())),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, undefined)
      yield* execution.answerJson("When#1", new Date(7).toISOString())
      assert.strictEqual(resultOf(yield* execution.close()), 7)
    })
  )

  it.effect("a handler that is run again with its answer repeats no emit, and loses none", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Option.match(run.resumed(Approval), {
              onNone: () =>
                run
                  .emit(A, 1)
                  .pipe(
                    Effect.andThen(run.emitFork(A, 2)),
                    Effect.andThen(run.pause(Approval, "x", { id: "q", to: "self" }))
                  ),
              // The first of them is what it had emitted.
              onSome: () => run.emit(A, 1).pipe(Effect.andThen(run.emit(A, 3)), Effect.andThen(run.emitFork(A, 4)))
            })
          )
        ),
        F.on(A).pipe(
          Chain.to(
            "a",
            pure((n) => seen.push(n))
          )
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* execution.answer(Approval, { ok: true }, { id: "q" })
      yield* execution.close()
      assert.deepStrictEqual(seen, [1, 2, 3, 4])
    })
  )

  it.effect("a question expires in its own time, also where one before it had the same id", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("first", (_, run) => run.pause(Approval, "?", { id: "q", expires: 100 })),
          Chain.to("second", (_, run) => run.pause(Approval, "?", { id: "q", expires: 100 })),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* TestClock.adjust(50)
      yield* execution.answer(Approval, yes, { id: "q" })
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(
        (yield* execution.interrupts).map(({ id }) => id),
        ["q"]
      )
      yield* TestClock.adjust(1)
      assert.strictEqual(whyOf(yield* Effect.exit(execution.close())), "expired")
    })
  )

  it.effect("an answer that is sent again under its id does not answer the next question", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("first", (_, run) => run.pause(Approval, "?", { id: "q" })),
          Chain.to("second", (_, run) => run.pause(Approval, "?", { id: "q" })),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      const asked = Effect.map(execution.interrupts, (all) => all.map(({ chunk }) => chunk))
      yield* execution.answer(Approval, yes, { id: "q", requestId: "r1" })
      yield* execution.answer(Approval, yes, { id: "q", requestId: "r1" })
      assert.deepStrictEqual(yield* asked, ["second"])
      const other = execution.answer(Approval, { ok: false }, { id: "q", requestId: "r1" })
      assert.strictEqual(whyOf(yield* Effect.exit(other)), "conflict")
      yield* execution.answer(Approval, { ok: false }, { id: "q", requestId: "r2" })
      assert.deepStrictEqual(yield* execution.close(), {
        executionId: execution.id,
        status: "completed",
        state: { n: 0, list: [] },
        result: Option.some({ ok: false })
      })
    })
  )

  it.effect("an id that is made is none that waits already", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.batch({
            given: (c) => c.pipe(Chain.to("given", (_, run) => run.pause(Approval, "?", { id: "Approval#1" }))),
            made: (c) => c.pipe(Chain.to("made", (_, run) => run.pause(Approval, "?")))
          })
        )
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      assert.deepStrictEqual(
        (yield* execution.interrupts).map(({ chunk, id }) => [chunk, id]),
        [
          ["given", "Approval#1"],
          ["made", "Approval#2"]
        ]
      )
    })
  )
})
