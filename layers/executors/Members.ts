/**
 * A bounded number of workers that run one call each at a time. One that is stopped in the middle of a call, or that has
 * ended by itself, is dropped with all it holds, and another takes its place with the next call.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import {
  Broken,
  type ExecutorCall,
  ExecutorError,
  type ExecutorErrorReason,
  type ExecutorOutcome,
  LimitExceeded,
  NotFound,
  TimedOut,
  Unavailable
} from "../../services/ActionExecutor.ts"

const Message = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ type: Schema.Literal("ready") }),
    Schema.Struct({ type: Schema.Literal("failed"), detail: Schema.String }),
    Schema.Struct({
      type: Schema.Literal("done"),
      id: Schema.String,
      tag: Schema.Literals(["Success", "Failure", "Unknown", "Broken", "TooLarge"]),
      value: Schema.Json
    })
  ])
)

const decode = Schema.decodeUnknownExit(Message)

/** What a member tells of itself. @category models */
export interface Events {
  /** A text of its protocol. */
  readonly message: (text: string) => void
  /** It has ended, or is about to: of itself, or because it used too much. */
  readonly ended: (reason: ExecutorErrorReason) => void
}

/** Starts a member; it ends with the Scope. What is returned sends a text to it. @category models */
export type Spawn = (events: Events) => Effect.Effect<(text: string) => void, ExecutorError, Scope.Scope>

/** How members are used. @category models */
export interface Options {
  /** The name in errors. */
  readonly executor: string
  readonly spawn: Spawn
  /** How many at most. */
  readonly size: number
  /** How long a call may take, and how long a member may take to be ready, in milliseconds. */
  readonly wallTime: number
  readonly startTime: number
  /** Characters of a call and of its outcome. */
  readonly input: number
  readonly output: number
}

interface Member {
  readonly scope: Scope.Closeable
  readonly ready: Deferred.Deferred<void, ExecutorErrorReason>
  readonly send: (text: string) => void
  readonly state: { pending: Pending | undefined; dead: boolean }
}

interface Pending {
  readonly id: string
  readonly outcome: Deferred.Deferred<ExecutorOutcome, ExecutorErrorReason>
}

const settle = (pending: Pending, tag: string, value: Schema.Json, most: number): void => {
  const fail = (reason: ExecutorErrorReason) => Deferred.doneUnsafe(pending.outcome, Effect.fail(reason))
  switch (tag) {
    case "Success":
    case "Failure":
      Deferred.doneUnsafe(pending.outcome, Effect.succeed({ _tag: tag, value }))
      return
    case "Unknown":
      fail(
        new NotFound({
          detail: `the module exports no such action; it exports ${Array.isArray(value) && value.length > 0 ? value.join(", ") : "none"}`
        })
      )
      return
    case "TooLarge":
      fail(new LimitExceeded({ limit: "output", detail: `it gave ${String(value)} characters, and may give ${most}` }))
      return
    default:
      fail(new Broken({ detail: `the action broke down: ${String(value)}` }))
  }
}

/**
 * Runs calls on members; they end with the Scope.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (options: Options) {
  const { executor, input, output, size, spawn, startTime, wallTime } = options
  const turns = yield* Semaphore.make(size)
  const idle: Array<Member> = []
  const parent = yield* Effect.scope
  let calls = 0

  const begin = Effect.fnUntraced(function* () {
    const scope = yield* Scope.fork(parent)
    const ready = Deferred.makeUnsafe<void, ExecutorErrorReason>()
    const state: Member["state"] = { pending: undefined, dead: false }
    const ended = (reason: ExecutorErrorReason): void => {
      state.dead = true
      const certain = reason._tag === "Unavailable" ? new Unavailable({ ...reason, uncertain: false }) : reason
      Deferred.doneUnsafe(ready, Effect.fail(certain))
      if (state.pending !== undefined) Deferred.doneUnsafe(state.pending.outcome, Effect.fail(reason))
    }
    const message = (text: string): void => {
      const decoded = decode(text)
      if (Exit.isFailure(decoded))
        return ended(
          new Broken({ detail: "what it says is not of the protocol: does the module write to descriptor 3?" })
        )
      const { value } = decoded
      if (value.type === "ready") Deferred.doneUnsafe(ready, Effect.void)
      else if (value.type === "failed")
        ended(new Unavailable({ detail: `the module could not be loaded: ${value.detail}`, uncertain: false }))
      else if (state.pending !== undefined && state.pending.id === value.id) {
        const { pending } = state
        state.pending = undefined
        settle(pending, value.tag, value.value, output)
      }
    }
    const send = yield* spawn({ ended, message }).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
    const member: Member = { scope, ready, send, state }
    return member
  })

  const drop = (member: Member): Effect.Effect<void> => Scope.close(member.scope, Exit.void)

  const take: Effect.Effect<Member, ExecutorError> = Effect.suspend(() => {
    const member = idle.pop()
    if (member === undefined) return begin()
    return member.state.dead ? Effect.andThen(drop(member), take) : Effect.succeed(member)
  })

  const ask = (member: Member, call: ExecutorCall, text: string, id: string) =>
    Deferred.await(member.ready).pipe(
      Effect.timeoutOrElse({
        duration: startTime,
        orElse: () =>
          Effect.fail(new Unavailable({ detail: `it was not ready after ${startTime} ms`, uncertain: false }))
      }),
      Effect.andThen(
        Effect.suspend(() => {
          const outcome = Deferred.makeUnsafe<ExecutorOutcome, ExecutorErrorReason>()
          member.state.pending = { id, outcome }
          member.send(text)
          return Deferred.await(outcome)
        }).pipe(
          Effect.timeoutOrElse({
            duration: wallTime,
            orElse: () => Effect.fail(new TimedOut({ millis: wallTime }))
          })
        )
      ),
      Effect.mapError((reason) => new ExecutorError({ executor, subject: call.action, reason }))
    )

  return (call: ExecutorCall): Effect.Effect<ExecutorOutcome, ExecutorError> =>
    Effect.suspend(() => {
      const id = String(++calls)
      const text = JSON.stringify({ id, call })
      if (text.length > input)
        return Effect.fail(
          new ExecutorError({
            executor,
            subject: call.action,
            reason: new LimitExceeded({
              limit: "input",
              detail: `${text.length} characters were given, and ${input} may be`
            })
          })
        )
      return turns.withPermits(1)(
        Effect.acquireUseRelease(
          take,
          (member) => ask(member, call, text, id),
          (member, exit) => {
            // It has answered, and is at no work.
            const free = !member.state.dead && member.state.pending === undefined && !Exit.hasInterrupts(exit)
            if (!free || !Deferred.isDoneUnsafe(member.ready)) return drop(member)
            return Effect.sync(() => void idle.push(member))
          }
        )
      )
    })
})
