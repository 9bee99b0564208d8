// A full backend: agents and a flow over HTTP, in SQLite or PostgreSQL, with the studio beside it, in one process:
//
//   npm run backend
//
// The other commands take it as well: `npm run effigent -- doctor --config examples/39-backend/effigent.config.ts`, and
// run, chat, flow, eval. EFFIGENT_TOKEN=ada=secret asks for a token.
import { PgClient } from "@effect/sql-pg"
import { Config, Effect, Layer, Option } from "effect"
import { defineConfig } from "effigent/config"
import { ModelProviders } from "effigent/layers/apps"
import { EffectLedgers, JournalStores, SessionStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { join } from "node:path"
import { clerk, refund, triage } from "./desk.ts"

// DATABASE_URL names a PostgreSQL database; without it everything stands in one SQLite file.
const database = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* Config.option(Config.Redacted("DATABASE_URL"))
    const filename = yield* Config.String("BACKEND_FILE").pipe(
      Config.withDefault(join(import.meta.dirname, "backend.db"))
    )
    return Option.isSome(url) ? PgClient.layer({ url: url.value }) : SqliteClient.layer({ filename })
  })
)

const stores = Layer.mergeAll(JournalStores.layer(), EffectLedgers.layer(), SessionStores.layer()).pipe(
  Layer.provide(database)
)

export default defineConfig({
  agents: { triage, clerk },
  flows: [refund],
  // OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY pick the model; without one it is the offline model.
  layer: Layer.merge(ModelProviders.fromEnv, stores)
})
