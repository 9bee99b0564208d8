/** What a Schema has against a value, as findings: the issues of the decoder, one for each place. */
import * as SchemaIssue from "effect/SchemaIssue"
import type * as AST from "effect/SchemaAST"
import * as Path from "../parse/Path.ts"
import type { Finding, FindingKind } from "./Finding.ts"

type Issue = SchemaIssue.Issue

interface Leaf {
  readonly path: ReadonlyArray<PropertyKey>
  readonly kind: FindingKind
  readonly message: string
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * A message of the decoder as a model is to read it. What a number may be besides a JSON number is told alone where a text
 * stands, and would have a model write "NaN" where a number is wanted.
 *
 * @category conversions
 */
export const inWords = (message: string): string => message.replaceAll('"Infinity" | "-Infinity" | "NaN"', "number")

const kindOf = (issue: Issue): FindingKind =>
  issue._tag === "MissingKey" ? "missing" : issue._tag === "UnexpectedKey" ? "extra" : "invalid"

// The outermost failed check says what was wanted; what it found inside says where.
const leaves = (issue: Issue, path: ReadonlyArray<PropertyKey>, check: Issue | undefined, out: Array<Leaf>): void => {
  switch (issue._tag) {
    case "Filter": {
      // A check may find several faults, each with a place and a message of its own.
      const several = check === undefined && issue.issue._tag === "Composite" ? format(issue).issues : []
      if (several.length > 1) {
        for (const { message, path: inner = [] } of several) {
          const keys = inner.map((step) => (typeof step === "object" ? step.key : step))
          out.push({ path: [...path, ...keys], kind: "invalid", message })
        }
        return
      }
      return leaves(issue.issue, path, check ?? issue, out)
    }
    case "Encoding":
      return leaves(issue.issue, path, check, out)
    case "Pointer":
      return leaves(issue.issue, [...path, ...issue.path], check, out)
    case "Composite":
    case "AnyOf":
      if (issue.issues.length > 0) {
        for (const inner of issue.issues) leaves(inner, path, check, out)
        return
      }
  }
  const message = inWords(format(check ?? issue).issues[0]?.message ?? "Expected another value")
  out.push({ path, kind: check === undefined ? kindOf(issue) : "invalid", message })
}

const concrete = (path: ReadonlyArray<PropertyKey>): ReadonlyArray<string | number> =>
  path.map((key) => (typeof key === "symbol" ? String(key) : key))

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

const messageOf = (kind: FindingKind, path: string, messages: ReadonlyArray<string>): string => {
  if (kind === "missing") return `Missing key: ${path}`
  if (kind === "extra") return `Extra key is not allowed: ${path}`
  const what = path === "" ? "Invalid answer" : `Invalid value at ${path}`
  return `${what}: ${messages.map(lowerFirst).join("; ")}`
}

/**
 * The findings of a decoding failure, in the order of the value.
 *
 * @param value the value that was decoded, to show what stands at a place
 * @category constructors
 */
export const toFindings = (issue: Issue, value: unknown): ReadonlyArray<Finding> => {
  const all: Array<Leaf> = []
  leaves(issue, [], undefined, all)
  const byPath = new Map<string, { path: ReadonlyArray<string | number>; kind: FindingKind; messages: Array<string> }>()
  for (const leaf of all) {
    const path = concrete(leaf.path)
    const printed = Path.print(path)
    const known = byPath.get(printed)
    if (known === undefined) byPath.set(printed, { path, kind: leaf.kind, messages: [leaf.message] })
    else if (!known.messages.includes(leaf.message)) known.messages.push(leaf.message)
  }
  return [...byPath].map(([printed, { kind, messages, path }]) => {
    const at = Path.get(value, path)
    return {
      path: printed,
      kind,
      message: messageOf(kind, printed, messages),
      ...(at === undefined || kind === "missing" ? {} : { value: at })
    }
  })
}

/** An issue for each message of a validator, at its path. @category constructors */
export const fromMessages = (
  ast: AST.AST,
  messages: ReadonlyArray<{ readonly message: string; readonly path: ReadonlyArray<PropertyKey> }>
): Issue => {
  const issues = messages.map(({ message, path }): Issue => {
    const issue = new SchemaIssue.InvalidValue({ message })
    return path.length === 0 ? issue : new SchemaIssue.Pointer(path, issue)
  })
  const [first, ...others] = issues
  return first === undefined
    ? new SchemaIssue.InvalidValue({ message: "The validator rejects the value" })
    : new SchemaIssue.Composite(ast, [first, ...others])
}
