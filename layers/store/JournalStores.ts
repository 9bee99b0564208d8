/** The journal stores of this room under one name. */

/** Journals of executions in the memory of this process. @category layers */
export { layer as memory } from "./MemoryJournal.ts"
