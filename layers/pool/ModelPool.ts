/** The model pool, name by name. */
export { limits, type CircuitOptions, type LimitOptions } from "./Limits.ts"
export { retry, type RetryOptions } from "./Retry.ts"
