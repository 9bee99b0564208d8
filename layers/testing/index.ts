/** What tests need: a scripted model, faults, cassettes, and the conformance suite of model providers. */
export * as ModelProviderConformance from "./ModelProviderConformance.ts"
export * as ScriptedModel from "./ScriptedModel.ts"
