/**
 * Snapshots: an execution as one JSON document, to be loaded in another process, next week, or where it was. Everything
 * stands in it by name and step key; no line of a file, no object and no function does.
 *
 * A snapshot grows with what is at work, not with what has happened: what has ended is not in it, but for the ids of
 * questions that were answered, so that an answer that is sent twice is still known.
 */
import * as Schema from "effect/Schema"
import { FlowShape } from "../definition/Shape.ts"

/** What tells a snapshot from other JSON. @category constants */
export const kind = "effigent/flow-snapshot"

/** The version of the format. @category constants */
export const schemaVersion = 1

const Slots = Schema.Array(Schema.Tuple([Schema.Int, Schema.Json]))

/**
 * A container that has not ended: see `Frame`.
 *
 * @category models
 */
export interface SavedFrame {
  readonly id: number
  readonly kind: "signal" | "body" | "operator"
  readonly parent?: number
  readonly slot?: number
  /** Operators: the key of their step. */
  readonly step?: string
  /** Signals: their name, and the run that waits for them under which key. */
  readonly name?: string
  readonly mode?: "await" | "exit" | "none"
  readonly run?: number
  readonly key?: string
  readonly depth?: number
  readonly scope?: number
  readonly root?: number
  /** What has ended inside of it, by slot. */
  readonly results?: ReadonlyArray<readonly [number, Schema.Json]>
  /** Slots of a forEach that were left out. */
  readonly skipped?: ReadonlyArray<number>
  /** How many bodies were started, or rounds done. */
  readonly next?: number
  /** forEach: the items that have not been started. match: the cases that hold. */
  readonly items?: ReadonlyArray<Schema.Json>
  readonly value?: Schema.Json
  readonly dropped?: true
  /** Its conditions are being asked, and will be asked again. */
  readonly asks?: true
  /** The sub-flow that runs in it. */
  readonly child?: Image
  /** A step that sleeps: until when, in milliseconds since 1970; absent: that has not been asked. */
  readonly until?: number
  /** In journals: the number under which its run waits for it. */
  readonly op?: number
}

/**
 * A handler that has not ended. `queued`: has not begun. `again`: was at work, and begins anew; what it had emitted is
 * not emitted again. `paused`: waits for an answer.
 *
 * @category models
 */
export interface SavedRun {
  readonly id: number
  /** The key of its step. */
  readonly step: string
  readonly body: number
  readonly input: Schema.Json
  readonly state: "queued" | "again" | "paused"
  readonly resumes?: number
  /** How many tries have failed. */
  readonly tries?: number
  readonly answer?: { readonly interrupt: string; readonly value: Schema.Json; readonly asked?: Schema.Json }
  /** What it has emitted: the digest of the payload, and how it ended or the frame that is at work. */
  readonly ops?: ReadonlyArray<{
    readonly key: string
    readonly signal: string
    readonly digest: string
    readonly frame?: number
    readonly exit?: Schema.Json
  }>
  /** In journals: what it is doing in the process that has saved it, and whether it had begun in one before. */
  readonly live?: {
    readonly state: "queued" | "active" | "lent" | "returning" | "asleep" | "paused" | "ended"
    readonly again?: true
  }
}

/** What an execution, or a sub-flow of it, is made of. @category models */
export interface Image {
  readonly executionId: string
  readonly lifecycle: "open" | "sealed" | "closed"
  readonly ended?: "completed" | "failed" | "cancelled"
  readonly closing?: true
  readonly started: boolean
  /** What it will be started with. */
  readonly input?: Schema.Json
  /** The next number of a frame, run or decision. */
  readonly ids: number
  /** The steps that have ended (1), failed (2) or were stopped (4) at least once, summed, by their keys. */
  readonly passed?: { readonly [step: string]: number }
  readonly state: { readonly [key: string]: Schema.Json }
  readonly result?: Schema.Json
  readonly failure?: Schema.Json
  readonly failures?: ReadonlyArray<Schema.Json>
  readonly frames: ReadonlyArray<SavedFrame>
  readonly runs: ReadonlyArray<SavedRun>
  /** Signals that stand in line behind everything else. */
  readonly forks: ReadonlyArray<{ readonly frame: number; readonly signal: string; readonly payload: Schema.Json }>
  readonly interrupts: ReadonlyArray<{
    readonly id: string
    readonly interrupt: string
    readonly payload: Schema.Json
    readonly target: "next" | "self" | { readonly signal: string }
    readonly run: number
    readonly at: number
    readonly expires?: number
    /** The answer that is taken when it expires. */
    readonly otherwise?: Schema.Json
  }>
  /** Questions that wait no longer, oldest first: the answer as its digest. */
  readonly answered: ReadonlyArray<{
    readonly id: string
    readonly interrupt: string
    readonly request?: string
    readonly digest: string
    readonly how: "answered" | "cancelled" | "expired"
  }>
  /** Answers that have come before their question. */
  readonly early: ReadonlyArray<{
    readonly id: string
    readonly interrupt: string
    readonly value: Schema.Json
    readonly request?: string
    readonly digest: string
  }>
  /** How many questions of each interrupt were numbered. */
  readonly asked: { readonly [interrupt: string]: number }
  /** The requests that have brought signals, oldest first. */
  readonly requests?: ReadonlyArray<string>
  readonly interventions: ReadonlyArray<{
    readonly id: string
    readonly payload: Schema.Json
    readonly author?: string
    readonly target?: string
    readonly status: "pending" | "inserted" | "applied" | "ignored" | "expired"
  }>
  /** What has come to the `all` triggers: the chain, what it is correlated by, and the values. */
  readonly gates: ReadonlyArray<{
    readonly chain: string
    readonly by: string
    readonly slots: { readonly [slot: string]: Schema.Json }
  }>
  readonly collectors: ReadonlyArray<{
    readonly name: string
    readonly scope: number
    readonly branches: { readonly [branch: string]: Schema.Json }
  }>
}

const SavedFrame: Schema.Codec<SavedFrame> = Schema.Struct({
  id: Schema.Int,
  kind: Schema.Literals(["signal", "body", "operator"]),
  parent: Schema.optionalKey(Schema.Int),
  slot: Schema.optionalKey(Schema.Int),
  step: Schema.optionalKey(Schema.String),
  name: Schema.optionalKey(Schema.String),
  mode: Schema.optionalKey(Schema.Literals(["await", "exit", "none"])),
  run: Schema.optionalKey(Schema.Int),
  key: Schema.optionalKey(Schema.String),
  depth: Schema.optionalKey(Schema.Int),
  scope: Schema.optionalKey(Schema.Int),
  root: Schema.optionalKey(Schema.Int),
  results: Schema.optionalKey(Slots),
  skipped: Schema.optionalKey(Schema.Array(Schema.Int)),
  next: Schema.optionalKey(Schema.Int),
  items: Schema.optionalKey(Schema.Array(Schema.Json)),
  value: Schema.optionalKey(Schema.Json),
  dropped: Schema.optionalKey(Schema.Literal(true)),
  asks: Schema.optionalKey(Schema.Literal(true)),
  child: Schema.optionalKey(Schema.suspend((): Schema.Codec<Image> => Image)),
  until: Schema.optionalKey(Schema.Finite),
  op: Schema.optionalKey(Schema.Int)
})

const SavedRun: Schema.Codec<SavedRun> = Schema.Struct({
  id: Schema.Int,
  step: Schema.String,
  body: Schema.Int,
  input: Schema.Json,
  state: Schema.Literals(["queued", "again", "paused"]),
  resumes: Schema.optionalKey(Schema.Int),
  tries: Schema.optionalKey(Schema.Int),
  answer: Schema.optionalKey(
    Schema.Struct({ interrupt: Schema.String, value: Schema.Json, asked: Schema.optionalKey(Schema.Json) })
  ),
  ops: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        key: Schema.String,
        signal: Schema.String,
        digest: Schema.String,
        frame: Schema.optionalKey(Schema.Int),
        exit: Schema.optionalKey(Schema.Json)
      })
    )
  ),
  live: Schema.optionalKey(
    Schema.Struct({
      state: Schema.Literals(["queued", "active", "lent", "returning", "asleep", "paused", "ended"]),
      again: Schema.optionalKey(Schema.Literal(true))
    })
  )
})

const Fields = Schema.Record(Schema.String, Schema.Json)

/** What an execution, or a sub-flow of it, is made of. @category schemas */
export const Image: Schema.Codec<Image> = Schema.Struct({
  executionId: Schema.String,
  lifecycle: Schema.Literals(["open", "sealed", "closed"]),
  ended: Schema.optionalKey(Schema.Literals(["completed", "failed", "cancelled"])),
  closing: Schema.optionalKey(Schema.Literal(true)),
  started: Schema.Boolean,
  input: Schema.optionalKey(Schema.Json),
  ids: Schema.Int,
  passed: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
  state: Fields,
  result: Schema.optionalKey(Schema.Json),
  failure: Schema.optionalKey(Schema.Json),
  failures: Schema.optionalKey(Schema.Array(Schema.Json)),
  frames: Schema.Array(SavedFrame),
  runs: Schema.Array(SavedRun),
  forks: Schema.Array(Schema.Struct({ frame: Schema.Int, signal: Schema.String, payload: Schema.Json })),
  interrupts: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      interrupt: Schema.String,
      payload: Schema.Json,
      target: Schema.Union([Schema.Literals(["next", "self"]), Schema.Struct({ signal: Schema.String })]),
      run: Schema.Int,
      at: Schema.Finite,
      expires: Schema.optionalKey(Schema.Finite),
      otherwise: Schema.optionalKey(Schema.Json)
    })
  ),
  answered: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      interrupt: Schema.String,
      request: Schema.optionalKey(Schema.String),
      digest: Schema.String,
      how: Schema.Literals(["answered", "cancelled", "expired"])
    })
  ),
  early: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      interrupt: Schema.String,
      value: Schema.Json,
      request: Schema.optionalKey(Schema.String),
      digest: Schema.String
    })
  ),
  asked: Schema.Record(Schema.String, Schema.Int),
  requests: Schema.optionalKey(Schema.Array(Schema.String)),
  interventions: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      payload: Schema.Json,
      author: Schema.optionalKey(Schema.String),
      target: Schema.optionalKey(Schema.String),
      status: Schema.Literals(["pending", "inserted", "applied", "ignored", "expired"])
    })
  ),
  gates: Schema.Array(Schema.Struct({ chain: Schema.String, by: Schema.String, slots: Fields })),
  collectors: Schema.Array(Schema.Struct({ name: Schema.String, scope: Schema.Int, branches: Fields }))
})

const StreamEntry = Schema.Struct({
  cursor: Schema.Int,
  path: Schema.Array(Schema.String),
  event: Schema.Union([
    Schema.Struct({ _tag: Schema.Literal("item"), json: Schema.Json, volatile: Schema.Boolean }),
    Schema.Struct({
      _tag: Schema.Literal("interrupt"),
      id: Schema.String,
      interrupt: Schema.String,
      json: Schema.Json
    }),
    Schema.Struct({ _tag: Schema.Literal("answered"), id: Schema.String, interrupt: Schema.String }),
    Schema.Struct({
      _tag: Schema.Literal("intervention"),
      id: Schema.String,
      action: Schema.Literals(["append", "insert", "expire", "consume", "reject"])
    })
  ])
})

/**
 * An execution as one JSON document. It decodes to itself: `Schema.fromJsonString(Snapshot)` reads it from text.
 *
 * @category schemas
 */
export const Snapshot = Schema.Struct({
  kind: Schema.Literal(kind),
  schemaVersion: Schema.Literal(schemaVersion),
  flow: Schema.Struct({
    name: Schema.String,
    /** The `version` of the contract, where it has one. */
    version: Schema.optionalKey(Schema.String)
  }),
  /** The shape of the flow that it was made with, and its fingerprint. */
  definition: Schema.Struct({ fingerprint: Schema.String, shape: FlowShape }),
  /** The keys of the services that the flow says it needs. */
  services: Schema.Array(Schema.String),
  /** When the execution was made and when it was saved, in milliseconds since 1970. */
  createdAt: Schema.Finite,
  savedAt: Schema.Finite,
  /** What people call the state that it was in. */
  status: Schema.Literals(["created", "running", "waiting", "completed", "failed", "cancelled"]),
  /** How it was run; absent: no limit, not at all. */
  settings: Schema.Struct({
    concurrency: Schema.optionalKey(Schema.Int),
    failures: Schema.Literals(["fail", "continue"]),
    maxEmitDepth: Schema.Int,
    autoClose: Schema.optionalKey(Schema.Finite),
    /** When its `timeout` is over, in milliseconds since 1970. */
    deadline: Schema.optionalKey(Schema.Finite),
    idleTimeout: Schema.optionalKey(Schema.Finite),
    stream: Schema.Union([
      Schema.Struct({ _tag: Schema.Literal("unbounded") }),
      Schema.Struct({ _tag: Schema.Literals(["sliding", "suspend"]), capacity: Schema.Int })
    ]),
    /** How many snapshots of it are to be kept. */
    keepSnapshots: Schema.Int
  }),
  /** It says what handlers were doing in the process that has written it down: records follow it. */
  live: Schema.optionalKey(Schema.Literal(true)),
  /** Where the runtime stream is, and its entries where they were asked for. */
  stream: Schema.Struct({ head: Schema.Int, entries: Schema.optionalKey(Schema.Array(StreamEntry)) }),
  execution: Image,
  /** Values of an execution that is closed, of which only the digest was kept. */
  reduced: Schema.optionalKey(
    Schema.Array(Schema.Struct({ at: Schema.String, digest: Schema.String, characters: Schema.Int }))
  )
})

/** An execution as one JSON document, as a type. @category models */
export type Snapshot = typeof Snapshot.Type

/** A snapshot as JSON, for stores that know nothing of it. @category conversions */
export const toJson = (snapshot: Snapshot): Schema.Json =>
  // Everything in it is JSON by its Schema; interfaces do not say so to the compiler.
  snapshot as unknown as Schema.Json

export { compact, matches, type Options as CompactOptions } from "./Compaction.ts"
export { mapImages, type Migration, renameStep } from "./Migration.ts"
