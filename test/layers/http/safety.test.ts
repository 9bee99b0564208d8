// What comes from outside: oversized, malformed, slow and hostile requests, who may ask, and how a server ends.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Redacted, References, Schema } from "effect"
import { Agent } from "effigent"
import { Auth, Http, Problem } from "effigent/layers/http"
import { Metrics as OtelMetrics } from "effigent/layers/otel"
import { ScriptedModel } from "effigent/testing"
import { parse, raw, start, until } from "./support.ts"

const plain = Agent.make({ instruct: "Answer." })
const serve = (options: Http.Options = {}, steps: ReadonlyArray<ScriptedModel.Step> = []) =>
  start(Http.layer({ agents: { plain } }, options), ScriptedModel.layer(steps))

const problem = Schema.decodeUnknownEffect(Problem)
const tagOf = ({ json }: { readonly json: unknown }) => Effect.map(problem(json), ({ tag }) => tag)
const post = (path: string, port: number, body: string, headers: string) =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n${headers}\r\n${body}`

describe("limits", () => {
  it.live("a body that is too large is a 413, by its length and by its pieces, and nothing is asked", () =>
    Effect.gen(function* () {
      const server = yield* serve({ limits: { body: 1000 } })
      const big = yield* server.post("/agents/plain/run", "x".repeat(2000))
      assert.deepStrictEqual([big.status, yield* tagOf(big)], [413, "BodyTooLarge"])
      const socket = yield* raw(server.port)
      socket.write(post("/agents/plain/run", server.port, "", "transfer-encoding: chunked\r\n"))
      for (let piece = 0; piece < 5; piece++) socket.write(`190\r\n${"x".repeat(400)}\r\n`)
      yield* until(() => socket.status === 413)
      assert.include(socket.text, "BodyTooLarge")
      assert.deepStrictEqual(yield* Effect.provide(ScriptedModel.requests, server.context), [])
    })
  )

  it.live("a body that is no JSON, is empty, or is of another type", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const send = (body: string, type: string) =>
        server.call("/agents/plain/run", { method: "POST", body, headers: { "content-type": type } })
      for (const body of ["{", "\u0000", "[1,", "nul", '{"a":1}}']) {
        const answer = yield* send(body, "application/json")
        assert.deepStrictEqual([answer.status, yield* tagOf(answer)], [400, "InvalidRequest"], body)
      }
      assert.strictEqual((yield* send("", "application/json")).status, 400)
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"]) {
        const answer = yield* send(`"x"`, type)
        assert.deepStrictEqual([answer.status, yield* tagOf(answer)], [415, "UnsupportedMediaType"], type)
      }
    })
  )

  it.live("a body that does not arrive is a 408; one that comes byte by byte is read", () =>
    Effect.gen(function* () {
      const server = yield* serve({ limits: { bodyTime: 300 } }, [ScriptedModel.text("fine")])
      const stuck = yield* raw(server.port)
      stuck.write(post("/agents/plain/run", server.port, `"x`, "content-length: 50\r\n"))
      yield* until(() => stuck.status === 408)
      const slow = yield* raw(server.port)
      for (const byte of post("/agents/plain/run", server.port, `"x"`, "content-length: 3\r\n")) {
        slow.write(byte)
        yield* Effect.yieldNow
      }
      yield* until(() => slow.status === 200)
    })
  )

  it.live("headers and paths that are too long or not well-formed", () =>
    Effect.gen(function* () {
      const server = yield* serve({ limits: { headers: 2000, url: 500 } })
      const large = yield* server.get("/runs", { "x-large": "y".repeat(3000) })
      assert.deepStrictEqual([large.status, yield* tagOf(large)], [431, "HeadersTooLarge"])
      const long = yield* server.get(`/runs?x=${"y".repeat(600)}`)
      assert.deepStrictEqual([long.status, yield* tagOf(long)], [400, "PathTooLong"])
      const paths = [
        ["/runs/%00", 400],
        ["/runs/%zz", 400],
        ["/runs/%c0%af", 400],
        ["/runs/..%2f..%2fetc%2fpasswd", 404],
        ["/../../etc/passwd", 404],
        ["//evil.example/runs", 404],
        ["/agents/__proto__/run", 404],
        ["/flows/constructor/graph", 404],
        ["/executions/%F0%9F%98%80", 501],
        ["*", 400]
      ] as const
      for (const [path, status] of paths) {
        const socket = yield* raw(server.port)
        socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`)
        yield* until(() => socket.status > 0)
        assert.strictEqual(socket.status, status, path)
        assert.notInclude(socket.text, "node_modules")
      }
      for (const bad of ["GET /runs HTTP/1.1\r\nhost: a\r\nx\u0000y: 1\r\n\r\n", "NONSENSE\r\n\r\n"]) {
        const socket = yield* raw(server.port)
        socket.write(bad)
        yield* until(() => socket.isClosed || socket.status === 400)
      }
      assert.strictEqual((yield* server.get("/health/live")).status, 200)
    })
  )

  it.live("streams are counted for each client and in all, and given back", () =>
    Effect.gen(function* () {
      const auth = Auth.bearer({ ada: Redacted.make("a"), bob: Redacted.make("b"), eve: Redacted.make("e") })
      const server = yield* serve({ auth, limits: { streamsPerClient: 1, streams: 2 }, disconnect: "detach" }, [
        ScriptedModel.hang
      ])
      const as = (token: string) => ({ authorization: `Bearer ${token}` })
      yield* server.post("/agents/plain/runs?run=r", "x", as("a"))
      const open = (token: string) =>
        Effect.gen(function* () {
          const socket = yield* raw(server.port)
          socket.write(`GET /runs/r/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`)
          yield* until(() => socket.status > 0)
          return socket
        })
      const ada = yield* open("a")
      assert.strictEqual(ada.status, 200)
      const twice = yield* open("a")
      assert.deepStrictEqual([twice.status, /retry-after: 5/i.test(twice.text)], [429, true])
      assert.strictEqual((yield* open("b")).status, 200)
      assert.strictEqual((yield* open("e")).status, 503)
      ada.socket.resetAndDestroy()
      yield* until(() => Effect.map(open("a"), ({ status }) => status === 200))
    })
  )

  it.live("half-open sockets cost the others nothing", () =>
    Effect.gen(function* () {
      const server = yield* serve({}, [ScriptedModel.text("fine")])
      for (let count = 0; count < 200; count++) (yield* raw(server.port)).write("POST /agents/plain/run HTTP/1.1\r\nho")
      assert.strictEqual((yield* server.post("/agents/plain/run", "x")).json, "fine")
    })
  )
})

describe("who may ask", () => {
  it.live("without auth a server does not start where others could reach it", () =>
    Effect.gen(function* () {
      const open = Http.layer({ agents: { plain } })
      const error = yield* Effect.flip(start(open, ScriptedModel.layer([]), { host: "0.0.0.0" }))
      assert.instanceOf(error, Http.UnsafeBinding)
      assert.match(error.message, /0\.0\.0\.0.*Auth\.bearer/)
      const guarded = Http.layer({ agents: { plain } }, { auth: Auth.bearer({ ada: Redacted.make("secret") }) })
      const server = yield* start(guarded, ScriptedModel.layer([]), { host: "0.0.0.0" })
      assert.strictEqual((yield* server.get("/health/live")).status, 200)
      const handler = yield* Effect.flip(
        Effect.provide(Http.webHandler({ agents: { plain } }, {}), ScriptedModel.layer([]))
      )
      assert.instanceOf(handler, Http.UnsafeBinding)
    })
  )

  it.live("a bearer token is asked for everywhere but for the health", () =>
    Effect.gen(function* () {
      const server = yield* serve({ auth: Auth.bearer({ ada: Redacted.make("secret") }) }, [ScriptedModel.text("hi")])
      for (const authorization of ["", "Bearer", "Bearer wrong", "Basic secret", "Bearer secret2", "Bearer secre"]) {
        const answer = yield* server.post("/agents/plain/run", "x", { authorization })
        assert.deepStrictEqual([answer.status, yield* tagOf(answer)], [401, "Unauthorized"], authorization)
      }
      for (const path of ["/runs", "/docs", "/openapi.json", "/nothing", "/executions", "/health/live/"])
        assert.strictEqual((yield* server.get(path)).status, 401, path)
      assert.strictEqual((yield* server.get("/health/live")).status, 200)
      const answer = yield* server.post("/agents/plain/run", "x", { authorization: "Bearer secret" })
      assert.strictEqual(answer.json, "hi")
    })
  )

  it.live("an auth of the program's own gives who asks, and may refuse with a problem of its own", () =>
    Effect.gen(function* () {
      const auth = Auth.custom(({ headers }) => Effect.succeed(headers["x-user"] === "ada" ? { id: "ada" } : undefined))
      const server = yield* serve({ auth })
      assert.strictEqual((yield* server.get("/runs")).status, 401)
      assert.strictEqual((yield* server.get("/runs", { "x-user": "ada" })).status, 200)
    })
  )

  it.live("a server without auth answers to loopback names and to its own pages alone", () =>
    Effect.gen(function* () {
      const server = yield* serve({}, [ScriptedModel.text("hi")])
      const rebound = yield* raw(server.port)
      rebound.write(`GET /runs HTTP/1.1\r\nhost: evil.example:${server.port}\r\n\r\n`)
      yield* until(() => rebound.status === 403)
      assert.include(rebound.text, "ForeignHost")
      const foreign = yield* server.post("/agents/plain/run", "x", { origin: "https://evil.example" })
      assert.deepStrictEqual([foreign.status, yield* tagOf(foreign)], [403, "ForeignOrigin"])
      assert.isNull(foreign.headers.get("access-control-allow-origin"))
      assert.strictEqual((yield* server.post("/agents/plain/run", "x", { origin: server.base })).status, 200)
    })
  )

  it.live("with an auth by cookies, pages of other sites cannot make requests that have no body", () =>
    Effect.gen(function* () {
      const auth = Auth.custom(({ headers }) => Effect.succeed(headers["cookie"] === "s=1" ? { id: "ada" } : undefined))
      const server = yield* serve({ auth, cors: ["https://app.example"] })
      const seal = (method: string, headers: Record<string, string>) =>
        server.call("/executions/e1/seal", { method, headers: { cookie: "s=1", ...headers } })
      for (const site of ["cross-site", "same-site"]) {
        const foreign = yield* seal("POST", { origin: "https://evil.example", "sec-fetch-site": site })
        assert.deepStrictEqual([foreign.status, yield* tagOf(foreign)], [403, "ForeignOrigin"])
        assert.strictEqual((yield* seal("POST", { "sec-fetch-site": site })).status, 403)
      }
      // Its own pages, whatever name the server is reached by, those that are named, and programs go on: to a 501 here.
      for (const headers of [
        { origin: "https://own.example", "sec-fetch-site": "same-origin" },
        { origin: "https://app.example", "sec-fetch-site": "cross-site" },
        {}
      ])
        assert.strictEqual(yield* tagOf(yield* seal("POST", headers)), "NotServed")
      assert.strictEqual((yield* server.get("/runs", { cookie: "s=1", "sec-fetch-site": "cross-site" })).status, 200)
    })
  )

  it.live("CORS is for the origins that are named", () =>
    Effect.gen(function* () {
      const server = yield* serve({ cors: ["https://app.example"] })
      const preflight = (origin: string) =>
        server.call("/agents/plain/run", {
          method: "OPTIONS",
          headers: { origin, "access-control-request-method": "POST" }
        })
      const named = yield* preflight("https://app.example")
      assert.deepStrictEqual(
        [named.status, named.headers.get("access-control-allow-origin")],
        [204, "https://app.example"]
      )
      const other = yield* preflight("https://evil.example")
      assert.strictEqual(other.status, 403)
      assert.isNull(other.headers.get("access-control-allow-origin"))
    })
  )

  it.live("a request id is taken where it is fit, and made where it is not; the log has it", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const dies: Agent.Around = () => Effect.die("no")
      const logger = Logger.make(({ fiber, message }) => {
        logged.push(`${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
      })
      const server = yield* start(
        Http.layer({ agents: { plain: Agent.around(plain, dies) } }),
        Layer.merge(ScriptedModel.layer([]), Logger.layer([logger]))
      )
      const mine = yield* server.post("/agents/plain/run", "x", { "x-request-id": "abc.1" })
      assert.strictEqual(mine.headers.get("x-request-id"), "abc.1")
      const made = yield* server.get("/runs", { "x-request-id": "a b<script>" })
      assert.match(made.headers.get("x-request-id") ?? "", /^[0-9a-f]{32}$/)
      assert.isTrue(logged.some((line) => line.includes("/agents/plain/run") && line.includes("abc.1")))
    })
  )
})

describe("the document", () => {
  it.live("says how requests are admitted, and is for everybody where it is said to be", () =>
    Effect.gen(function* () {
      const auth = Auth.bearer({ ada: Redacted.make("secret") })
      const server = yield* serve({ auth, docs: "public" })
      const { components, security } = (yield* server.get("/openapi.json")).json as {
        readonly components: { readonly securitySchemes: object }
        readonly security: ReadonlyArray<object>
      } // OpenAPI 3.1
      assert.deepStrictEqual(components.securitySchemes, { access: { type: "http", scheme: "bearer" } })
      assert.deepStrictEqual(security, [{ access: [] }])
      assert.strictEqual((yield* server.get("/docs")).status, 200)
      assert.strictEqual((yield* server.get("/runs")).status, 401)
      const none = yield* serve({ docs: false })
      assert.strictEqual((yield* none.get("/openapi.json")).status, 404)
    })
  )

  it.live("OpenAPI has every endpoint with its Schemas, and the page needs no network", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const document = yield* server.get("/openapi.json")
      const { components, paths } = document.json as { paths: Record<string, object>; components: object } // OpenAPI 3.1
      assert.includeMembers(Object.keys(paths), [
        "/agents/plain/run",
        "/agents/plain/stream",
        "/runs/{id}/events",
        "/executions/{id}/questions/{question}",
        "/sessions/{id}",
        "/health/ready"
      ])
      assert.include(JSON.stringify(components), "Problem")
      const page = yield* server.get("/docs")
      assert.include(page.headers.get("content-type") ?? "", "text/html")
      assert.notMatch(page.text.slice(0, 2000), /src="https?:/)
      // Its own fonts would come from elsewhere, and so might what a later release of the page asks for.
      assert.match(page.text, /"withDefaultFonts": ?false/)
      const policy = page.headers.get("content-security-policy") ?? ""
      assert.match(policy, /^default-src 'self'/)
      assert.notMatch(policy, /https?:|\*/)
    })
  )
})

describe("a server that closes", () => {
  it.live("lets requests end, gives streams a last event, and admits nothing new", () =>
    Effect.gen(function* () {
      const server = yield* serve({}, [
        ScriptedModel.text("slow but whole", { latency: 300 }),
        ScriptedModel.hangAfter(["so far"])
      ])
      const request = yield* Effect.forkChild(server.post("/agents/plain/run", "x"), { startImmediately: true })
      yield* until(() => Effect.map(Effect.provide(ScriptedModel.openStreams, server.context), (open) => open === 1))
      const stream = yield* Effect.forkChild(server.post("/agents/plain/stream", "x"), { startImmediately: true })
      yield* until(() => Effect.map(Effect.provide(ScriptedModel.openStreams, server.context), (open) => open === 2))
      yield* server.stop
      assert.strictEqual((yield* Fiber.join(request)).json, "slow but whole")
      const { data, event } = parse((yield* Fiber.join(stream)).text).at(-1) ?? {}
      assert.strictEqual(event, "closing")
      assert.match(JSON.stringify(data), /runs are in memory and end with the program/)
      assert.strictEqual(yield* Effect.provide(ScriptedModel.openStreams, server.context), 0)
    })
  )

  it.live("a request that does not end is interrupted at the deadline", () =>
    Effect.gen(function* () {
      const server = yield* serve({ deadline: 200 }, [ScriptedModel.hang])
      const socket = yield* raw(server.port)
      socket.write(post("/agents/plain/run", server.port, `"x"`, "content-length: 3\r\n"))
      yield* until(() => Effect.map(Effect.provide(ScriptedModel.openStreams, server.context), (open) => open === 1))
      const before = Date.now()
      yield* server.stop
      assert.isBelow(Date.now() - before, 3000)
      assert.strictEqual(yield* Effect.provide(ScriptedModel.openStreams, server.context), 0)
      yield* until(() => socket.isClosed || socket.status >= 500)
    })
  )
})

describe("metrics", () => {
  it.live("are behind the auth, in the form of Prometheus, those of the server among them; they can be left out", () =>
    Effect.gen(function* () {
      const auth = Auth.bearer({ ada: Redacted.make("a") })
      const server = yield* serve({ auth }, [ScriptedModel.text("hi"), ScriptedModel.hang])
      const as = { authorization: "Bearer a" }
      yield* server.post("/agents/plain/run", "x", as)
      yield* server.get("/runs/none", as)
      yield* server.get("/evil-1", as)
      yield* server.get("/evil-2", as)
      const stream = yield* Effect.forkChild(server.post("/agents/plain/stream", "x", as), { startImmediately: true })
      yield* until(() => Effect.map(Effect.provide(ScriptedModel.openStreams, server.context), (open) => open === 1))
      assert.strictEqual((yield* server.get("/metrics")).status, 401)
      const { headers, text } = yield* server.get("/metrics", as)
      assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/)
      for (const line of text.split("\n").slice(0, -1))
        assert.match(line, /^(# (HELP|TYPE) \w+ .+|[a-zA-Z_:][\w:]*(\{(\w+="([^"\\]|\\.)*",?)+\})? [-+\w.]+)$/)
      assert.match(text, /^effigent_http_streams_open 1$/m)
      assert.match(text, /^effigent_http_runs_active 1$/m)
      const counted = (about: string) =>
        Number(new RegExp(`^http_server_request_duration_count\\{${about}\\} (\\d+)$`, "m").exec(text)?.[1])
      assert.isAtLeast(counted('http_request_method="POST",http_route="agents",http_response_status_code="200"'), 1)
      assert.isAtLeast(counted('http_request_method="GET",http_route="runs",http_response_status_code="404"'), 1)
      assert.isAtLeast(counted('http_request_method="GET",http_route="other",http_response_status_code="404"'), 2)
      assert.notInclude(text, "evil")
      for (const name of OtelMetrics.names.servers) assert.include(text, `# TYPE ${name.replaceAll(".", "_")} `)
      yield* Fiber.interrupt(stream)
      const without = yield* serve({ auth, metrics: false })
      assert.strictEqual((yield* without.get("/metrics", as)).status, 404)
    })
  )
})

describe("a web handler", () => {
  it.live("is a function from a Request to a Response, whose caller aborts the model call by its signal", () =>
    Effect.gen(function* () {
      const script = ScriptedModel.layer([ScriptedModel.text("hi"), ScriptedModel.hang, ScriptedModel.hangAfter(["a"])])
      yield* Effect.gen(function* () {
        const handler = yield* Http.webHandler({ agents: { plain } }, { auth: Auth.elsewhere, grace: 0 })
        const ask = (path: string, init: RequestInit = {}) =>
          handler(
            new Request(`http://x${path}`, {
              method: "POST",
              body: `"x"`,
              headers: { "content-type": "application/json" },
              ...init
            })
          )
        const first = yield* Effect.promise(() => ask("/agents/plain/run"))
        assert.strictEqual(yield* Effect.promise(() => first.json()), "hi")
        const controller = new AbortController()
        void ask("/agents/plain/run", { signal: controller.signal }).catch(() => {})
        yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 1))
        controller.abort()
        yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 0))
        const streamed = yield* Effect.promise(() => ask("/agents/plain/stream"))
        const reader = streamed.body?.getReader()
        yield* Effect.promise(async () => reader?.read())
        yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 1))
        yield* Effect.promise(async () => reader?.cancel())
        yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 0))
      }).pipe(Effect.provide(script))
    })
  )
})
