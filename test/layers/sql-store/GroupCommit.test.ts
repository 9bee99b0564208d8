import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Scope } from "effect"
import * as GroupCommit from "../../../layers/sql-store/GroupCommit.ts"

interface Write {
  readonly key: string
  readonly size?: number
}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** A committer whose commits stand still until they are let go; what it has written stands in `batches`. */
const make = Effect.fnUntraced(function* (
  options: Partial<GroupCommit.Options<Write, string, string>> = {},
  outcome: (batch: ReadonlyArray<Write>) => Effect.Effect<ReadonlyArray<Exit.Exit<string, string>>, string> = (batch) =>
    Effect.succeed(batch.map(({ key }) => Exit.succeed(key)))
) {
  const batches: Array<string> = []
  const go = Latch.makeUnsafe(false)
  const write = yield* GroupCommit.make<Write, string, string>({
    name: "test",
    committers: 1,
    bounds: {},
    key: ({ key }) => key,
    size: ({ size }) => size ?? 1,
    commit: (batch) => {
      batches.push(batch.map(({ key }) => key).join(""))
      return Effect.andThen(go.await, outcome(batch))
    },
    isOfOne: (error) => error === "one",
    closed: () => "closed",
    ...options
  })
  /** Lets the committers come to where they wait. */
  const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })
  const start = (keys: string) =>
    Effect.tap(
      Effect.forEach([...keys], (key) => fork(write({ key }))),
      () => settle
    )
  return { batches, go, write, settle, start }
})

const joined = (fibers: ReadonlyArray<Fiber.Fiber<string, string>>) => Effect.forEach(fibers, Fiber.join)

describe("GroupCommit", () => {
  it.effect("one write is written at once, and what comes meanwhile is the next batch", () =>
    Effect.gen(function* () {
      const { batches, go, start } = yield* make()
      const first = yield* start("a")
      assert.deepStrictEqual(batches, ["a"])
      const rest = yield* start("bcd")
      assert.deepStrictEqual(batches, ["a"])
      go.openUnsafe()
      assert.deepStrictEqual(yield* joined([...first, ...rest]), ["a", "b", "c", "d"])
      assert.deepStrictEqual(batches, ["a", "bcd"])
    })
  )

  it.effect("several with one key are written one after the other, and others pass them", () =>
    Effect.gen(function* () {
      const { batches, go, start } = yield* make({ committers: 2 })
      const fibers = yield* start("aaba")
      assert.deepStrictEqual(batches, ["ab"])
      const more = yield* start("ac")
      assert.deepStrictEqual(batches, ["ab", "c"])
      go.openUnsafe()
      yield* joined([...fibers, ...more])
      assert.deepStrictEqual(batches, ["ab", "c", "a", "a", "a"])
    })
  )

  it.effect("batches are bounded by their count and their size", () =>
    Effect.gen(function* () {
      const { batches, go, start, write } = yield* make({ bounds: { count: 3, size: 10 } })
      const fibers = yield* start("x")
      const more = yield* start("abcd")
      const large = yield* Effect.forEach([30, 6, 6], (size, n) => fork(write({ key: `L${n}`, size })))
      go.openUnsafe()
      yield* joined([...fibers, ...more, ...large])
      assert.deepStrictEqual(batches, ["x", "abc", "d", "L0", "L1", "L2"])
    })
  )

  it.effect("whoever comes to a queue that is full waits for room", () =>
    Effect.gen(function* () {
      const { batches, go, start } = yield* make({ bounds: { capacity: 2 } })
      const fibers = yield* start("abcd")
      assert.deepStrictEqual(batches, ["ab"])
      yield* Fiber.interrupt(fibers[2] ?? assert.fail())
      go.openUnsafe()
      yield* joined(fibers.filter((_, n) => n !== 2))
      assert.deepStrictEqual(batches, ["ab", "d"])
    })
  )

  it.effect("a write that is interrupted before its commit is not made; one in its commit is", () =>
    Effect.gen(function* () {
      const { batches, go, start } = yield* make()
      const [a] = yield* start("a")
      const [b, c] = yield* start("bc")
      yield* Effect.forEach([a, b], (fiber) => (fiber === undefined ? Effect.void : Fiber.interrupt(fiber)))
      go.openUnsafe()
      yield* joined(c === undefined ? [] : [c])
      assert.deepStrictEqual(batches, ["a", "c"])
    })
  )

  it.effect("where a batch fails by one write, the others are written all the same", () =>
    Effect.gen(function* () {
      const { batches, go, start } = yield* make({}, (batch) =>
        batch.some(({ key }) => key === "x")
          ? Effect.fail("one")
          : Effect.succeed(batch.map(({ key }) => (key === "b" ? Exit.fail("conflict") : Exit.succeed(key))))
      )
      go.openUnsafe()
      const fibers = yield* start("abxc")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(exits, [Exit.succeed("a"), Exit.fail("conflict"), Exit.fail("one"), Exit.succeed("c")])
      assert.deepStrictEqual(batches, ["abxc", "a", "b", "x", "c"])
    })
  )

  it.effect("a failure that is everybody's is told to everybody, and the next batch is written", () =>
    Effect.gen(function* () {
      let isFull = true
      const { batches, go, start } = yield* make({}, (batch) =>
        isFull ? Effect.fail("full") : Effect.succeed(batch.map(({ key }) => Exit.succeed(key)))
      )
      go.openUnsafe()
      const exits = yield* Effect.forEach(yield* start("ab"), Fiber.await)
      assert.deepStrictEqual(exits, [Exit.fail("full"), Exit.fail("full")])
      isFull = false
      assert.deepStrictEqual(yield* joined(yield* start("a")), ["a"])
      assert.deepStrictEqual(batches, ["ab", "a"])
    })
  )

  it.effect("a commit that dies is told to those that it was for, and the next batch is written", () =>
    Effect.gen(function* () {
      const { go, start } = yield* make({}, (batch) =>
        batch[0]?.key === "x" ? Effect.die("broken") : Effect.succeed(batch.map(({ key }) => Exit.succeed(key)))
      )
      go.openUnsafe()
      const [exit] = yield* Effect.forEach(yield* start("x"), Fiber.await)
      assert.deepStrictEqual(exit, Exit.die("broken"))
      assert.deepStrictEqual(yield* joined(yield* start("a")), ["a"])
    })
  )

  it.effect("when the scope closes, those in the commit, in the queue and later ones are told so", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { start, write } = yield* Scope.provide(make(), scope)
      const fibers = [...(yield* start("a")), ...(yield* start("bc"))]
      yield* Scope.close(scope, Exit.void)
      const late = yield* Effect.exit(write({ key: "d" }))
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(
        [...exits, late],
        [1, 2, 3, 4].map(() => Exit.fail("closed"))
      )
    })
  )

  it.effect("thousands of writes are each answered once, whatever their keys", () =>
    Effect.gen(function* () {
      const seen = new Map<string, number>()
      const { go, write } = yield* make({ committers: 2, bounds: { count: 7, capacity: 50 } }, (batch) =>
        Effect.gen(function* () {
          assert.strictEqual(new Set(batch.map(({ key }) => key)).size, batch.length)
          for (const { key } of batch) seen.set(key, (seen.get(key) ?? 0) + 1)
          yield* Effect.yieldNow
          return batch.map(({ key }) => Exit.succeed(key))
        })
      )
      go.openUnsafe()
      const keys = Array.from({ length: 3_000 }, (_, n) => String((n * 7) % 41))
      const answers = yield* Effect.forEach(keys, (key) => write({ key }), { concurrency: "unbounded" })
      assert.deepStrictEqual(answers, keys)
      assert.strictEqual(
        [...seen.values()].reduce((a, b) => a + b, 0),
        3_000
      )
    })
  )
})
