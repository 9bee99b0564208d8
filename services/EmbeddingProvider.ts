/**
 * Embeddings as a service: texts go in, vectors that are near each other where the texts mean alike come out. Failures
 * are those of models, in the same type.
 *
 * What an implementation promises: one vector per text, in the order of the texts; all vectors of one answer are of one
 * length; no texts, no request; interruption closes the connection.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ModelError } from "./ModelError.ts"

/**
 * Texts to embed.
 *
 * @category models
 */
export interface EmbeddingRequest {
  readonly texts: ReadonlyArray<string>
  /** The length of the vectors, where the model lets one choose. */
  readonly dimensions?: number | undefined
  /** Name of a model; absent: the provider's default. */
  readonly model?: string | undefined
}

/**
 * The vectors of the texts, in their order.
 *
 * @category models
 */
export interface Embeddings {
  readonly vectors: ReadonlyArray<Float32Array>
  /** The model that answered: vectors of different models cannot be compared. */
  readonly model: string
  readonly usage: {
    /** Tokens of all texts, as far as the provider says. */
    readonly inputTokens?: number | undefined
  }
}

/**
 * Embeddings as a service.
 *
 * @category services
 */
export class EmbeddingProvider extends Context.Service<
  EmbeddingProvider,
  {
    /** The provider's name, as it stands in errors and spans. */
    readonly name: string
    /** Embeds texts. */
    readonly embed: (request: EmbeddingRequest) => Effect.Effect<Embeddings, ModelError>
  }
>()("effigent/EmbeddingProvider") {}
