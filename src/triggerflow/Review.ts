/**
 * Reviews: steps whose output a person accepts, edits, or sends back with a reason. A step that is sent back is run again
 * and knows what was wrong; how often, and what happens when nobody answers, is said once, where the step is.
 *
 * It is one chunk that asks for itself: what was made travels with the question, so that a saved execution goes on
 * without making it again.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Duration from "effect/Duration"
import type * as Scope from "effect/Scope"
import type { Chain } from "./Chain.ts"
import * as Chains from "./Chain.ts"
import type { Options } from "./Chunk.ts"
import * as Chunks from "./Chunk.ts"
import * as Interrupt from "./Interrupt.ts"
import type { Run } from "./Run.ts"
import type { Spec } from "./Spec.ts"

/**
 * What a reviewer is shown.
 *
 * @category models
 */
export interface Draft<out A> {
  /** What the step has made. */
  readonly output: A
  /** Which one it is, from 1. */
  readonly round: number
  /** How often it may still be sent back. */
  readonly left: number
  /** Why earlier ones were sent back, oldest first. */
  readonly feedback: ReadonlyArray<string>
}

/**
 * What a reviewer says. `unanswered` is what a review takes where nobody answers in time.
 *
 * @category models
 */
export type Verdict<A> =
  | { readonly _tag: "accept" }
  | { readonly _tag: "edit"; readonly output: A }
  | { readonly _tag: "reject"; readonly feedback: string }
  | { readonly _tag: "unanswered" }

/**
 * A review of values of one kind: an interrupt for the contract of a flow.
 *
 * @category models
 */
export type Review<Name extends string, A> = Interrupt.Interrupt<Name, Draft<A>, Verdict<A>>

/**
 * Makes a review. It is listed among the `interrupts` of the contract; any number of steps can use it.
 *
 * `output`: what the reviewed steps make.
 *
 * @category constructors
 */
export const make = <const Name extends string, A>(name: Name, output: Schema.Codec<A, unknown>): Review<Name, A> => {
  const payload = Schema.Struct({
    output,
    round: Schema.Int,
    left: Schema.Int,
    feedback: Schema.Array(Schema.String)
  })
  const resume = Schema.Union([
    Schema.Struct({ _tag: Schema.Literal("accept") }),
    Schema.Struct({ _tag: Schema.Literal("edit"), output }),
    Schema.Struct({ _tag: Schema.Literal("reject"), feedback: Schema.String }),
    Schema.Struct({ _tag: Schema.Literal("unanswered") })
  ])
  return Interrupt.make(name, { payload, resume })
}

/** The verdict that takes the output as it is. @category verdicts */
export const accept: Verdict<never> = { _tag: "accept" }

/** The verdict that takes another output in its place. @category verdicts */
export const edit = <A>(output: A): Verdict<A> => ({ _tag: "edit", output })

/** The verdict that sends the step back, and why. @category verdicts */
export const reject = (feedback: string): Verdict<never> => ({ _tag: "reject", feedback })

/**
 * A step was sent back more often than it may be, or nobody has reviewed it in time.
 *
 * @category errors
 */
export class ReviewRejected extends Schema.TaggedError<ReviewRejected>()("ReviewRejected", {
  step: Schema.String,
  why: Schema.Literals(["rejected", "unanswered"]),
  /** How often the step was run. */
  rounds: Schema.Int,
  /** Why it was sent back, oldest first. */
  feedback: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const times = this.rounds === 1 ? "once" : `${this.rounds} times`
    return this.why === "unanswered"
      ? `Nobody has reviewed the step "${this.step}" in time. Raise expires, or say with onTimeout what is done then.`
      : `The step "${this.step}" was run ${times} and rejected each time, at last: ${this.feedback.at(-1)}. Raise retries, or say with onReject what is done then.`
  }
}

/**
 * Why a step is run again.
 *
 * @category models
 */
export interface Again<out A> {
  /** What was sent back. */
  readonly output: A
  /** Why it was sent back. */
  readonly reason: string
  /** Why this and earlier ones were sent back, oldest first. */
  readonly feedback: ReadonlyArray<string>
}

/** What is done where a review does not come to an output. @category models */
export type Policy = "fail" | "skip"

/**
 * How a step is reviewed. What is done when time runs out can be said only where there is a time.
 *
 * @category models
 */
export type ReviewOptions<A, J extends Policy, T extends Policy | "accept"> = {
  /** Whether an output has to be seen at all. Default: every one. */
  readonly when?: ((output: A) => boolean) | undefined
  /** How often it may be sent back. Default 3. */
  readonly retries?: number | undefined
  /**
   * What is done after the last rejection: `fail` (default) fails with `ReviewRejected`; `skip` goes on with what the
   * step was given.
   */
  readonly onReject?: J | undefined
} & (
  | { readonly expires?: undefined; readonly onTimeout?: undefined }
  | {
      /** How long a draft waits for its verdict. Default: for ever. */
      readonly expires: Duration.Input
      /** What is done then: `accept` takes the draft, `fail` (default) and `skip` are as above. */
      readonly onTimeout?: T | undefined
    }
)

/** What a review may end with: the input too, where the step may be skipped. @category type-level */
export type Reviewed<A, In, P> = A | ("skip" extends P ? In : never)

/**
 * Adds a step whose output is reviewed. The chain goes on with what was accepted, as it was made or edited; a rejection
 * runs the handler again, with the reason in `again`.
 *
 * `review` has to be among the interrupts of the contract. `options` are those of a review and those of a chunk: retries,
 * time-outs and limits are those of one try to make a draft.
 *
 * @example
 * ```ts
 * import { Chain, Review, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Text = Review.make("Text", Schema.String)
 * const Post = TriggerFlow.define("post", { input: Schema.String, interrupts: [Text], result: Schema.String })
 * const post = Post.build(
 *   Post.start.pipe(
 *     Review.step(Text, "write", (topic, _run, again) =>
 *       Effect.succeed(again === undefined ? `On ${topic}` : `${again.output}, ${again.reason}`)
 *     ),
 *     Chain.result
 *   )
 * )
 * const program = Effect.gen(function* () {
 *   const execution = yield* TriggerFlow.open(post, "tea")
 *   yield* execution.answer(Text, Review.reject("in green"), { id: "Text#1" })
 *   yield* execution.answer(Text, Review.accept, { id: "Text#2" })
 *   return (yield* execution.close()).result
 * })
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => { _id: 'Option', _tag: 'Some', value: 'On tea, in green' }
 * ```
 *
 * @category operators
 */
export const step =
  <C extends Spec, In, A, E2, R2, R3 = never, J extends Policy = "fail", T extends Policy | "accept" = "fail">(
    review: Review<string, A> & C["interrupts"],
    name: string,
    handler: (input: In, run: Run<C>, again: Again<A> | undefined) => Effect.Effect<A, E2, R2>,
    options?: Omit<Options<E2, R3>, "maxResumes"> & ReviewOptions<A, J, T>
  ) =>
  <E, R>(
    self: Chain<C, In, E, R>
  ): Chain<C, Reviewed<A, In, J | T>, E | E2 | ReviewRejected, R | Exclude<R2 | R3, Scope.Scope>> => {
    const { expires, onReject, onTimeout, retries = 3, when, ...settings } = options ?? {}
    const asking = (input: In, run: Run<C>) => {
      const draft = (
        output: A,
        round: number,
        feedback: ReadonlyArray<string>
      ): Effect.Effect<A | Interrupt.Pause<never>> => {
        if (when?.(output) === false) return Effect.succeed(output)
        const payload: Draft<A> = { output, round, left: retries - round + 1, feedback }
        // The review is one of the contract's interrupts.
        return run.pause(review, payload as never, {
          to: "self",
          expires,
          // One of its verdicts, as above.
          otherwise: expires === undefined ? undefined : ({ _tag: "unanswered" } as never)
        })
      }
      // As above.
      const verdict = run.resumed(review) as Option.Option<Verdict<A>>
      const asked = run.asked(review) as Option.Option<Draft<A>> // as above
      if (Option.isNone(verdict) || Option.isNone(asked))
        return Effect.flatMap(handler(input, run, undefined), (output) => draft(output, 1, []))
      const { feedback, left, output, round } = asked.value
      const ends = (policy: Policy | undefined, why: ReviewRejected["why"], all: ReadonlyArray<string>) =>
        policy === "skip"
          ? Effect.succeed(input)
          : Effect.fail(new ReviewRejected({ step: name, why, rounds: round, feedback: all }))
      switch (verdict.value._tag) {
        case "accept":
          return Effect.succeed(output)
        case "edit":
          return Effect.succeed(verdict.value.output)
        case "unanswered":
          return onTimeout === "accept" ? Effect.succeed(output) : ends(onTimeout, "unanswered", feedback)
        case "reject": {
          const reason = verdict.value.feedback
          const all = [...feedback, reason]
          if (left <= 0) return ends(onReject, "rejected", all)
          const again: Again<A> = { output, reason, feedback: all }
          return Effect.flatMap(handler(input, run, again), (next) => draft(next, round + 1, all))
        }
      }
    }
    const node = Chunks.toNode(name, asking, {
      ...settings,
      maxResumes: retries + 1,
      review: { interrupt: review.name, retries, expires }
    } as never) // Options of a chunk, and what the check and the diagram are told.
    const chunk = Chunks.fromNode<C, In, Reviewed<A, In, J | T>, E2 | ReviewRejected, Exclude<R2 | R3, Scope.Scope>>(
      node
    )
    return self.pipe(Chains.to(chunk))
  }
