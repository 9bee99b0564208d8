/** What is left of an execution when it is closed. */
import type * as Option from "effect/Option"
import type { Spec } from "./Spec.ts"

/**
 * The snapshot of a closed execution.
 *
 * @category models
 */
export interface Closed<C extends Spec> {
  readonly executionId: string
  /** `failed` and `cancelled` executions are closed too, with the state that they had. */
  readonly status: "completed" | "failed" | "cancelled"
  readonly state: C["state"]
  /** What was set as the result, if anything. */
  readonly result: Option.Option<C["result"]>
}
