/** Where executions of flows, and what they share, live in this process. */

/** Hosts of executions: in this process. */
export * as ExecutionHosts from "./ExecutionHosts.ts"
/** What the executions of a flow share: in memory. */
export * as FlowDataStores from "./FlowDataStores.ts"
