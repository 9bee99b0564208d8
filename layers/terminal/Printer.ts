/** Shows runs on standard output while they are at work: in colours on a terminal, as plain rows where it is piped. */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { RunEnvelope, RunWasCancelled, WatcherOverflow } from "../../services/Run.ts"
import * as Runs from "../../src/run/Runs.ts"
import { variable } from "./Environment.ts"
import { type Look, Painter } from "./Painter.ts"

/**
 * How runs are shown. What is absent is found out: colours and the line of state where standard output is a terminal and
 * `NO_COLOR` is not set; the width of the terminal, else `COLUMNS`, else 80, and no breaking of lines where it is piped.
 *
 * @category models
 */
export type Options = Partial<Look>

const lookOf = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Look, never, Stdio.Stdio> {
  const stdio = yield* Stdio.Stdio
  const isTerminal = yield* stdio.stdoutIsTerminal
  const isColorful = isTerminal && (yield* variable("NO_COLOR")) === ""
  const columns = Number(yield* variable("COLUMNS")) || process.stdout.columns || 80
  return {
    ...options,
    color: options.color ?? isColorful,
    live: options.live ?? isColorful,
    width: Math.max(1, options.width ?? (isTerminal ? columns : Number.POSITIVE_INFINITY))
  }
})

/**
 * Events as the texts that show them.
 *
 * @category rendering
 */
export const render = <E, R>(events: Stream.Stream<RunEnvelope, E, R>, look: Look): Stream.Stream<string, E, R> =>
  Stream.suspend(() => {
    const painter = new Painter(look)
    const texts = Stream.map(events, (event) => painter.write(event))
    return Stream.concat(
      texts,
      Stream.sync(() => painter.end())
    ).pipe(Stream.filter((text) => text !== ""))
  })

/**
 * Shows the events of a run, and of the runs inside it, to their end.
 *
 * @category printing
 */
export const print = <E, R>(
  events: Stream.Stream<RunEnvelope, E, R>,
  options: Options = {}
): Effect.Effect<void, E | PlatformError, R | Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) =>
    Effect.flatMap(lookOf(options), (look) => Stream.run(render(events, look), stdio.stdout({ endOnDone: false })))
  )

/**
 * Runs a job, shows it while it is at work, and gives its result.
 *
 * @category printing
 */
export const run = <const J extends Runs.Job<unknown, unknown, unknown>>(
  job: J,
  options: Options & Runs.Options = {}
): Effect.Effect<
  Effect.Success<Runs.EffectOf<J>>,
  Effect.Error<Runs.EffectOf<J>> | RunWasCancelled | WatcherOverflow | PlatformError,
  Exclude<Effect.Services<Runs.EffectOf<J>>, Scope.Scope> | Stdio.Stdio
> =>
  Effect.scoped(
    Effect.gen(function* () {
      const run = yield* Runs.start(job, options)
      yield* print(run.events(), options)
      return yield* run.result
    })
  )
