/**
 * What all executions of a flow share, as a service: fields by name, as JSON, each with a version. A contract asks for it
 * with `shared`; the typed side is `run.shared` and `TriggerFlow.shared`.
 *
 * What an implementation promises (`FlowDataConformance` in `effigent/testing` checks it):
 *
 * - writes of one field come one after another, each with the next version;
 * - a write for a version fails with `FlowDataConflict` where another one came first, and changes nothing;
 * - a listener is told every write of its flow that comes after it began to listen, in the order of each field.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/**
 * A field as it stands.
 *
 * @category models
 */
export const FlowDataField = Schema.Struct({
  /** How often it was written; 0: never. */
  version: Schema.Int,
  /** Absent where it was never written or was taken away. */
  value: Schema.optionalKey(Schema.Json)
})

/** A field as it stands, as a type. @category models */
export type FlowDataField = typeof FlowDataField.Type

/** A write, as listeners are told. @category models */
export const FlowDataChange = Schema.Struct({ key: Schema.String, ...FlowDataField.fields })

/** A write, as a type. @category models */
export type FlowDataChange = typeof FlowDataChange.Type

/** Shared data could not be read or written. @category errors */
export class FlowDataError extends Schema.TaggedError<FlowDataError>()("FlowDataError", {
  flow: Schema.String,
  /** The field; "" where all of them are meant. */
  key: Schema.String,
  operation: Schema.Literals(["read", "write", "listen"]),
  /** What happened and what to do. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Cannot ${this.operation} the shared ${this.key === "" ? "data" : `field "${this.key}"`} of ${this.flow}: ${this.detail}`
  }
}

/** Another write of the field came first. Read it again and write on top of it. @category errors */
export class FlowDataConflict extends Schema.TaggedError<FlowDataConflict>()("FlowDataConflict", {
  flow: Schema.String,
  key: Schema.String,
  /** The version that the write was made for. */
  expected: Schema.Int
}) {
  override get message(): string {
    return `The shared field "${this.key}" of ${this.flow} was written since version ${this.expected}; read it again and write on top of it`
  }
}

/**
 * What all executions of a flow share.
 *
 * @category services
 */
export class FlowData extends Context.Service<
  FlowData,
  {
    readonly get: (flow: string, key: string) => Effect.Effect<FlowDataField, FlowDataError>
    /** Writes a field, or takes it away (`undefined`), on top of the version `expected`; gives the field then. */
    readonly set: (
      flow: string,
      key: string,
      value: Schema.Json | undefined,
      expected: number
    ) => Effect.Effect<FlowDataField, FlowDataError | FlowDataConflict>
    /** Calls back with every write until the Scope closes. What it calls must not block, and not throw. */
    readonly listen: (
      flow: string,
      listener: (change: FlowDataChange) => void
    ) => Effect.Effect<void, FlowDataError, Scope.Scope>
  }
>()("effigent/FlowData") {}
