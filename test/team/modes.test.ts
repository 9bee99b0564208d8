/** The modes of teams: who is asked what, what comes back, what a failure does. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import { Unauthorized } from "effigent/services/ModelError"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { Team } from "effigent/team"
import { ScriptedModel } from "effigent/testing"

const { fail, json, respond, text, toolCalls } = ScriptedModel

/** An agent with a model of its own, and the requests that it has seen. */
const scripted = (...steps: ReadonlyArray<ScriptedModel.Step>) => {
  const requests: Array<ModelRequest> = []
  // One script for all responses of the agent: a model that is bound to an agent is made anew for each of them.
  const model = ScriptedModel.always(
    respond((request) => {
      const step = steps[requests.push(request) - 1]
      return step ?? text("the script has ended")
    })
  )
  return { requests, model: Agent.provideModel(model) }
}

const talker = (...steps: ReadonlyArray<ScriptedModel.Step>) => {
  const { model, requests } = scripted(...steps)
  return { requests, agent: Agent.make({ system: "You help." }).pipe(model) }
}

const Facts = Schema.Struct({ facts: Schema.Array(Schema.String) })

const researcher = (...steps: ReadonlyArray<ScriptedModel.Step>) => {
  const { model, requests } = scripted(...steps)
  return { requests, agent: Agent.make({ instruct: "Find facts.", output: Facts }).pipe(model) }
}

const promptOf = (request: ModelRequest | undefined): string => JSON.stringify(request?.prompt.content ?? [])

const refused = new Unauthorized({ detail: "no key" })

describe("route", () => {
  it.effect("S48 the member's answer is the team's as it is, and the leader is asked once", () =>
    Effect.gen(function* () {
      const leader = talker(json({ member: "researcher" }))
      const finds = researcher(json({ facts: ["a"] }))
      const writes = talker()
      const team = Team.make({
        name: "desk",
        mode: "route",
        leader: leader.agent,
        members: [
          Team.member("researcher", finds.agent, { description: "Finds facts." }),
          Team.member("writer", writes.agent, { description: "Writes." })
        ]
      })
      const result = yield* Team.whole(team, "What is known?")
      assert.deepStrictEqual(result.data, { facts: ["a"] })
      assert.strictEqual(leader.requests.length, 1)
      assert.match(promptOf(leader.requests[0]), /Finds facts\./)
      assert.match(promptOf(finds.requests[0]), /What is known\?/)
      assert.deepStrictEqual(
        result.members.map(({ name, task }) => [name, task]),
        [["researcher", "What is known?"]]
      )
      assert.deepStrictEqual(
        result.reports.map(({ name, role, status }) => [role, name, status]),
        [
          ["leader", "choose", "success"],
          ["member", "researcher", "success"]
        ]
      )
    })
  )

  it.effect("the leader may write the member's task; a member who is not there is corrected", () =>
    Effect.gen(function* () {
      const leader = talker(json({ member: "poet", task: "x" }), json({ member: "writer", task: "Write two lines." }))
      const writes = talker(text("Two lines."))
      const team = Team.make({
        name: "desk",
        mode: "route",
        leader: leader.agent,
        task: "written",
        members: [Team.member("writer", writes.agent, { description: "Writes." })]
      })
      assert.strictEqual(yield* Team.run(team, "Please."), "Two lines.")
      assert.match(promptOf(writes.requests[0]), /Write two lines\./)
      assert.strictEqual(leader.requests.length, 2)
    })
  )

  it.effect("the member's failure is the team's, in the member's own type", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "desk",
        mode: "route",
        leader: talker(json({ member: "writer" })).agent,
        members: [Team.member("writer", talker(fail(refused)).agent, { description: "Writes." })]
      })
      const error = yield* Effect.flip(Team.run(team, "Please."))
      assert.strictEqual(error._tag, "ModelError")
    })
  )
})

describe("coordinate", () => {
  const ask = (member: string, task: string) => ({ name: `ask_${member}`, input: { task } })

  it.effect("the leader asks several at once by actions, gets data, and writes an answer of its own type", () =>
    Effect.gen(function* () {
      const { model, requests } = scripted(
        toolCalls([ask("researcher", "Look up tea."), ask("writer", "A title.")]),
        json({ title: "On tea", facts: 1 })
      )
      const leader = Agent.make({
        system: "You edit.",
        output: Schema.Struct({ title: Schema.String, facts: Schema.Int })
      }).pipe(model)
      const finds = researcher(json({ facts: ["hot"] }))
      const team = Team.make({
        name: "desk",
        mode: "coordinate",
        leader,
        members: [
          Team.member("researcher", finds.agent, { description: "Finds facts." }),
          Team.member("writer", talker(text("On tea")).agent, { description: "Writes." })
        ]
      })
      const result = yield* Team.whole(team, "An article on tea.")
      assert.deepStrictEqual(result.data, { title: "On tea", facts: 1 })
      assert.deepStrictEqual(
        requests[0]?.tools.map(({ name }) => name),
        ["ask_researcher", "ask_writer"]
      )
      assert.match(promptOf(requests[1]), /"result":\{"facts":\["hot"\]\}/)
      assert.match(promptOf(finds.requests[0]), /Look up tea\./)
      assert.notMatch(promptOf(finds.requests[0]), /An article on tea\./)
      assert.deepStrictEqual(result.members.map(({ name }) => name).toSorted(), ["researcher", "writer"])
    })
  )

  it.effect("S50 a member that fails is a failed call with its error, and its Result has it as it is", () =>
    Effect.gen(function* () {
      const { model, requests } = scripted(toolCalls([ask("writer", "A title.")]), text("Nobody could write."))
      const team = Team.make({
        name: "desk",
        mode: "coordinate",
        leader: Agent.make({}).pipe(model),
        members: [Team.member("writer", talker(fail(refused)).agent, { description: "Writes." })]
      })
      const result = yield* Team.whole(team, "An article on tea.")
      assert.strictEqual(result.data, "Nobody could write.")
      const told = requests[1]?.prompt.content.at(-1)
      const part = told?.role === "tool" ? told.content[0] : undefined
      assert.strictEqual(part?.type === "tool-result" ? part.isFailure : undefined, true)
      assert.match(JSON.stringify(part), /"name":"ModelError","message":"scripted.*no key/)
      const [writer] = result.members
      const error = writer === undefined || Result.isSuccess(writer.result) ? undefined : writer.result.failure
      assert.strictEqual(error?._tag, "ModelError")
      assert.strictEqual(result.reports.find(({ role }) => role === "member")?.status, "failed")
    })
  )

  it.effect("a member is not called more often than it may, whatever the leader asks", () =>
    Effect.gen(function* () {
      const { model, requests } = scripted(
        toolCalls([ask("writer", "1"), ask("writer", "2"), ask("writer", "3")]),
        text("Enough.")
      )
      const writes = talker(text("one"), text("two"))
      const team = Team.make({
        name: "desk",
        mode: "coordinate",
        leader: Agent.make({}).pipe(model),
        limits: { calls: 2 },
        members: [Team.member("writer", writes.agent, { description: "Writes." })]
      })
      assert.strictEqual(yield* Team.run(team, "Go."), "Enough.")
      assert.strictEqual(writes.requests.length, 2)
      assert.match(promptOf(requests[1]), /called 2 times, as often as they may/)
    })
  )

  it.effect("the rounds of the leader end, with its tools off", () =>
    Effect.gen(function* () {
      const { model, requests } = scripted(toolCalls([ask("writer", "1")]), text("Enough."))
      const team = Team.make({
        name: "desk",
        mode: "coordinate",
        leader: Agent.make({}).pipe(model),
        limits: { rounds: 1 },
        members: [Team.member("writer", talker(text("one")).agent, { description: "Writes." })]
      })
      assert.strictEqual(yield* Team.run(team, "Go."), "Enough.")
      assert.deepStrictEqual(
        requests.map(({ toolChoice }) => toolChoice),
        ["auto", "none"]
      )
    })
  )
})

describe("broadcast", () => {
  const slow = (answer: string) => {
    const { model } = scripted(text(answer))
    return Agent.make({}).pipe(model, Agent.hooks({ beforeRequest: () => Effect.sleep("200 millis") }))
  }

  it.effect("S49 two members of 0.2 s take 0.2 s", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "both",
        mode: "broadcast",
        members: [
          Team.member("left", slow("L"), { description: "Left." }),
          Team.member("right", slow("R"), { description: "Right." })
        ]
      })
      const fiber = yield* Effect.forkChild(Team.whole(team, "Well?"))
      yield* TestClock.adjust("200 millis")
      const { data, duration, members } = yield* Fiber.join(fiber)
      assert.strictEqual(duration, 200)
      assert.deepStrictEqual(data.left, Result.succeed("L"))
      assert.deepStrictEqual(data.right, Result.succeed("R"))
      assert.deepStrictEqual(
        members.map((one) => one.duration),
        [200, 200]
      )
    })
  )

  it.effect("a failure is a failure beside the others' answers, and the leader makes one answer of them", () =>
    Effect.gen(function* () {
      const leader = talker(text("R alone."))
      const team = Team.make({
        name: "both",
        mode: "broadcast",
        leader: leader.agent,
        members: [
          Team.member("left", talker(fail(refused)).agent, { description: "Left." }),
          Team.member("right", talker(text("R")).agent, { description: "Right." })
        ]
      })
      const result = yield* Team.whole(team, "Well?")
      assert.strictEqual(result.data, "R alone.")
      assert.match(promptOf(leader.requests[0]), /left:.*error:.*no key.*right:.*R/s)
    })
  )

  it.effect("concurrency is bounded", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "both",
        mode: "broadcast",
        concurrency: 1,
        members: [
          Team.member("left", slow("L"), { description: "Left." }),
          Team.member("right", slow("R"), { description: "Right." })
        ]
      })
      const fiber = yield* Effect.forkChild(Team.whole(team, "Well?"))
      yield* TestClock.adjust("400 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).duration, 400)
    })
  )
})

describe("tasks", () => {
  const task = (id: string, assignee: string, ...depends_on: ReadonlyArray<string>) => ({
    id,
    task: `Do ${id}.`,
    assignee,
    depends_on
  })
  const statuses = (tasks: ReadonlyArray<Team.Task>) => tasks.map(({ id, status }) => [id, status])

  it.effect("tasks run as soon as what they wait for is done, with its results", () =>
    Effect.gen(function* () {
      const leader = talker(
        json({ tasks: [task("a", "writer"), task("b", "writer"), task("c", "editor", "a", "b")] }),
        text("Done.")
      )
      const edits = talker(text("C"))
      const team = Team.make({
        name: "press",
        mode: "tasks",
        leader: leader.agent,
        members: [
          Team.member("writer", talker(text("A"), text("B")).agent, { description: "Writes." }),
          Team.member("editor", edits.agent, { description: "Edits." })
        ]
      })
      const result = yield* Team.whole(team, "A paper.")
      assert.strictEqual(result.data, "Done.")
      assert.strictEqual(result.status, "completed")
      assert.deepStrictEqual(statuses(result.tasks), [
        ["a", "completed"],
        ["b", "completed"],
        ["c", "completed"]
      ])
      assert.match(promptOf(edits.requests[0]), /results of other tasks.*a: A.*b: B/s)
      assert.match(promptOf(leader.requests[1]), /board.*completed/s)
    })
  )

  it.effect("S51 a task whose member fails has failed, those behind it too, and the team gives no plain success", () =>
    Effect.gen(function* () {
      const members = () =>
        [
          Team.member("writer", talker(fail(refused)).agent, { description: "Writes." }),
          Team.member("editor", talker(text("B")).agent, { description: "Edits." })
        ] as const
      const plan = json({ tasks: [task("a", "writer"), task("b", "editor"), task("c", "editor", "a")] })
      const strict = Team.make({
        name: "press",
        mode: "tasks",
        leader: talker(plan, json({ tasks: [] })).agent,
        members: members()
      })
      const error = yield* Effect.flip(Team.run(strict, "A paper."))
      assert(error._tag === "TeamError" && error.reason._tag === "Unfinished")
      assert.deepStrictEqual(statuses(error.reason.tasks), [
        ["a", "failed"],
        ["b", "completed"],
        ["c", "failed"]
      ])
      assert.match(
        error.message,
        /gave up with 2 of 3 tasks left: a \(failed: .*no key.*c \(failed: the task "a" failed\)/
      )

      const lenient = Team.make({
        name: "press",
        mode: "tasks",
        unfinished: "answer",
        leader: talker(plan, json({ tasks: [] }), text("Half of it.")).agent,
        members: members()
      })
      const result = yield* Team.whole(lenient, "A paper.")
      assert.strictEqual(result.status, "incomplete")
      assert.strictEqual(result.data, "Half of it.")
    })
  )

  it.effect("S52 a task that waits for an unknown one is blocked; naming it in a later plan unblocks it at once", () =>
    Effect.gen(function* () {
      const leader = talker(
        json({ tasks: [task("a", "writer"), task("c", "writer", "b"), task("d", "writer", "c")] }),
        json({ tasks: [task("b", "writer")] }),
        text("Done.")
      )
      const team = Team.make({
        name: "press",
        mode: "tasks",
        leader: leader.agent,
        members: [Team.member("writer", talker(text("A"), text("B"), text("C"), text("D")).agent, { description: "W" })]
      })
      const boards: Array<ReadonlyArray<ReadonlyArray<string>>> = []
      const result = yield* Team.whole(team, "A paper.", {
        watch: (event) => Effect.sync(() => event._tag === "Tasks" && boards.push(statuses(event.tasks)))
      })
      assert.deepStrictEqual(boards[0], [
        ["a", "pending"],
        ["c", "blocked"],
        ["d", "blocked"]
      ])
      assert.strictEqual(result.status, "completed")
      assert.deepStrictEqual(
        result.members.map((one) => one.task),
        ["Do a.", "Do b.", "Do c.", "Do d."]
      )
      assert.match(promptOf(leader.requests[1]), /there is no task \\+"b\\+"/)
    })
  )

  it.effect("a failed task may be tried again, by another member, and what waited for it goes on", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "press",
        mode: "tasks",
        leader: talker(
          json({ tasks: [task("a", "writer"), task("b", "editor", "a")] }),
          json({ tasks: [task("a", "editor")] }),
          text("Done.")
        ).agent,
        members: [
          Team.member("writer", talker(fail(refused)).agent, { description: "Writes." }),
          Team.member("editor", talker(text("A"), text("B")).agent, { description: "Edits." })
        ]
      })
      const result = yield* Team.whole(team, "A paper.")
      assert.strictEqual(result.status, "completed")
      assert.deepStrictEqual(
        result.tasks.map(({ id, result }) => [id, result]),
        [
          ["a", "A"],
          ["b", "B"]
        ]
      )
      assert.deepStrictEqual(
        result.reports.map(({ name, status }) => `${name} ${status}`),
        ["plan success", "writer failed", "review success", "editor success", "editor success", "answer success"]
      )
    })
  )

  it.effect("tasks that wait for each other go back to the leader; rounds end", () =>
    Effect.gen(function* () {
      const leader = talker(
        json({ tasks: [task("a", "writer", "b"), task("b", "writer", "a")] }),
        json({ tasks: [task("a", "writer")] })
      )
      const team = Team.make({
        name: "press",
        mode: "tasks",
        limits: { rounds: 1 },
        leader: leader.agent,
        members: [Team.member("writer", talker(fail(refused)).agent, { description: "Writes." })]
      })
      const error = yield* Effect.flip(Team.run(team, "A paper."))
      assert.strictEqual(error._tag, "TeamError")
      assert.match(promptOf(leader.requests[1]), /wait for each other: a, b/)
      assert.strictEqual(leader.requests.length, 2)
    })
  )
})

describe("handoff", () => {
  const transfer = (to: string) =>
    toolCalls([{ name: `transfer_to_${to}`, input: { reason: "It is theirs." }, id: "t1" }])

  it.effect("the target answers, and is given all that was said and done", () =>
    Effect.gen(function* () {
      const lookup = Action.make("lookup", { description: "Looks up.", run: () => Effect.succeed("order 7") })
      const front = talker(toolCalls([{ name: "lookup", input: {}, id: "l1" }]), transfer("billing"))
      const Refund = Schema.Struct({ cents: Output.ensure(Schema.Int, "Cents") })
      const { model, requests } = scripted(json({ cents: 500 }))
      const team = Team.make({
        name: "support",
        mode: "handoff",
        members: [
          Team.member("front", front.agent.pipe(Actions.use([lookup])), { description: "Greets." }),
          Team.member("billing", Agent.make({ output: Refund }).pipe(model), { description: "Pays back." })
        ]
      })
      const result = yield* Team.whole(team, "I want my money back.")
      assert.deepStrictEqual(result.data, { cents: 500 })
      const messages = requests[0]?.prompt.content ?? []
      assert.deepStrictEqual(
        messages.map(({ role }) => role),
        ["user", "assistant", "tool", "assistant", "tool", "user"]
      )
      assert.match(promptOf(requests[0]), /money back.*lookup.*order 7.*transfer_to_billing/s)
      assert.deepStrictEqual(
        result.reports.map(({ name, status }) => [name, status]),
        [
          ["front", "handed"],
          ["billing", "success"]
        ]
      )
    })
  )

  it.effect("hand-offs are bounded: the last one has to answer", () =>
    Effect.gen(function* () {
      const front = talker(transfer("back"), transfer("back"), text("I am sorry."))
      const back = talker(transfer("front"))
      const team = Team.make({
        name: "support",
        mode: "handoff",
        limits: { handoffs: 2 },
        members: [
          Team.member("front", front.agent, { description: "Front." }),
          Team.member("back", back.agent, { description: "Back." })
        ]
      })
      assert.strictEqual(yield* Team.run(team, "Help."), "I am sorry.")
      assert.match(promptOf(front.requests[2]), /handed on 2 times, as often as it may; answer it yourself/)
    })
  )

  it.effect("outside of a team a hand-off is a typed failure", () =>
    Effect.gen(function* () {
      const agent = talker(transfer("billing")).agent.pipe(
        Agent.input("Help."),
        Actions.use([Team.handoff("billing", "Pays back.")])
      )
      const error = yield* Effect.flip(Agent.run(agent))
      assert(error._tag === "Handoff")
      assert.deepStrictEqual([error.to, error.reason], ["billing", "It is theirs."])
    })
  )
})

class User extends Context.Service<User, { readonly id: string }>()("User") {}

describe("all teams", () => {
  it.effect("S59 the run's user reaches every member, its actions, and members of teams inside", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const whoami = Action.make("whoami", {
        description: "Who asks.",
        run: () => Effect.map(User, ({ id }) => seen.push(id))
      })
      const asks = () =>
        talker(toolCalls([{ name: "whoami", input: {} }]), text("ok")).agent.pipe(Actions.use([whoami]))
      const inner = Team.make({
        name: "inner",
        mode: "broadcast",
        members: [Team.member("deep", asks(), { description: "Deep." })],
        leader: talker(text("from below")).agent
      })
      const outer = Team.make({
        name: "outer",
        mode: "broadcast",
        members: [
          Team.member("flat", asks(), { description: "Flat." }),
          Team.member("inner", inner, { description: "A team." })
        ]
      })
      const teams: Array<string> = []
      const { inner: answer } = yield* Team.run(outer, "Who?", {
        watch: (event) =>
          Effect.sync(() => event._tag === "Started" && teams.push([...event.team, event.name].join("/")))
      }).pipe(Effect.provideService(User, { id: "ada" }))
      assert.deepStrictEqual(seen, ["ada", "ada"])
      assert.deepStrictEqual(answer, Result.succeed("from below"))
      assert.deepStrictEqual(teams.toSorted(), ["outer/flat", "outer/inner", "outer/inner/answer", "outer/inner/deep"])
    })
  )

  it.effect("the time ends the team, and who is at work is interrupted", () =>
    Effect.gen(function* () {
      const stopped: Array<string> = []
      const noting: Agent.Around = (config, work) =>
        Effect.onInterrupt(work(config), () => Effect.sync(() => stopped.push("stopped")))
      const hangs = Agent.make({}).pipe(scripted(ScriptedModel.hangAfter(["So far"])).model, Agent.around(noting))
      const team = Team.make({
        name: "desk",
        mode: "route",
        limits: { time: "1 second" },
        leader: talker(json({ member: "slow" })).agent,
        members: [Team.member("slow", hangs, { description: "Slow." })]
      })
      const fiber = yield* Effect.forkChild(Effect.flip(Team.run(team, "Go.")))
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      assert(error._tag === "TeamError" && error.reason._tag === "TimedOut")
      assert.match(error.message, /1000 ms were up/)
      assert.deepStrictEqual(stopped, ["stopped"])
    })
  )

  it.effect("S34 a team that is cancelled stops its members first, and what they had said is kept", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const hangs = (said: string) => talker(ScriptedModel.hangAfter([said])).agent
      const { model } = scripted(
        toolCalls([
          { name: "ask_left", input: { task: "1" } },
          { name: "ask_right", input: { task: "2" } }
        ])
      )
      const team = Team.make({
        name: "desk",
        mode: "coordinate",
        leader: Agent.make({}).pipe(model),
        members: [
          Team.member("left", hangs("Left half"), { description: "Left." }),
          Team.member("right", hangs("Right half"), { description: "Right." })
        ]
      })
      const running = yield* Effect.forkChild(
        Team.run(team, "Go.", {
          watch: (event) =>
            Effect.sync(() => {
              if (event._tag === "Ended")
                log.push(`${event.report.name} ${event.report.status}: ${event.report.partial ?? "-"}`)
              if (event._tag === "TeamEnded") log.push(`team ${event.status}`)
            })
        })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(log.slice(0, 2).toSorted(), [
        "left interrupted: Left half",
        "right interrupted: Right half"
      ])
      assert.deepStrictEqual(log.slice(2), ["lead interrupted: -", "team interrupted"])
    })
  )

  it.effect("history and interactions are shared where asked for, and not before", () =>
    Effect.gen(function* () {
      const make = (share: Team.Share) => {
        const left = talker(text("L"))
        const right = talker(text("R"))
        const team = Team.make({
          name: "both",
          mode: "broadcast",
          concurrency: 1,
          share,
          members: [
            Team.member("left", left.agent, { description: "Left." }),
            Team.member("right", right.agent, { description: "Right." })
          ]
        })
        const run = Team.run(team, "Well?", { history: [{ role: "user", content: "We spoke of tea." }] })
        return Effect.map(run, () => promptOf(right.requests[0]))
      }
      const alone = yield* make({})
      assert.notMatch(alone, /tea|done by others/)
      assert.match(yield* make({ history: true }), /We spoke of tea/)
      assert.match(yield* make({ interactions: true }), /done by others.*left.*L/s)
    })
  )

  it.effect("a team that cannot work says all that is wrong", () =>
    Effect.gen(function* () {
      const one = talker().agent
      const team = Team.make({
        name: "odd",
        mode: "broadcast",
        members: [
          Team.member("a b", one, { description: "" }),
          Team.member("c", one, { description: "" }),
          Team.member("c", one, { description: "" })
        ]
      })
      const error = yield* Effect.flip(Team.run(team, ""))
      assert(error.reason._tag === "InvalidTeam")
      assert.strictEqual(error.reason.problems.length, 2)
      assert.match(error.message, /several members are called "c"; "a b" cannot name a member/)
    })
  )

  it.effect("tokens of the leader and all members are counted, those of failed ones too", () =>
    Effect.gen(function* () {
      const usage = { inputTokens: 10, outputTokens: 1 }
      const team = Team.make({
        name: "both",
        mode: "broadcast",
        leader: talker(text("both", { usage })).agent,
        members: [
          Team.member("left", talker(text("L", { usage })).agent, { description: "Left." }),
          Team.member("right", researcher(...Array.from({ length: 4 }, () => text("no JSON", { usage }))).agent, {
            description: "Right."
          })
        ]
      })
      const result = yield* Team.whole(team, "Well?")
      assert.strictEqual(result.usage.inputTokens, 60)
      const right = result.members.find((one) => one.name === "right")
      assert.deepStrictEqual(
        [right?.usage.inputTokens, right === undefined || Result.isFailure(right.result)],
        [40, true]
      )
    })
  )
})
