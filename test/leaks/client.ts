// Opens, reads and closes 10,000 responses over a real socket in the ways that programs do, and prints what is left
// after 1,000 and after 10,000 of them. Run by leaks.test.ts in a process of its own, with --expose-gc.
import { Effect, Fiber, Layer, ManagedRuntime, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { OpenAICompatible } from "effigent/layers/openai"
import { ModelProvider } from "effigent/services/ModelProvider"
import { setTimeout } from "node:timers/promises"

const baseUrl = process.env["BASE_URL"] ?? ""
const agent = Agent.make({
  output: Schema.Struct({ items: Output.ensure(Schema.Array(Schema.String), "Items") })
}).pipe(Agent.input("go"))

// Counts the provider's streams that are running.
let open = 0
const counted = Layer.effect(
  ModelProvider,
  Effect.map(ModelProvider, (provider) => ({
    ...provider,
    stream: (request) =>
      Stream.suspend(() => {
        open++
        return Stream.ensuring(
          provider.stream(request),
          Effect.sync(() => void open--)
        )
      })
  }))
).pipe(Layer.provide(OpenAICompatible.layer({ model: "m", baseUrl })))
const runtime = ManagedRuntime.make(counted)

const readAll = Agent.run(agent)
const manyReaders = Effect.scoped(
  Effect.gen(function* () {
    const response = yield* Agent.respond(agent)
    yield* Effect.all([Stream.runDrain(response.instant), response.text, Stream.runDrain(response.each("items[*]"))], {
      concurrency: "unbounded"
    })
    yield* Stream.runDrain(response.partial)
  })
)
const leaveEarly = Effect.scoped(
  Effect.gen(function* () {
    const response = yield* Agent.respond(agent)
    yield* Stream.runDrain(Stream.take(response.deltas, 1))
  })
)
const interrupted = Effect.scoped(
  Effect.gen(function* () {
    const response = yield* Agent.respond(agent)
    const reader = yield* Effect.forkChild(Stream.runDrain(response.instant), { startImmediately: true })
    yield* Stream.runDrain(Stream.take(response.deltas, 1))
    yield* Fiber.interrupt(reader)
  })
)
const unread = Effect.scoped(Agent.respond(agent))
const ways = [readAll, manyReaders, leaveEarly, interrupted, unread]

const round = (count: number) =>
  runtime.runPromise(
    Effect.forEach(Array.from({ length: count }), (_, i) => Effect.exit(ways[i % ways.length] ?? readAll), {
      concurrency: 4,
      discard: true
    })
  )

const left = async () => {
  // What finalization registries hold (Node's fetch uses them) goes only after a collection and a turn of the loop.
  for (let i = 0; i < 10; i++) {
    globalThis.gc?.()
    await setTimeout(20)
  }
  return {
    heap: process.memoryUsage().heapUsed,
    sockets: process.getActiveResourcesInfo().filter((resource) => resource.startsWith("TCP")).length,
    streams: open
  }
}

// Compiled code and its feedback are heap too: they settle before the count begins.
await round(4_000)
await left()
await round(1_000)
const before = await left()
await round(9_000)
const after = await left()
await runtime.dispose()
console.log(JSON.stringify({ before, after }))
