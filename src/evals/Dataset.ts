/**
 * Datasets: cases with a typed input, the answer that is expected, tags and an id; from values, JSONL text or a stream of
 * it. A fault is told with its line. Reading files belongs to programs: what they read goes in as a text or a stream.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { canonical, type Json } from "../../services/Json.ts"
import * as Text from "../prompt/Text.ts"
import { hash } from "../triggerflow/definition/Shape.ts"
import { DatasetError } from "./EvalError.ts"
import { shuffled } from "./Statistics.ts"

/**
 * A case.
 *
 * @category models
 */
export interface Case<out I, out X> {
  /** Unique in its dataset. Where none is given it is made of the input, so that it stays when cases are added. */
  readonly id: string
  readonly input: I
  /** The answer that is expected; `undefined` in datasets without. */
  readonly expected: X
  readonly tags: ReadonlyArray<string>
}

/**
 * What the cases of a dataset look like. Without an `input` Schema any JSON goes; without an `expected` one there is none.
 *
 * @category models
 */
export interface Format<I, X> {
  readonly name: string
  readonly input: Schema.Codec<I, unknown>
  readonly expected: Schema.Codec<X, unknown>
}

/** What a case is given as. @category models */
export type CaseInput<I, X> = {
  readonly id?: string | undefined
  readonly input: I
  readonly tags?: ReadonlyArray<string> | undefined
} & (undefined extends X ? { readonly expected?: X } : { readonly expected: X })

const TypeId = "~effigent/evals/Dataset"

/**
 * Cases of one format.
 *
 * @category models
 */
export interface Dataset<I, X> {
  readonly [TypeId]: typeof TypeId
  readonly format: Format<I, X>
  readonly cases: ReadonlyArray<Case<I, X>>
}

/** A dataset of which no types are known. @category models */
export type Any = Pick<Dataset<never, never>, typeof TypeId> & {
  readonly cases: ReadonlyArray<Case<unknown, unknown>>
}

/** The type of the inputs of a dataset. @category type-level */
export type InputOf<D> = D extends { readonly cases: ReadonlyArray<Case<infer I, infer _X>> } ? I : never

/** The type of the expected answers of a dataset. @category type-level */
export type ExpectedOf<D> = D extends { readonly cases: ReadonlyArray<Case<infer _I, infer X>> } ? X : never

/** Whether a value is a dataset. @category guards */
export const isDataset = (value: unknown): value is Dataset<unknown, unknown> =>
  typeof value === "object" && value !== null && TypeId in value

const dataset = <I, X>(format: Format<I, X>, cases: ReadonlyArray<Case<I, X>>): Dataset<I, X> => ({
  [TypeId]: TypeId,
  format,
  cases
})

/**
 * Says what the cases of a dataset look like.
 *
 * @category constructors
 */
export const format: {
  <I, X = undefined>(options: {
    readonly name: string
    readonly input: Schema.Codec<I, unknown>
    readonly expected?: Schema.Codec<X, unknown>
  }): Format<I, X>
} = <I, X>(options: {
  readonly name: string
  readonly input: Schema.Codec<I, unknown>
  readonly expected?: Schema.Codec<X, unknown>
}): Format<I, X> => ({
  ...options,
  // Where no Schema is given X is `undefined`, by the default of the type parameter.
  expected: options.expected ?? (Schema.Undefined as unknown as Schema.Codec<X, unknown>)
})

// Ids of cases without one, and duplicates of those with one.
class Ids {
  private readonly seen = new Map<string, number>()
  // How many were made of a stem: the next one does not count them again.
  private readonly copies = new Map<string, number>()

  take(id: string, line: number): number | undefined {
    const before = this.seen.get(id)
    if (before === undefined) this.seen.set(id, line)
    return before
  }

  made(input: unknown, line: number): string {
    const stem = hash(canonical(input)).slice(0, 8)
    for (let copy = (this.copies.get(stem) ?? 0) + 1; ; copy++) {
      this.copies.set(stem, copy)
      const id = copy === 1 ? stem : `${stem}-${copy}`
      if (this.take(id, line) === undefined) return id
    }
  }
}

const duplicate = (name: string, id: string, line: number, before: number) =>
  new DatasetError({
    dataset: name,
    line,
    detail: `the id ${JSON.stringify(id)} stands in line ${before} already. Give every case an id of its own, or none.`
  })

/**
 * A dataset of values. Fails with a `DatasetError` where an id stands twice or a value has no JSON form.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Dataset } from "effigent/evals"
 *
 * const letters = Dataset.make({
 *   name: "letters",
 *   input: Schema.String,
 *   expected: Schema.Boolean,
 *   cases: [
 *     { id: "fire", input: "The printer is on fire!", expected: true, tags: ["urgent"] },
 *     { input: "Lunch on Friday?", expected: false }
 *   ]
 * })
 * const { cases } = await Effect.runPromise(letters)
 * console.log(cases.map(({ id, expected }) => `${id} ${expected}`)) // => [ 'fire true', '12fc2dec false' ]
 * ```
 *
 * @category constructors
 */
export const make = <I, X = undefined>(options: {
  readonly name: string
  readonly input: Schema.Codec<I, unknown>
  readonly expected?: Schema.Codec<X, unknown>
  readonly cases: ReadonlyArray<CaseInput<NoInfer<I>, NoInfer<X>>>
}): Effect.Effect<Dataset<I, X>, DatasetError> =>
  Effect.suspend(() => {
    const form = format<I, X>(options)
    const ids = new Ids()
    const cases: Array<Case<I, X>> = []
    const encode = Schema.encodeUnknownResult(form.input)
    for (const [at, { expected, id, input, tags = [] }] of options.cases.entries()) {
      if (id !== undefined) {
        const before = ids.take(id, at + 1)
        if (before !== undefined) return Effect.fail(duplicate(form.name, id, at + 1, before))
      }
      const encoded = encode(input)
      if (Result.isFailure(encoded))
        return Effect.fail(
          new DatasetError({
            dataset: form.name,
            line: at + 1,
            detail: `the input does not fit: ${encoded.failure.message}`
          })
        )
      const json = id === undefined ? jsonOf(encoded.success) : Option.none()
      if (id === undefined && Option.isNone(json))
        return Effect.fail(
          new DatasetError({
            dataset: form.name,
            line: at + 1,
            detail: "the input has no JSON form to make an id of. Give JSON values."
          })
        )
      cases.push({
        id: id ?? ids.made(Option.getOrNull(json), at + 1),
        input,
        // Absent only where X holds undefined, as CaseInput says.
        expected: expected as X,
        tags
      })
    }
    return Effect.succeed(dataset(form, cases))
  })

interface Numbered {
  readonly line: number
  readonly text: string
}

const Line = Schema.Struct({
  id: Schema.optionalKey(Schema.Union([Schema.String, Schema.Finite])),
  input: Schema.Unknown,
  expected: Schema.optionalKey(Schema.Unknown),
  tags: Schema.optionalKey(Schema.Array(Schema.String))
})

// Reads lines into cases of a format. One for each reading: it knows the ids so far.
const reader = <I, X>({ expected, input, name }: Format<I, X>) => {
  const ids = new Ids()
  const decodeLine = Schema.decodeUnknownResult(Line)
  const decodeInput = Schema.decodeUnknownResult(input)
  const decodeExpected = Schema.decodeUnknownResult(expected)
  return ({ line, text }: Numbered): Result.Result<Case<I, X> | undefined, DatasetError> => {
    const fail = (detail: string) => Result.fail(new DatasetError({ dataset: name, line, detail }))
    if (text.trim() === "") return Result.succeed(undefined)
    const parsed = Result.try({ try: (): unknown => JSON.parse(text), catch: (error) => String(error) })
    if (Result.isFailure(parsed)) return fail(`it is no JSON (${parsed.failure}). Write one object in each line.`)
    const shaped = decodeLine(parsed.success)
    if (Result.isFailure(shaped))
      return fail(`${shaped.failure.message}. A case is {"input": ..., "expected": ..., "tags": [...], "id": "..."}.`)
    const one = decodeInput(shaped.success.input)
    if (Result.isFailure(one)) return fail(`the input does not fit: ${one.failure.message}`)
    const answer = decodeExpected(shaped.success.expected)
    if (Result.isFailure(answer))
      return fail(
        `${shaped.success.expected === undefined ? "there is no" : "the"} expected answer${shaped.success.expected === undefined ? "" : " does not fit"}: ${answer.failure.message}`
      )
    let id: string
    if (shaped.success.id === undefined) id = ids.made(shaped.success.input, line)
    else {
      id = String(shaped.success.id)
      const before = ids.take(id, line)
      if (before !== undefined) return Result.fail(duplicate(name, id, line, before))
    }
    return Result.succeed({ id, input: one.success, expected: answer.success, tags: shaped.success.tags ?? [] })
  }
}

// Cuts pieces of text into lines: LF and CRLF, with a byte order mark in front or not.
const cutter = () => {
  let [rest, line, isFirst]: [Array<string>, number, boolean] = [[], 0, true]
  const whole = (text: string): Numbered => {
    line++
    const isMarked = isFirst && text.startsWith("\uFEFF")
    isFirst = false
    return { line, text: isMarked ? text.slice(1) : text }
  }
  return {
    push: (piece: string): ReadonlyArray<Numbered> => {
      const parts = piece.split("\n")
      const last = parts.pop() ?? ""
      const lines: Array<Numbered> = []
      for (const part of parts) {
        rest.push(part)
        lines.push(whole(rest.join("")))
        rest = []
      }
      if (last !== "") rest.push(last)
      return lines
    },
    end: (): ReadonlyArray<Numbered> => {
      const last = rest.join("")
      rest = []
      return last === "" ? [] : [whole(last)]
    }
  }
}

/**
 * The cases of JSONL, one by one as it is read: `{"input": ..., "expected": ..., "tags": [...], "id": "..."}` in each line.
 * Blank lines, CRLF and a byte order mark are fine. A file of any size takes the memory of its ids. Fails with a
 * `DatasetError` that names the line.
 *
 * @category constructors
 */
export const read = <I, X, E, R>(
  format: Format<I, X>,
  text: Stream.Stream<string | Uint8Array, E, R>
): Stream.Stream<Case<I, X>, E | DatasetError, R> =>
  Stream.suspend(() => {
    const lines = cutter()
    const next = reader(format)
    // Not stripped here: the cutter knows where the text begins.
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
    const casesOf = (numbered: ReadonlyArray<Numbered>): Effect.Effect<ReadonlyArray<Case<I, X>>, DatasetError> => {
      const cases: Array<Case<I, X>> = []
      for (const one of numbered) {
        const made = next(one)
        if (Result.isFailure(made)) return Effect.fail(made.failure)
        if (made.success !== undefined) cases.push(made.success)
      }
      return Effect.succeed(cases)
    }
    const body = Stream.mapEffect(text, (piece) =>
      casesOf(lines.push(typeof piece === "string" ? piece : utf8.decode(piece, { stream: true })))
    )
    const end = Stream.fromEffect(Effect.suspend(() => casesOf([...lines.push(utf8.decode()), ...lines.end()])))
    return Stream.flatMap(Stream.concat(body, end), (cases) => Stream.fromIterable(cases))
  })

/** A dataset of cases that were read, or chosen from what was read. @category constructors */
export const collect = <I, X, E, R>(
  format: Format<I, X>,
  cases: Stream.Stream<Case<I, X>, E, R>
): Effect.Effect<Dataset<I, X>, E, R> => Effect.map(Stream.runCollect(cases), (all) => dataset(format, all))

/** A dataset from JSONL, a text or a stream of it: see `read`. @category constructors */
export const fromJsonl = <I, X, E = never, R = never>(
  format: Format<I, X>,
  text: string | Stream.Stream<string | Uint8Array, E, R>
): Effect.Effect<Dataset<I, X>, E | DatasetError, R> =>
  collect(format, read(format, typeof text === "string" ? Stream.make(text) : text))

/** The cases that a condition holds for. @category combinators */
export const filter = <I, X>(self: Dataset<I, X>, isIn: (one: Case<I, X>) => boolean): Dataset<I, X> =>
  dataset(self.format, self.cases.filter(isIn))

/** The cases with at least one of these tags. @category combinators */
export const tagged = <I, X>(self: Dataset<I, X>, ...tags: ReadonlyArray<string>): Dataset<I, X> =>
  filter(self, (one) => one.tags.some((tag) => tags.includes(tag)))

/**
 * So many cases by chance, in the order of the dataset; the same for the same seed (default 1). All where there are fewer.
 *
 * @category combinators
 */
export const sample = <I, X>(self: Dataset<I, X>, size: number, seed = 1): Dataset<I, X> => {
  const chosen = new Set(shuffled(self.cases, seed).slice(0, Math.max(0, size)))
  return filter(self, (one) => chosen.has(one))
}

/**
 * Two datasets: this part (0 to 1) of the cases by chance, and the rest. The same for the same seed (default 1).
 *
 * @category combinators
 */
export const split = <I, X>(self: Dataset<I, X>, part: number, seed = 1): readonly [Dataset<I, X>, Dataset<I, X>] => {
  const first = sample(self, Math.round(self.cases.length * Math.min(1, Math.max(0, part))), seed)
  const chosen = new Set(first.cases)
  return [first, filter(self, (one) => !chosen.has(one))]
}

/**
 * A case in its JSON form.
 *
 * @category models
 */
export interface EncodedCase {
  readonly id: string
  readonly tags: ReadonlyArray<string>
  readonly input: Json
  readonly expected?: Json
}

const jsonOf = (value: unknown): Option.Option<Json> => {
  const json = Text.toJson("case", value)
  return Result.isSuccess(json) ? Option.some(json.success) : Option.none()
}

/** The cases in their JSON form, as their Schemas encode them. @category conversions */
export const encode = <I, X>(self: Dataset<I, X>): Effect.Effect<ReadonlyArray<EncodedCase>, DatasetError> => {
  const { expected, input, name } = self.format
  const encodeInput = Schema.encodeUnknownResult(input)
  const encodeExpected = Schema.encodeUnknownResult(expected)
  const all: Array<EncodedCase> = []
  for (const [at, one] of self.cases.entries()) {
    const given = encodeInput(one.input)
    const answer = encodeExpected(one.expected)
    const wrong = Result.isFailure(given) ? given.failure : Result.isFailure(answer) ? answer.failure : undefined
    const json = Result.isSuccess(given) ? jsonOf(given.success) : Option.none()
    const answerJson = Result.isFailure(answer) || answer.success === undefined ? Option.none() : jsonOf(answer.success)
    if (Option.isNone(json))
      return Effect.fail(
        new DatasetError({
          dataset: name,
          line: at + 1,
          detail: `the case ${one.id} has no JSON form${wrong === undefined ? "" : `: ${wrong.message}`}`
        })
      )
    if (wrong !== undefined)
      return Effect.fail(
        new DatasetError({ dataset: name, line: at + 1, detail: `the case ${one.id}: ${wrong.message}` })
      )
    all.push({
      id: one.id,
      tags: one.tags,
      input: json.value,
      ...(Option.isSome(answerJson) ? { expected: answerJson.value } : {})
    })
  }
  return Effect.succeed(all)
}

/** The digest of cases: the same for the same ids, inputs, answers and tags in the same order. @category conversions */
export const digest = (cases: ReadonlyArray<EncodedCase>): string => hash(cases.map(canonical).join("\n"))
