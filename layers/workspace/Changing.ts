/**
 * What is changed in the folder. A change is prepared whole (drafts are written and flushed) before the first name in the
 * folder is touched; from there on it is not interrupted, and undone where it fails half-way.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import { type ExecutorErrorReason, LimitExceeded, NotFound, Stale } from "../../services/ActionExecutor.ts"
import type * as Spaces from "../../services/Workspace.ts"
import * as Contents from "./Contents.ts"
import * as Diff from "./Diff.ts"
import { ask, type Errno, type Place, reasonOf, told } from "./Folder.ts"
import { refused } from "./Paths.ts"
import * as Reading from "./Reading.ts"
import type { Space } from "./Space.ts"

type Failure = ExecutorErrorReason

const failed = <A, R>(path: string, effect: Effect.Effect<A, Errno, R>) => Effect.mapError(effect, reasonOf(path))

const verbs = { create: "make files or folders", update: "change files", delete: "remove anything" } as const

/** Fails where the policy does not allow a kind of change. */
const permit = ({ may }: Space, ...kinds: ReadonlyArray<"create" | "update" | "delete">) => {
  const missing = kinds.find((kind) => !may.has(kind))
  return missing === undefined
    ? Effect.void
    : Effect.fail(refused(`write.${missing}`, `nobody may ${verbs[missing]} in this workspace`))
}

/** The place of what is to be changed: not the root, and nothing that is fixed. */
const target = Effect.fnUntraced(function* (space: Space, path: string, options?: Parameters<Space["place"]>[1]) {
  const place = yield* space.place(path, options)
  if (place.name === "") return yield* Effect.fail(refused("path.root", "name something in it"))
  yield* space.stays(place.names)
  return place
})

/** Checks the names alone, before a folder is made for them. */
const foresee = Effect.fnUntraced(function* (space: Space, path: string) {
  const result = yield* Effect.result(target(space, path))
  // A folder on the way that is not there yet is made afterwards.
  if (Result.isFailure(result) && !(result.failure instanceof NotFound)) return yield* Effect.fail(result.failure)
})

const current = Effect.fnUntraced(function* (space: Space, place: Place) {
  const result = yield* Effect.result(Contents.read(place, space.limits.fileBytes))
  if (Result.isSuccess(result)) return result.success
  if (result.failure instanceof NotFound) return undefined
  return yield* Effect.fail(result.failure)
})

/** Whether the file is the one that was read. */
const guard = (path: string, now: Contents.Contents, digest: string | undefined): Effect.Effect<void, Failure> => {
  if (digest === undefined || !/^[0-9a-f]{8,64}$/i.test(digest)) {
    return Effect.fail(
      refused("write.digest", `read ${JSON.stringify(path)} and pass its digest, at least the first 8 digits`)
    )
  }
  return now.digest.startsWith(digest.toLowerCase())
    ? Effect.void
    : Effect.fail(
        new Stale({
          detail:
            `${JSON.stringify(path)} was changed since it was read: its digest is ${now.digest.slice(0, 12)}, ` +
            `not ${digest.slice(0, 12)}; read it again`
        })
      )
}

const bytesOf = (space: Space, path: string, text: string): Effect.Effect<Uint8Array, Failure> => {
  const bytes = new TextEncoder().encode(text)
  if (!text.isWellFormed()) return Effect.fail(refused("file.binary", "half of a character is no text"))
  const { fileBytes } = space.limits
  return bytes.length <= fileBytes
    ? Effect.succeed(bytes)
    : Effect.fail(
        new LimitExceeded({
          limit: "input",
          detail: `${JSON.stringify(path)} would have ${bytes.length} bytes, at most ${fileBytes} may be written`
        })
      )
}

/** A change of one file, checked, not done yet. */
interface Planned {
  readonly place: Place
  readonly before: Contents.Contents | undefined
  /** Absent where the file is to be removed. */
  readonly after: Uint8Array | undefined
}

const same = (a: Contents.Contents | undefined, b: Contents.Contents | undefined) => a?.digest === b?.digest

/** Puts back what was there. What cannot be put back stays as it is. */
const undo = ({ after, before, place }: Planned): Effect.Effect<void> =>
  Effect.ignore(
    Effect.scoped(
      before === undefined
        ? failed(
            place.path,
            ask(() => Fs.unlink(place.folder.at(place.name)))
          )
        : Effect.flatMap(Contents.draft(place.folder, before.bytes, before.mode), (name) =>
            Contents.settle(place, name, after !== undefined)
          )
    )
  )

/** Does planned changes: all or none. */
const commit = Effect.fnUntraced(function* (
  space: Space,
  plans: ReadonlyArray<Planned>
): Effect.fn.Return<ReadonlyArray<Spaces.Changed>, Failure, Scope.Scope> {
  const drafts = yield* Effect.forEach(plans, ({ after, before, place }) =>
    after === undefined ? Effect.succeed("") : Contents.draft(place.folder, after, before?.mode)
  )
  const one = Effect.fnUntraced(function* ({ after, before, place }: Planned, draft: string) {
    // Once more, now that nothing but a name is left to be changed.
    const now = yield* current(space, place)
    if (!same(now, before)) {
      return yield* Effect.fail(
        new Stale({ detail: `${JSON.stringify(place.path)} was changed while it was being changed; read it again` })
      )
    }
    if (after === undefined)
      yield* failed(
        place.path,
        ask(() => Fs.unlink(place.folder.at(place.name)))
      )
    else yield* Contents.settle(place, draft, before !== undefined)
  })
  const all = Effect.gen(function* () {
    const done: Array<Planned> = []
    for (const [index, plan] of plans.entries()) {
      yield* one(plan, drafts[index] ?? "").pipe(
        Effect.tapError(() => Effect.forEach(done.toReversed(), undo, { discard: true }))
      )
      done.push(plan)
    }
    yield* Effect.forEach(plans, ({ place }) => Contents.flush(place.folder), { discard: true })
  })
  yield* Effect.uninterruptible(all)
  return plans.map(({ after, before, place: { path } }) => ({
    path,
    change: before === undefined ? "created" : after === undefined ? "removed" : "updated",
    size: after?.length ?? 0,
    digest: after === undefined ? "" : Contents.digestOf(after)
  }))
})

const only = (changes: ReadonlyArray<Spaces.Changed>): Effect.Effect<Spaces.Changed> =>
  changes[0] === undefined ? Effect.die("a plan of one file changes one file") : Effect.succeed(changes[0])

/** Makes or replaces a file. */
export const write = Effect.fnUntraced(function* (
  space: Space,
  path: string,
  text: string,
  { digest }: Spaces.ChangeOptions
): Effect.fn.Return<Spaces.Changed, Failure, Scope.Scope> {
  const after = yield* bytesOf(space, path, text)
  if (!space.may.has("create") && !space.may.has("update")) yield* permit(space, "create")
  const place = yield* target(space, path, { make: space.may.has("create") })
  const before = yield* current(space, place)
  yield* permit(space, before === undefined ? "create" : "update")
  if (before !== undefined) yield* guard(place.path, before, digest)
  else if (digest !== undefined) {
    return yield* Effect.fail(new Stale({ detail: `${JSON.stringify(place.path)} is no longer there` }))
  }
  return yield* Effect.flatMap(commit(space, [{ place, before, after }]), only)
})

const linesOf = (text: string, part: string): ReadonlyArray<number> => {
  const lines: Array<number> = []
  let line = 1
  let from = 0
  for (let at = text.indexOf(part); at >= 0 && lines.length < 10; at = text.indexOf(part, at + part.length)) {
    for (let next = text.indexOf("\n", from); next >= 0 && next < at; next = text.indexOf("\n", next + 1)) line++
    from = at
    lines.push(line)
  }
  return lines
}

/** Replaces one piece of a text. */
const replace = (text: string, edit: Spaces.Edit, where: string): Effect.Effect<string, Failure> => {
  // A model writes \n where the file has \r\n.
  const crlf = text.includes("\r\n") && !edit.old.includes("\r") && !text.includes(edit.old)
  const old = crlf ? edit.old.replaceAll("\n", "\r\n") : edit.old
  const next = text.includes("\r\n") && !edit.new.includes("\r") ? edit.new.replaceAll("\n", "\r\n") : edit.new
  if (old === "" || old === next) {
    return Effect.fail(refused("edit.same", `${where}: the old text is empty, or the new one is the same`))
  }
  const first = text.indexOf(old)
  if (first < 0) {
    return Effect.fail(
      new NotFound({
        detail: `${where}: the old text does not stand in the file exactly so; read it and copy the text`
      })
    )
  }
  if (edit.all === true) return Effect.succeed(text.split(old).join(next))
  if (text.indexOf(old, first + 1) >= 0) {
    return Effect.fail(
      refused(
        "edit.ambiguous",
        `${where}: the old text stands on lines ${linesOf(text, old).join(", ")}; give more of it, or replace all`
      )
    )
  }
  return Effect.succeed(text.slice(0, first) + next + text.slice(first + old.length))
}

/** Replaces pieces of a file. */
export const edit = Effect.fnUntraced(function* (
  space: Space,
  path: string,
  edits: ReadonlyArray<Spaces.Edit>,
  { digest }: Spaces.ChangeOptions
): Effect.fn.Return<Spaces.Changed, Failure, Scope.Scope> {
  yield* permit(space, "update")
  const place = yield* target(space, path)
  const before = yield* Contents.read(place, space.limits.fileBytes)
  yield* guard(place.path, before, digest)
  const whole = yield* Contents.textOf(place.path, before)
  if (edits.length === 0) return yield* Effect.fail(refused("edit.same", "there is no edit"))
  let text = whole
  for (const [index, one] of edits.entries()) text = yield* replace(text, one, `edit ${index + 1} of ${edits.length}`)
  const after = yield* bytesOf(space, place.path, text)
  return yield* Effect.flatMap(commit(space, [{ place, before, after }]), only)
})

/** Applies a diff. */
export const patch = Effect.fnUntraced(function* (
  space: Space,
  diff: string
): Effect.fn.Return<ReadonlyArray<Spaces.Changed>, Failure, Scope.Scope> {
  if (diff.length > space.limits.fileBytes) {
    return yield* Effect.fail(
      new LimitExceeded({ limit: "input", detail: `a patch has at most ${space.limits.fileBytes} characters` })
    )
  }
  const files = yield* Effect.mapError(Effect.fromResult(Diff.parse(diff)), (detail) =>
    refused("patch.malformed", detail)
  )
  const paths = new Set<string>()
  const once = (path: string) =>
    paths.has(path)
      ? Effect.fail(refused("patch.malformed", `${JSON.stringify(path)} stands in it twice`))
      : Effect.sync(() => paths.add(path))
  const stale = (path: string) => (detail: string) =>
    new Stale({ detail: `${JSON.stringify(path)}: ${detail}; read it again` })
  // First all that is checked, then folders are made, then files change.
  for (const { from, to } of files) {
    if (from !== undefined && to !== undefined && from !== to) {
      return yield* Effect.fail(refused("patch.malformed", `${from} becomes ${to}: move it first`))
    }
    yield* permit(space, from === undefined ? "create" : to === undefined ? "delete" : "update")
    yield* foresee(space, to ?? from ?? "")
  }
  const prepare = Effect.fnUntraced(function* ({ from, hunks, to }: Diff.FileDiff, make: boolean) {
    const place = yield* target(space, to ?? from ?? "", { make })
    const before =
      from === undefined ? yield* current(space, place) : yield* Contents.read(place, space.limits.fileBytes)
    if (from === undefined && before !== undefined) {
      return yield* Effect.fail(refused("write.exists", `there is ${JSON.stringify(place.path)} already`))
    }
    const text = before === undefined ? "" : yield* Contents.textOf(place.path, before)
    const next = yield* Effect.mapError(Effect.fromResult(Diff.apply(text, hunks)), stale(place.path))
    if (to === undefined && next !== "") {
      return yield* Effect.fail(stale(place.path)("it has more lines than those that are to be removed"))
    }
    const after = to === undefined ? undefined : yield* bytesOf(space, place.path, next)
    return { place, before, after }
  })
  for (const file of files) if (file.from !== undefined) yield* prepare(file, false)
  const plans: Array<Planned> = []
  for (const file of files) {
    const plan = yield* prepare(file, file.from === undefined)
    yield* once(plan.place.path)
    plans.push(plan)
  }
  return yield* commit(space, plans)
})

/** Makes a folder. */
export const makeFolder = Effect.fnUntraced(function* (
  space: Space,
  path: string
): Effect.fn.Return<Spaces.Entry, Failure, Scope.Scope> {
  yield* permit(space, "create")
  const { folder, name, path: real } = yield* target(space, path, { make: true })
  yield* ask(() => Fs.mkdir(folder.at(name))).pipe(
    Effect.catchIf(
      ({ code }) => code === "EEXIST",
      () => Effect.void
    ),
    Effect.mapError(reasonOf(real))
  )
  const entry = yield* Reading.stat(space, path)
  if (entry.kind !== "folder")
    return yield* Effect.fail(refused("write.exists", `${JSON.stringify(real)} is no folder`))
  return entry
})

/** Gives a file or a folder another path. */
export const move = Effect.fnUntraced(function* (
  space: Space,
  from: string,
  to: string
): Effect.fn.Return<Spaces.Entry, Failure, Scope.Scope> {
  yield* permit(space, "create", "delete")
  const source = yield* target(space, from, { keep: true })
  const stats = yield* failed(
    source.path,
    ask(() => Fs.lstat(source.folder.at(source.name)))
  )
  // A relative link would lead elsewhere from another folder.
  if (stats.isSymbolicLink())
    return yield* Effect.fail(refused("path.symlink", `${JSON.stringify(source.path)} is a link`))
  if (!stats.isFile() && !stats.isDirectory())
    return yield* Effect.fail(refused("file.kind", `${JSON.stringify(source.path)} is no file`))
  if (stats.isDirectory()) yield* Reading.kept(space, source.names)
  const place = yield* target(space, to, { keep: true, make: true })
  const at = source.folder.at(source.name)
  const next = place.folder.at(place.name)
  const isFree = yield* Effect.result(ask(() => Fs.lstat(next)))
  if (Result.isSuccess(isFree)) return yield* Effect.fail(reasonOf(place.path)({ code: "EEXIST", message: "" }))
  if (told(place.names).startsWith(`${source.path}/`)) {
    return yield* Effect.fail(refused("path.root", "a folder cannot be moved into itself"))
  }
  yield* Effect.andThen(source.folder.check, place.folder.check)
  // A file comes by a hard link, which does not take the place of one that came in between; a folder never does.
  const put = stats.isFile()
    ? Effect.uninterruptible(
        Effect.andThen(
          ask(() => Fs.link(at, next)),
          ask(() => Fs.unlink(at))
        )
      ).pipe(
        Effect.catchIf(
          ({ code }) => code === "EPERM" || code === "ENOTSUP",
          () => ask(() => Fs.rename(at, next))
        )
      )
    : ask(() => Fs.rename(at, next))
  yield* failed(place.path, put)
  return yield* Reading.stat(space, place.path)
})

/** Removes what stands under a path. */
export const remove = Effect.fnUntraced(function* (
  space: Space,
  path: string,
  { recursive = false }: { readonly recursive?: boolean | undefined }
): Effect.fn.Return<void, Failure, Scope.Scope> {
  yield* permit(space, "delete")
  const place = yield* target(space, path, { keep: true })
  const { folder, name, path: real } = place
  const stats = yield* failed(
    real,
    ask(() => Fs.lstat(folder.at(name)))
  )
  if (!stats.isDirectory())
    return yield* failed(
      real,
      ask(() => Fs.unlink(folder.at(name)))
    )
  yield* Reading.kept(space, place.names)
  if (recursive) return yield* empty(space, place)
  const gone = yield* Effect.result(ask(() => Fs.rmdir(folder.at(name))))
  if (Result.isSuccess(gone)) return
  const isFull = gone.failure.code === "ENOTEMPTY" || gone.failure.code === "EEXIST"
  return yield* Effect.fail(
    isFull ? refused("write.recursive", `${JSON.stringify(real)} is not empty`) : reasonOf(real)(gone.failure)
  )
})

/** Removes a folder with all that is in it, by the handles of its folders: what a link leads to is not touched. */
const empty = ({ root }: Space, { folder, name, path }: Place): Effect.Effect<void, Failure> => {
  const clear = (outer: Place["folder"], name: string): Effect.Effect<void, Errno | Failure> =>
    Effect.scoped(
      Effect.gen(function* () {
        const inner = yield* root.into(outer, name)
        for (const one of yield* ask(() => Fs.readdir(`${inner.here}/.`, { withFileTypes: true }))) {
          yield* inner.check
          yield* one.isDirectory() ? clear(inner, one.name) : ask(() => Fs.unlink(inner.at(one.name)))
        }
        yield* ask(() => Fs.rmdir(outer.at(name)))
      })
    )
  return Effect.mapError(clear(folder, name), (error) => ("_tag" in error ? error : reasonOf(path)(error)))
}
