/**
 * Attachments and prompt files by their path.
 *
 * @category layers
 */
export * as Files from "./Files.ts"
