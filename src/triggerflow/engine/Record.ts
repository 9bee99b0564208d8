/**
 * What goes into the machine (records) and what comes out of it (commands). Records hold everything that the machine
 * could not know by itself: ids of the outside, times, and what handlers did.
 */
import type * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import type { Json } from "effect/Schema"
import type { Write } from "./Cells.ts"
import type { PauseRequest } from "../Interrupt.ts"
import type { Decision, Frame, Run, Waiting, Wake } from "./Frame.ts"
import type { ChunkStep } from "./Plan.ts"

/** Everything that a handler writes, in its order. @category models */
export type Written =
  | Write
  | { readonly _tag: "item"; readonly json: Json }
  | { readonly _tag: "result"; readonly json: Json }

/** A row of writes; absent where there are none. @category models */
export type Writes = ReadonlyArray<Written> | undefined

/** Something that has happened. @category models */
export type Record =
  | { readonly _tag: "Start"; readonly input: unknown }
  /** A signal from outside; whoever waits for it is told under its ticket. */
  | {
      readonly _tag: "Signal"
      readonly signal: string
      readonly payload: unknown
      readonly ticket: number
      readonly mode: Frame["mode"]
      /** Tells that it is sent again. */
      readonly request?: string | undefined
    }
  /** Writes from outside. */
  | { readonly _tag: "Write"; readonly writes: ReadonlyArray<Written> }
  | {
      readonly _tag: "Emit"
      readonly run: Run
      readonly op: number
      readonly key: string | undefined
      readonly signal: string
      readonly payload: unknown
      readonly mode: "await" | "exit" | "fork"
      readonly writes: Writes
    }
  /** The emitter no longer waits; it is told when everything of the emit has stopped. */
  | { readonly _tag: "EmitStopped"; readonly run: Run; readonly op: number }
  | { readonly _tag: "Commit"; readonly run: Run; readonly writes: Writes }
  | { readonly _tag: "Done"; readonly run: Run; readonly output: unknown; readonly writes: Writes }
  | { readonly _tag: "Failed"; readonly run: Run; readonly cause: Cause.Cause<unknown> }
  | {
      readonly _tag: "Paused"
      readonly run: Run
      readonly request: PauseRequest
      readonly writes: Writes
      readonly at: number
    }
  | { readonly _tag: "Asleep"; readonly run: Run }
  | { readonly _tag: "Awake"; readonly run: Run; readonly op: number }
  /** The cases that hold, or for a loop whether another round follows (`[0]` or `[]`). */
  | { readonly _tag: "Decided"; readonly decision: Decision; readonly hits: Exit.Exit<ReadonlyArray<number>, unknown> }
  | {
      readonly _tag: "ChildEnded"
      readonly frame: Frame
      readonly exit: Exit.Exit<{ readonly value: unknown; readonly writes: Writes }, unknown>
    }
  | {
      readonly _tag: "Answer"
      readonly interrupt: string
      readonly id: string
      readonly value: unknown
      readonly request: string | undefined
      readonly digest: string
      readonly ticket: number
    }
  | { readonly _tag: "Expired"; readonly id: string }
  /** Until when a step sleeps, in milliseconds since 1970. */
  | { readonly _tag: "Sleeping"; readonly frame: Frame; readonly until: Exit.Exit<number, unknown> }
  /** Its time has come. */
  | { readonly _tag: "Slept"; readonly frame: Frame }
  | { readonly _tag: "Bind"; readonly signal: string; readonly step: ChunkStep }
  | { readonly _tag: "Unbind"; readonly signal: string; readonly step: ChunkStep }
  | {
      readonly _tag: "Intervene"
      readonly id: string
      readonly json: Json
      readonly author: string | undefined
      readonly target: string | undefined
    }
  | { readonly _tag: "SettleIntervention"; readonly id: string; readonly status: "applied" | "ignored" }
  /** A sub-flow is cancelled from outside. */
  | { readonly _tag: "StopChild"; readonly frame: Frame; readonly ticket: number }
  | { readonly _tag: "Seal" }
  | { readonly _tag: "Close"; readonly pending: "fail" | "cancel"; readonly ticket: number }
  | { readonly _tag: "AutoClose"; readonly generation: number }
  | { readonly _tag: "Cancel"; readonly reason: string }
  | { readonly _tag: "Fail"; readonly cause: Cause.Cause<unknown> }
  /** The execution was loaded from a snapshot and goes on. */
  | { readonly _tag: "Resume" }

/** Something that is to be done. @category models */
export type Command =
  | { readonly _tag: "Run"; readonly run: Run }
  | { readonly _tag: "Stop"; readonly run: Run }
  | Wake
  | { readonly _tag: "Decide"; readonly decision: Decision }
  | { readonly _tag: "StopDecision"; readonly decision: Decision }
  | { readonly _tag: "Child"; readonly frame: Frame }
  | { readonly _tag: "StopChild"; readonly frame: Frame }
  /** Asks until when a step sleeps. */
  | { readonly _tag: "Sleep"; readonly frame: Frame }
  /** Something sleeps: the engine is to say when its time has come. */
  | { readonly _tag: "Alarm" }
  /** Tells who waits outside under a ticket. */
  | { readonly _tag: "Reply"; readonly ticket: number; readonly exit: Exit.Exit<unknown, unknown> }
  | { readonly _tag: "Item"; readonly json: Json }
  | { readonly _tag: "Waiting"; readonly waiting: Waiting }
  | { readonly _tag: "Answered"; readonly waiting: Waiting }
  | {
      readonly _tag: "Intervention"
      readonly id: string
      readonly action: "append" | "insert" | "expire" | "consume" | "reject"
    }
  /** Nothing is at work and nothing waits. */
  | { readonly _tag: "Idle"; readonly generation: number }
  | { readonly _tag: "Closed" }
