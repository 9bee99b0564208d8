// A secret goes to the endpoint and nowhere else: not into logs, spans, errors, events, configuration errors or
// cassettes, even where the endpoint repeats it.
import { assert, describe, it } from "@effect/vitest"
import { inspect } from "node:util"
import {
  Cause,
  ConfigProvider,
  Effect,
  Exit,
  FileSystem,
  Layer,
  Logger,
  References,
  Schedule,
  Stream,
  Tracer
} from "effect"
import { Agent } from "effigent"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { OpenAICompatible } from "effigent/layers/openai"
import { ModelPool } from "effigent/layers/pool"
import { ModelError } from "effigent/services/ModelError"
import { ModelProvider } from "effigent/services/ModelProvider"
import { Cassette } from "effigent/testing"
import { type Answer, serve } from "../wire/Server.ts"

const secrets = {
  KEY_A: "sk-aaaaaaaa-first-secret",
  KEY_B: "sk-bbbbbbbb-second-secret",
  KEY_C: "sk-cccccccc-third-secret",
  TOKEN: "token-dddddddd-header-secret"
}

const settings = (url: string) => ({
  providers: {
    openai: {
      baseUrl: `${url}/v1`,
      headers: { "x-gateway": "Bearer ${ENV.TOKEN}" },
      keys: {
        selection: "fixed",
        failover: { on: [401, 429], attempts: 2 },
        keys: [
          { id: "a", key: "${ENV.KEY_A}" },
          { id: "b", key: "${ENV.KEY_B}" }
        ]
      },
      limits: { concurrency: 2, circuit: { failures: 50 } }
    },
    anthropic: { baseUrl: url, apiKey: "${ENV.KEY_C}", headers: { "x-gateway": "Bearer ${ENV.TOKEN}" } }
  },
  models: {
    fast: { provider: "openai", model: "m1", retry: { attempts: 4, firstDelay: 1, maxDelay: "2 millis" } },
    large: { provider: "anthropic", model: "m2" }
  },
  default: "fast",
  fallback: { error: ["large"], rateLimit: ["large"] }
})

const vendors = { openai: OpenAICompatible.layer, anthropic: AnthropicCompatible.layer }

// An endpoint that says all that it knows.
const gossip =
  (statuses: ReadonlyArray<number>): Answer =>
  (response, request, ordinal) => {
    const status = statuses[ordinal] ?? 503
    const { authorization, "x-api-key": key, "x-gateway": gateway } = request.headers
    const said = JSON.stringify({ authorization, key, gateway })
    if (status === 200) {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(
        `data: ${JSON.stringify({ id: "c1", model: "m", choices: [{ index: 0, delta: { content: "fine" }, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`
      )
      return
    }
    if (status === 0) {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(`data: {"error":{"message":${JSON.stringify(`overloaded ${said}`)},"code":"overloaded"}}\n\n`)
      return
    }
    response.writeHead(status, { "content-type": "application/json", "retry-after-ms": "1" })
    response.end(JSON.stringify({ error: { message: `refused ${said}`, type: `type ${said}`, code: "rate_limit" } }))
  }

// Everything that a program, a log or a person could get to see of a run.
const watch = Effect.fnUntraced(function* (statuses: ReadonlyArray<number>) {
  const server = yield* serve(gossip(statuses))
  const seen: Array<unknown> = []
  const files = new Map<string, string>()
  const disk = FileSystem.layerNoop({
    exists: () => Effect.succeed(false),
    writeFileString: (path, text) => Effect.sync(() => void files.set(path, text))
  })
  const logger = Logger.make((entry) => {
    seen.push(Logger.formatJson.log(entry), entry.message, entry.cause, Cause.pretty(entry.cause))
  })
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const pool = ModelPool.fromValue(settings(server.url), vendors)
  const layer = Cassette.record("outer.json").pipe(
    Layer.provide(ModelPool.retry({ attempts: 6, schedule: Schedule.spaced(1) })),
    Layer.provideMerge(pool)
  )
  const program = Effect.gen(function* () {
    seen.push(yield* ModelProvider)
    const response = yield* Agent.respond(Agent.make({ input: "go" }))
    const events: Array<unknown> = []
    const exit = yield* Stream.runForEach(response.events("all"), (event) =>
      Effect.sync(() => void events.push(event))
    ).pipe(Effect.exit)
    seen.push(...events, exit)
    yield* Effect.logError("it ended", exit)
    if (Exit.isFailure(exit)) {
      yield* Effect.logError("it failed", exit.cause)
      seen.push(Cause.pretty(exit.cause), Cause.squash(exit.cause))
      const error = Cause.squash(exit.cause)
      if (error instanceof ModelError) seen.push(error.message, error.stack, error.toString(), error.others)
    }
    return yield* exit
  })
  const exit = yield* program.pipe(
    Effect.scoped,
    Effect.withSpan("run"),
    Effect.provide(layer),
    Effect.exit,
    Effect.provide(disk),
    Effect.withTracer(tracer),
    Effect.provideService(References.MinimumLogLevel, "All"),
    Effect.provide(Logger.layer([logger])),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: secrets })))
  )
  const all = [
    ...seen.flatMap((one) => [inspect(one, { depth: 20, showHidden: true }), JSON.stringify(one), String(one)]),
    ...spans.map((span) => inspect([span.name, span.attributes, span.events, span.status], { depth: 20 })),
    ...files.values()
  ].join("\n")
  return { all, exit, server, spans, files }
})

const check = Effect.fnUntraced(function* (statuses: ReadonlyArray<number>) {
  const run = yield* watch(statuses)
  // The watch sees: the log, the span and the cassette are there, and the endpoint was given the keys.
  assert.include(run.all, "it ended")
  assert.deepStrictEqual(
    run.spans.map((span) => span.name),
    ["run"]
  )
  assert.strictEqual(run.files.size, 1)
  const received = JSON.stringify(run.server.received)
  assert.include(received, secrets.KEY_A)
  assert.include(received, secrets.TOKEN)
  for (const secret of Object.values(secrets)) {
    const at = run.all.indexOf(secret)
    assert.strictEqual(at, -1, run.all.slice(Math.max(0, at - 200), at + 60))
  }
  return run
})

describe("secrets", () => {
  it.live("stay out of everything when the answer comes after refusals, a broken stream and busy replies", () =>
    Effect.gen(function* () {
      const { all, exit, server } = yield* check([429, 429, 503, 200])
      assert.isTrue(Exit.isSuccess(exit))
      assert.include(all, "<redacted>")
      assert.strictEqual(server.received.length, 4)
      assert.include(JSON.stringify(server.received), secrets.KEY_B)
    })
  )

  it.live("stay out of errors in mid-stream and of the fall-back's", () =>
    Effect.gen(function* () {
      const { exit, server } = yield* check([0, 503, 503, 503, 503, 503, 503])
      assert.isTrue(Exit.isFailure(exit))
      assert.include(JSON.stringify(server.received), secrets.KEY_C)
    })
  )

  it.live("stay out of the error when the key is refused", () =>
    Effect.gen(function* () {
      const { exit } = yield* check([401, 401])
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, ModelError)
      assert.strictEqual(error.reason._tag, "Unauthorized")
      assert.strictEqual(error.others?.length, 1)
    })
  )
})
