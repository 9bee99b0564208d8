/**
 * Values inside an execution as JSON, and back. Plain data stays as it is; a few types that flows make themselves
 * (`undefined`, Option, Result, Exit, Date, bigint, numbers that JSON lacks) are marked by an object with the key `$`;
 * everything else needs a Schema, which is then named beside the value. What is read back equals what was written.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import * as Codec from "../engine/Codec.ts"
import * as FlowError from "../FlowError.ts"

/**
 * What is known of a value by where it stands. `schema`: a Schema of the contract or of a chunk admits it; `guess`: it
 * may be something else.
 *
 * @category models
 */
export type Form =
  | { readonly _tag: "plain" }
  | { readonly _tag: "schema"; readonly name: string; readonly codec: Codec.Codec; readonly guess?: true }
  | { readonly _tag: "list"; readonly item: Form }
  | { readonly _tag: "record"; readonly fields: ReadonlyMap<string, Form> }
  | { readonly _tag: "result"; readonly of: Form }
  | { readonly _tag: "oneOf"; readonly of: ReadonlyArray<Form> }

/** Nothing is known: the value has to be plain data. @category constants */
export const plain: Form = { _tag: "plain" }

/** A value that has one of several forms. @category constructors */
export const oneOf = (...forms: ReadonlyArray<Form>): Form => {
  const of = [
    ...new Set(forms.flatMap((form) => (form._tag === "oneOf" ? form.of : form._tag === "plain" ? [] : form)))
  ]
  return of.length === 0 ? plain : of.length === 1 ? (of[0] ?? plain) : { _tag: "oneOf", of }
}

/** A list of values of a form. @category constructors */
export const list = (item: Form): Form => (item._tag === "plain" ? plain : { _tag: "list", item })

/** Something that stands in a place and cannot cross. @category models */
export interface Problem {
  readonly at: string
  readonly issue: string
}

/** How deep values may be nested. */
const deepest = 256

const failure = Codec.of(FlowError.FlowError)

/** Carries out of a walk what is in its way. */
class Unfit {
  readonly issue: string
  constructor(issue: string) {
    this.issue = issue
  }
}

const describe = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`
  const name: unknown = value.constructor?.name
  return typeof name === "string" && name !== "" ? `a ${name}` : "an object with a prototype"
}

const tagged = (tag: string, is?: Json): Json => (is === undefined ? { $: tag } : { $: tag, is })

const isUnfit = (json: Json | Unfit): json is Unfit => json instanceof Unfit

/**
 * Writes the values of one execution; gathers what cannot be written.
 *
 * @category conversions
 */
export class Writer {
  readonly problems: Array<Problem> = []
  /** How handlers of the flow fail. */
  readonly error: Form

  constructor(error: Form) {
    this.error = error
  }

  /** A value as JSON; what is wrong is added to `problems`. */
  write(value: unknown, form: Form, at: string): Json {
    const json = this.attempt(value, form)
    if (!isUnfit(json)) return json
    this.problems.push({ at, issue: json.issue })
    return null
  }

  /** A value as JSON, for people where nothing else can be done. */
  show(value: unknown, form: Form): Json {
    const json = this.attempt(value, form)
    return isUnfit(json) ? defect(value) : json
  }

  /** How something ended, for people where nothing else can be done. */
  showCause(cause: Cause.Cause<unknown>): Json {
    return cause.reasons.map((reason) =>
      Cause.isFailReason(reason)
        ? tagged("fail", this.show(reason.error, this.error))
        : Cause.isDieReason(reason)
          ? tagged("die", this.show(reason.defect, plain))
          : tagged("interrupt")
    )
  }

  /** A value as JSON; undefined where it cannot be written. */
  maybe(value: unknown, form: Form): Json | undefined {
    const json = this.attempt(value, form)
    return isUnfit(json) ? undefined : json
  }

  private attempt(value: unknown, form: Form): Json | Unfit {
    const json = this.plain(value, [])
    if (!isUnfit(json) || form._tag === "plain") return json
    const formed = this.formed(value, form)
    return formed === undefined ? json : formed
  }

  // Undefined where the form says nothing about such a value.
  private formed(value: unknown, form: Form): Json | Unfit | undefined {
    switch (form._tag) {
      case "plain":
        return undefined
      case "schema": {
        const json = form.codec.encode(value)
        if (Result.isFailure(json) && form.guess === true) return undefined
        return Result.isFailure(json)
          ? new Unfit(`the Schema of ${form.name} does not admit it: ${json.failure}`)
          : { $: "schema", of: form.name, is: json.success }
      }
      case "list":
        return Array.isArray(value) ? this.all(value.map((item) => this.attempt(item, form.item))) : undefined
      case "record": {
        if (typeof value !== "object" || value === null) return undefined
        return this.fields(
          Object.entries(value).map(([key, item]) => [key, this.attempt(item, form.fields.get(key) ?? plain)])
        )
      }
      case "result": {
        if (!Result.isResult(value)) return undefined
        return this.result(value, (item) => this.attempt(item, form.of))
      }
      case "oneOf": {
        let first: Unfit | undefined
        for (const one of form.of) {
          const json = this.formed(value, one)
          if (json === undefined) continue
          if (!isUnfit(json)) return json
          first ??= json
        }
        return first
      }
    }
  }

  private plain(value: unknown, around: ReadonlyArray<object>): Json | Unfit {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : tagged("number", Object.is(value, -0) ? "-0" : `${value}`)
      case "bigint":
        return tagged("bigint", `${value}`)
      case "undefined":
        return tagged("undefined")
      case "object":
        return value === null ? null : this.object(value, around)
      default:
        return new Unfit(`${describe(value)} is no data`)
    }
  }

  private object(value: object, around: ReadonlyArray<object>): Json | Unfit {
    if (around.includes(value)) return new Unfit("it contains itself")
    if (around.length === deepest) return new Unfit(`it is nested deeper than ${deepest} levels`)
    const inside = [...around, value]
    if (Array.isArray(value)) return this.all(Array.from(value, (item) => this.plain(item, inside)))
    if (value instanceof Date) return tagged("Date", Number.isNaN(value.getTime()) ? "invalid" : value.toISOString())
    if (Option.isOption(value))
      return Option.isNone(value) ? tagged("none") : this.inside("some", this.plain(value.value, inside))
    if (Result.isResult(value)) return this.result(value, (item) => this.plain(item, inside))
    if (Exit.isExit(value)) return this.exit(value, plain)
    if (value instanceof FlowError.FlowError) {
      const json = failure.encode(value)
      return Result.isSuccess(json) ? tagged("FlowError", json.success) : new Unfit(json.failure)
    }
    const proto: unknown = Object.getPrototypeOf(value)
    if (proto !== Object.prototype && proto !== null) return new Unfit(`${describe(value)} is no plain data`)
    if (Object.getOwnPropertySymbols(value).length > 0) return new Unfit("it has keys that are symbols")
    return this.fields(Object.entries(value).map(([key, item]) => [key, this.plain(item, inside)]))
  }

  private inside(tag: string, json: Json | Unfit): Json | Unfit {
    return isUnfit(json) ? json : tagged(tag, json)
  }

  private result(value: Result.Result<unknown, unknown>, item: (value: unknown) => Json | Unfit): Json | Unfit {
    return Result.isSuccess(value)
      ? this.inside("success", item(value.success))
      : this.inside("failure", this.attempt(value.failure, this.error))
  }

  /** How something ended; its value has a form. */
  exit(value: Exit.Exit<unknown, unknown>, form: Form): Json | Unfit {
    if (Exit.isSuccess(value))
      // With mode exit the value of an emit is the Exit of what it has started.
      return this.inside(
        "ok",
        Exit.isExit(value.value) ? this.exit(value.value, form) : this.attempt(value.value, form)
      )
    return this.inside(
      "cause",
      this.all(
        value.cause.reasons.map((reason) =>
          Cause.isFailReason(reason)
            ? this.inside("fail", this.attempt(reason.error, this.error))
            : Cause.isDieReason(reason)
              ? tagged("die", this.show(reason.defect, plain))
              : tagged("interrupt")
        )
      )
    )
  }

  /** How something ended, as JSON; what is wrong is added to `problems`. */
  writeExit(value: Exit.Exit<unknown, unknown>, form: Form, at: string): Json {
    const json = this.exit(value, form)
    if (!isUnfit(json)) return json
    this.problems.push({ at, issue: json.issue })
    return null
  }

  private all(items: ReadonlyArray<Json | Unfit>): Json | Unfit {
    const out: Array<Json> = []
    for (const [index, item] of items.entries()) {
      if (isUnfit(item)) return new Unfit(`at ${index}: ${item.issue}`)
      out.push(item)
    }
    return out
  }

  private fields(items: ReadonlyArray<readonly [string, Json | Unfit]>): Json | Unfit {
    const out: Array<readonly [string, Json]> = []
    for (const [key, item] of items) {
      if (isUnfit(item)) return new Unfit(`at ${key}: ${item.issue}`)
      out.push([key, item])
    }
    const json: Json = Object.fromEntries(out)
    return "$" in json ? tagged("object", json) : json
  }
}

const defect = (value: unknown): Json =>
  value instanceof Error
    ? { $: "Error", is: { name: value.name, message: value.message } }
    : { $: "Error", is: { name: "Error", message: String(value) } }

const isRecord = (json: unknown): json is { readonly [key: string]: Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const isList = (json: Json | undefined): json is ReadonlyArray<Json> => Array.isArray(json)

/**
 * Reads the values of one execution; gathers what cannot be read.
 *
 * @category conversions
 */
export class Reader {
  readonly problems: Array<Problem>
  private readonly codecs: (name: string) => Codec.Codec | undefined
  private at = ""

  constructor(codecs: (name: string) => Codec.Codec | undefined, problems: Array<Problem> = []) {
    this.codecs = codecs
    this.problems = problems
  }

  /** A value; what is wrong is added to `problems`. */
  read(json: Json, at: string): unknown {
    this.at = at
    return this.value(json)
  }

  /** How something ended. */
  readExit(json: Json, at: string): Exit.Exit<unknown, unknown> {
    const value = this.read(json, at)
    if (Exit.isExit(value)) return value
    this.wrong("it is no Exit")
    return Exit.void
  }

  /** Why something ended. */
  readCause(json: Json, at: string): Cause.Cause<unknown> {
    this.at = at
    return this.cause(json)
  }

  /** Notes what is wrong. */
  wrong(issue: string, at = this.at): undefined {
    this.problems.push({ at, issue })
    return undefined
  }

  private value(json: Json): unknown {
    if (isList(json)) return json.map((item) => this.value(item))
    if (!isRecord(json)) return json
    const tag = json["$"]
    if (tag === undefined) return this.fields(json)
    return this.tagged(tag, json["is"] ?? null, json)
  }

  private fields(json: { readonly [key: string]: Json }): unknown {
    return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, this.value(item)]))
  }

  private cause(json: Json): Cause.Cause<unknown> {
    if (!isList(json)) return Cause.die(this.wrong("it is no Cause"))
    return Cause.fromReasons(
      json.map((item) => {
        const one = isRecord(item) ? item : {}
        const is = one["is"] ?? null
        switch (one["$"]) {
          case "fail":
            return Cause.makeFailReason(this.value(is))
          case "die":
            return Cause.makeDieReason(this.value(is))
          default:
            return Cause.makeInterruptReason()
        }
      })
    )
  }

  private tagged(tag: Json, is: Json, json: { readonly [key: string]: Json }): unknown {
    switch (tag) {
      case "undefined":
        return undefined
      case "number":
        return Number(is)
      case "bigint":
        return typeof is === "string" && /^-?\d+$/.test(is) ? BigInt(is) : this.wrong("it is no bigint")
      case "Date":
        return new Date(String(is))
      case "none":
        return Option.none()
      case "some":
        return Option.some(this.value(is))
      case "success":
        return Result.succeed(this.value(is))
      case "failure":
        return Result.fail(this.value(is))
      case "ok":
        return Exit.succeed(this.value(is))
      case "cause":
        return Exit.failCause(this.cause(is))
      case "object":
        return isRecord(is) ? this.fields(is) : this.wrong("it is no object")
      case "Error": {
        const { message, name } = isRecord(is) ? is : {}
        return Object.assign(new Error(String(message)), { name: String(name) })
      }
      case "FlowError":
        return this.decoded(failure, is)
      case "schema": {
        const name = String(json["of"])
        const codec = this.codecs(name)
        return codec === undefined ? this.wrong(`the flow has no Schema of ${name}`) : this.decoded(codec, is)
      }
      default:
        return this.wrong(`it is marked "${String(tag)}", which means nothing`)
    }
  }

  private decoded(codec: Codec.Codec, json: Json): unknown {
    const value = codec.decode(json)
    return Result.isSuccess(value) ? value.success : this.wrong(value.failure)
  }
}
