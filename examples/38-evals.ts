// How good is an agent, and what did a change break? A dataset in JSONL, scorers of several kinds (values, a model as judge,
// calls of actions, tokens), a run with live events, and two reports beside each other with a gate between them.
//
//   npm run example examples/38-evals.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionScorer, Compare, Dataset, Evals, Gate, Judge, Scorer, Tables } from "effigent/evals"
import { ScriptedModel } from "effigent/testing"

// A helper of a shop: it looks up orders, and answers with a decision and a reply.
const lookUp = Action.make("look_up", {
  description: "Looks up an order.",
  input: Schema.Struct({ order: Schema.String }),
  output: Schema.Struct({ order: Schema.String, daysAgo: Schema.Int }),
  sideEffect: "pure",
  run: ({ order }) => Effect.succeed({ order, daysAgo: order === "A-1" ? 3 : 90 })
})
const Decision = Schema.Struct({ refund: Schema.Boolean, reply: Schema.String })
const helper = (rules: string) =>
  Agent.make({
    name: "helper",
    instruct: ["Look up the order, then decide on the refund.", rules],
    output: Decision
  }).pipe(Actions.use([lookUp]))

// The cases, as a file would have them.
const Letters = Dataset.format({
  name: "refunds",
  input: Schema.Struct({ order: Schema.String, letter: Schema.String }),
  expected: Schema.Struct({ refund: Schema.Boolean })
})
const jsonl = `{"id":"fresh","input":{"order":"A-1","letter":"My cup is broken."},"expected":{"refund":true}}
{"id":"old","input":{"order":"B-2","letter":"I want my money back."},"expected":{"refund":false},"tags":["late"]}
`

const editor = Agent.make({ name: "editor", model: "large", system: "You are an editor." })

const refunds = (rules: string) =>
  Evals.make(
    "refunds",
    { dataset: Dataset.fromJsonl(Letters, jsonl), subject: helper(rules), concurrency: 1, budget: { requests: 50 } },
    [
      Scorer.on(
        ({ expected, output }) => ({ output: output.refund, expected: expected.refund }),
        Scorer.exact({ name: "decision" })
      ),
      ActionScorer.actions({
        name: "looks up",
        expected: ({ input }) => [{ action: "look_up", input: { order: input.order } }]
      }),
      Judge.judge(editor, { name: "polite", rubric: "The reply is polite and says what happens next." }),
      ActionScorer.tokens(500)
    ]
  )

// The models are scripts here; any other provider does as well.
const { json, toolCalls } = ScriptedModel
const usage = { inputTokens: 100, outputTokens: 20 }
const looks = (order: string) => toolCalls([{ name: "look_up", input: { order } }], { usage })
const answers = (refund: boolean, reply: string) => json({ refund, reply }, { usage })
const judges = (score: number, reason: string) =>
  json({ reason, score, verdict: score >= 7 ? "pass" : "fail" }, { usage })

const before = ScriptedModel.layer([
  looks("A-1"),
  answers(true, "We are sorry. The money is on its way."),
  judges(9, "It says sorry and what happens."),
  looks("B-2"),
  answers(false, "We cannot refund an order of last spring; we gladly repair it."),
  judges(8, "It offers something else.")
])
const after = ScriptedModel.layer([
  looks("A-1"),
  answers(true, "We are sorry. The money is on its way."),
  judges(9, "It says sorry and what happens."),
  answers(true, "Done."),
  judges(3, "It says nothing of what is done.")
])

const run = (rules: string) =>
  Effect.gen(function* () {
    const running = yield* Evals.start(refunds(rules))
    yield* Stream.runForEach(running.events, (event) =>
      event._tag === "SampleEnded"
        ? Console.log(`${event.case}: ${event.sample.passed ? "passed" : "did not pass"}`)
        : Effect.void
    )
    return (yield* running.outcome).report
  }).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  const first = yield* Effect.provide(run("Refund orders of the last 30 days."), before)
  yield* Console.log(Tables.report(first))
  const second = yield* Effect.provide(run("Be generous and quick."), after)
  yield* Console.log(Tables.comparison(Compare.reports(first, second)))
  const error = yield* Effect.flip(Gate.check(second, { baseline: first, worse: { polite: 0.5 } }))
  for (const { message } of error.misses) yield* Console.log(`gate: ${message}`)
})

NodeRuntime.runMain(program)
