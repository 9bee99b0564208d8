/** Places of a wire form by path: the ensured ones, the known ones, and what stands at a given path. */
import * as Path from "../parse/Path.ts"
import type { EnsureLevel } from "./Ensure.ts"
import * as Wire from "./Wire.ts"
import type { Node, Part } from "./Wire.ts"

/**
 * A place that must be there.
 *
 * @category models
 */
export interface EnsureKey {
  /** In dot style with wildcards: `items[*].name`. */
  readonly path: string
  readonly segments: ReadonlyArray<Path.Segment>
  readonly level: EnsureLevel
}

/** A step from a part to one below it. @category models */
export interface Step {
  readonly segment: Path.Segment
  readonly part: Part
}

/** The parts directly below a node; those of a union are the parts of its forms. @category walking */
export const steps = (node: Node): ReadonlyArray<Step> => {
  switch (node.kind) {
    case "object":
      return [
        ...node.fields.map(({ key, part }) => ({ segment: key, part })),
        ...(node.rest === undefined ? [] : [{ segment: Path.ANY_KEY, part: node.rest }])
      ]
    case "array":
      return [
        ...node.prefix.map((part, index) => ({ segment: index, part })),
        ...(node.item === undefined ? [] : [{ segment: Path.ANY_ITEM, part: node.item }])
      ]
    case "union":
      return node.members.flatMap((member) => steps(member.node))
    default:
      return []
  }
}

/**
 * The ensured places of a wire form, in its order. A recursive part is followed once; marks inside the forms of a union
 * are not listed, since they hold for that form alone. The check of an answer follows all of them; below a container that
 * may be left out they are asked for once the container is there.
 *
 * @category walking
 */
export const ensured = (root: Part): ReadonlyArray<EnsureKey> => {
  const out: Array<EnsureKey> = []
  const walk = (part: Part, segments: ReadonlyArray<Path.Segment>, above: ReadonlyArray<Node>): void => {
    if (part.ensure !== undefined) out.push({ path: Path.print(segments), segments, level: part.ensure })
    if (part.node.kind === "union" || above.includes(part.node)) return
    const next = [...above, part.node]
    for (const step of steps(part.node)) walk(step.part, [...segments, step.segment], next)
  }
  walk(root, [], [])
  return out
}

const KNOWN_DEPTH = 6
const KNOWN_LIMIT = 1_000

/** The wildcard paths of a wire form, to depth 6. @category walking */
export const known = (root: Part): ReadonlyArray<string> => {
  const out = new Set<string>()
  const walk = (part: Part, segments: ReadonlyArray<Path.Segment>): void => {
    if (segments.length > 0) out.add(Path.print(segments))
    if (segments.length === KNOWN_DEPTH || out.size > KNOWN_LIMIT) return
    for (const step of steps(part.node)) walk(step.part, [...segments, step.segment])
  }
  walk(root, [])
  return [...out]
}

const below = (part: Part, segment: Path.Segment): ReadonlyArray<Part> => {
  const { node } = part
  switch (node.kind) {
    case "any":
      return [Wire.inside(part)]
    case "union":
      return node.members.flatMap((member) => below(member, segment))
    case "object": {
      if (typeof segment === "string") {
        const found = node.byKey.get(segment) ?? node.rest
        return found === undefined ? [] : [found]
      }
      return typeof segment === "object" && segment._tag === "AnyKey" && node.rest !== undefined ? [node.rest] : []
    }
    case "array": {
      if (typeof segment === "number") {
        const found = node.prefix[segment] ?? node.item
        return found === undefined ? [] : [found]
      }
      if (typeof segment !== "object" || segment._tag !== "AnyItem") return []
      return node.item === undefined ? node.prefix : [...node.prefix, node.item]
    }
    default:
      return []
  }
}

/**
 * What may stand at a path: more than one part where the path leads through a union or over the items of a tuple, none
 * where the Schema has no such place.
 *
 * @category walking
 */
export const resolve = (root: Part, segments: ReadonlyArray<Path.Segment>): ReadonlyArray<Part> => {
  let parts: ReadonlyArray<Part> = [root]
  for (const segment of segments) parts = [...new Set(parts.flatMap((part) => below(part, segment)))]
  return parts
}

const same = (a: Path.Segment | undefined, b: Path.Segment): boolean => {
  if (typeof a === "object" && typeof b === "object") return a._tag === b._tag
  // A wildcard stands for any one item, and for any one key.
  if (typeof a === "object") return a._tag === "AnyItem" ? typeof b === "number" : typeof b === "string"
  return a === b
}

/**
 * What is left of a path below another one; `undefined` where it does not lead there.
 *
 * @category walking
 */
export const after = (
  segments: ReadonlyArray<Path.Segment>,
  above: ReadonlyArray<Path.Segment>
): ReadonlyArray<Path.Segment> | undefined =>
  segments.length >= above.length && above.every((segment, i) => same(segments[i], segment))
    ? segments.slice(above.length)
    : undefined

const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** The known paths that are most like a given one, at most three. @category walking */
export const nearest = (root: Part, path: string): ReadonlyArray<string> =>
  known(root)
    .map((each) => ({ each, far: distance(path.slice(0, 200), each) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ each }) => each)
