/**
 * Two models for one answer: one that thinks and acts, in words, and one that turns its words into a value or writes what
 * is shown. Those who watch see one run with two inside it, each under its own role.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Agent from "../agent/Agent.ts"
import * as Runs from "./Runs.ts"

type Both<A, E, R> = Effect.Effect<A, E | Agent.AgentError, Exclude<R, Scope.Scope>>

/**
 * Gives the text of one agent to a second one, whose output is the answer: for a strong model without structured output
 * and a cheap one that has it. The second one's role is `parser`, where it has none.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent, Output } from "effigent"
 * import { Relay } from "effigent/run"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const thinker = Agent.make({ name: "thinker", input: "How hot is it in Oslo?" })
 * const parser = Agent.make({ name: "parser", output: Schema.Struct({ celsius: Output.ensure(Schema.Int) }) })
 *
 * const model = ScriptedModel.layer([ScriptedModel.text("Some 4 degrees."), ScriptedModel.json({ celsius: 4 })])
 * console.log(await Effect.runPromise(Relay.parse(thinker, parser).pipe(Effect.provide(model)))) // => { celsius: 4 }
 * ```
 *
 * @category combinators
 */
export const parse = <E, R, I, A2, E2, R2, I2>(
  agent: Agent.Agent<string, E, R, I>,
  parser: Agent.Agent<A2, E2, R2, I2>
): Both<A2, E | E2, R | R2> => relay(agent, "parser", (text) => Agent.input(parser, text))

/**
 * Gives the answer of one agent to a second one that writes what is shown: in another tone, another language, another
 * model's words. It sees what the first one was asked as well. Its role is `output`, where it has none.
 *
 * @category combinators
 */
export const rewrite = <A, E, R, I, A2, E2, R2, I2>(
  agent: Agent.Agent<A, E, R, I>,
  writer: Agent.Agent<A2, E2, R2, I2>
): Both<A2, E | E2, R | R2> =>
  relay(agent, "output", (answer) => {
    const { input: question } = agent.config
    const asked = Agent.input(writer, answer)
    return question === undefined ? asked : Agent.info(asked, { question })
  })

const relay = <A, E, R, I, A2, E2, R2, I2>(
  agent: Agent.Agent<A, E, R, I>,
  role: string,
  second: (answer: A) => Agent.Agent<A2, E2, R2, I2>
): Both<A2, E | E2, R | R2> =>
  Agent.run(agent).pipe(
    Effect.flatMap((answer) => {
      const next = second(answer)
      return Agent.run(Agent.settings(next, { role: next.config.role ?? role }))
    }),
    (work) => Runs.observe(work, { name: agent.config.name, input: agent.config.input })
  )
