/**
 * Embeddings without a key and without a network: a text's word stems and three-letter pieces, hashed into the places of
 * a vector. Texts that share words, or forms of them, are near each other; what means alike in other words is not. The
 * same text always has the same vector.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EmbeddingProvider } from "../../services/EmbeddingProvider.ts"
import * as Text from "./Text.ts"

/** The name that the offline embeddings give themselves. @category constants */
export const model = "offline-hash-1"

/**
 * Options of the offline embeddings.
 *
 * @category models
 */
export interface Options {
  /** The length of the vectors where a request names none. Default 512. */
  readonly dimensions?: number | undefined
}

// Words that stand in every text say nothing about one.
const common = new Set(
  (
    "a an the and or but if of to in on at by for from with as is are was were be been it its this that these those i you " +
    "he she we they my your our their me us them do does did have has had not no can will would should could how what " +
    "when where which who why there here so than then just about into over"
  ).split(" ")
)

const wordWeight = 1
const pieceWeight = 0.35

const embed = (text: string, dimensions: number): Float32Array => {
  const counts = new Map<string, number>()
  const add = (feature: string, weight: number) => counts.set(feature, (counts.get(feature) ?? 0) + weight)
  for (const [word] of text
    .toLowerCase()
    .normalize("NFKC")
    .matchAll(/[\p{L}\p{N}]+/gu)) {
    if (common.has(word)) continue
    const stem = Text.stem(word)
    add(`w ${stem}`, wordWeight)
    const edged = `^${stem}$`
    for (let i = 0; i + 3 <= edged.length; i++) add(`p ${edged.slice(i, i + 3)}`, pieceWeight)
  }
  // A text without words still has a vector.
  if (counts.size === 0) add(`t ${text.trim()}`, 1)
  const vector = new Float32Array(dimensions)
  for (const [feature, count] of counts) {
    const hash = Text.hash(feature)
    const place = (hash >>> 1) % dimensions
    // A sign by the hash: features that share a place cancel out as often as they add up.
    vector[place] = (vector[place] ?? 0) + (hash & 1 ? 1 : -1) * Math.sqrt(count)
  }
  let sum = 0
  for (const x of vector) sum += x * x
  if (sum === 0) vector[0] = sum = 1
  const norm = Math.sqrt(sum)
  for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) / norm
  return vector
}

/** The offline embeddings with options of their own. @category layers */
export const layerWith = (options: Options): Layer.Layer<EmbeddingProvider> =>
  Layer.succeed(EmbeddingProvider, {
    name: "offline",
    embed: ({ dimensions, texts }) =>
      Effect.sync(() => {
        const length = Math.max(8, Math.floor(dimensions ?? options.dimensions ?? 512))
        return {
          vectors: texts.map((text) => embed(text, length)),
          model,
          usage: { inputTokens: texts.reduce((sum, text) => sum + Text.wordsOf(text).length, 0) }
        }
      })
  })

/** The offline embeddings: no key, no network. @category layers */
export const layer: Layer.Layer<EmbeddingProvider> = layerWith({})
