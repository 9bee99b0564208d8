/** Renders the requests of an agent: its slots, its settings, and what an attempt asks for besides. */
import * as Result from "effect/Result"
import { Prompt, type Tool } from "../../services/Ai.ts"
import type { ModelOptions, ModelProvider, ModelRequest } from "../../services/ModelProvider.ts"
import type * as Contract from "../output/Contract.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import * as Render from "../prompt/Render.ts"
import type * as Slots from "../prompt/Slots.ts"
import type * as Attempts from "../request/Attempts.ts"
import type { Acts } from "./Acts.ts"
import type { Config } from "./Agent.ts"

/** The prompt slots of an agent. @category reading */
export const slotsOf = (config: Config): Slots.Slots => ({
  system: config.system,
  developer: config.developer,
  info: config.info,
  instruct: config.instruct,
  examples: config.examples,
  input: config.input,
  history: config.history,
  attachments: config.attachments,
  custom: config.custom
})

/** Lays sampling options over others. @category combinators */
export const mergeOptions = (before: ModelOptions, next: ModelOptions): ModelOptions => ({
  ...before,
  ...next,
  ...(before.provider === undefined ? {} : { provider: { ...before.provider, ...next.provider } })
})

const noTools: ReadonlyArray<Tool.Any> = []

const firstAsk: Attempts.Ask = { attempt: 1, correction: undefined, contract: undefined, change: {} }

/** What the first attempt of an agent asks for. @category constructors */
export const firstAskOf = (acts: Acts<unknown, unknown> | undefined): Attempts.Ask =>
  acts === undefined ? firstAsk : { ...firstAsk, acting: { offer: acts.offer, messages: () => [] } }

/** Renders the request of an attempt. @category rendering */
export const requestOf = <A, R>(
  config: Config,
  contract: Contract.Contract<A, R>,
  native: boolean,
  ask: Attempts.Ask
): Result.Result<ModelRequest, PromptError> => {
  const wanted = ask.contract ?? contract
  const offered = ask.acting?.offer()
  const model = ask.change.model ?? config.model
  return Result.map(
    Render.render(slotsOf(config), {
      requirement: wanted.promptText,
      correction: ask.correction,
      strictRoles: config.strictRoles,
      titles: config.titles,
      rounds: ask.acting?.messages()
    }),
    (prompt) => ({
      ...(model === undefined ? {} : { model }),
      prompt,
      tools: noTools,
      ...offered,
      ...(offered !== undefined && ask.repairs === true ? { toolChoice: "none" } : {}),
      output: { ...wanted.request, native: native && ask.contract === undefined },
      options: mergeOptions(config.options ?? {}, ask.change.options ?? {}),
      includeRaw: config.keepOriginal === true,
      attempt: ask.attempt
    })
  )
}

/** Whether the provider's JSON-Schema mode is used; where it was asked for and cannot be, why. @category reading */
export const nativeOf = <A, R>(
  config: Config,
  contract: Contract.Contract<A, R>,
  provider: ModelProvider["Service"]
): boolean | string => {
  if (config.native !== true) return false
  if (contract.format !== "json" && contract.format !== "text") {
    return `the JSON-Schema mode writes JSON, and the format is ${contract.format}`
  }
  if (provider.dialect === undefined) return `the provider "${provider.name}" has no JSON-Schema mode`
  return contract.native[provider.dialect] ?? true
}

/** Whether an attempt asks for what the first one asks for, be it with what was done since. @category reading */
export const isPlain = ({ change, contract, correction, repairs }: Attempts.Ask): boolean =>
  correction === undefined &&
  contract === undefined &&
  repairs !== true &&
  change.model === undefined &&
  change.options === undefined

/** The first request with what was done since behind it: what was rendered once is not rendered again. @category rendering */
export const continued = (first: ModelRequest, { acting, attempt }: Attempts.Ask): ModelRequest => {
  const rounds = acting?.messages() ?? []
  return {
    ...first,
    ...acting?.offer(),
    prompt: rounds.length === 0 ? first.prompt : Prompt.fromMessages([...first.prompt.content, ...rounds]),
    attempt
  }
}
