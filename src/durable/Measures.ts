/** What is counted of durable executions, as metrics of effect: their names stand here and nowhere else. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** Executions that were started on this runner. @category metrics */
export const executionsStarted = Metric.counter("effigent_executions_started", { incremental: true })

/** Executions that were begun again after an interruption. @category metrics */
export const executionsRecovered = Metric.counter("effigent_executions_recovered", { incremental: true })

/** Executions that were put aside. @category metrics */
export const executionsBuried = Metric.counter("effigent_executions_buried", { incremental: true })

/** How long executions that were begun again had lain, in milliseconds. @category metrics */
export const recoveryLag = Metric.histogram("effigent_recovery_lag_millis", {
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 4, count: 12 })
})

/** How many executions are in memory. @category metrics */
export const executionsActive = Metric.gauge("effigent_executions_active")

/** Milliseconds since the lease of this runner was renewed. @category metrics */
export const leaseAge = Metric.gauge("effigent_lease_age_millis")

/** One more was started. @category measuring */
export const started: Effect.Effect<void> = Metric.update(executionsStarted, 1)

/** One more was put aside. @category measuring */
export const buried: Effect.Effect<void> = Metric.update(executionsBuried, 1)

/** One more was begun again, so long after it was appended to last. @category measuring */
export const recovered = (lag: number): Effect.Effect<void> =>
  Effect.andThen(Metric.update(executionsRecovered, 1), Metric.update(recoveryLag, lag))

/** How things stand now. @category measuring */
export const observe = (active: number, age: number): Effect.Effect<void> =>
  Effect.andThen(Metric.update(executionsActive, active), Metric.update(leaseAge, age))
