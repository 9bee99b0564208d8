/** Executions that outlive the process: kept by this runner, written down in a `JournalStore`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ExecutionHost, type ExecutionHostError } from "../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../services/ExecutionKeeper.ts"
import type { JournalStore } from "../../services/JournalStore.ts"
import { Hosting } from "../../src/durable/Hosting.ts"
import * as Keeper from "../../src/durable/Keeper.ts"
import * as Operations from "../../src/durable/Operations.ts"
import * as Settings from "../../src/durable/Settings.ts"

/**
 * Executions in this process that outlive it. What they do is written down before anybody sees it; a runner that begins
 * again goes on with what was interrupted, and other runners on the same journal take over what is left alone for longer
 * than the lease. Closing the Layer cancels nothing: handlers have `drain` to end, and everything is let go of.
 *
 * @category layers
 */
export const durable = (
  options: Settings.Options = {}
): Layer.Layer<ExecutionHost | ExecutionKeeper, ExecutionHostError, JournalStore> =>
  Layer.effectContext(
    Effect.map(Keeper.make(Settings.of(options), "durable"), (keeper) =>
      Context.make(ExecutionHost, new Hosting(keeper).service()).pipe(
        Context.add(ExecutionKeeper, Operations.of(keeper))
      )
    )
  )
