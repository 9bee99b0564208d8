/** Stores of conversations, of knowledge, of saved executions, of journals and of what was done in the world. */

/** Stores of conversations: in memory, in files. */
export * as SessionStores from "./SessionStores.ts"
/** Ledgers of what was done in the world: in memory. */
export * as EffectLedgers from "./EffectLedgers.ts"
/** Stores of journals of executions: in memory. */
export * as JournalStores from "./JournalStores.ts"
/** Stores of passages that can be found by meaning: in memory. */
export * as KnowledgeStores from "./KnowledgeStores.ts"
/** Stores of saved executions: in memory, in files. */
export * as SnapshotStores from "./SnapshotStores.ts"
