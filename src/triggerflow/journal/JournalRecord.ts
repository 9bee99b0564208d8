/**
 * What stands in a journal: everything that has gone into the machines of an execution, as JSON. Frames and runs are
 * named by their numbers, which the same records give again; values are written as in snapshots.
 */
import * as Schema from "effect/Schema"

/** The version of the format. @category constants */
export const format = 1

const Write = Schema.Union([
  Schema.TaggedStruct("set", { key: Schema.String, json: Schema.Json, silent: Schema.Boolean }),
  Schema.TaggedStruct("append", { key: Schema.String, json: Schema.Json, silent: Schema.Boolean }),
  Schema.TaggedStruct("delete", { key: Schema.String, silent: Schema.Boolean }),
  Schema.TaggedStruct("item", { json: Schema.Json }),
  Schema.TaggedStruct("result", { json: Schema.Json })
])

const writes = { writes: Schema.optionalKey(Schema.Array(Write)) }
const run = { run: Schema.Int }

/** The sub-flow that it belongs to: the frames that run it, outermost first; absent: the execution itself. */
const path = { path: Schema.optionalKey(Schema.Array(Schema.Int)) }

const of = <const Tag extends string, const Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields) =>
  Schema.TaggedStruct(tag, { ...fields, ...path })

/**
 * How an execution is run: the first record of its first life.
 *
 * @category schemas
 */
export const Opened = Schema.TaggedStruct("Opened", {
  format: Schema.Literal(format),
  /** What a snapshot says besides the execution itself; its `execution` is that of one which has not been started. */
  opening: Schema.Json
})

/**
 * One record.
 *
 * @category schemas
 */
export const JournalRecord = Schema.Union([
  Opened,
  of("Start", { input: Schema.Json, deadline: Schema.optionalKey(Schema.Finite) }),
  of("Signal", {
    signal: Schema.String,
    payload: Schema.Json,
    mode: Schema.Literals(["await", "exit", "none"]),
    request: Schema.optionalKey(Schema.String)
  }),
  of("Write", { ...writes }),
  of("Emit", {
    ...run,
    op: Schema.Int,
    key: Schema.optionalKey(Schema.String),
    signal: Schema.String,
    payload: Schema.Json,
    mode: Schema.Literals(["await", "exit", "fork"]),
    ...writes
  }),
  of("EmitStopped", { ...run, op: Schema.Int }),
  of("Commit", { ...run, ...writes }),
  of("Done", { ...run, output: Schema.Json, ...writes }),
  of("Failed", { ...run, cause: Schema.Json }),
  of("Paused", {
    ...run,
    request: Schema.Struct({
      interrupt: Schema.String,
      id: Schema.optionalKey(Schema.String),
      payload: Schema.Json,
      target: Schema.Union([Schema.Literals(["next", "self"]), Schema.Struct({ signal: Schema.String })]),
      expiresIn: Schema.optionalKey(Schema.Finite),
      otherwise: Schema.optionalKey(Schema.Json)
    }),
    ...writes,
    at: Schema.Finite
  }),
  of("Asleep", run),
  of("Awake", { ...run, op: Schema.Int }),
  of("Decided", { frame: Schema.Int, hits: Schema.Json }),
  of("ChildEnded", { frame: Schema.Int, exit: Schema.Json, ...writes }),
  of("Answer", {
    interrupt: Schema.String,
    id: Schema.String,
    value: Schema.Json,
    request: Schema.optionalKey(Schema.String),
    digest: Schema.String
  }),
  of("Expired", { id: Schema.String }),
  of("Sleeping", { frame: Schema.Int, until: Schema.Json }),
  of("Slept", { frame: Schema.Int }),
  /** `step`: tells the listeners of one execution apart. */
  of("Bind", { signal: Schema.String, step: Schema.Int }),
  of("Unbind", { signal: Schema.String, step: Schema.Int }),
  of("Intervene", {
    id: Schema.String,
    json: Schema.Json,
    author: Schema.optionalKey(Schema.String),
    target: Schema.optionalKey(Schema.String)
  }),
  of("SettleIntervention", { id: Schema.String, status: Schema.Literals(["applied", "ignored"]) }),
  of("StopChild", { frame: Schema.Int }),
  of("Seal", {}),
  of("Close", { pending: Schema.Literals(["fail", "cancel"]) }),
  of("AutoClose", {}),
  of("Cancel", { reason: Schema.String }),
  of("Fail", { cause: Schema.Json }),
  of("Resume", {}),
  /** A forked signal that stood in line was started. */
  of("Forked", {})
])

/** One record, as a type. @category models */
export type JournalRecord = typeof JournalRecord.Type
