/**
 * The handlers of an execution's entity: what is asked of it is asked of the keeper of this runner, which takes the
 * execution from whoever has it. The cluster decides which runner that is; the keeper has it for as long as it is this
 * runner's, whether anybody asks for anything or not.
 */
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Host from "../../services/ExecutionHost.ts"
import type { Place } from "./Places.ts"
import type { ExecutionEntity } from "./Protocol.ts"

/** What the entities of a runner share. @category models */
export interface Shared {
  /** The executions of this runner. */
  readonly host: Host.ExecutionHost["Service"]
  /** Fails where the execution is not this runner's, as far as the locks of the cluster are known for certain. */
  readonly admit: (id: string, place: Place) => Effect.Effect<void, Host.ExecutionHostError>
  /** Lets go of an execution that is not this runner's any more. */
  readonly handOver: (id: string, place: Place) => Effect.Effect<void>
}

/**
 * The handlers of the entities of a place.
 *
 * @category constructors
 */
export const handlersOf = (entity: ExecutionEntity, place: Place, { admit, handOver, host }: Shared) =>
  Effect.gen(function* () {
    const { entityId: id } = yield* Entity.CurrentAddress
    // Before the lock of its shard is released: the next owner finds it free, and nothing at work in it is cut off.
    yield* Effect.addFinalizer(() => handOver(id, place))
    const here = <A, E>(ask: Effect.Effect<A, E>) => Effect.andThen(admit(id, place), ask)
    // A definition may have been registered since the start was sent.
    const exact = place.version === undefined ? {} : { version: place.version }
    return entity.of({
      Start: ({ payload: { request } }) => here(host.start({ ...request, ...exact, id })),
      Signal: ({ payload: { options, payload, signal } }) => here(host.signal(id, signal, payload, options)),
      Answer: ({ payload: { options, question, value } }) => here(host.answer(id, question, value, options)),
      Intervene: ({ payload: { options, payload } }) => here(host.intervene(id, payload, options)),
      Seal: () => here(host.seal(id)),
      Close: ({ payload: { options } }) => here(host.close(id, options)),
      Cancel: ({ payload: { reason } }) => here(host.cancel(id, reason)),
      Get: () => here(host.get(id)),
      Save: () => here(host.save(id)),
      Await: () => here(host.await(id)),
      Watch: ({ payload: { from } }) => Stream.unwrap(Effect.as(admit(id, place), host.watch(id, from)))
    })
  })
