/** The stores of snapshots of this room under one name. */

/** Snapshots of executions in the memory of this process. @category layers */
export { layer as memory } from "./MemorySnapshots.ts"
/** Snapshots of executions as files in a folder, safe between programs. @category layers */
export { layer as file } from "./FileSnapshots.ts"
export type { Options as FileOptions } from "./FileSnapshots.ts"
