/** The promises of `SessionStore` as cases for any implementation. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ConformanceFailure } from "./ModelProviderConformance.ts"
import {
  emptyHead,
  SessionConflict,
  type SessionHead,
  type SessionState,
  type SessionStore,
  type SessionStoreError,
  type SessionSummary,
  type SessionTurn
} from "../../services/SessionStore.ts"
import { expect, runAll, type StoreCase, storeCase } from "./StoreCase.ts"

type Store = SessionStore["Service"]
type Failure = SessionStoreError | SessionConflict

const turn = (id: string): SessionTurn => ({
  id,
  at: 1_700_000_000_000,
  messages: [
    { role: "user", content: [{ type: "text", text: `question ${id} gr\u00fc\u00df \ud83d\ude00\n"` }] },
    {
      role: "assistant",
      content: [
        { type: "reasoning", text: "hm", options: { effigent: { signature: "c2ln" } } },
        { type: "tool-call", id: "call_1", name: "look_up", params: { order: "A-17", deep: [null, 1.5, false] } }
      ]
    },
    {
      role: "tool",
      content: [{ type: "tool-result", id: "call_1", name: "look_up", isFailure: false, result: { found: 0 } }]
    },
    { role: "assistant", content: [{ type: "text", text: `answer ${id}` }] }
  ],
  usage: { inputTokens: 12, outputTokens: 3 }
})

const fresh: SessionState = { from: 0, meta: {} }

const fill = Effect.fnUntraced(function* (store: Store, id: string, count: number) {
  let head: SessionHead = emptyHead
  for (let i = 0; i < count; i++) {
    head = yield* store.save(id, head.version, { turns: [turn(String(i))], state: fresh })
  }
})

const idsOf = (turns: ReadonlyArray<SessionTurn>) => turns.map(({ id }) => id)

const make = (name: string, check: (store: Store, id: string) => Effect.Effect<void, string | Failure>) =>
  storeCase<Store, Failure>(name, (store) => check(store, `Conformance/${name}`))

/** All promises. @category cases */
export const cases: ReadonlyArray<StoreCase<Store>> = [
  make("an id that was never saved has the empty head and no turns", (store, id) =>
    Effect.gen(function* () {
      yield* expect("head", yield* store.head(id), emptyHead)
      yield* expect("turns", yield* store.read(id, 0, 10), [])
    })
  ),
  make("what was saved is read as it was, with signatures, tool calls and state", (store, id) =>
    Effect.gen(function* () {
      const replacing = { ...turn("b"), replaces: "a" }
      const state: SessionState = {
        from: 1,
        memo: "they met",
        pinned: turn("a").messages.slice(0, 1),
        meta: { title: "Orders", tags: ["a", 1, null] }
      }
      const saved = yield* store.save(id, 0, { turns: [turn("a"), replacing], state })
      yield* expect("head of the save", saved, { ...state, version: 1, turns: 2 })
      yield* expect("head", yield* store.head(id), saved)
      yield* expect("turns", yield* store.read(id, 0, 2), [turn("a"), replacing])
    })
  ),
  make("a save replaces the whole state and leaves the turns", (store, id) =>
    Effect.gen(function* () {
      const first = yield* store.save(id, 0, { turns: [turn("a")], state: { from: 1, memo: "m", meta: { a: 1 } } })
      yield* store.save(id, first.version, { turns: [], state: fresh })
      yield* expect("head", yield* store.head(id), { ...fresh, version: 2, turns: 1 })
      yield* expect("turns", idsOf(yield* store.read(id, 0, 9)), ["a"])
    })
  ),
  make("a save for another version is a conflict and changes nothing", (store, id) =>
    Effect.gen(function* () {
      yield* fill(store, id, 2)
      for (const version of [0, 1, 3]) {
        const outcome = yield* Effect.result(store.save(id, version, { turns: [turn("x")], state: fresh }))
        if (Result.isSuccess(outcome)) return yield* Effect.fail(`a save for version ${version} of 2 succeeds`)
        if (!(outcome.failure instanceof SessionConflict)) return yield* Effect.fail(outcome.failure.message)
      }
      yield* expect("turns", idsOf(yield* store.read(id, 0, 9)), ["0", "1"])
    })
  ),
  make("of saves for one version at the same time exactly one succeeds", (store, id) =>
    Effect.gen(function* () {
      const outcomes = yield* Effect.forEach(
        ["a", "b", "c", "d", "e", "f", "g", "h"],
        (name) => Effect.result(store.save(id, 0, { turns: [turn(name)], state: fresh })),
        { concurrency: "unbounded" }
      )
      yield* expect("saves that succeeded", outcomes.filter(Result.isSuccess).length, 1)
      for (const outcome of outcomes) {
        if (Result.isFailure(outcome) && !(outcome.failure instanceof SessionConflict)) {
          return yield* Effect.fail(outcome.failure.message)
        }
      }
      yield* expect("turns", (yield* store.read(id, 0, 9)).length, 1)
    })
  ),
  make("any range of turns can be read, in order", (store, id) =>
    Effect.gen(function* () {
      yield* fill(store, id, 40)
      yield* expect("the newest", idsOf(yield* store.read(id, 37, 40)), ["37", "38", "39"])
      yield* expect("the oldest", idsOf(yield* store.read(id, 0, 2)), ["0", "1"])
      yield* expect("the middle", idsOf(yield* store.read(id, 18, 21)), ["18", "19", "20"])
      yield* expect("beyond the end", idsOf(yield* store.read(id, 38, 99)), ["38", "39"])
      yield* expect("nothing", idsOf(yield* store.read(id, 5, 5)), [])
      yield* expect("all", (yield* store.read(id, 0, 40)).length, 40)
    })
  ),
  make("sessions do not mix, whatever their ids are", (store, id) =>
    Effect.gen(function* () {
      const ids = [id, id.toLowerCase(), `${id}/..`, `${id}%2e`, `${id}.`, `${id} `, `${id}\u00fc\u0000`]
      yield* Effect.forEach(ids, (one) => store.save(one, 0, { turns: [turn(one)], state: fresh }), { discard: true })
      for (const one of ids) yield* expect("turns", idsOf(yield* store.read(one, 0, 9)), [one])
    })
  ),
  make("what was removed is empty again", (store, id) =>
    Effect.gen(function* () {
      yield* fill(store, id, 2)
      yield* store.remove(id)
      yield* store.remove(id)
      yield* expect("head", yield* store.head(id), emptyHead)
      yield* expect("turns", yield* store.read(id, 0, 9), [])
      yield* store.save(id, 0, { turns: [turn("again")], state: fresh })
      yield* expect("turns", idsOf(yield* store.read(id, 0, 9)), ["again"])
    })
  ),
  make("a list goes through all sessions of a prefix, page by page, each once", (store, id) =>
    Effect.gen(function* () {
      const ids = [
        `${id}/`,
        ...["", "b", "a", "\u00fc", "\ud83d\ude00", "%2f", "A", " ", "x\u0000y", "~"].map((end) => `${id}/${end}z`)
      ]
      const others = [id.slice(0, -1), `${id}0`, `${id}.`]
      yield* Effect.forEach(
        [...ids, ...others],
        (one) => store.save(one, 0, { turns: [turn("t"), turn("u")], state: { from: 0, meta: { title: one } } }),
        { discard: true }
      )
      yield* store.save(`${id}/bz`, 1, { turns: [turn("v")], state: { from: 0, meta: { title: `${id}/bz` } } })
      yield* store.save(`${id}/gone`, 0, { turns: [], state: fresh })
      yield* store.remove(`${id}/gone`)
      const walk = Effect.fnUntraced(function* (limit: number) {
        const seen: Array<SessionSummary> = []
        for (let after: string | undefined; ;) {
          const page = yield* store.list({ prefix: `${id}/`, limit, ...(after === undefined ? {} : { after }) })
          if (page.sessions.length > limit) return yield* Effect.fail(`a page of ${limit} has ${page.sessions.length}`)
          seen.push(...page.sessions)
          if (page.next === undefined) return seen
          after = page.next
        }
      })
      const all = yield* walk(1000)
      const found = all.map((one) => one.id)
      yield* expect("ids", found.toSorted(), ids.toSorted())
      for (const limit of [1, 3, 11]) yield* expect(`pages of ${limit}`, yield* walk(limit), all)
      for (const one of all) {
        const more = one.id === `${id}/bz` ? 1 : 0
        yield* expect("summary", one, { id: one.id, version: 1 + more, turns: 2 + more, meta: { title: one.id } })
      }
      const every = (yield* store.list({ limit: 10_000 })).sessions.map((one) => one.id)
      for (const one of [...ids, ...others]) if (!every.includes(one)) return yield* Effect.fail(`${one} is not listed`)
      yield* expect("of no session", yield* store.list({ prefix: `${id}/none` }), { sessions: [] })
    })
  ),
  make("effects that are exclusive on one session run one after the other, in order", (store, id) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const one = (name: string) =>
        store.exclusive(
          id,
          Effect.gen(function* () {
            log.push(`${name} begins`)
            yield* Effect.yieldNow
            yield* store.exclusive(id, Effect.yieldNow)
            log.push(`${name} ends`)
          })
        )
      yield* Effect.forEach(["a", "b", "c"], one, { concurrency: "unbounded", discard: true })
      yield* expect("order", log, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"])
    })
  )
]

/** Runs all cases; fails with the first promise that is not kept. @category running */
export const run = (harness: string, store: Store): Effect.Effect<void, ConformanceFailure> =>
  runAll(cases, harness, store)
