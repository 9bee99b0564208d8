/**
 * Handlers of tasks by name, and which of them takes a task: the one that `binding` names, else `id`, else `kind`. How
 * they fail and what they need stands in their type, and from there in that of the flow.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Types from "effect/Types"
import type { GraphSpec } from "./TaskContract.ts"
import type { Task } from "./TaskDocument.ts"
import type { Run } from "../Run.ts"

const TypeId = "~effigent/triggerflow/TaskHandlers"
const HandlerTypeId = "~effigent/triggerflow/TaskHandler"

/** The inputs of a task with their placeholders filled in. @category models */
export type Inputs = Readonly<Record<string, Schema.Json>>

/**
 * A field of a model's answer, as an instant event says it.
 *
 * @category models
 */
export interface ModelField {
  readonly path: string
  readonly value: unknown
  readonly delta?: string | undefined
  readonly isComplete: boolean
}

/**
 * What a handler knows of its task and may do to the run besides giving a result.
 *
 * @category models
 */
export interface TaskRun {
  /** The id of the graph. */
  readonly graph: string
  readonly task: Task
  /** What the graph was started with. */
  readonly input: Schema.Json
  /** The results of the tasks that it depends on, by id; those that were skipped are left out. */
  readonly dependencies: Readonly<Record<string, Schema.Json>>
  /** Reads a value that `${STATE.key}` stands for. */
  get(key: string): Effect.Effect<Schema.Json | undefined>
  /** Writes one. */
  set(key: string, value: Schema.Json): Effect.Effect<void>
  /** Passes a field of a model's answer on to the stream, live and unrecorded. */
  field(field: ModelField): Effect.Effect<void>
  /** The run handle of the flow. */
  readonly run: Run<GraphSpec>
}

/** A handler as it is called: types erased. @category models */
export type Call = (inputs: never, task: TaskRun) => Effect.Effect<unknown, unknown, unknown>

/**
 * How a handler is told to a planner and run.
 *
 * @category models
 */
export interface Config<I, O> {
  /** What it does, for planners. */
  readonly description?: string | undefined
  /** What it takes. Default: any inputs. What does not fit fails the task with `InvalidInputs`. */
  readonly inputs?: Schema.Codec<I, unknown> | undefined
  /** What it gives, where that is more than JSON. The result of the task is its encoded form. */
  readonly output?: Schema.Codec<O, unknown> | undefined
  /** When a failed try is followed by another one. Default: never. `retries` of a task goes before it. */
  readonly retry?: Schedule.Schedule<unknown> | undefined
  /** How long one try may take. Default: no limit. `timeout_ms` of a task goes before it. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * A handler with its description.
 *
 * @category models
 */
export interface Handler<out E, out R> {
  readonly [HandlerTypeId]: { readonly _E: Types.Covariant<E>; readonly _R: Types.Covariant<R> }
  readonly config: Config<unknown, unknown>
  readonly call: Call
}

/**
 * Handlers by name: `E` is how they fail, `R` what they need.
 *
 * @category models
 */
export interface Handlers<out E, out R> {
  readonly [TypeId]: { readonly _E: Types.Covariant<E>; readonly _R: Types.Covariant<R> }
  readonly byName: ReadonlyMap<string, Handler<unknown, unknown>>
}

const identity = (_: never) => _

/**
 * Makes a handler that says what it takes and gives.
 *
 * @example
 * ```ts
 * import { TaskGraph } from "effigent/triggerflow"
 * import { Effect, Schema } from "effect"
 *
 * const double = TaskGraph.handler(
 *   { description: "Doubles a number", inputs: Schema.Struct({ n: Schema.Int }) },
 *   ({ n }) => Effect.succeed(n * 2)
 * )
 * const run = TaskGraph.run(
 *   { graph_id: "g", tasks: [{ id: "four", kind: "double", inputs: { n: 2 } }], semantic_outputs: { answer: "four" } },
 *   TaskGraph.handlers({ double })
 * )
 * console.log((await Effect.runPromise(run)).semantic_outputs) // => { answer: { task_id: 'four', result: 4 } }
 * ```
 *
 * @category constructors
 */
export const handler = <E, R, I = Inputs, O = unknown>(
  config: Config<I, O>,
  run: (inputs: I, task: TaskRun) => Effect.Effect<NoInfer<O>, E, R>
): Handler<E, Exclude<R, Scope.Scope>> => ({
  [HandlerTypeId]: { _E: identity, _R: identity },
  // Types are erased here; inputs are decoded, and outputs encoded, by the Schemas that gave them.
  config: config as unknown as Config<unknown, unknown>,
  call: run
})

/** A handler as it may be written in a record. @category models */
export type Written =
  | ((inputs: Inputs, task: TaskRun) => Effect.Effect<unknown, unknown, unknown>)
  | Handler<unknown, unknown>

type FailureOf<H> =
  H extends Handler<infer E, infer _R>
    ? E
    : H extends (...args: never) => Effect.Effect<unknown, infer E, unknown>
      ? E
      : never

type ServicesOf<H> =
  H extends Handler<infer _E, infer R>
    ? R
    : H extends (...args: never) => Effect.Effect<unknown, unknown, infer R>
      ? Exclude<R, Scope.Scope>
      : never

/**
 * Puts handlers together, each under the name that tasks take it by. A handler is given the inputs of its task, with
 * their placeholders filled in, and what it knows of the run; what it gives has to be JSON.
 *
 * @category constructors
 */
export const handlers = <const H extends Readonly<Record<string, Written>>>(
  byName: H
): Handlers<FailureOf<H[keyof H]>, ServicesOf<H[keyof H]>> => ({
  [TypeId]: { _E: identity, _R: identity },
  byName: new Map(
    Object.entries(byName).map(([name, one]) => [name, typeof one === "function" ? handler({}, one) : one] as const)
  )
})

/** Everything that two sets of handlers have; those of the second go before those of the first. @category combinators */
export const merge = <E, R, E2, R2>(self: Handlers<E, R>, that: Handlers<E2, R2>): Handlers<E | E2, R | R2> => ({
  [TypeId]: { _E: identity, _R: identity },
  byName: new Map([...self.byName, ...that.byName])
})

/** The handler that takes a task. @category getters */
export const resolve = (
  { byName }: Handlers<unknown, unknown>,
  { binding, id, kind }: Task
): Handler<unknown, unknown> | undefined =>
  (binding === undefined ? undefined : byName.get(binding)) ?? byName.get(id) ?? byName.get(kind)
