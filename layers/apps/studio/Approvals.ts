/** The gate of a project whose calls wait for a decision in the studio: all of its agents ask it, those of flows too. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ApprovalRequest, Decision } from "../../../services/Action.ts"
import type { Approving } from "../../http/Approving.ts"
import { Here, runOf } from "./Capture.ts"
import type { Span } from "./Traces.ts"

const agentOf = (span: Span | undefined): string | undefined => {
  for (let at = span; at !== undefined; at = at.parent) if (at.kind === "agent") return at.name
  return undefined
}

/** Lets calls wait with all others of the process. @category constructors */
export const gate =
  (approving: Approving) =>
  (request: ApprovalRequest): Effect.Effect<Decision> =>
    Effect.contextWith((context: Context.Context<never>) => {
      const run = runOf(context)
      const agent = agentOf(Context.get(context, Here))
      return approving.wait(request, {
        ...(run === undefined ? {} : { run }),
        ...(agent === undefined ? {} : { agent }),
        asks: "program"
      })
    })
