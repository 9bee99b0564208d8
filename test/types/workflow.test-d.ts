// What the operators of workflows infer, written out. Nothing here runs; `npm run check` compiles it.
import { Effect, type Result, Schema } from "effect"
import { Chain, Review, TriggerFlow } from "effigent/triggerflow"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}
class Boom {
  readonly _tag = "Boom"
}
class Bang {
  readonly _tag = "Bang"
}

const Text = Review.make("Text", Schema.String)
const W = TriggerFlow.define("w", { input: Schema.Int, interrupts: [Text], result: Schema.String })

// Branches that keep their failures: a Result each, with its own failure, and none of them in the chain's.
const collected = W.start.pipe(
  Chain.batch(
    {
      a: (c) => c.pipe(Chain.to("a", () => (Math.random() > 1 ? Effect.fail(new Boom()) : Effect.succeed("a")))),
      b: (c) => c.pipe(Chain.to("b", () => Effect.succeed(1)))
    },
    { onError: "collect" }
  )
)
same<
  Chain.Out<typeof collected>,
  { readonly a: Result.Result<string, Boom>; readonly b: Result.Result<number, never> }
>(true)
same<Chain.Failure<typeof collected>, never>(true)

// Records that grow.
const bound = W.start.pipe(
  Chain.bindTo("n"),
  Chain.bind("text", (c) => c.pipe(Chain.to("text", ({ n }) => Effect.succeed(n.toFixed())))),
  Chain.bind("fails", (c) =>
    c.pipe(Chain.to("fails", ({ n, text }) => (n > text.length ? Effect.fail(new Bang()) : Effect.void)))
  )
)
const values = bound.pipe(Chain.to("values", ({ fails, n, text }) => Effect.succeed([n, text, fails] as const)))
same<Chain.Out<typeof values>, readonly [number, string, void]>(true)
same<Chain.Failure<typeof values>, Bang>(true)
// @ts-expect-error what is kept under a name is a record's field, and a number has none
W.start.pipe(Chain.bind("x", (c) => c))

// A way that stops gives nothing, so that the others alone go on.
const narrowed = W.start.pipe(
  Chain.match({
    stops: {
      if: (n) => n > 9,
      then: (c) =>
        c.pipe(
          Chain.to("late", () => Effect.succeed("late")),
          Chain.stop
        )
    },
    goes: { if: (n) => n > 5, then: (c) => c.pipe(Chain.to("on", () => Effect.succeed(true))) }
  })
)
same<Chain.Out<typeof narrowed>, number | boolean>(true)

// What a review ends with: the input only where the step may be skipped.
const draft = (n: number) => (n > 3 ? Effect.fail(new Boom()) : Effect.succeed("draft"))
const strict = W.start.pipe(Review.step(Text, "strict", draft))
same<Chain.Out<typeof strict>, string>(true)
same<Chain.Failure<typeof strict>, Boom | Review.ReviewRejected>(true)
const accepted = W.start.pipe(Review.step(Text, "accepted", draft, { expires: "1 day", onTimeout: "accept" }))
same<Chain.Out<typeof accepted>, string>(true)
const skipped = W.start.pipe(Review.step(Text, "skipped", draft, { onReject: "skip" }))
same<Chain.Out<typeof skipped>, string | number>(true)
const late = W.start.pipe(Review.step(Text, "late", draft, { expires: 1000, onTimeout: "skip" }))
same<Chain.Out<typeof late>, string | number>(true)
