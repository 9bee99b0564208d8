/** Files that go away, and other processes, for the tests of SQLite. */
import { Effect, Stream } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { SqliteClient } from "effigent/layers/sqlite"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

/** A path where nothing is yet, in a folder that the Scope removes. */
export const fresh = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "sqlite-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => join(folder, "data.db")
)

/** Runs `program.ts` in a process that the Scope kills. */
export const start = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        ["--conditions=effigent:source", new URL("./program.ts", import.meta.url).pathname, ...args],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve))
  const lines: Array<string> = []
  let heard = () => {}
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line)
    heard()
  })
  return {
    lines,
    ended: Effect.promise(() => ended),
    /** Until it has said so many lines, or has ended. */
    said: (count: number) =>
      Effect.promise(async () => {
        while (lines.length < count) {
          const more = new Promise<string>((resolve) => {
            heard = () => resolve("more")
          })
          if ((await Promise.race([more, ended.then(() => "ended")])) === "ended") return
        }
      }),
    kill: Effect.promise(() => {
      child.kill("SIGKILL")
      return ended
    })
  }
})

/** The reason of an error and what SQLite called it. */
export const told = (error: SqlError) => [error.reason._tag, SqliteClient.codeOf(error)]

/** Counts the elements of a stream. */
export const count = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Stream.runFold(
    stream,
    () => 0,
    (sum) => sum + 1
  )
