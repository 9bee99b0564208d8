/** The model pool, name by name. */
export { retry, type RetryOptions } from "./Retry.ts"
