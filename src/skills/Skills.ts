/**
 * Skills in prompts, disclosed step by step: an agent is told the names and descriptions of the skills that there are;
 * the instructions of one, and its files, are read when they are needed.
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { ExecutorError, type ExecutorErrorReason, NotFound, Refused } from "../../services/ActionExecutor.ts"
import { type SkillInfo, type SkillRule, SkillStore } from "../../services/SkillStore.ts"
import * as Agent from "../agent/Agent.ts"
import * as Slots from "../prompt/Slots.ts"

/**
 * Which skills an agent has.
 *
 * @category models
 */
export interface Options {
  /** The names of the skills that it is told of. Default: all that there are. */
  readonly only?: ReadonlyArray<string> | undefined
  /** The names of skills whose instructions stand in every prompt, as a whole. Default: none. */
  readonly require?: ReadonlyArray<string> | undefined
}

const failed = (subject: string, reason: ExecutorErrorReason) =>
  new ExecutorError({ executor: "skills", subject, reason })

/** A refusal by one of the rules of skills. @category errors */
export const refused = (subject: string, rule: SkillRule, detail: string): ExecutorError =>
  failed(subject, new Refused({ rule, detail }))

const offer = (skills: ReadonlyArray<SkillInfo>): string => skills.map(({ name }) => name).join(", ")

/**
 * A skill by its name, of all or of those of these names. Fails with `NotFound`, which names those that there are.
 *
 * @category reading
 */
export const get = Effect.fnUntraced(function* (
  name: string,
  only?: ReadonlyArray<string>
): Effect.fn.Return<SkillInfo, ExecutorError, SkillStore> {
  const all = (yield* SkillStore).skills
  const skills = only === undefined ? all : all.filter((skill) => only.includes(skill.name))
  const skill = skills.find((one) => one.name === name)
  if (skill !== undefined) return skill
  const detail = skills.length === 0 ? "there are no skills" : `there is no such skill; there are ${offer(skills)}`
  return yield* failed(name, new NotFound({ detail }))
})

/** The skills that there are, or those of these names, in the order of the names. @category reading */
export const list = (
  only?: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<SkillInfo>, ExecutorError, SkillStore> =>
  only === undefined ? Effect.map(SkillStore, ({ skills }) => skills) : Effect.forEach(only, (name) => get(name))

/** The instructions of a skill. @category reading */
export const read = (name: string): Effect.Effect<string, ExecutorError, SkillStore> =>
  Effect.flatMap(get(name), () => SkillStore.use((store) => store.read(name)))

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** A file of a skill as text. Refused with `file.binary` where it is none. @category reading */
export const readFile = Effect.fnUntraced(function* (
  name: string,
  path: string
): Effect.fn.Return<string, ExecutorError, SkillStore> {
  yield* get(name)
  const bytes = yield* SkillStore.use((store) => store.file(name, path))
  const binary = refused(`${name}/${path}`, "file.binary", "it is no UTF-8 text; only texts can be read")
  const text = yield* Effect.try({ try: () => utf8.decode(bytes), catch: () => binary })
  return text.includes("\0") ? yield* binary : text
})

const told = (skills: ReadonlyArray<SkillInfo>) =>
  Object.fromEntries(skills.map(({ description, name }) => [name, description]))

const disclosed =
  ({ only, require = [] }: Options): Agent.Around<ExecutorError, SkillStore> =>
  (config, work) =>
    Effect.gen(function* () {
      const whole = yield* Effect.forEach(require, (name) => Effect.map(read(name), (body) => [name, body] as const))
      const skills = (yield* list(only)).filter(({ name }) => !require.includes(name))
      const custom = {
        ...(skills.length === 0 ? {} : { skills: told(skills) }),
        ...Object.fromEntries(whole.map(([name, body]) => [`skill ${name}`, body]))
      }
      return yield* work({ ...config, ...Slots.merge({ custom }, { custom: config.custom }) })
    })

/**
 * Tells an agent of the skills that there are: their names and descriptions, as the section `[SKILLS]`, and the whole of
 * those that it requires. A name that there is no skill for fails the run.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "effigent"
 * import { SkillStore } from "effigent/services/SkillStore"
 * import { Skills } from "effigent/skills"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const forms = { name: "fill-forms", description: "Fills forms in.", allowedTools: [], metadata: {}, location: "", files: [] }
 * const store = SkillStore.of({
 *   skills: [forms],
 *   findings: [],
 *   read: () => Effect.succeed("Ask for what is missing."),
 *   file: () => Effect.succeed(new Uint8Array())
 * })
 * const agent = Agent.make({ input: "Which skills do you have?" }).pipe(Skills.attach())
 *
 * const sees = ScriptedModel.text("fill-forms", {
 *   expect: ({ prompt }) => JSON.stringify(prompt).includes("fill-forms: Fills forms in.")
 * })
 * const answer = Agent.run(agent).pipe(Effect.provideService(SkillStore, store), Effect.provide(ScriptedModel.layer([sees])))
 * console.log(await Effect.runPromise(answer)) // => fill-forms
 * ```
 *
 * @category combinators
 */
export const attach: {
  (
    options?: Options
  ): <A, E, R, I>(self: Agent.Agent<A, E, R, I>) => Agent.Agent<A, E | ExecutorError, R | SkillStore, I>
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options?: Options): Agent.Agent<A, E | ExecutorError, R | SkillStore, I>
} = dual(
  (args) => Agent.isAgent(args[0]),
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options: Options = {}) => Agent.around(self, disclosed(options))
)
