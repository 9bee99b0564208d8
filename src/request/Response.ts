/** Puts a response together: the work of `Attempts.ts`, the life of `Run.ts`, the streams of `Readers.ts`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Contract from "../output/Contract.ts"
import type * as Output from "../output/Output.ts"
import type { OutputPathError } from "../output/OutputError.ts"
import type { PathStyle } from "../parse/Path.ts"
import * as KeyWaiter from "./KeyWaiter.ts"
import type { FullResponse, ModelResponse, ResponseEvent, ResponseEventKind } from "./ModelResponse.ts"
import * as Readers from "./Readers.ts"
import { OriginalNotKept, type ResponseAborted } from "./ResponseError.ts"
import { Recorder } from "./Recorder.ts"
import * as Run from "./Run.ts"
import { Transcript } from "./Transcript.ts"

/**
 * How a response is read.
 *
 * @category models
 */
export interface ReadOptions {
  /** How paths of instant events are printed. Default `dot`. */
  readonly pathStyle?: PathStyle | undefined
  /** Whether the provider's frames are kept. Default false. */
  readonly keepOriginal?: boolean | undefined
}

/**
 * Makes a lazy response in the current Scope. `work` gives its outcome, as `Attempts.run` does. What it needs, and what
 * the Schema needs to decode, is taken from the environment now, so that no reader needs anything.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* <A, E, R, I>(
  contract: Contract.Contract<A, R>,
  options: ReadOptions,
  work: (recorder: Recorder<A>, transcript: Transcript) => Effect.Effect<FullResponse<A>, E, R>
): Effect.fn.Return<ModelResponse<A, E | OutputPathError | ResponseAborted, I>, never, Scope.Scope | R> {
  const context = yield* Effect.context<R>()
  const transcript = new Transcript()
  const clock = yield* Clock.Clock
  const recorder = new Recorder<A>(transcript, () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
  const { follow, outcome } = yield* Run.make(transcript, Effect.provide(work(recorder, transcript), context), recorder)

  const scan: Readers.ScanPlan = {
    format: contract.format,
    shape: contract.shape,
    pathStyle: options.pathStyle
  }
  const summary = (): ReadonlyArray<ResponseEvent> =>
    recorder.full === undefined
      ? []
      : [
          { _tag: "Done", text: recorder.full.text, reasoning: recorder.full.reasoning },
          { _tag: "Meta", meta: recorder.full.meta }
        ]

  // The compiler checks these paths as far as it sees; the rest is checked here, when the stream is run.
  const at = (path: string) => Effect.fromResult(Contract.at(contract, path))

  type Failure = E | OutputPathError | ResponseAborted

  return {
    // Made when they are asked for: most responses have one reader.
    get text() {
      return Effect.map(outcome, (full) => full.text)
    },
    get data() {
      return Effect.map(outcome, (full) => full.data)
    },
    full: outcome,
    get meta() {
      return Effect.map(outcome, (full) => full.meta)
    },
    get deltas() {
      return follow(() => Readers.deltas("text"))
    },
    get reasoning() {
      return follow(() => Readers.deltas("reasoning"))
    },
    get instant() {
      return follow(() => Readers.instant(scan))
    },
    get partial() {
      // The scanner gives JSON values; that they grow into an I is what the contract asks for.
      return follow(() => Readers.partial(scan)) as Stream.Stream<Output.DeepPartial<I>, Failure>
    },
    field: (path) => Stream.unwrap(Effect.map(at(path), () => follow(() => Readers.field(scan, path)))),
    each: <const P extends Output.Paths<I>>(
      path: P,
      eachOptions?: { readonly includeRepaired?: boolean | undefined }
    ) => {
      const items = Stream.unwrap(
        Effect.map(at(path), (item) =>
          follow(() => Readers.each(scan, [path], eachOptions?.includeRepaired === true)).pipe(
            Stream.mapEffect(({ value }) => Contract.judge(item, { found: true, value, repaired: new Set() })),
            Stream.filterMap((verdict) =>
              verdict._tag === "Accepted" ? Result.succeed(verdict.value) : Result.failVoid
            ),
            Stream.provideContext(context)
          )
        )
      )
      // `Contract.at` decodes by the Schema that stands at the path, which is what `Output.At` says of it.
      return items as Stream.Stream<Output.At<A, P>, Failure>
    },
    ...KeyWaiter.make<A, I, Failure, R>({ follow, scan, at, context }),
    events: <const K extends ResponseEventKind>(kinds: "all" | ReadonlyArray<K>) => {
      const wanted = (kind: ResponseEventKind) => kinds === "all" || kinds.some((one) => one === kind)
      // The reader lets only the wanted kinds pass.
      return follow(() => Readers.events(wanted, summary)) as Stream.Stream<
        Extract<ResponseEvent, { readonly _tag: K }>,
        Failure
      >
    },
    get original() {
      return options.keepOriginal === true
        ? Stream.map(follow(Readers.original), ({ frame }) => frame)
        : Stream.fail(new OriginalNotKept())
    }
  }
})
