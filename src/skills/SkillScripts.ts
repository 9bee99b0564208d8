/**
 * Scripts of skills as an action. A script runs nowhere but in the `CodeRunner`, within its limits, in a fresh directory
 * that has a copy of the skill's files and is gone afterwards; and by default no call runs without approval.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExecutorError, LimitExceeded, NotFound } from "../../services/ActionExecutor.ts"
import { CodeRunner, type Language } from "../../services/CodeRunner.ts"
import { SkillStore } from "../../services/SkillStore.ts"
import * as Action from "../action/Action.ts"
import type { Options as Which } from "./SkillActions.ts"
import * as Skills from "./Skills.ts"

/** What a call names. @category schemas */
export const Call = Schema.Struct({
  name: Schema.String.annotate({ description: "The name of the skill" }),
  path: Schema.String.annotate({ description: "The script's path in the skill: `scripts/fill.py`" }),
  args: Schema.optionalKey(Schema.Array(Schema.String)).annotate({ description: "Its arguments" }),
  stdin: Schema.optionalKey(Schema.String).annotate({ description: "What it reads from its standard input" })
})

/** What a call names, as a type. @category models */
export type Call = typeof Call.Type

/** How a script ended. @category schemas */
export const Ended = Schema.Struct({
  exitCode: Schema.Int,
  stdout: Schema.String,
  stderr: Schema.String,
  /** Whether it wrote more than was kept. */
  truncated: Schema.Boolean
})

/** How a script ended, as a type. @category models */
export type Ended = typeof Ended.Type

/**
 * Which scripts run, and who has to approve.
 *
 * @category models
 */
export interface Options extends Which {
  /** Whether a call needs approval, which the `ApprovalGate` gives. Default `always`. */
  readonly approval?: Action.Approval<Call> | undefined
  /** How many bytes the files of the skill may have together, all of which the script is given. Default 16 MiB. */
  readonly maxBytes?: number | undefined
}

// The copy of the skill, beside the runner's own program.
const folder = "skill"

interface Start {
  readonly language: Language
  /** The program that goes into the copy of the skill and starts the script there as it would be started by hand. */
  readonly code: (path: string) => string
}

const quoted = (path: string): string => JSON.stringify(path)
const quotedForShell = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`
const directoryOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/"))) || "."

const python: Start = {
  language: "python",
  code: (path) =>
    [
      "import os, runpy, sys",
      `os.chdir(${quoted(folder)})`,
      `sys.argv[0] = ${quoted(path)}`,
      `sys.path[0] = os.path.abspath(${quoted(directoryOf(path))})`,
      `runpy.run_path(${quoted(path)}, run_name="__main__")`
    ].join("\n")
}

const node: Start = {
  language: "node",
  code: (path) =>
    [
      'import { resolve } from "node:path"',
      'import { pathToFileURL } from "node:url"',
      `process.chdir(${quoted(folder)})`,
      `process.argv[1] = resolve(${quoted(path)})`,
      "await import(pathToFileURL(process.argv[1]).href)"
    ].join("\n")
}

const shell: Start = {
  language: "shell",
  code: (path) => `cd ${folder} && exec sh ${quotedForShell(`./${path}`)} "$@"`
}

const starts: { readonly [ending: string]: Start } = {
  py: python,
  js: node,
  mjs: node,
  cjs: node,
  ts: node,
  mts: node,
  sh: shell
}

const startOf = (path: string): Start | undefined => {
  const ending = /\.([a-z]+)$/.exec(path)?.[1] ?? ""
  return Object.hasOwn(starts, ending) ? starts[ending] : undefined
}

const failed = (subject: string, reason: NotFound | LimitExceeded) =>
  new ExecutorError({ executor: "skills", subject, reason })

const perform = Effect.fnUntraced(function* (
  { args, name, path, stdin }: Call,
  { maxBytes = 16 * 1_048_576, only }: Options
): Effect.fn.Return<Ended, ExecutorError, SkillStore | CodeRunner> {
  const subject = `${name}/${path}`
  const runner = yield* CodeRunner
  const { files } = yield* Skills.get(name, only)
  if (!files.some((file) => file.path === path)) {
    const scripts = files.filter((file) => startOf(file.path) !== undefined).map((file) => file.path)
    const detail = `there is no such script; there are ${scripts.length === 0 ? "none" : scripts.join(", ")}`
    return yield* failed(subject, new NotFound({ detail }))
  }
  const start = startOf(path)
  if (start === undefined || !runner.languages.includes(start.language)) {
    const detail = `it is no script of a language that is run here: ${runner.languages.join(", ") || "none"}`
    return yield* Skills.refused(subject, "script.type", detail)
  }
  if (files.reduce((sum, { size }) => sum + size, 0) > maxBytes) {
    const detail = `the files of the skill have more than ${maxBytes} bytes; raise \`maxBytes\`, or remove some`
    return yield* failed(subject, new LimitExceeded({ limit: "input", detail }))
  }
  const store = yield* SkillStore
  const copies = yield* Effect.forEach(
    ["SKILL.md", ...files.map((file) => file.path)],
    (path) => Effect.map(store.file(name, path), (bytes) => [`${folder}/${path}`, bytes] as const),
    { concurrency: 8 }
  )
  const { exitCode, stderr, stdout, truncated } = yield* runner.run({
    language: start.language,
    code: start.code(path),
    files: Object.fromEntries(copies),
    ...(args === undefined ? {} : { args }),
    ...(stdin === undefined ? {} : { stdin })
  })
  return { exitCode, stdout, stderr, truncated }
})

/**
 * `run_skill_script`: runs a script of a skill, with arguments. Python, JavaScript, TypeScript and shell scripts run, as
 * far as the `CodeRunner` has their language. An exit code that is not 0 is no failure: the model is told.
 *
 * @category actions
 */
export const runSkillScript = (options: Options = {}) => {
  const { approval = "always" } = options
  return Action.make("run_skill_script", {
    description: "Runs a script of a skill: one that its instructions say to run. It sees a copy of the skill's files.",
    input: Call,
    output: Ended,
    sideEffect: "once",
    // As a function of its own, so that the type of what the host adds (nothing) is not inferred from it.
    approval: typeof approval === "string" ? approval : (input, call) => approval(input, call),
    run: (call) => perform(call, options)
  })
}
