import { assert, describe, it } from "@effect/vitest"
import { placeOf, placesOf } from "../../../layers/cluster/Places.ts"

describe("the places of flows in a cluster", () => {
  it("each version has a place of its own, and none has another", () => {
    const versions = [undefined, "1", "1.2", "1.2.3", "1-2", "2", "12", "1.2-beta", "2026-11-21", "n", "v1", "V1"]
    const groups = versions.map((version) => placeOf("work", version).group)
    assert.strictEqual(new Set(groups).size, versions.length)
    assert.strictEqual(placeOf("work", "1.2").group, groups[2])
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
    assert.strictEqual(groups.size, names.length * versions.length)
  })

  it("the places of a flow are found among all groups, the newest first", () => {
    const groups = [
      ...["9.1", "10", undefined, "beta", "a much longer name", "9.10", "9"].map(
        (version) => placeOf("work", version).group
      ),
      placeOf("other work", "11").group,
      "default"
    ]
    const places = placesOf("work", groups)
    assert.deepStrictEqual(
      places.map(({ group }) => group),
      [1, 5, 0, 6, 3, 2, 4].map((index) => groups[index])
    )
    assert.deepStrictEqual(places.map(({ version }) => version).slice(0, 6), [
      "10",
      "9.10",
      "9.1",
      "9",
      "beta",
      undefined
    ])
    assert.deepStrictEqual(placesOf("nothing", groups), [])
  })
})
