/** Stores of conversations and of knowledge. */

/** Stores of conversations: in memory, in files. */
export * as SessionStores from "./SessionStores.ts"
