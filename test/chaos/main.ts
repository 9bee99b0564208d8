// `npm run chaos -- --kills N --seed S [--store sqlite|postgres|cluster] [--runners R] [--freezes F] [--drains D] [--trouble] [--json]`:
// executions under fire. `--runners`: so many workers at once; `--freezes F`: one blow in F freezes a worker for longer
// than its lease; `--drains D`: one kill in D is an end in good order; `--trouble`: connections to the database are dropped and hang, and it is restarted. The last line is
// JSON; the process fails where anything was lost, doubled or is stuck.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { isWhole, run, troubleOf } from "./chaos.ts"
import * as Database from "./database.ts"

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    store: { type: "string", default: "sqlite" },
    runners: { type: "string", default: "1" },
    freezes: { type: "string", default: "0" },
    drains: { type: "string", default: "0" },
    load: { type: "string", default: "8" },
    lease: { type: "string", default: "1000" },
    trouble: { type: "boolean", default: false },
    json: { type: "boolean", default: false }
  }
})

const directory = mkdtempSync(join(tmpdir(), "effigent-chaos-"))
const database = values.store === "sqlite" ? undefined : await Database.start()
const outcome = await run({
  store: (values.store === "cluster" ? "cluster:" : "") + (database?.url ?? join(directory, "journal.db")),
  ledger: join(directory, "ledger"),
  kills: Number(values.kills),
  seed: Number(values.seed),
  runners: Array.from({ length: Number(values.runners) }, (_, index) => `runner-${index}`),
  freezes: Number(values.freezes),
  drains: values.drains === "0" ? undefined : Number(values.drains),
  lease: Number(values.lease),
  load: Number(values.load),
  trouble: database !== undefined && values.trouble ? troubleOf(database) : undefined,
  say: (text) => (values.json ? undefined : console.log(text))
})
await database?.stop()
rmSync(directory, { recursive: true, force: true })
console.log(JSON.stringify({ store: values.store, ...outcome }))
process.exitCode = isWhole(outcome) ? 0 : 1
