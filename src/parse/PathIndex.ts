/**
 * The tree of wildcard paths that one scan has met: one node per wildcard path, made when it is first seen, so that a
 * key costs one map look-up that yields its printed suffix, its wildcard path and whether anybody wants its events.
 * Not exported from the package.
 */
import * as Result from "effect/Result"
import * as Path from "./Path.ts"

/** The rest of one subscribed path: its segments, and how many of them lead to the node that holds this. */
interface Want {
  readonly segments: ReadonlyArray<Path.Segment>
  readonly depth: number
}

/** One wildcard path. @category internals */
export interface PathNode {
  /** The key that leads here from an object, one string instance for all objects. */
  readonly key: string
  /** What the key adds to the concrete path of its object. */
  readonly suffix: string
  readonly wildcard: string
  /** Whether the events of this very path are wanted. */
  readonly wanted: boolean
  /** Whether this path or one below it is wanted. Where not, nothing of the subtree is tracked. */
  readonly alive: boolean
  readonly children: Map<string, PathNode>
  item: PathNode | undefined
  readonly wants: ReadonlyArray<Want> | undefined
}

/** More keys than this under one path are a record of data, not a set of names: they are not kept. */
const maxChildren = 512

const make = (key: string, suffix: string, wildcard: string, wants: ReadonlyArray<Want> | undefined): PathNode => ({
  key,
  suffix,
  wildcard,
  wanted: wants === undefined || wants.some((want) => want.depth === want.segments.length),
  alive: wants === undefined || wants.length > 0,
  children: new Map(),
  item: undefined,
  wants
})

/** The node of everything that nobody wants. It leads to itself. @category internals */
export const dead: PathNode = make("", "", "", [])

/**
 * The root of a new index.
 *
 * @param only the subscribed paths, in either style, wildcards allowed; an index stands for every index. All where
 *   absent; a text that is no path subscribes to nothing.
 *
 * @category internals
 */
export const root = (only: ReadonlyArray<string> | undefined): PathNode => {
  if (only === undefined) return make("", "", "", undefined)
  const wants: Array<Want> = []
  for (const text of only) {
    const segments = Path.parse(text)
    if (Result.isSuccess(segments)) wants.push({ segments: segments.success, depth: 0 })
  }
  return make("", "", "", wants)
}

const advance = (
  wants: ReadonlyArray<Want> | undefined,
  matches: (segment: Path.Segment) => boolean
): ReadonlyArray<Want> | undefined =>
  wants?.flatMap((want) => {
    const segment = want.segments[want.depth]
    return segment !== undefined && matches(segment) ? [{ segments: want.segments, depth: want.depth + 1 }] : []
  })

/** The node of a key of the object at `node`. @category internals */
export const child = (node: PathNode, key: string, style: Path.PathStyle): PathNode => {
  const known = node.children.get(key)
  if (known !== undefined) return known
  if (!node.alive) return dead
  const wants = advance(
    node.wants,
    (segment) => segment === key || (typeof segment === "object" && segment._tag === "AnyKey")
  )
  const suffix = Path.keySuffix(key, style, node.wildcard === "")
  const made = wants !== undefined && wants.length === 0 ? dead : make(key, suffix, node.wildcard + suffix, wants)
  if (made !== dead && node.children.size < maxChildren) node.children.set(key, made)
  return made
}

/** The node of the items of the array at `node`. @category internals */
export const item = (node: PathNode, style: Path.PathStyle): PathNode => {
  if (node.item !== undefined) return node.item
  if (!node.alive) return dead
  const wants = advance(
    node.wants,
    (segment) => typeof segment === "number" || (typeof segment === "object" && segment._tag === "AnyItem")
  )
  node.item =
    wants !== undefined && wants.length === 0 ? dead : make("", "", Path.itemWildcard(node.wildcard, style), wants)
  return node.item
}
