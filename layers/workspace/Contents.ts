/** What files hold: read by their handle, told apart from binary data, replaced as a whole. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { type ExecutorErrorReason, LimitExceeded } from "../../services/ActionExecutor.ts"
import { ask, type Folder, type Place, reasonOf } from "./Folder.ts"
import { refused } from "./Paths.ts"

/** SHA-256 in hexadecimal digits. */
export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** A file as it was read. */
export interface Contents {
  readonly bytes: Uint8Array
  readonly digest: string
  /** Its permissions. */
  readonly mode: number
}

// A pipe would wait for its writer without O_NONBLOCK.
const toRead = constants.O_RDONLY | constants.O_NOFOLLOW | (constants.O_NONBLOCK ?? 0)

/** Reads the whole of a file, if it is one, and no larger than `limit` bytes. */
export const read = Effect.fnUntraced(function* (
  { folder, name, path }: Place,
  limit: number
): Effect.fn.Return<Contents, ExecutorErrorReason> {
  if (name === "") return yield* Effect.fail(refused("file.kind", "the workspace is a folder"))
  const failed = Effect.mapError(reasonOf(path))
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* Effect.acquireRelease(ask(() => Fs.open(folder.at(name), toRead)).pipe(failed), (handle) =>
        Effect.ignore(ask(() => handle.close()))
      )
      const stats = yield* ask(() => handle.stat()).pipe(failed)
      if (!stats.isFile()) {
        const what = stats.isDirectory() ? "a folder; list it" : "a pipe, a socket or a device"
        return yield* Effect.fail(refused("file.kind", `${JSON.stringify(path)} is ${what}`))
      }
      const tooLarge = new LimitExceeded({
        limit: "output",
        detail: `${JSON.stringify(path)} has more than ${limit} bytes, which is what is read at most`
      })
      if (stats.size > limit) return yield* Effect.fail(tooLarge)
      // It may grow while it is read: one byte more than it had says so.
      const buffer = new Uint8Array(stats.size + 1)
      let length = 0
      while (length < buffer.length) {
        const { bytesRead } = yield* ask(() => handle.read(buffer, length, buffer.length - length, length)).pipe(failed)
        if (bytesRead === 0) break
        length += bytesRead
      }
      yield* folder.check
      if (!folder.held) {
        const now = yield* ask(() => Fs.lstat(folder.at(name))).pipe(failed)
        if (now.ino !== stats.ino || now.dev !== stats.dev) {
          return yield* Effect.fail(refused("path.symlink", `${JSON.stringify(path)} was swapped while it was read`))
        }
        yield* folder.check
      }
      const bytes = buffer.subarray(0, Math.min(length, stats.size))
      return { bytes, digest: digestOf(bytes), mode: stats.mode & 0o777 }
    })
  )
})

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const decode = (bytes: Uint8Array) => Effect.try(() => decoder.decode(bytes))

/** The text that bytes are, if they are: UTF-8 without NUL. */
export const textOf = (path: string, { bytes, digest }: Contents): Effect.Effect<string, ExecutorErrorReason> => {
  const binary = refused(
    "file.binary",
    `${JSON.stringify(path)} is binary: ${bytes.length} bytes, SHA-256 ${digest}; it cannot be shown or edited as text`
  )
  if (bytes.includes(0)) return Effect.fail(binary)
  return Effect.mapError(decode(bytes), () => binary)
}

/** A draft beside the file that it is to become: written, flushed, and removed with the Scope if it is still there. */
export const draft = Effect.fnUntraced(function* (
  folder: Folder,
  bytes: Uint8Array,
  mode: number | undefined
): Effect.fn.Return<string, ExecutorErrorReason, Scope.Scope> {
  const random = (yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)).toString(36)
  const name = `.effigent-${(yield* Clock.currentTimeMillis).toString(36)}-${random}.tmp`
  const failed = Effect.mapError(reasonOf(name))
  const handle = yield* Effect.acquireRelease(
    // "x": a name that is taken, by a link too, is not opened.
    ask(() =>
      Fs.open(
        folder.at(name),
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        mode ?? 0o666
      )
    ),
    (handle) =>
      Effect.andThen(Effect.ignore(ask(() => handle.close())), Effect.ignore(ask(() => Fs.unlink(folder.at(name)))))
  ).pipe(failed)
  yield* folder.check
  yield* ask(() => handle.writeFile(bytes)).pipe(failed)
  // The mask of the process does not count for a file that had its permissions.
  if (mode !== undefined) yield* ask(() => handle.chmod(mode)).pipe(failed)
  yield* ask(() => handle.sync()).pipe(failed)
  return name
})

/** Puts a draft in the place of a file; a new file does not take the place of one that came in the meantime. */
export const settle = Effect.fnUntraced(function* ({ folder, name, path }: Place, draft: string, replace: boolean) {
  yield* folder.check
  const from = folder.at(draft)
  const to = folder.at(name)
  const rename = ask(() => Fs.rename(from, to))
  const put = replace
    ? rename
    : // A hard link is refused where the name is taken. Some file systems have none.
      ask(() => Fs.link(from, to)).pipe(
        Effect.catchIf(
          ({ code }) => code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS",
          () => rename
        )
      )
  yield* Effect.mapError(put, reasonOf(path))
})

/** Flushes the folder, so that the new name outlives a crash of the machine. Not every system can. */
export const flush = ({ here }: Folder): Effect.Effect<void> =>
  Effect.ignore(
    Effect.acquireUseRelease(
      ask(() => Fs.open(here, constants.O_RDONLY)),
      (handle) => ask(() => handle.sync()),
      (handle) => Effect.ignore(ask(() => handle.close()))
    )
  )
