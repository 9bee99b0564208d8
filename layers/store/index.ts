/** Stores of conversations, of knowledge and of saved executions. */

/** Stores of conversations: in memory, in files. */
export * as SessionStores from "./SessionStores.ts"
/** Stores of passages that can be found by meaning: in memory. */
export * as KnowledgeStores from "./KnowledgeStores.ts"
/** Stores of saved executions: in memory, in files. */
export * as SnapshotStores from "./SnapshotStores.ts"
