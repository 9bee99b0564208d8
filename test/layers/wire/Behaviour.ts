/** What holds for every provider over HTTP, run for each vendor over a real socket. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, type Layer, Redacted, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { ModelError, type ModelErrorReason } from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider } from "effigent/services/ModelProvider"
import { plainRequest, run } from "./Cases.ts"
import { eventually, serve, sse, writeSegments } from "./Server.ts"

export interface ProviderOptions {
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  readonly timeouts?: {
    readonly connect?: Duration.Input
    readonly firstToken?: Duration.Input
    readonly idle?: Duration.Input
    readonly total?: Duration.Input
  }
}

export interface Vendor {
  readonly name: string
  readonly path: string
  readonly make: (options: ProviderOptions) => ModelProvider["Service"]
  readonly layer: (options: ProviderOptions) => Layer.Layer<ModelProvider>
  /** Frames before the first text. */
  readonly start: string
  readonly text: (text: string) => string
  readonly ping: string
  /** The frame with the finish reason. */
  readonly finish: string
  /** What closes the stream after it. */
  readonly close: string
  readonly errorFrame: string
  readonly keyHeader: (key: string) => readonly [name: string, value: string]
}

const expectReason = <Tag extends ModelErrorReason["_tag"]>(
  error: ModelError | undefined,
  tag: Tag
): Extract<ModelErrorReason, { readonly _tag: Tag }> => {
  assert.isDefined(error)
  const { reason } = error
  const is = (value: ModelErrorReason): value is Extract<ModelErrorReason, { readonly _tag: Tag }> => value._tag === tag
  if (!is(reason)) assert.fail(`expected ${tag}: ${error.message}`)
  return reason
}

export const behaves = (vendor: Vendor): void => {
  const { close, finish, ping, start, text } = vendor
  const whole = [start, text("Hel"), text("lo"), finish, close]

  // Runs the stream in the background and shows the events as they come.
  const watch = Effect.fnUntraced(function* (provider: ModelProvider["Service"], includeRaw = false) {
    const events: Array<ModelEvent> = []
    const fiber = yield* provider.stream(plainRequest({ includeRaw })).pipe(
      Stream.runForEachArray((chunk) => Effect.sync(() => void events.push(...chunk))),
      Effect.flip,
      Effect.forkChild({ startImmediately: true })
    )
    return { events, fiber }
  })
  const hasText = (events: ReadonlyArray<ModelEvent>) => () => events.some(({ _tag }) => _tag === "Text")

  describe("requests and chunks", () => {
    it.live("nothing is sent before a run, and each run is one request to the vendor's path", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole))
        const stream = vendor.make({ baseUrl: server.url }).stream(plainRequest())
        yield* Effect.yieldNow
        assert.strictEqual(server.received.length, 0)
        assert.strictEqual((yield* run(stream)).text, "Hello")
        assert.strictEqual((yield* run(stream)).text, "Hello")
        assert.deepStrictEqual(
          server.received.map(({ method, path }) => [method, path]),
          [
            ["POST", vendor.path],
            ["POST", vendor.path]
          ]
        )
      })
    )

    it.live("one network read is one chunk", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start + text("a") + text("b") + text("c"), text("d") + finish + close]))
        const { chunks } = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        const texts = chunks
          .map((chunk) => chunk.flatMap((event) => (event._tag === "Text" ? event.text : [])))
          .filter((chunk) => chunk.length > 0)
        assert.include(
          [JSON.stringify([["a", "b", "c"], ["d"]]), JSON.stringify([["a", "b", "c", "d"]])],
          JSON.stringify(texts)
        )
      })
    )

    it.live("what stands before an error in the same read is delivered first", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start + text("Hel") + vendor.errorFrame + text("XXX")]))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.strictEqual(outcome.text, "Hel")
        assert.isDefined(outcome.error)
      })
    )

    it.live("what follows the closing event in the same read is ignored", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start + text("Hello") + finish + close + text("XXX") + vendor.errorFrame]))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.isUndefined(outcome.error)
        assert.strictEqual(outcome.text, "Hello")
      })
    )

    it.live("frames come as Raw events where they are asked for, and only there", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole))
        const provider = vendor.make({ baseUrl: server.url })
        const raw = yield* run(provider.stream(plainRequest({ includeRaw: true })))
        const plain = yield* run(provider.stream(plainRequest()))
        assert.isAtLeast(raw.events.filter(({ _tag }) => _tag === "Raw").length, 4)
        assert.deepStrictEqual(
          raw.events.filter(({ _tag }) => _tag !== "Raw"),
          plain.events
        )
      })
    )

    // Node's fetch opens a second connection where a request follows in the same turn, and then takes turns.
    it.live("answers in a row share their connections", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole))
        const provider = vendor.make({ baseUrl: server.url })
        for (let n = 0; n < 8; n++) yield* run(provider.stream(plainRequest()))
        assert.strictEqual(server.received.length, 8)
        assert.isAtMost(server.connections(), 2)
      })
    )

    it.live("a peer that stays open after the closing event does not hold the answer", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole, { hold: true }))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest())).pipe(
          Effect.timeout("2 seconds"),
          Effect.orDie
        )
        assert.strictEqual(outcome.text, "Hello")
      })
    )

    it.live("an answer with its finish reason is whole even where the connection then breaks", () =>
      Effect.gen(function* () {
        const server = yield* serve(async (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          await writeSegments(response, [start, text("Hello"), finish])
          response.socket?.resetAndDestroy()
        })
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.isUndefined(outcome.error)
        assert.strictEqual(outcome.text, "Hello")
      })
    )
  })

  describe("interruption", () => {
    const closesSoon = Effect.fnUntraced(function* (
      received: ReadonlyArray<{ closedAt: number | undefined }>,
      from: number
    ) {
      yield* eventually(() => received[0]?.closedAt !== undefined, "the connection stayed open")
      assert.isBelow((received[0]?.closedAt ?? Number.POSITIVE_INFINITY) - from, 100, "milliseconds to close")
    })

    it.live("closes the connection while the next token is awaited", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start, text("Hel")], { hold: true }))
        const { events, fiber } = yield* watch(vendor.make({ baseUrl: server.url }))
        yield* eventually(hasText(events), "no text came")
        const from = performance.now()
        yield* Fiber.interrupt(fiber)
        yield* closesSoon(server.received, from)
      })
    )

    it.live("closes the connection while the response is awaited", () =>
      Effect.gen(function* () {
        const server = yield* serve(() => {})
        const { fiber } = yield* watch(vendor.make({ baseUrl: server.url }))
        yield* eventually(() => server.received.length === 1, "no request came")
        const from = performance.now()
        yield* Fiber.interrupt(fiber)
        yield* closesSoon(server.received, from)
      })
    )

    it.live("a reader that has had enough closes the connection", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start, text("Hel"), text("lo")], { hold: true }))
        const stream = vendor.make({ baseUrl: server.url }).stream(plainRequest())
        const texts = yield* stream.pipe(
          Stream.filter(({ _tag }) => _tag === "Text"),
          Stream.take(1),
          Stream.runCollect
        )
        assert.deepStrictEqual(texts, [{ _tag: "Text", text: "Hel" }])
        yield* closesSoon(server.received, performance.now())
      })
    )
  })

  describe("time-outs", () => {
    const timesOut = Effect.fnUntraced(function* (
      fiber: Fiber.Fiber<ModelError, void>,
      stage: string,
      before: Duration.Input,
      last: Duration.Input
    ) {
      yield* TestClock.adjust(before)
      assert.isUndefined(fiber.pollUnsafe(), "it fired early")
      yield* TestClock.adjust(last)
      const error = yield* Effect.orDie(Fiber.join(fiber))
      const reason = expectReason(error, "TimedOut")
      assert.strictEqual(reason.stage, stage)
      assert.strictEqual(reason.millis, Duration.toMillis(before) + Duration.toMillis(last))
      assert.isTrue(error.isRetryable)
    })

    it.effect("connect: no response headers within 30 seconds", () =>
      Effect.gen(function* () {
        const server = yield* serve(() => {})
        const { fiber } = yield* watch(vendor.make({ baseUrl: server.url }))
        yield* eventually(() => server.received.length === 1, "no request came")
        yield* timesOut(fiber, "connect", "29999 millis", "1 millis")
        yield* eventually(() => server.received[0]?.closedAt !== undefined, "the connection stayed open")
      })
    )

    it.effect("TR-06 firstToken: no content within 5 minutes, whatever pings come", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start + ping, ping, ping], { hold: true }))
        const { events, fiber } = yield* watch(vendor.make({ baseUrl: server.url }), true)
        yield* eventually(() => events.some(({ _tag }) => _tag === "Raw"), "no frame came")
        yield* timesOut(fiber, "firstToken", "299 seconds", "1 seconds")
      })
    )

    it.effect("TR-06 idle: nothing for 60 seconds after the first content", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start, text("Hel")], { hold: true }))
        const { events, fiber } = yield* watch(vendor.make({ baseUrl: server.url }))
        yield* eventually(hasText(events), "no text came")
        yield* timesOut(fiber, "idle", "59 seconds", "1 seconds")
      })
    )

    // Pings alone keep a connection, not an answer.
    it.live("TR-06 idle: pings without content for the longer of firstToken and idle", () =>
      Effect.gen(function* () {
        const server = yield* serve(async (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          await writeSegments(response, [start, text("Hel")])
          while (!response.destroyed) {
            await new Promise((done) => setTimeout(done, 20))
            await writeSegments(response, [ping])
          }
        })
        const timeouts = { firstToken: "400 millis", idle: "300 millis" } as const
        const from = performance.now()
        const outcome = yield* run(vendor.make({ baseUrl: server.url, timeouts }).stream(plainRequest()))
        assert.isAtLeast(performance.now() - from, 400)
        const reason = expectReason(outcome.error, "TimedOut")
        assert.strictEqual(outcome.text, "Hel")
        assert.deepStrictEqual([reason.stage, reason.millis], ["idle", 400])
        yield* eventually(() => server.received[0]?.closedAt !== undefined, "the connection stayed open")
      })
    )

    it.effect("total: the whole answer, tokens or not", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start, text("Hel")], { hold: true }))
        const { events, fiber } = yield* watch(vendor.make({ baseUrl: server.url, timeouts: { total: "10 seconds" } }))
        yield* eventually(hasText(events), "no text came")
        yield* timesOut(fiber, "total", "9 seconds", "1 seconds")
      })
    )

    it.live("TR-06 pings are life between tokens", () =>
      Effect.gen(function* () {
        const server = yield* serve(async (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          await writeSegments(response, [start, text("Hel")])
          for (let n = 0; n < 8; n++) {
            await new Promise((done) => setTimeout(done, 50))
            await writeSegments(response, [ping])
          }
          await writeSegments(response, [text("lo"), finish, close])
          response.end()
        })
        const outcome = yield* run(
          vendor.make({ baseUrl: server.url, timeouts: { idle: "200 millis" } }).stream(plainRequest())
        )
        assert.isUndefined(outcome.error)
        assert.strictEqual(outcome.text, "Hello")
      })
    )

    it.live("TR-06 the reader's own time does not count", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole))
        const stream = vendor.make({ baseUrl: server.url, timeouts: { idle: "50 millis" } }).stream(plainRequest())
        const outcome = yield* run(Stream.tap(stream, () => Effect.sleep("80 millis")))
        assert.isUndefined(outcome.error)
        assert.strictEqual(outcome.text, "Hello")
      })
    )
  })

  describe("failures", () => {
    const answerWith = Effect.fnUntraced(function* (
      status: number,
      body: unknown,
      headers: Record<string, string> = {}
    ) {
      const server = yield* serve((response) => {
        response.writeHead(status, { "content-type": "application/json", ...headers })
        response.end(typeof body === "string" ? body : JSON.stringify(body))
      })
      const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
      assert.strictEqual(server.received.length, 1, "physical requests")
      return outcome.error
    })
    const said = (message: string, more: Record<string, unknown> = {}) => ({
      type: "error",
      error: { message, ...more }
    })

    it.live.each([
      [401, said("bad key", { type: "authentication_error" }), "Unauthorized", false],
      [403, said("not yours"), "Unauthorized", false],
      [402, said("pay first"), "QuotaExhausted", false],
      [429, said("slow down", { type: "rate_limit_error" }), "RateLimited", true],
      [429, said("pay", { code: "insufficient_quota" }), "QuotaExhausted", false],
      [400, said("This model's maximum context length is 8 tokens"), "ContextOverflow", false],
      [400, said("too long", { code: "context_length_exceeded" }), "ContextOverflow", false],
      [
        400,
        said("prompt is too long: 9 tokens > 8 maximum", { type: "invalid_request_error" }),
        "ContextOverflow",
        false
      ],
      [400, said("filtered", { code: "content_filter" }), "Refused", false],
      [400, said("bad parameter"), "InvalidRequest", false],
      [404, said("no such model"), "InvalidRequest", false],
      [422, { detail: "unprocessable" }, "InvalidRequest", false],
      [500, said("oops"), "ProviderUnavailable", true],
      [502, "<html><title>502 Bad Gateway</title></html>", "ProviderUnavailable", true],
      [503, "", "ProviderUnavailable", true],
      [529, said("Overloaded", { type: "overloaded_error" }), "ProviderUnavailable", true]
    ] as const)("TR-01 HTTP %j %j is one request and %s", ([status, body, tag, retryable]) =>
      Effect.gen(function* () {
        const error = yield* answerWith(status, body)
        const reason = expectReason(error, tag)
        assert.strictEqual(reason.status, status)
        assert.strictEqual(error?.isRetryable, retryable)
        const words = typeof body === "string" ? body : "detail" in body ? body.detail : body.error.message
        assert.include(reason.detail, words)
      })
    )

    it.live("Retry-After is read in seconds, in milliseconds and as a date", () =>
      Effect.gen(function* () {
        const after = Effect.fnUntraced(function* (status: number, headers: Record<string, string>) {
          return (yield* answerWith(status, said("wait"), headers))?.retryAfterMillis
        })
        assert.strictEqual(yield* after(429, { "retry-after": "2" }), 2000)
        assert.strictEqual(yield* after(429, { "retry-after": "9", "retry-after-ms": "150" }), 150)
        assert.strictEqual(yield* after(503, { "retry-after": "1.5" }), 1500)
        const date = new Date(Date.now() + 60_000).toUTCString()
        const millis = (yield* after(429, { "retry-after": date })) ?? 0
        assert.isAbove(millis, 50_000)
        assert.isAtMost(millis, 60_000)
        assert.isUndefined(yield* after(429, {}))
        assert.isUndefined(yield* after(429, { "retry-after": "soon" }))
      })
    )

    it.live("a redirect is not followed, and the error names the target", () =>
      Effect.gen(function* () {
        const other = yield* serve(sse(whole))
        const error = yield* answerWith(307, "", { location: `${other.url}/v2` })
        const reason = expectReason(error, "InvalidRequest")
        assert.include(reason.detail, `${other.url}/v2`)
        assert.strictEqual(other.received.length, 0)
      })
    )

    it.live("a closed port is Unreachable", () =>
      Effect.gen(function* () {
        const server = yield* Effect.scoped(serve(() => {}))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.include(expectReason(outcome.error, "Unreachable").detail, "ECONNREFUSED")
      })
    )

    it.live("a base URL that is none is Unreachable", () =>
      Effect.gen(function* () {
        const outcome = yield* run(vendor.make({ baseUrl: "nowhere" }).stream(plainRequest()))
        expectReason(outcome.error, "Unreachable")
      })
    )

    it.live("a connection that breaks before the response is ConnectionLost", () =>
      Effect.gen(function* () {
        const server = yield* serve((response) => void response.socket?.resetAndDestroy())
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        expectReason(outcome.error, "ConnectionLost")
      })
    )

    it.live("an answer that is not HTTP is Malformed", () =>
      Effect.gen(function* () {
        const server = yield* serve((response) => void response.socket?.end("SSH-2.0-OpenSSH_9.7\r\n"))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.include(expectReason(outcome.error, "Malformed").detail, "not HTTP")
      })
    )

    it.live("a connection that breaks inside the answer is ConnectionLost", () =>
      Effect.gen(function* () {
        const server = yield* serve(async (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          await writeSegments(response, [start, text("Hel")])
          response.socket?.resetAndDestroy()
        })
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.strictEqual(outcome.text, "Hel")
        expectReason(outcome.error, "ConnectionLost")
      })
    )

    it.live("a web page is Malformed and quoted", () =>
      Effect.gen(function* () {
        const error = yield* answerWith(200, `<!doctype html><title>Welcome</title>${"x".repeat(9999)}`, {
          "content-type": "text/html"
        })
        const { detail } = expectReason(error, "Malformed")
        assert.include(detail, "<!doctype html><title>Welcome</title>")
        assert.isBelow(detail.length, 200)
      })
    )

    it.live("an event that is not JSON is Malformed, and at most 120 characters of it are quoted", () =>
      Effect.gen(function* () {
        const server = yield* serve(
          sse([start, `event: message_delta\ndata: <oops>${"y".repeat(5000)}\n\n`, finish, close])
        )
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        const { detail } = expectReason(outcome.error, "Malformed")
        assert.include(detail, "<oops>yyy")
        assert.isBelow(detail.length, 160)
      })
    )

    it.live("TR-07 an answer that the end of the body cuts inside an event is Incomplete", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start, text("Hel"), text("lo").slice(0, -9)]))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.strictEqual(outcome.text, "Hel")
        expectReason(outcome.error, "Incomplete")
      })
    )

    it.live("TR-07 an end between two events, without a finish reason, is Incomplete and no answer", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse([start, text("Hel"), text("lo")]))
        const outcome = yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.strictEqual(outcome.text, "Hello")
        expectReason(outcome.error, "Incomplete")
        const response = yield* Agent.make({}).pipe(
          Agent.input("hi"),
          Agent.run,
          Effect.provide(vendor.layer({ baseUrl: server.url })),
          Effect.flip
        )
        assert.strictEqual(response._tag, "ModelError")
      })
    )

    it.live("TR-07 an empty body is Incomplete", () =>
      Effect.gen(function* () {
        const error = yield* answerWith(200, "", { "content-type": "text/event-stream" })
        expectReason(error, "Incomplete")
      })
    )
  })

  describe("secrets", () => {
    const secret = "sk-secret-0123456789abcdef"
    const header = "hdr-secret-9876543210fedcba"
    const everywhere = (error: ModelError): string =>
      [
        error.message,
        String(error),
        error.stack,
        inspect(error, { depth: null, showHidden: true }),
        JSON.stringify(error),
        JSON.stringify(Schema.encodeSync(ModelError)(error))
      ].join("\n")

    it.live("are sent, and stay out of errors where the server repeats them", () =>
      Effect.gen(function* () {
        const repeated = JSON.stringify({ error: { message: `bad key ${secret} and ${header}`, code: secret } })
        const server = yield* serve(async (response, _, ordinal) => {
          if (ordinal === 0) {
            response.writeHead(401, { "content-type": "application/json" })
            response.end(repeated)
          } else {
            response.writeHead(200, { "content-type": "text/event-stream" })
            if (ordinal === 1) response.end(`event: error\ndata: ${repeated}\n\n`)
            if (ordinal === 2) response.end(`event: message_start\ndata: ${secret}\n\n`)
            if (ordinal === 3) response.end(`${secret} is not an event`)
          }
        })
        const provider = vendor.make({
          baseUrl: server.url,
          apiKey: Redacted.make(secret),
          headers: { "x-more": Redacted.make(header), "x-plain": "plain" }
        })
        for (let n = 0; n < 4; n++) {
          const { error } = yield* run(provider.stream(plainRequest()))
          assert.isDefined(error)
          assert.notInclude(everywhere(error), secret)
          assert.notInclude(everywhere(error), header)
          assert.include(error.message, "<redacted>")
        }
        const [name, value] = vendor.keyHeader(secret)
        assert.strictEqual(server.received[0]?.headers[name], value)
        assert.strictEqual(server.received[0]?.headers["x-more"], header)
        assert.strictEqual(server.received[0]?.headers["x-plain"], "plain")
      })
    )

    it.live("stay out of errors where the key cannot stand in a header", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole))
        const broken = `${secret}\nnext line`
        const { error } = yield* run(
          vendor.make({ baseUrl: server.url, apiKey: Redacted.make(broken) }).stream(plainRequest())
        )
        assert.isDefined(error)
        assert.notInclude(everywhere(error), secret)
        assert.strictEqual(server.received.length, 0)
      })
    )

    it.live("stay out of errors where they stand in the base URL or in a header of two words", () =>
      Effect.gen(function* () {
        const server = yield* serve((response) => {
          response.writeHead(400, { "content-type": "application/json" })
          response.end(JSON.stringify({ error: { message: `what is ${header}?` } }))
        })
        const more = { authorization: Redacted.make(`Basic ${header}`) }
        const repeated = yield* run(vendor.make({ baseUrl: server.url, headers: more }).stream(plainRequest()))
        const inUrl = yield* run(vendor.make({ baseUrl: `http://user:${secret}@127.0.0.1:1` }).stream(plainRequest()))
        for (const { error } of [repeated, inUrl]) {
          assert.isDefined(error)
          assert.notInclude(everywhere(error), header)
          assert.notInclude(everywhere(error), secret)
        }
      })
    )

    it.live("cannot be seen in the layer, the service or the stream", () =>
      Effect.gen(function* () {
        const layer = vendor.layer({ baseUrl: "http://127.0.0.1:9", apiKey: Redacted.make(secret) })
        const service = yield* Effect.provide(ModelProvider.use(Effect.succeed), layer)
        for (const value of [layer, service, service.stream(plainRequest())]) {
          assert.notInclude(inspect(value, { depth: null, showHidden: true }), secret)
          assert.notInclude(String(JSON.stringify(value)), secret)
        }
      })
    )

    it.live("no key, no credential header", () =>
      Effect.gen(function* () {
        const server = yield* serve(sse(whole))
        yield* run(vendor.make({ baseUrl: server.url }).stream(plainRequest()))
        assert.isUndefined(server.received[0]?.headers["authorization"])
        assert.isUndefined(server.received[0]?.headers["x-api-key"])
      })
    )
  })
}
