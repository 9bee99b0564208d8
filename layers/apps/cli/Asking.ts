/** `effigent run` and `effigent chat`: agents of the project, asked at the terminal. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import { writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import type * as Context from "effect/Context"
import type { ModelProvider } from "../../../services/ModelProvider.ts"
import type { RunEnvelope } from "../../../services/Run.ts"
import * as Agent from "../../../src/agent/Agent.ts"
import * as Conversation from "../../../src/agent/Conversation.ts"
import * as Session from "../../../src/agent/Session.ts"
import * as Runs from "../../../src/run/Runs.ts"
import * as Approvals from "../../approvals/Approvals.ts"
import * as SessionStores from "../../store/SessionStores.ts"
import * as Printer from "../../terminal/Printer.ts"
import * as Open from "../config/Open.ts"
import type { AnyAgent } from "../config/Project.ts"
import { Ended, endOf, Usage } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import { stoppable } from "./Interruption.ts"
import { clean, dim, note, result, Screen, shown } from "./Screen.ts"

/** What a command gives besides the Layer of the project: approvals at the terminal, conversations in memory. @category layers */
export const base = Layer.merge(Approvals.terminal(), SessionStores.memory)

const metricsOf = (run: Runs.Run<unknown, unknown>) => Effect.map(run.metrics(), ({ total }) => total)

/** Events as they come: to standard output as JSON lines, at a terminal as it shows them, else as rows of a log. @category writing */
export const show = <E>(
  events: Stream.Stream<RunEnvelope, E>,
  options: { readonly events: boolean; readonly quiet: boolean; readonly still?: boolean }
): Effect.Effect<void, E, Screen> =>
  Effect.gen(function* () {
    const screen = yield* Screen
    if (screen.json)
      return yield* Stream.runForEach(events, (event) =>
        options.events ? screen.out(`${JSON.stringify(event)}\n`) : Effect.void
      )
    if (options.quiet) return yield* Stream.runDrain(events)
    const look = screen.live
      ? { color: screen.color.out, live: screen.color.out && options.still !== true, width: screen.width }
      : { color: screen.color.err, live: false, width: Number.POSITIVE_INFINITY }
    yield* Stream.runForEach(Printer.render(events, look), screen.live ? screen.out : screen.err)
  })

/** What a run gives; where it was shown, so was how it has failed, and nothing more is said. @category running */
export const told = <A, E, R>(result: Effect.Effect<A, E, R>, isShown: boolean): Effect.Effect<A, E | Ended, R> =>
  Effect.catchCause(result, (cause): Effect.Effect<never, E | Ended> => {
    const { code, error } = endOf(cause)
    return isShown && error !== undefined ? Effect.fail(new Ended({ code })) : Effect.failCause(cause)
  })

// What it needs is in the Layer of the project, as the type of `defineConfig` says.
const runnable = (agent: AnyAgent) => agent as Agent.Agent<unknown, unknown, ModelProvider>

// As above, of the services.
const withModel = <A>(services: Context.Context<A>) => services as Context.Context<A | ModelProvider>

const input = Argument.String("input").pipe(
  Argument.withDescription("The input; - or nothing reads standard input"),
  Argument.optional
)

const agentName = Argument.String("agent").pipe(Argument.withDescription("An agent of the configuration"))

/** `effigent run`. @category commands */
export const run = Command.make(
  "run",
  {
    agent: agentName,
    input,
    asJson: Flag.Boolean("input-json").pipe(
      Flag.withDescription("The input is JSON and not text"),
      Flag.withDefault(false)
    ),
    events: Flag.Boolean("events").pipe(
      Flag.withDescription("With --json: each event of the run as a line"),
      Flag.withDefault(false)
    ),
    quiet: Flag.Boolean("quiet").pipe(
      Flag.withAlias("q"),
      Flag.withDescription("Show the answer alone"),
      Flag.withDefault(false)
    )
  },
  ({ agent: name, asJson, events, input, quiet }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const screen = yield* Screen
        const { project } = yield* Flags.loaded
        const named = runnable(yield* Flags.agentOf(project, name))
        const text = yield* Flags.textOf(input)
        if (text === undefined && named.config.input === undefined)
          return yield* new Usage({ detail: `What is "${name}" to work on? Run: effigent run ${name} "the input"` })
        const value = text !== undefined && asJson ? yield* Flags.jsonOf(text, "The input") : text
        const services = yield* Open.services(project, base)
        const agent = named.pipe(
          Agent.settings({ name: named.config.name ?? name }),
          value === undefined ? (self) => self : Agent.input(value)
        )
        const run = yield* Effect.provideContext(Runs.start(agent), withModel(services))
        yield* show(run.events(), { events, quiet })
        const answer = yield* told(run.result, !quiet && !screen.json)
        if (events && screen.json) return
        // At a terminal a text stands there already.
        if (screen.live && !quiet && typeof answer === "string") return
        yield* result({ agent: name, value: answer, metrics: yield* metricsOf(run) }, shown(answer))
      })
    )
).pipe(
  Command.withDescription("Ask an agent once, show how it works, and give its answer"),
  Command.withExamples([
    { command: 'effigent run triage "The printer is on fire!"', description: "An input on the command line" },
    { command: "effigent run triage --json < letter.txt", description: "Standard input, and JSON for a program" }
  ])
)

const help = `/help         this
/reset        begin a new conversation
/save [file]  write the conversation to a file as JSON; default conversation.json
/quit         end (or Ctrl-D); Ctrl-C stops an answer
Everything else is sent to the agent; a line that begins with // is sent with one slash.
`

/** `effigent chat`. @category commands */
export const chat = Command.make(
  "chat",
  {
    agent: agentName,
    session: Flag.String("session").pipe(
      Flag.withDescription(
        "The id of the conversation; with a SessionStore in the configuration it goes on where it was"
      ),
      Flag.optional
    )
  },
  ({ agent: name, session }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const screen = yield* Screen
        const terminal = yield* Terminal.Terminal
        const { project } = yield* Flags.loaded
        const named = runnable(yield* Flags.agentOf(project, name)).pipe(Agent.settings({ name }))
        const services = yield* Open.services(project, base)
        let id = Option.getOrUndefined(session) ?? (yield* Conversation.freshId)
        const policy = Session.make()

        const ask = (text: string) =>
          Effect.scoped(
            Effect.gen(function* () {
              const agent = named.pipe(Agent.input(text), Session.attach(policy, id))
              const run = yield* Effect.provideContext(Runs.start(agent), withModel(services))
              if (screen.live) return yield* show(run.events(), { events: false, quiet: false })
              yield* show(run.events(), { events: false, quiet: true })
              const value = yield* run.result
              yield* result({ session: id, input: text, value, metrics: yield* metricsOf(run) }, shown(value))
            })
          ).pipe(
            Effect.catch((error: unknown) => {
              const { detail, tag } = Open.wordsOf(Cause.fail(error))
              if (screen.json) return screen.out(`${JSON.stringify({ error: { tag, message: detail } })}\n`)
              // At a terminal the run has shown it.
              return screen.live ? Effect.void : screen.err(`${clean(detail)}\n`)
            })
          )

        const save = Effect.fnUntraced(function* (named: string) {
          const file = resolve(named === "" ? "conversation.json" : named)
          const turns = yield* Effect.provideContext(Conversation.turns(id), services)
          const saved = yield* Effect.result(
            Effect.tryPromise({
              // Never over another file.
              try: () =>
                writeFile(file, `${JSON.stringify({ session: id, agent: name, turns }, undefined, 2)}\n`, {
                  flag: "wx"
                }),
              catch: (error) =>
                error instanceof Error && /EEXIST/.test(error.message) ? "it is there already" : String(error)
            })
          )
          yield* saved._tag === "Success"
            ? note(`Saved ${turns.length} ${turns.length === 1 ? "turn" : "turns"} to ${file}`)
            : note(`Cannot save to ${file}: ${saved.failure}`)
        })

        if (screen.interactive) yield* note(`Talking to ${name}. /help tells what else there is.`)
        for (;;) {
          if (screen.interactive) yield* screen.out(dim(screen.color.out, "> "))
          const line = yield* Effect.option(terminal.readLine)
          if (Option.isNone(line)) return
          const text = line.value.trim()
          const [, command, rest = ""] = /^\/([a-z]+)(?:\s+(.*))?$/.exec(text) ?? []
          if (text === "") continue
          if (command === "quit" || command === "exit") return
          if (command === "help") yield* screen.err(help)
          else if (command === "save") yield* save(rest)
          else if (command === "reset") {
            id = yield* Conversation.freshId
            yield* note("A new conversation.")
          } else if (text.startsWith("/") && !text.startsWith("//"))
            yield* note(`There is no ${text.split(/\s/)[0] ?? text}. /help tells what there is.`)
          else {
            const input = text.startsWith("//") ? text.slice(1) : text
            const answer = yield* stoppable(ask(input))
            if (Option.isSome(answer)) continue
            yield* screen.json
              ? screen.out(`${JSON.stringify({ session: id, input, stopped: true })}\n`)
              : note("Stopped. What has come stays in the conversation.")
          }
        }
      })
    )
).pipe(
  Command.withDescription("Talk to an agent"),
  Command.withExamples([{ command: "effigent chat triage", description: "/help tells what else there is" }])
)
