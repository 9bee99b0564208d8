/** The knowledge stores of this room under one name. */

/** Passages in the memory of this process, searched exactly. @category layers */
export { layer as memory } from "./MemoryKnowledge.ts"
