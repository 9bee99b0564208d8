/** Folders that a model may work in. */

/** A folder of this machine. */
export * as FileWorkspace from "./FileWorkspace.ts"
