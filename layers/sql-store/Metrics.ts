/** The metrics of the stores of this room, each with the attribute `queue`: `appends`, `creations`, `claims`, `outcomes`. */
import * as Metric from "effect/Metric"

/** How many were written by one commit. @category metrics */
export const batch = Metric.histogram("effigent_store_commit_batch", {
  description: "How many appends one commit has written",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 12 })
})

/** How long a commit took, with what was tried again, in milliseconds. @category metrics */
export const latency = Metric.histogram("effigent_store_commit_milliseconds", {
  description: "How long one commit took, in milliseconds",
  boundaries: Metric.exponentialBoundaries({ start: 0.25, factor: 2, count: 18 })
})

/** How many wait to be written. @category metrics */
export const waiting = Metric.gauge("effigent_store_commit_waiting", {
  description: "How many appends wait for a commit"
})
