/**
 * One call from the model's arguments to its record: found, decoded, approved, run under its policy, encoded, shaped. It
 * does not fail but for an `Abort`: whatever else happens is a record, and the model is told.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import {
  ActionAudit,
  type ActionCall,
  type ActionEvent,
  type ActionRecord,
  type ActionStatus,
  ApprovalGate,
  type ApprovalRequest,
  type Decision
} from "../../services/Action.ts"
import { ExecutorError } from "../../services/ActionExecutor.ts"
import * as Telemetry from "../../services/Telemetry.ts"
import { fromValue, type Json } from "../../services/Json.ts"
import { type ActionContext, type Any, type Runner, runnerOf } from "./Action.ts"
import * as Issues from "../output/Issues.ts"
import * as Artifacts from "./Artifacts.ts"
import * as Digest from "./Digest.ts"
import { Abort, Retry, Stop } from "./Signal.ts"

/**
 * What is around the calls of a run: an onion. The first one of a list is outermost. It may change the call, also what is
 * passed, answer in the place of the action, look at the record and change it. What `next` gives is a record whatever
 * happens; an `Abort` passes by, as the end of the run.
 *
 * @category models
 */
export type Middleware<E = never, R = never> = (
  call: ActionCall,
  next: (call: ActionCall) => Effect.Effect<ActionRecord>
) => Effect.Effect<ActionRecord, E, R>

/**
 * What calls are dispatched with.
 *
 * @category models
 */
export interface Site {
  readonly find: (name: string) => Any | undefined
  /** The names that a model may call now. */
  readonly names: () => ReadonlyArray<string>
  /** Whether a call needs approval, where its action does not say so. */
  readonly gated: (action: Any) => boolean
  readonly artifacts: Artifacts.ArtifactStore["Service"]
  /** Tells those who watch the run. */
  readonly tell: (event: ActionEvent) => Effect.Effect<void>
  /** When the time of the loop is up, in milliseconds since 1970. */
  readonly deadline: number
  /** What makes the keys of calls unique: the id of the run. */
  readonly run: string
  /** What is known of the calls that are at work, by their ids: what is told of them should they break off. */
  readonly begun: Map<string, Pick<ActionRecord, "at" | "decision" | "sideEffect" | "tries">>
}

/**
 * A call that has ended. `answer` is the run's answer where the call is to end it.
 *
 * @category models
 */
export interface Settled {
  readonly record: ActionRecord
  readonly answer: { readonly by: "returned" | "stopped"; readonly value: Json } | undefined
}

/** How any action is run, with its types erased. @category models */
export type AnyRunner = Runner<unknown, unknown, unknown, unknown>

/**
 * A call that may be run: its action and its decoded input.
 *
 * @category models
 */
export interface Ready {
  readonly _tag: "Ready"
  readonly call: ActionCall
  readonly action: Any
  readonly input: unknown
  /** What has to be approved first. */
  readonly approval: ApprovalRequest | undefined
}

const errorOf = (text: string): Json => ({ error: text })

/** The record of a call that is not run. @category constructors */
export const notRun = (
  call: ActionCall,
  status: ActionStatus,
  text: string,
  at: number,
  more: Partial<ActionRecord> = {}
): ActionRecord => ({ call, status, result: errorOf(text), tries: 0, at, duration: 0, ...more })

// Tagged errors often have no message of their own: their tag says more than nothing.
const messageOf = (error: unknown): string => {
  if (error instanceof Error) return error.message || error.name
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
}

// What is wrong may be as long as a result, and is shown as one.
const shaped = (site: Pick<Site, "artifacts">, { policy }: Any, record: ActionRecord): Effect.Effect<ActionRecord> =>
  Effect.map(Artifacts.shape(record.result, policy.maxResult, site.artifacts), ({ artifact, result }) =>
    artifact === undefined ? record : { ...record, result, artifact }
  )

/** How the loop runs an action of which nothing more is known. @category reading */
export const runnerOfAny = (action: Any): AnyRunner =>
  // Its input comes from its own `decode`, and what it needs is in the type of the run that uses it.
  runnerOf(action) as unknown as AnyRunner

/**
 * Finds and decodes: gives what may be run, or the record of a call that may not.
 *
 * @category dispatching
 */
export const check = (site: Site, call: ActionCall): Effect.Effect<Ready | ActionRecord, never, unknown> => {
  const action = site.find(call.action)
  if (action === undefined) {
    const names = site.names().join(", ")
    return Effect.map(Clock.currentTimeMillis, (at) =>
      notRun(call, "unknown", `there is no action ${JSON.stringify(call.action)}; there are: ${names || "none"}`, at)
    )
  }
  const runner = runnerOfAny(action)
  const sideEffect = action.policy.sideEffect
  return Effect.matchEffect(runner.decode(call.input), {
    onFailure: (error: Schema.SchemaError) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) =>
        shaped(
          site,
          action,
          notRun(call, "invalid", `the input does not fit: ${Issues.inWords(error.message)}`, at, { sideEffect })
        )
      ),
    onSuccess: (input) =>
      Effect.map(approvalOf(site, call, action, runner, input), (approval) => ({
        _tag: "Ready" as const,
        call,
        action,
        input,
        approval
      }))
  })
}

const approvalOf = (
  site: Site,
  call: ActionCall,
  action: Any,
  runner: AnyRunner,
  input: unknown
): Effect.Effect<ApprovalRequest | undefined, never, unknown> => {
  const { approval } = runner
  const own = typeof approval === "string" ? approval === "always" : approval(input, call)
  const needs = typeof own === "boolean" ? Effect.succeed(own) : own
  return Effect.flatMap(needs, (needed) => {
    if (!needed && !site.gated(action)) return Effect.undefined
    const { description } = action.tool
    const { sideEffect } = action.policy
    const { resources } = runner
    return Effect.flatMap(resources === undefined ? Effect.undefined : resources(input, call), (bound) =>
      Effect.map(
        Digest.ofJson([call.action, call.input, sideEffect, ...(bound === undefined ? [] : [bound])]),
        (digest) => ({
          call,
          ...(description === undefined ? {} : { description }),
          sideEffect,
          ...(bound === undefined ? {} : { resources: bound }),
          digest
        })
      )
    )
  })
}

/** The record of a call that was not approved. @category constructors */
export const denied = (ready: Ready, decision: Decision, at: number): ActionRecord =>
  notRun(
    ready.call,
    "denied",
    decision._tag === "Denied" && decision.note !== undefined ? decision.note : "it was not approved",
    at,
    { sideEffect: ready.action.policy.sideEffect, decision }
  )

/** What tells a call from all others, and is the same for each try of it. @category reading */
export const keyOf = (site: Pick<Site, "run">, call: ActionCall): string => `${site.run}/${call.id}`

/** What a handler is told about a call. @category constructors */
export const contextOf = (site: Site, call: ActionCall): ActionContext => ({
  call,
  key: keyOf(site, call),
  progress: (value) => Effect.suspend(() => site.tell({ _tag: "ActionProgress", call, value: fromValue(value) }))
})

/**
 * Runs a call whose approval, if it needs any, was given. `work`: what is done instead of running the action.
 *
 * @category dispatching
 */
export const perform = (
  site: Site,
  ready: Ready,
  decision: Decision | undefined,
  work: AnyRunner["run"] = runnerOfAny(ready.action).run
): Effect.Effect<Settled, Abort<unknown>, unknown> =>
  Effect.flatMap(Telemetry.Current, (telemetry) => {
    const performed = performing(site, ready, decision, work)
    if (telemetry === undefined) return performed
    const about = { call: ready.call, description: ready.action.tool.description }
    return telemetry.tool(about, performed, ({ record }) => record)
  })

const performing = Effect.fnUntraced(function* (
  site: Site,
  ready: Ready,
  decision: Decision | undefined,
  work: AnyRunner["run"]
): Effect.fn.Return<Settled, Abort<unknown>, unknown> {
  const { action, call, input } = ready
  const { policy } = action
  const runner = runnerOfAny(action)
  const at = yield* Clock.currentTimeMillis
  let tries = 0
  const known = { sideEffect: policy.sideEffect, ...(decision === undefined ? {} : { decision }), at }
  const base = { call, ...known }
  if (at >= site.deadline) return settled(notRun(call, "skipped", "the time of the run is over", at, known))
  const end = (
    duration: number,
    status: ActionStatus,
    result: Json,
    more: Partial<ActionRecord> = {}
  ): ActionRecord => ({
    ...base,
    status,
    result,
    tries,
    duration,
    ...more
  })
  const once = Effect.suspend(() => {
    tries++
    site.begun.set(call.id, { ...known, tries })
    return work(input, contextOf(site, call))
  })
  const retried = policy.retry === undefined ? once : Effect.retry(once, { schedule: policy.retry, while: isPlain })
  const limited = runner.permits === undefined ? retried : runner.permits.withPermit(retried)
  const millis = Math.min(
    policy.timeout === undefined ? Infinity : Duration.toMillis(policy.timeout),
    site.deadline - at
  )
  const timed: Effect.Effect<Option.Option<unknown>, unknown, unknown> = millis === Infinity
    ? Effect.map(limited, Option.some)
    : Effect.timeoutOption(limited, millis)
  const exit = yield* Effect.exit(timed)
  const duration = (yield* Clock.currentTimeMillis) - at
  if (Exit.isFailure(exit)) {
    // Not the run, which would not come here: something that the handler waited for.
    if (Cause.hasInterruptsOnly(exit.cause)) {
      return settled(end(duration, "interrupted", errorOf("it was stopped while it was at work")))
    }
    const error = Cause.findErrorOption(exit.cause)
    if (Option.isNone(error)) {
      yield* Effect.logError(`The action ${action.name} broke`, exit.cause)
      return settled(end(duration, "failed", errorOf("the action broke; this is a fault of the program")))
    }
    const { answer, record } = yield* failed(runner, error.value, (status, result) => end(duration, status, result))
    return { record: record.status === "failed" ? yield* shaped(site, action, record) : record, answer }
  }
  if (Option.isNone(exit.value)) {
    const maybe = policy.sideEffect === "once" && tries > 0 ? "; it may have been done nevertheless" : ""
    return settled(end(duration, "timeout", errorOf(`stopped after ${millis} ms${maybe}`)))
  }
  const encoded = yield* Effect.exit(runner.encode(exit.value.value))
  if (Exit.isFailure(encoded)) {
    yield* Effect.logError(`The result of the action ${action.name} does not fit its Schema`, encoded.cause)
    return settled(
      end(duration, "failed", errorOf("the result does not fit its Schema; this is a fault of the program"))
    )
  }
  const { artifact, result } = yield* Artifacts.shape(encoded.value, policy.maxResult, site.artifacts)
  return {
    record: end(duration, "success", result, artifact === undefined ? {} : { artifact }),
    answer: policy.returns ? { by: "returned", value: encoded.value } : undefined
  }
})

const settled = (record: ActionRecord): Settled => ({ record, answer: undefined })

const isPlain = (error: unknown): boolean =>
  !(error instanceof Retry || error instanceof Stop || error instanceof Abort)

// What was on its way when the connection broke: it may have run.
const isUncertain = (error: unknown): boolean =>
  error instanceof ExecutorError && error.reason._tag === "Unavailable" && error.reason.uncertain

const failed = (
  runner: AnyRunner,
  error: unknown,
  end: (status: ActionStatus, result: Json) => ActionRecord
): Effect.Effect<Settled, Abort<unknown>, unknown> => {
  if (error instanceof Abort) return Effect.fail(error)
  if (error instanceof Retry) return Effect.succeed(settled(end("retry", error.hint)))
  if (error instanceof Stop) {
    return Effect.succeed({
      record: end("success", error.answer),
      answer: { by: "stopped", value: error.answer }
    })
  }
  return Effect.map(runner.encodeFailure(error), (encoded) =>
    settled(
      end(
        isUncertain(error) ? "uncertain" : "failed",
        encoded === undefined ? errorOf(messageOf(error)) : { error: encoded }
      )
    )
  )
}

/** Whether a call may be run. @category guards */
export const isReady = (checked: Ready | ActionRecord): checked is Ready => "_tag" in checked

/**
 * What may differ between the loop inside a response and one that waits elsewhere: how a decision is found, and what runs
 * a call that may be run.
 *
 * @category models
 */
export interface Driver {
  readonly decide: (site: Site, request: ApprovalRequest) => Effect.Effect<Decision, unknown, unknown>
  readonly perform: (
    site: Site,
    ready: Ready,
    decision: Decision | undefined
  ) => Effect.Effect<Settled, unknown, unknown>
}

/**
 * Dispatches a call: checks it, lets its approval be decided where it needs one, runs it. What an approval is bound to is
 * looked at once more when it is there: it may have taken long.
 *
 * @category dispatching
 */
export const dispatch = (
  site: Site,
  call: ActionCall,
  driver: Driver = inResponse
): Effect.Effect<Settled, unknown, unknown> =>
  Effect.flatMap(check(site, call), (checked) => {
    if (!isReady(checked)) return noted(checked)
    return checked.approval === undefined
      ? driver.perform(site, checked, undefined)
      : approved(site, driver, checked, checked.approval)
  })

// A call that is not run is told to whoever traces the run.
const noted = (record: ActionRecord): Effect.Effect<Settled> =>
  Effect.flatMap(Telemetry.Current, (telemetry) =>
    telemetry === undefined ? Effect.succeed(settled(record)) : Effect.as(telemetry.notRun(record), settled(record))
  )

const approved = (
  site: Site,
  driver: Driver,
  ready: Ready,
  request: ApprovalRequest
): Effect.Effect<Settled, unknown, unknown> =>
  Effect.flatMap(driver.decide(site, request), (decision) => {
    if (decision._tag === "Denied") {
      return Effect.flatMap(Clock.currentTimeMillis, (at) => noted(denied(ready, decision, at)))
    }
    if (request.resources === undefined) return driver.perform(site, ready, decision)
    return Effect.flatMap(approvalOf(site, ready.call, ready.action, runnerOfAny(ready.action), ready.input), (now) =>
      now === undefined || now.digest === request.digest
        ? driver.perform(site, ready, decision)
        : approved(site, driver, ready, now)
    )
  })

const nobodyDecided: Decision = { _tag: "Denied", note: "nobody decided on its approval in time" }

const decide = Effect.fnUntraced(function* (site: Site, request: ApprovalRequest): Effect.fn.Return<Decision> {
  const gate = yield* ApprovalGate
  const left = site.deadline - (yield* Clock.currentTimeMillis)
  if (left <= 0) return nobodyDecided
  return left === Infinity
    ? yield* gate(request)
    : yield* Effect.timeoutOrElse(gate(request), { duration: left, orElse: () => Effect.succeed(nobodyDecided) })
})

const inResponse: Driver = { decide, perform }

/** Tells those who watch, and the `ActionAudit`. @category dispatching */
export const say = (site: Site, event: ActionEvent): Effect.Effect<void> =>
  Effect.flatMap(ActionAudit, (audit) => Effect.andThen(site.tell(event), audit(event)))

/** Tells of a call that broke off. @category dispatching */
export const brokenOff = (site: Site, call: ActionCall, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const known = site.begun.get(call.id) ?? { at: now, tries: 0 }
    const interrupted = Cause.hasInterruptsOnly(cause)
    const text = interrupted ? "its run was stopped" : messageOf(failureIn(cause))
    const more = { ...known, duration: now - known.at }
    return say(site, {
      _tag: "ActionEnded",
      record: notRun(call, interrupted ? "interrupted" : "failed", text, known.at, more)
    })
  })

const failureIn = (cause: Cause.Cause<unknown>): unknown => {
  const error = Cause.squash(cause)
  return error instanceof Abort ? error.error : error
}

/** Tells of a call whose turn had not come when its run was stopped. @category dispatching */
export const neverBegan = (site: Site, call: ActionCall): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (at) =>
    say(site, {
      _tag: "ActionEnded",
      record: notRun(call, "interrupted", "its run was stopped before its turn came", at)
    })
  )

/**
 * Tells of a call that its turn has come, and what became of it, also where its run is interrupted.
 *
 * @category dispatching
 */
export const told = <E, R>(
  site: Site,
  call: ActionCall,
  work: Effect.Effect<Settled, E, R>
): Effect.Effect<Settled, E, R> =>
  Effect.andThen(say(site, { _tag: "ActionStarted", call }), work).pipe(
    Effect.onExit((exit) => {
      const end = Exit.isSuccess(exit)
        ? say(site, { _tag: "ActionEnded", record: exit.value.record })
        : brokenOff(site, call, exit.cause)
      return Effect.andThen(
        end,
        Effect.sync(() => site.begun.delete(call.id))
      )
    })
  )
