import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Ref, Schema, Stream } from "effect"
import { Agent, Deltas, type InstantEvent, Output, Validation } from "effigent"
import { TestClock } from "effect/testing"
import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const userText = (request: ModelRequest | undefined): string => {
  const message = request?.prompt.content.at(-1)
  return message?.role === "user" ? message.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""
}

const Count = Schema.Struct({ n: Output.ensure(Schema.Int, "N") })
const counter = Agent.make({ output: Count }).pipe(Agent.input("go"))
const atLeastTwo = (value: { readonly n: number }) =>
  Effect.succeed(Validation.when(value.n >= 2, "need 2", { path: "n" }))

describe("validators", () => {
  it.effect("RV-06 a failing validator asks again with its reason, and knows which attempt it sees", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make<ReadonlyArray<Validation.Context>>([])
      const value = yield* counter.pipe(
        Agent.validate((count, context) =>
          Ref.update(seen, (all) => [...all, context]).pipe(Effect.andThen(atLeastTwo(count)))
        ),
        Agent.run
      )
      assert.deepStrictEqual(value, { n: 2 })
      assert.deepStrictEqual(yield* Ref.get(seen), [
        { attempt: 1, retry: 0, maxRetries: 3, text: '{"n":1}' },
        { attempt: 2, retry: 1, maxRetries: 3, text: '{"n":2}' }
      ])
      const [, second] = yield* ScriptedModel.requests
      assert.include(userText(second), "n: need 2")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 1 }), ScriptedModel.json({ n: 2 })])))
  )

  it.effect("RV-06 several faults go to the model as a finding each", () =>
    Effect.gen(function* () {
      const response = yield* counter.pipe(
        Agent.validate(({ n }) =>
          Effect.succeed(Validation.faults(n >= 2 ? [] : [{ reason: "need 2", path: "n" }, { reason: "and more" }]))
        ),
        Agent.respond
      )
      const { attempts, data } = yield* response.full
      assert.deepStrictEqual(data, { n: 2 })
      assert.deepStrictEqual(attempts[0]?.findings, [
        { path: "n", kind: "validator", message: "n: need 2" },
        { path: "", kind: "validator", message: "and more" }
      ])
      const [, second] = yield* ScriptedModel.requests
      assert.include(userText(second), "- n: need 2\n- and more")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 1 }), ScriptedModel.json({ n: 2 })])))
  )

  it.effect("RV-07 stop ends the response without another request", () =>
    Effect.gen(function* () {
      const error = yield* counter.pipe(
        Agent.validate(() => Effect.succeed(Validation.stop("not for sale"))),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(error._tag, "OutputError")
      if (error._tag === "OutputError") {
        assert.deepStrictEqual(error.attempts[0]?.findings, [{ path: "", kind: "validator", message: "not for sale" }])
      }
      assert.strictEqual((yield* ScriptedModel.requests).length, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 1 })])))
  )

  it.effect("RV-07 a typed failure of a validator is the run's failure", () =>
    Effect.gen(function* () {
      const response = yield* counter.pipe(
        Agent.validate(() => Effect.fail({ _tag: "LedgerError" } as const)),
        Agent.respond
      )
      const error = yield* Effect.flip(response.data)
      assert.deepStrictEqual(error, { _tag: "LedgerError" })
      const events = yield* Stream.runCollect(Stream.catch(response.instant, () => Stream.empty))
      assert.deepInclude(events.at(-1), { _tag: "Status", state: "failed", retry: false })
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 1 })])))
  )

  it.effect("RV-08 run once per attempt, however often the response is read, and never for a rejected value", () =>
    Effect.gen(function* () {
      const calls = yield* Ref.make(0)
      const response = yield* counter.pipe(
        Agent.validate(() =>
          Effect.as(
            Ref.update(calls, (n) => n + 1),
            Validation.pass
          )
        ),
        Agent.respond
      )
      yield* Effect.all([response.data, response.data, response.text, Stream.runDrain(response.instant)], {
        concurrency: "unbounded"
      })
      assert.strictEqual(yield* Ref.get(calls), 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({}), ScriptedModel.json({ n: 1 })])))
  )

  it.effect("RV-09 a change affects later attempts of this response only", () =>
    Effect.gen(function* () {
      const agent = counter.pipe(
        Agent.options({ temperature: 1, topP: 0.5 }),
        Agent.validate(({ n }) =>
          Effect.succeed(
            n > 1
              ? Validation.pass
              : Validation.fail("more", { change: { options: { temperature: 0 }, model: "large" } })
          )
        )
      )
      yield* Agent.run(agent)
      yield* Agent.run(agent)
      const requests = yield* ScriptedModel.requests
      assert.deepStrictEqual(
        requests.map(({ model, options }) => [model, options.temperature, options.topP]),
        [
          [undefined, 1, 0.5],
          ["large", 0, 0.5],
          [undefined, 1, 0.5]
        ]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ n: 1 }), ScriptedModel.json({ n: 2 }), ScriptedModel.json({ n: 2 })])
      )
    )
  )

  it.effect("RV-10 a validator that crashes lets nothing through and spends one unit of the budget", () =>
    Effect.gen(function* () {
      const error = yield* counter.pipe(
        Agent.settings({ maxRetries: 1 }),
        Agent.validate((): Effect.Effect<Validation.Verdict> => {
          throw new Error("boom")
        }),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(error._tag, "OutputError")
      assert.include(error.message, "boom")
      assert.strictEqual((yield* ScriptedModel.requests).length, 2)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 1 }), ScriptedModel.json({ n: 1 })])))
  )

  it.effect("share one budget with violations of the contract", () =>
    Effect.gen(function* () {
      const error = yield* counter.pipe(
        Agent.settings({ maxRetries: 1 }),
        Agent.validate(atLeastTwo),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(error._tag, "OutputError")
      assert.strictEqual((yield* ScriptedModel.requests).length, 2)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({}), ScriptedModel.json({ n: 1 })])))
  )

  it.effect("run in order up to the first that does not pass, and bring their requirements", () => {
    class Limit extends Context.Service<Limit, number>()("test/Limit") {}
    return Effect.gen(function* () {
      const seen: Array<string> = []
      const agent = counter.pipe(
        Agent.validate(({ n }) =>
          Effect.map(Limit, (limit) => (seen.push("limit"), Validation.when(n <= limit, "too large")))
        ),
        Agent.validate(() => Effect.sync(() => (seen.push("second"), Validation.pass)))
      )
      assert.deepStrictEqual(yield* Agent.run(agent).pipe(Effect.provideService(Limit, 5)), { n: 5 })
      assert.deepStrictEqual(seen, ["limit", "limit", "second"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 6 }), ScriptedModel.json({ n: 5 })])))
  })

  it.effect("use the model that the agent is bound to", () =>
    Effect.gen(function* () {
      const agent = counter.pipe(
        Agent.validate(() =>
          Effect.map(ModelProvider, ({ name }) => Validation.when(name === "bound", `asked ${name}`))
        ),
        Agent.provideModel(ScriptedModel.layer([ScriptedModel.json({ n: 1 })], { name: "bound" }))
      )
      assert.deepStrictEqual(yield* Agent.run(agent), { n: 1 })
    })
  )

  it.effect("what they reject is not given by returnPartial either, nor what was cut off", () =>
    Effect.gen(function* () {
      const crashed = counter.pipe(
        Agent.settings({ maxRetries: 0 }),
        Agent.validate(() => Effect.die("boom")),
        Agent.returnPartial
      )
      assert.strictEqual((yield* Effect.flip(Agent.run(crashed)))._tag, "OutputError")
      const Two = Schema.Struct({ a: Output.ensure(Schema.String, "A"), b: Output.ensure(Schema.String, "B") })
      const value = yield* Agent.make({ output: Two, maxRetries: 0 }).pipe(
        Agent.input("go"),
        Agent.returnPartial,
        Agent.run
      )
      assert.deepStrictEqual(value, { a: "ok" })
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ n: 1 }),
          ScriptedModel.text('{"a":"ok","b":"He sa', { finish: "length" })
        ])
      )
    )
  )

  it.effect("a restart is seen before the next attempt says anything", () =>
    Effect.gen(function* () {
      const response = yield* counter.pipe(
        Agent.validate(({ n }) => Effect.as(Effect.sleep("20 millis"), Validation.when(n > 1, "more"))),
        Agent.respond
      )
      const seen: Array<string> = []
      yield* Effect.forkChild(
        Stream.runForEach(response.instant, (event) => Effect.sync(() => void seen.push(event._tag)))
      )
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(seen.slice(-2), ["Status", "Reset"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(seen.at(-1), "Status")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ n: 1 }), ScriptedModel.json({ n: 2 }, { latency: "1 second" })])
      )
    )
  )

  it.effect("several changes add up", () =>
    Effect.gen(function* () {
      yield* counter.pipe(
        Agent.validate(({ n }) =>
          Effect.succeed(
            n > 2
              ? Validation.pass
              : Validation.fail("more", { change: { options: n === 1 ? { temperature: 0 } : { maxTokens: 9 } } })
          )
        ),
        Agent.run
      )
      const [, , third] = yield* ScriptedModel.requests
      assert.deepStrictEqual(third?.options, { temperature: 0, maxTokens: 9 })
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ n: 1 }), ScriptedModel.json({ n: 2 }), ScriptedModel.json({ n: 3 })])
      )
    )
  )

  it.effect("what is no Effect of a verdict does not pass", () =>
    Effect.gen(function* () {
      const broken = ((): unknown => true) as () => Effect.Effect<Validation.Verdict>
      const error = yield* counter.pipe(
        Agent.settings({ maxRetries: 0 }),
        Agent.validate(broken),
        Agent.run,
        Effect.flip
      )
      assert.include(error.message, "it returned no Effect")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ n: 1 })])))
  )

  it.effect("a correction quotes the answer where asked to", () =>
    Effect.gen(function* () {
      yield* counter.pipe(Agent.settings({ quoteAnswer: true }), Agent.run)
      const [, second] = yield* ScriptedModel.requests
      assert.include(userText(second), 'The previous response was:\n{"m":1}')
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ m: 1 }), ScriptedModel.json({ n: 1 })])))
  )
})

const Person = Schema.Struct({
  name: Output.ensure(Schema.String, "Full name", "notEmpty"),
  born: Schema.Int,
  address: Schema.Struct({ street: Output.ensure(Schema.String, "Street", "notEmpty"), city: Schema.String }),
  pets: Schema.Array(
    Schema.Struct({ name: Output.ensure(Schema.String, "Name of the pet", "notEmpty"), age: Schema.Int })
  )
})
const person = Agent.make({ output: Person, repair: "missing" }).pipe(Agent.input("..."))
const first = {
  name: "Ada Lovelace",
  born: 1815,
  address: { street: "", city: "London" },
  pets: [
    { name: "Puff", age: 3 },
    { name: "Rex", age: "old" }
  ]
}
const whole = {
  ...first,
  address: { street: "St James's Square", city: "London" },
  pets: [
    { name: "Puff", age: 3 },
    { name: "Rex", age: 7 }
  ]
}

const doneOf = (events: ReadonlyArray<InstantEvent>) =>
  events.flatMap((event) => (event._tag === "Field" && event.isComplete ? [event.path] : []))

describe("repairing what was missing", () => {
  it.effect("asks only for the places that were wrong, and keeps the rest", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(person)
      assert.deepStrictEqual(yield* response.data, whole)
      const [, second] = yield* ScriptedModel.requests
      const text = userText(second)
      assert.include(text, "Return only a JSON object with the corrected fields")
      assert.include(text, '"address.street": <str>')
      assert.include(text, '"pets[1].age": <int>')
      assert.notInclude(text, "Full name")
      assert.deepStrictEqual(Object.keys(second?.output.jsonSchema["properties"] ?? {}), [
        "address.street",
        "pets[1].age"
      ])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json(first),
          ScriptedModel.json({ "address.street": "St James's Square", "pets[1].age": 7 })
        ])
      )
    )
  )

  it.effect("shows readers the repaired whole, never the patch", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(person)
      const text = yield* response.text
      assert.deepStrictEqual(JSON.parse(text), whole)
      const deltas = yield* Stream.runCollect(response.deltas)
      const restart = deltas.findIndex((delta) => delta._tag === "Restarted")
      const after = yield* Stream.mkString(Deltas.inBand(Stream.fromIterable(deltas.slice(restart + 1))))
      assert.strictEqual(after, text)
      const events = yield* Stream.runCollect(response.instant)
      const reset = events.findLastIndex((event) => event._tag === "Reset")
      assert.deepStrictEqual(doneOf(events.slice(reset)).slice(0, 4), [
        "name",
        "born",
        "address.street",
        "address.city"
      ])
      assert.isUndefined(doneOf(events).find((path) => path.includes('address.street"')))
      const pets = yield* Stream.runCollect(response.each("pets[*]"))
      assert.deepStrictEqual(pets, whole.pets)
      const { attempts } = yield* response.full
      assert.strictEqual(attempts.length, 2)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json(first),
          ScriptedModel.json({ "address.street": "St James's Square", "pets[1].age": 7 }, { chunkSize: 5 })
        ])
      )
    )
  )

  it.effect("goes on where a repair is only half right, and fails within the same budget", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Agent.run(person), whole)
      const requests = yield* ScriptedModel.requests
      assert.strictEqual(requests.length, 3)
      assert.notInclude(userText(requests[2]), '"address.street": <str>')
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json(first),
          ScriptedModel.json({ "address.street": "St James's Square" }),
          ScriptedModel.json({ "pets[1].age": 7 })
        ])
      )
    )
  )

  it.effect("a repair that cannot be read leaves the value as it was", () =>
    Effect.gen(function* () {
      const error = yield* person.pipe(Agent.settings({ maxRetries: 1 }), Agent.run, Effect.flip)
      assert.strictEqual(error._tag, "OutputError")
      if (error._tag === "OutputError") {
        assert.deepStrictEqual(error.attempts[1]?.findings.map(({ path }) => path).toSorted(), [
          "address.street",
          "pets[1].age"
        ])
      }
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(first), ScriptedModel.text("I am sorry.")])))
  )

  for (const [name, answer] of [
    ["nothing was found", "I am sorry."],
    ["the answer is of another kind", "[1,2]"]
  ] as const) {
    it.effect(`asks for the whole again where ${name}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Agent.run(person), whole)
        const [, second] = yield* ScriptedModel.requests
        assert.include(userText(second), "Full name")
        assert.notInclude(userText(second), "corrected fields")
      }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text(answer), ScriptedModel.json(whole)])))
    )
  }

  for (const finish of ["length", "stop"] as const) {
    it.effect(`a repair that is cut off (${finish}) is no repair`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Agent.run(person), whole)
        assert.strictEqual((yield* ScriptedModel.requests).length, 3)
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([
            ScriptedModel.json({ ...whole, address: { street: "", city: "London" } }),
            ScriptedModel.text('{"address.street":"St Jam', { finish }),
            ScriptedModel.json({ "address.street": "St James's Square" })
          ])
        )
      )
    )
  }

  it.effect("tells the model the level of what it asks for", () =>
    Effect.gen(function* () {
      yield* Agent.run(person)
      const [, second] = yield* ScriptedModel.requests
      assert.include(userText(second), "value must not be null, blank, or empty")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ ...whole, name: " " }), ScriptedModel.json({ name: "Ada Lovelace" })])
      )
    )
  )

  it.effect("a repair that is refused stays readable", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(person)
      assert.strictEqual((yield* Effect.flip(response.data))._tag, "ModelError")
      const texts: Array<string> = []
      yield* Stream.runForEach(response.events(["Text"]), (event) =>
        Effect.sync(() => void texts.push(event.text))
      ).pipe(Effect.ignore)
      assert.strictEqual(texts.at(-1), "I cannot say")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json(first),
          ScriptedModel.text("I cannot say", { finish: "content-filter" })
        ])
      )
    )
  )

  it.effect("a whole list that is missing is a place like any other", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Agent.run(person), whole)
      const [, second] = yield* ScriptedModel.requests
      assert.deepStrictEqual(Object.keys(second?.output.jsonSchema["properties"] ?? {}), ["pets"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ name: whole.name, born: whole.born, address: whole.address }),
          ScriptedModel.json({ pets: whole.pets })
        ])
      )
    )
  )

  it.effect("saves at least half of the output on one missing leaf of ten", () => {
    const keys = Array.from({ length: 10 }, (_, i) => `field${i}`)
    const Ten = Schema.Struct(
      Object.fromEntries(keys.map((key) => [key, Output.ensure(Schema.String, "A sentence", "notEmpty")]))
    )
    const full = Object.fromEntries(keys.map((key) => [key, `The value of ${key} in a sentence.`]))
    const tokens = (repair: "all" | "missing") =>
      Effect.gen(function* () {
        const response = yield* Agent.make({ output: Ten, repair }).pipe(Agent.input("..."), Agent.respond)
        const { attempts, data } = yield* response.full
        assert.deepStrictEqual(data, full)
        return attempts.reduce((sum, { usage }) => sum + (usage.outputTokens ?? 0), 0)
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([
            ScriptedModel.respond(() => count({ ...full, field7: "" })),
            ScriptedModel.respond(() => count(repair === "all" ? full : { field7: full["field7"] ?? "" }))
          ])
        ),
        Effect.scoped
      )
    // Four characters a token, as models of English text have it.
    const count = (value: { readonly [key: string]: string }) =>
      ScriptedModel.json(value, { usage: { outputTokens: Math.ceil(JSON.stringify(value).length / 4) } })
    return Effect.gen(function* () {
      const all = yield* tokens("all")
      const missing = yield* tokens("missing")
      const firstAnswer = all / 2
      assert.isAtMost((missing - firstAnswer) / firstAnswer, 0.5, "of the tokens of the correction")
    })
  })
})
