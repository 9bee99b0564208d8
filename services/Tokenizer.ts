/**
 * Counting tokens as a service. It counts on this machine, synchronously: windows are measured message by message.
 *
 * Every model has its own vocabulary. Counts of another vendor's tokenizer are estimates, some 10 to 30 per cent off for
 * English text: leave room.
 */
import * as Context from "effect/Context"

/**
 * Counts tokens.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Tokenizer } from "effigent/services/Tokenizer"
 *
 * const words = Layer.succeed(Tokenizer, { name: "words", count: (text) => text.split(/\s+/).length })
 * const count = Tokenizer.use((tokenizer) => Effect.succeed(tokenizer.count("to be or not")))
 * console.log(Effect.runSync(count.pipe(Effect.provide(words)))) // => 4
 * ```
 *
 * @category services
 */
export class Tokenizer extends Context.Service<
  Tokenizer,
  {
    /** The vocabulary: `o200k_base`, ... */
    readonly name: string
    /** The number of tokens of a text. Text that looks like a special token counts as text. */
    readonly count: (text: string) => number
  }
>()("effigent/Tokenizer") {}
