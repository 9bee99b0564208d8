/**
 * The output contract: a Schema compiled once into all that a request and its answer need. It renders itself for the model
 * (prompt text, JSON Schemas) and for the parser (shape), and judges what came back: ensured places and Schema together,
 * one finding for each place.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import type { OutputFormat, OutputRequest } from "../../services/ModelProvider.ts"
import * as FieldScanner from "../parse/FieldScanner.ts"
import * as Path from "../parse/Path.ts"
import type { Shape } from "../parse/Shape.ts"
import * as Check from "./Check.ts"
import * as Dialect from "./Dialect.ts"
import type { Finding } from "./Finding.ts"
import * as Issues from "./Issues.ts"
import * as Keys from "./Keys.ts"
import type { EnsureKey } from "./Keys.ts"
import * as FieldPrompt from "./FieldPrompt.ts"
import { OutputPathError } from "./OutputError.ts"
import type { Partial } from "./Paths.ts"
import { relax } from "./Relax.ts"
import * as Render from "./Render.ts"
import * as Wire from "./Wire.ts"
import type { Part } from "./Wire.ts"
import * as WireShape from "./WireShape.ts"

export type { EnsureKey } from "./Keys.ts"

/**
 * The vendors whose strict dialects of JSON Schema are known.
 *
 * @category models
 */
export type DialectName = "openai" | "anthropic"

/**
 * A format that was not used in the end: the one that was asked for, the one that took its place, and why.
 *
 * @category models
 */
export interface FormatFallback {
  readonly from: OutputFormat
  readonly to: OutputFormat
  readonly reason: string
}

/**
 * How an answer is to be written: JSON, a field format, or `auto`, which takes the format that suits the Schema.
 *
 * @category models
 */
export type FormatChoice = Exclude<OutputFormat, "text"> | "auto"

/**
 * A compiled output contract: `A` is what an answer decodes to, `R` what decoding needs.
 *
 * @category models
 */
export interface Contract<out A, out R = never> {
  /** The Schema that it was compiled from. */
  readonly schema: Schema.ConstraintDecoder<A, R>
  /** From the Schema's identifier or title, else `answer`: letters, digits, `_` and `-`, at most 64. */
  readonly name: string
  /** `text` where the whole answer is one text; else `json`, or the field format that was chosen. */
  readonly format: OutputFormat
  /** Whether the format was chosen by `auto`. */
  readonly isAuto: boolean
  /** Why another format is used than the one that was asked for; absent where it is not so. */
  readonly formatFallback: FormatFallback | undefined
  /** What the parser expects. Cyclic where the Schema is recursive. */
  readonly shape: Shape
  /** The places that must be there: those of the Schema, then those that were added. */
  readonly ensureKeys: ReadonlyArray<EnsureKey>
  /** Body of the OUTPUT REQUIREMENT section; `undefined` where free text is wanted. */
  readonly promptText: string | undefined
  /** What goes to the provider beside the prompt. `native` is false. */
  readonly request: OutputRequest
  /** Why a vendor's dialect cannot express the Schema; `undefined` where it can. */
  readonly native: { readonly [K in DialectName]: string | undefined }
}

/**
 * What stands in the answer, as the scanner found it.
 *
 * @category models
 */
export interface Scan {
  /** Whether there was a value at all. */
  readonly found: boolean
  /** The parsed value; the whole text where the format is `text`. */
  readonly value: unknown
  /** Paths, in dot style, of the values whose end was cut off and closed by us. */
  readonly repaired: ReadonlySet<string>
  /** Why nothing was found, in words. */
  readonly detail?: string | undefined
}

/**
 * The judgement of one answer.
 *
 * @category models
 */
export type Verdict<A> =
  | { readonly _tag: "Accepted"; readonly value: A }
  | { readonly _tag: "Rejected"; readonly findings: readonly [Finding, ...ReadonlyArray<Finding>] }

type Decode = (value: unknown) => Effect.Effect<unknown, Schema.SchemaError, unknown>

const decoder = (ast: AST.AST): Decode =>
  // The AST is that of a codec whose services are the contract's R; an AST has no types to say so.
  Schema.decodeUnknownEffect(Schema.make<Schema.Top>(ast), { errors: "all" }) as Decode

const nameOf = (schema: string | undefined): string => {
  const name = (schema ?? "").replace(/[^A-Za-z0-9_-]+/g, "_").replace(/^_+|_+$/g, "")
  return name === "" ? "answer" : name.slice(0, 64)
}

const isText = ({ node, nullable }: Part): boolean => node.kind === "string" && node.values === undefined && !nullable

class Compiled implements Contract<unknown, unknown> {
  readonly schema: Schema.ConstraintDecoder<unknown, unknown>
  readonly name: string
  readonly format: OutputFormat
  readonly isAuto: boolean
  readonly formatFallback: FormatFallback | undefined
  readonly choice: FormatChoice
  readonly demands: Check.Demands
  readonly wire: Wire.Form
  private readonly memo = new Map<string, unknown>()

  constructor(
    schema: Schema.ConstraintDecoder<unknown, unknown>,
    name: string,
    wire: Wire.Form,
    demands: Check.Demands,
    choice: FormatChoice = "json"
  ) {
    this.schema = schema
    this.name = name
    this.wire = wire
    this.demands = demands
    this.choice = choice
    this.isAuto = choice === "auto"
    const { fallback, format } = this.choose(choice)
    this.format = format
    this.formatFallback = fallback
  }

  private choose(choice: FormatChoice): {
    readonly format: OutputFormat
    readonly fallback: FormatFallback | undefined
  } {
    if (isText(this.wire.root)) return { format: "text", fallback: undefined }
    if (choice === "json") return { format: "json", fallback: undefined }
    if (choice === "auto") return { format: FieldScanner.suited(this.shape), fallback: undefined }
    const reason = FieldScanner.unfit(choice, this.shape)
    if (reason === undefined) return { format: choice, fallback: undefined }
    return { format: "json", fallback: { from: choice, to: "json", reason } }
  }

  private once<X>(key: string, make: () => X): X {
    if (!this.memo.has(key)) this.memo.set(key, make())
    // The value under a key is what this key's only caller made.
    return this.memo.get(key) as X
  }

  get decode(): Decode {
    return this.once("decode", () => decoder(this.wire.root.ast))
  }

  /** Decodes with ensured leaves optional; `undefined` where there are none. */
  get decodeRelaxed(): Decode | undefined {
    return this.once("relaxed", () =>
      Wire.holdsAnywhere(this.wire.root) ? decoder(relax(this.wire.root, this.wire.part)) : undefined
    )
  }

  get shape(): Shape {
    return this.once("shape", () => WireShape.of(this.wire.root))
  }

  get ensureKeys(): ReadonlyArray<EnsureKey> {
    return this.once("ensureKeys", () => {
      const auto = this.demands.marks ? Keys.ensured(this.wire.root) : []
      const known = new Set(auto.map((key) => key.path))
      return [...auto, ...this.demands.keys.filter((key) => !known.has(key.path))]
    })
  }

  get promptText(): string | undefined {
    const { demands, format, wire } = this
    return this.once("promptText", () =>
      format === "text"
        ? Render.text(wire.root, demands)
        : format === "json"
          ? Render.json(wire.root, demands)
          : FieldPrompt.render(format, wire.root, demands)
    )
  }

  private strict(dialect: DialectName) {
    return this.once(dialect, () => Dialect.strict(dialect, this.wire.root, this.demands))
  }

  get request(): OutputRequest {
    return this.once("request", () => {
      const [openai, anthropic] = [this.strict("openai"), this.strict("anthropic")]
      return {
        name: this.name,
        format: this.format,
        jsonSchema: Dialect.plain(this.wire.root, this.demands),
        strict: {
          ...(Result.isSuccess(openai) ? { openai: openai.success } : {}),
          ...(Result.isSuccess(anthropic) ? { anthropic: anthropic.success } : {})
        },
        native: false
      }
    })
  }

  get native(): { readonly [K in DialectName]: string | undefined } {
    const reason = (dialect: DialectName) =>
      Result.match(this.strict(dialect), { onFailure: (text) => text, onSuccess: () => undefined })
    return { openai: reason("openai"), anthropic: reason("anthropic") }
  }
}

// Contracts are made in this file only, always as `Compiled`.
const compiledOf = <A, R>(contract: Contract<A, R>): Compiled => contract as unknown as Compiled

// What a compiled contract decodes to stands in the type of the Schema that it was compiled from.
const typed = <A, R>(compiled: Compiled): Contract<A, R> => compiled as unknown as Contract<A, R>

const asWritten: Check.Demands = { marks: true, keys: [], all: false }

const cache = new WeakMap<object, Compiled>()

/**
 * Compiles a Schema. Compiling is memoised by the Schema, and what is derived from it is made when it is first asked for.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Contract, Output } from "effigent"
 *
 * const contract = Contract.compile(Output.make({ title: Output.ensure(Schema.String, "One line") }))
 * console.log(contract.promptText)
 * // => Data Format: JSON
 * // => Data Structure:
 * // => {
 * // =>   "title": <str> // One line
 * // => }
 * // =>
 * // => Field requirements:
 * // => - title: One line; required key; empty values are allowed, null is not
 * ```
 *
 * @category constructors
 */
export const compile = <S extends Schema.Constraint>(schema: S): Contract<S["Type"], S["DecodingServices"]> => {
  let compiled = cache.get(schema)
  if (compiled === undefined) {
    const wire = Wire.compile(schema)
    compiled = new Compiled(schema, nameOf(wire.name), wire, asWritten)
    cache.set(schema, compiled)
  }
  return typed(compiled)
}

/**
 * Free text: no Schema, and nothing is asked of it.
 *
 * @category constructors
 */
export const text: Contract<string> = compile(Schema.String)

const pathError = (compiled: Compiled, path: string, detail?: string): OutputPathError =>
  new OutputPathError({
    path,
    schema: compiled.name,
    ...(detail === undefined ? {} : { detail }),
    nearest: Keys.nearest(compiled.wire.root, path)
  })

const resolve = (
  compiled: Compiled,
  path: string
): Result.Result<
  { readonly segments: ReadonlyArray<Path.Segment>; readonly parts: ReadonlyArray<Part> },
  OutputPathError
> =>
  Result.flatMap(
    Result.mapError(Path.parse(path), (error) => pathError(compiled, path, error.detail)),
    (segments) => {
      const parts = Keys.resolve(compiled.wire.root, segments)
      return parts.length === 0 ? Result.fail(pathError(compiled, path)) : Result.succeed({ segments, parts })
    }
  )

/**
 * The same contract with other demands. `ensureKeys` adds places that must be there (an empty list drops those of the
 * Schema instead); where the Schema marks an added place `notEmpty`, that level counts. `ensureAllKeys` asks for all keys
 * of the Schema, and for no others. Fails with an `OutputPathError` on the first path that the Schema does not have.
 *
 * @category combining
 */
export const withKeys = <A, R>(
  contract: Contract<A, R>,
  options: {
    readonly ensureKeys?: ReadonlyArray<string> | undefined
    readonly ensureAllKeys?: boolean | undefined
  }
): Result.Result<Contract<A, R>, OutputPathError> =>
  Result.gen(function* () {
    const compiled = compiledOf(contract)
    const { demands } = compiled
    const keys: Array<EnsureKey> = []
    for (const path of options.ensureKeys ?? []) {
      const { parts, segments } = yield* resolve(compiled, path)
      const level = parts.some((part) => part.ensure === "notEmpty") ? "notEmpty" : "present"
      keys.push({ path: Path.print(segments), segments, level })
    }
    return typed<A, R>(
      new Compiled(
        compiled.schema,
        compiled.name,
        compiled.wire,
        {
          marks: options.ensureKeys?.length === 0 ? false : demands.marks,
          keys: options.ensureKeys?.length === 0 ? [] : [...demands.keys, ...keys],
          all: options.ensureAllKeys ?? demands.all
        },
        compiled.choice
      )
    )
  })

/**
 * The same contract in another format. A field format carries objects with declared keys; where the Schema is none,
 * `formatFallback` says so and the format is `json`. Free text stays free text.
 *
 * @category combining
 */
export const withFormat = <A, R>(contract: Contract<A, R>, format: FormatChoice): Contract<A, R> => {
  const { choice, demands, name, schema, wire } = compiledOf(contract)
  return format === choice ? contract : typed<A, R>(new Compiled(schema, name, wire, demands, format))
}

const rejected = (findings: ReadonlyArray<Finding>): Verdict<never> => {
  const [first, ...others] = findings
  return {
    _tag: "Rejected",
    findings: [first ?? { path: "", kind: "invalid", message: "Invalid answer" }, ...others]
  }
}

// The path itself and all paths above it, by cutting at each step. A cut inside a quoted key is no path and meets none.
const upwards = (path: string): ReadonlyArray<string> => {
  const out = [path]
  for (let i = path.length - 1; i > 0; i--) if (path[i] === "." || path[i] === "[") out.push(path.slice(0, i))
  if (path !== "") out.push("")
  return out
}

// One finding for each place: what is said of an ensured place wins over what the Schema says of it, of the container
// that lacks because of it, and of what stands below it.
const merge = (ensured: ReadonlyArray<Finding>, decoded: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  if (ensured.length === 0) return decoded
  const said = new Set(ensured.map(({ path }) => path))
  const above = new Set(ensured.flatMap(({ path }) => upwards(path)))
  const whole = new Set(ensured.flatMap(({ kind, path }) => (kind === "cut" || kind === "empty" ? [path] : [])))
  return [
    ...ensured,
    ...decoded.filter(
      ({ kind, path }) =>
        !said.has(path) && !(kind === "missing" && above.has(path)) && !upwards(path).some((each) => whole.has(each))
    )
  ]
}

const unmarked = (part: Part): boolean => part.ensure === undefined
const any = (): boolean => true

const notFound = (format: OutputFormat, detail: string | undefined): Finding => ({
  path: "",
  kind: "parse",
  message:
    detail ??
    (format === "json"
      ? "The answer holds no JSON value of the declared structure"
      : "The answer holds none of the declared fields in the declared format")
})

/**
 * Judges an answer: ensured places and Schema together.
 *
 * @category judging
 */
export const judge = <A, R>(contract: Contract<A, R>, scan: Scan): Effect.Effect<Verdict<A>, never, R> => {
  if (!scan.found) return Effect.succeed(rejected([notFound(contract.format, scan.detail)]))
  const compiled = compiledOf(contract)
  const { demands, wire } = compiled
  const drop = demands.all ? () => false : demands.marks ? unmarked : any
  const value = compiled.format === "text" ? scan.value : Check.normalise(wire.root, scan.value, drop)
  const ensured = Check.check(wire.root, value, demands, scan.repaired)
  const verdict = Effect.match(compiled.decode(value), {
    onFailure: ({ issue }): Verdict<unknown> => rejected(merge(ensured, Issues.toFindings(issue, value))),
    onSuccess: (decoded): Verdict<unknown> =>
      ensured.length > 0 ? rejected(ensured) : { _tag: "Accepted", value: decoded }
  })
  // The decoder is that of the contract's own Schema.
  return verdict as Effect.Effect<Verdict<A>, never, R>
}

/**
 * Decodes the last value of a spent budget with its ensured leaves optional. Any other violation of the Schema fails with
 * its findings: a value that the Schema rejects is never returned as data.
 *
 * @category judging
 */
export const salvage = <A, R>(
  contract: Contract<A, R>,
  value: unknown
): Effect.Effect<Partial<A>, ReadonlyArray<Finding>, R> => {
  const compiled = compiledOf(contract)
  const relaxed = compiled.decodeRelaxed
  const normal = compiled.format === "text" ? value : Check.normalise(compiled.wire.root, value, any)
  const strict = compiled.decode(normal)
  const decoded = Effect.mapError(
    relaxed === undefined ? strict : Effect.catch(strict, () => relaxed(normal)),
    ({ issue }) => Issues.toFindings(issue, normal)
  )
  // A whole A, or an A whose ensured leaves may lack: `Partial` is wider than both.
  return decoded as Effect.Effect<Partial<A>, ReadonlyArray<Finding>, R>
}

/**
 * The contract of what stands at a path: `Contract.at(contract, "items[*]")` judges one item by the item's own Schema. What
 * is asked of places below the path is asked of the part as well.
 *
 * @category combining
 */
export const at = <A, R>(
  contract: Contract<A, R>,
  path: string
): Result.Result<Contract<unknown, R>, OutputPathError> => {
  const compiled = compiledOf(contract)
  return Result.map(resolve(compiled, path), ({ parts, segments }) => {
    const { demands, wire } = compiled
    const [only, ...others] = parts
    const schema =
      only !== undefined && others.length === 0
        ? Wire.schemaOf(only)
        : Schema.Union(parts.map((part) => Wire.schemaOf(part)))
    const last = segments.findLast((segment) => typeof segment === "string")
    const keys = demands.keys.flatMap((key) => {
      const rest = Keys.after(key.segments, segments)
      return rest === undefined ? [] : [{ path: Path.print(rest), segments: rest, level: key.level }]
    })
    const form = only !== undefined && others.length === 0 ? { ...wire, root: only } : Wire.compile(schema)
    const name = nameOf(last === undefined ? compiled.name : `${compiled.name}_${last}`)
    return typed<unknown, R>(new Compiled(schema, name, form, { ...demands, keys }))
  })
}
