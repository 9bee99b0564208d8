import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent } from "effigent"
import { Actions } from "effigent/action"
import type { Json } from "effigent/services/Json"
import { SkillActions, Skills } from "effigent/skills"
import { ScriptedModel } from "effigent/testing"
import { at, md, platform, tree } from "./support.ts"

const long = "Step by step. ".repeat(3_000)

const files = {
  "fill-forms/SKILL.md": md("fill-forms", "Read references/fields.md, then ask."),
  "fill-forms/references/fields.md": "# Fields",
  "long-one/SKILL.md": md("long-one", long),
  "secret-one/SKILL.md": md("secret-one", "Nobody knows.")
}

const call = (name: string, input: Json) => ScriptedModel.toolCalls([{ name, input }])

const play = <A, E, R>(steps: ReadonlyArray<ScriptedModel.Step>, effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const root = yield* tree(files)
      return yield* effect.pipe(Effect.provide(yield* Layer.build(at(root))))
    })
  ).pipe(Effect.provide(Layer.mergeAll(platform, ScriptedModel.layer(steps))))

const agent = Agent.make({ input: "Help me with this form." })

const records = (options?: SkillActions.Options) =>
  Effect.map(Agent.whole(agent.pipe(Skills.attach(options), Actions.use(SkillActions.reading(options)))), ({ meta }) =>
    (meta.actions?.rounds ?? []).flatMap(({ records }) => records)
  )

describe("SkillActions", () => {
  it.effect("a model that is told of skills reads one, then a file that it names, then answers", () =>
    play(
      [
        call("read_skill", { name: "fill-forms" }),
        call("read_skill_file", { name: "fill-forms", path: "references/fields.md" }),
        ScriptedModel.text("What is your name?")
      ],
      Effect.gen(function* () {
        const [skill, file] = yield* records()
        assert.deepStrictEqual(
          [skill?.status, skill?.result],
          ["success", { instructions: "Read references/fields.md, then ask.", files: ["references/fields.md"] }]
        )
        assert.deepStrictEqual([file?.status, file?.result], ["success", "# Fields"])
        const [first] = yield* ScriptedModel.requests
        assert.notInclude(JSON.stringify(first?.prompt), "then ask.")
        assert.deepStrictEqual(
          first?.tools.map(({ name }) => name),
          ["read_skill", "read_skill_file"]
        )
      })
    )
  )

  it.effect("long instructions are given whole", () =>
    play(
      [call("read_skill", { name: "long-one" }), ScriptedModel.text("ok")],
      Effect.gen(function* () {
        const [skill] = yield* records()
        assert.include(JSON.stringify(skill?.result), long.trim())
        assert.isUndefined(skill?.artifact)
      })
    )
  )

  it.effect("what is not there, or outside, is told to the model in words", () =>
    play(
      [
        call("read_skill", { name: "none" }),
        call("read_skill_file", { name: "fill-forms", path: "../secret-one/SKILL.md" }),
        ScriptedModel.text("ok")
      ],
      Effect.gen(function* () {
        const told = (yield* records()).map(({ result, status }) => `${status}: ${JSON.stringify(result)}`)
        assert.include(told[0] ?? "", "there are fill-forms, long-one, secret-one")
        assert.include(told[1] ?? "", "path.outside")
        assert.isTrue(told.every((text) => text.startsWith("failed") && !text.includes("Nobody knows.")))
      })
    )
  )

  it.effect("with `only`, other skills can neither be seen nor read", () =>
    play(
      [
        call("read_skill", { name: "secret-one" }),
        call("read_skill_file", { name: "secret-one", path: "SKILL.md" }),
        call("read_skill", { name: "fill-forms" }),
        ScriptedModel.text("ok")
      ],
      Effect.gen(function* () {
        const all = yield* records({ only: ["fill-forms"] })
        assert.deepStrictEqual(
          all.map(({ status }) => status),
          ["failed", "failed", "success"]
        )
        assert.notInclude(
          JSON.stringify(yield* ScriptedModel.requests.pipe(Effect.map((sent) => sent[0]?.prompt))),
          "secret-one"
        )
        assert.notInclude(JSON.stringify(all), "Nobody knows.")
      })
    )
  )
})
