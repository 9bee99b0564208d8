/** Names of folders for ids: told apart on every file system. */
import * as Result from "effect/Result"

/** The folder of an id: no large letters, no dots, nothing but ASCII. @category names */
export const folderOf = (id: string): string =>
  Array.from(new TextEncoder().encode(id), (byte) =>
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d || byte === 0x5f
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).padStart(2, "0")}`
  ).join("")

/** The id of a folder; absent where it is the folder of none. @category names */
export const idOf = (folder: string): string | undefined => {
  const id = Result.getOrUndefined(Result.try(() => decodeURIComponent(folder)))
  // Written in one way only.
  return id === undefined || id === "" || folderOf(id) !== folder ? undefined : id
}

/** What file systems take as one name. @category names */
export const longestName = 255
