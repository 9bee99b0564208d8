/**
 * What an engine asks of whoever writes its records down. Where there is one, what a record brings about is done only
 * once the record is safe: `src/triggerflow/journal` has the implementation.
 */
import type { Engine } from "./Engine.ts"
import type { Command, Record } from "./Record.ts"

/**
 * Writes down what goes into the machines of an execution, sub-flows included.
 *
 * @category models
 */
export interface Journaling {
  /**
   * Takes in a record: it is noted, given to the machine, and what comes out is kept until it is safe. `then` is called
   * when it is.
   */
  readonly take: (engine: Engine, record: Record | undefined, then: (() => void) | undefined) => void
  /** Starts the forked signal that stands first in line; false where there is none. */
  readonly fork: (engine: Engine) => boolean
  /** Writes down what was noted, unless that is being done. */
  readonly flush: () => void
  /** Whether nothing is kept back. */
  readonly isIdle: () => boolean
}

/** What a record has brought about. @category models */
export interface Held {
  readonly engine: Engine
  readonly record: Record | undefined
  readonly commands: ReadonlyArray<Command>
  readonly then: (() => void) | undefined
}
