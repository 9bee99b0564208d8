/**
 * Conversations as files: a folder per session, a file per save. A save is written to a file of its own and then linked
 * to the name of its version, which the file system does at once and refuses where that name is taken: so a save is whole
 * or not there, and of two programs that save at once one gets a `SessionConflict`. No lock is held, and nothing has to
 * be cleaned up after a crash. The folder has to stand on a file system with hard links.
 *
 * A save is flushed to the disk before it is linked. What it costs does not grow with the session.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Sessions from "../../services/SessionStore.ts"
import { folderOf, idOf, longestName } from "./Folders.ts"

/**
 * Where the files are.
 *
 * @category models
 */
export interface Options {
  /** The folder of all sessions. It is made where it is not there. */
  readonly directory: string
}

// One save: the head as it is after it, and the turns that it has appended, which end at `head.turns`.
const Save = Schema.Struct({
  session: Schema.Literal(1),
  head: Schema.Struct({ ...Sessions.SessionState.fields, version: Schema.Int, turns: Schema.Int }),
  turns: Schema.Array(Sessions.SessionTurn)
})
type Save = typeof Save.Type

const Text = Schema.fromJsonString(Schema.toCodecJson(Save))
const decode = Schema.decodeUnknownResult(Text)
const encode = Schema.encodeUnknownResult(Text)

const readsAtOnce = 16

const has = (error: PlatformError, tag: "NotFound" | "AlreadyExists") => error.reason._tag === tag

/** The store as a value. Fails where the folder cannot be made. @category constructors */
export const make = Effect.fnUntraced(function* ({
  directory
}: Options): Effect.fn.Return<Sessions.SessionStore["Service"], Sessions.SessionStoreError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  type Operation = Sessions.SessionStoreError["operation"]
  const failed = (id: string, operation: Operation) => (error: { readonly message: string }) =>
    new Sessions.SessionStoreError({ store: "file", id, operation, detail: error.message })
  yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), failed("", "save"))

  const folder = (id: string, operation: Operation): Effect.Effect<string, Sessions.SessionStoreError> => {
    const name = folderOf(id)
    if (name !== "" && name.length <= longestName) return Effect.succeed(`${directory}/${name}`)
    const detail =
      name === ""
        ? "an id is not empty"
        : `its id makes a name of ${name.length} characters, at most ${longestName} can be; use a shorter one`
    return Effect.fail(failed(id, operation)({ message: detail }))
  }

  // One save, absent where there is none of this version.
  const load = Effect.fnUntraced(function* (
    id: string,
    operation: Operation,
    path: string,
    version: number
  ): Effect.fn.Return<Save | undefined, Sessions.SessionStoreError> {
    const file = `${path}/${version}.json`
    const text = yield* Effect.result(fs.readFileString(file))
    if (Result.isFailure(text)) {
      return has(text.failure, "NotFound") ? undefined : yield* failed(id, operation)(text.failure)
    }
    const save = decode(text.success)
    if (Result.isSuccess(save)) return save.success
    return yield* failed(id, operation)({ message: `${file} is no save: ${save.failure.message}` })
  })

  // `latest` is a hint: it lags behind where a program has crashed, or saves at this moment.
  const newest = Effect.fnUntraced(function* (
    id: string,
    operation: Operation,
    path: string
  ): Effect.fn.Return<Save | undefined, Sessions.SessionStoreError> {
    const hint = Number(yield* Effect.orElseSucceed(fs.readFileString(`${path}/latest`), () => ""))
    let found = Number.isSafeInteger(hint) && hint > 0 ? yield* load(id, operation, path, hint) : undefined
    for (;;) {
      const next = yield* load(id, operation, path, (found?.head.version ?? 0) + 1)
      if (next === undefined) return found
      found = next
    }
  })

  const head = Effect.fnUntraced(function* (id: string) {
    const save = yield* newest(id, "head", yield* folder(id, "head"))
    return save === undefined ? Sessions.emptyHead : save.head
  })

  const earlier = (id: string, path: string, version: number): Effect.Effect<Save, Sessions.SessionStoreError> =>
    Effect.flatMap(load(id, "read", path, version), (save) =>
      save === undefined
        ? Effect.fail(failed(id, "read")({ message: `${path}/${version}.json is missing` }))
        : Effect.succeed(save)
    )

  const read = Effect.fnUntraced(function* (id: string, from: number, to: number) {
    const path = yield* folder(id, "read")
    const out: Array<Sessions.SessionTurn> = []
    let save = yield* newest(id, "read", path)
    let before: ReadonlyArray<Save> = []
    while (save !== undefined) {
      const first = save.head.turns - save.turns.length
      for (let i = save.turns.length - 1; i >= 0; i--) {
        const turn = save.turns[i]
        if (turn !== undefined && first + i >= from && first + i < to) out.push(turn)
      }
      if (first <= from) break
      if (before.length === 0) {
        const last: number = save.head.version - 1
        const versions = Array.from({ length: Math.min(last, readsAtOnce) }, (_, i) => last - i)
        before = yield* Effect.forEach(versions, (version) => earlier(id, path, version), {
          concurrency: readsAtOnce
        })
      }
      save = before[0]
      before = before.slice(1)
    }
    return out.toReversed()
  })

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

  const hint = Effect.fnUntraced(function* (path: string, version: number) {
    const draft = `${path}/latest-${version}`
    yield* fs.writeFileString(draft, String(version))
    yield* fs.rename(draft, `${path}/latest`)
  })

  const save = Effect.fnUntraced(function* (
    id: string,
    expected: number,
    { state, turns }: { readonly turns: ReadonlyArray<Sessions.SessionTurn>; readonly state: Sessions.SessionState }
  ) {
    const path = yield* folder(id, "save")
    const current = yield* newest(id, "save", path)
    const before = current === undefined ? Sessions.emptyHead : current.head
    if (before.version !== expected) return yield* new Sessions.SessionConflict({ id, expected })
    const next = { ...state, version: expected + 1, turns: before.turns + turns.length }
    const text = yield* Effect.mapError(
      Effect.fromResult(encode({ session: 1, head: next, turns })),
      failed(id, "save")
    )
    yield* write(path, text, next.version).pipe(
      Effect.mapError((error) =>
        has(error, "AlreadyExists") ? new Sessions.SessionConflict({ id, expected }) : failed(id, "save")(error)
      )
    )
    yield* Effect.ignore(hint(path, next.version))
    return next
  })

  const list = Effect.fnUntraced(function* ({
    after = "",
    limit = Sessions.pageSize,
    prefix = ""
  }: Sessions.SessionQuery = {}) {
    const names = yield* Effect.mapError(fs.readDirectory(directory), failed("", "list"))
    const ids = names
      .flatMap((name) => idOf(name) ?? [])
      .filter((id) => id > after && id.startsWith(prefix))
      .toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    const page = ids.slice(0, limit)
    const heads = yield* Effect.forEach(page, (id) => newest(id, "list", `${directory}/${folderOf(id)}`), {
      concurrency: readsAtOnce
    })
    const last = page.at(-1)
    return {
      sessions: page.flatMap((id, i) => {
        // One whose first save has not come about is none, and neither is one that was removed meanwhile.
        const save = heads[i]
        return save === undefined
          ? []
          : [{ id, version: save.head.version, turns: save.head.turns, meta: save.head.meta }]
      }),
      ...(last === undefined || ids.length === page.length ? {} : { next: last })
    }
  })

  return Sessions.make({
    list,
    head,
    read,
    save,
    remove: (id) =>
      Effect.flatMap(folder(id, "remove"), (path) =>
        Effect.mapError(fs.remove(path, { recursive: true, force: true }), failed(id, "remove"))
      )
  })
})

/** A store of files. @category layers */
export const layer = (
  options: Options
): Layer.Layer<Sessions.SessionStore, Sessions.SessionStoreError, FileSystem.FileSystem> =>
  Layer.effect(Sessions.SessionStore, make(options))
