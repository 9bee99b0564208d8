/** What is told of a response to whoever traces it (`Telemetry` of `effigent/services/Telemetry`). */
import type * as Effect from "effect/Effect"
import type { Telemetry } from "../../services/Telemetry.ts"
import type { Source } from "./Attempts.ts"
import type { FullResponse } from "./ModelResponse.ts"
import { totalUsage } from "./Recorder.ts"

/** A source whose requests are traced. It stands next to the provider. @category tracing */
export const source = <E, R>(telemetry: Telemetry, source: Source<E, R>, agent: string | undefined): Source<E, R> => ({
  name: source.name,
  stream: (request, reading) =>
    telemetry.chat({ provider: source.name, agent, request }, source.stream(request, reading))
})

/** The work of a response, with all that it starts inside it. @category tracing */
export const around = <A, E, R>(
  telemetry: Telemetry,
  config: { readonly name?: string | undefined; readonly input?: unknown; readonly model?: string | undefined },
  provider: string,
  work: Effect.Effect<FullResponse<A>, E, R>
): Effect.Effect<FullResponse<A>, E, R> =>
  telemetry.agent({ name: config.name, input: config.input, provider, model: config.model }, work, (full) => ({
    text: full.text,
    usage: totalUsage(full.attempts),
    attempts: full.attempts.length
  }))
