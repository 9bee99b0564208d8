/**
 * Counts tokens as OpenAI's models do, in plain JavaScript (`gpt-tokenizer`). A vocabulary is a few megabytes; it is
 * loaded when the layer is built, not when this module is imported.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Tokenizer } from "../../services/Tokenizer.ts"

/**
 * The vocabularies: `o200k_base` of GPT-4o and everything after it, `o200k_harmony` of gpt-oss, `cl100k_base` of GPT-4,
 * GPT-3.5 and the embedding models.
 *
 * @category models
 */
export type Vocabulary = "o200k_base" | "o200k_harmony" | "cl100k_base"

/**
 * The package `gpt-tokenizer` is missing or broken.
 *
 * @category errors
 */
export class TokenizerError extends Schema.TaggedError<TokenizerError>()("TokenizerError", {
  /** The vocabulary that was to be loaded. */
  vocabulary: Schema.String,
  /** What happened. */
  detail: Schema.String
}) {
  override get message(): string {
    return `The vocabulary ${this.vocabulary} cannot be loaded; is the package gpt-tokenizer installed? ${this.detail}`
  }
}

const load = (vocabulary: Vocabulary) => {
  switch (vocabulary) {
    case "o200k_base":
      return import("gpt-tokenizer/encoding/o200k_base")
    case "o200k_harmony":
      return import("gpt-tokenizer/encoding/o200k_harmony")
    case "cl100k_base":
      return import("gpt-tokenizer/encoding/cl100k_base")
  }
}

// What reads like a special token is text that somebody wrote.
const plain = { disallowedSpecial: new Set<string>() }

/** The tokenizer with a vocabulary. @category layers */
export const layerWith = (vocabulary: Vocabulary): Layer.Layer<Tokenizer, TokenizerError> =>
  Layer.effect(
    Tokenizer,
    Effect.tryPromise({
      try: () => load(vocabulary),
      catch: (error) => new TokenizerError({ vocabulary, detail: String(error) })
    }).pipe(Effect.map(({ countTokens }) => ({ name: vocabulary, count: (text: string) => countTokens(text, plain) })))
  )

/**
 * The tokenizer of OpenAI's current models, `o200k_base`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { GptTokenizer } from "effigent/layers/tokenizer"
 * import { Tokenizer } from "effigent/services/Tokenizer"
 *
 * const count = Tokenizer.use((tokenizer) => Effect.succeed(tokenizer.count("Where is my order?")))
 * console.log(await Effect.runPromise(count.pipe(Effect.provide(GptTokenizer.layer)))) // => 5
 * ```
 *
 * @category layers
 */
export const layer: Layer.Layer<Tokenizer, TokenizerError> = layerWith("o200k_base")
