/**
 * Calls of actions that wait for a decision: told as events of their run, listed, and decided by id. A run that was
 * started with `approvals: "ask"` asks whoever watches it; others ask the `ApprovalGate` of the program, which may let
 * them wait here, too. Servers of one process share the place where calls wait: then each of them knows all of them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ApprovalRequest, Decision } from "../../services/Action.ts"
import type { Json } from "../../services/Json.ts"
import * as Runs from "../../src/run/Runs.ts"
import * as Problem from "./Problem.ts"

/** A call that waits for a decision: also the value of the event `Custom` with the name `approval`. @category schemas */
export const WaitingCall = Schema.Struct({
  /** What it is decided by: random, so that no two calls ever have the same. */
  id: Schema.String,
  /** When it began to wait, in milliseconds since 1970. */
  at: Schema.Finite,
  /** The run that waits: the outermost one. Absent where nobody watches, as in flows. */
  run: Schema.optionalKey(Schema.String),
  agent: Schema.optionalKey(Schema.String),
  /** Who is asked: those who watch the run (`approvals=ask`), or the program's own gate: the studio. */
  asks: Schema.Literals(["watchers", "program"]),
  request: ApprovalRequest
})

/** A call that waits for a decision, as a type. @category models */
export type WaitingCall = typeof WaitingCall.Type

interface Entry {
  readonly call: WaitingCall
  readonly decision: Deferred.Deferred<Decision>
}

const encode = Schema.encodeEffect(Schema.toCodecJson(WaitingCall))
const encodeDecision = Schema.encodeEffect(Schema.toCodecJson(Decision))

/**
 * Where calls wait.
 *
 * @category models
 */
export class Approving {
  /** Goes up with each change of the list. */
  version = 0
  private readonly all = new Map<string, Entry>()

  /** Tells the run of a call, and lets it wait until it is decided. A run that is stopped takes its calls back. */
  wait(request: ApprovalRequest, about: Pick<WaitingCall, "run" | "agent" | "asks">): Effect.Effect<Decision> {
    return Effect.acquireUseRelease(
      Effect.map(Clock.currentTimeMillis, (at) => {
        const call: WaitingCall = { id: globalThis.crypto.randomUUID(), at, ...about, request }
        const entry: Entry = { call, decision: Deferred.makeUnsafe() }
        this.version++
        this.all.set(call.id, entry)
        return entry
      }),
      Effect.fnUntraced(function* ({ call, decision }) {
        // Encoded by JSON codecs, both.
        yield* Runs.emit("approval", (yield* Effect.orDie(encode(call))) as Json)
        yield* Runs.tell({ _tag: "RunPaused", reason: "approval" })
        const decided = yield* Deferred.await(decision)
        const said = (yield* Effect.orDie(encodeDecision(decided))) as Json // As above.
        yield* Runs.emit("approval-decided", { id: call.id, decision: said })
        return decided
      }),
      ({ call }) =>
        Effect.sync(() => {
          if (this.all.delete(call.id)) this.version++
        })
    )
  }

  /** What waits, oldest first. */
  get waiting(): ReadonlyArray<WaitingCall> {
    return Array.from(this.all.values(), ({ call }) => call)
  }

  /** What waits in a run, oldest first. */
  of(run: string): ReadonlyArray<WaitingCall> {
    return this.waiting.filter((call) => call.run === run)
  }

  /** Decides on a call, whoever it asks, once: for those who may decide on all of them. */
  decide(id: string, decision: Decision): Effect.Effect<void, Problem.Refused> {
    return Effect.suspend(() => {
      const entry = this.all.get(id)
      return entry === undefined
        ? Effect.fail(
            Problem.refuse(
              404,
              "NotWaiting",
              `No call waits for approval under the id "${id}": it was decided already, or its run has ended.`
            )
          )
        : this.settle(entry, decision)
    })
  }

  /** Decides on a call that asks those who watch its run, once; who did it stands in its record. */
  decideIn(run: string, id: string, decision: Decision, client: string): Effect.Effect<void, Problem.Refused> {
    return Effect.suspend(() => {
      const entry = this.all.get(id)
      if (entry === undefined || entry.call.run !== run)
        return Effect.fail(
          Problem.refuse(
            404,
            "NotWaiting",
            `No call of the run "${run}" waits for approval under the id "${id}": it was decided already, or the run has ended.`
          )
        )
      if (entry.call.asks !== "watchers")
        return Effect.fail(
          Problem.refuse(
            403,
            "NotAsked",
            `The call "${id}" of the run "${run}" waits for whoever runs the program: decide in the studio. To decide here, start the run with approvals=ask.`
          )
        )
      const by = decision.by === undefined ? client : `${decision.by} (${client})`
      return this.settle(entry, { ...decision, by })
    })
  }

  private settle({ call, decision }: Entry, decided: Decision): Effect.Effect<void> {
    this.all.delete(call.id)
    this.version++
    return Effect.asVoid(Deferred.succeed(decision, decided))
  }
}

/** Where the calls of a process wait. Absent: each server has a place of its own. @category references */
export const Shared = Context.Reference<Approving | undefined>("effigent/http/Approving", {
  defaultValue: (): Approving | undefined => undefined
})
