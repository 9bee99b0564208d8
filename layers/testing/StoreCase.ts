/** What the conformance suites of stores are made of: a promise by name, and a check of it. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { ConformanceFailure } from "./ModelProviderConformance.ts"

/**
 * One promise of a store.
 *
 * @category models
 */
export interface StoreCase<S> {
  /** The promise, in words. */
  readonly name: string
  /** Puts a store to it; `harness` is the name of the implementation. What the case writes has ids of its own. */
  readonly run: (harness: string, store: S) => Effect.Effect<void, ConformanceFailure>
}

/** Makes a case of a check that fails with what is wrong. @category constructors */
export const storeCase = <S, E extends { readonly message: string }>(
  name: string,
  check: (store: S) => Effect.Effect<void, string | E>
): StoreCase<S> => ({
  name,
  run: (harness, store) =>
    Effect.mapError(
      check(store),
      (error) =>
        new ConformanceFailure({
          harness,
          case: name,
          detail: typeof error === "string" ? error : `fails: ${error.message}`
        })
    )
})

/** Fails where a value is not the one that is expected. @category checks */
export const expect = (what: string, found: unknown, expected: unknown): Effect.Effect<void, string> =>
  Equal.equals(found, expected)
    ? Effect.void
    : Effect.fail(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`)

/** Runs all cases on one store; fails with the first promise that is not kept. @category running */
export const runAll = <S>(
  cases: ReadonlyArray<StoreCase<S>>,
  harness: string,
  store: S
): Effect.Effect<void, ConformanceFailure> => Effect.forEach(cases, (one) => one.run(harness, store), { discard: true })
