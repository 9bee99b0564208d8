/** What is seen of the folder: lines of files, listings, searches. All of it bounded. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import { type ExecutorErrorReason, LimitExceeded, TimedOut } from "../../services/ActionExecutor.ts"
import type * as Spaces from "../../services/Workspace.ts"
import * as Contents from "./Contents.ts"
import { ask, type Errno, type Folder, reasonOf, told } from "./Folder.ts"
import * as Glob from "./Glob.ts"
import { refused } from "./Paths.ts"
import * as Search from "./Search.ts"
import type { Space } from "./Space.ts"

const failed = <A, R>(path: string, effect: Effect.Effect<A, Errno, R>) => Effect.mapError(effect, reasonOf(path))

/** Lines of a file. */
export const read = Effect.fnUntraced(function* (
  { limits, place }: Space,
  path: string,
  {
    from = 1,
    count = Number.POSITIVE_INFINITY
  }: { readonly from?: number | undefined; readonly count?: number | undefined }
): Effect.fn.Return<Spaces.FileText, ExecutorErrorReason, Scope.Scope> {
  const at = yield* place(path)
  const contents = yield* Contents.read(at, limits.fileBytes)
  const text = yield* Contents.textOf(at.path, contents)
  // Where the lines begin; a text that ends with a line end has no line behind it.
  let lines = text === "" || text.endsWith("\n") ? 0 : 1
  for (let index = text.indexOf("\n"); index >= 0; index = text.indexOf("\n", index + 1)) lines++
  const first = Math.max(1, Math.trunc(from))
  const wanted = Math.min(lines, first - 1 + Math.max(0, Math.trunc(count)))
  let begin = 0
  for (let line = 1; line < first && begin < text.length; line++) {
    const end = text.indexOf("\n", begin)
    begin = end < 0 ? text.length : end + 1
  }
  let end = begin
  let to = first - 1
  while (to < wanted) {
    const next = text.indexOf("\n", end)
    const line = next < 0 ? text.length : next + 1
    if (line - begin > limits.textLength) break
    end = line
    to++
  }
  let truncated = to < wanted
  // A single line that is too long is cut, or nothing could ever be seen of it.
  if (truncated && to === first - 1) {
    end = begin + limits.textLength
    to = first
    truncated = true
  }
  return {
    path: at.path,
    text: text.slice(begin, end),
    from: first,
    to,
    lines,
    size: contents.bytes.length,
    digest: contents.digest,
    truncated
  }
})

const kindOf = (it: {
  readonly isFile: () => boolean
  readonly isDirectory: () => boolean
  readonly isSymbolicLink: () => boolean
}): Spaces.Entry["kind"] =>
  it.isFile() ? "file" : it.isDirectory() ? "folder" : it.isSymbolicLink() ? "link" : "other"

/** What stands under a path. */
export const stat = Effect.fnUntraced(function* (
  { place }: Space,
  path: string
): Effect.fn.Return<Spaces.Entry, ExecutorErrorReason, Scope.Scope> {
  const { folder, name, path: real } = yield* place(path, { keep: true })
  const stats = yield* failed(
    real,
    ask(() => Fs.lstat(name === "" ? `${folder.here}/.` : folder.at(name)))
  )
  yield* folder.check
  const kind = kindOf(stats)
  return { path: real, kind, ...(kind === "file" ? { size: stats.size } : {}), modified: stats.mtimeMs }
})

interface Found {
  readonly folder: Folder
  readonly name: string
  readonly names: ReadonlyArray<string>
  readonly kind: Spaces.Entry["kind"]
}

/** The whole of what is found: whether the walk saw everything. */
type Walked = "all" | "cut"

/**
 * Goes through a folder in the order of the paths, and into the folders that `enter` names. `visit` gives whether to go on.
 * What cannot be opened is left out: somebody removed it just now, or the file system does not permit it.
 */
const walk = Effect.fnUntraced(function* (
  { isHidden, limits, root }: Space,
  start: ReadonlyArray<string>,
  enter: (found: Found, depth: number) => boolean,
  visit: (found: Found) => Effect.Effect<boolean, ExecutorErrorReason>
): Effect.fn.Return<Walked, ExecutorErrorReason, Scope.Scope> {
  let visited = 0
  const into = (folder: Folder, depth: number): Effect.Effect<boolean, ExecutorErrorReason> =>
    Effect.gen(function* () {
      const all = yield* failed(
        told(folder.names),
        ask(() => Fs.readdir(`${folder.here}/.`, { withFileTypes: true }))
      )
      yield* folder.check
      all.sort((a, b) => (a.name < b.name ? -1 : 1))
      for (const one of all) {
        if (++visited > limits.visited) return false
        const found = { folder, name: one.name, names: [...folder.names, one.name], kind: kindOf(one) }
        if (isHidden(found.names)) continue
        if (!(yield* visit(found))) return false
        if (found.kind !== "folder" || !enter(found, depth)) continue
        const more = yield* Effect.scoped(
          Effect.gen(function* () {
            const inner = yield* Effect.result(root.into(folder, one.name))
            return Result.isFailure(inner) ? true : yield* into(inner.success, depth + 1)
          })
        )
        if (!more) return false
      }
      return true
    })
  const folder = yield* root.folder(start)
  return (yield* into(folder, 1)) ? "all" : "cut"
})

/** The names that a path leads to, where it may be seen. */
const start = (space: Space, path: string | undefined) => Effect.map(space.place(path ?? "."), ({ names }) => names)

const sizeOf = ({ folder, kind, name }: Found) =>
  kind === "file"
    ? Effect.map(Effect.result(ask(() => Fs.lstat(folder.at(name)))), (stats) =>
        Result.isSuccess(stats) && stats.success.isFile() ? { size: stats.success.size } : {}
      )
    : Effect.succeed({})

/** Gathers entries up to the limit. */
const gather = (limit: number) => {
  const entries: Array<Spaces.Entry> = []
  return {
    entries,
    add: Effect.fnUntraced(function* (found: Found) {
      if (entries.length >= limit) return false
      entries.push({ path: told(found.names), kind: found.kind, ...(yield* sizeOf(found)) })
      return true
    })
  }
}

/** What stands in a folder. */
export const list = Effect.fnUntraced(function* (
  space: Space,
  path: string | undefined,
  { depth: levels = 1 }: { readonly depth?: number | undefined }
): Effect.fn.Return<Spaces.Listing, ExecutorErrorReason, Scope.Scope> {
  const { add, entries } = gather(space.limits.entries)
  const walked = yield* walk(
    space,
    yield* start(space, path),
    ({ names }, depth) => depth < levels && !space.isSkipped(names),
    add
  )
  return { entries, truncated: walked === "cut" }
})

const pattern = (text: string) =>
  Effect.mapError(Effect.fromResult(Glob.compile(text)), (detail) => refused("search.pattern", detail))

/** The files whose path fits a pattern. */
export const glob = Effect.fnUntraced(function* (
  space: Space,
  text: string,
  { path }: { readonly path?: string | undefined }
): Effect.fn.Return<Spaces.Listing, ExecutorErrorReason, Scope.Scope> {
  const matches = yield* pattern(text)
  const names = yield* start(space, path)
  const { add, entries } = gather(space.limits.entries)
  const walked = yield* walk(
    space,
    names,
    (found) => !space.isSkipped(found.names),
    (found) => (found.kind !== "folder" && matches(found.names.slice(names.length)) ? add(found) : Effect.succeed(true))
  )
  return { entries, truncated: walked === "cut" }
})

/** The lines that match. */
export const grep = Effect.fnUntraced(function* (
  space: Space,
  text: string,
  options: NonNullable<Parameters<Spaces.Workspace["Service"]["grep"]>[1]>
): Effect.fn.Return<Spaces.Matches, ExecutorErrorReason, Scope.Scope> {
  const { limits } = space
  const search = yield* Search.make(text, options)
  const isMeant = options.glob === undefined ? () => true : yield* pattern(options.glob)
  const names = yield* start(space, options.path)
  const matches: Array<Spaces.Matches["matches"][number]> = []
  let files = 0
  let length = 0
  let left = false
  const walked = walk(
    space,
    names,
    (found) => !space.isSkipped(found.names),
    Effect.fnUntraced(function* ({ folder, kind, name, names: all }) {
      if (kind !== "file" || !isMeant(all.slice(names.length))) return true
      const path = told(all)
      const contents = yield* Effect.result(Contents.read({ folder, name, names: all, path }, limits.fileBytes))
      if (Result.isFailure(contents)) {
        // Too large to be searched is not the same as without a match.
        left ||= contents.failure instanceof LimitExceeded
        return true
      }
      const read = yield* Effect.result(Contents.textOf(path, contents.success))
      if (Result.isFailure(read)) return true
      files++
      for (const [line, text] of yield* search(read.success, limits.entries - matches.length + 1)) {
        length += text.length + path.length
        if (matches.length >= limits.entries || length > limits.textLength) return false
        matches.push({ path, line, text })
      }
      return true
    })
  )
  const end = yield* Effect.timeoutOrElse(walked, {
    duration: limits.searchMillis,
    orElse: () => Effect.fail(new TimedOut({ millis: limits.searchMillis }))
  })
  return { matches, files, truncated: end === "cut" || left }
})

/** Whether something below a folder is kept from view or change: then the folder is neither moved nor removed as a whole. */
export const kept = Effect.fnUntraced(function* (space: Space, names: ReadonlyArray<string>) {
  let found: ReadonlyArray<string> | undefined
  const all = { ...space, isHidden: () => false }
  const walked = yield* walk(
    all,
    names,
    () => true,
    (one) => {
      if (space.isHidden(one.names) || space.isFixed(one.names)) found = one.names
      return Effect.succeed(found === undefined)
    }
  )
  if (found !== undefined) {
    const rule = space.isHidden(found) ? "path.hidden" : "path.fixed"
    return yield* Effect.fail(refused(rule, `there is something in ${JSON.stringify(told(names))} that has to stay`))
  }
  if (walked === "cut") {
    return yield* Effect.fail(
      new LimitExceeded({
        limit: "input",
        detail: `the folder holds more than ${space.limits.visited} files; take parts of it`
      })
    )
  }
})
