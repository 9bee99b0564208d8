/**
 * Where the executions of a flow live in a cluster: an entity type of their own, in a shard group of their own, for each
 * flow and major version. A runner joins the groups of the flows that it has registered and no others, so that in a
 * rolling deploy no request reaches a runner that does not know the flow.
 *
 * The name of a group stands in SQL unescaped, in a column of 50 characters together with the number of a shard. So it is
 * made of letters, digits and hyphens alone, and never longer than 45.
 */
import { hash } from "../../src/triggerflow/definition/Shape.ts"

/**
 * Where executions of a flow live.
 *
 * @category models
 */
export interface Place {
  readonly flow: string
  /** The major version: `""` where there is none. */
  readonly major: string
  /** The name of the shard group and of the entity type. */
  readonly group: string
}

/**
 * The major version: what stands before the first dot, where that is a number; else all of it.
 *
 * @category conversions
 */
export const majorOf = (version: string | undefined): string => {
  if (version === undefined) return ""
  const [digits] = /^\d{1,6}(?=$|[.\-+])/.exec(version) ?? []
  return digits ?? version
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(-16)
    .replace(/^-+/, "")

const stem = (flow: string): string => `${slug(flow)}-${hash(flow)}-`

const suffix = (major: string): string =>
  major === "" ? "n" : /^[a-z0-9]{1,9}$/.test(major) ? `v${major}` : `x${hash(major).slice(0, 9)}`

/**
 * Where the executions of a version of a flow live.
 *
 * @category constructors
 */
export const placeOf = (flow: string, version: string | undefined): Place => {
  const major = majorOf(version)
  return { flow, major, group: stem(flow) + suffix(major) }
}

/** Greatest first: numbers by their value, then names, then none. */
const newestFirst = (one: string, other: string): number => {
  const [a, b] = [Number(one || Number.NaN), Number(other || Number.NaN)]
  if (!Number.isNaN(a) && !Number.isNaN(b)) return b - a
  if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1
  return one < other ? 1 : one > other ? -1 : 0
}

/**
 * The places of a flow among shard groups, the newest major version first. A version whose name does not fit into the
 * name of a group is told by its hash.
 *
 * @category conversions
 */
export const placesOf = (flow: string, groups: Iterable<string>): ReadonlyArray<Place> => {
  const beginning = stem(flow)
  const majors = new Set<string>()
  for (const group of groups) {
    if (!group.startsWith(beginning)) continue
    const rest = group.slice(beginning.length)
    majors.add(rest === "n" ? "" : rest.startsWith("v") ? rest.slice(1) : rest)
  }
  return [...majors].toSorted(newestFirst).map((major): Place => {
    const hashed = major.startsWith("x") && groupIn(groups, beginning + major)
    return { flow, major, group: hashed ? beginning + major : beginning + suffix(major) }
  })
}

const groupIn = (groups: Iterable<string>, name: string): boolean => {
  for (const group of groups) if (group === name) return true
  return false
}
