// A research team: the editor plans tasks for a researcher, an analyst and a writer, who share a list of sources. The
// analyst starts when the facts are there, the writer when both are done. The models here are scripted.
//
//   npm run example examples/24-research-team.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import { Team } from "effigent/team"
import { ScriptedModel } from "effigent/testing"

const { json, text, toolCalls } = ScriptedModel
const scripted = (...steps: ReadonlyArray<ScriptedModel.Step>) => Agent.provideModel(ScriptedModel.layer(steps))

const sources = Team.state("sources", Schema.Struct({ urls: Schema.Array(Schema.String) }), { initial: { urls: [] } })

const cite = Action.make("cite", {
  description: "Notes a source for the whole team.",
  input: Schema.Struct({ url: Schema.String }),
  run: ({ url }) => sources.update(({ urls }) => ({ urls: [...urls, url] }))
})

const Facts = Schema.Struct({ facts: Output.ensure(Schema.Array(Schema.String), "One sentence each", "notEmpty") })
const researcher = Agent.make({ instruct: "Find facts and cite where they stand.", output: Facts }).pipe(
  Actions.use([cite]),
  scripted(
    toolCalls([
      { name: "cite", input: { url: "https://example.org/tea" } },
      { name: "cite", input: { url: "https://example.org/trade" } }
    ]),
    json({ facts: ["Tea came to Europe in 1610.", "By 1750 London drank 2,000 tonnes a year."] })
  )
)

const Trend = Schema.Struct({ trend: Schema.Literals(["up", "down", "flat"]), because: Schema.String })
const analyst = Agent.make({ instruct: "Say which way it went, and why.", output: Trend }).pipe(
  scripted(json({ trend: "up", because: "duties fell" }))
)

const writer = Agent.make({ instruct: "Write two sentences." }).pipe(
  scripted(text("Tea came late and conquered fast. Falling duties did the rest."))
)

const Report = Schema.Struct({ title: Schema.String, body: Schema.String })
const editor = Agent.make({ system: "You are the editor.", output: Report })

// The editor is asked twice in one run: its model is that of the program.
const editing = ScriptedModel.layer([
  json({
    tasks: [
      { id: "facts", task: "Find facts on tea in Europe.", assignee: "researcher", depends_on: [] },
      { id: "trend", task: "Which way did consumption go?", assignee: "analyst", depends_on: ["facts"] },
      { id: "text", task: "Write it up.", assignee: "writer", depends_on: ["facts", "trend"] }
    ]
  }),
  json({ title: "Tea in Europe", body: "Tea came late and conquered fast. Falling duties did the rest." })
])

const team = Team.make({
  name: "research",
  mode: "tasks",
  leader: editor,
  state: sources,
  limits: { calls: 10, rounds: 3, time: "5 minutes" },
  members: [
    Team.member("researcher", researcher, { description: "Finds facts with their sources." }),
    Team.member("analyst", analyst, { description: "Finds trends in facts." }),
    Team.member("writer", writer, { description: "Writes short texts." })
  ]
})

const program = Effect.gen(function* () {
  const result = yield* Team.whole(team, "A report on tea in Europe.", {
    watch: (event) =>
      event._tag === "Ended"
        ? Console.log(`${event.report.role} ${event.report.name}: ${event.report.status}`)
        : Effect.void
  })
  yield* Console.log(`${result.status}: ${result.data.title}`)
  yield* Console.log(result.data.body)
  yield* Console.log(`sources: ${result.state.urls.join(", ")}`)
})

NodeRuntime.runMain(program.pipe(Effect.provide(editing)))
