// What evals run: agents, flows and functions; what they use and call, budgets, fingerprints, types.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionScorer, Dataset, Evals, Judge, Report, Scorer } from "effigent/evals"
import { Runs } from "effigent/run"
import { RateLimited } from "effigent/services/ModelError"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"

const play = (steps: ReadonlyArray<ScriptedModel.Step>) => Effect.provide(ScriptedModel.layer(steps, { strict: false }))

const numbers = (...inputs: ReadonlyArray<number>) =>
  Dataset.make({
    name: "numbers",
    input: Schema.Finite,
    expected: Schema.Finite,
    cases: inputs.map((input) => ({ id: `n${input}`, input, expected: input * 2 }))
  })

const Ticket = Schema.Struct({ title: Schema.String, urgent: Schema.Boolean })
const triage = Agent.make({ name: "triage", instruct: "Triage the letter.", output: Ticket })
const letters = Dataset.make({
  name: "letters",
  input: Schema.String,
  expected: Schema.Boolean,
  cases: [
    { id: "fire", input: "Fire!", expected: true },
    { id: "lunch", input: "Lunch?", expected: false }
  ]
})
const urgent = Evals.make(
  "urgent",
  {
    dataset: letters,
    subject: triage,
    concurrency: 1
  },
  [Scorer.on(({ expected, output }) => ({ output: output.urgent, expected }), Scorer.exact())]
)
const says = (urgent: boolean, options?: ScriptedModel.TextOptions) =>
  ScriptedModel.json({ title: "t", urgent }, options)

describe("a subject that is an agent", () => {
  it.effect("S21 is given the input of each case; its tokens, cost, attempts, times and models are told", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Evals.run(urgent, { cost: ({ outputTokens = 0 }) => outputTokens * 2 }))
      yield* TestClock.adjust("1 minute")
      const { report } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        report.cases.map(({ passed }) => passed),
        [true, false]
      )
      const sample = report.cases[0]?.samples[0]
      assert.deepStrictEqual(sample?.used, {
        requests: 2,
        usage: { inputTokens: 30, outputTokens: 12 },
        cost: 24,
        timeToFirstToken: 500
      })
      assert.strictEqual(sample?.duration, 1500)
      assert.deepStrictEqual(report.models, ["m-1"])
      assert.deepStrictEqual(report.summary.used, {
        requests: 3,
        usage: { inputTokens: 35, outputTokens: 16 },
        cost: 32
      })
      const { prompts } = { prompts: yield* ScriptedModel.requests }
      assert.deepStrictEqual(
        prompts.map(({ prompt }) => /Fire!|Lunch\?/.exec(JSON.stringify(prompt))?.[0]),
        ["Fire!", "Fire!", "Lunch?"]
      )
    }).pipe(
      play([
        ScriptedModel.text("no JSON", { latency: "500 millis", usage: { inputTokens: 10, outputTokens: 2 } }),
        says(true, { latency: "1 second", usage: { inputTokens: 20, outputTokens: 10 }, info: { model: "m-1" } }),
        says(true, { usage: { inputTokens: 5, outputTokens: 4 } })
      ])
    )
  )

  it.effect("keeps how the model failed", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(urgent)
      assert.deepStrictEqual(report.cases[0]?.samples[0]?.failure?.tag, "ModelError")
      assert.isTrue(report.cases[1]?.passed)
    }).pipe(play([ScriptedModel.fail(new RateLimited({ detail: "slow down" })), says(false)]))
  )

  it.effect("stops when a budget is spent, and keeps what is done", () =>
    Effect.gen(function* () {
      const { report } = yield* Evals.run(urgent, { budget: { tokens: 10 }, repeat: 2 })
      assert.strictEqual(report.status, "stopped")
      assert.match(report.reason ?? "", /tokens budget "urgent" is exceeded/)
      assert.deepInclude(report.summary, { cases: 2, done: 0, samples: 1, failed: 0 })
      assert.strictEqual(report.cases[0]?.samples[0]?.passed, true)
    }).pipe(
      play([
        says(true, { usage: { inputTokens: 5, outputTokens: 4 } }),
        says(true, { usage: { inputTokens: 5, outputTokens: 4 } }),
        says(true)
      ])
    )
  )

  it.effect("S20 counts what judges use apart from what the subject uses, and the budget counts both", () =>
    Effect.gen(function* () {
      const judged = Evals.make(
        "judged",
        {
          dataset: letters,
          subject: triage,
          concurrency: 1
        },
        [Judge.judge(Agent.make({}), { rubric: "It is right." })]
      )
      const { report } = yield* Evals.run(judged, { budget: { requests: 3 } })
      assert.strictEqual(report.status, "stopped")
      const [first, second] = report.cases
      assert.deepStrictEqual(first?.samples[0]?.used.usage, { outputTokens: 3 })
      assert.deepStrictEqual(first?.samples[0]?.scoring.usage, { outputTokens: 7 })
      assert.deepStrictEqual(second?.samples, [])
    }).pipe(
      play([
        says(true, { usage: { outputTokens: 3 } }),
        ScriptedModel.json({ reason: "yes", score: 10, verdict: "pass" }, { usage: { outputTokens: 7 } }),
        says(true)
      ])
    )
  )

  it.effect("its calls are told, and runs of evals can be watched themselves", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const look = Action.make("look", {
          description: "Looks.",
          input: Schema.Struct({ at: Schema.String }),
          output: Schema.String,
          sideEffect: "pure",
          run: ({ at }) => Effect.succeed(`nothing at ${at}`)
        })
        const scout = Evals.make(
          "scout",
          {
            dataset: Dataset.make({ name: "places", input: Schema.String, cases: [{ id: "sea", input: "the sea" }] }),
            subject: Agent.make({}).pipe(Actions.use([look]))
          },
          [ActionScorer.actions({ expected: [{ action: "look", input: { at: "sea" } }] })]
        )
        const run = yield* Runs.start(Evals.run(scout))
        const { report } = yield* run.result
        assert.deepInclude(report.cases[0]?.samples[0]?.actions[0], {
          action: "look",
          input: { at: "sea" },
          status: "success"
        })
        assert.strictEqual(report.cases[0]?.samples[0]?.used.requests, 2)
        assert.isTrue(report.cases[0]?.passed)
        const { total } = yield* run.metrics()
        assert.strictEqual(total.requests, 2)
      })
    ).pipe(play([ScriptedModel.toolCalls([{ name: "look", input: { at: "sea" } }]), ScriptedModel.text("Nothing.")]))
  )
})

describe("calls inside calls", () => {
  it.effect("are all told, in the order in which they began, also where their ids are the same", () =>
    Effect.gen(function* () {
      const ask = (name: string, inner: Effect.Effect<string, unknown, never>) =>
        Action.make(name, {
          description: "Asks.",
          input: Schema.Struct({}),
          output: Schema.String,
          sideEffect: "pure",
          run: () => Effect.orDie(inner)
        })
      const model = yield* Effect.context<ModelProvider>()
      const look = ask("look", Effect.succeed("seen"))
      const helper = Agent.make({ input: "help" }).pipe(Actions.use([look]))
      const chief = Agent.make({}).pipe(Actions.use([ask("help", Effect.provideContext(Agent.run(helper), model))]))
      const { report } = yield* Evals.run(
        Evals.make(
          "nested",
          { dataset: Dataset.make({ name: "n", input: Schema.String, cases: [{ input: "x" }] }), subject: chief },
          [ActionScorer.actions({ expected: ["help", "look"], order: "sequence", others: false })]
        )
      )
      assert.deepStrictEqual(
        report.cases[0]?.samples[0]?.actions.map(({ action, status }) => [action, status]),
        [
          ["help", "success"],
          ["look", "success"]
        ]
      )
      assert.isTrue(report.cases[0]?.passed)
    }).pipe(
      play([
        ScriptedModel.toolCalls([{ name: "help", input: {} }]),
        ScriptedModel.toolCalls([{ name: "look", input: {} }]),
        ScriptedModel.text("seen it"),
        ScriptedModel.text("done")
      ])
    )
  )
})

class Mail extends Context.Service<Mail, { readonly send: (text: string) => Effect.Effect<string> }>()("test/Mail") {}

const Post = TriggerFlow.define("post", { input: Schema.String, result: Schema.String })
const post = Post.build(
  Post.start.pipe(
    Chain.to("send", (text: string) => Mail.use((mail) => mail.send(text))),
    Chain.result
  )
)

describe("a price that is not known", () => {
  it.effect("is left out, so that the report can be read again", () =>
    Effect.gen(function* () {
      const prices: { readonly [model: string]: number } = {}
      const asks = Evals.make(
        "asks",
        {
          dataset: Dataset.make({ name: "texts", input: Schema.String, cases: [{ input: "a" }] }),
          subject: Agent.make({}),
          cost: ({ outputTokens = 0 }, model) => outputTokens * (prices[model ?? ""] ?? Number.NaN)
        },
        [ActionScorer.cost(1)]
      )
      const { report } = yield* Evals.run(asks)
      assert.deepStrictEqual(yield* Report.fromText(Report.toText(report)), report)
      assert.notProperty(report.summary.used, "cost")
      assert.strictEqual(report.cases[0]?.samples[0]?.scores["cost"]?.reason, "was not measured")
    }).pipe(play([ScriptedModel.text("hi", { usage: { outputTokens: 5 } })]))
  )
})

describe("a subject that is tried again", () => {
  it.effect("has the time to the first token of its last try, as it has its duration", () =>
    Effect.gen(function* () {
      const asks = Evals.make(
        "asks",
        {
          dataset: Dataset.make({ name: "texts", input: Schema.String, cases: [{ input: "a" }] }),
          subject: Agent.make({}),
          retry: { times: 1, schedule: Schedule.spaced("1 minute") }
        },
        [ActionScorer.timeToFirstToken(500), ActionScorer.latency(500)]
      )
      const fiber = yield* Effect.forkChild(Evals.run(asks))
      yield* TestClock.adjust("2 minutes")
      const { report } = yield* Fiber.join(fiber)
      const [sample] = report.cases[0]?.samples ?? []
      assert.deepInclude(sample, { tries: 2, duration: 200 })
      assert.isAtMost(sample?.used.timeToFirstToken ?? Infinity, 200)
      assert.isTrue(sample?.passed)
    }).pipe(
      play([ScriptedModel.fail(new RateLimited({ detail: "wait" })), ScriptedModel.text("hi", { delay: "200 millis" })])
    )
  )
})

describe("a subject that is a flow", () => {
  it.effect("is run for each case; what agents in its steps use is told", () =>
    Effect.gen(function* () {
      const posts = Evals.make(
        "posts",
        {
          dataset: Dataset.make({ name: "texts", input: Schema.String, cases: [{ input: "a" }, { input: "b" }] }),
          subject: post,
          concurrency: 1
        },
        [Scorer.contains({ texts: ["sent b"] })]
      )
      const asking = Layer.effect(
        Mail,
        Effect.map(Effect.context<never>(), () => ({ send: (text: string) => Effect.succeed(`sent ${text}`) }))
      )
      const { report } = yield* Evals.run(posts).pipe(Effect.provide(asking))
      assert.deepStrictEqual(
        report.cases.map(({ passed, samples }) => [passed, samples[0]?.output]),
        [
          [false, "sent a"],
          [true, "sent b"]
        ]
      )
      assert.hasAllKeys(report.fingerprint.parts, ["flow", "dataset", "scorers"])
    })
  )

  it.effect("counts the tokens of agents that its steps ask", () =>
    Effect.gen(function* () {
      const Asks = TriggerFlow.define("asks", { input: Schema.String, result: Schema.String })
      const asks = Asks.build(
        Asks.start.pipe(
          Chain.to("ask", (text: string) => Agent.make({ input: text }).pipe(Agent.run)),
          Chain.result
        )
      )
      const { report } = yield* Evals.run(
        Evals.make(
          "asks",
          {
            dataset: Dataset.make({ name: "texts", input: Schema.String, cases: [{ input: "a" }] }),
            subject: asks
          },
          []
        )
      )
      assert.deepStrictEqual(report.summary.used, { requests: 1, usage: { outputTokens: 5 } })
      assert.strictEqual(report.cases[0]?.samples[0]?.output, "hi")
    }).pipe(play([ScriptedModel.text("hi", { usage: { outputTokens: 5 } })]))
  )
})

describe("the fingerprint", () => {
  const printOf = <A, E, R, L>(self: Evals.Eval<A, E, R, L>) =>
    Effect.map(self.prepare(), ({ fingerprint }) => fingerprint)
  const of = (agent: Agent.Agent<typeof Ticket.Type>, scorers = [Scorer.exact()]) =>
    printOf(Evals.make("x", { dataset: letters, subject: agent }, scorers))

  it.effect("is the same for the same eval, and says which part differs", () =>
    Effect.gen(function* () {
      const before = yield* of(triage)
      assert.deepStrictEqual(yield* of(triage), before)
      const differ = (after: { readonly parts: Readonly<Record<string, string>> }) =>
        Object.keys(after.parts).filter((part) => after.parts[part] !== before.parts[part])
      assert.deepStrictEqual(differ(yield* of(Agent.instruct(triage, "Be quick."))), ["prompt"])
      assert.deepStrictEqual(differ(yield* of(Agent.input(triage, "any"))), [])
      assert.deepStrictEqual(differ(yield* of(Agent.settings(triage, { model: "m2" }))), ["model"])
      assert.deepStrictEqual(differ(yield* of(Agent.options(triage, { temperature: 0 }))), ["model"])
      assert.deepStrictEqual(differ(yield* of(Agent.settings(triage, { maxRetries: 0 }))), ["output"])
      assert.deepStrictEqual(differ(yield* of(triage, [Scorer.exact({ ignore: ["case"] })])), ["scorers"])
      const other = Evals.make("x", { dataset: numbers(1), subject: triage }, [Scorer.exact()])
      assert.deepStrictEqual(differ(yield* printOf(other)), ["dataset"])
      const act = Action.make("act", {
        description: "Acts.",
        input: Schema.Struct({}),
        sideEffect: "pure",
        run: () => Effect.succeed(1)
      })
      const acting = Evals.make(
        "x",
        {
          dataset: letters,
          subject: triage.pipe(Actions.use([act]))
        },
        [Scorer.exact()]
      )
      assert.deepStrictEqual(differ(yield* printOf(acting)), ["actions"])
      const versioned = Evals.make(
        "x",
        {
          dataset: letters,
          subject: triage,
          version: "2"
        },
        [Scorer.exact()]
      )
      assert.deepStrictEqual(differ(yield* printOf(versioned)), ["version"])
    }).pipe(play([]))
  )

  it.effect("tells what a Schema marks as ensured, which its JSON Schema does not say", () =>
    Effect.gen(function* () {
      const outputOf = (title: Schema.Codec<string>) => {
        const agent = Agent.make({ output: Schema.Struct({ title }) })
        const self = Evals.make("x", { dataset: letters, subject: agent }, [])
        return Effect.map(self.prepare(), ({ fingerprint }) => fingerprint.parts["output"])
      }
      const prints = yield* Effect.all([
        outputOf(Output.field(Schema.String, "A title")),
        outputOf(Output.ensure(Schema.String, "A title")),
        outputOf(Output.ensure(Schema.String, "A title", "notEmpty")),
        outputOf(Output.ensure(Schema.String, "A title"))
      ])
      assert.lengthOf(new Set(prints), 3)
      assert.strictEqual(prints[1], prints[3])
    }).pipe(play([]))
  )
})

const Doubling = TriggerFlow.define("doubling", { input: Schema.Finite, result: Schema.Finite })
const doubling = Doubling.build(
  Doubling.start.pipe(
    Chain.to("double", (n) => Effect.succeed(n * 2)),
    Chain.result
  )
)

const double = Evals.make("double", { dataset: numbers(1), subject: (n) => Effect.succeed(n * 2) }, [Scorer.exact()])

describe("types", () => {
  it("do not let a scorer look at another output, and tell what a run needs and how it fails", () => {
    // @ts-expect-error the output is an object and no number
    Evals.make("x", { dataset: letters, subject: triage }, [Scorer.numeric()])
    // @ts-expect-error the input is a text and no number
    Evals.make("x", { dataset: letters, subject: (n: number) => Effect.succeed(n) }, [])
    // @ts-expect-error the flow takes a number and no text
    Evals.make("x", { dataset: letters, subject: doubling }, [])
    Evals.make("x", { dataset: numbers(1), subject: doubling }, [Scorer.numeric()])
    type Free = Effect.Effect<unknown, Evals.DatasetError | Evals.EvalInvalid>
    // @ts-expect-error the model is missing
    const needs: Free = Evals.run(urgent)
    const free: Free = Evals.run(double)
    assert.isTrue(Effect.isEffect(needs) && Effect.isEffect(free))
  })
})
