/** What tokens cost, by the project's own prices. */
import type { RunUsage } from "../../../services/Run.ts"
import type { Price } from "../config/Project.ts"

/** What a request has cost; nothing where the price of its model, or what it has used, is not known. @category measuring */
export const costOf = (
  prices: { readonly [model: string]: Price },
  usage: RunUsage,
  model: string | undefined
): number | undefined => {
  const price = model !== undefined && Object.hasOwn(prices, model) ? prices[model] : prices["*"]
  if (price === undefined || usage.inputTokens === undefined || usage.outputTokens === undefined) return undefined
  const cached = usage.cachedInputTokens ?? 0
  const written = usage.cacheWriteInputTokens ?? 0
  const plain = Math.max(0, usage.inputTokens - cached - written)
  return (
    (plain * price.input +
      cached * (price.cachedInput ?? price.input) +
      written * (price.cacheWriteInput ?? price.input) +
      usage.outputTokens * price.output) /
    1_000_000
  )
}
