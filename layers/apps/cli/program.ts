/** The command line, apart from the process that it runs in. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import * as CliOutput from "effect/cli/CliOutput"
import { chat, run } from "./Asking.ts"
import { doctor } from "./Doctor.ts"
import { evaluate } from "./EvalCommands.ts"
import { endOf } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import { flow } from "./FlowCommands.ts"
import { init } from "./Init.ts"
import { replay } from "./Replay.ts"
import { clean, make, red, Screen } from "./Screen.ts"
import { serve } from "./Serve.ts"
import { studio } from "./StudioCommand.ts"

/**
 * `effigent` with all its commands.
 *
 * @category commands
 */
export const effigent = Command.make("effigent").pipe(
  Command.withDescription("Agents and flows of a project, from the terminal"),
  Command.withSubcommands([init, run, chat, flow, serve, studio, replay, evaluate, doctor]),
  Command.provideEffect(Screen, () => Effect.flatMap(Flags.Json, make)),
  Command.withGlobalFlags(Flags.all)
)

// What is wrong with a command line, and where to read on: the whole help would push it out of sight.
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag !== "InvalidInvocation"
      ? CliOutput.defaultPresenter.present(event)
      : Effect.flatMap(make(false), (screen) =>
          screen.err(
            `${event.errors.map(({ message }) => `${red(screen.color.err, "✗")} ${clean(message)}\n`).join("")}  ${event.commandPath.join(" ")} --help tells how it is used.\n`
          )
        ).pipe(Effect.provide(NodeStdio.layer))
}

/**
 * Runs the command line with the arguments of the process and gives its exit code. Whatever fails ends in one sentence on
 * standard error; with `--json` also as a document on standard output.
 *
 * @category programs
 */
export const program = (version: string) =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const args = yield* stdio.args
    return yield* Command.run(effigent, { version }).pipe(
      Effect.provideService(CliOutput.Presenter, presenter),
      Effect.as(0),
      Effect.catchCause((cause) =>
        Effect.gen(function* () {
          const { code, error, isTold } = endOf(cause)
          if (error === undefined) return code
          const screen = yield* make(args.includes("--json"))
          if (screen.json) yield* screen.out(`${JSON.stringify({ error })}\n`)
          if (isTold !== true) yield* screen.err(`${red(screen.color.err, "✗")} ${clean(error.message)}\n`)
          return code
        })
      )
    )
  })
