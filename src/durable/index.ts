/** Durable executions: `effigent/durable`. What `ExecutionHosts.durable` and clusters are made of. */

/** Executions that are started by the clock. @category modules */
export * as FlowSchedule from "./FlowSchedule.ts"

/** `ExecutionHost` over the executions of one runner. @category modules */
export * as Hosting from "./Hosting.ts"

/** The executions of one runner. @category modules */
export * as Keeper from "./Keeper.ts"

/** What is counted. @category modules */
export * as Measures from "./Measures.ts"

/** `ExecutionKeeper` over the executions of one runner. @category modules */
export * as Operations from "./Operations.ts"

/** How a runner keeps executions. @category modules */
export * as Settings from "./Settings.ts"
/** What must not be done twice. */
export * as Once from "./Once.ts"
