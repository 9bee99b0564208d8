// What each scorer says of answers: right ones, wrong ones, and those at the edge.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Agent, Output } from "effigent"
import { ActionScorer, Judge, Scorer } from "effigent/evals"
import { OfflineEmbeddings } from "effigent/layers/offline"
import { EmbeddingProvider } from "effigent/services/EmbeddingProvider"
import { ScriptedModel } from "effigent/testing"

const answered = <A, X>(output: A, expected: X, more: Partial<Scorer.Answered<string, A, X>> = {}) => ({
  id: "case",
  input: "the input",
  output,
  expected,
  tags: [],
  duration: 10,
  tries: 1,
  used: { requests: 1, usage: {} },
  actions: [],
  ...more
})

const score = <A, X, E, R>(
  scorer: Scorer.Scorer<string, A, X, E, R>,
  output: A,
  expected: X,
  more?: Partial<Scorer.Answered<string, A, X>>
) => scorer.score(answered(output, expected, more))

const of = <A, X, E, R>(scorer: Scorer.Scorer<string, A, X, E, R>, output: A, expected: X) =>
  Effect.map(score(scorer, output, expected), (given) => given.score)

describe("texts and values", () => {
  it.effect("exact compares structures, and says what differs", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* of(Scorer.exact(), { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), 1)
      assert.deepStrictEqual(yield* score(Scorer.exact(), "Paris", "paris"), {
        score: 0,
        reason: '"Paris" is not "paris"'
      })
      assert.strictEqual(yield* of(Scorer.exact({ ignore: ["case", "trim"] }), " Paris ", "paris"), 1)
      assert.strictEqual(yield* of(Scorer.exact({ ignore: ["case"] }), { city: "PARIS" }, { city: "paris" }), 1)
    })
  )

  it.effect("texts and values may have no JSON form", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* of(Scorer.exact(), 7n, 7n), 1)
      assert.deepStrictEqual(yield* score(Scorer.exact(), { sum: 7n }, { sum: 8n }), {
        score: 0,
        reason: '{"sum":7n} is not {"sum":8n}'
      })
      assert.strictEqual(yield* of(Scorer.matches(/^7n$/), 7n, undefined), 1)
      assert.strictEqual(yield* of(Scorer.contains({ texts: ["7"] }), { sum: 7n }, undefined), 1)
    })
  )

  it.effect("contains asks for texts of the case or of its own, and forbids others", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* of(Scorer.contains(), "the cat sat", "cat"), 1)
      assert.deepStrictEqual(yield* score(Scorer.contains(), "the cat sat", ["cat", "dog"]), {
        score: 0.5,
        reason: 'lacks "dog"'
      })
      assert.strictEqual(yield* of(Scorer.contains({ texts: ["CAT"], ignore: ["case"] }), { pet: "cat" }, undefined), 1)
      assert.deepStrictEqual(yield* score(Scorer.contains(), "the cat sat", undefined), {
        score: null,
        reason: "there is no text to look for"
      })
      assert.strictEqual(yield* of(Scorer.contains({ not: ["dog"] }), "the cat sat", undefined), 1)
      const clean = Scorer.contains({ texts: ["sorry"], not: ["As an AI"] })
      assert.deepStrictEqual(yield* score(clean, "As an AI, I am sorry", undefined), {
        score: 0,
        reason: 'has "As an AI"'
      })
    })
  )

  it.effect("matches takes any expression, also one that remembers", () =>
    Effect.gen(function* () {
      const code = Scorer.matches(/\b[A-Z]{2}\d{3}\b/g)
      for (let again = 0; again < 3; again++) assert.strictEqual(yield* of(code, "code AB123", undefined), 1)
      assert.include((yield* score(code, "none", undefined)).reason, "does not match")
    })
  )

  it.effect("numeric allows what is absolute or relative, and takes no NaN for a hit", () =>
    Effect.gen(function* () {
      const near = Scorer.numeric({ absolute: 0.5, relative: 0.1 })
      assert.strictEqual(yield* of(near, 109, 100), 1)
      assert.strictEqual(yield* of(near, 111, 100), 0)
      assert.strictEqual(yield* of(near, 0.5, 0), 1)
      assert.strictEqual(yield* of(near, Number.NaN, 0), 0)
      assert.strictEqual(yield* of(Scorer.numeric(), 2, 2), 1)
    })
  )

  it.effect("f1 is that of sets, or of lists in their order", () =>
    Effect.gen(function* () {
      const given = yield* score(Scorer.f1(), ["a", "b", "x"], ["b", "a", "c", "d"])
      assert.approximately(given.score ?? 0, 4 / 7, 1e-12)
      assert.deepStrictEqual(given.details, { precision: 2 / 3, recall: 0.5 })
      assert.strictEqual(given.reason, 'lacks "c", "d"; has besides "x"')
      assert.strictEqual(yield* of(Scorer.f1(), [], []), 1)
      assert.strictEqual(yield* of(Scorer.f1(), [], ["a"]), 0)
      assert.strictEqual(yield* of(Scorer.f1({ ordered: true }), ["b", "a"], ["a", "b"]), 0.5)
      assert.strictEqual(yield* of(Scorer.f1(), new Set(["A"]), new Set(["A"])), 1)
    })
  )

  it.effect("schema reads a text as JSON, and looks at ensured keys", () =>
    Effect.gen(function* () {
      const Report = Schema.Struct({
        title: Output.ensure(Schema.String, "One line", "notEmpty"),
        links: Schema.Array(Schema.Struct({ url: Schema.optionalKey(Schema.String) }))
      })
      assert.strictEqual(yield* of(Scorer.schema(Report), '{"title":"t","links":[]}', undefined), 1)
      assert.strictEqual(yield* of(Scorer.schema(Report), { title: "t", links: [{}] }, undefined), 1)
      const empty = yield* score(Scorer.schema(Report), { title: "", links: [] }, undefined)
      assert.deepInclude(empty, { score: 0, details: [{ kind: "empty", path: "title" }] })
      assert.match((yield* score(Scorer.schema(Report), "no", undefined)).reason ?? "", /^it is no JSON/)
      const keyed = Scorer.schema(Report, { ensureKeys: ["links[*].url"] })
      const missing = yield* score(keyed, { title: "t", links: [{ url: "u" }, {}] }, undefined)
      assert.deepStrictEqual(missing.details, [{ kind: "missing", path: "links[1].url" }])
      const wrong = yield* Effect.flip(of(Scorer.schema(Report, { ensureKeys: ["lnks"] }), {}, undefined))
      assert.strictEqual(wrong._tag, "OutputPathError")
    })
  )

  it.effect("similarity is the ratio of the edit distance; embedding the cosine of any provider", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* of(Scorer.similarity(), "kitten", "sitting"), 1 - 3 / 7)
      assert.strictEqual(yield* of(Scorer.similarity(), "", ""), 1)
      assert.strictEqual(yield* of(Scorer.similarity({ ignore: ["case"] }), "ABC", "abc"), 1)
      const near = yield* of(Scorer.embedding(), "reset the lamp", "resetting lamps")
      const far = yield* of(Scorer.embedding(), "reset the lamp", "a refund for the cup")
      assert.isTrue(near !== null && far !== null && near > 0.5 && far < 0.3)
      const opposite = Layer.succeed(EmbeddingProvider, {
        name: "opposite",
        embed: () => Effect.succeed({ vectors: [Float32Array.of(1, 0), Float32Array.of(-1, 0)], model: "m", usage: {} })
      })
      assert.deepStrictEqual(yield* score(Scorer.embedding({ model: "m" }), "a", "b").pipe(Effect.provide(opposite)), {
        score: 0,
        details: { model: "m" }
      })
    }).pipe(Effect.provide(OfflineEmbeddings.layer))
  )

  it.effect("on looks at a part, and keeps the name of what it asks", () =>
    Effect.gen(function* () {
      interface Ticket {
        readonly price: number
      }
      const price = Scorer.on(
        ({ expected, output }: Scorer.Answered<string, Ticket, number>) => ({ output: output.price, expected }),
        Scorer.numeric({ name: "price", absolute: 1 })
      )
      assert.strictEqual(price.name, "price")
      assert.strictEqual(yield* of(price, { price: 5 }, 5.5), 1)
      assert.strictEqual(yield* of(price, { price: 5 }, 7), 0)
    })
  )
})

const call = (action: string, input: Schema.Json = {}, status: "success" | "failed" = "success") => ({
  action,
  input,
  status,
  duration: 1
})

describe("reliability of calls", () => {
  const said = (
    options: ActionScorer.CallOptions<string, string, undefined>,
    actions: ReadonlyArray<ReturnType<typeof call>>
  ) => score(ActionScorer.actions(options), "", undefined, { actions })

  it.effect("asks for calls with inputs by values or Schemas, in any order, each for a call of its own", () =>
    Effect.gen(function* () {
      const search = { action: "search", input: { query: "x" } }
      const any = { action: "search" }
      assert.deepInclude(
        yield* said({ expected: [search, "read"] }, [call("read"), call("search", { query: "x", n: 1 })]),
        {
          score: 1
        }
      )
      // The call that both could take goes to the one that can take no other.
      assert.deepInclude(
        yield* said({ expected: [any, search] }, [call("search", { query: "x" }), call("search", { query: "y" })]),
        { score: 1 }
      )
      const once = yield* said({ expected: [any, search] }, [call("search", { query: "x" })])
      assert.strictEqual(once.score, 0.5)
      assert.deepInclude(yield* said({ expected: [search] }, [call("search", { query: "y" })]), {
        score: 0,
        reason: 'not called: search {"query":"x"}'
      })
      const Big = Schema.Struct({ n: Schema.Finite.check(Schema.isGreaterThan(5)) })
      assert.strictEqual((yield* said({ expected: [{ action: "buy", input: Big }] }, [call("buy", { n: 6 })])).score, 1)
      assert.strictEqual((yield* said({ expected: [{ action: "buy", input: Big }] }, [call("buy", { n: 5 })])).score, 0)
    })
  )

  it.effect("in their order, with others between them or without", () =>
    Effect.gen(function* () {
      const made = [call("a"), call("x"), call("b")]
      assert.strictEqual((yield* said({ expected: ["a", "b"], order: "sequence" }, made)).score, 1)
      assert.deepInclude(yield* said({ expected: ["b", "a"], order: "sequence" }, made), {
        score: 0.5,
        reason: "not called in this order: a"
      })
      assert.strictEqual((yield* said({ expected: ["b", "a"] }, made)).score, 1)
      assert.deepInclude(yield* said({ expected: ["a", "b"], others: false }, made), {
        score: 0,
        reason: "called besides: x"
      })
      assert.strictEqual((yield* said({ expected: [], others: false }, [])).score, 1)
    })
  )

  it.effect("knows forbidden actions, failed calls, and calls that the case says", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* said({ forbidden: ["wipe"] }, [call("wipe")]), { score: 0, reason: "forbidden: wipe" })
      assert.deepInclude(yield* said({ expected: ["a"] }, [call("a", {}, "failed"), call("a")]), {
        score: 0,
        reason: "failed: a (failed)"
      })
      assert.strictEqual((yield* said({ expected: ["a"], failures: true }, [call("a", {}, "failed")])).score, 1)
      const own = ActionScorer.actions({
        expected: ({ expected }: Scorer.Answered<string, string, ReadonlyArray<string>>) => expected
      })
      assert.strictEqual((yield* score(own, "", ["a", "b"], { actions: [call("b")] })).score, 0.5)
    })
  )
})

describe("performance", () => {
  it.effect("S21 passes within its limit, and tells by how much it is missed", () =>
    Effect.gen(function* () {
      const more = {
        duration: 200,
        tries: 2,
        used: { requests: 3, usage: { inputTokens: 30, outputTokens: 20 }, cost: 0.5, timeToFirstToken: 80 }
      }
      const limits: ReadonlyArray<readonly [Scorer.Scorer<unknown, unknown, unknown>, number]> = [
        [ActionScorer.latency(200), 1],
        [ActionScorer.latency(100), 0.5],
        [ActionScorer.latency(-1), 0],
        [ActionScorer.latency(Number.NaN), 0],
        [ActionScorer.timeToFirstToken(40), 0.5],
        [ActionScorer.tokens(50), 1],
        [ActionScorer.tokens(25), 0.5],
        [ActionScorer.cost(0.1), 0.2],
        [ActionScorer.requests(3), 1],
        [ActionScorer.tries(1), 0.5]
      ]
      for (const [scorer, expected] of limits)
        assert.strictEqual((yield* score(scorer, "", undefined, more)).score, expected, scorer.name)
      assert.strictEqual(
        (yield* score(ActionScorer.latency(100), "", undefined, more)).reason,
        "200 ms, more than 100 ms"
      )
      for (const scorer of [ActionScorer.cost(1), ActionScorer.timeToFirstToken(1)])
        assert.strictEqual((yield* score(scorer, "", undefined)).score, null)
    })
  )
})

const play = (steps: ReadonlyArray<ScriptedModel.Step>) => Effect.provide(ScriptedModel.layer(steps))
const vote = (score: number, verdict: "pass" | "fail", reason = "because") =>
  ScriptedModel.json({ reason, score, verdict })
const asked = Effect.map(ScriptedModel.requests, (requests) => requests.map(({ prompt }) => JSON.stringify(prompt)))

describe("a model as judge", () => {
  const rubric = "The answer is polite."
  const judge = Judge.judge(Agent.make({ system: "You judge letters.", maxRetries: 0 }), { rubric })

  it.effect("is shown the input, the answer, the reference and the rubric, and gives a score with its reason", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* score(judge, "Go away.", "Good-bye!"), {
        score: 0.3,
        reason: "curt",
        details: { verdict: "fail" }
      })
      const [prompt = ""] = yield* asked
      for (const text of ["You judge letters.", rubric, "the input", "Go away.", "Good-bye!"])
        assert.include(prompt, text)
      const blind = Judge.judge(Agent.make({}), { rubric, reference: false })
      assert.strictEqual((yield* score(blind, "Go away.", "Good-bye!")).score, 1)
      assert.notInclude((yield* asked)[1], "Good-bye!")
    }).pipe(play([vote(3, "fail", "curt"), vote(10, "pass")]))
  )

  it.effect("keeps instructions of its own", () =>
    Effect.gen(function* () {
      const own = Judge.judge(Agent.make({ instruct: ["Judge by ear.", "Be fair."] }), { rubric })
      yield* score(own, "a", undefined)
      const [prompt = ""] = yield* asked
      assert.lengthOf(prompt.split("Judge by ear."), 2)
      assert.notInclude(prompt, "Length, style and confidence")
    }).pipe(play([vote(5, "pass")]))
  )

  it.effect("votes several times, and tells how far the votes agree", () =>
    Effect.gen(function* () {
      const agent = Agent.make({})
      const three = yield* score(Judge.judge(agent, { rubric, votes: 3 }), "a", undefined)
      assert.approximately(three.score ?? 0, 0.6, 1e-12)
      assert.strictEqual(three.reason, "middle")
      assert.deepNestedInclude(three, { "details.verdict": "pass", "details.agreement": 2 / 3 })
      const byVerdict = yield* score(Judge.judge(agent, { rubric, votes: 3, by: "verdict" }), "a", undefined)
      assert.approximately(byVerdict.score ?? 0, 1 / 3, 1e-12)
      assert.strictEqual(byVerdict.reason, "no")
    }).pipe(
      play([
        vote(9, "pass", "high"),
        vote(3, "fail", "low"),
        vote(6, "pass", "middle"),
        vote(9, "pass", "yes"),
        vote(3, "fail", "no"),
        vote(4, "fail", "no, too")
      ])
    )
  )

  it.effect("fails typed where it does not give a verdict", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(score(judge, "a", undefined))
      assert.strictEqual(error._tag, "OutputError")
    }).pipe(play([ScriptedModel.text("I like it")]))
  )

  const better = (better: "first" | "second" | "equal") => ScriptedModel.json({ reason: `${better} it is`, better })

  it.effect("compares in both positions: one that follows the position decides nothing", () =>
    Effect.gen(function* () {
      const pair = Judge.pairwise(Agent.make({}), { rubric })
      const won = yield* score(pair, "mine", "theirs")
      assert.deepInclude(won, { score: 1 })
      const [front = "", back = ""] = yield* asked
      assert.isBelow(front.indexOf("mine"), front.indexOf("theirs"))
      assert.isAbove(back.indexOf("mine"), back.indexOf("theirs"))
      const followed = yield* score(pair, "mine", "theirs")
      assert.deepInclude(followed, {
        score: 0.5,
        details: { consistent: false, rounds: [{ front: "first", back: "first" }] }
      })
      assert.strictEqual((yield* score(pair, "mine", "theirs")).score, 0)
      assert.strictEqual((yield* score(pair, "mine", "theirs")).score, 0.75)
      assert.strictEqual((yield* score(pair, "mine", undefined)).score, null)
    }).pipe(
      play([
        better("first"),
        better("second"),
        better("first"),
        better("first"),
        better("second"),
        better("first"),
        better("equal"),
        better("second")
      ])
    )
  )
})
