/**
 * Models behind Anthropic's messages protocol: Anthropic itself, and every server that speaks it.
 *
 * @category layers
 */
export * as AnthropicCompatible from "./AnthropicCompatible.ts"
