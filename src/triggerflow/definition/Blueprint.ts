/**
 * Blueprints: flows as JSON or YAML, to be stored, shown, edited by people or programs, and loaded where their handlers
 * are. Operators, triggers, limits and options are data; handlers, conditions and other functions are named.
 *
 * A loaded flow has the same shape (`Shape`) as the one that was exported. Its contract is the one that the loader is
 * given. Without one it is made of the JSON Schemas of the blueprint: values are then what JSON has, so a handler that
 * was written for a `Date` is given a text.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Document from "./BlueprintDocument.ts"
import { write } from "./BlueprintExport.ts"
import { build, type Registry } from "./BlueprintLoad.ts"
import * as Flow from "../Flow.ts"
import type { FlowData } from "../Node.ts"
import type { Spec } from "../Spec.ts"
import type { Collector } from "../Trigger.ts"

export {
  /** The Schema of blueprints, and their type. @category schemas */
  Blueprint,
  /** What is wrong with a blueprint, everything at once. @category errors */
  BlueprintError,
  /** What `format` says. @category models */
  FORMAT,
  type ReadOptions,
  /** A blueprint as JSON text. @category rendering */
  toJson,
  /** A blueprint as YAML. @category rendering */
  toYaml
} from "./BlueprintDocument.ts"
export type { Registry } from "./BlueprintLoad.ts"

/** Any flow, as data. @category models */
export interface AnyFlow {
  readonly name: string
  readonly data: FlowData
}

/**
 * What a blueprint is loaded with.
 *
 * @category models
 */
export interface LoadOptions<C extends Spec> extends Registry, Document.ReadOptions {
  /** The contract of the flow. Its name and shape have to be those of the blueprint. Default: that of the blueprint. */
  readonly contract?: Flow.Contract<C> | undefined
  /** Collectors whose values JSON Schema cannot describe; by name. */
  readonly collectors?: ReadonlyArray<Collector<unknown>> | undefined
  /** Flows that are used as sub-flows, instead of those of the blueprint; by name. */
  readonly flows?: ReadonlyArray<AnyFlow> | undefined
}

type Values<P, K extends PropertyKey> = P extends { readonly [_ in K]: infer T } ? T[keyof T] : never
type Effects<F> = F extends (...args: never) => infer A ? Extract<A, Effect.Effect<unknown, unknown, unknown>> : never
type Ran<P> = Effects<Values<P, "handlers"> | Values<P, "conditions">>
type ScheduleServices<S> = S extends Schedule.Schedule<infer _O, infer _I, infer _E, infer R> ? R : never
type Flows<P> = P extends { readonly flows: ReadonlyArray<infer F> } ? F : never
type FlowFailure<F> = F extends Flow.Flow<infer _C, infer E, infer _R> ? E : never
type FlowServices<F> = F extends Flow.Flow<infer _C, infer _E, infer R> ? R : never

/** How a flow that is loaded with these parts may fail. @category type-level */
export type Failure<P> = Effect.Error<Ran<P>> | FlowFailure<Flows<P>>

/** What a flow that is loaded with these parts needs. @category type-level */
export type Services<P> =
  | Exclude<Effect.Services<Ran<P>> | ScheduleServices<Values<P, "schedules">>, Scope.Scope>
  | FlowServices<Flows<P>>

/**
 * Writes a flow as a blueprint. Chunks go under their names; a handler that stands in `handlers` goes under the name that
 * it has there. Everything else that is code (conditions, `while`, `by`, `catch`, retry Schedules, and the functions of
 * sub-flows) has to stand in `names`: the error names all that do not, since functions cannot be written as data.
 * Sub-flows are written too.
 *
 * @category conversions
 */
const export_ = (flow: AnyFlow, names: Registry = {}): Effect.Effect<Document.Blueprint, Document.BlueprintError> =>
  Effect.suspend(() => Effect.fromResult(write(flow, names)))

export {
  /** Writes a flow as a blueprint. @category conversions */
  export_ as export
}

/**
 * Reads the text of a blueprint: JSON or YAML. The error says each thing that is wrong with its path and its line.
 *
 * @category parsing
 */
export const parse = (
  text: string,
  options: Document.ReadOptions = {}
): Effect.Effect<Document.Blueprint, Document.BlueprintError> =>
  Effect.suspend(() => {
    const name = options.file ?? "blueprint"
    const value = Document.readText(text, options)
    if (Result.isFailure(value)) return Effect.fail(Document.errorOf(name, [value.failure]))
    return Effect.fromResult(
      Result.mapError(Document.fromValue(value.success), (faults) => Document.errorOf(name, faults, { text, options }))
    )
  })

/**
 * Makes a flow of a blueprint: a value of any origin, or a text in JSON or YAML. The error says everything that is wrong
 * at once: what the format does not have, names that were not given, a contract that is another one, and what
 * `TriggerFlow.check` would say of the flow.
 *
 * @example
 * ```ts
 * import { Blueprint, TriggerFlow } from "effigent/triggerflow"
 * import { Effect } from "effect"
 *
 * const text = `
 * format: effigent/flow@1
 * name: words
 * contract:
 *   input: { type: string }
 *   result: { type: integer }
 * chains:
 *   - on: start
 *     steps:
 *       - { step: chunk, name: split }
 *       - { step: chunk, name: count }
 *       - { step: result }
 * `
 * const words = Effect.runSync(
 *   Blueprint.load(text, {
 *     handlers: {
 *       split: (text: string) => Effect.succeed(text.split(" ")),
 *       count: (list: ReadonlyArray<string>) => Effect.succeed(list.length)
 *     }
 *   })
 * )
 * console.log(await Effect.runPromise(TriggerFlow.runResult(words, "one two three"))) // => 3
 * ```
 *
 * @category conversions
 */
export const load = <C extends Spec, const P extends Registry>(
  source: unknown,
  parts: P & LoadOptions<C>
): Effect.Effect<Flow.Flow<C, Failure<P>, Services<P>>, Document.BlueprintError> =>
  Effect.suspend(() => {
    const value = typeof source === "string" ? Document.readText(source, parts) : Result.succeed(source)
    const text = typeof source === "string" ? { text: source, options: parts } : undefined
    const file = parts.file ?? "blueprint"
    if (Result.isFailure(value)) return Effect.fail(Document.errorOf(file, [value.failure]))
    const blueprint = Document.fromValue(value.success)
    if (Result.isFailure(blueprint)) return Effect.fail(Document.errorOf(file, blueprint.failure, text))
    const built = build(blueprint.success, {
      ...parts,
      contract: parts.contract?.data,
      collectors: parts.collectors?.map(({ collector }) => collector),
      flows: parts.flows?.map(({ data }) => data)
    })
    return Result.isFailure(built)
      ? Effect.fail(Document.errorOf(parts.file ?? blueprint.success.name, built.failure, text))
      : Effect.succeed(Flow.fromData(built.success))
  })
