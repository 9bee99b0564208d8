/**
 * `effigent doctor`: looks at everything that a project stands on, in the order in which one thing needs the other, and
 * says for each that is broken what to do.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { existsSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import { freshId } from "../../../src/agent/Conversation.ts"
import { JournalStore } from "../../../services/JournalStore.ts"
import { ModelProvider } from "../../../services/ModelProvider.ts"
import * as Agent from "../../../src/agent/Agent.ts"
import type * as Flow from "../../../src/triggerflow/Flow.ts"
import * as Opening from "../../../src/triggerflow/Opening.ts"
import type { Spec } from "../../../src/triggerflow/Spec.ts"
import * as Load from "../config/Load.ts"
import * as Open from "../config/Open.ts"
import * as ModelProviders from "../ModelProviders.ts"
import { base } from "./Asking.ts"
import { codes, Ended } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import * as Manifest from "./Manifest.ts"
import { counted, dim, green, red, result, Screen, yellow } from "./Screen.ts"

/**
 * What was found of one thing.
 *
 * @category models
 */
export interface Check {
  readonly name: string
  /** `skipped`: what it needs is broken. */
  readonly status: "ok" | "warning" | "broken" | "skipped"
  readonly detail: string
  /** What to do. */
  readonly fix?: string
}

const ok = (name: string, detail: string): Check => ({ name, status: "ok", detail })
const warning = (name: string, detail: string, fix: string): Check => ({ name, status: "warning", detail, fix })
const broken = (name: string, detail: string, fix: string): Check => ({ name, status: "broken", detail, fix })
const skipped = (name: string, detail: string): Check => ({ name, status: "skipped", detail })

/** Whether Node is new enough. @category checks */
export const nodeOf = (version: string): Check =>
  Manifest.admits(">=22.19.0", version)
    ? ok("node", version)
    : broken("node", `${version} is too old`, "Install Node 22.19 or newer: https://nodejs.org")

const installed = (folder: string, name: string): string | undefined => {
  for (let at = folder; ; at = dirname(at)) {
    const place = join(at, "node_modules", name, "package.json")
    if (existsSync(place)) return place
    if (dirname(at) === at) return undefined
  }
}

/** Whether the packages that effigent stands on are there, of a version that it knows. @category checks */
export const packagesOf = (folder: string, needed: ReadonlyArray<string>): ReadonlyArray<Check> => {
  const { peers } = Manifest.own()
  return needed.map((name) => {
    const range = peers[name] ?? ">=0.0.0"
    const place = installed(folder, name)
    if (place === undefined)
      return broken(`package ${name}`, `it is not installed in ${folder}`, `Run: npm install ${name}`)
    const version = String(Manifest.read(place)?.["version"])
    if (!Manifest.admits(range, version))
      return broken(
        `package ${name}`,
        `${version} is installed, and effigent needs ${range}`,
        `Run: npm install ${name}@"${range}"`
      )
    const mine = installed(import.meta.dirname, name)
    if (name === "effect" && mine !== undefined && realpathSync(mine) !== realpathSync(place))
      return broken(
        `package ${name}`,
        `there are two copies of it: ${dirname(place)} and ${dirname(mine)}`,
        "Run the command of the project (npx effigent), and: npm dedupe"
      )
    return ok(`package ${name}`, version)
  })
}

const set = (name: string): boolean => (process.env[name] ?? "").trim() !== ""

/** What the environment says of the model. @category checks */
export const environment = Effect.gen(function* () {
  const name = "environment"
  const choice = yield* Effect.result(ModelProviders.choose())
  if (choice._tag === "Failure")
    return broken(
      name,
      choice.failure.message,
      "Set OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY to plain texts."
    )
  for (const variable of ["OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"])
    if (set(variable) && !/^https?:\/\/[^/]/.test(process.env[variable]?.trim() ?? ""))
      return broken(
        name,
        `${variable} is no address: it has to begin with http:// or https://`,
        `Set it as in ${variable}=http://localhost:11434/v1`
      )
  const { description } = choice.success
  const openai = set("OPENAI_API_KEY") || set("OPENAI_BASE_URL")
  if (openai && set("ANTHROPIC_API_KEY"))
    return warning(
      name,
      `${description}; ANTHROPIC_API_KEY is set too and not used`,
      "Unset one of them, to be sure which one is asked."
    )
  if (!openai && !set("ANTHROPIC_API_KEY"))
    return warning(
      name,
      description,
      "Set a key to ask a real model. The offline model answers by rules, for trying things out."
    )
  return ok(name, description)
})

const reasonFix: { readonly [reason: string]: string } = {
  Unauthorized: "Set OPENAI_API_KEY or ANTHROPIC_API_KEY to a key that this endpoint accepts.",
  InvalidRequest:
    "Name a model that the endpoint has: EFFIGENT_MODEL=... And see that the address ends as it should, mostly in /v1.",
  Unreachable:
    "See that the server runs, and that OPENAI_BASE_URL or ANTHROPIC_BASE_URL names it; behind a proxy, set HTTPS_PROXY and NODE_USE_ENV_PROXY=1.",
  RateLimited: "Wait, or ask for a higher limit. ModelPool spreads requests over keys and models.",
  QuotaExhausted: "Top up the account, or use another key.",
  ProviderUnavailable: "Try again later, or use another endpoint.",
  TimedOut: "See whether the server is busy or loads its model, and try again.",
  ContextOverflow: "Use a model with a larger context."
}

const noModel =
  "What answers there does not speak chat completions. See that the address ends as it should, mostly in /v1."

const fixOf = (error: unknown): string => {
  const reason =
    typeof error === "object" && error !== null && "reason" in error && typeof error.reason === "object"
      ? error.reason
      : {}
  const tag = reason !== null && "_tag" in reason ? String(reason._tag) : ""
  if (typeof error === "object" && error !== null && "_tag" in error && error._tag === "SdkMissing")
    return "Install the package that it names."
  return reasonFix[tag] ?? noModel
}

const brief = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ").trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}

const roundTrip = (provider: ModelProvider["Service"], seconds: number) =>
  Effect.gen(function* () {
    const begun = yield* Clock.currentTimeMillis
    const agent = Agent.make({ name: "doctor", input: "Reply with the word: ok", options: { maxTokens: 64 } })
    const exit = yield* Effect.exit(
      Agent.run(agent).pipe(Effect.provideService(ModelProvider, provider), Effect.timeoutOption(`${seconds} seconds`))
    )
    const millis = (yield* Clock.currentTimeMillis) - begun
    if (Exit.isFailure(exit)) {
      if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
      return broken("model", brief(Open.wordsOf(exit.cause).detail), fixOf(Cause.squash(exit.cause)))
    }
    if (Option.isNone(exit.value))
      return broken("model", `${provider.name} gave no answer in ${seconds} s`, reasonFix["TimedOut"] ?? noModel)
    return ok("model", `${provider.name} answered in ${millis} ms`)
  })

const storeOf = (context: Context.Context<never>) =>
  Effect.gen(function* () {
    const found = Context.getOption(context, JournalStore)
    if (Option.isNone(found))
      return warning(
        "store",
        "the configuration has no JournalStore: executions end with their process",
        "Put one into its Layer, for instance JournalStores.layer() over SqliteClient."
      )
    const store = found.value
    const owner = { runner: `doctor-${yield* freshId}`, incarnation: "1" }
    const used = yield* Effect.exit(
      Effect.gen(function* () {
        yield* store.ping
        yield* store.join(owner, 5_000)
        yield* store.list({ limit: 1 })
        yield* store.leave(owner)
      })
    )
    return Exit.isSuccess(used)
      ? ok("store", "it can be read and written")
      : broken(
          "store",
          brief(Open.wordsOf(used.cause).detail),
          "See that the database runs, and that its file or user may be written."
        )
  })

const layerFix = (tag: string, detail: string): string => {
  if (tag === "SdkMissing") return "Install the package that it names."
  if (/unable to open|SQLITE|database|ECONNREFUSED|readonly/i.test(detail))
    return "See that the folder of the database is there and may be written, or that its server runs."
  return "Mend the Layer in the configuration: its message says what failed."
}

const afterConfig = ["flows", "layer", "model", "store", "host"]

const projectChecks = (loaded: Load.Loaded, options: { readonly model: boolean; readonly timeout: number }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { project } = loaded
      const checks: Array<Check> = []
      const agents = Object.keys(project.agents)
      checks.push(
        agents.length + project.flows.length === 0
          ? warning(
              "project",
              `${loaded.file} names neither agents nor flows`,
              "Write: defineConfig({ agents: { name: agent }, flows: [flow], layer })"
            )
          : ok("project", `${counted(agents.length, "agent")}, ${counted(project.flows.length, "flow")}`)
      )
      for (const flow of project.flows) {
        // What is looked at is its definition alone.
        const checked = yield* Effect.result(Opening.check(flow as Flow.Flow<Spec, unknown, unknown>))
        checks.push(
          checked._tag === "Success"
            ? ok(`flow ${flow.name}`, "its definition is sound")
            : broken(
                `flow ${flow.name}`,
                brief(checked.failure.message),
                "Mend its definition: each finding says where."
              )
        )
      }
      const services = yield* Effect.result(Open.services(project, base))
      if (services._tag === "Failure") {
        const { detail, tag } = services.failure
        checks.push(broken("layer", brief(detail), layerFix(tag, detail)))
        checks.push(...["model", "store", "host"].map((name) => skipped(name, "the layer cannot be made")))
        return checks
      }
      checks.push(ok("layer", "it can be made"))
      const provider = Context.getOption(services.success, ModelProvider)
      if (!options.model) checks.push(skipped("model", "not asked (--no-model)"))
      else if (Option.isNone(provider))
        checks.push(
          warning(
            "model",
            "the configuration has no model",
            "Put one into its Layer: ModelProviders.fromEnv from effigent/layers/apps."
          )
        )
      else checks.push(yield* roundTrip(provider.value, options.timeout))
      checks.push(yield* storeOf(services.success))
      const hosting = yield* Effect.result(Open.hosting(project, services.success))
      checks.push(
        hosting._tag === "Success"
          ? ok("host", hosting.success.keeps ? "executions outlive the process" : "executions in this process")
          : broken("host", brief(hosting.failure.message), "Mend what it names.")
      )
      return checks
    })
  )

const marks = { ok: green, warning: yellow, broken: red, skipped: dim } as const
const signs = { ok: "✓", warning: "!", broken: "✗", skipped: "-" } as const

/** `effigent doctor`. @category commands */
export const doctor = Command.make(
  "doctor",
  {
    model: Flag.Boolean("model").pipe(
      Flag.withDescription("Ask the model a word; --no-model does not"),
      Flag.withDefault(true)
    ),
    timeout: Flag.Int("timeout").pipe(Flag.withDescription("How many seconds the model has"), Flag.withDefault(30))
  },
  (options) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const found = yield* Effect.result(Load.find(process.cwd(), Option.getOrUndefined(yield* Flags.ConfigFile)))
      const folder = found._tag === "Success" ? dirname(found.success) : process.cwd()
      const needed = ["effect", "@effect/platform-node"]
      if (set("OPENAI_API_KEY") || set("OPENAI_BASE_URL")) needed.push("openai")
      else if (set("ANTHROPIC_API_KEY")) needed.push("@anthropic-ai/sdk")
      const checks: Array<Check> = [
        nodeOf(process.versions.node),
        ok("effigent", Manifest.own().version),
        ...packagesOf(folder, needed),
        yield* environment
      ]
      const loaded = yield* Effect.result(Effect.flatMap(Effect.fromResult(found), Load.load))
      if (loaded._tag === "Failure") {
        const error = loaded.failure
        const said = error.message
        const cut = said.indexOf(". ")
        checks.push(
          error._tag === "ConfigThrows"
            ? broken("configuration", `${error.file} cannot be imported: ${error.detail}`, error.hint)
            : broken("configuration", cut < 0 ? said : said.slice(0, cut), cut < 0 ? "Mend it." : said.slice(cut + 2))
        )
        checks.push(...afterConfig.map((name) => skipped(name, "the configuration cannot be read")))
      } else {
        checks.push(ok("configuration", loaded.success.file))
        checks.push(...(yield* projectChecks(loaded.success, options)))
      }
      const sick = checks.some(({ status }) => status === "broken")
      const text = checks
        .map(({ detail, fix, name, status }) => {
          const line = `${marks[status](screen.color.out, signs[status])} ${name}: ${detail}\n`
          return fix === undefined ? line : `${line}    ${fix}\n`
        })
        .join("")
      yield* result({ ok: !sick, checks }, text)
      if (sick) return yield* new Ended({ code: codes.failed })
    })
).pipe(Command.withDescription("See whether everything is there and works, and say what to do where it does not"))
