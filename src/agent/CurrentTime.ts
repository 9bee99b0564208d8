/** Tells a model what time it is: it does not know. The time is read from the Clock, so that tests can set it. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { PromptError } from "../prompt/PromptError.ts"
import * as Agent from "./Agent.ts"

/**
 * How the time is told.
 *
 * @category models
 */
export interface Options {
  /** The time zone: a name like `Europe/Berlin`, or an offset like `+02:00`. Default `UTC`. */
  readonly zone?: string | undefined
}

const slot = "current time"

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

// The weekday is what models reckon worst.
const told = (now: DateTime.Zoned): string =>
  `${weekdays[DateTime.getPart(now, "weekDay")] ?? ""} ${DateTime.formatIsoZoned(now)}`

const ahead =
  ({ zone = "UTC" }: Options): Agent.Around<PromptError> =>
  (config, work) =>
    Effect.gen(function* () {
      const known = DateTime.zoneFromString(zone)
      if (Option.isNone(known)) {
        const detail = `knows no time zone ${JSON.stringify(zone)}; give a name like "Europe/Berlin" or an offset like "+02:00"`
        return yield* new PromptError({ slot, detail })
      }
      const now = DateTime.makeZonedUnsafe(yield* Clock.currentTimeMillis, { timeZone: known.value })
      return yield* work({ ...config, custom: { [slot]: told(now), ...config.custom } })
    })

/**
 * Gives an agent the time of each run, as the section `[CURRENT TIME]` behind INFO. All attempts of a run are told the
 * same; a `current time` among the agent's custom slots counts instead. It is not part of any agent by itself: a prompt
 * that changes with each request is kept by no cache.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, CurrentTime } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const agent = Agent.make({ input: "Is it a weekday?" }).pipe(CurrentTime.attach({ zone: "Europe/Berlin" }))
 * const sees = ScriptedModel.text("It is.", {
 *   expect: ({ prompt }) => JSON.stringify(prompt).includes("[CURRENT TIME]:")
 * })
 * console.log(await Effect.runPromise(agent.pipe(Agent.run, Effect.provide(ScriptedModel.layer([sees]))))) // => It is.
 * ```
 *
 * @category combinators
 */
export const attach: {
  (options?: Options): <A, E, R, I>(self: Agent.Agent<A, E, R, I>) => Agent.Agent<A, E | PromptError, R, I>
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options?: Options): Agent.Agent<A, E | PromptError, R, I>
} = dual(
  (args) => Agent.isAgent(args[0]),
  <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options: Options = {}): Agent.Agent<A, E | PromptError, R, I> =>
    Agent.around(self, ahead(options))
)
