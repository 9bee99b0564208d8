/** `effigent/action`: what models may call, and how far they may go. */

/** What a model may call: a tool with a policy and a handler. @category modules */
export * as Action from "./Action.ts"

/** Agents that act. @category modules */
export * as Actions from "./Actions.ts"

/** Results that are too large for a prompt. @category modules */
export * as Artifacts from "./Artifacts.ts"

export type { Bounds, Limits } from "./Loop.ts"
