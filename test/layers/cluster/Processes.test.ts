import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import * as Chaos from "../../chaos/chaos.ts"
import * as Database from "../../chaos/database.ts"
import type { Worker } from "../../chaos/fleet.ts"
import * as Postgres from "../../support/postgres.ts"
import * as Fleet from "./Fleet.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Every execution has ticked every tick, once, as its journal has it. */
const assertWhole = (ids: ReadonlyArray<string>, times: number, notes: ReadonlyArray<string> = []) =>
  Effect.forEach(
    ids,
    (id) =>
      Effect.gen(function* () {
        const view = yield* ExecutionHost.use((host) => host.await(id))
        assert.strictEqual(view.status, "completed", id)
        assert.strictEqual(view.result, times)
        assert.deepStrictEqual(view.state, { done: numbers(times), notes })
      }),
    { concurrency: "unbounded", discard: true }
  )

const withFleet = <A, E>(
  name: string,
  size: number,
  body: (fleet: Fleet.Fleet, workers: ReadonlyArray<Worker>) => Effect.Effect<A, E, ExecutionHost>
) =>
  it.live(
    name,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Postgres.database
          const fleet = yield* Fleet.make(url)
          const workers = yield* Effect.all(
            numbers(size).map(() => fleet.add()),
            { concurrency: "unbounded" }
          )
          yield* Effect.provide(body(fleet, workers), Fleet.client(url))
        })
      ),
    60_000
  )

const countOf = (fleet: Fleet.Fleet, id: string) => fleet.ledger().filter((line) => line.execution === id).length

/** What each runner has, the busiest first: how the shards are shared out while runners join is not the same every time. */
const busiest = (fleet: Fleet.Fleet, workers: ReadonlyArray<Worker>, ids: ReadonlyArray<string>) =>
  workers
    .map((worker) => ({ worker, theirs: ids.filter((id) => Fleet.last(fleet, id)?.pid === worker.pid) }))
    .toSorted((a, b) => b.theirs.length - a.theirs.length)[0] ?? assert.fail("there are no runners")

/** Starts the newest version; who asks hears of a new runner within half a second. */
const startNew = Effect.gen(function* () {
  const host = yield* ExecutionHost
  for (let attempt = 0; ; attempt++) {
    const id = `fresh-${attempt}`
    yield* host.start({ flow: "ticks", id, input: { times: 3, pause: 1 }, settings: { autoClose: 100 } })
    if ((yield* host.get(id)).version === "2") return id
    if (attempt === 100) return yield* Effect.die("the new version is never found")
    yield* Effect.sleep(25)
  }
})

describe("runner processes of a cluster on PostgreSQL", () => {
  it.live(
    "R3 three of them under load, killed, frozen and drained: nothing is lost, no once effect runs twice",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = yield* Postgres.database
          const directory = yield* Effect.acquireRelease(
            Effect.sync(() => mkdtempSync(join(tmpdir(), "effigent-cluster-"))),
            (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
          )
          const outcome = yield* Effect.promise(() =>
            Chaos.run({
              store: `cluster:${url}`,
              ledger: join(directory, "ledger"),
              kills: 5,
              seed: 1,
              runners: ["a", "b", "c"],
              freezes: 0,
              order: ["kill", "freeze", "drain", "kill", "freeze"],
              lease: Fleet.lease,
              load: 6,
              say: () => undefined
            })
          )
          assert.isTrue(Chaos.isWhole(outcome), JSON.stringify(outcome))
          assert.deepStrictEqual([outcome.kills, outcome.freezes, outcome.drains], [2, 2, 1])
          assert.isAbove(outcome.executions, 10)
        })
      ),
    90_000
  )

  withFleet("what a killed runner had goes on elsewhere within the lease and two refreshes", 3, (fleet, workers) =>
    Effect.gen(function* () {
      const ids = yield* Fleet.start(12, { times: 120, pause: 50 })
      yield* Fleet.until("all tick", () => ids.every((id) => countOf(fleet, id) > 5))
      const { worker: one, theirs } = busiest(fleet, workers, ids)
      one.signal("SIGKILL")
      const killed = Date.now()
      const host = yield* ExecutionHost
      yield* host.signal(theirs[0] ?? "", "Note", "while nobody has it", { wait: true })
      yield* assertWhole(theirs.slice(0, 1), 120, ["while nobody has it"])
      yield* assertWhole(
        ids.filter((id) => id !== theirs[0]),
        120
      )
      const times = theirs.map((id) => {
        const next = fleet.ledger().find((line) => line.execution === id && line.at > killed && line.pid !== one.pid)
        return (next?.at ?? Infinity) - killed
      })
      console.log(`taken over after ${Math.min(...times)} to ${Math.max(...times)} ms`)
      assert.isAtMost(Math.max(...times), Fleet.lease + 2 * Fleet.refresh)
      // What went on elsewhere began where it was: only the tick that was at work may have begun twice.
      for (const id of theirs) assert.isAtMost(countOf(fleet, id), 121)
    })
  )

  withFleet("a runner that is frozen past its lease and woken is refused, and is a runner again", 2, (fleet, workers) =>
    Effect.gen(function* () {
      const ids = yield* Fleet.start(8, { times: 150, pause: 50 })
      yield* Fleet.until("all tick", () => ids.every((id) => countOf(fleet, id) > 5))
      const { worker: one, theirs } = busiest(fleet, workers, ids)
      one.signal("SIGSTOP")
      yield* Fleet.until("they go on elsewhere", () => theirs.every((id) => Fleet.last(fleet, id)?.pid !== one.pid))
      one.signal("SIGCONT")
      const health = yield* Effect.promise(async () => {
        for (;;) {
          const reply = await one.send({ op: "health" }, 2000)
          const value = reply?.value as { readonly refused: number; readonly status: string } | undefined // the worker's
          if (value !== undefined && value.refused > 0 && value.status === "up") return value
        }
      })
      assert.isAbove(health.refused, 0)
      yield* assertWhole(ids, 150)
      for (const id of theirs) assert.isAtMost(countOf(fleet, id), 152)
      // It is given shards again as soon as the others have heard of it.
      for (let round = 0; ; round++) {
        const more = yield* ExecutionHost.use((host) =>
          Effect.forEach(numbers(16), (index) =>
            host.start({
              flow: "ticks",
              id: `more-${round}-${index}`,
              input: { times: 1, pause: 1 },
              settings: { autoClose: 100 }
            })
          )
        )
        yield* assertWhole(more, 1)
        if (more.some((id) => Fleet.last(fleet, id)?.pid === one.pid)) break
        assert.isBelow(round, 20, "it is never given anything again")
      }
    })
  )

  withFleet("who watches sees every entry once, in order, while the runner is killed", 2, (fleet, workers) =>
    Effect.gen(function* () {
      const [id = ""] = yield* Fleet.start(1, { times: 150, pause: 30 })
      const host = yield* ExecutionHost
      const watching = yield* Effect.forkChild(Stream.runCollect(host.watch(id)), { startImmediately: true })
      const waiting = yield* Effect.forkChild(host.await(id), { startImmediately: true })
      yield* Fleet.until("it ticks", () => countOf(fleet, id) > 20)
      workers.find(({ pid }) => pid === Fleet.last(fleet, id)?.pid)?.signal("SIGKILL")
      const seen = yield* Fiber.join(watching)
      assert.deepStrictEqual(
        seen.map(({ event }) => (event._tag === "item" ? event.item : event._tag)),
        numbers(150)
      )
      assert.deepStrictEqual(
        seen.map(({ cursor }) => cursor),
        numbers(150)
      )
      assert.strictEqual((yield* Fiber.join(waiting)).status, "completed")
    })
  )

  withFleet(
    "a new version joins and the old runner drains: what was started goes on, what is new is new",
    1,
    (fleet, [old]) =>
      Effect.gen(function* () {
        const ids = yield* Fleet.start(6, { times: 80, pause: 50 })
        // The new program still has the old definition, for what was started with it.
        const next = yield* fleet.add("1,2")
        const fresh = yield* startNew
        const began = Date.now()
        old?.signal("SIGTERM")
        yield* Fleet.until("the old one is gone", () => old?.alive === false, 10_000)
        console.log(`drained after ${Date.now() - began} ms`)
        yield* assertWhole(ids, 80)
        yield* assertWhole([fresh], 3)
        for (const id of ids) {
          assert.strictEqual(Fleet.last(fleet, id)?.pid, next.pid)
          // In good order: no tick began twice.
          assert.strictEqual(countOf(fleet, id), 80, id)
        }
        for (const line of fleet.ledger().filter((line) => line.execution === fresh)) assert.match(line.key, /of 2$/)
      })
  )

  it.live(
    "PostgreSQL crashes under the runners and comes back: everything goes on",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const database = yield* Effect.acquireRelease(
            Effect.promise(() => Database.start()),
            (database) => Effect.promise(() => database.stop())
          )
          const fleet = yield* Fleet.make(database.url)
          yield* Effect.all([fleet.add(), fleet.add()], { concurrency: 2 })
          yield* Effect.gen(function* () {
            const ids = yield* Fleet.start(6, { times: 100, pause: 50 })
            yield* Fleet.until("all tick", () => ids.every((id) => countOf(fleet, id) > 5))
            yield* Effect.promise(() => database.restart())
            const host = yield* ExecutionHost
            yield* Effect.forEach(ids, (id) => host.signal(id, "Note", "after", { wait: false }), {
              concurrency: "unbounded"
            })
            yield* assertWhole(ids, 100, ["after"])
          }).pipe(Effect.provide(Fleet.client(database.url)))
        })
      ),
    60_000
  )
})
