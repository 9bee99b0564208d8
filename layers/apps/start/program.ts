/** The program of `npm start`, apart from the process it runs in. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Clock from "effect/Clock"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import * as TriggerFlow from "../../../src/triggerflow/TriggerFlow.ts"
import * as ModelProviders from "../ModelProviders.ts"
import * as Progress from "./Progress.ts"
import * as Triage from "./Triage.ts"

/** A letter that cannot be read. @category errors */
export class LetterError extends Schema.TaggedError<LetterError>()("LetterError", {
  /** The file, or `standard input`. */
  source: Schema.String,
  /** What is wrong with it. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Cannot read the letter from ${this.source}: ${this.detail}.`
  }
}

const sample = new URL("../../../examples/data/support-letter.txt", import.meta.url)

// Slow enough on a terminal to see fields grow, fast enough for nobody to wait.
const offlineTokensPerSecond = 240

const problems: { readonly [tag: string]: string } = {
  NotFound: "there is no such file",
  PermissionDenied: "permission is denied"
}

const readInput = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const fs = yield* FileSystem.FileSystem
  const [file] = yield* stdio.args
  const source = file === "-" ? "standard input" : (file ?? "the sample letter")
  const bytes =
    file === "-"
      ? Stream.runCollect(stdio.stdin).pipe(Effect.map((chunks) => Buffer.concat(chunks)))
      : fs.readFile(file ?? fileURLToPath(sample))
  const letter = yield* bytes.pipe(
    Effect.mapError(
      ({ reason }) => new LetterError({ source, detail: problems[reason._tag] ?? "it is no readable file" })
    )
  )
  const text = new TextDecoder().decode(letter)
  if (text.trim() === "") return yield* new LetterError({ source, detail: "it is empty" })
  return { source, text }
})

const seconds = (millis: number) => `${(millis / 1_000).toFixed(2)} s`

// The sum, where every part is known.
const sum = (parts: ReadonlyArray<number | undefined>): number | undefined =>
  parts.reduce((all, part) => (all === undefined || part === undefined ? undefined : all + part), 0)

const summary = (
  spent: ReadonlyArray<typeof Triage.Spent.Type>,
  firstToken: number | undefined,
  millis: number,
  model: string
): string => {
  const requests = spent.reduce((all, { attempts }) => all + attempts, 0)
  return [
    `${sum(spent.map(({ inputTokens }) => inputTokens)) ?? "?"} tokens in, ${sum(spent.map(({ outputTokens }) => outputTokens)) ?? "?"} out`,
    firstToken === undefined ? "" : `first token after ${seconds(firstToken)}`,
    `${seconds(millis)} in all`,
    `${requests} ${requests === 1 ? "request" : "requests"}`,
    Progress.clean(model)
  ]
    .filter((part) => part !== "")
    .join(" · ")
}

const usage = `npm start                triages the sample letter
npm start -- FILE        another letter
npm start -- -           a letter from standard input

${ModelProviders.help}
`

const output = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const args = yield* stdio.args
  if (args.includes("--help") || args.includes("-h")) return Stream.make(usage)
  const live = yield* stdio.stdoutIsTerminal
  const letter = yield* readInput
  const choice = yield* ModelProviders.choose({ tokensPerSecond: offlineTokensPerSecond })
  const begun = yield* Clock.currentTimeMillis
  const model = yield* Layer.build(choice.layer)
  const execution = yield* TriggerFlow.create(Triage.flow, letter.text, { autoClose: 0 }).pipe(
    Effect.provideContext(model)
  )
  const report = Effect.gen(function* () {
    const { result } = yield* execution.await
    const { firstToken, model, spent, ...value } = yield* Effect.fromOption(result)
    const millis = (yield* Clock.currentTimeMillis) - begun
    const shown = inspect(value, { depth: null, colors: live, breakLength: 100 })
    return `\n${shown}\n\n${summary(spent, firstToken, millis, model)}\n`
  })
  return Stream.make(`${choice.description}\nLetter: ${letter.source}\n\n`).pipe(
    Stream.concat(Stream.map(execution.stream, Progress.make({ live }))),
    Stream.concat(Stream.fromEffect(report)),
    Stream.filter((text) => text !== "")
  )
})

// One clear sentence, whatever went wrong: people read it, not programs.
const sentence = (cause: Cause.Cause<{ readonly message: string }>): string =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => `Unexpected failure, please report it: ${Cause.pretty(cause)}`,
    onSome: (error) => Progress.clean(error.message.replaceAll(/\s+/g, " "))
  })

/**
 * Reads the letter, asks the model, prints. Every failure ends in one sentence on standard error and fails again, so
 * that the process ends with a non-zero exit code. A reader of the output who leaves early (`| head`) ends it quietly.
 *
 * @category programs
 */
export const program = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const text = yield* output
  yield* Stream.run(text, stdio.stdout()).pipe(Effect.catchTag("PlatformError", () => Effect.void))
}).pipe(
  Effect.scoped,
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.void
      : Effect.flatMap(Stdio.Stdio, (stdio) =>
          Stream.run(Stream.make(`${sentence(cause)}\n`), stdio.stderr()).pipe(Effect.ignore)
        )
  )
)
