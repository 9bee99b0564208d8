/**
 * Skills as actions: a model that was told of skills reads the instructions of one, and its files, when it needs them.
 * Reading changes nothing and needs no approval; where it reads is said by the `SkillStore`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../action/Action.ts"
import * as Skills from "./Skills.ts"

/**
 * Which skills can be read.
 *
 * @category models
 */
export interface Options {
  /** The names of the skills that can be read. Default: all that there are. */
  readonly only?: ReadonlyArray<string> | undefined
}

const name = Schema.String.annotate({ description: "The name of the skill" })

const Instructions = Schema.Struct({
  instructions: Schema.String,
  files: Schema.Array(Schema.String)
})

/** What `read_skill` gives: the instructions, and the paths of the files. @category schemas */
export type Instructions = typeof Instructions.Type

// Instructions that are cut are worse than none.
const maxResult = 200_000

/**
 * `read_skill`: the instructions of a skill and the paths of its files.
 *
 * @category actions
 */
export const readSkill = ({ only }: Options = {}) =>
  Action.make("read_skill", {
    description:
      "Reads the instructions of one of the skills. Call it before you do what a skill is for, and do as it says.",
    input: Schema.Struct({ name }),
    output: Instructions,
    sideEffect: "pure",
    maxResult,
    run: ({ name }) =>
      Effect.gen(function* () {
        const { files } = yield* Skills.get(name, only)
        return { instructions: yield* Skills.read(name), files: files.map(({ path }) => path) }
      })
  })

/**
 * `read_skill_file`: a file of a skill, as text.
 *
 * @category actions
 */
export const readSkillFile = ({ only }: Options = {}) =>
  Action.make("read_skill_file", {
    description: "Reads a text file of a skill: one that its instructions name.",
    input: Schema.Struct({
      name,
      path: Schema.String.annotate({ description: "Its path in the skill, as `read_skill` tells it" })
    }),
    output: Schema.String,
    sideEffect: "pure",
    run: ({ name, path }) => Effect.andThen(Skills.get(name, only), Skills.readFile(name, path))
  })

/**
 * Both, for `Actions.use`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "effigent"
 * import { Actions } from "effigent/action"
 * import { SkillStore } from "effigent/services/SkillStore"
 * import { SkillActions, Skills } from "effigent/skills"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const forms = { name: "fill-forms", description: "Fills forms in.", allowedTools: [], metadata: {}, location: "", files: [] }
 * const store = SkillStore.of({
 *   skills: [forms],
 *   findings: [],
 *   read: () => Effect.succeed("Ask for what is missing."),
 *   file: () => Effect.succeed(new Uint8Array())
 * })
 * const agent = Agent.make({ input: "Help me with this form." }).pipe(Skills.attach(), Actions.use(SkillActions.reading()))
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.toolCalls([{ name: "read_skill", input: { name: "fill-forms" } }]),
 *   ScriptedModel.text("What is your name?")
 * ])
 * const answer = Agent.run(agent).pipe(Effect.provideService(SkillStore, store), Effect.provide(model))
 * console.log(await Effect.runPromise(answer)) // => What is your name?
 * ```
 *
 * @category actions
 */
export const reading = (options: Options = {}) => [readSkill(options), readSkillFile(options)] as const
