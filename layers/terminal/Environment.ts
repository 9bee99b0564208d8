/** What the environment says of the terminal. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** A variable; "" where the environment does not say it, or cannot be asked. @category reading */
export const variable = (name: string): Effect.Effect<string> =>
  Effect.orElseSucceed(
    Effect.map(
      Config.option(Config.String(name)),
      Option.getOrElse(() => "")
    ),
    () => ""
  )
