/**
 * Results that are too large for a prompt: the whole is kept, the model is shown the beginning and reads on in ranges.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ArtifactRef } from "../../services/Action.ts"
import type { Json } from "../../services/Json.ts"
import * as Action from "./Action.ts"
import * as Digest from "./Digest.ts"

/**
 * Where artifacts are kept. By default in the memory of the response, as long as it runs; a program that wants them
 * longer, or has its runs continued elsewhere, provides its own.
 *
 * @category services
 */
export class ArtifactStore extends Context.Service<
  ArtifactStore,
  {
    /** Keeps a text under its id. Ids are digests: keeping one twice is harmless. */
    readonly save: (id: string, text: string) => Effect.Effect<void>
    /** The text from one character up to another; absent where there is none. */
    readonly read: (id: string, from: number, to: number) => Effect.Effect<Option.Option<string>>
  }
>()("effigent/ArtifactStore") {}

/** Keeps artifacts in memory. @category constructors */
export const inMemory = (): ArtifactStore["Service"] => {
  const kept = new Map<string, string>()
  return {
    save: (id, text) => Effect.sync(() => void kept.set(id, text)),
    read: (id, from, to) =>
      Effect.sync(() => Option.map(Option.fromUndefinedOr(kept.get(id)), (t) => t.slice(from, to)))
  }
}

/** What the model is shown of a result, and where the rest of it is. @category models */
export interface Shown {
  readonly result: Json
  readonly artifact: ArtifactRef | undefined
}

/**
 * What the model is shown of a result that may have so many characters.
 *
 * @category shaping
 */
export const shape = Effect.fnUntraced(function* (
  result: Json,
  max: number,
  store: ArtifactStore["Service"]
): Effect.fn.Return<Shown> {
  if (typeof result !== "object" && typeof result !== "string") return { result, artifact: undefined }
  const text = typeof result === "string" ? result : JSON.stringify(result)
  if (text.length <= max) return { result, artifact: undefined }
  const digest = yield* Digest.ofText(text)
  const artifact: ArtifactRef = { id: digest.slice(0, 16), size: text.length, digest }
  yield* store.save(artifact.id, text)
  const shown = {
    artifact: artifact.id,
    characters: artifact.size,
    beginning: text.slice(0, Math.floor(max / 2)),
    note: `This is the beginning of a long result. Call ${reading} with the artifact's id to read the rest.`
  }
  return { result: shown, artifact }
})

/** The name of the action that reads artifacts. @category actions */
export const reading = "read_artifact"

const largestRange = 10_000

/**
 * The action by which a model reads artifacts, in ranges of at most 10,000 characters.
 *
 * @category actions
 */
export const reader = Action.make(reading, {
  description: "Reads a part of a long result that was kept as an artifact.",
  input: Schema.Struct({
    artifact: Schema.String.annotate({ description: "The artifact's id" }),
    from: Schema.Int.annotate({ description: "The first character, from 0" }),
    length: Schema.Int.annotate({ description: `How many characters, at most ${largestRange}` })
  }),
  output: Schema.String,
  sideEffect: "pure",
  maxResult: largestRange,
  run: ({ artifact, from, length }) => {
    const start = Math.max(0, from)
    const to = start + Math.min(largestRange, Math.max(0, length))
    return Effect.flatMap(ArtifactStore, (store) =>
      Effect.flatMap(store.read(artifact, start, to), (found) =>
        Option.isSome(found)
          ? Effect.succeed(found.value)
          : Action.retry(`There is no artifact ${artifact}: take its id from the result that names it.`)
      )
    )
  }
})
