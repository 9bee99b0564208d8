/** The promises of `JournalStore` as cases for any implementation: appends, reads and owners. Lists stand in `JournalLists`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Append, Journal, JournalEntry } from "../../services/JournalStore.ts"
import { type Bench, create, type Failure, fails, type Options, promise, type Store } from "./JournalBench.ts"
import { cases as lists } from "./JournalLists.ts"
import type { ConformanceFailure } from "./ModelProviderConformance.ts"
import { expect, runAll, type StoreCase } from "./StoreCase.ts"

export type { Options } from "./JournalBench.ts"

const whole = (found: Option.Option<Journal>): Effect.Effect<Journal, string> =>
  Option.match(found, { onNone: () => Effect.fail("the journal is not there"), onSome: Effect.succeed })

const seqs = (entries: ReadonlyArray<JournalEntry>) => entries.map(({ seq }) => seq)

/** Appends `count` entries to an execution at the fence 1, each with its number, and a snapshot after every `every`th. */
const fill = Effect.fnUntraced(function* (store: Store, id: string, count: number, every: number, keep?: number) {
  const { seq } = Option.getOrThrow(yield* store.get(id))
  for (let expected = seq; expected < seq + count; expected++) {
    yield* store.append({
      id,
      fence: 1,
      expected,
      records: [expected + 1],
      ...((expected + 1) % every === 0 && { snapshot: { upTo: expected + 1 } }),
      ...(keep !== undefined && { keepSnapshots: keep })
    })
  }
})

const appends: ReadonlyArray<(options: Options) => StoreCase<Store>> = [
  promise("what was created is read as it was", (bench) =>
    Effect.gen(function* () {
      const { store, owner } = bench
      const id = bench.id("Order/1 gr\u00fc\u00df \ud83d\ude00 \"'\\ %_")
      const records = [{ deep: [null, 1.5, false, "\u0000 \ud83d\ude00 \u2028 '\""] }, "text", 0]
      const made = yield* create(bench, id, {
        version: "2",
        fingerprint: "f1",
        input: '{"a":1}',
        tags: ["gr\u00fcn", "b'c"],
        wakeAt: 12.5,
        records,
        snapshot: { at: 1 }
      })
      const { startedAt, updatedAt, ...rest } = made.head
      yield* expect("created", made.created, true)
      yield* expect("head", rest, {
        id,
        flow: bench.flow,
        version: "2",
        fingerprint: "f1",
        status: "running",
        lifecycle: "open",
        input: '{"a":1}',
        tags: ["gr\u00fcn", "b'c"],
        owner,
        wakeAt: 12.5,
        seq: 1,
        snapshot: 1,
        fence: 1,
        tries: 0
      })
      yield* expect("its start", updatedAt, startedAt)
      yield* expect("get", yield* store.get(id), Option.some(made.head))
      yield* expect("history", yield* store.history(id), [{ seq: 1, at: startedAt, records }])
      yield* expect("read", yield* whole(yield* store.read(id)), {
        head: made.head,
        snapshot: { seq: 1, json: { at: 1 } },
        entries: []
      })
    })
  ),
  promise("what is not there is none", (bench) =>
    Effect.gen(function* () {
      const { store, owner } = bench
      const id = bench.id("nowhere")
      yield* expect("get", yield* store.get(id), Option.none())
      yield* expect("read", yield* store.read(id), Option.none())
      yield* expect("history", yield* store.history(id), [])
      yield* expect("claimOne", yield* store.claimOne(id, owner, { force: true }), Option.none())
      yield* expect("revive", yield* store.revive(id), false)
      yield* store.release(owner, [id])
      yield* store.remove(id)
      yield* fails("append", store.append({ id, fence: 1, expected: 0, records: [] }), "missing")
      yield* fails("bury", store.bury(id, 1, "why"), "missing")
    })
  ),
  promise("of 20 that create one execution at once one creates, and the others are given its head", (bench) =>
    Effect.gen(function* () {
      const id = bench.id("race")
      const made = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) => create(bench, id, { input: String(n), records: [n], owner: { ...bench.owner, runner: `runner ${n}` } }),
        { concurrency: "unbounded" }
      )
      const creators = made.flatMap(({ created, head }) => (created ? [head] : []))
      yield* expect("how many created", creators.length, 1)
      const [winner] = creators
      for (const { head } of made) yield* expect("the head that each is given", head, winner)
      const { entries } = yield* whole(yield* bench.store.read(id))
      yield* expect("entries", entries.length, 1)
      yield* expect("its record", entries[0]?.records, [Number(winner?.input)])
    })
  ),
  promise("an append changes of the head what it names, and nothing else", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const id = bench.id("head")
      const { head } = yield* create(bench, id, { tags: ["a", "b"], wakeAt: 5, version: "1" })
      const step = { id, fence: 1 }
      yield* expect("its number", yield* store.append({ ...step, expected: 1, records: [1] }), 2)
      const second = Option.getOrThrow(yield* store.get(id))
      yield* expect("after records", { ...second, updatedAt: 0 }, { ...head, seq: 2, updatedAt: 0 })
      yield* store.append({
        ...step,
        expected: 2,
        records: [],
        status: "waiting",
        lifecycle: "sealed",
        wakeAt: null,
        tags: ["b", "c"],
        version: "2",
        fingerprint: "f"
      })
      const third = Option.getOrThrow(yield* store.get(id))
      const { wakeAt: _, ...rest } = head
      yield* expect(
        "after all of it",
        { ...third, updatedAt: 0 },
        {
          ...rest,
          seq: 3,
          updatedAt: 0,
          status: "waiting",
          lifecycle: "sealed",
          tags: ["b", "c"],
          version: "2",
          fingerprint: "f"
        }
      )
      yield* expect("by the old tag", (yield* store.list({ flow: bench.flow, tags: ["a"] })).heads, [])
      yield* expect("by the new tag", (yield* store.list({ flow: bench.flow, tags: ["c"] })).heads, [third])
      yield* store.append({ ...step, expected: 3, records: [], wakeAt: 99, status: "completed", closed: true })
      const last = Option.getOrThrow(yield* store.get(id))
      yield* expect("closed", [last.lifecycle, last.status, last.wakeAt], ["closed", "completed", 99])
      yield* expect("when it closed", last.closedAt, last.updatedAt)
      yield* expect("history", seqs(yield* store.history(id)), [1, 2, 3, 4])
    })
  ),
  promise("an append on another number is a conflict and changes nothing", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const id = bench.id("sequence")
      yield* create(bench, id)
      yield* store.append({ id, fence: 1, expected: 1, records: ["b"] })
      const before = yield* store.read(id)
      for (const expected of [0, 1, 3, 7])
        yield* fails(
          `an append on ${expected} of 2`,
          store.append({ id, fence: 1, expected, records: ["x"], status: "failed", tags: ["x"], snapshot: {} }),
          "sequence"
        )
      yield* expect("the journal", yield* store.read(id), before)
    })
  ),
  promise("of appends on one number at once one is made", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const id = bench.id("race")
      yield* create(bench, id)
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 12 }, (_, n) => n),
        (n) => Effect.result(store.append({ id, fence: 1, expected: 1, records: [n] })),
        { concurrency: "unbounded" }
      )
      yield* expect("how many were made", outcomes.filter(Result.isSuccess).length, 1)
      for (const outcome of outcomes) {
        if (Result.isFailure(outcome) && outcome.failure._tag !== "JournalConflict")
          return yield* Effect.fail(outcome.failure.message)
      }
      yield* expect("entries", seqs(yield* store.history(id)), [1, 2])
    })
  ),
  promise("an append that is repeated succeeds once more and changes nothing", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const id = bench.id("again")
      yield* create(bench, id)
      const append: Append = { id, fence: 1, expected: 1, records: [{ a: 1 }], status: "waiting", snapshot: { s: 1 } }
      yield* expect("the first", yield* store.append(append), 2)
      const before = yield* store.read(id)
      yield* expect("the second", yield* store.append({ ...append }), 2)
      yield* expect("the journal", yield* store.read(id), before)
      yield* expect("history", (yield* store.history(id)).length, 2)
      yield* fails("one with other records", store.append({ ...append, records: [{ a: 2 }] }), "sequence")
      yield* fails("one with another status", store.append({ ...append, status: "running" }), "sequence")
      yield* store.claimOne(id, { ...bench.owner, incarnation: "2" }, { force: true })
      yield* fails("one after somebody has claimed it", store.append(append), "fenced")
    })
  ),
  promise("an old owner is refused after a claim, whoever appends first", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const other = { runner: bench.id("other"), incarnation: "1" }
      // The new owner appends first.
      const a = bench.id("a")
      yield* create(bench, a)
      const claimed = Option.getOrThrow(yield* store.claimOne(a, other, { force: true }))
      yield* expect("fence and owner", [claimed.fence, claimed.owner], [2, other])
      yield* store.append({ id: a, fence: 2, expected: 1, records: ["new"] })
      yield* fails("the old owner", store.append({ id: a, fence: 1, expected: 1, records: ["old"] }), "fenced")
      yield* fails("the old owner further on", store.append({ id: a, fence: 1, expected: 2, records: [] }), "fenced")
      // The old one tries between the claim and the first append of the new one.
      const b = bench.id("b")
      yield* create(bench, b)
      yield* store.claimOne(b, other, { force: true })
      yield* fails("the old owner", store.append({ id: b, fence: 1, expected: 1, records: ["old"] }), "fenced")
      yield* fails("its burial", store.bury(b, 1, "why"), "fenced")
      yield* store.append({ id: b, fence: 2, expected: 1, records: ["new"] })
      for (const id of [a, b]) {
        const records = (yield* store.history(id)).map((entry) => entry.records)
        yield* expect("records", records, [["first"], ["new"]])
      }
    })
  ),
  promise("a journal is read from its newest snapshot on, without a gap", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const id = bench.id("tail")
      yield* create(bench, id)
      yield* fill(store, id, 6, 4, Infinity)
      const journal = yield* whole(yield* store.read(id))
      yield* expect("snapshot", journal.snapshot, { seq: 4, json: { upTo: 4 } })
      yield* expect(
        "entries",
        journal.entries.map(({ seq, records }) => [seq, records]),
        [
          [5, [5]],
          [6, [6]],
          [7, [7]]
        ]
      )
      yield* expect("head", [journal.head.seq, journal.head.snapshot], [7, 4])
      const until = Effect.fnUntraced(function* (seq: number) {
        const { snapshot, entries } = yield* whole(yield* store.read(id, { until: seq }))
        return [snapshot?.seq, seqs(entries)]
      })
      yield* expect("until 2", yield* until(2), [undefined, [1, 2]])
      yield* expect("until 4", yield* until(4), [4, []])
      yield* expect("until 6", yield* until(6), [4, [5, 6]])
      yield* expect("until 99", yield* until(99), [4, [5, 6, 7]])
      yield* expect("history", seqs(yield* store.history(id)), [1, 2, 3, 4, 5, 6, 7])
      yield* expect("a part of it", seqs(yield* store.history(id, { from: 3, limit: 2 })), [3, 4])
    })
  ),
  promise("old snapshots are forgotten, and the entries before the oldest that stays", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const [few, usual, all] = [bench.id("2"), bench.id("default"), bench.id("all")]
      yield* Effect.forEach([few, usual, all], (id) => create(bench, id))
      yield* fill(store, few, 11, 2, 2)
      yield* fill(store, usual, 11, 2)
      yield* fill(store, all, 11, 2, Infinity)
      yield* expect("with 2", seqs(yield* store.history(few)), [10, 11, 12])
      yield* expect("as usual", seqs(yield* store.history(usual)), [8, 9, 10, 11, 12])
      yield* expect("all", (yield* store.history(all)).length, 12)
      yield* expect("before the oldest", yield* store.read(few, { until: 9 }), Option.none())
      yield* expect("at the oldest", (yield* whole(yield* store.read(few, { until: 11 }))).snapshot?.seq, 10)
      yield* store.append({ id: few, fence: 1, expected: 12, records: [], snapshot: "one", keepSnapshots: 1 })
      yield* expect("with 1", seqs(yield* store.history(few)), [13])
      yield* expect("its snapshot", (yield* whole(yield* store.read(few))).snapshot, { seq: 13, json: "one" })
    })
  ),
  promise("records and snapshots of 1 MB are read as they were", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const id = bench.id("large")
      const large = {
        text: '\ud83d\ude00 "quoted" \\ \n'.repeat(70_000),
        list: Array.from({ length: 1_000 }, (_, n) => n / 3)
      }
      yield* create(bench, id)
      yield* store.append({ id, fence: 1, expected: 1, records: [large, "and"] })
      yield* store.append({ id, fence: 1, expected: 2, records: [], snapshot: large })
      const { snapshot } = yield* whole(yield* store.read(id))
      yield* expect("snapshot", JSON.stringify(snapshot?.json) === JSON.stringify(large), true)
      const [, second] = yield* store.history(id)
      yield* expect("records", JSON.stringify(second?.records) === JSON.stringify([large, "and"]), true)
    })
  ),
  promise("200 executions append at once, and none is lost or mixed up", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const ids = Array.from({ length: 200 }, (_, n) => bench.id(String(n)))
      const each = <A>(f: (id: string) => Effect.Effect<A, Failure | string>) =>
        Effect.forEach(ids, f, { concurrency: "unbounded", discard: true })
      yield* each((id) => create(bench, id))
      yield* each((id) =>
        Effect.gen(function* () {
          for (const expected of [1, 2, 3]) yield* store.append({ id, fence: 1, expected, records: [id, expected] })
        })
      )
      yield* each((id) =>
        Effect.gen(function* () {
          const records = (yield* store.history(id)).map((entry) => entry.records)
          yield* expect(id, records, [["first"], [id, 1], [id, 2], [id, 3]])
        })
      )
    })
  ),
  promise("an append that conflicts does not fail others that are made with it", (bench) =>
    Effect.gen(function* () {
      const { store } = bench
      const ids = Array.from({ length: 40 }, (_, n) => bench.id(String(n)))
      yield* Effect.forEach(ids, (id) => create(bench, id), { concurrency: "unbounded" })
      const outcomes = yield* Effect.forEach(
        ids,
        (id, n) => Effect.result(store.append({ id, fence: n % 2 === 0 ? 1 : 7, expected: 1, records: [n] })),
        { concurrency: "unbounded" }
      )
      yield* expect(
        "those that succeeded",
        outcomes.map(Result.isSuccess),
        ids.map((_, n) => n % 2 === 0)
      )
    })
  )
]

const another = (bench: Bench, name: string) => ({ runner: bench.id(name), incarnation: "1" })
const long = 60_000

const owners: ReadonlyArray<(options: Options) => StoreCase<Store>> = [
  promise(
    "what a runner owns is claimed by nobody while its lease lasts, and by another once it has run out",
    (bench) =>
      Effect.gen(function* () {
        const { store, owner, flow } = bench
        const other = another(bench, "other")
        const id = bench.id("lease")
        yield* store.join(other, long)
        yield* store.join(owner, 500)
        yield* create(bench, id)
        const claim = store.claim({ owner: other, flows: [{ flow }], limit: 10 })
        yield* store.renew(owner, 2_000)
        yield* bench.advance(600)
        yield* expect("while it lasts", yield* claim, [])
        yield* expect("one by name", yield* store.claimOne(id, other), Option.none())
        yield* bench.advance(1_600)
        yield* expect("its wake", Option.isSome(yield* store.nextWake([{ flow }])), true)
        const claimed = yield* claim
        yield* expect(
          "claimed",
          claimed.map((head) => [head.id, head.fence, head.owner, head.tries]),
          [[id, 2, other, 1]]
        )
        yield* expect("again", yield* claim, [])
        yield* expect("its wake", yield* store.nextWake([{ flow }]), Option.none())
        yield* fails("the old one renews", store.renew(owner, long), "LeaseLost")
      })
  ),
  promise("a runner that begins again takes over at once what its life before has left", (bench) =>
    Effect.gen(function* () {
      const { store, owner, flow } = bench
      const next = { ...owner, incarnation: "next" }
      const id = bench.id("mine")
      yield* store.join(owner, long)
      yield* create(bench, id)
      yield* store.join(next, long)
      yield* fails("its life before renews", store.renew(owner, long), "LeaseLost")
      const [claimed] = yield* store.claim({ owner: next, flows: [{ flow }], limit: 10 })
      yield* expect("claimed", [claimed?.id, claimed?.fence, claimed?.owner], [id, 2, next])
      // A life before that leaves late ends nothing.
      yield* store.leave(owner)
      yield* store.renew(next, long)
    })
  ),
  promise("a runner that leaves lets go of everything at once", (bench) =>
    Effect.gen(function* () {
      const { store, owner, flow } = bench
      const other = another(bench, "other")
      yield* store.join(owner, long)
      yield* store.join(other, long)
      yield* create(bench, bench.id("left"))
      yield* expect("before", yield* store.claim({ owner: other, flows: [{ flow }], limit: 10 }), [])
      yield* store.leave(owner)
      yield* expect("after", (yield* store.claim({ owner: other, flows: [{ flow }], limit: 10 })).length, 1)
      yield* fails("whoever has left renews", store.renew(owner, long), "LeaseLost")
      yield* store.leave(owner)
    })
  ),
  promise("only what is due is claimed", (bench) =>
    Effect.gen(function* () {
      const { store, owner, flow } = bench
      const [idle, past, future, sealed, closed, dead] = ["idle", "past", "future", "sealed", "closed", "dead"].map(
        bench.id
      ) as [string, string, string, string, string, string] // six names give six ids
      const now = (yield* create(bench, idle, { status: "waiting" })).head.startedAt
      yield* create(bench, past, { status: "waiting", wakeAt: now - 5 })
      yield* create(bench, future, { status: "waiting", wakeAt: now + 1_000 })
      yield* create(bench, sealed, { lifecycle: "sealed" })
      yield* create(bench, closed)
      yield* store.append({ id: closed, fence: 1, expected: 1, records: [], closed: true, status: "completed" })
      yield* create(bench, dead)
      yield* store.bury(dead, 1, "broken")
      yield* store.join(owner, long)
      yield* store.release(owner, [idle, past, future, sealed, closed])
      yield* expect("its next wake", yield* store.nextWake([{ flow }]), Option.some(now - 5))
      const claim = Effect.map(store.claim({ owner, flows: [{ flow }], limit: 10 }), (heads) =>
        heads.map(({ id }) => id).toSorted()
      )
      const claimable = Effect.map(store.claimable({ flows: [{ flow }], limit: 10 }), (heads) =>
        heads.map(({ fence, id }) => `${id} ${fence}`)
      )
      const due = [`${past} 1`, `${sealed} 1`]
      yield* expect("what could be claimed, the longest due first", yield* claimable, due)
      yield* expect("the same, as nothing was taken", yield* claimable, due)
      yield* expect("one of them", (yield* store.claimable({ flows: [{ flow }], limit: 1 })).length, 1)
      yield* expect("of no flow", yield* store.claimable({ flows: [], limit: 10 }), [])
      yield* expect("due", yield* claim, [past, sealed].toSorted())
      yield* expect("nothing of what has an owner", yield* claimable, [])
      yield* expect("its next wake", yield* store.nextWake([{ flow }]), Option.some(now + 1_000))
      yield* bench.advance(1_100)
      yield* expect("due later", yield* claim, [future])
      yield* expect("its next wake", yield* store.nextWake([{ flow }]), Option.none())
    })
  ),
  promise("a claim takes the flows and versions that it names, and no more than its limit", (bench) =>
    Effect.gen(function* () {
      const { store, owner, flow } = bench
      const other = `${flow} other`
      for (let n = 0; n < 5; n++) yield* create(bench, bench.id(`plain ${n}`))
      yield* create(bench, bench.id("v1"), { version: "1" })
      yield* create(bench, bench.id("v2"), { version: "2" })
      yield* create(bench, bench.id("other"), { flow: other })
      yield* store.join(owner, long)
      // Whoever has created them is not there any more.
      yield* store.join({ ...owner, incarnation: "now" }, long)
      const claim = (flows: ReadonlyArray<{ readonly flow: string; readonly version?: string }>, limit: number) =>
        Effect.map(store.claim({ owner: { ...owner, incarnation: "now" }, flows, limit }), (heads) =>
          heads.map(({ id }) => id)
        )
      yield* expect("none", yield* claim([], 10), [])
      yield* expect("unknown", yield* claim([{ flow: `${flow} unknown` }], 10), [])
      yield* expect("two", (yield* claim([{ flow }], 2)).length, 2)
      yield* expect("the rest", (yield* claim([{ flow }], 10)).length, 3)
      yield* expect(
        "by version, and of another flow",
        (yield* claim([{ flow, version: "2" }, { flow: other }], 10)).toSorted(),
        [bench.id("other"), bench.id("v2")].toSorted()
      )
    })
  ),
  promise("of several that claim at once each execution goes to one", (bench) =>
    Effect.gen(function* () {
      const { store, flow } = bench
      const ids = Array.from({ length: 30 }, (_, n) => bench.id(String(n)))
      yield* Effect.forEach(ids, (id) => create(bench, id), { concurrency: "unbounded" })
      const claims = yield* Effect.forEach(
        Array.from({ length: 6 }, (_, n) => another(bench, `claimer ${n}`)),
        (owner) => Effect.andThen(store.join(owner, long), store.claim({ owner, flows: [{ flow }], limit: 10 })),
        { concurrency: "unbounded" }
      )
      const claimed = claims.flatMap((heads) => heads.map(({ id }) => id))
      yield* expect("no one twice", new Set(claimed).size, claimed.length)
      for (const heads of claims) {
        for (const head of heads) {
          yield* expect("fence", head.fence, 2)
          yield* expect(
            "owner",
            Option.map(yield* store.get(head.id), (now) => now.owner),
            Option.some(head.owner)
          )
        }
      }
    })
  ),
  promise("one execution is claimed by name, whether something is due or not", (bench) =>
    Effect.gen(function* () {
      const { store, owner } = bench
      const other = another(bench, "other")
      const id = bench.id("one")
      yield* store.join(owner, long)
      yield* store.join(other, long)
      yield* create(bench, id, { status: "waiting" })
      const claimOne = (by: typeof owner, force?: boolean) =>
        Effect.map(store.claimOne(id, by, force === undefined ? {} : { force }), (found) =>
          Option.getOrUndefined(Option.map(found, (head) => [head.fence, head.owner?.runner]))
        )
      yield* expect("another's", yield* claimOne(other), undefined)
      yield* expect("its own", yield* claimOne(owner), [2, owner.runner])
      yield* expect("another's by force", yield* claimOne(other, true), [3, other.runner])
      yield* store.release(other, [id])
      yield* expect("a free one", yield* claimOne(owner), [4, owner.runner])
      yield* store.append({ id, fence: 4, expected: 1, records: [], closed: true })
      yield* expect("a closed one", yield* claimOne(owner, true), undefined)
      const dead = bench.id("dead")
      yield* create(bench, dead)
      yield* store.bury(dead, 1, "broken")
      yield* expect("a dead one", yield* store.claimOne(dead, owner, { force: true }), Option.none())
    })
  ),
  promise("a release lets go of what is the releaser's, and of nothing else", (bench) =>
    Effect.gen(function* () {
      const { store, owner, flow } = bench
      const other = another(bench, "other")
      const [mine, theirs] = [bench.id("mine"), bench.id("theirs")]
      yield* store.join(owner, long)
      yield* store.join(other, long)
      yield* create(bench, mine)
      yield* create(bench, theirs, { owner: other })
      yield* store.release({ ...owner, incarnation: "another" }, [mine])
      yield* expect("of another life", Option.getOrThrow(yield* store.get(mine)).owner, owner)
      yield* store.release(owner, [mine, theirs])
      yield* expect("mine", Option.getOrThrow(yield* store.get(mine)).owner, undefined)
      yield* expect("theirs", Option.getOrThrow(yield* store.get(theirs)).owner, other)
      const [claimed] = yield* store.claim({ owner: other, flows: [{ flow }], limit: 10 })
      yield* expect("claimed", [claimed?.id, claimed?.fence], [mine, 2])
    })
  ),
  promise(
    "tries count the claims since it got further, and a dead letter is claimed by nobody until it is revived",
    (bench) =>
      Effect.gen(function* () {
        const { store, owner, flow } = bench
        const id = bench.id("tries")
        yield* create(bench, id)
        const tries = Effect.map(store.get(id), (head) => Option.getOrThrow(head).tries)
        yield* store.claimOne(id, owner)
        yield* store.claimOne(id, owner)
        yield* expect("after two claims", yield* tries, 2)
        yield* store.append({ id, fence: 3, expected: 1, records: [] })
        yield* expect("after an append", yield* tries, 2)
        yield* store.append({ id, fence: 3, expected: 2, records: [], progressed: true })
        yield* expect("after it got further", yield* tries, 0)
        yield* store.claimOne(id, owner)
        yield* store.bury(id, 4, "cannot be run")
        yield* store.bury(id, 4, "cannot be run")
        const buried = Option.getOrThrow(yield* store.get(id))
        yield* expect(
          "dead letter",
          [buried.dead?.tries, buried.dead?.reason, buried.owner],
          [1, "cannot be run", undefined]
        )
        const claim = store.claim({ owner, flows: [{ flow }], limit: 10 })
        yield* expect("claim", yield* claim, [])
        yield* expect("its wake", yield* store.nextWake([{ flow }]), Option.none())
        yield* expect("dead letters", (yield* store.list({ flow, dead: true })).heads, [buried])
        yield* expect("others", (yield* store.list({ flow, dead: false })).heads, [])
        yield* expect("revive", yield* store.revive(id), true)
        yield* expect("revive once more", yield* store.revive(id), false)
        const [claimed] = yield* claim
        yield* expect("claimed", [claimed?.id, claimed?.tries, claimed?.dead], [id, 1, undefined])
      })
  )
]

/** All promises. @category cases */
export const cases = (options: Options = {}): ReadonlyArray<StoreCase<Store>> =>
  [...appends, ...owners, ...lists].map((make) => make(options))

/** Runs all cases; fails with the first promise that is not kept. @category running */
export const run = (harness: string, store: Store, options?: Options): Effect.Effect<void, ConformanceFailure> =>
  runAll(cases(options), harness, store)
