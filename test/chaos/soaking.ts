// `npm run soak -- [--minutes N] [--store sqlite|postgres] [--json]`: executions at four fifths of what the machine can do,
// for so long; a PostgreSQL is restarted every 5 to 10 seconds. The last line is JSON; the process fails where an
// execution is lost or wrong, where the rate was not held, or where memory grows by more than 1 MiB in a minute.
import { mkdtempSync, rmSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Database from "./database.ts"
import { isWhole, run } from "./soak.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    store: { type: "string", default: "postgres" },
    json: { type: "boolean", default: false }
  }
})

const directory = mkdtempSync(join(tmpdir(), "effigent-soak-"))
const database = values.store === "postgres" ? await Database.start() : undefined
const outcome = await run({
  store: database?.url ?? join(directory, "journal.db"),
  seconds: Number(values.minutes) * 60,
  measuring: 9,
  restart: database?.restart,
  say: (text) => (values.json ? undefined : console.log(text))
})
await database?.stop()
rmSync(directory, { recursive: true, force: true })
const pass = isWhole(outcome) && outcome.share >= 0.8 && outcome.heapMiBPerMinute <= 1
console.log(JSON.stringify({ store: values.store, pass, load: loadavg()[0], ...outcome }))
process.exit(pass ? 0 : 1)
