import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import { type SqlClient } from "effect/sql"
import { EffectLedgers, JournalStores, SessionStores } from "effigent/layers/sql-store"
import { EffectLedger } from "effigent/services/EffectLedger"
import { JournalStore } from "effigent/services/JournalStore"
import { SessionStore } from "effigent/services/SessionStore"
import { EffectLedgerConformance, JournalStoreConformance, SessionStoreConformance } from "effigent/testing"
import { afterAll, beforeAll } from "vitest"
import { databases } from "./databases.ts"

for (const [name, client] of Object.entries(databases))
  describe(name, () => {
    const scope = Effect.runSync(Scope.make())
    let services: Context.Context<JournalStore | EffectLedger | SessionStore | SqlClient.SqlClient>
    beforeAll(async () => {
      services = await Effect.runPromise(
        Layer.buildWithScope(
          Layer.provideMerge(
            Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer(), SessionStores.layer()),
            client
          ),
          scope
        )
      )
    })
    afterAll(() => Effect.runPromise(Scope.close(scope, Effect.runSync(Effect.exit(Effect.void)))))
    for (const one of JournalStoreConformance.cases()) {
      it.live(`JournalStores.layer: ${one.name}`, () => one.run(name, Context.get(services, JournalStore)))
    }
    for (const one of EffectLedgerConformance.cases) {
      it.live(`EffectLedgers.layer: ${one.name}`, () => one.run(name, Context.get(services, EffectLedger)))
    }
    for (const one of SessionStoreConformance.cases) {
      it.live(`SessionStores.layer: ${one.name}`, () => one.run(name, Context.get(services, SessionStore)))
    }
  })
