// Agents over real sockets: asked and awaited, watched, found again, cut and resumed, left and stopped.
import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect, Layer, Logger, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Agent, Output, Session } from "effigent"
import { Http, Problem } from "effigent/layers/http"
import { SessionStores } from "effigent/layers/store"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { parse, raw, type Sse, start, until } from "./support.ts"

const Ticket = Schema.Struct({
  title: Output.ensure(Schema.String, "One line"),
  due: Schema.DateFromString
})
const triage = Agent.make({ name: "triage", instruct: "Triage.", output: Ticket })
const plain = Agent.make({ instruct: "Answer." })
const definition = {
  agents: { triage: Http.agent(triage, { input: Schema.Struct({ letter: Schema.String }) }), plain }
}
const serve = (steps: ReadonlyArray<ScriptedModel.Step>, options: Http.Options = {}) =>
  start(Http.layer(definition, options), ScriptedModel.layer(steps))

const words = (count: number, delay?: number) =>
  ScriptedModel.chunks(
    Array.from({ length: count }, (_, index) => `w${index} `),
    delay === undefined ? {} : { delay }
  )
const openStreams = (server: { readonly context: Context.Context<ScriptedModel.ScriptedModel> }) =>
  Effect.provide(ScriptedModel.openStreams, server.context)
const aborted = (server: { readonly context: Context.Context<ScriptedModel.ScriptedModel> }) =>
  Effect.provide(ScriptedModel.aborted, server.context)

const request = (path: string, port: number, body: string, headers = "") =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`

describe("asking an agent", () => {
  it.live("JSON in by the input Schema, JSON out by the output Schema", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.json({ title: "Heating", due: "2026-01-02T00:00:00.000Z" })])
      const answer = yield* server.post("/agents/triage/run", { letter: "It is cold." })
      assert.deepStrictEqual(answer.json, { title: "Heating", due: "2026-01-02T00:00:00.000Z" })
      assert.strictEqual(answer.status, 200)
      assert.match(answer.headers.get("x-run-id") ?? "", /^\w+$/)
      const [first] = yield* Effect.provide(ScriptedModel.requests, server.context)
      assert.include(JSON.stringify(first?.prompt.content), "It is cold.")
    })
  )

  it.live("the typed client gives values of the Schemas, and problems as errors", () =>
    Effect.gen(function* () {
      const server = yield* serve([
        ScriptedModel.json({ title: "Heating", due: "2026-01-02T00:00:00.000Z" }),
        ScriptedModel.text("Hello.", { chunkSize: 2 })
      ])
      const client = yield* Http.client(definition, { baseUrl: server.base })
      const ticket = yield* client.agents.triage({ payload: { letter: "x" }, query: {}, headers: {} })
      assert.strictEqual(ticket.due.getUTCFullYear(), 2026)
      const events = yield* client.streams
        .plain({ payload: "x", query: {}, headers: {} })
        .pipe(Stream.unwrap, Stream.runCollect)
      const texts = events.map((one) =>
        one.event === "message" && one.data.event._tag === "Text" ? one.data.event.text : ""
      )
      assert.strictEqual(texts.join(""), "Hello.")
      assert.deepStrictEqual(events.at(-1)?.data, { status: "completed" })
      const problem = yield* Effect.flip(client.runs.get({ params: { id: "no/such run" } }))
      assert.instanceOf(problem, Problem)
      assert.deepStrictEqual([problem.status, problem.tag], [404, "RunNotFound"])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live("an input that does not fit is a 400 that says where; nothing is asked", () =>
    Effect.gen(function* () {
      const server = yield* serve([])
      const answer = yield* server.post("/agents/triage/run", { letter: 7 })
      assert.strictEqual(answer.status, 400)
      assert.include(answer.text, "InvalidRequest")
      assert.include(answer.text, "letter")
      assert.deepStrictEqual(yield* Effect.provide(ScriptedModel.requests, server.context), [])
    })
  )

  it.live("a model that fails is told with its tag, its status and when to try again", () =>
    Effect.gen(function* () {
      const server = yield* serve([
        ScriptedModel.fail(new RateLimited({ detail: "slow down", retryAfterMillis: 1500 }))
      ])
      const answer = yield* server.post("/agents/plain/run", "x")
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers.get("retry-after"), "2")
      const { detail, tag, retryable } = yield* Schema.decodeUnknownEffect(Problem)(answer.json)
      assert.deepStrictEqual([tag, retryable], ["ModelError", true])
      assert.include(detail, "wait and try again")
    })
  )

  it.live("what nobody foresaw is told by its request id, with no word of its cause and no stack", () =>
    Effect.gen(function* () {
      const dies: Agent.Around = () => Effect.die(new Error("password=hunter2"))
      const broken = Agent.around(plain, dies)
      const server = yield* start(Http.layer({ agents: { broken } }), ScriptedModel.layer([]))
      const answer = yield* server.post("/agents/broken/run", "x", { "x-request-id": "my-id-1" })
      assert.strictEqual(answer.status, 500)
      assert.notMatch(answer.text, /hunter2|\.ts:|\\n +at /)
      assert.include(answer.text, `"requestId":"my-id-1"`)
      assert.strictEqual(answer.headers.get("x-request-id"), "my-id-1")
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("the same idempotency key joins the run; another input under it is a conflict", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.text("once")])
      const key = { "idempotency-key": "k1" }
      const first = yield* server.post("/agents/plain/run", "x", key)
      const again = yield* server.post("/agents/plain/run", "x", key)
      assert.deepStrictEqual([first.json, again.json], ["once", "once"])
      assert.strictEqual(first.headers.get("x-run-id"), again.headers.get("x-run-id"))
      const other = yield* server.post("/agents/plain/run", "y", key)
      assert.strictEqual(other.status, 409)
      const { detail, tag } = other.json as { readonly tag: string; readonly detail: string } // A Problem.
      assert.strictEqual(tag, "RunConflict")
      assert.match(detail, /^The Idempotency-Key "k1" has started the run "[\w-]+" with another input or session\. /)
      const named = yield* server.post(`/agents/plain/run?run=${first.headers.get("x-run-id")}`, "y")
      assert.strictEqual(named.status, 409)
      assert.match(named.text, /There is a run .* already\. Name another one in `run`, or none\./)
    })
  )

  it.live("a run that takes too long is a 504, and its model call is stopped", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hangAfter(["so far"])], { limits: { time: 50 } })
      const answer = yield* server.post("/agents/plain/run", "x")
      assert.deepStrictEqual([answer.status, /TimedOut/.test(answer.text)], [504, true])
      assert.strictEqual(yield* aborted(server), 1)
    })
  )

  it.live("a session of the request is attached by `prepare`, read and deleted", () =>
    Effect.gen(function* () {
      const chat = Http.agent(plain, {
        input: Schema.String,
        prepare: (agent, { session }) => Session.attach(agent, Session.make({}), session ?? "none")
      })
      const server = yield* start(
        Http.layer({ agents: { chat } }),
        Layer.merge(
          ScriptedModel.layer(["A.", "B.", "C."].map((text) => ScriptedModel.text(text))),
          SessionStores.memory
        )
      )
      yield* server.post("/agents/chat/run?session=table-4", "one")
      yield* server.post("/agents/chat/run?session=table-4", "two")
      const { json } = yield* server.get("/sessions/table-4?from=1&limit=5")
      const view = json as { total: number; turns: ReadonlyArray<unknown> } // As its Schema says.
      assert.deepStrictEqual([view.total, view.turns.length], [2, 1])
      yield* server.post("/agents/chat/run?session=bar%2F1", "one")
      const list = (query: string) => Effect.map(server.get(`/sessions?${query}`), ({ json }) => json)
      assert.deepStrictEqual(yield* list("limit=1"), {
        sessions: [{ id: "bar/1", version: 1, turns: 1, meta: {} }],
        next: "bar/1"
      })
      const table = { sessions: [{ id: "table-4", version: 2, turns: 2, meta: {} }] }
      assert.deepStrictEqual([yield* list("after=bar%2F1"), yield* list("prefix=table-")], [table, table])
      assert.strictEqual((yield* server.get("/sessions?limit=0")).status, 400)
      assert.strictEqual((yield* server.call("/sessions/table-4", { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* server.get("/sessions/table-4")).status, 404)
    })
  )
})

interface Page {
  readonly runs: ReadonlyArray<{ readonly run: string; readonly status: string; readonly agent?: string }>
  readonly next?: string
}

const sequences = (events: ReadonlyArray<Sse>) =>
  events.filter(({ event }) => event === undefined).map(({ id }) => Number(id))

describe("watching an agent", () => {
  it.live("SV-02 SSE with ids and an end; fields of the answer as they grow; a run is found by its id afterwards", () =>
    Effect.gen(function* () {
      const server = yield* serve([
        ScriptedModel.json({ title: "Heating", due: "2026-01-02T00:00:00.000Z" }, { chunkSize: 4 })
      ])
      const events = yield* server.stream("/agents/triage/stream?fields=true&run=r1", { letter: "x" })
      assert.deepStrictEqual(
        sequences(events),
        events.slice(0, -1).map((_, index) => index + 1)
      )
      assert.deepStrictEqual(events.at(-1), { id: undefined, event: "end", data: { status: "completed" } })
      const fields = events.flatMap(({ data }) => {
        // A RunEnvelope, as its Schema says.
        const { event } = data as { event?: { _tag: string; name: string; value: { path: string; delta?: string } } }
        return event?._tag === "Custom" && event.name === "field" ? [event.value] : []
      })
      const title = fields.filter(({ path }) => path === "title")
      assert.strictEqual(title.map(({ delta }) => delta ?? "").join(""), "Heating")
      assert.isAbove(title.length, 2)

      const again = yield* server.get("/runs/r1/events", { "last-event-id": "3" })
      assert.deepStrictEqual(parse(again.text), events.slice(3))
      const snapshot = (yield* server.get("/runs/r1")).json as { runs: ReadonlyArray<{ value: unknown }> } // RunSnapshot
      assert.deepStrictEqual(snapshot.runs[0]?.value, { title: "Heating", due: "2026-01-02T00:00:00.000Z" })
      const { runs } = (yield* server.get("/runs")).json as Page
      assert.deepStrictEqual(
        runs.map(({ run, status }) => [run, status]),
        [["r1", "completed"]]
      )
    })
  )

  it.live("runs are listed in pages, oldest first, by status and agent", () =>
    Effect.gen(function* () {
      const server = yield* serve([
        ...Array.from({ length: 5 }, () => ScriptedModel.text("hi")),
        ScriptedModel.hangAfter(["so far"])
      ])
      for (let n = 0; n < 5; n++) yield* server.post(`/agents/plain/run?run=r${n}`, "x")
      yield* server.post("/agents/triage/runs?run=r5", { letter: "x" })
      yield* until(() => Effect.map(openStreams(server), (open) => open === 1))
      const page = (query: string) => Effect.map(server.get(`/runs?${query}`), ({ json }) => json as Page) // RunPage
      const ids = ({ runs }: Page) => runs.map(({ run }) => run)
      const first = yield* page("limit=2")
      assert.deepStrictEqual([ids(first), first.next], [["r0", "r1"], "r1"])
      const second = yield* page("limit=4&after=r1")
      assert.deepStrictEqual([ids(second), second.next], [["r2", "r3", "r4", "r5"], undefined])
      assert.deepStrictEqual(ids(yield* page("status=running")), ["r5"])
      assert.deepStrictEqual(ids(yield* page("agent=triage&status=completed")), [])
      assert.deepStrictEqual(ids(yield* page("agent=triage")), ["r5"])
      for (const query of ["after=none", "limit=0", "limit=9999", "status=odd"])
        assert.strictEqual((yield* server.get(`/runs?${query}`)).status, 400, query)
    })
  )

  it.live("an SSE client that is cut 100 times at random has the whole sequence, no gap, nothing twice", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(1500, 1)])
      const begun = yield* server.post("/agents/plain/runs?run=cut", "x")
      assert.strictEqual(begun.status, 202)
      const seen: Array<Sse> = []
      let seed = 7
      const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below
      let cuts = 0
      const isOver = () => seen.at(-1)?.event === "end"
      while (!isOver()) {
        const last = seen.findLast(({ id }) => id !== undefined)?.id
        const wanted = 100 + random(6000)
        const socket = yield* raw(server.port)
        socket.write(
          `GET /runs/cut/events HTTP/1.1\r\nhost: 127.0.0.1\r\n${last === undefined ? "" : `last-event-id: ${last}\r\n`}\r\n`
        )
        yield* until(() => (cuts < 100 && socket.text.length > wanted) || /event: end[^]*\n\n/.test(socket.text))
        socket.socket.destroy()
        if (!/event: end/.test(socket.text)) cuts++
        const heard = cuts < 100 ? socket.text.slice(0, wanted) : socket.text
        // Chunked transfer: the sizes stand between the pieces.
        const body = heard.slice(heard.indexOf("\r\n\r\n") + 4).replace(/\r?\n?[0-9a-f]+\r\n/g, "")
        seen.push(...parse(body))
        if (cuts < 100 && isOver()) seen.pop()
        if (cuts < 100 && /event: end/.test(socket.text)) cuts++
      }
      const whole = parse((yield* server.get("/runs/cut/events")).text)
      assert.strictEqual(cuts, 100)
      assert.deepStrictEqual(sequences(seen), sequences(whole))
      assert.deepStrictEqual(seen, whole)
      assert.isAbove(whole.length, 1500)
    })
  )

  it.live("every reader sees all of it, the fast ones not held back by one that does not read", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.chunks(Array.from({ length: 3000 }, () => "x".repeat(1000)))])
      yield* server.post("/agents/plain/runs?run=wide", "x")
      const slow = yield* raw(server.port)
      slow.socket.pause()
      slow.write("GET /runs/wide/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
      const readers = yield* Effect.all(
        [1, 2, 3].map(() => server.get("/runs/wide/events")),
        { concurrency: 3 }
      )
      const [first = [], ...others] = readers.map(({ text }) => parse(text))
      assert.isAbove(first.length, 3000)
      for (const other of others) assert.deepStrictEqual(other, first)
      assert.isFalse(slow.isClosed)
      slow.socket.resume()
      yield* until(() => /event: end/.test(slow.text))
      assert.strictEqual([...slow.text.matchAll(/^id: /gm)].length, first.length - 1)
    })
  )

  it.live("a reader that takes nothing any more is dropped; the run goes on", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.chunks(Array.from({ length: 20_000 }, () => "x".repeat(1000)))], {
        limits: { stall: 200 }
      })
      yield* server.post("/agents/plain/runs?run=wide", "x")
      const stuck = yield* raw(server.port)
      stuck.socket.pause()
      stuck.write("GET /runs/wide/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
      const streams = Effect.map(server.get("/health/ready"), ({ json }) => (json as { streams: number }).streams) // Ready
      yield* until(() => Effect.map(streams, (count) => count === 1))
      yield* until(() => Effect.map(streams, (count) => count === 0))
      yield* until(() => Effect.map(server.get("/runs/wide"), ({ text }) => text.includes(`"status":"completed"`)))
    })
  )

  it.live("a quiet stream is kept open by comments", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hang], { heartbeat: 40 })
      const socket = yield* raw(server.port)
      socket.write(request("/agents/plain/stream", server.port, `"x"`))
      yield* until(() => [...socket.text.matchAll(/: keep/g)].length >= 3)
    })
  )
})

describe("a client that leaves", () => {
  for (const path of ["/agents/plain/run", "/agents/plain/stream"]) {
    it.live(`aborts the model call: ${path}`, () =>
      Effect.gen(function* () {
        const server = yield* serve([ScriptedModel.hangAfter(["so far"])], { grace: 0 })
        const socket = yield* raw(server.port)
        socket.write(request(path, server.port, `"x"`))
        yield* until(() => Effect.map(openStreams(server), (open) => open === 1))
        socket.socket.resetAndDestroy()
        yield* until(() => Effect.map(openStreams(server), (open) => open === 0))
        assert.strictEqual(yield* aborted(server), 1)
      })
    )

    it.live(`lets the run go on where it is to be detached: ${path}`, () =>
      Effect.gen(function* () {
        const server = yield* serve([words(20, 5)], { grace: 0 })
        const socket = yield* raw(server.port)
        socket.write(request(`${path}?disconnect=detach&run=r`, server.port, `"x"`))
        yield* until(() => Effect.map(openStreams(server), (open) => open === 1))
        socket.socket.resetAndDestroy()
        const events = parse((yield* server.get("/runs/r/events")).text)
        assert.deepStrictEqual(events.at(-1)?.data, { status: "completed" })
        assert.strictEqual(yield* aborted(server), 0)
      })
    )
  }

  it.live("with an idempotency key, and asks again, has the answer of the one run", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(10, 10)], { grace: 0 })
      const socket = yield* raw(server.port)
      socket.write(request("/agents/plain/run", server.port, `"x"`, "idempotency-key: k\r\n"))
      yield* until(() => Effect.map(openStreams(server), (open) => open === 1))
      socket.socket.resetAndDestroy()
      const again = yield* server.post("/agents/plain/run", "x", { "idempotency-key": "k" })
      assert.deepStrictEqual(
        [again.status, (yield* Effect.provide(ScriptedModel.requests, server.context)).length],
        [200, 1]
      )
    })
  )

  it.live("and comes back within the grace time finds its run at work", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(40, 10)], { grace: 2000 })
      const socket = yield* raw(server.port)
      socket.write(request("/agents/plain/stream?run=r", server.port, `"x"`))
      yield* until(() => /id: 5\n/.test(socket.text))
      socket.socket.destroy()
      const events = parse((yield* server.get("/runs/r/events", { "last-event-id": "5" })).text)
      assert.strictEqual(events[0]?.id, "6")
      assert.deepStrictEqual(events.at(-1)?.data, { status: "completed" })
    })
  )

  it.live("a run is cancelled by its id, with a reason", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hang])
      yield* server.post("/agents/plain/runs?run=r", "x")
      const { json } = yield* server.post("/runs/r/cancel", { reason: "enough" })
      assert.include(JSON.stringify(json), `"status":"cancelled"`)
      assert.include(JSON.stringify(json), `"reason":"enough"`)
      assert.strictEqual((yield* server.post("/runs/none/cancel", {})).status, 404)
    })
  )
})
