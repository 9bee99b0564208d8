// `effigent flow` and `replay`: executions that outlive their commands, in a SQLite file.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { JournalStore } from "effigent/services/JournalStore"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { atTerminal, effigent, json, project } from "./support.ts"

const counter = `import { Effect, Layer, Schema } from "effect"
import { defineConfig } from "effigent/config"
import { JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import { existsSync } from "node:fs"
import { join } from "node:path"
const Add = Signal.make("Add", Schema.Int)
const Counter = TriggerFlow.define("counter", {
  signals: [Add], state: Schema.Struct({ sum: Schema.Int }), initial: { sum: 0 }, stream: Schema.Int, result: Schema.Int
})
const counter = Counter.build(
  Counter.on(Add).pipe(
    Chain.to("add", (n, run) =>
      Effect.gen(function* () {
        yield* run.state.update("sum", (sum) => sum + n)
        const { sum } = yield* run.state.all
        yield* run.put(sum)
        return sum
      })
    ),
    Chain.result
  )
)
const Shaky = TriggerFlow.define("shaky", { input: Schema.String, result: Schema.String, error: Schema.String })
const shaky = Shaky.build(
  Shaky.start.pipe(
    Chain.to("try", (word) => (existsSync(join(import.meta.dirname, "mended")) ? Effect.succeed(word) : Effect.fail("it shakes"))),
    Chain.result
  )
)
const store = JournalStores.layer().pipe(Layer.provide(SqliteClient.layer({ filename: join(import.meta.dirname, "x.db") })))
export default defineConfig({ flows: [counter, shaky], layer: KEEP ? store : Layer.empty })
`

const refund = project()
const counting = project({ "effigent.config.ts": counter.replace("KEEP", "true") })
const passing = project({ "effigent.config.ts": counter.replace("KEEP ? store : Layer.empty", "Layer.empty") })

const large = '{"cents":900,"letter":"My cup is broken."}'

describe("effigent flow", () => {
  it("lists and draws the flows, without running anything", async () => {
    const list = await effigent(refund, ["flow", "list", "--json"])
    assert.match(list.out, /^\[\{"name":"refund","signals":\[\],"fingerprint":"[0-9a-f]+"\}\]\n$/)
    const graph = await effigent(refund, ["flow", "graph", "refund"])
    assert.match(graph.out, /^flowchart TD\n/)
    assert.include(graph.out, '["triage"]')
    const unknown = await effigent(refund, ["flow", "graph", "nothing"])
    assert.strictEqual(unknown.code, 2)
    assert.include(unknown.err, "Flows of the configuration: refund.")
  })

  it("leaves an execution that asks with code 3, and goes on with it in the next commands", async () => {
    const started = await effigent(refund, ["flow", "start", "refund", large, "--id", "r1"])
    assert.strictEqual(started.code, 3)
    assert.include(started.out, "refund r1: waiting\n  asks Approval: 900\n")
    assert.match(started.err, /· triage done after [\d.]+ m?s\n/)
    assert.match(started.err, /│ ● triage\n(.*\n)+│ ✓ done in [\d.]+ m?s, \d+ tokens in, \d+ out\n/)

    const again = await effigent(refund, ["flow", "start", "refund", large, "--id", "r1", "--json"])
    assert.strictEqual(again.code, 3)
    assert.deepInclude(json(again.out), { id: "r1", status: "waiting" })

    const [, question = ""] = /effigent flow answer r1 (\S+) /.exec(started.out) ?? []
    const forked = await effigent(refund, [
      "flow",
      "fork",
      "r1",
      "--step",
      "triage",
      "--as",
      "r2",
      "--json",
      "--events"
    ])
    assert.strictEqual(forked.code, 3)
    const told = forked.out.trimEnd().split("\n").map(json)
    const steps = told.flatMap(({ event }) => {
      const { name, value } = event as { name?: string; value?: { step?: string; what: string } }
      return name === "step" ? [`${value?.step ?? ""} ${value?.what}`] : []
    })
    assert.includeMembers(steps, ["triage done", "approve asked"])

    const answered = await effigent(refund, [
      "flow",
      "answer",
      "r1",
      question,
      "true",
      "--json",
      "--request-id",
      "click"
    ])
    assert.strictEqual(answered.code, 0)
    assert.deepInclude(json(answered.out), { status: "completed", result: "paid" })

    const cancelled = await effigent(refund, ["flow", "cancel", "r2", "--reason", "it was a trial"])
    assert.strictEqual(cancelled.code, 0)
    assert.match(cancelled.out, /^refund r2: cancelled\n.*it was a trial/)

    const listed = await effigent(refund, ["flow", "executions", "--status", "completed", "--json"])
    const { executions } = json(listed.out) as { executions: ReadonlyArray<{ id: string }> }
    assert.deepStrictEqual(
      executions.map(({ id }) => id),
      ["r1"]
    )

    const history = await effigent(refund, ["flow", "history", "r1"])
    assert.match(history.out, /^SEQ {2}AT +WHAT\n1 +\S+ +started\n/)
    assert.match(history.out, /closed\n$/)

    const replayed = await effigent(refund, ["replay", "r1"])
    assert.match(replayed.out, /approve asked Approval {2}\(waiting\)\n +asks Approval 900\n/)
    assert.match(replayed.out, /result "paid"/)
    const exported = await effigent(refund, ["flow", "export", "r1"])
    const file = join(refund, "journal.json")
    writeFileSync(file, exported.out)
    const fromFile = await effigent(refund, ["replay", "journal.json"])
    assert.strictEqual(fromFile.out, replayed.out)
    const part = await effigent(refund, ["replay", "journal.json", "--until", "2", "--json"])
    const { steps: first } = json(part.out) as { steps: ReadonlyArray<{ what: string }> }
    assert.deepStrictEqual(
      first.map(({ what }) => what),
      ["started", "done"]
    )
    writeFileSync(file, readFileSync(file, "utf8").replace("effigent-journal-1", "other"))
    const broken = await effigent(refund, ["replay", "journal.json"])
    assert.strictEqual(broken.code, 2)
    assert.include(broken.err, "is no journal")
  }, 90_000)

  it("asks at the terminal, again where the answer is none", async () => {
    const { code, out } = await atTerminal(
      refund,
      ["flow", "start", "refund", large],
      [
        ["leaves it open): ", "perhaps\n"],
        ["is no JSON", "false\n"]
      ]
    )
    assert.strictEqual(code, 0)
    assert.include(out, 'result: "kept"')
  })

  it("sends signals to an execution that stays open, and closes it", async () => {
    const started = await effigent(counting, ["flow", "start", "counter", "--id", "c1", "--open"])
    assert.strictEqual(started.code, 3)
    const first = await effigent(counting, ["flow", "signal", "c1", "Add", "3"])
    assert.strictEqual(first.code, 3)
    assert.include(first.err, "· item 3\n")
    const second = await effigent(counting, ["flow", "signal", "c1", "Add", "4"])
    assert.include(second.err, "· item 7\n")
    assert.notInclude(second.err, "· item 3\n", "what was before is not told again")
    const wrong = await effigent(counting, ["flow", "signal", "c1", "Add", '"x"', "--json"])
    assert.strictEqual(wrong.code, 1)
    assert.deepNestedInclude(json(wrong.out), { "error.tag": "FlowFailed" })
    const shown = await effigent(counting, ["flow", "show", "c1", "--json"])
    assert.deepInclude(json(shown.out), { lifecycle: "open", state: { sum: 7 } })
    const closed = await effigent(counting, ["flow", "close", "c1"])
    assert.strictEqual(closed.code, 0)
    assert.strictEqual(closed.out, 'counter c1: completed\n  state: {"sum":7}\n  result: 7\n')
  }, 60_000)

  it("ends with code 1 where an execution fails, and forks it from before the failure", async () => {
    const failed = await effigent(counting, ["flow", "start", "shaky", '"word"', "--id", "s1"])
    assert.strictEqual(failed.code, 1)
    assert.match(failed.out, /^shaky s1: failed\n.*it shakes/)
    writeFileSync(join(counting, "mended"), "")
    const forked = await effigent(counting, ["flow", "fork", "s1", "--step", "try", "--as", "s2", "--json"])
    assert.strictEqual(forked.code, 0)
    assert.deepInclude(json(forked.out), { status: "completed", result: "word" })
  })

  it("tells what is unknown, and what is no dead letter", async () => {
    for (const command of ["show", "history", "cancel", "watch", "export"]) {
      const { code, err } = await effigent(counting, ["flow", command, "nothing"])
      assert.strictEqual(code, 5, `${command}: ${err}`)
    }
    const replayed = await effigent(counting, ["replay", "nothing"])
    assert.strictEqual(replayed.code, 5)
    const dead = await effigent(counting, ["flow", "dead", "--json"])
    assert.deepStrictEqual(json(dead.out), { executions: [] })
    const retried = await effigent(counting, ["flow", "retry", "c1"])
    assert.strictEqual(retried.code, 1)
    assert.match(retried.err, /it is no dead letter/)
  }, 60_000)

  it("lists dead letters, lets one go on, and ends another as cancelled", async () => {
    const ids = ["d1", "d2"]
    for (const id of ids) await effigent(refund, ["flow", "start", "refund", large, "--id", id])
    const bury = Effect.gen(function* () {
      const store = yield* JournalStore
      const owner = { runner: "other", incarnation: "1" }
      yield* store.join(owner, 60_000)
      for (const id of ids) {
        const head = Option.getOrThrow(yield* store.claimOne(id, owner, { force: true }))
        yield* store.bury(id, head.fence, "it dies whenever it is run")
      }
    })
    const filename = join(refund, "effigent.db")
    const store = JournalStores.layer().pipe(Layer.provide(SqliteClient.layer({ filename })))
    await Effect.runPromise(bury.pipe(Effect.provide(store)))

    const dead = await effigent(refund, ["flow", "dead"])
    assert.match(dead.out, /d1 +refund +it dies whenever it is run\n/)
    assert.match(dead.out, /d2 +refund +it dies whenever it is run\n/)
    const retried = await effigent(refund, ["flow", "retry", "d1", "--json"])
    assert.strictEqual(retried.code, 3)
    assert.deepInclude(json(retried.out), { id: "d1", status: "waiting" })
    const discarded = await effigent(refund, ["flow", "discard", "d2", "--json"])
    assert.strictEqual(discarded.code, 0)
    assert.deepInclude(json(discarded.out), { id: "d2", status: "cancelled" })
    assert.deepStrictEqual(json((await effigent(refund, ["flow", "dead", "--json"])).out), { executions: [] })
  }, 60_000)

  it("runs flows without a store in this process, and says that they end with it", async () => {
    const { code, out } = await effigent(passing, ["flow", "start", "counter"])
    assert.strictEqual(code, 0)
    assert.match(out, /^counter \w+: completed\n/)
    const waiting = await effigent(
      project({
        "effigent.config.ts": readFileSync(join(refund, "effigent.config.ts"), "utf8").replace(
          "Layer.merge(ModelProviders.fromEnv, store)",
          "ModelProviders.fromEnv"
        )
      }),
      ["flow", "start", "refund", large]
    )
    assert.strictEqual(waiting.code, 3)
    assert.include(waiting.out, "It ended with this process.")
  })
})
