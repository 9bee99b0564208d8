/**
 * Where calls of actions run: in this process, in worker threads, in child processes. All three keep to one contract; a
 * module for a worker runs unchanged in a child process.
 *
 * A worker thread is no border: it shares the memory, the files and the environment file of this process, and what it
 * allocates outside of its heap is not limited. It keeps a long computation from the others, and can be stopped in it. For
 * code that is not trusted take a child process.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { Socket } from "node:net"
import { availableParallelism } from "node:os"
import { isAbsolute } from "node:path"
import { pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import {
  ActionExecutor,
  Broken,
  type ExecutorCall,
  ExecutorError,
  type ExecutorErrorReason,
  LimitExceeded,
  NotFound,
  Unavailable
} from "../../services/ActionExecutor.ts"
import * as Bootstrap from "./Bootstrap.ts"
import * as Launcher from "./Launcher.ts"
import * as Limits from "./Limits.ts"
import * as Members from "./Members.ts"
import * as Run from "./Run.ts"
import * as Running from "./Running.ts"

/** An action of `inProcess`: from its encoded input to its encoded result. @category models */
export type Handler<R = never> = (input: Schema.Json, call: ExecutorCall) => Effect.Effect<Schema.Json, Schema.Json, R>

type Needed<H extends Readonly<Record<string, Handler<unknown>>>> = {
  [K in keyof H]: [ReturnType<H[K]>] extends [never]
    ? never
    : ReturnType<H[K]> extends Effect.Effect<unknown, unknown, infer R>
      ? R
      : never
}[keyof H]

const error = (executor: string, action: string, reason: ExecutorErrorReason): ExecutorError =>
  new ExecutorError({ executor, subject: action, reason })

/**
 * Runs actions in the fibers of the program: for tests, and for actions that need no border.
 *
 * @param handlers the actions by their name; a defect of one becomes `Broken`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Executors } from "effigent/layers/executors"
 * import { ActionExecutor } from "effigent/services/ActionExecutor"
 *
 * const executor = Executors.inProcess({ shout: (input) => Effect.succeed(String(input).toUpperCase()) })
 * const program = ActionExecutor.use(({ execute }) => execute({ id: "1", key: "1", action: "shout", input: "hello" }))
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(executor)))) // => { _tag: 'Success', value: 'HELLO' }
 * ```
 *
 * @category layers
 */
export const inProcess = <const H extends Readonly<Record<string, Handler<unknown>>>>(
  handlers: H
): Layer.Layer<ActionExecutor, never, Needed<H>> =>
  Layer.effect(
    ActionExecutor,
    Effect.map(Effect.context<Needed<H>>(), (context) => {
      const name = "in process"
      return ActionExecutor.of({
        name,
        execute: (call) => {
          const handler = Object.hasOwn(handlers, call.action) ? handlers[call.action] : undefined
          if (handler === undefined)
            return Effect.fail(
              error(
                name,
                call.action,
                new NotFound({ detail: `there are ${Object.keys(handlers).join(", ") || "none"}` })
              )
            )
          return Effect.suspend(
            // The context holds what any of the handlers needs: Needed is their union.
            () => handler(call.input, call) as Effect.Effect<Schema.Json, Schema.Json, Needed<H>>
          ).pipe(
            Effect.provideContext(context),
            Effect.matchEffect({
              onSuccess: (value) => Effect.succeed({ _tag: "Success", value } as const),
              onFailure: (value) => Effect.succeed({ _tag: "Failure", value } as const)
            }),
            Effect.catchDefect((defect) =>
              Effect.fail(error(name, call.action, new Broken({ detail: `the action broke down: ${String(defect)}` })))
            )
          )
        }
      })
    })
  )

/**
 * What workers and child processes have in common. A module exports each action under its name: a function from the
 * encoded input and the call to the encoded result, a Promise of it or an Effect; or an Effect. What an Effect fails with,
 * and what is thrown with a `_tag` or is no `Error`, is the failure of the action, encoded; all else that is thrown is
 * `Broken`. `console.log` goes nowhere.
 *
 * @category models
 */
export interface ModuleOptions {
  /** The module: an absolute path or a URL. It is loaded once for each worker. */
  readonly module: string | URL
  /** How many at most. They are started when they are needed. Default: the number of processors. */
  readonly size?: number | undefined
  /** How long one may take to load the module. Default 10 seconds. */
  readonly startTime?: Duration.Input | undefined
  /** Variables of its environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Names of variables that are taken over from this process. Default: none. */
  readonly inherit?: ReadonlyArray<string> | undefined
  /** Options for Node. Default: none. */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/** Worker threads, and how much each may use. @category models */
export interface WorkerOptions extends ModuleOptions {
  /** How long a call may take. Default 30 seconds. */
  readonly wallTime?: Duration.Input | undefined
  /** Bytes of its heap. What stands outside of it, buffers for example, is not limited. Default 128 MiB. */
  readonly heap?: number | undefined
  /** Bytes of its stack. Default 4 MiB. */
  readonly stack?: number | undefined
  /** Characters of a call, and of what it gives, as JSON. Default 8 Mi each. */
  readonly input?: number | undefined
  readonly output?: number | undefined
}

/** Child processes, and how much each may use. @category models */
export interface ChildProcessOptions extends ModuleOptions, Launcher.IsolationOptions {
  /**
   * `wallTime` is that of a call; CPU time is not limited beyond it, all else holds for a process, which serves many
   * calls. `output` is what a call gives, and what a process writes to stdout and stderr, which is not kept.
   */
  readonly limits?: Limits.Limits | undefined
  /** Where it runs. Default: where this process does. */
  readonly cwd?: string | undefined
}

const moduleUrl = (executor: string, { module }: ModuleOptions): Effect.Effect<string, ExecutorError> => {
  if (module instanceof URL) return Effect.succeed(module.href)
  if (isAbsolute(module)) return Effect.succeed(pathToFileURL(module).href)
  return /^(file|data):/.test(module)
    ? Effect.succeed(module)
    : Effect.fail(error(executor, module, new Broken({ detail: "the module is an absolute path or a URL" })))
}

const sizeOf = (executor: string, { size = availableParallelism() }: ModuleOptions) =>
  size >= 1
    ? Effect.succeed(Math.floor(size))
    : Effect.fail(error(executor, "limits", new Broken({ detail: `size is ${size}; it is 1 or more` })))

const startTimeOf = (executor: string, { startTime = "10 seconds" }: ModuleOptions) =>
  Effect.map(Limits.resolve(executor, { wallTime: startTime }), ({ wallTime }) => wallTime)

const environmentOf = ({ env, inherit }: ModuleOptions) => Run.environmentOf({ env, inherit })

const crashed = (cause: unknown): ExecutorErrorReason =>
  cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY"
    ? new LimitExceeded({ limit: "memory", detail: "its heap was full" })
    : new Unavailable({ detail: `the worker crashed: ${String(cause)}`, uncertain: true })

/**
 * Runs actions in worker threads of this process, one call in each at a time.
 *
 * @param options the module with the actions, and the limits.
 *
 * A call that is interrupted or takes too long is stopped with its thread, in whatever it is. `Unavailable` says that a
 * thread has crashed or could not load the module; with `uncertain` the action may have done its work.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Executors } from "effigent/layers/executors"
 * import { ActionExecutor } from "effigent/services/ActionExecutor"
 *
 * const module = new URL(`data:text/javascript,
 *   export const add = ({ a, b }) => a + b;
 *   export const spin = () => { for (;;) {} }`)
 * const executor = Executors.worker({ module, wallTime: 200 })
 *
 * const program = Effect.gen(function* () {
 *   const { execute } = yield* ActionExecutor
 *   console.log(yield* execute({ id: "1", key: "1", action: "add", input: { a: 1, b: 2 } })) // => { _tag: 'Success', value: 3 }
 *   return yield* Effect.flip(execute({ id: "2", key: "2", action: "spin", input: null }))
 * })
 * const stopped = await Effect.runPromise(program.pipe(Effect.provide(executor)))
 * console.log(stopped.message) // => worker: spin: stopped after 200 ms
 * ```
 *
 * @category layers
 */
export const worker = (options: WorkerOptions): Layer.Layer<ActionExecutor, ExecutorError> =>
  Layer.effect(
    ActionExecutor,
    Effect.gen(function* () {
      const name = "worker"
      const mebi = 1024 * 1024
      const { execArgv = [], heap = 128 * mebi, input = 8 * mebi, output = 8 * mebi, stack = 4 * mebi } = options
      const module = yield* moduleUrl(name, options)
      const size = yield* sizeOf(name, options)
      const startTime = yield* startTimeOf(name, options)
      const { wallTime } = yield* Limits.resolve(name, {
        wallTime: options.wallTime ?? "30 seconds",
        memory: heap,
        processes: stack,
        input,
        output
      })
      const env = environmentOf(options)
      const spawn: Members.Spawn = (events) =>
        Effect.acquireRelease(
          Effect.try({
            try: () => {
              const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(Bootstrap.worker)}`), {
                workerData: { module, most: output },
                env: { ...env },
                argv: [],
                execArgv: [...execArgv],
                stdin: false,
                stdout: true,
                stderr: true,
                resourceLimits: {
                  maxOldGenerationSizeMb: heap / mebi,
                  maxYoungGenerationSizeMb: Math.max(1, Math.min(16, heap / mebi / 4)),
                  stackSizeMb: stack / mebi
                }
              })
              thread.stdout.resume()
              thread.stderr.resume()
              thread.on("message", events.message)
              thread.on("error", (cause) => events.ended(crashed(cause)))
              thread.on("exit", (code) =>
                events.ended(new Unavailable({ detail: `the worker ended with code ${code}`, uncertain: true }))
              )
              return thread
            },
            catch: (cause) =>
              error(name, "start", new Unavailable({ detail: `no worker: ${String(cause)}`, uncertain: false }))
          }),
          (thread) => Effect.promise(() => thread.terminate())
        ).pipe(Effect.map((thread) => (text) => thread.postMessage(text)))
      const execute = yield* Members.make({ executor: name, spawn, size, wallTime, startTime, input, output })
      return ActionExecutor.of({ name, execute })
    })
  )

/** Gives the lines of a stream, none longer than `most`; `tooLong` where one is. */
const readLines = (
  stream: NodeJS.ReadableStream,
  most: number,
  on: { readonly line: (line: string) => void; readonly tooLong: () => void }
): void => {
  let parts: Array<string> = []
  let length = 0
  stream.setEncoding("utf8")
  stream.on("error", () => {})
  stream.on("data", (chunk: string) => {
    const [first = "", ...others] = chunk.split("\n")
    parts.push(first)
    length += first.length
    for (const next of others) {
      on.line(parts.join(""))
      parts = [next]
      length = next.length
    }
    if (length > most) {
      stream.pause()
      on.tooLong()
    }
  })
}

/**
 * Runs actions in child processes, one call in each at a time. They are held to limits and ended as `CommandRunners` does
 * with commands, in namespaces where the system offers them.
 *
 * @param options the module with the actions, the limits, and how it is isolated.
 *
 * A call that is interrupted or takes too long is stopped with its process and all that it has started. `Unavailable` says
 * that a process has crashed or could not load the module; with `uncertain` the action may have done its work.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Executors } from "effigent/layers/executors"
 * import { ActionExecutor } from "effigent/services/ActionExecutor"
 *
 * const module = new URL(`data:text/javascript,
 *   export const secret = (name) => process.env[name] ?? "not here"`)
 * const program = ActionExecutor.use(({ execute }) =>
 *   execute({ id: "1", key: "1", action: "secret", input: "OPENAI_API_KEY" })
 * )
 * const outcome = await Effect.runPromise(program.pipe(Effect.provide(Executors.childProcess({ module }))))
 * console.log(outcome) // => { _tag: 'Success', value: 'not here' }
 * ```
 *
 * @category layers
 */
export const childProcess = (options: ChildProcessOptions): Layer.Layer<ActionExecutor, ExecutorError> =>
  Layer.effect(
    ActionExecutor,
    Effect.gen(function* () {
      const name = "child process"
      const mebi = 1024 * 1024
      const { cwd = process.cwd(), execArgv = [] } = options
      const module = yield* moduleUrl(name, options)
      const size = yield* sizeOf(name, options)
      const startTime = yield* startTimeOf(name, options)
      const limits = yield* Limits.resolve(name, options.limits)
      const launcher = yield* Launcher.make(name, options)
      const env = environmentOf(options)
      const heap = Math.max(16, Math.floor(limits.memory / mebi))
      const spawn: Members.Spawn = Effect.fnUntraced(function* (events) {
        const running = yield* Running.start({
          executor: name,
          subject: "start",
          launcher,
          limits,
          file: process.execPath,
          args: [
            `--max-old-space-size=${heap}`,
            ...execArgv,
            "--input-type=module",
            "--eval",
            Bootstrap.child,
            module,
            String(limits.output)
          ],
          cwd,
          env,
          stdio: ["ignore", "pipe", "pipe", "pipe"],
          reserve: 1024 * mebi,
          serves: true
        })
        const { stderr } = Running.collect(running, limits)
        const ended = Effect.map(Effect.exit(Deferred.await(running.ended)), (exit) => {
          if (Exit.isSuccess(exit)) {
            const { exitCode, signal } = exit.value
            const last = stderr().text.trim().split("\n").slice(-8).join("\n").slice(-1000)
            const detail = `the process ended with ${signal ?? `code ${exitCode}`}${last === "" ? "" : `: ${last}`}`
            return events.ended(new Unavailable({ detail, uncertain: true }))
          }
          for (const reason of exit.cause.reasons) if (reason._tag === "Fail") events.ended(reason.error.reason)
        })
        yield* Effect.forkScoped(ended)
        const wire = running.child.stdio[3]
        if (!(wire instanceof Socket))
          return yield* error(name, "start", new Unavailable({ detail: "it has no channel", uncertain: false }))
        readLines(wire, limits.output * 2 + 1024, {
          line: events.message,
          tooLong: () => events.ended(new LimitExceeded({ limit: "output", detail: "it gave more than it may" }))
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => wire.destroy()))
        return (text) => void wire.write(`${text}\n`)
      })
      const { input, output, wallTime } = limits
      const execute = yield* Members.make({ executor: name, spawn, size, wallTime, startTime, input, output })
      return ActionExecutor.of({ name, execute })
    })
  )
