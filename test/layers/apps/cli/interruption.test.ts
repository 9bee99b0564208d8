// Who hears of a signal: the innermost one that waits for it, once.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { Interruption, Listeners, stoppable } from "../../../../layers/apps/cli/Interruption.ts"

const waiting = (listeners: Listeners) =>
  Effect.forkChild(listeners.next("SIGINT", "SIGTERM"), { startImmediately: true })

describe("signals", () => {
  it.effect("who has heard of a signal takes none from others: the next one is for whoever stands around", () =>
    Effect.gen(function* () {
      const listeners = new Listeners()
      const outer = yield* waiting(listeners)
      const inner = yield* waiting(listeners)
      assert.isTrue(listeners.tell("SIGTERM"))
      yield* Fiber.await(inner)
      assert.isUndefined(outer.pollUnsafe())
      assert.isTrue(listeners.tell("SIGTERM"))
      yield* Fiber.await(outer)
      // Nobody waits any more, though both are done and not interrupted: the command itself is to be interrupted now.
      assert.isFalse(listeners.tell("SIGTERM"))
      assert.isFalse(listeners.tell("SIGINT"))
    })
  )

  it.effect("a signal that nobody waits for any more is not heard, and takes nobody else's place", () =>
    Effect.gen(function* () {
      const listeners = new Listeners()
      const first = yield* waiting(listeners)
      const second = yield* waiting(listeners)
      yield* Fiber.interrupt(first)
      assert.isTrue(listeners.tell("SIGINT"))
      yield* Fiber.await(second)
      assert.isFalse(listeners.tell("SIGINT"))
    })
  )

  it.effect("what Ctrl-C has stopped leaves nothing behind", () =>
    Effect.gen(function* () {
      const listeners = new Listeners()
      const fiber = yield* stoppable(Effect.never).pipe(
        Effect.provideService(Interruption, listeners),
        Effect.forkChild({ startImmediately: true })
      )
      assert.isTrue(listeners.tell("SIGINT"))
      assert.deepStrictEqual(yield* Fiber.join(fiber), Option.none())
      assert.isFalse(listeners.tell("SIGINT"))
    })
  )
})
