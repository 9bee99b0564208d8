/**
 * Migrations: how a snapshot of an older definition becomes one of a newer. Each goes from one version of the contract
 * to another; several follow each other.
 */
import * as Result from "effect/Result"
import type { Image, Snapshot } from "./Snapshot.ts"

/**
 * One migration.
 *
 * @category models
 */
export interface Migration {
  /** The `version` that a snapshot has to have, or the fingerprint of its definition. */
  readonly from: string
  /** The `version` of the contract that it has afterwards. */
  readonly to: string
  /** Changes what has to be changed. Pure; the definition and the version are set by themselves. */
  readonly migrate: (snapshot: Snapshot) => Snapshot
}

/** What migrations have made of a snapshot. @category models */
export interface Migrated {
  readonly snapshot: Snapshot
  /** The migrations that it went through. */
  readonly through: ReadonlyArray<Migration>
}

/** Lets a snapshot go through all migrations that fit; each is used at most once. @category conversions */
export const run = (snapshot: Snapshot, migrations: ReadonlyArray<Migration>): Result.Result<Migrated, string> => {
  let at = snapshot
  const through: Array<Migration> = []
  for (;;) {
    const { definition, flow } = at
    const next = migrations.find(
      (one) =>
        !through.includes(one) &&
        (one.from === flow.version || (through.length === 0 && one.from === definition.fingerprint))
    )
    if (next === undefined) return Result.succeed({ snapshot: at, through })
    const before = at
    const after = Result.try({
      try: () => next.migrate(before),
      catch: (error) => `the migration from "${next.from}" to "${next.to}" has thrown: ${String(error)}`
    })
    if (Result.isFailure(after)) return Result.fail(after.failure)
    through.push(next)
    at = { ...after.success, flow: { ...flow, version: next.to } }
  }
}

/**
 * Changes what an execution is made of, sub-flows included.
 *
 * @category conversions
 */
export const mapImages = (snapshot: Snapshot, change: (image: Image) => Image): Snapshot => {
  const visit = (image: Image): Image =>
    change({
      ...image,
      frames: image.frames.map((frame) => (frame.child === undefined ? frame : { ...frame, child: visit(frame.child) }))
    })
  return { ...snapshot, execution: visit(snapshot.execution) }
}

/**
 * Calls a step by another key: what a chunk, a point or an operator is called by. For a chunk that was renamed.
 *
 * @category conversions
 */
export const renameStep = (snapshot: Snapshot, from: string, to: string): Snapshot =>
  mapImages(snapshot, (image) => ({
    ...image,
    frames: image.frames.map((frame) => (frame.step === from ? { ...frame, step: to } : frame)),
    runs: image.runs.map((run) => (run.step === from ? { ...run, step: to } : run)),
    ...(image.passed === undefined
      ? {}
      : {
          passed: Object.fromEntries(
            Object.entries(image.passed).map(([step, how]) => [step === from ? to : step, how])
          )
        })
  }))
