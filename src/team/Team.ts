/**
 * Teams: agents that work together on one thing. A team has members with typed answers, a leader where its mode takes one,
 * limits that hold, and a flow that can be looked at, drawn and hosted. It can be run like an agent, used as an agent or an
 * action, and be a member of another team.
 *
 * The type parameters: `A` is what a run gives, `E` how it can fail besides `TeamError`, `R` what it needs, `M` its members,
 * `S` its shared state.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type { Json } from "../../services/Json.ts"
import * as Action from "../action/Action.ts"
import type * as Actions from "../action/Actions.ts"
import type * as Agent from "../agent/Agent.ts"
import type * as FlowOf from "../triggerflow/Flow.ts"
import { FlowError } from "../triggerflow/FlowError.ts"
import { InvalidGraph } from "../triggerflow/tasks/TaskDocument.ts"
import * as TriggerFlow from "../triggerflow/TriggerFlow.ts"
import * as AsAgent from "./AsAgent.ts"
import * as Broadcast from "./Broadcast.ts"
import * as Coordinate from "./Coordinate.ts"
import * as HandoffMode from "./Handoff.ts"
import * as Member from "./Member.ts"
import type { Handoff, Report, Task, Tokens } from "./Report.ts"
import { type Outcome, TeamError } from "./Report.ts"
import * as Route from "./Route.ts"
import * as Site from "./Site.ts"
import type * as State from "./State.ts"
import * as Tasks from "./Tasks.ts"

export { handoff } from "./Handoff.ts"
export { Handoff, type Outcome, type Reason, type Report, type Task, TeamError, type Tokens } from "./Report.ts"
export type { Config as MemberConfig, Member } from "./Member.ts"
export type { Limits, Share, TeamEvent, TeamSpec } from "./Site.ts"
export { type Conflict, layer as stateLayer, make as state, type State, StateError } from "./State.ts"

const TypeId = "~effigent/Team"

/** How a team works. @category models */
export type Mode = "route" | "coordinate" | "broadcast" | "tasks" | "handoff"

/**
 * A team.
 *
 * @category models
 */
export interface Team<out A, out E, out R, out M = Member.Any, out S = undefined> extends Pipeable {
  readonly [TypeId]: {
    readonly _A: Types.Covariant<A>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
    readonly _M: Types.Covariant<M>
    readonly _S: Types.Covariant<S>
  }
  readonly name: string
  readonly mode: Mode
  /** The names of its members, in order. */
  readonly members: ReadonlyArray<string>
}

/** Any team. @category models */
export type Any = Team<unknown, unknown, unknown, unknown, unknown>

class Impl {
  declare readonly [TypeId]: Any[typeof TypeId]
  readonly mode: Mode
  readonly data: Site.Data
  readonly make: (data: Site.Data) => FlowOf.Flow<Site.TeamSpec, unknown, unknown>
  /** What it answers with; absent: a text. */
  readonly schema: Schema.Top | undefined
  private made: FlowOf.Flow<Site.TeamSpec, unknown, unknown> | undefined = undefined

  constructor(
    mode: Mode,
    data: Site.Data,
    schema: Schema.Top | undefined,
    make: (data: Site.Data) => FlowOf.Flow<Site.TeamSpec, unknown, unknown>
  ) {
    this.mode = mode
    this.data = data
    this.schema = schema
    this.make = make
  }

  get name(): string {
    return this.data.name
  }

  get members(): ReadonlyArray<string> {
    return this.data.members.map(({ name }) => name)
  }

  get flow(): FlowOf.Flow<Site.TeamSpec, unknown, unknown> {
    return (this.made ??= this.make(this.data))
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

// Teams are made in this file only, so that every Team is an Impl.
const reveal = (self: Any) => self as unknown as Impl

/** Whether a value is a team. @category guards */
export const isTeam = (value: unknown): value is Any => value instanceof Impl

// ------------------------------------------------------------------------------------------------------------ members

/**
 * A member: an agent or a team under a name, with what the others should know of it.
 *
 * @example
 * ```ts
 * import { Agent } from "effigent"
 * import { Team } from "effigent/team"
 *
 * const poet = Team.member("poet", Agent.make({ system: "You are a poet." }), { description: "Writes poems." })
 * console.log(poet.name) // => poet
 * ```
 *
 * @param name letters, digits, `_` and `-`, at most 48, beginning with a letter
 * @category constructors
 */
export const member: {
  <const Name extends string, A, E, R, M, S>(
    name: Name,
    team: Team<A, E, R, M, S>,
    config: Member.Config
  ): Member.Member<Name, A, E | TeamError, R>
  <const Name extends string, A, E, R, I>(
    name: Name,
    agent: Agent.Agent<A, E, R, I>,
    config: Member.Config
  ): Member.Member<Name, A, E | Agent.AgentError, Member.RunNeeds<R>>
} = (
  name: string,
  source: Any | Agent.Agent<unknown, unknown, unknown>,
  config: Member.Config
): Member.Member<never, never, never, never> =>
  // The overloads say what the worker answers, by whom it was made.
  Member.make(name as never, isTeam(source) ? workerOf(source) : Member.worker(source), config)

const workerOf = (team: Any): Member.Worker => {
  const { schema } = reveal(team)
  return {
    kind: "team",
    schema,
    ask: ({ history, info, task }) => {
      // What it costs is known even where it fails: from what it tells.
      const spent: Array<Tokens> = []
      let depth: number | undefined
      const watch = (event: Site.TeamEvent) =>
        Effect.sync(() => {
          // Teams inside it tell as well, but what they spend stands in the report of the team around them.
          depth ??= event.team.length
          if (event._tag === "Ended" && event.team.length === depth) spent.push(event.report.usage)
        })
      return {
        soFar: () => spent.map((usage) => ({ text: "", usage })),
        work: Effect.suspend(() => {
          const told = Object.keys(info).length === 0 ? task : { task, ...info }
          const run = whole(team, told, { history, watch })
          return Effect.map(run, ({ answer, data, usage }) => ({ value: data, answer, usage }))
        })
      }
    }
  }
}

// --------------------------------------------------------------------------------------------------------- constructor

/** Members of a team. @category models */
export type Members = readonly [Member.Any, ...ReadonlyArray<Member.Any>]

/**
 * What all teams are made of.
 *
 * @category models
 */
export interface Options<M extends Members, S extends State.Any | undefined> {
  /** A name for its flow, its errors and events. */
  readonly name: string
  readonly members: M
  /** What members get to see of each other. Default: nothing. */
  readonly share?: Site.Share | undefined
  /** How far it goes. */
  readonly limits?: Site.Limits | undefined
  /** How many members are at work at once. Default 8. */
  readonly concurrency?: number | undefined
  /** What members share and change: `Team.state`. */
  readonly state?: S
}

/** The value of a team's state. @category type-level */
export type StateOf<S> = S extends State.State<infer _Id, infer V> ? V : undefined

/** What a team needs of what its parts need: its state is its own. @category type-level */
export type Needs<R, S> = S extends State.State<infer Id, infer _V> ? Exclude<R, State.Cell<Id>> : R

type AnswersOf<M extends Members> = Member.AnswerOf<M[number]>

/** The results of all members by name: what a team without a leader answers. @category type-level */
export type Results<M extends Members> = {
  readonly [N in M[number] as N["name"]]: Result.Result<Member.AnswerOf<N>, Member.ErrorOf<N> | TeamError>
}

type Lead<A, E, R> = Agent.Agent<A, E, R>

type Led<A, E, R, M extends Members, S> = Team<
  A,
  E | Agent.AgentError,
  Needs<Member.RunNeeds<R> | Member.NeedsOf<M[number]>, S>,
  M[number],
  StateOf<S>
>

// A member that may hand on.
type Handing<M> =
  M extends Member.Member<infer N, infer A, infer E, infer R> ? Member.Member<N, A, E | Handoff, R> : never

/**
 * Makes a team.
 *
 * - `route`: the leader chooses one member, whose answer is the team's, as it is.
 * - `coordinate`: the leader asks members by actions, as many as it likes, and answers.
 * - `broadcast`: all members work on the same task at once; the leader makes one answer of their results. Without a leader
 *   the results by member are the answer.
 * - `tasks`: the leader plans tasks that depend on each other, members do them, the leader plans again where it has to, and
 *   answers.
 * - `handoff`: one member has the conversation and answers, or hands it on to another one.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { Team } from "effigent/team"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const says = (...steps: Array<ScriptedModel.Step>) => Agent.provideModel(ScriptedModel.layer(steps))
 * const adder = Agent.make({ output: Schema.Int }).pipe(says(ScriptedModel.json(42)))
 * const poet = Agent.make({ system: "You are a poet." }).pipe(says())
 * const leader = Agent.make({}).pipe(says(ScriptedModel.json({ member: "adder" })))
 *
 * const desk = Team.make({
 *   name: "desk",
 *   mode: "route",
 *   leader,
 *   members: [
 *     Team.member("adder", adder, { description: "Adds numbers." }),
 *     Team.member("poet", poet, { description: "Writes poems." })
 *   ]
 * })
 * // Effect<string | number, AgentError | TeamError>
 * const answer = Team.run(desk, "What is 40 and 2?")
 * console.log(await Effect.runPromise(answer)) // => 42
 * ```
 *
 * @category constructors
 */
export const make: {
  <const M extends Members, E, R, S extends State.Any | undefined = undefined>(
    config: Options<M, S> & {
      readonly mode: "route"
      readonly leader: Lead<unknown, E, R>
      /** What the member is given: what the team was given, or what the leader writes. Default `given`. */
      readonly task?: "given" | "written" | undefined
    }
  ): Led<AnswersOf<M>, E | Member.ErrorOf<M[number]>, R, M, S>
  <const M extends Members, A, E, R, S extends State.Any | undefined = undefined>(
    config: Options<M, S> & { readonly mode: "coordinate"; readonly leader: Lead<A, E, R> }
  ): Led<A, E | Actions.ActionNameError, R, M, S>
  <const M extends Members, A, E, R, S extends State.Any | undefined = undefined>(
    config: Options<M, S> & { readonly mode: "broadcast"; readonly leader: Lead<A, E, R> }
  ): Led<A, E, R, M, S>
  <const M extends Members, S extends State.Any | undefined = undefined>(
    config: Options<M, S> & { readonly mode: "broadcast"; readonly leader?: undefined }
  ): Team<Results<M>, never, Needs<Member.NeedsOf<M[number]>, S>, M[number], StateOf<S>>
  <const M extends Members, S extends State.Any | undefined = undefined>(
    config: Options<M, S> & {
      readonly mode: "handoff"
      /** Who has the conversation first. Default: the first member. */
      readonly first?: NoInfer<M>[number]["name"] | undefined
    }
  ): Team<
    AnswersOf<M>,
    Exclude<Member.ErrorOf<M[number]>, Handoff> | Actions.ActionNameError,
    Needs<Member.NeedsOf<M[number]>, S>,
    Handing<M[number]>,
    StateOf<S>
  >
  // This one stands last, so that its errors are the ones that are told.
  <const M extends Members, A, E, R, S extends State.Any | undefined = undefined>(
    config: Options<M, S> & {
      readonly mode: "tasks"
      readonly leader: Lead<A, E, R>
      /**
       * Where tasks are left when the leader gives up: fail with `Unfinished`, or let it answer with what there is; the
       * status is then `incomplete`. Default `fail`.
       */
      readonly unfinished?: "fail" | "answer" | undefined
    }
  ): Led<A, E, R, M, S>
} = (config: Erased): Team<never, never, never, never, never> => {
  const leader = config.leader
  const data: Site.Data = {
    name: config.name,
    mode: config.mode,
    leader,
    members: config.members,
    share: config.share ?? {},
    limits: Site.limitsOf(config.limits ?? {}),
    concurrency: config.concurrency ?? 8,
    first: config.first,
    // `Team.state` makes them all.
    state: config.state as State.State<string, unknown> | undefined
  }
  const impl = new Impl(config.mode, data, schemaOf(config), flowOf(config))
  // The overloads say what it gives, how it fails and what it needs.
  return impl as unknown as Team<never, never, never, never, never>
}

interface Erased extends Options<ReadonlyArray<Member.Any> & Members, State.Any | undefined> {
  readonly mode: Mode
  readonly leader?: Lead<unknown, unknown, unknown> | undefined
  readonly task?: "given" | "written" | undefined
  readonly first?: string | undefined
  readonly unfinished?: "fail" | "answer" | undefined
}

const flowOf =
  ({ first, members, mode, task, unfinished }: Erased) =>
  (data: Site.Data): FlowOf.Flow<Site.TeamSpec, unknown, unknown> => {
    switch (mode) {
      case "route":
        return Route.flow(data, task === "written")
      case "coordinate":
        return Coordinate.flow(data)
      case "broadcast":
        return Broadcast.flow(data)
      case "tasks":
        return Tasks.flow(data, unfinished ?? "fail")
      case "handoff":
        return HandoffMode.flow(data, first ?? members[0].name)
    }
  }

// What the answer of a team is encoded by; absent: it is a text.
const schemaOf = ({ leader, members, mode }: Erased): Schema.Top | undefined => {
  if (mode === "route" || mode === "handoff") {
    const schemas = members.map(({ worker }) => worker.schema ?? Schema.String)
    return members.every(({ worker }) => worker.schema === undefined) ? undefined : Schema.Union(schemas)
  }
  // Results hold errors, which have no Schema: they are told as data.
  return leader === undefined ? Schema.Json : Member.schemaOf(leader)
}

// ------------------------------------------------------------------------------------------------------------- running

/**
 * What a member has done.
 *
 * @category models
 */
export type MemberRun<M> =
  M extends Member.Member<infer N, infer A, infer E, infer _R>
    ? {
        readonly name: N
        /** What it was given. */
        readonly task: Json
        readonly result: Result.Result<A, E | TeamError>
        readonly usage: Tokens
        /** Milliseconds. */
        readonly duration: number
      }
    : never

/**
 * Everything about a team's run.
 *
 * @category models
 */
export interface TeamResult<out A, out M, out S> {
  readonly data: A
  /** The encoded answer. */
  readonly answer: Json
  /** `incomplete`: it has answered, and not all of its tasks are done. */
  readonly status: Outcome["status"]
  /** What each member has done, in the order in which they ended; once for each time that it was asked. */
  readonly members: ReadonlyArray<MemberRun<M>>
  /** The same, and what the leader did, as data. */
  readonly reports: ReadonlyArray<Report>
  /** In the mode `tasks`: all tasks. */
  readonly tasks: ReadonlyArray<Task>
  /** What the shared state has become. */
  readonly state: S
  /** Changes of the state that were not taken. */
  readonly conflicts: ReadonlyArray<State.Conflict>
  /** Tokens of the leader and all members together. */
  readonly usage: Tokens
  /** Milliseconds. */
  readonly duration: number
}

/**
 * How a team is run.
 *
 * @category models
 */
export interface RunOptions {
  /** The conversation so far: messages of `effect/ai`. Default: none. */
  readonly history?: Member.Messages | undefined
  /**
   * Is told what happens, as it happens: also of members that are interrupted, with what there was of their answers, before
   * the team itself ends.
   */
  readonly watch?: ((event: Site.TeamEvent) => Effect.Effect<void>) | undefined
}

const asTeamError = (team: string, error: unknown): unknown =>
  error instanceof FlowError || error instanceof InvalidGraph
    ? new TeamError({ team, reason: { _tag: "Flow", detail: error.message } })
    : error

const run_ = Effect.fnUntraced(function* (
  team: Impl,
  input: unknown,
  { history = [], watch }: RunOptions
): Effect.fn.Return<TeamResult<unknown, Member.Any, unknown>, unknown, unknown> {
  const { data } = team
  // Names that stand twice would be told in the words of the flow.
  const problems = Site.problemsOf(data)
  if (problems.length > 0) return yield* Site.fail(data, { _tag: "InvalidTeam", problems })
  const outer = yield* Site.Current
  const path = [...(outer?.team ?? []), data.name]
  const tell = (event: Site.TeamEvent) =>
    Effect.andThen(watch?.(event) ?? Effect.void, outer?.watch(event) ?? Effect.void)
  const ledger: Site.Ledger = { owner: data, team: path, runs: [], answer: undefined, watch: tell }
  const at = yield* Clock.currentTimeMillis
  const asked = Result.all({ input: Member.jsonOf(input), history: Member.jsonOf(history) })
  if (Result.isFailure(asked)) return yield* Site.fail(data, { _tag: "InvalidInput", detail: asked.failure })
  // The JSON form of an array is one.
  const request = { input: asked.success.input, history: asked.success.history as ReadonlyArray<Json> }
  const outcome = yield* TriggerFlow.runResult(team.flow, request).pipe(
    Effect.mapError((error) => asTeamError(data.name, error)),
    Effect.provideService(Site.Current, ledger),
    Effect.onExit((exit) => {
      const status = Exit.isSuccess(exit)
        ? exit.value.status
        : Cause.hasInterruptsOnly(exit.cause)
          ? ("interrupted" as const)
          : ("failed" as const)
      return tell({ _tag: "TeamEnded", team: path, status })
    })
  )
  const state =
    data.state === undefined
      ? undefined
      : yield* Effect.orDie(Schema.decodeUnknownEffect(Schema.toCodecJson(data.state.schema))(outcome.state))
  return {
    ...outcome,
    data: ledger.answer?.value,
    // Their names are those of the members that the team was made of.
    members: ledger.runs as unknown as ReadonlyArray<MemberRun<Member.Any>>,
    state,
    duration: (yield* Clock.currentTimeMillis) - at
  }
})

/**
 * Runs a team and gives everything about the run: the typed answer, what every member did, tokens, tasks, state.
 *
 * @param input a text, or any value that has a JSON form
 * @category running
 */
export const whole = <A, E, R, M, S>(
  team: Team<A, E, R, M, S>,
  input: unknown,
  options: RunOptions = {}
): Effect.Effect<TeamResult<A, M, S>, E | TeamError, R> =>
  // The type of the team says what comes of its flow, which is erased.
  run_(reveal(team), input, options) as unknown as Effect.Effect<TeamResult<A, M, S>, E | TeamError, R>

/**
 * Runs a team and gives its typed answer. Interrupting it interrupts everybody who is at work.
 *
 * @param input a text, or any value that has a JSON form
 * @category running
 */
export const run = <A, E, R, M, S>(
  team: Team<A, E, R, M, S>,
  input: unknown,
  options?: RunOptions
): Effect.Effect<A, E | TeamError, R> => Effect.map(whole(team, input, options), ({ data }) => data)

/**
 * The flow of a team: to be drawn, looked at, run step by step, hosted. Its input is the task and the conversation, its
 * result the outcome, all encoded; its stream tells who begins and ends, its state is what the team knows.
 *
 * @category conversions
 */
export const flow = <A, E, R, M, S>(
  team: Team<A, E, R, M, S>
): FlowOf.Flow<Site.TeamSpec, E | TeamError | InvalidGraph | FlowError, R> =>
  // The type of the team says how its handlers fail and what they need.
  reveal(team).flow as unknown as FlowOf.Flow<Site.TeamSpec, E | TeamError | InvalidGraph | FlowError, R>

/**
 * A team as an action of an agent: the model gives it a task in words, and gets its encoded answer. A team that fails is a
 * failed call.
 *
 * @category conversions
 */
export const asAction = <A, E, R, M, S, RA = never>(
  team: Team<A, E, R, M, S>,
  config: Action.PolicyOptions<{ readonly task: string }, RA> & {
    readonly description: string
    /** Default: the team's name. */
    readonly name?: string | undefined
  }
): Action.Action<{ readonly task: string }, Json, E | TeamError, R | NoInfer<RA>> => {
  const { description, name, ...policy } = config
  const action = Action.make(name ?? team.name, {
    ...policy,
    description,
    input: Schema.Struct({ task: Schema.String }),
    output: Schema.Json,
    run: ({ task }) => Effect.map(whole(team, task), ({ answer }) => answer)
  })
  return action
}

/**
 * A team as an agent: `Agent.input` and `Agent.run`, sessions, hooks and output guards work on it as on any agent. Its
 * history is the conversation of the team. An input guard blocks what the team is asked, and cannot rewrite it.
 *
 * @category conversions
 */
export const toAgent = <A, E, R, M, S>(team: Team<A, E, R, M, S>): Agent.Agent<A, E | TeamError, R, unknown> => {
  const { data, mode, name, schema } = reveal(team)
  // In these modes the answer is that of the member who ended last; results by member have no Schema.
  const passes = mode === "route" || mode === "handoff"
  const schemaOf = (last: string | undefined) => {
    const by = data.members.find((one) => one.name === last)
    return passes ? (by?.worker.schema ?? Schema.String) : data.leader === undefined ? undefined : schema
  }
  const agent = AsAgent.make(name, schema, (input, history) =>
    Effect.map(whole(team, input, { history }), ({ answer, data, reports, usage }) => ({
      data,
      answer,
      usage,
      schema: schemaOf(reports.at(-1)?.name)
    }))
  )
  // Its answers, failures and needs are those of the team.
  return agent as unknown as Agent.Agent<A, E | TeamError, R, unknown>
}
