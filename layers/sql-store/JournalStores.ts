/** The journal stores of this room under one name. */

/** Journals of executions over the `SqlClient` of the context. @category layers */
export { layer } from "./SqlJournal.ts"
export type { Options } from "./SqlJournal.ts"
