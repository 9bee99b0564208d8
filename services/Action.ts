/**
 * The vocabulary of acting: what a model asked for, what became of it, what a person decided. Encoded data only: it goes
 * into prompts, events, audit logs, snapshots. Who may act stands here too: `ApprovalGate` decides on a call that needs
 * approval, `ActionAudit` is told of every call. Typed actions and the loop stand in `src/action`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * What running an action again does. `pure`: nothing changes in the world, it may run again freely. `idempotent`: running
 * again with the same key changes nothing more. `once`: it must not run again.
 *
 * @category models
 */
export const SideEffect = Schema.Literals(["pure", "idempotent", "once"])

/** What running an action again does, as a type. @category models */
export type SideEffect = typeof SideEffect.Type

/**
 * A call that a model has made.
 *
 * @category models
 */
export const ActionCall = Schema.Struct({
  /** The id by which the result is told to the model: the provider's, or ours where it gave none. Unique in its run. */
  id: Schema.String,
  /** The name of the action, as the model wrote it. */
  action: Schema.String,
  /** What the model passed, as JSON; a text where it is not JSON. */
  input: Schema.Json,
  /** The round of the loop that it was made in, from 1. */
  round: Schema.Int,
  /** Its place among the calls of this round, from 0. */
  index: Schema.Int
})

/** A call that a model has made, as a type. @category models */
export type ActionCall = typeof ActionCall.Type

/**
 * What became of a call. `success`: it ran and gave a result. `failed`: it ran and failed. `invalid`: the input does not
 * fit its Schema, or is not JSON; it was not run. `unknown`: there is no such action. `denied`: it needs approval, which
 * was not given; it was not run. `timeout`: it was stopped. `retry`: it asks for another call, with a hint. `skipped`: a
 * limit was reached before it; it was not run. `uncertain`: it may have run and nobody knows. `interrupted`: it,
 * or its run, was stopped while it was at work.
 *
 * @category models
 */
export const ActionStatus = Schema.Literals([
  "success",
  "failed",
  "invalid",
  "unknown",
  "denied",
  "timeout",
  "retry",
  "skipped",
  "uncertain",
  "interrupted"
])

/** What became of a call, as a type. @category models */
export type ActionStatus = typeof ActionStatus.Type

/**
 * Where the whole of a result stands that is too large to be shown to the model.
 *
 * @category models
 */
export const ArtifactRef = Schema.Struct({
  /** What `read_artifact` takes. */
  id: Schema.String,
  /** Characters of the whole. */
  size: Schema.Int,
  /** SHA-256 of the whole, in hexadecimal digits. */
  digest: Schema.String
})

/** Where the whole of a result stands, as a type. @category models */
export type ArtifactRef = typeof ArtifactRef.Type

/**
 * What a person, or what stands for one, decided on a call.
 *
 * @category models
 */
export const Decision = Schema.Union([
  Schema.TaggedStruct("Approved", {
    /** Who. */
    by: Schema.optionalKey(Schema.String)
  }),
  Schema.TaggedStruct("Denied", {
    /** Why; the model is told. */
    note: Schema.optionalKey(Schema.String),
    by: Schema.optionalKey(Schema.String)
  })
])

/** What a person decided on a call, as a type. @category models */
export type Decision = typeof Decision.Type

/**
 * A call and what became of it. The record of a call is the same whether it was a native tool call or part of a plan.
 *
 * @category models
 */
export const ActionRecord = Schema.Struct({
  call: ActionCall,
  status: ActionStatus,
  /** What the model is told: the encoded result, or a failure in words. */
  result: Schema.Json,
  /** What running it again does; absent for an action that does not exist. */
  sideEffect: Schema.optionalKey(SideEffect),
  /** Where the whole result stands, where `result` is only a digest of it. */
  artifact: Schema.optionalKey(ArtifactRef),
  /** How its approval was decided; absent where it needs none. */
  decision: Schema.optionalKey(Decision),
  /** How often it was tried; 0: it was not run. */
  tries: Schema.Int,
  /** When it began, in milliseconds since 1970. */
  at: Schema.Finite,
  /** Milliseconds from its begin to its end. */
  duration: Schema.Finite
})

/** A call and what became of it, as a type. @category models */
export type ActionRecord = typeof ActionRecord.Type

/**
 * How a loop of actions ended. `answered`: the model answered of its own accord. `returned`: an action's result is the
 * answer. `stopped`: an action ended the loop with an answer. All others name the limit that was reached; the model then
 * had one last call with its tools off: `rounds`, `calls`, `time`, `failures` (the same calls failed again and again).
 *
 * @category models
 */
export const LoopStatus = Schema.Literals(["answered", "returned", "stopped", "rounds", "calls", "time", "failures"])

/** How a loop of actions ended, as a type. @category models */
export type LoopStatus = typeof LoopStatus.Type

const seal = Schema.optionalKey(Schema.UndefinedOr(Schema.String))

/**
 * One round of a loop: what the model said and thought before it called, its calls and what became of them.
 *
 * @category models
 */
export const ActionRound = Schema.Struct({
  text: Schema.String,
  /** The model's reasoning in pieces, with what its vendor wants back: `Thought` of a response. */
  thoughts: Schema.Array(Schema.Struct({ text: Schema.String, signature: seal, redacted: seal, vendor: seal })),
  /** One for each call, in the order of the calls. */
  records: Schema.Array(ActionRecord),
  /** What the user said meanwhile, which the model reads behind the results. */
  steering: Schema.optionalKey(Schema.Array(Schema.String))
})

/** One round of a loop, as a type. @category models */
export type ActionRound = typeof ActionRound.Type

/**
 * What a run has done besides answering.
 *
 * @category models
 */
export interface ActionSummary {
  readonly status: LoopStatus
  /** Every round in which the model called, in order. */
  readonly rounds: ReadonlyArray<ActionRound>
}

/**
 * What is told of a call while a response runs: it begins, and it ends. They come as they happen; the model is given the
 * results in the order of its calls.
 *
 * @category models
 */
export type ActionEvent =
  | { readonly _tag: "ActionStarted"; readonly call: ActionCall }
  /** News of a call that is at work: what an `effect/ai` tool gives as preliminary result, encoded. */
  | { readonly _tag: "ActionProgress"; readonly call: ActionCall; readonly value: Schema.Json }
  | { readonly _tag: "ActionEnded"; readonly record: ActionRecord }

/**
 * A call that waits for a decision.
 *
 * @category models
 */
export const ApprovalRequest = Schema.Struct({
  call: ActionCall,
  /** What the action does, as the model is told. */
  description: Schema.optionalKey(Schema.String),
  sideEffect: SideEffect,
  /** What else the approval is bound to, as the action says: the version of a file, a balance. */
  resources: Schema.optionalKey(Schema.Json),
  /** SHA-256 of the action's name, its input, its side effect and `resources`. */
  digest: Schema.String
})

/** A call that waits for a decision, as a type. @category models */
export type ApprovalRequest = typeof ApprovalRequest.Type

/**
 * Decides on calls that need approval. The default denies them all: nobody can be asked. Layers that ask stand in
 * `effigent/layers/approvals`.
 *
 * @category services
 */
export const ApprovalGate = Context.Reference<(request: ApprovalRequest) => Effect.Effect<Decision>>(
  "effigent/ApprovalGate",
  {
    defaultValue: () => () =>
      Effect.succeed({ _tag: "Denied", note: "it needs approval, and there is nobody to ask: provide an ApprovalGate" })
  }
)

/**
 * Is told of every call when its turn comes, before anything is run, and when it has ended, whatever became of it: an
 * audit log. A call whose turn had not come when its run was stopped only ends. The default keeps nothing.
 *
 * @category services
 */
export const ActionAudit = Context.Reference<(event: ActionEvent) => Effect.Effect<void>>("effigent/ActionAudit", {
  defaultValue: () => () => Effect.void
})
