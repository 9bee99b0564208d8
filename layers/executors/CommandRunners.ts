/**
 * Commands of this machine, as far as a policy allows them. Each run is a process group and session of its own, in
 * namespaces where the system offers them, with an environment that is built from nothing.
 *
 * Not done by effect's own `ChildProcessSpawner`: it has no limits, does not look for what has left the process group, and
 * buffers output before it can be counted.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { realpathSync, statSync } from "node:fs"
import { Broken, type ExecutorError, NotFound } from "../../services/ActionExecutor.ts"
import { CommandRunner, type CommandResult, type RunOptions } from "../../services/CommandRunner.ts"
import * as Arguments from "./Arguments.ts"
import * as Launcher from "./Launcher.ts"
import * as Limits from "./Limits.ts"
import * as Roots from "./Roots.ts"
import * as Run from "./Run.ts"

/**
 * A command that may be run, with what may be passed to it.
 *
 * @category models
 */
export interface Command extends Arguments.ArgumentRule {
  /** Where it stands, as an absolute path. Default: looked for by its name when the layer is built. */
  readonly path?: string | undefined
  /** Variables of its environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Bytes of memory that it allocates and does not use: 1 GiB for Node. Default 0. */
  readonly reserve?: number | undefined
}

/**
 * What may be run. What is not named is refused.
 *
 * @category models
 */
export interface Policy extends Launcher.IsolationOptions, Run.EnvironmentOptions {
  /** The commands by their name. */
  readonly commands: Readonly<Record<string, Command>>
  /** Directories that commands may run in, with all that is below; the first is where they run by default. */
  readonly roots: readonly [string, ...ReadonlyArray<string>]
  /** The shell for `CommandRunner.shell`, as an absolute path: `/bin/sh`. Default: none, and scripts are refused. */
  readonly shell?: string | undefined
  /** Names of variables that a request may set. Default: none. */
  readonly allowEnv?: ReadonlyArray<string> | undefined
  readonly limits?: Limits.Limits | undefined
  /** How many run at once; the others wait. Default 8. */
  readonly concurrency?: number | undefined
}

const executor = "command"

const resolveRoots = (roots: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, ExecutorError> =>
  Effect.forEach(roots, (root) =>
    Effect.try({
      try: () => {
        const real = realpathSync(root)
        if (!statSync(real).isDirectory()) throw new Error("it is no directory")
        return real
      },
      catch: (error) =>
        Run.failure(executor, root, new NotFound({ detail: `the root cannot be used: ${String(error)}` }))
    })
  )

const resolveCommand = (name: string, command: Command, path: ReadonlyArray<string>) => {
  const file = command.path ?? Launcher.find(name, path)
  return file !== undefined && file.startsWith("/") && Launcher.executable(file)
    ? Effect.succeed({ file, rule: command })
    : Effect.fail(
        Run.failure(
          executor,
          name,
          new NotFound({
            detail: `it is not an executable file ${command.path === undefined ? `in ${path.join(", ")}` : `at ${command.path}`}`
          })
        )
      )
}

const make = Effect.fnUntraced(function* (policy: Policy) {
  const limits = yield* Limits.resolve(executor, policy.limits)
  const launcher = yield* Launcher.make(executor, policy)
  const roots = yield* resolveRoots(policy.roots)
  const first = roots[0] ?? "/"
  const environment = Run.environmentOf(policy)
  const path = Run.pathOf(policy)
  const commands = new Map(
    yield* Effect.forEach(Object.entries(policy.commands), ([name, command]) =>
      Effect.map(resolveCommand(name, command, path), (resolved) => [name, resolved] as const)
    )
  )
  const shell =
    policy.shell === undefined ? undefined : yield* resolveCommand("sh", { path: policy.shell, unchecked: true }, path)
  const allowEnv = new Set(policy.allowEnv)
  const concurrency = policy.concurrency ?? 8
  if (!(concurrency >= 1))
    return yield* Run.failure(
      executor,
      "limits",
      new Broken({ detail: `concurrency is ${concurrency}; it is 1 or more` })
    )
  const turns = yield* Semaphore.make(Math.floor(concurrency))

  const execute = (
    subject: string,
    { file, rule }: { readonly file: string; readonly rule: Command },
    args: ReadonlyArray<string>,
    options: RunOptions
  ): Effect.Effect<CommandResult, ExecutorError> =>
    Effect.suspend(() => {
      const refuse = (...[name, detail]: [Parameters<typeof Run.refused>[2], string]) =>
        Effect.fail(Run.refused(executor, subject, name, detail))
      for (const [name, value] of Object.entries(options.env ?? {})) {
        if (!allowEnv.has(name))
          return refuse("env.name", `${name}; requests may set: ${[...allowEnv].join(", ") || "none"}`)
        if (value.includes("\0")) return refuse("argument.null", `the variable ${name} holds a null character`)
      }
      if (options.cwd?.includes("\0") === true) return refuse("argument.null", "the directory holds a null character")
      const wanted = options.cwd ?? first
      const directory = Roots.open(roots, wanted.startsWith("/") ? wanted : `${first}/${wanted}`)
      if (directory === "outside") return refuse("cwd.outside", `${wanted}; allowed: ${roots.join(", ")}`)
      if (directory === "missing")
        return Effect.fail(Run.failure(executor, subject, new NotFound({ detail: `there is no directory ${wanted}` })))
      const judged = Arguments.inspect(rule, args)
      const outside = "rule" in judged ? undefined : judged.find((path) => !Roots.contains(roots, directory.path, path))
      const go =
        "rule" in judged
          ? refuse(judged.rule, judged.detail)
          : outside !== undefined
            ? refuse("argument.path", `${outside}; allowed: ${roots.join(", ")}`)
            : Run.run(
                {
                  executor,
                  subject,
                  launcher,
                  limits,
                  file,
                  args: Arguments.complete(rule, args),
                  cwd: directory.cwd,
                  env: { ...environment, ...rule.env, ...options.env, PWD: directory.path },
                  reserve: rule.reserve
                },
                options
              )
      return Effect.ensuring(go, Effect.sync(directory.close))
    })

  const admit = (
    subject: string,
    command: { readonly file: string; readonly rule: Command },
    args: ReadonlyArray<string>,
    options: RunOptions
  ) =>
    Run.checkArguments(executor, subject, args, limits).pipe(
      Effect.andThen(
        Run.checkInput(executor, subject, options.stdin === undefined ? 0 : Run.bytesOf(options.stdin).length, limits)
      ),
      Effect.andThen(turns.withPermits(1)(execute(subject, command, args, options)))
    )

  return CommandRunner.of({
    isolation: launcher.isolation,
    commands: [...commands.keys()],
    run: (request) => {
      const { args = [], command: name } = request
      const command = commands.get(name)
      if (command !== undefined) return admit(name, command, args, request)
      const [rule, why] = name.includes("/")
        ? (["command.path", "name it"] as const)
        : (["command.notAllowed", ""] as const)
      const allowed = `allowed: ${[...commands.keys()].join(", ") || "none"}`
      return Effect.fail(Run.refused(executor, name.slice(0, 200), rule, why === "" ? allowed : `${why}; ${allowed}`))
    },
    shell: (script, options = {}) =>
      shell === undefined
        ? Effect.fail(Run.refused(executor, "shell", "command.shell", "name a command and its arguments"))
        : admit("shell", shell, ["-c", script], options)
  })
})

/**
 * Runs the commands of a policy.
 *
 * @param policy what may be run, where, and with how much.
 *
 * Fails with `NotFound` where a command or a root does not exist, with `Unavailable` where the system lacks what is needed
 * to keep to the limits, with `Broken` for a limit that is none.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Arguments, CommandRunners } from "effigent/layers/executors"
 * import { CommandRunner } from "effigent/services/CommandRunner"
 *
 * const commands = CommandRunners.layer({
 *   roots: [process.cwd()],
 *   commands: { echo: { operands: "any" }, find: Arguments.find }
 * })
 *
 * const program = Effect.gen(function* () {
 *   const runner = yield* CommandRunner
 *   const { exitCode, stdout } = yield* runner.run({ command: "echo", args: ["hello; rm -rf /"] })
 *   console.log(exitCode, stdout.trim()) // => 0 hello; rm -rf /
 *   return yield* runner.run({ command: "find", args: [".", "-exec", "id", ";"] })
 * })
 * const error = await Effect.runPromise(program.pipe(Effect.provide(commands), Effect.flip))
 * console.log(error.reason._tag === "Refused" && error.reason.rule) // => argument.option
 * ```
 *
 * @category layers
 */
export const layer = (policy: Policy): Layer.Layer<CommandRunner, ExecutorError> =>
  Layer.effect(CommandRunner, make(policy))
