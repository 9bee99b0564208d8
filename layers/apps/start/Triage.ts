/**
 * The flow of `npm start`: one agent reads the letter, and for each action that it names a branch begins while it still
 * writes. The branch lets a second agent write the note to the team and works out the deadline.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Agent from "../../../src/agent/Agent.ts"
import * as Output from "../../../src/output/Output.ts"
import type { ResponseMeta } from "../../../src/request/ModelResponse.ts"
import * as Chain from "../../../src/triggerflow/Chain.ts"
import * as Fields from "../../../src/triggerflow/Fields.ts"
import * as Signal from "../../../src/triggerflow/Signal.ts"
import * as TriggerFlow from "../../../src/triggerflow/TriggerFlow.ts"
import { Action, Ticket, triage } from "./Ticket.ts"

const assignment = {
  path: Schema.String,
  team: Action.fields.team,
  summary: Schema.String,
  keywords: Schema.Array(Schema.String),
  deadline: Schema.String
}

// What a branch tells: that a team has its task, or why not.
const Assigned = Schema.TaggedStruct("Assigned", assignment)
const Unassigned = Schema.TaggedStruct("Unassigned", { path: Schema.String, reason: Schema.String })

/** An item of the runtime stream. @category schemas */
export const Progress = Schema.Union([Fields.Event, Assigned, Unassigned])

/** An item of the runtime stream. @category models */
export type Progress = typeof Progress.Type

/** What a response has cost. @category schemas */
export const Spent = Schema.Struct({
  inputTokens: Schema.optionalKey(Schema.Number),
  outputTokens: Schema.optionalKey(Schema.Number),
  attempts: Schema.Int
})

const spentOf = ({ attempts, usage }: ResponseMeta): typeof Spent.Type => ({
  ...(usage.inputTokens === undefined ? {} : { inputTokens: usage.inputTokens }),
  ...(usage.outputTokens === undefined ? {} : { outputTokens: usage.outputTokens }),
  attempts: attempts.length
})

/** An action as it was found: where, and how often something else was found there before. */
const ActionFound = Signal.make(
  "ActionFound",
  Schema.Struct({ path: Schema.String, revision: Schema.Int, action: Action })
)

const Triage = TriggerFlow.define("triage", {
  input: Schema.String,
  state: Schema.Struct({
    // By the path of the action.
    assigned: Schema.Record(
      Schema.String,
      Schema.Struct({ revision: Schema.Int, assignment: Schema.Struct(assignment) })
    ),
    spent: Schema.Array(Spent)
  }),
  initial: { assigned: {}, spent: [] },
  stream: Progress,
  result: Schema.Struct({
    ticket: Ticket,
    assignments: Schema.Array(Schema.Struct(assignment)),
    /** Of all requests. */
    spent: Schema.Array(Spent),
    /** Milliseconds until the model began to write. */
    firstToken: Schema.optionalKey(Schema.Number),
    model: Schema.String
  }),
  signals: [ActionFound]
})

const noting = Agent.make({
  name: "note",
  system: "You pass tasks on to the teams of a hardware shop. You are exact and invent nothing.",
  instruct: "Write the note to the team that has to act.",
  output: Schema.Struct({
    summary: Output.ensure(Schema.String, "What the team has to do and know, in one or two sentences"),
    keywords: Output.ensure(Schema.Array(Schema.String), "Up to five words to file it under")
  })
})

// In working days, where the letter names no day.
const usual: { readonly [team in (typeof Action.Type)["team"]]: number } = {
  support: 1,
  logistics: 2,
  billing: 3,
  engineering: 3
}

const deadlineOf = ({ due, team }: typeof Action.Type): string =>
  due === undefined ? `within ${usual[team]} working ${usual[team] === 1 ? "day" : "days"}` : `until ${due}`

/** Triages a letter. @category flows */
export const flow = Triage.build(
  Triage.start.pipe(
    Fields.toSignals("read", (letter) => triage.pipe(Agent.input(letter), Agent.respond), {
      on: { "actions[*]": ({ path, revision, value }) => [ActionFound, { path, revision, action: value }] },
      concurrency: 4,
      forward: Fields.toEvent,
      deltas: Fields.toEvent,
      // The ticket is of use without the note, too.
      onFailure: (cause, { path }, run) =>
        run.put({ _tag: "Unassigned", path, reason: String(Cause.squash(cause)).replaceAll(/\s+/g, " ") }),
      give: ({ data, meta }) => ({ data, meta })
    }),
    Chain.to("report", ({ data, meta }, run) =>
      Effect.map(run.state.all, ({ assigned, spent }) => ({
        ticket: data,
        assignments: data.actions.flatMap((_, index) => assigned[`actions[${index}]`]?.assignment ?? []),
        spent: [spentOf(meta), ...spent],
        ...(meta.timeToFirstToken === undefined ? {} : { firstToken: meta.timeToFirstToken }),
        model: meta.model ?? meta.provider
      }))
    ),
    Chain.result
  ),
  Triage.on(ActionFound).pipe(
    Chain.batch({
      found: (found) => found,
      deadline: (found) => found.pipe(Chain.to("deadline", ({ action }) => Effect.succeed(deadlineOf(action)))),
      note: (found) =>
        found.pipe(
          Chain.to("note", ({ action }, run) =>
            Effect.gen(function* () {
              const response = yield* noting.pipe(
                Agent.slots({ input: action.task, info: { team: action.team } }),
                Agent.respond
              )
              const { data, meta } = yield* response.full
              yield* run.state.append("spent", spentOf(meta))
              return data
            })
          )
        )
    }),
    Chain.to("assign", ({ deadline, found: { action, path, revision }, note }, run) =>
      Effect.gen(function* () {
        const assignment = { path, team: action.team, ...note, deadline }
        // An action that the model wrote anew wins, whichever branch is done first.
        yield* run.state.update("assigned", (assigned) =>
          (assigned[path]?.revision ?? -1) > revision ? assigned : { ...assigned, [path]: { revision, assignment } }
        )
        yield* run.put({ _tag: "Assigned", ...assignment })
      })
    )
  )
)
