/** Calls that wait for a decision, as a queue that another part of the program answers: a page, a chat, a bot. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ApprovalGate, type ApprovalRequest, type Decision } from "../../services/Action.ts"

/**
 * A call that waits for a decision.
 *
 * @category models
 */
export interface Waiting {
  /** What it is answered by: random, so that an answer that comes late never meets another call. */
  readonly id: string
  readonly request: ApprovalRequest
}

/**
 * Nothing waits under this id: it was answered, or its run has ended.
 *
 * @category errors
 */
export class NotWaiting extends Schema.TaggedError<NotWaiting>()("NotWaiting", { id: Schema.String }) {
  override get message(): string {
    return `No call waits for approval under the id ${JSON.stringify(this.id)}: it was decided already, or its run ended`
  }
}

/**
 * The calls of this program that wait for a decision.
 *
 * @category services
 */
export class ApprovalQueue extends Context.Service<
  ApprovalQueue,
  {
    /** What waits now, oldest first. */
    readonly waiting: Effect.Effect<ReadonlyArray<Waiting>>
    /** What waits now, and then each call as it begins to wait. */
    readonly requests: Stream.Stream<Waiting>
    /** Decides on a call, once. */
    readonly answer: (id: string, decision: Decision) => Effect.Effect<void, NotWaiting>
  }
>()("effigent/ApprovalQueue") {}

/**
 * Lets calls wait until `ApprovalQueue` is given a decision on them. A run that is interrupted takes its calls back.
 *
 * @category layers
 */
export const queue: Layer.Layer<ApprovalQueue> = Layer.effectContext(
  Effect.gen(function* () {
    const all = new Map<string, Waiting & { readonly decision: Deferred.Deferred<Decision> }>()
    const begun = yield* PubSub.unbounded<Waiting>()
    const waiting = () => [...all.values()].map(({ id, request }) => ({ id, request }))
    const gate = (request: ApprovalRequest): Effect.Effect<Decision> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const one = { id: globalThis.crypto.randomUUID(), request, decision: Deferred.makeUnsafe<Decision>() }
          all.set(one.id, one)
          return one
        }),
        ({ decision, id }) => Effect.andThen(PubSub.publish(begun, { id, request }), Deferred.await(decision)),
        ({ id }) => Effect.sync(() => all.delete(id))
      )
    const service: ApprovalQueue["Service"] = {
      waiting: Effect.sync(waiting),
      requests: Stream.unwrap(
        Effect.map(PubSub.subscribe(begun), (subscription) => {
          // What was told between the subscription and this moment waits already.
          const now = waiting()
          const known = new Set(now.map(({ id }) => id))
          const later = Stream.filter(Stream.fromSubscription(subscription), ({ id }) => !known.has(id))
          return Stream.concat(Stream.fromIterable(now), later)
        })
      ),
      answer: (id, decision) =>
        Effect.suspend(() => {
          const one = all.get(id)
          if (one === undefined) return Effect.fail(new NotWaiting({ id }))
          all.delete(id)
          return Effect.asVoid(Deferred.succeed(one.decision, decision))
        })
    }
    return Context.make(ApprovalQueue, service).pipe(Context.add(ApprovalGate, gate))
  })
)
