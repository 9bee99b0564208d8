// What `npm start` prints for the items of its runtime stream, on a terminal and piped.
import { assert, describe, it } from "@effect/vitest"
import * as Progress from "../../../layers/apps/start/Progress.ts"
import type { Progress as Item } from "../../../layers/apps/start/Triage.ts"

const field = (path: string, rest: { readonly delta: string } | { readonly value: string }): Item => ({
  _tag: "Field",
  path,
  wildcardPath: path,
  indexes: [],
  eventType: "delta" in rest ? "delta" : "done",
  source: "observed",
  attempt: 1,
  ...rest
})
const assigned: Item = {
  _tag: "Assigned",
  path: "actions[0]",
  team: "billing",
  summary: "Refund \u001b[2Jit.",
  keywords: [],
  deadline: "within 3 working days"
}
const items: ReadonlyArray<Item> = [
  field("reply", { delta: "Dear " }),
  assigned,
  field("reply", { delta: "Ada" }),
  field("reply", { value: "Dear Ada" }),
  { _tag: "Unassigned", path: "actions[1]", reason: "no desk" }
]
const escape = String.fromCharCode(27)
const printed = (live: boolean) =>
  items
    .map(Progress.make({ live }))
    .join("")
    .replaceAll(new RegExp(`${escape}\\[\\d*m`, "g"), "")

describe("progress", () => {
  it("on a terminal a branch never breaks into the line of a text that is being written", () => {
    assert.strictEqual(
      printed(true),
      "reply: Dear Ada\n→ actions[0] billing: Refund [2Jit. (within 3 working days)\n✗ actions[1]: no desk\n"
    )
  })

  it("piped, every item is one plain line when it comes", () => {
    assert.strictEqual(
      printed(false),
      "→ actions[0] billing: Refund [2Jit. (within 3 working days)\nreply: Dear Ada\n✗ actions[1]: no desk\n"
    )
  })
})
