import { Context, Effect, Schema } from "effect"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as TF from "../../src/triggerflow/Flow.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import * as Trigger from "../../src/triggerflow/Trigger.ts"

class Db extends Context.Service<Db, { q: (s: string) => Effect.Effect<number> }>()("Db") {}
class Boom {
  readonly _tag = "Boom"
}
const Prepared = Signal.make("Prepared", Schema.Struct({ flag: Schema.String }))
const Ask = Signal.make("Ask", Schema.String, { reply: Schema.Number })
const Approval = Interrupt.make("Approval", { payload: Schema.Number, resume: Schema.Struct({ ok: Schema.Boolean }) })
const review = TF.define("review", {
  input: Schema.Array(Schema.Number),
  state: Schema.Struct({
    n: Schema.Number,
    w: Schema.String,
    l: Schema.Array(Schema.Number),
    o: Schema.optionalKey(Schema.String)
  }),
  initial: { n: 0, w: "", l: [] },
  stream: Schema.String,
  signals: [Prepared, Ask],
  interrupts: [Approval],
  result: Schema.String
})
const prep = review.chunk("prep", (xs: ReadonlyArray<number>, run) => run.state.set("n", xs.length).pipe(Effect.as(xs)))
const child = TF.define("child", { input: Schema.Number, result: Schema.String }).build()
const flow = review.build(
  review.start.pipe(
    Chain.to(prep),
    Chain.to("prep2", (xs, run) =>
      Effect.gen(function* () {
        yield* run.state.set("n", xs.length)
        yield* run.emit(Prepared, { flag: "x" })
        const rs = yield* run.emit(Ask, "x")
        const r0: number | undefined = rs[0]
        return r0 === 1 ? xs : xs
      })
    ),
    Chain.forEach(
      (item) =>
        item.pipe(
          Chain.to("dbl", (x, run) =>
            Effect.gen(function* () {
              const db = yield* Db
              yield* run.put("s")
              return yield* db.q(String(x * 2))
            })
          )
        ),
      { concurrency: 2 }
    ),
    Chain.batch({
      a: (c) => c.pipe(Chain.to("a", (ys) => Effect.succeed(ys.length))),
      b: (c) => c.pipe(Chain.to("b", (ys) => (ys.length > 3 ? Effect.fail(new Boom()) : Effect.succeed("s"))))
    }),
    Chain.to("end", (r, run) => run.state.set("w", r.b + r.a.toFixed()).pipe(Effect.as(r))),
    Chain.match(
      {
        big: { if: (r) => r.a > 3, then: (c) => c.pipe(Chain.to("big", (r) => Effect.succeed(r.b))) },
        eff: { if: (r) => Effect.map(Db, () => r.a > 1), then: (c) => c.pipe(Chain.to("x", () => Effect.succeed(1))) }
      },
      { otherwise: (c) => c.pipe(Chain.to("ow", () => Effect.succeed(true))) }
    ),
    Chain.to("t", (x) => {
      const y: string | number | boolean = x
      return Effect.succeed(y)
    }),
    Chain.if((x) => x === 1, { then: (c) => c.pipe(Chain.to("i1", () => Effect.succeed(1 as const))) }),
    Chain.to("p", (_x, run) => run.pause(Approval, 3)),
    Chain.to("q", (a) => Effect.succeed(a.ok)),
    Chain.to("p2", (a, run) =>
      Effect.gen(function* () {
        if (a) return yield* run.pause(Approval, 3, { to: "self" })
        return 5
      })
    ),
    Chain.subFlow(child),
    Chain.to("subd", (s) => Effect.succeed(s.length)),
    Chain.subFlow(child, { capture: (v) => v + 1, result: (closed) => closed.status }),
    Chain.to("rr", (s) => Effect.succeed(s === "completed" ? "x" : "y"), { catch: () => Effect.succeed("z") }),
    Chain.result,
    Chain.to("append", (_, run) => run.state.append("l", 3)),
    Chain.loop((c) => c.pipe(Chain.to("lp", () => Effect.void)), { while: (_, n) => n < 3 })
  ),
  review.on(Prepared).pipe(Chain.to("route", (p, run) => run.put(p.flag))),
  review.on(prep).pipe(Chain.to("route2", (p) => Effect.succeed(p.length))),
  review.on(review.state("n")).pipe(Chain.to("route3", (p) => Effect.succeed(p.toFixed()))),
  review
    .on(Trigger.all({ a: Prepared, b: review.state("w") }, { by: { a: (p) => p.flag, b: (w) => w } }))
    .pipe(Chain.to("route4", (p) => Effect.succeed(p.a.flag + p.b))),
  review
    .on(Trigger.any({ a: Prepared, b: review.state("w") }))
    .pipe(Chain.to("route5", (p) => Effect.succeed(p._tag === "a" ? p.value.flag : p.value)))
)
type Ex<T> = T
export const ee: Ex<typeof flow> extends TF.Flow<infer _C, Boom, Db> ? true : false = true
// @ts-expect-error wrong state key
review.start.pipe(Chain.to("x", (xs, run) => run.state.set("zz", 1)))
// @ts-expect-error n may not be deleted
review.start.pipe(Chain.to("x", (xs, run) => run.state.delete("n")))
