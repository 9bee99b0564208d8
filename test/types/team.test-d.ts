// What teams infer of their members, written out. Nothing here runs; `npm run check` compiles it.
import { type Effect, type Result, Schema } from "effect"
import { Agent, type AgentError } from "effigent"
import { Action, Actions } from "effigent/action"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { Team } from "effigent/team"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

const rate = Agent.make({ output: Schema.Struct({ stars: Schema.Int }) })
type Rating = { readonly stars: number }
const poet = Agent.make({ system: "You are a poet." })
const leader = Agent.make({ output: Schema.Struct({ title: Schema.String }) })
const rater = Team.member("rater", rate, { description: "Rates." })
const writer = Team.member("writer", poet, { description: "Writes." })

// route: the answer is that of one of the members.
const route = Team.make({ name: "t", mode: "route", leader, members: [rater, writer] })
const routed = Team.run(route, "x")
same<typeof routed, Effect.Effect<string | Rating, AgentError | Team.TeamError, ModelProvider>>(true)

// broadcast without a leader: Results by name.
const both = Team.run(Team.make({ name: "t", mode: "broadcast", members: [rater, writer] }), "x")
type Both = Effect.Success<typeof both>
same<Both["rater"], Result.Result<Rating, AgentError | Team.TeamError>>(true)
same<Both["writer"], Result.Result<string, AgentError | Team.TeamError>>(true)
same<Effect.Error<typeof both>, Team.TeamError>(true)

// With a leader: its answer.
const tasks = Team.run(Team.make({ name: "t", mode: "tasks", leader, members: [rater] }), "x")
same<Effect.Success<typeof tasks>, { readonly title: string }>(true)

// A state is what the team provides.
const votes = Team.state("votes", Schema.Int, { initial: 0 })
const vote = Action.make("vote", { description: "Votes.", run: () => votes.update((n) => n + 1) })
const voter = Team.member("voter", poet.pipe(Actions.use([vote])), { description: "Votes." })
const jury = Team.whole(Team.make({ name: "t", mode: "broadcast", state: votes, members: [voter] }), "x")
same<Effect.Services<typeof jury>, ModelProvider>(true)
same<Effect.Success<typeof jury>["state"], number>(true)

// @ts-expect-error a hand-off begins with a member
Team.make({ name: "t", mode: "handoff", first: "nobody", members: [rater] })
