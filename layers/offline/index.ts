/** Embeddings without a network: texts that share words are near each other. */
export * as OfflineEmbeddings from "./OfflineEmbeddings.ts"
/** A model without a network: it answers from the output contract and the prompt. */
export * as OfflineModel from "./OfflineModel.ts"
