/**
 * Files within one folder: paths are checked as written, links are followed and checked again, and what is read is what
 * was checked: the open file is compared with the place that its path leads to.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { Broken, ExecutorError, LimitExceeded, NotFound, Refused } from "../../services/ActionExecutor.ts"
import type { SkillRule } from "../../services/SkillStore.ts"

const refused = (subject: string, rule: SkillRule, detail: string) =>
  new ExecutorError({ executor: "skills", subject, reason: new Refused({ rule, detail }) })

/** What a failure of the file system means. @category errors */
export const brokenBy =
  (subject: string) =>
  (error: PlatformError): ExecutorError =>
    new ExecutorError({
      executor: "skills",
      subject,
      reason:
        error.reason._tag === "NotFound"
          ? new NotFound({ detail: "there is no such file" })
          : new Broken({ detail: `it cannot be read: ${error.message}` })
    })

const outside = (subject: string) =>
  refused(subject, "path.outside", "it leads out of the folder of the skill; only files in it can be read")

/** Whether a real path stands below a real folder. @category checks */
export const isBelow = (path: Path.Path, folder: string, real: string): boolean =>
  real.startsWith(folder.endsWith(path.sep) ? folder : `${folder}${path.sep}`)

/**
 * Reads a file of a folder. `folder` is a real path: no links in it.
 *
 * @param relative the path in the folder, with forward slashes
 * @param subject how errors name the file
 * @category reading
 */
export const read = Effect.fnUntraced(function* (
  folder: string,
  relative: string,
  subject: string,
  maxBytes: number
): Effect.fn.Return<Uint8Array, ExecutorError, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  if (relative === "" || relative.includes("\0") || relative.includes("\\") || /^(?:\/|[A-Za-z]:)/.test(relative)) {
    return yield* refused(subject, "path.syntax", "a path is relative to the folder of the skill, with forward slashes")
  }
  const steps = relative.split("/").filter((step) => step !== "" && step !== ".")
  if (steps.includes("..")) return yield* outside(subject)
  const broken = Effect.mapError(brokenBy(subject))
  const wanted = path.join(folder, ...steps)
  const resolve = Effect.gen(function* () {
    const real = yield* broken(fs.realPath(wanted))
    if (!isBelow(path, folder, real)) return yield* outside(subject)
    const info = yield* broken(fs.stat(real))
    // A pipe or a device would be waited for when it is opened.
    if (info.type !== "File") return yield* refused(subject, "file.type", "it is no regular file")
    return { real, info }
  })
  const { real } = yield* resolve
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* broken(fs.open(real, { flag: "r" }))
      const opened = yield* broken(file.stat)
      // Who exchanged a folder for a link in between has opened another file than the one that stands here.
      const { info } = yield* resolve
      const isSame = info.dev === opened.dev && Option.getOrNull(info.ino) === Option.getOrNull(opened.ino)
      if (!isSame) return yield* outside(subject)
      const size = Number(opened.size)
      if (size > maxBytes) {
        const detail = `it has ${size} bytes, more than ${maxBytes}; raise \`maxFileBytes\``
        return yield* new ExecutorError({
          executor: "skills",
          subject,
          reason: new LimitExceeded({ limit: "output", detail })
        })
      }
      const bytes = new Uint8Array(size)
      let filled = 0
      while (filled < size) {
        const count = yield* broken(file.read(bytes.subarray(filled)))
        if (count === 0) break
        filled += count
      }
      return bytes.subarray(0, filled)
    })
  )
})
