/** What the cases of `JournalStore` work with: ids of their own, a runner, and a way to let time pass. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type {
  Creation,
  JournalConflict,
  JournalCorrupt,
  JournalHead,
  JournalStore,
  JournalStoreError,
  LeaseLost,
  Owner
} from "../../services/JournalStore.ts"
import { type StoreCase, storeCase } from "./StoreCase.ts"

/** A store that is put to its promises. @category models */
export type Store = JournalStore["Service"]

/** What a store may fail with. @category models */
export type Failure = JournalConflict | JournalStoreError | JournalCorrupt | LeaseLost

/** How the cases of a journal store are run. @category options */
export interface Options {
  /**
   * Lets so many milliseconds pass for the store. Default: waits for them; under a `TestClock`, `TestClock.adjust`. At
   * most 2,000 at a time.
   */
  readonly advance?: (milliseconds: number) => Effect.Effect<void>
}

/** What one case works with. @category models */
export interface Bench {
  readonly store: Store
  /** A flow of this case alone. */
  readonly flow: string
  /** A runner of this case alone; it has not joined. */
  readonly owner: Owner
  /** An id of this case alone. */
  readonly id: (name: string) => string
  readonly advance: (milliseconds: number) => Effect.Effect<void>
}

/** Makes a case of a check that fails with what is wrong. @category constructors */
export const promise =
  (name: string, check: (bench: Bench) => Effect.Effect<void, string | Failure>) =>
  (options: Options): StoreCase<Store> =>
    storeCase<Store, Failure>(name, (store) =>
      check({
        store,
        flow: `Conformance of ${name}`,
        owner: { runner: `runner of ${name}`, incarnation: "1" },
        id: (one) => `${name}/${one}`,
        advance: options.advance ?? Effect.sleep
      })
    )

/** Adds an execution that runs, with one record; `other` says what is different. @category constructors */
export const create = (
  { store, flow, owner }: Bench,
  id: string,
  other: Partial<Creation> = {}
): Effect.Effect<{ readonly created: boolean; readonly head: JournalHead }, JournalStoreError> =>
  store.create({
    id,
    flow,
    status: "running",
    lifecycle: "open",
    input: "null",
    tags: [],
    owner,
    records: ["first"],
    ...other
  })

/** Fails where an effect does not fail with a conflict or a lost lease as it is expected. @category checks */
export const fails = <A>(
  what: string,
  effect: Effect.Effect<A, Failure>,
  why: JournalConflict["why"] | "LeaseLost"
): Effect.Effect<void, string> =>
  Effect.flatMap(Effect.result(effect), (outcome) => {
    if (Result.isSuccess(outcome)) return Effect.fail(`${what} succeeds with ${JSON.stringify(outcome.success)}`)
    const { failure } = outcome
    const found = failure._tag === "JournalConflict" ? failure.why : failure._tag
    return found === why ? Effect.void : Effect.fail(`${what}: expected ${why}, found ${found}: ${failure.message}`)
  })
