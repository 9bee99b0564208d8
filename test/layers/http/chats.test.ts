// Chat clients of others: the AI SDK's own transport and reader talk to the server, and AG-UI's events are as it says. And
// a web handler mounted in Node's own server.
import { EventType } from "@ag-ui/core"
import { EventSchemas, RunAgentInputSchema } from "@ag-ui/core/schemas"
import { assert, describe, it } from "@effect/vitest"
import { DefaultChatTransport, readUIMessageStream, type UIMessage } from "ai"
import { Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { Action, Actions } from "effigent/action"
import { Auth, Http, nodeListener } from "effigent/layers/http"
import { RateLimited } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { raw, start, until } from "./support.ts"

const weather = Action.make("weather", {
  description: "The weather of a city",
  input: Schema.Struct({ city: Schema.String }),
  output: Schema.String,
  run: ({ city }) => (city === "Atlantis" ? Effect.fail("sunk") : Effect.succeed("4 degrees"))
})
const guide = Actions.use(Agent.make({ name: "guide", instruct: "Answer." }), [weather])
const typed = Agent.make({ output: { title: Output.ensure(Schema.String, "One line") } })
const definition = { agents: { guide, typed } }
const serve = (steps: ReadonlyArray<ScriptedModel.Step>) => start(Http.layer(definition), ScriptedModel.layer(steps))

const user = (text: string): UIMessage => ({ id: `u-${text}`, role: "user", parts: [{ type: "text", text }] })

// What `useChat` makes of an answer.
const ask = (base: string, name: string, messages: Array<UIMessage>) =>
  Effect.promise(async () => {
    const transport = new DefaultChatTransport({ api: `${base}/agents/${name}/chat` })
    const stream = await transport.sendMessages({
      trigger: "submit-message",
      chatId: "c1",
      messageId: undefined,
      messages,
      abortSignal: undefined
    })
    const errors: Array<unknown> = []
    let last: UIMessage | undefined
    for await (const message of readUIMessageStream({ stream, onError: (error) => errors.push(error) })) last = message
    return { message: last, errors }
  })

const call = ScriptedModel.toolCalls([{ name: "weather", input: { city: "Oslo" } }])

describe("the AI SDK's UI messages", () => {
  it.live("texts, reasoning and tool calls are read by its own reader; the conversation goes to the model", () =>
    Effect.gen(function* () {
      const server = yield* serve([
        call,
        ScriptedModel.text("It is cold: 4 degrees.", { chunkSize: 5, reasoning: "Winter." })
      ])
      const before: UIMessage = { id: "a", role: "assistant", parts: [{ type: "text", text: "Welcome." }] }
      const { errors, message } = yield* ask(server.base, "guide", [user("Hello"), before, user("Oslo?")])
      assert.deepStrictEqual(errors, [])
      const parts = message?.parts ?? []
      assert.deepInclude(
        parts.find(({ type }) => type === "dynamic-tool"),
        { toolName: "weather", state: "output-available", input: { city: "Oslo" }, output: "4 degrees" }
      )
      assert.deepInclude(
        parts.find(({ type }) => type === "reasoning"),
        { text: "Winter.", state: "done" }
      )
      assert.deepInclude(
        parts.find(({ type }) => type === "text"),
        { text: "It is cold: 4 degrees.", state: "done" }
      )
      const [request] = yield* Effect.provide(ScriptedModel.requests, server.context)
      const prompt = JSON.stringify(request?.prompt.content)
      for (const said of ["Hello", "Welcome.", "Oslo?"]) assert.include(prompt, said)
    })
  )

  it.live("an attempt that is void leaves nothing behind; the answer of an output is a part of its own", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.text(`{"nothing": 1}`), ScriptedModel.json({ title: "Heating" })])
      const { errors, message } = yield* ask(server.base, "typed", [user("x")])
      assert.deepStrictEqual(errors, [])
      const texts = message?.parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
      assert.deepStrictEqual(texts, [`{"title":"Heating"}`])
      assert.deepInclude(
        message?.parts.find(({ type }) => type === "data-output"),
        { data: { title: "Heating" } }
      )
    })
  )

  it.live("a run that fails is an error for the reader", () =>
    Effect.gen(function* () {
      const server = yield* serve([ScriptedModel.failAfter(["so far"], new RateLimited({ detail: "slow down" }))])
      const { errors } = yield* ask(server.base, "guide", [user("x")])
      assert.match(String(errors[0]), /ModelError/)
      const wrong = yield* server.post("/agents/guide/chat", { messages: [] })
      assert.strictEqual(wrong.status, 400)
    })
  )
})

// What a client of AG-UI sends, by its own Schema; and what it reads, each event by its own Schema.
const askAgUi = (server: Server, messages: ReadonlyArray<object>) =>
  Effect.gen(function* () {
    const request = { threadId: "t", runId: "r", state: {}, tools: [], context: [], forwardedProps: {}, messages }
    const events = yield* server.stream("/agents/guide/ag-ui", RunAgentInputSchema.parse(request))
    return events.map(({ data }) => EventSchemas.parse(data))
  })
type Server = Effect.Success<ReturnType<typeof serve>>

const opens: { readonly [type: string]: string } = {
  TEXT_MESSAGE_START: "TEXT_MESSAGE_END",
  REASONING_START: "REASONING_END",
  REASONING_MESSAGE_START: "REASONING_MESSAGE_END",
  TOOL_CALL_START: "TOOL_CALL_END",
  RUN_STARTED: "RUN_FINISHED"
}

/** What was begun and has no end, and what follows the end of its run. */
const loose = (types: ReadonlyArray<string>) => {
  const open: Array<string> = []
  const wrong: Array<string> = []
  for (const type of types) {
    const end = opens[type]
    if (end !== undefined) open.push(end)
    else if (type === "RUN_ERROR") open.length = 0
    else if (Object.values(opens).includes(type) && open.pop() !== type) wrong.push(type)
  }
  return [...wrong, ...open]
}

describe("AG-UI", () => {
  it.live("a run as its events, in their order, each message and call whole, all of them by its own Schemas", () =>
    Effect.gen(function* () {
      const server = yield* serve([call, ScriptedModel.text("It is cold.", { chunkSize: 6, reasoning: "Winter." })])
      const said = yield* askAgUi(server, [
        { id: "0", role: "assistant", content: "Welcome." },
        {
          id: "1",
          role: "user",
          content: [
            { type: "text", text: "Oslo" },
            { type: "text", text: "?" }
          ]
        }
      ])
      const types = said.map(({ type }): string => type)
      assert.deepStrictEqual(types, [
        "RUN_STARTED",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "REASONING_START",
        "REASONING_MESSAGE_START",
        ...types.filter((type) => type === "REASONING_MESSAGE_CONTENT"),
        "REASONING_MESSAGE_END",
        "REASONING_END",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED"
      ])
      assert.deepStrictEqual(loose(types), [])
      assert.deepInclude(said[0], { type: EventType.RUN_STARTED, threadId: "t", runId: "r" })
      assert.deepInclude(said[4], { role: "tool", content: "4 degrees" })
      assert.deepInclude(said.at(-1), { threadId: "t", runId: "r", result: "It is cold." })
      const [request] = yield* Effect.provide(ScriptedModel.requests, server.context)
      for (const text of ["Welcome.", "Oslo?"]) assert.include(JSON.stringify(request?.prompt.content), text)
    })
  )

  it.live("a call that fails, a run that fails and one that is asked nothing, by its own Schemas", () =>
    Effect.gen(function* () {
      const sunk = ScriptedModel.toolCalls([{ name: "weather", input: { city: "Atlantis" } }])
      const server = yield* serve([
        sunk,
        ScriptedModel.text("Sunk."),
        ScriptedModel.failAfter(["so far"], new RateLimited({ detail: "slow down" }))
      ])
      const first = yield* askAgUi(server, [{ id: "1", role: "user", content: "Atlantis?" }])
      assert.deepInclude(
        first.find(({ type }) => type === "TOOL_CALL_RESULT"),
        { role: "tool" }
      )
      assert.strictEqual(first.at(-1)?.type, "RUN_FINISHED")
      const second = yield* askAgUi(server, [{ id: "1", role: "user", content: "x" }])
      assert.deepStrictEqual(loose(second.map(({ type }) => type)), [])
      assert.include(second.at(-1), { type: EventType.RUN_ERROR, message: "The run has failed: ModelError" })
      const wrong = yield* server.post("/agents/guide/ag-ui", { threadId: "t", runId: "r", messages: [] })
      assert.strictEqual(wrong.status, 400)
    })
  )
})

describe("a web handler in Node's own server", () => {
  it.live("answers, streams, and aborts the model call where the client leaves", () =>
    Effect.gen(function* () {
      const handler = yield* Http.webHandler(definition, { auth: Auth.elsewhere, grace: 0 })
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const made = createServer(nodeListener(handler)).listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) =>
          Effect.sync(() => {
            made.closeAllConnections()
            made.close()
          })
      )
      // A server that listens on a port has an address with one.
      const { port } = server.address() as AddressInfo
      const post = (path: string) =>
        Effect.promise(() =>
          fetch(`http://127.0.0.1:${port}${path}`, {
            method: "POST",
            body: `"x"`,
            headers: { "content-type": "application/json" }
          })
        )
      const answer = yield* post("/agents/guide/run")
      assert.strictEqual(yield* Effect.promise(() => answer.json()), "hello")
      assert.isNotNull(answer.headers.get("x-request-id"))
      const streamed = yield* post("/agents/guide/stream")
      assert.match(yield* Effect.promise(() => streamed.text()), /event: end\ndata: \{"status":"completed"\}/)
      for (const path of ["run", "stream"]) {
        const socket = yield* raw(port)
        socket.write(
          `POST /agents/guide/${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n"x"`
        )
        yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 1))
        socket.socket.resetAndDestroy()
        yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 0))
      }
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text("hello"),
          ScriptedModel.text("hello", { chunkSize: 1 }),
          ScriptedModel.hang,
          ScriptedModel.hangAfter(["so far"])
        ])
      )
    )
  )
})
