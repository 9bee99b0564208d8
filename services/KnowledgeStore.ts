/**
 * Passages that can be found by meaning, as a service: whoever has a vector database implements these six functions.
 * Vectors come from an `EmbeddingProvider`; the typed way to both is `Knowledge` in `src`.
 *
 * What an implementation promises (`KnowledgeStoreConformance` in `effigent/testing` checks it):
 *
 * - scores are cosine similarities, from -1 to 1, best first; equal scores are in the order of their ids;
 * - a filter is applied before the best are counted, so that a search gives `limit` passages where so many match;
 * - a passage whose id is there is replaced; collections do not mix, and one that is not there is empty;
 * - a list is in the order of the ids (by their code units) and leaves none out;
 * - all vectors of a collection have one length: another one is a `KnowledgeStoreError`, and nothing is changed.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Json, JsonObject } from "./Json.ts"

/**
 * A passage as it is kept.
 *
 * @category models
 */
export interface Passage {
  /** Tells the passages of a collection apart. */
  readonly id: string
  readonly text: string
  /** Not all zero. Its length is that of all vectors of the collection. */
  readonly vector: Float32Array
  /** Facts that filters can ask for: a source, a date, an owner. */
  readonly meta: JsonObject
}

/**
 * A passage that was found.
 *
 * @category models
 */
export interface Found {
  readonly id: string
  readonly text: string
  readonly meta: JsonObject
  /** Cosine similarity to what was asked for, from -1 to 1. */
  readonly score: number
}

/**
 * A passage without its vector, as it is listed.
 *
 * @category models
 */
export type Listed = Omit<Passage, "vector">

/**
 * A part of a list.
 *
 * @category models
 */
export interface Page {
  /** How many passages at most. */
  readonly limit: number
  /** The id after which it begins: the last one of the page before. Default: at the first. */
  readonly after?: string | undefined
}

/**
 * Which passages count. A key is a key of `meta`; one with dots leads inside. What is not there equals nothing, is in no
 * list, and is neither above nor below anything.
 *
 * @category models
 */
export type Filter =
  | { readonly _tag: "Is"; readonly key: string; readonly value: Json }
  | { readonly _tag: "In"; readonly key: string; readonly values: ReadonlyArray<Json> }
  /** A list in `meta` that has this item. */
  | { readonly _tag: "Has"; readonly key: string; readonly value: Json }
  /** Numbers by size, texts by their code units: ISO dates come out right. Both ends are included. */
  | {
      readonly _tag: "Between"
      readonly key: string
      readonly from?: number | string | undefined
      readonly to?: number | string | undefined
    }
  | { readonly _tag: "All"; readonly filters: ReadonlyArray<Filter> }
  | { readonly _tag: "Any"; readonly filters: ReadonlyArray<Filter> }
  | { readonly _tag: "Not"; readonly filter: Filter }

/**
 * A search.
 *
 * @category models
 */
export interface Search {
  readonly vector: Float32Array
  /** How many passages at most. */
  readonly limit: number
  /** Passages with a lower score are not given. */
  readonly minScore?: number | undefined
  readonly filter?: Filter | undefined
}

/**
 * The store could not do what it was asked for.
 *
 * @category errors
 */
export class KnowledgeStoreError extends Schema.TaggedError<KnowledgeStoreError>()("KnowledgeStoreError", {
  /** Which store: `memory`, ... */
  store: Schema.String,
  collection: Schema.String,
  /** What it was to do. */
  operation: Schema.Literals(["upsert", "search", "get", "list", "remove", "count"]),
  /** What happened and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `The ${this.store} knowledge store cannot ${this.operation} in collection ` +
      `${JSON.stringify(this.collection)}: ${this.detail}`
    )
  }
}

/**
 * Passages that can be found by meaning.
 *
 * @category services
 */
export class KnowledgeStore extends Context.Service<
  KnowledgeStore,
  {
    /** Adds passages, and replaces those whose ids are there: all of them or none. */
    readonly upsert: (collection: string, passages: ReadonlyArray<Passage>) => Effect.Effect<void, KnowledgeStoreError>
    /** The passages nearest to a vector, best first. */
    readonly search: (collection: string, search: Search) => Effect.Effect<ReadonlyArray<Found>, KnowledgeStoreError>
    /** Passages by their ids, in the order of the ids; those that are not there are left out. */
    readonly get: (
      collection: string,
      ids: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<Passage>, KnowledgeStoreError>
    /** Passages in the order of their ids, a page at a time: every one of them, which no search promises. */
    readonly list: (collection: string, page: Page) => Effect.Effect<ReadonlyArray<Listed>, KnowledgeStoreError>
    /** Removes passages by their ids, or all that a filter lets pass. */
    readonly remove: (
      collection: string,
      which: { readonly ids: ReadonlyArray<string> } | { readonly filter: Filter }
    ) => Effect.Effect<void, KnowledgeStoreError>
    /** How many passages there are. */
    readonly count: (collection: string) => Effect.Effect<number, KnowledgeStoreError>
  }
>()("effigent/KnowledgeStore") {}
