/** The promises of `JournalStore` about lists and about what is forgotten. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { JournalHead, JournalQuery } from "../../services/JournalStore.ts"
import { create, type Options, promise, type Store } from "./JournalBench.ts"
import { expect, type StoreCase } from "./StoreCase.ts"

/** All pages of a list, one by one; `between` runs between them. */
const pages = Effect.fnUntraced(function* (store: Store, query: JournalQuery, between: Effect.Effect<unknown, string>) {
  const heads: Array<JournalHead> = []
  let after: string | undefined
  for (let count = 0; count < 50; count++) {
    const page = yield* store.list({ ...query, ...(after !== undefined && { after }) })
    heads.push(...page.heads)
    if (page.next === undefined) return heads
    after = page.next
    yield* between
  }
  return yield* Effect.fail<string>("the list does not end")
})

/** The promises, each to be made with options. @category cases */
export const cases: ReadonlyArray<(options: Options) => StoreCase<Store>> = [
  promise("executions are listed by everything that a query names", (bench) =>
    Effect.gen(function* () {
      const { store, flow } = bench
      const other = `${flow} other`
      const add = (name: string, rest: Parameters<typeof create>[2]) => create(bench, bench.id(name), rest)
      const a = (yield* add("Order \u00c4-1", { tags: ["x", "y"] })).head
      yield* bench.advance(20)
      const b = (yield* add("order %_2", { tags: ["y"], version: "1", status: "waiting" })).head
      yield* bench.advance(20)
      const c = (yield* add("third", { tags: ["x", "y", "z"], version: "2", status: "failed" })).head
      yield* add("elsewhere", { flow: other, tags: ["x"] })
      const ids = (query: JournalQuery) =>
        Effect.map(store.list({ flow, ...query }), ({ heads }) => heads.map(({ id }) => id))
      const [one, two, three] = [a.id, b.id, c.id]
      yield* expect("flow", yield* ids({}), [one, two, three])
      yield* expect("heads", (yield* store.list({ flow })).heads, [a, b, c])
      yield* expect("newest first", yield* ids({ order: "newest" }), [three, two, one])
      yield* expect("version", yield* ids({ version: "1" }), [two])
      yield* expect("status", yield* ids({ status: "failed" }), [three])
      yield* expect("a tag", yield* ids({ tags: ["x"] }), [one, three])
      yield* expect("all tags", yield* ids({ tags: ["x", "z"] }), [three])
      yield* expect("no tag", yield* ids({ tags: [] }), [one, two, three])
      yield* expect("from", yield* ids({ from: b.startedAt }), [two, three])
      yield* expect("to", yield* ids({ to: b.startedAt }), [one])
      yield* expect("dead", yield* ids({ dead: true }), [])
      yield* expect("text, whatever its case", yield* ids({ text: "ORDER" }), [one, two])
      yield* expect("text beyond ASCII", yield* ids({ text: "\u00e4-1" }), [one])
      yield* expect("text is no pattern", yield* ids({ text: "%_" }), [two])
      yield* expect("several", yield* ids({ tags: ["y"], from: b.startedAt, status: "waiting", version: "1" }), [two])
      yield* expect("a limit", yield* ids({ limit: 2 }), [one, two])
    })
  ),
  promise("pages are complete, and stay so when executions are added between them", (bench) =>
    Effect.gen(function* () {
      const { store, flow } = bench
      const before: Array<string> = []
      for (let n = 0; n < 12; n++) {
        before.push((yield* create(bench, bench.id(String(n)))).head.id)
        if (n % 3 === 0) yield* bench.advance(5)
      }
      let added = 0
      const between = Effect.andThen(
        bench.advance(5),
        Effect.suspend(() => Effect.mapError(create(bench, bench.id(`added ${added++}`)), ({ message }) => message))
      )
      const found = (query: JournalQuery) =>
        Effect.map(pages(store, { flow, limit: 5, ...query }, between), (heads) =>
          heads.map(({ id }) => id).filter((id) => before.includes(id))
        )
      const oldest = yield* found({})
      const newest = yield* found({ order: "newest" })
      yield* expect("oldest first", oldest.toSorted(), before.toSorted())
      yield* expect("newest first", newest, oldest.toReversed())
      yield* expect("a page of all has no next", (yield* store.list({ flow, limit: 100 })).next, undefined)
    })
  ),
  promise("closed executions are forgotten by their age, and others stay", (bench) =>
    Effect.gen(function* () {
      const { store, flow } = bench
      const close = Effect.fnUntraced(function* (name: string) {
        const id = bench.id(name)
        yield* create(bench, id, { tags: ["t"], snapshot: {} })
        yield* store.append({ id, fence: 1, expected: 1, records: [], closed: true, status: "completed" })
        return Option.getOrThrow(yield* store.get(id))
      })
      const open = (yield* create(bench, bench.id("open"))).head
      for (let n = 0; n < 5; n++) yield* close(`old ${n}`)
      yield* bench.advance(20)
      const young = yield* close("young")
      const { closedAt } = young
      if (closedAt === undefined) return yield* Effect.fail("a closed execution has no time of closing")
      // Others of the store may be as old: what is counted are those of this case.
      const first = yield* store.prune({ closedBefore: closedAt, limit: 1 })
      yield* expect("how many at most", first.length, 1)
      const gone: Array<string> = []
      for (;;) {
        const some = yield* store.prune({ closedBefore: closedAt, limit: 2 })
        if (some.length === 0) break
        gone.push(...some)
      }
      yield* expect("nothing is left to forget", yield* store.prune({ closedBefore: closedAt }), [])
      yield* expect(
        "what stays",
        (yield* store.list({ flow })).heads.map(({ id }) => id),
        [open.id, young.id]
      )
      const mine = new Set(Array.from({ length: 5 }, (_, n) => bench.id(`old ${n}`)))
      yield* expect("what it says is forgotten", [...first, ...gone].filter((id) => mine.has(id)).toSorted(), [...mine])
      yield* expect("history", yield* store.history(bench.id("old 1")), [])
    })
  ),
  promise("what was removed is not there, and may be created anew", (bench) =>
    Effect.gen(function* () {
      const { store, flow } = bench
      const id = bench.id("gone")
      yield* create(bench, id, { tags: ["t"], snapshot: { n: 1 } })
      yield* store.append({ id, fence: 1, expected: 1, records: ["x"], snapshot: { n: 2 } })
      yield* store.remove(id)
      yield* store.remove(id)
      yield* expect("get", yield* store.get(id), Option.none())
      yield* expect("read", yield* store.read(id), Option.none())
      yield* expect("list", (yield* store.list({ flow, tags: ["t"] })).heads, [])
      yield* expect("created", (yield* create(bench, id)).created, true)
      yield* expect(
        "history",
        (yield* store.history(id)).map(({ records }) => records),
        [["first"]]
      )
      yield* store.ping
    })
  )
]
