/** What is remembered of users over all conversations. Depends on `effect` alone. */

/** Recalls what is known of a user, and learns from each run. @category modules */
export * as Memory from "./Memory.ts"
