/**
 * Waits for single values of an answer while the model still writes: `awaitKey`, `awaitKeys`, `finished` and `onKeys` of a
 * response.
 * One scan serves all paths that are waited for, so that values come in the order in which they were finished.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Contract from "../output/Contract.ts"
import type { OutputPathError } from "../output/OutputError.ts"
import * as Path from "../parse/Path.ts"
import type { FinishedValue, KeyHandlers, KeyValue, ModelResponse } from "./ModelResponse.ts"
import * as Readers from "./Readers.ts"
import { KeyMissing, type ResponseAborted } from "./ResponseError.ts"
import type { Reader, Run } from "./Run.ts"

/**
 * What waiting needs of a response.
 *
 * @category models
 */
export interface Source<E, R> {
  readonly follow: Run<unknown, E>["follow"]
  readonly scan: Readers.ScanPlan
  /** The contract of what stands at a path. */
  readonly at: (path: string) => Effect.Effect<Contract.Contract<unknown, R>, OutputPathError>
  readonly context: Context.Context<R>
}

type Failure = OutputPathError | ResponseAborted

// A path that is waited for.
interface Key<R> {
  readonly path: string
  readonly segments: ReadonlyArray<Path.Segment>
  readonly isWildcard: boolean
  readonly contract: Contract.Contract<unknown, R>
}

const segmentsOf = (path: string): ReadonlyArray<Path.Segment> => Result.getOrElse(Path.parse(path), () => [])

const matches = (key: ReadonlyArray<Path.Segment>, place: ReadonlyArray<Path.Segment>): boolean =>
  key.length === place.length &&
  key.every((segment, i) =>
    typeof segment === "object"
      ? typeof place[i] === (segment._tag === "AnyItem" ? "number" : "string")
      : segment === place[i]
  )

interface KeyFound {
  readonly key: string
  readonly path: string
  readonly value: unknown
}

type Found = KeyFound & Readers.FinishedItem

/**
 * The members of a response that wait for keys.
 *
 * @category constructors
 */
export const make = <A, I, E, R>(
  source: Source<E, R>
): Pick<ModelResponse<A, E | Failure, I>, "awaitKey" | "awaitKeys" | "finished" | "onKeys"> => {
  const keyOf = (path: string): Effect.Effect<Key<R>, OutputPathError> =>
    // `at` fails on a text that is no path.
    Effect.map(source.at(path), (contract) => {
      const segments = segmentsOf(path)
      return { path, segments, isWildcard: segments.some((segment) => typeof segment === "object"), contract }
    })

  const judge = (key: Key<R>, item: Readers.FinishedItem): Effect.Effect<ReadonlyArray<Found>, never, R> =>
    Effect.map(Contract.judge(key.contract, { found: true, value: item.value, repaired: new Set() }), (verdict) =>
      verdict._tag === "Accepted" ? [{ ...item, key: key.path, value: verdict.value }] : []
    )

  const read = (
    keys: ReadonlyArray<Key<R>>,
    reader: (scan: Readers.ScanPlan, paths: ReadonlyArray<string>) => Reader<Readers.FinishedItem>
  ): Stream.Stream<Found, E | ResponseAborted, R> => {
    const paths = keys.map(({ path }) => path)
    return source
      .follow(() => reader({ ...source.scan, pathStyle: "dot" }, paths))
      .pipe(
        Stream.mapEffect((item) => {
          const place = segmentsOf(item.path)
          const meant = keys.filter(({ segments }) => matches(segments, place))
          return Effect.map(
            Effect.forEach(meant, (key) => judge(key, item)),
            (all) => all.flat()
          )
        }),
        Stream.flattenIterable
      )
  }

  const finished = (paths: ReadonlyArray<string>, isAccepted: boolean) =>
    Stream.unwrap(
      Effect.map(Effect.forEach(new Set(paths), keyOf), (keys) => {
        if (keys.length === 0) return Stream.empty
        const revisions = new Map<string, number>()
        return read(keys, (scan, at) => (isAccepted ? Readers.accepted(scan, at) : Readers.each(scan, at, false))).pipe(
          Stream.map((found) => {
            const place = `${found.key} ${found.path}`
            const revision = revisions.get(place) ?? 0
            revisions.set(place, revision + 1)
            return { ...found, revision }
          }),
          Stream.provideContext(source.context)
        )
      })
    )

  const wait = (paths: ReadonlyArray<string>): Stream.Stream<KeyFound, E | Failure | KeyMissing> =>
    Stream.unwrap(
      Effect.map(Effect.forEach(new Set(paths), keyOf), (keys) => {
        const pending = new Set(keys.flatMap(({ isWildcard, path }) => (isWildcard ? [] : [path])))
        const isOpen = keys.some(({ isWildcard }) => isWildcard)
        if (keys.length === 0) return Stream.empty
        const found = read(keys, (scan, at) => Readers.each(scan, at, false)).pipe(
          Stream.tap(({ key }) => Effect.sync(() => pending.delete(key))),
          Stream.takeUntil(() => !isOpen && pending.size === 0),
          Stream.map(({ key, path, value }) => ({ key, path, value }))
        )
        const missing = Stream.suspend(() =>
          pending.size === 0 ? Stream.empty : Stream.fail(new KeyMissing({ paths: [...pending] }))
        )
        return Stream.provideContext(Stream.concat(found, missing), source.context)
      })
    )

  return {
    awaitKey: (path) =>
      Effect.flatMap(Stream.runHead(wait([path])), (head) =>
        head._tag === "Some"
          ? // `Contract.at` decodes by the Schema that stands at the path, which is what `Output.At` says of it.
            Effect.succeed(head.value.value as never)
          : Effect.fail(new KeyMissing({ paths: [path] }))
      ),
    awaitKeys: <const P extends string>(paths: ReadonlyArray<P>) =>
      // As above, for each of the paths.
      wait(paths) as Stream.Stream<KeyValue<A, P>, E | Failure | KeyMissing>,
    finished: <const P extends string>(
      paths: ReadonlyArray<P>,
      options?: { readonly accepted?: boolean | undefined }
    ) =>
      // As above.
      finished(paths, options?.accepted === true) as Stream.Stream<FinishedValue<A, P>, E | Failure>,
    onKeys: <const H extends KeyHandlers<A, I>>(
      handlers: H,
      options?: { readonly concurrency?: number | "unbounded" | undefined }
    ) => {
      // Whatever stands in the record is a handler, by its type.
      const byPath = new Map(Object.entries<Handler>(handlers as { readonly [path: string]: Handler }))
      const handled = wait([...byPath.keys()]).pipe(
        Stream.mapEffect(
          (found) =>
            Effect.map(
              Effect.suspend(() => byPath.get(found.key)?.(found.value, found.path) ?? Effect.void),
              (result) => ({ ...found, result })
            ),
          { concurrency: options?.concurrency ?? "unbounded" }
        ),
        Stream.runCollect
      )
      // `KeyHandlers` types each handler by the path that it stands under.
      return handled as never
    }
  }
}

type Handler = (value: unknown, path: string) => Effect.Effect<unknown, unknown, unknown>
