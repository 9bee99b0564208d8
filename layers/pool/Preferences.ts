/**
 * Wishes that a gateway understands and the protocol does not have: which upstream serves a request. Each function writes
 * typed wishes in the gateway's own words, for `ModelOptions.provider`.
 */
import type { JsonObject } from "../../services/Json.ts"

/**
 * How OpenRouter chooses who serves a request.
 *
 * @category models
 */
export interface OpenRouterRouting {
  /** Upstream providers to try, in this order. */
  readonly order?: ReadonlyArray<string> | undefined
  /** The only ones that may serve. */
  readonly only?: ReadonlyArray<string> | undefined
  /** Those that may not. */
  readonly ignore?: ReadonlyArray<string> | undefined
  /** Whether others may serve when those of `order` cannot. */
  readonly allowFallbacks?: boolean | undefined
  /** Only those that know every option of the request. */
  readonly requireParameters?: boolean | undefined
  /** `deny`: none that keeps the data. */
  readonly dataCollection?: "allow" | "deny" | undefined
  /** Only endpoints without data retention. */
  readonly zeroDataRetention?: boolean | undefined
  /** What counts most. */
  readonly sort?: "price" | "throughput" | "latency" | undefined
  /** Quantizations that will do, as `fp8`. */
  readonly quantizations?: ReadonlyArray<string> | undefined
  /** Other models to try, in this order. */
  readonly models?: ReadonlyArray<string> | undefined
}

type Wish = { readonly [name: string]: boolean | string | ReadonlyArray<string> | undefined }

// What is wished for: the rest is left to the vendor.
const wished = (wishes: Wish): JsonObject =>
  Object.fromEntries(Object.entries(wishes).flatMap(([name, wish]) => (wish === undefined ? [] : [[name, wish]])))

const nested = (name: string, wishes: JsonObject): JsonObject =>
  Object.keys(wishes).length === 0 ? {} : { [name]: wishes }

/**
 * OpenRouter's routing.
 *
 * @example
 * ```ts
 * import { Agent } from "effigent"
 * import { ModelPool } from "effigent/layers/pool"
 *
 * const agent = Agent.make({ options: { provider: ModelPool.openRouter({ sort: "price", dataCollection: "deny" }) } })
 * console.log(agent.config.options) // => { provider: { provider: { data_collection: 'deny', sort: 'price' } } }
 * ```
 *
 * @category preferences
 */
export const openRouter = (routing: OpenRouterRouting): JsonObject => ({
  ...nested(
    "provider",
    wished({
      order: routing.order,
      only: routing.only,
      ignore: routing.ignore,
      allow_fallbacks: routing.allowFallbacks,
      require_parameters: routing.requireParameters,
      data_collection: routing.dataCollection,
      zdr: routing.zeroDataRetention,
      sort: routing.sort,
      quantizations: routing.quantizations
    })
  ),
  ...wished({ models: routing.models })
})

/**
 * How Vercel's AI Gateway chooses who serves a request.
 *
 * @category models
 */
export interface VercelRouting {
  /** Upstream providers to try, in this order. */
  readonly order?: ReadonlyArray<string> | undefined
  /** The only ones that may serve. */
  readonly only?: ReadonlyArray<string> | undefined
  /** Other models to try, in this order. */
  readonly models?: ReadonlyArray<string> | undefined
}

/** The routing of Vercel's AI Gateway. @category preferences */
export const vercelGateway = ({ models, only, order }: VercelRouting): JsonObject =>
  nested("providerOptions", nested("gateway", wished({ order, only, models })))
