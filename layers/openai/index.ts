/**
 * Models behind OpenAI's chat-completions protocol: OpenAI itself, and every server that speaks it.
 *
 * @category layers
 */
export * as OpenAICompatible from "./OpenAICompatible.ts"

/**
 * Embeddings over OpenAI's protocol: OpenAI itself, and every server that speaks it.
 *
 * @category layers
 */
export * as OpenAIEmbeddings from "./OpenAIEmbeddings.ts"

/**
 * Models behind OpenAI's Responses protocol: OpenAI itself, and servers that speak it.
 *
 * @category layers
 */
export * as OpenAIResponsesCompatible from "./OpenAIResponsesCompatible.ts"
