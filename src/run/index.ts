/** `effigent/run`: runs with a handle: events, state, metrics, cancellation, and runs in the background. */

/** What runs have used, by role and by action. @category modules */
export * as Metrics from "./Metrics.ts"

/** Two models for one answer. @category modules */
export * as Relay from "./Relay.ts"

/** Runs at work. @category modules */
export * as Runs from "./Runs.ts"

/** What events add up to. @category modules */
export * as View from "./View.ts"
