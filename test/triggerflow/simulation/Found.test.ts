import { assert, describe, it } from "@effect/vitest"
import { constant, emit, fail, heard, list, on, plus, program, sleep, start, to } from "./Build.ts"
import type { Instruction, Program } from "./Program.ts"
import { check } from "./Simulate.ts"

const append: Instruction = { op: "append", key: "l0", value: constant(1), silent: false }
const set: Instruction = { op: "set", key: "c0", value: constant(5), silent: false }

/** Programs that random ones were made of that failed once. */
const found: Readonly<Record<string, Program>> = {
  "a chunk with catch takes its own failure, and none below its awaited emit": program([
    start(to("a", [emit("A")], plus(0), { catch: constant(14) })),
    on("A", to("b", [fail]))
  ]),
  "a delete is decided where it becomes visible, not where it is said": program([
    start(to("a", [{ op: "delete", key: "c0", silent: false }, sleep(2)])),
    start(to("b", [sleep(1), set]))
  ]),
  "a handler that was told to stop starts no listeners any more": program([
    start(to("a", [set]), to("b", [{ op: "update", key: "n0", value: constant(1), silent: false }])),
    { trigger: { on: "state", key: "n0" }, nodes: [to("c")] },
    { trigger: { on: "state", key: "c0" }, nodes: [to("d", [fail])] }
  ]),
  "a handler that waits for its permit goes no further without it when it is told to stop": program(
    [start(to("a", [emit("A")])), start(to("b", [sleep(10)]), to("c", [sleep(50)])), on("A", to("d"))],
    { concurrency: 1, outside: [{ at: 20.5, act: "cancel" }] }
  ),
  "an emit that nobody listens to keeps the permit": program([
    start(to("a", [], list(3, constant(0))), {
      kind: "forEach",
      body: [to("b", [emit("A"), sleep(1)], plus(0), { concurrency: 1 })],
      onError: "fail"
    })
  ]),
  "a handler reads what it has written before a forked emit": program([
    start(to("a", [set, emit("A", constant(0), "emitFork"), { op: "read", key: "c0" }], heard))
  ]),
  "a handler that has appended reads what others append after that": program([
    start(to("a", [sleep(1), append])),
    start(to("b", [append, sleep(2), { op: "read", key: "l0" }], heard))
  ])
}

describe("programs that failed once", () => {
  for (const [name, one] of Object.entries(found))
    it(name, () => {
      for (let way = 0; way < 6; way++) assert.deepStrictEqual(check(one, way), [])
    })
})
