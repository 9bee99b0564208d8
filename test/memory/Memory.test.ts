import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, Context, Effect, Layer, Schema } from "effect"
import { Agent, Budget } from "effigent"
import { OfflineEmbeddings } from "effigent/layers/offline"
import { Memory } from "effigent/memory"
import { Runs } from "effigent/run"
import { EmbeddingProvider } from "effigent/services/EmbeddingProvider"
import { KnowledgeStore, KnowledgeStoreError } from "effigent/services/KnowledgeStore"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { answers, extractor, learns, promptOf, reports, stores, texts } from "./support.ts"

const cook = Agent.make({ system: "You are a cook." })

const lastPrompt = Effect.map(ScriptedModel.requests, (requests) => {
  const last = requests.at(-1)
  return last === undefined ? "" : promptOf(last)
})

describe("Memory", () => {
  it.effect("what a run learns is recalled in later ones, and the extractor is shown what is known", () =>
    Effect.gen(function* () {
      const { agent: small, prompts } = extractor([learns([{ op: "add", text: "The user eats no meat." }])])
      const memory = Memory.make({ extractor: small })
      const mine = cook.pipe(Memory.attach(memory, "ada"))
      yield* mine.pipe(Agent.input("I eat no meat. What shall I cook?"), Agent.run)
      assert.notInclude(yield* lastPrompt, "[MEMORIES]")
      yield* mine.pipe(Agent.input("What meat goes with rice?"), Agent.run)
      assert.include(yield* lastPrompt, "[MEMORIES]:\n- The user eats no meat.")
      assert.include(prompts[0] ?? "", "I eat no meat. What shall I cook?")
      assert.notInclude(prompts[0] ?? "", "A risotto.")
      assert.include(prompts[1] ?? "", '"1": The user eats no meat.')
      assert.deepStrictEqual(yield* texts(memory, "ada"), ["The user eats no meat."])
    }).pipe(Effect.provide([answers("A risotto."), stores]))
  )

  it.effect("memories are updated and forgotten by the number under which they were shown", () =>
    Effect.gen(function* () {
      const { told, report } = reports()
      const { agent: small } = extractor([
        learns([
          { op: "update", memory: 1, text: "The user lives in Bergen." },
          { op: "forget", memory: 2 }
        ])
      ])
      const memory = Memory.make({ extractor: small, report })
      yield* Memory.add(memory, "ada", ["The user lives in Oslo.", "The user has a dog."])
      // The nearest is shown first.
      yield* cook.pipe(
        Memory.attach(memory, "ada"),
        Agent.input("I no longer live in Oslo, and my dog is gone."),
        Agent.run
      )
      const [first] = told
      assert.deepStrictEqual(yield* texts(memory, "ada"), ["The user lives in Bergen."])
      assert.deepStrictEqual(
        [first?.status, first?.updated.length, first?.forgotten.length, first?.added.length],
        ["kept", 1, 1, 0]
      )
    }).pipe(Effect.provide([answers("Noted."), stores]))
  )

  it.effect("a proposal that names what is not known, one memory twice, or is too long, goes back to the model", () =>
    Effect.gen(function* () {
      const { told, report } = reports()
      const { agent: small, prompts } = extractor([
        learns([
          { op: "forget", memory: 2 },
          { op: "update", memory: 1, text: "x".repeat(501) },
          { op: "forget", memory: 1 }
        ]),
        learns([{ op: "forget", memory: 1 }])
      ])
      const memory = Memory.make({ extractor: small, report })
      yield* Memory.add(memory, "ada", ["The user has a dog."])
      yield* cook.pipe(Memory.attach(memory, "ada"), Agent.input("No dog any more."), Agent.run)
      assert.include(prompts[1] ?? "", "There is no known memory 2.")
      assert.include(prompts[1] ?? "", "Memory 1 is named twice.")
      assert.include(prompts[1] ?? "", "longer than 500 characters")
      assert.deepStrictEqual(yield* texts(memory, "ada"), [])
      assert.strictEqual(told[0]?.status, "kept")
    }).pipe(Effect.provide([answers("Sorry."), stores]))
  )

  it.effect(
    "the same fact is kept once, with the time when it was learnt, however it is written and by how many runs",
    () =>
      Effect.gen(function* () {
        const { agent: small } = extractor(learns([{ op: "add", text: " the user HAS\na dog." }]))
        const memory = Memory.make({ extractor: small })
        const added = yield* Memory.add(memory, "ada", ["The user has a dog.", "  "])
        assert.deepStrictEqual(
          added.map(({ text }) => text),
          ["The user has a dog."]
        )
        yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => `I have a dog, as I said ${index} times.`),
          (words) => cook.pipe(Memory.attach(memory, "ada"), Agent.input(words), Agent.run),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(yield* Memory.list(memory, "ada"), added)
      }).pipe(Effect.provide([answers("Woof."), stores]))
  )

  it.effect("a memory that was erased while a run was under way does not come back by an update", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor([learns([{ op: "update", memory: 1, text: "The user has two dogs." }])])
      const memory = Memory.make({ extractor: small })
      yield* Memory.add(memory, "ada", ["The user has a dog."])
      // The model's answer is preceded by the erasure.
      const erasing = cook.pipe(
        Agent.validate(() => Effect.as(Effect.orDie(Memory.erase(memory, "ada")), { _tag: "Pass" as const })),
        Memory.attach(memory, "ada"),
        Agent.input("Now I have two dogs.")
      )
      yield* Agent.run(erasing)
      assert.deepStrictEqual(yield* Memory.list(memory, "ada"), [])
    }).pipe(Effect.provide([answers("Woof."), stores]))
  )

  it.effect("`exchange` reads the answer too, once it is complete", () =>
    Effect.gen(function* () {
      const { agent: small, prompts } = extractor([
        learns([{ op: "add", text: "The user was told about the Louvre." }])
      ])
      const memory = Memory.make({ extractor: small, from: "exchange" })
      yield* cook.pipe(Memory.attach(memory, "ada"), Agent.input("What is in Paris?"), Agent.run)
      assert.include(prompts[0] ?? "", "The Louvre is.")
      assert.lengthOf(yield* Memory.list(memory, "ada"), 1)
    }).pipe(Effect.provide([answers("The Louvre is."), stores]))
  )

  it.effect("recall takes at most so many, no worse than so, or none; the extractor is shown what it may", () =>
    Effect.gen(function* () {
      const { agent: small, prompts } = extractor([])
      const facts = ["The user drinks green tea.", "The user drinks black tea.", "The user owns a boat."]
      const told = (options: Memory.Options<never, never>) =>
        Effect.gen(function* () {
          const memory = Memory.make({ ...options, extractor: small })
          yield* Memory.add(memory, "ada", facts)
          yield* cook.pipe(Memory.attach(memory, "ada"), Agent.input("Which tea does the user drink?"), Agent.run)
          return (yield* lastPrompt).split("\n").filter((line) => line.startsWith("- The user"))
        })
      assert.lengthOf(yield* told({}), 3)
      assert.lengthOf(yield* told({ recall: { limit: 2 }, known: 0 }), 2)
      assert.lengthOf(yield* told({ recall: { minScore: 0.4 } }), 2)
      assert.lengthOf(yield* told({ recall: { limit: 0 }, known: 1 }), 0)
      const shown = prompts.map((prompt) => prompt.split("The user ").length)
      assert.isAbove(shown[0] ?? 0, shown[3] ?? 0)
    }).pipe(Effect.provide([answers("Green."), stores]))
  )

  it.effect("the user may be found for each run; a blank one has no memory, nor has a blank input", () =>
    Effect.gen(function* () {
      class User extends Context.Service<User, string>()("test/User") {}
      const { agent: small, prompts } = extractor(learns([{ op: "add", text: "The user is here." }]))
      const memory = Memory.make({ extractor: small })
      const mine = cook.pipe(
        Memory.attach(
          memory,
          User.use((user) => Effect.succeed(user))
        )
      )
      const as = (user: string, words = "It is me.") =>
        mine.pipe(Agent.input(words), Agent.run, Effect.provideService(User, user))
      yield* as(" ")
      yield* as("ada", "  ")
      assert.lengthOf(prompts, 0)
      yield* as("bob")
      assert.deepStrictEqual([yield* texts(memory, "ada"), yield* texts(memory, "bob")], [[], ["The user is here."]])
    }).pipe(Effect.provide([answers("Hello."), stores]))
  )

  it.effect("a blank user has no memory by hand either: nobody shares one by having no name", () =>
    Effect.gen(function* () {
      const memory = Memory.make()
      for (const blank of ["", " ", "\n\t"]) {
        assert.deepStrictEqual(yield* Memory.add(memory, blank, ["The user's card ends in 42."]), [])
        assert.deepStrictEqual(yield* Memory.list(memory, blank), [])
        assert.deepStrictEqual(yield* Memory.search(memory, blank, "card"), [])
        yield* Memory.forget(memory, blank, ["the user's card ends in 42."])
        yield* Memory.erase(memory, blank)
      }
    }).pipe(Effect.provide(stores))
  )

  it.effect("S20 the requests of an extraction are of the role memory, in metrics and events", () =>
    Effect.gen(function* () {
      const { agent: small } = extractor(learns([]))
      const talk = (extractor: Agent.Agent<unknown, never, never>) =>
        cook.pipe(Memory.attach(Memory.make({ extractor }), "ada"), Agent.input("Hello"), Agent.run)
      const run = yield* Runs.start(Effect.andThen(talk(small), talk(Agent.settings(small, { role: "scribe" }))))
      yield* run.result
      const { roles } = yield* run.metrics()
      const counts = Object.entries(roles).map(([role, { requests }]) => `${role} ${requests}`)
      assert.deepStrictEqual(counts.toSorted(), ["main 2", "memory 1", "scribe 1"])
    }).pipe(Effect.provide([answers("Hello."), stores]))
  )

  it.effect("the default extractor is the agent's own model, also where it is bound to one", () =>
    Effect.gen(function* () {
      const memory = Memory.make()
      const model = ScriptedModel.always(
        ScriptedModel.respond((request) =>
          request.output.name === "Operations"
            ? learns([{ op: "add", text: "The user is Ada." }])
            : ScriptedModel.text("Hello.")
        )
      )
      yield* cook.pipe(Memory.attach(memory, "ada"), Agent.provideModel(model), Agent.input("I am Ada."), Agent.run)
      assert.deepStrictEqual(yield* texts(memory, "ada"), ["The user is Ada."])
    }).pipe(Effect.provide([answers("not asked"), stores]))
  )

  it.effect("lists all in the order in which they were learnt, finds, forgets single ones and erases them", () =>
    Effect.gen(function* () {
      const memory = Memory.make()
      const many = Array.from({ length: 1_201 }, (_, index) => `The user likes the number ${index}.`)
      yield* Memory.add(memory, "ada", many)
      yield* Memory.add(memory, "bob", ["The user is Bob."])
      const all = yield* Memory.list(memory, "ada")
      assert.strictEqual(new Set(all.map(({ text }) => text)).size, 1_201)
      const [found] = yield* Memory.search(memory, "ada", "the number 77", { limit: 1 })
      assert.strictEqual(found?.text, "The user likes the number 77.")
      yield* Memory.forget(memory, "ada", [found?.id ?? "", "none"])
      assert.lengthOf(yield* Memory.list(memory, "ada"), 1_200)
      yield* Memory.erase(memory, "ada")
      assert.lengthOf(yield* Memory.list(memory, "ada"), 0)
      assert.deepStrictEqual(yield* texts(memory, "bob"), ["The user is Bob."])
    }).pipe(Effect.provide([answers(""), stores]))
  )

  it.effect("users never see each other's memories, whatever they are called", () =>
    Effect.gen(function* () {
      const odd = ["a", "A", "a/b", "a%2fb", "a%252fb", "%", "/", "a b", "\u00e4", "memories/a", "..", "constructor"]
      const names = yield* Arbitrary.sampleEffect(Arbitrary.schema(Schema.String.check(Schema.isMinLength(1))), {
        count: 60,
        seed: 11,
        size: 8
      })
      const users = [...new Set([...odd, ...names])].filter((name) => name.trim() !== "")
      const secretOf = (user: string) => `The user's secret is number ${users.indexOf(user)}.`
      const echo = ScriptedModel.respond((request) => {
        const said = /my number is (\d+)/.exec(promptOf(request))?.[1] ?? "?"
        return learns([{ op: "add", text: `The user's secret is number ${said}.` }])
      })
      const { agent: small, prompts } = extractor(echo)
      // One collection for each prefix too: two applications in one store do not mix.
      const one = Memory.make({ extractor: small, collection: "m" })
      const other = Memory.make({ extractor: small, collection: "m/a" })
      const run = (memory: Memory.Memory, user: string) =>
        cook.pipe(
          Memory.attach(memory, user),
          Agent.input(`my number is ${users.indexOf(user)}. What is my secret?`),
          Agent.run
        )
      yield* Effect.forEach(users, (user) => run(one, user), { concurrency: "unbounded" })
      for (const user of users) {
        assert.deepStrictEqual(yield* texts(one, user), [secretOf(user)])
        assert.deepStrictEqual(yield* texts(other, user), [])
      }
      yield* Effect.forEach(users, (user) => run(one, user), { concurrency: "unbounded" })
      const shown = [...(yield* ScriptedModel.requests).map(promptOf), ...prompts].map((prompt) => {
        const own = /my number is (\d+)/.exec(prompt)?.[1]
        return [...prompt.matchAll(/secret is number (\d+)/g)].every(([, number]) => number === own)
      })
      assert.isAbove(shown.length, users.length * 4 - 1)
      assert.isTrue(shown.every(Boolean))
      yield* Memory.erase(one, "a")
      assert.deepStrictEqual(yield* texts(one, "A"), [secretOf("A")])
    }).pipe(Effect.provide([answers("I do not tell."), stores]))
  )

  it.effect("a failing extraction fails no run: it is logged and reported", () =>
    Effect.gen(function* () {
      const { told, report } = reports()
      const { agent: small } = extractor(ScriptedModel.fail(new RateLimited({ detail: "slow down" })))
      const memory = Memory.make({ extractor: small, report })
      const said = yield* cook.pipe(Memory.attach(memory, "ada"), Agent.input("Hello"), Agent.run)
      assert.strictEqual(said, "Hi.")
      const [first] = told
      assert.deepStrictEqual([first?.status, first?.user], ["failed", "ada"])
      assert.include(String(first?.cause === undefined ? "" : Cause.pretty(first.cause)), "slow down")
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect(
    "a store that breaks while it is written fails no run; one that breaks while it is read fails it, typed",
    () =>
      Effect.gen(function* () {
        const { told, report } = reports()
        const { agent: small } = extractor(learns([{ op: "add", text: "The user is Ada." }]))
        const mine = cook.pipe(
          Memory.attach(Memory.make({ extractor: small, report }), "ada"),
          Agent.input("I am Ada.")
        )
        const store = yield* KnowledgeStore
        const broken = (operation: "upsert" | "search") =>
          new KnowledgeStoreError({ store: "test", collection: "c", operation, detail: "the disk is full" })
        assert.strictEqual(
          yield* Agent.run(mine).pipe(
            Effect.provideService(KnowledgeStore, { ...store, upsert: () => Effect.fail(broken("upsert")) })
          ),
          "Hi."
        )
        assert.strictEqual(told[0]?.status, "failed")
        const error = yield* Effect.flip(
          Agent.run(mine).pipe(
            Effect.provideService(KnowledgeStore, { ...store, search: () => Effect.fail(broken("search")) })
          )
        )
        assert.strictEqual(error._tag, "KnowledgeStoreError")
      }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("the extraction counts against the run's budgets, and tells its tokens", () =>
    Effect.gen(function* () {
      const { told, report } = reports()
      const { agent: small } = extractor([learns([], { usage: { inputTokens: 70, outputTokens: 3 } }), learns([])])
      const mine = cook.pipe(Memory.attach(Memory.make({ extractor: small, report }), "ada"), Agent.input("Hello"))
      yield* Agent.run(mine).pipe(Budget.within({ requests: 2 }))
      assert.deepStrictEqual([told[0]?.status, told[0]?.usage.inputTokens], ["nothing", 70])
      const both = yield* Effect.result(Agent.run(mine).pipe(Budget.within({ requests: 1 })))
      assert.isTrue(both._tag === "Failure" || told[1]?.status === "failed")
    }).pipe(Effect.provide([answers("Hi."), stores]))
  )

  it.effect("texts are embedded once for a run's recall, and only where something is new", () =>
    Effect.gen(function* () {
      const provider = yield* EmbeddingProvider
      let embedded = 0
      const counting = Layer.succeed(EmbeddingProvider, {
        ...provider,
        embed: (request) => {
          embedded += request.texts.length
          return provider.embed(request)
        }
      })
      const { agent: small } = extractor(learns([{ op: "add", text: "The user is Ada." }]))
      const mine = cook.pipe(Memory.attach(Memory.make({ extractor: small }), "ada"), Agent.input("I am Ada."))
      yield* Effect.andThen(Agent.run(mine), Agent.run(mine)).pipe(Effect.provide(counting))
      assert.strictEqual(embedded, 3)
    }).pipe(Effect.provide([answers("Hi."), stores, OfflineEmbeddings.layer]))
  )
})
