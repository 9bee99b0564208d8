/**
 * The handlers of one call: it is checked, approved where it needs to be, and run; again from the beginning where its
 * approval is void. The same `Dispatch` as in a response does all of it; here a decision is what a person has answered,
 * and a call that must not be run twice is marked before it begins.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ActionCall, ActionEvent, ActionRecord, ApprovalRequest, Decision } from "../../services/Action.ts"
import type { ArtifactStore } from "../action/Artifacts.ts"
import * as Artifacts from "../action/Artifacts.ts"
import * as Dispatch from "../action/Dispatch.ts"
import * as Rounds from "../action/Rounds.ts"
import type { Using } from "../action/Using.ts"
import { type ActionRun, Approval, type Ended, endedOf, type Outcome, type State, UnknownOutcome } from "./State.ts"

/**
 * A call on its way. All of it is JSON, since it goes from chunk to chunk and may be saved between them.
 *
 * @category models
 */
export interface Step {
  readonly call: ActionCall
  readonly skip?: string
  /** What has to be asked before it goes on. */
  readonly question?:
    | { readonly _tag: "Approval"; readonly request: ApprovalRequest }
    | { readonly _tag: "UnknownOutcome"; readonly at: number }
  /** How many questions there were. */
  readonly asked: number
  /** What was decided, and on what. */
  readonly decided?: { readonly digest: string; readonly decision: Decision }
  /** What a person says of it. */
  readonly outcome?: Outcome
  readonly ended?: Ended
}

/** What the handlers of a flow are made with. @category models */
export interface Site {
  readonly using: Using<unknown, unknown>
  /** Keeps the run where it must not be lost: fails where that cannot be done. */
  readonly fence: (run: ActionRun) => Effect.Effect<void, unknown, unknown>
  /** Keeps the run where it is of use. */
  readonly keep: (run: ActionRun) => Effect.Effect<void, unknown, unknown>
}

/** Where the artifacts of a run are kept: in its state. @category constructors */
export const artifactsIn = (run: ActionRun): ArtifactStore["Service"] => ({
  save: (id, text) => Effect.asVoid(run.state.update("artifacts", (all) => ({ ...all, [id]: text }))),
  read: (id, from, to) =>
    Effect.map(run.state.get("artifacts"), (all) =>
      Option.map(Option.fromUndefinedOr(Object.hasOwn(all, id) ? all[id] : undefined), (text) => text.slice(from, to))
    )
})

/** The loop as it stands in the state. @category constructors */
export const workOf = (
  { using }: Site,
  run: ActionRun,
  { elapsed, loop }: Pick<State, "elapsed" | "loop">
): Effect.Effect<Rounds.Work> =>
  Rounds.begin(using.toolset, using.options, (event) => run.put(event, { volatile: event._tag === "ActionProgress" }), {
    run: run.executionId,
    state: loop,
    elapsed,
    artifacts: artifactsIn(run)
  })

const markOf = (state: Pick<State, "marks">, { id }: ActionCall) =>
  Object.hasOwn(state.marks, id) ? state.marks[id] : undefined

/** How long calls were at work, in milliseconds: side by side counts once, waiting for a person not at all. @category measuring */
export const busyOf = (records: ReadonlyArray<Pick<ActionRecord, "at" | "duration">>): number => {
  let busy = 0
  let until = -Infinity
  for (const { at, duration } of records.toSorted((a, b) => a.at - b.at)) {
    const end = at + duration
    busy += Math.max(0, end - Math.max(at, until))
    until = Math.max(until, end)
  }
  return busy
}

const endedIn = ({ marks }: Pick<State, "marks">) =>
  Object.values(marks).flatMap((mark) => (mark._tag === "Ended" ? [mark.ended.record] : []))

const mark = (run: ActionRun, { id }: ActionCall, mark: State["marks"][string]) =>
  run.state.update("marks", (marks) => ({ ...marks, [id]: mark }))

/** Why a dispatch was left: what has to be approved; nothing where it may be run. */
interface Reached {
  readonly request: ApprovalRequest | undefined
}

// Dispatches a call until `perform`, or until something has to be approved. A middleware may not keep it from being left.
const dispatching = (
  site: Site,
  work: Rounds.Work,
  step: Step,
  perform: Dispatch.Driver["perform"] | undefined
): Effect.Effect<Dispatch.Settled | Reached, unknown, unknown> =>
  Effect.suspend(() => {
    let reached: Reached | undefined
    const leave = (request: ApprovalRequest | undefined) =>
      Effect.suspend(() => {
        reached = { request }
        return Effect.fail(new Error("the call is run later; let this pass"))
      })
    const { decided } = step
    const driver: Dispatch.Driver = {
      decide: (_, request) =>
        // What is denied stays denied; an approval is one of exactly this.
        decided !== undefined && (decided.decision._tag === "Denied" || decided.digest === request.digest)
          ? Effect.succeed(decided.decision)
          : leave(request),
      perform: perform ?? (() => leave(undefined))
    }
    const dispatch = Rounds.around(site.using.options.middleware ?? [], work.site, driver)
    return dispatch(step.call).pipe(
      Effect.provideContext(work.services),
      Effect.exit,
      Effect.flatMap((exit): Exit.Exit<Dispatch.Settled | Reached, unknown> => {
        if (reached === undefined) return exit
        return Exit.succeed(reached)
      })
    )
  })

const isReached = (value: Dispatch.Settled | Reached): value is Reached => "request" in value

const asking = (step: Step, request: ApprovalRequest): Step => {
  const { decided: _, ...rest } = step
  return { ...rest, question: { _tag: "Approval", request }, asked: step.asked + 1 }
}

// Tells that a call has ended, and keeps it.
const end = Effect.fnUntraced(function* (site: Site, run: ActionRun, step: Step, settled: Dispatch.Settled) {
  const ended = endedOf({ ...settled, record: { ...settled.record, call: step.call } })
  yield* mark(run, step.call, { _tag: "Ended", ended })
  if (settled.record.sideEffect !== "pure" && settled.record.tries > 0) yield* site.keep(run)
  return { call: step.call, asked: step.asked, ended }
})

const ofNow = (work: Rounds.Work, event: ActionEvent) => Dispatch.say(work.site, event)

/** Looks at a call: whether it may run, and what has to be asked first. @category handlers */
export const check =
  (site: Site) =>
  (step: Step, run: ActionRun): Effect.Effect<Step, unknown, unknown> =>
    Effect.gen(function* () {
      const state = yield* run.state.all
      const known = markOf(state, step.call)
      if (known?._tag === "Ended") return { call: step.call, asked: step.asked, ended: known.ended }
      // It was at work when the program ended: `act` finds out what became of it.
      if (known !== undefined) return step
      const work = yield* workOf(site, run, state)
      const found =
        step.skip === undefined
          ? yield* dispatching(site, work, step, undefined)
          : yield* Rounds.skipped(step.call, step.skip)
      if (isReached(found)) return found.request === undefined ? step : asking(step, found.request)
      yield* Dispatch.told(work.site, step.call, Effect.succeed(found))
      return yield* end(site, run, step, found)
    }).pipe(Effect.mapError(Rounds.failureOf))

const idOf = (step: Step, what: string): string => `${step.call.id}:${what}${step.asked > 1 ? `:${step.asked}` : ""}`

/** Asks what has to be asked, and waits for the answer. @category handlers */
export const approve = Effect.fnUntraced(function* (step: Step, run: ActionRun) {
  const { question, ...rest } = step
  if (question === undefined) return step
  if (question._tag === "Approval") {
    const { request } = question
    const answer = run.resumed(Approval)
    return Option.isSome(answer)
      ? { ...rest, decided: { digest: request.digest, decision: answer.value } }
      : yield* run.pause(Approval, request, { to: "self", id: idOf(step, request.digest.slice(0, 16)) })
  }
  const answer = run.resumed(UnknownOutcome)
  if (Option.isSome(answer)) return { ...rest, outcome: answer.value }
  const payload = { call: step.call, key: Dispatch.keyOf({ run: run.executionId }, step.call), at: question.at }
  return yield* run.pause(UnknownOutcome, payload, { to: "self", id: idOf(step, "outcome") })
})

const decisionOf = ({ decided }: Step) => decided?.decision

// What the action itself knows of a call that was at work when the program ended: its outcome, `none` where it was not
// done, `undefined` where it cannot tell.
const reconciled = Effect.fnUntraced(function* (work: Rounds.Work, step: Step) {
  const ready = yield* Dispatch.check(work.site, step.call)
  if (!Dispatch.isReady(ready)) return undefined
  const { reconcile } = Dispatch.runnerOfAny(ready.action)
  if (reconcile === undefined) return undefined
  const exit = yield* Effect.exit(reconcile(ready.input, Dispatch.contextOf(work.site, step.call)))
  if (Exit.isFailure(exit)) {
    yield* Effect.logWarning(`The action ${step.call.action} cannot tell what became of ${step.call.id}`, exit.cause)
    return undefined
  }
  const { value } = exit
  if (Option.isNone(value)) return Option.none()
  return Option.some(yield* Dispatch.perform(work.site, ready, decisionOf(step), () => Effect.succeed(value.value)))
})

const told = (work: Rounds.Work, step: Step, at: number, outcome: Exclude<Outcome, { readonly _tag: "Again" }>) => {
  const action = work.site.find(step.call.action)
  const decision = decisionOf(step)
  const more = {
    ...(action === undefined ? {} : { sideEffect: action.policy.sideEffect }),
    ...(decision === undefined ? {} : { decision })
  }
  if (outcome._tag === "NotDone") {
    const text = "the program ended before it was done; it was not done"
    return Effect.succeed({
      record: Dispatch.notRun(step.call, "interrupted", text, at, { ...more, tries: 1 }),
      answer: undefined
    })
  }
  return Effect.map(
    Artifacts.shape(outcome.result, action?.policy.maxResult ?? Infinity, work.site.artifacts),
    ({ artifact, result }): Dispatch.Settled => ({
      record: {
        call: step.call,
        status: "success",
        result,
        ...more,
        ...(artifact === undefined ? {} : { artifact }),
        tries: 1,
        at,
        duration: 0
      },
      answer: action?.policy.returns === true ? { by: "returned", value: outcome.result } : undefined
    })
  )
}

/** Runs a call that may be run. @category handlers */
export const act =
  (site: Site) =>
  (step: Step, run: ActionRun): Effect.Effect<Step, unknown, unknown> =>
    Effect.gen(function* () {
      if (step.ended !== undefined || step.question !== undefined) return step
      const state = yield* run.state.all
      // What has ended in this round took its time too.
      const work = yield* workOf(site, run, { ...state, elapsed: state.elapsed + busyOf(endedIn(state)) })
      const known = markOf(state, step.call)
      if (known?._tag === "Ended") return { call: step.call, asked: step.asked, ended: known.ended }
      const { call } = step
      if (known?._tag === "Executing" && step.outcome?._tag !== "Again") {
        const found =
          step.outcome === undefined
            ? yield* reconciled(work, step)
            : Option.some(yield* told(work, step, known.at, step.outcome))
        if (found === undefined) {
          return { ...step, question: { _tag: "UnknownOutcome" as const, at: known.at }, asked: step.asked + 1 }
        }
        if (Option.isSome(found)) {
          yield* ofNow(work, { _tag: "ActionEnded", record: found.value.record })
          return yield* end(site, run, step, found.value)
        }
      }
      let begun = false
      const begin = Effect.suspend(() => {
        if (begun) return Effect.void
        begun = true
        return ofNow(work, { _tag: "ActionStarted", call })
      })
      const perform: Dispatch.Driver["perform"] = (at, ready, decision) =>
        Effect.gen(function* () {
          yield* begin
          if (ready.action.policy.sideEffect === "once") {
            yield* mark(run, call, { _tag: "Executing", at: yield* Clock.currentTimeMillis })
            yield* site.fence(run)
          }
          return yield* Dispatch.perform(at, ready, decision)
        })
      const found = yield* dispatching(site, work, step, perform).pipe(
        Effect.onError((cause) => (begun ? Dispatch.brokenOff(work.site, call, cause) : Effect.void))
      )
      // What it was approved for has changed.
      if (isReached(found)) return found.request === undefined ? step : asking(step, found.request)
      yield* begin
      const names = work.state.found
      if (names !== state.loop.found) {
        yield* run.state.update("loop", (loop) => ({ ...loop, found: [...new Set([...loop.found, ...names])] }))
      }
      yield* ofNow(work, { _tag: "ActionEnded", record: { ...found.record, call } })
      return yield* end(site, run, step, found)
    }).pipe(Effect.mapError(Rounds.failureOf))
