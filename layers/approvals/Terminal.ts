/** Asks on the terminal whether a call may be run. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { ApprovalGate, type ApprovalRequest, type Decision } from "../../services/Action.ts"

/**
 * How the terminal is asked.
 *
 * @category models
 */
export interface TerminalOptions {
  /** How long it waits for an answer; then the call is denied. Default 5 minutes. */
  readonly timeout?: Duration.Input | undefined
  /** Who answers, as records name it. Default `terminal`. */
  readonly by?: string | undefined
}

// A model writes the input: what would move the cursor or turn the text around is shown as it is coded.
const shown = (text: string): string =>
  text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const questionOf = ({ call, description, resources, sideEffect }: ApprovalRequest, yes: string): string =>
  [
    "",
    `Approve ${shown(call.action)}? (${sideEffect === "once" ? "cannot be undone by running it again" : sideEffect})`,
    ...(description === undefined ? [] : [`  ${shown(description)}`]),
    `  input: ${shown(JSON.stringify(call.input))}`,
    ...(resources === undefined ? [] : [`  on: ${shown(JSON.stringify(resources))}`]),
    `${yes} to approve; anything else denies, and is what the model is told: `
  ].join("\n")

/**
 * Asks on the terminal, one call after the other: `y` approves, anything else denies and is the note that the model is
 * told. Denies at once where nobody sits there (standard input or output is no terminal), where the input has ended, and
 * where no answer comes in time. Behind a question that was not answered in time, an approval has to name the call, so
 * that a late `y` approves nothing else.
 *
 * @category layers
 */
export const terminal = (options: TerminalOptions = {}): Layer.Layer<never, never, Terminal.Terminal | Stdio.Stdio> => {
  const by = options.by ?? "terminal"
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "5 minutes")
  const denied = (note: string): Decision => ({ _tag: "Denied", note, by })
  return Layer.effect(
    ApprovalGate,
    Effect.gen(function* () {
      const terminal = yield* Terminal.Terminal
      const stdio = yield* Stdio.Stdio
      const oneByOne = yield* Semaphore.make(1)
      const isInteractive = Effect.zipWith(stdio.stdinIsTerminal, stdio.stdoutIsTerminal, (stdin, out) => stdin && out)
      let late = false
      const ask = Effect.fnUntraced(function* (request: ApprovalRequest): Effect.fn.Return<Decision> {
        const yes = late ? `y ${request.digest.slice(0, 4)}` : "y"
        const answer = yield* Effect.andThen(terminal.display(questionOf(request, yes)), terminal.readLine).pipe(
          Effect.timeoutOrElse({
            duration: timeout,
            orElse: () =>
              Effect.sync(() => {
                late = true
                return undefined
              })
          }),
          Effect.result
        )
        if (answer._tag === "Failure") return denied("it needs approval, and the terminal was closed")
        if (answer.success === undefined) return denied("it needs approval, and no answer came in time")
        const said = answer.success.trim()
        if (said.toLowerCase() === yes) return { _tag: "Approved", by }
        return denied(said === "" || /^(n|no|y.*)$/i.test(said) ? "it was not approved" : said)
      })
      return (request: ApprovalRequest) =>
        Effect.flatMap(isInteractive, (interactive) =>
          interactive
            ? oneByOne.withPermit(ask(request))
            : Effect.succeed(denied("it needs approval, and there is no terminal to ask on"))
        )
    })
  )
}
