/** `effigent/layers/terminal`: runs as they go, on a terminal or in a file. */

/** Shows runs on standard output. @category modules */
export * as Printer from "./Printer.ts"

export type { Look } from "./Painter.ts"
