/** Turns deltas into plain text for consumers that take nothing else. */
import * as Stream from "effect/Stream"
import type { Delta } from "./ModelResponse.ts"

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/**
 * The texts of the deltas, with every restart as `<$retry>reason</$retry>` in between, so that a consumer of plain text
 * can tell two attempts apart. `<`, `>` and `&` of the reason are escaped.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Deltas } from "effigent"
 *
 * const deltas = Stream.make(
 *   { _tag: "TextDelta", text: "Hel" } as const,
 *   { _tag: "Restarted", attempt: 2, reason: "a < b" } as const,
 *   { _tag: "TextDelta", text: "Hello" } as const
 * )
 * console.log(Effect.runSync(Stream.mkString(Deltas.inBand(deltas)))) // => "Hel<$retry>a &lt; b</$retry>Hello"
 * ```
 *
 * @category conversions
 */
export const inBand = <E, R>(deltas: Stream.Stream<Delta, E, R>): Stream.Stream<string, E, R> =>
  Stream.map(deltas, (delta) => (delta._tag === "TextDelta" ? delta.text : `<$retry>${escape(delta.reason)}</$retry>`))
