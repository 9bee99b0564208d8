import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Stream } from "effect"
import { type Decoder, through } from "../../src/wire/Through.ts"

// Doubles numbers, leaves out 0, fails at 9, and ends with the count; a failed source is told with what it had.
const doubling = (): Decoder<number, string, number, string> => {
  let count = 0
  return {
    push: (n, out) => {
      if (n === 9) return "nine"
      count++
      if (n !== 0) out.push(n * 2)
      return undefined
    },
    end: (out) => void out.push(count),
    fail: (error, out) => {
      out.push(-1)
      return `${error} after ${count}`
    }
  }
}

const runOf = Effect.fnUntraced(function* (source: Stream.Stream<number, string>) {
  const chunks: Array<ReadonlyArray<number>> = []
  const exit = yield* Effect.exit(
    Stream.runForEachArray(through(source, doubling), (chunk) => Effect.sync(() => void chunks.push(chunk)))
  )
  return { chunks, exit }
})
const arrays = (...all: ReadonlyArray<ReadonlyArray<number>>) =>
  Stream.flatMap(Stream.fromIterable(all), (one) => Stream.fromArray(one))

describe("a decoder over a stream", () => {
  it.effect("an array in is an array out, an empty one is none, and the end adds to the last", () =>
    Effect.gen(function* () {
      const { chunks, exit } = yield* runOf(arrays([1, 2], [0], [3]))
      assert.deepStrictEqual(chunks, [[2, 4], [6], [4]])
      assert.isTrue(Exit.isSuccess(exit))
    })
  )

  it.effect("a failure comes after what was decoded before it, and nothing after it is read", () =>
    Effect.gen(function* () {
      const { chunks, exit } = yield* runOf(arrays([1, 9, 2], [3]))
      assert.deepStrictEqual(chunks, [[2]])
      assert.deepStrictEqual(exit, Exit.fail("nine"))
    })
  )

  it.effect("a failed source is the decoder's to tell", () =>
    Effect.gen(function* () {
      const { chunks, exit } = yield* runOf(Stream.concat(arrays([1]), Stream.fail("lost")))
      assert.deepStrictEqual(chunks, [[2], [-1]])
      assert.deepStrictEqual(exit, Exit.fail("lost after 1"))
    })
  )

  it.effect("defects pass as they are", () =>
    Effect.gen(function* () {
      const { exit } = yield* runOf(Stream.concat(arrays([1]), Stream.die("bug")))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("every run has a decoder of its own, and many empty arrays cost no stack", () =>
    Effect.gen(function* () {
      const source = through(Stream.rechunk(Stream.fromIterable(Array.from({ length: 50_000 }, () => 0)), 1), doubling)
      assert.deepStrictEqual(yield* Stream.runCollect(source), [50_000])
      assert.deepStrictEqual(yield* Stream.runCollect(source), [50_000])
    })
  )
})
