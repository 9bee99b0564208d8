/**
 * The threads of the oracle: generators that take turns on a virtual clock, and what is known about their order.
 *
 * Every access to something shared is an event that knows its causal past. Two that do not commute, are not ordered by
 * cause and, where time can be relied on (`timed`), happen at the same instant are a race. A failure ends its isolator:
 * what happened beside it at that instant without being in its past may not have happened.
 */
import type { Random } from "./Random.ts"

type Wait = (resume: () => void) => void
export type Proc<A> = Generator<Wait, A, void>

/** A thread that failed, or one whose container lost a body, goes no further. */
export const dropped = Symbol("dropped")

interface Failure {
  readonly code: string
  readonly kind: "error" | "defect" | "cancel" | "stop"
  readonly past: bigint
}

/** A place that keeps failures to itself. */
export class Isolator {
  readonly parent: Isolator | undefined
  readonly takesDefects: boolean
  readonly failures: Array<Failure> = []
  settled = false

  constructor(parent: Isolator | undefined, takesDefects: boolean) {
    this.parent = parent
    this.takesDefects = takesDefects
  }

  within(other: Isolator): boolean {
    return this === other || this.parent?.within(other) === true
  }

  get depth(): number {
    return this.parent === undefined ? 0 : this.parent.depth + 1
  }

  get dying(): boolean {
    return this.failures.length > 0 || this.parent?.dying === true
  }
}

export class Thread {
  past: bigint
  readonly isolator: Isolator
  readonly proc: Proc<unknown>
  value: unknown
  isEnded = false
  isDropped = false
  /** It was told to stop, and ends at this time. */
  endsAt: number | undefined
  readonly waiters: Array<() => void> = []
  readonly held = new Set<Limit>()
  /** What it has started and what waits for, to know how long it takes to stop. */
  readonly children: Array<Thread> = []
  awaits: ReadonlyArray<Thread> = []
  /** How long it takes to stop. */
  linger = 0
  onKill: ((time: number) => void) | undefined

  constructor(proc: Proc<unknown>, isolator: Isolator, past: bigint) {
    this.proc = proc
    this.isolator = isolator
    this.past = past
  }
}

/** Whether a failure of some of these ends who waits for them. Under the policy `continue` nothing is dying. */
export const lost = (threads: ReadonlyArray<Thread>, isolator: Isolator): boolean =>
  isolator.dying && threads.some(({ isDropped }) => isDropped)

type PermitKind = "new" | "back" | "release"

/** Permits: those that come back go first, otherwise first in, first out. */
export class Limit {
  readonly max: number
  active = 0
  queue: Array<{ readonly thread: Thread; readonly kind: PermitKind; readonly resume: () => void }> = []
  contendedAt = -1
  instant = -1
  events: Array<{ readonly id: number; readonly kind: PermitKind }> = []

  constructor(max: number) {
    this.max = max
  }
}

interface Event {
  readonly id: number
  readonly time: number
  readonly isolator: Isolator
  readonly onMaybe: () => void
}

interface Timer {
  readonly time: number
  readonly thread: Thread
  /** It ends the thread. */
  readonly isEnd: boolean
  readonly resume: () => void
}

const commutes: Readonly<Record<string, ReadonlyArray<string>>> = { add: ["add"], append: ["append"], read: ["read"] }

/** What may happen to a shared thing whose accesses are in a race. */
export interface Shared {
  /** Others are told of its changes: then these are in the race too. */
  readonly isListened: boolean
  /** Its value is not determined. */
  readonly taint: () => void
  /** It is a list whose order is not determined. */
  readonly unorder: () => void
  readonly isUnsure: () => boolean
}

/** How many steps a program may take. */
const most = 8000

/** A program does more than is worth looking at. */
export class TooLong extends Error {}

export class Threads {
  /** Whether times are reliable. */
  readonly timed: boolean
  /** Chooses who goes on, and lets failures interrupt at once; absent: the first, at the end of the instant. */
  readonly random: Random | undefined
  readonly root: Isolator = new Isolator(undefined, true)
  readonly failing = new Set<Isolator>()
  readonly limits: Array<Limit> = []
  private readonly events: Array<Event> = []
  private readonly accesses = new Map<
    string,
    Array<{ readonly id: number; readonly time: number; readonly kind: string }>
  >()
  live: Array<Thread> = []
  private ready: Array<Thread> = []
  private timers: Array<Timer> = []
  private current: Thread | undefined
  private steps = 0
  now = 0
  /** Why nothing can be compared. */
  why: string | undefined
  /** Who gets a permit is not determined, and with it all times. */
  timeRace = false

  constructor(timed: boolean, random?: Random) {
    this.timed = timed
    this.random = random
  }

  get me(): Thread {
    if (this.current === undefined) throw new Error("no thread is running")
    return this.current
  }

  undetermined(why: string): void {
    this.why ??= why
  }

  // Events and races

  event(onMaybe: () => void, thread: Thread = this.me): number {
    const id = this.events.length
    this.events.push({ id, time: this.now, isolator: thread.isolator, onMaybe })
    thread.past |= 1n << BigInt(id)
    return id
  }

  private knows(thread: Thread, id: number): boolean {
    return ((thread.past >> BigInt(id)) & 1n) === 1n
  }

  access(name: string, kind: string, shared: Shared): void {
    const known = this.accesses.get(name) ?? []
    this.accesses.set(name, known)
    for (const other of known) {
      if ((this.timed && other.time !== this.now) || this.knows(this.me, other.id)) continue
      if (kind === "read" || other.kind === "read") {
        if (kind !== other.kind) this.undetermined(`a read of ${name} beside a write`)
      } else if (commutes[kind]?.includes(other.kind) === true) {
        if (kind === "append") shared.unorder()
        if (shared.isListened) this.undetermined(`listeners of ${name}`)
      } else {
        shared.taint()
        // Each listener of a set is given the value of its own write.
        if (shared.isListened && (kind !== "set" || other.kind !== "set")) this.undetermined(`listeners of ${name}`)
      }
    }
    if (kind === "read" && shared.isUnsure()) this.undetermined(`a read of ${name} after a race`)
    const maybe = () => {
      if (kind === "read") return
      shared.taint()
      if (shared.isListened) this.undetermined(`listeners of ${name}`)
    }
    known.push({ id: this.event(maybe), time: this.now, kind })
  }

  /** What happened in an isolator without being ordered before its failure may not have happened. */
  settle(isolator: Isolator): void {
    if (isolator.settled) return
    isolator.settled = true
    if (new Set(isolator.failures.map(({ kind }) => kind)).size > 1) this.undetermined("an error and a defect at once")
    let must = isolator.failures[0]?.past ?? 0n
    for (const { past } of isolator.failures) must &= past
    for (const event of this.events) {
      if (this.timed && event.time !== this.now) continue
      if (((must >> BigInt(event.id)) & 1n) === 1n || !event.isolator.within(isolator)) continue
      event.onMaybe()
    }
  }

  // Threads

  spawn(proc: Proc<unknown>, isolator: Isolator, isForked = false): Thread {
    const parent = this.current
    const thread = new Thread(proc, isolator, parent?.past ?? 0n)
    this.live.push(thread)
    if (!isForked) parent?.children.push(thread)
    this.step(thread)
    this.current = parent
    // What is started first reaches its first handler before what is started next.
    if (parent !== undefined && !isForked) parent.past |= thread.past
    return thread
  }

  private step(thread: Thread): void {
    if (thread.isEnded || thread.endsAt !== undefined) return
    // A sample of a program that was short enough may be somewhat longer.
    if (this.steps++ > most * (this.random === undefined ? 1 : 4)) throw new TooLong(`more than ${most} steps`)
    this.current = thread
    try {
      const next = thread.proc.next()
      if (next.done !== true) {
        next.value(() => {
          this.ready.push(thread)
        })
        return
      }
      thread.value = next.value
    } catch (cause) {
      if (cause !== dropped) throw cause
      thread.isDropped = true
    }
    this.finish(thread)
  }

  private finish(thread: Thread): void {
    thread.isEnded = true
    this.live = this.live.filter((other) => other !== thread)
    for (const waiter of thread.waiters) waiter()
    for (const limit of thread.held) this.release(limit, thread)
  }

  /** When a thread that is told to stop now has ended: it waits for what it awaits, then takes its own time. */
  private endOf(thread: Thread): number {
    const below = (one: Thread): number => Math.max(this.endOf(one), ...one.children.map(below))
    if (thread.isEnded) return this.now
    return thread.endsAt ?? Math.max(this.now, ...thread.awaits.map(below)) + thread.linger
  }

  private kill(isolator: Isolator): void {
    const threads = this.live.filter((one) => one.isolator.within(isolator) && one.endsAt === undefined)
    for (const limit of this.limits) limit.queue = limit.queue.filter(({ thread }) => !thread.isolator.within(isolator))
    const ends = threads.map((thread) => this.endOf(thread))
    for (const [index, thread] of threads.entries()) {
      const time = ends[index] ?? this.now
      thread.isDropped = true
      thread.endsAt = time
      thread.onKill?.(time)
      if (time === this.now) this.finish(thread)
      else this.timers.push({ time, thread, isEnd: true, resume: () => this.finish(thread) })
    }
  }

  *hop(): Proc<void> {
    yield (resume) => resume()
  }

  *sleep(ms: number): Proc<void> {
    const thread = this.me
    yield (resume) => this.timers.push({ time: this.now + ms, thread, isEnd: false, resume })
  }

  *join(threads: ReadonlyArray<Thread>): Proc<void> {
    const { me } = this
    me.awaits = threads
    for (const thread of threads) {
      if (!thread.isEnded) yield (resume) => thread.waiters.push(resume)
      me.past |= thread.past
    }
    me.awaits = []
  }

  /** Waits until one of them has ended. */
  *oneOf(threads: ReadonlyArray<Thread>): Proc<void> {
    let woken = false
    yield (resume) => {
      for (const thread of threads)
        thread.waiters.push(() => {
          if (!woken) resume()
          woken = true
        })
    }
  }

  /** Waits until what was told to stop in an isolator has ended. */
  *stopped(isolator: Isolator): Proc<void> {
    this.settle(isolator)
    for (;;) {
      const left = this.live.filter((one) => one.endsAt !== undefined && one.isolator.within(isolator))
      if (left.length === 0) return
      yield* this.join(left)
    }
  }

  // Failures

  /** Ends a thread with a failure. `keeps`: what no isolator takes ends the thread alone. */
  fail(from: Isolator, code: string, kind: "error" | "defect", keeps: boolean): never {
    for (let at: Isolator | undefined = from; at !== undefined; at = at.parent) {
      if ((kind === "defect" && !at.takesDefects) || (at === this.root && keeps)) continue
      // Where something inside fails at the same instant, it may never come to this.
      this.event(() => this.undetermined("an outer failure beside an inner one"))
      at.failures.push({ code, kind, past: this.me.past })
      this.failing.add(at)
      throw dropped
    }
    throw dropped
  }

  /** Ends the execution from inside. */
  stop(): never {
    this.event(() => this.undetermined("a stop beside a failure"))
    this.root.failures.push({ code: "stopped", kind: "stop", past: this.me.past })
    this.failing.add(this.root)
    throw dropped
  }

  cancel(): void {
    this.root.failures.push({ code: "cancelled", kind: "cancel", past: 0n })
    this.failing.add(this.root)
  }

  /** Interrupts the innermost isolator with a failure that is not dealt with. */
  private interrupt(): boolean {
    const found = [...this.failing].filter(({ settled }) => !settled)
    const [inner] = found.toSorted((a, b) => b.depth - a.depth)
    if (inner === undefined) return false
    this.settle(inner)
    this.kill(inner)
    if (inner === this.root) {
      this.ready = []
      this.timers = []
    }
    return true
  }

  // Permits

  limit(max: number): Limit {
    const limit = new Limit(max)
    this.limits.push(limit)
    return limit
  }

  private note(limit: Limit, kind: PermitKind, thread: Thread): void {
    if (limit.instant !== this.now) {
      limit.instant = this.now
      limit.events = []
    }
    // Somebody has to wait, and whoever came at this instant without order may as well have come later.
    const races = limit.events.some(
      (other) => !this.knows(thread, other.id) && (kind !== "release" || other.kind !== "release")
    )
    if (limit.contendedAt === this.now && races) this.timeRace = true
    const maybe = () => {
      if (limit.contendedAt === this.now) this.timeRace = true
    }
    limit.events.push({ id: this.event(maybe, thread), kind })
  }

  *acquire(limit: Limit, kind: "new" | "back"): Proc<void> {
    const thread = this.me
    const waits = limit.active >= limit.max
    if (waits) limit.contendedAt = this.now
    this.note(limit, kind, thread)
    if (waits)
      yield (resume) => {
        const behind = kind === "back" ? limit.queue.findIndex((other) => other.kind === "new") : -1
        limit.queue.splice(behind < 0 ? limit.queue.length : behind, 0, { thread, kind, resume })
      }
    else limit.active++
    thread.held.add(limit)
  }

  release(limit: Limit, thread: Thread = this.me): void {
    thread.held.delete(limit)
    if (limit.queue.length > 0) limit.contendedAt = this.now
    this.note(limit, "release", thread)
    const next = limit.queue.shift()
    if (next === undefined) limit.active--
    else {
      next.thread.held.add(limit)
      next.resume()
    }
  }

  // Time

  /** Lets everything happen that `begin` starts. */
  run(begin: () => void): void {
    begin()
    for (;;) {
      this.current = undefined
      while (this.ready.length > 0) {
        const [thread] = this.ready.splice(this.random?.int(0, this.ready.length - 1) ?? 0, 1)
        if (thread !== undefined) this.step(thread)
        if (this.random !== undefined) this.interrupt()
      }
      if (this.timed && this.interrupt()) continue
      this.timers = this.timers.filter(({ thread, isEnd }) => !thread.isEnded && (isEnd || thread.endsAt === undefined))
      const next = this.timers.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY)
      if (next === Number.POSITIVE_INFINITY) break
      this.now = next
      const due = this.timers.filter(({ time }) => time === next)
      this.timers = this.timers.filter(({ time }) => time !== next)
      for (const { resume } of due) resume()
    }
    for (const isolator of this.failing) this.settle(isolator)
    if (this.live.length > 0 && this.root.failures.length === 0)
      throw new Error("some thread of the oracle never ended")
  }
}
