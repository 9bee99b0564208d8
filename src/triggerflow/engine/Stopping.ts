/**
 * How failures go: up to the nearest place that keeps them to itself, and everything inside of that place is stopped
 * first. A part of the machine.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Frame, isHome, keeps, type Member, type Run, settled, within } from "./Frame.ts"
import type { Machine } from "./Machine.ts"

/**
 * A place in which something stops. Places count what stops directly in them, members and places; so stopping costs what
 * is stopped, however deep it stands, and the innermost is done first.
 *
 * @category models
 */
export interface Place {
  count: number
  /** The place was told to stop as a whole; what is done then, unless something around it was told too. */
  then: ((cause: Cause.Cause<unknown>) => void) | undefined
  told: boolean
  cause: Cause.Cause<unknown>
  /** What is done in any case. */
  always: Array<() => void> | undefined
}

/**
 * What stops in an execution. The execution as a whole is the place `undefined`.
 *
 * @category models
 */
export class Stops {
  readonly places = new Map<Frame | undefined, Place>()
  readonly members = new Set<Member>()

  /** The place of a frame. */
  at(frame: Frame | undefined): Place {
    const known = this.places.get(frame)
    if (known !== undefined) return known
    const place: Place = { count: 0, then: undefined, told: false, cause: Cause.empty, always: undefined }
    this.places.set(frame, place)
    return place
  }

  /** Adds something that stops, once. */
  add(member: Member, frame: Frame): void {
    if (this.members.has(member)) return
    this.members.add(member)
    let at: Frame | undefined = frame
    while (++this.at(at).count === 1 && at !== undefined) at = around(at)
  }

  /** Whether a frame stands in something that was told to stop. */
  within(frame: Frame | undefined): boolean {
    let at = frame
    while (true) {
      if (this.places.get(at)?.told === true) return true
      if (at === undefined) return false
      at = around(at)
    }
  }

  /** Something has stopped; what goes wrong meanwhile is told to every place around it. */
  remove(member: Member, frame: Frame, cause: Cause.Cause<unknown> | undefined): boolean {
    if (!this.members.delete(member)) return false
    // Being interrupted is no failure here.
    if (cause !== undefined && !Cause.hasInterruptsOnly(cause)) {
      for (let at: Frame | undefined = frame; ; at = around(at)) {
        const place = this.places.get(at)
        if (place?.told === true) place.cause = Cause.combine(place.cause, cause)
        if (at === undefined) break
      }
    }
    let at: Frame | undefined = frame
    while (true) {
      const place = this.places.get(at)
      if (place === undefined || --place.count > 0) return true
      this.done(at, place)
      if (at === undefined) return true
      at = around(at)
    }
  }

  /** Nothing of a place is left. */
  done(frame: Frame | undefined, place: Place): void {
    this.places.delete(frame)
    for (const act of place.always ?? []) act()
    if (place.then !== undefined && !(frame !== undefined && this.within(around(frame)))) place.then(place.cause)
  }
}

const around = (frame: Frame): Frame | undefined => frame.parent ?? frame.run?.body

/** What a body ends with whose failure is kept. @category models */
export class Failed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** A thread of a body has failed. @category steps */
export const raise = (m: Machine, body: Frame, cause: Cause.Cause<unknown>): void => {
  raiseFrom(m, body, cause, body)
}

/**
 * A failure goes up to the nearest place that keeps it to itself; everything inside of that place is stopped. True where
 * it stops nothing, since failures only end their own chain.
 *
 * @category steps
 */
export const raiseFrom = (m: Machine, from: Frame, cause: Cause.Cause<unknown>, thread: Frame | undefined): boolean => {
  // An item keeps typed failures; a defect goes on upward.
  const typed = Cause.hasDies(cause) ? Option.none() : Cause.findErrorOption(cause)
  /** Nothing else can be at work in the frames on the way. */
  let alone = thread !== undefined
  let at: Frame | undefined = from
  while (at !== undefined) {
    const parent: Frame | undefined = at.parent
    const node = parent?.step?.node
    alone = alone && at.live === 1
    if (at.kind === "body" && keeps(node) && Option.isSome(typed)) {
      keep(m, at, cause, alone, typed.value)
      return false
    }
    if (at.kind === "signal" && at.mode === "exit") {
      const frame = at
      const done = (all: Cause.Cause<unknown>): void => {
        const exit = Exit.succeed(Exit.failCause(all))
        if (frame.run === undefined) {
          m.rootEnded(frame)
          return m.reply(frame.op, exit)
        }
        m.awaited?.delete(frame.op)
        settled(frame.run, frame)
        m.told(frame, frame.run, exit)
      }
      if (alone) done(cause)
      else stop(m, frame, cause, done)
      return false
    }
    // Whoever waits for an emit is at work too.
    if (parent === undefined) alone = false
    at = parent ?? at.run?.body
  }
  if (m.options.failures === "fail") {
    m.end("failed", cause)
    return false
  }
  m.failures.push(cause)
  if (thread !== undefined) m.drop(thread)
  return true
}

/** An item, or a branch, keeps its failure, once everything in it has stopped. */
const keep = (m: Machine, item: Frame, cause: Cause.Cause<unknown>, alone: boolean, error: unknown): void => {
  const done = (all: Cause.Cause<unknown>): void => {
    item.live = 1
    // What went wrong while it stopped is no failure that an item may keep: it stops the other items too.
    if (Cause.hasDies(all)) return raise(m, item, all)
    item.value = new Failed(error)
    m.leave(item)
  }
  if (alone) done(cause)
  else stop(m, item, cause, done)
}

/** Whether something is inside of what was told to stop. @category steps */
export const stopping = (m: Machine, frame: Frame): boolean => m.stops?.within(frame) === true

/** Takes a member that has ended out of what was told to stop; false where it was not told to. @category steps */
export const stopped = (m: Machine, member: Member, frame: Frame, cause: Cause.Cause<unknown> | undefined): boolean => {
  if (m.stops?.remove(member, frame, cause) !== true) return false
  if (m.stops.places.size === 0) m.stops = undefined
  return true
}

/** Tells everything inside of a frame (or everything at all) to stop; goes on when it has. @category steps */
export const stop = (
  m: Machine,
  frame: Frame | undefined,
  cause: Cause.Cause<unknown>,
  then: ((cause: Cause.Cause<unknown>) => void) | undefined,
  always?: () => void
): void => {
  const stops = (m.stops ??= new Stops())
  // Where everything around it stops, everything inside of it was told before.
  if (!stops.within(frame)) tell(m, stops, frame)
  const place = stops.at(frame)
  place.told = true
  place.cause = cause
  place.then = then
  if (always !== undefined) (place.always ??= []).push(always)
  if (place.count > 0) return
  stops.done(frame, place)
  if (stops.places.size === 0) m.stops = undefined
}

interface Contents {
  readonly runs: ReadonlyArray<Run>
  /** Signals that handlers wait for. */
  readonly emits: ReadonlyArray<Frame>
  readonly sleepers: ReadonlyArray<Frame>
}

/** The handlers inside of a frame, the signals that they wait for, oldest first, and what sleeps in it. */
const contents = (m: Machine, frame: Frame | undefined): Contents => {
  if (frame === undefined || !isHome(frame)) {
    const inside = (run: Run | undefined) => run !== undefined && (frame === undefined || within(run.body, frame))
    return {
      runs: [...m.runs].filter(inside),
      emits: [...(m.awaited?.values() ?? [])].filter(({ run }) => inside(run)),
      sleepers: [...(m.sleepers ?? [])].filter((sleeper) => frame === undefined || within(sleeper, frame))
    }
  }
  // What a home holds is found without looking at anything else: many may be stopped at once.
  const runs: Array<Run> = []
  const emits: Array<Frame> = []
  const sleepers: Array<Frame> = []
  const homes = [frame]
  for (let home = homes.pop(); home !== undefined; home = homes.pop()) {
    for (let run = home.first; run !== undefined; run = run.right) {
      runs.push(run)
      for (let emit = run.emits; emit !== undefined; emit = emit.following) homes.push(emit)
    }
    for (const inner of home.inner ?? []) homes.push(inner)
    if (m.sleepers !== undefined) sleepers.push(...m.sleepers.at(home))
    if (home !== frame && m.awaited?.get(home.op) === home) emits.push(home)
  }
  return { runs: runs.sort((a, b) => a.id - b.id), emits: emits.sort((a, b) => a.op - b.op), sleepers }
}

/** Tells everything inside of a frame to stop. */
const tell = (m: Machine, stops: Stops, frame: Frame | undefined): void => {
  const inside = (other: Frame) => frame === undefined || within(other, frame)
  if (m.work.length > 0)
    m.work = m.work.filter((item) => item !== undefined && !inside(item._tag === "go" ? item.body : item.frame))
  if (frame === undefined) m.forks.clear()
  const { emits, runs, sleepers } = contents(m, frame)
  for (const sleeper of sleepers) {
    m.sleepers?.delete(sleeper)
    m.mark(sleeper.step, 4)
  }
  if (runs.some(({ state }) => state === "paused"))
    for (const one of m.interrupts?.values() ?? []) if (inside(one.run.body)) m.forgetWaiting(one, "cancelled")
  for (const run of runs) {
    if (run.state !== "queued") m.mark(run.step, 4)
    if (run.state === "queued" || run.state === "paused") {
      m.quit(run)
      continue
    }
    stops.add(run, run.body)
    if (run.stopping) continue
    run.stopping = true
    m.commands.push({ _tag: "Stop", run })
    if (run.held !== undefined) {
      // It stops without its permit; what cannot be interrupted now is told first that it must.
      m.permits.forget(run)
      m.commands.push(run.held)
      run.held = undefined
      run.state = "lent"
    }
  }
  for (const decision of m.decisions ?? []) {
    if (!inside(decision.frame)) continue
    stops.add(decision, decision.frame)
    m.commands.push({ _tag: "StopDecision", decision })
  }
  for (const child of m.children ?? []) {
    if (!inside(child)) continue
    stops.add(child, child)
    m.commands.push({ _tag: "StopChild", frame: child })
  }
  // A handler that cannot be interrupted now may wait for an emit: it is told once everything of it has stopped.
  for (const emit of emits) {
    const { op, run } = emit
    if (run === undefined) continue
    const tellRun = (): void => void m.commands.push({ _tag: "Wake", run, op, exit: Exit.interrupt() })
    const place = stops.places.get(emit)
    if (place === undefined) tellRun()
    else (place.always ??= []).push(tellRun)
  }
}
