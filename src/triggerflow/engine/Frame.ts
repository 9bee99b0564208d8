/**
 * What is alive in an execution: frames (signals, bodies, operators), runs of handlers, conditions being asked, and
 * questions that wait for answers. They form one tree; a container is done when everything started in it is done.
 *
 * These objects belong to the machine of one execution, which alone changes them. One shape for all frames keeps the
 * engine's hot path monomorphic.
 */
import type * as Exit from "effect/Exit"
import type * as Interrupt from "../Interrupt.ts"
import type { Node } from "../Node.ts"
import type { BatchStep, ChunkStep, ForEachStep, LoopStep, MatchStep, PlainStep, Step } from "./Plan.ts"

/** The step of an operator that holds bodies, or an execution of its own. @category models */
export type OperatorStep = BatchStep | ForEachStep | MatchStep | LoopStep | PlainStep

/**
 * A container. `signal`: the chains that one signal has started. `body`: steps one after another, and what was started
 * beside them. `operator`: the bodies of one batch, forEach, match or loop, or a sub-flow.
 *
 * @category models
 */
export class Frame {
  readonly kind: "signal" | "body" | "operator"
  readonly id: number
  /** A body stands in an operator, a signal or (a side branch) a body; an operator in a body; a nested signal in a body. */
  readonly parent: Frame | undefined
  /** Bodies: which one of its parent. */
  readonly slot: number
  /** How many threads (bodies) or bodies (signals, operators) have not ended. */
  live = 0
  /** Bodies: what the main thread has ended with. Operators: what they were given. */
  value: unknown = undefined
  /** A body whose thread was dropped gives no value, and what needs one is dropped too. */
  dropped = false

  /** Bodies: the signal that they belong to. */
  readonly signal: Frame | undefined
  /** The nearest frame around, or itself, that may be stopped apart from others: see `isHome`. */
  readonly home: Frame
  /** Homes: one of the runs in it, which knows the others. */
  first: Run | undefined = undefined
  /** Homes: those that stand directly in it, apart from what its runs have emitted. */
  inner: Set<Frame> | undefined = undefined
  /** Operators: their step. */
  step: OperatorStep | undefined = undefined
  /** Operators and signals: what the bodies have given, by slot. */
  results: Array<unknown> | undefined = undefined
  /** Operators: how many bodies were started, or rounds done. */
  next = 0
  /** Operators: what the bodies are about: items, or the numbers of cases. */
  items: ReadonlyArray<unknown> | undefined = undefined

  /** Signals: their name, for people. */
  name = ""
  /** Signals: the run that waits for them. */
  run: Run | undefined = undefined
  /** Signals: how the waiter is told. */
  op = 0
  /** Signals: their neighbours among those that their run waits for. */
  previous: Frame | undefined = undefined
  following: Frame | undefined = undefined
  /** Signals: the operation of the run that they are, where runs are recorded. */
  key: string | undefined = undefined
  mode: "await" | "exit" | "none" = "none"
  /** Signals: how many awaited emits they stand inside of. */
  depth = 0
  /** Signals: how many writes to the state they stand inside of that have set each other off. */
  writes = 0
  /** Signals: what `all` correlates them by, and those that they cause. */
  scope = 0
  root = 0

  constructor(kind: Frame["kind"], id: number, parent: Frame | undefined, slot: number) {
    this.kind = kind
    this.id = id
    this.parent = parent
    this.slot = slot
    this.signal =
      kind !== "body" || parent === undefined ? undefined : parent.kind === "signal" ? parent : signalOf(parent)
    if (parent === undefined) this.home = this
    else if (kind === "body" && keeps(parent.step?.node)) {
      this.home = this
      ;(parent.home.inner ??= new Set()).add(this)
    } else this.home = parent.home
  }
}

/** Whether the bodies of a step keep their typed failures. @category guards */
export const keeps = (node: Node | undefined): boolean =>
  node?.kind === "forEach" ? node.onError !== "fail" : node?.kind === "batch" && node.onError === "collect"

/**
 * Whether a frame may be stopped apart from others: a signal that stands by itself or that a handler waits for, and a
 * body that keeps its failures. Homes know what is in them, so that stopping one costs what is stopped.
 *
 * @category guards
 */
export const isHome = (frame: Frame): boolean => frame.home === frame

const signalOf = (frame: Frame): Frame | undefined => (frame.kind === "body" ? frame.signal : frame.parent?.signal)

/** A step that runs a handler: one of the plan, or a binding made while the execution runs. @category models */
export type Handled = ChunkStep

/**
 * One run of a handler.
 *
 * `queued`: waits for a permit. `active`: at work. `lent`: waits for its own emits, its permit is lent. `returning`:
 * has been told, waits for its permit. `asleep`: sleeps before it is tried again. `paused`: waits for an answer.
 *
 * @category models
 */
export class Run {
  readonly id: number
  readonly step: Handled
  readonly body: Frame
  readonly input: unknown
  state: "queued" | "active" | "lent" | "returning" | "asleep" | "paused" | "ended" = "queued"
  /** Emits that it waits for. */
  pending = 0
  /** It was told to stop; what it does from now on counts for nothing. */
  stopping = false
  /** How often it has asked for permits, or given them up. */
  turn = 0
  /** It holds a permit of its chunk, where the chunk has a limit of its own. */
  slot = false
  /** What wakes it once it has its permit back. */
  held: Wake | undefined = undefined
  /** The answer that it is run again with. */
  answer: { readonly interrupt: string; readonly value: unknown; readonly asked: unknown } | undefined = undefined
  resumes = 0
  /** How many tries have failed. */
  tries = 0
  /** Its operations, where they are recorded. */
  ops: Map<string, Operation> | undefined = undefined
  /** It was begun before the snapshot that it was loaded from. */
  again = false
  /** How much of what it has written became visible since its handle asked. */
  applied = 0
  /** Its neighbours among the runs of the execution. */
  before: Run | undefined = undefined
  after: Run | undefined = undefined
  /** Its neighbours among the runs of its home. */
  left: Run | undefined = undefined
  right: Run | undefined = undefined
  /** One of the signals that it has emitted and that have not ended, which knows the others. */
  emits: Frame | undefined = undefined

  constructor(id: number, step: Handled, body: Frame, input: unknown) {
    this.id = id
    this.step = step
    this.body = body
    this.input = input
  }
}

/**
 * The runs of an execution, oldest first. A list of its own, since every hop adds one and takes one away, which costs a
 * Set several times as much. A run that is at hand may be taken away while the list is walked.
 *
 * @category models
 */
export class Runs {
  first: Run | undefined = undefined
  last: Run | undefined = undefined
  size = 0

  add(run: Run): void {
    run.before = this.last
    if (this.last === undefined) this.first = run
    else this.last.after = run
    this.last = run
    this.size++
    const { home } = run.body
    run.right = home.first
    if (home.first !== undefined) home.first.left = run
    home.first = run
  }

  delete(run: Run): void {
    const { before, after } = run
    if (before === undefined && this.first !== run) return
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    run.before = run.after = undefined
    this.size--
    const { left, right } = run
    const { home } = run.body
    if (left === undefined) home.first = right
    else left.right = right
    if (right !== undefined) right.left = left
    run.left = run.right = undefined
    // What it has emitted goes on without it.
    for (let emit = run.emits; emit !== undefined; emit = emit.following) (home.inner ??= new Set()).add(emit)
  }

  *[Symbol.iterator](): Generator<Run> {
    for (let run = this.first; run !== undefined;) {
      const next: Run | undefined = run.after
      yield run
      run = next
    }
  }
}

/** A run waits for a signal that it has emitted. @category steps */
export const emitted = (run: Run, emit: Frame): void => {
  emit.following = run.emits
  if (run.emits !== undefined) run.emits.previous = emit
  run.emits = emit
}

/** A signal that a run has emitted has ended, or nobody waits for it any more. @category steps */
export const settled = (run: Run, emit: Frame): void => {
  const { following, previous } = emit
  if (previous === undefined) {
    if (run.emits === emit) run.emits = following
  } else previous.following = following
  if (following !== undefined) following.previous = previous
  emit.following = emit.previous = undefined
  if (run.state === "ended") run.body.home.inner?.delete(emit)
}

/** Something that a run has emitted. @category models */
export interface Operation {
  readonly signal: string
  readonly payload: unknown
  /** The digest of the payload, where it was loaded from a snapshot. */
  readonly digest: string | undefined
  /** How it ended, or the frame that is still at work. */
  outcome: Exit.Exit<unknown, unknown> | Frame
}

/** Tells a handler that something it waits for has come. @category models */
export interface Wake {
  readonly _tag: "Wake"
  readonly run: Run
  readonly op: number
  readonly exit: Exit.Exit<unknown, unknown>
}

/** A condition that is asked. @category models */
export class Decision {
  readonly id: number
  /** The operator that asks. */
  readonly frame: Frame
  readonly step: MatchStep | LoopStep

  constructor(id: number, frame: Frame, step: MatchStep | LoopStep) {
    this.id = id
    this.frame = frame
    this.step = step
  }
}

/** A question that waits for its answer. @category models */
export interface Waiting {
  readonly id: string
  readonly interrupt: string
  readonly payload: unknown
  readonly target: Interrupt.Target
  readonly run: Run
  /** When it was asked and when it expires, in milliseconds since 1970. */
  readonly at: number
  readonly expires: number | undefined
  /** The answer that is taken when it expires. */
  readonly otherwise: { readonly value: unknown } | undefined
}

/** Everything that can be told to stop, and says when it has. @category models */
export type Member = Run | Decision | Frame

/** Whether a frame is, or stands in, another one. @category guards */
export const within = (frame: Frame, container: Frame): boolean => {
  let at: Frame | undefined = frame
  while (at !== undefined) {
    if (at === container) return true
    at = at.parent ?? at.run?.body
  }
  return false
}

/** The step behind an operator. @category getters */
export const nextOf = (frame: Frame): Step | undefined => frame.step?.next
