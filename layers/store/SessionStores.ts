/** The session stores of this room under one name. */

/** Conversations in the memory of this process. @category layers */
export { layer as memory } from "./MemorySessions.ts"
/** Conversations as files in a folder, safe between programs. @category layers */
export { layer as file } from "./FileSessions.ts"
export type { Options as FileOptions } from "./FileSessions.ts"
