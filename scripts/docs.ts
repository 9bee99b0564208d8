/**
 * Documentation as a check: every file of the library opens with a comment on what it is for, every exported symbol has
 * a doc comment directly above it (with a category where consumers can reach the module), and every type assertion says in a comment why it holds.
 */
import { basename, posix } from "node:path"
import { type Finding, parseFiles, type Report, type Source, visit } from "./sources.ts"

type Node = Source["program"]["body"][number]

/** The exported names of a statement that must be documented there; `undefined` where there is nothing to document. */
const exportedName = (source: Source, node: Node): string | undefined => {
  switch (node.type) {
    case "ExportAllDeclaration":
      if (node.exported === null) return undefined
      return node.exported.type === "Literal" ? node.exported.value : node.exported.name
    case "ExportDefaultDeclaration":
      return "default"
    case "ExportNamedDeclaration": {
      const declaration = node.declaration
      if (declaration === null) return undefined
      if (declaration.type !== "VariableDeclaration") {
        return "id" in declaration && declaration.id !== null && "name" in declaration.id
          ? declaration.id.name
          : undefined
      }
      return declaration.declarations.map((one) => source.text.slice(one.id.start, one.id.end).split(":")[0]).join(", ")
    }
    default:
      return undefined
  }
}

/** Declarations by name, for `export { name }` below them. */
const localDeclarations = (source: Source): ReadonlyMap<string, Node> => {
  const found = new Map<string, Node>()
  for (const node of source.program.body) {
    if (node.type === "VariableDeclaration") {
      for (const one of node.declarations) if (one.id.type === "Identifier") found.set(one.id.name, node)
    } else if ("id" in node && node.id !== null && "name" in node.id && !found.has(node.id.name)) {
      found.set(node.id.name, node)
    }
  }
  return found
}

/** The doc comment directly above a node: only white space and line comments may stand between. */
const docAbove = (source: Source, start: number): string | undefined => {
  const header = openingComment(source)
  for (let index = source.comments.length - 1, end = start; index >= 0; index--) {
    const comment = source.comments[index]
    if (comment === undefined || comment.end > end) continue
    if (source.text.slice(comment.end, end).trim() !== "") return undefined
    if (comment.type === "Block") {
      // A barrel's opening comment may be that of its only export; elsewhere the file and the export have their own.
      const isOwn = comment !== header || basename(source.path) === "index.ts"
      return comment.value.startsWith("*") && isOwn ? comment.value : undefined
    }
    end = comment.start
  }
  return undefined
}

/** The comment that a file opens with. */
const openingComment = (source: Source): Source["comments"][number] | undefined => {
  const first = source.comments[0]
  const before = source.text.slice(0, first?.start ?? 0).replace(/^#!.*/, "")
  return first !== undefined && before.trim() === "" && /\w/.test(first.value) ? first : undefined
}

/** The modules that a consumer can reach: the services, the barrels, and what the barrels re-export. */
const publicFiles = (sources: ReadonlyArray<Source>): ReadonlySet<string> => {
  const files = new Set<string>()
  for (const { path, program } of sources) {
    if (path.startsWith("services/")) files.add(path)
    if (basename(path) !== "index.ts") continue
    for (const node of program.body) {
      if (!("source" in node) || node.source === null || typeof node.source !== "object") continue
      files.add(posix.join(posix.dirname(path), node.source.value))
    }
  }
  return files
}

const undocumented = (source: Source, isPublic: boolean): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const locals = localDeclarations(source)
  const seen = new Set<string>()
  const require = (name: string, node: Node) => {
    const doc = docAbove(source, node.start)
    const kind = node.type === "ExportNamedDeclaration" ? node.declaration?.type : node.type
    // Only the first signature of an overloaded function carries the comment.
    const key = `${name} ${kind === "TSDeclareFunction" ? "FunctionDeclaration" : kind}`
    if (seen.has(key)) return
    seen.add(key)
    const line = source.lineAt(node.start)
    if (doc === undefined || !/\w/.test(doc)) {
      findings.push({ file: source.path, line, message: `export ${name} has no doc comment directly above it` })
    } else if (isPublic && !/@category\s+\w|@internal/.test(doc)) {
      findings.push({ file: source.path, line, message: `the doc comment of ${name} lacks "@category <name>"` })
    }
  }
  for (const node of source.program.body) {
    const name = exportedName(source, node)
    if (name !== undefined) require(name, node)
    else if (node.type === "ExportNamedDeclaration" && node.source === null) {
      for (const { local } of node.specifiers) {
        const declaration = "name" in local ? locals.get(local.name) : undefined
        if (declaration !== undefined && "name" in local) require(local.name, declaration)
      }
    }
  }
  return findings
}

/** A comment that gives a reason: words, not a directive and not a doc comment. */
const isReason = ({ type, value }: Source["comments"][number]): boolean =>
  !(type === "Block" && value.startsWith("*")) &&
  !/^\s*(oxlint|eslint|@ts)-?/.test(value) &&
  /[a-z]+\W+[a-z]+/i.test(value)

/** Type assertions (`x as T`, `<T>x`; `as const` is none) without a reason on their own or the previous line. */
const bareCasts = (source: Source): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const reasons = new Set(source.comments.filter(isReason).map((comment) => source.lineAt(comment.end)))
  const flagged = new Set<number>()
  const check = (node: {
    readonly start: number
    readonly end: number
    readonly typeAnnotation: { readonly start: number; readonly end: number }
  }) => {
    const type = source.text.slice(node.typeAnnotation.start, node.typeAnnotation.end)
    if (type === "const") return
    const begin = source.lineAt(node.start)
    const at = source.lineAt(node.typeAnnotation.start)
    const end = source.lineAt(node.end)
    if (reasons.has(begin) || reasons.has(begin - 1) || reasons.has(at) || reasons.has(at - 1) || reasons.has(end))
      return
    if (flagged.has(at)) return
    flagged.add(at)
    findings.push({
      file: source.path,
      line: at,
      message: `the cast to ${type.split("\n")[0]} needs a comment with its reason on this or the previous line`
    })
  }
  visit(source, { TSAsExpression: check, TSTypeAssertion: check })
  return findings
}

/** Checks the library below `root`; programs (layers/apps/*, examples, scripts) only open with a comment. */
export const checkDocs = (root: string): Report => {
  const findings: Array<Finding> = []
  let count = 0
  const sources = parseFiles(root, ["services", "src", "layers", "examples", "scripts"])
  const reachable = publicFiles(sources)
  for (const source of sources) {
    if (openingComment(source) === undefined) {
      findings.push({ file: source.path, line: 1, message: "the file does not open with a comment on what it is for" })
    }
    if (/^(services|src|layers)\//.test(source.path)) findings.push(...bareCasts(source))
    if (!/^(services|src|layers\/(?!apps\/.+\/))/.test(source.path)) continue
    count += source.program.body.filter((node) => exportedName(source, node) !== undefined).length
    findings.push(...undocumented(source, reachable.has(source.path)))
  }
  return { findings, note: `${count} exports` }
}
