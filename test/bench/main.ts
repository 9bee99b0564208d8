/**
 * `npm run bench`: the figures, ours and the peers', from one run. `--only P5` takes those of one id, `--json` prints
 * one line of JSON for each. Each group runs in a process of its own, so that none meets another's heap and compiler.
 */
import { spawnSync } from "node:child_process"
import { parseArgs } from "node:util"
import type { Figure } from "./measure.ts"
import { install } from "./peers.ts"

interface Group {
  readonly id: string
  readonly load: () => Promise<{ readonly measure: () => Promise<ReadonlyArray<Figure>> }>
}

const groups: ReadonlyArray<Group> = [
  { id: "P1", load: () => import("./hops.ts") },
  { id: "P2", load: () => import("./fanout.ts") },
  { id: "P3", load: () => import("./executions.ts") },
  { id: "P4", load: () => import("./agents.ts") },
  { id: "P5", load: () => import("./parsing.ts") },
  { id: "P5", load: () => import("./responses.ts") },
  { id: "P6", load: async () => ({ measure: (await import("./journaled.ts")).inMemory }) },
  { id: "P6", load: async () => ({ measure: (await import("./journaled.ts")).onSqlite }) },
  { id: "P6", load: async () => ({ measure: (await import("./journaled.ts")).onPostgres }) },
  { id: "P7", load: () => import("./resuming.ts") },
  { id: "P7", load: async () => ({ measure: (await import("./resuming.ts")).fromJournals }) },
  { id: "P7", load: () => import("./long.ts") },
  { id: "P8", load: () => import("./imports.ts") },
  { id: "P9", load: () => import("./requests.ts") },
  { id: "P10", load: () => import("./actions.ts") }
]

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    json: { type: "boolean", default: false },
    // How this program calls itself for one group.
    group: { type: "string" }
  }
})

const print = ({ id, value, unit, bound, anchor, peers, exponent, pass, load }: Figure): void => {
  const limit = bound === null ? "" : `<= ${bound} (${anchor})`
  const slope = exponent === null ? "" : `, exponent ${exponent}`
  const verdict = bound === null && exponent === null ? "    " : pass ? "ok  " : "MISS"
  console.log(
    `${verdict} ${id.padEnd(14)} ${`${value} ${unit}`.padStart(14)}${slope}  ${limit || anchor}  load ${load}`
  )
  for (const [name, peer] of Object.entries(peers))
    console.log(`       ${name.padEnd(34)} ${`${peer} ${unit}`.padStart(14)}`)
}

const group = values.group === undefined ? undefined : groups[Number(values.group)]
if (group !== undefined) {
  for (const figure of await (await group.load()).measure()) console.log(JSON.stringify(figure))
  process.exit(0)
}

const wanted = values.only ?? groups.map(({ id }) => id)
const baseOf = (id: string) => id.split(".")[0]
const unknown = wanted.filter((id) => !groups.some((one) => one.id === baseOf(id)))
if (unknown.length > 0) {
  console.error(
    `No such figure: ${unknown.join(", ")}. Figures: ${[...new Set(groups.map(({ id }) => id))].join(", ")}.`
  )
  process.exit(2)
}
install()
let missed = false
for (const [index, { id }] of groups.entries()) {
  if (!wanted.some((one) => baseOf(one) === id)) continue
  const args = [...process.execArgv, import.meta.filename, "--group", String(index)]
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  if (status !== 0) missed = true
  for (const line of stdout.split("\n").filter((text) => text.startsWith("{"))) {
    const figure: Figure = JSON.parse(line)
    if (!wanted.some((one) => figure.id === one || figure.id.startsWith(`${one}.`))) continue
    missed ||= !figure.pass
    if (values.json) console.log(line)
    else print(figure)
  }
}
process.exitCode = missed ? 1 : 0
