/** The model pool, name by name. */
export { config, type Endpoint, fromConfig, fromFile, fromValue, type Vendor, type Vendors } from "./FromConfig.ts"
export {
  type Failover,
  type Key,
  type KeyDecision,
  keys,
  type KeysOptions,
  type KeyState,
  type Selection
} from "./Keys.ts"
export { type CircuitOptions, type LimitOptions, limits, sharedLimits } from "./Limits.ts"
export {
  type ErrorOf,
  type Fallback,
  layer,
  type Member,
  type PoolOptions,
  type Profile,
  type ServicesOf
} from "./Pool.ts"
export { openRouter, type OpenRouterRouting, vercelGateway, type VercelRouting } from "./Preferences.ts"
export { backOff, retry, type RetryOptions } from "./Retry.ts"
export { PoolConfigError, type Problem, Settings } from "./Settings.ts"
