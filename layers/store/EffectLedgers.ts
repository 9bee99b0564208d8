/** The ledgers of this room under one name. */

/** What was done in the world, in the memory of this process. @category layers */
export { layer as memory } from "./MemoryLedger.ts"
