import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ExecutionHosts } from "effigent/layers/host"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionHostConformance } from "effigent/testing"

describe("ExecutionHosts.inProcess", () => {
  for (const one of ExecutionHostConformance.cases) {
    it.effect(one.name, () =>
      ExecutionHost.use((host) => one.run("in process", host)).pipe(Effect.provide(ExecutionHosts.inProcess()))
    )
  }
})
