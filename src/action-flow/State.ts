/**
 * What a flow of actions knows, as JSON: where the loop stands, what the model has called, what is at work and what has
 * ended. Everything that must not be forgotten stands here, so that a snapshot of the flow holds it.
 */
import * as Schema from "effect/Schema"
import { ActionCall, ActionRecord, ApprovalRequest, Decision, SideEffect } from "../../services/Action.ts"
import type { Settled } from "../action/Dispatch.ts"
import * as Loop from "../action/Loop.ts"
import * as Interrupt from "../triggerflow/Interrupt.ts"
import type { Run } from "../triggerflow/Run.ts"

/**
 * The question whether a call may be run. Its id is made of the call's id and the digest of what is asked, so that an
 * answer to something else answers nothing.
 *
 * @category questions
 */
export const Approval = Interrupt.make("Approval", { payload: ApprovalRequest, resume: Decision })

/**
 * A call of which nobody knows whether it was done: the program ended while it was at work.
 *
 * @category models
 */
export const UnknownCall = Schema.Struct({
  call: ActionCall,
  sideEffect: Schema.optionalKey(SideEffect),
  /** What tells it from all other calls: what its service was given. */
  key: Schema.String,
  /** When it began, in milliseconds since 1970. */
  at: Schema.Finite
})

/**
 * What became of a call of which nobody knew. `Done`: it was done, and what it gave, encoded. `NotDone`: it was not done
 * and is not to be; the model is told. `Again`: it is to be run now, under the same key.
 *
 * @category models
 */
export const Outcome = Schema.Union([
  Schema.TaggedStruct("Done", { result: Schema.Json }),
  Schema.TaggedStruct("NotDone", {}),
  Schema.TaggedStruct("Again", {})
])

/** What became of a call of which nobody knew, as a type. @category models */
export type Outcome = typeof Outcome.Type

/** The question what became of a call of which nobody knows. @category questions */
export const UnknownOutcome = Interrupt.make("UnknownOutcome", { payload: UnknownCall, resume: Outcome })

/**
 * What the runtime stream of a flow of actions says. Text and progress are live only.
 *
 * @category models
 */
export const FlowEvent = Schema.Union([
  /** A piece of what the model writes in a round. */
  Schema.TaggedStruct("Text", { round: Schema.Int, text: Schema.String }),
  /** What it has written in this round is void; it begins again. */
  Schema.TaggedStruct("Restarted", { round: Schema.Int, reason: Schema.String }),
  Schema.TaggedStruct("ActionStarted", { call: ActionCall }),
  Schema.TaggedStruct("ActionProgress", { call: ActionCall, value: Schema.Json }),
  Schema.TaggedStruct("ActionEnded", { record: ActionRecord })
])

/** What the runtime stream of a flow of actions says, as a type. @category models */
export type FlowEvent = typeof FlowEvent.Type

const answeredBy = Schema.Literals(["returned", "stopped"])

/** A call that has ended, as JSON. @category models */
export const Ended = Schema.Struct({
  record: ActionRecord,
  answer: Schema.optionalKey(Schema.Struct({ by: answeredBy, value: Schema.Json }))
})

/** A call that has ended, as JSON, as a type. @category models */
export type Ended = typeof Ended.Type

/** A call that has ended as JSON. @category conversions */
export const endedOf = ({ answer, record }: Settled): Ended => (answer === undefined ? { record } : { record, answer })

/** A call that has ended, of JSON. @category conversions */
export const settledOf = ({ answer, record }: Ended): Settled => ({ record, answer })

/**
 * What is known of a call of the round under way. `Executing` is written before a call that must not be run twice begins.
 *
 * @category models
 */
export const Mark = Schema.Union([
  Schema.TaggedStruct("Executing", { at: Schema.Finite }),
  Schema.TaggedStruct("Ended", { ended: Ended })
])

/** A call of a round, and why it must not run where a limit forbids it. @category models */
export const Admitted = Schema.Struct({ call: ActionCall, skip: Schema.optionalKey(Schema.String) })

const seal = Schema.optionalKey(Schema.UndefinedOr(Schema.String))

/**
 * Where a flow of actions stands.
 *
 * @category models
 */
export const State = Schema.Struct({
  /** What it was started with, encoded. */
  input: Schema.Json,
  loop: Loop.LoopState,
  /** What the model called in the round under way. */
  turn: Schema.optionalKey(
    Schema.Struct({
      text: Schema.String,
      thoughts: Schema.Array(Schema.Struct({ text: Schema.String, signature: seal, redacted: seal, vendor: seal })),
      calls: Schema.Array(Admitted)
    })
  ),
  /** The calls of the round under way, by id. */
  marks: Schema.Record(Schema.String, Mark),
  /** Where the model stood in its corrections. */
  correcting: Schema.optionalKey(
    Schema.Struct({ retry: Schema.Int, correction: Schema.optionalKey(Schema.String), change: Schema.Json })
  ),
  /** How long model and actions were at work, in milliseconds; the time in which questions wait is not in it. */
  elapsed: Schema.Finite,
  /** What was spent under the agent's own limits. */
  spent: Schema.Struct({
    requests: Schema.Finite,
    tokens: Schema.Finite,
    cost: Schema.Finite,
    time: Schema.Finite
  }),
  /** Tokens of all turns together. */
  usage: Schema.Struct({ inputTokens: Schema.Finite, outputTokens: Schema.Finite }),
  /** The answer that an action gave. */
  answer: Schema.optionalKey(Schema.Struct({ by: answeredBy, text: Schema.String })),
  /** The answer, encoded. */
  final: Schema.optionalKey(Schema.Json),
  /** The ids of interventions that the model was told. */
  heard: Schema.Array(Schema.String),
  /** Long results, by id, where no `ArtifactStore` is provided. */
  artifacts: Schema.Record(Schema.String, Schema.String),
  /** The version of the newest snapshot in the store. */
  version: Schema.Int
})

/** Where a flow of actions stands, as a type. @category models */
export type State = typeof State.Type

/** A flow before its first turn. @category constructors */
export const initial: State = {
  input: null,
  loop: Loop.start,
  marks: {},
  elapsed: 0,
  spent: { requests: 0, tokens: 0, cost: 0, time: 0 },
  usage: { inputTokens: 0, outputTokens: 0 },
  heard: [],
  artifacts: {},
  version: 0
}

/**
 * The contract of a flow of actions, as a type.
 *
 * @category models
 */
export interface ActionSpec<In, A, Err> {
  readonly input: In
  readonly state: State
  readonly shared: {}
  readonly item: FlowEvent
  readonly result: A
  readonly failure: Err
  readonly signals: never
  readonly interrupts: typeof Approval | typeof UnknownOutcome
  readonly intervention: string
}

/** The run handle of its handlers, which do not look at what goes in and out. @category models */
export type ActionRun = Pick<
  Run<ActionSpec<unknown, unknown, unknown>>,
  "executionId" | "state" | "put" | "commit" | "pause" | "resumed" | "interventions" | "settleIntervention" | "save"
>
