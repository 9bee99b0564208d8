/**
 * What is remembered of a user over all conversations. Around an agent, a run recalls what is known that bears on the
 * user's words and lays it into the prompt; beside it a small model reads the same words and says what is worth keeping,
 * given what is known already: add, update, forget.
 *
 * The extraction starts with the run and goes on while the model answers. What it says is written when the run has
 * succeeded, at once and as a whole: a run that fails or is interrupted leaves no memory, nor half of one. An extraction
 * that fails is logged and reported, and never fails the run.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Scope from "effect/Scope"
import type { EmbeddingProvider } from "../../services/EmbeddingProvider.ts"
import { KnowledgeStore, type KnowledgeStoreError } from "../../services/KnowledgeStore.ts"
import type { ModelProvider, Usage } from "../../services/ModelProvider.ts"
import * as Agent from "../agent/Agent.ts"
import type { KnowledgeError, SearchOptions } from "../knowledge/Knowledge.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import * as Slots from "../prompt/Slots.ts"
import * as Text from "../prompt/Text.ts"
import * as Budget from "../request/Budget.ts"
import * as Validation from "../request/Validation.ts"
import * as Facts from "./Facts.ts"
import { faults, instruction, Operations } from "./Operations.ts"

export type { Changes, Fact } from "./Facts.ts"

/**
 * What an extraction came to. `kept`: something has changed. `nothing`: there was nothing to remember. `failed`: it
 * failed, or took longer than `patience`. `dropped`: its run failed or was interrupted, or its owner's Scope closed.
 *
 * @category models
 */
export interface Report extends Facts.Changes {
  readonly user: string
  readonly status: "kept" | "nothing" | "failed" | "dropped"
  /** Tokens of the extraction, as far as they are known. */
  readonly usage: Usage
  /** Milliseconds from the start of the run to the end of the extraction. */
  readonly duration: number
  /** Why it failed; absent where it did not. */
  readonly cause: Cause.Cause<unknown> | undefined
}

/**
 * What a memory is made of.
 *
 * @category models
 */
export interface Options<E = never, R = ModelProvider> {
  /**
   * The agent that says what to remember: a small model, mostly. Its instruction replaces ours; its own output is not
   * used. Default: the model of the agent that the memory is attached to.
   */
  readonly extractor?: Agent.Agent<unknown, E, R> | undefined
  /**
   * What the extractor reads. `input`: the user's words; it runs beside the model. `exchange`: the words and the answer;
   * it begins when the answer is complete. Default `input`.
   */
  readonly from?: "input" | "exchange" | undefined
  /** What of it goes into the prompt. `limit` 0: nothing. Default: the 5 nearest to the user's words. */
  readonly recall?: Pick<SearchOptions, "limit" | "minScore"> | undefined
  /** How many known memories, nearest first, the extractor is shown. Default 20. */
  readonly known?: number | undefined
  /** How long an extraction may go on after the answer is complete. Default 10 seconds. */
  readonly patience?: Duration.Input | undefined
  /** Is told what each extraction came to. */
  readonly report?: ((report: Report) => Effect.Effect<void>) | undefined
  /** What the names of the collections begin with. Default `memories`. */
  readonly collection?: string | undefined
}

type Work = Effect.Effect<void, never, never>

const TypeId = "~effigent/Memory"

/**
 * The memory of an application: a policy and where it is kept. `R` is what its extractions need of a run.
 *
 * @category models
 */
export interface Memory<out R = never> {
  readonly [TypeId]: () => R
  readonly options: Options<unknown, unknown>
  /** Where extractions live that outlive their runs; absent where runs join them. */
  readonly owner: ((work: Effect.Effect<void, never, unknown>) => Effect.Effect<Fiber.Fiber<void>>) | undefined
}

const collectionOf = ({ options }: Memory<unknown>, user: string): string =>
  Facts.collectionOf(options.collection ?? "memories", user)

// Who has no name has no memory: all of them would share one.
const isBlank = (user: string): boolean => user.trim() === ""

/**
 * A memory whose extractions are joined at the end of their runs. Streams of a response are not held up; `data` and the
 * end of a stream wait for the extraction, at most for `patience`. Its requests count against the run's budgets.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Agent } from "effigent"
 * import { Memory } from "effigent/memory"
 * import { OfflineEmbeddings } from "effigent/layers/offline"
 * import { KnowledgeStores } from "effigent/layers/store"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const learns = ScriptedModel.json({ operations: [{ op: "add", text: "The user is a vegetarian." }] })
 * const memory = Memory.make({
 *   extractor: Agent.make({}).pipe(Agent.provideModel(ScriptedModel.layer([learns])))
 * })
 * const cook = Agent.make({ system: "You are a cook." }).pipe(Memory.attach(memory, "ada"))
 *
 * const program = Effect.gen(function* () {
 *   yield* cook.pipe(Agent.input("I eat no meat. What shall I cook?"), Agent.run)
 *   const known = yield* Memory.list(memory, "ada")
 *   return known.map(({ text }) => text)
 * })
 * const model = ScriptedModel.layer([ScriptedModel.text("A risotto.")])
 * const layers = Layer.mergeAll(model, OfflineEmbeddings.layer, KnowledgeStores.memory)
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layers)))) // => [ 'The user is a vegetarian.' ]
 * ```
 *
 * @category constructors
 */
export const make = <E = never, R = ModelProvider>(options: Options<E, R> = {}): Memory<Exclude<R, Scope.Scope>> =>
  memoryOf(options, undefined)

const memoryOf = <R>(options: Options<unknown, unknown>, owner: Memory["owner"]): Memory<R> => {
  const memory: Omit<Memory<R>, typeof TypeId> = { options, owner }
  return memory as Memory<R> // `R` is a phantom: what needs it is the extractor in the options
}

/**
 * A memory whose extractions belong to the current Scope: no run waits for one, and closing the Scope ends those that are
 * under way. They use the services that are there now, not those of the run, and count against the budgets around this.
 *
 * @category constructors
 */
export const background = Effect.fnUntraced(function* <E = never, R = ModelProvider>(
  options: Options<E, R> = {}
): Effect.fn.Return<Memory, never, Exclude<R, Scope.Scope> | EmbeddingProvider | KnowledgeStore | Scope.Scope> {
  const context = yield* Effect.context<Exclude<R, Scope.Scope> | EmbeddingProvider | KnowledgeStore | Scope.Scope>()
  const scope = yield* Scope.Scope
  const budgets = yield* Budget.Current
  return memoryOf(options, (work) =>
    // What an extraction needs is what was taken here.
    (Effect.provide(work, context) as Work).pipe(
      Effect.provideService(Budget.Current, budgets),
      Effect.forkIn(scope, { startImmediately: true })
    )
  )
})

interface Extraction {
  readonly memory: Memory<unknown>
  readonly user: string
  readonly known: ReadonlyArray<Facts.Fact>
  readonly words: string
  /** The answer, when the run has it. */
  readonly answered: Deferred.Deferred<string>
}

const propose = ({ memory: { options }, known, words }: Extraction, answer: string | undefined) => {
  const extractor = options.extractor ?? Agent.make({ name: "memory" })
  const conversation = { "the user said": words, ...(answer === undefined ? {} : { "the answer was": answer }) }
  return extractor.pipe(
    Agent.slots({
      instruct: extractor.config.instruct ?? instruction,
      custom: { "known memories": Object.fromEntries(known.map(({ text }, index) => [index + 1, text])) },
      input: conversation
    }),
    Agent.settings({ role: extractor.config.role ?? "memory" }),
    Agent.output(Operations),
    Agent.validate((proposal) => Effect.succeed(Validation.faults(faults(proposal, known.length)))),
    Agent.whole
  )
}

const nothing: Facts.Changes = { added: [], updated: [], forgotten: [] }

const extract = Effect.fnUntraced(function* (extraction: Extraction) {
  const { answered, known, memory, user } = extraction
  const { from = "input", patience = "10 seconds", report } = memory.options
  const begun = yield* Clock.currentTimeMillis
  let usage: Usage = {}
  const late = Effect.andThen(Deferred.await(answered), () =>
    Effect.andThen(
      Effect.sleep(patience),
      Effect.fail(
        new Cause.TimeoutError(
          `it took longer than ${Duration.format(Duration.fromInputUnsafe(patience))} after the answer; raise \`patience\``
        )
      )
    )
  )
  const prepared = Effect.gen(function* () {
    const full = yield* from === "input"
      ? propose(extraction, undefined)
      : Effect.flatMap(Deferred.await(answered), (answer) => propose(extraction, answer))
    usage = full.meta.usage
    yield* Deferred.await(answered)
    return yield* Facts.prepare(collectionOf(memory, user), known, full.data)
  })
  const kept = Effect.flatMap(Effect.raceFirst(prepared, late), (change) => Effect.as(change.write, change))
  yield* kept.pipe(
    Effect.onExit((exit) =>
      Effect.gen(function* () {
        const { added, forgotten, updated } = Exit.isSuccess(exit) ? exit.value : nothing
        const isDropped = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        const status = Exit.isSuccess(exit)
          ? added.length + updated.length + forgotten.length === 0
            ? "nothing"
            : "kept"
          : isDropped
            ? "dropped"
            : "failed"
        const cause = Exit.isFailure(exit) && !isDropped ? exit.cause : undefined
        if (cause !== undefined)
          yield* Effect.logWarning("Nothing was remembered of a run: its extraction failed", cause)
        const duration = (yield* Clock.currentTimeMillis) - begun
        yield* report?.({ user, status, added, updated, forgotten, usage, duration, cause }) ?? Effect.void
      })
    ),
    // It has been told above; the run goes on.
    Effect.catchCause(() => Effect.void)
  )
})

/** The user of an agent's runs: an id, or an Effect that gives it for each run. @category models */
export type User<RI = never> = string | Effect.Effect<string, never, RI>

type Needs<R> = EmbeddingProvider | KnowledgeStore | R

const remembering =
  <R, RI>(memory: Memory<R>, who: User<RI>): Agent.Around<KnowledgeError | PromptError, Needs<R | RI>> =>
  (config, work) =>
    Effect.gen(function* () {
      const user = typeof who === "string" ? who : yield* who
      const words = config.input === undefined ? "" : yield* Effect.fromResult(Text.render("input", config.input))
      if (isBlank(user) || words.trim() === "") return yield* work(config)
      const { known: shown = 20, recall = {} } = memory.options
      const { limit = 5, minScore = -1 } = recall
      const near = yield* Facts.nearest(collectionOf(memory, user), words, { limit: Math.max(1, shown, limit) })
      const recalled = near.slice(0, limit).filter(({ score }) => score >= minScore)
      const memories = recalled.map(({ fact }) => fact.text)
      const informed =
        memories.length === 0
          ? config
          : { ...config, ...Slots.merge({ custom: { memories } }, { custom: config.custom }) }

      const answered = yield* Deferred.make<string>()
      const known = near.slice(0, shown).map(({ fact }) => fact)
      // What the extractor needs is `R`: the type of the memory says so.
      const extraction = extract({ memory, user, known, words, answered }) as Effect.Effect<void, never, Needs<R>>
      const begun =
        memory.owner === undefined ? Effect.forkChild(extraction, { startImmediately: true }) : memory.owner(extraction)
      // Whatever ends the run before its answer is whole, the join included where it is joined, ends the extraction: also
      // what comes between the two.
      return yield* Effect.acquireUseRelease(
        begun,
        (fiber) =>
          Effect.tap(work(informed), (full) =>
            Effect.andThen(
              Deferred.succeed(answered, full.text),
              memory.owner === undefined ? Fiber.await(fiber) : Effect.void
            )
          ),
        (fiber, exit) => (Exit.isSuccess(exit) ? Effect.void : Fiber.interrupt(fiber))
      )
    })

const isMemory = (value: unknown): boolean => typeof value === "object" && value !== null && "owner" in value

/**
 * Gives an agent the memory of a user: each run is told, as the section `[MEMORIES]`, what is known that bears on its
 * input, and what the input tells of the user is remembered. A blank user has no memory: nothing is recalled or kept.
 * Where memories cannot be recalled the run fails, as with `Knowledge.info`; where they cannot be kept it does not.
 *
 * @category combinators
 */
export const attach: {
  <R2, RI = never>(
    memory: Memory<R2>,
    user: User<RI>
  ): <A, E, R, I>(
    self: Agent.Agent<A, E, R, I>
  ) => Agent.Agent<A, E | KnowledgeError | PromptError, R | R2 | RI | EmbeddingProvider | KnowledgeStore, I>
  <A, E, R, I, R2, RI = never>(
    self: Agent.Agent<A, E, R, I>,
    memory: Memory<R2>,
    user: User<RI>
  ): Agent.Agent<A, E | KnowledgeError | PromptError, R | R2 | RI | EmbeddingProvider | KnowledgeStore, I>
} = dual(
  (args) => !isMemory(args[0]),
  <A, E, R, I, R2, RI>(self: Agent.Agent<A, E, R, I>, memory: Memory<R2>, user: User<RI>) =>
    Agent.around(self, remembering(memory, user))
)

/**
 * All that is remembered of a user, in the order in which it was learnt: what a person may ask for. Nothing is of a blank
 * user.
 *
 * @category reading
 */
export const list = (
  memory: Memory<unknown>,
  user: string
): Effect.Effect<ReadonlyArray<Facts.Fact>, KnowledgeStoreError, KnowledgeStore> =>
  isBlank(user) ? Effect.succeed([]) : Facts.all(collectionOf(memory, user))

/** The memories of a user nearest to a text, best first. Default: 5 of them. @category reading */
export const search = (
  memory: Memory<unknown>,
  user: string,
  text: string,
  options: Pick<SearchOptions, "limit" | "minScore"> = {}
): Effect.Effect<ReadonlyArray<Facts.Fact>, KnowledgeError, EmbeddingProvider | KnowledgeStore> =>
  isBlank(user)
    ? Effect.succeed([])
    : Effect.map(Facts.nearest(collectionOf(memory, user), text, options), (found) => found.map(({ fact }) => fact))

/**
 * Remembers facts by hand, and gives those that were new. Blank ones are left out, and nothing is kept for a blank user.
 *
 * @category writing
 */
export const add = Effect.fnUntraced(function* (
  memory: Memory<unknown>,
  user: string,
  texts: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<Facts.Fact>, KnowledgeError, EmbeddingProvider | KnowledgeStore> {
  if (isBlank(user)) return []
  const operations = texts.map((text) => ({ op: "add" as const, text }))
  const { added, write } = yield* Facts.prepare(collectionOf(memory, user), [], { operations })
  yield* write
  return added
})

/** Forgets single memories by their ids. @category writing */
export const forget = (
  memory: Memory<unknown>,
  user: string,
  ids: ReadonlyArray<string>
): Effect.Effect<void, KnowledgeStoreError, KnowledgeStore> =>
  KnowledgeStore.use((store) => store.remove(collectionOf(memory, user), { ids }))

/**
 * Erases all that is remembered of a user: what a person may ask for. Runs that are under way still write what they have
 * learnt; end them first.
 *
 * @category writing
 */
export const erase = (
  memory: Memory<unknown>,
  user: string
): Effect.Effect<void, KnowledgeStoreError, KnowledgeStore> =>
  KnowledgeStore.use((store) => store.remove(collectionOf(memory, user), { filter: { _tag: "All", filters: [] } }))
