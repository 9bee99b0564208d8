/** Plain functions of the user, called so that what they throw goes where failures go. */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as FlowError from "../FlowError.ts"

/** Carries a failure out of a plain function. @category errors */
export class Violation {
  readonly cause: Cause.Cause<FlowError.FlowError>
  constructor(cause: Cause.Cause<FlowError.FlowError>) {
    this.cause = cause
  }
}

/** Runs a plain function of the user: what it throws is a defect. @category constructors */
export const attempt = <A>(f: () => A): Exit.Exit<A, unknown> => {
  try {
    return Exit.succeed(f())
  } catch (error) {
    return error instanceof Violation ? Exit.failCause(error.cause) : Exit.die(error)
  }
}

/** Calls a function whose types were checked where the chain was built. @category constructors */
export const call = (f: unknown, ...args: ReadonlyArray<unknown>): unknown =>
  (f as (...args: ReadonlyArray<unknown>) => unknown) /* checked there */(...args)
