/**
 * A team as an agent: a response of it runs the team where another agent asks its model, and plays the answer back as that
 * of a model. So everything that works on agents works on teams: sessions, hooks, output guards, readers of responses. An
 * input guard sees what the team is asked, and what it blocks never reaches the team; what it rewrites does not either. What
 * an output guard has changed is read anew.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { canonical, type Json } from "../../services/Json.ts"
import { ModelError, Unsupported } from "../../services/ModelError.ts"
import { type ModelEvent, ModelProvider } from "../../services/ModelProvider.ts"
import * as Agent from "../agent/Agent.ts"
import type { FullResponse } from "../request/ModelResponse.ts"
import type * as Member from "./Member.ts"
import { TeamError, type Tokens } from "./Report.ts"

/** What a team has given. */
interface Given {
  readonly data: unknown
  readonly answer: Json
  readonly usage: Tokens
  /** What reads the JSON form of this answer; absent: nothing does. */
  readonly schema: Schema.Top | undefined
}

type Runs = (input: unknown, history: Member.Messages) => Effect.Effect<Given, unknown, unknown>

// What one response has to do with its team: how to run it, and what came of it.
interface Exchange {
  readonly run: Effect.Effect<Given, unknown>
  given: Given | undefined
  failure: { readonly error: unknown } | undefined
}

const Current = Context.Reference<Exchange | undefined>("effigent/team/Exchange", { defaultValue: () => undefined })

// A model's words for an answer: the text itself, or JSON where a Schema reads it.
const textOf = (schema: Schema.Top | undefined, answer: Json): string =>
  schema === undefined && typeof answer === "string" ? answer : JSON.stringify(answer)

// Whether a text still says what the team has answered: guards write JSON in their own way.
const says = (schema: Schema.Top | undefined, text: string, answer: Json): boolean =>
  text === textOf(schema, answer) ||
  (schema !== undefined &&
    Result.match(
      // What JSON.parse gives is JSON.
      Result.try(() => JSON.parse(text) as Json),
      { onFailure: () => false, onSuccess: (json) => canonical(json) === canonical(answer) }
    ))

// Reads what output guards have changed by the Schema of who answered: that of another member might read it as well.
const reread = (
  team: string,
  schema: Schema.Top | undefined,
  text: string
): Effect.Effect<unknown, TeamError, unknown> => {
  const changed = (why: string) => {
    const problems = [`an output guard has changed ${why}`]
    return new TeamError({ team, reason: { _tag: "InvalidTeam", problems } })
  }
  if (schema === undefined) {
    return Effect.fail(changed("its results by member, which have no Schema: give the team a leader"))
  }
  return Effect.mapError(Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.toCodecJson(schema)))(text), (error) =>
    changed(`its answer to one that its Schema does not admit: ${error.message}`)
  )
}

class Playback {
  readonly name: string
  /** The model of those in the team who bring none. */
  readonly outer: ModelProvider["Service"] | undefined
  readonly stream: () => Stream.Stream<ModelEvent, ModelError>

  constructor(name: string, schema: Schema.Top | undefined, outer: ModelProvider["Service"] | undefined) {
    this.name = name
    this.outer = outer
    this.stream = () => this.play(schema)
  }

  private wrong(detail: string): ModelError {
    return new ModelError({ provider: this.name, reason: new Unsupported({ detail }) })
  }

  private play(schema: Schema.Top | undefined): Stream.Stream<ModelEvent, ModelError> {
    return Stream.unwrap(
      Effect.flatMap(Current, (exchange) => {
        if (exchange === undefined) return Effect.fail(this.wrong("a team answers its own agent alone"))
        if (exchange.given !== undefined) return Effect.fail(this.wrong("a team's answer cannot be corrected"))
        return Effect.matchEffect(exchange.run, {
          onSuccess: (given) => {
            exchange.given = given
            const text = textOf(schema, given.answer)
            const events: ReadonlyArray<ModelEvent> = [
              ...(text === "" ? [] : [{ _tag: "Text" as const, text }]),
              { _tag: "Usage", usage: given.usage },
              { _tag: "Finish", reason: "stop" }
            ]
            return Effect.succeed(Stream.fromIterable(events))
          },
          onFailure: (error) => {
            exchange.failure = { error }
            return Effect.fail(this.wrong("the team failed"))
          }
        })
      })
    )
  }
}

/**
 * Makes the agent of what runs a team.
 *
 * @param schema what the team answers with; absent: a text
 * @category constructors
 */
export const make = (
  name: string,
  schema: Schema.Top | undefined,
  runs: Runs
): Agent.Agent<unknown, unknown, unknown> => {
  const around: Agent.Around<unknown, unknown> = <A, E1, R1>(
    config: Agent.Config,
    work: (config: Agent.Config) => Effect.Effect<FullResponse<A>, E1, R1>
  ): Effect.Effect<FullResponse<A>, unknown, unknown> =>
    Effect.contextWith((context: Context.Context<unknown>) =>
      Effect.suspend(() => {
        const model = Context.getOption(context as Context.Context<never> /* looked at by key */, ModelProvider)
        const outer = Option.isSome(model) && model.value instanceof Playback ? model.value.outer : undefined
        const asked = runs(config.input ?? config.instruct ?? null, config.history ?? [])
        const exchange: Exchange = {
          // What the team needs is what its agent needs.
          run: Effect.provideContext(
            asked,
            outer === undefined ? context : Context.add(context, ModelProvider, outer)
          ) as Effect.Effect<Given, unknown>,
          given: undefined,
          failure: undefined
        }
        return work(config).pipe(
          Effect.provideService(Current, exchange),
          Effect.mapError((error) => exchange.failure?.error ?? error),
          Effect.flatMap((full) => {
            const { given } = exchange
            if (given === undefined) return Effect.succeed(full)
            if (says(schema, full.text, given.answer)) {
              // The value is the team's, which the agent's type says; the response has read its JSON form.
              return Effect.succeed({ ...full, data: given.data as A })
            }
            if (schema === undefined) return Effect.succeed(full)
            // What reads the answer gives what the agent's type says.
            return Effect.map(reread(name, given.schema, full.text), (data) => ({ ...full, data: data as A }))
          })
        )
      })
    )
  const bare = Agent.make({ name, maxRetries: 0 })
  const typed: Agent.Agent<unknown, unknown, unknown> = schema === undefined ? bare : Agent.output(bare, schema)
  const layer = Layer.effect(
    ModelProvider,
    Effect.map(Effect.serviceOption(ModelProvider), (outer) => new Playback(name, schema, Option.getOrUndefined(outer)))
  )
  return typed.pipe(Agent.around(around), Agent.provideModel(Layer.fresh(layer)))
}
