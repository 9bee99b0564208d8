/**
 * Who may be at work: the limit of the execution and the limits of single chunks. A run is active while no emit that it
 * awaits is pending; it lends its permit meanwhile and takes it back ahead of new runs. Queues are first in, first out.
 */
import type { Run } from "./Frame.ts"
import type { ChunkStep } from "./Plan.ts"

/** A place in a line; it is worth nothing any more once its run has asked anew. */
interface Place {
  readonly run: Run
  readonly turn: number
}

class Fifo {
  items: Array<Place> = []
  head = 0

  push(run: Run): void {
    this.items.push({ run, turn: run.turn })
  }

  /** The next run that still wants what it stood in line for. */
  shift(): Run | undefined {
    while (this.head < this.items.length) {
      const place = this.items[this.head++]
      if (this.head > 1024 && this.head * 2 > this.items.length) {
        this.items = this.items.slice(this.head)
        this.head = 0
      }
      if (place === undefined || place.run.turn !== place.turn) continue
      const { run } = place
      if (run.state === "queued" || run.state === "returning") return run
    }
    this.items = []
    this.head = 0
    return undefined
  }
}

class Line {
  active = 0
  /** Absent until somebody has to wait. */
  returning: Fifo | undefined = undefined
  ready: Fifo | undefined = undefined
  readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** Takes a permit, or stands in line. */
  take(run: Run): boolean {
    if (this.active < this.limit) {
      this.active++
      return true
    }
    if (run.state === "returning") (this.returning ??= new Fifo()).push(run)
    else (this.ready ??= new Fifo()).push(run)
    return false
  }

  /** Who stands in line and has not begun. */
  *waiting(): Generator<Run> {
    const { ready } = this
    if (ready === undefined) return
    for (const { run, turn } of ready.items.slice(ready.head))
      if (run.turn === turn && run.state === "queued") yield run
  }

  /** Who stands in line to go on. */
  *back(): Generator<Run> {
    const { returning } = this
    if (returning === undefined) return
    for (const { run, turn } of returning.items.slice(returning.head))
      if (run.turn === turn && run.state === "returning") yield run
  }

  /** Gives a permit back; gives the run that has it now. */
  release(): Run | undefined {
    const next = this.returning?.shift() ?? this.ready?.shift()
    if (next === undefined) this.active--
    return next
  }
}

/**
 * The permits of one execution. `begin` is called for a run when it has what it needs.
 *
 * @category models
 */
export class Permits {
  readonly all: Line
  readonly begin: (run: Run) => void
  chunks: Map<ChunkStep, Line> | undefined = undefined

  constructor(limit: number, begin: (run: Run) => void) {
    this.all = new Line(limit)
    this.begin = begin
  }

  /** Asks for a permit; the run begins now or when its turn comes. */
  want(run: Run): void {
    run.turn++
    const line = this.line(run)
    if (line !== undefined) {
      if (!line.take(run)) return
      run.slot = true
    }
    if (this.all.take(run)) this.begin(run)
  }

  /** A run is at work already: it has what it needs. */
  has(run: Run): void {
    this.all.active++
    const line = this.line(run)
    if (line === undefined) return
    line.active++
    run.slot = true
  }

  /** The line of its chunk, where the chunk has a limit of its own. */
  private line({ step }: Run): Line | undefined {
    const limit = step.node.settings.concurrency
    if (limit === undefined) return undefined
    const known = this.chunks?.get(step)
    if (known !== undefined) return known
    const line = new Line(limit)
    ;(this.chunks ??= new Map()).set(step, line)
    return line
  }

  /** Gives the permits of a run that was at work back. */
  release(run: Run): void {
    const next = this.all.release()
    if (next !== undefined) this.begin(next)
    this.forget(run)
  }

  /** The runs that stand in line and have not begun, in the order in which they would. */
  *waiting(): Generator<Run> {
    yield* this.all.waiting()
    for (const line of this.chunks?.values() ?? []) yield* line.waiting()
  }

  /** The runs that stand in line to go on, in the order in which they will. */
  *returning(): Generator<Run> {
    for (const line of this.chunks?.values() ?? []) yield* line.back()
    yield* this.all.back()
  }

  /** Gives back what a run has that stood in line and no longer does: at most the permit of its chunk. */
  forget(run: Run): void {
    run.turn++
    if (!run.slot) return
    run.slot = false
    const after = this.chunks?.get(run.step)?.release()
    if (after === undefined) return
    after.slot = true
    if (this.all.take(after)) this.begin(after)
  }
}
