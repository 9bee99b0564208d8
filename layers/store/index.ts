/** Stores of conversations and of knowledge. */

/** Stores of conversations: in memory, in files. */
export * as SessionStores from "./SessionStores.ts"
/** Stores of passages that can be found by meaning: in memory. */
export * as KnowledgeStores from "./KnowledgeStores.ts"
