import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type Sse, eventually, open } from "./support.ts"

process.env["EFFIGENT_DEMO_DELAY"] = "0"
const { default: project } = await import("../../support/studio/effigent.config.ts")

const kinds = (events: ReadonlyArray<Sse>) => events.map(({ data }) => data.event?._tag as string | undefined)
const custom = (events: ReadonlyArray<Sse>, name: string) =>
  events.flatMap(({ data }) => (data.event?._tag === "Custom" && data.event.name === name ? [data.event.value] : []))

describe("agents in the studio", () => {
  it.live("tells of the project what there is to know before anything runs", () =>
    Effect.gen(function* () {
      const { get } = yield* open(project, { title: "Demo" })
      const { json } = yield* get("/studio/project")
      assert.strictEqual(json.title, "Demo")
      assert.deepStrictEqual(json.capabilities, {
        durable: false,
        history: true,
        sessions: false,
        approvals: true,
        evals: false,
        prices: true
      })
      const [triage, clerk] = json.agents
      assert.strictEqual(triage.prompt.instruct, "Read the letter and make a ticket of it.")
      assert.deepStrictEqual(Object.keys(triage.output.properties), ["subject", "urgency", "summary", "tasks"])
      assert.deepStrictEqual(
        clerk.actions.map(({ name }: { name: string }) => name),
        ["balance", "pay"]
      )
      assert.strictEqual(clerk.actions[1].input.properties.bill.type, "string")
      assert.deepStrictEqual(
        json.flows.map(({ name }: { name: string }) => name),
        ["publish", "count", "letter"]
      )
      assert.deepStrictEqual(Object.keys(json.flows[0].contract.interrupts), ["Approval"])
      assert.isNull(json.flows[1].contract.error)
    })
  )

  it.live("fills in the fields of an answer, tells of a correction, and shows both prompts as they were sent", () =>
    Effect.gen(function* () {
      const { get, post, sse } = yield* open(project)
      const started = yield* post("/api/agents/triage/runs?fields=true&session=s1", "Fire! Something is wrong here.")
      assert.strictEqual(started.status, 202)
      const { run } = started.json
      const events = yield* sse(`/api/runs/${run}/events`)
      assert.includeMembers(kinds(events.slice(0, -1)), ["RunStarted", "ModelRequested", "Restarted", "ModelAnswered"])
      assert.deepStrictEqual(events.at(-1)?.data, { status: "completed" })
      const fields = custom(events, "field")
      const whole = fields.filter(({ isComplete }) => isComplete === true)
      assert.includeMembers(
        whole.map(({ path }) => path),
        ["subject", "urgency", "tasks[1].what"]
      )
      assert.isTrue(fields.some(({ _tag }) => _tag === "Reset"))

      const { json: row } = yield* get(`/studio/runs/${run}`)
      assert.strictEqual(row.session, "s1")
      assert.strictEqual(row.requests, 2)
      const { cachedInputTokens, inputTokens, outputTokens } = row.usage
      const cost = ((inputTokens - cachedInputTokens) * 2 + cachedInputTokens * 0.2 + outputTokens * 10) / 1e6
      assert.closeTo(row.cost, cost, 1e-9)

      const { json: trace } = yield* get(`/studio/traces/${row.trace}`)
      assert.deepStrictEqual(
        trace.rows.map(({ depth, kind }: { depth: number; kind: string }) => [depth, kind]),
        [
          [0, "group"],
          [1, "agent"],
          [2, "chat"],
          [2, "chat"]
        ]
      )
      const [, agent, first, second] = trace.rows
      assert.deepStrictEqual([first.attempt, second.attempt], [1, 2])
      assert.strictEqual(first.model, "demo-1")
      assert.isNumber(first.timeToFirstToken)
      assert.closeTo(agent.cost, cost, 1e-9)
      const { json: one } = yield* get(`/studio/traces/${row.trace}/spans/${first.id}`)
      const { json: two } = yield* get(`/studio/traces/${row.trace}/spans/${second.id}`)
      assert.deepStrictEqual(
        one.request.messages.map(({ role }: { role: string }) => role),
        ["system", "user"]
      )
      assert.include(one.request.messages[1].parts[0].text, "Fire! Something is wrong here.")
      assert.deepStrictEqual(Object.keys(one.request.output.jsonSchema.properties), [
        "subject",
        "urgency",
        "summary",
        "tasks"
      ])
      assert.notInclude(one.response.text, "tasks")
      // The second one asks for what was missing.
      assert.isAbove(JSON.stringify(two.request.messages).length, JSON.stringify(one.request.messages).length)
      assert.include(two.response.text, "tasks")
      assert.strictEqual(two.response.finishReason, "stop")
      assert.isFalse(one.truncated)
    })
  )

  it.live("lets a call wait until it is approved, and goes on with it", () =>
    Effect.gen(function* () {
      const { get, post, sse } = yield* open(project)
      const { run } = (yield* post("/api/agents/clerk/runs", "Please pay 900 euros of rent.")).json
      const before = yield* sse(`/api/runs/${run}/events`, ({ data }) => data.event?.name === "approval")
      const [asked] = custom(before, "approval")
      assert.strictEqual(asked.run, run)
      assert.strictEqual(asked.agent, "clerk")
      assert.deepStrictEqual(asked.request.call.input, { bill: "rent", euros: 900 })
      assert.deepStrictEqual((yield* get("/studio/approvals")).json, [asked])

      const decided = yield* post(`/studio/approvals/${asked.id}`, { _tag: "Approved", by: "Ada" })
      assert.strictEqual(decided.status, 204)
      // From where the stream was left.
      const behind = yield* sse(`/api/runs/${run}/events`, undefined, { "last-event-id": before.at(-1)?.id ?? "" })
      assert.strictEqual(Number(behind[0]?.id), Number(before.at(-1)?.id) + 1)
      assert.deepStrictEqual(custom(behind, "approval-decided")[0]?.decision, { _tag: "Approved", by: "Ada" })
      const ended = behind.flatMap(({ data }) => (data.event?._tag === "ActionEnded" ? [data.event.record] : []))
      assert.deepStrictEqual(ended.map(({ call, status }) => [call.action, status]).toSorted(), [["pay", "success"]])
      assert.deepStrictEqual((yield* get("/studio/approvals")).json, [])
      const again = yield* post(`/studio/approvals/${asked.id}`, { _tag: "Approved" })
      assert.deepStrictEqual([again.status, again.json.tag], [404, "NotWaiting"])

      const { trace } = (yield* get(`/studio/runs/${run}`)).json
      const { json } = yield* get(`/studio/traces/${trace}`)
      const tool = json.rows.find(({ name }: { name: string }) => name === "pay")
      assert.strictEqual(tool.status, "ok")
      const { json: span } = yield* get(`/studio/traces/${trace}/spans/${tool.id}`)
      assert.deepStrictEqual(span.input, { bill: "rent", euros: 900 })
      assert.strictEqual(span.output, "paid 900 euros for rent")
      assert.deepStrictEqual(span.attributes.decision, { _tag: "Approved", by: "Ada" })
    })
  )

  it.live("tells the model why a call was denied, and takes a call back where its run is cancelled", () =>
    Effect.gen(function* () {
      const { get, post, sse } = yield* open(project)
      const begin = Effect.gen(function* () {
        const { run } = (yield* post("/api/agents/clerk/runs", "Please pay 900 euros of rent.")).json
        const events = yield* sse(`/api/runs/${run}/events`, ({ data }) => data.event?.name === "approval")
        return { run, id: custom(events, "approval")[0]?.id as string }
      })
      const denied = yield* begin
      yield* post(`/studio/approvals/${denied.id}`, { _tag: "Denied", note: "not this month" })
      const events = yield* sse(`/api/runs/${denied.run}/events`)
      const record = events.flatMap(({ data }) => (data.event?._tag === "ActionEnded" ? [data.event.record] : []))
      assert.deepStrictEqual(
        record.map(({ status }) => status),
        ["success", "denied"]
      )
      assert.include(JSON.stringify(record[1]?.result), "not this month")

      const left = yield* begin
      yield* post(`/api/runs/${left.run}/cancel`, { reason: "no more" })
      assert.deepStrictEqual((yield* get("/studio/approvals")).json, [])
      const { json: row } = yield* get(`/studio/runs/${left.run}`)
      assert.strictEqual(row.status, "cancelled")
      const { json: trace } = yield* get(`/studio/traces?run=${left.run}`)
      assert.strictEqual(trace.traces[0].status, "cancelled")
      const wrong = yield* post("/studio/approvals/1", { _tag: "Maybe" })
      assert.strictEqual(wrong.status, 400)
    })
  )

  it.live("tells its news to whoever listens: what waits, and traces as they begin and end", () =>
    Effect.gen(function* () {
      const { post, sse } = yield* open(project)
      const isOver = ({ data, event }: Sse) => event === "trace" && data.status === "ok"
      const news = yield* Effect.forkChild(sse("/studio/news", isOver), { startImmediately: true })
      const { run } = (yield* post("/api/agents/clerk/runs", "Please pay 900 euros of rent.")).json
      const events = yield* sse(`/api/runs/${run}/events`, ({ data }) => data.event?.name === "approval")
      yield* Effect.sleep("400 millis")
      yield* post(`/studio/approvals/${custom(events, "approval")[0]?.id}`, { _tag: "Approved" })
      const told = yield* Fiber.join(news)
      const waiting = told.filter(({ event }) => event === "waiting").map(({ data }) => data.length)
      assert.strictEqual(waiting.at(-1), 0)
      assert.include(waiting, 1)
      const traces = told.filter(({ event }) => event === "trace")
      assert.strictEqual(traces[0]?.data.status, "running")
      assert.strictEqual(traces.at(-1)?.data.run, run)
    })
  )

  it.live("lists runs newest first, of one agent or one session", () =>
    Effect.gen(function* () {
      const { get, post } = yield* open(project)
      for (const [agent, session] of [
        ["echo", "a"],
        ["triage", "a"],
        ["echo", "b"]
      ])
        yield* post(`/api/agents/${agent}/run?session=${session}`, "hello")
      const names = (path: string) =>
        Effect.map(get(path), ({ json }) =>
          json.map(({ agent, session }: { agent: string; session: string }) => agent + session)
        )
      assert.deepStrictEqual(yield* names("/studio/runs"), ["echob", "triagea", "echoa"])
      assert.deepStrictEqual(yield* names("/studio/runs?agent=echo"), ["echob", "echoa"])
      assert.deepStrictEqual(yield* names("/studio/runs?session=a&limit=1"), ["triagea"])
      const missing = yield* get("/studio/runs/nothing")
      assert.deepStrictEqual([missing.status, missing.json.tag], [404, "RunNotFound"])
      const { json } = yield* eventually(get("/studio/traces"), ({ json }) => json.total === 3)
      assert.deepStrictEqual(
        json.traces.map(({ name }: { name: string }) => name),
        ["echo", "triage", "echo"]
      )
    })
  )
})
