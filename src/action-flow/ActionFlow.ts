/**
 * The loop of an agent's actions as a TriggerFlow: the model is asked, its calls are checked, approved, run and settled,
 * and it is asked again until it answers. What the loop inside a response does in one go is here a flow between whose
 * steps it can be saved: an approval is a question that waits, without a fiber, and may be answered in another process.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { SnapshotStore } from "../../services/SnapshotStore.ts"
import * as Rounds from "../action/Rounds.ts"
import { Using } from "../action/Using.ts"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import * as Chain from "../triggerflow/Chain.ts"
import type { Execution, Options as ExecutionOptions } from "../triggerflow/Execution.ts"
import type { Flow } from "../triggerflow/Flow.ts"
import type { FlowError } from "../triggerflow/FlowError.ts"
import * as Codec from "../triggerflow/engine/Codec.ts"
import * as TriggerFlow from "../triggerflow/TriggerFlow.ts"
import * as Calls from "./Calls.ts"
import { ActionFlowError, type KeepError, Keeper } from "./Keeping.ts"
import { type ActionRun, type ActionSpec, Approval, FlowEvent, initial, State, UnknownOutcome } from "./State.ts"
import * as Turns from "./Turns.ts"

export { ActionFlowError, type KeepError } from "./Keeping.ts"
export { type ActionSpec, Approval, FlowEvent, Outcome, State, UnknownCall, UnknownOutcome } from "./State.ts"

/**
 * How a flow of actions is made.
 *
 * @category models
 */
export interface Options<A, E, R, I, In, Err, D extends boolean> {
  /** Its name. Default: that of the agent, else `actions`. */
  readonly name?: string | undefined
  /** Tells versions of the flow apart, for those who keep saved executions. */
  readonly version?: string | undefined
  /** What a run is started with. Default: a text, the agent's input. */
  readonly input?: Schema.Codec<In, unknown> | undefined
  /** Puts what a run is started with into the agent. Default: it is the agent's input. */
  readonly prompt?: ((agent: Agent.Agent<A, E, R, I>, input: In) => Agent.Agent<A, E, R, I>) | undefined
  /** The Schema of the answer. Default: the agent's output. An agent with `returnPartial` needs one. */
  readonly result?: Schema.Codec<A, unknown> | undefined
  /** How it fails, for those outside of a host. Other failures cross as `FlowDefect`. */
  readonly error?: Schema.Codec<Err, unknown> | undefined
  /**
   * Whether each run is kept in the `SnapshotStore` while it runs, so that it survives a crash: before each call of an
   * action that must not run twice, behind each call, and behind each turn of the model. Default false.
   */
  readonly durable?: D | undefined
}

/** How a flow of actions fails. @category errors */
export type Failure<E, D> = E | Agent.AgentError | ActionFlowError | (D extends true ? KeepError : never)

/** What a flow of actions needs. @category models */
export type Needs<R, D> = Exclude<R, Scope.Scope> | (D extends true ? SnapshotStore : never)

/**
 * A flow of actions. It is a flow like any other: to be run, opened, saved, loaded, hosted, drawn.
 *
 * @category models
 */
export interface ActionFlow<in out In, in out A, in out Err, out E, out R> extends Flow<ActionSpec<In, A, Err>, E, R> {
  /**
   * Keeps a run in the `SnapshotStore` now: what was answered or said to it since it was kept last. Runs of a durable
   * flow keep themselves; this is for the moment before a program ends.
   */
  readonly keep: <E1>(execution: Execution<ActionSpec<In, A, Err>, E1>) => Effect.Effect<void, KeepError, SnapshotStore>
}

/**
 * Makes the flow of an agent that has actions (`Actions.use`). Prompts, output contract, corrections, guards, hooks,
 * budgets and sessions hold in it as in `Agent.run`, and so do the limits of the loop; only the time in which questions
 * wait is not counted. Its questions are `ActionFlow.Approval` and `ActionFlow.UnknownOutcome`; what is said to it while
 * it runs (`execution.intervene`) the model reads before its next turn.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { Action, Actions } from "effigent/action"
 * import { ActionFlow } from "effigent/action-flow"
 * import { ScriptedModel } from "effigent/testing"
 * import { TriggerFlow } from "effigent/triggerflow"
 *
 * const pay = Action.make("pay", {
 *   description: "Pays a bill.",
 *   input: Schema.Struct({ euros: Schema.Number }),
 *   approval: "always",
 *   run: ({ euros }) => Effect.succeed(`paid ${euros}`)
 * })
 * const flow = ActionFlow.make(Agent.make({ name: "clerk" }).pipe(Actions.use([pay])))
 *
 * const program = Effect.gen(function* () {
 *   const execution = yield* TriggerFlow.open(flow, "Pay the 20 euros.")
 *   while ((yield* execution.status) !== "waiting") yield* Effect.yieldNow
 *   const [question] = yield* execution.interrupts
 *   yield* execution.answer(ActionFlow.Approval, { _tag: "Approved" }, { id: question?.id ?? "" })
 *   return (yield* execution.close()).result
 * })
 * const model = ScriptedModel.layer([
 *   ScriptedModel.toolCalls([{ name: "pay", input: { euros: 20 } }]),
 *   ScriptedModel.text("It is paid.")
 * ])
 * console.log(await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(model))))
 * // => { _id: 'Option', _tag: 'Some', value: 'It is paid.' }
 * ```
 *
 * @category constructors
 */
export const make = <A, E, R, I, In = string, Err = never, D extends boolean = false>(
  agent: Agent.Agent<A, E, R, I>,
  options: Options<A, E, R, I, In, Err, D> = {}
): ActionFlow<In, A, Err, Failure<E, D>, Needs<R, D>> => {
  const name = options.name ?? agent.config.name ?? "actions"
  const input = options.input ?? Schema.String
  const result = options.result ?? resultOf(agent)
  const acts = Agent.actsOf(agent)
  const keeper = new Keeper(name)
  const kept = (run: ActionRun) =>
    keeper.keep({ id: run.executionId, update: (f) => run.state.update("version", f), save: run.save() })
  const isDurable = options.durable === true
  // The input is read by its own Schema.
  const prompt = (options.prompt ?? defaultPrompt) as (agent: unknown, input: unknown) => Turns.TurnSite["agent"]
  const inputs = Codec.of(input as Schema.Codec<unknown, unknown> /* the input is looked at by its Schema alone */)
  const site: Turns.TurnSite = {
    flow: name,
    using: acts instanceof Using ? acts : new Using<unknown, unknown>([], {}),
    agent,
    prompted: (json) => {
      const read = inputs.decode(json)
      // It was encoded by the same Schema.
      return prompt(agent, read._tag === "Success" ? read.success : json)
    },
    result: Codec.of(result as Schema.Codec<unknown, unknown> /* the answer is looked at by its Schema alone */),
    fence: isDurable ? kept : () => Effect.void,
    keep: isDurable
      ? (run) =>
          // What is lost is done again at worst; a store that is away does not end the run.
          Effect.catchTag(kept(run), "SnapshotStoreError", (error) => Effect.logWarning(error.message))
      : () => Effect.void
  }
  const contract = TriggerFlow.define(name, {
    version: options.version,
    input: input as Schema.Codec<unknown, unknown> /* as above */,
    state: State,
    initial,
    stream: FlowEvent,
    result: result as Schema.Codec<unknown, unknown> /* as above */,
    ...(options.error === undefined ? {} : { error: options.error }),
    interrupts: [Approval, UnknownOutcome],
    intervention: Schema.String
  })
  const begin = (given: unknown, run: ActionRun): Effect.Effect<Turns.Round, unknown, unknown> => {
    const json = inputs.encode(given)
    const begun = { done: false, calls: [] }
    return json._tag === "Failure"
      ? Effect.fail(new ActionFlowError({ flow: name, detail: `its input does not fit: ${json.failure}` }))
      : run.state.set("input", json.success).pipe(Effect.andThen(site.keep(run)), Effect.as(begun))
  }
  const flow = contract.build(
    contract.start.pipe(
      Chain.to("begin", begin),
      Chain.loop(
        (round) =>
          round.pipe(
            Chain.interventionPoint("steer"),
            Chain.to("ask the model", Turns.ask(site)),
            Chain.if(({ done }) => !done, {
              name: "has it called?",
              then: (called) =>
                called.pipe(
                  Chain.to("calls", ({ calls }) => Effect.succeed(calls)),
                  Chain.forEach(
                    (call) =>
                      call.pipe(
                        Chain.loop(
                          (step) =>
                            step.pipe(
                              Chain.to("check", Calls.check(site)),
                              Chain.to("approve", Calls.approve),
                              Chain.to("run", Calls.act(site), {
                                concurrency: site.using.options.concurrency ?? Rounds.defaultConcurrency
                              })
                            ),
                          { while: (step) => step.ended === undefined, name: "until it has ended" }
                        )
                      ),
                    { name: "calls of the round" }
                  ),
                  Chain.to("settle", Turns.settle(site))
                )
            })
          ),
        { while: ({ done }) => !done, max: 100_000, name: "rounds" }
      ),
      Chain.to("answer", Turns.answer(site)),
      Chain.result
    )
  )
  return {
    // The handlers fail as the agent and what keeps the run do, and need what they need.
    ...(flow as unknown as Flow<ActionSpec<In, A, Err>, Failure<E, D>, Needs<R, D>>),
    keep: (execution) =>
      keeper.keep({ id: execution.id, update: (f) => execution.state.update("version", f), save: execution.save() })
  }
}

const defaultPrompt = <A, E, R, I>(agent: Agent.Agent<A, E, R, I>, input: unknown): Agent.Agent<A, E, R, I> =>
  Agent.input(agent, input)

const resultOf = <A, E, R, I>({ config }: Agent.Agent<A, E, R, I>): Schema.Top =>
  config.output === undefined ? Schema.String : Output.toSchema(config.output)

/**
 * Opens the run of this id: goes on with what the `SnapshotStore` keeps of it, whose input it then has, or begins it. Of
 * two programs that open one run, the store lets one go on: the other fails with `SnapshotConflict` before it runs an
 * action that must not run twice.
 *
 * @category running
 */
export const open = <In, A, Err, E, R>(
  flow: ActionFlow<In, A, Err, E, R>,
  input: In,
  options: Omit<ExecutionOptions, "id"> & TriggerFlow.LoadOptions & { readonly id: string }
): Effect.Effect<
  Execution<ActionSpec<In, A, Err>, E>,
  FlowError | Effect.Error<ReturnType<SnapshotStore["Service"]["get"]>>,
  R | SnapshotStore | Scope.Scope
> =>
  Effect.gen(function* () {
    const store = yield* SnapshotStore
    const stored = yield* store.get(options.id)
    return Option.isSome(stored)
      ? yield* TriggerFlow.load(flow, stored.value.snapshot, options)
      : yield* TriggerFlow.open(flow, input, options)
  })
