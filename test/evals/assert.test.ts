// Evals as tests: `Evals.assert` in a file that vitest runs itself, and what it prints where an eval fails.
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { Dataset, Evals, Scorer } from "effigent/evals"
import { folder as made } from "../layers/apps/cli/support.ts"

const root = new URL("../../", import.meta.url).pathname.replace(/\/$/, "")

const shout = Evals.make(
  "shout",
  {
    dataset: Dataset.make({
      name: "words",
      input: Schema.String,
      expected: Schema.String,
      cases: [{ id: "hey", input: "hey", expected: "HEY" }]
    }),
    subject: (word) => Effect.succeed(word.toUpperCase())
  },
  [Scorer.exact()]
)

describe("Evals.assert", () => {
  it.effect("is a line of a test, and gives the report", () =>
    Effect.gen(function* () {
      const report = yield* Evals.assert(shout, { min: { exact: 1 }, repeat: 2 })
      assert.strictEqual(report.summary.samples, 2)
    })
  )

  it.effect("asks that every sample passes, or for what its gate says alone", () =>
    Effect.gen(function* () {
      const half = (right: string) =>
        Evals.make(
          "half",
          {
            dataset: Dataset.make({
              name: "words",
              input: Schema.String,
              cases: ["a", "b"].map((input) => ({ id: input, input }))
            }),
            subject: (word) => Effect.succeed(word)
          },
          [Scorer.contains({ texts: [right] })]
        )
      assert.strictEqual((yield* Effect.flip(Evals.assert(half("a"))))._tag, "GateFailed")
      const baseline = yield* Evals.assert(half("a"), { min: 0.5 })
      assert.strictEqual((yield* Evals.assert(half("a"), { baseline })).summary.passed, 1)
      const worse = yield* Effect.flip(Evals.assert(half("c"), { baseline }))
      assert.deepStrictEqual(worse._tag === "GateFailed" ? worse.misses.map(({ kind, of }) => [kind, of]) : [], [
        ["worse", "contains"],
        ["worse", "passed"]
      ])
    })
  )

  it("fails a test of vitest with the cases at fault in a table", async () => {
    const folder = made(
      {
        "shout.test.ts": `import { it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Dataset, Evals, Scorer } from "effigent/evals"
const words = Dataset.make({ name: "words", input: Schema.String, expected: Schema.String, cases: [
  { id: "hey", input: "hey", expected: "HEY" }, { id: "wrong", input: "ho", expected: "HI" }
] })
const shout = Evals.make("shout", { dataset: words, subject: (word) => Effect.succeed(word.toUpperCase()) }, [Scorer.exact()])
it.effect("shouts most of the time", () => Evals.assert(shout, { min: 0.5 }))
it.effect("shouts always", () => Evals.assert(shout))
`,
        "vitest.config.ts":
          'const conditions = ["effigent:source"]\nexport default { resolve: { conditions }, ssr: { resolve: { conditions } } }\n',
        "package.json": '{ "type": "module" }\n'
      },
      ["effigent", "effect", "@effect/vitest", "vitest"]
    )
    try {
      const { PATH = "", HOME = "" } = process.env
      const printed = await new Promise<{ readonly code: number; readonly text: string }>((resolve) => {
        const child = execFile(
          process.execPath,
          [join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", folder, "--no-color"],
          { cwd: folder, env: { PATH, HOME, NO_COLOR: "1" } },
          (_, out, err) => resolve({ code: child.exitCode ?? 0, text: out + err })
        )
      })
      assert.strictEqual(printed.code, 1, printed.text)
      assert.include(printed.text, "1 failed | 1 passed")
      assert.include(printed.text, "Eval shout: passed is 0.5, below 1 (wrong)")
      assert.include(printed.text, "shout: 1 of 2 cases passed")
      assert.include(printed.text, '✗  wrong  "ho"  exact 0.000: "HO" is not "HI"')
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 60_000)
})
