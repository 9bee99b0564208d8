/**
 * The one place that re-exports the vocabulary of `effect/ai`: prompts, tools, toolkits and their errors. Those modules
 * carry the tag unstable, so that everything else in this library names them through here.
 */

/**
 * Conversations as data: messages and their parts.
 *
 * @category re-exports
 */
export * as Prompt from "effect/ai/Prompt"

/**
 * Tool definitions: name, description, parameter, success and failure Schemas. Types alone: what works on tools at run
 * time takes them from `AiTool.ts`, so that programs without tools need not load them.
 *
 * @category re-exports
 */
export type * as Tool from "effect/ai/Tool"
