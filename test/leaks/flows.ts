// Runs executions of a flow in the ways that executions end, and prints what is left before and after 100,000 of them,
// when compiled code has settled. Run by flows.test.ts in a process of its own, with --expose-gc.
import { Effect, Fiber, Schema, Stream } from "effect"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import { setTimeout } from "node:timers/promises"

const Go = Signal.make("Go", Schema.Number)
const Approval = Interrupt.make("Approval", { payload: Schema.Number, resume: Schema.Boolean })
const Three = TriggerFlow.define("three", {
  input: Schema.Literals(["plain", "fail", "forever", "ask"]),
  state: Schema.Struct({ seen: Schema.Array(Schema.Number) }),
  initial: { seen: [] },
  stream: Schema.Number,
  result: Schema.Number,
  signals: [Go],
  interrupts: [Approval]
})
const three = Three.build(
  Three.start.pipe(
    Chain.to("one", (how, run) => Effect.as(run.emit(Go, 1), how)),
    Chain.to("two", (how, run) =>
      Effect.gen(function* () {
        if (how === "fail") return yield* Effect.fail("broken")
        if (how === "forever") return yield* Effect.never
        if (how === "ask") return yield* run.pause(Approval, 1, { id: "it" })
        return true
      })
    ),
    Chain.to("three", (_, run) => Effect.as(run.put(3), 3)),
    Chain.result
  ),
  Three.on(Go).pipe(Chain.to("note", (n, run) => run.state.append("seen", n)))
)

const answered = Effect.scoped(
  Effect.gen(function* () {
    const execution = yield* TriggerFlow.open(three, "ask")
    yield* execution.answer(Approval, true, { id: "it" })
    yield* execution.emit(Go, 2)
    return yield* execution.close()
  })
)
const left = Effect.scoped(TriggerFlow.open(three, "ask"))
const interrupted = Effect.gen(function* () {
  const fiber = yield* Effect.forkChild(TriggerFlow.run(three, "forever"), { startImmediately: true })
  yield* Fiber.interrupt(fiber)
})
const ways: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
  TriggerFlow.run(three, "plain"),
  Effect.exit(TriggerFlow.run(three, "fail")),
  Stream.runDrain(TriggerFlow.runStream(three, "plain")),
  answered,
  left,
  interrupted
]

const round = (count: number) =>
  Effect.runPromise(
    Effect.forEach(
      Array.from({ length: count }, (_, index) => index),
      (index) => Effect.exit(ways[index % ways.length] ?? answered),
      { concurrency: 100, discard: true }
    )
  )

const heap = async () => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.()
    await setTimeout(10)
  }
  return process.memoryUsage().heapUsed
}

// Compiled code and its feedback are heap too: they settle, over some collections, before the count begins.
for (let i = 0; i < 5; i++) {
  await round(40_000)
  await heap()
}
const before = await heap()
await round(100_000)
const after = await heap()
console.log(JSON.stringify({ before, after }))
