// Runners on one journal that can be killed, and a journal that can refuse.
import { Effect, Exit, type Layer, Layer as Layers, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ExecutionHosts } from "effigent/layers/host"
import { ExecutionHost } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { type Append, JournalStore, JournalStoreError } from "effigent/services/JournalStore"
import type { ExecutionHostError, FlowRegistered } from "effigent/services/ExecutionHost"
import type { FlowErrors } from "effigent/triggerflow"
import type { Options } from "../../src/durable/Settings.ts"
import * as MemoryJournal from "../../layers/store/MemoryJournal.ts"

type Store = JournalStore["Service"]

/** What stands between a runner and its journal. */
export class Wire {
  readonly store: Store
  /** Why nothing that writes works. */
  broken: JournalStoreError["reason"] | undefined = undefined
  /** For which executions appends do not work; absent: for all, where it is broken. */
  only: ((id: string) => boolean) | undefined = undefined
  /** After how many more writes the runner is dead; whether the last one of them still comes through is not told. */
  left = Infinity
  /** The write that kills it comes through, and is not acknowledged. */
  through = false
  dead = false
  /** What the runner did, by name. */
  readonly calls = new Map<string, number>()
  onDeath: (() => void) | undefined = undefined
  /** Takes the place of a call, where it is set. */
  readonly instead: { -readonly [K in keyof Store]?: Store[K] } = {}

  constructor(inner: Store) {
    const error = (operation: string, reason: JournalStoreError["reason"]) =>
      new JournalStoreError({ store: "test", operation, reason, detail: "it is broken on purpose." })
    const die = () => {
      this.dead = true
      this.onDeath?.()
      return Effect.fail(error("write", "unavailable"))
    }
    const call = <A, E>(name: string, writes: boolean, id: string | undefined, effect: () => Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | JournalStoreError> => {
        this.calls.set(name, (this.calls.get(name) ?? 0) + 1)
        if (this.dead) return Effect.fail(error(name, "unavailable"))
        if (!writes)
          return this.broken === "unavailable" && this.only === undefined
            ? Effect.fail(error(name, this.broken))
            : effect()
        const hit = this.only === undefined || (id !== undefined && this.only(id))
        if (this.broken !== undefined && hit) return Effect.fail(error(name, this.broken))
        if (this.left-- > 0) return effect()
        return this.through ? Effect.andThen(effect(), die()) : die()
      })
    const pick = <K extends keyof Store>(name: K): Store[K] => this.instead[name] ?? inner[name]
    this.store = {
      join: (owner, lease) => call("join", true, undefined, () => pick("join")(owner, lease)),
      renew: (owner, lease) => call("renew", true, undefined, () => pick("renew")(owner, lease)),
      leave: (owner) => call("leave", true, undefined, () => pick("leave")(owner)),
      create: (creation) => call("create", true, creation.id, () => pick("create")(creation)),
      append: (append: Append) => call("append", true, append.id, () => pick("append")(append)),
      claim: (request) => call("claim", true, undefined, () => pick("claim")(request)),
      claimable: (request) => call("claimable", false, undefined, () => pick("claimable")(request)),
      claimOne: (id, owner, options) => call("claimOne", true, id, () => pick("claimOne")(id, owner, options)),
      release: (owner, ids) => call("release", true, ids[0], () => pick("release")(owner, ids)),
      read: (id, options) => call("read", false, id, () => pick("read")(id, options)),
      history: (id, options) => call("history", false, id, () => pick("history")(id, options)),
      get: (id) => call("get", false, id, () => pick("get")(id)),
      list: (query) => call("list", false, undefined, () => pick("list")(query)),
      bury: (id, fence, reason) => call("bury", true, id, () => pick("bury")(id, fence, reason)),
      revive: (id) => call("revive", true, id, () => pick("revive")(id)),
      prune: (retention) => call("prune", true, undefined, () => pick("prune")(retention)),
      remove: (id) => call("remove", true, id, () => pick("remove")(id)),
      nextWake: (flows) => call("nextWake", false, undefined, () => pick("nextWake")(flows)),
      ping: inner.ping
    }
  }

  count(name: string): number {
    return this.calls.get(name) ?? 0
  }
}

export const journal = (): Store => MemoryJournal.make()

type Flows = Layer.Layer<never, FlowErrors.FlowError | FlowRegistered | ExecutionHostError, ExecutionHost>

/** A runner at work. */
export interface Runner {
  readonly host: ExecutionHost["Service"]
  readonly keeper: ExecutionKeeper["Service"]
  readonly wire: Wire
  /** Ends it as a crash does: nothing of it reaches the journal any more. */
  readonly kill: Effect.Effect<void>
  /** Ends it in good order. */
  readonly close: Effect.Effect<void>
  /** Gives a program the host and the keeper. */
  readonly in: <A, E, R>(
    program: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, Exclude<R, ExecutionHost | ExecutionKeeper | JournalStore>>
}

/** Begins a runner. Nothing ends it but `kill` and `close`, or the end of the test. */
export const runner = (
  store: Store,
  flows: Flows,
  options: Options = {}
): Effect.Effect<Runner, FlowErrors.FlowError | FlowRegistered | ExecutionHostError, Scope.Scope> =>
  Effect.gen(function* () {
    const wire = new Wire(store)
    const scope = yield* Scope.fork(yield* Effect.scope)
    const layer = flows.pipe(
      Layers.provideMerge(ExecutionHosts.durable({ drain: 0, ...options })),
      Layers.provideMerge(Layers.succeed(JournalStore, wire.store))
    )
    const context = yield* Layers.buildWithScope(layer, scope)
    const close = Scope.close(scope, Exit.void)
    const kill = Effect.andThen(
      Effect.sync(() => {
        wire.dead = true
      }),
      close
    )
    const { mapUnsafe } = context
    return {
      // The layer gives both.
      host: mapUnsafe.get(ExecutionHost.key) as ExecutionHost["Service"],
      keeper: mapUnsafe.get(ExecutionKeeper.key) as ExecutionKeeper["Service"], // as above
      wire,
      kill,
      close,
      in: (program) => Effect.provideContext(program, context)
    }
  })

/** Lets everything run that can run without the clock. */
export const settle: Effect.Effect<void> = TestClock.adjust(0)

/** Lets things happen until something holds. */
export const until = (holds: () => boolean, what = "what was waited for"): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 2000; turn++) {
      if (holds()) return
      yield* Effect.yieldNow
    }
    return yield* Effect.die(new Error(`${what} has not come`))
  })
