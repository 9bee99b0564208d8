// R7: every released version has left journals; all of them are read, and go on, with what there is now.
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { goOn, type Kept, stands } from "./replaying.ts"
import { scenarios } from "./scenarios.ts"

const folder = new URL("journals/", import.meta.url)
const versions = readdirSync(folder)

describe("journals of every released version", () => {
  it("are there", () => {
    assert.isAtLeast(versions.length, 1)
    for (const version of versions) assert.isAtLeast(readdirSync(new URL(`${version}/`, folder)).length, 20)
  })
  for (const version of versions)
    for (const file of readdirSync(new URL(`${version}/`, folder))) {
      const kept: Kept = JSON.parse(readFileSync(new URL(`${version}/${file}`, folder), "utf8"))
      const scenario = scenarios(false)[kept.scenario]
      it.live(`${version}: ${kept.scenario}`, () =>
        Effect.gen(function* () {
          assert.isDefined(scenario)
          if (scenario === undefined) return
          assert.deepStrictEqual(yield* stands(scenario, kept), kept.stands)
          assert.deepStrictEqual(yield* goOn(scenario, kept), kept.ends)
        })
      )
    }
})
