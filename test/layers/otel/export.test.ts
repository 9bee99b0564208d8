/** What arrives at a collector over OTLP/HTTP, and what happens where none is there. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Metric, Queue } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { OtlpExporter } from "effect/observability"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { Otel } from "effigent/layers/otel"
import { ScriptedModel } from "effigent/testing"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"

interface Arrived {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

// A collector that keeps what it is sent, and answers as it is told.
const collector = (status = 200) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const arrived = yield* Queue.unbounded<Arrived>()
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          Queue.offerUnsafe(arrived, { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks) })
          response.writeHead(status, { "content-type": "application/json" }).end("{}")
        })
      })
      yield* Effect.promise(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)))
      // A server that listens on a port has such an address.
      const { port } = server.address() as AddressInfo
      return { url: `http://127.0.0.1:${port}`, arrived, server }
    }),
    ({ server }) =>
      Effect.promise(() => {
        server.closeAllConnections()
        return new Promise((done) => server.close(done))
      })
  )

const prompt = "The prompt of Ada Lovelace"
const answer = "An answer for Ada"
const agent = Agent.make({ name: "greeter", model: "small", input: prompt })
const model = ScriptedModel.layer([ScriptedModel.text(answer, { usage: { inputTokens: 20, outputTokens: 5 } })])

// Runs the agent, and gives what has arrived by its path when the program has ended.
const sent = (url: string, arrived: Queue.Queue<Arrived>, options: Partial<Otel.OtlpOptions>) =>
  Effect.gen(function* () {
    const telemetry = Otel.otlp({ url, serviceName: "shop", serviceVersion: "1.2.3", ...options })
    yield* Agent.run(agent).pipe(
      Effect.andThen(Effect.logInfo("done")),
      Effect.provide(Layer.merge(model, telemetry.pipe(Layer.provide(NodeHttpClient.layerUndici)))),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    const all = yield* Queue.clear(arrived)
    return (path: string) => all.filter((request) => request.path === path)
  })

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}
interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<KeyValue>
}
interface Point {
  readonly attributes: ReadonlyArray<KeyValue>
  readonly sum: number
  readonly explicitBounds: ReadonlyArray<number>
}
interface Measured {
  readonly name: string
  readonly unit: string
  readonly histogram: { readonly dataPoints: ReadonlyArray<Point> }
}
interface Sent {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<KeyValue> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
  readonly resourceMetrics: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{ readonly metrics: ReadonlyArray<Measured> }>
  }>
}
// The names of the fields are those of opentelemetry-proto 1.x in JSON; what is not there fails where it is read.
const jsonOf = ({ body }: Arrived): Sent => JSON.parse(body.toString("utf8")) as Sent

const valuesOf = (attributes: ReadonlyArray<KeyValue>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

// What effect says of itself.
const ownOf = (resource: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(resource).filter(([key]) => !key.startsWith("telemetry.sdk.")))

// ------------------------------------------------------------------------------------------- protocol buffers

// Enough of the wire format to read messages by the numbers of their fields, as opentelemetry-proto 1.x has them.
type Field = bigint | Uint8Array
const fieldsOf = (bytes: Uint8Array): Map<number, Array<Field>> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields = new Map<number, Array<Field>>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const read = (wire: number): Field => {
    if (wire === 0) return varint()
    if (wire === 1) return view.getBigUint64((at += 8) - 8, true)
    if (wire === 5) return BigInt(view.getUint32((at += 4) - 4, true))
    assert.strictEqual(wire, 2)
    const length = Number(varint())
    return bytes.subarray((at += length) - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const list = fields.get(tag >> 3) ?? []
    list.push(read(tag & 7))
    fields.set(tag >> 3, list)
  }
  assert.strictEqual(at, bytes.length)
  return fields
}
const messages = (from: Map<number, Array<Field>>, field: number) =>
  (from.get(field) ?? []).map((value) => {
    if (typeof value === "bigint") throw new Error(`field ${field} is no message`)
    return fieldsOf(value)
  })
const bytesOf = (from: Map<number, Array<Field>>, field: number): Buffer => {
  const value = from.get(field)?.[0]
  return Buffer.from(value instanceof Uint8Array ? value : [])
}
const textOf = (from: Map<number, Array<Field>>, field: number) => bytesOf(from, field).toString("utf8")
const doubleOf = (bits: Field | undefined) => {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, typeof bits === "bigint" ? bits : 0n)
  return view.getFloat64(0)
}
// KeyValue { key = 1, value = 2 }; AnyValue { string = 1, bool = 2, int = 3, double = 4, array = 5 }
const attributesOf = (from: Map<number, Array<Field>>, field: number): Record<string, unknown> =>
  Object.fromEntries(
    messages(from, field).map((entry) => {
      const [value] = messages(entry, 2)
      const [number, [raw] = []] = [...(value ?? [])][0] ?? []
      const given =
        number === 1 && value !== undefined
          ? textOf(value, 1)
          : number === 2
            ? raw === 1n
            : number === 3
              ? Number(raw)
              : number === 4
                ? doubleOf(raw)
                : "list"
      return [textOf(entry, 1), given]
    })
  )

describe("OTLP over HTTP", () => {
  it.live("JSON has the names of the protocol's fields, and the resource", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* collector()
      const at = yield* sent(url, arrived, { format: "json", headers: { "x-key": "k1" }, attributes: { region: "eu" } })
      const [traces] = at("/v1/traces")
      if (traces === undefined) return assert.fail("no traces")
      assert.strictEqual(traces.headers["content-type"], "application/json")
      assert.strictEqual(traces.headers["x-key"], "k1")
      const [group] = jsonOf(traces).resourceSpans
      const [chat, whole] = group?.scopeSpans.flatMap(({ spans }) => spans) ?? []
      if (group === undefined || chat === undefined || whole === undefined) return assert.fail("no spans")
      assert.deepStrictEqual(ownOf(valuesOf(group.resource.attributes)), {
        "service.name": "shop",
        "service.version": "1.2.3",
        region: "eu"
      })
      assert.deepStrictEqual([chat.name, whole.name], ["chat small", "invoke_agent greeter"])
      assert.strictEqual(chat.parentSpanId, whole.spanId)
      assert.strictEqual(chat.traceId, whole.traceId)
      assert.match(chat.traceId, /^[0-9a-f]{32}$/)
      assert.match(chat.spanId, /^[0-9a-f]{16}$/)
      assert.deepStrictEqual([chat.kind, whole.kind], [3, 1])
      assert.isTrue(BigInt(chat.startTimeUnixNano) <= BigInt(chat.endTimeUnixNano))
      const attributes = valuesOf(chat.attributes)
      assert.strictEqual(attributes["gen_ai.operation.name"], "chat")
      assert.strictEqual(attributes["gen_ai.usage.input_tokens"], 20)
      assert.deepStrictEqual(attributes["gen_ai.response.finish_reasons"], { values: [{ stringValue: "stop" }] })
    })
  )

  it.live("protocol buffers say the same, field by field", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* collector()
      const at = yield* sent(url, arrived, {})
      const [traces] = at("/v1/traces")
      if (traces === undefined) return assert.fail("no traces")
      assert.strictEqual(traces.headers["content-type"], "application/x-protobuf")
      // ExportTraceServiceRequest.resource_spans = 1; ResourceSpans { resource = 1, scope_spans = 2 }; ScopeSpans.spans = 2
      const [group] = messages(fieldsOf(traces.body), 1)
      if (group === undefined) return assert.fail("no spans")
      const [resource] = messages(group, 1)
      assert.deepStrictEqual(resource && ownOf(attributesOf(resource, 1)), {
        "service.name": "shop",
        "service.version": "1.2.3"
      })
      const [chat, whole] = messages(group, 2).flatMap((scope) => messages(scope, 2))
      if (chat === undefined || whole === undefined) return assert.fail("no spans")
      // Span { trace_id = 1, span_id = 2, parent_span_id = 4, name = 5, kind = 6, start = 7, end = 8, attributes = 9 }
      assert.deepStrictEqual([textOf(chat, 5), textOf(whole, 5)], ["chat small", "invoke_agent greeter"])
      assert.strictEqual(bytesOf(chat, 1).length, 16)
      assert.strictEqual(bytesOf(chat, 2).length, 8)
      assert.deepStrictEqual(bytesOf(chat, 4), bytesOf(whole, 2))
      assert.deepStrictEqual(chat.get(6), [3n])
      assert.isTrue((chat.get(7)?.[0] ?? 1n) <= (chat.get(8)?.[0] ?? 0n))
      const { "gen_ai.response.time_to_first_chunk": first, ...attributes } = attributesOf(chat, 9)
      assert.strictEqual(typeof first, "number")
      assert.deepStrictEqual(attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "small",
        "gen_ai.agent.name": "greeter",
        "gen_ai.request.stream": true,
        "gen_ai.output.type": "text",
        "effigent.attempt": 1,
        "gen_ai.response.finish_reasons": "list",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 5
      })
    })
  )

  it.live("metrics are histograms with the buckets of the conventions", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* collector()
      const at = yield* sent(url, arrived, { format: "json" })
      const [metrics] = at("/v1/metrics")
      if (metrics === undefined) return assert.fail("no metrics")
      const all = jsonOf(metrics).resourceMetrics.flatMap(({ scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) => metrics)
      )
      const units = Object.fromEntries(all.map(({ name, unit }) => [name, unit]))
      assert.deepStrictEqual(units, {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.invoke_agent.duration": "s"
      })
      const usage = all.find(({ name }) => name === "gen_ai.client.token.usage")
      const points = usage?.histogram.dataPoints ?? []
      assert.deepStrictEqual(
        points.map(({ attributes, sum }) => [valuesOf(attributes)["gen_ai.token.type"], sum]),
        [
          ["input", 20],
          ["output", 5]
        ]
      )
      assert.deepStrictEqual(points[0] && valuesOf(points[0].attributes), {
        unit: "{token}",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "small",
        "gen_ai.token.type": "input"
      })
      assert.deepStrictEqual(points[0]?.explicitBounds.slice(0, 4), [1, 4, 16, 64])
    })
  )

  it.live("nothing of what was said is in any byte, unless it is asked for", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* collector()
      for (const format of ["json", "protobuf"] as const) {
        const at = yield* sent(url, arrived, { format })
        const bytes = Buffer.concat(["/v1/traces", "/v1/metrics", "/v1/logs"].flatMap(at).map(({ body }) => body))
        assert.isAbove(bytes.length, 500)
        assert.isFalse(bytes.includes("Ada"))
        const captured = yield* sent(url, arrived, { format, capture: { prompts: true, answers: true } })
        const more = Buffer.concat(captured("/v1/traces").map(({ body }) => body))
        assert.isTrue(more.includes(prompt))
        assert.isTrue(more.includes(answer))
      }
    })
  )

  it.live("logs of the program are sent with the trace that they belong to", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* collector()
      const at = yield* sent(url, arrived, { format: "json" })
      const [logs] = at("/v1/logs")
      if (logs === undefined) return assert.fail("no logs")
      assert.include(logs.body.toString(), '"stringValue":"done"')
    })
  )

  it.live("is configured by the environment, and switched off by it", () =>
    Effect.gen(function* () {
      const { arrived, url } = yield* collector()
      const run = (env: Record<string, string>) =>
        Agent.run(agent).pipe(
          Effect.provide(
            Layer.merge(model, Otel.fromConfig({ serviceName: "shop" }).pipe(Layer.provide(NodeHttpClient.layerUndici)))
          ),
          Effect.provideService(Metric.MetricRegistry, new Map()),
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
          Effect.andThen(Queue.clear(arrived))
        )
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "none" }
      const on = yield* run(env)
      assert.deepStrictEqual(
        on.map(({ path }) => path),
        ["/v1/traces"]
      )
      const off = yield* run({ ...env, OTEL_SDK_DISABLED: "true" })
      assert.deepStrictEqual(off, [])
    })
  )
})

describe("a collector that is not well", () => {
  it.live("one that is away neither fails nor holds up the program", () =>
    Effect.gen(function* () {
      const { arrived, server, url } = yield* collector()
      yield* Effect.promise(() => new Promise((done) => server.close(done)))
      const at = Date.now()
      yield* sent(url, arrived, { shutdownTimeout: 200 })
      assert.isBelow(Date.now() - at, 3_000)
    })
  )

  // A client whose requests are answered as the test says; counts those that are under way.
  const fake = (answer: Effect.Effect<number>) => {
    const state = { requests: 0, underWay: 0, most: 0 }
    const client = HttpClient.make((request) =>
      Effect.suspend(() => {
        state.requests++
        state.most = Math.max(state.most, ++state.underWay)
        return Effect.ensuring(
          Effect.map(answer, (status) => HttpClientResponse.fromWeb(request, new Response("{}", { status }))),
          Effect.sync(() => state.underWay--)
        )
      })
    )
    return { state, layer: Layer.succeed(HttpClient.HttpClient, client) }
  }

  const flood = (layer: Layer.Layer<HttpClient.HttpClient>) =>
    Effect.gen(function* () {
      const spans = Effect.forEach(Array.from({ length: 100 }), () => Effect.withSpan(Effect.void, "one"), {
        discard: true
      })
      for (let second = 0; second < 300; second++) {
        yield* spans
        yield* TestClock.adjust("1 second")
      }
      const flusher = yield* OtlpExporter.Flusher
      yield* flusher.flush
    }).pipe(
      Effect.provide(
        Otel.otlp({ url: "http://collector", serviceName: "shop", maxBatchSize: 10, maxBatches: 4 }).pipe(
          Layer.provide(layer)
        )
      ),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )

  it.effect("S78 one that never answers has so many batches under way, and no more", () =>
    Effect.gen(function* () {
      const { layer, state } = fake(Effect.never)
      yield* flood(layer)
      assert.isAtMost(state.most, 4)
      // 3,000 batches were made. Each minute some are tried.
      assert.isBelow(state.requests, 60)
      assert.isAbove(state.requests, 4)
    })
  )

  it.effect("one that refuses is asked no more than now and then", () =>
    Effect.gen(function* () {
      const { layer, state } = fake(Effect.succeed(503))
      yield* flood(layer)
      assert.isBelow(state.requests, 120)
    })
  )

  it.effect("one that gets well is sent to again", () =>
    Effect.gen(function* () {
      let seen = 0
      let arrived = 0
      const { layer } = fake(
        Effect.sync(() => {
          // Ill for the first dozen of requests.
          if (++seen <= 12) return 503
          arrived++
          return 200
        })
      )
      yield* flood(layer)
      assert.isAbove(arrived, 1_000)
    })
  )
})
