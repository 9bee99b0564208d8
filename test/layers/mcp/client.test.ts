// The client against servers that others wrote, over both transports, and against one that behaves badly.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Queue, Result, Scope } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { Mcp, McpConfig, McpServers } from "effigent/layers/mcp"
import { ActionAudit, type ActionEvent } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"
import { mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Peers from "./peers.ts"

const folder = () => realpathSync(mkdtempSync(join(tmpdir(), "effigent-mcp-")))

const connectTimeout = "25 seconds"
const stdio = (name: string, words: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) =>
  Mcp.connect({ name, transport: Peers.node(words, env), connectTimeout, reconnect: Peers.quick })
const everything = stdio("everything", Peers.args.everything)
const bad = (how: string) => stdio("bad", Peers.args.bad(how))
const named = <A extends Action.Any>(actions: ReadonlyArray<A>, name: string): A => {
  const found = actions.find((action) => action.name === name)
  return found ?? assert.fail(`there is no ${name} in ${actions.map((action) => action.name).join()}`)
}

// What every server is asked, whatever lies between.
const session = Effect.fnUntraced(function* <R>(server: Mcp.Server<R>) {
  assert.strictEqual((yield* server.hello).serverInfo?.name, "mcp-servers/everything")
  const names = (yield* server.tools).map(({ name }) => name)
  assert.include(names, "echo")
  const said = yield* server.call("echo", { message: "hi" })
  assert.deepStrictEqual(said.content, [{ type: "text", text: "Echo: hi" }])
  const seen: Array<Mcp.Progress> = []
  const onProgress = (progress: Mcp.Progress) => Effect.sync(() => void seen.push(progress))
  yield* server.call("trigger-long-running-operation", { duration: 0.1, steps: 2 }, { onProgress })
  assert.deepStrictEqual(seen, [
    { progress: 1, total: 2 },
    { progress: 2, total: 2 }
  ])
  const sums = yield* Effect.forEach(
    Array.from({ length: 100 }).keys(),
    (n) => server.call("get-sum", { a: n, b: 1 }),
    {
      concurrency: "unbounded"
    }
  )
  assert.deepStrictEqual(
    sums.map(({ content }) => (content[0]?.type === "text" ? content[0].text : "")),
    Array.from({ length: 100 }, (_, n) => `The sum of ${n} and 1 is ${n + 1}.`)
  )
  const prompt = yield* server.prompt("args-prompt", { city: "Oslo" })
  assert.strictEqual(prompt[0]?.role, "user")
  assert.include(JSON.stringify(prompt), "Oslo")
  assert.isAbove((yield* server.prompts).length, 0)
  const [resource] = yield* server.resources
  const contents = yield* server.readResource(resource?.uri ?? "")
  assert.strictEqual(contents[0]?.uri, resource?.uri)
  assert.isAbove((yield* server.resourceTemplates).length, 0)
  const { message } = yield* Peers.reasonOf(server.call("nope", {}))
  assert.match(message, /^mcp: everything\/nope: .*not found/)
})

describe("the client and the everything server", () => {
  it.live("over stdio it lists, calls and reads, tells progress in order, and does 100 calls at once", () =>
    Effect.scoped(Effect.flatMap(everything, session)).pipe(Effect.provide(Peers.platform))
  )

  it.live("over streamable HTTP it does the same", () =>
    Effect.gen(function* () {
      const { url } = yield* Peers.everythingHttp
      yield* session(yield* Mcp.connect({ name: "everything", transport: Mcp.http({ url }) }))
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("gives the server an environment without this program's secrets", () =>
    Effect.gen(function* () {
      process.env["MCP_TEST_SECRET"] = "s3cret"
      process.env["MCP_TEST_PASSED"] = "passed"
      const transport = Mcp.stdio({
        command: process.execPath,
        args: Peers.args.everything,
        env: { MCP_TEST_OWN: "own" },
        inherit: ["MCP_TEST_PASSED"]
      })
      const server = yield* Mcp.connect({ name: "everything", transport, connectTimeout })
      const { content } = yield* server.call("get-env", {})
      const env = content[0]?.type === "text" ? JSON.parse(content[0].text) : {}
      assert.strictEqual(env.MCP_TEST_OWN, "own")
      assert.strictEqual(env.MCP_TEST_PASSED, "passed")
      assert.isUndefined(env.MCP_TEST_SECRET)
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live(
    "S11 an agent calls its tools: input that does not fit is told the model, images are named, progress is told",
    () =>
      Effect.gen(function* () {
        const events: Array<ActionEvent> = []
        const actions = yield* (yield* everything).actions({
          prefix: "",
          include: ["get-*", "trigger-*"],
          exclude: ["get-env"]
        })
        assert.notInclude(
          actions.map(({ name }) => name),
          "get-env"
        )
        const agent = Agent.make({ input: "?" }).pipe(Actions.use(actions))
        const full = yield* Agent.whole(agent).pipe(
          Effect.provideService(ActionAudit, (event) => Effect.sync(() => void events.push(event)))
        )
        const records = full.meta.actions?.rounds.flatMap(({ records }) => records) ?? []
        assert.deepStrictEqual(
          records.map(({ sideEffect, status }) => [status, sideEffect]),
          [
            ["success", "pure"],
            ["invalid", "pure"],
            ["success", "pure"],
            ["success", "pure"],
            ["success", "pure"]
          ]
        )
        assert.strictEqual(records[0]?.result, "The sum of 1 and 2 is 3.")
        assert.match(JSON.stringify(records[1]?.result), /does not fit.*Expected number/)
        assert.match(String(records[2]?.result), /\[image: \d+ bytes of image\/png, not shown\]/)
        assert.deepStrictEqual(records[3]?.result, {
          temperature: 36,
          conditions: "Light rain / drizzle",
          humidity: 82
        })
        assert.strictEqual(events.filter(({ _tag }) => _tag === "ActionEnded").length, 5)
      }).pipe(
        Effect.scoped,
        Effect.provide(Peers.platform),
        Effect.provide(
          ScriptedModel.layer([
            ScriptedModel.toolCalls([
              { name: "get-sum", input: { a: 1, b: 2 } },
              { name: "get-sum", input: { a: "1", b: 2 } },
              { name: "get-tiny-image", input: {} },
              { name: "get-structured-content", input: { location: "Chicago" } },
              { name: "trigger-long-running-operation", input: { duration: 0.05, steps: 1 } }
            ]),
            ScriptedModel.text("done")
          ])
        )
      )
  )

  it.live(
    "a server behind HTTP that is killed fails a call as uncertain, and the next call finds the next server",
    () =>
      Effect.gen(function* () {
        const port = yield* Peers.freePort
        const env = { PORT: String(port) }
        const serve = Peers.serve(Peers.args.everythingHttp, /listening on port/i, env)
        const scope = yield* Scope.make()
        const { child } = yield* Scope.provide(serve, scope)
        const transport = Mcp.http({ url: `http://127.0.0.1:${port}/mcp` })
        const server = yield* Mcp.connect({ name: "everything", transport, reconnect: Peers.quick })
        const hanging = yield* Effect.forkChild(
          Peers.reasonOf(server.call("trigger-long-running-operation", { duration: 60, steps: 60 }))
        )
        yield* server.call("echo", { message: "it is there" })
        yield* Effect.promise(() => Peers.killed(child))
        const { reason } = yield* Fiber.join(hanging)
        assert.deepInclude(reason, { _tag: "Unavailable", uncertain: true })
        const next = yield* Effect.forkChild(server.call("echo", { message: "again" }))
        yield* serve
        assert.deepStrictEqual((yield* Fiber.join(next)).content, [{ type: "text", text: "Echo: again" }])
        yield* Scope.close(scope, Exit.void)
      }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )
})

describe("the client and other servers", () => {
  it.live("filesystem: reads, and asks for approval before what destroys", () =>
    Effect.gen(function* () {
      const home = folder()
      const file = join(home, "note.txt")
      writeFileSync(file, "before")
      const server = yield* stdio("files", Peers.args.filesystem(home))
      const actions = yield* server.actions({ include: ["read_text_file", "write_file", "list_directory"] })
      const read = yield* Action.call(named(actions, "files__read_text_file"), { path: file })
      assert.deepStrictEqual(read, { content: "before" })
      const outside = yield* Peers.reasonOf(server.call("read_text_file", { path: "/etc/passwd" }))
      assert.match(outside.message, /access denied/i)
      assert.strictEqual(named(actions, "files__read_text_file").policy.sideEffect, "pure")
      assert.strictEqual(named(actions, "files__write_file").policy.sideEffect, "idempotent")
      const agent = Agent.make({ input: "?" }).pipe(Actions.use(actions))
      const full = yield* Agent.whole(agent).pipe(
        Effect.provide(
          ScriptedModel.layer([
            ScriptedModel.toolCalls([{ name: "files__write_file", input: { path: file, content: "after" } }]),
            ScriptedModel.text("done")
          ])
        )
      )
      assert.strictEqual(full.meta.actions?.rounds[0]?.records[0]?.status, "denied")
      assert.strictEqual(readFileSync(file, "utf8"), "before")
      const free = yield* server.actions({ policy: { approval: "never" } })
      yield* Action.call(named(free, "files__write_file"), { path: file, content: "after" })
      assert.strictEqual(readFileSync(file, "utf8"), "after")
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("memory: gives data as data", () =>
    Effect.gen(function* () {
      const server = yield* stdio("memory", Peers.args.memory, { MEMORY_FILE_PATH: join(folder(), "memory.jsonl") })
      const entities = [{ name: "Ada", entityType: "person", observations: ["likes engines"] }]
      yield* server.call("create_entities", { entities })
      const found = yield* server.call("search_nodes", { query: "Ada" })
      assert.deepStrictEqual(found.structuredContent, { entities, relations: [] })
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("two servers with one tool name stay apart, in one service", () =>
    Effect.gen(function* () {
      const { actions, server } = yield* McpServers.McpServers
      const names = (yield* actions).map(({ name }) => name)
      assert.deepStrictEqual(names, ["one__echo", "two__echo"])
      const missing = yield* Peers.reasonOf(server("three"))
      assert.match(missing.message, /there are: one, two/)
    }).pipe(
      Effect.provide(
        McpServers.layer(
          {
            mcpServers: {
              one: { command: process.execPath, args: Peers.args.everything },
              two: { type: "stdio", command: process.execPath, args: Peers.args.everything },
              off: { command: "no-such-program", disabled: true }
            }
          },
          { connectTimeout, select: { one: { include: ["echo"] }, two: { include: ["echo"] } } }
        )
      ),
      Effect.provide(Peers.platform)
    )
  )
})

describe("the client and servers that behave badly", () => {
  it.live("a server that cannot be started, ends at once or never answers is a typed error", () =>
    Effect.gen(function* () {
      const none = yield* Peers.reasonOf(
        Mcp.connect({ name: "none", transport: Mcp.stdio({ command: "no-such-program" }) })
      )
      assert.deepInclude(none.reason, { _tag: "Unavailable", uncertain: false })
      assert.match(none.message, /^mcp: none: no-such-program: it could not be started/)
      const crash = yield* Peers.reasonOf(bad("crash"))
      assert.match(crash.message, /ended with code 3; it said on stderr: no licence found/)
      const silent = yield* Peers.reasonOf(
        Mcp.connect({ name: "bad", transport: Peers.node(Peers.args.bad("silent")), connectTimeout: "300 millis" })
      )
      assert.match(silent.message, /has not answered the greeting in time/)
      const future = yield* Peers.reasonOf(bad("future"))
      assert.match(future.message, /speaks version 2099-01-01/)
      const refused = yield* Peers.reasonOf(
        Mcp.connect({ name: "off", transport: Mcp.http({ url: "http://127.0.0.1:9/x?key=1" }) })
      )
      assert.match(refused.message, /^mcp: off: http:\/\/127\.0\.0\.1:9\/x: it cannot be reached/)
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("a missing server or tool fails the Layer of all", () =>
    Effect.gen(function* () {
      const build = (servers: object, options?: McpServers.ServersOptions) =>
        Effect.scoped(Layer.build(McpServers.layer({ mcpServers: servers }, { connectTimeout, ...options })))
      const one = { command: process.execPath, args: Peers.args.bad("") }
      const absent = yield* Peers.reasonOf(build({ one, two: { command: "no-such-program" } }))
      assert.match(absent.message, /^mcp: two: /)
      const tool = yield* Peers.reasonOf(build({ one }, { select: { one: { include: ["frist"] } } }))
      assert.match(tool.message, /^mcp: one\/tools: it has no tool "frist"; it has: first, hang/)
    }).pipe(Effect.provide(Peers.platform))
  )

  it.live("garbage between the messages is passed over, pages are joined, older versions are spoken", () =>
    Effect.gen(function* () {
      const garbage = yield* bad("garbage")
      assert.strictEqual((yield* garbage.call("pid", {})).content[0]?.type, "text")
      const pages = yield* bad("pages")
      assert.deepStrictEqual(
        (yield* pages.actions()).map(({ name }) => name.replace(/_[0-9a-f]{8}$/, "_#")),
        ["bad__tool_0_#", "bad__tool_1_#", "bad__tool_2_#"]
      )
      assert.strictEqual((yield* (yield* bad("old")).hello).protocolVersion, "2024-11-05")
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("a process that dies fails what was under way as uncertain, and the next call finds a new one", () =>
    Effect.gen(function* () {
      const server = yield* bad("")
      const pid = Effect.map(server.call("pid", {}), ({ content }) =>
        content[0]?.type === "text" ? content[0].text : ""
      )
      const before = yield* pid
      const hanging = yield* Effect.forkChild(Peers.reasonOf(server.call("hang", {})), { startImmediately: true })
      const died = yield* Peers.reasonOf(server.call("die", {}))
      assert.deepInclude(died.reason, { _tag: "Unavailable", uncertain: true })
      assert.match(died.message, /its process ended with code 9; it may have been done nevertheless/)
      assert.deepInclude((yield* Fiber.join(hanging)).reason, { uncertain: true })
      const after = yield* pid
      assert.notStrictEqual(after, before)
      const huge = yield* Peers.reasonOf(server.call("huge", {}))
      assert.deepInclude(huge.reason, { _tag: "LimitExceeded", limit: "output" })
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("what an agent called when the process died is recorded as uncertain", () =>
    Effect.gen(function* () {
      const actions = yield* (yield* bad("")).actions({ prefix: "" })
      const full = yield* Agent.whole(Agent.make({ input: "?" }).pipe(Actions.use(actions)))
      assert.strictEqual(full.meta.actions?.rounds[0]?.records[0]?.status, "uncertain")
    }).pipe(
      Effect.scoped,
      Effect.provide(Peers.platform),
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.toolCalls([{ name: "die", input: {} }]), ScriptedModel.text("done")])
      )
    )
  )

  it.live("a call that takes too long is stopped, and tools are listed again when the server says so", () =>
    Effect.gen(function* () {
      const server = yield* bad("")
      const slow = yield* Peers.reasonOf(server.call("hang", {}, { timeout: "50 millis" }))
      assert.deepInclude(slow.reason, { _tag: "TimedOut", millis: 50 })
      assert.include(
        (yield* server.tools).map(({ name }) => name),
        "hang"
      )
      yield* server.call("first", {})
      assert.deepStrictEqual(
        (yield* server.tools).map(({ name }) => name),
        ["first", "second"]
      )
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("nothing is left running when the Scope closes, also with a call under way", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(bad(""), scope)
      const { content } = yield* server.call("pid", {})
      const pid = Number(content[0]?.type === "text" ? content[0].text : 0)
      assert.isTrue(Peers.isAlive(pid))
      const hanging = yield* Effect.forkChild(Peers.reasonOf(server.call("hang", {})), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(Peers.isAlive(pid))
      assert.deepInclude((yield* Fiber.join(hanging)).reason, { _tag: "Unavailable" })
      assert.match((yield* Peers.reasonOf(server.call("pid", {}))).message, /its connection was closed/)
    }).pipe(Effect.provide(Peers.platform))
  )
})

describe("the client and streamable HTTP", () => {
  // A server with sessions, which it forgets when it is told to. It takes the tool `hold`, and answers when it is told to.
  const forgetful = Effect.gen(function* () {
    const taken: Array<string> = []
    const holding = yield* Queue.unbounded<() => void>()
    let sessions = 0
    let forgotten = 0
    const url = yield* Peers.listening(async (request, response) => {
      const { id, method, params } = await Peers.messageOf(request)
      const session = String(request.headers["mcp-session-id"])
      const answer = (result: object) =>
        response
          .writeHead(200, { "content-type": "application/json", "mcp-session-id": `s${sessions}` })
          .end(JSON.stringify({ jsonrpc: "2.0", id, result }))
      if (method === "initialize") {
        sessions++
        return answer(Peers.greeting)
      }
      if (session !== `s${sessions}` || sessions === forgotten) return response.writeHead(404).end()
      if (id === undefined) return response.writeHead(request.method === "GET" ? 405 : 202).end()
      taken.push(params.name)
      const done = () => answer({ content: [{ type: "text", text: `${params.name} in ${session}` }] })
      if (params.name === "hold") Queue.offerUnsafe(holding, done)
      else done()
    })
    return { url, taken, held: Queue.take(holding), forget: () => void (forgotten = sessions) }
  })

  it.live("a session that is forgotten is made anew: what was refused is sent again, what was taken is not", () =>
    Effect.gen(function* () {
      const { forget, held, taken, url } = yield* forgetful
      const server = yield* Mcp.connect({ name: "h", transport: Mcp.http({ url }), reconnect: Peers.quick })
      const text = (tool: string) => Effect.map(server.call(tool, {}), ({ content }) => content)
      const hanging = yield* Effect.forkChild(text("hold"), { startImmediately: true })
      const release = yield* held
      forget()
      assert.deepStrictEqual(yield* text("now"), [{ type: "text", text: "now in s2" }])
      release()
      assert.deepStrictEqual(yield* Fiber.join(hanging), [{ type: "text", text: "hold in s1" }])
      assert.deepStrictEqual(taken, ["hold", "now"])
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("what is under way when the Scope closes may have been done, and is not sent again", () =>
    Effect.gen(function* () {
      const { held, taken, url } = yield* forgetful
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(Mcp.connect({ name: "h", transport: Mcp.http({ url }) }), scope)
      const hanging = yield* Effect.forkChild(Peers.reasonOf(server.call("hold", {})), { startImmediately: true })
      yield* held
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude((yield* Fiber.join(hanging)).reason, { _tag: "Unavailable", uncertain: true })
      assert.deepStrictEqual(taken, ["hold"])
      assert.match((yield* Peers.reasonOf(server.call("now", {}))).message, /its connection was closed/)
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )

  it.live("an answer that breaks off is taken up where it ended, and is uncertain where it cannot be", () =>
    Effect.gen(function* () {
      const resumed: Array<unknown> = []
      let answered: object = {}
      const url = yield* Peers.listening(async (request, response) => {
        const { id, method, params } = await Peers.messageOf(request)
        const last = request.headers["last-event-id"]
        const json = (result: object) => JSON.stringify({ jsonrpc: "2.0", id, result })
        const events = (text: string) => response.writeHead(200, { "content-type": "text/event-stream" }).end(text)
        if (request.method === "GET" && last !== undefined) {
          resumed.push(last)
          return resumed.length === 1
            ? events("id: e2\nretry: 1\ndata:\n\n")
            : events(`id: e3\ndata: ${JSON.stringify(answered)}\n\n`)
        }
        if (id === undefined) return response.writeHead(request.method === "GET" ? 405 : 202).end()
        if (method === "initialize")
          return response.writeHead(200, { "content-type": "application/json" }).end(json(Peers.greeting))
        answered = { jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "at last" }] } }
        const progress = { progressToken: params._meta.progressToken, progress: 1 }
        const news = JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params: progress })
        events(params.name === "numbered" ? `id: e1\nretry: 60\ndata: ${news}\n\n` : `data: ${news}\n\n`)
      })
      const server = yield* Mcp.connect({ name: "h", transport: Mcp.http({ url }) })
      const seen: Array<number> = []
      const onProgress = ({ progress }: Mcp.Progress) => Effect.sync(() => void seen.push(progress))
      const { content } = yield* server.call("numbered", {}, { onProgress })
      assert.deepStrictEqual(content, [{ type: "text", text: "at last" }])
      assert.deepStrictEqual(resumed, ["e1", "e2"])
      assert.deepStrictEqual(seen, [1])
      const lost = yield* Peers.reasonOf(server.call("plain", {}))
      assert.deepInclude(lost.reason, { _tag: "Unavailable", uncertain: true })
      assert.match(lost.message, /ended before it was complete; it may have been done nevertheless/)
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )
})

describe("headers", () => {
  class User extends Context.Service<User, { readonly token: string }>()("test/User") {}

  it.live("those of a call are those of whoever makes it, and a status that refuses is told", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const url = yield* Peers.listening(async (request, response) => {
        const token = String(request.headers["authorization"])
        const { id, method } = await Peers.messageOf(request)
        if (method === "tools/call") seen.push(token)
        if (token === "Bearer eve") return response.writeHead(403).end("not you")
        if (id === undefined) return response.writeHead(request.method === "GET" ? 405 : 202).end()
        const result =
          method === "initialize"
            ? Peers.greeting
            : method === "tools/list"
              ? { tools: [{ name: "who", inputSchema: { type: "object" } }] }
              : { content: [{ type: "text", text: token }] }
        response
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ jsonrpc: "2.0", id, result }))
      })
      const headers = Effect.map(User, ({ token }) => ({ authorization: `Bearer ${token}` }))
      const server = yield* Mcp.connect({ name: "who", transport: Mcp.http({ url, headers }) }).pipe(
        Effect.provideService(User, { token: "admin" })
      )
      const [action] = yield* Effect.provideService(server.actions(), User, { token: "admin" })
      if (action === undefined) return assert.fail("there is no action")
      for (const token of ["ann", "bob"]) {
        assert.strictEqual(yield* Effect.provideService(Action.call(action, {}), User, { token }), `Bearer ${token}`)
      }
      const eve = yield* Peers.reasonOf(Effect.provideService(Action.call(action, {}), User, { token: "eve" }))
      assert.deepInclude(eve.reason, { _tag: "Refused", rule: "http.403" })
      assert.deepStrictEqual(seen, ["Bearer ann", "Bearer bob", "Bearer eve"])
    }).pipe(Effect.scoped, Effect.provide(Peers.platform))
  )
})

describe("configurations", () => {
  it("say everything that is wrong with them, by its place", () => {
    const read = McpConfig.parse({
      mcpServers: {
        "a b": { command: "x" },
        both: { command: "x", url: "http://localhost" },
        old: { type: "sse", url: "http://localhost" },
        env: { command: "x", env: { A: "${MISSING}", B: 1 }, colour: "red" },
        url: { url: "ftp://localhost" },
        args: { command: "x", args: "y" }
      }
    })
    assert.deepStrictEqual(Result.isFailure(read) ? read.failure.findings.map(({ path }) => path) : [], [
      "mcpServers.a b",
      "mcpServers.both",
      "mcpServers.old.type",
      "mcpServers.env.colour",
      "mcpServers.env.env.A",
      "mcpServers.env.env.B",
      "mcpServers.url.url",
      "mcpServers.args.args"
    ])
    for (const text of ["{", "[]", '{"mcpServers":[]}']) assert.isTrue(Result.isFailure(McpConfig.parse(text)))
  })

  it("give servers, with variables filled in", () => {
    const text = JSON.stringify({
      mcpServers: {
        a: { command: "${BIN}", args: ["${X:-y}"] },
        b: { type: "http", url: "https://u:p@h.example/mcp?k=1" }
      }
    })
    const read = McpConfig.parse(text, { variables: { BIN: "node" } })
    assert.deepStrictEqual(
      Result.isSuccess(read) ? read.success.map(({ name, transport }) => [name, transport.target]) : [],
      [
        ["a", "node y"],
        ["b", "https://h.example/mcp"]
      ]
    )
  })
})
