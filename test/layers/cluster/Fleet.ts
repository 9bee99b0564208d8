/** Runner processes on a PostgreSQL of their own, a ledger outside, and a process that only asks: for tests. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Cluster } from "effigent/layers/cluster"
import { JournalStores } from "effigent/layers/sql-store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { Worker } from "../../chaos/fleet.ts"
import * as Ledger from "../../chaos/ledger.ts"

/** The lease of executions and the expiry of locks in these tests, and how often both are renewed; in milliseconds. */
export const lease = 3000
export const refresh = lease / 3

/** A process that only asks; what it asks while runners come and go waits for them. */
export const client = (url: string) =>
  Layer.orDie(Cluster.client({ shards: 16, lockExpiry: lease, patience: "30 seconds" })).pipe(
    Layer.provide(Layer.orDie(JournalStores.layer())),
    Layer.provide(Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 })))
  )

/** Runners, from outside. */
export interface Fleet {
  /** Starts one more, with versions of the flow that ticks; gives it when it has joined. */
  readonly add: (versions?: string) => Effect.Effect<Worker>
  readonly ledger: () => ReadonlyArray<Ledger.Line>
}

/** No runner yet; all that are added end with the scope. */
export const make = (url: string) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effigent-cluster-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
    )
    const ledger = join(directory, "ledger")
    const scope = yield* Effect.scope
    let added = 0
    const fleet: Fleet = {
      add: (versions = "1") =>
        Effect.gen(function* () {
          const worker = yield* Effect.acquireRelease(
            Effect.sync(() => new Worker(`runner-${added++}`, `cluster:${url}`, ledger, lease, versions)),
            (worker) => Effect.sync(() => worker.signal("SIGKILL"))
          )
          if (!(yield* Effect.promise(() => worker.ready))) return yield* Effect.die("a runner has ended at its start")
          return worker
        }).pipe(Effect.provideService(Scope.Scope, scope)),
      ledger: () => Ledger.read(ledger)
    }
    return fleet
  })

/** Starts executions that tick; gives their ids. */
export const start = (count: number, input: { readonly times: number; readonly pause: number }) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `ticks-${index}`),
    (id) => ExecutionHost.use((host) => host.start({ flow: "ticks", id, input, settings: { autoClose: 100 } })),
    { concurrency: 8 }
  )

/** The pid of whoever has ticked last in an execution, and when. */
export const last = (fleet: Fleet, id: string): Ledger.Line | undefined =>
  fleet.ledger().findLast((line) => line.execution === id)

/** Waits until something holds, for at most so many milliseconds. */
export const until = (what: string, holds: () => boolean, patience = 20_000): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const began = Date.now(); !holds();) {
      if (Date.now() - began > patience) return yield* Effect.die(`in vain: ${what}`)
      yield* Effect.sleep(25)
    }
  })
