/**
 * Snapshots of executions as files: a folder per execution, a file per version. A snapshot is written to a file of its
 * own, flushed, and then linked to the name of its version, which the file system does at once and refuses where that
 * name is taken: so it is whole or not there, and of two programs that put at once one gets a `SnapshotConflict`. The
 * folder has to stand on a file system with hard links.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Snapshots from "../../services/SnapshotStore.ts"
import { folderOf, longestName } from "./Folders.ts"

/**
 * Where the files are.
 *
 * @category models
 */
export interface Options {
  /** The folder of all executions. It is made where it is not there. */
  readonly directory: string
}

const Text = Schema.fromJsonString(Snapshots.StoredSnapshot)
const decode = Schema.decodeUnknownEffect(Text)

type Operation = Snapshots.SnapshotStoreError["operation"]

/** The store as a value. Fails where the folder cannot be made. @category constructors */
export const make = Effect.fnUntraced(function* ({
  directory
}: Options): Effect.fn.Return<Snapshots.SnapshotStore["Service"], Snapshots.SnapshotStoreError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const failed = (id: string, operation: Operation) => (error: { readonly message: string }) =>
    new Snapshots.SnapshotStoreError({ store: "file", id, operation, detail: error.message })
  yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), failed("", "put"))

  const folder = (id: string, operation: Operation): Effect.Effect<string, Snapshots.SnapshotStoreError> => {
    const name = folderOf(id)
    if (name !== "" && name.length <= longestName) return Effect.succeed(`${directory}/${name}`)
    const message =
      name === ""
        ? "an id is not empty"
        : `its id makes a name of ${name.length} characters, at most ${longestName} can be; use a shorter one`
    return Effect.fail(failed(id, operation)({ message }))
  }

  const absent = (error: PlatformError) => error.reason._tag === "NotFound"

  const versions = (path: string): Effect.Effect<ReadonlyArray<number>, PlatformError> =>
    fs.readDirectory(path).pipe(
      Effect.map((names) =>
        names
          .flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? [])
          .map(Number)
          .toSorted((a, b) => a - b)
      ),
      Effect.catch((error) => (absent(error) ? Effect.succeed([]) : Effect.fail(error)))
    )

  const remove = (path: string, gone: ReadonlyArray<number>) =>
    Effect.forEach(gone, (version) => fs.remove(`${path}/${version}.json`, { force: true }), { discard: true })

  const write = Effect.fnUntraced(function* (path: string, text: string, version: number) {
    yield* fs.makeDirectory(path, { recursive: true })
    // A name of its own: others write here at the same time.
    const draft = `${path}/draft-${version}-${yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)}`
    yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(draft)))
    const file = yield* fs.open(draft, { flag: "wx" })
    yield* file.writeAll(new TextEncoder().encode(text))
    yield* file.sync
    yield* fs.link(draft, `${path}/${version}.json`)
  }, Effect.scoped)

  const put = Effect.fnUntraced(function* (
    id: string,
    snapshot: Schema.Json,
    { expected, keep }: { readonly expected: number; readonly keep?: number | undefined }
  ) {
    const path = yield* folder(id, "put")
    const before = yield* Effect.mapError(versions(path), failed(id, "put"))
    const conflict = new Snapshots.SnapshotConflict({ id, expected })
    if ((before.at(-1) ?? 0) !== expected) return yield* conflict
    const version = expected + 1
    const at = yield* Clock.currentTimeMillis
    yield* write(path, JSON.stringify({ version, at, snapshot }), version).pipe(
      Effect.mapError((error) => (error.reason._tag === "AlreadyExists" ? conflict : failed(id, "put")(error)))
    )
    // What cannot be forgotten now is forgotten with the next one.
    yield* Effect.ignore(remove(path, Snapshots.outdated([...before, version], keep ?? Snapshots.defaultKeep)))
    return version
  })

  const get = Effect.fnUntraced(function* (id: string, version?: number) {
    const path = yield* folder(id, "get")
    const wanted = version ?? (yield* Effect.mapError(versions(path), failed(id, "get"))).at(-1)
    if (wanted === undefined) return Option.none()
    const text = yield* fs.readFileString(`${path}/${wanted}.json`).pipe(
      Effect.map(Option.some),
      Effect.catch((error) => (absent(error) ? Effect.succeedNone : Effect.fail(failed(id, "get")(error))))
    )
    if (Option.isNone(text)) return Option.none()
    return Option.some(
      yield* Effect.mapError(decode(text.value), ({ message }) =>
        failed(id, "get")({ message: `${path}/${wanted}.json is no snapshot: ${message}` })
      )
    )
  })

  return {
    put,
    get,
    list: (id) => Effect.flatMap(folder(id, "list"), (path) => Effect.mapError(versions(path), failed(id, "list"))),
    prune: (id, keep) =>
      Effect.flatMap(folder(id, "prune"), (path) =>
        versions(path).pipe(
          Effect.flatMap((all) => remove(path, Snapshots.outdated(all, keep))),
          Effect.mapError(failed(id, "prune"))
        )
      ),
    remove: (id) =>
      Effect.flatMap(folder(id, "remove"), (path) =>
        Effect.mapError(fs.remove(path, { recursive: true, force: true }), failed(id, "remove"))
      )
  }
})

/** A store of files. @category layers */
export const layer = (
  options: Options
): Layer.Layer<Snapshots.SnapshotStore, Snapshots.SnapshotStoreError, FileSystem.FileSystem> =>
  Layer.effect(Snapshots.SnapshotStore, make(options))
