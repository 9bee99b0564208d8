/** Where errors stand in the types of the API: unions of errors, and whatever else names one. */
import { posix } from "node:path"
import type { Api } from "./api.ts"
import { pageOf } from "./api-pages.ts"
import { declarations, type ErrorClass, textOf } from "./error-classes.ts"
import type { Source } from "./sources.ts"

/** The modules that a file takes names from, as paths below the root. */
export const importsOf = (source: Source): ReadonlySet<string> => {
  const files = new Set<string>()
  for (const node of source.program.body)
    if (node.type === "ImportDeclaration" && node.source.value.startsWith("."))
      files.add(posix.join(posix.dirname(source.path), node.source.value))
  return files
}

/** Where an error stands in types. */
export interface Mentions {
  /** Types that have the error among others: `AgentError`. */
  readonly unions: ReadonlyArray<string>
  /** What else has it in its type by its own name. */
  readonly others: ReadonlyArray<string>
}

/** Type aliases by their files, with their texts. */
export const aliasesOf = ({ sources }: Api): ReadonlyArray<readonly [file: string, name: string, text: string]> =>
  [...sources.values()].flatMap((source) =>
    declarations(source).flatMap((node) =>
      node.type === "TSTypeAliasDeclaration" ? [[source.path, node.id.name, textOf(source, node)] as const] : []
    )
  )

/** The exports that have an error in their types. */
export const mentionsOf = (
  api: Api,
  error: ErrorClass,
  imports: (file: string) => ReadonlySet<string>,
  aliases: ReturnType<typeof aliasesOf>
): Mentions => {
  const { declaredAs, file: home } = error.export
  const word = (name: string) => new RegExp(`\\b${name}\\b`)
  // Unions of unions: whatever comes to the error by names alone.
  const reached = new Map<string, readonly [file: string, name: RegExp]>([
    [`${home} ${declaredAs}`, [home, word(declaredAs)]]
  ])
  for (let size = 0; size < reached.size;) {
    size = reached.size
    for (const [file, name, text] of aliases) {
      if (
        reached.has(`${file} ${name}`) ||
        !/^(export )?type \w+(<[^=]*>)? =\s*\|?\s*[\w.]+(<[^>]*>)?(\s*\|\s*[\w.]+(<[^>]*>)?)*\s*$/.test(text)
      )
        continue
      const has = [...reached.values()].some(
        ([from, pattern]) => (from === file || imports(file).has(from)) && pattern.test(text)
      )
      if (has) reached.set(`${file} ${name}`, [file, word(name)])
    }
  }
  const unions = new Map<string, string>()
  const others = new Map<string, string>()
  for (const entry of api.entries) {
    for (const module of entry.modules) {
      for (const one of module.exports) {
        const key = `${one.file} ${one.declaredAs}`
        if (key === `${home} ${declaredAs}`) continue
        const name = module.name === "" ? one.name : `${module.name}.${one.name}`
        const link = `[\`${name}\`](${posix.relative("docs/errors", pageOf(entry.specifier))})`
        if (reached.has(key)) unions.set(key, unions.get(key) ?? link)
        else if (word(declaredAs).test(one.typeText) && (one.file === home || imports(one.file).has(home)))
          others.set(key, others.get(key) ?? link)
      }
    }
  }
  return { unions: [...unions.values()], others: [...others.values()] }
}
