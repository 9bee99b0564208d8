/** Where executions of flows live in this process. */

/** Hosts of executions: in this process. */
export * as ExecutionHosts from "./ExecutionHosts.ts"
