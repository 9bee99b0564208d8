/**
 * What the handlers of a server share: its streams, its runs, its settings, and how a handler answers when something went
 * wrong.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import type * as Runs from "../../src/run/Runs.ts"
import * as Problem from "./Problem.ts"
import { type Streams, unknownClient } from "./Streams.ts"

/**
 * What the handlers of a server share.
 *
 * @category models
 */
export interface Serving {
  readonly streams: Streams
  readonly registry: Runs.Registry["Service"]
  /** What becomes of a run that nobody reads any more, and after how many milliseconds. */
  readonly disconnect: "abort" | "detach"
  readonly grace: number
  /** How many events of a run are kept. */
  readonly keep: number | undefined
  /** How long a JSON request may take, in milliseconds. */
  readonly time: number
  readonly state: { isClosing: boolean }
}

/** Who asks: the principal, or the address where nobody is asked for one. @category references */
export const Client = Context.Reference<string>("effigent/http/Client", { defaultValue: () => unknownClient })

/** Answers with a problem where the work fails. @category handlers */
export const answered = <A, E, R>(
  work: Effect.Effect<A, E, R>
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catch(work, (error) => Problem.response(Problem.told(error)))

/** A service that the program may leave out. @category handlers */
export const served = <I, S>(key: Context.Key<I, S>, what: string): Effect.Effect<S, Problem.Refused> =>
  Effect.flatMap(Effect.serviceOption(key), (service) =>
    Option.isSome(service)
      ? Effect.succeed(service.value)
      : Effect.fail(
          Problem.refuse(501, "NotServed", `This server has no ${what}. Provide it to the Layer of the server.`)
        )
  )

/** Where to read on: behind the event that was read last. @category handlers */
export const after = (header: string | undefined): Effect.Effect<number, Problem.Refused> => {
  if (header === undefined || header === "") return Effect.succeed(-1)
  return /^\d{1,15}$/.test(header)
    ? Effect.succeed(Number(header))
    : Effect.fail(
        Problem.refuse(
          400,
          "InvalidRequest",
          "Last-Event-ID is not the id of an event: send it as it came, or leave it out."
        )
      )
}
