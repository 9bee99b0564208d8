/** HTTP for models. */

/** HTTP under a policy. */
export * as GuardedHttp from "./GuardedHttp.ts"
