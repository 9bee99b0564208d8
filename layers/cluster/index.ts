/** Executions of flows on many processes, over effect/cluster and PostgreSQL. */

/** `ExecutionHost` as a runner or a client of a cluster. */
export * as Cluster from "./Cluster.ts"
/** How processes talk to each other. */
export * as Transports from "./Transports.ts"
export type { ClusterOptions, RunnerOptions } from "./Options.ts"
