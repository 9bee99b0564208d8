/**
 * What an agent takes as its output: an Effect Schema, a shorthand, or a Standard Schema (Zod, ArkType, Valibot and
 * others), which becomes an Effect Schema by its JSON Schema, for what is said to the model, and its validator, for what
 * comes back.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type * as SchemaIssue from "effect/SchemaIssue"
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "effect/StandardSchema"
import * as Issues from "./Issues.ts"
import { fromJsonSchema } from "./JsonSchemaImport.ts"
import { OutputSourceError } from "./OutputError.ts"
import { make } from "./Shorthand.ts"
import type { Fields, Of, Services } from "./Shorthand.ts"
import { WIRE } from "./Wire.ts"

/**
 * A Standard Schema that knows its own JSON Schema (Zod 4, ArkType 2).
 *
 * @category models
 */
export type StandardSource = StandardSchemaV1<unknown, unknown> & StandardJSONSchemaV1<unknown, unknown>

/**
 * What may be given as an output.
 *
 * @category models
 */
export type Source = Schema.Constraint | StandardSource | Fields

/**
 * What an output decodes to.
 *
 * @category type-level
 */
export type TypeOf<S> = S extends Schema.Constraint
  ? S["Type"]
  : S extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<S>
    : Of<S, "Type">

/**
 * What the model writes for an output: the value before decoding.
 *
 * @category type-level
 */
export type EncodedOf<S> = S extends Schema.Constraint
  ? S["Encoded"]
  : S extends StandardSchemaV1
    ? StandardSchemaV1.InferInput<S>
    : Of<S, "Encoded">

/**
 * The services that decoding an output needs.
 *
 * @category type-level
 */
export type ServicesOf<S> = S extends Schema.Constraint
  ? S["DecodingServices"]
  : S extends StandardSchemaV1
    ? never
    : Services<S, "DecodingServices">

const issuesOf = (result: StandardSchemaV1.FailureResult): SchemaIssue.Issue =>
  Issues.fromMessages(
    Schema.Unknown.ast,
    result.issues.map(({ message, path }) => ({
      message,
      path: (path ?? []).map((step) => (typeof step === "object" ? step.key : step))
    }))
  )

const threw = (error: unknown): SchemaIssue.Issue =>
  Issues.fromMessages(Schema.Unknown.ast, [{ message: `The validator failed: ${String(error)}`, path: [] }])

const isPromise = <A>(value: A | Promise<A>): value is Promise<A> =>
  typeof value === "object" && value !== null && "then" in value

// A validator that answers at once is not made to wait for a tick.
const validate = (schema: StandardSchemaV1, value: unknown): Effect.Effect<unknown, SchemaIssue.Issue> =>
  Effect.flatMap(
    Effect.flatMap(Effect.try({ try: () => schema["~standard"].validate(value), catch: threw }), (answer) =>
      isPromise(answer) ? Effect.tryPromise({ try: () => answer, catch: threw }) : Effect.succeed(answer)
    ),
    (result) => (result.issues === undefined ? Effect.succeed(result.value) : Effect.fail(issuesOf(result)))
  )

const jsonSchemaOf = (schema: StandardSchemaV1): Result.Result<Record<string, unknown>, OutputSourceError> => {
  const { vendor } = schema["~standard"]
  const converter: unknown = Reflect.get(schema["~standard"], "jsonSchema")
  if (typeof converter !== "object" || converter === null || !("input" in converter)) {
    const detail = "it does not know its JSON Schema; give it as the second argument of Output.fromStandard"
    return Result.fail(new OutputSourceError({ vendor, detail }))
  }
  return Result.try({
    // By the Standard JSON Schema specification `input` is a function of these options.
    try: () => (converter as StandardJSONSchemaV1.Converter).input({ target: "draft-2020-12" }),
    catch: (error) =>
      new OutputSourceError({
        vendor,
        detail: `its JSON Schema cannot be made: ${error instanceof Error ? error.message : String(error)}`
      })
  })
}

const build = (
  schema: StandardSchemaV1,
  jsonSchema: Record<string, unknown> | undefined
): Result.Result<Schema.Top, OutputSourceError> => {
  const { vendor } = schema["~standard"]
  return Result.flatMap(jsonSchema === undefined ? jsonSchemaOf(schema) : Result.succeed(jsonSchema), (json) =>
    Result.map(
      Result.mapError(
        fromJsonSchema(json),
        (detail) => new OutputSourceError({ vendor, detail: `its JSON Schema cannot be read: ${detail}` })
      ),
      (wire) => {
        const title = json["title"]
        const raw = Schema.Unknown.annotate({ [WIRE]: wire, ...(typeof title === "string" ? { title } : {}) })
        return raw.pipe(
          Schema.decodeTo(Schema.Unknown, {
            decode: SchemaGetter.transformEffect((value: unknown) => validate(schema, value)),
            encode: SchemaGetter.passthrough()
          })
        )
      }
    )
  )
}

/**
 * A Standard Schema as an Effect Schema. Its JSON Schema tells the model what to write, its validator (which may be
 * asynchronous) decides, and its issues become findings at their paths. A library that does not know its own JSON Schema
 * (Valibot 1) needs it as the second argument; 2020-12, draft-07 and OpenAPI 3.0 are read.
 *
 * Throws an `OutputSourceError` where the schema has no JSON Schema, since that is a fault of the program. A single item
 * (`response.each`) is judged by the JSON Schema of the item, because the validator knows the whole only. Encoding gives
 * the value back as it is.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Output } from "effigent"
 * import { z } from "zod"
 *
 * const Answer = Output.fromStandard(z.object({ title: z.string().describe("One line") }))
 * console.log(Schema.decodeUnknownSync(Answer)({ title: "a" })) // => { title: 'a' }
 * ```
 *
 * @category constructors
 */
export const fromStandard: {
  <S extends StandardSource>(schema: S): Schema.Codec<StandardSchemaV1.InferOutput<S>, StandardSchemaV1.InferInput<S>>
  <S extends StandardSchemaV1>(
    schema: S,
    jsonSchema: Record<string, unknown>
  ): Schema.Codec<StandardSchemaV1.InferOutput<S>, StandardSchemaV1.InferInput<S>>
} = <S extends StandardSchemaV1>(
  schema: S,
  jsonSchema?: Record<string, unknown>
): Schema.Codec<StandardSchemaV1.InferOutput<S>, StandardSchemaV1.InferInput<S>> =>
  // What the validator answers is the schema's output by the Standard Schema specification.
  Result.getOrThrow(build(schema, jsonSchema)) as unknown as Schema.Codec<
    StandardSchemaV1.InferOutput<S>,
    StandardSchemaV1.InferInput<S>
  >

const isStandard = (source: object): source is StandardSchemaV1 => "~standard" in source

const isSchema = (source: unknown): source is Schema.Top => Schema.isSchema(source)

const cache = new WeakMap<object, Schema.Top>()

const schemaOf = (source: Source): Schema.Top => {
  if (isSchema(source)) return source
  let schema = cache.get(source)
  if (schema === undefined) {
    // What is neither a Schema nor a Standard Schema is a shorthand, by the type of `Source`.
    schema = isStandard(source) ? Result.getOrThrow(build(source, undefined)) : make(source as Fields)
    cache.set(source, schema)
  }
  return schema
}

/**
 * The Effect Schema of whatever was given as an output. Memoised, so that one source is one Schema.
 *
 * Throws an `OutputSourceError` for a Standard Schema that has no JSON Schema.
 *
 * @category constructors
 */
export const toSchema = <S extends Source>(source: S): Schema.Codec<TypeOf<S>, EncodedOf<S>, ServicesOf<S>, unknown> =>
  // `schemaOf` follows the three cases of `TypeOf`.
  schemaOf(source) as unknown as Schema.Codec<TypeOf<S>, EncodedOf<S>, ServicesOf<S>, unknown>
