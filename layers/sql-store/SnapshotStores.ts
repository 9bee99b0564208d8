/** The stores of snapshots of this room under one name. */

/** Snapshots of executions over the `SqlClient` of the context. @category layers */
export { layer } from "./SqlSnapshots.ts"
