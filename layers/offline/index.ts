/** A model without a network: it answers from the output contract and the prompt. */
export * as OfflineModel from "./OfflineModel.ts"
