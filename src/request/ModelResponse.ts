/**
 * What an agent's request gives: one response with many readers. It is lazy (nothing is sent before the first read),
 * sends at most one request per attempt however many readers there are, and gives every reader, early or late, the
 * whole sequence from the start. It belongs to a Scope: when that closes, the request is aborted.
 *
 * A reader that ends early (`Stream.take`) ends only itself. Interrupting the last reader aborts the request; reads
 * after that fail with `ResponseAborted`. Operators that run a reader in a fiber of its own and interrupt it
 * (`Stream.merge`, `Stream.timeout`, ... under a `take`) do interrupt it: whoever wants to read on keeps another reader.
 * Reading never changes what `data` returns.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { ActionEvent, ActionSummary } from "../../services/Action.ts"
import type { FinishReason, ModelEvent, OutputFormat, Usage } from "../../services/ModelProvider.ts"
import type { FormatFallback } from "../output/Contract.ts"
import type { Finding } from "../output/Finding.ts"
import type * as Output from "../output/Output.ts"
import type { InstantEvent, Status } from "../parse/InstantEvent.ts"
import type { KeyMissing, OriginalNotKept } from "./ResponseError.ts"

/**
 * A piece of text, or the news that all pieces so far are void because another attempt begins. Two attempts are never
 * glued together; neither is what a model says before it calls actions and what it says afterwards.
 *
 * @category models
 */
export type Delta =
  | { readonly _tag: "TextDelta"; readonly text: string }
  | { readonly _tag: "Restarted"; readonly attempt: number; readonly reason: string }

/**
 * A piece of reasoning with what its vendor wants back with it in the next turn.
 *
 * @category models
 */
export interface Thought {
  /** The reasoning in words; empty where the vendor hides it. */
  readonly text: string
  /** The vendor's signature of these words. */
  readonly signature?: string | undefined
  /** The vendor's encrypted form of words that it hides. */
  readonly redacted?: string | undefined
  /** Who signed or encrypted, and alone can read it: a protocol at a host. */
  readonly vendor?: string | undefined
}

/**
 * One attempt, as it ended.
 *
 * @category models
 */
export interface Attempt {
  /** 1 for the first. */
  readonly attempt: number
  /** The answer as the model wrote it. */
  readonly text: string
  /** The model's reasoning, where it shows it. */
  readonly reasoning: string
  /** The same reasoning in its pieces, with their signatures: what goes back to the vendor in a later turn. */
  readonly thoughts: ReadonlyArray<Thought>
  /** The model's words where it declined to answer. */
  readonly refusal: string
  /** What was wrong with the answer; empty for the accepted attempt. */
  readonly findings: ReadonlyArray<Finding>
  /** Why the model stopped; absent where the attempt broke off. */
  readonly finishReason: FinishReason | undefined
  /** Tokens, as far as the provider says. */
  readonly usage: Usage
  /** The provider's id of the answer. */
  readonly id: string | undefined
  /** The model that answered, in the provider's words. */
  readonly model: string | undefined
  /** Milliseconds from sending to the first piece of text or reasoning. */
  readonly timeToFirstToken: number | undefined
  /** Milliseconds from sending to the end. */
  readonly duration: number
}

/**
 * Facts about a finished response.
 *
 * @category models
 */
export interface ResponseMeta {
  /** The provider's name. */
  readonly provider: string
  /** The provider's id of the last attempt. */
  readonly id: string | undefined
  /** The model that answered. */
  readonly model: string | undefined
  /** Why the model stopped in the last attempt. */
  readonly finishReason: FinishReason | undefined
  /** Tokens of all attempts together. */
  readonly usage: Usage
  /** Milliseconds from the first sending to the first piece of text or reasoning. */
  readonly timeToFirstToken: number | undefined
  /** Milliseconds from the first sending to the end of the last attempt. */
  readonly duration: number
  /** Every attempt, the last one being the accepted one. */
  readonly attempts: ReadonlyArray<Omit<Attempt, "text" | "reasoning" | "thoughts" | "refusal">>
  /** Whether the provider's own JSON-Schema mode was used; a text says why it was asked for and not used. */
  readonly native: boolean | string
  /** The format in which the accepted answer was read. */
  readonly format: OutputFormat
  /** Why that is not the format that was asked for; absent where it is. */
  readonly formatFallback: FormatFallback | undefined
  /** What was done besides answering; absent where the agent has no actions. */
  readonly actions?: ActionSummary | undefined
}

/**
 * Everything about a finished response.
 *
 * @category models
 */
export interface FullResponse<A> {
  /** The typed value, as `data` gives it. */
  readonly data: A
  /** The accepted attempt's text. */
  readonly text: string
  /** The accepted attempt's reasoning. */
  readonly reasoning: string
  /** Every attempt with its text. */
  readonly attempts: ReadonlyArray<Attempt>
  /** Facts about the response. */
  readonly meta: ResponseMeta
}

/**
 * What `events` gives: the provider's events, how attempts end, and at the end the whole text and the facts.
 *
 * @category models
 */
export type ResponseEvent =
  | Exclude<ModelEvent, { readonly _tag: "Restarted" | "Raw" }>
  | ActionEvent
  | { readonly _tag: "Done"; readonly text: string; readonly reasoning: string }
  | { readonly _tag: "Meta"; readonly meta: ResponseMeta }
  | Status

/** The kinds of `ResponseEvent`. @category models */
export type ResponseEventKind = ResponseEvent["_tag"]

/**
 * A finished value at a path that was waited for.
 *
 * @category models
 */
export type KeyValue<A, P extends string> = P extends string
  ? {
      /** The path as it was given, wildcards included. */
      readonly key: P
      /** Where the value stands, in dot style. */
      readonly path: string
      /** The value, decoded. */
      readonly value: Output.At<A, P>
    }
  : never

/**
 * A finished value, and where and when it was finished.
 *
 * @category models
 */
export type FinishedValue<A, P extends string> = KeyValue<A, P> & {
  /** The indexes on its path, outermost first. */
  readonly indexes: ReadonlyArray<number>
  /** The attempt that it was written in, from 1. */
  readonly attempt: number
  /** How often another value was given for this place before: 0 unless the model began anew and wrote something else. */
  readonly revision: number
}

/**
 * What to do with the value at each path, as soon as it is finished.
 *
 * @category models
 */
export type KeyHandlers<A, I> = {
  readonly [P in Output.KeyPaths<I>]?: (
    value: Output.At<A, P>,
    path: string
  ) => Effect.Effect<unknown, unknown, unknown>
}

/**
 * One value that a handler was given, and what it made of it.
 *
 * @category models
 */
export interface HandledKey<H> {
  /** The path under which the handler stands. */
  readonly key: keyof H
  /** Where the value stands, in dot style. */
  readonly path: string
  /** The value, decoded. */
  readonly value: unknown
  /** What the handler gave. */
  readonly result: Effect.Success<EffectOf<H>>
}

type EffectOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => infer F ? F : never
}[keyof H]

/**
 * One response. `A` is the type of the data, `E` how it can fail, `I` the encoded value, whose paths `field` and `each`
 * take.
 *
 * @category models
 */
export interface ModelResponse<A, E, I = unknown> {
  /** The accepted answer's text. */
  readonly text: Effect.Effect<string, E>
  /** The typed value: parsed, ensured, decoded. */
  readonly data: Effect.Effect<A, E>
  /** The typed value with every attempt's text, reasoning and findings. */
  readonly full: Effect.Effect<FullResponse<A>, E>
  /** Id, model, finish reason, tokens and times. */
  readonly meta: Effect.Effect<ResponseMeta, E>
  /** The answer's text as it comes. */
  readonly deltas: Stream.Stream<Delta, E>
  /** The model's reasoning as it comes. */
  readonly reasoning: Stream.Stream<Delta, E>
  /** Every field as it grows and finishes, and every change of an attempt's state. */
  readonly instant: Stream.Stream<InstantEvent, E>
  /**
   * The text of one field as it grows. For a field that is no string, its JSON text once it is finished. A wildcard path
   * gives the texts of all its fields one after the other.
   */
  readonly field: <const P extends Output.Paths<I>>(path: P) => Stream.Stream<Delta, E>
  /**
   * Each finished item, decoded by its own Schema, while the model still writes. An item that does not decode is not
   * given; the attempt it stands in is then repeated or fails. After a restart only items that differ from those already
   * given are given again. `includeRepaired` also gives items that were cut off.
   */
  readonly each: <const P extends Output.Paths<I>>(
    path: P,
    options?: { readonly includeRepaired?: boolean | undefined }
  ) => Stream.Stream<Output.At<A, P>, E>
  /**
   * The first finished value at a path, decoded, while the model still writes. A wildcard stands for any place. Fails with
   * `KeyMissing` where the answer ends without one. As with `each`, what an attempt gave stays given: `data` tells
   * whether the attempt was accepted.
   */
  readonly awaitKey: <const P extends Output.KeyPaths<I>>(path: P) => Effect.Effect<Output.At<A, P>, E | KeyMissing>
  /**
   * The finished values at several paths, in the order in which they are finished. Ends when every path has been given;
   * with a wildcard, which may stand for any number of places, when the answer ends. Fails with `KeyMissing` where the
   * answer ends without a path that has no wildcard.
   */
  readonly awaitKeys: <const P extends Output.KeyPaths<I>>(
    paths: ReadonlyArray<P>
  ) => Stream.Stream<KeyValue<A, P>, E | KeyMissing>
  /**
   * Every finished value at several paths, decoded, in the order in which they are finished, until the answer ends. Values
   * that do not decode, or were cut off, are not given. After a restart only what differs from what was given is given
   * again, with its `attempt` and `revision`. `accepted` holds all of them back until the answer is accepted, and gives
   * those that stand in it: for what cannot be taken back.
   */
  readonly finished: <const P extends Output.KeyPaths<I>>(
    paths: ReadonlyArray<P>,
    options?: { readonly accepted?: boolean | undefined }
  ) => Stream.Stream<FinishedValue<A, P>, E>
  /**
   * Runs a handler for each value of `awaitKeys` as soon as it is finished, while the model still writes, and gives what
   * they gave in the order in which the values were finished. A failing handler interrupts the others and fails the
   * whole.
   */
  readonly onKeys: <const H extends KeyHandlers<A, I>>(
    // A path that the Schema lacks does not compile.
    handlers: H & { readonly [K in Exclude<keyof H, Output.KeyPaths<I>>]: never },
    options?: { readonly concurrency?: number | "unbounded" | undefined }
  ) => Effect.Effect<
    ReadonlyArray<HandledKey<H>>,
    E | KeyMissing | Effect.Error<EffectOf<H>>,
    Effect.Services<EffectOf<H>>
  >
  /** The growing value, one snapshot for each batch of tokens. */
  readonly partial: Stream.Stream<Output.DeepPartial<I>, E>
  /** Events of the named kinds, or `"all"`. */
  readonly events: <const K extends ResponseEventKind>(
    kinds: "all" | ReadonlyArray<K>
  ) => Stream.Stream<Extract<ResponseEvent, { readonly _tag: K }>, E>
  /** The provider's frames as it sent them; only where the agent has `keepOriginal`. */
  readonly original: Stream.Stream<unknown, E | OriginalNotKept>
}
