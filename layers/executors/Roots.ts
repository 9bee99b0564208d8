/** Directories that runs are kept to. Paths are judged by where they lead, links followed, as the system does. */
import { closeSync, constants, lstatSync, openSync, readlinkSync, realpathSync } from "node:fs"

const inside = (roots: ReadonlyArray<string>, path: string): boolean =>
  roots.some((root) => path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`))

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "")

const exists = (path: string): boolean => {
  try {
    lstatSync(path)
    return true
  } catch {
    return false
  }
}

/**
 * Whether a path, from a directory whose own path has no links, leads into the roots. What does not exist is where it
 * would come to stand. A link that leads nowhere is outside: what it leads to may come to exist.
 *
 * @category checking
 */
export const contains = (roots: ReadonlyArray<string>, from: string, path: string): boolean => {
  let at = path.startsWith("/") ? "/" : from
  // Step by step: behind a link, `..` is not the directory that the link stands in.
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue
    if (part === "..") {
      at = at.slice(0, at.lastIndexOf("/")) || "/"
      continue
    }
    const next = at === "/" ? `/${part}` : `${at}/${part}`
    try {
      at = realpathSync(next)
    } catch (error) {
      if (codeOf(error) !== "ENOENT" && codeOf(error) !== "ENOTDIR") return false
      if (codeOf(error) === "ENOENT" && exists(next)) return false
      at = next
    }
  }
  return inside(roots, at)
}

/** A directory that is held open, so that it stays the one that was judged. @category models */
export interface Directory {
  /** Where it is, without links. */
  readonly path: string
  /** What to start a process in. */
  readonly cwd: string
  readonly close: () => void
}

/**
 * Opens a directory within the roots. On Linux what is opened is judged, and a process starts in that and no other,
 * whatever the path has come to mean.
 *
 * @category constructors
 */
export const open = (roots: ReadonlyArray<string>, path: string): Directory | "outside" | "missing" => {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    // Whether something stands outside of the roots is not told.
    return contains(roots, roots[0] ?? "/", path) && codeOf(error) !== "ELOOP" ? "missing" : "outside"
  }
  const held = process.platform === "linux" ? `/proc/self/fd/${fd}` : undefined
  try {
    const real = held === undefined ? realpathSync(path) : readlinkSync(held)
    if (inside(roots, real)) return { path: real, cwd: held ?? real, close: () => closeSync(fd) }
  } catch {
    // It cannot be judged.
  }
  closeSync(fd)
  return "outside"
}
