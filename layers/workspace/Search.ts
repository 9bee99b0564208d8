/**
 * A regular expression at work in a thread of its own. A pattern that a model writes may need longer than the universe
 * will last; JavaScript cannot stop it within its thread, but it can stop the thread. A text to be found literally needs
 * none.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Worker } from "node:worker_threads"
import { Broken, type ExecutorErrorReason } from "../../services/ActionExecutor.ts"
import { refused } from "./Paths.ts"

/** A line that matches: its number, from 1, and its text. */
export type Hit = readonly [line: number, text: string]

/** Finds lines in a text, at most `limit`. */
export type Finder = (text: string, limit: number) => Effect.Effect<ReadonlyArray<Hit>, ExecutorErrorReason>

const maxPattern = 1000
/** Characters of a line that are shown. */
const shown = 500

const crop = (line: string, at: number): string => {
  const clean = line.endsWith("\r") ? line.slice(0, -1) : line
  if (clean.length <= shown) return clean
  const from = Math.max(0, Math.min(at - 100, clean.length - shown))
  return `${from > 0 ? "…" : ""}${clean.slice(from, from + shown)}…`
}

const lower = (text: string): string => text.toLowerCase()

/** Finds a text as it stands. */
const literal = (pattern: string, ignoreCase: boolean): Finder => {
  const wanted = ignoreCase ? lower(pattern) : pattern
  return (text, limit) =>
    Effect.sync(() => {
      const hits: Array<Hit> = []
      const lines = text.split("\n")
      for (let index = 0; index < lines.length && hits.length < limit; index++) {
        const line = lines[index] ?? ""
        const at = (ignoreCase ? lower(line) : line).indexOf(wanted)
        if (at >= 0) hits.push([index + 1, crop(line, at)])
      }
      return hits
    })
}

// Plain JavaScript: a thread has to start from a build, from sources and from tests alike. It gives places, not texts.
const thread = `
const { parentPort, workerData } = require("node:worker_threads")
const pattern = new RegExp(workerData.pattern, workerData.flags)
parentPort.on("message", ({ text, limit }) => {
  const hits = []
  const lines = text.split("\\n")
  for (let index = 0; index < lines.length && hits.length < limit; index++) {
    const line = lines[index]
    const found = pattern.exec(line.endsWith("\\r") ? line.slice(0, -1) : line)
    if (found !== null) hits.push([index, found.index])
  }
  parentPort.postMessage(hits)
})
`

const expression = Effect.fnUntraced(function* (
  pattern: string,
  ignoreCase: boolean
): Effect.fn.Return<Finder, ExecutorErrorReason, Scope.Scope> {
  const flags = ignoreCase ? "iu" : "u"
  yield* Effect.try({
    try: () => new RegExp(pattern, flags),
    catch: (cause) => refused("search.pattern", `${String(cause)}; to find a text as it stands, ask for it literally`)
  })
  const worker = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Worker(thread, {
          eval: true,
          workerData: { pattern, flags },
          env: {},
          execArgv: [],
          resourceLimits: { maxOldGenerationSizeMb: 256 }
        })
    ),
    (worker) => Effect.promise(() => worker.terminate())
  )
  return (text, limit) =>
    Effect.callback<ReadonlyArray<Hit>, ExecutorErrorReason>((resume) => {
      const done = () => {
        worker.off("message", onMessage)
        worker.off("error", onError)
        worker.off("exit", onExit)
      }
      const end = (result: Effect.Effect<ReadonlyArray<Hit>, ExecutorErrorReason>) => {
        done()
        resume(result)
      }
      const onMessage = (places: ReadonlyArray<readonly [number, number]>) => {
        const lines = places.length === 0 ? [] : text.split("\n")
        end(Effect.succeed(places.map(([line, at]): Hit => [line + 1, crop(lines[line] ?? "", at)])))
      }
      const onError = (cause: unknown) =>
        end(Effect.fail(new Broken({ detail: `the search broke down: ${String(cause)}; use a simpler pattern` })))
      const onExit = () => onError("its thread ended")
      worker.on("message", onMessage)
      worker.on("error", onError)
      worker.on("exit", onExit)
      worker.postMessage({ text, limit })
      return Effect.sync(done)
    })
})

/** Makes a pattern into a search, which ends with the Scope. */
export const make = (
  pattern: string,
  options: { readonly literal?: boolean | undefined; readonly ignoreCase?: boolean | undefined }
): Effect.Effect<Finder, ExecutorErrorReason, Scope.Scope> => {
  if (pattern === "" || pattern.length > maxPattern) {
    return Effect.fail(refused("search.pattern", `a pattern has 1 to ${maxPattern} characters`))
  }
  return options.literal === true
    ? Effect.succeed(literal(pattern, options.ignoreCase === true))
    : expression(pattern, options.ignoreCase === true)
}
