/**
 * The output contract in words: the body of the OUTPUT REQUIREMENT section. The structure as commented JSON with types in
 * place of values, then one line for each field of which more is asked than its type.
 */
import * as Path from "../parse/Path.ts"
import type { Demands } from "./Check.ts"
import * as Facts from "./Facts.ts"
import * as Wire from "./Wire.ts"
import type { Node, Part } from "./Wire.ts"

const oneLine = (text: string | undefined): string | undefined => text?.replace(/\s*\n\s*/g, " ")

type Segments = ReadonlyArray<Path.Segment>

const token = (part: Part): string => {
  const { node } = part
  switch (node.kind) {
    case "string":
    case "number":
    case "boolean": {
      const { values } = node
      if (values !== undefined) {
        const literals = values.map((value) => JSON.stringify(value))
        return literals.length === 1 ? literals.join() : `<${literals.join(" | ")}>`
      }
      if (node.kind === "number") return part.keywords["type"] === "integer" ? "<int>" : "<float>"
      return node.kind === "string" ? "<str>" : "<bool>"
    }
    case "null":
      return "null"
    default:
      return "<any>"
  }
}

const bare = (text: string): string => (text.startsWith("<") ? text.slice(1, -1) : text)

// Only scalars without a word of their own stand side by side.
const isPlainUnion = (node: Node): boolean =>
  node.kind === "union" && node.members.every((member) => Wire.isLeaf(member.node) && member.description === undefined)

/** The nodes that hold themselves. */
const recursive = (root: Part): ReadonlySet<Node> => {
  const out = new Set<Node>()
  const done = new Set<Node>()
  const walk = (part: Part, above: ReadonlyArray<Node>): void => {
    const { node } = part
    if (above.includes(node)) out.add(node)
    if (done.has(node) || above.includes(node) || Wire.isLeaf(node)) return
    for (const next of Wire.children(node)) walk(next, [...above, node])
    done.add(node)
  }
  walk(root, [])
  return out
}

class Structure {
  readonly lines: Array<string> = []
  private readonly open = new Map<Node, string>()
  private readonly loops: ReadonlySet<Node>

  constructor(root: Part) {
    this.loops = recursive(root)
  }

  /** Writes a part: `before` stands in front of it on its first line, `after` behind it on its last. */
  part(part: Part, segments: Segments, indent: string, before: string, after: string): void {
    const { node } = part
    const opened = this.open.get(node)
    const said = oneLine(part.description)
    if (opened !== undefined) return this.line(indent, `${before}<${opened}>${after}`, said)
    if (Wire.isLeaf(node)) return this.line(indent, `${before}${token(part)}${after}`, said)
    if (node.kind === "union" && isPlainUnion(node)) {
      return this.line(
        indent,
        `${before}<${node.members.map((member) => bare(token(member))).join(" | ")}>${after}`,
        said
      )
    }
    const name = "name" in node ? node.name : undefined
    const label = this.loops.has(node) ? name : undefined
    if (this.loops.has(node)) {
      this.open.set(node, name ?? (segments.length === 0 ? "same as the whole" : `same as ${Path.print(segments)}`))
    }
    this.container(
      part,
      segments,
      indent,
      before,
      after,
      label === undefined ? said : [label, said].filter((each) => each !== undefined).join(": ")
    )
    this.open.delete(node)
  }

  private line(indent: string, text: string, comment: string | undefined): void {
    this.lines.push(comment === undefined || comment === "" ? indent + text : `${indent}${text} // ${comment}`)
  }

  private container(
    part: Part,
    segments: Segments,
    indent: string,
    before: string,
    after: string,
    comment: string | undefined
  ): void {
    const { node } = part
    const inner = `${indent}  `
    if (node.kind === "object") {
      const entries = node.fields.map((field) => ({
        key: JSON.stringify(field.key),
        step: field.key,
        part: field.part
      }))
      const open = node.rest !== undefined
      if (entries.length === 0 && !open) return this.line(indent, `${before}{}${after}`, comment)
      this.line(indent, `${before}{`, comment)
      entries.forEach((entry, i) =>
        this.part(
          entry.part,
          [...segments, entry.step],
          inner,
          `${entry.key}: `,
          i < entries.length - 1 || open ? "," : ""
        )
      )
      if (node.rest !== undefined) {
        this.part(node.rest, [...segments, Path.ANY_KEY], inner, `"<${keyName(node.restKey)}>": `, ",")
        this.line(inner, "...", undefined)
      }
      return this.line(indent, `}${after}`, undefined)
    }
    if (node.kind === "array") {
      if (node.prefix.length === 0 && node.item === undefined) return this.line(indent, `${before}[]${after}`, comment)
      this.line(indent, `${before}[`, comment)
      node.prefix.forEach((item, i) => {
        const more = i < node.prefix.length - 1 || node.item !== undefined
        this.part(item, [...segments, i], inner, "", more ? "," : "")
      })
      if (node.item !== undefined) {
        this.part(node.item, [...segments, Path.ANY_ITEM], inner, "", ",")
        this.line(inner, "...", undefined)
      }
      return this.line(indent, `]${after}`, undefined)
    }
    if (node.kind !== "union") return
    this.line(indent, `${before}one of:`, comment)
    node.members.forEach((member, i) => {
      if (i > 0) this.line(indent, "or:", undefined)
      this.part(member, segments, inner, "", i === node.members.length - 1 ? after : "")
    })
  }
}

const keyName = (key: Part | undefined): string => key?.description ?? "key"

// --- field requirements

const admitsEmpty = (part: Part): boolean => {
  const { node } = part
  if (node.kind === "string") return node.values === undefined && !(Number(part.keywords["minLength"] ?? 0) > 0)
  if (node.kind === "array") return node.prefix.length === 0 && !(Number(part.keywords["minItems"] ?? 0) > 0)
  return node.kind === "any"
}

const presence = (part: Part, level: Part["ensure"]): string => {
  if (level === "notEmpty") return "value must not be null, blank, or empty"
  const empty = admitsEmpty(part)
  if (part.nullable) return empty ? "null or empty values are allowed" : "null is allowed"
  return empty ? "empty values are allowed, null is not" : "must not be null"
}

const boundsOf = (part: Part): ReadonlyArray<string> => {
  const { keywords, node, notes } = part
  const { type: _, ...bounds } = keywords
  const key = node.kind === "object" ? node.restKey : undefined
  return [
    ...Facts.words(bounds),
    ...notes,
    ...(key === undefined ? [] : [...Facts.words(key.keywords), ...key.notes].map((note) => `keys: ${note}`))
  ]
}

class Requirements {
  readonly lines: Array<string> = []
  private readonly demands: Demands
  private readonly asked: ReadonlyMap<string, Demands["keys"][number]>

  constructor(demands: Demands) {
    this.demands = demands
    this.asked = new Map(demands.keys.map((key) => [key.path, key]))
  }

  /** Writes the lines of a part and of what is below it. Answers whether something below must be there. */
  part(
    part: Part,
    segments: Segments,
    place: "root" | "key" | "item",
    when: string,
    above: ReadonlyArray<Node>
  ): boolean {
    const { node } = part
    const path = Path.print(segments)
    const level = (this.demands.marks ? part.ensure : undefined) ?? this.asked.get(path)?.level
    const at = this.lines.length
    const below = above.includes(node) ? false : this.below(part, segments, when, [...above, node])
    const required = place === "key" && (!part.optional || this.demands.all)
    const bounds = boundsOf(part)
    const mayBeNull = part.nullable && node.kind !== "any" && node.kind !== "null"
    const asked: Array<string> = []
    if (level !== undefined) asked.push(place === "root" ? "required" : "required key", presence(part, level))
    else {
      // A container whose parts are asked for is asked for with them; a container that may lack has to say so.
      if (required && (!below || bounds.length > 0 || mayBeNull)) asked.push("required key")
      const mayLack = place === "key" && !required && !(this.demands.marks && Wire.holds(part))
      if (mayLack && (below || bounds.length > 0 || mayBeNull)) asked.push("optional key")
      if (mayBeNull) asked.push("null is allowed")
    }
    // What can have one value only is said by the structure.
    const isSaid = Wire.constantOf(node) !== undefined && level === undefined && required && bounds.length === 0
    if (!isSaid && (asked.length > 0 || bounds.length > 0)) {
      const said = oneLine(part.description)
      const notes = [...(said === undefined ? [] : [said]), ...asked, ...bounds, ...(when === "" ? [] : [when])]
      this.lines.splice(at, 0, `- ${path === "" ? "the whole value" : path}: ${notes.join("; ")}`)
    }
    return below || level !== undefined || required
  }

  private below(part: Part, segments: Segments, when: string, above: ReadonlyArray<Node>): boolean {
    const { node } = part
    let found = false
    const go = (next: Part, segment: Path.Segment, place: "key" | "item") => {
      if (this.part(next, [...segments, segment], place, when, above)) found = true
    }
    if (node.kind === "object") {
      for (const field of node.fields) go(field.part, field.key, "key")
      if (node.rest !== undefined) go(node.rest, Path.ANY_KEY, "item")
    } else if (node.kind === "array") {
      node.prefix.forEach((item, index) => go(item, index, "item"))
      if (node.item !== undefined) go(node.item, Path.ANY_ITEM, "item")
    } else if (node.kind === "union") {
      // What a form asks for stands with the form's mark, and does not make the union itself required.
      node.members.forEach((member, index) => {
        if (!above.includes(member.node)) this.form(member, segments, formOf(member, index, node.members), above)
      })
    }
    return found
  }

  private form(member: Part, segments: Segments, when: string, above: ReadonlyArray<Node>): void {
    const bounds = boundsOf(member)
    if (bounds.length > 0 && Wire.isLeaf(member.node)) {
      this.lines.push(`- ${Path.print(segments) || "the whole value"}: ${bounds.join("; ")}; ${when}`)
    }
    this.below(member, segments, when, [...above, member.node])
  }
}

const formOf = (member: Part, index: number, members: ReadonlyArray<Part>): string => {
  if (member.node.kind === "object") {
    for (const { key, part } of member.node.fields) {
      const constant = Wire.constantOf(part.node)
      if (constant !== undefined) return `where ${key} is ${JSON.stringify(constant)}`
    }
  }
  if (Wire.isLeaf(member.node)) return `where it is ${token(member)}`
  return `in form ${index + 1} of ${members.length}`
}

/**
 * The structure of a value as commented JSON, line by line.
 *
 * @category rendering
 */
export const structure = (part: Part, segments: Segments = []): ReadonlyArray<string> => {
  const out = new Structure(part)
  out.part(part, segments, "", "", "")
  return out.lines
}

/** A type in words that stand in place of a value: `<int>`. @category rendering */
export const typeOf = token

/**
 * What follows the structure in every format: one line for each field of which more is asked than its type, and the
 * guarantee where the whole shape is asked for. Begins with an empty line; empty where there is nothing to say.
 *
 * @category rendering
 */
export const demanded = (root: Part, demands: Demands): ReadonlyArray<string> => {
  const requirements = new Requirements(demands)
  requirements.part(root, [], "root", "", [])
  const out: Array<string> = []
  if (requirements.lines.length > 0) out.push("", "Field requirements:", ...requirements.lines)
  if (demands.all) {
    out.push(
      "",
      "Output Guarantee: STRICT structure",
      "All defined fields are required and extra fields are not allowed."
    )
  }
  return out
}

/**
 * The body of the OUTPUT REQUIREMENT section for a JSON answer.
 *
 * @category rendering
 */
export const json = (root: Part, demands: Demands): string =>
  ["Data Format: JSON", "Data Structure:", ...structure(root), ...demanded(root, demands)].join("\n")

/**
 * The body of the OUTPUT REQUIREMENT section for an answer in plain text; `undefined` where nothing is asked of it.
 *
 * @category rendering
 */
export const text = (root: Part, demands: Demands): string | undefined => {
  const notes = [
    ...(root.description === undefined ? [] : [root.description]),
    ...(demands.marks && root.ensure === "notEmpty" ? ["must not be blank"] : []),
    ...boundsOf(root)
  ]
  return notes.length === 0
    ? undefined
    : ["Data Format: plain text", "", "Requirements:", ...notes.map((note) => `- ${note}`)].join("\n")
}

/** What bounds a part, in words. @category rendering */
export const bounds = boundsOf
