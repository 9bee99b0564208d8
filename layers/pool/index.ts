/** Models in production: retries, limits, keys, fall-back, and their configuration, around any provider. */

/** Model providers made of other model providers. @category modules */
export * as ModelPool from "./ModelPool.ts"
