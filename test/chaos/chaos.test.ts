// 30 kills in every test run; `npm run chaos -- --kills 1000` is the long form. The seed is that of the day, so that runs
// differ; it stands in what a failure says.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { isWhole, type Plan, run, troubleOf } from "./chaos.ts"
import * as Database from "./database.ts"

const seed = Math.floor(Date.now() / 86_400_000)

const under = async (
  name: string,
  plan: (database: Database.Database | undefined) => Partial<Plan>,
  store: "sqlite" | "postgres"
) => {
  const directory = mkdtempSync(join(tmpdir(), "effigent-chaos-"))
  const database = store === "postgres" ? await Database.start() : undefined
  const said: Array<string> = []
  try {
    const outcome = await run({
      store: database?.url ?? join(directory, "journal.db"),
      ledger: join(directory, "ledger"),
      seed,
      runners: ["runner-0"],
      freezes: 0,
      lease: 1000,
      load: 6,
      say: (text) => said.push(text),
      kills: 10,
      ...plan(database)
    })
    assert.isTrue(isWhole(outcome), `${name}, seed ${seed}: ${JSON.stringify(outcome)}\n${said.join("\n")}`)
    assert.isAbove(outcome.executions, 10)
    return outcome
  } finally {
    await database?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

describe("executions under fire", () => {
  it(
    "R1 R2 R3 ten kills on SQLite: nothing is lost or doubled, and the next process goes on within 2 s",
    { timeout: 180_000 },
    async () => {
      const { recoveryP95Ms } = await under("SQLite", () => ({}), "sqlite")
      // On an idle machine; a test run has other things to do.
      assert.isBelow(recoveryP95Ms, 10_000)
    }
  )

  it(
    "R1 R2 R4 ten kills and freezes of two runners on PostgreSQL: the other takes over, and fences hold",
    { timeout: 180_000 },
    async () => {
      await under("two runners", () => ({ runners: ["runner-0", "runner-1"], freezes: 3 }), "postgres")
    }
  )

  it(
    "R1 R2 ten kills on PostgreSQL while connections drop and hang and the server restarts",
    { timeout: 240_000 },
    async () => {
      await under(
        "trouble",
        (database) => ({ trouble: database === undefined ? undefined : troubleOf(database) }),
        "postgres"
      )
    }
  )
})
