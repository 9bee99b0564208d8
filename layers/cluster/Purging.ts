/** Requests that were done are forgotten after a while, with their replies: the cluster itself keeps them for ever. */
import * as MachineId from "effect/cluster/MachineId"
import * as Snowflake from "effect/cluster/Snowflake"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** How many are forgotten in one go: the tables stay usable meanwhile. */
const most = 1000
const shortest = 60_000

/**
 * Forgets requests that were done and are older than `olderThan` milliseconds; gives how many.
 *
 * @category running
 */
export const purge = (olderThan: number): Effect.Effect<number, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const before = (yield* Clock.currentTimeMillis) - olderThan
    // The id of a request says when it was made.
    const until = String(Snowflake.make({ machineId: MachineId.make(0), sequence: 0, timestamp: before }))
    let gone = 0
    while (true) {
      const old = yield* sql<{ readonly request: string }>`SELECT CAST(request_id AS TEXT) AS request
        FROM cluster_messages WHERE processed = TRUE AND id = request_id AND id < ${until} ORDER BY id LIMIT ${most}`
      const ids = old.map(({ request }) => request)
      if (ids.length === 0) return gone
      yield* sql.withTransaction(
        Effect.andThen(
          sql`DELETE FROM cluster_replies WHERE ${sql.in("request_id", ids)}`,
          sql`DELETE FROM cluster_messages WHERE ${sql.in("request_id", ids)}`
        )
      )
      gone += old.length
      if (old.length < most) return gone
    }
  })

/** Does so for as long as the Layer lives. @category layers */
export const layer = (olderThan: number): Layer.Layer<never, never, SqlClient.SqlClient> => {
  const kept = Math.max(shortest, olderThan)
  const once = Effect.catchCause(purge(kept), (cause) =>
    Effect.logWarning("The requests that were done cannot be forgotten; it is tried again later", cause)
  )
  return Layer.effectDiscard(Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(kept / 10), once))))
}
