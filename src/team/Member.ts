/**
 * Members: agents and teams under a name, with what a leader should know of them. Whatever a member is, the team gives it a
 * task and gets a typed answer, its JSON form, and what it cost.
 */
import * as Effect from "effect/Effect"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Types from "effect/Types"
import type { Prompt } from "../../services/Ai.ts"
import { fromValue, type Json } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import type { Attempt } from "../request/ModelResponse.ts"
import { addTokens, type Tokens } from "./Report.ts"

const TypeId = "~effigent/team/Member"

/** Messages of a conversation, encoded. @category models */
export type Messages = ReadonlyArray<Prompt.MessageEncoded>

/**
 * What a member is asked.
 *
 * @category models
 */
export interface Ask {
  readonly task: Json
  /** What it should know besides. */
  readonly info: { readonly [name: string]: Json }
  /** What was said before. */
  readonly history: Messages
  /** What is changed about an agent before it is asked: more actions, for one. */
  readonly prepare?:
    | ((agent: Agent.Agent<unknown, unknown, unknown>) => Agent.Agent<unknown, unknown, unknown>)
    | undefined
}

/**
 * What a member has given.
 *
 * @category models
 */
export interface Done {
  readonly value: unknown
  /** Its JSON form. */
  readonly answer: Json
  readonly usage: Tokens
}

/**
 * Work that has been asked for, and what there is of it at any time.
 *
 * @category models
 */
export interface Asked {
  readonly work: Effect.Effect<Done, unknown, unknown>
  readonly soFar: () => ReadonlyArray<Pick<Attempt, "text" | "usage">>
}

/**
 * Who does the work: an agent or a team.
 *
 * @category models
 */
export interface Worker {
  readonly kind: "agent" | "team"
  readonly ask: (ask: Ask) => Asked
  /** What it answers with; absent: a text. */
  readonly schema: Schema.Top | undefined
}

/**
 * What a leader should know of a member, and to whom it may hand on.
 *
 * @category models
 */
export interface Config {
  /** What it is good at, and when to ask it: for leaders, and for members that hand on. */
  readonly description: string
  /**
   * In the mode `handoff`: the names of those to whom it may hand on. Default: all others. Empty where the agent has
   * `Team.handoff` actions of its own.
   */
  readonly handoffs?: ReadonlyArray<string> | undefined
}

/**
 * A member of a team: `A` is what it answers, `E` how it fails, `R` what it needs.
 *
 * @category models
 */
export interface Member<out Name extends string, out A, out E, out R> extends Pipeable {
  readonly [TypeId]: {
    readonly _A: Types.Covariant<A>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }
  readonly name: Name
  readonly config: Config
  readonly worker: Worker
}

/** Any member. @category models */
export type Any = Member<string, unknown, unknown, unknown>

/** The answers of a member. @category type-level */
export type AnswerOf<M> = M extends Member<string, infer A, infer _E, infer _R> ? A : never

/** How a member fails. @category type-level */
export type ErrorOf<M> = M extends Member<string, infer _A, infer E, infer _R> ? E : never

/** What a member needs. @category type-level */
export type NeedsOf<M> = M extends Member<string, infer _A, infer _E, infer R> ? R : never

const identity = (_: never) => _
const variance = { _A: identity, _E: identity, _R: identity }

/** Makes a member of what does its work. @category constructors */
export const make = <Name extends string, A, E, R>(
  name: Name,
  worker: Worker,
  config: Config
): Member<Name, A, E, R> => ({
  [TypeId]: variance,
  name,
  config,
  worker,
  pipe() {
    return pipeArguments(this, arguments)
  }
})

/** What an agent answers with; absent: a text. @category reading */
export const schemaOf = (agent: Agent.Agent<unknown, unknown, unknown>): Schema.Top | undefined =>
  agent.config.output === undefined ? undefined : Output.toSchema(agent.config.output)

/**
 * The JSON form of a value. One that has none (a circle, a BigInt) is a failure that says why.
 *
 * @category conversions
 */
export const jsonOf = (value: unknown): Result.Result<Json, string> =>
  Result.try({ try: () => fromValue(value), catch: String })

/**
 * The JSON form of an answer. An answer that its Schema cannot encode (a partial one, for one) is told as it stands.
 *
 * @category conversions
 */
export const encoder = (schema: Schema.Top | undefined): ((value: unknown) => Effect.Effect<Json, never, unknown>) => {
  const plain = (value: unknown) => Effect.sync(() => Result.getOrElse(jsonOf(value), () => String(value)))
  if (schema === undefined) return plain
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(schema))
  return (value) => Effect.catch(encode(value), () => plain(value))
}

/** Lays a task over an agent. @category conversions */
export const given = (
  agent: Agent.Agent<unknown, unknown, unknown>,
  { history, info, prepare, task }: Ask
): Agent.Agent<unknown, unknown, unknown> => {
  const asked = agent.pipe(
    Agent.slots({
      ...(history.length === 0 ? {} : { history }),
      ...(Object.keys(info).length === 0 ? {} : { info })
    }),
    Agent.input(task)
  )
  return prepare === undefined ? asked : prepare(asked)
}

/** An agent as one who does work. @category constructors */
export const worker = (agent: Agent.Agent<unknown, unknown, unknown>): Worker => {
  const schema = schemaOf(agent)
  const encode = encoder(schema)
  return {
    kind: "agent",
    schema,
    ask: (ask) => {
      let soFar: () => ReadonlyArray<Attempt> = () => []
      const watched: Agent.Around = (config, work, attempts) => {
        soFar = attempts
        return work(config)
      }
      const full = Agent.whole(Agent.around(given(agent, ask), watched))
      return {
        soFar: () => soFar(),
        work: Effect.flatMap(full, ({ data, meta }) =>
          Effect.map(encode(data), (answer) => ({ value: data, answer, usage: addTokens([meta.usage]) }))
        )
      }
    }
  }
}

/** What an agent needs when it is run. @category type-level */
export type RunNeeds<R> = Exclude<R, Scope.Scope>
