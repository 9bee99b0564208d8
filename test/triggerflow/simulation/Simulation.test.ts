import { assert, describe, it } from "@effect/vitest"
import { generate } from "./Generate.ts"
import { expected } from "./Oracle.ts"
import { print, type Program } from "./Program.ts"
import { shrink } from "./Shrink.ts"
import { check, report, simulate } from "./Simulate.ts"

/** How many programs are run, from which seed on; each under `ways` schedules. */
const count = Number(process.env["EFFIGENT_SIMULATIONS"] ?? 2000)
const first = Number(process.env["EFFIGENT_SIMULATION_SEED"] ?? 0)
const ways = 3
const parts = 4

const problemsOf = (program: Program): ReadonlyArray<string> => {
  const oracle = expected(program)
  for (let way = 0; way < ways; way++) {
    const problems = check(program, way, oracle)
    if (problems.length > 0) return problems
  }
  return []
}

/** What a problem is about, without the names and numbers in it. */
const kindOf = (problem: string | undefined): string =>
  (problem ?? "")
    .replace(/^schedule \d+: /, "")
    .replace(/[\d.,]+/g, "#")
    .slice(0, 40)

/** The seed of a failing program, and the smallest program that was found to fail in the same way. */
const story = (program: Program, problems: ReadonlyArray<string>): string => {
  const kind = kindOf(problems[0])
  const small = shrink(program, (one) => kindOf(problemsOf(one)[0]) === kind)
  return report(small, problemsOf(small))
}

describe("simulation", () => {
  for (let part = 0; part < parts; part++) {
    const from = first + Math.floor((count * part) / parts)
    const to = first + Math.floor((count * (part + 1)) / parts)

    it(
      `R8 random programs ${from} to ${to - 1} do what the oracle says under every schedule`,
      { timeout: 120_000 },
      () => {
        const stories: Array<string> = []
        const kinds = new Set<string>()
        let failed = 0
        for (let seed = from; seed < to; seed++) {
          const program = generate(seed)
          const problems = problemsOf(program)
          if (problems.length === 0) continue
          failed++
          const kind = kindOf(problems[0])
          // One of each kind is enough, and a few kinds at once.
          if (kinds.has(kind) || kinds.size === 3) continue
          kinds.add(kind)
          stories.push(story(program, problems))
        }
        assert.strictEqual(failed, 0, `${failed} of ${to - from} programs fail\n\n${stories.join("\n\n")}`)
      }
    )
  }

  it("runs a program in the same way under the same schedule, and in another way under another", () => {
    let differing = 0
    for (let seed = first; seed < first + 100; seed++) {
      assert.strictEqual(print(generate(seed)), print(generate(seed)))
      const story = (way: number) =>
        simulate(generate(seed), way).entries.map(({ kind, run }) => `${kind} ${run?.chunk} ${run?.start} ${run?.end}`)
      for (let way = 0; way < ways; way++) assert.deepStrictEqual(story(way), story(way))
      if (story(0).join() !== story(1).join()) differing++
    }
    assert.isAbove(differing, 20)
  })
})
