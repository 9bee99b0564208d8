/** The folder with its policy: what reading and changing stand on. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ExecutorErrorReason } from "../../services/ActionExecutor.ts"
import { Broken } from "../../services/ActionExecutor.ts"
import * as Folders from "./Folder.ts"
import { anyOf, namesOf, refused } from "./Paths.ts"
import * as Policy from "./Policy.ts"

/** Whether the names of a path fit patterns. */
export type Fits = (names: ReadonlyArray<string>) => boolean

/** The folder with its policy. */
export interface Space {
  readonly root: Folders.Root
  readonly limits: Policy.Limits
  readonly may: ReadonlySet<"create" | "update" | "delete">
  readonly isHidden: Fits
  readonly isFixed: Fits
  /** Fails where a path is kept from change. */
  readonly stays: (names: ReadonlyArray<string>) => Effect.Effect<void, ExecutorErrorReason>
  readonly isSkipped: Fits
  /**
   * The place that a path leads to, where it may be seen: as it is written, and where its links lead. With `make` folders
   * on the way are made, where they may be.
   */
  readonly place: (
    path: string,
    options?: { readonly keep?: boolean; readonly make?: boolean }
  ) => Effect.Effect<Folders.Place, ExecutorErrorReason, Scope.Scope>
}

// Drafts of files that are being written are nobody's business.
const always = [".effigent-*.tmp"]

/** Opens the folder for as long as the Scope. Fails where it is not there, or a pattern is none. */
export const open = Effect.fnUntraced(function* (
  options: Policy.Options,
  hold?: Folders.Holding
): Effect.fn.Return<Space, ExecutorErrorReason, Scope.Scope> {
  const patterns = (all: ReadonlyArray<string>) =>
    Effect.mapError(Effect.fromResult(anyOf(all)), (detail) => new Broken({ detail }))
  const isHidden = yield* patterns([...(options.hidden ?? Policy.secrets), ...always])
  const isFixed = yield* patterns(options.fixed ?? Policy.internals)
  const isSkipped = yield* patterns(options.skipped ?? [".git", "node_modules"])
  const root = yield* Folders.open(options.root, hold)
  const seen = (names: ReadonlyArray<string>) =>
    isHidden(names)
      ? Effect.fail(refused("path.hidden", `${JSON.stringify(Folders.told(names))} is kept from view`))
      : Effect.void
  const stays = (names: ReadonlyArray<string>) =>
    isFixed(names)
      ? Effect.fail(refused("path.fixed", `${JSON.stringify(Folders.told(names))} is kept from change`))
      : Effect.void
  return {
    root,
    stays,
    limits: { ...Policy.limits, ...options.limits },
    may: new Set(options.allow ?? []),
    isHidden,
    isFixed,
    isSkipped,
    place: Effect.fnUntraced(function* (path, options) {
      const names = namesOf(path)
      if (Result.isFailure(names)) return yield* Effect.fail(names.failure)
      yield* seen(names.success)
      const make = (names: ReadonlyArray<string>) => Effect.andThen(seen(names), stays(names))
      const place = yield* root.place(names.success, {
        keep: options?.keep,
        make: options?.make === true ? make : undefined
      })
      yield* seen(place.names)
      return place
    })
  }
})
