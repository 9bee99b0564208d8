/** Who decides on calls that need approval. */

/** Policies, the terminal, and a queue for pages and bots. */
export * as Approvals from "./Approvals.ts"
