/**
 * The bridge to effect/ai: its `LanguageModel` on our providers, our `ModelProvider` on its models.
 *
 * @category layers
 */
export * as EffectAi from "./EffectAi.ts"
