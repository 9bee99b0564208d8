/**
 * Asks only for what was wrong: an attempt after one that was right but for some places asks for these places alone, and
 * puts them into the value that is there. What was right is kept, and need not be written again.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Contract from "../output/Contract.ts"
import type { Finding } from "../output/Finding.ts"
import * as Output from "../output/Output.ts"
import * as Path from "../parse/Path.ts"

/**
 * A repair: which places are asked for, and the contract of the object that holds them under their paths.
 *
 * @category models
 */
export interface Repair {
  readonly base: unknown
  readonly paths: ReadonlyArray<string>
  readonly contract: Contract.Contract<unknown, unknown>
}

// So many places at once are as good as the whole.
const maxPlaces = 20

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null

const isConcrete = (segment: Path.Segment): segment is string | number =>
  typeof segment === "string" || typeof segment === "number"

// The place to ask for where this one is wrong: itself, or the nearest above it whose container is there. A wildcard
// stands for the items of a list that is missing, so that the list is asked for.
const placeOf = (base: unknown, path: string): string | undefined => {
  const segments = Result.getOrElse(Path.parse(path), () => [])
  const wildcard = segments.findIndex((segment) => !isConcrete(segment))
  const place = (wildcard === -1 ? segments : segments.slice(0, wildcard)).filter(isConcrete)
  while (place.length > 0 && !isContainer(Path.get(base, place.slice(0, -1)))) place.pop()
  return place.length === 0 ? undefined : Path.print(place)
}

/**
 * The repair of a value, or nothing where the whole has to be asked for again: a finding speaks of the whole, or the
 * value is of another kind than the contract's.
 *
 * @category constructors
 */
export const of = <A, R>(
  contract: Contract.Contract<A, R>,
  base: unknown,
  findings: ReadonlyArray<Finding>
): Repair | undefined => {
  const places = new Map(findings.map((finding) => [placeOf(base, finding.path), finding.kind]))
  if (contract.format === "text" || places.size === 0 || places.size > maxPlaces) return undefined
  const paths: Array<string> = []
  const fields: Record<string, Schema.Top> = {}
  for (const [path, kind] of places) {
    const place = path === undefined ? undefined : Contract.at(contract, path)
    if (path === undefined || place === undefined || Result.isFailure(place)) return undefined
    paths.push(path)
    // The contract of a place is compiled from a Schema; as a field of a Struct it only has to be rendered and read.
    const schema = place.success.schema as Schema.Top
    fields[path] = Output.ensure(schema, undefined, kind === "empty" ? "notEmpty" : "present")
  }
  return { base, paths, contract: Contract.compile(Schema.Struct(fields)) }
}

/**
 * The value with the places that the model gave. What it did not give, or what was cut off (`cut`, as paths of the
 * patch), stays as it was.
 *
 * @category combinators
 */
export const merge = (repair: Repair, patch: unknown, cut: ReadonlySet<string>): unknown => {
  if (!isContainer(patch)) return repair.base
  const given = new Map(Object.entries(patch))
  let value = repair.base
  for (const path of repair.paths) {
    const segments = Path.parse(path)
    const isWhole = given.has(path) && !cut.has(Path.print([path]))
    if (Result.isSuccess(segments) && isWhole) value = put(value, segments.success, given.get(path))
  }
  return value
}

const put = (value: unknown, [segment, ...rest]: ReadonlyArray<Path.Segment>, item: unknown): unknown => {
  if (segment === undefined) return item
  if (Array.isArray(value) && typeof segment === "number") {
    const items: Array<unknown> = [...value]
    items[segment] = put(items[segment], rest, item)
    return items
  }
  if (!isContainer(value) || typeof segment !== "string") return value
  const fields = new Map<string, unknown>(Object.entries(value))
  fields.set(segment, put(fields.get(segment), rest, item))
  return Object.fromEntries(fields)
}

/**
 * The value without the leaves that were cut off. Containers stay: what is whole in them is kept.
 *
 * @category combinators
 */
export const without = (value: unknown, cut: ReadonlySet<string>): unknown => {
  const keep = (item: unknown, path: string): unknown => {
    if (Array.isArray(item)) {
      return item.flatMap((one, index) => {
        const at = Path.item(path, index, "dot")
        return cut.has(at) && !isContainer(one) ? [] : [keep(one, at)]
      })
    }
    if (!isContainer(item)) return item
    return Object.fromEntries(
      Object.entries(item).flatMap(([key, one]) => {
        const at = Path.child(path, key, "dot")
        return cut.has(at) && !isContainer(one) ? [] : [[key, keep(one, at)]]
      })
    )
  }
  return cut.size === 0 ? value : keep(value, "")
}

/**
 * Body of the OUTPUT CORRECTION section of a repair: what is there, what is wrong, what to return.
 *
 * @category rendering
 */
export const render = (repair: Repair, findings: ReadonlyArray<Finding>): string =>
  [
    "The previous response was right except for some fields. It reads:",
    JSON.stringify(repair.base),
    "What is wrong:",
    ...findings.map((finding) => `- ${finding.message}`),
    "Return only a JSON object with the corrected fields, each under its path, as the output requirement shows it. Do not repeat anything else."
  ].join("\n")
