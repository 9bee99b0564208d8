/**
 * Handlers that are run again after their execution was loaded from a snapshot: what they had emitted is not emitted
 * again, its outcome is given instead. A part of the machine.
 */
import * as Cause from "effect/Cause"
import * as Equal from "effect/Equal"
import * as FlowError from "../FlowError.ts"
import { Frame, type Operation, type Run, settled } from "./Frame.ts"
import type { Machine } from "./Machine.ts"

/** What goes on when a snapshot was loaded, in this order. @category models */
export interface Loaded {
  /** Runs that want to begin, or to begin again. */
  readonly runs: ReadonlyArray<Run>
  /** Operators whose conditions are asked again. */
  readonly asking: ReadonlyArray<Frame>
  readonly children: ReadonlyArray<Frame>
  /** The digest of what a signal carries; undefined where it cannot be written. */
  readonly digest: (signal: string, payload: unknown) => string | undefined
}

/**
 * Whether an emit is the one that is kept under its key. A handler that an answer runs again may emit something else in
 * its place: then it is a new one.
 *
 * @category steps
 */
export const repeats = (m: Machine, run: Run, operation: Operation, signal: string, payload: unknown): boolean => {
  if (run.resumes === 0 || operation.outcome instanceof Frame) return true
  if (operation.digest === undefined) return m.loaded !== undefined || Equal.equals(operation.payload, payload)
  const digest = m.loaded?.digest(signal, payload)
  return digest === undefined || digest === operation.digest
}

/** What is wrong with an operation that is repeated, if anything. @category steps */
export const diverged = (
  m: Machine,
  run: Run,
  key: string,
  operation: Operation,
  signal: string,
  payload: unknown
): Cause.Cause<unknown> | undefined => {
  if (operation.digest === undefined || m.loaded === undefined) return undefined
  const digest = m.loaded.digest(signal, payload)
  return digest === undefined || digest === operation.digest ? undefined : divergence(m, run, key)
}

/** What is wrong with a run that has ended and has not repeated what is still at work, if anything. @category steps */
export const left = (m: Machine, run: Run): Cause.Cause<unknown> | undefined => {
  const [key] = pending(run)[0] ?? []
  if (key === undefined) return undefined
  forget(m, run)
  return divergence(m, run, key)
}

/** The handler has ended, or begins another try: what it has not come to is stopped. @category steps */
export const forget = (m: Machine, run: Run): void => {
  const frames = pending(run)
  run.ops = undefined
  run.again = false
  for (const [, frame] of frames) {
    settled(run, frame)
    m.stop(frame, Cause.empty, undefined)
  }
}

const divergence = (m: Machine, run: Run, operation: string): Cause.Cause<unknown> =>
  m.fail(new FlowError.ReplayDivergence({ chunk: run.step.node.name, operation })).cause

// Emits that are at work and that the handler, begun anew, has not come to.
const pending = (run: Run): ReadonlyArray<readonly [string, Frame]> =>
  [...(run.ops ?? [])].flatMap(([key, { outcome }]) =>
    outcome instanceof Frame && outcome.op === 0 ? [[key, outcome] as const] : []
  )
