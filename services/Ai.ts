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
 * Tool definitions: name, description, parameter, success and failure Schemas.
 *
 * @category re-exports
 */
export * as Tool from "effect/ai/Tool"
