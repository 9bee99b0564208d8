/** Signals at work: what they start, who waits for them, and where they meet. A part of the machine. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as FlowError from "../FlowError.ts"
import { emitted, Frame, type Operation, type Run, settled, type Wake } from "./Frame.ts"
import { Collectors, Gates } from "./Joins.ts"
import type { Machine } from "./Machine.ts"
import type { CollectNode } from "../Node.ts"
import type { ChunkStep, Listener, Step } from "./Plan.ts"
import * as Plans from "./Plan.ts"
import type { Record } from "./Record.ts"
import * as Replay from "./Replay.ts"

/** A signal that nothing inside waits for; what it causes belongs to `scope`, by default to itself. @category steps */
export const root = (m: Machine, name: string, scope?: number): Frame => {
  const frame = new Frame("signal", m.ids++, undefined, 0)
  frame.name = name
  frame.root = scope ?? frame.id
  m.idle = false
  rootBegins(m, frame)
  return frame
}

/** Counts a root, and where values may wait for each other, those of its scope. @category steps */
export const rootBegins = (m: Machine, { root }: Frame): void => {
  m.roots++
  if (root !== 0 && m.plan.joins !== undefined) (m.scopes ??= new Map()).set(root, (m.scopes.get(root) ?? 0) + 1)
}

/** A root has ended: what waits in its scope once nothing of it is left, waits for nothing. @category steps */
export const rootEnded = (m: Machine, { root }: Frame): void => {
  m.roots--
  const { scopes } = m
  const { joins } = m.plan
  const left = scopes?.get(root)
  if (scopes === undefined || joins === undefined || left === undefined) return
  if (left > 1) scopes.set(root, left - 1)
  else {
    scopes.delete(root)
    m.gates?.forget(joins.gates, root)
    m.collectors?.forget(joins.collectors, root)
  }
}

/** The execution begins. @category steps */
export const start = (m: Machine, input: unknown): void => {
  if (m.started) return
  m.started = true
  launch(m, root(m, "start", 0), m.plan.start, input)
}

/** How many requests are remembered. */
const remembered = 1000

/** A signal from outside. @category steps */
export const signal = (m: Machine, asked: Extract<Record, { readonly _tag: "Signal" }>): void => {
  const { mode, payload, request, signal: name, ticket } = asked
  if (request !== undefined && m.requests?.has(request) === true) return m.reply(ticket, Exit.void)
  if (m.lifecycle !== "open")
    return m.reply(ticket, m.fail(new FlowError.NotOpen({ lifecycle: "sealed", what: `The signal "${name}"` })))
  if (request !== undefined) {
    const requests = (m.requests ??= new Set()).add(request)
    if (requests.size > remembered)
      for (const oldest of requests) {
        requests.delete(oldest)
        break
      }
  }
  const frame = root(m, name)
  frame.op = ticket
  frame.mode = mode
  launchSignal(m, frame, name, payload)
  if (mode === "none") m.reply(ticket, Exit.void)
}

/** A handler emits. @category steps */
export const emit = (m: Machine, asked: Extract<Record, { readonly _tag: "Emit" }>): void => {
  const { run, op, key, signal, payload, mode } = asked
  if (run.stopping) {
    // What it does from now on counts for nothing; but it may be what cleans up, and must not wait for ever.
    if (mode !== "fork") m.commands.push({ _tag: "Wake", run, op, exit: Exit.interrupt() })
    return
  }
  m.writeOf(run, asked.writes)
  const inside = run.body.signal
  const scope = inside?.root ?? 0
  if (mode === "fork") {
    if (key !== undefined) {
      const known = run.ops?.get(key)
      if (known !== undefined && Replay.repeats(m, run, known, signal, payload)) {
        const cause = Replay.diverged(m, run, key, known, signal, payload)
        if (cause !== undefined) m.raiseFrom(run.body, cause, undefined)
        return
      }
      record(run, key, signal, payload, Exit.void)
    }
    const frame = root(m, signal, scope)
    frame.scope = scope
    m.forks.push({ frame, signal, payload })
    return
  }
  const kept = key === undefined ? undefined : run.ops?.get(key)
  const operation = kept !== undefined && Replay.repeats(m, run, kept, signal, payload) ? kept : undefined
  const known = operation?.outcome
  if (key !== undefined && operation !== undefined) {
    const cause =
      known instanceof Frame && known.op !== 0
        ? m.violation(`the key ${key} of an emit`, "the handler waits for another emit under it")
        : Replay.diverged(m, run, key, operation, signal, payload)
    const exit = cause === undefined ? known : Exit.failCause(cause)
    if (exit !== undefined && !(exit instanceof Frame)) {
      m.commands.push({ _tag: "Wake", run, op, exit })
      return
    }
  }
  const depth = (inside?.depth ?? 0) + 1
  if (depth > m.options.maxEmitDepth) {
    const exit = m.fail(new FlowError.EmitTooDeep({ signal, limit: m.options.maxEmitDepth }))
    m.commands.push({ _tag: "Wake", run, op, exit })
    return
  }
  if (known === undefined && !isHeard(m, signal)) {
    // Nothing to wait for: it keeps its permit.
    const exit = Exit.succeed(mode === "exit" ? Exit.void : undefined)
    if (key !== undefined) record(run, key, signal, payload, exit)
    m.commands.push({ _tag: "Wake", run, op, exit })
    return
  }
  lend(m, run)
  if (known instanceof Frame) {
    // The run was loaded from a snapshot; its emit went on meanwhile.
    known.op = op
    ;(m.awaited ??= new Map()).set(op, known)
    return
  }
  const frame = new Frame("signal", m.ids++, undefined, 0)
  frame.name = signal
  frame.run = run
  frame.op = op
  frame.key = key
  frame.mode = mode
  frame.depth = depth
  frame.scope = frame.root = scope
  if (key !== undefined) record(run, key, signal, payload, frame)
  ;(m.awaited ??= new Map()).set(op, frame)
  emitted(run, frame)
  launchSignal(m, frame, signal, payload)
}

const isHeard = (m: Machine, signal: string): boolean =>
  Plans.listeners(m.plan.signals, signal).length > 0 ||
  (m.bindings?.get(signal)?.length ?? 0) > 0 ||
  (m.answeredBy?.get(signal)?.size ?? 0) > 0

/** Keeps what a run has emitted, so that it is not repeated. */
const record = (run: Run, key: string, signal: string, payload: unknown, outcome: Operation["outcome"]): void => {
  const ops: Map<string, Operation> = (run.ops ??= new Map<string, Operation>())
  ops.set(key, { signal, payload, digest: undefined, outcome })
}

/** Answers the questions that a signal answers. @category steps */
export const answerWaiting = (m: Machine, name: string): void => {
  for (const one of [...(m.answeredBy?.get(name) ?? [])]) {
    m.forgetWaiting(one, "answered")
    m.quit(one.run)
    m.leave(one.run.body)
  }
}

/** Starts everything that listens to a signal, and answers the questions that it answers. @category steps */
export const launchSignal = (m: Machine, frame: Frame, name: string, payload: unknown): void => {
  answerWaiting(m, name)
  launch(m, frame, Plans.listeners(m.plan.signals, name), payload, m.bindings?.get(name))
}

/** Starts everything that listens, in its order. @category steps */
export const launch = (
  m: Machine,
  frame: Frame,
  listeners: ReadonlyArray<Listener>,
  value: unknown,
  bindings?: ReadonlyArray<ChunkStep> | undefined
): void => {
  // Holds the frame open until all have started.
  frame.live = 1
  let slot = 0
  if (frame.mode !== "none" && listeners.length > 0) frame.results = []
  for (const listener of listeners) {
    let entered = value
    if (listener.gate !== undefined) {
      const full = fill(m, listener, frame, value)
      if (Result.isFailure(full)) {
        if (m.raiseFrom(frame, full.failure, undefined)) continue
        // The signal was stopped, and whoever waits for it is told.
        return
      }
      if (full.success === undefined) continue
      entered = full.success
    } else if (listener.tag !== undefined) entered = { _tag: listener.tag, value }
    openBody(m, frame, slot++, listener.entry, entered)
  }
  // What these give is no reply.
  if (bindings !== undefined) for (const step of bindings) openBody(m, frame, -1, step, value)
  m.leave(frame)
}

/** Opens a body in a signal and begins its main thread. @category steps */
export const openBody = (m: Machine, frame: Frame, slot: number, entry: Step | undefined, value: unknown): void => {
  const body = new Frame("body", m.ids++, frame, slot)
  body.live = 1
  frame.live++
  m.go(body, entry, value)
}

/** Starts listeners inside a body, which waits for them; without a body they stand by themselves. @category steps */
export const nested = (
  m: Machine,
  body: Frame | undefined,
  name: string,
  listeners: ReadonlyArray<Listener>,
  value: unknown,
  bindings?: ReadonlyArray<ChunkStep> | undefined
): void => {
  if (listeners.length === 0 && bindings === undefined) return
  if (body === undefined) {
    return launch(m, root(m, name), listeners, value)
  }
  const frame = new Frame("signal", m.ids++, body, 0)
  frame.name = name
  frame.depth = body.signal?.depth ?? 0
  frame.writes = body.signal?.writes ?? 0
  frame.scope = frame.root = body.signal?.root ?? 0
  body.live++
  launch(m, frame, listeners, value, bindings)
}

/**
 * Tells those who listen to a field of the state. Listeners that set each other off stand inside each other; they are
 * found out as awaited emits are.
 *
 * @category steps
 */
export const written = (m: Machine, body: Frame | undefined, key: string, listeners: ReadonlyArray<Listener>): void => {
  const value = m.cells.get(key)
  const inside = body?.signal
  if (body === undefined || inside === undefined) return nested(m, body, key, listeners, value)
  const limit = m.options.maxEmitDepth
  if (inside.writes >= limit) {
    m.raiseFrom(body, m.fail(new FlowError.EmitTooDeep({ signal: `state.${key}`, limit })).cause, undefined)
    return
  }
  inside.writes++
  nested(m, body, key, listeners, value)
  inside.writes--
}

/** Everything that a signal has started has ended. @category steps */
export const signalEnded = (m: Machine, frame: Frame): void => {
  const { run, parent } = frame
  const replies =
    frame.results === undefined ? undefined : frame.results.filter((_, slot) => slot in (frame.results ?? []))
  if (run !== undefined) {
    m.awaited?.delete(frame.op)
    settled(run, frame)
    return told(m, frame, run, Exit.succeed(frame.mode === "exit" ? Exit.succeed(replies) : replies))
  }
  if (parent !== undefined) return m.leave(parent)
  if (frame.mode !== "none") m.reply(frame.op, Exit.succeed(frame.mode === "exit" ? Exit.succeed(replies) : replies))
  rootEnded(m, frame)
}

/** An awaited emit has ended: its handler goes on as soon as it has its permit. @category steps */
export const told = (m: Machine, frame: Frame, run: Run, exit: Exit.Exit<unknown, unknown>): void => {
  const operation = frame.key === undefined ? undefined : run.ops?.get(frame.key)
  if (operation !== undefined) operation.outcome = exit
  // A run that was loaded and has not come to this emit yet is told when it does.
  if (run.stopping || run.state === "ended" || frame.op === 0) return
  back(m, { _tag: "Wake", run, op: frame.op, exit })
}

/** A run begins to wait for one more emit. @category steps */
export const lend = (m: Machine, run: Run): void => {
  if (++run.pending !== 1) return
  if (run.state === "returning") {
    // One of its emits had ended, and it emits again before it had its permit back.
    m.permits.forget(run)
    if (run.held !== undefined) m.commands.push(run.held)
    run.held = undefined
    run.state = "lent"
    return
  }
  run.state = "lent"
  m.permits.release(run)
}

/** One of the emits that a run awaits has ended. @category steps */
export const back = (m: Machine, wake: Wake): void => {
  if (--wake.run.pending > 0) m.commands.push(wake)
  else hold(m, wake)
}

/** A run goes on as soon as it has its permit. @category steps */
export const hold = (m: Machine, wake: Wake): void => {
  wake.run.held = wake
  wake.run.state = "returning"
  m.permits.want(wake.run)
}

/** Whoever emitted no longer waits: what the emit started is stopped, and the emitter is told when it has. @category steps */
export const emitStopped = (m: Machine, run: Run, op: number): void => {
  const frame = m.awaited?.get(op)
  const wake: Wake = { _tag: "Wake", run, op: -op, exit: Exit.void }
  if (frame === undefined) {
    // It has ended meanwhile. If its handler still waits for a permit, it goes on waiting.
    if (run.held?.op === op) run.held = wake
    else m.commands.push(wake)
    return
  }
  m.awaited?.delete(op)
  settled(run, frame)
  if (frame.key !== undefined) run.ops?.delete(frame.key)
  // What goes wrong while it stops is a failure of who waited.
  const then = (all: Cause.Cause<unknown>): void => {
    if (all.reasons.length > 0) m.raiseFrom(run.body, all, undefined)
  }
  m.stop(frame, Cause.empty, then, () => {
    if (run.stopping) m.commands.push(wake)
    else back(m, wake)
  })
}

/** Fills a slot of a gate. @category steps */
export const fill = (
  m: Machine,
  listener: Listener,
  frame: Frame,
  value: unknown
): Result.Result<unknown, Cause.Cause<unknown>> => {
  const gate = listener.gate
  if (gate === undefined) return Result.succeed(value)
  m.gates ??= new Gates()
  return Result.mapError(m.gates.fill(gate, listener.slot, value, frame.scope), (defect) => Cause.die(defect))
}

/** Brings a value to a collector. @category steps */
export const collect = (m: Machine, body: Frame, node: CollectNode, value: unknown): void => {
  m.collectors ??= new Collectors()
  const full = m.collectors.bring(node.collector, node.branch, value, body.signal?.root ?? 0)
  const name = node.collector.name
  if (full !== undefined) nested(m, body, name, Plans.listeners(m.plan.collectors, name), full)
}
