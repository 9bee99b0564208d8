// What the definitions of flows infer, written out. Nothing here runs; `npm run check` compiles it.
import {
  Context,
  type Effect as EffectType,
  Effect,
  type Exit,
  type Option,
  type Result,
  Schedule,
  Schema,
  type Scope,
  type Stream
} from "effect"
import { Chain, type FlowErrors, Interrupt, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}
type OutOf<T> = Chain.Out<T>
type FailureOf<T> = Chain.Failure<T>
type ServicesOf<T> = Chain.Services<T>

class Db extends Context.Service<Db, { readonly q: (text: string) => Effect.Effect<number> }>()("Db") {}
class Rules extends Context.Service<Rules, { readonly hold: boolean }>()("Rules") {}
class Boom {
  readonly _tag = "Boom"
}
class Bang {
  readonly _tag = "Bang"
}
const Prepared = Signal.make("Prepared", Schema.Struct({ flag: Schema.String }))
const Ask = Signal.make("Ask", Schema.String, { reply: Schema.Number })
const Unlisted = Signal.make("Unlisted", Schema.String)
const Approval = Interrupt.make("Approval", { payload: Schema.Number, resume: Schema.Struct({ ok: Schema.Boolean }) })
const Other = Interrupt.make("Other", { payload: Schema.Number, resume: Schema.Number })
const Decided = Signal.make("Decided", Schema.Struct({ ok: Schema.Boolean }))

const Review = TriggerFlow.define("review", {
  input: Schema.Array(Schema.Number),
  state: Schema.Struct({
    n: Schema.Number,
    w: Schema.String,
    l: Schema.Array(Schema.Number),
    o: Schema.optionalKey(Schema.String)
  }),
  initial: { n: 0, w: "", l: [] },
  stream: Schema.String,
  signals: [Prepared, Ask, Decided],
  interrupts: [Approval],
  result: Schema.String
})
const start = Review.start
const number = start.pipe(Chain.to("number", (list) => Effect.succeed(list.length)))
const list = start.pipe(Chain.to("list", (list) => Effect.succeed(list)))
same<OutOf<typeof start>, ReadonlyArray<number>>(true)
same<OutOf<typeof number>, number>(true)

// Handlers: what they give, how they fail, what they need.
const served = number.pipe(
  Chain.to("served", (n) => Effect.flatMap(Db, (db) => db.q(String(n)))),
  Chain.to("fails", (n) => (n > 1 ? Effect.fail(new Boom()) : Effect.succeed(String(n))))
)
same<OutOf<typeof served>, string>(true)
same<FailureOf<typeof served>, Boom>(true)
same<ServicesOf<typeof served>, Db>(true)
const flow = Review.build(
  served.pipe(Chain.result),
  Review.on(Prepared).pipe(Chain.to("p", () => Effect.fail(new Bang())))
)
const run = TriggerFlow.runResult(flow, [1])
same<typeof run, EffectType.Effect<string, Boom | Bang | FlowErrors.FlowError, Db>>(true)
const items = TriggerFlow.runStream(flow, [1])
same<typeof items, Stream.Stream<string, Boom | Bang | FlowErrors.FlowError, Db>>(true)
// What a handler acquires belongs to its own Scope.
const scoped = number.pipe(Chain.to("scoped", () => Effect.acquireRelease(Db, () => Effect.void)))
same<ServicesOf<typeof scoped>, Db>(true)
const opened = TriggerFlow.open(flow, [1])
same<EffectType.Services<typeof opened>, Db | Scope.Scope>(true)
same<EffectType.Error<typeof opened>, FlowErrors.FlowError>(true)
// @ts-expect-error the input is a list of numbers
TriggerFlow.run(flow, "x")

// Retry and catch: the error is that of the handler, with any Schedule.
const caught = number.pipe(
  Chain.to("caught", (n) => (n > 1 ? Effect.fail(new Boom()) : Effect.succeed(n)), {
    retry: Schedule.recurs(2),
    catch: (error, input) => {
      same<typeof error, Boom | FlowErrors.ChunkTimeout>(true)
      same<typeof input, number>(true)
      return Effect.fail(new Bang())
    }
  })
)
same<OutOf<typeof caught>, number>(true)
same<FailureOf<typeof caught>, Bang>(true)
const retried = number.pipe(
  Chain.to("retried", () => Effect.fail(new Boom()), { retry: Schedule.recurs(2), timeout: "1 second" })
)
same<FailureOf<typeof retried>, Boom>(true)

// A Schedule may look at the failure, written elsewhere or in place, and has to take all that the handler fails with.
declare const ask: (text: string) => Effect.Effect<string, Boom | Bang>
const anyTag = Schedule.recurs(2).pipe(Schedule.setInputType<{ readonly _tag: string }>())
const picky = Review.start.pipe(
  Chain.to("elsewhere", (list) => ask(`${list.length}`), { retry: anyTag }),
  Chain.to("in place", (text) => ask(text), {
    retry: anyTag.pipe(Schedule.while(({ input }) => input._tag === "Boom"))
  }),
  Chain.to("caught", (text) => ask(text), { retry: anyTag, catch: (error) => Effect.succeed(error._tag) })
)
same<OutOf<typeof picky>, string>(true)
same<FailureOf<typeof picky>, Boom | Bang>(true)
const boomOnly = Schedule.recurs(2).pipe(Schedule.setInputType<Boom>())
// @ts-expect-error: the handler fails with Bang too
Review.start.pipe(Chain.to("narrow", (list) => ask(`${list.length}`), { retry: boomOnly }))

// Pauses: the answer is what the next step is given.
const asked = number.pipe(Chain.to("ask", (_, run) => run.pause(Approval, 3)))
same<OutOf<typeof asked>, { readonly ok: boolean }>(true)
const self = number.pipe(
  Chain.to("self", (n, run) =>
    Effect.gen(function* () {
      const answer = run.resumed(Approval)
      same<typeof answer, Option.Option<{ readonly ok: boolean }>>(true)
      if (n > 1) return yield* run.pause(Approval, n, { to: "self" })
      return "done" as const
    })
  )
)
same<OutOf<typeof self>, "done">(true)
const signalled = number.pipe(Chain.to("signalled", (_, run) => run.pause(Approval, 3, { to: Decided })))
same<OutOf<typeof signalled>, never>(true)
const either = number.pipe(
  Chain.to("either", (n, run) =>
    Effect.gen(function* () {
      return n > 1 ? yield* run.pause(Approval, n) : n
    })
  )
)
same<OutOf<typeof either>, number | { readonly ok: boolean }>(true)
// @ts-expect-error the answer does not fit what the signal carries
number.pipe(Chain.to("x", (_, run) => run.pause(Approval, 3, { to: Prepared })))
// @ts-expect-error an interrupt that the contract does not list
number.pipe(Chain.to("x", (_, run) => run.pause(Other, 3)))
// @ts-expect-error what is asked is a number
number.pipe(Chain.to("x", (_, run) => run.pause(Approval, "three")))
// @ts-expect-error an interrupt that the contract does not list
number.pipe(Chain.to("x", (_, run) => Effect.succeed(run.resumed(Other))))

// Signals: replies where the signal has a reply Schema, nothing elsewhere.
number.pipe(
  Chain.to("emits", (_, run) =>
    Effect.gen(function* () {
      same<typeof replies, ReadonlyArray<number>>(true)
      const replies = yield* run.emit(Ask, "x")
      const nothing = yield* run.emit(Prepared, { flag: "x" })
      same<typeof nothing, void>(true)
      const exit = yield* run.emitExit(Ask, "x")
      same<typeof exit, Exit.Exit<ReadonlyArray<number>, unknown>>(true)
    })
  )
)
// @ts-expect-error a signal that the contract does not list
number.pipe(Chain.to("x", (_, run) => run.emit(Unlisted, "x")))
// @ts-expect-error what the signal carries is a struct
number.pipe(Chain.to("x", (_, run) => run.emit(Prepared, "x")))
// @ts-expect-error a signal that the contract does not list
Review.on(Unlisted)

// State and stream.
const stateful = number.pipe(
  Chain.to("s", (n, run) =>
    Effect.andThen(run.state.set("n", n), Effect.andThen(run.state.append("l", n), run.state.get("o")))
  )
)
same<OutOf<typeof stateful>, string | undefined>(true)
const updated = number.pipe(Chain.to("u", (_, run) => run.state.update("n", (n) => n + 1)))
same<OutOf<typeof updated>, number>(true)
// @ts-expect-error no such field
number.pipe(Chain.to("x", (_, run) => run.state.set("zz", 1)))
// @ts-expect-error a number is wanted
number.pipe(Chain.to("x", (_, run) => run.state.set("n", "1")))
// @ts-expect-error a dotted key is no field
number.pipe(Chain.to("x", (_, run) => run.state.set("n.m", 1)))
// @ts-expect-error only a field that may be absent can be deleted
number.pipe(Chain.to("x", (_, run) => run.state.delete("n")))
// @ts-expect-error only lists can be appended to
number.pipe(Chain.to("x", (_, run) => run.state.append("n", 1)))
// @ts-expect-error items are texts
number.pipe(Chain.to("x", (_, run) => run.put(1)))
// @ts-expect-error the result is a text
number.pipe(Chain.result)
// @ts-expect-error the result is a text
number.pipe(Chain.to("x", (_, run) => run.setResult(1)))

// batch and forEach.
const batched = number.pipe(
  Chain.batch({
    a: (c) => c.pipe(Chain.to("a", (n) => Effect.succeed(String(n)))),
    b: (c) => c.pipe(Chain.to("b", (n) => (n > 1 ? Effect.fail(new Boom()) : Effect.map(Db, () => n)))),
    same: (c) => c
  })
)
same<OutOf<typeof batched>, { readonly a: string; readonly b: number; readonly same: number }>(true)
same<FailureOf<typeof batched>, Boom>(true)
same<ServicesOf<typeof batched>, Db>(true)
const item = (n: number) => (n > 1 ? Effect.fail(new Boom()) : Effect.succeed(String(n)))
const each = list.pipe(Chain.forEach((i) => i.pipe(Chain.to("i", item)), { concurrency: 2 }))
same<OutOf<typeof each>, ReadonlyArray<string>>(true)
same<FailureOf<typeof each>, Boom>(true)
const skipped = list.pipe(Chain.forEach((i) => i.pipe(Chain.to("i", item)), { onError: "skip" }))
same<OutOf<typeof skipped>, ReadonlyArray<string>>(true)
same<FailureOf<typeof skipped>, never>(true)
const collected = list.pipe(Chain.forEach((i) => i.pipe(Chain.to("i", item)), { onError: "collect" }))
same<OutOf<typeof collected>, ReadonlyArray<Result.Result<string, Boom>>>(true)
same<FailureOf<typeof collected>, never>(true)
// @ts-expect-error a number is no list
number.pipe(Chain.forEach((i) => i))
// @ts-expect-error no such policy
list.pipe(Chain.forEach((i) => i, { onError: "retry" }))

// match, if, loop, side.
const matched = number.pipe(
  Chain.match({
    big: { if: (n) => n > 3, then: (c) => c.pipe(Chain.to("big", () => Effect.succeed("big"))) },
    one: { is: 1, then: (c) => c.pipe(Chain.to("one", () => Effect.succeed(true))) }
  })
)
same<OutOf<typeof matched>, string | boolean | number>(true)
const all = number.pipe(
  Chain.match(
    { big: { if: (n) => n > 3, then: (c) => c.pipe(Chain.to("big", () => Effect.succeed("big"))) } },
    { mode: "all", otherwise: (c) => c.pipe(Chain.to("else", () => Effect.succeed(null))) }
  )
)
same<OutOf<typeof all>, ReadonlyArray<string> | null>(true)
const judged = number.pipe(
  Chain.if((n) => (n > 1 ? Effect.fail(new Bang()) : Effect.map(Rules, ({ hold }) => hold)), {
    then: (c) => c.pipe(Chain.to("t", () => Effect.map(Db, () => "yes" as const))),
    else: (c) => c.pipe(Chain.to("e", () => (Math.PI > 3 ? Effect.fail(new Boom()) : Effect.succeed("no" as const))))
  })
)
same<OutOf<typeof judged>, "yes" | "no">(true)
same<FailureOf<typeof judged>, Bang | Boom>(true)
same<ServicesOf<typeof judged>, Rules | Db>(true)
const looped = number.pipe(
  Chain.loop((c) => c.pipe(Chain.to("l", (n) => Effect.succeed(n + 1))), {
    while: () => Effect.map(Rules, ({ hold }) => hold)
  })
)
same<OutOf<typeof looped>, number>(true)
same<ServicesOf<typeof looped>, Rules>(true)
// @ts-expect-error a round gives what it is given
number.pipe(Chain.loop((c) => c.pipe(Chain.to("l", (n) => Effect.succeed(String(n)))), { while: () => true }))
const beside = number.pipe(Chain.side((s) => s.pipe(Chain.to("s", item))))
same<OutOf<typeof beside>, number>(true)
same<FailureOf<typeof beside>, Boom>(true)
// @ts-expect-error an input is a number
number.pipe(Chain.match({ x: { is: "1", then: (c) => c } }))

// Triggers.
const chunk = Review.chunk("chunk", (n: number) => Effect.succeed(String(n)))
const both = Review.on(Trigger.all({ p: Prepared, n: Review.state("n"), chunk }))
same<OutOf<typeof both>, { readonly p: { readonly flag: string }; readonly n: number; readonly chunk: string }>(true)
const one = Review.on(Trigger.any({ p: Prepared, a: Ask }))
same<
  OutOf<typeof one>,
  { readonly _tag: "p"; readonly value: { readonly flag: string } } | { readonly _tag: "a"; readonly value: string }
>(true)
const plain = Review.on(Trigger.oneOf([Ask, Review.state("n")]))
same<OutOf<typeof plain>, string | number>(true)
const gone = Review.on(Review.state("o"))
same<OutOf<typeof gone>, string | undefined>(true)
const heard = Review.on(chunk)
same<OutOf<typeof heard>, string>(true)
const used = number.pipe(Chain.to(chunk))
same<OutOf<typeof used>, string>(true)
// @ts-expect-error the chunk takes a number
list.pipe(Chain.to(chunk))
// @ts-expect-error no such field
Review.state("zz")
// @ts-expect-error a key is a text
Trigger.all({ p: Prepared, a: Ask }, { by: { p: ({ flag }) => flag.length, a: (a) => a } })
const meet = Trigger.collector("meet", { left: Schema.Number, right: Schema.String })
const brought = number.pipe(Chain.collect(meet, "left"))
same<OutOf<typeof brought>, number>(true)
const met = Review.on(meet)
same<OutOf<typeof met>, { readonly left: number; readonly right: string }>(true)
// @ts-expect-error this name takes a text
number.pipe(Chain.collect(meet, "right"))

// Sub-flows.
const Child = TriggerFlow.define("child", {
  input: Schema.Number,
  state: Schema.Struct({ x: Schema.Number }),
  initial: { x: 0 }
})
const child = Child.build(Child.start.pipe(Chain.to("c", () => Effect.fail(new Boom()))))
const state = number.pipe(Chain.subFlow(child))
same<OutOf<typeof state>, { readonly x: number }>(true)
same<FailureOf<typeof state>, Boom>(true)
const taken = list.pipe(
  Chain.subFlow(child, {
    capture: (list, state) => list.length + state.n,
    result: (closed) => closed.state.x,
    writeBack: (closed) => ({ n: closed.state.x })
  })
)
same<OutOf<typeof taken>, number>(true)
// @ts-expect-error the sub-flow takes a number
list.pipe(Chain.subFlow(child))
// @ts-expect-error no such field to write back to
list.pipe(Chain.subFlow(child, { capture: () => 1, writeBack: () => ({ n: "x" }) }))

// Executions.
export const outside = Effect.gen(function* () {
  const execution = yield* TriggerFlow.open(flow, [1])
  const replies = yield* execution.emit(Ask, "x")
  same<typeof replies, ReadonlyArray<number>>(true)
  const written = execution.state.set("n", 1)
  same<typeof written, EffectType.Effect<void, FlowErrors.FlowError>>(true)
  yield* execution.answer(Approval, { ok: true }, { id: "Approval#1" })
  // @ts-expect-error an interrupt that the contract does not list
  yield* execution.answer(Other, 1, { id: "Other#1" })
  // @ts-expect-error the answer is a struct
  yield* execution.answer(Approval, true, { id: "Approval#1" })
  // @ts-expect-error a signal that the contract does not list
  yield* execution.emit(Unlisted, "x")
  const closed = yield* execution.close()
  same<typeof closed.result, Option.Option<string>>(true)
  same<typeof closed.state.l, ReadonlyArray<number>>(true)
})
