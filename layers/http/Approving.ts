/**
 * Calls of actions that wait for a decision of whoever watches their run: told as events of the run, and decided over HTTP
 * or on its socket. A run asks in this way where it was started so (`approvals: "ask"`); others ask the `ApprovalGate`
 * of the program.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ApprovalRequest, type Decision } from "../../services/Action.ts"
import type { Json } from "../../services/Json.ts"
import * as Runs from "../../src/run/Runs.ts"
import * as Problem from "./Problem.ts"

/** A call that waits for a decision: also the value of the event `Custom` with the name `approval`. @category schemas */
export const WaitingCall = Schema.Struct({
  /** What it is decided by. */
  id: Schema.String,
  request: ApprovalRequest
})

interface Entry {
  readonly request: ApprovalRequest
  readonly decision: Deferred.Deferred<Decision>
}

const encode = Schema.encodeEffect(Schema.toCodecJson(WaitingCall))

/**
 * The calls of a server's runs that wait.
 *
 * @category models
 */
export class Approving {
  private readonly runs = new Map<string, Map<string, Entry>>()
  private last = 0

  /** Asks those who watch a run, and waits. A run that is stopped takes its calls back. */
  gate(run: string): (request: ApprovalRequest) => Effect.Effect<Decision> {
    return (request) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const id = `${++this.last}`
          const entry: Entry = { request, decision: Deferred.makeUnsafe() }
          const waiting = this.runs.get(run) ?? new Map<string, Entry>()
          this.runs.set(run, waiting.set(id, entry))
          return { id, entry }
        }),
        ({ entry, id }) =>
          Effect.flatMap(Effect.orDie(encode({ id, request })), (json) =>
            Effect.andThen(
              // Encoded by a JSON codec.
              Runs.emit("approval", json as Json),
              Effect.andThen(Runs.tell({ _tag: "RunPaused", reason: "approval" }), Deferred.await(entry.decision))
            )
          ),
        ({ id }) =>
          Effect.sync(() => {
            const waiting = this.runs.get(run)
            waiting?.delete(id)
            if (waiting?.size === 0) this.runs.delete(run)
          })
      )
  }

  /** What waits in a run, oldest first. */
  of(run: string): ReadonlyArray<typeof WaitingCall.Type> {
    return [...(this.runs.get(run) ?? [])].map(([id, { request }]) => ({ id, request }))
  }

  /** Decides on a call, once; who did it stands in its record. */
  decide(run: string, id: string, decision: Decision, client: string): Effect.Effect<void, Problem.Refused> {
    return Effect.suspend(() => {
      const waiting = this.runs.get(run)
      const entry = waiting?.get(id)
      if (entry === undefined)
        return Effect.fail(
          Problem.refuse(
            404,
            "NotWaiting",
            `No call of the run "${run}" waits for approval under the id "${id}": it was decided already, or the run has ended.`
          )
        )
      waiting?.delete(id)
      const by = decision.by === undefined ? client : `${decision.by} (${client})`
      return Effect.asVoid(Deferred.succeed(entry.decision, { ...decision, by }))
    })
  }
}
