/** Snapshots of executions in the memory of this process. They are gone when it ends. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Snapshots from "../../services/SnapshotStore.ts"

/** The store as a value. @category constructors */
export const make = (): Snapshots.SnapshotStore["Service"] => {
  const executions = new Map<string, ReadonlyArray<Snapshots.StoredSnapshot>>()
  const kept = (id: string) => executions.get(id) ?? []
  const prune = (id: string, keep: number): void => {
    const gone = Snapshots.outdated(
      kept(id).map(({ version }) => version),
      keep
    )
    if (gone.length > 0)
      executions.set(
        id,
        kept(id).filter(({ version }) => !gone.includes(version))
      )
  }
  return {
    put: (id, snapshot, { expected, keep }) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) =>
        Effect.suspend(() => {
          const before = kept(id)
          if ((before.at(-1)?.version ?? 0) !== expected)
            return Effect.fail(new Snapshots.SnapshotConflict({ id, expected }))
          // A copy: what is kept is not changed from outside.
          executions.set(id, [...before, { version: expected + 1, at, snapshot: structuredClone(snapshot) }])
          prune(id, keep ?? Snapshots.defaultKeep)
          return Effect.succeed(expected + 1)
        })
      ),
    get: (id, version) =>
      Effect.sync(() =>
        Option.fromUndefinedOr(
          version === undefined ? kept(id).at(-1) : kept(id).find((one) => one.version === version)
        )
      ),
    list: (id) => Effect.sync(() => kept(id).map(({ version }) => version)),
    prune: (id, keep) => Effect.sync(() => prune(id, keep)),
    remove: (id) => Effect.sync(() => void executions.delete(id))
  }
}

/** A store in memory, empty at first. @category layers */
export const layer: Layer.Layer<Snapshots.SnapshotStore> = Layer.sync(Snapshots.SnapshotStore, make)
