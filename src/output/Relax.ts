/**
 * A Schema with its ensured leaves optional, for the last value of a spent budget. It decodes what the Schema decodes, and
 * beyond that values in which ensured leaves, or containers that hold them, are missing. A class that lacks ensured leaves
 * is decoded to its plain fields, since no instance of it can be made.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Wire from "./Wire.ts"
import type { Part } from "./Wire.ts"

const optional = (ast: AST.AST): AST.AST => Schema.optionalKey(Schema.make<Schema.Top>(ast)).ast

// A check over a container was written for the whole of it: where it cannot run on what there is, it has nothing to say.
const lenient = (checks: AST.Checks | undefined): AST.Checks | undefined => {
  if (checks === undefined) return undefined
  const soften = (check: AST.Check<unknown>): AST.Check<unknown> =>
    check._tag === "FilterGroup"
      ? new AST.FilterGroup([soften(check.checks[0]), ...check.checks.slice(1).map(soften)], check.annotations)
      : new AST.Filter(
          (input: unknown, self: AST.AST, options: AST.ParseOptions) =>
            Result.getOrElse(
              Result.try(() => check.run(input, self, options)),
              () => undefined
            ),
          check.annotations,
          check.aborted
        )
  return [soften(checks[0]), ...checks.slice(1).map(soften)]
}

/**
 * The relaxed codec of a part; the same AST where there is nothing to relax.
 *
 * @category compiling
 */
export const relax = (root: Part, partOf: (ast: AST.AST) => Part): AST.AST => {
  const suspended = new Map<AST.AST, AST.AST>()
  const go = (ast: AST.AST): AST.AST => {
    if (!Wire.holdsAnywhere(partOf(ast))) return ast
    if (ast.encoding !== undefined) {
      const link = ast.encoding.length === 1 ? ast.encoding[0] : undefined
      // Of a class, the fields; any other transformation needs the whole value.
      const isClass = ast._tag === "Declaration" && ast.typeParameters.length === 1 && link?.to._tag === "Objects"
      if (!isClass) return ast
      const fields = go(link.to)
      return AST.isOptional(ast) ? optional(fields) : fields
    }
    switch (ast._tag) {
      case "Objects":
        return new AST.Objects(
          ast.propertySignatures.map(({ name, type }) => {
            const part = partOf(type)
            const inner = go(type)
            return new AST.PropertySignature(name, Wire.holds(part) ? optional(inner) : inner)
          }),
          ast.indexSignatures.map(({ parameter, type }) => new AST.IndexSignature(parameter, go(type))),
          ast.annotations,
          lenient(ast.checks),
          undefined,
          ast.context
        )
      case "Arrays":
        return new AST.Arrays(
          ast.isMutable,
          ast.elements.map(go),
          ast.rest.map(go),
          ast.annotations,
          lenient(ast.checks),
          undefined,
          ast.context
        )
      case "Union":
        return new AST.Union(
          ast.types.map(go),
          ast.options,
          ast.annotations,
          lenient(ast.checks),
          undefined,
          ast.context
        )
      case "Suspend": {
        let relaxed = suspended.get(ast)
        if (relaxed === undefined) {
          relaxed = new AST.Suspend(() => go(ast.thunk()), ast.annotations, undefined, undefined, ast.context)
          suspended.set(ast, relaxed)
        }
        return relaxed
      }
      default:
        return ast
    }
  }
  return go(root.ast)
}
