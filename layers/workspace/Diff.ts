/** Unified diffs: read, and applied to a text. What does not fit exactly is not applied. */
import * as Result from "effect/Result"

/** A row of lines that is replaced by another one. */
export interface Hunk {
  /** The line that it begins with in the old file, from 1; a hint. */
  readonly start: number
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  /** Whether the last line of the old or new file has no line end. */
  readonly openBefore: boolean
  readonly openAfter: boolean
}

/** What a diff does to one file. */
export interface FileDiff {
  /** Absent where the file is made. */
  readonly from: string | undefined
  /** Absent where the file is removed. */
  readonly to: string | undefined
  readonly hunks: ReadonlyArray<Hunk>
}

const nameOf = (line: string, prefix: string): string | undefined => {
  // A tab and a date may follow.
  const name = line.slice(4).split("\t")[0] ?? ""
  if (name === "/dev/null") return undefined
  return name.startsWith(prefix) ? name.slice(2) : name
}

/** Reads a diff. Fails with the line that is not understood. */
export const parse = (text: string): Result.Result<ReadonlyArray<FileDiff>, string> => {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line))
  const files: Array<FileDiff> = []
  const wrong = (index: number, what: string) => Result.fail(`line ${index + 1}: ${what}`)
  for (let index = 0; index < lines.length;) {
    const line = lines[index] ?? ""
    if (/^(rename|copy) (from|to) |^GIT binary patch|^Binary files |^(old|new) mode /.test(line)) {
      return wrong(index, "renames, copies, modes and binary data are no part of a patch; move files instead")
    }
    if (!line.startsWith("--- ")) {
      if (line.startsWith("@@") || line.startsWith("+++ "))
        return wrong(index, "a file begins with a line --- and a line +++")
      index++
      continue
    }
    const next = lines[index + 1] ?? ""
    if (!next.startsWith("+++ ")) return wrong(index + 1, "a line +++ has to follow a line ---")
    const from = nameOf(line, "a/")
    const to = nameOf(next, "b/")
    if (from === undefined && to === undefined) return wrong(index, "both files are /dev/null")
    index += 2
    const hunks: Array<Hunk> = []
    for (let head = lines[index]; head?.startsWith("@@") === true; head = lines[index]) {
      const [, start, had = "1", has = "1"] = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(head) ?? []
      if (start === undefined) return wrong(index, "a hunk begins with @@ -line,count +line,count @@")
      const before: Array<string> = []
      const after: Array<string> = []
      let openBefore = false
      let openAfter = false
      index++
      for (
        ;
        before.length < Number(had) || after.length < Number(has) || lines[index]?.startsWith("\\") === true;
        index++
      ) {
        const one = lines[index]
        if (one === undefined) return wrong(index - 1, "the hunk is shorter than its head says")
        const rest = one.slice(1)
        // An empty context line often loses its space on the way.
        if (one.startsWith(" ") || one === "") {
          before.push(rest)
          after.push(rest)
        } else if (one.startsWith("-")) before.push(rest)
        else if (one.startsWith("+")) after.push(rest)
        else if (one.startsWith("\\")) {
          const last = lines[index - 1] ?? ""
          if (!last.startsWith("+")) openBefore = true
          if (!last.startsWith("-")) openAfter = true
        } else return wrong(index, "a line of a hunk begins with a space, + or -")
      }
      if (before.length !== Number(had) || after.length !== Number(has)) {
        return wrong(
          index - 1,
          `the hunk has ${before.length} old and ${after.length} new lines, its head says ${had} and ${has}`
        )
      }
      hunks.push({ start: Number(start), before, after, openBefore, openAfter })
    }
    if (hunks.length === 0 && from !== undefined && to !== undefined) return wrong(index, "the file has no hunk")
    files.push({ from, to, hunks })
  }
  return files.length === 0 ? Result.fail("there is no file in it") : Result.succeed(files)
}

/** Applies hunks to a text. Fails with the hunk that does not fit. */
export const apply = (text: string, hunks: ReadonlyArray<Hunk>): Result.Result<string, string> => {
  const crlf = text.includes("\r\n")
  const ended = text === "" || text.endsWith("\n")
  const lines = text === "" ? [] : (ended ? text.slice(0, -1) : text).split("\n")
  const plain = crlf ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)) : lines
  const made: Array<string> = []
  let done = 0
  let drift = 0
  let end = ended
  for (const [number, hunk] of hunks.entries()) {
    const { before } = hunk
    const stands = (at: number) =>
      at >= done && at + before.length <= plain.length && before.every((line, index) => plain[at + index] === line)
    // A hunk without old lines stands behind the line that its head names.
    const guess = hunk.start - (before.length === 0 ? 0 : 1) + drift
    let at = stands(guess) ? guess : -1
    if (at < 0 && before.length > 0) {
      const all: Array<number> = []
      for (let index = done; index + before.length <= plain.length && all.length < 2; index++)
        if (stands(index)) all.push(index)
      if (all.length > 1)
        return Result.fail(
          `the old lines of hunk ${number + 1} stand there more than once, and not at line ${hunk.start}`
        )
      at = all[0] ?? -1
    }
    if (at < 0) return Result.fail(`the old lines of hunk ${number + 1} (line ${hunk.start}) do not stand there`)
    made.push(...lines.slice(done, at), ...(crlf ? hunk.after.map((line) => `${line}\r`) : hunk.after))
    done = at + before.length
    drift = at - (hunk.start - (before.length === 0 ? 0 : 1))
    if (done === plain.length) {
      if (before.length > 0 && hunk.openBefore === ended && text !== "") {
        return Result.fail(`hunk ${number + 1} says otherwise about the line end at the end of the file`)
      }
      end = !hunk.openAfter
    }
  }
  made.push(...lines.slice(done))
  if (made.length === 0) return Result.succeed("")
  const joined = made.join("\n")
  return Result.succeed(end ? `${joined}\n` : joined.endsWith("\r") && crlf ? joined.slice(0, -1) : joined)
}
