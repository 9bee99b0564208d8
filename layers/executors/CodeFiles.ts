/** The files of a piece of code: put into its directory, taken out when it has ended, and removed with the directory. */
import { type BigIntStats, constants } from "node:fs"
import { chmod, lstat, mkdir, open, readdir, rm, writeFile } from "node:fs/promises"
import { posix } from "node:path"
import type { CodeFile, MissingFile } from "../../services/CodeRunner.ts"

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "")

/**
 * What is wrong with the name of a file in the directory, if anything.
 *
 * @category checking
 */
export const wrongName = (name: string, program: string): string | undefined => {
  if (name === "" || name.includes("\0")) return "it is empty or holds a null character"
  if (name.startsWith("/")) return "it is absolute"
  const parts = name.split("/")
  if (parts.some((part) => part === "" || part === "." || part === "..")) return "it has parts that are no names"
  if (parts.some((part) => Buffer.byteLength(part) > 255) || parts.length > 32) return "it is too long"
  return name === program || name.startsWith(`${program}/`) ? "it is the name of the program" : undefined
}

/** Writes files into a directory that nobody else has. @category writing */
export const put = async (directory: string, files: ReadonlyArray<readonly [string, string | Uint8Array]>) => {
  for (const [name, content] of files) {
    const path = posix.join(directory, name)
    await mkdir(posix.dirname(path), { recursive: true })
    await writeFile(path, content, { flag: "wx" })
  }
}

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** Reads one file; each directory on the way is held open, so that no link comes to be followed. */
const take = async (directory: string, name: string, room: number): Promise<Uint8Array | MissingFile["why"]> => {
  const parts = name.split("/")
  let at = await open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  let path = directory
  try {
    for (const [index, part] of parts.entries()) {
      const last = index === parts.length - 1
      path = `${process.platform === "linux" ? `/proc/self/fd/${at.fd}` : path}/${part}`
      // What is no regular file must not make us wait for a writer.
      const flags = O_RDONLY | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY)
      const next = await open(path, flags).catch(async (error: unknown): Promise<MissingFile["why"]> => {
        const found = await lstat(path).catch(() => undefined)
        if (found === undefined) return "absent"
        if (found.isSymbolicLink()) return "link"
        return codeOf(error) === "ENOTDIR" ? "absent" : "special"
      })
      if (typeof next === "string") return next
      await at.close()
      at = next
    }
    const stat: BigIntStats = await at.stat({ bigint: true })
    if (!stat.isFile()) return "special"
    if (stat.size > BigInt(room)) return "size"
    // No more than was judged, should it still grow.
    const bytes = new Uint8Array(Number(stat.size))
    let read = 0
    while (read < bytes.length) {
      const { bytesRead } = await at.read(bytes, read, bytes.length - read, read)
      if (bytesRead === 0) break
      read += bytesRead
    }
    return bytes.subarray(0, read)
  } finally {
    await at.close()
  }
}

/** The files that are wanted, as far as they are there and not larger than `room` bytes together. @category reading */
export const collect = async (directory: string, names: ReadonlyArray<string>, room: number) => {
  const files: Array<CodeFile> = []
  const missing: Array<MissingFile> = []
  let left = room
  for (const path of names) {
    const taken = await take(directory, path, left)
    if (typeof taken === "string") missing.push({ path, why: taken })
    else {
      left -= taken.length
      files.push({ path, bytes: taken })
    }
  }
  return { files, missing }
}

const unlock = async (directory: string): Promise<void> => {
  await chmod(directory, 0o700)
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isDirectory()) await unlock(`${directory}/${entry.name}`)
}

/** Removes a directory with all that is in it; what its rights forbid is first allowed. Links are not followed. @category writing */
export const remove = async (directory: string): Promise<void> => {
  const once = () => rm(directory, { recursive: true, force: true, maxRetries: 3 })
  await once().catch(async () => {
    await unlock(directory)
    await once()
  })
}
