/**
 * Chunks: handlers with a name. A chunk can be written where it is used (`Chain.to("name", handler)`) or stand by itself
 * (`Contract.chunk`), so that other chains can listen to its completion.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type { ChunkTimeout } from "./FlowError.ts"
import type { ChunkNode, Handler } from "./Node.ts"
import type { Run } from "./Run.ts"
import type { Spec } from "./Spec.ts"

const TypeId = "~effigent/triggerflow/Chunk"

/**
 * What a Schedule of retries is asked with. While the compiler has not looked into the handler yet, its failures are
 * `unknown`: then any Schedule will do, so that the overload is not given up before they are known.
 *
 * @category type-level
 */
export type Retried<E> = unknown extends E ? never : E | ChunkTimeout

/**
 * How a chunk is run. Each try begins without what an earlier one had written and not made visible.
 *
 * @category models
 */
export interface Options<E, R> {
  /** When a failed try is followed by another one. It sleeps without holding a permit. Default: never. */
  readonly retry?: Schedule.Schedule<unknown, Retried<NoInfer<E>>, unknown, R> | undefined
  /** How long one try may take. Default: no limit. */
  readonly timeout?: Duration.Input | undefined
  /** How long one try may take without using its run handle. Default: no limit. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How many runs of this chunk may be at work at once in one execution. Default: no limit. */
  readonly concurrency?: number | undefined
  /** How often the chunk may be run again by an answer to a pause with `to: "self"`. Default 1. */
  readonly maxResumes?: number | undefined
  /** What the chunk gives, for snapshots. Default: it has to be plain data where it is saved. */
  readonly output?: Schema.Codec<unknown, unknown> | undefined
}

/**
 * Options that take care of the failure that is left after all tries.
 *
 * @category models
 */
export interface CatchOptions<C extends Spec, In, E, Out2, E2, R2> {
  /**
   * Gives an output in place of the failure. What the failed try had written is gone.
   */
  readonly catch: (error: NoInfer<E> | ChunkTimeout, input: In, run: Run<C>) => Effect.Effect<Out2, E2, R2>
}

/**
 * A handler with a name: `In` is what it is given, `Out` what the next step is given.
 *
 * @category models
 */
export interface Chunk<in out C extends Spec, in In, out Out, out E, out R> {
  readonly [TypeId]: {
    readonly _C: Types.Invariant<C>
    readonly _In: Types.Contravariant<In>
    readonly _Out: Types.Covariant<Out>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }
  readonly name: string
  readonly node: ChunkNode
}

/** Any chunk. @category models */
export interface AnyChunk {
  readonly [TypeId]: object
  readonly name: string
  readonly node: ChunkNode
}

const identity = (_: never) => _
// Variance marks are functions that nobody calls.
const variance = { _C: (c: unknown) => c, _In: () => undefined, _Out: identity, _E: identity, _R: identity } as never

/** Makes a chunk of a node. @category constructors */
export const fromNode = <C extends Spec, In, Out, E, R>(node: ChunkNode): Chunk<C, In, Out, E, R> => ({
  [TypeId]: variance,
  name: node.name,
  node
})

/** Makes the node of a chunk. @category constructors */
export const toNode = (
  name: string,
  handler: Handler,
  options?: (Options<never, unknown> & { readonly catch?: Handler }) | undefined
): ChunkNode => ({ kind: "chunk", name, handler, settings: options ?? {} })
