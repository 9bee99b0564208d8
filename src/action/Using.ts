/**
 * What `Actions.use` attaches to an agent: its actions and how it acts. A response that is asked for its answer runs the
 * whole loop inside; one that is asked for a single turn leaves where the model calls, for those who run the calls
 * elsewhere: a flow, which may be saved between any two of them.
 */
import * as Effect from "effect/Effect"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import { type Acts, type Begun, type Opening, TurnLeft } from "../agent/Acts.ts"
import type { AgentError } from "../agent/Agent.ts"
import type { Correcting } from "../request/Acting.ts"
import type * as Action from "./Action.ts"
import type * as Dispatch from "./Dispatch.ts"
import * as Planning from "./Planning.ts"
import * as Rounds from "./Rounds.ts"
import * as Toolset from "./Toolset.ts"

/**
 * How an agent acts.
 *
 * @category models
 */
export interface Options<E = never, R = never> extends Rounds.Options<E, R> {
  /**
   * How the model says what to call: by its own tool calls (`native`), or by a plan in structured output (`plan`), for
   * models and endpoints that have no tool calls. Default `native`.
   */
  readonly protocol?: "native" | "plan" | undefined
  /**
   * Whether a plan begins with what the model thinks. A thought stands in the text of its round, and in the prompts of
   * the next ones. Of no effect on native calls. Default false; `ReAct` in `effigent/patterns` sets it.
   */
  readonly thoughts?: boolean | undefined
}

const telling =
  <E, R>({ tell }: Opening<E, R>): Dispatch.Site["tell"] =>
  (event) =>
    Effect.sync(() => tell(event))

/**
 * What `Actions.use` attaches to an agent, in the form in which a further `use` finds it.
 *
 * @category models
 */
export class Using<E, R> implements Acts<E, R> {
  readonly actions: ReadonlyArray<Action.Any>
  readonly options: Options<E, R>
  readonly toolset: Toolset.Toolset

  constructor(actions: ReadonlyArray<Action.Any>, options: Options<E, R>) {
    this.actions = actions
    this.toolset = Toolset.make(actions)
    this.options = options
  }

  readonly offer = (): Pick<ModelRequest, "tools" | "toolChoice"> =>
    this.options.protocol === "plan"
      ? { tools: [] }
      : { tools: this.toolset.tools([]), toolChoice: this.options.toolChoice ?? "auto" }

  readonly begin = <E1, R1>(opening: Opening<E1, R1>): Effect.Effect<Begun<E, R>, E | E1 | AgentError, R | R1> => {
    const { options, toolset } = this
    const { wrong } = toolset
    // `use` says that it fails so.
    if (wrong !== undefined) return Effect.fail(wrong as E)
    return Effect.flatMap(
      Rounds.begin(toolset, options, telling(opening)),
      (work): Effect.Effect<Begun<E, R>, E | E1 | AgentError, R | R1> =>
        options.protocol === "plan"
          ? Planning.run(work, options, opening)
          : Effect.succeed({ config: opening.config, acting: Rounds.native(work, options) })
    )
  }
}

/**
 * A turn of a run that goes on elsewhere.
 *
 * @category models
 */
export interface Turn extends Rounds.Before {
  /** Where the turn before stood in its corrections. */
  readonly from: Correcting | undefined
  /** The answer, where an action has given it. */
  readonly answer: { readonly by: "returned" | "stopped"; readonly text: string } | undefined
}

// One turn of an agent's actions: it fails with `TurnLeft` where the model calls.
class OneTurn<E, R> implements Acts<E | TurnLeft, R> {
  readonly using: Using<E, R>
  readonly turn: Turn

  constructor(using: Using<E, R>, turn: Turn) {
    this.using = using
    this.turn = turn
  }

  readonly offer = (): Pick<ModelRequest, "tools" | "toolChoice"> => this.using.offer()

  readonly begin = <E1, R1>(
    opening: Opening<E1, R1>
  ): Effect.Effect<Begun<E | TurnLeft, R>, E | TurnLeft | E1 | AgentError, R | R1> => {
    const { turn } = this
    const { options, toolset } = this.using
    const { wrong } = toolset
    // `use` says that it fails so.
    if (wrong !== undefined) return Effect.fail(wrong as E)
    const begun = Effect.map(Rounds.begin(toolset, options, telling(opening), turn), (work) => {
      work.answeredBy = turn.answer?.by
      return work
    })
    return Effect.flatMap(
      begun,
      (work): Effect.Effect<Begun<E | TurnLeft, R>, E | TurnLeft | E1 | AgentError, R | R1> =>
        options.protocol === "plan"
          ? planned(work, opening, turn, options.thoughts === true)
          : Effect.succeed(this.native(work, opening))
    )
  }

  private native<E1, R1>(work: Rounds.Work, { config }: Opening<E1, R1>): Begun<E | TurnLeft, R> {
    const { answer, from } = this.turn
    return {
      config,
      acting: {
        ...Rounds.native(work, { ...this.using.options, steer: undefined }),
        from,
        leave: (left) => Effect.fail(new TurnLeft({ left })),
        ...(answer === undefined ? {} : { answer: answer.text })
      }
    }
  }
}

const planned = Effect.fnUntraced(function* <E1, R1>(
  work: Rounds.Work,
  opening: Opening<E1, R1>,
  { answer }: Turn,
  thoughts: boolean
): Effect.fn.Return<Begun<never, never>, TurnLeft | E1 | AgentError, R1> {
  if (answer === undefined && Rounds.isOpen(work.state.status)) {
    const plan = yield* Planning.plan(work, opening, thoughts)
    if (plan !== undefined) {
      return yield* new TurnLeft({ left: { ...plan, retry: 0, correction: undefined, change: {} } })
    }
  }
  return Planning.answering(work, opening.config, answer?.text)
})

/** One turn of these actions. @category constructors */
export const oneTurn = <E, R>(using: Using<E, R>, turn: Turn): Acts<E | TurnLeft, R> => new OneTurn(using, turn)
