/** What is said about the work of a team, as data: who did what, what became of it, what it cost, how a team fails. */
import * as Schema from "effect/Schema"
import { Conflict } from "./State.ts"

const tokens = Schema.optionalKey(Schema.Number)

/** Tokens, as far as providers say. @category schemas */
export const Tokens = Schema.Struct({
  inputTokens: tokens,
  cachedInputTokens: tokens,
  cacheWriteInputTokens: tokens,
  outputTokens: tokens,
  reasoningTokens: tokens
})

/** Tokens, as a type. @category models */
export type Tokens = typeof Tokens.Type

/** Tokens of several together. @category measuring */
export const addTokens = (all: ReadonlyArray<{ readonly [K in keyof Tokens]?: Tokens[K] | undefined }>): Tokens => {
  const sum: { [key: string]: number } = {}
  for (const one of all)
    for (const [key, count] of Object.entries(one)) if (count !== undefined) sum[key] = (sum[key] ?? 0) + count
  return sum
}

/** An error as data: its tag or name, and its message. @category schemas */
export const Failure = Schema.Struct({ name: Schema.String, message: Schema.String })

/** An error as data, as a type. @category models */
export type Failure = typeof Failure.Type

/** An error as data. @category conversions */
export const failureOf = (error: unknown): Failure => {
  if (typeof error !== "object" || error === null) return { name: "Error", message: String(error) }
  const { _tag: tag, message, name } = error as { _tag?: unknown; name?: unknown; message?: unknown } // read below
  return {
    name: typeof tag === "string" ? tag : typeof name === "string" ? name : "Error",
    message: typeof message === "string" && message !== "" ? message : "it says no more"
  }
}

/**
 * A piece of work, and what became of it: of a member, or of the leader.
 *
 * @category schemas
 */
export const Report = Schema.Struct({
  role: Schema.Literals(["leader", "member"]),
  /** The name of the member; for the leader what it did: `choose`, `lead`, `plan`, `review`, `answer`. */
  name: Schema.String,
  task: Schema.Json,
  /** `handed`: it gave the conversation to somebody else; `answer` then says to whom and why. */
  status: Schema.Literals(["success", "failed", "handed", "interrupted"]),
  /** The encoded answer. */
  answer: Schema.optionalKey(Schema.Json),
  error: Schema.optionalKey(Failure),
  /** What there was of the answer where it was broken off. */
  partial: Schema.optionalKey(Schema.String),
  usage: Tokens,
  /** When it began, in milliseconds since 1970. */
  at: Schema.Finite,
  /** Milliseconds. */
  duration: Schema.Finite
})

/** A piece of work, as a type. @category models */
export type Report = typeof Report.Type

/**
 * A task of a team in the mode `tasks`. `blocked`: it depends on a task that does not exist.
 *
 * @category schemas
 */
export const Task = Schema.Struct({
  id: Schema.String,
  /** What is to be done. */
  task: Schema.String,
  /** The member that does it. */
  assignee: Schema.String,
  depends_on: Schema.Array(Schema.String),
  status: Schema.Literals(["pending", "completed", "failed", "blocked"]),
  result: Schema.optionalKey(Schema.Json),
  error: Schema.optionalKey(Failure),
  /** The task whose failure or absence is in its way. */
  because: Schema.optionalKey(Schema.String)
})

/** A task, as a type. @category models */
export type Task = typeof Task.Type

/** What a team is asked, and what was said before. @category schemas */
export const Request = Schema.Struct({
  input: Schema.Json,
  /** Messages of `effect/ai`, encoded. */
  history: Schema.Array(Schema.Json)
})

/** What a team is asked, as a type. @category models */
export type Request = typeof Request.Type

/** What a team gives, encoded: what its flow ends with. @category schemas */
export const Outcome = Schema.Struct({
  /** `incomplete`: it has answered, and not all of its tasks are done. */
  status: Schema.Literals(["completed", "incomplete"]),
  answer: Schema.Json,
  /** Every piece of work, in the order in which they ended. */
  reports: Schema.Array(Report),
  /** In the mode `tasks`: all of them. */
  tasks: Schema.Array(Task),
  /** What the shared state has become; null where there is none. */
  state: Schema.Json,
  conflicts: Schema.Array(Conflict),
  usage: Tokens
})

/** What a team gives, as a type. @category models */
export type Outcome = typeof Outcome.Type

/** What the stream of a team's flow tells. @category schemas */
export const Item = Schema.Union([
  Schema.Struct({ type: Schema.Literal("team.started"), name: Schema.String, task: Schema.Json }),
  Schema.Struct({ type: Schema.Literal("team.ended"), report: Report }),
  Schema.Struct({ type: Schema.Literal("team.tasks"), tasks: Schema.Array(Task) })
])

/** What the stream of a team's flow tells, as a type. @category models */
export type Item = typeof Item.Type

/**
 * The conversation is to go on with somebody else. In a team of the mode `handoff` it does; outside of one it is how the
 * agent's run fails.
 *
 * @category errors
 */
export class Handoff extends Schema.TaggedError<Handoff>()("Handoff", {
  /** The member who is to answer. */
  to: Schema.String,
  /** Why, in the words of the model. */
  reason: Schema.String,
  /** The id of the call. */
  call: Schema.String
}) {
  override get message(): string {
    return `The conversation is to go on with "${this.to}": ${this.reason}. Run the agent in a team of the mode \`handoff\`, or catch \`Handoff\`.`
  }
}

/** Why a team gave no answer. @category schemas */
export const Reason = Schema.Union([
  /** It cannot work as it is put together. */
  Schema.TaggedStruct("InvalidTeam", { problems: Schema.Array(Schema.String) }),
  /** What it was asked has no JSON form. */
  Schema.TaggedStruct("InvalidInput", { detail: Schema.String }),
  /** Its time was up, in milliseconds. */
  Schema.TaggedStruct("TimedOut", { limit: Schema.Finite }),
  /** Its members have been called as often as they may. */
  Schema.TaggedStruct("CallLimit", { limit: Schema.Finite }),
  /** The conversation was handed on as often as it may. */
  Schema.TaggedStruct("HandoffLimit", { limit: Schema.Finite }),
  /** The conversation was handed to somebody who is not there. */
  Schema.TaggedStruct("UnknownMember", { member: Schema.String, members: Schema.Array(Schema.String) }),
  /** The leader gave up, or its rounds were spent, with tasks left. */
  Schema.TaggedStruct("Unfinished", { tasks: Schema.Array(Task) }),
  /** Its flow failed by itself. */
  Schema.TaggedStruct("Flow", { detail: Schema.String })
])

/** Why a team gave no answer, as a type. @category models */
export type Reason = typeof Reason.Type

const says = (reason: Reason): string => {
  switch (reason._tag) {
    case "InvalidTeam":
      return `it cannot work as it is put together: ${reason.problems.join("; ")}`
    case "InvalidInput":
      return `what it was asked has no JSON form: ${reason.detail}. Give it a text, or what JSON can hold`
    case "TimedOut":
      return `its ${reason.limit} ms were up. Raise \`limits.time\`, or give it less to do`
    case "CallLimit":
      return `its members were called ${reason.limit} times, as often as they may. Raise \`limits.calls\`, or give it less to do`
    case "HandoffLimit":
      return `the conversation was handed on ${reason.limit} times, as often as it may. Raise \`limits.handoffs\`, or say more clearly who does what`
    case "UnknownMember":
      return `the conversation was handed to "${reason.member}", who is none of ${reason.members.join(", ")}`
    case "Unfinished": {
      const left = reason.tasks.filter(({ status }) => status !== "completed")
      const each = left.map(
        ({ error, id, status }) => `${id} (${status}${error === undefined ? "" : `: ${error.message}`})`
      )
      return `it gave up with ${left.length} of ${reason.tasks.length} tasks left: ${each.join(", ")}. Raise \`limits.rounds\`, or take \`unfinished: "answer"\``
    }
    case "Flow":
      return reason.detail
  }
}

/**
 * A team gave no answer, by no fault of a member or its leader. `reason` says why.
 *
 * @category errors
 */
export class TeamError extends Schema.TaggedError<TeamError>()("TeamError", { team: Schema.String, reason: Reason }) {
  override get message(): string {
    return `The team "${this.team}" gave no answer: ${says(this.reason).replace(/\.$/, "")}.`
  }
}
