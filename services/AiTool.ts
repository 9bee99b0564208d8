/**
 * The tools of `effect/ai` at run time, apart from `Ai.ts` because they are heavy to load and most programs need no more
 * than their types.
 */

/**
 * Tool definitions: name, description, parameter, success and failure Schemas.
 *
 * @category re-exports
 */
export * as Tool from "effect/ai/Tool"

/**
 * Tools that belong together, and the handlers that serve them.
 *
 * @category re-exports
 */
export * as Toolkit from "effect/ai/Toolkit"
