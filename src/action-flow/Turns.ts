/**
 * The handlers of a round: the model is asked for one turn, and what its calls gave is put behind the loop. Each looks
 * first whether what it is there for was done already, since it is run again where the flow goes on after a crash.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Rounds from "../action/Rounds.ts"
import { oneTurn, Using } from "../action/Using.ts"
import { TurnLeft } from "../agent/Acts.ts"
import * as Agent from "../agent/Agent.ts"
import * as Budget from "../request/Budget.ts"
import type { Correcting, Left } from "../request/Acting.ts"
import { totalUsage } from "../request/Recorder.ts"
import type { Attempt } from "../request/ModelResponse.ts"
import { ResponseAborted } from "../request/ResponseError.ts"
import type * as Codec from "../triggerflow/engine/Codec.ts"
import { artifactsIn, busyOf, type Site, type Step, workOf } from "./Calls.ts"
import { ActionFlowError } from "./Keeping.ts"
import { type ActionRun, settledOf, type State } from "./State.ts"

type AnyAgent = Agent.Agent<unknown, unknown, unknown>

/** What the handlers of rounds are made with. @category models */
export interface TurnSite extends Site {
  readonly flow: string
  readonly agent: AnyAgent
  /** The agent with the input of a run, encoded. */
  readonly prompted: (input: Schema.Json) => AnyAgent
  readonly result: Codec.Codec
}

/** Where a round stands: what the model has called, or that there is an answer. @category models */
export interface Round {
  readonly done: boolean
  readonly calls: ReadonlyArray<Step>
}

const open: Round = { done: false, calls: [] }
const done: Round = { done: true, calls: [] }

const stepsOf = (turn: NonNullable<State["turn"]>): Round => ({
  done: false,
  calls: turn.calls.map((admitted) => ({ ...admitted, asked: 0 }))
})

const correctingOf = ({ correcting }: State): Correcting | undefined =>
  correcting === undefined
    ? undefined
    : {
        retry: correcting.retry,
        correction: correcting.correction,
        // It was made of a Change.
        change: correcting.change as Correcting["change"]
      }

// What was said to the run meanwhile stands behind the last round; before the first one it waits.
const heard = Effect.fnUntraced(function* (site: Site, run: ActionRun, state: State) {
  if (state.loop.rounds.length === 0) return state.loop
  const news = (yield* run.interventions).filter(({ id, status }) => status === "inserted" && !state.heard.includes(id))
  const steer = site.using.options.steer
  const texts = [...news.map(({ payload }) => payload), ...(steer === undefined ? [] : yield* steer)]
  if (texts.length === 0) return state.loop
  const work = yield* workOf(site, run, state)
  yield* Rounds.steering(work, Effect.succeed(texts))
  yield* run.state.set("loop", work.state)
  yield* run.state.set("heard", [...state.heard, ...news.map(({ id }) => id)])
  yield* run.commit
  yield* Effect.forEach(news, ({ id }) => run.settleIntervention(id, "applied"), { discard: true })
  return work.state
})

// Asks for one turn, and tells what the model writes.
const turnOf = (agent: AnyAgent, run: ActionRun, round: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent)
      const told = Stream.runForEach(response.deltas, (delta) =>
        run.put(
          delta._tag === "TextDelta"
            ? { _tag: "Text", round, text: delta.text }
            : { _tag: "Restarted", round, reason: delta.reason },
          { volatile: true }
        )
      )
      // How it ends is told by `full`.
      const [ended] = yield* Effect.all([Effect.result(response.full), Effect.ignore(told)], { concurrency: 2 })
      return ended
    })
  )

const charged = ({ usage }: State, attempts: ReadonlyArray<Pick<Attempt, "usage">>): State["usage"] => {
  const { inputTokens = 0, outputTokens = 0 } = totalUsage(attempts)
  return { inputTokens: usage.inputTokens + inputTokens, outputTokens: usage.outputTokens + outputTokens }
}

/** Asks the model for a turn. @category handlers */
export const ask =
  (site: TurnSite) =>
  (_: Round, run: ActionRun): Effect.Effect<Round, unknown, unknown> =>
    Effect.gen(function* () {
      const state = yield* run.state.all
      if (state.final !== undefined) return done
      if (state.turn !== undefined) return stepsOf(state.turn)
      const loop = yield* heard(site, run, state)
      const begunAt = yield* Clock.currentTimeMillis
      const prompted = site.prompted(state.input)
      const limits = prompted.config.budget
      const budget =
        limits === undefined || Budget.isBudget(limits) ? undefined : yield* Budget.make(limits, state.spent)
      const agent = Agent.acts(
        budget === undefined ? prompted : Agent.settings(prompted, { budget }),
        // What acts otherwise has its rounds inside the turn.
        (before) =>
          before !== undefined && !(before instanceof Using)
            ? before
            : oneTurn<unknown, unknown>(before ?? new Using([], {}), {
                run: run.executionId,
                state: loop,
                elapsed: state.elapsed,
                artifacts: artifactsIn(run),
                from: correctingOf(state),
                answer: state.answer
              })
      )
      const ended = yield* turnOf(agent, run, loop.rounds.length + 1)
      if (budget !== undefined) yield* run.state.set("spent", yield* budget.spent)
      yield* run.state.set("elapsed", state.elapsed + (yield* Clock.currentTimeMillis) - begunAt)
      if (Result.isSuccess(ended)) {
        const { attempts, data } = ended.success
        const final = site.result.encode(data)
        if (Result.isFailure(final)) {
          const detail = `the answer does not fit the Schema of its result: ${final.failure}; give the option \`result\``
          return yield* new ActionFlowError({ flow: site.flow, detail })
        }
        yield* run.state.set("usage", charged(state, attempts))
        yield* run.state.set("final", final.success)
        yield* site.keep(run)
        return done
      }
      const error = ended.failure
      if (error instanceof TurnLeft) return yield* called(site, run, { ...state, loop }, error.left)
      return yield* error instanceof ResponseAborted ? Effect.interrupt : Effect.fail(error)
    })

const called = Effect.fnUntraced(function* (site: Site, run: ActionRun, state: State, left: Left) {
  const { attempts, change, correction, retry, said } = left
  const work = yield* workOf(site, run, state)
  const calls = Rounds.admit(work, said).map(({ call, skip }) => (skip === undefined ? { call } : { call, skip }))
  const turn = { text: said.text, thoughts: said.thoughts, calls }
  yield* run.state.set("turn", turn)
  yield* run.state.set("usage", charged(state, attempts))
  if (retry > 0 || correction !== undefined) {
    yield* run.state.set("correcting", {
      retry,
      ...(correction === undefined ? {} : { correction }),
      // Sampling options have a JSON form: they are sent as such.
      change: JSON.parse(JSON.stringify(change)) as Schema.Json
    })
  }
  yield* site.keep(run)
  return stepsOf(turn)
})

/** Ends a round: its calls have ended. @category handlers */
export const settle =
  (site: Site) =>
  (steps: ReadonlyArray<Step>, run: ActionRun): Effect.Effect<Round, unknown, unknown> =>
    Effect.gen(function* () {
      const state = yield* run.state.all
      if (state.turn === undefined) return open
      const settled = steps.flatMap(({ ended }) => (ended === undefined ? [] : [settledOf(ended)]))
      const elapsed = state.elapsed + busyOf(settled.map(({ record }) => record))
      const work = yield* workOf(site, run, { ...state, elapsed })
      const next = yield* Rounds.close(work, state.turn, state.turn.calls, settled)
      yield* run.state.set("loop", work.state)
      yield* run.state.set("elapsed", elapsed)
      yield* run.state.set("marks", {})
      if (next._tag === "Answer" && work.answeredBy !== undefined) {
        yield* run.state.set("answer", { by: work.answeredBy, text: next.text })
      }
      yield* run.state.delete("turn")
      yield* site.keep(run)
      return open
    })

/** Gives the answer. @category handlers */
export const answer =
  (site: TurnSite) =>
  (_: Round, run: ActionRun): Effect.Effect<unknown, ActionFlowError> =>
    Effect.flatMap(run.state.get("final"), (final) => {
      const decoded = site.result.decode(final)
      return Result.isSuccess(decoded)
        ? Effect.succeed(decoded.success)
        : Effect.fail(
            new ActionFlowError({
              flow: site.flow,
              detail: `its answer does not fit the Schema of its result: ${decoded.failure}; give the option \`result\``
            })
          )
    })
