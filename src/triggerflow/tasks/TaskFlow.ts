/**
 * A task graph as a flow: one chunk for each task, which starts when the chunks of all its dependencies have completed.
 * What failed or was skipped completes too, as far as the graph may go on without it, and says so to those behind it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Codec from "../engine/Codec.ts"
import * as Flow from "../Flow.ts"
import { ChunkTimeout, type FlowError } from "../FlowError.ts"
import type { Pause } from "../Interrupt.ts"
import type { ChainData, ChunkNode, SingleTrigger, TriggerData } from "../Node.ts"
import type { Run } from "../Run.ts"
import { fallbackOf, check, needsApproval } from "./TaskCheck.ts"
import * as Contract from "./TaskContract.ts"
import type { GraphSpec, Skipped } from "./TaskContract.ts"
import { type Graph, InvalidGraph, read, type Source, type Task } from "./TaskDocument.ts"
import { type Handler, type Handlers, type Inputs, resolve, type TaskRun } from "./TaskHandlers.ts"
import * as Placeholder from "./TaskPlaceholder.ts"
import * as TriggerFlow from "../TriggerFlow.ts"

type Json = Schema.Json

/**
 * How a graph is run. All of it may be absent.
 *
 * @category models
 */
export interface Options<P extends "fail" | "skip" = "fail"> {
  /**
   * What a task that fails does, if it is not optional and has no fallback: `fail` (default) fails the run and interrupts
   * the others; `skip` leaves it out with everything that depends on it, and the outcome says why.
   */
  readonly onFailure?: P | undefined
  /** What `${STATE.key}` stands for at the start. Default: nothing. */
  readonly state?: Readonly<Record<string, Json>> | undefined
  /** Tells versions of the flow apart, for those who keep saved executions. */
  readonly version?: string | undefined
}

/** How the flow of a graph fails besides `FlowError`. @category type-level */
export type Failure<P, E> = P extends "skip" ? never : E | Contract.TaskError

/** What a task tells those behind it when it has ended. */
type Signal = "done" | "skipped"

const startName = "graph:start"
const endName = "graph:end"
const keyOf = (id: string) => `task:${id}` as const

const isJson = Schema.is(Schema.Json)

/** Where a placeholder finds its value. */
type Place =
  | { readonly from: "input" | "values" | "dependencies" | "graph_id"; readonly path: ReadonlyArray<string> }
  | { readonly from: "task"; readonly id: string; readonly path: ReadonlyArray<string> }

const placeOf = ({ rest, root }: Placeholder.Ref, known: (id: string) => boolean): Place => {
  if (root === "INIT") return { from: "input", path: Placeholder.steps(rest) }
  if (root === "STATE") {
    const prefix = Placeholder.results.exec(rest)?.[0]
    if (prefix !== undefined)
      return placeOf({ rest: rest.slice(prefix.length), root: "DEPS", text: "", input: "" }, known)
    const [first, ...path] = Placeholder.steps(rest)
    if (first === "graph_input") return { from: "input", path }
    if (first === "graph_id") return { from: "graph_id", path }
    return { from: "values", path: Placeholder.steps(rest) }
  }
  const target = Placeholder.target(rest, known)
  return target === undefined ? { from: "dependencies", path: Placeholder.steps(rest) } : { from: "task", ...target }
}

const errorOf = (error: unknown): { readonly name: string; readonly message: string } => {
  if (typeof error !== "object" || error === null) return { name: "Error", message: String(error) }
  const { _tag: tag, message, name } = error as { _tag?: unknown; name?: unknown; message?: unknown } // read below
  return {
    name: typeof tag === "string" ? tag : typeof name === "string" ? name : "Error",
    // An error that can be no JSON has its name alone.
    message:
      typeof message === "string" && message !== ""
        ? message
        : Result.getOrElse(
            Result.try(() => JSON.stringify(error)),
            () => String(error)
          )
  }
}

/** One task, ready to be run. */
class Runner {
  readonly graph: Graph
  readonly task: Task
  readonly dependencies: ReadonlyArray<string>
  readonly handler: Handler<unknown, unknown> | undefined
  readonly goesOn: boolean
  readonly inputs: Placeholder.Compiled
  readonly places: ReadonlyMap<Placeholder.Ref, Place>
  /** The tasks whose results it reads. */
  readonly reads: ReadonlySet<string>

  constructor(
    graph: Graph,
    task: Task,
    known: (id: string) => boolean,
    handlers: Handlers<unknown, unknown>,
    skips: boolean
  ) {
    this.graph = graph
    this.task = task
    this.dependencies = [...new Set(task.depends_on)]
    this.handler = resolve(handlers, task)
    this.goesOn = skips || task.optional === true
    this.inputs = Placeholder.compile(task.inputs)
    this.places = new Map(this.inputs.refs.map((ref) => [ref, placeOf(ref, known)]))
    const reads = new Set(this.dependencies)
    for (const place of this.places.values()) if (place.from === "task") reads.add(place.id)
    this.reads = reads
  }

  get node(): ChunkNode {
    const { handler, task } = this
    const retry =
      task.retries === undefined
        ? handler?.config.retry
        : task.retries === 0
          ? undefined
          : Schedule.recurs(task.retries)
    return {
      kind: "chunk",
      name: task.id,
      // A chunk's handler has its types from its chain: the input is what the dependencies told, the run handle that of
      // the flow that this chunk is put into.
      handler: ((told: unknown, run: Run<GraphSpec>) => this.start(told, run)) as never,
      settings: {
        timeout: task.timeout_ms ?? handler?.config.timeout,
        // The same inputs, or the same answer, come out the same way.
        retry: retry && (Schedule.while(retry, ({ input }) => !isFinal(input)) as never) /* takes any failure */,
        // As above.
        catch: ((error: unknown, _: unknown, run: Run<GraphSpec>) => this.failed(error, run)) as never
      }
    }
  }

  private error(reason: Contract.Reason): Contract.TaskError {
    return new Contract.TaskError({ graph: this.graph.graph_id, task: this.task.id, reason })
  }

  private get item() {
    return { type: "task_dag.task", graph_id: this.graph.graph_id, task_id: this.task.id } as const
  }

  private skip(run: Run<GraphSpec>, skipped: Skipped): Effect.Effect<Signal> {
    return run.state
      .set(keyOf(this.task.id), { skipped })
      .pipe(Effect.andThen(run.put({ ...this.item, action: "skip", skipped })), Effect.as("skipped"))
  }

  private done(run: Run<GraphSpec>, result: Json, skipped?: Skipped): Effect.Effect<Signal> {
    return run.state
      .set(keyOf(this.task.id), skipped === undefined ? { result } : { result, skipped })
      .pipe(Effect.andThen(run.put({ ...this.item, action: "complete", result })), Effect.as("done"))
  }

  private start(told: unknown, run: Run<GraphSpec>): Effect.Effect<Signal | Pause<never>, unknown, unknown> {
    const blocked = this.dependencies.find((id) => said(told, id) === "skipped")
    if (blocked !== undefined) return this.skip(run, { reason: "dependency", task_id: blocked })
    if (this.handler === undefined && this.task.kind !== "approval") return this.skip(run, { reason: "no_handler" })
    return this.work(run)
  }

  private readonly work = Effect.fnUntraced(function* (this: Runner, run: Run<GraphSpec>) {
    const { graph, handler, task } = this
    const input = yield* run.state.get("input")
    const results = new Map<string, Json>()
    for (const id of this.reads) {
      const ended = yield* run.state.get(keyOf(id))
      if (ended?.result !== undefined) results.set(id, ended.result)
    }
    const dependencies = Object.fromEntries(
      this.dependencies.flatMap((id) => {
        const result = results.get(id)
        return result === undefined ? [] : [[id, result] as const]
      })
    )
    const values = yield* run.state.get("values")
    const missing: Array<Placeholder.Missing> = []
    const lookup = (ref: Placeholder.Ref): Json | undefined => {
      const place = this.places.get(ref)
      switch (place?.from) {
        case "input":
          return Placeholder.at(input, place.path)
        case "values":
          return Placeholder.at(values, place.path)
        case "dependencies":
          return Placeholder.at(dependencies, place.path)
        case "task":
          return Placeholder.at(results.get(place.id), place.path)
        case "graph_id":
          return graph.graph_id
        case undefined:
          return undefined
      }
    }
    const inputs = Placeholder.fill(this.inputs, lookup, missing)
    if (missing.length > 0) return yield* this.error({ _tag: "MissingValue", missing })

    const answer = needsApproval(task) ? run.resumed(Contract.Approval) : Option.none()
    if (needsApproval(task)) {
      if (Option.isNone(answer)) return yield* this.ask(run, inputs)
      const { approved, note } = answer.value
      if (!approved) return yield* this.error({ _tag: "NotApproved", ...(note === undefined ? {} : { note }) })
    }
    yield* run.put({ ...this.item, action: "start", attempt: run.attempt })
    yield* run.commit
    if (handler === undefined)
      return yield* this.done(run, Option.isSome(answer) ? (answer.value.value ?? answer.value) : null)

    const { config } = handler
    const given = config.inputs === undefined ? Result.succeed(inputs) : Codec.of(config.inputs).decode(inputs)
    if (Result.isFailure(given)) return yield* this.error({ _tag: "InvalidInputs", issue: given.failure })
    const context: TaskRun = {
      graph: graph.graph_id,
      task,
      input,
      dependencies,
      get: (key) => Effect.map(run.state.get("values"), (all) => (Object.hasOwn(all, key) ? all[key] : undefined)),
      set: (key, value) => Effect.asVoid(run.state.update("values", (all) => ({ ...all, [key]: value }))),
      field: ({ delta, isComplete, path, value }) =>
        run.put(
          {
            type: "task_dag.model_field",
            graph_id: graph.graph_id,
            task_id: task.id,
            path,
            // The contract of the stream checks it.
            value: (value ?? null) as Json,
            ...(delta === undefined ? {} : { delta }),
            done: isComplete
          },
          { volatile: true }
        ),
      run
    }
    // What its Schema decoded is what the handler takes.
    const output = yield* handler.call(given.success as never, context)
    if (config.output !== undefined) {
      const encoded = Codec.of(config.output).encode(output)
      if (Result.isFailure(encoded)) return yield* this.error({ _tag: "InvalidResult", issue: encoded.failure })
      return yield* this.done(run, encoded.success)
    }
    const result = output === undefined ? null : output
    if (!isJson(result))
      return yield* this.error({
        _tag: "InvalidResult",
        issue: "it is no JSON. Give the handler an output Schema, or give plain data"
      })
    return yield* this.done(run, result)
  })

  private ask(run: Run<GraphSpec>, inputs: Inputs): Effect.Effect<Pause<never>> {
    const { approval, id, kind, purpose, title } = this.task
    const payload = Placeholder.at(approval, ["payload"])
    return run.put({ ...this.item, action: "approval_required", interrupt_id: keyOf(id) }).pipe(
      Effect.andThen(
        run.pause(
          Contract.Approval,
          {
            task_id: id,
            kind,
            inputs,
            ...(title === undefined ? {} : { title }),
            ...(purpose === undefined ? {} : { purpose }),
            ...(payload === undefined ? {} : { payload })
          },
          { to: "self", id: keyOf(id) }
        )
      )
    )
  }

  /** What is done about a failure that is left after all tries. */
  private failed(cause: unknown, run: Run<GraphSpec>): Effect.Effect<Signal, unknown> {
    const failure = cause instanceof ChunkTimeout ? this.error({ _tag: "TimedOut", limit: cause.limit }) : cause
    const error = errorOf(failure)
    const fallback = fallbackOf(this.task)
    const then =
      fallback?._tag === "value"
        ? this.done(run, fallback.value, { reason: "failed", error })
        : fallback?._tag === "skip"
          ? this.done(run, { status: "skipped", reason: error.message }, { reason: "failed", error })
          : this.goesOn
            ? this.skip(run, { reason: "failed", error })
            : Effect.andThen(run.commit, Effect.fail(failure))
    return Effect.andThen(run.put({ ...this.item, action: "fail", error }), then)
  }
}

const isFinal = (error: unknown): boolean =>
  error instanceof Contract.TaskError && error.reason._tag !== "InvalidResult" && error.reason._tag !== "TimedOut"

// What a dependency told: its chunk alone, or a record of several.
const said = (told: unknown, id: string): unknown =>
  typeof told === "object" && told !== null ? (told as Readonly<Record<string, unknown>>) /* of a gate */[id] : told

const after = (ids: ReadonlyArray<string>): TriggerData => {
  const [first = startName, ...more] = ids
  const one = (chunk: string): SingleTrigger => ({ _tag: "chunk", chunk })
  if (more.length === 0) return one(first)
  return { _tag: "all", of: ids.map((id) => [id, one(id)] as const), by: undefined, scope: "root" }
}

const startNode: ChunkNode = {
  kind: "chunk",
  name: startName,
  // As above: the input of the flow, and its run handle.
  handler: ((input: unknown, run: Run<GraphSpec>) =>
    // The contract of the input admits JSON alone.
    Effect.as(run.state.set("input", input as Json), "done")) as never,
  settings: {}
}

const endNode = (graph: Graph): ChunkNode => ({
  kind: "chunk",
  name: endName,
  // As above.
  handler: ((_: unknown, run: Run<GraphSpec>) =>
    Effect.gen(function* () {
      const results: Record<string, Json> = {}
      const skipped: Record<string, Skipped> = {}
      for (const { id } of graph.tasks) {
        const ended = yield* run.state.get(keyOf(id))
        if (ended?.result !== undefined) results[id] = ended.result
        if (ended?.skipped !== undefined) skipped[id] = ended.skipped
      }
      const outputs = Object.entries(graph.semantic_outputs).flatMap(([name, id]) => {
        const result = Object.hasOwn(results, id) ? results[id] : undefined
        return result === undefined ? [] : [[name, { task_id: id, result }] as const]
      })
      return { graph_id: graph.graph_id, semantic_outputs: Object.fromEntries(outputs), results, skipped }
    })) as never,
  settings: {}
})

/**
 * Makes the flow of a graph: its input is what `${INIT}` stands for, its result the outcome. What is wrong with the
 * graph, or that nobody handles a task, is an `InvalidGraph` with everything at once.
 *
 * The flow is one like any other: it can be run, opened, streamed, drawn and saved, and made a part of other flows.
 *
 * @category conversions
 */
export const toFlow = <E, R, P extends "fail" | "skip" = "fail">(
  source: Source,
  handlers: Handlers<E, R>,
  options?: Options<P>
): Effect.Effect<Flow.Flow<GraphSpec, Failure<P, E>, R>, InvalidGraph> =>
  Effect.suspend(() => {
    const document = read(source)
    if (Result.isFailure(document)) return Effect.fail(document.failure)
    const graph = document.success
    const findings = check(graph, handlers)
    if (findings.length > 0) return Effect.fail(new InvalidGraph({ graph: graph.graph_id, findings }))
    const ids = new Set(graph.tasks.map(({ id }) => id))
    const known = (id: string) => ids.has(id)
    const runners = graph.tasks.map((task) => new Runner(graph, task, known, handlers, options?.onFailure === "skip"))
    const leaves = new Set(ids)
    for (const { dependencies } of runners) for (const id of dependencies) leaves.delete(id)
    const ended = Schema.optionalKey(Contract.Ended)
    const chains: ReadonlyArray<ChainData> = [
      { trigger: { _tag: "start" }, body: [startNode] },
      ...runners.map(({ dependencies, node }): ChainData => ({ trigger: after(dependencies), body: [node] })),
      { trigger: after([...leaves]), body: [endNode(graph), { kind: "result" }] }
    ]
    return Effect.succeed(
      Flow.fromData<GraphSpec, Failure<P, E>, R>({
        chains,
        contract: {
          name: graph.graph_id,
          version: options?.version,
          input: Schema.Json,
          state: Schema.Struct({
            input: Schema.Json,
            values: Schema.Record(Schema.String, Schema.Json),
            ...Object.fromEntries(graph.tasks.map(({ id }) => [keyOf(id), ended]))
          }),
          initial: { input: null, values: options?.state ?? {} },
          stream: Contract.Item,
          result: Contract.Outcome,
          error: Contract.TaskError,
          signals: [],
          interrupts: [Contract.Approval],
          intervention: Schema.Json
        }
      })
    )
  })

/**
 * Runs a graph to its end and gives its outcome: `input` (any JSON, default null) is what `${INIT}` stands for. A task
 * that needs approval fails it (`Paused`), since nobody could answer: open the flow of `toFlow` instead.
 *
 * @category running
 */
export const run = <E, R, P extends "fail" | "skip" = "fail">(
  source: Source,
  handlers: Handlers<E, R>,
  input: unknown = null,
  options?: Options<P> & TriggerFlow.RunOptions
): Effect.Effect<Contract.Outcome, Failure<P, E> | InvalidGraph | FlowError, R> =>
  Effect.flatMap(toFlow(source, handlers, options), (flow) => TriggerFlow.runResult(flow, input, options))
