/** The flags that every command has, and how a command is given its project. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Stdio from "effect/Stdio"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Load from "../config/Load.ts"
import type { AnyAgent, AnyFlow, Project } from "../config/Project.ts"
import { NotThere, Usage } from "./Exits.ts"

/** `--json`. @category flags */
export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Give results as one JSON document, streams as JSON lines"),
    Flag.withDefault(false)
  )
})

/** `--config`. @category flags */
export const ConfigFile = GlobalFlag.Setting("config")({
  flag: Flag.String("config").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("The configuration; default: the nearest effigent.config.ts"),
    Flag.optional
  )
})

/** All of them. @category flags */
export const all = [Json, ConfigFile] as const

/** The project that the command is run in. @category loading */
export const loaded = Effect.gen(function* () {
  const named = yield* ConfigFile
  const file = yield* Load.find(process.cwd(), Option.getOrUndefined(named))
  return yield* Load.load(file)
})

const listed = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

/** An agent of a project by its name. @category loading */
export const agentOf = (project: Project, name: string): Effect.Effect<AnyAgent, Usage> => {
  const agent = Object.hasOwn(project.agents, name) ? project.agents[name] : undefined
  if (agent !== undefined) return Effect.succeed(agent)
  const names = Object.keys(project.agents)
  return Effect.fail(
    new Usage({ detail: `There is no agent "${name}". Agents of the configuration: ${listed(names)}.` })
  )
}

/** A flow of a project by its name; of several versions the last. @category loading */
export const flowOf = (project: Project, name: string): Effect.Effect<AnyFlow, Usage> => {
  const flow = project.flows.findLast((flow) => flow.name === name)
  if (flow !== undefined) return Effect.succeed(flow)
  const names = project.flows.map((flow) => flow.name)
  return Effect.fail(new Usage({ detail: `There is no flow "${name}". Flows of the configuration: ${listed(names)}.` }))
}

const everything = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const chunks = yield* Stream.runCollect(stdio.stdin).pipe(
    Effect.mapError(() => new NotThere({ detail: "Standard input cannot be read." }))
  )
  return new TextDecoder().decode(Buffer.concat(chunks))
})

/** What stands on the command line; `-` and, where nothing does and it is piped, standard input. @category inputs */
export const textOf = (given: Option.Option<string>): Effect.Effect<string | undefined, NotThere, Stdio.Stdio> =>
  Effect.gen(function* () {
    if (Option.isSome(given) && given.value !== "-") return given.value
    const stdio = yield* Stdio.Stdio
    if (Option.isNone(given) && (yield* stdio.stdinIsTerminal)) return undefined
    const text = (yield* everything).replace(/\r?\n$/, "")
    return text === "" ? undefined : text
  })

/** A text as the JSON that it is. @category inputs */
export const jsonOf = (text: string, what: string): Effect.Effect<Schema.Json, Usage> =>
  Effect.try({
    // What `JSON.parse` gives is JSON.
    try: () => JSON.parse(text) as Schema.Json,
    catch: (error) =>
      new Usage({
        detail: `${what} is no JSON (${error instanceof Error ? error.message : String(error)}). Quote it for the shell, a text in double quotes too: '"text"'.`
      })
  })
