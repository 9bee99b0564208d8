/** The model pool, name by name. */
export {
  type Failover,
  type Key,
  type KeyDecision,
  keys,
  type KeysOptions,
  type KeyState,
  type Selection
} from "./Keys.ts"
export { type CircuitOptions, type LimitOptions, limits } from "./Limits.ts"
export {
  type ErrorOf,
  type Fallback,
  layer,
  type Member,
  type PoolOptions,
  type Profile,
  type ServicesOf
} from "./Pool.ts"
export { retry, type RetryOptions } from "./Retry.ts"
