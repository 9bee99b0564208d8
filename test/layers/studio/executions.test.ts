import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineConfig } from "../../../layers/apps/config/Project.ts"
import { durable } from "../../../layers/host/DurableHost.ts"
import * as ExecutionHosts from "../../../layers/host/ExecutionHosts.ts"
import * as MemoryJournal from "../../../layers/store/MemoryJournal.ts"
import { JournalStore } from "../../../services/JournalStore.ts"
import { Chain, TriggerFlow } from "../../../src/triggerflow/index.ts"
import { eventually, open, type Sse } from "./support.ts"

process.env["EFFIGENT_DEMO_DELAY"] = "0"
const { default: project } = await import("../../support/studio/effigent.config.ts")

const isClosed = ({ json }: { readonly json: { readonly lifecycle: string } }) => json.lifecycle === "closed"

describe("flows and executions in the studio", () => {
  it.live("draws a flow with its groups, and every step with its key", () =>
    Effect.gen(function* () {
      const { get } = yield* open(project)
      const { json } = yield* get("/studio/flows/publish/graph")
      const node = (label: string) => json.nodes.find((node: { label: string }) => node.label === label)
      const ids = new Set(json.nodes.map(({ id }: { id: string }) => id))
      assert.strictEqual(ids.size, json.nodes.length)
      for (const { from, to } of json.edges) assert.isTrue(ids.has(from) && ids.has(to))
      assert.strictEqual(node("flow count").shape, "group")
      assert.strictEqual(node("split").parent, node("flow count").id)
      assert.strictEqual(node("split").key, `${node("flow count").key}/split`)
      assert.isTrue(json.edges.some(({ dotted }: { dotted?: boolean }) => dotted === undefined))
      const missing = yield* get("/studio/flows/nothing/graph")
      assert.deepStrictEqual([missing.status, missing.json.tag], [404, "UnknownFlow"])
    })
  )

  it.live("starts, shows, answers and ends an execution, with the status of each step", () =>
    Effect.gen(function* () {
      const { get, post } = yield* open(project)
      const started = yield* post("/api/flows/publish/executions", {
        input: { text: "three little words", large: true },
        id: "one",
        tags: ["mine"]
      })
      assert.deepStrictEqual([started.status, started.json], [201, { execution: "one" }])
      const waiting = yield* eventually(get("/studio/executions/one"), ({ json }) => json.questions.length === 1)
      const [question] = waiting.json.questions
      assert.deepStrictEqual(question.payload, { text: "three little words", words: 3 })
      assert.deepStrictEqual(waiting.json.input, { large: true, text: "three little words" })
      assert.deepStrictEqual(waiting.json.tags, ["mine"])
      assert.deepStrictEqual(waiting.json.state.checked, ["spelling"])

      const { json: graph } = yield* get("/studio/flows/publish/graph")
      const { json: steps } = yield* get("/studio/executions/one/steps")
      const known = new Set(graph.nodes.map(({ key }: { key?: string }) => key))
      const statuses = Object.fromEntries(
        steps.steps.map(({ key, status }: { key: string; status: string }) => [key, status])
      )
      for (const key of Object.keys(statuses)) assert.isTrue(known.has(key), key)
      assert.strictEqual(statuses["ask a person"], "waiting")
      assert.strictEqual(statuses["start/batch.words/subFlow/split"], "done")
      assert.strictEqual(statuses["start/batch.words/subFlow"], "done")
      assert.isUndefined(statuses["publish at once"])

      yield* post("/api/executions/one/signals/Hurry", { payload: { why: "deadline" }, wait: true })
      const answered = yield* post(`/api/executions/one/questions/${encodeURIComponent(question.id)}`, {
        value: { approved: true }
      })
      assert.strictEqual(answered.status, 204)
      yield* post("/api/executions/one/close", {})
      const { json: ended } = yield* get("/studio/executions/one")
      assert.deepStrictEqual([ended.status, ended.result], ["completed", "published after a look"])
      assert.strictEqual(ended.state.hurried, 1)

      const { json: trace } = yield* get(`/studio/traces/${ended.trace}`)
      assert.strictEqual(trace.trace.execution, "one")
      assert.includeMembers(
        trace.rows.map(({ name }: { name: string }) => name),
        ["publish", "read", "count", "split", "ask a person", "answered"]
      )
    })
  )

  it.live("tells the timeline in rows with times, and pages of it", () =>
    Effect.gen(function* () {
      const { get, post } = yield* open(project)
      yield* post("/api/flows/publish/executions", { input: { text: "a b", large: false }, id: "one" })
      yield* post("/api/executions/one/close", {})
      const { json } = yield* get("/studio/executions/one/timeline")
      assert.isTrue(json.complete)
      const steps = json.rows.filter(({ kind }: { kind: string }) => kind === "step")
      assert.strictEqual(json.steps, steps.length)
      const labels = steps.map(({ key }: { key: string }) => key)
      assert.strictEqual(labels[0], "read")
      assert.strictEqual(labels.at(-1), "publish at once")
      for (const row of steps) {
        assert.strictEqual(row.status, "done")
        assert.strictEqual(row.duration, row.endedAt - row.startedAt)
        assert.isAtLeast(row.endSeq, row.seq)
      }
      const around = steps.find(({ key }: { key: string }) => key === "start/batch.words/subFlow")
      const inside = steps.find(({ key }: { key: string }) => key === "start/batch.words/subFlow/split")
      assert.isAtMost(around.startedAt, inside.startedAt)
      assert.isAtLeast(around.endedAt, inside.endedAt)
      const { json: page } = yield* get("/studio/executions/one/timeline?offset=1&limit=2&kind=step")
      assert.deepStrictEqual(page.rows, steps.slice(1, 3))
      assert.strictEqual(page.total, steps.length)
      const { json: last } = yield* get("/studio/executions/one/timeline?limit=1&order=newest")
      assert.deepStrictEqual(last.rows, json.rows.slice(-1))
      const { json: only } = yield* get("/studio/executions/one/timeline?key=read")
      assert.deepStrictEqual(only.rows, steps.slice(0, 1))
      const { json: history } = yield* get("/studio/executions/one/history?offset=0&limit=3")
      assert.strictEqual(history.entries.length, 3)
      assert.strictEqual(history.entries[0].what, "started")
      const { json: behind } = yield* get(`/studio/executions/one/history?offset=${history.total}`)
      assert.deepStrictEqual(behind.entries, [])
    })
  )

  it.live("tells live how an execution stands, its steps and its entries, and goes on behind an entry", () =>
    Effect.gen(function* () {
      const { get, post, sse } = yield* open(project)
      yield* post("/api/flows/publish/executions", { input: { text: "a b c", large: true }, id: "one" })
      const isAsked = ({ data, event }: Sse) => event === "standing" && data.questions.length === 1
      const before = yield* sse("/studio/executions/one/events", isAsked)
      assert.includeMembers(
        before.map(({ event }) => event),
        ["standing", "entry"]
      )
      const live = yield* Effect.forkChild(sse("/studio/executions/one/events"), { startImmediately: true })
      const { json } = yield* get("/studio/executions/one")
      yield* post(`/api/executions/one/questions/${encodeURIComponent(json.questions[0].id)}`, {
        value: { approved: false }
      })
      yield* post("/api/executions/one/close", {})
      const events = yield* Fiber.join(live)
      assert.deepStrictEqual([events.at(-1)?.event, events.at(-1)?.data], ["end", { status: "completed" }])
      const steps = new Map<string, string>()
      for (const { data, event } of events)
        if (event === "steps") for (const { key, status } of data.steps) steps.set(key, status)
      assert.strictEqual(steps.get("answered"), "done")
      assert.strictEqual(steps.get("ask a person"), "done")
      const items = events.flatMap(({ data, event }) => (event === "entry" ? [data.cursor] : []))
      assert.deepStrictEqual(
        items,
        items.map((_, at) => at)
      )
      const behind = yield* sse("/studio/executions/one/events", undefined, { "last-event-id": "2" })
      const later = behind.flatMap(({ data, event }) => (event === "entry" ? [data.cursor] : []))
      assert.deepStrictEqual(later, items.slice(3))
      const missing = yield* get("/studio/executions/nothing/events")
      assert.deepStrictEqual([missing.status, missing.json.tag], [404, "UnknownExecution"])
    })
  )

  it.live("shows how an execution has failed, and begins another one before the step that failed", () =>
    Effect.gen(function* () {
      const { get, post } = yield* open(project)
      yield* post("/api/flows/letter/executions", { input: "fail", id: "bad" })
      const { json } = yield* eventually(get("/studio/executions/bad"), isClosed)
      assert.strictEqual(json.status, "failed")
      const { json: timeline } = yield* get("/studio/executions/bad/timeline?kind=step")
      assert.deepStrictEqual(
        timeline.rows.map(({ key, status }: { key: string; status: string }) => [key, status]),
        [["ask the desk", "failed"]]
      )
      const { json: trace } = yield* get(`/studio/traces/${json.trace}`)
      assert.deepStrictEqual(
        trace.rows.map(({ error, status }: { error: { message: string }; status: string }) => [status, error.message]),
        [
          ["error", "the desk is closed"],
          ["error", "the desk is closed"]
        ]
      )
      const forked = yield* post("/api/executions/bad/fork", { step: "ask the desk" })
      assert.strictEqual(forked.status, 201)
      const again = yield* eventually(get(`/studio/executions/${forked.json.execution}`), isClosed)
      assert.deepStrictEqual(again.json.tags, ["fork:bad"])
      const { json: fork } = yield* get(`/studio/executions/${forked.json.execution}/timeline`)
      assert.isTrue(fork.complete)
    })
  )

  it.live("stops what was at work where an execution is cancelled", () =>
    Effect.gen(function* () {
      const { get, post } = yield* open(project)
      yield* post("/api/flows/publish/executions", { input: { text: "a", large: true }, id: "one" })
      yield* eventually(get("/studio/executions/one"), ({ json }) => json.questions.length === 1)
      yield* post("/api/executions/one/cancel", { reason: "no more" })
      const { json } = yield* get("/studio/executions/one/timeline?key=ask%20a%20person")
      assert.deepStrictEqual(
        json.rows.map(({ status }: { status: string }) => status),
        ["stopped"]
      )
      const { json: events } = yield* get("/studio/executions/one/timeline?kind=event&order=newest&limit=1")
      assert.deepStrictEqual([events.rows[0].what, events.rows[0].name], ["cancelled", "no more"])
    })
  )
})

const Small = TriggerFlow.define("small", { input: Schema.Int, result: Schema.Int })
const small = Small.build(
  Small.start.pipe(
    Chain.to("one", (n) => Effect.succeed(n)),
    Chain.result
  )
)

const Long = TriggerFlow.define("long", { input: Schema.Int, result: Schema.Int })
const long = Long.build(
  Long.start.pipe(
    Chain.loop((c) => c.pipe(Chain.to("count down", (n) => Effect.succeed(n - 1))), {
      while: (n) => n > 0,
      max: 1_000_000
    }),
    Chain.result
  )
)

// A store that counts what it is asked for.
const counting = () => {
  const store = MemoryJournal.make()
  const calls = { list: 0, entries: 0, rows: 0 }
  const counted: JournalStore["Service"] = {
    ...store,
    list: (query) =>
      Effect.tap(store.list(query), ({ heads }) =>
        Effect.sync(() => {
          calls.list++
          calls.rows += heads.length
        })
      ),
    history: (id, options) =>
      Effect.tap(store.history(id, options), (entries) => Effect.sync(() => void (calls.entries += entries.length)))
  }
  return { store, calls, layer: Layer.succeed(JournalStore, counted) }
}

describe("many and long executions", () => {
  it.live("pages and filters 10,000 executions in the store, each page by one question", () =>
    Effect.gen(function* () {
      const { calls, layer, store } = counting()
      const owner = { runner: "other", incarnation: "1" }
      yield* store.join(owner, 60_000)
      for (let at = 0; at < 10_000; at++)
        yield* store.create({
          id: `e-${String(at).padStart(5, "0")}`,
          flow: at % 2 === 0 ? "small" : "gone",
          status: at % 10 === 0 ? "waiting" : "completed",
          lifecycle: at % 10 === 0 ? "open" : "closed",
          input: String(at),
          tags: at % 100 === 0 ? ["hundred", "x"] : ["x"],
          owner,
          records: []
        })
      const { get } = yield* open(defineConfig({ flows: [small], layer }))
      const first = yield* get("/studio/executions?limit=200")
      assert.strictEqual(first.json.executions.length, 200)
      assert.deepStrictEqual(calls, { list: 1, entries: 0, rows: 200 })
      assert.strictEqual(first.json.executions[0].id, "e-09999")
      const second = yield* get(`/studio/executions?limit=200&after=${encodeURIComponent(first.json.next)}`)
      assert.strictEqual(second.json.executions[0].id, "e-09799")
      // To the end, nothing twice.
      const seen = new Set<string>()
      for (let after = ""; ;) {
        const { json } = yield* get(`/studio/executions?limit=1000${after}`)
        for (const { id } of json.executions) seen.add(id)
        if (json.next === undefined) break
        after = `&after=${encodeURIComponent(json.next)}`
      }
      assert.strictEqual(seen.size, 10_000)
      const ids = (query: string) =>
        Effect.map(get(`/studio/executions?${query}`), ({ json }) =>
          json.executions.map(({ id }: { id: string }) => id)
        )
      assert.strictEqual((yield* ids("flow=small&status=waiting&limit=1000")).length, 1000)
      assert.strictEqual((yield* ids("tag=hundred&tag=x&limit=1000")).length, 100)
      assert.deepStrictEqual(yield* ids("text=E-0123&order=oldest&limit=3"), ["e-01230", "e-01231", "e-01232"])
      assert.deepStrictEqual(yield* ids(`from=${Date.now() + 60_000}`), [])
      assert.deepStrictEqual(yield* ids("dead=true"), [])
      const wrong = yield* get("/studio/executions?limit=5000")
      assert.deepStrictEqual([wrong.status, wrong.json.tag], [400, "InvalidRequest"])
      // One whose flow is not here any more is shown by its head.
      const { json } = yield* get("/studio/executions/e-00001")
      assert.deepStrictEqual([json.status, json.input, json.tags], ["completed", 1, ["x"]])
      assert.include(json.failure.message, "gone")
    })
  )

  it.live(
    "reads a journal of 100,000 records once, and every page after that from what it has",
    () =>
      Effect.gen(function* () {
        const { calls, layer } = counting()
        const { get, post } = yield* open(defineConfig({ flows: [long], layer }), { traces: { spansPerTrace: 1_000 } })
        yield* post("/api/flows/long/executions", { input: 50_000, id: "long" })
        yield* eventually(get("/studio/executions/long"), isClosed)
        calls.entries = 0
        const { json } = yield* get("/studio/executions/long/timeline?limit=100&offset=60000")
        assert.strictEqual(json.total, 100_003)
        assert.strictEqual(json.steps, 50_000)
        assert.isTrue(json.complete)
        assert.strictEqual(json.rows.length, 100)
        assert.strictEqual(json.rows[0].index, 60_000)
        const read = calls.entries
        assert.isAtLeast(read, json.seq)
        assert.isAtMost(read, json.seq + 1)
        for (const path of [
          "timeline?order=newest&limit=50",
          "steps",
          "history?offset=99000&limit=1000",
          "timeline?kind=step"
        ])
          assert.strictEqual((yield* get(`/studio/executions/long/${path}`)).status, 200)
        assert.strictEqual(calls.entries, read)
        const { json: steps } = yield* get("/studio/executions/long/steps")
        const one = steps.steps.find(({ key }: { key: string }) => key === "count down")
        assert.deepStrictEqual([one.runs, one.done, one.status], [50_000, 50_000, "done"])
        const { json: traces } = yield* get("/studio/traces")
        assert.deepStrictEqual([traces.traces[0].spans, traces.traces[0].dropped], [1_000, 49_001])
      }),
    120_000
  )
})

describe("hosts and stores of the project", () => {
  it.live("does with a host that keeps no journal what can be done, and says what cannot", () =>
    Effect.gen(function* () {
      const layer = ExecutionHosts.inProcess()
      const { get, post, sse } = yield* open(defineConfig({ flows: [small], layer }))
      const { json } = yield* get("/studio/project")
      assert.deepStrictEqual([json.capabilities.durable, json.capabilities.history], [true, false])
      yield* post("/api/flows/small/executions", { input: 3, id: "one" })
      const events = yield* sse("/studio/executions/one/events")
      assert.deepStrictEqual([events.at(-1)?.event, events.at(-1)?.data], ["end", { status: "completed" }])
      const { json: list } = yield* get("/studio/executions?flow=small&status=completed")
      assert.deepStrictEqual(
        list.executions.map(({ id, tags }: { id: string; tags: ReadonlyArray<string> }) => [id, tags]),
        [["one", []]]
      )
      assert.strictEqual((yield* get("/studio/executions/one")).json.result, 3)
      for (const path of ["executions?text=on", "executions/one/timeline", "executions/one/steps"]) {
        const refused = yield* get(`/studio/${path}`)
        assert.deepStrictEqual([refused.status, refused.json.tag], [501, "NotServed"])
      }
      // The studio's own traces are there all the same.
      const { json: traces } = yield* get("/studio/traces?execution=one")
      assert.strictEqual(traces.traces[0].name, "small")
    })
  )

  it.live("shows why an execution was put aside, and lets it go on", () =>
    Effect.gen(function* () {
      const { layer, store } = counting()
      const owner = { runner: "other", incarnation: "1" }
      const { get, post } = yield* open(defineConfig({ flows: [small], layer }))
      yield* post("/api/flows/small/executions", { input: 3, id: "model" })
      yield* eventually(get("/studio/executions/model"), isClosed)
      const [first] = yield* store.history("model", { limit: 1 })
      yield* store.join(owner, 60_000)
      const { head } = yield* store.create({
        id: "dead",
        flow: "small",
        status: "running",
        lifecycle: "open",
        input: "3",
        tags: [],
        owner,
        records: first?.records ?? []
      })
      yield* store.bury("dead", head.fence, "it has ended its process five times")
      yield* store.leave(owner)
      const { json: list } = yield* get("/studio/executions?dead=true")
      assert.deepStrictEqual(
        list.executions.map(({ dead, id }: { dead: { reason: string }; id: string }) => [id, dead.reason]),
        [["dead", "it has ended its process five times"]]
      )
      assert.strictEqual((yield* get("/studio/executions?dead=false")).json.executions.length, 1)
      assert.strictEqual((yield* post("/api/dead-letters/dead/retry")).status, 204)
      const ended = yield* eventually(get("/studio/executions/dead"), isClosed)
      assert.deepStrictEqual([ended.json.status, ended.json.result, ended.json.dead], ["completed", 3, undefined])
    })
  )

  it.live("begins the timeline of a journal whose beginning is gone where it is kept, and says so", () =>
    Effect.gen(function* () {
      const { layer } = counting()
      const host = durable({ runner: "short", keepSnapshots: 3, snapshotEvery: 16 }).pipe(Layer.provideMerge(layer))
      const { get, post } = yield* open(defineConfig({ flows: [long], layer: host }))
      yield* post("/api/flows/long/executions", { input: 200, id: "long" })
      yield* eventually(get("/studio/executions/long"), isClosed)
      const { json } = yield* get("/studio/executions/long/timeline?order=newest&limit=3")
      assert.isFalse(json.complete)
      assert.isBelow(json.total, 200)
      assert.isAbove(json.total, 0)
      assert.strictEqual(json.rows[0].what, "closed")
    })
  )
})

describe("reports of evals", () => {
  it.live("lists the reports of the project, tells of broken files, and gives one as it is", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "studio-"))
      const { get } = yield* open(project, { folder })
      assert.deepStrictEqual((yield* get("/studio/evals")).json, { reports: [], broken: [] })
      const evals = join(folder, ".effigent", "evals")
      mkdirSync(evals, { recursive: true })
      const report = { id: "r1", name: "letters", startedAt: 5, summary: { passed: 3 }, cases: [{ id: 1 }] }
      writeFileSync(join(evals, "r1.json"), JSON.stringify(report))
      writeFileSync(join(evals, "r2.json"), JSON.stringify({ ...report, id: "r2", startedAt: 9 }))
      writeFileSync(join(evals, "broken.json"), "{")
      writeFileSync(join(evals, "list.json"), "[]")
      const { json } = yield* get("/studio/evals")
      assert.deepStrictEqual(
        json.reports.map(({ id }: { id: string }) => id),
        ["r2", "r1"]
      )
      assert.deepStrictEqual(json.reports[1].head, { id: "r1", name: "letters", startedAt: 5, summary: { passed: 3 } })
      assert.deepStrictEqual(json.broken.map(({ file }: { file: string }) => file).toSorted(), [
        "broken.json",
        "list.json"
      ])
      assert.deepStrictEqual((yield* get("/studio/evals/r1")).json, report)
      const missing = yield* get("/studio/evals/..%2Fbroken")
      assert.deepStrictEqual([missing.status, missing.json.tag], [404, "UnknownReport"])
      assert.isTrue((yield* get("/studio/project")).json.capabilities.evals)
    })
  )
})
