/**
 * Passages in the memory of this process, searched exactly: every vector is compared. The vectors of a collection stand
 * in one block, brought to the length 1, so that a comparison is a dot product; at 1,536 dimensions 10,000 passages are
 * 60 MB and take about 30 ms.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  type Filter,
  type Found,
  KnowledgeStore,
  KnowledgeStoreError,
  type Listed,
  type Page,
  type Passage,
  type Search
} from "../../services/KnowledgeStore.ts"
import * as Filters from "../../src/knowledge/Filter.ts"

const normOf = (vector: Float32Array): number => {
  let sum = 0
  for (const x of vector) sum += x * x
  return Math.sqrt(sum)
}

const isBetter = (a: Found, b: Found) => a.score > b.score || (a.score === b.score && a.id < b.id)

// A place in the block belongs to one passage; the last one moves into the place of one that is removed.
class Collection {
  private readonly dimensions: number
  private block: Float32Array
  private readonly places: Array<Passage> = []
  private readonly placeOf = new Map<string, number>()

  constructor(dimensions: number) {
    this.dimensions = dimensions
    this.block = new Float32Array(dimensions * 16)
  }

  get size(): number {
    return this.places.length
  }

  problemOf(vector: Float32Array): string | undefined {
    if (vector.length !== this.dimensions) {
      return (
        `a vector has ${vector.length} dimensions, the collection's have ${this.dimensions}; ` +
        `embed all of a collection with one model, or start another collection`
      )
    }
    const norm = normOf(vector)
    return norm > 0 && Number.isFinite(norm) ? undefined : "a vector is all zero or has no finite length"
  }

  get(id: string): Passage | undefined {
    const place = this.placeOf.get(id)
    return place === undefined ? undefined : this.places[place]
  }

  list({ after, limit }: Page): ReadonlyArray<Listed> {
    const ids = Array.from(this.placeOf.keys()).filter((id) => after === undefined || id > after)
    const listed = ids.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).slice(0, limit)
    return listed.flatMap((id) => {
      const passage = this.get(id)
      return passage === undefined ? [] : [{ id, text: passage.text, meta: passage.meta }]
    })
  }

  upsert(passage: Passage): void {
    const place = this.placeOf.get(passage.id) ?? this.places.length
    const start = place * this.dimensions
    if (start + this.dimensions > this.block.length) {
      const grown = new Float32Array(Math.ceil(this.block.length * 1.5) + this.dimensions)
      grown.set(this.block)
      this.block = grown
    }
    const norm = normOf(passage.vector)
    for (let i = 0; i < this.dimensions; i++) this.block[start + i] = (passage.vector[i] ?? 0) / norm
    this.places[place] = { ...passage, vector: passage.vector.slice() }
    this.placeOf.set(passage.id, place)
  }

  remove(id: string): void {
    const place = this.placeOf.get(id)
    const last = this.places.at(-1)
    if (place === undefined || last === undefined) return
    const from = (this.places.length - 1) * this.dimensions
    this.block.copyWithin(place * this.dimensions, from, from + this.dimensions)
    this.places[place] = last
    this.placeOf.set(last.id, place)
    this.places.pop()
    this.placeOf.delete(id)
  }

  removeAll(filter: Filter): void {
    const ids = this.places.filter(({ meta }) => Filters.passes(filter, meta)).map(({ id }) => id)
    for (const id of ids) this.remove(id)
  }

  search({ filter, limit, minScore = -1, vector }: Search): ReadonlyArray<Found> {
    const norm = normOf(vector)
    const { block, dimensions } = this
    const best: Array<Found> = []
    let start = 0
    for (const { id, meta, text } of this.places) {
      const first = start
      start += dimensions
      if (filter !== undefined && !Filters.passes(filter, meta)) continue
      let dot = 0
      for (let i = 0; i < dimensions; i++) dot += (block[first + i] ?? 0) * (vector[i] ?? 0)
      const score = Math.max(-1, Math.min(1, dot / norm))
      if (score < minScore) continue
      const found = { id, text, meta, score }
      const worst = best[limit - 1]
      if (worst !== undefined && !isBetter(found, worst)) continue
      // The best so far are few and in order: a place is found from the end.
      let at = Math.min(best.length, limit - 1)
      for (let before = best[at - 1]; before !== undefined && isBetter(found, before); before = best[at - 1]) {
        best[at] = before
        at--
      }
      best[at] = found
    }
    return best
  }
}

/** The store as a value. @category constructors */
export const make = (): KnowledgeStore["Service"] => {
  const collections = new Map<string, Collection>()
  const refuse = (collection: string, operation: KnowledgeStoreError["operation"], detail: string) =>
    Effect.fail(new KnowledgeStoreError({ store: "memory", collection, operation, detail }))
  return {
    upsert: (name, passages) =>
      Effect.suspend(() => {
        const [first] = passages
        if (first === undefined) return Effect.void
        const known = collections.get(name)
        // Who has removed all passages may begin with vectors of another length.
        const collection = known !== undefined && known.size > 0 ? known : new Collection(first.vector.length)
        for (const { id, vector } of passages) {
          const problem = collection.problemOf(vector)
          if (problem !== undefined) return refuse(name, "upsert", `passage ${JSON.stringify(id)}: ${problem}`)
        }
        for (const passage of passages) collection.upsert(passage)
        collections.set(name, collection)
        return Effect.void
      }),
    search: (name, search) =>
      Effect.suspend(() => {
        const collection = collections.get(name)
        if (!Number.isInteger(search.limit) || search.limit < 1) {
          return refuse(name, "search", `the limit is ${search.limit}; it has to be a whole number of at least 1`)
        }
        if (collection === undefined || collection.size === 0) return Effect.succeed([])
        const problem = collection.problemOf(search.vector)
        return problem === undefined ? Effect.succeed(collection.search(search)) : refuse(name, "search", problem)
      }),
    get: (name, ids) =>
      Effect.sync(() => {
        const collection = collections.get(name)
        return ids.flatMap((id) => collection?.get(id) ?? [])
      }),
    list: (name, page) =>
      Number.isInteger(page.limit) && page.limit > 0
        ? Effect.sync(() => collections.get(name)?.list(page) ?? [])
        : refuse(name, "list", `the limit is ${page.limit}; it has to be a whole number of at least 1`),
    remove: (name, which) =>
      Effect.sync(() => {
        const collection = collections.get(name)
        if ("filter" in which) collection?.removeAll(which.filter)
        else for (const id of which.ids) collection?.remove(id)
      }),
    count: (name) => Effect.sync(() => collections.get(name)?.size ?? 0)
  }
}

/** A store in memory, empty at first. @category layers */
export const layer: Layer.Layer<KnowledgeStore> = Layer.sync(KnowledgeStore, make)
