import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { JournalStores } from "effigent/layers/store"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionHostConformance } from "effigent/testing"

const host = ExecutionHosts.durable({ drain: 0 }).pipe(Layer.provideMerge(JournalStores.memory))

describe("ExecutionHosts.durable", () => {
  for (const one of ExecutionHostConformance.cases) {
    it.effect(one.name, () => ExecutionHost.use((host) => one.run("durable", host)).pipe(Effect.provide(host)))
  }
})
