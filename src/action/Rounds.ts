/**
 * The loop inside a response, over native tool calls: offers the tools, runs the calls of a round side by side, tells what
 * happens as it happens, and gives the model the results in the order of its calls.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { ActionCall, ActionRecord, ActionRound, ActionSummary, LoopStatus } from "../../services/Action.ts"
import type { Prompt } from "../../services/Ai.ts"
import type { Json } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import type { Acting, Next, Said } from "../request/Acting.ts"
import * as Artifacts from "./Artifacts.ts"
import * as Dispatch from "./Dispatch.ts"
import * as Loop from "./Loop.ts"
import * as Messages from "./Messages.ts"
import { Abort } from "./Signal.ts"
import * as Toolset from "./Toolset.ts"

/**
 * How an agent acts.
 *
 * @category models
 */
export interface Options<E = never, R = never> extends Loop.Limits {
  /** How many calls of a round run at once. Default 16. */
  readonly concurrency?: number | undefined
  /**
   * What the first request demands: that the model may, must or must not call, or what it must call. Later requests leave
   * it free. Default `auto`.
   */
  readonly toolChoice?: ModelRequest["toolChoice"]
  /**
   * Which calls need approval besides those whose action says so: none, those of actions that are not `pure`
   * (`effects`), or all. Default `declared`: none.
   */
  readonly approvals?: "declared" | "effects" | "all" | undefined
  /** What is around each call, the first one outermost. */
  readonly middleware?: ReadonlyArray<Dispatch.Middleware<E, R>> | undefined
  /**
   * Messages for the model that have come in the meantime: run before each request of the loop but the first. What it gives
   * stands behind the results.
   */
  readonly steer?: Effect.Effect<ReadonlyArray<string>, E, R> | undefined
}

/** What is known of a run that acts. @category models */
export interface Work {
  readonly site: Dispatch.Site
  readonly bounds: Loop.Bounds
  readonly startedAt: number
  readonly toolset: Toolset.Toolset
  /** What the loop's own actions need. */
  readonly services: Context.Context<Artifacts.ArtifactStore | Toolset.Findings>
  state: Loop.LoopState
  answeredBy: "returned" | "stopped" | undefined
}

const freshRun = Effect.map(Effect.all([Random.nextInt, Random.nextInt]), (numbers) =>
  numbers.map((n) => (n >>> 0).toString(36)).join("")
)

/** A run that goes on. @category models */
export interface Before {
  /** The id of the run. */
  readonly run: string
  readonly state: Loop.LoopState
  /** How many milliseconds it has acted. */
  readonly elapsed: number
  /** Where artifacts are kept, unless an `ArtifactStore` is provided. */
  readonly artifacts: Artifacts.ArtifactStore["Service"]
}

/** Begins a run of these actions, or goes on with one. @category constructors */
export const begin = Effect.fnUntraced(function* (
  toolset: Toolset.Toolset,
  options: Pick<Options, keyof Loop.Limits | "approvals">,
  tell: Dispatch.Site["tell"],
  before?: Before
): Effect.fn.Return<Work> {
  const given = yield* Effect.serviceOption(Artifacts.ArtifactStore)
  const artifacts = Option.getOrElse(given, () => before?.artifacts ?? Artifacts.inMemory())
  const startedAt = (yield* Clock.currentTimeMillis) - (before?.elapsed ?? 0)
  const bounds = Loop.boundsOf(options)
  const approvals = options.approvals ?? "declared"
  const add = (names: ReadonlyArray<string>): void => {
    work.state = { ...work.state, found: [...new Set([...work.state.found, ...names])] }
  }
  const work: Work = {
    bounds,
    startedAt,
    toolset,
    state: before?.state ?? Loop.start,
    answeredBy: undefined,
    services: Context.make(Artifacts.ArtifactStore, artifacts).pipe(Context.add(Toolset.Findings, { add })),
    site: {
      // What is on demand and not found yet is not there.
      find: (name) => {
        const action = name === Artifacts.reading && hasArtifact(work) ? Artifacts.reader : toolset.find(name)
        return action?.policy.onDemand === true && !work.state.found.includes(name) ? undefined : action
      },
      names: () => toolsOf(work).map(({ name }) => String(name)),
      gated: ({ policy }) => approvals === "all" || (approvals === "effects" && policy.sideEffect !== "pure"),
      artifacts,
      tell,
      deadline: startedAt + bounds.time,
      begun: new Map(),
      run: before?.run ?? (yield* freshRun)
    }
  }
  return work
})

/** The tools that the next request offers; the reader of artifacts only where there is one. @category reading */
export const toolsOf = (work: Work): ModelRequest["tools"] => {
  const tools = work.toolset.tools(work.state.found)
  return hasArtifact(work) ? [...tools, Artifacts.reader.tool] : tools
}

const hasArtifact = ({ state, toolset }: Work): boolean =>
  // An agent may have an action of its own of this name.
  toolset.find(Artifacts.reading) === undefined &&
  state.rounds.some(({ records }) => records.some(({ artifact }) => artifact !== undefined))

/** What was done so far. @category reading */
export const summaryOf = ({ answeredBy, state }: Work): ActionSummary => ({
  status: answeredBy ?? state.status ?? "answered",
  rounds: state.rounds
})

/** How calls are dispatched, with the middleware around them. @category running */
export const around = (
  middleware: ReadonlyArray<Dispatch.Middleware<unknown, unknown>>,
  site: Dispatch.Site,
  driver?: Dispatch.Driver
): ((call: ActionCall) => Effect.Effect<Dispatch.Settled, unknown, unknown>) => {
  if (middleware.length === 0) return (call) => Dispatch.dispatch(site, call, driver)
  return (call) => {
    // What the action itself says of the run's answer stands, unless the middleware made another record.
    let inner: Dispatch.Settled | undefined
    const last = (given: ActionCall): Effect.Effect<ActionRecord, unknown, unknown> =>
      Effect.map(Dispatch.dispatch(site, given, driver), (settled) => {
        inner = settled
        return settled.record
      })
    type Next = (given: ActionRecord["call"]) => Effect.Effect<ActionRecord>
    const onion = middleware.reduceRight<typeof last>(
      // Needs and aborts pass by the middleware: the run that has them says so.
      (next, one) => (given) => one(given, next as Next),
      last
    )
    return Effect.map(onion(call), (record) => ({
      record,
      answer: inner?.record === record ? inner.answer : undefined
    }))
  }
}

/** A text as the run's answer: an output Schema reads it as JSON. @category conversions */
const answerText = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value))

/**
 * Runs the calls of a round and takes the loop one step further.
 *
 * @category running
 */
export const act = <E, R>(work: Work, options: Options<E, R>, said: Said): Effect.Effect<Next, E, R> =>
  // `use` put what the actions and the middleware need, and how they abort, into the agent's type.
  acting(work, options, said) as Effect.Effect<Next, E, R>

const acting = Effect.fnUntraced(function* (
  work: Work,
  options: Pick<Options<unknown, unknown>, "concurrency" | "middleware">,
  said: Said
): Effect.fn.Return<Next, unknown, unknown> {
  const { site } = work
  const admitted = admit(work, said)
  const dispatch = around(options.middleware ?? [], site)
  const told = new Set<ActionCall>()
  const all = Effect.forEach(
    admitted,
    ({ call, skip }) =>
      Effect.ensuring(
        Dispatch.told(site, call, skip === undefined ? dispatch(call) : skipped(call, skip)),
        Effect.sync(() => told.add(call))
      ),
    { concurrency: options.concurrency ?? defaultConcurrency }
  ).pipe(
    // The run ends here; those whose turn has not come are accounted for too.
    Effect.onError(() =>
      Effect.forEach(admitted, ({ call }) => (told.has(call) ? Effect.void : Dispatch.neverBegan(site, call)), {
        discard: true
      })
    )
  )
  const settled = yield* all.pipe(Effect.provideContext(work.services), Effect.mapError(failureOf))
  return yield* close(work, said, admitted, settled)
})

/** How many calls of a round run at once where nobody says. @category constants */
export const defaultConcurrency = 16

/** How a run fails that an action aborts. @category errors */
export const failureOf = (error: unknown): unknown => (error instanceof Abort ? error.error : error)

/** Which calls of a round may run. @category running */
export const admit = ({ bounds, state, toolset }: Work, said: Pick<Said, "calls">): ReadonlyArray<Loop.Admitted> =>
  Loop.admit(state, bounds, said, (name) => toolset.find(name)?.policy.maxCalls)

/** A call that a limit keeps from running. @category running */
export const skipped = (call: ActionCall, why: string): Effect.Effect<Dispatch.Settled> =>
  Effect.map(Clock.currentTimeMillis, (at) => ({
    record: Dispatch.notRun(call, "skipped", why, at),
    answer: undefined
  }))

/**
 * Ends a round, and says how to go on. `admitted` and `settled` are its calls and what became of them, in one order.
 *
 * @category running
 */
export const close = Effect.fnUntraced(function* (
  work: Work,
  said: Pick<Said, "text" | "thoughts">,
  admitted: ReadonlyArray<Pick<Loop.Admitted, "call">>,
  settled: ReadonlyArray<Dispatch.Settled>
): Effect.fn.Return<Next> {
  const elapsed = (yield* Clock.currentTimeMillis) - work.startedAt
  const round: ActionRound = {
    text: said.text,
    thoughts: said.thoughts,
    // The call is that of the model, also where a middleware passed on another one.
    records: settled.map(({ record }, index) => ({ ...record, call: admitted[index]?.call ?? record.call }))
  }
  work.state = Loop.settle(work.state, work.bounds, round, elapsed)
  const answer = settled.find((one) => one.answer !== undefined)?.answer
  if (answer === undefined) return { _tag: "Ask" }
  work.answeredBy = answer.by
  return { _tag: "Answer", text: answerText(answer.value) }
})

/** Puts what the user has said meanwhile behind the last round. @category running */
export const steering = <E, R>(
  work: Work,
  steer: Effect.Effect<ReadonlyArray<string>, E, R>
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const last = work.state.rounds.at(-1)
    if (last === undefined) return Effect.void
    return Effect.map(steer, (texts) => {
      if (texts.length === 0) return
      const steered = { ...last, steering: [...(last.steering ?? []), ...texts] }
      work.state = { ...work.state, rounds: [...work.state.rounds.slice(0, -1), steered] }
    })
  })

/** Whether the loop still takes calls. @category reading */
export const isOpen = (status: LoopStatus | undefined): boolean => status === undefined

/**
 * What acts in one response, over native tool calls.
 *
 * @category constructors
 */
export const native = <E, R>(work: Work, options: Options<E, R>): Acting<E, R> => {
  // Each is rendered once; one that the user has said something behind is another one.
  const rendered = new WeakMap<ActionRound, ReadonlyArray<Prompt.Message>>()
  const render = (round: ActionRound): ReadonlyArray<Prompt.Message> => {
    const messages = rendered.get(round) ?? Messages.ofRound(round)
    rendered.set(round, messages)
    return messages
  }
  return {
    offer: () => {
      // The model is asked: the answer will be its own, whatever an action has answered before.
      work.answeredBy = undefined
      const { rounds, status } = work.state
      const first = rounds.length === 0 ? (options.toolChoice ?? "auto") : "auto"
      return { tools: toolsOf(work), toolChoice: isOpen(status) ? first : "none" }
    },
    messages: () => work.state.rounds.flatMap(render),
    prepare: options.steer === undefined ? undefined : steering(work, options.steer),
    isOpen: () => isOpen(work.state.status),
    act: (said) => act(work, options, said),
    summary: () => summaryOf(work)
  }
}
