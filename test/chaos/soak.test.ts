// A short soak in every test run: `npm run soak -- --minutes 10` is the long form, which holds the rate and the memory to
// their limits too. Here the machine has other things to do, so that only what comes out counts.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Database from "./database.ts"
import { isWhole, run } from "./soak.ts"

const say = () => undefined

describe("R6 a soak", () => {
  it("on SQLite ends every execution with its right result", { timeout: 120_000 }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "effigent-soak-"))
    try {
      const outcome = await run({ store: join(directory, "journal.db"), seconds: 5, measuring: 3, say })
      assert.isTrue(isWhole(outcome), JSON.stringify(outcome))
      assert.isAbove(outcome.executions, 100)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it(
    "on PostgreSQL, restarted every few seconds, ends every execution with its right result",
    { timeout: 120_000 },
    async () => {
      const database = await Database.start()
      try {
        const outcome = await run({ store: database.url, seconds: 14, measuring: 3, restart: database.restart, say })
        assert.isTrue(isWhole(outcome), JSON.stringify(outcome))
        assert.isAtLeast(outcome.restarts, 1)
        assert.isAbove(outcome.executions, 100)
      } finally {
        await database.stop()
      }
    }
  )
})
