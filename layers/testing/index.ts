/** What tests need: a scripted model, faults, cassettes, and the conformance suite of model providers. */

/** Records a real provider's answers, and replays them. */
export * as Cassette from "./Cassette.ts"
/** The promises of `EffectLedger` as cases for any implementation. */
export * as EffectLedgerConformance from "./EffectLedgerConformance.ts"
/** The promises of `ExecutionHost` as cases for any implementation. */
export * as ExecutionHostConformance from "./ExecutionHostConformance.ts"
/** Faults around any provider: latency, cuts, stalls, corrupt text, failures. */
export * as FaultInjection from "./FaultInjection.ts"
/** The promises of `FlowData` as cases for any implementation. */
export * as FlowDataConformance from "./FlowDataConformance.ts"
/** The promises of `JournalStore` as cases for any implementation. */
export * as JournalStoreConformance from "./JournalStoreConformance.ts"
/** The promises of `KnowledgeStore` as cases for any implementation. */
export * as KnowledgeStoreConformance from "./KnowledgeStoreConformance.ts"
/** The promises of `ModelProvider` as cases for any implementation. */
export * as ModelProviderConformance from "./ModelProviderConformance.ts"
/** A model that says what a test tells it to say. */
export * as ScriptedModel from "./ScriptedModel.ts"
/** The promises of `SessionStore` as cases for any implementation. */
export * as SessionStoreConformance from "./SessionStoreConformance.ts"
