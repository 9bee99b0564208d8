/**
 * Records the answers of a real provider once, and replays them in tests: the same request gives the same events in the
 * same chunks, failures included, without a network and without pauses. A request that was not recorded is a
 * `ModelError` that shows how it differs from the recorded one that is most like it.
 *
 * A request that was made several times is replayed in the order of its recordings; the last one is repeated. A cassette
 * holds prompts and answers as they are: of the options of a provider, strings under names such as `api_key`, `token` or
 * `authorization` are left out, and nothing else.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Incomplete, ModelError, Unsupported } from "../../services/ModelError.ts"
import type { JsonObject } from "../../services/Json.ts"
import { type ModelEvent, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import * as CassetteFile from "./CassetteFile.ts"
import * as CassetteRequest from "./CassetteRequest.ts"

type Provider = ModelProvider["Service"]
type Chunk = Arr.NonEmptyReadonlyArray<ModelEvent>

/**
 * A cassette that cannot be used: it is not there, cannot be read or written, or is none.
 *
 * @category errors
 */
export class CassetteError extends Schema.TaggedError<CassetteError>()("CassetteError", {
  /** The file. */
  path: Schema.String,
  /** What is wrong. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Cassette ${this.path}: ${this.detail}`
  }
}

// A recording that is under way.
interface Take extends CassetteFile.Recording {
  readonly chunks: Array<ReadonlyArray<ModelEvent>>
  end: CassetteFile.Ending
}

const refuse = (provider: string, request: ModelRequest, detail: string) =>
  new ModelError({
    provider,
    ...(request.model === undefined ? {} : { model: request.model }),
    reason: new Unsupported({ detail })
  })

// The request as a cassette has it, and then the stream: each run renders, as each run is a request.
const rendered = (
  provider: string,
  request: ModelRequest,
  then: (rendered: JsonObject) => Stream.Stream<ModelEvent, ModelError>
): Stream.Stream<ModelEvent, ModelError> =>
  Stream.suspend(() => {
    const found = CassetteRequest.render(request)
    return Result.isFailure(found) ? Stream.fail(refuse(provider, request, found.failure)) : then(found.success)
  })

// A frame may be anything; what JSON has no form for is left out of the recording.
const kept = (event: ModelEvent): ReadonlyArray<ModelEvent> => {
  if (event._tag !== "Raw") return [event]
  const frame = Result.try(() => JSON.stringify(event.frame))
  if (Result.isFailure(frame) || typeof frame.success !== "string") return []
  const parsed: unknown = JSON.parse(frame.success)
  return [{ _tag: "Raw", frame: parsed }]
}

// Runs a request at the provider and puts what it answers on the tape, from its start on: the order on the tape is the
// order of the requests, whichever ends first.
const recordOne = (
  inner: Provider,
  request: ModelRequest,
  rendered: JsonObject,
  tape: Array<Take>
): Stream.Stream<ModelEvent, ModelError> => {
  const recording: Take = { request: rendered, chunks: [], end: { _tag: "Left" } }
  tape.push(recording)
  return inner.stream(request).pipe(
    Stream.mapArray((chunk) => {
      recording.chunks.push(chunk.flatMap(kept))
      return chunk
    }),
    Stream.onEnd(
      Effect.sync(() => {
        recording.end = { _tag: "Done" }
      })
    ),
    Stream.tapError((error) =>
      Effect.sync(() => {
        recording.end = { _tag: "Failed", error }
      })
    )
  )
}

const replayOne = (
  provider: string,
  request: ModelRequest,
  recording: CassetteFile.Recording
): Stream.Stream<ModelEvent, ModelError> => {
  const wanted = (event: ModelEvent) => request.includeRaw || event._tag !== "Raw"
  const chunks = recording.chunks.map((chunk): ReadonlyArray<ModelEvent> => chunk.filter(wanted))
  const played = chunks.filter(Arr.isReadonlyArrayNonEmpty)
  const end = Effect.suspend((): Effect.Effect<never, ModelError | Cause.Done> => {
    switch (recording.end._tag) {
      case "Done":
        return Cause.done()
      case "Failed":
        return Effect.fail(recording.end.error)
      case "Left": {
        const detail = "the recording ends here, because its reader left; record it again to the end"
        const model = request.model === undefined ? {} : { model: request.model }
        return Effect.fail(new ModelError({ provider, ...model, reason: new Incomplete({ detail }) }))
      }
    }
  })
  return Stream.fromPull(
    Effect.sync(() => {
      let position = 0
      return Effect.suspend((): Effect.Effect<Chunk, ModelError | Cause.Done> => {
        const chunk = played[position++]
        return chunk === undefined ? end : Effect.succeed(chunk)
      })
    })
  )
}

// The recordings of each request, and how many of them have been played.
const shelf = <R extends { readonly request: JsonObject }>(recordings: ReadonlyArray<R>) => {
  const byKey = new Map<string, { readonly takes: Array<R>; played: number }>()
  for (const recording of recordings) {
    const key = CassetteRequest.keyOf(recording.request)
    const slot = byKey.get(key) ?? { takes: [], played: 0 }
    slot.takes.push(recording)
    byKey.set(key, slot)
  }
  return (request: JsonObject): R | undefined => {
    const slot = byKey.get(CassetteRequest.keyOf(request))
    return slot?.takes[Math.min(slot.played++, slot.takes.length - 1)]
  }
}

const read = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const fail = (detail: string) => new CassetteError({ path, detail })
  const text = yield* Effect.mapError(fs.readFileString(path), (error) =>
    fail(error.reason._tag === "NotFound" ? "there is no such file; record it first" : error.message)
  )
  return yield* Effect.fromResult(Result.mapError(CassetteFile.parse(text), fail))
})

const save = Effect.fnUntraced(function* (
  path: string,
  inner: Provider,
  recordings: ReadonlyArray<CassetteFile.Recording>
) {
  const fs = yield* FileSystem.FileSystem
  const fail = (detail: string) => new CassetteError({ path, detail })
  const dialect = inner.dialect === undefined ? {} : { dialect: inner.dialect }
  const file: CassetteFile.File = { provider: inner.name, ...dialect, recordings }
  const text = yield* Effect.fromResult(Result.mapError(CassetteFile.print(file), fail))
  const folder = /^(.*)[\\/][^\\/]*$/.exec(path)?.[1]
  if (folder !== undefined && folder !== "") {
    yield* Effect.mapError(fs.makeDirectory(folder, { recursive: true }), (error) => fail(error.message))
  }
  yield* Effect.mapError(fs.writeFileString(path, text), (error) => fail(error.message))
})

const miss = (path: string, request: JsonObject, recorded: ReadonlyArray<JsonObject>): string => {
  const near = CassetteRequest.nearest(request, recorded)
  return near === undefined
    ? `the cassette ${path} is empty`
    : `no recording on ${path} is of this request. Most like it is number ${near.number} of ${recorded.length} (- recorded, + asked):\n${near.diff}`
}

/**
 * Records the provider in the context: passes everything through, and writes the file when the layer's Scope closes.
 * What was in the file before is gone. A file that cannot be written is a defect.
 *
 * @category layers
 */
export const record = (path: string): Layer.Layer<ModelProvider, never, ModelProvider | FileSystem.FileSystem> =>
  Layer.effect(
    ModelProvider,
    Effect.gen(function* () {
      const inner = yield* ModelProvider
      const tape: Array<Take> = []
      const fs = yield* FileSystem.FileSystem
      yield* Effect.addFinalizer(() =>
        save(path, inner, tape).pipe(Effect.provideService(FileSystem.FileSystem, fs), Effect.orDie)
      )
      return {
        ...inner,
        stream: (request) => rendered(inner.name, request, (key) => recordOne(inner, request, key, tape))
      }
    })
  )

/**
 * Replays a cassette; there is no provider behind it. Fails with `CassetteError` where there is no cassette.
 *
 * @example
 * ```ts
 * import { Effect, FileSystem, Layer, Stream } from "effect"
 * import { Prompt } from "effigent/services/Ai"
 * import { ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
 * import { Cassette, ScriptedModel } from "effigent/testing"
 *
 * const request: ModelRequest = {
 *   prompt: Prompt.make("hello"),
 *   tools: [],
 *   output: { name: "answer", format: "text", jsonSchema: { type: "string" }, strict: {}, native: false },
 *   options: {},
 *   includeRaw: false,
 *   attempt: 1
 * }
 * const ask = ModelProvider.use((provider) => Stream.runCollect(provider.stream(request)))
 *
 * // A disk for this example; a program takes the one of its platform.
 * const files = new Map<string, string>()
 * const disk = FileSystem.layerNoop({
 *   readFileString: (path) => Effect.sync(() => files.get(path) ?? ""),
 *   writeFileString: (path, text) => Effect.sync(() => void files.set(path, text))
 * })
 * const recording = Layer.provide(Cassette.record("hello.json"), ScriptedModel.layer([ScriptedModel.text("Hi.")]))
 * const program = Effect.gen(function* () {
 *   yield* ask.pipe(Effect.provide(recording))
 *   return yield* ask.pipe(Effect.provide(Cassette.replay("hello.json")))
 * })
 * const events = Effect.runSync(program.pipe(Effect.provide(disk)))
 * console.log(events[0]) // => { _tag: 'Text', text: 'Hi.' }
 * ```
 *
 * @category layers
 */
export const replay = (path: string): Layer.Layer<ModelProvider, CassetteError, FileSystem.FileSystem> =>
  Layer.effect(
    ModelProvider,
    Effect.map(read(path), ({ dialect, provider, recordings }) => {
      const take = shelf(recordings)
      return {
        name: provider,
        ...(dialect === undefined ? {} : { dialect }),
        stream: (request) =>
          rendered(provider, request, (key) => {
            const recording = take(key)
            return recording === undefined
              ? Stream.fail(
                  refuse(
                    provider,
                    request,
                    miss(
                      path,
                      key,
                      recordings.map((one) => one.request)
                    )
                  )
                )
              : replayOne(provider, request, recording)
          })
      }
    })
  )

/**
 * Replays what is on the cassette, and asks the provider in the context for the rest, which is recorded behind it when
 * the layer's Scope closes. There need not be a cassette yet. An answer whose reader left early is asked for again.
 *
 * @category layers
 */
export const auto = (path: string): Layer.Layer<ModelProvider, CassetteError, ModelProvider | FileSystem.FileSystem> =>
  Layer.effect(
    ModelProvider,
    Effect.gen(function* () {
      const inner = yield* ModelProvider
      const fs = yield* FileSystem.FileSystem
      const there = yield* Effect.mapError(
        fs.exists(path),
        (error) => new CassetteError({ path, detail: error.message })
      )
      const known = there ? (yield* read(path)).recordings.filter(({ end }) => end._tag !== "Left") : []
      const take = shelf(known)
      const tape: Array<Take> = []
      yield* Effect.addFinalizer(() =>
        Effect.suspend(() => (tape.length === 0 ? Effect.void : save(path, inner, [...known, ...tape]))).pipe(
          Effect.provideService(FileSystem.FileSystem, fs),
          Effect.orDie
        )
      )
      return {
        ...inner,
        stream: (request) =>
          rendered(inner.name, request, (key) => {
            const recording = take(key)
            return recording === undefined
              ? recordOne(inner, request, key, tape)
              : replayOne(inner.name, request, recording)
          })
      }
    })
  )
