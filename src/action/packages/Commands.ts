/**
 * Actions over `CommandRunner` and `CodeRunner`: a model runs commands of this machine and code that it writes. What may
 * be run, and how much it may use, is the policy of the layers; here stands what a model is told, and that both need
 * approval unless the program says otherwise.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type CodeFile, CodeRunner, type Language } from "../../../services/CodeRunner.ts"
import { type CommandResult, CommandRunner } from "../../../services/CommandRunner.ts"
import * as Action from "../Action.ts"

/** How runs are approved. @category options */
export interface Options {
  /** Whether runs need approval. Default: `always`. */
  readonly approval?: Action.Approval<unknown> | undefined
}

/** How a command ended, as a model is told. @category models */
export const Result = Schema.Struct({
  exitCode: Schema.Int,
  signal: Schema.optionalKey(Schema.String),
  stdout: Schema.String,
  stderr: Schema.String,
  /** Whether there was more output than was kept. */
  truncated: Schema.Boolean
})

/** How code ended, with the files that were asked for: as text, or as base64 where they are none. @category models */
export const CodeResult = Schema.Struct({
  ...Result.fields,
  files: Schema.Array(
    Schema.Struct({
      path: Schema.String,
      encoding: Schema.Literals(["utf8", "base64"]),
      content: Schema.String
    })
  ),
  missing: Schema.Array(
    Schema.Struct({ path: Schema.String, why: Schema.Literals(["absent", "link", "special", "size"]) })
  )
})

const told = ({ exitCode, signal, stderr, stdout, truncated }: CommandResult): typeof Result.Type => ({
  exitCode,
  ...(signal === undefined ? {} : { signal }),
  stdout,
  stderr,
  truncated
})

const base64 = Schema.encodeSync(Schema.Uint8ArrayFromBase64)

const contentOf = ({ bytes, path }: CodeFile): (typeof CodeResult.Type)["files"][number] => {
  const text = new TextDecoder().decode(bytes)
  // What is no text has been mended by the decoder; a text that holds the sign for it already is given as bytes too.
  return text.includes("\uFFFD")
    ? { path, encoding: "base64", content: base64(bytes) }
    : { path, encoding: "utf8", content: text }
}

const Arguments = Schema.optionalKey(
  Schema.Array(Schema.String).annotate({
    description: "Each as the program gets it: no shell, no quotes, no wildcards"
  })
)
const Stdin = Schema.optionalKey(Schema.String.annotate({ description: "What it reads" }))

/**
 * `run_command`: a command of the policy, with its arguments.
 *
 * @param commands the names that the model is told; those of the policy decide.
 *
 * @category actions
 */
export const runCommand = <const Names extends readonly [string, ...ReadonlyArray<string>]>(
  commands: Names,
  { approval = "always" }: Options = {}
) =>
  Action.make("run_command", {
    description:
      "Run a command, given as its name and a list of arguments. Gives the exit code and what it wrote. " +
      "A refusal says which arguments are allowed.",
    input: Schema.Struct({
      command: Schema.Literals(commands),
      args: Arguments,
      stdin: Stdin,
      cwd: Schema.optionalKey(Schema.String.annotate({ description: "The directory that it runs in" }))
    }),
    output: Result,
    sideEffect: "once",
    approval,
    run: (request) =>
      Effect.map(
        CommandRunner.use((runner) => runner.run(request)),
        told
      )
  })

/**
 * `run_code`: code that the model writes, in a fresh directory.
 *
 * @param languages what the model is told that it may write; those of the layer decide.
 *
 * @category actions
 */
export const runCode = <const Names extends readonly [Language, ...ReadonlyArray<Language>]>(
  languages: Names,
  { approval = "always" }: Options = {}
) =>
  Action.make("run_code", {
    description:
      "Run a program that you write, in a directory of its own that is removed afterwards. Print what you want to know. " +
      "Nothing is kept from one run to the next.",
    input: Schema.Struct({
      language: Schema.Literals(languages),
      code: Schema.String.annotate({ description: "The whole program; node: an ECMAScript module" }),
      args: Arguments,
      stdin: Stdin,
      files: Schema.optionalKey(
        Schema.Record(Schema.String, Schema.String).annotate({
          description: "Text files to put into its directory, by relative path"
        })
      ),
      outputs: Schema.optionalKey(
        Schema.Array(Schema.String).annotate({ description: "Relative paths of files to give back" })
      )
    }),
    output: CodeResult,
    sideEffect: "once",
    approval,
    run: (request) =>
      Effect.map(
        CodeRunner.use((runner) => runner.run(request)),
        (result) => ({ ...told(result), files: result.files.map(contentOf), missing: result.missing })
      )
  })
