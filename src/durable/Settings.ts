/** How a runner keeps durable executions: what may be set, and what holds where nothing is said. */
import * as Duration from "effect/Duration"

/**
 * How a runner keeps durable executions.
 *
 * @category models
 */
export interface Options {
  /**
   * The name of the runner. A runner that begins again under its name goes on at once with what it had; so each process
   * that is alive at the same time needs a name of its own. Default `embedded`, for one process.
   */
  readonly runner?: string | undefined
  /** How long others wait, after it was heard of last, before they take its executions. Default 15 s. */
  readonly lease?: Duration.Input | undefined
  /** How often it renews its lease and looks for executions that nobody has. Default a fifth of the lease. */
  readonly refresh?: Duration.Input | undefined
  /**
   * After how many records of an execution there is a snapshot; one whose runtime stream has more entries than that waits
   * for as many records as it has entries, since a snapshot holds them. Default 256.
   */
  readonly snapshotEvery?: number | undefined
  /** How many snapshots of an execution stay; entries older than the oldest are forgotten. Default 3; `Infinity`: all. */
  readonly keepSnapshots?: number | undefined
  /** How often an execution is begun again without getting any further, before it is put aside. Default 5. */
  readonly maxTries?: number | undefined
  /** How many executions are in memory at most. More are refused, with a failure that may be tried again. Default 10,000. */
  readonly maxActive?: number | undefined
  /** How many executions are read and begun again at once. Default 16. */
  readonly recoveries?: number | undefined
  /** After how long an execution that only waits leaves the memory. Default 1 minute. */
  readonly idleFor?: Duration.Input | undefined
  /** How long handlers have to end where the runner ends. Default 10 s. */
  readonly drain?: Duration.Input | undefined
  /**
   * How long closed executions are kept, and what an `EffectLedger` in the Layer below the host has of them. Default: for
   * ever.
   */
  readonly keepClosed?: Duration.Input | undefined
  /** How many entries of its runtime stream an execution keeps, where it was started without a policy. Default 1,000. */
  readonly streamCapacity?: number | undefined
}

/** The same, with nothing open; times in milliseconds. @category models */
export interface Settings {
  readonly runner: string
  readonly lease: number
  readonly refresh: number
  readonly snapshotEvery: number
  readonly keepSnapshots: number
  readonly maxTries: number
  readonly maxActive: number
  readonly recoveries: number
  readonly idleFor: number
  readonly drain: number
  readonly keepClosed: number
  readonly streamCapacity: number
}

const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

/** Fills in what is not said. @category constructors */
export const of = (options: Options): Settings => {
  const lease = millis(options.lease ?? "15 seconds")
  return {
    runner: options.runner ?? "embedded",
    lease,
    refresh: options.refresh === undefined ? lease / 5 : millis(options.refresh),
    snapshotEvery: options.snapshotEvery ?? 256,
    keepSnapshots: options.keepSnapshots ?? 3,
    maxTries: options.maxTries ?? 5,
    maxActive: options.maxActive ?? 10_000,
    recoveries: options.recoveries ?? 16,
    idleFor: millis(options.idleFor ?? "1 minute"),
    drain: millis(options.drain ?? "10 seconds"),
    keepClosed: options.keepClosed === undefined ? Infinity : millis(options.keepClosed),
    streamCapacity: options.streamCapacity ?? 1000
  }
}

const whole: ReadonlyArray<keyof Settings> = ["snapshotEvery", "keepSnapshots", "maxTries", "maxActive", "recoveries"]

/** What is wrong with settings, and what to do; nothing where all is well. @category checks */
export const problemOf = (settings: Settings): string | undefined => {
  const { lease, refresh, runner, streamCapacity } = settings
  if (runner === "") return "its runner has no name. Give it one."
  if (!(lease > 0) || !Number.isFinite(lease)) return `its lease is ${lease} ms. Give it some seconds.`
  // Else it would be lost between two renewals.
  if (!(refresh > 0 && refresh <= lease / 2))
    return `its refresh is ${refresh} ms. Let it be more than 0, and at most half of the lease (${lease} ms).`
  for (const name of [...whole, "streamCapacity"] as const)
    if (!(Number(settings[name]) >= 1)) return `its ${name} is ${settings[name]}. Let it be at least 1.`
  if (!Number.isInteger(settings.keepSnapshots) && settings.keepSnapshots !== Infinity)
    return `its keepSnapshots is ${settings.keepSnapshots}. Let it be a whole number, or Infinity.`
  if (!Number.isInteger(streamCapacity)) return `its streamCapacity is ${streamCapacity}. Let it be a whole number.`
  for (const name of ["idleFor", "drain", "keepClosed"] as const)
    if (!(settings[name] >= 0)) return `its ${name} is ${settings[name]} ms. Let it be 0 or more.`
  return undefined
}
