/**
 * Pieces of code, each run in a fresh directory of its own that is removed when it has ended. What keeps code in is what
 * keeps commands in: limits, an environment built from nothing, namespaces where the system offers them. Files of this
 * machine that its user may read stay readable, but for Node, whose own permissions are on.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { realpathSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Broken, type ExecutorError, NotFound } from "../../services/ActionExecutor.ts"
import { CodeRunner, type CodeRequest, type CodeResult, type Language } from "../../services/CodeRunner.ts"
import * as CodeFiles from "./CodeFiles.ts"
import * as Launcher from "./Launcher.ts"
import * as Limits from "./Limits.ts"
import * as Run from "./Run.ts"

/**
 * What code may be written in, and how it runs.
 *
 * @category models
 */
export interface Options extends Launcher.IsolationOptions, Run.EnvironmentOptions {
  /** What is run: `true`, or where its program stands, as an absolute path. Node is by default the one that runs this. */
  readonly languages: Readonly<Partial<Record<Language, true | string>>>
  /**
   * Whether Node code is kept to its directory by Node's own permission model: no other files, no child processes, no
   * workers, no addons. Default true.
   */
  readonly nodePermissions?: boolean | undefined
  /** Where the directories of runs are made. Default: the system's directory for temporary files. */
  readonly directory?: string | undefined
  readonly limits?: Limits.Limits | undefined
  /** How many run at once; the others wait. Default 4. */
  readonly concurrency?: number | undefined
}

const executor = "code"

interface Interpreter {
  readonly file: string
  /** The name of the program in its directory. */
  readonly program: string
  readonly args: (directory: string) => ReadonlyArray<string>
  readonly reserve: number
}

const interpreterOf = (
  language: Language,
  at: true | string,
  limits: Limits.ResolvedLimits,
  options: Options
): Omit<Interpreter, "file"> & { readonly file: string | undefined } => {
  const find = (name: string) => (at === true ? Launcher.find(name, Run.pathOf(options)) : at)
  const mebi = 1024 * 1024
  switch (language) {
    case "node":
      return {
        file: at === true ? process.execPath : at,
        program: "main.mts",
        args: (directory) => [
          `--max-old-space-size=${Math.max(16, Math.floor(limits.memory / mebi))}`,
          ...(options.nodePermissions === false
            ? []
            : ["--permission", `--allow-fs-read=${directory}/*`, `--allow-fs-write=${directory}/*`]),
          "--disable-warning=ExperimentalWarning",
          join(directory, "main.mts")
        ],
        // It reserves room for machine code, and stacks of its threads.
        reserve: 1024 * mebi
      }
    case "python":
      // Nothing of the environment or of the user's packages, no compiled files.
      return { file: find("python3"), program: "main.py", args: () => ["-E", "-s", "-B", "main.py"], reserve: 0 }
    case "shell":
      return { file: find("sh"), program: "main.sh", args: () => ["main.sh"], reserve: 0 }
  }
}

const languages = ["node", "python", "shell"] as const

const make = Effect.fnUntraced(function* (options: Options) {
  const limits = yield* Limits.resolve(executor, options.limits)
  const launcher = yield* Launcher.make(executor, options)
  const environment = Run.environmentOf(options)
  const base = yield* Effect.try({
    try: () => realpathSync(options.directory ?? tmpdir()),
    catch: (error) => Run.failure(executor, "directory", new NotFound({ detail: String(error) }))
  })
  const interpreters = new Map<Language, Interpreter>()
  for (const language of languages) {
    const at = options.languages[language]
    if (at === undefined) continue
    const { file, ...rest } = interpreterOf(language, at, limits, options)
    if (file === undefined || !file.startsWith("/") || !Launcher.executable(file))
      return yield* Run.failure(
        executor,
        language,
        new NotFound({
          detail: `there is no program for it ${at === true ? `in ${Run.pathOf(options).join(", ")}` : `at ${at}`}`
        })
      )
    interpreters.set(language, { file, ...rest })
  }
  const concurrency = options.concurrency ?? 4
  if (!(concurrency >= 1))
    return yield* Run.failure(
      executor,
      "limits",
      new Broken({ detail: `concurrency is ${concurrency}; it is 1 or more` })
    )
  const turns = yield* Semaphore.make(Math.floor(concurrency))

  const wrongNames = (request: CodeRequest, program: string): ReadonlyArray<string> =>
    [...Object.keys(request.files ?? {}), ...(request.outputs ?? [])].flatMap((name) => {
      const wrong = CodeFiles.wrongName(name, program)
      return wrong === undefined ? [] : [`${JSON.stringify(name)}: ${wrong}`]
    })

  const attempt = <A>(subject: string, what: string, go: () => Promise<A>): Effect.Effect<A, ExecutorError> =>
    Effect.tryPromise({
      try: go,
      catch: (error) => Run.failure(executor, subject, new Broken({ detail: `${what}: ${String(error)}` }))
    })

  const execute = Effect.fnUntraced(function* (request: CodeRequest, interpreter: Interpreter) {
    const { args = [], code, language, outputs = [] } = request
    const directory = yield* Effect.acquireRelease(
      attempt(language, "there is no directory for it", () => mkdtemp(join(base, "effigent-"))),
      (made) =>
        Effect.promise(() => CodeFiles.remove(made)).pipe(
          Effect.catchCause((cause) => Effect.logWarning(`The directory ${made} could not be removed.`, cause))
        )
    )
    yield* attempt(language, "its files could not be written", () =>
      CodeFiles.put(directory, [[interpreter.program, code], ...Object.entries(request.files ?? {})])
    )
    const result = yield* Run.run(
      {
        executor,
        subject: language,
        launcher,
        limits,
        file: interpreter.file,
        args: [...interpreter.args(directory), ...args],
        cwd: directory,
        env: { ...environment, HOME: directory, TMPDIR: directory, PWD: directory, ...options.env },
        reserve: interpreter.reserve
      },
      request
    )
    const collected = yield* attempt(language, "its files could not be read", () =>
      CodeFiles.collect(directory, outputs, limits.fileSize)
    )
    const all: CodeResult = { ...result, ...collected }
    return all
  }, Effect.scoped)

  return CodeRunner.of({
    isolation: launcher.isolation,
    languages: [...interpreters.keys()],
    run: Effect.fnUntraced(function* (request: CodeRequest) {
      const { args = [], code, files = {}, language, stdin } = request
      const interpreter = interpreters.get(language)
      if (interpreter === undefined)
        return yield* Run.refused(
          executor,
          language,
          "code.language",
          `allowed: ${[...interpreters.keys()].join(", ") || "none"}`
        )
      const [wrong] = wrongNames(request, interpreter.program)
      if (wrong !== undefined) return yield* Run.refused(executor, language, "code.path", wrong)
      yield* Run.checkArguments(executor, language, args, limits)
      const inputs = [code, ...(stdin === undefined ? [] : [stdin]), ...Object.values(files)]
      const size = inputs.reduce((sum, input) => sum + Run.bytesOf(input).length, 0)
      yield* Run.checkInput(executor, language, size, limits)
      return yield* turns.withPermits(1)(execute(request, interpreter))
    })
  })
})

/**
 * Runs code in the languages that are named.
 *
 * @param options the languages, the limits, how it is isolated.
 *
 * Fails with `NotFound` where a language has no program here, with `Unavailable` where the system lacks what is needed to
 * keep to the limits, with `Broken` for a limit that is none.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CodeRunners } from "effigent/layers/executors"
 * import { CodeRunner } from "effigent/services/CodeRunner"
 *
 * const program = CodeRunner.use((runner) =>
 *   runner.run({
 *     language: "node",
 *     code: `
 *       import { readFileSync, writeFileSync } from "node:fs"
 *       const numbers: Array<number> = JSON.parse(readFileSync("numbers.json", "utf8"))
 *       writeFileSync("sum.txt", String(numbers.reduce((a, b) => a + b)))`,
 *     files: { "numbers.json": "[1, 2, 3]" },
 *     outputs: ["sum.txt", "mean.txt"]
 *   })
 * )
 * const runner = CodeRunners.layer({ languages: { node: true } })
 * const { files, missing } = await Effect.runPromise(program.pipe(Effect.provide(runner)))
 * console.log(files.map(({ bytes, path }) => `${path}: ${new TextDecoder().decode(bytes)}`)) // => [ 'sum.txt: 6' ]
 * console.log(missing) // => [ { path: 'mean.txt', why: 'absent' } ]
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<CodeRunner, ExecutorError> =>
  Layer.effect(CodeRunner, make(options))
