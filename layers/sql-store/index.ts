/** Stores in a SQL database, SQLite or PostgreSQL: journals of executions, what was done in the world, conversations, snapshots. */

/** Ledgers of what was done in the world. */
export * as EffectLedgers from "./EffectLedgers.ts"
/** Stores of journals of executions. */
export * as JournalStores from "./JournalStores.ts"
/** Counters of rate limits that processes share. */
export * as RateLimits from "./RateLimits.ts"
/** Stores of conversations. */
export * as SessionStores from "./SessionStores.ts"
/** Stores of saved executions. */
export * as SnapshotStores from "./SnapshotStores.ts"
/** The metrics of these stores. */
export * as StoreMetrics from "./Metrics.ts"
