import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { SqliteClient, SqliteLock } from "effigent/layers/sqlite"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { build } from "rolldown"
import { fresh, start, told } from "./support.ts"

const run = (text: string) => Effect.flatMap(SqlClient, (sql) => sql.unsafe<Record<string, unknown>>(text))
const using = <A, E>(filename: string, effect: Effect.Effect<A, E, SqlClient>) =>
  Effect.provide(effect, SqliteClient.layer({ filename }))

describe("a process that is killed", () => {
  it.live("in the middle of a transaction leaves nothing of it", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      yield* using(
        filename,
        Effect.andThen(run("CREATE TABLE t (id INTEGER PRIMARY KEY, x)"), run("INSERT INTO t (x) VALUES ('first')"))
      )
      const other = yield* start("middle", filename)
      yield* other.said(1)
      yield* other.kill
      const rows = yield* using(filename, run("SELECT id, x FROM t"))
      assert.deepStrictEqual(rows, [{ id: 1, x: "first" }])
      assert.deepStrictEqual(yield* using(filename, run("PRAGMA integrity_check")), [{ integrity_check: "ok" }])
    })
  )

  it.live("while it commits keeps all that it has acknowledged, each transaction whole", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      yield* using(filename, run("CREATE TABLE t (x)"))
      const other = yield* start("numbers", filename)
      yield* other.said(100)
      yield* other.kill
      const acknowledged = other.lines.length
      const rows = yield* using(filename, run("SELECT x FROM t ORDER BY rowid"))
      assert.isAtLeast(rows.length, 2 * acknowledged)
      assert.deepStrictEqual(
        rows.map(({ x }) => x),
        Array.from({ length: rows.length / 2 }, (_, n) => [`${n + 1}a`, `${n + 1}b`]).flat()
      )
    })
  )
})

describe("migrations", () => {
  it.live("of four processes that start at once on a new file are each made once", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const others = yield* Effect.all(Array.from({ length: 4 }, () => start("migrate", filename)))
      const codes = yield* Effect.all(others.map(({ ended }) => ended))
      assert.deepStrictEqual(codes, [0, 0, 0, 0])
      assert.deepStrictEqual(others.flatMap(({ lines }) => lines).sort(), ["[1,2]", "[]", "[]", "[]"])
      assert.deepStrictEqual(yield* using(filename, run("SELECT name FROM accounts")), [{ name: "Ada" }])
    })
  )
})

describe("a lock", () => {
  it.live("is held by one, is free again with its Scope, and has nothing to do with other names and files", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const name = "runner/1 *"
      const second = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* SqliteLock.hold(filename, name)
          yield* SqliteLock.hold(filename, "runner 2")
          yield* SqliteLock.hold(`${filename}2`, name)
          return yield* Effect.flip(Effect.scoped(SqliteLock.hold(filename, name)))
        })
      )
      assert.strictEqual(second._tag, "SqliteLockHeld")
      assert.include(second.message, `"runner/1 *" of ${filename} is held`)
      yield* Effect.scoped(SqliteLock.hold(filename, name))
      // Whoever failed has not freed it: it is still held where it was.
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* SqliteLock.hold(filename, name)
          yield* Effect.flip(Effect.scoped(SqliteLock.hold(filename, name)))
          const other = yield* start("lock", filename, name)
          assert.strictEqual(yield* other.ended, 1)
          assert.deepStrictEqual(other.lines, [])
        })
      )
    })
  )

  it.live("is refused while another process lives, and given once that has been killed", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const other = yield* start("lock", filename, "a")
      yield* other.said(1)
      assert.deepStrictEqual(other.lines, ["ready"])
      const held = yield* Effect.flip(Effect.scoped(SqliteLock.hold(filename, "a")))
      assert.strictEqual(held._tag, "SqliteLockHeld")
      yield* other.kill
      yield* Effect.scoped(SqliteLock.hold(filename, "a"))
    })
  )

  it.live("that cannot be made says why", () =>
    Effect.gen(function* () {
      const filename = yield* fresh
      const error = yield* Effect.flip(Effect.scoped(SqliteLock.hold(`${filename}/no/where`, "a")))
      assert.deepStrictEqual(error._tag === "SqlError" ? told(error) : [], ["ConnectionError", "SQLITE_CANTOPEN"])
      writeFileSync(SqliteLock.fileOf(filename, "b"), "no database ".repeat(1000))
      const other = yield* Effect.exit(Effect.scoped(SqliteLock.hold(filename, "b")))
      assert.isTrue(Exit.isFailure(other))
    })
  )
})

describe("a bundle", () => {
  for (const minify of [false, true]) {
    it.live(`starts its worker thread, ${minify ? "minified with names kept" : "as it is built"}`, () =>
      Effect.gen(function* () {
        const folder = dirname(yield* fresh)
        const root = new URL("../../..", import.meta.url).pathname
        yield* Effect.promise(() =>
          build({
            input: join(root, "layers/sqlite/index.ts"),
            external: (id) => !id.startsWith(".") && !id.startsWith("/"),
            platform: "node",
            logLevel: "silent",
            output: { file: join(folder, "sqlite.js"), format: "esm", minify, keepNames: minify }
          })
        )
        symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
        mkdirSync(join(folder, "elsewhere"))
        writeFileSync(
          join(folder, "main.mjs"),
          `import { SqliteClient } from "${pathToFileURL(join(folder, "sqlite.js")).href}"
import * as Effect from "effect/Effect"
const program = Effect.flatMap(SqliteClient.SqliteClient, (sql) => sql\`SELECT \${41} + 1 AS n\`)
console.log(JSON.stringify(await Effect.runPromise(Effect.provide(program, SqliteClient.layer({ filename: "x.db" })))))`
        )
        const { stdout } = yield* Effect.promise(() =>
          promisify(execFile)(process.execPath, [join(folder, "main.mjs")], { cwd: join(folder, "elsewhere") })
        )
        assert.strictEqual(stdout, '[{"n":42}]\n')
      })
    )
  }
})
