/**
 * What a project is for those who run it from outside: its agents and flows by name, and one Layer with all that they
 * need. `effigent.config.ts` exports it as its default.
 */
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { Path } from "effect/Path"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import type { Stdio } from "effect/Stdio"
import type { Terminal } from "effect/Terminal"
import type * as Agent from "../../../src/agent/Agent.ts"
import type * as Eval from "../../../src/evals/Eval.ts"
import type * as Flow from "../../../src/triggerflow/Flow.ts"

/** Marks what `defineConfig` has made, whichever copy of this package it comes from. @category constants */
export const TypeId = "~effigent/config/Project"

/** Stands for this copy of the package: a project of another copy has another one. @category constants */
export const copy: object = {}

/** What the process gives: a project's Layer may need it. @category models */
export type Platform = ChildProcessSpawner | FileSystem | Path | Stdio | Terminal

/** An agent of which no types are known. @category models */
export type AnyAgent = Agent.Agent<unknown, unknown, unknown, unknown>

/** A flow of which no types are known. @category models */
export type AnyFlow = Pick<Flow.Flow<never, never, never>, "name" | "data">

/** An eval of which no types are known. @category models */
export type AnyEval = Eval.AnyEval

/** What an agent, a flow or an eval needs. @category type-level */
export type ServicesOf<T> =
  T extends Agent.Agent<infer _A, infer _E, infer R, infer _I>
    ? R
    : T extends Flow.Flow<infer _C, infer _E, infer R>
      ? R
      : T extends Eval.Eval<infer _A, infer _E, infer R, infer _L>
        ? R
        : never

/** What the Layer of a project has to give. @category type-level */
export type Needs<A, F extends ReadonlyArray<unknown>, V extends ReadonlyArray<unknown> = readonly []> = Exclude<
  ServicesOf<A[keyof A]> | ServicesOf<F[number]> | ServicesOf<V[number]>,
  Platform | Scope.Scope
>

/**
 * What a million tokens of a model cost, in whatever money the project counts in.
 *
 * @category models
 */
export interface Price {
  readonly input: number
  readonly output: number
  /** Input that was read from the provider's cache. Default: as other input. */
  readonly cachedInput?: number | undefined
  /** Input that was written to the provider's cache. Default: as other input. */
  readonly cacheWriteInput?: number | undefined
}

/**
 * What a project is made of.
 *
 * @category models
 */
export interface Definition<
  A extends Readonly<Record<string, AnyAgent>>,
  F extends ReadonlyArray<AnyFlow>,
  V extends ReadonlyArray<AnyEval> = readonly []
> {
  /** The agents, by the names that they are called by. */
  readonly agents?: A | undefined
  /** The flows; each is called by its own name. */
  readonly flows?: F | undefined
  /** What tokens cost, by the name of the model as its provider says it; `*` stands for all others. For the studio. */
  readonly prices?: { readonly [model: string]: Price } | undefined
  /** The evals; each is called by its own name. */
  readonly evals?: V | undefined
}

/**
 * The project as the command line is given it.
 *
 * @category models
 */
export interface Project {
  readonly [TypeId]: object
  readonly agents: Readonly<Record<string, AnyAgent>>
  readonly flows: ReadonlyArray<AnyFlow>
  readonly prices: { readonly [model: string]: Price }
  readonly evals: ReadonlyArray<AnyEval>
  /** What agents, flows and evals need, and whatever else is in it: see `defineConfig`. */
  readonly layer: Layer.Layer<never, unknown, Platform>
}

/**
 * Says what a project has. `layer` gives what agents, flows and evals need: a model, stores, ... The compiler tells what it
 * lacks. Three services in it have a meaning of their own:
 *
 * | in the Layer | then |
 * |---|---|
 * | `JournalStore` | executions of flows outlive the process |
 * | `ExecutionHost` | this host is used as it is |
 * | `SessionStore` | conversations of `effigent chat` are kept there |
 *
 * @example
 * ```ts
 * import { Agent } from "effigent"
 * import { defineConfig } from "effigent/config"
 * import { ModelProviders } from "effigent/layers/apps"
 *
 * const project = defineConfig({
 *   agents: { poet: Agent.make({ instruct: "Write a haiku." }) },
 *   layer: ModelProviders.fromEnv
 * })
 * console.log(Object.keys(project.agents)) // => [ 'poet' ]
 * ```
 *
 * @category constructors
 */
export const defineConfig = <
  const A extends Readonly<Record<string, AnyAgent>> = {},
  const F extends ReadonlyArray<AnyFlow> = readonly [],
  const V extends ReadonlyArray<AnyEval> = readonly []
>(
  definition: Definition<A, F, V> &
    ([Needs<A, F, V>] extends [never]
      ? { readonly layer?: Layer.Layer<never, unknown, Platform> | undefined }
      : { readonly layer: Layer.Layer<NoInfer<Needs<A, F, V>>, unknown, Platform> })
): Project => ({
  [TypeId]: copy,
  agents: definition.agents ?? {},
  flows: definition.flows ?? [],
  prices: definition.prices ?? {},
  evals: definition.evals ?? [],
  layer: definition.layer ?? Layer.empty
})
