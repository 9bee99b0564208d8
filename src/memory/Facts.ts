/**
 * The memories of one user as a collection of a `KnowledgeStore`. Each user has a collection, so that no filter can be
 * forgotten between two of them. A memory's id is its text, read without regard to case and blanks: the same fact is kept
 * once, however many runs and programs learn it at the same time.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { EmbeddingProvider } from "../../services/EmbeddingProvider.ts"
import { KnowledgeStore, type KnowledgeStoreError, type Listed } from "../../services/KnowledgeStore.ts"
import { type KnowledgeError, search, type SearchOptions } from "../knowledge/Knowledge.ts"
import { type Operations, tidy } from "./Operations.ts"

/**
 * Something that is remembered of a user.
 *
 * @category models
 */
export interface Fact {
  /** Tells the memories of a user apart; changes with the text. */
  readonly id: string
  readonly text: string
  /** When it was learnt or last changed, in milliseconds since 1970. */
  readonly at: number
}

/**
 * What has become of the memories of a user.
 *
 * @category models
 */
export interface Changes {
  readonly added: ReadonlyArray<Fact>
  /** As they read now. */
  readonly updated: ReadonlyArray<Fact>
  /** As they read before. */
  readonly forgotten: ReadonlyArray<Fact>
}

/** The collection of a user. Two users never share one: what separates the parts is escaped. @category names */
export const collectionOf = (prefix: string, user: string): string =>
  `${prefix}/${user.replaceAll("%", "%25").replaceAll("/", "%2f")}`

const idOf = (text: string): string => tidy(text).toLowerCase()

const factOf = ({ id, meta, text }: Listed): Fact => ({ id, text, at: typeof meta["at"] === "number" ? meta["at"] : 0 })

/** The memories nearest to a text, best first. @category reading */
export const nearest = (collection: string, text: string, options: SearchOptions) =>
  Effect.map(search(collection, text, options), (found) =>
    found.map((one) => ({ fact: factOf(one), score: one.score }))
  )

const pageSize = 500

/** Every memory, in the order in which they were learnt. @category reading */
export const all = Effect.fnUntraced(function* (
  collection: string
): Effect.fn.Return<ReadonlyArray<Fact>, KnowledgeStoreError, KnowledgeStore> {
  const store = yield* KnowledgeStore
  const facts: Array<Fact> = []
  for (;;) {
    const page = yield* store.list(collection, { limit: pageSize, after: facts.at(-1)?.id })
    facts.push(...page.map(factOf))
    // Ids are in one order, times in another: sorting keeps the first among equals.
    if (page.length < pageSize) return facts.sort((a, b) => a.at - b.at)
  }
})

/**
 * What a proposal comes to, ready to be written. Nothing is changed yet; `write` changes all or nothing that an
 * interruption could cut.
 *
 * @category changing
 */
export interface Prepared extends Changes {
  readonly write: Effect.Effect<void, KnowledgeStoreError>
}

/**
 * Prepares the change: what is known already is not added again, and a memory that is gone meanwhile, since its user had
 * it erased or another run has changed it, is neither updated nor forgotten. Texts are embedded here.
 *
 * @category changing
 */
export const prepare = Effect.fnUntraced(function* (
  collection: string,
  known: ReadonlyArray<Fact>,
  { operations }: Operations
): Effect.fn.Return<Prepared, KnowledgeError, EmbeddingProvider | KnowledgeStore> {
  const store = yield* KnowledgeStore
  const provider = yield* EmbeddingProvider
  const at = yield* Clock.currentTimeMillis
  const named = operations.map((operation) => (operation.op === "add" ? undefined : known[operation.memory - 1]))
  const texts = operations.map((operation) => (operation.op === "forget" ? "" : tidy(operation.text)))
  const ids = new Set([...named.flatMap((fact) => fact?.id ?? []), ...texts.map(idOf)])
  const there = new Map((yield* store.get(collection, [...ids])).map((passage) => [passage.id, passage]))

  const added = new Map<string, Fact>()
  const updated = new Map<string, Fact>()
  const forgotten: Array<Fact> = []
  const gone = new Set<string>()
  for (const [index, operation] of operations.entries()) {
    const before = named[index]
    const text = texts[index] ?? ""
    const id = idOf(text)
    if (operation.op === "add") {
      if (id !== "" && !there.has(id)) added.set(id, { id, text, at })
    } else if (before !== undefined && there.has(before.id)) {
      gone.add(before.id)
      if (operation.op === "forget") forgotten.push(before)
      else if (id !== "") updated.set(id, { id, text, at })
    }
  }
  for (const id of updated.keys()) added.delete(id)
  const fresh = [...added.values(), ...updated.values()]
  for (const { id } of fresh) gone.delete(id)

  const { vectors } = yield* provider.embed({ texts: fresh.map(({ text }) => text) })
  const passages = fresh.flatMap(({ at, id, text }, index) => {
    const vector = vectors[index]
    return vector === undefined ? [] : [{ id, text, vector, meta: { at } }]
  })
  // What is new is there before what is old is gone: a crash in between leaves both, and loses nothing.
  const write = Effect.andThen(
    passages.length === 0 ? Effect.void : store.upsert(collection, passages),
    gone.size === 0 ? Effect.void : store.remove(collection, { ids: [...gone] })
  )
  return {
    added: [...added.values()],
    updated: [...updated.values()],
    forgotten,
    write: Effect.uninterruptible(write)
  }
})
