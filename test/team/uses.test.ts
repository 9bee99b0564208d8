/** Teams in other things: as agents, as actions, as flows; and what is refused before anybody works. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result, Schema, Stream } from "effect"
import { Agent, Conversation, Guard, Session } from "effigent"
import { Actions } from "effigent/action"
import { SessionStores } from "effigent/layers/store"
import { ApprovalGate } from "effigent/services/Action"
import { Unauthorized } from "effigent/services/ModelError"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { Team } from "effigent/team"
import { ScriptedModel } from "effigent/testing"
import { Mermaid, TriggerFlow } from "effigent/triggerflow"

const { fail, json, respond, text, toolCalls } = ScriptedModel

const talker = (...steps: ReadonlyArray<ScriptedModel.Step>) => {
  const requests: Array<ModelRequest> = []
  const model = ScriptedModel.always(
    respond((request) => steps[requests.push(request) - 1] ?? text("the script has ended"))
  )
  return { requests, agent: Agent.make({}).pipe(Agent.provideModel(model)) }
}

const promptOf = (request: ModelRequest | undefined): string => JSON.stringify(request?.prompt.content ?? [])

const refused = new Unauthorized({ detail: "no key" })

// Its encoded form is not its value, and another member's Schema reads it as well.
const Narrow = Schema.Struct({ n: Schema.NumberFromString })
const Wide = Schema.Struct({ n: Schema.NumberFromString, unit: Schema.String })

const desk = (chosen: string, ...steps: ReadonlyArray<ScriptedModel.Step>) => {
  const leader = talker(...Array.from({ length: 3 }, () => json({ member: chosen })))
  const works = talker(...steps)
  const team = Team.make({
    name: "desk",
    mode: "route",
    leader: leader.agent,
    share: { history: true },
    members: [
      Team.member("narrow", works.agent.pipe(Agent.output(Narrow)), { description: "Counts." }),
      Team.member("wide", works.agent.pipe(Agent.output(Wide)), { description: "Measures." }),
      Team.member("writer", works.agent, { description: "Writes." })
    ]
  })
  return { team, leader: leader.requests, works: works.requests }
}

const asked = <A, E, R>(agent: Agent.Agent<A, E, R>) => agent.pipe(Agent.input("How long?"), Agent.run)

describe("a team as an agent", () => {
  it.effect("it gives the team's own value: no Schema of another member reads it, a text stays one", () =>
    Effect.gen(function* () {
      const wide = desk("wide", json({ n: "7", unit: "m" }))
      assert.deepStrictEqual(yield* asked(Team.toAgent(wide.team)), { n: 7, unit: "m" })
      assert.match(promptOf(wide.works[0]), /How long\?/)
      assert.strictEqual(yield* asked(Team.toAgent(desk("writer", text("Seven.")).team)), "Seven.")
    })
  )

  it.effect("its failures are the team's, in their own types", () =>
    Effect.gen(function* () {
      const member = yield* Effect.flip(asked(Team.toAgent(desk("writer", fail(refused)).team)))
      assert(member._tag === "ModelError")
      assert.strictEqual(member.reason._tag, "Unauthorized")
      const stuck = Team.make({
        name: "stuck",
        mode: "broadcast",
        limits: { calls: -1 },
        members: [Team.member("a", talker().agent, { description: "" })]
      })
      const team = yield* Effect.flip(asked(Team.toAgent(stuck)))
      assert(team._tag === "TeamError")
      assert.strictEqual(team.reason._tag, "InvalidTeam")
    })
  )

  it.effect("a session remembers its turns, and the team is given them", () =>
    Effect.gen(function* () {
      const { leader, team, works } = desk("writer", text("Seven."), text("Eight."))
      const agent = Team.toAgent(team).pipe(Session.attach(Session.make(), "s-1"))
      yield* agent.pipe(Agent.input("How long?"), Agent.run)
      assert.strictEqual(yield* agent.pipe(Agent.input("And now?"), Agent.run), "Eight.")
      assert.strictEqual((yield* Conversation.turns("s-1")).length, 2)
      assert.match(promptOf(leader[1]), /How long\?.*Seven\..*And now\?/)
      assert.match(promptOf(works[1]), /How long\?.*Seven\..*And now\?/)
    }).pipe(Effect.provide(SessionStores.memory))
  )

  it.effect("input guards block before anybody works; what output guards change is given as changed", () =>
    Effect.gen(function* () {
      const blocked = desk("writer", text("Seven."))
      const strict = Guard.make("strict", () => Effect.succeed(Guard.block("no")))
      const error = yield* Effect.flip(asked(Team.toAgent(blocked.team).pipe(Agent.guardInput(strict))))
      assert.strictEqual(error._tag, "GuardBlocked")
      assert.strictEqual(blocked.leader.length, 0)

      const meter = Guard.text("meter", (one) => Effect.succeed(one.replace("m", "metres")))
      const wide = desk("wide", json({ n: "7", unit: "m" }))
      const guarded = Team.toAgent(wide.team).pipe(Agent.guardOutput(meter))
      assert.deepStrictEqual(yield* asked(guarded), { n: 7, unit: "metres" })
      const passing = Team.toAgent(desk("wide", json({ n: "7", unit: "km" })).team).pipe(
        Agent.guardOutput(Guard.text("all", Effect.succeed))
      )
      assert.deepStrictEqual(yield* asked(passing), { n: 7, unit: "km" })
      assert.strictEqual(
        yield* asked(Team.toAgent(desk("writer", text("7 m")).team).pipe(Agent.guardOutput(meter))),
        "7 metres"
      )
    })
  )

  it.effect("results by member are given as they are, or not at all where a guard has changed them", () =>
    Effect.gen(function* () {
      const both = () =>
        Team.toAgent(
          Team.make({
            name: "both",
            mode: "broadcast",
            members: [
              Team.member("left", talker(text("7 m")).agent, { description: "Left." }),
              Team.member("right", talker(fail(refused)).agent, { description: "Right." })
            ]
          })
        )
      const { left, right } = yield* asked(both())
      assert.deepStrictEqual(left, Result.succeed("7 m"))
      assert(Result.isFailure(right) && right.failure._tag === "ModelError")
      const meter = Guard.text("meter", (one) => Effect.succeed(one.replace("7", "8")))
      const error = yield* Effect.flip(asked(both().pipe(Agent.guardOutput(meter))))
      assert(error._tag === "TeamError")
      assert.match(error.message, /results by member, which have no Schema: give the team a leader/)
    })
  )

  it.effect("who has no model of its own takes the one around the agent", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "bare",
        mode: "broadcast",
        members: [Team.member("a", Agent.make({}), { description: "A." })]
      })
      const { a } = yield* asked(Team.toAgent(team))
      assert.deepStrictEqual(a, Result.succeed("from outside"))
    }).pipe(Effect.provide(ScriptedModel.layer([text("from outside")])))
  )

  it.effect("its usage is that of all who worked", () =>
    Effect.gen(function* () {
      const usage = { inputTokens: 10, outputTokens: 1 }
      const { team } = desk("writer", text("Seven.", { usage }))
      const { meta } = yield* Agent.whole(Team.toAgent(team).pipe(Agent.input("How long?")))
      const { usage: whole } = yield* Team.whole(desk("writer", text("Seven.", { usage })).team, "How long?")
      assert.strictEqual(meta.usage.inputTokens, whole.inputTokens)
      assert.strictEqual(meta.usage.outputTokens, whole.outputTokens)
      assert.isAtLeast(meta.usage.inputTokens ?? 0, 10)
    })
  )
})

describe("a team as an action", () => {
  const callerOf = (team: ReturnType<typeof desk>["team"], ...steps: ReadonlyArray<ScriptedModel.Step>) => {
    const { agent, requests } = talker(...steps)
    return { requests, agent: agent.pipe(Actions.use([Team.asAction(team, { description: "Asks the desk." })])) }
  }
  const call = toolCalls([{ name: "desk", input: { task: "How long is it?" } }])

  it.effect("the model gives it a task and reads the encoded answer", () =>
    Effect.gen(function* () {
      const { team, works } = desk("wide", json({ n: "7", unit: "m" }))
      const { agent, requests } = callerOf(team, call, text("Seven metres."))
      assert.strictEqual(yield* asked(agent), "Seven metres.")
      assert.match(promptOf(works[0]), /How long is it\?/)
      assert.match(promptOf(requests[1]), /"result":\{"n":"7","unit":"m"\}/)
    })
  )

  it.effect("a team that fails is a failed call, whose error the model reads", () =>
    Effect.gen(function* () {
      const { agent, requests } = callerOf(desk("writer", fail(refused)).team, call, text("Nobody knows."))
      assert.strictEqual(yield* asked(agent), "Nobody knows.")
      assert.match(promptOf(requests[1]), /"isFailure":true.*no key|no key.*"isFailure":true/)
    })
  )

  it.effect("it may have another name, and its policy", () =>
    Effect.gen(function* () {
      const action = Team.asAction(desk("writer").team, { name: "measure", description: "Measures.", maxCalls: 1 })
      assert.strictEqual(action.name, "measure")
      const { agent, requests } = talker(
        toolCalls([
          { name: "measure", input: { task: "1" } },
          { name: "measure", input: { task: "2" } }
        ]),
        text("Once.")
      )
      assert.strictEqual(yield* asked(agent.pipe(Actions.use([action]))), "Once.")
      const results = requests[1]?.prompt.content.at(-1)
      const failures = results?.role === "tool" ? results.content.filter((one) => one.type === "tool-result") : []
      assert.deepStrictEqual(
        failures.map(({ isFailure }) => isFailure),
        [false, true]
      )
    })
  )

  it.effect("its calls may need approval, by the task; a denied one asks nobody", () =>
    Effect.gen(function* () {
      const { leader, team } = desk("writer", text("Seven."))
      const action = Team.asAction(team, { description: "Asks.", approval: ({ task }) => task.includes("secret") })
      const { agent, requests } = talker(
        toolCalls([
          { name: "desk", input: { task: "The secret length." } },
          { name: "desk", input: { task: "The length." } }
        ]),
        text("Seven.")
      )
      const told = yield* asked(agent.pipe(Actions.use([action]))).pipe(
        Effect.provideService(ApprovalGate, () => Effect.succeed({ _tag: "Denied", note: "not that" } as const))
      )
      assert.strictEqual(told, "Seven.")
      assert.match(promptOf(requests[1]), /not that.*Seven\./)
      assert.deepStrictEqual([leader.length, /secret/.test(promptOf(leader[0]))], [1, false])
    })
  )
})

describe("the flow of a team", () => {
  it("is drawn in each mode, with a box for each member", () => {
    const members = [
      Team.member("left", talker().agent, { description: "Left." }),
      Team.member("right", talker().agent, { description: "Right." })
    ] as const
    const leader = talker().agent
    const drawn = [
      Team.make({ name: "t", mode: "route", leader, members }),
      Team.make({ name: "t", mode: "coordinate", leader, members }),
      Team.make({ name: "t", mode: "broadcast", leader, members }),
      Team.make({ name: "t", mode: "handoff", members })
    ].map((team) => Mermaid.toMermaid(Team.flow<unknown, unknown, unknown, unknown, unknown>(team)))
    for (const diagram of drawn) {
      assert.match(diagram, /^flowchart TD\n/)
      assert.match(diagram, /"member left"/)
      assert.match(diagram, /"member right"/)
    }
    assert.strictEqual(new Set(drawn).size, 4)
    const tasks = Mermaid.toMermaid(Team.flow(Team.make({ name: "t", mode: "tasks", leader, members })))
    for (const step of ["leader plans", "members work", "leader reviews", "leader answers"])
      assert.include(tasks, `"${step}"`)
  })

  it.effect("is run as any flow, all encoded", () =>
    Effect.gen(function* () {
      const { team } = desk("wide", json({ n: "7", unit: "m" }))
      const outcome = yield* TriggerFlow.runResult(Team.flow(team), { input: "How long?", history: [] })
      assert.deepStrictEqual([outcome.status, outcome.answer], ["completed", { n: "7", unit: "m" }])
      assert.deepStrictEqual(
        outcome.reports.map(({ name }) => name),
        ["choose", "wide"]
      )
      const both = Team.make({
        name: "both",
        mode: "broadcast",
        members: [
          Team.member("left", talker(text("L")).agent, { description: "Left." }),
          Team.member("right", talker(fail(refused)).agent, { description: "Right." })
        ]
      })
      const { answer } = yield* TriggerFlow.runResult(Team.flow(both), { input: "Well?", history: [] })
      assert.match(JSON.stringify(answer), /"left":\{"answer":"L"\},"right":\{"error":\{"name":"ModelError"/)
    })
  )

  it.effect("S51 streaming too: the task has failed, those behind it too, and the flow fails", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "press",
        mode: "tasks",
        leader: talker(
          json({
            tasks: [
              { id: "a", task: "Do a.", assignee: "writer", depends_on: [] },
              { id: "b", task: "Do b.", assignee: "writer", depends_on: ["a"] }
            ]
          }),
          json({ tasks: [] })
        ).agent,
        members: [Team.member("writer", talker(fail(refused)).agent, { description: "Writes." })]
      })
      const boards: Array<string> = []
      const ends: Array<string> = []
      const exit = yield* TriggerFlow.runStream(Team.flow(team), { input: "A paper.", history: [] }).pipe(
        Stream.runForEach((item) =>
          Effect.sync(() => {
            if (item.type === "team.tasks") boards.push(item.tasks.map(({ id, status }) => `${id} ${status}`).join())
            if (item.type === "team.ended") ends.push(`${item.report.name} ${item.report.status}`)
          })
        ),
        Effect.exit
      )
      assert.deepStrictEqual(boards.slice(0, 2), ["a pending,b pending", "a failed,b failed"])
      assert.deepStrictEqual(ends, ["plan success", "writer failed", "review success"])
      assert(Exit.isFailure(exit))
      assert.match(String(exit.cause), /gave up with 2 of 2 tasks left/)
    })
  )
})

describe("what is refused", () => {
  const one = talker().agent

  it.effect("limits, names of others and inputs that cannot be", () =>
    Effect.gen(function* () {
      const odd = Team.make({
        name: "odd",
        mode: "handoff",
        // A name that comes from outside is a string.
        first: String("nobody"),
        limits: { rounds: 0, handoffs: 1.5 },
        concurrency: 0,
        members: [Team.member(String("a"), one, { description: "", handoffs: ["b"] })]
      })
      const error = yield* Effect.flip(Team.run(odd, ""))
      assert(error._tag === "TeamError" && error.reason._tag === "InvalidTeam")
      assert.deepStrictEqual(error.reason.problems, [
        '"nobody" is to begin, who is none of its members',
        '"a" may hand on to "b", who is none of its members',
        "limits.rounds is 0: take a whole number from 1 on",
        "limits.handoffs is 1.5: take a whole number from 0 on",
        "concurrency is 0: take a whole number from 1 on"
      ])
      // Run as a flow it says the same.
      const twice = Team.make({
        name: "twice",
        mode: "broadcast",
        members: [Team.member("a", one, { description: "" }), Team.member("a", one, { description: "" })]
      })
      const asFlow = yield* Effect.flip(TriggerFlow.runResult(Team.flow(twice), { input: "", history: [] }))
      assert.match(asFlow.message, /"a"/)

      const input = yield* Effect.flip(Team.run(desk("writer").team, { at: 1n }))
      assert(input._tag === "TeamError" && input.reason._tag === "InvalidInput")
      assert.match(input.message, /no JSON form: .*BigInt/)
    })
  )

  it.effect("members that are one too many have a result that says so", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "both",
        mode: "broadcast",
        concurrency: 1,
        limits: { calls: 1 },
        members: [
          Team.member("left", talker(text("L")).agent, { description: "Left." }),
          Team.member("right", talker(text("R")).agent, { description: "Right." })
        ]
      })
      const { data, members } = yield* Team.whole(team, "Well?")
      assert.deepStrictEqual(data.left, Result.succeed("L"))
      assert(Result.isFailure(data.right) && data.right.failure._tag === "TeamError")
      assert.strictEqual(data.right.failure.reason._tag, "CallLimit")
      assert.deepStrictEqual(
        members.map(({ name }) => name),
        ["left", "right"]
      )
    })
  )

  it.effect("a hand-off by an action of the member's own, to somebody who is not there", () =>
    Effect.gen(function* () {
      const agent = talker(toolCalls([{ name: "transfer_to_moon", input: { reason: "Far." } }])).agent
      const team = Team.make({
        name: "support",
        mode: "handoff",
        members: [
          Team.member("front", agent.pipe(Actions.use([Team.handoff("moon", "Far away.")])), {
            description: "Greets.",
            handoffs: []
          })
        ]
      })
      const error = yield* Effect.flip(Team.run(team, "Help."))
      assert(error._tag === "TeamError" && error.reason._tag === "UnknownMember")
      assert.match(error.message, /handed to "moon", who is none of front/)
    })
  )

  it.effect("what a team inside has spent is counted where it fails, once", () =>
    Effect.gen(function* () {
      const usage = { inputTokens: 10, outputTokens: 1 }
      const leaf = Team.member("leaf", talker(text("ok", { usage }), text("ok", { usage })).agent, {
        description: "Works."
      })
      const lowest = Team.make({ name: "lowest", mode: "broadcast", members: [leaf] })
      const inner = Team.make({
        name: "inner",
        mode: "broadcast",
        members: [leaf, Team.member("lowest", lowest, { description: "A team." })],
        leader: talker(fail(refused)).agent
      })
      const outer = Team.make({
        name: "outer",
        mode: "broadcast",
        members: [Team.member("inner", inner, { description: "A team." })]
      })
      const { data, usage: spent } = yield* Team.whole(outer, "Go.")
      assert(Result.isFailure(data.inner))
      assert.strictEqual(spent.inputTokens, 20)
    })
  )
})
