import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { ExecutionHost, type FlowRunner, UnknownExecution } from "effigent/services/ExecutionHost"
import { ExecutionHostConformance } from "effigent/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import * as Runner from "../../../src/triggerflow/hosting/Runner.ts"

describe("ExecutionHosts.inProcess", () => {
  for (const one of ExecutionHostConformance.cases) {
    it.effect(one.name, () =>
      ExecutionHost.use((host) => one.run("in process", host)).pipe(Effect.provide(ExecutionHosts.inProcess()))
    )
  }
})

describe("ExecutionHosts.inProcess, against its types", () => {
  it.effect("when a registration ends, its executions are cancelled", () =>
    Effect.gen(function* () {
      const Stay = TriggerFlow.define("stay", { input: Schema.Int })
      const stay = Stay.build(Stay.start.pipe(Chain.to("stay", () => Effect.never)))
      const host = yield* ExecutionHost
      yield* Effect.scoped(
        Effect.andThen(
          Effect.flatMap(Runner.make(stay), (runner) => host.register(runner)),
          host.start({ flow: "stay", input: 1, id: "a" })
        )
      )
      assert.strictEqual((yield* host.get("a")).status, "cancelled")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )

  it.effect("an input that is no JSON is a typed failure of that start alone", () =>
    Effect.gen(function* () {
      const host = yield* ExecutionHost
      yield* host.register(
        yield* Runner.make(TriggerFlow.define("any", { input: Schema.Unknown, result: Schema.Unknown }).build())
      )
      const circular: { [key: string]: unknown } = {}
      circular["self"] = circular
      for (const input of [circular, { big: 12n }, undefined]) {
        const error = yield* Effect.flip(host.start({ flow: "any", input: input as never, id: "a" }))
        assert.include(["ExecutionHostError", "FlowFailed"], error._tag)
      }
      assert.strictEqual(yield* host.start({ flow: "any", input: { z: 1, a: [{ c: 1, b: 2 }] }, id: "a" }), "a")
      // The order of keys is no difference.
      assert.strictEqual(yield* host.start({ flow: "any", input: { a: [{ b: 2, c: 1 }], z: 1 }, id: "a" }), "a")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )
})

// Opening takes a while where an execution is loaded from somewhere.
describe("ExecutionHosts.inProcess, while an execution is being opened", () => {
  const Wait = TriggerFlow.define("wait", { input: Schema.Int })

  const slow = Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const begun = yield* Deferred.make<void>()
    const log: Array<string> = []
    const runner = yield* Runner.make(
      Wait.build(
        Wait.start.pipe(
          Chain.to("wait", (n) => {
            log.push(`run ${n}`)
            return Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("stopped")))
          })
        )
      )
    )
    const opening: FlowRunner = {
      ...runner,
      open: (request) =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(Deferred.await(gate)),
          Effect.andThen(Effect.suspend(() => runner.open(request)))
        )
    }
    return { gate, begun, log, opening, host: yield* ExecutionHost }
  })
  const request = { flow: "wait", input: 1, id: "w" }

  it.effect("a second start waits and joins", () =>
    Effect.gen(function* () {
      const { begun, gate, host, log, opening } = yield* slow
      yield* host.register(opening)
      const first = yield* Effect.forkChild(host.start(request), { startImmediately: true })
      yield* Deferred.await(begun)
      const second = yield* Effect.forkChild(host.start(request), { startImmediately: true })
      assert.isUndefined(second.pollUnsafe())
      // It is not there yet.
      assert.deepStrictEqual((yield* host.list()).executions, [])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], ["w", "w"])
      assert.deepStrictEqual(log, ["run 1"])
      yield* host.cancel("w")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )

  it.effect("everybody is told that it was refused, and the id is free again", () =>
    Effect.gen(function* () {
      const { begun, gate, host, opening } = yield* slow
      yield* host.register(opening)
      const bad = { ...request, input: "one" }
      const first = yield* Effect.forkChild(Effect.flip(host.start(bad)), { startImmediately: true })
      yield* Deferred.await(begun)
      const second = yield* Effect.forkChild(Effect.flip(host.start(bad)), { startImmediately: true })
      const asked = yield* Effect.forkChild(Effect.flip(host.get("w")), { startImmediately: true })
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(first))._tag, "FlowFailed")
      assert.strictEqual((yield* Fiber.join(second))._tag, "FlowFailed")
      assert.instanceOf(yield* Fiber.join(asked), UnknownExecution)
      assert.strictEqual(yield* host.start(request), "w")
      yield* host.cancel("w")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )

  it.effect("who starts it may be interrupted; it is there for the next one", () =>
    Effect.gen(function* () {
      const { begun, gate, host, log, opening } = yield* slow
      yield* host.register(opening)
      const first = yield* Effect.forkChild(host.start(request), { startImmediately: true })
      yield* Deferred.await(begun)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(first), { startImmediately: true })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      assert.strictEqual(yield* host.start(request), "w")
      assert.deepStrictEqual(log, ["run 1"])
      yield* host.cancel("w")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )

  it.effect("who joins may be interrupted at once", () =>
    Effect.gen(function* () {
      const { begun, gate, host, opening } = yield* slow
      yield* host.register(opening)
      const first = yield* Effect.forkChild(host.start(request), { startImmediately: true })
      yield* Deferred.await(begun)
      const second = yield* Effect.forkChild(host.start(request), { startImmediately: true })
      yield* Fiber.interrupt(second)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      yield* host.cancel("w")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )

  it.effect("a registration that ends meanwhile stops it all the same", () =>
    Effect.gen(function* () {
      const { begun, gate, host, log, opening } = yield* slow
      const scope = yield* Scope.make()
      yield* Scope.provide(host.register(opening), scope)
      const first = yield* Effect.forkChild(host.start(request), { startImmediately: true })
      yield* Deferred.await(begun)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      yield* Fiber.join(first)
      assert.deepStrictEqual(log, ["run 1", "stopped"])
      assert.strictEqual((yield* host.get("w")).status, "cancelled")
    }).pipe(Effect.provide(ExecutionHosts.inProcess()))
  )
})
