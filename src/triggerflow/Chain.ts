/**
 * Chains: what a flow does when a trigger comes, step by step. A chain is an immutable value; each operator gives a new
 * one with a step more. Its type carries what the next step is given, how its handlers fail and what they need.
 */
import type * as Effect from "effect/Effect"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Types from "effect/Types"
import type { AnyChunk, CatchOptions, Chunk, Options } from "./Chunk.ts"
import * as Chunks from "./Chunk.ts"
import type { Closed } from "./Closed.ts"
import type { Flow } from "./Flow.ts"
import type { Resolved } from "./Interrupt.ts"
import type { Body, ChainData, Condition, FlowData, MatchCase, Node, SubFlowNode, TriggerData } from "./Node.ts"
import type { Run } from "./Run.ts"
import type { SleepTime } from "./engine/SleepTime.ts"
import type { Spec } from "./Spec.ts"
import type { Collector } from "./Trigger.ts"

const TypeId = "~effigent/triggerflow/Chain"

/**
 * A chain of a flow with the contract `C`: `Out` is what the next step is given, `E` how its handlers fail, `R` what
 * they need.
 *
 * @category models
 */
export interface Chain<in out C extends Spec, out Out, out E, out R> extends Pipeable {
  readonly [TypeId]: {
    readonly _C: Types.Invariant<C>
    readonly _Out: Types.Covariant<Out>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }
  readonly data: ChainData
}

/** What a chain ends with. @category type-level */
export type Out<T> = T extends { readonly [TypeId]: { readonly _Out: Types.Covariant<infer A> } } ? A : never

/** How the handlers of a chain fail. @category type-level */
export type Failure<T> = T extends { readonly [TypeId]: { readonly _E: Types.Covariant<infer E> } } ? E : never

/** What the handlers of a chain need. @category type-level */
export type Services<T> = T extends { readonly [TypeId]: { readonly _R: Types.Covariant<infer R> } } ? R : never

const identity = (_: never) => _
const Proto = {
  // Variance marks are functions that nobody calls.
  [TypeId]: { _C: (c: never) => c, _Out: identity, _E: identity, _R: identity } as never,
  pipe() {
    return pipeArguments(this, arguments)
  }
}

/** Makes a chain of its data. For code that builds flows from data. @category constructors */
export const fromData = <C extends Spec, Out, E, R>(data: ChainData): Chain<C, Out, E, R> =>
  Object.assign(Object.create(Proto), { data })

/** Makes an empty chain on a trigger. @category constructors */
export const fromTrigger = <C extends Spec, A>(trigger: TriggerData): Chain<C, A, never, never> =>
  fromData({ trigger, body: [] })

type Builder = { readonly data: ChainData }

const push = <C extends Spec, Out2, E2, R2>(self: Builder, node: Node): Chain<C, Out2, E2, R2> =>
  fromData({ trigger: self.data.trigger, body: [...self.data.body, node] })

type AnyChain<C extends Spec> = Chain<C, unknown, unknown, unknown>
type BodyOf<C extends Spec, In> = (chain: Chain<C, In, never, never>) => AnyChain<C>

// A body is written as a function of an empty chain; its trigger is the step that it stands in.
const bodyOf = <C extends Spec, In>(body: BodyOf<C, In>): Body => body(fromTrigger({ _tag: "start" })).data.body

/**
 * Adds a handler. What it returns is given to the next step; where it returns a pause, the answer is.
 *
 * `name` tells it apart in the flow, in snapshots and in diagrams, and is used once in a flow. `options` say how it is
 * retried, limited and timed out, and what is done about its failure.
 *
 * @example
 * ```ts
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Words = TriggerFlow.define("words", { input: Schema.String, result: Schema.Int })
 * const words = Words.build(
 *   Words.start.pipe(
 *     Chain.to("split", (text) => Effect.succeed(text.split(" "))),
 *     Chain.to("count", (list) => Effect.succeed(list.length)),
 *     Chain.result
 *   )
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(words, "one two three"))) // => 3
 * ```
 *
 * @category operators
 */
export const to: {
  <C extends Spec, In, Out, E2, R2>(
    chunk: Chunk<C, In, Out, E2, R2>
  ): <E, R>(self: Chain<C, In, E, R>) => Chain<C, Out, E | E2, R | R2>
  <C extends Spec, In, Out, E2, R2, Out3, E3, R3>(
    name: string,
    handler: (input: In, run: Run<C>) => Effect.Effect<Out, E2, R2>,
    options: Options<E2, R3> & CatchOptions<C, In, E2, Out3, E3, R3>
  ): <E, R>(
    self: Chain<C, In, E, R>
  ) => Chain<C, Resolved<Out> | Resolved<Out3>, E | E3, R | Exclude<R2 | R3, Scope.Scope>>
  <C extends Spec, In, Out, E2, R2, R3 = never>(
    name: string,
    handler: (input: In, run: Run<C>) => Effect.Effect<Out, E2, R2>,
    options?: Options<E2, R3>
  ): <E, R>(self: Chain<C, In, E, R>) => Chain<C, Resolved<Out>, E | E2, R | Exclude<R2 | R3, Scope.Scope>>
} = ((...args: readonly [AnyChunk] | Parameters<typeof Chunks.toNode>) => {
  const node = args.length === 1 ? args[0].node : Chunks.toNode(...args)
  return (self: Builder) => push(self, node)
  // The overloads above type what is erased here.
}) as never

/**
 * How the branches of a batch are worked on.
 *
 * @category models
 */
export interface BatchOptions<P extends "fail" | "collect"> {
  readonly name?: string | undefined
  /** How many branches may be at work at once. Default: all. */
  readonly concurrency?: number | undefined
  /**
   * What a branch that fails does: `fail` (default) fails the batch and interrupts the others; `collect` lets the others
   * come to their ends and gives a `Result` for every branch.
   */
  readonly onError?: P | undefined
}

/**
 * Gives the same input to several branches at once, and goes on with a record of what they end with, in the order in
 * which they are written.
 *
 * @category operators
 */
export const batch: {
  <C extends Spec, In, B extends Readonly<Record<string, BodyOf<C, In>>>>(
    branches: B,
    options: BatchOptions<"collect"> & { readonly onError: "collect" }
  ): <E, R>(
    self: Chain<C, In, E, R>
  ) => Chain<
    C,
    { readonly [K in keyof B]: Result.Result<Out<ReturnType<B[K]>>, Failure<ReturnType<B[K]>>> },
    E,
    R | Services<ReturnType<B[keyof B]>>
  >
  <C extends Spec, In, B extends Readonly<Record<string, BodyOf<C, In>>>>(
    branches: B,
    options?: BatchOptions<"fail">
  ): <E, R>(
    self: Chain<C, In, E, R>
  ) => Chain<
    C,
    { readonly [K in keyof B]: Out<ReturnType<B[K]>> },
    E | Failure<ReturnType<B[keyof B]>>,
    R | Services<ReturnType<B[keyof B]>>
  >
} = ((branches: Readonly<Record<string, BodyOf<Spec, unknown>>>, options?: BatchOptions<"fail" | "collect">) =>
  (self: Builder) =>
    push(self, {
      kind: "batch",
      name: options?.name,
      branches: Object.entries(branches).map(([name, body]) => [name, bodyOf(body)] as const),
      concurrency: options?.concurrency,
      onError: options?.onError
      // The overloads above type what is erased here.
    })) as never

/**
 * Begins a record: the chain goes on with its value under a name, so that `bind` can put others beside it.
 *
 * @category operators
 */
export const bindTo =
  <const K extends string>(name: K) =>
  <C extends Spec, Out, E, R>(self: Chain<C, Out, E, R>): Chain<C, { readonly [_ in K]: Out }, E, R> =>
    push(self, { kind: "batch", name: undefined, branches: [[name, []]], concurrency: undefined })

/**
 * Runs a body and keeps its input: the chain goes on with the record that it was given and, under a name, what the body
 * ended with. So every later step sees what each earlier one has found, by its name and with its type.
 *
 * @example
 * ```ts
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Post = TriggerFlow.define("post", { input: Schema.String, result: Schema.String })
 * const post = Post.build(
 *   Post.start.pipe(
 *     Chain.bindTo("topic"),
 *     Chain.bind("facts", (c) => c.pipe(Chain.to("research", ({ topic }) => Effect.succeed([`${topic} are old`])))),
 *     // { readonly topic: string, readonly facts: Array<string> }
 *     Chain.to("write", ({ facts, topic }) => Effect.succeed(`On ${topic}: ${facts.join("; ")}`)),
 *     Chain.result
 *   )
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(post, "clocks"))) // => On clocks: clocks are old
 * ```
 *
 * @category operators
 */
export const bind =
  <const K extends string, C extends Spec, In extends object, B, E2, R2>(
    name: Exclude<K, keyof In>,
    body: (chain: Chain<C, In, never, never>) => Chain<C, B, E2, R2>
  ) =>
  <E, R>(self: Chain<C, In, E, R>): Chain<C, In & { readonly [_ in K]: B }, E | E2, R | R2> =>
    push(self, {
      kind: "batch",
      name: undefined,
      branches: [[name, bodyOf(body)]],
      concurrency: undefined,
      keep: true
    })

/**
 * How the items of a list are worked on.
 *
 * @category models
 */
export interface ForEachOptions<P extends "fail" | "skip" | "collect"> {
  readonly name?: string | undefined
  /** How many items may be at work at once, each through its whole body, pauses included. Default: all. */
  readonly concurrency?: number | undefined
  /**
   * What an item that fails does: `fail` (default) fails the execution and interrupts the others; `skip` leaves it out
   * of the outputs; `collect` gives a `Result` for every item.
   */
  readonly onError?: P | undefined
}

/**
 * Runs a body for each item of a list, and goes on with the list of what they end with, in the order of the items. A
 * value that is no list (in flows that were loaded as data) counts as one item.
 *
 * @category operators
 */
export const forEach: {
  <C extends Spec, A, B, E2, R2>(
    body: (item: Chain<C, A, never, never>) => Chain<C, B, E2, R2>,
    options: ForEachOptions<"collect"> & { readonly onError: "collect" }
  ): <E, R>(self: Chain<C, ReadonlyArray<A>, E, R>) => Chain<C, ReadonlyArray<Result.Result<B, E2>>, E, R | R2>
  <C extends Spec, A, B, E2, R2>(
    body: (item: Chain<C, A, never, never>) => Chain<C, B, E2, R2>,
    options: ForEachOptions<"skip"> & { readonly onError: "skip" }
  ): <E, R>(self: Chain<C, ReadonlyArray<A>, E, R>) => Chain<C, ReadonlyArray<B>, E, R | R2>
  <C extends Spec, A, B, E2, R2>(
    body: (item: Chain<C, A, never, never>) => Chain<C, B, E2, R2>,
    options?: ForEachOptions<"fail">
  ): <E, R>(self: Chain<C, ReadonlyArray<A>, E, R>) => Chain<C, ReadonlyArray<B>, E | E2, R | R2>
} = ((body: BodyOf<Spec, unknown>, options?: ForEachOptions<"fail" | "skip" | "collect">) => (self: Builder) =>
  push(self, {
    kind: "forEach",
    name: options?.name,
    body: bodyOf(body),
    concurrency: options?.concurrency,
    onError: options?.onError ?? "fail"
    // The overloads above type what is erased here.
  })) as never

type Test<C extends Spec, In> = (value: In, run: Reader<C>) => boolean | Effect.Effect<boolean, unknown, unknown>

/**
 * What a condition may see of its execution.
 *
 * @category models
 */
export type Reader<C extends Spec> = Pick<Run<C>, "executionId"> & {
  readonly state: Pick<Run<C>["state"], "get" | "all">
}

/**
 * One case of a match: a condition (`if`) or a value that the input has to equal (`is`), and what is done then.
 *
 * @category models
 */
export type Case<C extends Spec, In> =
  | { readonly if: Test<C, In>; readonly then: BodyOf<C, In> }
  | { readonly is: In; readonly then: BodyOf<C, In> }

type CaseOut<T> = T extends { readonly then: (...args: never) => infer B } ? Out<B> : never
type CaseFailure<T> = T extends { readonly then: (...args: never) => infer B } ? Failure<B> | TestFailure<T> : never
type CaseServices<T> = T extends { readonly then: (...args: never) => infer B } ? Services<B> | TestServices<T> : never
type TestFailure<T> = T extends { readonly if: (...args: never) => infer X }
  ? X extends Effect.Effect<unknown, infer E, unknown>
    ? E
    : never
  : never
type TestServices<T> = T extends { readonly if: (...args: never) => infer X }
  ? X extends Effect.Effect<unknown, unknown, infer R>
    ? R
    : never
  : never

/**
 * What is done where no case holds, and whether one case is taken or all that hold.
 *
 * @category models
 */
export interface MatchOptions<C extends Spec, In, O, M extends "first" | "all"> {
  readonly name?: string | undefined
  /** What is done where no case holds. Default: the input goes through as it is. */
  readonly otherwise?: (O & ((chain: Chain<C, In, never, never>) => AnyChain<C>)) | undefined
  /** `first` (default): the first case that holds; `all`: every one, and their outputs as a list. */
  readonly mode?: M | undefined
}

const casesOf = <C extends Spec, In>(cases: Readonly<Record<string, Case<C, In>>>): ReadonlyArray<MatchCase> =>
  Object.entries(cases).map(([name, one]) => ({
    name,
    test:
      "if" in one ? { _tag: "if", condition: one.if as Condition /* types erased */ } : { _tag: "is", value: one.is },
    body: bodyOf(one.then)
  }))

/**
 * Takes the first case that holds, or all of them. Conditions may be Effects; a case is told by its name.
 *
 * @example
 * ```ts
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Grade = TriggerFlow.define("grade", { input: Schema.Int, result: Schema.String })
 * const grade = Grade.build(
 *   Grade.start.pipe(
 *     Chain.match(
 *       {
 *         good: { if: (points) => points >= 90, then: (c) => c.pipe(Chain.to("good", () => Effect.succeed("A"))) },
 *         fair: { if: (points) => points >= 80, then: (c) => c.pipe(Chain.to("fair", () => Effect.succeed("B"))) }
 *       },
 *       { otherwise: (c) => c.pipe(Chain.to("poor", () => Effect.succeed("C"))) }
 *     ),
 *     Chain.result
 *   )
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(grade, 85))) // => B
 * ```
 *
 * @category operators
 */
export const match =
  <
    C extends Spec,
    In,
    K extends Readonly<Record<string, Case<C, In>>>,
    O = (chain: Chain<C, In, never, never>) => Chain<C, In, never, never>,
    M extends "first" | "all" = "first"
  >(
    cases: K,
    options?: MatchOptions<C, In, O, M>
  ) =>
  <E, R>(
    self: Chain<C, In, E, R>
  ): Chain<
    C,
    (M extends "all" ? ReadonlyArray<CaseOut<K[keyof K]>> : CaseOut<K[keyof K]>) | CaseOut<{ readonly then: O }>,
    E | CaseFailure<K[keyof K]> | CaseFailure<{ readonly then: O }>,
    R | CaseServices<K[keyof K]> | CaseServices<{ readonly then: O }>
  > =>
    push(self, {
      kind: "match",
      name: options?.name,
      cases: casesOf(cases),
      otherwise: options?.otherwise === undefined ? undefined : bodyOf(options.otherwise),
      mode: options?.mode ?? "first"
    })

/**
 * Goes one way where a condition holds and, if given, another way where it does not. Without `else` the input goes
 * through as it is.
 *
 * @category operators
 */
const if_ =
  <
    C extends Spec,
    In,
    T extends Test<C, In>,
    A extends BodyOf<C, In>,
    B = (chain: Chain<C, In, never, never>) => Chain<C, In, never, never>
  >(
    condition: T & Test<C, In>,
    branches: {
      readonly then: A
      readonly else?: (B & ((chain: Chain<C, In, never, never>) => AnyChain<C>)) | undefined
      readonly name?: string | undefined
    }
  ) =>
  <E, R>(
    self: Chain<C, In, E, R>
  ): Chain<
    C,
    Out<ReturnType<A>> | CaseOut<{ readonly then: B }>,
    E | CaseFailure<{ readonly then: A; readonly if: T }> | CaseFailure<{ readonly then: B }>,
    R | CaseServices<{ readonly then: A; readonly if: T }> | CaseServices<{ readonly then: B }>
  > =>
    push(self, {
      kind: "match",
      name: branches.name,
      cases: casesOf<C, In>({ then: { if: condition, then: branches.then } }),
      otherwise: branches.else === undefined ? undefined : bodyOf(branches.else),
      mode: "first"
    })

export {
  /** Goes one way where a condition holds and, if given, another way where it does not. @category operators */
  if_ as if
}

/**
 * Repeats a body while a condition holds: it is asked before each round, with the number of rounds done. More rounds
 * than `max` (default 1,000) fail the execution with `LoopLimit`.
 *
 * @category operators
 */
export const loop =
  <C extends Spec, A, E2, R2, E3 = never, R3 = never>(
    body: (chain: Chain<C, A, never, never>) => Chain<C, A, E2, R2>,
    options: {
      readonly while: (value: A, round: number, run: Reader<C>) => boolean | Effect.Effect<boolean, E3, R3>
      readonly max?: number | undefined
      readonly name?: string | undefined
    }
  ) =>
  <E, R>(self: Chain<C, A, E, R>): Chain<C, A, E | E2 | E3, R | R2 | R3> =>
    push(self, {
      kind: "loop",
      name: options.name,
      body: bodyOf(body),
      while: options.while,
      max: options.max ?? 1000
    })

/**
 * Runs a body beside the chain, with the same input; the chain goes on at once, and what the body ends with is dropped.
 * Its failure fails the execution.
 *
 * @category operators
 */
export const side =
  <C extends Spec, In, Out2, E2, R2>(
    body: (chain: Chain<C, In, never, never>) => Chain<C, Out2, E2, R2>,
    options?: { readonly name?: string | undefined }
  ) =>
  <E, R>(self: Chain<C, In, E, R>): Chain<C, In, E | E2, R | R2> =>
    push(self, { kind: "side", name: options?.name, body: bodyOf(body) })

/**
 * Brings the value to a collector under one of its names; the chain goes on with it.
 *
 * @category operators
 */
export const collect =
  <B, const K extends keyof B & string>(collector: Collector<B>, branch: K) =>
  <C extends Spec, E, R>(self: Chain<C, B[K], E, R>): Chain<C, B[K], E, R> =>
    push(self, { kind: "collect", collector: collector.collector, branch })

/**
 * What a chain goes on with behind a sub-flow: its result where its contract has one, else its state.
 *
 * @category type-level
 */
export type SubFlowOut<C extends Spec> = [C["result"]] extends [void] ? C["state"] : C["result"]

/**
 * How a sub-flow is fed and what is taken from it. All three are pure functions.
 *
 * @category models
 */
export interface SubFlowOptions<C extends Spec, In, CC extends Spec, Out2> {
  readonly name?: string | undefined
  /** The input of the sub-flow. Default: the value of the chain. */
  readonly capture?: ((value: In, state: C["state"]) => CC["input"]) | undefined
  /** What the chain goes on with. Default: the result of the sub-flow, or its state where it has no result. */
  readonly result?: ((closed: Closed<CC>, value: In) => Out2) | undefined
  /** Fields of the state that are set from what the sub-flow ended with. Default: none. */
  readonly writeBack?: ((closed: Closed<CC>, value: In) => Partial<C["state"]>) | undefined
}

type SubFlowSettings = Partial<Pick<SubFlowNode, "name" | "capture" | "result" | "writeBack">>

/**
 * Runs another flow as a part of this one, with a state of its own: its stream items and interrupts are seen in this
 * one, its failure is a failure of this step.
 *
 * @category operators
 */
export const subFlow: {
  <C extends Spec, CC extends Spec, E2, R2>(
    flow: Flow<CC, E2, R2>,
    options?: { readonly name?: string | undefined }
  ): <E, R>(self: Chain<C, CC["input"], E, R>) => Chain<C, SubFlowOut<CC>, E | E2, R | R2>
  <C extends Spec, In, CC extends Spec, E2, R2, Out2 = SubFlowOut<CC>>(
    flow: Flow<CC, E2, R2>,
    options: SubFlowOptions<C, In, CC, Out2>
  ): <E, R>(self: Chain<C, In, E, R>) => Chain<C, Out2, E | E2, R | R2>
} = ((flow: { readonly data: FlowData }, options?: SubFlowSettings) => (self: Builder) =>
  push(self, {
    kind: "subFlow",
    name: options?.name,
    flow: flow.data,
    capture: options?.capture,
    result: options?.result,
    writeBack: options?.writeBack
    // The overloads above type what is erased here.
  })) as never

/**
 * A place where interventions from outside are taken in: those that wait for it are in `run.interventions` of the steps
 * behind it. It neither stops the chain nor changes its value.
 *
 * @category operators
 */
export const interventionPoint =
  (name: string) =>
  <C extends Spec, Out, E, R>(self: Chain<C, Out, E, R>): Chain<C, Out, E, R> =>
    push(self, { kind: "point", name })

/**
 * Waits for a time and goes on with the value of the chain: for a duration (`"2 hours"`, counted from the moment at which
 * the step is reached), until a `DateTime` or a `Date`, or what a pure function of the value says. A time that has passed
 * is no wait at all.
 *
 * No handler is at work meanwhile and no limit of concurrency is taken, and nobody is asked: it is no question. The point
 * in time is part of the execution: it survives saving, loading, crashes and being put out of memory, and what was due
 * while nothing ran goes on at once. `close` waits for it; `close({ pending: "cancel" })` drops the chain. A function that
 * gives no time fails the step with `ContractViolation`.
 *
 * @example
 * ```ts
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Reminder = TriggerFlow.define("reminder", { input: Schema.Int, result: Schema.String })
 * const reminder = Reminder.build(
 *   Reminder.start.pipe(
 *     Chain.sleep("wait", (millis) => `${millis} millis`),
 *     Chain.to("remind", (millis) => Effect.succeed(`${millis} ms are over`)),
 *     Chain.result
 *   )
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(reminder, 5))) // => 5 ms are over
 * ```
 *
 * @category operators
 */
export const sleep =
  <C extends Spec, In>(name: string, time: SleepTime | ((value: In) => SleepTime)) =>
  <E, R>(self: Chain<C, In, E, R>): Chain<C, In, E, R> =>
    push(self, { kind: "sleep", name, time })

export type { SleepTime } from "./engine/SleepTime.ts"

/**
 * Sets the result of the execution to the value of the chain.
 *
 * @category operators
 */
export const result = <C extends Spec, E, R>(self: Chain<C, C["result"], E, R>): Chain<C, C["result"], E, R> =>
  push(self, { kind: "result" })

/** What an execution may be ended with: its result, or anything where it has none. @category type-level */
export type Ending<C extends Spec> = [C["result"]] extends [void] ? unknown : C["result"]

/**
 * Ends the execution here: it is completed, with the value of the chain as its result where the contract has one, and
 * everything else that is at work in it is interrupted. From any depth: inside a branch, an item, a loop, or a chain on a
 * signal. In a sub-flow it ends the sub-flow. Nothing comes behind it, so that the other ways of a `match` alone go on.
 *
 * @example
 * ```ts
 * import { Chain, TriggerFlow } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const Mail = TriggerFlow.define("mail", { input: Schema.String, result: Schema.String })
 * const mail = Mail.build(
 *   Mail.start.pipe(
 *     Chain.if((text) => text.includes("lottery"), {
 *       then: (c) => c.pipe(Chain.to("drop", () => Effect.succeed("dropped")), Chain.stop)
 *     }),
 *     Chain.to("answer", (text) => Effect.succeed(`Re: ${text}`)),
 *     Chain.result
 *   )
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(mail, "the lottery"))) // => dropped
 * console.log(await Effect.runPromise(TriggerFlow.runResult(mail, "the meeting"))) // => Re: the meeting
 * ```
 *
 * @category operators
 */
export const stop = <C extends Spec, E, R>(self: Chain<C, Ending<C>, E, R>): Chain<C, never, E, R> =>
  push(self, { kind: "result", stop: true })
