import { assert, describe, it } from "@effect/vitest"
import { majorOf, placeOf, placesOf } from "../../../layers/cluster/Places.ts"

describe("the places of flows in a cluster", () => {
  it("minor versions share a place, major versions do not", () => {
    assert.strictEqual(placeOf("work", "1.2").group, placeOf("work", "1").group)
    assert.strictEqual(placeOf("work", "1.2").group, placeOf("work", "1-beta").group)
    assert.notStrictEqual(placeOf("work", "1.2").group, placeOf("work", "2.0").group)
    assert.notStrictEqual(placeOf("work", undefined).group, placeOf("work", "1").group)
    assert.deepStrictEqual(["1.2", "12", "v1", "", "1234567.1", "2026-11-21"].map(majorOf), [
      "1",
      "12",
      "v1",
      "",
      "1234567.1",
      "2026"
    ])
  })

  it("names stand in SQL unescaped and in a column of 50 characters: they hold nothing else", () => {
    const names = ["work", "Order's; DROP TABLE x--", "ü".repeat(300), "", "a/b c", "-", "x".repeat(1000), "A"]
    const versions = [undefined, "1", "999999.1", "it's", "x".repeat(400), "", "Ω"]
    const groups = new Set<string>()
    for (const name of names)
      for (const version of versions) {
        const { group } = placeOf(name, version)
        assert.match(group, /^[a-z0-9-]{1,45}$/, `${name} ${version}`)
        groups.add(group)
      }
    // "" is no version.
    assert.strictEqual(groups.size, names.length * (versions.length - 1))
  })

  it("the places of a flow are found among all groups, the newest first", () => {
    const groups = [
      ...["9.1", "10", undefined, "beta", "a much longer name"].map((version) => placeOf("work", version).group),
      placeOf("other work", "11").group,
      "default"
    ]
    const places = placesOf("work", groups)
    assert.deepStrictEqual(
      places.map(({ group }) => group),
      [groups[1], groups[0], groups[4], groups[3], groups[2]]
    )
    assert.deepStrictEqual(
      places.map(({ major }) => major).filter((_, index) => index !== 2),
      ["10", "9", "beta", ""]
    )
    assert.deepStrictEqual(placesOf("nothing", groups), [])
  })
})
