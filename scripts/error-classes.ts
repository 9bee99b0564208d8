/** The errors of the API as their sources say them: tags, fields, reasons, messages, and the types that they stand in. */
import type { Class } from "oxc-parser"
import type { Api, Entry, Export, Module } from "./api.ts"
import { firstSentence } from "./api.ts"
import { parseText, type Source, visit } from "./sources.ts"

/** An error of the API. */
export interface ErrorClass {
  readonly tag: string
  readonly export: Export
  readonly module: Module
  readonly entry: Entry
  readonly source: Source
  readonly node: Class
}

/** The statements of a file, exported or not. */
export const declarations = (source: Source) =>
  source.program.body.map((node) =>
    node.type === "ExportNamedDeclaration" && node.declaration !== null ? node.declaration : node
  )

/** The class of a name. */
export const classOf = (source: Source, name: string): Class | undefined =>
  declarations(source).find((node): node is Class => node.type === "ClassDeclaration" && node.id?.name === name)

/** The source text of a node. */
export const textOf = (source: Source, node: { readonly start: number; readonly end: number }) =>
  source.text.slice(node.start, node.end)

/** The tag of a class that is an error with one. */
const tagOf = (source: Source, { superClass }: Class): string | undefined => {
  if (superClass?.type !== "CallExpression") return undefined
  const text = textOf(source, superClass)
  if (!/^(Schema\.(TaggedError|Error)\b|Data\.TaggedError\b)/.test(text)) return undefined
  return /^[^"]*?(?:<\w+>\("[^"]*"\)|\(\))?\(\s*"(\w+)"/.exec(text)?.[1]
}

/** The errors that the API has, by tag, sorted. */
export const errorsOf = ({ entries, sources }: Api): ReadonlyArray<ErrorClass> => {
  const found = new Map<string, ErrorClass>()
  for (const entry of entries) {
    for (const module of entry.modules) {
      for (const one of module.exports) {
        const source = sources.get(one.file)
        if (source === undefined || one.category !== "errors") continue
        const node = classOf(source, one.declaredAs)
        const tag = node === undefined ? undefined : tagOf(source, node)
        if (node === undefined || tag === undefined || found.has(tag)) continue
        found.set(tag, { tag, export: one, module, entry, source, node })
      }
    }
  }
  return [...found.values()].sort((a, b) => a.tag.localeCompare(b.tag))
}

/** A field of an error. */
export interface Field {
  readonly name: string
  readonly type: string
  readonly doc: string
}

const docOver = (source: Source, start: number): string => {
  const comment = source.comments.findLast((one) => one.end <= start)
  if (comment?.type !== "Block" || !comment.value.startsWith("*")) return ""
  if (source.text.slice(comment.end, start).trim() !== "") return ""
  return comment.value
    .replace(/^[ \t]*\*(?: |$)?/gm, "")
    .replace(/\s+/g, " ")
    .trim()
}

/** What a constant of a file is made with. */
export const objectNamed = (source: Source, name: string) => {
  for (const node of declarations(source)) {
    if (node.type !== "VariableDeclaration") continue
    for (const { id, init } of node.declarations)
      if (id.type === "Identifier" && id.name === name) return init ?? undefined
  }
  return undefined
}

/** Any expression. */
export type Expression = NonNullable<ReturnType<typeof objectNamed>>

/** The fields of an object of Schemas; what is spread into it is followed. */
const fieldsOf = (source: Source, node: Expression | undefined): ReadonlyArray<Field> => {
  if (node === undefined) return []
  if (node.type === "Identifier") return fieldsOf(source, objectNamed(source, node.name))
  if (node.type === "CallExpression") {
    const inner = node.arguments.at(-1)
    return inner === undefined || inner.type === "SpreadElement" ? [] : fieldsOf(source, inner)
  }
  if (node.type !== "ObjectExpression") return []
  return node.properties.flatMap((property): ReadonlyArray<Field> => {
    if (property.type === "SpreadElement") return fieldsOf(source, property.argument)
    const type = textOf(source, property.value)
      .replace(/\/\*[^]*?\*\//g, "")
      .replace(/\bSchema\./g, "")
      .replace(/\s+/g, " ")
    return [{ name: textOf(source, property.key), type, doc: docOver(source, property.start) }]
  })
}

/** The fields that a class declares: of its Schema, or of the type that `Data.TaggedError` is given. */
export const fieldsOfClass = (source: Source, { superClass, superTypeArguments }: Class): ReadonlyArray<Field> => {
  if (superClass?.type !== "CallExpression") return []
  const members = superTypeArguments?.params[0]
  if (members?.type === "TSTypeLiteral")
    return members.members.flatMap((member) =>
      member.type === "TSPropertySignature"
        ? [
            {
              name: textOf(source, member.key),
              type: member.typeAnnotation === null ? "" : textOf(source, member.typeAnnotation.typeAnnotation),
              doc: docOver(source, member.start)
            }
          ]
        : []
    )
  // `TaggedError()(tag, fields)`, `Error(tag)(Struct(fields), annotations)`.
  const [first, second] = superClass.arguments
  const fields = first?.type === "Literal" ? second : first
  return fields === undefined || fields.type === "SpreadElement" ? [] : fieldsOf(source, fields)
}

/** A reason of an error that has reasons. */
export interface Reason {
  readonly tag: string
  readonly doc: string
  readonly fields: ReadonlyArray<Field>
}

/** The members of the union of which a field named `reason` or `failure` is made, where it stands in the same file. */
export const reasonsOf = (source: Source, fields: ReadonlyArray<Field>): ReadonlyArray<Reason> => {
  const union = fields.find(({ name, type }) => /^(reason|failure)$/.test(name) && /^\w+$/.test(type))
  const made = union === undefined ? undefined : objectNamed(source, union.type)
  if (made?.type !== "CallExpression") return []
  const [list] = made.arguments
  if (list?.type !== "ArrayExpression") return []
  return list.elements.flatMap((element): ReadonlyArray<Reason> => {
    if (element?.type === "Identifier") {
      const node = classOf(source, element.name)
      if (node === undefined) return []
      const exported = source.program.body.find(
        (one) => one.type === "ExportNamedDeclaration" && one.declaration === node
      )
      const doc = docOver(source, (exported ?? node).start)
      return [{ tag: element.name, doc: firstSentence(doc), fields: fieldsOfClass(source, node) }]
    }
    if (element?.type !== "CallExpression") return []
    const [tag, fields_] = element.arguments
    if (tag?.type !== "Literal" || typeof tag.value !== "string") return []
    const fields = fields_ === undefined || fields_.type === "SpreadElement" ? [] : fieldsOf(source, fields_)
    return [{ tag: tag.value, doc: docOver(source, element.start), fields }]
  })
}

/** What the getter `message` of a class says: its texts, with the fields as `‹name›`. */
export const saysOf = (source: Source, node: Class): ReadonlyArray<string> => {
  const getter = node.body.body.find(
    (one) => one.type === "MethodDefinition" && one.kind === "get" && textOf(source, one.key) === "message"
  )
  if (getter === undefined) return []
  // A class of its own, so that the visitor sees the getter alone.
  const alone = parseText("message.ts", `class Message { ${textOf(source, getter)} }`)
  const texts: Array<string> = []
  let inside = 0
  const add = (start: number, stop: number, text: string) => {
    // What stands inside of a template is a part of it; parts that are put together are no sentence of their own.
    if (start < inside) return
    inside = stop
    if (text.length >= 24 && /^[A-Z"‹]/.test(text)) texts.push(text.replace(/\s*\n\s*/g, " "))
  }
  const flat = (node: Expression): string => {
    if (node.type === "Literal") return typeof node.value === "string" ? node.value : "‹…›"
    if (node.type === "BinaryExpression" && node.operator === "+") return flat(node.left) + flat(node.right)
    if (node.type !== "TemplateLiteral") return `‹${/^this\.(\w+)$/.exec(textOf(alone, node))?.[1] ?? "…"}›`
    return node.quasis
      .map(
        ({ value }, index) =>
          `${value.cooked ?? ""}${index < node.expressions.length ? flatAt(node.expressions[index]) : ""}`
      )
      .join("")
  }
  const flatAt = (node: Expression | undefined) =>
    node === undefined || node.type !== "MemberExpression" ? "‹…›" : flat(node)
  const take = (node: Expression) => add(node.start, node.end, flat(node))
  visit(alone, {
    BinaryExpression: (node) => {
      if (node.operator === "+") take(node)
    },
    TemplateLiteral: take,
    Literal: take
  })
  return texts
}
