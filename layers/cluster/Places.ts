/**
 * Where the executions of a flow live in a cluster: an entity type of their own, in a shard group of their own, for each
 * flow and version. A runner joins the groups of the flows that it has registered and no others, so that in a rolling
 * deploy no request and no execution reaches a runner that has not registered exactly its version.
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
  /** Absent: those without one. Where it was told by the name of a group, its hash may stand for it. */
  readonly version?: string | undefined
  /** The name of the shard group and of the entity type. */
  readonly group: string
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(-16)
    .replace(/^-+/, "")

const stem = (flow: string): string => `${slug(flow)}-${hash(flow)}-`

const isPlain = (version: string): boolean => version.length <= 10 && /^[a-z0-9]+(\.[a-z0-9]+)*$/.test(version)

const suffix = (version: string | undefined): string =>
  version === undefined ? "n" : isPlain(version) ? `v${version.replaceAll(".", "-")}` : `x${hash(version).slice(0, 10)}`

/**
 * Where the executions of a version of a flow live.
 *
 * @category constructors
 */
export const placeOf = (flow: string, version: string | undefined): Place => ({
  flow,
  ...(version === undefined ? {} : { version }),
  group: stem(flow) + suffix(version)
})

const compare = (one: string, other: string): number => {
  const [a, b] = [Number(one), Number(other)]
  if (!Number.isNaN(a) && !Number.isNaN(b)) return b - a
  if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1
  return one < other ? 1 : one > other ? -1 : 0
}

/** Greatest first, part by part: numbers by their value, then names; what has no version comes last. */
const newestFirst = (one: Place, other: Place): number => {
  if (one.version === undefined || other.version === undefined)
    return one.version === other.version ? 0 : one.version === undefined ? 1 : -1
  const [ours, theirs] = [one.version.split("."), other.version.split(".")]
  for (let part = 0; part < Math.max(ours.length, theirs.length); part++) {
    const order = compare(ours[part] ?? "0", theirs[part] ?? "0")
    if (order !== 0) return order
  }
  return 0
}

/**
 * The places of a flow among shard groups, the newest version first. A version whose name does not fit into the name of a
 * group is told by its hash, and is older than every other.
 *
 * @category conversions
 */
export const placesOf = (flow: string, groups: Iterable<string>): ReadonlyArray<Place> => {
  const beginning = stem(flow)
  const places: Array<Place> = []
  const hashed: Array<Place> = []
  for (const group of groups) {
    if (!group.startsWith(beginning)) continue
    const rest = group.slice(beginning.length)
    if (rest === "n") places.push({ flow, group })
    else if (rest.startsWith("v")) places.push({ flow, version: rest.slice(1).replaceAll("-", "."), group })
    else hashed.push({ flow, version: rest, group })
  }
  return [...places.toSorted(newestFirst), ...hashed.toSorted(newestFirst)]
}
