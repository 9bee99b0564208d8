// Leaves the journals of this version: `node --conditions=effigent:source test/replay/record.ts`. It is run once before a
// version is released, and again when scenarios are added; what is there is left as it is.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { Effect } from "effect"
import { goOn, type Kept, record, stands } from "./replaying.ts"
import { scenarios } from "./scenarios.ts"

// The manifest of the package.
const { version }: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8")
)
const folder = new URL(`journals/${version}/`, import.meta.url)
mkdirSync(folder, { recursive: true })
for (const [name, held] of Object.entries(scenarios(true))) {
  const free = scenarios(false)[name]
  const file = new URL(`${name.replaceAll(" ", "-")}.json`, folder)
  if (free === undefined || existsSync(file)) continue
  const program = Effect.gen(function* () {
    // Every other one has a snapshot on the way.
    const written = yield* record(held, name.length % 2 === 0 ? 2 : 1000)
    const kept: Kept = {
      scenario: name,
      ...written,
      stands: yield* stands(held, written),
      ends: yield* goOn(free, written)
    }
    writeFileSync(file, `${JSON.stringify(kept, undefined, 1)}\n`)
  })
  await Effect.runPromise(program)
  console.log(`left ${name}`)
}
