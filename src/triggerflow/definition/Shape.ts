/**
 * The shape of a flow: what of a definition has to stay the same so that a saved execution still fits it, as JSON, with a
 * fingerprint and a comparison in words.
 *
 * What counts: the name of the flow; the contract (names of signals and interrupts, JSON Schemas of everything that
 * crosses a boundary or is saved); the chains, what they listen to and their order; the steps, their kinds, names,
 * order and limits (`concurrency`, `max`, `maxResumes`), `onError`, modes, and the values that cases compare with.
 *
 * What does not count: handlers, conditions and all other code (only that it is there), `version` and the initial state
 * of the contract, retries and timeouts, titles, descriptions and examples in Schemas, names of shared definitions in
 * Schemas, the order in which signals, interrupts, collector branches and the sources of gates are written, and where
 * the definition stands in files.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { canonical, type Json, type JsonObject } from "../../../services/Json.ts"
import type { CollectorData, ContractData, FlowData, Node, TriggerData } from "../Node.ts"
import * as StepKey from "./StepKey.ts"

/**
 * The shape of a contract: JSON Schemas of the encoded values. `null` stands for a result or an error that it does not
 * have.
 *
 * @category models
 */
export interface ContractShape {
  readonly input: JsonObject
  readonly state: JsonObject
  readonly stream: JsonObject
  readonly result: JsonObject | null
  readonly error: JsonObject | null
  readonly intervention: JsonObject
  readonly signals: { readonly [name: string]: { readonly payload: JsonObject; readonly reply: JsonObject | null } }
  readonly interrupts: { readonly [name: string]: { readonly payload: JsonObject; readonly resume: JsonObject } }
}

/**
 * The shape of a step.
 *
 * @category models
 */
export interface StepShape {
  /** The key of the step: see `StepKey`. */
  readonly key: string
  readonly kind: Node["kind"]
  /** Limits, modes and the like; what is absent in the definition is absent here. */
  readonly settings: JsonObject
  /** The bodies inside it, in their order. */
  readonly bodies: ReadonlyArray<{ readonly name: string; readonly steps: ReadonlyArray<StepShape> }>
  /** The sub-flow. */
  readonly flow?: FlowShape
}

/**
 * The shape of a flow.
 *
 * @category models
 */
export interface FlowShape {
  readonly name: string
  readonly contract: ContractShape
  readonly chains: ReadonlyArray<{
    readonly key: string
    readonly trigger: Json
    readonly steps: ReadonlyArray<StepShape>
  }>
}

const JsonObjectSchema = Schema.Record(Schema.String, Schema.Json)

const ContractShape = Schema.Struct({
  input: JsonObjectSchema,
  state: JsonObjectSchema,
  stream: JsonObjectSchema,
  result: Schema.NullOr(JsonObjectSchema),
  error: Schema.NullOr(JsonObjectSchema),
  intervention: JsonObjectSchema,
  signals: Schema.Record(
    Schema.String,
    Schema.Struct({ payload: JsonObjectSchema, reply: Schema.NullOr(JsonObjectSchema) })
  ),
  interrupts: Schema.Record(Schema.String, Schema.Struct({ payload: JsonObjectSchema, resume: JsonObjectSchema }))
})

const StepShape = Schema.Struct({
  key: Schema.String,
  kind: Schema.Literals([
    "chunk",
    "batch",
    "forEach",
    "match",
    "loop",
    "side",
    "collect",
    "subFlow",
    "point",
    "sleep",
    "result"
  ]),
  settings: JsonObjectSchema,
  bodies: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      steps: Schema.Array(Schema.suspend((): Schema.Codec<StepShape> => StepShape))
    })
  ),
  flow: Schema.optionalKey(Schema.suspend((): Schema.Codec<FlowShape> => FlowShape))
})

/** Reads a shape that was stored. @category schemas */
export const FlowShape: Schema.Codec<FlowShape> = Schema.Struct({
  name: Schema.String,
  contract: ContractShape,
  chains: Schema.Array(Schema.Struct({ key: Schema.String, trigger: Schema.Json, steps: Schema.Array(StepShape) }))
})

// ------------------------------------------------------------------------------------------------------ JSON Schema

const SOURCE = "~effigent/triggerflow/jsonSchema"

/** Says of a Schema that was read from a JSON Schema what it was read from. @category json schema */
export const withJsonSchema = <A, I>(schema: Schema.Codec<A, I>, jsonSchema: JsonObject): Schema.Codec<A, I> =>
  schema.annotate({ [SOURCE]: jsonSchema })

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * The JSON Schema (2020-12) of what a Schema encodes to, in one object with its `$defs`, descriptions and all. A Schema
 * that was read from a JSON Schema gives that one.
 *
 * @category json schema
 */
export const jsonSchemaOf = (schema: Schema.Codec<unknown, unknown>): JsonObject => {
  const source = SchemaAST.resolve(schema.ast)?.[SOURCE]
  if (isObject(source)) return source
  const document = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" })
  const whole =
    Object.keys(document.definitions).length === 0
      ? document.schema
      : { ...document.schema, $defs: document.definitions }
  // A JSON Schema is JSON; its annotations need not be, and those that are not are left out.
  return JSON.parse(JSON.stringify(whole)) as JsonObject
}

const words = new Set([
  "$schema",
  "$id",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "readOnly",
  "writeOnly",
  "deprecated"
])

// Leaves out what only people read, and numbers the shared definitions in the order in which they are met.
const structureOf = (schema: JsonObject): JsonObject => {
  const definitions = isObject(schema["$defs"]) ? schema["$defs"] : {}
  const numbers = new Map<string, number>()
  const shared: Record<string, Json> = {}
  const map = (object: Json): Json =>
    isObject(object) ? Object.fromEntries(Object.entries(object).map(([key, item]) => [key, clean(item)])) : object
  const clean = (value: Json): Json => {
    if (isArray(value)) return value.map(clean)
    if (!isObject(value)) return value
    const out: Record<string, Json> = {}
    for (const [key, item] of Object.entries(value)) {
      if (words.has(key) || key === "$defs") continue
      if (key === "$ref") out[key] = reference(item)
      else if (key === "properties" || key === "patternProperties") out[key] = map(item)
      else if (key === "enum" || key === "const") out[key] = item
      else if (key === "required" && isArray(item)) out[key] = item.map(String).toSorted()
      else out[key] = clean(item)
    }
    return out
  }
  const reference = (ref: Json): Json => {
    const name = typeof ref === "string" ? /^#\/\$defs\/(.+)$/.exec(ref)?.[1] : undefined
    const definition = name === undefined ? undefined : definitions[decodePointer(name)]
    if (name === undefined || definition === undefined) return ref
    const known = numbers.get(name)
    if (known !== undefined) return `#/$defs/${known}`
    const number = numbers.size + 1
    numbers.set(name, number)
    shared[`${number}`] = clean(definition)
    return `#/$defs/${number}`
  }
  const root = clean(schema)
  const body = isObject(root) ? root : {}
  return numbers.size === 0 ? body : { ...body, $defs: shared }
}

const isArray = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const decodePointer = (text: string): string => decodeURIComponent(text).replaceAll("~1", "/").replaceAll("~0", "~")

const shapeOf = (schema: Schema.Codec<unknown, unknown>): JsonObject => structureOf(jsonSchemaOf(schema))

// ------------------------------------------------------------------------------------------------------------ of

const present = (fields: { readonly [key: string]: Json | undefined }): JsonObject => {
  const out: Record<string, Json> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) out[key] = value
  return out
}

const byName = <A, B>(
  items: ReadonlyArray<A>,
  name: (item: A) => string,
  f: (item: A) => B
): { readonly [name: string]: B } =>
  Object.fromEntries(items.map((item) => [name(item), f(item)] as const).toSorted(([a], [b]) => compare(a, b)))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The shape of a contract. @category constructors */
export const contract = (data: ContractData): ContractShape => ({
  input: shapeOf(data.input),
  state: shapeOf(data.state),
  stream: shapeOf(data.stream),
  result: data.result === undefined ? null : shapeOf(data.result),
  error: data.error === undefined ? null : shapeOf(data.error),
  intervention: shapeOf(data.intervention),
  signals: byName(
    data.signals,
    ({ name }) => name,
    ({ payload, reply }) => ({ payload: shapeOf(payload), reply: reply === undefined ? null : shapeOf(reply) })
  ),
  interrupts: byName(
    data.interrupts,
    ({ name }) => name,
    ({ payload, resume }) => ({ payload: shapeOf(payload), resume: shapeOf(resume) })
  )
})

/** The shape of a collector. @category constructors */
export const collector = (data: CollectorData): JsonObject => ({
  name: data.name,
  mode: data.mode,
  branches: byName(
    data.branches,
    ([name]) => name,
    ([, schema]) => shapeOf(schema)
  )
})

const trigger = (data: TriggerData): JsonObject => {
  switch (data._tag) {
    case "start":
      return { on: "start" }
    case "signal":
      return { on: "signal", signal: data.signal.name }
    case "state":
    case "flowData":
      return { on: data._tag, key: data.key }
    case "chunk":
      return { on: "chunk", chunk: data.chunk }
    case "collect":
      return { on: "collector", collector: collector(data.collector) }
    case "any":
      return data.named
        ? {
            on: "any",
            of: byName(
              data.of,
              ([name]) => name,
              ([, of]) => trigger(of)
            )
          }
        : {
            on: "any",
            of: data.of.map(([, of]) => trigger(of)).toSorted((a, b) => compare(canonical(a), canonical(b)))
          }
    case "all":
      return present({
        on: "all",
        of: byName(
          data.of,
          ([name]) => name,
          ([, of]) => trigger(of)
        ),
        by: data.by === undefined ? undefined : Object.keys(data.by).toSorted(),
        scope: data.scope
      })
  }
}

// A value of a case as JSON. What JSON does not have is written as a text that says what it is.
const value = (item: unknown): Json => {
  if (item === null || typeof item === "boolean" || typeof item === "string") return item
  if (typeof item === "number") return Number.isFinite(item) ? item : `number ${item}`
  if (Array.isArray(item)) return item.map(value)
  if (item instanceof Date) return `Date ${Number.isNaN(item.getTime()) ? "invalid" : item.toISOString()}`
  if (typeof item === "object")
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, value(inner)]))
  return `${typeof item} ${String(item)}`
}

const settings = (node: Node): JsonObject => {
  switch (node.kind) {
    case "chunk": {
      const { concurrency, maxResumes, output } = node.settings
      return present({ concurrency, maxResumes, output: output === undefined ? undefined : shapeOf(output) })
    }
    case "batch":
      return present({
        concurrency: node.concurrency,
        onError: node.onError === "collect" ? node.onError : undefined,
        keep: node.keep
      })
    case "forEach":
      return present({ concurrency: node.concurrency, onError: node.onError })
    case "match":
      return {
        mode: node.mode,
        cases: node.cases.map(({ test }) => (test._tag === "is" ? { is: value(test.value) } : "if"))
      }
    case "loop":
      return { max: node.max }
    case "collect":
      return { collector: collector(node.collector), branch: node.branch }
    case "result":
      return present({ stop: node.stop })
    case "subFlow": {
      const given = [
        node.capture === undefined ? [] : ["capture"],
        node.result === undefined ? [] : ["result"],
        node.writeBack === undefined ? [] : ["writeBack"]
      ].flat()
      return given.length === 0 ? {} : { given }
    }
    default:
      return {}
  }
}

/**
 * The shape of a flow.
 *
 * @category constructors
 */
export const of = (flow: FlowData): FlowShape => flowShape(flow, [])

const flowShape = (flow: FlowData, around: ReadonlyArray<FlowData>): FlowShape => {
  const keys = StepKey.places(flow).map(({ key }) => key)
  const chainKeys = StepKey.chainKeys(flow)
  let next = 0
  // Visits the steps in the order in which `places` gives their keys.
  const step = (node: Node): StepShape => {
    const key = keys[next++] ?? ""
    const inner = StepKey.bodies(node).map(([name, body]) => ({ name, steps: body.map(step) }))
    const shape = { key, kind: node.kind, settings: settings(node), bodies: inner }
    if (node.kind !== "subFlow") return shape
    // A flow that contains itself is no valid definition; its shape ends there.
    return flow === node.flow || around.includes(node.flow)
      ? { ...shape, settings: { ...shape.settings, within: node.flow.contract.name } }
      : { ...shape, flow: flowShape(node.flow, [...around, flow]) }
  }
  return {
    name: flow.contract.name,
    contract: contract(flow.contract),
    chains: flow.chains.map((chain, index) => ({
      key: chainKeys[index] ?? "",
      trigger: trigger(chain.trigger),
      steps: chain.body.map(step)
    }))
  }
}

// ---------------------------------------------------------------------------------------------------- fingerprint

/**
 * A 64-bit hash of a text, as 16 hexadecimal digits. It tells definitions apart; it is no protection against somebody
 * who looks for two texts of one hash. (effect's `Hash` has 30 bits and is made for buckets.)
 *
 * @category fingerprint
 */
export const hash = (text: string): string => {
  // cyrb53 by bryc, in the public domain, with all 64 bits.
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return [b, a].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("")
}

/**
 * The fingerprint of a shape: the same for the same shape in any process.
 *
 * @category fingerprint
 */
export const fingerprint = (shape: FlowShape | ContractShape): string => hash(canonical(shape))
