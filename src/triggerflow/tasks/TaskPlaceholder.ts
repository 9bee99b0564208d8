/**
 * Placeholders in the inputs of tasks: `${INIT.path}` is the input of the graph, `${DEPS.task.path}` the result of a
 * task before this one, `${STATE.path}` the state of the run. A text that is one placeholder takes the value as it is,
 * one among other text its text. Inputs are compiled once; a value that is not there fails closed.
 */
import type { Json } from "effect/Schema"

/** Where the values of placeholders come from. @category models */
export type Root = "INIT" | "DEPS" | "STATE"

/** A placeholder that was understood. @category models */
export interface Ref {
  /** As it is written, with its braces. */
  readonly text: string
  readonly root: Root
  /** What stands behind the root, uncut: ids of tasks may contain dots. */
  readonly rest: string
  /** The input that it stands in: `query.words[0]`. */
  readonly input: string
}

/** A placeholder whose root is none. @category models */
export interface Unknown {
  readonly text: string
  readonly input: string
}

/** A value with its placeholders found. @category models */
export type Template =
  | { readonly _tag: "value"; readonly value: Json }
  | { readonly _tag: "ref"; readonly ref: Ref }
  | { readonly _tag: "text"; readonly parts: ReadonlyArray<string | Ref> }
  | { readonly _tag: "list"; readonly items: ReadonlyArray<Template> }
  | { readonly _tag: "record"; readonly fields: ReadonlyArray<readonly [string, Template]> }

/** Inputs with their placeholders found. @category models */
export interface Compiled {
  readonly fields: ReadonlyArray<readonly [string, Template]>
  readonly refs: ReadonlyArray<Ref>
  readonly unknown: ReadonlyArray<Unknown>
}

const placeholder = /\$\{\s*([^${}]*?)\s*\}/g
const roots: Readonly<Record<string, Root>> = { INIT: "INIT", DEPS: "DEPS", STATE: "STATE" }

class Compiler {
  readonly refs: Array<Ref> = []
  readonly unknown: Array<Unknown> = []

  template(value: Json, input: string): Template {
    if (typeof value === "string") return this.text(value, input)
    if (typeof value !== "object" || value === null) return { _tag: "value", value }
    const before = this.refs.length
    if (Array.isArray(value)) {
      const items = value.map((item: Json, index) => this.template(item, `${input}[${index}]`))
      return this.refs.length === before ? { _tag: "value", value } : { _tag: "list", items }
    }
    const fields = this.record(value, input)
    return this.refs.length === before ? { _tag: "value", value } : { _tag: "record", fields }
  }

  record(value: object, input: string): ReadonlyArray<readonly [string, Template]> {
    return Object.entries(value).map(
      ([key, item]: [string, Json]) => [key, this.template(item, input === "" ? key : `${input}.${key}`)] as const
    )
  }

  private text(value: string, input: string): Template {
    const parts: Array<string | Ref> = []
    let end = 0
    for (const match of value.matchAll(placeholder)) {
      const [text, name = ""] = match
      const word = /^[^.[]*/.exec(name)?.[0] ?? ""
      const root = Object.hasOwn(roots, word.toUpperCase()) ? roots[word.toUpperCase()] : undefined
      if (root === undefined) {
        this.unknown.push({ text, input })
        continue
      }
      const ref: Ref = { text, root, rest: name.slice(word.length).replace(/^\./, ""), input }
      this.refs.push(ref)
      if (match.index > end) parts.push(value.slice(end, match.index))
      parts.push(ref)
      end = match.index + text.length
    }
    const [first] = parts
    if (first === undefined) return { _tag: "value", value }
    if (end < value.length) parts.push(value.slice(end))
    return parts.length === 1 && typeof first === "object" ? { _tag: "ref", ref: first } : { _tag: "text", parts }
  }
}

/** Finds the placeholders of inputs. @category constructors */
export const compile = (inputs: Readonly<Record<string, Json>>): Compiled => {
  const compiler = new Compiler()
  const fields = compiler.record(inputs, "")
  return { fields, refs: compiler.refs, unknown: compiler.unknown }
}

/** How the results of tasks are reached through the state: `${STATE.task_results.task.path}`. @category constants */
export const results = /^task_results(?:\.|$)/

/** The steps of a path: `a.b[0]` is `a`, `b`, `0`. @category parsing */
export const steps = (path: string): ReadonlyArray<string> => path.match(/[^.[\]]+/g) ?? []

/** What stands at a path; `undefined` where nothing does. @category getters */
export const at = (value: Json | undefined, path: ReadonlyArray<string>): Json | undefined => {
  let found = value
  for (const step of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return undefined
    // An own key of a JSON value; that of a list is an index or `length`.
    found = (found as Readonly<Record<string, Json>>)[step]
  }
  return found
}

/** The task that a reference names, and the path behind it: the longest id of those known that it begins with. @category parsing */
export const target = (
  rest: string,
  known: (id: string) => boolean
): { readonly id: string; readonly path: ReadonlyArray<string> } | undefined => {
  for (let end = rest.length; end > 0; end--) {
    const next = rest[end]
    if (next !== undefined && next !== "." && next !== "[") continue
    const id = rest.slice(0, end)
    if (known(id)) return { id, path: steps(rest.slice(end)) }
  }
  return undefined
}

/** What a placeholder of an input has not found. @category models */
export interface Missing {
  readonly input: string
  readonly placeholder: string
}

/** Fills inputs in. What `lookup` has no value for is added to `missing`. @category rendering */
export const fill = (
  { fields }: Compiled,
  lookup: (ref: Ref) => Json | undefined,
  missing: Array<Missing>
): Readonly<Record<string, Json>> => {
  const get = (ref: Ref): Json => {
    const value = lookup(ref)
    if (value !== undefined) return value
    missing.push({ input: ref.input, placeholder: ref.text })
    return null
  }
  const value = (template: Template): Json => {
    switch (template._tag) {
      case "value":
        return template.value
      case "ref":
        return get(template.ref)
      case "text":
        return template.parts.map((part) => (typeof part === "string" ? part : asText(get(part)))).join("")
      case "list":
        return template.items.map(value)
      case "record":
        return record(template.fields)
    }
  }
  const record = (of: ReadonlyArray<readonly [string, Template]>): Readonly<Record<string, Json>> =>
    Object.fromEntries(of.map(([key, template]) => [key, value(template)]))
  return record(fields)
}

const asText = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value))
