/**
 * Folders held by a handle, and the way from one to the next. Node has no `openat`; on Linux a path below
 * `/proc/self/fd/<handle>` is the same thing: it goes on from the folder that is open, wherever somebody has moved it
 * since and whatever stands at its old path now. So a path is walked name by name, no link is ever followed by the
 * system, and there is no moment between the check of a folder and its use. Links are read and followed here, as far as
 * they stay below the root.
 *
 * Elsewhere (macOS, Windows) paths are used, and the folder is looked at again before and after each use. That stops links
 * that are there; a program that swaps a folder for a link and back within microseconds may win. Where others have such a
 * hold on the folder, use Linux.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { constants, type Stats } from "node:fs"
import * as Fs from "node:fs/promises"
import { Broken, type ExecutorErrorReason, NotFound } from "../../services/ActionExecutor.ts"
import { refused } from "./Paths.ts"

/** A failure of the file system, as Node gives it. */
export interface Errno {
  readonly code: string
  readonly message: string
}

/** Asks the file system. */
export const ask = <A>(run: () => Promise<A>): Effect.Effect<A, Errno> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => ({
      code: cause instanceof Error && "code" in cause ? String(cause.code) : "",
      message: cause instanceof Error ? cause.message : String(cause)
    })
  })

// Messages of the system name paths of this machine; a model is told the code and its own path.
const words: Readonly<Record<string, string>> = {
  EACCES: "the file system does not permit it",
  EPERM: "the file system does not permit it",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk is full",
  EMFILE: "too many files are open",
  EISDIR: "it is a folder",
  ENOTEMPTY: "the folder is not empty",
  EXDEV: "it stands on another file system"
}

/** What a failure means to who asked for `path`. */
export const reasonOf =
  (path: string) =>
  ({ code }: Errno): ExecutorErrorReason => {
    switch (code) {
      case "ENOENT":
        return new NotFound({ detail: `there is no ${JSON.stringify(path)}` })
      case "ENOTDIR":
        return new NotFound({ detail: `${JSON.stringify(path)} leads through something that is no folder` })
      case "ELOOP":
        return refused("path.symlink", `${JSON.stringify(path)} became a link`)
      case "EEXIST":
        return refused("write.exists", `there is ${JSON.stringify(path)} already`)
      case "ENXIO":
        return refused("file.kind", `${JSON.stringify(path)} is no file`)
      default:
        return new Broken({ detail: `${JSON.stringify(path)}: ${words[code] ?? `the file system says ${code}`}` })
    }
  }

/** A folder that is open. */
export interface Folder {
  /** The names that lead to it from the root; none of them is a link. */
  readonly names: ReadonlyArray<string>
  /** The folder itself, for the file system. */
  readonly here: string
  /** What stands in it under a name, for the file system. */
  readonly at: (name: string) => string
  /** Whether it is held by its handle: then nothing can come between a check and a use. */
  readonly held: boolean
  /** Fails where the folder is not the one that was opened. Says nothing where it is held by its handle. */
  readonly check: Effect.Effect<void, ExecutorErrorReason>
}

/** Where a path leads: a name in a folder that is open. The name need not be there. */
export interface Place {
  readonly folder: Folder
  /** Empty for the root itself. */
  readonly name: string
  /** All names; none of them is a link, except the last one where it is not to be followed. */
  readonly names: ReadonlyArray<string>
  /** The names with `/`, `.` for the root: what is told. */
  readonly path: string
}

/** How folders are held. */
export type Holding = "handle" | "path"

/** How this machine can hold folders. */
export const holding: Holding = process.platform === "linux" ? "handle" : "path"

/** How a place is looked for. */
export interface PlaceOptions {
  readonly keep?: boolean | undefined
  readonly make?: ((names: ReadonlyArray<string>) => Effect.Effect<void, ExecutorErrorReason>) | undefined
}

/** The root and the way to what is below. */
export interface Root {
  /**
   * The place that names lead to. The last name is followed where it is a link, unless `keep`. Folders that are not there
   * are made with `make`, which is asked before about all names.
   */
  readonly place: (
    names: ReadonlyArray<string>,
    options?: PlaceOptions
  ) => Effect.Effect<Place, ExecutorErrorReason, Scope.Scope>
  /** The folder that names lead to. */
  readonly folder: (names: ReadonlyArray<string>) => Effect.Effect<Folder, ExecutorErrorReason, Scope.Scope>
  /** A folder in a folder, which is no link. */
  readonly into: (folder: Folder, name: string) => Effect.Effect<Folder, Errno, Scope.Scope>
}

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const maxLinks = 40

/** The text of a path that is told. */
export const told = (names: ReadonlyArray<string>): string => (names.length === 0 ? "." : names.join("/"))

const same = (a: Stats, b: Stats): boolean => a.ino === b.ino && a.dev === b.dev

/** Opens the root for as long as the Scope. */
export const open = Effect.fnUntraced(function* (
  directory: string,
  hold: Holding = holding
): Effect.fn.Return<Root, ExecutorErrorReason, Scope.Scope> {
  const real = yield* Effect.mapError(
    ask(() => Fs.realpath(directory)),
    reasonOf(directory)
  )

  /** Opens what is a folder and no link. */
  const held = Effect.fnUntraced(function* (path: string, names: ReadonlyArray<string>) {
    if (hold === "handle") {
      const handle = yield* Effect.acquireRelease(
        ask(() => Fs.open(path, asFolder)),
        (handle) => Effect.ignore(ask(() => handle.close()))
      )
      const here = `/proc/self/fd/${handle.fd}`
      return { names, here, at: (name: string) => `${here}/${name}`, held: true, check: Effect.void } satisfies Folder
    }
    const here = names.length === 0 ? real : `${real}/${names.join("/")}`
    const look = ask(() => Fs.lstat(here))
    const before = yield* look
    if (!before.isDirectory()) return yield* Effect.fail<Errno>({ code: "ENOTDIR", message: "" })
    const check = Effect.all([look, ask(() => Fs.realpath(here))]).pipe(
      Effect.mapError(reasonOf(told(names))),
      Effect.filterOrFail(
        ([now, path]) =>
          now.isDirectory() && same(now, before) && path.replaceAll("\\", "/") === here.replaceAll("\\", "/"),
        () => refused("path.symlink", `${told(names)} was swapped while it was used`)
      ),
      Effect.asVoid
    )
    return { names, here, at: (name: string) => `${here}/${name}`, held: false, check } satisfies Folder
  })

  const root: Folder = yield* Effect.mapError(held(real, []), reasonOf(directory))
  const into = (folder: Folder, name: string) => held(folder.at(name), [...folder.names, name])

  /** Where a link that stands in `folder` leads, as names from the root. */
  const target = Effect.fnUntraced(function* (folder: Folder, name: string) {
    const path = told([...folder.names, name])
    const text = yield* Effect.mapError(
      ask(() => Fs.readlink(folder.at(name))),
      reasonOf(path)
    )
    const outside = refused("path.symlink", `${JSON.stringify(path)} is a link that leads out of the workspace`)
    const slashes = text.replaceAll("\\", "/")
    const absolute = slashes.startsWith("/") || /^[a-z]:/i.test(slashes)
    if (absolute && slashes !== real && !slashes.startsWith(`${real}/`)) return yield* Effect.fail(outside)
    const names = absolute ? [] : [...folder.names]
    for (const one of (absolute ? slashes.slice(real.length) : slashes).split("/")) {
      if (one === "" || one === ".") continue
      if (one !== "..") names.push(one)
      else if (names.pop() === undefined) return yield* Effect.fail(outside)
    }
    return names
  })

  const place = Effect.fnUntraced(function* (asked: ReadonlyArray<string>, { keep = false, make }: PlaceOptions = {}) {
    let names = asked
    let folder = root
    let index = 0
    for (let links = 0; ;) {
      const name = names[index]
      if (name === undefined) return { folder: root, name: "", names, path: "." }
      const last = index === names.length - 1
      const path = told(names.slice(0, index + 1))
      if (last && keep) return { folder, name, names, path }
      const at = folder.at(name)
      const found = yield* Effect.result(ask(() => Fs.lstat(at)))
      if (Result.isSuccess(found) && found.success.isSymbolicLink()) {
        if (++links > maxLinks)
          return yield* Effect.fail(refused("path.symlink", `${JSON.stringify(path)} leads in a circle`))
        names = [...(yield* target(folder, name)), ...names.slice(index + 1)]
        folder = root
        index = 0
        continue
      }
      if (last) return { folder, name, names, path }
      if (Result.isFailure(found)) {
        if (found.failure.code !== "ENOENT" || make === undefined)
          return yield* Effect.fail(reasonOf(path)(found.failure))
        yield* make(names)
        yield* ask(() => Fs.mkdir(at)).pipe(
          Effect.catchIf(
            ({ code }) => code === "EEXIST",
            () => Effect.void
          ),
          Effect.mapError(reasonOf(path))
        )
      }
      // A link that took its place just now is no folder to the system: it is refused.
      folder = yield* Effect.mapError(into(folder, name), reasonOf(path))
      index++
    }
  })

  return {
    place,
    into,
    folder: Effect.fnUntraced(function* (names) {
      const { folder, name, path } = yield* place(names)
      return name === "" ? folder : yield* Effect.mapError(into(folder, name), reasonOf(path))
    })
  }
})
