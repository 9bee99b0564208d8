/** Stores in a SQL database, SQLite or PostgreSQL: journals of executions, and what was done in the world. */

/** Ledgers of what was done in the world. */
export * as EffectLedgers from "./EffectLedgers.ts"
/** Stores of journals of executions. */
export * as JournalStores from "./JournalStores.ts"
/** The metrics of these stores. */
export * as StoreMetrics from "./Metrics.ts"
