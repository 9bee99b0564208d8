import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionHostConformance } from "effigent/testing"
import * as Processes from "./Processes.ts"

describe("Cluster.runner", () => {
  for (const one of ExecutionHostConformance.cases) {
    it.live(one.name, () =>
      ExecutionHost.use((host) => one.run("cluster", host)).pipe(
        Effect.provide(Layer.provide(Processes.runner(), Processes.storages))
      )
    )
  }
})
