/** The ledgers of this room under one name. */

/** What was done in the world, over the `SqlClient` of the context. @category layers */
export { layer } from "./SqlLedger.ts"
