/**
 * Knowledge that a prompt draws on: passages are embedded and kept, found by meaning, and laid into the INFO section of
 * an agent's prompt with their ids, so that an answer can name its sources.
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { EmbeddingProvider } from "../../services/EmbeddingProvider.ts"
import type { JsonObject } from "../../services/Json.ts"
import { type Filter, type Found, KnowledgeStore, type KnowledgeStoreError } from "../../services/KnowledgeStore.ts"
import type { ModelError } from "../../services/ModelError.ts"
import * as Agent from "../agent/Agent.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import type { Slots } from "../prompt/Slots.ts"
import * as Text from "../prompt/Text.ts"

/**
 * A text to be found.
 *
 * @category models
 */
export interface Document {
  /** Tells the passages of a collection apart; what has the id already is replaced. */
  readonly id: string
  readonly text: string
  /** Facts that filters can ask for. */
  readonly meta?: JsonObject | undefined
}

/** How knowledge can fail. @category errors */
export type KnowledgeError = ModelError | KnowledgeStoreError

/**
 * Embeds texts and keeps them. Texts that are there already with the same id and text are not embedded again; their
 * facts are replaced.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Knowledge } from "effigent"
 * import { OfflineEmbeddings } from "effigent/layers/offline"
 * import { KnowledgeStores } from "effigent/layers/store"
 *
 * const program = Effect.gen(function* () {
 *   yield* Knowledge.add("manual", [
 *     { id: "reset", text: "Hold the power button for ten seconds to reset the lamp." },
 *     { id: "bulb", text: "The bulb cannot be replaced by the user." }
 *   ])
 *   const found = yield* Knowledge.search("manual", "How do I reset the lamp?", { limit: 1 })
 *   return found.map(({ id }) => id)
 * })
 * const ids = await Effect.runPromise(program.pipe(Effect.provide([OfflineEmbeddings.layer, KnowledgeStores.memory])))
 * console.log(ids) // => [ 'reset' ]
 * ```
 *
 * @category keeping
 */
export const add = Effect.fnUntraced(function* (
  collection: string,
  documents: ReadonlyArray<Document>
): Effect.fn.Return<void, KnowledgeError, EmbeddingProvider | KnowledgeStore> {
  const store = yield* KnowledgeStore
  const provider = yield* EmbeddingProvider
  const there = yield* store.get(
    collection,
    documents.map(({ id }) => id)
  )
  const known = new Map(there.map((passage) => [passage.id, passage]))
  const changed = documents.filter(({ id, text }) => known.get(id)?.text !== text)
  const { vectors } = yield* provider.embed({ texts: changed.map(({ text }) => text) })
  const fresh = new Map(changed.map((document, index) => [document, vectors[index]]))
  const passages = documents.flatMap((document) => {
    const { id, meta = {}, text } = document
    const vector = fresh.get(document) ?? known.get(id)?.vector
    return vector === undefined ? [] : [{ id, text, meta, vector }]
  })
  yield* store.upsert(collection, passages)
})

/**
 * How a search is made.
 *
 * @category models
 */
export interface SearchOptions {
  /** How many passages at most. Default 5. */
  readonly limit?: number | undefined
  /** Passages with a lower score are not given. */
  readonly minScore?: number | undefined
  /** Which passages count; `Filter` makes them. */
  readonly filter?: Filter | undefined
}

/** The passages whose meaning is nearest to a text, best first. @category searching */
export const search = Effect.fnUntraced(function* (
  collection: string,
  text: string,
  options: SearchOptions = {}
): Effect.fn.Return<ReadonlyArray<Found>, KnowledgeError, EmbeddingProvider | KnowledgeStore> {
  const store = yield* KnowledgeStore
  const provider = yield* EmbeddingProvider
  const { vectors } = yield* provider.embed({ texts: [text] })
  const [vector] = vectors
  return vector === undefined ? [] : yield* store.search(collection, { ...options, limit: options.limit ?? 5, vector })
})

/**
 * What an agent looks up.
 *
 * @category models
 */
export interface InfoOptions extends SearchOptions {
  readonly collection: string
  /** What is looked up, made of the prompt's slots; nothing where it is blank. Default: the input. */
  readonly query?: string | ((slots: Slots) => string | undefined) | undefined
}

const withPassages = (info: unknown, found: ReadonlyArray<Found>): unknown => {
  const knowledge = { knowledge: found.map(({ id, text }) => ({ id, text })) }
  if (info === undefined) return knowledge
  if (Array.isArray(info)) return [...info, knowledge]
  const isFacts = typeof info === "object" && info !== null && Object.getPrototypeOf(info) === Object.prototype
  return isFacts ? { ...info, ...knowledge } : [info, knowledge]
}

const queryOf = (options: InfoOptions, slots: Slots): Effect.Effect<string, PromptError> => {
  const { query } = options
  if (typeof query === "string") return Effect.succeed(query)
  if (query !== undefined) return Effect.succeed(query(slots) ?? "")
  return slots.input === undefined ? Effect.succeed("") : Effect.fromResult(Text.render("input", slots.input))
}

/**
 * Gives an agent what a collection knows about its input: each run searches, and adds what was found to the INFO section
 * as `knowledge`, each passage with its id. Where nothing was found nothing is added.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Agent, Knowledge } from "effigent"
 * import { OfflineEmbeddings } from "effigent/layers/offline"
 * import { KnowledgeStores } from "effigent/layers/store"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const helper = Agent.make({ instruct: "Answer, and name the ids of your sources." }).pipe(
 *   Knowledge.info({ collection: "manual", limit: 2 })
 * )
 * const program = Effect.gen(function* () {
 *   yield* Knowledge.add("manual", [{ id: "reset", text: "Hold the button for ten seconds." }])
 *   return yield* helper.pipe(Agent.input("How do I reset it? Which button?"), Agent.run)
 * })
 *
 * const sees = ScriptedModel.text("Hold the button [reset].", {
 *   expect: (request) => JSON.stringify(request.prompt).includes("id: reset")
 * })
 * const layers = Layer.mergeAll(ScriptedModel.layer([sees]), OfflineEmbeddings.layer, KnowledgeStores.memory)
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layers)))) // => Hold the button [reset].
 * ```
 *
 * @category prompting
 */
export const info: {
  (
    options: InfoOptions
  ): <A, E, R, I>(
    self: Agent.Agent<A, E, R, I>
  ) => Agent.Agent<A, E | KnowledgeError | PromptError, R | EmbeddingProvider | KnowledgeStore, I>
  <A, E, R, I>(
    self: Agent.Agent<A, E, R, I>,
    options: InfoOptions
  ): Agent.Agent<A, E | KnowledgeError | PromptError, R | EmbeddingProvider | KnowledgeStore, I>
} = dual(2, <A, E, R, I>(self: Agent.Agent<A, E, R, I>, options: InfoOptions) => Agent.around(self, lookUp(options)))

const lookUp =
  (options: InfoOptions): Agent.Around<KnowledgeError | PromptError, EmbeddingProvider | KnowledgeStore> =>
  (config, work) =>
    Effect.gen(function* () {
      const { collection, query: _query, ...how } = options
      const query = yield* queryOf(options, config)
      const found = query.trim() === "" ? [] : yield* search(collection, query, how)
      return yield* work(found.length === 0 ? config : { ...config, info: withPassages(config.info, found) })
    })

/**
 * Splits a long text into passages of at most so many characters, at the ends of paragraphs, else of sentences, else of
 * words. Nothing is lost but white space between the passages.
 *
 * @example
 * ```ts
 * import { Knowledge } from "effigent"
 *
 * console.log(Knowledge.split("One. Two.\n\nThree.", 12)) // => [ 'One. Two.', 'Three.' ]
 * ```
 *
 * @category keeping
 */
export const split = (text: string, maxLength = 1_000): ReadonlyArray<string> => {
  const max = Math.max(1, Math.floor(maxLength))
  const out: Array<string> = []
  for (let rest = text.trim(); rest !== "";) {
    const end = rest.length <= max ? rest.length : endOf(rest, max)
    out.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return out
}

const ends = [/\n\s*\n/g, /[.!?\u2026]["')\]]*\s|[\u3002\uff01\uff1f]|\n/g, /\s/g]

// The last good place in the first `max` characters.
const endOf = (text: string, max: number): number => {
  const head = text.slice(0, max + 1)
  for (const pattern of ends) {
    let end = 0
    for (const match of head.matchAll(pattern)) {
      const at = match.index + match[0].trimEnd().length
      if (at <= max) end = at
    }
    if (end > 0) return end
  }
  const last = text.charCodeAt(max - 1)
  return max > 1 && last >= 0xd800 && last <= 0xdbff ? max - 1 : max
}
