// 1,000 responses at once against a server that breaks 5 % of them, in rounds. Prints how each round ended and the heap
// after it. Run by load.test.ts in a process of its own, with --expose-gc.
import { Effect, ManagedRuntime, Result, Schema } from "effect"
import { Agent, Output } from "effigent"
import { OpenAICompatible } from "effigent/layers/openai"
import { setTimeout } from "node:timers/promises"

const atOnce = 1_000
const layer = OpenAICompatible.layer({
  model: "m",
  baseUrl: process.env["BASE_URL"] ?? "",
  timeouts: { connect: "20 seconds", firstToken: "20 seconds", idle: "3 seconds" }
})
const runtime = ManagedRuntime.make(layer)

const Answer = Schema.Struct({ id: Schema.Int, items: Output.ensure(Schema.Array(Schema.String), "Items") })
const agent = Agent.make({ output: Answer, maxRetries: 0 })

const round = () =>
  runtime.runPromise(
    Effect.forEach(
      Array.from({ length: atOnce }),
      (_, id) =>
        Effect.map(Effect.result(agent.pipe(Agent.input(`id=${id};`), Agent.run)), (result) => ({ id, result })),
      { concurrency: "unbounded" }
    )
  )

const reports: Array<object> = []
for (let i = 0; i < 5; i++) {
  const results = await round()
  const tally: Record<string, number> = {}
  for (const { id, result } of results) {
    const kind = Result.match(result, {
      onSuccess: (answer) => (answer.id === id && answer.items.length === 2 ? "right" : "wrong"),
      onFailure: (error) => (error._tag === "ModelError" ? error.reason._tag : error._tag)
    })
    tally[kind] = (tally[kind] ?? 0) + 1
  }
  for (let n = 0; n < 10; n++) {
    globalThis.gc?.()
    await setTimeout(20)
  }
  reports.push({ tally, heap: process.memoryUsage().heapUsed })
}
await runtime.dispose()
console.log(JSON.stringify(reports))
