/** `effigent/action-flow`: agents that act as flows, which wait for people and survive crashes. */

/** The loop of an agent's actions as a flow. @category modules */
export * as ActionFlow from "./ActionFlow.ts"
