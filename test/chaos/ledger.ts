// What was done in the world, as the world knows it: a file that every process appends to, one line at a time. It stands
// outside of everything that is tested here.
import { appendFileSync, existsSync, readFileSync } from "node:fs"

/** One thing that was done. */
export interface Line {
  /** `step`: a handler began; `once`: something that must not be done twice; `signal`: one was taken in. */
  readonly kind: "step" | "once" | "signal"
  readonly execution: string
  /** Which one: of all lines of one kind and execution, those of one key are the same thing. */
  readonly key: string
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Appends a line; it is there when this returns, whatever becomes of the process. */
export const write = (file: string, line: Pick<Line, "kind" | "execution" | "key">): void => {
  appendFileSync(file, `${JSON.stringify({ ...line, pid: process.pid, at: Date.now() })}\n`)
}

/** All lines, in their order. */
export const read = (file: string): ReadonlyArray<Line> =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .flatMap((text) => (text === "" ? [] : [JSON.parse(text)]))
    : []
