/**
 * A world in which nothing happens by chance: one queue of tasks for all fibers, out of which a seed picks, and a clock
 * that moves on when nobody has anything to do. Everything runs in one synchronous loop, so thousands of executions take
 * seconds, and an execution that is stuck is seen at once instead of by a time-out.
 *
 * Effect's TestClock wakes one sleeper after another and waits for each with a live timer; here all whose time has come
 * are woken at once, so that the seed also decides who of them goes first.
 */
import { Clock, Context, Duration, Effect, type Fiber, Scheduler } from "effect"
import type { Random } from "./Random.ts"

type Task = () => void

export class World {
  /** Picks the next task; absent: first in, first out. */
  readonly random: Random | undefined
  now = 0
  steps = 0
  private tasks: Array<Task> = []
  private timers: Array<{ readonly time: number; readonly wake: Task }> = []
  private quiets: Array<Task> = []
  readonly context: Context.Context<never>

  constructor(random?: Random) {
    this.random = random
    const scheduler: Scheduler.Scheduler = {
      executionMode: "async",
      // Now and then a fiber has to let others run in the middle of its work.
      shouldYield: (fiber) => fiber.currentOpCount >= (random === undefined ? 2048 : 400),
      makeDispatcher: () => ({
        scheduleTask: (task) => {
          this.tasks.push(task)
        },
        flush: () => undefined
      })
    }
    const nanos = () => BigInt(Math.round(this.now * 1_000_000))
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => this.now,
      currentTimeMillis: Effect.sync(() => this.now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const timer = { time: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
          this.timers.push(timer)
          return Effect.sync(() => {
            this.timers = this.timers.filter((other) => other !== timer)
          })
        })
    }
    this.context = Context.empty().pipe(
      Context.add(Scheduler.Scheduler, scheduler),
      Context.add(Clock.Clock, clock)
      // References need not stand in the type of a context.
    ) as Context.Context<never>
  }

  /** Starts something beside. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** Waits until nobody has anything to do, neither now nor later. */
  readonly quiet: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.quiets.push(() => resume(Effect.void))
  })

  /** What is still to be done. */
  get left(): { readonly tasks: number; readonly timers: number } {
    return { tasks: this.tasks.length, timers: this.timers.length }
  }

  /** Lets everything happen. Throws where it does not come to an end. */
  run(most = 200_000): void {
    for (;;) {
      while (this.tasks.length > 0) {
        if (this.steps++ > most) throw new Error(`no end after ${most} tasks`)
        const [task] = this.tasks.splice(this.random?.int(0, this.tasks.length - 1) ?? 0, 1)
        task?.()
      }
      const next = this.timers.reduce((least, { time }) => Math.min(least, time), Number.POSITIVE_INFINITY)
      if (next !== Number.POSITIVE_INFINITY) {
        this.now = next
        const due = this.timers.filter(({ time }) => time === next)
        this.timers = this.timers.filter(({ time }) => time !== next)
        for (const { wake } of due) this.tasks.push(wake)
      } else {
        const quiet = this.quiets.shift()
        if (quiet === undefined) return
        quiet()
      }
    }
  }
}
