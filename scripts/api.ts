/**
 * What the package offers, as its sources say it: each entry of package.json's `exports`, the modules behind it, and
 * each export with its signature, its doc comment and its file. The pages of `docs/api` and `docs/errors` are made of it.
 */
import { existsSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { filesIn, parseFiles, type Source } from "./sources.ts"

type Node = Source["program"]["body"][number]

/** One exported name. */
export interface Export {
  readonly name: string
  /** Short forms of what it is, one for each overload. */
  readonly signatures: ReadonlyArray<string>
  /** The text of its declaration as far as types see it: annotations and heads, no bodies. */
  readonly typeText: string
  /** The doc comment, without its stars; empty where there is none. */
  readonly doc: string
  readonly category: string
  /** Where it is declared. */
  readonly file: string
  /** Its name there. */
  readonly declaredAs: string
}

/** A namespace of an entry (`export * as Agent`), or the entry itself where `name` is empty. */
export interface Module {
  readonly name: string
  readonly doc: string
  readonly file: string
  readonly exports: ReadonlyArray<Export>
}

/** An entry: what stands behind `import ... from specifier`. */
export interface Entry {
  readonly specifier: string
  /** The comment that its file opens with. */
  readonly doc: string
  readonly file: string
  readonly modules: ReadonlyArray<Module>
}

/** A doc comment without stars and without white space around it. */
const plain = (comment: string): string => comment.replace(/^[ \t]*\*(?: |$)?/gm, "").trim()

/** What a doc comment says before its tags. */
export const description = (doc: string): string =>
  (doc.split(/(?:^|\s)@(?:category|example|internal)\b/)[0] ?? "").trim()

/** The first sentence of a doc comment, on one line. */
export const firstSentence = (doc: string): string => {
  const paragraph = description(doc).split(/\n\s*\n/)[0] ?? ""
  const text = paragraph.replace(/\s+/g, " ")
  // An abbreviation is followed by a small letter, a number by a digit.
  return /^(.*?(?<!\b(?:e\.g|i\.e|vs))[.?!])(?=\s+[A-Z`"(]|$)/.exec(text)?.[1] ?? text
}

const docBefore = (source: Source, start: number): string => {
  for (let index = source.comments.length - 1; index >= 0; index--) {
    const comment = source.comments[index]
    if (comment === undefined || comment.end > start) continue
    if (source.text.slice(comment.end, start).trim() !== "") return ""
    if (comment.type === "Block") return comment.value.startsWith("*") ? plain(comment.value) : ""
    start = comment.start
  }
  return ""
}

const squeeze = (text: string): string =>
  text
    .replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*$/gm, " ")
    // Members of an object type stand on lines of their own.
    .replace(/([\w\])}"]|(?<!=)>)[ \t]*\n\s*(?=readonly |\w+\??: )/g, "$1; ")
    .replace(/\s+/g, " ")
    .replace(/([(<[]) | ([)>\]])/g, "$1$2")
    .replace(/,([)\]>])/g, "$1")
    .replace(/([=(<,]) \| /g, "$1 ")
    .trim()

const longest = 260
const tail = 90

/** On one line; of what is too long the beginning and the end, where it says what is given. */
const short = (text: string): string => {
  const line = squeeze(text)
  if (line.length <= longest) return line
  const end = line.slice(-tail)
  return `${line.slice(0, longest - tail - 3).trimEnd()} … ${end.slice(end.indexOf(" ") + 1)}`
}

type Declaration = Extract<Node, { type: "ExportNamedDeclaration" }>["declaration"]
type Declared = Exclude<Declaration, null>

interface Described {
  readonly name: string
  readonly signatures: ReadonlyArray<string>
  readonly typeText: string
}

const memberNames = (source: Source, members: ReadonlyArray<object>): string =>
  members
    .flatMap((member) => {
      const key = "key" in member ? member.key : undefined
      if (typeof key !== "object" || key === null || !("start" in key) || !("end" in key)) return []
      return typeof key.start === "number" && typeof key.end === "number" ? [source.text.slice(key.start, key.end)] : []
    })
    .join(", ")

/** A variable as consumers see it: by its annotation, by the head of its function, or by the call that makes it. */
const describeVariable = (
  source: Source,
  one: Extract<Declared, { type: "VariableDeclaration" }>["declarations"][number]
): Described => {
  const text = (node: { readonly start: number; readonly end: number }) => source.text.slice(node.start, node.end)
  const { id, init } = one
  const name = id.type === "Identifier" ? id.name : text(id)
  const annotation = id.type === "Identifier" ? id.typeAnnotation?.typeAnnotation : undefined
  if (annotation !== undefined && annotation !== null) {
    if (annotation.type === "TSTypeLiteral") {
      const calls = annotation.members.filter((member) => member.type === "TSCallSignatureDeclaration")
      if (calls.length > 0)
        return { name, signatures: calls.map((call) => `${name}${short(text(call))}`), typeText: text(annotation) }
    }
    return { name, signatures: [`${name}: ${short(text(annotation))}`], typeText: text(annotation) }
  }
  const made = init?.type === "CallExpression" ? init.arguments.at(0) : undefined
  const called =
    made !== undefined && (made.type === "FunctionExpression" || made.type === "ArrowFunctionExpression")
      ? made
      : undefined
  const fn = init?.type === "ArrowFunctionExpression" || init?.type === "FunctionExpression" ? init : called
  if (fn !== undefined && fn.body !== null) {
    const from = fn.typeParameters?.start ?? source.text.indexOf("(", fn.start)
    const head = source.text.slice(from, fn.body.start).replace(/=>[\s(]*$/, "")
    const isEffect = init?.type === "CallExpression" && /fnUntraced|Effect\.fn\b/.test(text(init.callee))
    return { name, signatures: [`${name}${short(head)}${isEffect ? ": Effect" : ""}`], typeText: head }
  }
  if (init?.type === "CallExpression") {
    const whole = squeeze(text(init))
    return {
      name,
      signatures: [`${name} = ${whole.length < 120 ? whole : `${short(text(init.callee))}(…)`}`],
      typeText: whole
    }
  }
  return { name, signatures: [init === null ? name : `${name} = ${short(text(init))}`], typeText: "" }
}

const describe = (source: Source, node: Declared): ReadonlyArray<Described> => {
  const text = (part: { readonly start: number; readonly end: number }) => source.text.slice(part.start, part.end)
  switch (node.type) {
    case "VariableDeclaration":
      return node.declarations.map((one) => describeVariable(source, one))
    case "FunctionDeclaration":
    case "TSDeclareFunction": {
      const from = node.typeParameters?.start ?? node.id?.end ?? node.start
      const head = source.text.slice(from, node.body?.start ?? node.end)
      const name = node.id?.name ?? "default"
      return [{ name, signatures: [`${name}${short(head)}`], typeText: head }]
    }
    case "ClassDeclaration": {
      const name = node.id?.name ?? "default"
      const made = node.superClass === null ? "" : squeeze(text(node.superClass))
      const service = node.superClass?.type === "CallExpression" && made.startsWith("Context.Service<")
      const arguments_ =
        service && node.superClass?.type === "CallExpression" && node.superClass.callee.type === "CallExpression"
          ? node.superClass.callee.typeArguments?.params
          : undefined
      const shape = arguments_?.[1]
      const members = shape?.type === "TSTypeLiteral" ? ` { ${memberNames(source, shape.members)} }` : ""
      const head = service
        ? `service ${name}${members}`
        : `class ${name}${node.superClass === null ? "" : ` extends ${made.split(/[<(]/)[0]}`}`
      return [{ name, signatures: [short(head)], typeText: node.superClass === null ? "" : text(node.superClass) }]
    }
    case "TSInterfaceDeclaration": {
      const parameters =
        node.typeParameters === null || node.typeParameters === undefined ? "" : text(node.typeParameters)
      const names = memberNames(source, node.body.body)
      const above = node.extends.length === 0 ? "" : ` extends ${node.extends.map(text).join(", ")}`
      // One that is called has no names to show.
      const body = names === "" ? text(node.body) : `{ ${names} }`
      const head = `interface ${node.id.name}${parameters}${above} ${body}`
      return [{ name: node.id.name, signatures: [short(head)], typeText: text(node) }]
    }
    case "TSTypeAliasDeclaration":
      return [{ name: node.id.name, signatures: [short(text(node))], typeText: text(node) }]
    default:
      return []
  }
}

const moduleName = (name: { readonly type: string; readonly name?: string; readonly value?: unknown }): string =>
  name.name ?? String(name.value)

/** Of what is handed on as a type alone the types: the value of its name is not there. */
const asType = (one: Export): Export => {
  const types = one.signatures.filter((text) => /^(?:interface|type) /.test(text))
  return types.length === 0 ? one : { ...one, signatures: types }
}

/** All exports of a file, those that it hands on from others among them. */
const exportsOf = (sources: ReadonlyMap<string, Source>, file: string): ReadonlyArray<Export> => {
  const source = sources.get(file)
  if (source === undefined) return []
  const found = new Map<string, Export>()
  const add = (one: Export) => {
    const known = found.get(one.name)
    // Overloads, or a type and a value of one name: both are told, with the words of the first.
    if (known === undefined) found.set(one.name, one)
    else
      found.set(one.name, {
        ...known,
        doc: known.doc === "" ? one.doc : known.doc,
        category: known.category === "" ? one.category : known.category,
        signatures: [...known.signatures, ...one.signatures.filter((text) => !known.signatures.includes(text))],
        typeText: `${known.typeText}\n${one.typeText}`
      })
  }
  const named = (node: Declared, start: number) => {
    const doc = docBefore(source, start)
    for (const { name, signatures, typeText } of describe(source, node))
      add({
        name,
        declaredAs: name,
        signatures,
        typeText,
        doc,
        category: /@category\s+([\w -]+?)\s*(?:$|\n|\*)/.exec(doc)?.[1] ?? "",
        file
      })
  }
  const implemented = new Set<string>()
  for (const node of source.program.body)
    if (node.type === "ExportNamedDeclaration" && node.declaration?.type === "TSDeclareFunction")
      implemented.add(node.declaration.id?.name ?? "")
  const resolve = (specifier: string) => posix.join(posix.dirname(file), specifier)
  for (const node of source.program.body) {
    if (node.type === "ExportAllDeclaration") {
      if (node.exported !== null) continue
      for (const one of exportsOf(sources, resolve(node.source.value)))
        add(node.exportKind === "type" ? asType(one) : one)
    } else if (node.type === "ExportNamedDeclaration") {
      const { declaration } = node
      if (declaration !== null) {
        // The implementation behind overloads is nobody's business.
        if (declaration.type === "FunctionDeclaration" && implemented.has(declaration.id?.name ?? "")) continue
        named(declaration, node.start)
        continue
      }
      const doc = docBefore(source, node.start)
      for (const { exportKind, exported, local } of node.specifiers) {
        const name = moduleName(exported)
        if (node.source === null) {
          const own = source.program.body.find(
            (one): one is Declared & Node =>
              (one.type === "VariableDeclaration" &&
                one.declarations.some(({ id }) => id.type === "Identifier" && id.name === moduleName(local))) ||
              ("id" in one && one.id !== null && "name" in one.id && one.id.name === moduleName(local))
          )
          if (own !== undefined)
            for (const { signatures, typeText } of describe(source, own).slice(0, 1)) {
              const said = docBefore(source, own.start)
              const words = said === "" ? doc : said
              const category = /@category\s+([\w -]+?)\s*(?:$|\n|\*)/.exec(words)?.[1] ?? ""
              add({ name, declaredAs: moduleName(local), signatures, typeText, doc: words, category, file })
            }
          continue
        }
        const from = exportsOf(sources, resolve(node.source.value)).find((one) => one.name === moduleName(local))
        if (from === undefined) continue
        const isType = node.exportKind === "type" || exportKind === "type"
        add({ ...(isType ? asType(from) : from), name, doc: from.doc === "" ? doc : from.doc })
      }
    }
  }
  return [...found.values()].filter(({ doc }) => !/@internal\b/.test(doc))
}

const openingDoc = (source: Source | undefined): string => {
  const first = source?.comments[0]
  return first?.type === "Block" && first.value.startsWith("*") ? plain(first.value) : ""
}

const entryOf = (sources: ReadonlyMap<string, Source>, specifier: string, file: string): Entry => {
  const source = sources.get(file)
  const modules: Array<Module> = []
  for (const node of source?.program.body ?? []) {
    if (source === undefined || node.type !== "ExportAllDeclaration" || node.exported === null) continue
    const { value } = node.source
    const from = value.startsWith(".") ? posix.join(posix.dirname(file), value) : value
    const said = docBefore(source, node.start)
    const exported = exportsOf(sources, from)
    modules.push({ name: moduleName(node.exported), doc: said, file: from, exports: exported })
  }
  const own = exportsOf(sources, file)
  if (own.length > 0) modules.push({ name: "", doc: "", file, exports: own })
  return { specifier, doc: openingDoc(source), file, modules }
}

/** What the package offers, and the sources that say so. */
export interface Api {
  readonly entries: ReadonlyArray<Entry>
  readonly sources: ReadonlyMap<string, Source>
}

/** Reads what the package below `root` offers, in the order of its `exports`. */
export const readApi = (root: string): Api => {
  const sources = new Map(parseFiles(root, ["services", "src", "layers"]).map((source) => [source.path, source]))
  const { exports, name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const entries: Array<Entry> = []
  const seen = new Set<string>()
  const add = (key: string, path: string) => {
    const file = posix.normalize(path)
    if (seen.has(file) || !existsSync(join(root, file))) return
    seen.add(file)
    entries.push(entryOf(sources, posix.join(name, key), file))
  }
  const targets = Object.entries<Readonly<Record<string, string>> | string>(exports).flatMap(([key, target]) => {
    const path = typeof target === "string" ? undefined : target["effigent:source"]
    return path === undefined ? [] : [[key, path] as const]
  })
  for (const [key, path] of targets) if (!path.includes("*")) add(key, path)
  for (const [key, path] of targets) {
    const [before = "", after] = posix.normalize(path).split("*")
    if (after === undefined) continue
    const folder = before.split("/")[0] ?? ""
    for (const file of filesIn(root, [folder], ".ts")) {
      if (!file.startsWith(before) || !file.endsWith(after)) continue
      const part = file.slice(before.length, file.length - after.length)
      if (!part.includes("/")) add(key.replace("*", part), file)
    }
  }
  return { entries, sources }
}
