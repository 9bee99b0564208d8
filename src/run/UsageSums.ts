/** Tokens of several requests together. */
import type { RunUsage } from "../../services/Run.ts"

const counts = [
  "inputTokens",
  "cachedInputTokens",
  "cacheWriteInputTokens",
  "outputTokens",
  "reasoningTokens"
] as const satisfies ReadonlyArray<keyof RunUsage>

/** Sums of tokens; what no request has told of is absent. @category models */
export type UsageSums = { -readonly [K in keyof RunUsage]: RunUsage[K] }

/** Adds the tokens of a request to sums. @category measuring */
export const addUsage = (sums: UsageSums, more: RunUsage): void => {
  for (const key of counts) {
    const count = more[key]
    if (count !== undefined) sums[key] = (sums[key] ?? 0) + count
  }
}
