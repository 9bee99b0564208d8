// WebSockets on a real server: runs and executions started, told, asked and ended over one connection; who may connect;
// and what peers do that do not read, do not answer, send too much, or send what nobody can read.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ExecutionHosts } from "effigent/layers/host"
import { Auth, Http } from "effigent/layers/http"
import { ScriptedModel } from "effigent/testing"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { Runs } from "effigent/run"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { raw, start, until } from "./support.ts"

setFlagsFromString("--expose-gc")
// The collector of this flag takes nothing.
const collect = runInNewContext("gc") as () => void

const plain = Agent.make({ instruct: "Answer." })
const typed = Http.agent(Agent.make({ instruct: "Answer." }), { input: Schema.Struct({ letter: Schema.String }) })
const words = (count: number, delay?: number) =>
  ScriptedModel.chunks(
    Array.from({ length: count }, (_, index) => `w${index} `),
    delay === undefined ? {} : { delay }
  )
const serve = (steps: ReadonlyArray<ScriptedModel.Step>, options: Http.Options = {}) =>
  start(Http.layer({ agents: { plain, typed } }, options), ScriptedModel.layer(steps))

interface Heard {
  readonly id?: string
  readonly event: string
  readonly ref?: string
  readonly data: { readonly [name: string]: unknown }
}

/** A WebSocket of the platform, and what it heard. */
class Wire {
  readonly heard: Array<Heard> = []
  isOpen = false
  closed: { readonly code: number; readonly reason: string } | undefined
  readonly socket: WebSocket
  constructor(url: string, options: { readonly headers?: Record<string, string>; readonly protocols?: Array<string> }) {
    // Node's takes headers as well.
    this.socket = new WebSocket(url, options as unknown as Array<string>)
    this.socket.addEventListener("open", () => (this.isOpen = true))
    this.socket.addEventListener("message", ({ data }) => this.heard.push(JSON.parse(String(data))))
    this.socket.addEventListener("close", ({ code, reason }) => (this.closed = { code, reason }))
  }
  say(command: object): void {
    this.socket.send(JSON.stringify(command))
  }
  of(event: string): ReadonlyArray<Heard> {
    return this.heard.filter((one) => one.event === event)
  }
  get ids(): ReadonlyArray<number> {
    return this.of("message").map(({ id }) => Number(id))
  }
}

const wire = (
  server: { readonly port: number },
  path: string,
  options: { readonly headers?: Record<string, string>; readonly protocols?: Array<string> } = {}
) =>
  Effect.acquireRelease(
    Effect.sync(() => new Wire(`ws://127.0.0.1:${server.port}${path}`, options)),
    ({ socket }) => Effect.sync(() => socket.close())
  )
const open = (server: { readonly port: number }, path: string, options?: Parameters<typeof wire>[2]) =>
  Effect.tap(wire(server, path, options), (one) => until(() => one.isOpen))

const handshake = (path: string, port: number, headers = "") =>
  `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
  `sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`

/** A frame of a client, masked with zeros. */
const frame = (opcode: number, payload: Buffer | string, claimed?: number): Buffer => {
  const body = Buffer.from(payload)
  if (opcode >= 8) return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | body.length, 0, 0, 0, 0]), body])
  const head = Buffer.alloc(14)
  head[0] = 0x80 | opcode
  head[1] = 0x80 | 127
  head.writeBigUInt64BE(BigInt(claimed ?? body.length), 2)
  return Buffer.concat([head, body])
}

/** A socket that speaks frames by hand. */
const byHand = (server: { readonly port: number }, path: string, headers = "") =>
  Effect.gen(function* () {
    const socket = yield* raw(server.port)
    const bytes: Array<Buffer> = []
    socket.socket.on("data", (chunk: Buffer) => bytes.push(chunk))
    socket.write(handshake(path, server.port, headers))
    yield* until(() => socket.status > 0)
    return Object.assign(socket, {
      // What came behind the answer to the handshake.
      frames: () => {
        const all = Buffer.concat(bytes)
        return all.subarray(all.indexOf("\r\n\r\n") + 4)
      }
    })
  })

const streams = (server: { readonly get: (path: string) => Effect.Effect<{ readonly json: unknown }> }) =>
  Effect.map(server.get("/health/ready"), ({ json }) => (json as { streams: number }).streams) // Ready

describe("the socket of an agent", () => {
  it.live("starts a run, tells what SSE tells of it, and starts another one behind it", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(20), ScriptedModel.text("again")])
      const one = yield* open(server, "/agents/plain/socket")
      one.say({ type: "start", ref: "a", run: "r1", input: "x" })
      yield* until(() => one.of("end").length === 1)
      assert.deepStrictEqual(one.of("started")[0]?.data, { run: "r1" })
      assert.deepStrictEqual(one.of("reply")[0], { event: "reply", ref: "a", data: { run: "r1" } })
      const sse = (yield* server.get("/runs/r1/events")).text
      const told = [...sse.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""))
      assert.deepStrictEqual(
        [...one.of("message"), ...one.of("end")].map(({ data }) => data),
        told
      )
      assert.deepStrictEqual(
        one.ids,
        one.ids.map((_, index) => index + 1)
      )
      one.say({ type: "start", input: "y" })
      yield* until(() => one.of("end").length === 2)
      assert.isUndefined(one.closed)
    })
  )

  it.live("keeps nothing of the runs that it has told of, however many there are", () =>
    Effect.gen(function* () {
      const steps = Array.from({ length: 4 }, () => ScriptedModel.text("said"))
      const services = Layer.merge(ScriptedModel.layer(steps), Runs.layer({ remember: 1 }))
      const server = yield* start(Http.layer({ agents: { plain } }, { grace: 0 }), services)
      const registry = Context.get(server.context, Runs.Registry)
      const one = yield* open(server, "/agents/plain/socket")
      const refs: Array<WeakRef<object>> = []
      for (const run of ["r1", "r2", "r3", "r4"]) {
        one.say({ type: "start", run, input: "x" })
        yield* until(() => one.of("end").length === refs.length + 1)
        refs.push(new WeakRef(yield* registry.get(run)))
      }
      yield* until(() => {
        collect()
        return refs.slice(0, 2).every((ref) => ref.deref() === undefined)
      })
      assert.isUndefined(one.closed)
    })
  )

  it.live("one stream at a time; cancelling; what does not fit and what is no JSON is told, and the socket lives", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hangAfter(["so far"])])
      const one = yield* open(server, "/agents/typed/socket")
      one.socket.send("{")
      one.socket.send(`{"type":"dance","ref":"d"}`)
      one.say({ type: "cancel", ref: "c" })
      one.say({ type: "start", ref: "w", input: { letter: 7 } })
      yield* until(() => one.of("problem").length === 4)
      assert.deepStrictEqual(
        one.of("problem").map(({ data, ref }) => [ref, data.status, data.tag]),
        [
          [undefined, 400, "InvalidRequest"],
          ["d", 400, "InvalidRequest"],
          ["c", 409, "NothingStarted"],
          ["w", 400, "InvalidRequest"]
        ]
      )
      assert.include(JSON.stringify(one.of("problem")[3]), "letter")
      one.say({ type: "start", input: { letter: "x" } })
      yield* until(() => one.of("message").length > 2)
      one.say({ type: "start", ref: "second", input: { letter: "y" } })
      one.say({ type: "cancel", ref: "stop", reason: "enough" })
      yield* until(() => one.of("end").length === 1)
      assert.deepStrictEqual(one.of("end")[0]?.data, { status: "cancelled" })
      assert.deepInclude(one.heard.find(({ ref }) => ref === "second")?.data, { status: 409, tag: "StreamOpen" })
      yield* until(() => one.heard.some(({ ref }) => ref === "stop"))
    })
  )

  it.live("a socket that is cut at random and resumed behind its last id has every event once", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(600, 1)], { disconnect: "detach" })
      const first = yield* open(server, "/agents/plain/socket")
      first.say({ type: "start", run: "cut", input: "x" })
      yield* until(() => first.ids.length > 5)
      first.socket.close()
      const seen = [...first.of("message")]
      let cuts = 0
      while (cuts < 25) {
        const byHeader = cuts % 2 === 0
        const last = seen.at(-1)?.id ?? ""
        const socket = yield* byHeader
          ? open(server, "/runs/cut/socket", { headers: { "last-event-id": last } })
          : open(server, `/runs/cut/socket?after=${last}`)
        yield* until(() => socket.ids.length > cuts || socket.closed !== undefined)
        socket.socket.close()
        seen.push(...socket.of("message"))
        cuts++
      }
      const rest = yield* open(server, "/agents/plain/socket")
      rest.say({ type: "watch", run: "cut", after: Number(seen.at(-1)?.id) })
      yield* until(() => rest.of("end").length === 1)
      seen.push(...rest.of("message"))
      assert.deepStrictEqual(
        seen.map(({ id }) => Number(id)),
        seen.map((_, index) => index + 1)
      )
      assert.isAbove(seen.length, 600)
    })
  )

  it.live("the socket of a run closes behind its end; one that there is not is a 404 before the upgrade", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(3)])
      yield* server.post("/agents/plain/run?run=r1", "x")
      const one = yield* wire(server, "/runs/r1/socket")
      yield* until(() => one.closed !== undefined)
      assert.deepStrictEqual([one.of("end").length, one.closed], [1, { code: 1000, reason: "the stream has ended" }])
      const none = yield* byHand(server, "/runs/none/socket")
      assert.deepStrictEqual([none.status, /RunNotFound/.test(none.text)], [404, true])
      const plainly = yield* server.get("/runs/r1/socket")
      assert.deepStrictEqual([plainly.status, /UpgradeRequired/.test(plainly.text)], [426, true])
    })
  )

  it.live("a peer that resets the connection stops the run that it alone reads", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hangAfter(["so far"])], { grace: 0 })
      const peer = yield* byHand(server, "/agents/plain/socket")
      peer.socket.write(frame(1, JSON.stringify({ type: "start", input: "x" })))
      const calls = Effect.provide(ScriptedModel.openStreams, server.context)
      yield* until(() => Effect.map(calls, (count) => count === 1))
      peer.socket.resetAndDestroy()
      yield* until(() => Effect.map(calls, (count) => count === 0))
      yield* until(() => Effect.map(streams(server), (count) => count === 0))
    })
  )
})

const pay = Action.make("pay", {
  description: "Pays a bill",
  input: Schema.Struct({ euros: Schema.Number }),
  output: Schema.String,
  sideEffect: "once",
  approval: () => true,
  run: ({ euros }) => Effect.succeed(`paid ${euros}`)
})
const clerk = Actions.use(Agent.make({ name: "clerk", instruct: "Pay." }), [pay])
const pays = (euros: number) => ScriptedModel.toolCalls([{ name: "pay", input: { euros } }])

describe("calls that need approval", () => {
  const auth = Auth.bearer({ ada: Redacted.make("a") })
  const as = { authorization: "Bearer a" }
  const asks = (one: Wire) =>
    one.of("message").flatMap(({ data }) => {
      // A RunEnvelope, where it has an event.
      const event = data.event as { _tag: string; name?: string; value?: { id: string } } | undefined
      return event?._tag === "Custom" && event.name === "approval" ? [event.value?.id ?? ""] : []
    })
  const decisions = (one: Wire) =>
    one.of("message").flatMap(({ data }) => {
      // A RunEnvelope, where it has an event.
      const event = data.event as { _tag: string; record?: { status: string; decision: object } } | undefined
      return event?._tag === "ActionEnded" ? [[event.record?.status, event.record?.decision]] : []
    })

  it.live("are told on the stream, and decided on the socket or over HTTP, also by another connection", () =>
    Effect.gen(function* () {
      const server = yield* start(
        Http.layer({ agents: { clerk } }, { auth }),
        ScriptedModel.layer([pays(7), pays(9), ScriptedModel.text("Done.")])
      )
      const one = yield* open(server, "/agents/clerk/socket", { headers: as })
      one.say({ type: "start", run: "bills", input: "x", approvals: "ask" })
      yield* until(() => asks(one).length === 1)
      const [first] = asks(one)
      const waiting = (yield* server.get("/runs/bills/approvals", as)).json as ReadonlyArray<{ id: string }> // WaitingCall
      assert.deepStrictEqual(
        waiting.map(({ id }) => id),
        [first]
      )
      assert.include((yield* server.get("/runs/bills", as)).text, `"status":"paused"`)
      one.say({ type: "approve", ref: "none", approval: "no such", decision: { _tag: "Approved" } })
      one.say({ type: "approve", ref: "yes", approval: first, decision: { _tag: "Approved" } })
      yield* until(() => asks(one).length === 2)
      assert.deepInclude(one.heard.find(({ ref }) => ref === "none")?.data, { status: 404, tag: "NotWaiting" })
      const again = yield* open(server, "/runs/bills/socket", { headers: as })
      yield* until(() => asks(again).length === 2)
      const decided = yield* server.post(
        `/runs/bills/approvals/${asks(again)[1]}`,
        { _tag: "Denied", note: "too much", by: "Eve" },
        as
      )
      assert.strictEqual(decided.status, 204)
      yield* until(() => one.of("end").length === 1)
      assert.deepStrictEqual(decisions(one), [
        ["success", { _tag: "Approved", by: "ada" }],
        ["denied", { _tag: "Denied", note: "too much", by: "Eve (ada)" }]
      ])
      const late = yield* server.post(`/runs/bills/approvals/${first}`, { _tag: "Approved" }, as)
      assert.deepStrictEqual([late.status, (yield* server.get("/runs/bills/approvals", as)).json], [404, []])
    })
  )

  it.live("are decided by the gate of the program where the run does not ask, and taken back where it is stopped", () =>
    Effect.gen(function* () {
      const server = yield* start(
        Http.layer({ agents: { clerk } }),
        ScriptedModel.layer([pays(7), ScriptedModel.text("Denied."), pays(9)])
      )
      assert.strictEqual((yield* server.post("/agents/clerk/run", "x")).json, "Denied.")
      const one = yield* open(server, "/agents/clerk/socket")
      one.say({ type: "start", run: "stop", input: "x", approvals: "ask" })
      yield* until(() => asks(one).length === 1)
      one.say({ type: "cancel" })
      yield* until(() => one.of("end").length === 1)
      assert.deepStrictEqual((yield* server.get("/runs/stop/approvals")).json, [])
    })
  )
})

const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Boolean })
const Ping = Signal.make("Ping", Schema.FiniteFromString, { reply: Schema.Number })
const Refund = TriggerFlow.define("refund", {
  input: Schema.Struct({ order: Schema.String, euros: Schema.FiniteFromString }),
  stream: Schema.String,
  result: Schema.String,
  interrupts: [Ask],
  signals: [Ping]
})
const refund = Refund.build(
  Refund.start.pipe(
    Chain.to("ask", (input, run) =>
      Effect.gen(function* () {
        yield* run.put(`${input.order}: ${input.euros}`)
        const answer = run.resumed(Ask)
        if (answer._tag === "None") return yield* run.pause(Ask, input.order, { to: "self" })
        return `${input.order} ${answer.value}`
      })
    ),
    Chain.result
  ),
  Refund.on(Ping).pipe(Chain.to("pong", (n) => Effect.succeed(n + 1)))
)
const flows = TriggerFlow.toLayer(refund).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))

describe("the socket of a flow", () => {
  it.live("starts an execution, tells its stream, sends a signal, answers its question, and cancels", () =>
    Effect.gen(function* () {
      const server = yield* start(Http.layer({ flows: { refund } }), flows)
      const one = yield* open(server, "/flows/refund/socket")
      const settings = { autoClose: 0 }
      one.say({ type: "start", ref: "bad", input: { order: "A", euros: "many" } })
      one.say({ type: "start", ref: "s", id: "a/1", input: { order: "A", euros: "40" }, settings })
      yield* until(() => one.of("message").length === 2)
      assert.deepInclude(one.heard.find(({ ref }) => ref === "bad")?.data, { status: 400 })
      assert.deepStrictEqual(one.of("started")[0]?.data, { execution: "a/1" })
      const [item, asked] = one.of("message").map(({ data }) => data.event as { _tag: string; id?: string }) // WatchEntry
      assert.deepStrictEqual([item?._tag, asked?._tag], ["item", "interrupt"])
      one.say({ type: "signal", ref: "ping", signal: "Ping", payload: "41", wait: true })
      yield* until(() => one.heard.some(({ ref }) => ref === "ping"))
      assert.deepStrictEqual(one.heard.find(({ ref }) => ref === "ping")?.data, { replies: [42] })
      one.say({ type: "answer", ref: "no", question: asked?.id, value: "yes" })
      one.say({ type: "answer", ref: "yes", question: asked?.id, value: true })
      yield* until(() => one.of("end").length === 1)
      assert.deepInclude(one.heard.find(({ ref }) => ref === "no")?.data, { status: 400, tag: "InvalidRequest" })
      assert.strictEqual((yield* server.get("/flows/refund/executions/a%2F1/result")).json, "A true")

      const again = yield* wire(server, "/executions/a%2F1/socket?after=0")
      yield* until(() => again.closed !== undefined)
      assert.deepStrictEqual(
        again.of("message").map(({ id }) => id),
        one
          .of("message")
          .slice(1)
          .map(({ id }) => id)
      )
      one.say({ type: "start", id: "b", input: { order: "B", euros: "1" }, settings })
      yield* until(() => one.of("started").length === 2)
      one.say({ type: "cancel", ref: "c", reason: "enough" })
      yield* until(() => one.heard.some(({ ref }) => ref === "c"))
      assert.deepInclude(one.heard.find(({ ref }) => ref === "c")?.data, { status: "cancelled" })
    })
  )
})

describe("who may connect", () => {
  const auth = Auth.bearer({ ada: Redacted.make("s/ecret (1)"), eve: Redacted.make("e") })

  it.live("the token is checked before the upgrade, by its header or among the subprotocols", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.text("hi")], { auth: Auth.bearer({ ada: Redacted.make("s/ecret") }) })
      for (const headers of [
        "",
        "authorization: Bearer wrong\r\n",
        "sec-websocket-protocol: effigent, bearer.wrong\r\n"
      ]) {
        const stranger = yield* byHand(server, "/agents/plain/socket", headers)
        assert.deepStrictEqual([stranger.status, /Unauthorized/.test(stranger.text)], [401, true])
      }
      const page = yield* open(server, "/agents/plain/socket", {
        protocols: ["effigent", `bearer.${encodeURIComponent("s/ecret")}`]
      })
      assert.strictEqual(page.socket.protocol, "effigent")
      page.say({ type: "start", input: "x" })
      yield* until(() => page.of("end").length === 1)
      yield* open(server, "/agents/plain/socket", { headers: { authorization: "Bearer s/ecret" } })
      const leaky = yield* byHand(server, "/runs/x/socket", "sec-websocket-protocol: bearer.s%2Fecret\r\n")
      assert.notInclude(leaky.text, "s%2Fecret")
    })
  )

  it.live("a page of another site is refused, with auth and without; one that `cors` names is not", () =>
    Effect.gen(function* () {
      const cookie = Auth.custom(({ headers }) => Effect.succeed(headers.cookie === "s=1" ? { id: "ada" } : undefined))
      for (const options of [{}, { auth: cookie }]) {
        const server = yield* serve([], { ...options, cors: ["https://app.example"] })
        const as = (origin: string) => byHand(server, "/agents/plain/socket", `cookie: s=1\r\norigin: ${origin}\r\n`)
        for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1"]) {
          const evil = yield* as(origin)
          assert.deepStrictEqual([evil.status, /ForeignOrigin/.test(evil.text)], [403, true], origin)
        }
        assert.strictEqual((yield* as("https://app.example")).status, 101)
        assert.strictEqual((yield* as(server.base)).status, 101)
      }
    })
  )

  it.live("sockets are counted for each client among the streams, and given back", () =>
    Effect.gen(function* () {
      const server = yield* serve([], { auth, limits: { streamsPerClient: 2 } })
      const as = (token: string) => byHand(server, "/agents/plain/socket", `authorization: Bearer ${token}\r\n`)
      const sockets = [yield* as("e"), yield* as("e")]
      const third = yield* as("e")
      assert.deepStrictEqual([third.status, /TooManyStreams/.test(third.text)], [429, true])
      sockets[0]?.socket.resetAndDestroy()
      yield* until(() => Effect.map(as("e"), ({ status }) => status === 101))
    })
  )

  it.live("a handler that is mounted elsewhere says that it cannot upgrade", () =>
    Effect.gen(function* () {
      const handler = yield* Http.webHandler({ agents: { plain } }, { auth: Auth.elsewhere })
      const answer = yield* Effect.promise(() =>
        handler(new Request("http://x/agents/plain/socket", { headers: { upgrade: "websocket" } }))
      )
      assert.strictEqual(answer.status, 501)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )
})

describe("peers of all kinds", () => {
  it.live("a message that is too large closes the socket: one that is whole, and one that only claims to come", () =>
    Effect.gen(function* () {
      const server = yield* serve([], { limits: { message: 1000 } })
      const whole = yield* open(server, "/agents/plain/socket")
      whole.socket.send("x".repeat(2000))
      yield* until(() => whole.closed !== undefined)
      assert.strictEqual(whole.closed?.code, 1009)
      const claims = yield* byHand(server, "/agents/plain/socket")
      claims.socket.write(frame(1, "x".repeat(1000), 90_000_000))
      let sent = 0
      yield* until(() => {
        if (!claims.isClosed) claims.socket.write(Buffer.alloc(65_536, 120))
        sent += 65_536
        return claims.isClosed
      })
      assert.isBelow(sent, 20_000_000)
      yield* until(() => Effect.map(streams(server), (count) => count === 0))
    })
  )

  it.live("a binary message, frames that are not masked, and bytes that are no frames close the socket", () =>
    Effect.gen(function* () {
      const server = yield* serve([])
      const binary = yield* open(server, "/agents/plain/socket")
      binary.socket.send(new Uint8Array([1, 2, 3]))
      yield* until(() => binary.closed !== undefined)
      assert.strictEqual(binary.closed?.code, 1003)
      for (const bytes of [
        Buffer.from([0x81, 0x02, 0x7b, 0x7d]),
        Buffer.from("GET / HTTP/1.1\r\n\r\n"),
        frame(1, Buffer.from([0xff, 0xfe]))
      ]) {
        const peer = yield* byHand(server, "/agents/plain/socket")
        peer.socket.write(bytes)
        yield* until(() => peer.isClosed)
      }
      const bad = yield* raw(server.port)
      bad.write(handshake("/agents/plain/socket", server.port).replace("dGhlIHNhbXBsZSBub25jZQ==", "short"))
      yield* until(() => bad.status === 400)
      yield* until(() => Effect.map(streams(server), (count) => count === 0))
    })
  )

  it.live("a message byte by byte and in pieces is one message; pings are answered", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.text("hi")])
      const peer = yield* byHand(server, "/agents/plain/socket")
      const text = JSON.stringify({ type: "start", input: "x" })
      const begin = frame(1, text.slice(0, 10))
      begin[0] = 0x01
      for (const byte of Buffer.concat([begin, frame(9, "hey"), frame(0, text.slice(10))])) {
        peer.socket.write(Buffer.from([byte]))
        yield* Effect.yieldNow
      }
      yield* until(() => peer.frames().includes(`"event":"end"`))
      assert.isTrue(peer.frames().includes(Buffer.from([0x8a, 3, ...Buffer.from("hey")])))
    })
  )

  it.live("a peer that answers no ping is dropped; one that does lives on", () =>
    Effect.gen(function* () {
      const server = yield* serve([], { heartbeat: 40 })
      const lives = yield* open(server, "/agents/plain/socket")
      const dead = yield* byHand(server, "/agents/plain/socket")
      yield* until(() => dead.frames().includes(Buffer.from([0x89, 0x00])))
      yield* until(() => dead.isClosed)
      assert.strictEqual(yield* streams(server), 1)
      assert.isUndefined(lives.closed)
    })
  )

  it.live("a socket on which nothing is said for too long is closed; one that tells a run is not", () =>
    Effect.gen(function* () {
      const server = yield* serve([words(30, 20)], { limits: { idle: 100 } })
      const one = yield* open(server, "/agents/plain/socket")
      const two = yield* open(server, "/agents/plain/socket")
      two.say({ type: "start", input: "x" })
      yield* until(() => one.closed !== undefined)
      assert.strictEqual(one.closed?.code, 4408)
      yield* until(() => two.of("end").length === 1)
    })
  )

  it.live("a peer that does not read holds back its own stream alone, and is dropped; the run goes on", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.chunks(Array.from({ length: 12_000 }, () => "x".repeat(1000)))], {
        limits: { stall: "1 second" }
      })
      yield* server.post("/agents/plain/runs?run=wide", "x")
      const stuck = yield* byHand(server, "/runs/wide/socket")
      stuck.socket.pause()
      const reader = yield* open(server, "/runs/wide/socket")
      yield* until(() => reader.of("end").length === 1)
      assert.isAbove(reader.ids.length, 12_000)
      yield* until(() => Effect.map(streams(server), (count) => count === 0))
    })
  )

  it.live("a slow peer that reads on has all of it", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.chunks(Array.from({ length: 5000 }, () => "x".repeat(1000)))])
      yield* server.post("/agents/plain/runs?run=wide", "x")
      const slow = yield* byHand(server, "/runs/wide/socket")
      slow.socket.pause()
      yield* until(() => Effect.map(server.get("/runs/wide"), ({ text }) => text.includes(`"status":"completed"`)))
      slow.socket.resume()
      yield* until(() => slow.frames().includes(`"event":"end"`))
      const numbers = [
        ...slow
          .frames()
          .toString("latin1")
          .matchAll(/"sequence":(\d+)/g)
      ].map(([, number]) => Number(number))
      assert.deepStrictEqual(
        numbers,
        numbers.map((_, index) => index + 1)
      )
      assert.isAbove(numbers.length, 5000)
    })
  )

  it.live("a server that closes tells its sockets so", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.hangAfter(["so far"])], { deadline: "3 seconds" })
      const one = yield* open(server, "/agents/plain/socket")
      one.say({ type: "start", input: "x" })
      yield* until(() => one.of("message").length > 2)
      const stopping = yield* Effect.forkChild(server.stop, { startImmediately: true })
      yield* until(() => one.closed !== undefined)
      assert.deepStrictEqual([one.of("closing").length, one.closed?.code], [1, 1001])
      assert.match(JSON.stringify(one.of("closing")[0]?.data), /runs are in memory and end with the program/)
      yield* Fiber.join(stopping)
      assert.strictEqual(yield* Effect.provide(ScriptedModel.openStreams, server.context), 0)
    })
  )
})
