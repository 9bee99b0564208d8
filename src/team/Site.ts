/**
 * What the handlers of a team's flow do alike: begin, ask a member, ask the leader, end. Here the limits hold, the state is
 * given and taken back, and everybody's work is written down.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Json } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import type { FullResponse } from "../request/ModelResponse.ts"
import * as Flow from "../triggerflow/Flow.ts"
import type { Run } from "../triggerflow/Run.ts"
import type * as Signal from "../triggerflow/Signal.ts"
import * as Member from "./Member.ts"
import * as Report from "./Report.ts"
import * as State from "./State.ts"

/**
 * How far a team goes. These limits hold for certain: what is at work when the time is up is interrupted, and a member that
 * was called too often is not run.
 *
 * @category models
 */
export interface Limits {
  /** How often members are called, all together. Default 50. */
  readonly calls?: number | undefined
  /** Rounds of the leader: of calls in `coordinate`, of work and planning in `tasks`. Default 10. */
  readonly rounds?: number | undefined
  /** How long the whole may take. Default: no limit. */
  readonly time?: Duration.Input | undefined
  /** How often the conversation may be handed on. Default 5. */
  readonly handoffs?: number | undefined
}

/**
 * What members get to see of each other. Both default to false.
 *
 * @category models
 */
export interface Share {
  /** The conversation that the team is in. The leader always sees it. */
  readonly history?: boolean | undefined
  /** What members have answered earlier in the same run. */
  readonly interactions?: boolean | undefined
}

/** What the flow of a team is made of, types erased. @category models */
export interface Data {
  readonly name: string
  readonly mode: string
  readonly leader: Agent.Agent<unknown, unknown, unknown> | undefined
  readonly members: ReadonlyArray<Member.Any>
  readonly share: Share
  readonly limits: { readonly calls: number; readonly rounds: number; readonly time: number; readonly handoffs: number }
  readonly concurrency: number
  /** In the mode `handoff`: who has the conversation first. */
  readonly first: string | undefined
  readonly state: State.State<string, unknown> | undefined
}

/** The limits with all defaults. @category constructors */
export const limitsOf = ({ calls = 50, handoffs = 5, rounds = 10, time }: Limits): Data["limits"] => ({
  calls,
  rounds,
  handoffs,
  time: time === undefined ? Infinity : Duration.toMillis(Duration.fromInputUnsafe(time))
})

/** A question to a member, as a signal of the flow. @category models */
export type AskSignal = Signal.Signal<string, AskPayload, Reply>

/** What a leader asks. @category models */
export interface AskPayload {
  readonly task: string
}

/** What the leader is told: the encoded answer, or how the member failed. @category schemas */
export const Reply = Schema.Union([
  Schema.TaggedStruct("Answer", { answer: Schema.Json }),
  Schema.TaggedStruct("Failed", { error: Report.Failure })
])

/** What the leader is told, as a type. @category models */
export type Reply = typeof Reply.Type

const fields = Schema.Struct({
  request: Report.Request,
  startedAt: Schema.Finite,
  calls: Schema.Int,
  shared: Schema.Json,
  conflicts: Schema.Array(State.Conflict),
  reports: Schema.Array(Report.Report),
  tasks: Schema.Array(Report.Task)
})

/**
 * The types of a team's flow.
 *
 * @category models
 */
export interface TeamSpec {
  readonly input: Report.Request
  readonly state: typeof fields.Type
  readonly shared: {}
  readonly item: Report.Item
  readonly result: Report.Outcome
  readonly failure: Report.TeamError
  readonly signals: AskSignal
  readonly interrupts: never
  readonly intervention: Schema.Json
}

/** The run handle of a team's flow. @category models */
export type TeamRun = Run<TeamSpec>

/** The contract of a team's flow. @category constructors */
export const contractOf = ({ name, mode }: Data, signals: ReadonlyArray<AskSignal> = []): Flow.Contract<TeamSpec> =>
  Flow.define(name, {
    version: mode,
    input: Report.Request,
    state: fields,
    initial: {
      request: { input: null, history: [] },
      startedAt: 0,
      calls: 0,
      shared: null,
      conflicts: [],
      reports: [],
      tasks: []
    },
    stream: Report.Item,
    result: Report.Outcome,
    error: Report.TeamError,
    signals
  })

// ---------------------------------------------------------------------------------------------------------- the ledger

/**
 * What happens in a team, as it happens. `team` is the path of names, for teams inside teams.
 *
 * @category models
 */
export type TeamEvent =
  | { readonly _tag: "Started"; readonly team: ReadonlyArray<string>; readonly name: string; readonly task: Json }
  /** Also of work that was interrupted: with what there was of the answer, before the team has ended. */
  | { readonly _tag: "Ended"; readonly team: ReadonlyArray<string>; readonly report: Report.Report }
  | { readonly _tag: "Tasks"; readonly team: ReadonlyArray<string>; readonly tasks: ReadonlyArray<Report.Task> }
  | {
      readonly _tag: "TeamEnded"
      readonly team: ReadonlyArray<string>
      readonly status: Report.Outcome["status"] | "failed" | "interrupted"
    }

/**
 * What is kept of a run besides what its flow keeps: values and errors as they are.
 *
 * @category models
 */
export interface Ledger {
  readonly owner: Data
  readonly team: ReadonlyArray<string>
  readonly runs: Array<{
    readonly name: string
    readonly task: Json
    readonly result: Result.Result<unknown, unknown>
    readonly usage: Report.Tokens
    readonly duration: number
  }>
  answer: { readonly value: unknown } | undefined
  readonly watch: (event: TeamEvent) => Effect.Effect<void>
}

/** The ledger of the run that this is a part of, where it has one. @category references */
export const Current: Context.Reference<Ledger | undefined> = Context.Reference("effigent/team/Ledger", {
  defaultValue: (): Ledger | undefined => undefined
})

// A flow of the team that runs in a member of another one does not write into that one's books.
const ledgerOf = (data: Data): Effect.Effect<Ledger | undefined> =>
  Effect.map(Current, (ledger) => (ledger?.owner === data ? ledger : undefined))

/** Says what the team's answer is, as a value. @category ending */
export const answered = (data: Data, value: unknown): Effect.Effect<void> =>
  Effect.map(ledgerOf(data), (ledger) => {
    if (ledger !== undefined) ledger.answer = { value }
  })

/** Says how the tasks stand. @category ending */
export const tasksSeen = (data: Data, tasks: ReadonlyArray<Report.Task>): Effect.Effect<void> =>
  Effect.flatMap(ledgerOf(data), (ledger) =>
    ledger === undefined ? Effect.void : ledger.watch({ _tag: "Tasks", team: ledger.team, tasks })
  )

/** The results of all members by name, as values: those that have been asked in this run. @category reading */
export const resultsOf = (data: Data): Effect.Effect<{ readonly [name: string]: unknown }> =>
  Effect.map(ledgerOf(data), (ledger) =>
    Object.fromEntries((ledger?.runs ?? []).map(({ name, result }) => [name, result] as const))
  )

/** Fails as the team. @category ending */
export const fail = (data: Data, reason: Report.Reason): Effect.Effect<never, Report.TeamError> =>
  Effect.fail(new Report.TeamError({ team: data.name, reason }))

// ---------------------------------------------------------------------------------------------------------- begin, end

const validName = /^[A-Za-z][A-Za-z0-9_-]{0,47}$/

const whole = (what: string, value: number, least: number): ReadonlyArray<string> =>
  Number.isInteger(value) && value >= least ? [] : [`${what} is ${value}: take a whole number from ${least} on`]

/** What is wrong with a team; empty where nothing is. @category checking */
export const problemsOf = ({ concurrency, first, limits, members }: Data): ReadonlyArray<string> => {
  const names = members.map(({ name }) => name)
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  const handing = members.flatMap(({ config, name }) =>
    (config.handoffs ?? []).filter((to) => !names.includes(to)).map((to) => `"${name}" may hand on to "${to}"`)
  )
  const unknown = [...(first === undefined || names.includes(first) ? [] : [`"${first}" is to begin`]), ...handing]
  return [
    ...(members.length === 0 ? ["it has no members"] : []),
    ...[...twice].map((name) => `several members are called "${name}"`),
    ...names
      .filter((name) => !validName.test(name))
      .map((name) => `"${name}" cannot name a member: take a letter, then letters, digits, _ and -, at most 48`),
    ...unknown.map((what) => `${what}, who is none of its members`),
    ...whole("limits.calls", limits.calls, 0),
    ...whole("limits.rounds", limits.rounds, 1),
    ...whole("limits.handoffs", limits.handoffs, 0),
    ...whole("concurrency", concurrency, 1)
  ]
}

const outerCopy = (data: Data): Effect.Effect<State.Isolated<unknown> | undefined> =>
  data.state === undefined
    ? Effect.undefined
    : Effect.map(Effect.serviceOption(data.state.tag), (copy) => {
        const found = Option.getOrUndefined(copy)
        return found instanceof State.Isolated ? found : undefined
      })

/** The first step of each flow: takes the request in. @category beginning */
export const begin =
  (data: Data) =>
  (request: Report.Request, run: TeamRun): Effect.Effect<Report.Request, Report.TeamError> =>
    Effect.gen(function* () {
      const problems = problemsOf(data)
      if (problems.length > 0) return yield* fail(data, { _tag: "InvalidTeam", problems })
      yield* run.state.set("request", request)
      yield* run.state.set("startedAt", yield* Clock.currentTimeMillis)
      const { state } = data
      if (state !== undefined) {
        const outer = yield* outerCopy(data)
        const codec = State.codecOf(state)
        const value = outer === undefined ? state.options.initial : yield* outer.get
        const json = codec.encode(value)
        if (Result.isFailure(json)) return yield* fail(data, { _tag: "InvalidTeam", problems: [json.failure.message] })
        yield* run.state.set("shared", json.success)
      }
      return request
    })

/** The last step of each flow: gives the outcome. @category ending */
export const end =
  (status: (run: TeamRun) => Effect.Effect<Report.Outcome["status"]> = () => Effect.succeed("completed")) =>
  (answer: Json, run: TeamRun): Effect.Effect<Report.Outcome> =>
    Effect.gen(function* () {
      const { conflicts, reports, shared, tasks } = yield* run.state.all
      const usage = Report.addTokens(reports.map((report) => report.usage))
      return { status: yield* status(run), answer, reports, tasks, state: shared, conflicts, usage }
    })

// ---------------------------------------------------------------------------------------------------------- asking

const partialOf = (soFar: ReturnType<Member.Asked["soFar"]>): { readonly partial?: string } => {
  const text = soFar.at(-1)?.text ?? ""
  return text === "" ? {} : { partial: text }
}

const left = (data: Data, run: TeamRun): Effect.Effect<number> =>
  data.limits.time === Infinity
    ? Effect.succeed(Infinity)
    : Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.map(run.state.get("startedAt"), (at) => at + data.limits.time - now)
      )

const timed = <A, E, R>(
  data: Data,
  run: TeamRun,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Report.TeamError, R> => {
  const up = Effect.suspend(() => fail(data, { _tag: "TimedOut", limit: data.limits.time }))
  return Effect.flatMap(left(data, run), (millis) =>
    millis === Infinity ? work : millis <= 0 ? up : Effect.timeoutOrElse(work, { duration: millis, orElse: () => up })
  )
}

interface Piece {
  readonly role: "leader" | "member"
  readonly name: string
  readonly task: Json
}

/** Does a piece of work and writes it down, however it ends. Gives its Exit. */
const written = Effect.fnUntraced(function* (
  data: Data,
  run: TeamRun,
  piece: Piece,
  { soFar, work }: Member.Asked
): Effect.fn.Return<Exit.Exit<Member.Done, unknown>, never, unknown> {
  const ledger = yield* ledgerOf(data)
  const at = yield* Clock.currentTimeMillis
  const { name, role, task } = piece
  if (ledger !== undefined) yield* ledger.watch({ _tag: "Started", team: ledger.team, name, task })
  yield* run.put({ type: "team.started", name, task })
  yield* run.commit
  const told = Effect.fnUntraced(function* (exit: Exit.Exit<Member.Done, unknown>) {
    const duration = (yield* Clock.currentTimeMillis) - at
    const stopped = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    const usage = Exit.isSuccess(exit) ? exit.value.usage : Report.addTokens(soFar().map((attempt) => attempt.usage))
    const error = Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    const base = { role, name, task, at, duration, usage }
    const report: Report.Report = Exit.isSuccess(exit)
      ? { ...base, status: "success", answer: exit.value.answer }
      : error instanceof Report.Handoff
        ? { ...base, status: "handed", answer: { to: error.to, reason: error.reason } }
        : {
            ...base,
            status: stopped ? "interrupted" : "failed",
            error: stopped
              ? { name: "Interrupted", message: "it was stopped" }
              : Report.failureOf(Cause.squash(exit.cause)),
            ...partialOf(soFar())
          }
    if (ledger !== undefined) {
      if (role === "member" && !stopped) {
        const result = Exit.isSuccess(exit)
          ? Result.succeed(exit.value.value)
          : Result.fail(Option.getOrElse(Cause.findErrorOption(exit.cause), () => Cause.squash(exit.cause)))
        ledger.runs.push({ name, task, result, usage, duration })
      }
      yield* ledger.watch({ _tag: "Ended", team: ledger.team, report })
    }
    return report
  })
  // Who is interrupted cannot write into the flow any more, which is being stopped: those who watch are told.
  const exit = yield* Effect.exit(timed(data, run, work)).pipe(Effect.onInterrupt(() => told(Exit.interrupt())))
  const report = yield* told(exit)
  yield* run.state.append("reports", report)
  yield* run.put({ type: "team.ended", report })
  yield* run.commit
  return exit
})

/** What a member of a team is to know of those before it. */
const interactions = (reports: ReadonlyArray<Report.Report>): { readonly [name: string]: Json } => {
  const done = reports.filter(({ role, status }) => role === "member" && status === "success")
  return done.length === 0
    ? {}
    : { "done by others": done.map(({ answer = null, name, task }) => ({ member: name, task, answer })) }
}

/**
 * Asks a member. Its failure is a Result; a fault of the program (a defect) and an interruption go through.
 *
 * @category asking
 */
export const ask = Effect.fnUntraced(function* (
  data: Data,
  member: Member.Any,
  asked: Omit<Member.Ask, "history" | "info"> & Partial<Pick<Member.Ask, "history" | "info">>,
  run: TeamRun
): Effect.fn.Return<Result.Result<Member.Done, unknown>, never, unknown> {
  const piece: Piece = { role: "member", name: member.name, task: asked.task }
  const calls = yield* run.state.update("calls", (count) => count + 1)
  if (calls > data.limits.calls) {
    const reason: Report.Reason = { _tag: "CallLimit", limit: data.limits.calls }
    // Written down as a failure of that member: whoever reads the results finds one for each time it was asked.
    const refused = new Report.TeamError({ team: data.name, reason })
    yield* written(data, run, piece, { work: Effect.fail(refused), soFar: () => [] })
    return Result.fail(refused)
  }
  const { reports, request } = yield* run.state.all
  const known = {
    task: asked.task,
    prepare: asked.prepare,
    // Here it is JSON; the agent that sends it checks that it is messages.
    history: asked.history ?? (data.share.history === true ? (request.history as unknown as Member.Messages) : []),
    info: { ...(data.share.interactions === true ? interactions(reports) : {}), ...asked.info }
  }
  const work = member.worker.ask(known)
  const copy = yield* isolated(data, run)
  const own = copy === undefined ? work : { ...work, work: Effect.provideService(work.work, copy.tag, copy.copy) }
  const exit = yield* written(data, run, piece, own)
  if (Exit.isSuccess(exit)) {
    if (copy !== undefined) yield* takeBack(data, run, member.name, copy.copy.work)
    return Result.succeed(exit.value)
  }
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isSome(error)) return Result.fail(error.value)
  // Neither a defect nor an interruption is a failure of the member's own type.
  return yield* Effect.failCause(exit.cause as Cause.Cause<never>)
})

const isolated = (data: Data, run: TeamRun) => {
  const { state } = data
  if (state === undefined) return Effect.undefined
  return Effect.map(run.state.get("shared"), (json) => ({
    tag: state.tag,
    copy: new State.Isolated(State.codecOf(state), json)
  }))
}

/** Does the work of a member again on what the state is now, and on that of the team around this one. */
const takeBack = Effect.fnUntraced(function* <S>(data: Data, run: TeamRun, member: string, work: State.Work<S>) {
  if (data.state === undefined || work.ops.length === 0) return
  // It is work on a copy of this state.
  const codec = State.codecOf(data.state) as State.Codec<S>
  let conflicts: ReadonlyArray<State.Conflict> = []
  yield* run.state.update("shared", (json) => {
    const done = State.merged(codec, member, json, work)
    conflicts = done.conflicts
    return done.json
  })
  for (const conflict of conflicts) yield* run.state.append("conflicts", conflict)
  const outer = yield* outerCopy(data)
  outer?.absorb(member, work as State.Work<unknown> /* the same state */)
})

/** The state as the leader has it: what it changes is there at once, and so is what members have done. */
const live = (data: Data, state: State.State<string, unknown>, run: TeamRun): State.Copy<unknown> => {
  const codec = State.codecOf(state)
  const read = (json: Json) => Effect.orDie(Effect.fromResult(codec.decode(json)))
  const get = Effect.flatMap(run.state.get("shared"), read)
  // One change at a time: it is tried on a copy that is what the state is in that moment.
  const change = (f: (copy: State.Isolated<unknown>) => Result.Result<unknown, State.StateError>) =>
    Effect.suspend(() => {
      let tried: Result.Result<unknown, State.StateError> = Result.succeed(undefined)
      let work: State.Work<unknown> | undefined
      const changed = run.state.update("shared", (json) => {
        const copy = new State.Isolated(codec, json)
        tried = f(copy)
        work = copy.work
        return work.mine
      })
      const passedOn = Effect.map(outerCopy(data), (outer) => {
        if (work !== undefined) outer?.absorb("leader", work)
      })
      return changed.pipe(Effect.andThen(passedOn), Effect.andThen(Effect.suspend(() => Effect.fromResult(tried))))
    })
  return {
    get,
    update: (f) => change((copy) => copy.updateNow(f)),
    set: (value) => change((copy) => copy.setNow(value))
  }
}

/** What a leader is told of its members. @category reading */
export const roster = ({ members }: Data): Json =>
  members.map(({ config, name }) => ({ name, description: config.description }))

/**
 * Lets the leader do something. `prepare` says what; its failure is a failure of the team.
 *
 * @category asking
 */
export const lead = Effect.fnUntraced(function* <A>(
  data: Data,
  step: string,
  prepare: (leader: Agent.Agent<unknown, unknown, unknown>) => Agent.Agent<A, unknown, unknown>,
  run: TeamRun
): Effect.fn.Return<{ readonly value: A; readonly answer: Json }, unknown, unknown> {
  const { leader } = data
  if (leader === undefined) return yield* Effect.die(new Error(`The team "${data.name}" has no leader`))
  const { request } = yield* run.state.all
  const asked = prepare(
    // Its messages, as above.
    Member.given(leader, { task: request.input, info: {}, history: request.history as unknown as Member.Messages })
  )
  let soFar: Member.Asked["soFar"] = () => []
  const watched: Agent.Around = (config, work, attempts) => {
    soFar = attempts
    return work(config)
  }
  const encode = Member.encoder(Member.schemaOf(asked))
  let full: FullResponse<A> | undefined
  const work = Effect.gen(function* () {
    full = yield* Agent.whole(Agent.around(asked, watched))
    const answer = yield* encode(full.data)
    return { value: full.data, answer, usage: Report.addTokens([full.meta.usage]) }
  })
  const provided =
    data.state === undefined ? work : Effect.provideService(work, data.state.tag, live(data, data.state, run))
  const piece: Piece = { role: "leader", name: step, task: request.input }
  const exit = yield* written(data, run, piece, { work: provided, soFar: () => soFar() })
  if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  if (full === undefined) return yield* Effect.die(new Error("A response that has ended has no end"))
  return { value: full.data, answer: exit.value.answer }
})
