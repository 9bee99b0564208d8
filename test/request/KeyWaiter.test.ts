import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Ref, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Validation } from "effigent"
import { ScriptedModel } from "effigent/testing"

const Answer = Schema.Struct({
  a: Schema.String,
  b: Schema.Array(Schema.Struct({ n: Schema.Int })),
  c: Schema.String,
  at: Schema.optionalKey(Schema.DateFromString),
  scores: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int))
})
const agent = Agent.make({ output: Answer }).pipe(Agent.input("go"))
const value = { a: "one", b: [{ n: 2 }, { n: 3 }], c: "three" }
const played = (chunkSize: number) => ScriptedModel.layer([ScriptedModel.json(value, { chunkSize })])

const given = <E>(stream: Stream.Stream<{ readonly path: string; readonly value: unknown }, E>) =>
  Effect.map(Stream.runCollect(stream), (all) => all.map(({ path, value }) => [path, value]))

// Lets every forked fiber run until it waits.
const settle = Effect.gen(function* () {
  for (let i = 0; i < 20; i++) yield* Effect.yieldNow
})

describe("awaitKeys", () => {
  for (const chunkSize of [1, 3, 1000]) {
    it.effect(`KW-01 gives a, b[0].n, c in the order in which they are finished (chunks of ${chunkSize})`, () =>
      Effect.gen(function* () {
        const response = yield* Agent.respond(agent)
        assert.deepStrictEqual(yield* given(response.awaitKeys(["c", "b[0].n", "a"])), [
          ["a", "one"],
          ["b[0].n", 2],
          ["c", "three"]
        ])
      }).pipe(Effect.provide(played(chunkSize)))
    )
  }

  it.effect("KW-03 a wildcard stands for every place, also beside a path for one of them", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const all = yield* Stream.runCollect(response.awaitKeys(["b[*].n", "b[1].n", "b[*]"]))
      assert.deepStrictEqual(
        all.map(({ key, path }) => `${key} at ${path}`),
        ["b[*].n at b[0].n", "b[*] at b[0]", "b[*].n at b[1].n", "b[1].n at b[1].n", "b[*] at b[1]"]
      )
    }).pipe(Effect.provide(played(2)))
  )

  it.effect("KW-03 a path that never comes fails with a typed error at the end, after all that came", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const seen = yield* Ref.make<ReadonlyArray<string>>([])
      const error = yield* response.awaitKeys(["a", "b[5].n", "at"]).pipe(
        Stream.runForEach(({ path }) => Ref.update(seen, (all) => [...all, path])),
        Effect.flip
      )
      assert.strictEqual(error._tag, "KeyMissing")
      if (error._tag === "KeyMissing") assert.deepStrictEqual(error.paths, ["b[5].n", "at"])
      assert.include(error.message, '"b[5].n", "at"')
      assert.deepStrictEqual(yield* Ref.get(seen), ["a"])
      assert.deepStrictEqual(yield* response.data, value)
    }).pipe(Effect.provide(played(4)))
  )

  it.effect("KW-03 a wildcard over an empty list is not missing", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.deepStrictEqual(yield* given(response.awaitKeys(["b[*].n"])), [])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "", b: [], c: "" })])))
  )

  it.effect("ends as soon as every path was given, while the model still writes", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.deepStrictEqual(yield* given(response.awaitKeys(["b[0].n", "a"])), [
        ["a", "one"],
        ["b[0].n", 2]
      ])
      assert.strictEqual(yield* ScriptedModel.openStreams, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.hangAfter(['{"a":"one","b":[{"n":2},', '{"n"'])])))
  )

  it.effect("gives what a restart changed again, and only that", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.deepStrictEqual(yield* given(response.awaitKeys(["a", "b[*].n"])), [
        ["a", "one"],
        ["b[0].n", 2],
        ["b[0].n", 7]
      ])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ a: "one", b: [{ n: 2 }] }),
          ScriptedModel.json({ a: "one", b: [{ n: 7 }], c: "" })
        ])
      )
    )
  )

  it.effect("fails as the response fails", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(Agent.settings(agent, { maxRetries: 0 }))
      const error = yield* Effect.flip(Stream.runDrain(response.awaitKeys(["c"])))
      assert.strictEqual(error._tag, "OutputError")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "x" })])))
  )
})

describe("finished", () => {
  const told = <E>(
    stream: Stream.Stream<
      { readonly path: string; readonly value: unknown; readonly attempt: number; readonly revision: number },
      E
    >
  ) =>
    Effect.map(Stream.runCollect(stream), (all) =>
      all.map(({ attempt, path, revision, value }) => `${path} = ${JSON.stringify(value)} (${attempt}, ${revision})`)
    )

  for (const chunkSize of [1, 3, 1000]) {
    it.effect(
      `gives every finished value until the answer ends; what never comes is no failure (chunks of ${chunkSize})`,
      () =>
        Effect.gen(function* () {
          const response = yield* Agent.respond(agent)
          const all = yield* Stream.runCollect(response.finished(["b[*].n", "b[1]", "at", "a"]))
          assert.deepStrictEqual(
            all.map(({ indexes, key, path, value }) => [key, path, [...indexes], value]),
            [
              ["a", "a", [], "one"],
              ["b[*].n", "b[0].n", [0], 2],
              ["b[*].n", "b[1].n", [1], 3],
              ["b[1]", "b[1]", [1], { n: 3 }]
            ]
          )
        }).pipe(Effect.provide(played(chunkSize)))
    )
  }

  const begunAnew = ScriptedModel.layer([
    ScriptedModel.json({ a: "one", b: [{ n: 2 }, { n: 4 }] }),
    ScriptedModel.text('{"a":"one","b":[{"n":7}],"c":"","b":[{"n":8}]}')
  ])

  it.effect("gives again only what a restart changed, with its attempt and revision", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.deepStrictEqual(yield* told(response.finished(["a", "b[*]"])), [
        'a = "one" (1, 0)',
        'b[0] = {"n":2} (1, 0)',
        'b[1] = {"n":4} (1, 0)',
        'b[0] = {"n":7} (2, 1)',
        'b[0] = {"n":8} (2, 2)'
      ])
    }).pipe(Effect.provide(begunAnew))
  )

  it.effect("`accepted` gives only what stands in the accepted answer, when it is accepted", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.deepStrictEqual(yield* told(response.finished(["a", "b[*]"], { accepted: true })), [
        'a = "one" (2, 0)',
        'b[0] = {"n":8} (2, 0)'
      ])
      assert.deepStrictEqual((yield* response.data).b, [{ n: 8 }])
    }).pipe(Effect.provide(begunAnew))
  )

  it.effect("`accepted` waits for the validators", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const careful = Agent.validate(agent, ({ a }) =>
        Effect.sync(() => (asked.push(a), a === "two" ? Validation.pass : Validation.fail("not one")))
      )
      const response = yield* Agent.respond(careful)
      const values = yield* Stream.runCollect(response.finished(["a"], { accepted: true }))
      assert.deepStrictEqual(
        values.map(({ value }) => value),
        ["two"]
      )
      assert.deepStrictEqual(asked, ["one", "two"])
    }).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.json(value), ScriptedModel.json({ ...value, a: "two" })]))
    )
  )

  it.effect("a path that the output lacks, where the compiler does not see it, is a typed error", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const nowhere: string = "nope"
      const error = yield* Effect.flip(Stream.runDrain(response.finished([nowhere as "a"])))
      assert.strictEqual(error._tag, "OutputPathError")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(value)], { strict: false })))
  )
})

describe("awaitKey", () => {
  it.effect("gives the first finished value, decoded, before the answer ends", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const waiting = yield* Effect.forkChild(response.awaitKey("at"))
      yield* settle
      yield* TestClock.adjust(10)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(waiting), new Date("2030-05-01T00:00:00.000Z"))
      assert.strictEqual(yield* ScriptedModel.openStreams, 1)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.hangAfter(['{"at":"2030-', '05-01T00:00:00.000Z","a":'], { latency: 10, delay: 10 })
        ])
      )
    )
  )

  it.effect("KW-03 a wildcard gives the first place; none is a typed error", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.strictEqual(yield* response.awaitKey("scores.*"), 1)
      assert.strictEqual(yield* response.awaitKey("scores.maths"), 2)
      const error = yield* Effect.flip(response.awaitKey("b[*]"))
      assert.strictEqual(error._tag, "KeyMissing")
      const nowhere: string = "nope"
      // A path that the compiler cannot see is checked when it is waited for.
      const unseen = yield* Effect.flip(response.awaitKey(nowhere as "a"))
      assert.strictEqual(unseen._tag, "OutputPathError")
    }).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.json({ a: "", b: [], c: "", scores: { art: 1, maths: 2 } })]))
    )
  )

  it.effect("does not give a value that was cut off, nor one that its Schema rejects", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      assert.strictEqual(yield* response.awaitKey("c"), "good")
      assert.strictEqual(yield* response.awaitKey("b[0].n"), 1)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text('{"b":[{"n":"many"}],"c":"cut o', { finish: "length" }),
          ScriptedModel.json({ a: "", b: [{ n: 1 }], c: "good" })
        ])
      )
    )
  )
})

describe("onKeys", () => {
  it.effect("KW-02 gives path, value and what each handler made of it", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const handled = yield* response.onKeys({
        c: (text) => Effect.succeed(`${text}?`),
        a: (text) => Effect.succeed(`${text}!`)
      })
      assert.deepStrictEqual(
        handled.map(({ path, result, value }) => [path, value, result]),
        [
          ["a", "one", "one!"],
          ["c", "three", "three?"]
        ]
      )
    }).pipe(Effect.provide(played(3)))
  )

  it.effect("starts a handler when its key is finished, while the model still writes, and keeps the order", () =>
    Effect.gen(function* () {
      const release = yield* Deferred.make<void>()
      const order = yield* Ref.make<ReadonlyArray<string>>([])
      const note = (what: string) => Ref.update(order, (all) => [...all, what])
      const response = yield* Agent.respond(agent)
      const fiber = yield* Effect.forkChild(
        response.onKeys({
          a: () => Effect.andThen(note("a begins"), Deferred.await(release)),
          "b[*].n": (n, path) => Effect.as(note(`${path} = ${n}`), n)
        })
      )
      yield* settle
      yield* TestClock.adjust(30)
      assert.deepStrictEqual(yield* Ref.get(order), ["a begins", "b[0].n = 2", "b[1].n = 3"])
      yield* Deferred.succeed(release, undefined)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).map(({ path }) => path),
        ["a", "b[0].n", "b[1].n"]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.chunks(['{"a":"one","b"', ':[{"n":2},{"n":3}]', ',"c":""}'], { latency: 10, delay: 10 })
        ])
      )
    )
  )

  it.effect("a failing handler fails the whole, typed, and interrupts the others", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const response = yield* Agent.respond(agent)
      const error = yield* Effect.flip(
        response.onKeys({
          a: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)),
          "b[0].n": () => Effect.fail("no" as const)
        })
      )
      assert.strictEqual(error, "no")
      assert.isTrue(yield* Deferred.isDone(interrupted))
    }).pipe(Effect.provide(played(5)))
  )
})

// The types: values by their paths, handlers and their results.
type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

export const types = Effect.gen(function* () {
  const response = yield* Agent.respond(agent)
  const first = yield* response.awaitKey("b[0].n")
  same<typeof first, number>(true)
  const date = yield* response.awaitKey("at")
  same<typeof date, Date>(true)
  const item = yield* response.awaitKey("b[*]")
  same<typeof item, { readonly n: number }>(true)
  const score = yield* response.awaitKey("scores.art")
  same<typeof score, number>(true)
  const keys = response.awaitKeys(["a", "b[1].n"])
  same<
    Stream.Success<typeof keys>,
    | { readonly key: "a"; readonly path: string; readonly value: string }
    | { readonly key: "b[1].n"; readonly path: string; readonly value: number }
  >(true)
  const handled = yield* response.onKeys({
    a: (text) => Effect.succeed(text.length),
    "b[*]": ({ n }) => Effect.succeed(n > 1),
    "b[0].n": (n) => Effect.succeed(n.toFixed())
  })
  same<(typeof handled)[number]["result"], number | boolean | string>(true)
  // @ts-expect-error no such path
  response.awaitKey("b[0].m")
  // @ts-expect-error an index is a number
  response.awaitKey("b[x].n")
  // @ts-expect-error no such path
  response.onKeys({ nope: () => Effect.void })
})
