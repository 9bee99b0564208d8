/** The wire form of a Schema as the parser wants it: kinds, keys and allowed values, without anything that is said. */
import type { Shape } from "../parse/Shape.ts"
import * as Wire from "./Wire.ts"
import type { Node, Part } from "./Wire.ts"

/**
 * The shape of a wire form. Cyclic where the Schema is recursive.
 *
 * @category compiling
 */
export const of = (root: Part): Shape => {
  const shapes = new Map<Node, Shape>()
  const ofNode = (node: Node): Shape => {
    const known = shapes.get(node)
    if (known !== undefined) return known
    switch (node.kind) {
      case "string":
        return node.values === undefined ? { kind: "string" } : { kind: "string", values: node.values }
      case "number":
        return node.values === undefined ? { kind: "number" } : { kind: "number", values: node.values }
      case "object": {
        const keys = new Map<string, Shape>()
        const required = new Set<string>()
        const shape: { kind: "object"; keys: Map<string, Shape>; required: Set<string>; rest?: Shape } = {
          kind: "object",
          keys,
          required
        }
        shapes.set(node, shape)
        for (const { key, part } of node.fields) {
          keys.set(key, ofPart(part))
          if (!part.optional || Wire.holds(part)) required.add(key)
        }
        if (node.rest !== undefined) shape.rest = ofPart(node.rest)
        return shape
      }
      case "array": {
        const prefix: Array<Shape> = []
        const shape: { kind: "array"; prefix: Array<Shape>; item: Shape } = {
          kind: "array",
          prefix,
          item: { kind: "any" }
        }
        shapes.set(node, shape)
        for (const part of node.prefix) prefix.push(ofPart(part))
        if (node.item !== undefined) shape.item = ofPart(node.item)
        return shape
      }
      case "union": {
        const members: Array<Shape> = []
        const shape: Shape = { kind: "union", members }
        shapes.set(node, shape)
        for (const part of node.members) members.push(ofPart(part))
        return shape
      }
      default:
        return { kind: node.kind }
    }
  }
  const ofPart = (part: Part): Shape => {
    const shape = ofNode(part.node)
    if (!part.nullable || shape.kind === "any" || shape.kind === "null") return shape
    return { kind: "union", members: [shape, { kind: "null" }] }
  }
  return ofPart(root)
}
