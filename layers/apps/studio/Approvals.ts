/**
 * Calls that wait for a decision, of all runs of the studio. A run tells its readers that it waits and how it was decided;
 * where it ends before, its calls wait no more.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type ApprovalRequest, Decision } from "../../../services/Action.ts"
import * as Runs from "../../../src/run/Runs.ts"
import { NotWaiting } from "../../approvals/Queue.ts"
import { Waiting } from "./Api.ts"
import { Here, runOf } from "./Capture.ts"
import type { Span } from "./Traces.ts"

const encodeWaiting = Schema.encodeSync(Schema.toCodecJson(Waiting))
const encodeDecision = Schema.encodeSync(Schema.toCodecJson(Decision))

const agentOf = (span: Span | undefined): string | undefined => {
  for (let at = span; at !== undefined; at = at.parent) if (at.kind === "agent") return at.name
  return undefined
}

/**
 * What waits.
 *
 * @category models
 */
export class Approvals {
  /** Goes up with each change of the list. */
  version = 0
  private readonly all = new Map<string, Waiting & { readonly decision: Deferred.Deferred<Decision> }>()
  private last = 0

  /** What waits now, oldest first. */
  get waiting(): ReadonlyArray<Waiting> {
    return [...this.all.values()].map(({ decision: _, ...waiting }) => waiting)
  }

  /** Lets a call wait until it is decided. */
  readonly gate = (request: ApprovalRequest): Effect.Effect<Decision> =>
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        const run = runOf(context)
        const agent = agentOf(Context.get(context, Here))
        const one = {
          id: `${++this.last}`,
          at,
          ...(run === undefined ? {} : { run }),
          ...(agent === undefined ? {} : { agent }),
          request
        }
        const decision = Deferred.makeUnsafe<Decision>()
        return Effect.acquireUseRelease(
          Effect.sync(() => {
            this.version++
            this.all.set(one.id, { ...one, decision })
          }),
          () =>
            Runs.emit("approval", encodeWaiting(one)).pipe(
              Effect.andThen(Deferred.await(decision)),
              Effect.tap((decided) => Runs.emit("approval-decided", { id: one.id, decision: encodeDecision(decided) }))
            ),
          () =>
            Effect.sync(() => {
              if (this.all.delete(one.id)) this.version++
            })
        )
      })
    )

  /** Decides on a call, once. */
  decide(id: string, decision: Decision): Effect.Effect<void, NotWaiting> {
    return Effect.suspend(() => {
      const one = this.all.get(id)
      if (one === undefined) return Effect.fail(new NotWaiting({ id }))
      this.all.delete(id)
      this.version++
      return Effect.asVoid(Deferred.succeed(one.decision, decision))
    })
  }
}
