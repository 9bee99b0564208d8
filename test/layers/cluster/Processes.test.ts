import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schedule, Stream } from "effect"
import { spawn, type ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Cluster, VolatileExecutions } from "effigent/layers/cluster"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { TriggerFlow } from "effigent/triggerflow"
import * as Postgres from "../../support/postgres.ts"
import * as Processes from "./Processes.ts"
import * as SqlHeads from "./SqlHeads.ts"
import { Busy, Who, Work } from "./Work.ts"

const program = fileURLToPath(new URL("./runner.main.ts", import.meta.url))

/** A runner process, until the Scope closes. */
const runner = (url: string) =>
  Effect.flatMap(Processes.freePort, (port) =>
    Effect.acquireRelease(
      Effect.callback<ChildProcess, Error>((resume) => {
        const child = spawn(process.execPath, ["--conditions=effigent:source", program, String(port)], {
          env: { ...process.env, DATABASE_URL: url },
          stdio: ["ignore", "pipe", "ignore"]
        })
        child.once("exit", (code) => resume(Effect.fail(new Error(`a runner has ended with ${code}`))))
        createInterface(child.stdout).on("line", (line) => {
          if (line === "up") resume(Effect.succeed(child))
        })
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
  )

/** A process that only asks; what it asks while runners come and go waits for them. */
const client = (url: string) =>
  Cluster.client({ patience: "20 seconds" }).pipe(
    Layer.provide(VolatileExecutions.layerEnded),
    Layer.provide(SqlHeads.layer),
    Layer.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
  )

const settings = { autoClose: false } as const

/** Starts executions until there is one in a process. */
const startIn = (child: ChildProcess) =>
  Effect.gen(function* () {
    const execution = yield* TriggerFlow.start(Work, 0, settings)
    const [who] = yield* execution.emit(Who, 1)
    return who?.pid === child.pid ? execution : yield* Effect.fail("elsewhere")
  }).pipe(Effect.retry({ schedule: Schedule.spaced(100), times: 200 }))

const withTwo = <A, E>(
  name: string,
  body: (one: ChildProcess, other: ChildProcess) => Effect.Effect<A, E, ExecutionHost>
) =>
  it.live(
    name,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Postgres.database
          const [one, other] = yield* Effect.all([runner(url), runner(url)], { concurrency: 2 })
          yield* Effect.provide(
            Effect.gen(function* () {
              // Both have joined when both have been given something.
              yield* startIn(one)
              yield* startIn(other)
              yield* body(one, other)
            }),
            client(url)
          )
        })
      ),
    60_000
  )

describe("Cluster on PostgreSQL, with two runner processes and one that only asks", () => {
  withTwo("what waits on a runner that is killed is told by another within the expiry of locks and 5 s", (one, other) =>
    Effect.gen(function* () {
      const execution = yield* startIn(one)
      const host = yield* ExecutionHost
      const waiting = yield* Effect.forkChild(host.await(execution.id), { startImmediately: true })
      const watching = yield* Effect.forkChild(Effect.exit(Stream.runDrain(host.watch(execution.id))), {
        startImmediately: true
      })
      yield* execution.emit(Who, 1)
      const killed = performance.now()
      one.kill("SIGKILL")
      const view = yield* Fiber.join(waiting)
      const took = performance.now() - killed
      assert.strictEqual(view.status, "failed")
      assert.include(view.failure?.message, "is no more")
      assert.isBelow(took, 10_000)
      assert.strictEqual((yield* Fiber.join(watching))._tag, "Failure")
      // What is asked for from now on is done by the other.
      const next = yield* TriggerFlow.start(Work, 7, settings)
      assert.deepStrictEqual(yield* next.emit(Who, 1), [{ pid: other.pid ?? 0, sum: 8 }])
    })
  )

  withTwo("a runner that is frozen past its locks and woken decides nothing any more", (one, other) =>
    Effect.gen(function* () {
      const execution = yield* startIn(one)
      yield* execution.emitFork(Busy, 7000)
      const host = yield* ExecutionHost
      one.kill("SIGSTOP")
      const asked = yield* Effect.forkChild(Effect.exit(host.signal(execution.id, "Who", 1, { wait: true })), {
        startImmediately: true
      })
      const view = yield* host.await(execution.id)
      assert.strictEqual(view.status, "failed")
      // The request that had reached the frozen one was done by the other, as the journal has it.
      assert.strictEqual((yield* Fiber.join(asked))._tag, "Failure")
      one.kill("SIGCONT")
      // It is a runner again, by itself.
      yield* startIn(one)
      assert.deepStrictEqual(yield* host.get(execution.id), view)
      const next = yield* startIn(other)
      assert.strictEqual((yield* next.emit(Who, 1))[0]?.sum, 2)
    })
  )

  withTwo("a runner that is told to stop hands over and is gone in a second", (one, other) =>
    Effect.gen(function* () {
      const execution = yield* startIn(one)
      const gone = yield* Effect.forkChild(
        Effect.callback<number>((resume) => {
          const began = performance.now()
          one.once("exit", () => resume(Effect.succeed(performance.now() - began)))
        }),
        { startImmediately: true }
      )
      one.kill("SIGTERM")
      assert.isBelow(yield* Fiber.join(gone), 5000)
      const host = yield* ExecutionHost
      assert.strictEqual((yield* host.await(execution.id)).status, "cancelled")
      const next = yield* TriggerFlow.start(Work, 1, settings)
      assert.deepStrictEqual(yield* next.emit(Who, 1), [{ pid: other.pid ?? 0, sum: 2 }])
    })
  )
})
