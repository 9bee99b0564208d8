/**
 * A server as a child process: one JSON-RPC message on each line of its stdin and stdout. The process gets the environment
 * that it is given and nothing else, and ends with the Scope: its stdin is closed, and what is left of its process group
 * is killed.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Cause from "effect/Cause"
import * as Stream from "effect/Stream"
import { LimitExceeded, Unavailable } from "../../services/ActionExecutor.ts"
import { isResponse, isServerRequest, parse, type Response } from "./Protocol.ts"
import { cancelled, largest, Lost, type Receive, type Transport, type Wire } from "./Wire.ts"

/**
 * A server as a child process.
 *
 * @category models
 */
export interface StdioOptions {
  readonly command: string
  readonly args?: ReadonlyArray<string> | undefined
  /** Its environment, besides `PATH`, `HOME` and the like (`basics`). Default: nothing. */
  readonly env?: Readonly<Record<string, string | Redacted.Redacted<string>>> | undefined
  /** Names of variables that it gets from this program's environment. Default: none. */
  readonly inherit?: ReadonlyArray<string> | undefined
  /** Its working directory. Default: this program's. */
  readonly cwd?: string | undefined
}

/** The variables that every server gets, where this program has them: they hold no secrets. @category models */
export const basics: ReadonlyArray<string> =
  process.platform === "win32"
    ? ["APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATH", "PATHEXT", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP"]
    : ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"]

const environment = ({ env = {}, inherit = [] }: StdioOptions): Record<string, string> => {
  const all: Record<string, string> = {}
  for (const name of [...basics, ...inherit]) {
    const value = process.env[name]
    // A value that begins so is a function of the shell.
    if (value !== undefined && !value.startsWith("()")) all[name] = value
  }
  for (const [name, value] of Object.entries(env))
    all[name] = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return all
}

// How long a server may take to end by itself once its stdin is closed, and then at SIGTERM.
const grace = "500 millis"
const patience = "2 seconds"
const keptOfStderr = 2000
const keptOfGarbage = 200

/**
 * A server that is started as a child process.
 *
 * @category constructors
 */
export const stdio = (options: StdioOptions): Transport<ChildProcessSpawner> => ({
  target: [options.command, ...(options.args ?? [])].join(" "),
  headers: Effect.succeed({}),
  open: (receive) => open(options, receive)
})

const lost = (detail: string, sent: boolean): Lost =>
  new Lost({ reason: new Unavailable({ detail, uncertain: sent }), sent, over: true })

const open = Effect.fnUntraced(function* (options: StdioOptions, receive: Receive) {
  const spawner = yield* ChildProcessSpawner
  const command = ChildProcess.make(options.command, options.args ?? [], {
    env: environment(options),
    extendEnv: false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    killSignal: "SIGTERM",
    forceKillAfter: patience
  })
  const child = yield* Effect.mapError(spawner.spawn(command), (error) =>
    lost(`it could not be started: ${error.message}`, false)
  )

  const pending = new Map<string | number, Deferred.Deferred<Response, Lost>>()
  const over = yield* Deferred.make<Lost>()
  let ending: Lost | undefined
  let stderr = ""
  let garbage: { lines: number; readonly first: string } | undefined
  const outgoing = yield* Queue.unbounded<string, Cause.Done>()

  const end = (detail: string, reason?: LimitExceeded) =>
    Effect.suspend(() => {
      if (ending !== undefined) return Effect.void
      ending = lost(detail, false)
      const mine = new Lost({ reason: reason ?? new Unavailable({ detail, uncertain: true }), sent: true, over: true })
      for (const waiting of pending.values()) Deferred.doneUnsafe(waiting, Effect.fail(mine))
      return Deferred.succeed(over, mine)
    })

  const write = (message: object): Effect.Effect<void, Lost> =>
    Effect.suspend(() => {
      if (ending !== undefined) return Effect.fail(ending)
      Queue.offerUnsafe(outgoing, `${JSON.stringify(message)}\n`)
      return Effect.void
    })

  const takeLine = (line: string): Effect.Effect<void> => {
    if (line.trim() === "") return Effect.void
    const messages = parse(line)
    if (messages === undefined) {
      // Banners and debugging go to stdout by mistake; they harm nobody unless nothing else comes.
      garbage ??= { lines: 0, first: line.slice(0, keptOfGarbage) }
      garbage.lines++
      return Effect.void
    }
    return Effect.forEach(
      messages,
      (message) => {
        if (isResponse(message)) {
          const waiting = pending.get(message.id ?? "")
          if (waiting !== undefined) Deferred.doneUnsafe(waiting, Effect.succeed(message))
          return Effect.void
        }
        return isServerRequest(message)
          ? Effect.flatMap(receive(message), (answer) =>
              answer === undefined ? Effect.void : Effect.ignore(write(answer))
            )
          : Effect.asVoid(receive(message))
      },
      { discard: true }
    )
  }

  let rest = ""
  const take = (chunk: string): Effect.Effect<void, "long"> => {
    const lines: Array<string> = []
    let from = 0
    let at = chunk.indexOf("\n")
    if (at < 0) rest += chunk
    else {
      lines.push(rest + chunk.slice(0, at))
      for (from = at + 1; (at = chunk.indexOf("\n", from)) >= 0; from = at + 1) lines.push(chunk.slice(from, at))
      rest = chunk.slice(from)
    }
    if (rest.length > largest) return Effect.fail("long" as const)
    return lines.length === 0 ? Effect.void : Effect.forEach(lines, takeLine, { discard: true })
  }

  yield* Stream.fromQueue(outgoing).pipe(
    Stream.encodeText,
    Stream.run(child.stdin),
    Effect.catch((error) => end(`it cannot be written to: ${error.message}`)),
    Effect.forkScoped
  )
  const complaining = yield* child.stderr.pipe(
    Stream.decodeText(),
    Stream.runForEach((text) => Effect.sync(() => void (stderr = (stderr + text).slice(-keptOfStderr)))),
    Effect.ignore,
    Effect.forkScoped
  )
  const reading = yield* child.stdout.pipe(
    Stream.decodeText(),
    Stream.runForEach(take),
    Effect.catch((error) =>
      error === "long"
        ? end(
            "it wrote a line that is too long",
            new LimitExceeded({ limit: "output", detail: `a message has more than ${largest} characters` })
          )
        : Effect.void
    ),
    Effect.forkScoped
  )
  // What it wrote just before its end is read first.
  yield* Effect.exit(child.exitCode).pipe(
    Effect.tap(() => Effect.timeoutOption(Fiber.awaitAll([reading, complaining]), grace)),
    Effect.flatMap((exit) =>
      end(exit._tag === "Success" ? `its process ended with code ${exit.value}` : "its process was killed")
    ),
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      end("its connection was closed"),
      Effect.andThen(Queue.end(outgoing), Effect.ignore(Effect.timeoutOption(child.exitCode, grace)))
    )
  )

  const wire: Wire = {
    request: (message) =>
      Effect.suspend(() => {
        const answer = Deferred.makeUnsafe<Response, Lost>()
        pending.set(message.id, answer)
        return write(message).pipe(
          Effect.andThen(Deferred.await(answer)),
          Effect.onInterrupt(() => Effect.ignore(write(cancelled(message.id)))),
          Effect.ensuring(Effect.sync(() => pending.delete(message.id)))
        )
      }),
    notify: write,
    ended: Deferred.await(over),
    greeted: () => Effect.void,
    hint: () =>
      [
        garbage === undefined
          ? ""
          : `it wrote ${garbage.lines} lines that are no messages of the protocol, the first: ${JSON.stringify(garbage.first)}`,
        stderr.trim() === "" ? "" : `it said on stderr: ${stderr.trim()}`
      ]
        .filter((text) => text !== "")
        .join("; ")
  }
  return wire
})
