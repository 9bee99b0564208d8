import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent } from "effigent"
import { Skills } from "effigent/skills"
import { ScriptedModel } from "effigent/testing"
import { at, md, platform, tree } from "./support.ts"

const files = {
  "fill-forms/SKILL.md": md("fill-forms", "Ask for what is missing."),
  "fill-forms/fields.md": "# Fields\n\u00e4",
  "fill-forms/logo.png": new Uint8Array([0x89, 0x50, 0xff, 0x00]),
  "fill-forms/zero.txt": "a\0b",
  "write-letters/SKILL.md": md("write-letters", "Be brief.")
}

const withSkills = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const root = yield* tree(files)
      return yield* effect.pipe(Effect.provide(yield* Layer.build(at(root))))
    })
  ).pipe(Effect.provide(Layer.mergeAll(platform, ScriptedModel.always(ScriptedModel.text("ok")))))

const promptOf = Effect.map(ScriptedModel.requests, (requests) => JSON.stringify(requests.at(-1)?.prompt))

describe("Skills", () => {
  it.effect("an agent is told names and descriptions, and no instructions", () =>
    withSkills(
      Effect.gen(function* () {
        yield* Agent.make({ input: "Hello" }).pipe(Skills.attach(), Agent.run)
        const prompt = yield* promptOf
        assert.include(prompt, "[SKILLS]:")
        assert.include(prompt, "fill-forms: Does fill-forms.")
        assert.include(prompt, "write-letters: Does write-letters.")
        assert.notInclude(prompt, "Ask for what is missing.")
        assert.notInclude(prompt, "fields.md")
      })
    )
  )

  it.effect("it may be told of some only, and have the whole of those that it requires", () =>
    withSkills(
      Effect.gen(function* () {
        const agent = Agent.make({ input: "Hello" })
        yield* agent.pipe(Skills.attach({ only: ["write-letters"] }), Agent.run)
        assert.notInclude(yield* promptOf, "fill-forms")
        yield* agent.pipe(Skills.attach({ require: ["fill-forms"] }), Agent.run)
        const prompt = yield* promptOf
        assert.include(prompt, "[SKILL FILL-FORMS]:\\nAsk for what is missing.")
        assert.notInclude(prompt, "fill-forms: Does fill-forms.")
        assert.include(prompt, "write-letters: Does write-letters.")
        yield* agent.pipe(Skills.attach({ only: [] }), Agent.run)
        assert.notInclude(yield* promptOf, "SKILLS")
      })
    )
  )

  it.effect("a skill that there is not fails the run, typed, and names those that there are", () =>
    withSkills(
      Effect.gen(function* () {
        for (const options of [{ only: ["none"] }, { require: ["none"] }]) {
          const error = yield* Effect.flip(Agent.make({ input: "Hello" }).pipe(Skills.attach(options), Agent.run))
          assert.strictEqual(error._tag, "ExecutorError")
          assert.include(error.message, "there are fill-forms, write-letters")
        }
        assert.lengthOf(yield* ScriptedModel.requests, 0)
      })
    )
  )

  it.effect("instructions and files are read on demand; what is no text is refused", () =>
    withSkills(
      Effect.gen(function* () {
        assert.strictEqual(yield* Skills.read("fill-forms"), "Ask for what is missing.")
        assert.strictEqual(yield* Skills.readFile("fill-forms", "fields.md"), "# Fields\n\u00e4")
        assert.deepStrictEqual(
          (yield* Skills.list()).map(({ name }) => name),
          ["fill-forms", "write-letters"]
        )
        for (const path of ["logo.png", "zero.txt"]) {
          const error = yield* Effect.flip(Skills.readFile("fill-forms", path))
          assert.include(error.message, "refused by the rule file.binary")
        }
        assert.include((yield* Effect.flip(Skills.readFile("none", "x"))).message, "there is no such skill")
        assert.include((yield* Effect.flip(Skills.read("none"))).message, "there are fill-forms")
      })
    )
  )
})
