// The arithmetic of evals: edit distance, overlap, intervals, tests; against plain definitions and known values.
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { Statistics } from "effigent/evals"
import * as Matching from "../../src/evals/Matching.ts"

const runs = (count: number) => ({ arbitrary: { runs: count } })
// Few letters, so that texts have much in common; long ones, so that blocks of 32 matter; and characters of two units.
const letters = Arbitrary.schema(Schema.Array(Schema.Literals(["a", "b", "c", "é", "😀"])))
const long = Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "😀"])), { maxLength: 120 })

// The definition of Levenshtein, cell by cell.
const plain = (left: string, right: string): number => {
  const [a, b] = [[...left], [...right]]
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (const [i, x] of a.entries()) {
    const next = [i + 1]
    for (const [j, y] of b.entries())
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (x === y ? 0 : 1)))
    row = next
  }
  return row.at(-1) ?? 0
}

describe("edit distance", () => {
  it.effect.prop(
    "is what its definition says, for short texts and long ones",
    [letters, letters, long, long],
    ([a, b, c, d]) =>
      Effect.sync(() => {
        for (const [x, y] of [
          [a, b],
          [c, d],
          [a, d]
        ] as const) {
          const [left, right] = [x.join(""), y.join("")]
          assert.strictEqual(Matching.editDistance(left, right), plain(left, right), `${left} | ${right}`)
        }
      }),
    runs(600)
  )

  it("of 20,000 characters against as many others takes part of a second", () => {
    const next = Statistics.random(4)
    const text = () => Array.from({ length: 20_000 }, () => String.fromCharCode(97 + Math.floor(next() * 26))).join("")
    const begun = performance.now()
    const alike = Matching.similarity(text(), text())
    assert.isBelow(performance.now() - begun, 5_000)
    assert.isAbove(alike, 0)
    assert.isBelow(alike, 0.5)
  })
})

describe("overlap", () => {
  const list = Arbitrary.array(Arbitrary.schema(Schema.Literals([1, 2, 3, 4])), { maxLength: 8 })

  // All ways to leave things out.
  const longest = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
    const [x, y] = [a[0], b[0]]
    if (x === undefined || y === undefined) return 0
    return x === y ? 1 + longest(a.slice(1), b.slice(1)) : Math.max(longest(a.slice(1), b), longest(a, b.slice(1)))
  }

  it.effect.prop(
    "F1 is between 0 and 1, symmetric, 1 for equal lists alone, and agrees with precision and recall",
    [list, list],
    ([a, b]) =>
      Effect.sync(() => {
        for (const [compare, isEqual] of [
          [Matching.overlap, a.toSorted().join() === b.toSorted().join()],
          [Matching.orderedOverlap, a.join() === b.join()]
        ] as const) {
          const { extra, f1, missing, precision, recall } = compare(a, b)
          assert.isTrue(f1 >= 0 && f1 <= 1)
          assert.strictEqual(f1 === 1, isEqual)
          assert.approximately(compare(b, a).f1, f1, 1e-12)
          if (precision + recall > 0) assert.approximately(f1, (2 * precision * recall) / (precision + recall), 1e-12)
          assert.strictEqual(a.length - extra.length, b.length - missing.length)
        }
        const ordered = Matching.orderedOverlap(a, b)
        assert.strictEqual(a.length - ordered.extra.length, longest(a, b))
        assert.isAtMost(ordered.f1, Matching.overlap(a, b).f1)
      }),
    runs(500)
  )

  it("counts what stands twice, and compares structures", () => {
    const { extra, missing } = Matching.overlap([{ a: 1, b: 2 }, 3, 3], [{ b: 2, a: 1 }, 3, 4])
    assert.deepStrictEqual([extra, missing], [[3], [4]])
  })
})

describe("comparing", () => {
  it("ignores what it is told to, and nothing else", () => {
    assert.isTrue(
      Matching.equal({ a: [" Ünï  code! "] }, { a: ["uni code"] }, ["accents", "case", "punctuation", "whitespace"])
    )
    assert.isFalse(Matching.equal("A", "a"))
    assert.isTrue(Matching.equal({ a: 1, b: undefined }, { a: 1 }))
    assert.isFalse(Matching.equal({ a: 1 }, { a: 1, b: 2 }))
    assert.isTrue(Matching.equal(new Date(5), new Date(5)))
  })

  it("a pattern covers objects with more keys, and no lists of other lengths", () => {
    assert.isTrue(Matching.covers({ a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ c: 2 }] }))
    assert.isFalse(Matching.covers({ b: [{ c: 2 }, 1] }, { b: [{ c: 2 }] }))
    assert.isFalse(Matching.covers({ a: 1 }, { a: 1, b: null }))
    assert.isFalse(Matching.covers("text", { length: 4 }))
  })
})

describe("statistics", () => {
  const scores = Arbitrary.array(Arbitrary.schema(Schema.Int), { minLength: 1, maxLength: 12 }).pipe(
    Arbitrary.map((numbers) => numbers.map((n) => (Math.abs(n) % 101) / 100))
  )

  it.effect.prop(
    "intervals hold their means, and are narrower with more of the same values",
    [scores],
    ([values]) =>
      Effect.sync(() => {
        const { high, low, mean } = Statistics.estimate(values)
        if (low !== null && high !== null && mean !== null) {
          assert.isTrue(low - 1e-12 <= mean && mean <= high + 1e-12 && low >= 0 && high <= 1)
          const more = Statistics.estimate([...values, ...values, ...values])
          assert.isAtMost((more.high ?? 0) - (more.low ?? 0), high - low + 1e-12)
        }
        const found = Statistics.bootstrap(values.map((value) => value - 0.5))
        assert.isTrue(found !== undefined && found.low <= found.mean + 1e-12 && found.mean <= found.high + 1e-12)
        assert.deepStrictEqual(Statistics.bootstrap(values.map((value) => value - 0.5)), found)
        const spread = Statistics.distribution(values)
        assert.isTrue(
          spread !== undefined && spread.min <= spread.median && spread.median <= spread.p95 && spread.p95 <= spread.max
        )
      }),
    runs(60)
  )

  it("agree with the tables", () => {
    // Quantiles of Student's t as printed: 5, 12, 30, 100 degrees of freedom.
    for (const [freedom, quantile] of [
      [1, 12.706],
      [5, 2.571],
      [11, 2.201],
      [12, 2.179],
      [30, 2.042],
      [100, 1.984]
    ] as const)
      assert.approximately(Statistics.studentT(freedom), quantile, 0.0006)
    // Wilson's interval of 8 of 10.
    const { high, low } = Statistics.wilson(8, 10)
    assert.approximately(low ?? 0, 0.4902, 1e-4)
    assert.approximately(high ?? 0, 0.9433, 1e-4)
    assert.deepInclude(Statistics.wilson(0, 5), { mean: 0, low: 0 })
    assert.deepInclude(Statistics.wilson(5, 5), { mean: 1, high: 1 })
    assert.deepInclude(Statistics.wilson(0, 0), { mean: null, n: 0 })
    // 1 broken and 9 fixed: 2 * (1 + 10) / 1024.
    assert.approximately(Statistics.mcnemar(9, 1), 22 / 1024, 1e-12)
    assert.strictEqual(Statistics.mcnemar(3, 3), 1)
    assert.strictEqual(Statistics.mcnemar(0, 0), 1)
    assert.isBelow(Statistics.mcnemar(2000, 1000), 1e-60)
    assert.deepInclude(Statistics.distribution([1, 2, 3, 4]), { mean: 2.5, median: 2.5, min: 1, max: 4 })
    assert.approximately(Statistics.deviation([2, 4, 4, 4, 5, 5, 7, 9]), 2.13809, 1e-5)
  })

  it("pass@k and pass^k are what counting all draws gives", () => {
    const n = 6
    for (let c = 0; c <= n; c++)
      for (let k = 1; k <= n; k++) {
        let [draws, any, all] = [0, 0, 0]
        for (let set = 0; set < 1 << n; set++) {
          const drawn = Array.from({ length: n }, (_, at) => at).filter((at) => (set >> at) & 1)
          if (drawn.length !== k) continue
          draws++
          if (drawn.some((at) => at < c)) any++
          if (drawn.every((at) => at < c)) all++
        }
        assert.approximately(Statistics.passAny(n, c, k), any / draws, 1e-12)
        assert.approximately(Statistics.passAll(n, c, k), all / draws, 1e-12)
      }
  })

  it("the bootstrap's interval covers the mean of what was drawn from about as often as it says", () => {
    const next = Statistics.random(11)
    let covered = 0
    for (let round = 0; round < 200; round++) {
      const drawn = Array.from({ length: 60 }, () => next() - 0.3)
      const found = Statistics.bootstrap(drawn, round)
      if (found !== undefined && found.low <= 0.2 && 0.2 <= found.high) covered++
    }
    assert.isAtLeast(covered, 180)
    assert.isAtMost(covered, 200)
  })

  it("chance is the same for the same seed, even, and a permutation", () => {
    const next = Statistics.random(1)
    const counts = Array.from({ length: 10 }, () => 0)
    for (let at = 0; at < 10_000; at++) {
      const place = Math.floor(next() * 10)
      counts[place] = (counts[place] ?? 0) + 1
    }
    for (const count of counts) assert.isTrue(count > 850 && count < 1150)
    const all = Array.from({ length: 50 }, (_, at) => at)
    assert.deepStrictEqual(
      Statistics.shuffled(all, 9).toSorted((a, b) => a - b),
      all
    )
    assert.notDeepEqual(Statistics.shuffled(all, 9), all)
  })
})
