// R8 with crashes: random flows whose runner is killed at random writes, again and again, end as they do undisturbed.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, References, Scope } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { JournalStore } from "effigent/services/JournalStore"
import * as Runners from "../../src/triggerflow/hosting/Runner.ts"
import { fromData } from "../../src/triggerflow/Flow.ts"
import { generate, type Random, randomly } from "../triggerflow/randomFlows.ts"
import { journal, Wire } from "./support.ts"

const programs = Number(process.env["EFFIGENT_DURABLE_PROGRAMS"] ?? 500)
const parts = 4

const sum = (value: unknown): number =>
  typeof value === "number"
    ? value
    : typeof value === "object" && value !== null
      ? Object.values(value).reduce((total: number, item: unknown) => total + sum(item), 0)
      : 0

/** One life of a runner: it has the flow, and answers what it asks, until the execution has closed or the wire is cut. */
const life = (
  wire: Wire,
  flow: Random,
  random: (below: number) => number,
  request: { readonly concurrency: number; readonly snapshotEvery: number; readonly signals: number }
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const layer = ExecutionHosts.durable({ drain: 0, snapshotEvery: request.snapshotEvery, maxTries: 1000 }).pipe(
      Layer.provide(Layer.succeed(JournalStore, wire.store))
    )
    const lived = Effect.gen(function* () {
      const context = yield* Layer.buildWithScope(layer, scope)
      const host = yield* Effect.provideContext(ExecutionHost, context)
      yield* Scope.provide(host.register(yield* Runners.make(flow)), scope)
      const concurrency = request.concurrency === Infinity ? {} : { concurrency: request.concurrency }
      // Every other program is sent signals, by every life of it, and closes once they are there and nothing is left.
      const autoClose = request.signals === 0 ? 0 : 3_600_000
      yield* host.start({ flow: "random", id: "x", input: 4, settings: { ...concurrency, autoClose } })
      for (let n = 0; n < request.signals; n++) {
        for (let turn = random(6); turn >= 0; turn--) yield* Effect.yieldNow
        const sent = host.signal("x", `S${n}`, n + 10, { wait: false, requestId: `r${n}` })
        // It was told in a life before, and has been sealed since.
        yield* Effect.catchTag(sent, "FlowFailed", () => Effect.void)
      }
      if (request.signals > 0) yield* host.seal("x")
      for (;;) {
        const { lifecycle, questions } = yield* host.get("x")
        if (lifecycle === "closed") break
        const one = questions[random(Math.max(1, questions.length))]
        if (one !== undefined)
          yield* Effect.catchTag(host.answer("x", one.id, sum(one.payload) * 3 + 1), "FlowFailed", () => Effect.void)
        for (let turn = random(4); turn >= 0; turn--) yield* Effect.yieldNow
      }
      const { failure, result, state, status } = yield* host.await("x")
      const log = state["log"]
      return { failure: failure?.message, result, log: Array.isArray(log) ? log.toSorted() : log, status }
    })
    const exit = yield* Effect.exit(lived)
    const dead = wire.dead
    wire.dead = true
    yield* Scope.close(scope, Exit.void)
    return { exit, dead }
  })

const torn = Effect.fnUntraced(function* (seed: number) {
  const random = randomly(seed + 9000)
  const flow: Random = fromData(generate(seed))
  const request = {
    concurrency: [1, 2, Infinity][random(3)] ?? 1,
    snapshotEvery: 1 + random(40),
    signals: seed % 2 === 0 ? 0 : 3
  }
  const whole = new Wire(journal())
  const { exit: ended } = yield* life(whole, flow, random, request)
  assert.isTrue(Exit.isSuccess(ended), `seed ${seed}: ${String(ended)}`)
  const writes = whole.count("append") + 4
  const store = journal()
  let crashes = 0
  for (;;) {
    const wire = new Wire(store)
    wire.left = crashes < 6 ? random(writes) : Infinity
    wire.through = random(2) === 0
    const { dead, exit } = yield* life(wire, flow, random, request)
    if (Exit.isSuccess(exit)) {
      assert.deepStrictEqual(exit, ended, `seed ${seed}, behind ${crashes} crashes`)
      return crashes
    }
    assert.isTrue(dead, `seed ${seed}, behind ${crashes} crashes: ${String(exit)}`)
    crashes++
  }
})

describe("any flow on runners that crash", () => {
  for (let part = 0; part < parts; part++) {
    const from = Math.floor((programs * part) / parts)
    const to = Math.floor((programs * (part + 1)) / parts)
    it.live(
      `R8 random programs ${from} to ${to - 1} end as if nothing had been killed`,
      () =>
        Effect.gen(function* () {
          let crashes = 0
          for (let seed = from; seed < to; seed++) crashes += yield* torn(seed)
          assert.isAbove(crashes, to - from)
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      120_000
    )
  }
})
