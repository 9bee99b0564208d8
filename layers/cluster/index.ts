/** Executions of flows on many processes, over effect/cluster and PostgreSQL. */

/** `ExecutionHost` as a runner or a client of a cluster. */
export * as Cluster from "./Cluster.ts"
/** What the owner of an execution is made of: for who brings a keeper of their own. */
export * as Executions from "./Executions.ts"
/** How processes talk to each other. */
export * as Transports from "./Transports.ts"
/** Executions in the memory of their runner. */
export * as VolatileExecutions from "./VolatileExecutions.ts"
export type { ClusterOptions, RunnerOptions } from "./Options.ts"
