/** The database of the stores of this room: its dialect, its tables, its clock, and how a statement is run. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Fragment, Identifier, Statement } from "effect/sql/Statement"
import { failure, fromSql, StoreFailure } from "./Failures.ts"
import type { Bounds } from "./GroupCommit.ts"

/**
 * How a store uses its database. A store has up to 4 writes and a renewal at work at the same time: a pool of PostgreSQL
 * has 8 connections or more.
 *
 * @category options
 */
export interface Options {
  /** What the names of its tables begin with: letters, digits and `_`. Default `effigent_`. */
  readonly prefix?: string
  /**
   * For how long a statement is tried again whose outcome is unknown, or that the database could not run just then.
   * Default 30 seconds.
   */
  readonly retryFor?: Duration.Input
  /** How long one statement may take, before it counts as failed and is tried again. Default 10 seconds. */
  readonly timeout?: Duration.Input
  /**
   * What is done at the start where PostgreSQL is set up to acknowledge what is not durable (`synchronous_commit` or
   * `fsync` off): `fail`, `warn` (a warning in the log) or `ignore`. Default `warn`.
   */
  readonly durability?: "fail" | "warn" | "ignore"
  /** How writes are gathered. */
  readonly batches?: Bounds
}

/** The tables of the stores. @category models */
export interface Tables {
  readonly schema: Identifier
  readonly executions: Identifier
  readonly journal: Identifier
  readonly snapshots: Identifier
  readonly tags: Identifier
  readonly runners: Identifier
  readonly ledger: Identifier
  readonly sessions: Identifier
  readonly turns: Identifier
  readonly saved: Identifier
  readonly rates: Identifier
}

/** A database as the stores use it. @category models */
export interface Database {
  readonly sql: SqlClient.SqlClient
  readonly isPostgres: boolean
  /** What errors call it. */
  readonly name: "sqlite" | "postgres"
  readonly prefix: string
  readonly t: Tables
  /** The time, in milliseconds since 1970, as a part of a statement: the database's own where it is a server. */
  readonly now: Effect.Effect<Fragment>
  /** Texts as rows, in one parameter: `SELECT value FROM ...`. */
  readonly texts: (values: ReadonlyArray<string>) => Fragment
  /** Runs a statement, or a transaction: with a time-out, and again while it is unavailable. */
  readonly run: <A, E>(effect: Effect.Effect<A, SqlError | E>) => Effect.Effect<A, StoreFailure | E>
  /** The same, once. */
  readonly once: <A, E>(effect: Effect.Effect<A, SqlError | E>) => Effect.Effect<A, StoreFailure | E>
  /** Runs statements as one transaction, in one go where the client can; gives the rows of the first. */
  readonly together: <A>(
    first: Statement<A>,
    ...others: ReadonlyArray<Statement<unknown>>
  ) => Effect.Effect<ReadonlyArray<A>, SqlError>
  /** Runs effects as one transaction, which holds the lock for writing from its beginning. */
  readonly transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
}

/** A client that runs several statements in one go, as that of `layers/sqlite` does; the rooms do not know each other. */
interface Together {
  readonly together: (
    statements: ReadonlyArray<Statement<unknown>>
  ) => Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError>
}

const isTogether = (client: object): client is Together => "together" in client && typeof client.together === "function"

/** The database of the client. @category constructors */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Database, StoreFailure, SqlClient.SqlClient> {
  const prefix = options.prefix ?? "effigent_"
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(prefix))
    return yield* Effect.fail(
      failure("other", `The prefix ${JSON.stringify(prefix)} is not up to 40 letters, digits and "_"`)
    )
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const name = sql.onDialectOrElse({
    pg: () => "postgres" as const,
    sqlite: () => "sqlite" as const,
    orElse: () => undefined
  })
  if (name === undefined)
    return yield* Effect.fail(
      failure("other", `A database of the driver ${sql.driver} is not known: use PostgreSQL or SQLite`)
    )
  const isPostgres = name === "postgres"
  const timeout = options.timeout ?? "10 seconds"
  const server = sql.literal("floor(extract(epoch from statement_timestamp()) * 1000)::float8")
  const schedule = Schedule.exponential("10 millis").pipe(
    Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(1)))),
    Schedule.jittered,
    Schedule.upTo({ duration: options.retryFor ?? "30 seconds" })
  )
  const once = <A, E>(effect: Effect.Effect<A, SqlError | E>): Effect.Effect<A, StoreFailure | E> =>
    Effect.timeoutOrElse(effect, {
      duration: timeout,
      orElse: () => Effect.fail(failure("unavailable", "The database has not answered in time"))
    }).pipe(Effect.mapError((error): StoreFailure | E => (isSqlError(error) ? fromSql(error) : error)))
  const transaction: Database["transaction"] = (effect) =>
    isPostgres
      ? sql.withTransaction(effect)
      : Effect.provideService(sql.withTransaction(effect), SqlClient.BeginTransaction, "BEGIN IMMEDIATE")
  const client: object = sql
  const together = isTogether(client) ? client.together : undefined
  return {
    sql,
    isPostgres,
    name,
    prefix,
    t: {
      schema: sql(`${prefix}schema`),
      executions: sql(`${prefix}executions`),
      journal: sql(`${prefix}journal`),
      snapshots: sql(`${prefix}snapshots`),
      tags: sql(`${prefix}tags`),
      runners: sql(`${prefix}runners`),
      ledger: sql(`${prefix}ledger`),
      sessions: sql(`${prefix}sessions`),
      turns: sql(`${prefix}turns`),
      saved: sql(`${prefix}saved`),
      rates: sql(`${prefix}rates`)
    },
    now: isPostgres ? Effect.succeed(server) : Effect.map(Clock.currentTimeMillis, (now) => sql`${now}`),
    texts: (values) =>
      isPostgres
        ? sql`SELECT value FROM json_array_elements_text(${JSON.stringify(values)}::json)`
        : sql`SELECT value FROM json_each(${JSON.stringify(values)})`,
    once,
    run: (effect) =>
      Effect.retry(once(effect), {
        while: (error) => error instanceof StoreFailure && error.reason === "unavailable",
        schedule
      }),
    together: (first, ...others) =>
      together === undefined
        ? transaction(Effect.tap(first, () => Effect.forEach(others, (other) => other, { discard: true })))
        : // The rows of a statement are of its type.
          Effect.map(together([first, ...others]), (rows) => (rows[0] ?? []) as ReadonlyArray<never>),
    transaction
  }
})
