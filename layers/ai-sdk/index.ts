/**
 * Any language model of the AI SDK as a provider.
 *
 * @category layers
 */
export * as AiSdk from "./AiSdk.ts"
