/**
 * What commands say, and where. Results go to standard output, everything about them to standard error, so that a result
 * can be piped. `--json` makes the result one JSON document, or a line for each event.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { variable } from "../../terminal/Environment.ts"

/**
 * What commands write to.
 *
 * @category models
 */
export interface Shape {
  /** Whether programs read the result. */
  readonly json: boolean
  /** Whether a person sits at the terminal: it shows what is under way, and questions may be asked. */
  readonly live: boolean
  /** Whether someone can answer: standard input is a terminal, too. */
  readonly interactive: boolean
  /** Whether standard output and standard error may be coloured. */
  readonly color: { readonly out: boolean; readonly err: boolean }
  /** Cells in a row; `Infinity` where it is piped. */
  readonly width: number
  /** Writes text to standard output. */
  readonly out: (text: string) => Effect.Effect<void>
  /** Writes text to standard error. */
  readonly err: (text: string) => Effect.Effect<void>
}

/** Where commands write to. @category services */
export class Screen extends Context.Service<Screen, Shape>()("effigent/cli/Screen") {}

/** Finds out how commands may write. @category constructors */
export const make = (json: boolean): Effect.Effect<Shape, never, Stdio.Stdio> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const [stdin, stdout, stderr] = [
      yield* stdio.stdinIsTerminal,
      yield* stdio.stdoutIsTerminal,
      yield* stdio.stderrIsTerminal
    ]
    const colors = (yield* variable("NO_COLOR")) === "" && (yield* variable("TERM")) !== "dumb"
    const columns = Number(yield* variable("COLUMNS")) || process.stdout.columns || 80
    // Who reads the output may leave early (`| head`): that is no failure.
    const write = (sink: typeof stdio.stdout, text: string) =>
      Effect.ignore(Stream.run(Stream.make(text), sink({ endOnDone: false })))
    return {
      json,
      live: stdout && !json,
      interactive: stdin && stdout && !json,
      color: { out: stdout && colors, err: stderr && colors },
      width: stdout ? columns : Number.POSITIVE_INFINITY,
      out: (text) => write(stdio.stdout, text),
      err: (text) => write(stdio.stderr, text)
    }
  })

/** A text without what could move the cursor of a terminal. @category conversions */
export const clean = (text: string): string =>
  text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")

/** `1 case`, `2 cases`. @category conversions */
export const counted = (count: number, one: string): string => `${count} ${count === 1 ? one : `${one}s`}`

/** A value for people: texts as they are, everything else as JSON. @category conversions */
export const shown = (value: unknown): string =>
  clean(typeof value === "string" ? value : (JSON.stringify(value, undefined, 2) ?? ""))

/** Gives a result: the document where programs read, else the text. @category writing */
export const result = (document: unknown, text: string): Effect.Effect<void, never, Screen> =>
  Screen.use((screen) =>
    screen.out(screen.json ? `${JSON.stringify(document)}\n` : text.endsWith("\n") || text === "" ? text : `${text}\n`)
  )

/** Says something about what is done; programs are not told. @category writing */
export const note = (text: string): Effect.Effect<void, never, Screen> =>
  Screen.use((screen) => (screen.json ? Effect.void : screen.err(`${clean(text)}\n`)))

/** Rows with their cells below each other. @category conversions */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, clean(cell).length)
  return rows
    .map((row) =>
      row
        .map((cell, at) => clean(cell).padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .map((line) => `${line}\n`)
    .join("")
}

const paint = (code: number) => (on: boolean, text: string) =>
  on ? `${String.fromCharCode(27)}[${code}m${text}${String.fromCharCode(27)}[0m` : text

/** Colours, where they are on. @category conversions */
export const green = paint(32)
/** Colours, where they are on. @category conversions */
export const red = paint(31)
/** Colours, where they are on. @category conversions */
export const yellow = paint(33)
/** Colours, where they are on. @category conversions */
export const dim = paint(2)
