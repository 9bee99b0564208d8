/** The session stores of this room under one name. */

/** Conversations over the `SqlClient` of the context. @category layers */
export { layer } from "./SqlSessions.ts"
