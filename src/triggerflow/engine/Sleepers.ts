/**
 * Steps that wait for a time: no handler is at work and nobody is asked. A part of the machine, which has no clock: the
 * engine says until when a step sleeps, and when that time has come.
 */
import * as Exit from "effect/Exit"
import { Frame } from "./Frame.ts"
import type { Machine } from "./Machine.ts"
import type { PlainStep } from "./Plan.ts"
import * as Stopping from "./Stopping.ts"

/** A thread that sleeps. @category models */
export interface Sleeper {
  readonly frame: Frame
  /** In milliseconds since 1970. */
  readonly until: number
  /** It was woken, or stopped. */
  gone: boolean
}

const before = (a: Sleeper, b: Sleeper): boolean =>
  a.until < b.until || (a.until === b.until && a.frame.id < b.frame.id)

/**
 * Everything that sleeps in an execution, by the ids of their frames, and which of them is due first.
 *
 * @category models
 */
export class Sleepers {
  /** Until when they sleep is being asked. */
  readonly drowsy = new Map<number, Frame>()
  readonly asleep = new Map<number, Sleeper>()
  /** Those of each home, so that stopping one costs what is stopped. */
  private readonly homes = new Map<Frame, Set<Frame>>()
  /** A binary heap, first due first. Those that are gone are taken out where they come up, or are too many. */
  private heap: Array<Sleeper> = []

  get size(): number {
    return this.drowsy.size + this.asleep.size
  }

  /** A thread begins to sleep; `until` is absent where it is to be asked. */
  add(frame: Frame, until: number | undefined): void {
    const home = this.homes.get(frame.home) ?? new Set()
    this.homes.set(frame.home, home.add(frame))
    if (until === undefined) this.drowsy.set(frame.id, frame)
    else this.settle(frame, until)
  }

  /** It is known until when. */
  settle(frame: Frame, until: number): void {
    this.drowsy.delete(frame.id)
    const sleeper: Sleeper = { frame, until, gone: false }
    this.asleep.set(frame.id, sleeper)
    if (this.heap.length > 2 * this.asleep.size + 16) this.heap = [...this.asleep.values()].toSorted(compare)
    else this.push(sleeper)
  }

  /** A thread sleeps no longer. */
  delete(frame: Frame): void {
    this.drowsy.delete(frame.id)
    const sleeper = this.asleep.get(frame.id)
    if (sleeper !== undefined) sleeper.gone = true
    this.asleep.delete(frame.id)
    const home = this.homes.get(frame.home)
    home?.delete(frame)
    if (home?.size === 0) this.homes.delete(frame.home)
  }

  /** Those that stand directly in a home. */
  at(home: Frame): Iterable<Frame> {
    return this.homes.get(home) ?? []
  }

  *[Symbol.iterator](): Generator<Frame> {
    for (const home of this.homes.values()) yield* home
  }

  /** When the first is due. */
  get first(): number | undefined {
    for (let top = this.heap[0]; top !== undefined; top = this.heap[0]) {
      if (!top.gone) return top.until
      this.pop()
    }
    return undefined
  }

  /** Takes out those that are due, first due first. They sleep on until the machine is told. */
  due(now: number): ReadonlyArray<Sleeper> {
    const out: Array<Sleeper> = []
    for (let top = this.heap[0]; top !== undefined && (top.gone || top.until <= now); top = this.heap[0]) {
      this.pop()
      if (!top.gone) out.push(top)
    }
    return out
  }

  private push(sleeper: Sleeper): void {
    const { heap } = this
    let at = heap.length
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !before(sleeper, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = sleeper
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      const least = right !== undefined && left !== undefined && before(right, left) ? right : left
      if (least === undefined || !before(least, last)) break
      heap[at] = least
      at = least === left ? 2 * at + 1 : 2 * at + 2
    }
    heap[at] = last
  }
}

const compare = (a: Sleeper, b: Sleeper): number => (before(a, b) ? -1 : 1)

/** A thread comes to a step that sleeps. @category steps */
export const begin = (m: Machine, body: Frame, step: PlainStep, value: unknown): void => {
  const frame = new Frame("operator", m.ids++, body, 0)
  frame.step = step
  frame.value = value
  ;(m.sleepers ??= new Sleepers()).add(frame, undefined)
  m.commands.push({ _tag: "Sleep", frame })
}

/** It is known until when it sleeps. @category steps */
export const settled = (m: Machine, frame: Frame, until: Exit.Exit<number, unknown>): void => {
  // It may have been stopped meanwhile.
  if (frame.parent === undefined || m.sleepers?.drowsy.has(frame.id) !== true) return
  if (Exit.isSuccess(until)) {
    m.sleepers.settle(frame, until.value)
    m.commands.push({ _tag: "Alarm" })
    return
  }
  m.sleepers.delete(frame)
  m.mark(frame.step, 2)
  Stopping.raise(m, frame.parent, until.cause)
}

/** Its time has come. @category steps */
export const awoken = (m: Machine, frame: Frame): void => {
  if (frame.parent === undefined || m.sleepers?.asleep.has(frame.id) !== true) return
  m.sleepers.delete(frame)
  m.mark(frame.step, 1)
  m.go(frame.parent, frame.step?.next, frame.value)
}

/** Lets everything go on that was loaded: what has no time yet is asked again. @category steps */
export const resume = (m: Machine): void => {
  if (m.sleepers === undefined) return
  for (const frame of m.sleepers.drowsy.values()) m.commands.push({ _tag: "Sleep", frame })
  if (m.sleepers.asleep.size > 0) m.commands.push({ _tag: "Alarm" })
}

/** Ends the threads that sleep, where the execution closes without them. @category steps */
export const drop = (m: Machine): void => {
  for (const frame of [...(m.sleepers ?? [])]) {
    m.sleepers?.delete(frame)
    m.mark(frame.step, 4)
    if (frame.parent !== undefined) m.drop(frame.parent)
  }
}
