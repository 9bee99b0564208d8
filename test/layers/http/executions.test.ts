// Executions over real sockets: started by typed inputs, watched and resumed, asked and answered, ended; and what those
// who operate durable ones need.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { ExecutionHosts } from "effigent/layers/host"
import { Http, Problem } from "effigent/layers/http"
import { JournalStores } from "effigent/layers/store"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import { parse, start, until } from "./support.ts"

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Boolean })
const Ping = Signal.make("Ping", Schema.FiniteFromString, { reply: Schema.Number })
const Refund = TriggerFlow.define("refund", {
  input: Schema.Struct({ order: Schema.String, euros: Schema.FiniteFromString }),
  stream: Schema.String,
  result: Schema.DateFromString,
  error: Schema.Literal("odd"),
  interrupts: [Ask],
  signals: [Ping],
  intervention: Schema.String
})
const refund = Refund.build(
  Refund.start.pipe(
    Chain.to("ask", (input, run) =>
      Effect.gen(function* () {
        yield* run.put(`${input.order}: ${input.euros}`)
        if (input.euros === 14) return yield* Effect.die(new Error("password=hunter2"))
        if (input.euros === 13) return yield* Effect.fail("odd" as const)
        const answer = run.resumed(Ask)
        if (answer._tag === "None" && input.euros > 100) return yield* run.pause(Ask, input.order, { to: "self" })
        return input
      })
    ),
    Chain.to("pay", () => Effect.succeed(new Date("2026-01-02T00:00:00Z"))),
    Chain.result
  ),
  Refund.on(Ping).pipe(Chain.to("pong", (n) => Effect.succeed(n + 1)))
)
// Closed at once where nothing is at work.
const settings = { autoClose: 0 }
// One whose answer is the input of the next step.
const Agree = TriggerFlow.define("agree", { input: Schema.String, result: Schema.Boolean, interrupts: [Ask] })
const agree = Agree.build(
  Agree.start.pipe(
    Chain.to("ask", (order, run) => run.pause(Ask, order, { id: "sure" })),
    Chain.to("note", (yes) => Effect.succeed(yes)),
    Chain.result
  )
)
const runner = Layer.merge(TriggerFlow.toLayer(refund), TriggerFlow.toLayer(agree))
const definition = { flows: { refund, agree } }
const inProcess = runner.pipe(Layer.provideMerge(ExecutionHosts.inProcess()))
const durable = runner.pipe(Layer.provideMerge(ExecutionHosts.durable()), Layer.provide(JournalStores.memory))

describe("executions", () => {
  it.live("the typed client starts one and has its result; the same id joins, another input is a conflict", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer(definition), inProcess)
      const client = yield* Http.client(definition, { baseUrl: server.base })
      const begin = (euros: number) =>
        client.flows.refund({ payload: { input: { order: "A-17", euros }, id: "a", tags: ["shop"], settings } })
      assert.deepStrictEqual(yield* begin(40), { execution: "a" })
      assert.deepStrictEqual(yield* begin(40), { execution: "a" })
      const paidOn = yield* client.results.refund({ params: { id: "a" } })
      assert.strictEqual(paidOn.getUTCFullYear(), 2026)
      const conflict = yield* Effect.flip(begin(41))
      assert.instanceOf(conflict, Problem)
      assert.deepStrictEqual([conflict.status, conflict.tag], [409, "ExecutionConflict"])
      const tagged = (tags: ReadonlyArray<string>) =>
        Effect.map(client.executions.list({ query: { tags } }), ({ executions }) => executions.map(({ id }) => id))
      assert.deepStrictEqual([yield* tagged(["shop"]), yield* tagged(["shop", "other"])], [["a"], []])
      const entries = yield* client.executions
        .events({ params: { id: "a" }, headers: {} })
        .pipe(Stream.unwrap, Stream.runCollect)
      assert.deepStrictEqual(
        entries.map(({ event, id }) => [event, id]),
        [
          ["message", "0"],
          ["end", "0"]
        ]
      )
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live("a question is listed, answered and told on the stream; a stream is resumed behind its last id", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer(definition), inProcess)
      yield* server.post("/flows/refund/executions", { input: { order: "B-2", euros: "150" }, id: "b/2", settings })
      const path = "/executions/b%2F2"
      const view = Effect.map(server.get(path), ({ json }) => json as { questions: ReadonlyArray<{ id: string }> }) // ExecutionView
      yield* until(() => Effect.map(view, ({ questions }) => questions.length === 1))
      const { questions } = yield* view
      const question = encodeURIComponent(questions[0]?.id ?? "")
      assert.strictEqual((yield* server.post(`${path}/questions/${question}`, { value: "yes" })).status, 400)
      assert.strictEqual((yield* server.post(`${path}/questions/${question}`, { value: true })).status, 204)
      const whole = parse((yield* server.get(`${path}/events`)).text)
      const events = whole.map(({ data }) => (data as { event?: { _tag: string } }).event?._tag) // A WatchEntry.
      assert.includeMembers(events, ["item", "interrupt", "answered"])
      assert.strictEqual(whole.at(-1)?.event, "end")
      assert.deepStrictEqual(
        parse((yield* server.get(`${path}/events`, { "last-event-id": "1" })).text),
        whole.slice(2)
      )
      const list = (yield* server.get("/executions?flow=refund&status=completed&limit=1")).json
      assert.deepInclude((list as { executions: ReadonlyArray<object> }).executions[0], {
        id: "b/2",
        status: "completed"
      }) // ListPage
    })
  )

  it.live("a snapshot goes on elsewhere, and the execution goes on where it is", () =>
    Effect.gen(function* () {
      for (const host of [inProcess, durable]) {
        const server = yield* start(Http.layer(definition), host)
        yield* server.post("/flows/refund/executions", { input: { order: "S", euros: "150" }, id: "s", settings })
        yield* until(() => Effect.map(server.get("/executions/s"), ({ text }) => text.includes(`"status":"waiting"`)))
        const snapshot = yield* server.get("/executions/s/snapshot")
        assert.strictEqual(snapshot.status, 200)
        const copy = yield* TriggerFlow.load(refund, snapshot.json)
        const [question] = yield* copy.interrupts
        yield* copy.answer(Ask, true, { id: question?.id ?? "" })
        const { result } = yield* copy.close()
        assert.isTrue(result._tag === "Some" && result.value.getUTCFullYear() === 2026)
        const { json } = yield* server.get("/executions/s")
        assert.deepInclude(json, { status: "waiting" })
        yield* server.post("/executions/s/cancel", {})
        const closed = yield* server.get("/executions/s/snapshot")
        assert.deepStrictEqual([closed.status, /is closed/.test(closed.text)], [409, true])
        // What comes too late is refused by the flow, and is no failure of the server.
        assert.strictEqual((yield* server.post("/executions/s/signals/Ping", { payload: "1" })).status, 409)
        assert.strictEqual((yield* server.get("/executions/none/snapshot")).status, 404)
      }
    })
  )

  it.live("signals with replies, interventions, sealing, closing and cancelling", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer(definition), inProcess)
      const begin = (id: string) =>
        server.post("/flows/refund/executions", {
          input: { order: id, euros: "150" },
          id,
          settings: { autoClose: false }
        })
      yield* begin("c")
      yield* until(() => Effect.map(server.get("/executions/c"), ({ text }) => text.includes(`"status":"waiting"`)))
      const reply = yield* server.post("/executions/c/signals/Ping", { payload: "41", wait: true })
      assert.deepStrictEqual(reply.json, { replies: [42] })
      assert.strictEqual((yield* server.post("/executions/c/signals/Nope", { payload: 1 })).status, 404)
      const said = yield* server.post("/executions/c/interventions", { payload: "careful", author: "Ada" })
      assert.match(said.text, /"intervention":"/)
      assert.strictEqual((yield* server.post("/executions/c/close", {})).status, 409)
      const closed = yield* server.post("/executions/c/close", { pending: "cancel" })
      assert.deepInclude(closed.json, { lifecycle: "closed" })
      yield* begin("d")
      assert.strictEqual((yield* server.call("/executions/d/seal", { method: "POST" })).status, 204)
      const cancelled = yield* server.post("/executions/d/cancel", { reason: "enough" })
      assert.deepInclude(cancelled.json, { status: "cancelled" })
    })
  )

  it.live("the requests by curl that docs/http.md shows give what it says", () =>
    Effect.gen(function* () {
      const page = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8")
      const block = /## Bodies[^]*?```sh\n([^]*?)```/.exec(page)?.[1] ?? ""
      const server = yield* start(Http.layer(definition), durable)
      const steps = [...block.matchAll(/^(curl [^]*?)\n# (.*)$/gm)]
      assert.lengthOf(steps, 4)
      for (const [, command = "", said = ""] of steps) {
        const here = command.replaceAll("http://127.0.0.1:3000", server.base)
        const { stdout } = yield* Effect.promise(() => promisify(execFile)("bash", ["-c", here]))
        assert.strictEqual(stdout, said)
      }
    })
  )

  it.live("SV-01 every failure has its status: input, unknown ids, failed results, what is not served", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer(definition), inProcess)
      const start_ = (euros: unknown, id: string) =>
        server.post("/flows/refund/executions", { input: { order: "x", euros }, id, settings })
      const tag = ({ json, status }: { readonly json: unknown; readonly status: number }) => [
        status,
        (json as { tag: string }).tag // A Problem.
      ]
      assert.deepStrictEqual(tag(yield* start_(1, "f")), [400, "InvalidRequest"])
      for (const path of ["", "/events", "/graph", "/history"])
        assert.deepStrictEqual(
          tag(yield* server.get(`/executions/none${path}`)),
          path === "/history" ? [501, "NotServed"] : [404, "UnknownExecution"]
        )
      yield* start_("13", "f")
      assert.deepStrictEqual(tag(yield* server.get("/flows/refund/executions/f/result")), [422, "FlowFailed"])
      yield* start_("14", "g")
      const defect = yield* server.get("/flows/refund/executions/g/result")
      assert.deepStrictEqual(tag(defect), [500, "FlowFailed"])
      assert.notInclude(defect.text, "hunter2")
      assert.deepStrictEqual(tag(yield* server.get("/executions?limit=0")), [400, "InvalidRequest"])
      assert.deepStrictEqual(tag(yield* server.get("/executions/f/events", { "last-event-id": "-1" })), [
        400,
        "InvalidRequest"
      ])
      const failed = parse((yield* server.get("/executions/f/events")).text)
      assert.deepInclude(failed.at(-1)?.data, { tag: "FlowFailed", status: 422 })
      assert.deepStrictEqual(tag(yield* server.get("/sessions/x")), [501, "NotServed"])
      assert.deepStrictEqual(tag(yield* server.get("/dead-letters")), [501, "NotServed"])
      assert.deepStrictEqual(tag(yield* server.get("/flows/none/graph")), [404, "NoGraph"])
    })
  )

  it.live(
    "SV-01 what does not fit an execution is told so: 404 what there is not, 400 what is wrong, 409 what is late",
    () =>
      Effect.gen(function* () {
        for (const host of [inProcess, durable]) {
          const server = yield* start(Http.layer(definition), host)
          const client = yield* Http.client(definition, { baseUrl: server.base })
          const open = { autoClose: false as const } // The literal that the settings want.
          yield* client.flows.agree({ payload: { input: "D-1", id: "x", settings: open } })
          yield* until(() => Effect.map(server.get("/executions/x"), ({ text }) => text.includes(`"id":"sure"`)))
          const tell = (path: string, body: unknown) =>
            Effect.map(server.post(`/executions/x/${path}`, body), ({ json, status }) => {
              const { detail, tag } = json as { readonly tag: string; readonly detail: string } // A Problem.
              assert.notMatch(detail, /execution\.interrupts|pending: "/)
              return [status, tag]
            })
          assert.deepStrictEqual(yield* tell("questions/nope", { value: true }), [404, "UnknownQuestion"])
          assert.deepStrictEqual(yield* tell("questions/sure", { value: "yes" }), [400, "InvalidRequest"])
          assert.deepStrictEqual(yield* tell("signals/Nope", { payload: 1 }), [404, "UnknownSignal"])
          assert.deepStrictEqual(yield* tell("close", {}), [409, "PendingInterrupts"])
          const answer = (question: string, value: boolean, requestId: string) =>
            client.executions.answer({ params: { id: "x", question }, payload: { value, requestId } })
          yield* answer("sure", true, "mail-1")
          // The same again is taken for the first one, by the id of the question alone.
          yield* answer("sure", true, "mail-1")
          assert.deepStrictEqual(yield* tell("questions/sure", { value: true }), [409, "AnswerRejected"])
          const other = yield* Effect.flip(answer("sure", false, "mail-1"))
          assert.instanceOf(other, Problem)
          assert.deepStrictEqual([other.status, other.tag], [409, "AnswerRejected"])
          yield* server.post("/executions/x/close", {})
          assert.deepStrictEqual(yield* tell("questions/nope", { value: true }), [409, "NotOpen"])
          assert.deepStrictEqual(yield* tell("interventions", { payload: null }), [409, "NotOpen"])
          assert.strictEqual((yield* server.get("/executions/x/snapshot")).status, 409)
        }
      }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live(
    "a server that closes says what becomes of an execution: one in a journal is read on, one in memory is gone",
    () =>
      Effect.gen(function* () {
        const told: Array<string> = []
        for (const host of [inProcess, durable]) {
          const server = yield* start(Http.layer(definition, { deadline: "3 seconds" }), host)
          yield* server.post("/flows/agree/executions", { input: "E-1", id: "x", settings })
          yield* until(() => Effect.map(server.get("/executions/x"), ({ text }) => text.includes(`"id":"sure"`)))
          const stream = yield* Effect.forkChild(server.get("/executions/x/events"), { startImmediately: true })
          yield* until(() => Effect.map(server.get("/health/ready"), ({ text }) => text.includes(`"streams":1`)))
          yield* server.stop
          const last = parse((yield* Fiber.join(stream)).text).at(-1)
          assert.strictEqual(last?.event, "closing")
          told.push(JSON.stringify(last?.data))
        }
        assert.match(told[0] ?? "", /end with the program/)
        assert.match(told[1] ?? "", /in a journal: resume .*Last-Event-ID/)
      })
  )

  it.live("durable ones: history, a graph with live status, a fork, dead letters, the keeper's health", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer(definition), durable)
      yield* server.post("/flows/refund/executions", { input: { order: "E", euros: "40" }, id: "e", settings })
      assert.strictEqual((yield* server.get("/flows/refund/executions/e/result")).json, "2026-01-02T00:00:00.000Z")
      const history = (yield* server.get("/executions/e/history")).json as ReadonlyArray<{ step?: string }> // HistoryEntry
      const pay = history.find(({ step }) => step?.includes("pay"))
      assert.isDefined(pay)
      const graph = yield* server.get("/executions/e/graph")
      assert.match(graph.text, /^flowchart/)
      assert.match(graph.text, /class .* done/)
      assert.notInclude((yield* server.get("/flows/refund/graph")).text, "done")
      const fork = yield* server.post("/executions/e/fork", { id: "e2", step: pay?.step })
      assert.deepStrictEqual([fork.status, fork.json], [201, { execution: "e2" }])
      assert.strictEqual((yield* server.get("/flows/refund/executions/e2/result")).status, 200)
      assert.deepStrictEqual((yield* server.get("/dead-letters")).json, { executions: [] })
      assert.strictEqual((yield* server.call("/dead-letters/none/retry", { method: "POST" })).status, 404)
      assert.strictEqual((yield* server.call("/dead-letters/none/discard", { method: "POST" })).status, 404)
      const ready = yield* server.get("/health/ready")
      assert.deepInclude((ready.json as { keeper: object }).keeper, { status: "up" }) // Ready
      assert.deepStrictEqual((yield* server.get("/flows")).json, [
        { flow: "refund", graph: true },
        { flow: "agree", graph: true }
      ])
    })
  )

  it.live("the graph of a durable one tells a question that was answered as done, as the studio's timeline does", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer(definition), durable)
      yield* server.post("/flows/agree/executions", { input: "C-3", id: "g", settings })
      const graph = Effect.map(server.get("/executions/g/graph"), ({ text }) => text)
      const statusOf = (name: string, text: string) => {
        const node = new RegExp(`(n\\d+)\\["${name}"`).exec(text)?.[1]
        return text.split("\n").flatMap((line) => {
          const [, nodes, status] = /^ +class (\S+) (\S+)$/.exec(line) ?? []
          return node !== undefined && nodes?.split(",").includes(node) === true ? [status] : []
        })
      }
      yield* until(() => Effect.map(server.get("/executions/g"), ({ text }) => text.includes(`"id":"sure"`)))
      assert.deepStrictEqual(statusOf("ask", yield* graph), ["waiting"])
      yield* server.post("/executions/g/questions/sure", { value: true })
      assert.strictEqual((yield* server.get("/flows/agree/executions/g/result")).json, true)
      const picture = yield* graph
      assert.deepStrictEqual(statusOf("ask", picture), ["done"])
      assert.deepStrictEqual(statusOf("note", picture), ["done"])
      // One that was cancelled while it asked waits for nobody any more.
      yield* server.post("/flows/agree/executions", { input: "C-4", id: "h", settings })
      yield* until(() => Effect.map(server.get("/executions/h"), ({ text }) => text.includes(`"id":"sure"`)))
      yield* server.post("/executions/h/cancel", {})
      const stopped = (yield* server.get("/executions/h/graph")).text
      assert.deepStrictEqual(statusOf("ask", stopped), ["stopped"])
    })
  )
})
