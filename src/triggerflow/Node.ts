/**
 * The steps of a chain as data: what `Chain` builds, `Flow` checks, `Plan` compiles, and Mermaid and Blueprint print.
 * Types are erased here; they stand in `Chain`.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { SleepTime } from "./engine/SleepTime.ts"
import type * as Signal from "./Signal.ts"

/** A handler whose types are erased. @category models */
export type Handler = (input: never, run: never) => Effect.Effect<unknown, unknown, unknown>

/** A condition whose types are erased. @category models */
export type Condition = (input: never, run: never) => boolean | Effect.Effect<boolean, unknown, unknown>

/** A pure function whose types are erased. @category models */
export type Pure = (...args: ReadonlyArray<never>) => unknown

/** How a chunk is run; all of it may be absent. @category models */
export interface ChunkSettings {
  readonly retry?: Schedule.Schedule<unknown, never, unknown, unknown> | undefined
  readonly timeout?: Duration.Input | undefined
  readonly idleTimeout?: Duration.Input | undefined
  readonly concurrency?: number | undefined
  readonly maxResumes?: number | undefined
  readonly output?: Schema.Codec<unknown, unknown> | undefined
  readonly catch?: Handler | undefined
  /** Its output is reviewed: what asks, how often it may be sent back, and how long nobody may answer. */
  readonly review?:
    | { readonly interrupt: string; readonly retries: number; readonly expires: Duration.Input | undefined }
    | undefined
}

/** Runs a handler. @category models */
export interface ChunkNode {
  readonly kind: "chunk"
  readonly name: string
  readonly handler: Handler
  readonly settings: ChunkSettings
}

/** Gives the same input to several branches; goes on with a record of their outputs. @category models */
export interface BatchNode {
  readonly kind: "batch"
  readonly name: string | undefined
  readonly branches: ReadonlyArray<readonly [name: string, body: Body]>
  readonly concurrency: number | undefined
  /** `collect`: a failed branch stops no other, and all outputs are Results. Default: `fail`. */
  readonly onError?: "fail" | "collect" | undefined
  /** The fields of the input are kept beside the outputs. */
  readonly keep?: true | undefined
}

/** Runs a body for each item of a list; goes on with the list of their outputs. @category models */
export interface ForEachNode {
  readonly kind: "forEach"
  readonly name: string | undefined
  readonly body: Body
  readonly concurrency: number | undefined
  readonly onError: "fail" | "skip" | "collect"
}

/** One case of a match. @category models */
export interface MatchCase {
  readonly name: string
  readonly test:
    | { readonly _tag: "is"; readonly value: unknown }
    | { readonly _tag: "if"; readonly condition: Condition }
  readonly body: Body
}

/** Takes the first or all of the cases that hold. @category models */
export interface MatchNode {
  readonly kind: "match"
  readonly name: string | undefined
  readonly cases: ReadonlyArray<MatchCase>
  readonly otherwise: Body | undefined
  readonly mode: "first" | "all"
}

/** Repeats a body while a condition holds. @category models */
export interface LoopNode {
  readonly kind: "loop"
  readonly name: string | undefined
  readonly body: Body
  readonly while: (value: never, round: number, run: never) => boolean | Effect.Effect<boolean, unknown, unknown>
  readonly max: number
}

/** Runs a body beside the chain; what it gives is dropped. @category models */
export interface SideNode {
  readonly kind: "side"
  readonly name: string | undefined
  readonly body: Body
}

/** Brings a value to a collector. @category models */
export interface CollectNode {
  readonly kind: "collect"
  readonly collector: CollectorData
  readonly branch: string
}

/** Runs another flow as a part of this one. @category models */
export interface SubFlowNode {
  readonly kind: "subFlow"
  readonly name: string | undefined
  readonly flow: FlowData
  readonly capture: Pure | undefined
  readonly result: Pure | undefined
  readonly writeBack: Pure | undefined
}

/** A place where interventions are taken in. @category models */
export interface PointNode {
  readonly kind: "point"
  readonly name: string
}

/** Waits for a time. @category models */
export interface SleepNode {
  readonly kind: "sleep"
  readonly name: string
  /** How long or until when, or how its value tells that. */
  readonly time: SleepTime | Pure
}

/** Sets the result of the execution, and perhaps ends it there. @category models */
export interface ResultNode {
  readonly kind: "result"
  /** The execution is completed: everything else in it is stopped. */
  readonly stop?: true | undefined
}

/** A step of a chain. @category models */
export type Node =
  | ChunkNode
  | BatchNode
  | ForEachNode
  | MatchNode
  | LoopNode
  | SideNode
  | CollectNode
  | SubFlowNode
  | PointNode
  | SleepNode
  | ResultNode

/** The steps of a body, in order. @category models */
export type Body = ReadonlyArray<Node>

/** A place where the outputs of several chains meet. @category models */
export interface CollectorData {
  readonly name: string
  readonly branches: ReadonlyArray<readonly [name: string, schema: Schema.Codec<unknown, unknown>]>
  /** `update`: once all are there it gives every later change too; `reset`: it starts anew after each time. */
  readonly mode: "update" | "reset"
}

/** What a chain listens to. @category models */
export type TriggerData =
  | { readonly _tag: "start" }
  | { readonly _tag: "signal"; readonly signal: Signal.Any }
  | { readonly _tag: "state"; readonly key: string }
  | { readonly _tag: "flowData"; readonly key: string }
  | { readonly _tag: "chunk"; readonly chunk: string }
  | { readonly _tag: "collect"; readonly collector: CollectorData }
  | {
      readonly _tag: "any"
      readonly named: boolean
      readonly of: ReadonlyArray<readonly [name: string, of: SingleTrigger]>
    }
  | {
      readonly _tag: "all"
      readonly of: ReadonlyArray<readonly [name: string, of: SingleTrigger]>
      /** For each name how its payload gives the correlation key. */
      readonly by: Readonly<Record<string, Pure>> | undefined
      readonly scope: "root" | "execution"
    }

/** A trigger that is not made of others. @category models */
export type SingleTrigger = Exclude<TriggerData, { readonly _tag: "any" | "all" | "start" }>

/** A chain: what it listens to and what it does. @category models */
export interface ChainData {
  readonly trigger: TriggerData
  readonly body: Body
}

/** A contract as data. @category models */
export interface ContractData {
  readonly name: string
  readonly version: string | undefined
  readonly input: Schema.Codec<unknown, unknown>
  readonly state: Schema.Codec<unknown, unknown>
  readonly initial: object
  /** What all executions share; absent where they share nothing. */
  readonly shared?: Schema.Codec<unknown, unknown> | undefined
  readonly initialShared?: object | undefined
  readonly stream: Schema.Codec<unknown, unknown>
  readonly result: Schema.Codec<unknown, unknown> | undefined
  readonly error: Schema.Codec<unknown, unknown> | undefined
  readonly signals: ReadonlyArray<Signal.Any>
  readonly interrupts: ReadonlyArray<{
    readonly name: string
    readonly payload: Schema.Codec<unknown, unknown>
    readonly resume: Schema.Codec<unknown, unknown>
  }>
  readonly intervention: Schema.Codec<unknown, unknown>
}

/** A flow as data: a contract and its chains. @category models */
export interface FlowData {
  readonly contract: ContractData
  readonly chains: ReadonlyArray<ChainData>
  /** The keys of the services that it says it needs. */
  readonly services?: ReadonlyArray<string>
}
