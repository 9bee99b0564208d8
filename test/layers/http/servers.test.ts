// The API inside servers of others, Express and Fastify, on real sockets: behind their parsers of bodies and before them,
// and what becomes of a model call whose client leaves, in the API and in a plain async handler.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Agent, Effigent } from "effigent"
import { Auth, Http, nodeListener } from "effigent/layers/http"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import express from "express"
import fastify from "fastify"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Layer } from "effect"
import { parse, raw, until } from "./support.ts"

const echo = Agent.make({ name: "echo", instruct: "Answer." })

/** Serves a listener on a port of its own until the Scope closes. */
const listen = (listener: RequestListener): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Server>((resume) => {
        const server = createServer(listener).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ),
    // A server that listens on a port has an address with one.
    (server) => (server.address() as AddressInfo).port
  )

const api = Effect.gen(function* () {
  const handler = yield* Http.webHandler({ agents: { echo } }, { auth: Auth.elsewhere, grace: 0 })
  // For what does not use Effect: the model of this test.
  const layer = Layer.succeed(ModelProvider, yield* ModelProvider)
  return { layer, listener: nodeListener(handler) }
})

type Given = Effect.Success<typeof api>

const signalOf = (response: { readonly on: (event: "close", then: () => void) => unknown }) => {
  const controller = new AbortController()
  response.on("close", () => controller.abort(new Error("the client has left")))
  return controller.signal
}

const withExpress = ({ layer, listener }: Given) => {
  const app = express()
  app.use("/before", listener)
  app.use(express.json({ strict: false, limit: 2000 }))
  app.use("/ai", listener)
  app.post("/own", async (request, response) => {
    response.json(await Effigent.runPromise(echo, request.body, { layer, signal: signalOf(response) }))
  })
  return listen(app)
}

const withFastify = ({ layer, listener }: Given) =>
  Effect.gen(function* () {
    const app = fastify({ bodyLimit: 2000 })
    app.post("/own", async (request, reply) =>
      JSON.stringify(await Effigent.runPromise(echo, request.body, { layer, signal: signalOf(reply.raw) }))
    )
    app.all("/ai/*", (request, reply) => {
      const raw = Object.assign(request.raw, { body: request.body, url: request.url.slice("/ai".length) })
      reply.hijack()
      listener(raw, reply.raw)
    })
    // Leaves bodies alone.
    yield* Effect.promise(() =>
      Promise.resolve(
        app.register((inner, _options, done) => {
          inner.removeAllContentTypeParsers()
          inner.addContentTypeParser("*", (_request, _payload, next) => next(null))
          inner.all("/before/*", (request, reply) => {
            request.raw.url = request.url.slice("/before".length)
            reply.hijack()
            listener(request.raw, reply.raw)
          })
          done()
        })
      )
    )
    yield* Effect.promise(() => app.listen({ port: 0, host: "127.0.0.1" }))
    yield* Effect.addFinalizer(() =>
      Effect.promise(() => {
        app.server.closeAllConnections()
        return app.close()
      })
    )
    // A server that listens on a port has an address with one.
    return (app.server.address() as AddressInfo).port
  })

const post = (port: number, path: string, body: string, headers: Record<string, string> = {}) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers }
    }).then(async (response) => ({ status: response.status, text: await response.text() }))
  )

const request = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

for (const [name, serve] of [
  ["Express", withExpress],
  ["Fastify", withFastify]
] as const)
  describe(name, () => {
    const scripted = (steps: ReadonlyArray<ScriptedModel.Step>) => Effect.provide(ScriptedModel.layer(steps))

    it.live("answers and streams, whether the body was read before or not, whatever JSON it is", () =>
      Effect.gen(function* () {
        const port = yield* Effect.flatMap(api, serve)
        const bodies = [`"x"`, `"{\\"a\\":1}"`, `{"letter":"grüß 😀"}`, `[1,null,"a"]`]
        for (const path of ["/ai", "/before"]) {
          for (const body of bodies) {
            const answer = yield* post(port, `${path}/agents/echo/run`, body)
            assert.deepStrictEqual([answer.status, answer.text], [200, `"hello"`], `${path} ${body}`)
          }
          const streamed = parse((yield* post(port, `${path}/agents/echo/stream?run=${path.slice(1)}`, `"x"`)).text)
          assert.deepStrictEqual(streamed.at(-1)?.data, { status: "completed" })
          const again = yield* Effect.promise(() =>
            fetch(`http://127.0.0.1:${port}${path}/runs/${path.slice(1)}/events`, { headers: { "last-event-id": "2" } })
          )
          assert.deepStrictEqual(parse(yield* Effect.promise(() => again.text())), streamed.slice(2))
        }
        const requests = yield* ScriptedModel.requests
        // What the model was asked is the same on both ways.
        const asked = requests.map(({ prompt }) => JSON.stringify(prompt.content))
        assert.deepStrictEqual(asked.slice(0, 5), asked.slice(5))
        assert.include(asked[2], "grüß 😀")
        assert.strictEqual((yield* post(port, "/own", `"x"`)).text, `"hello"`)
      }).pipe(scripted(Array.from({ length: 11 }, () => ScriptedModel.text("hello"))))
    )

    it.live("bodies that are no JSON, too large, or of another type are 4xx, on both ways", () =>
      Effect.gen(function* () {
        const port = yield* Effect.flatMap(api, serve)
        for (const path of ["/ai", "/before"]) {
          const ask = (body: string, headers = {}) =>
            Effect.map(post(port, `${path}/agents/echo/run`, body, headers), ({ status }) => status)
          assert.strictEqual(yield* ask("{"), 400, path)
          assert.strictEqual(yield* ask(""), 400, path)
          assert.strictEqual(yield* ask(`"x"`, { "content-type": "text/plain" }), 415, path)
        }
        assert.strictEqual((yield* post(port, "/ai/agents/echo/run", JSON.stringify("x".repeat(3000)))).status, 413)
        assert.deepStrictEqual(yield* ScriptedModel.requests, [])
      }).pipe(scripted([]))
    )

    it.live("a client that leaves aborts the model call: of the API, and of a plain async handler", () =>
      Effect.gen(function* () {
        const port = yield* Effect.flatMap(api, serve)
        for (const path of ["/ai/agents/echo/run", "/ai/agents/echo/stream", "/before/agents/echo/run", "/own"]) {
          const socket = yield* raw(port)
          socket.write(request(path, `"x"`))
          yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 1))
          socket.socket.resetAndDestroy()
          yield* until(() => Effect.map(ScriptedModel.openStreams, (open) => open === 0))
        }
      }).pipe(scripted(Array.from({ length: 4 }, () => ScriptedModel.hang)))
    )
  })

describe("a body that nobody can find", () => {
  it.live("is a 500 that says what is wrong with the server, at once", () =>
    Effect.gen(function* () {
      const { listener } = yield* api
      const port = yield* listen((incoming, outgoing) => {
        incoming.resume().on("end", () => listener(incoming, outgoing))
      })
      const answer = yield* post(port, "/agents/echo/run", `"x"`)
      assert.deepStrictEqual([answer.status, /BodyLost/.test(answer.text)], [500, true])
      const get = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/health/live`))
      assert.strictEqual(get.status, 200)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )
})

describe("a listener of Node", () => {
  const echoing = nodeListener(async ({ url }) => {
    const headers = new Headers({ "x-url": url })
    headers.append("set-cookie", "a=1; Path=/")
    headers.append("set-cookie", "b=2; Path=/")
    return new Response(null, { headers })
  })

  it.live("sets each cookie", () =>
    Effect.gen(function* () {
      const port = yield* listen(echoing)
      const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/x`))
      assert.deepStrictEqual(response.headers.getSetCookie(), ["a=1; Path=/", "b=2; Path=/"])
    })
  )

  it.live("takes the path from the path alone, whatever is sent as the host", () =>
    Effect.gen(function* () {
      const port = yield* listen(echoing)
      const ask = (first: string, host: string) =>
        Effect.gen(function* () {
          const socket = yield* raw(port)
          socket.write(`${first} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
          yield* until(() => socket.isClosed)
          return [socket.status, /x-url: (.*)\r/i.exec(socket.text)?.[1]]
        })
      assert.deepStrictEqual(yield* ask("GET /open?x=1", "a.example:80"), [200, "http://a.example/open?x=1"])
      assert.deepStrictEqual(yield* ask("GET /open", "[::1]:81"), [200, "http://[::1]:81/open"])
      // Whoever mounts it has let `/open` through, and nothing else.
      for (const host of ["a.example/agents/echo/run?", "a.example#", "me@a.example", "a.example\\agents"])
        assert.deepStrictEqual(yield* ask("GET /open", host), [400, undefined], host)
    })
  )
})
