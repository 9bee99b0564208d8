/** What a log says of runs that are left at work when the root ends, and that no reader of a log sleeps through its end. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Latch, Layer, Scheduler, Stream } from "effect"
import { Agent } from "effigent"
import { ModelProvider } from "effigent/services/ModelProvider"
import { Runs } from "effigent/run"
import { Log } from "../../src/run/Log.ts"

const begun = Effect.map(Latch.make(false), (asked) => ({
  asked,
  layer: Layer.succeed(ModelProvider, {
    name: "hanging",
    stream: () =>
      Stream.concat(
        Stream.make({ _tag: "Text", text: "so far" } as const),
        Stream.fromEffect(Effect.andThen(asked.open, Effect.never))
      )
  })
}))

const inner = Agent.make({ name: "inner", input: "Hello" })

const ends = (events: ReadonlyArray<{ readonly agent?: string; readonly event: { readonly _tag: string } }>) =>
  events.flatMap(({ agent, event }) => (/^Run(?!Started)/.test(event._tag) ? [`${agent} ${event._tag}`] : []))

describe("runs that are left at work", () => {
  it.effect("by a root that is cancelled end before it, as cancelled", () =>
    Effect.gen(function* () {
      const { asked, layer } = yield* begun
      const job = Effect.andThen(Effect.forkChild(Agent.run(inner)), Effect.never).pipe(Effect.provide(layer))
      const run = yield* Runs.start(job, { name: "outer" })
      yield* asked.await
      yield* run.cancel("enough")
      const events = yield* Stream.runCollect(run.events())
      assert.deepStrictEqual(ends(events), ["inner RunCancelled", "outer RunCancelled"])
      const { runs } = yield* run.snapshot
      assert.deepStrictEqual(
        runs.map(({ reason, status, text }) => [status, reason, text]),
        [
          ["cancelled", "enough", ""],
          ["cancelled", "enough", "so far"]
        ]
      )
    })
  )

  it.effect("by a root that completes are not said to run for ever", () =>
    Effect.gen(function* () {
      const { asked, layer } = yield* begun
      const job = Effect.andThen(Effect.forkChild(Agent.run(inner)), asked.await).pipe(Effect.provide(layer))
      const run = yield* Runs.start(job, { name: "outer" })
      const events = yield* Stream.runCollect(run.events())
      assert.deepStrictEqual(ends(events), ["inner RunCancelled", "outer RunCompleted"])
      assert.deepStrictEqual(
        events.map(({ sequence }) => sequence),
        events.map((_, index) => index + 1)
      )
    })
  )
})

describe("runs in the background", () => {
  it.effect("whose asker is interrupted at any step are either not at work or can be found", () =>
    Effect.gen(function* () {
      for (let steps = 0; steps < 120; steps++) {
        let atWork = 0
        const job = Effect.andThen(
          Effect.sync(() => void atWork++),
          Effect.never
        )
        const asking = yield* Runs.background(job, { id: `${steps}` }).pipe(
          // Other fibers get their turn after every few steps.
          Effect.provideService(Scheduler.MaxOpsBeforeYield, 3),
          Effect.forkChild({ startImmediately: true })
        )
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        yield* Fiber.interrupt(asking)
        for (let step = 0; step < 100; step++) yield* Effect.yieldNow
        const known = (yield* Runs.list).filter(({ id }) => id === `${steps}`)
        assert.strictEqual(known.length, atWork, `interrupted after ${steps} steps`)
        yield* Effect.forEach(known, (run) => run.cancel())
      }
    }).pipe(Effect.provide(Runs.layer()))
  )
})

describe("readers", () => {
  it.effect("may cancel the run from within what they read", () =>
    Effect.gen(function* () {
      const { layer } = yield* begun
      const run = yield* Runs.start(Agent.provideModel(inner, layer))
      const seen: Array<string> = []
      yield* Stream.runForEach(run.events(), ({ event }) => {
        seen.push(event._tag)
        return event._tag === "Text" ? run.cancel("read enough") : Effect.void
      })
      assert.deepStrictEqual(seen, ["RunStarted", "ModelRequested", "Text", "ModelAnswered", "RunCancelled"])
    })
  )

  it.effect("see the end of a run wherever it comes between two steps of theirs", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      for (let steps = 0; steps < 60; steps++) {
        const log = new Log("r", clock, 10)
        const reader = yield* Stream.runCollect(log.read()).pipe(
          // Another fiber gets its turn after every step.
          Effect.provideService(Scheduler.MaxOpsBeforeYield, 3),
          Effect.forkChild({ startImmediately: true })
        )
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        log.rootNode("a").publish({ _tag: "RunCompleted", usage: {} })
        for (let step = 0; step < 500 && reader.pollUnsafe() === undefined; step++) yield* Effect.yieldNow
        assert.isDefined(reader.pollUnsafe(), `the reader sleeps: the end came after ${steps} steps`)
        yield* Fiber.interrupt(reader)
      }
    })
  )
})
