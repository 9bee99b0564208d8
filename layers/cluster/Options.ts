/** How a process takes part in a cluster: the choices that there are, what they are by default, and why. */
import type * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Settings from "../../src/durable/Settings.ts"

/**
 * What the runners and clients of a cluster have in common. `shards`, `lockExpiry` and `tables` have to be the same in all
 * of them.
 *
 * @category models
 */
export interface ClusterOptions {
  /**
   * Into how many shards the executions of a flow are spread: no more runners than these share its work. Each runner
   * renews the lock of each of its shards once in each `lockRefresh`. Default 32.
   */
  readonly shards?: number | undefined
  /**
   * After how long without a renewal a runner has lost its shards. Shorter: executions are taken over sooner. Longer: a
   * runner may be busy or out of reach for longer without losing them. Default 5 s.
   */
  readonly lockExpiry?: Duration.Input | undefined
  /**
   * How often a runner renews its locks; at most a third of `lockExpiry`, which is the default. A renewal that takes
   * longer than this loses the shards, and a shorter time gains nothing: a lock expires no sooner.
   */
  readonly lockRefresh?: Duration.Input | undefined
  /** How long a request waits while no runner has its flow, before it fails (and may be repeated). Default 30 s. */
  readonly patience?: Duration.Input | undefined
}

/**
 * How a process runs executions.
 *
 * @category models
 */
export interface RunnerOptions
  extends
    ClusterOptions,
    Pick<Settings.Options, "snapshotEvery" | "keepSnapshots" | "maxTries" | "keepClosed" | "streamCapacity"> {
  /** Where the other processes of the cluster reach this one. */
  readonly host: string
  readonly port: number
  /** Where it listens, if that is another address. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined
  /** How large its part of the shards is compared with other runners. Default 1. */
  readonly weight?: number | undefined
  /**
   * How many requests to one execution may be on their way at once. One more waits in the database where it is persisted,
   * and fails with an `ExecutionHostError` that is `retryable` where it only reads. Default 1,024.
   */
  readonly mailbox?: number | undefined
  /**
   * How many executions it holds in memory. Who asks for others makes room where one only waits, and is told to try again
   * where none does. Default 10,000.
   */
  readonly resident?: number | undefined
  /** How many executions it reads and takes over at once, of all flows. Default 16. */
  readonly activations?: number | undefined
  /** After how long without a request an execution that only waits leaves the memory. Default 1 minute. */
  readonly idle?: Duration.Input | undefined
  /** How long handlers that are at work may go on when their execution goes to another runner. Default 10 s. */
  readonly drain?: Duration.Input | undefined
  /**
   * How long it waits for further registrations of flows before it joins with those that there are. Default 50 ms.
   */
  readonly settle?: Duration.Input | undefined
  /**
   * How long requests that were done stay in the database, with their replies. Longer than anybody asks for one of them;
   * at least 1 minute. Default 10 minutes.
   */
  readonly keepRequests?: Duration.Input | undefined
}

/** Where nobody says otherwise. @category constants */
export const defaults = {
  shards: 32,
  lockExpiry: "5 seconds",
  patience: "30 seconds",
  mailbox: 1024,
  resident: 10_000,
  activations: 16,
  idle: "1 minute",
  drain: "10 seconds",
  settle: 50,
  keepRequests: "10 minutes"
} as const

/** How often locks are renewed, in milliseconds. */
const refreshOf = (options: ClusterOptions): number => {
  const most = millis(options.lockExpiry ?? defaults.lockExpiry) / 3
  return options.lockRefresh === undefined ? most : Math.min(most, millis(options.lockRefresh))
}

/** For how long a lock that was renewed is believed to be held without asking, in milliseconds. @category conversions */
export const trusted = (options: ClusterOptions): number => refreshOf(options) / 2

type Config = Partial<ShardingConfig.ShardingConfig["Service"]>

/**
 * What all processes have in common. Shards are locked by rows and not by advisory locks: the number of an advisory lock
 * comes from the place of the group among all groups that a runner knows, so that runners which have registered different
 * flows would lock different numbers for one shard, and both would own it.
 *
 * @category conversions
 */
export const common = (options: ClusterOptions): Config => ({
  runnerAddress: Option.none(),
  shardsPerGroup: options.shards ?? defaults.shards,
  shardLockExpiration: options.lockExpiry ?? defaults.lockExpiry,
  shardLockRefreshInterval: refreshOf(options),
  shardLockDisableAdvisory: true,
  refreshAssignmentsInterval: 500,
  entityMessagePollInterval: 500,
  entityReplyPollInterval: 100,
  sendRetryInterval: 50,
  simulateRemoteSerialization: false
})

/**
 * How the keeper of a runner keeps executions: its lease is as long as a lock, so that an execution is free by the time
 * that its shard is.
 *
 * @category conversions
 */
export const ofKeeper = (options: RunnerOptions): Settings.Settings =>
  Settings.of({
    runner: `${options.host}:${options.port}`,
    lease: options.lockExpiry ?? defaults.lockExpiry,
    refresh: refreshOf(options),
    maxActive: options.resident ?? defaults.resident,
    recoveries: options.activations ?? defaults.activations,
    idleFor: options.idle ?? defaults.idle,
    drain: options.drain ?? defaults.drain,
    snapshotEvery: options.snapshotEvery,
    keepSnapshots: options.keepSnapshots,
    maxTries: options.maxTries,
    keepClosed: options.keepClosed,
    streamCapacity: options.streamCapacity
  })

/** A runner that joins some groups. `default` is where the health of runners is checked. @category conversions */
export const ofRunner = (options: RunnerOptions, groups: ReadonlyArray<string>): Config => ({
  ...common(options),
  runnerAddress: Option.some(RunnerAddress.make(options.host, options.port)),
  runnerListenAddress:
    options.listen === undefined
      ? Option.none()
      : Option.some(RunnerAddress.make(options.listen.host, options.listen.port)),
  runnerShardWeight: options.weight ?? 1,
  availableShardGroups: ["default", ...groups],
  assignedShardGroups: ["default", ...groups],
  runnerHealthCheckInterval: "1 second",
  entityMailboxCapacity: options.mailbox ?? defaults.mailbox,
  // An entity is the way to an execution and no execution: many can be on their way to one that waits for room.
  maxResidentEntities: Math.max(defaults.resident, 4 * (options.resident ?? defaults.resident)),
  entityMaxIdleTime: "10 seconds",
  // Letting an execution go takes `drain`, and an append.
  entityTerminationTimeout: millis(options.drain ?? defaults.drain) + 2000,
  entityRegistrationTimeout: "10 seconds",
  preemptiveShutdown: true
})

/** A time in milliseconds. @category conversions */
export const millis = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))
