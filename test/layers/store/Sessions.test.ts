import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { SessionStores } from "effigent/layers/store"
import { emptyHead, SessionStore, type SessionTurn } from "effigent/services/SessionStore"
import { SessionStoreConformance } from "effigent/testing"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

const turn = (id: string): SessionTurn => ({
  id,
  at: 0,
  messages: [{ role: "user", content: [{ type: "text", text: id }] }]
})
const state = { from: 0, meta: {} }

const inFolder = <A, E>(use: (directory: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped()
    return yield* use(directory)
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const openAt = (directory: string) =>
  Effect.map(Layer.build(Layer.fresh(SessionStores.file({ directory }))), (context) =>
    Effect.provide(SessionStore.use(Effect.succeed), context)
  ).pipe(Effect.scoped, Effect.flatten)

describe("SessionStores.memory", () => {
  for (const one of SessionStoreConformance.cases) {
    it.effect(one.name, () =>
      SessionStore.use((store) => one.run("memory", store)).pipe(Effect.provide(SessionStores.memory))
    )
  }
})

describe("SessionStores.file", () => {
  for (const one of SessionStoreConformance.cases) {
    it.live(one.name, () =>
      inFolder((directory) => Effect.flatMap(openAt(directory), (store) => one.run("file", store)))
    )
  }

  it.live("SE-04 another program finds what was saved", () =>
    inFolder((directory) =>
      Effect.gen(function* () {
        const first = yield* openAt(directory)
        yield* first.save("a", 0, { turns: [turn("1")], state: { from: 1, memo: "m", meta: { owner: "Ada" } } })
        const second = yield* openAt(directory)
        assert.deepStrictEqual(yield* second.head("a"), {
          version: 1,
          turns: 1,
          from: 1,
          memo: "m",
          meta: { owner: "Ada" }
        })
        assert.deepStrictEqual(yield* second.read("a", 0, 1), [turn("1")])
      })
    )
  )

  it.live(
    "four processes append to one session: no turn is lost",
    () =>
      inFolder((directory) =>
        Effect.gen(function* () {
          const program = new URL("./append.ts", import.meta.url).pathname
          const run = (name: string) =>
            Effect.promise(() =>
              promisify(execFile)(process.execPath, ["--conditions=effigent:source", program, directory, name, "15"])
            )
          yield* Effect.forEach(["p", "q", "r", "s"], run, { concurrency: "unbounded" })
          const store = yield* openAt(directory)
          const head = yield* store.head("shared")
          assert.strictEqual(head.turns, 60)
          const texts = (yield* store.read("shared", 0, 60)).flatMap(
            ({ messages }) => JSON.stringify(messages).match(/[pqrs]-\d+/g) ?? []
          )
          assert.lengthOf(new Set(texts), 60)
          // What one program has appended stands in its order.
          for (const name of ["p", "q", "r", "s"]) {
            const own = texts.filter((text) => text.startsWith(name))
            assert.deepStrictEqual(
              own,
              Array.from({ length: 15 }, (_, i) => `${name}-${i}`)
            )
          }
        })
      ),
    30_000
  )

  it.live("a crash before the link, or without the hint, loses nothing that was saved", () =>
    inFolder((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const store = yield* openAt(directory)
        for (const version of [0, 1, 2]) yield* store.save("a", version, { turns: [turn(String(version))], state })
        yield* fs.writeFileString(`${directory}/a/draft-x`, '{"session":1,"he')
        yield* fs.writeFileString(`${directory}/a/latest`, "1")
        assert.strictEqual((yield* store.head("a")).version, 3)
        for (const hint of ["", "garbage", "99", "-1"]) {
          yield* fs.writeFileString(`${directory}/a/latest`, hint)
          assert.strictEqual((yield* store.head("a")).version, 3, hint)
        }
        const saved = yield* store.save("a", 3, { turns: [turn("3")], state })
        assert.strictEqual(saved.turns, 4)
        const left = yield* fs.readDirectory(`${directory}/a`)
        assert.deepStrictEqual(left.toSorted(), ["1.json", "2.json", "3.json", "4.json", "draft-x", "latest"])
      })
    )
  )

  it.live("says which file is broken, and what is wrong with an id", () =>
    inFolder((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const store = yield* openAt(directory)
        yield* store.save("a", 0, { turns: [turn("1")], state })
        yield* fs.writeFileString(`${directory}/a/1.json`, '{"session":2}')
        const broken = yield* Effect.flip(store.head("a"))
        assert.strictEqual(broken._tag, "SessionStoreError")
        assert.include(broken.message, "a/1.json is no save")
        assert.include((yield* Effect.flip(store.head("x".repeat(256)))).message, "use a shorter one")
        assert.include((yield* Effect.flip(store.head(""))).message, "an id is not empty")
        assert.deepStrictEqual(yield* store.head("other"), emptyHead)
        // A folder that cannot be made.
        const failed = yield* Effect.flip(openAt(`${directory}/a/1.json/sub`))
        assert.strictEqual(failed._tag, "SessionStoreError")
      })
    )
  )

  it.live(
    "S29 a save and a read of the newest turns read as many files at 400 turns as at 20",
    () =>
      inFolder((directory) =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          let reads = 0
          const counting = FileSystem.FileSystem.of({
            ...fs,
            readFileString: (...args) => {
              reads++
              return fs.readFileString(...args)
            }
          })
          const store = yield* openAt(directory).pipe(Effect.provideService(FileSystem.FileSystem, counting))
          const cost = Effect.fnUntraced(function* (version: number) {
            reads = 0
            yield* store.save("a", version, { turns: [turn(String(version))], state })
            yield* store.head("a")
            yield* store.read("a", version - 4, version + 1)
            return reads
          })
          const costs: Array<number> = []
          for (let version = 0; version < 400; version++) costs.push(yield* cost(version))
          assert.strictEqual(costs[399], costs[30])
        })
      ),
    30_000
  )
})
