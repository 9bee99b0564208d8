// Reviews: a person accepts, edits or sends back what a step has made, and what is done when nobody does.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, FlowErrors, Interrupt, Mermaid, Review, TriggerFlow } from "effigent/triggerflow"
import { errorOf } from "../triggerflow/support.ts"

const Text = Review.make("Text", Schema.String)
const Post = TriggerFlow.define("post", { input: Schema.String, interrupts: [Text], result: Schema.Unknown })
type Again = Review.Again<string> | undefined

/** Writes drafts, each with what was wrong with the last one. */
const write = (topic: string, _run: unknown, again: Again) =>
  Effect.succeed(again === undefined ? topic : `${again.output}+${again.reason}`)

const resultOf = <A>(closed: { readonly result: Option.Option<A> }) => Option.getOrUndefined(closed.result)

describe("S47 output review", () => {
  const post = Post.build(Post.start.pipe(Review.step(Text, "write", write, { retries: 2 }), Chain.result))

  it.effect("S47 a rejection runs the step again with the feedback; what is accepted goes on", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(post, "tea")
      const shown = Effect.map(execution.interrupts, ([question]) => question?.payload)
      assert.deepStrictEqual(yield* shown, { output: "tea", round: 1, left: 2, feedback: [] })
      yield* execution.answer(Text, Review.reject("green"), { id: "Text#1" })
      assert.deepStrictEqual(yield* shown, { output: "tea+green", round: 2, left: 1, feedback: ["green"] })
      yield* execution.answer(Text, Review.reject("hot"), { id: "Text#2" })
      assert.deepStrictEqual(yield* shown, {
        output: "tea+green+hot",
        round: 3,
        left: 0,
        feedback: ["green", "hot"]
      })
      yield* execution.answer(Text, Review.accept, { id: "Text#3" })
      assert.strictEqual(resultOf(yield* execution.close()), "tea+green+hot")
    })
  )

  it.effect("S47 what is edited goes on in place of the output, and the step is not run again", () =>
    Effect.gen(function* () {
      let runs = 0
      const flow = Post.build(
        Post.start.pipe(
          Review.step(Text, "write", (topic) => Effect.sync(() => `${topic} ${++runs}`)),
          Chain.to("after", (text) => Effect.succeed([text, runs])),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, "tea")
      yield* execution.answer(Text, Review.edit("coffee"), { id: "Text#1" })
      assert.deepStrictEqual(resultOf(yield* execution.close()), ["coffee", 1])
    })
  )

  it.effect("S47 one rejection more than the retries fails with the step and every reason, or skips the step", () =>
    Effect.gen(function* () {
      const strict = yield* TriggerFlow.open(post, "tea")
      for (const at of [1, 2, 3]) yield* strict.answer(Text, Review.reject(`no ${at}`), { id: `Text#${at}` })
      const error = errorOf(yield* Effect.exit(strict.await))
      assert.instanceOf(error, Review.ReviewRejected)
      assert.deepInclude(error, { step: "write", why: "rejected", rounds: 3, feedback: ["no 1", "no 2", "no 3"] })
      assert.include(String(error), "rejected each time, at last: no 3")

      const lenient = Post.build(
        Post.start.pipe(Review.step(Text, "write", write, { retries: 0, onReject: "skip" }), Chain.result)
      )
      const execution = yield* TriggerFlow.open(lenient, "as it was")
      yield* execution.answer(Text, Review.reject("no"), { id: "Text#1" })
      assert.strictEqual(resultOf(yield* execution.close()), "as it was")
    })
  )

  const late = (onTimeout: "accept" | "skip" | "fail" | undefined) =>
    Post.build(
      Post.start.pipe(
        Review.step(Text, "write", (topic) => Effect.succeed(`draft of ${topic}`), { expires: "1 hour", onTimeout }),
        Chain.result
      )
    )

  it.effect("S47 a review that nobody answers in time is accepted, skipped or fails, as was said", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.forEach(["accept", "skip", "fail", undefined] as const, (policy) =>
        Effect.gen(function* () {
          const execution = yield* TriggerFlow.open(late(policy), "tea")
          yield* TestClock.adjust("59 minutes")
          assert.strictEqual(yield* execution.status, "waiting")
          yield* TestClock.adjust("1 minute")
          return yield* Effect.exit(Effect.map(execution.close(), resultOf))
        })
      )
      assert.deepStrictEqual(
        exits.slice(0, 2).map((exit) => exit._tag === "Success" && exit.value),
        ["draft of tea", "tea"]
      )
      for (const exit of exits.slice(2)) {
        const error = errorOf(exit)
        assert.instanceOf(error, Review.ReviewRejected)
        assert.strictEqual(error.why, "unanswered")
      }
    })
  )

  it.effect("S47 each draft has the whole time, and an answer that comes too late is refused", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(late("accept"), "tea")
      yield* TestClock.adjust("50 minutes")
      yield* execution.answer(Text, Review.reject("no"), { id: "Text#1" })
      yield* TestClock.adjust("50 minutes")
      assert.strictEqual(yield* execution.status, "waiting")
      yield* TestClock.adjust("10 minutes")
      const error = yield* Effect.flip(execution.answer(Text, Review.reject("no"), { id: "Text#2" }))
      assert.deepInclude(error.reason, { _tag: "AnswerRejected", why: "expired" })
      assert.strictEqual(resultOf(yield* execution.close()), "draft of tea")
    })
  )

  it.effect("an output that need not be seen goes through without a question", () =>
    Effect.gen(function* () {
      const flow = Post.build(
        Post.start.pipe(Review.step(Text, "write", write, { when: (text) => text.length > 3 }), Chain.result)
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, "tea"), "tea")
      const reason = yield* Effect.flip(TriggerFlow.runResult(flow, "coffee"))
      assert.deepInclude(reason instanceof FlowErrors.FlowError ? reason.reason : {}, {
        _tag: "Paused",
        interrupt: "Text"
      })
    })
  )

  it.effect("each draft has all tries of its retry Schedule", () =>
    Effect.gen(function* () {
      let calls = 0
      const flow = Post.build(
        Post.start.pipe(
          Review.step(
            Text,
            "write",
            (topic, run, again) =>
              Effect.suspend(() => {
                calls++
                return run.attempt < 3 ? Effect.fail("busy" as const) : write(topic, run, again)
              }),
            { retry: Schedule.recurs(2) }
          ),
          Chain.result
        )
      )
      const execution = yield* TriggerFlow.open(flow, "tea")
      yield* TestClock.adjust(1)
      yield* execution.answer(Text, Review.reject("no"), { id: "Text#1" })
      yield* TestClock.adjust(1)
      yield* execution.answer(Text, Review.accept, { id: "Text#2" })
      assert.strictEqual(resultOf(yield* execution.close()), "tea+no")
      assert.strictEqual(calls, 6)
    })
  )

  it.effect("saved and loaded at each question, a review knows its draft and makes nothing twice", () =>
    Effect.gen(function* () {
      let runs = 0
      const Day = Review.make("Day", Schema.Struct({ at: Schema.Date, note: Schema.String }))
      const Plan = TriggerFlow.define("plan", { input: Schema.String, interrupts: [Day], result: Schema.Unknown })
      const flow = Plan.build(
        Plan.start.pipe(
          Review.step(
            Day,
            "plan",
            (note, _run, again) =>
              Effect.sync(() => {
                runs++
                return again === undefined
                  ? { at: new Date(0), note }
                  : { at: new Date(again.output.at.getTime() + 1000), note: again.reason }
              }),
            { expires: "1 day", onTimeout: "accept" }
          ),
          Chain.to("show", ({ at, note }) => Effect.succeed(`${note} ${at.getTime()}`)),
          Chain.result
        )
      )
      const first = yield* TriggerFlow.open(flow, "swim")
      const one = JSON.stringify(yield* first.save())
      yield* first.cancel()
      const second = yield* TriggerFlow.load(flow, JSON.parse(one))
      yield* second.answer(Day, Review.reject("walk"), { id: "Day#1" })
      const two = JSON.stringify(yield* second.save())
      yield* second.cancel()
      const third = yield* TriggerFlow.load(flow, JSON.parse(two))
      assert.strictEqual(runs, 2)
      yield* TestClock.adjust("1 day")
      assert.strictEqual(resultOf(yield* third.close()), "walk 1000")
      assert.strictEqual(runs, 2)
    })
  )
})

describe("S58 options of a review that cannot hold", () => {
  const Unlisted = Review.make("Unlisted", Schema.String)
  const Numbers = Interrupt.make("Numbers", { payload: Schema.Number, resume: Schema.Number })

  it.effect("S58 are refused when the flow is checked, all at once and before anything runs", () =>
    Effect.gen(function* () {
      let ran = false
      const flow = Post.build(
        Post.start.pipe(
          // @ts-expect-error it is not among the interrupts of the contract
          Review.step(Unlisted, "one", (topic: string) =>
            Effect.as(
              Effect.sync(() => (ran = true)),
              topic
            )
          ),
          Review.step(Text, "two", (topic: string) => Effect.succeed(topic), { retries: -1 }),
          Review.step(Text, "three", (topic: string) => Effect.succeed(topic), { retries: 1.5, expires: "0 seconds" })
        )
      )
      const { reason } = yield* Effect.flip(TriggerFlow.check(flow))
      assert.strictEqual(reason._tag, "InvalidDefinition")
      assert.deepStrictEqual(
        reason._tag === "InvalidDefinition" ? reason.findings.map(({ at, problem }) => `${at}: ${problem}`) : [],
        [
          'one: The contract has no interrupt "Unlisted" to review it with',
          "two: retries is -1",
          "three: retries is 1.5",
          "three: expires is 0 seconds"
        ]
      )
      yield* Effect.flip(TriggerFlow.run(flow, "tea"))
      assert.isFalse(ran)
    })
  )

  it("S58 do not compile: a time-out policy without a time, a policy that is none, a review of something else", () => {
    const topic = (text: string) => Effect.succeed(text)
    const flows = [
      // @ts-expect-error nothing can time out where nothing expires
      Post.start.pipe(Review.step(Text, "a", topic, { onTimeout: "accept" })),
      // @ts-expect-error a rejection cannot accept
      Post.start.pipe(Review.step(Text, "b", topic, { onReject: "accept" })),
      // @ts-expect-error the review is of texts
      Post.start.pipe(Review.step(Text, "c", () => Effect.succeed(1))),
      // @ts-expect-error that is no review
      Post.start.pipe(Review.step(Numbers, "d", topic)),
      // @ts-expect-error how often it is resumed follows from its retries
      Post.start.pipe(Review.step(Text, "e", topic, { maxResumes: 3 })),
      // @ts-expect-error a batch has branches and no output of a person to review
      Post.start.pipe(Chain.batch({ f: (c) => c }, { review: Text }))
    ]
    assert.lengthOf(flows, 6)
  })

  it("a review is seen in the diagram", () => {
    const flow = Post.build(Post.start.pipe(Review.step(Text, "write", write)))
    assert.include(Mermaid.toMermaid(flow), '"write (review)"')
  })
})

describe("an answer for questions that nobody answers", () => {
  const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.FiniteFromString })
  const Form = TriggerFlow.define("form", { interrupts: [Ask], result: Schema.Finite })
  const form = (otherwise: number) =>
    Form.build(
      Form.start.pipe(
        Chain.to("ask", (_, run) => run.pause(Ask, "How many?", { expires: "1 minute", otherwise })),
        Chain.result
      )
    )

  it.effect("is taken when the question expires, also where it was saved and loaded meanwhile", () =>
    Effect.gen(function* () {
      const first = yield* TriggerFlow.open(form(7), undefined)
      const text = JSON.stringify(yield* first.save())
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(resultOf(yield* first.close()), 7)
      const loaded = yield* TriggerFlow.load(form(8), JSON.parse(text))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(resultOf(yield* loaded.close()), 7)
    })
  )

  it.effect("that the contract does not admit fails where it is given", () =>
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(form(Number.NaN), undefined)
      const error = yield* Effect.flip(execution.await)
      assert.deepInclude(error.reason, { _tag: "ContractViolation", part: "the answer to Ask", chunk: "ask" })
    })
  )
})
