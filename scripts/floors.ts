/**
 * The architecture as a check. Floors: services (0) import `effect` alone; src (1) imports `effect` and services;
 * layers (2) may also import npm packages that are peers of this package; layers/apps (3) compose everything below.
 * A room is a folder of `layers`: rooms do not import each other. Nobody inside imports a barrel; a barrel only
 * re-exports. No cycles between files, except by `import type` within one folder of `src` or one room. No file of the
 * library is longer than 700 lines.
 */
import { existsSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { join, posix } from "node:path"
import { type Finding, parseFiles, type Report, type Source, visit } from "./sources.ts"

const maxLines = 700
const library = ["services", "src", "layers"]

/** The rest of the tree (examples, test, scripts, bench) stands above all floors. */
type Floor = 0 | 1 | 2 | 3 | 4
const floorNames = ["services", "src", "layers", "layers/apps", "the programs and tests"]

const floorOf = (path: string): Floor =>
  path.startsWith("services/")
    ? 0
    : path.startsWith("src/")
      ? 1
      : path.startsWith("layers/apps/")
        ? 3
        : path.startsWith("layers/")
          ? 2
          : 4

/** The folder that a file belongs to: `src/parse`, `layers/openai`, `layers/apps/start`. */
const roomOf = (path: string): string => {
  const parts = posix.dirname(path).split("/")
  return parts.slice(0, parts[0] === "layers" && parts[1] === "apps" ? 3 : 2).join("/")
}

/** Modules of `effect` that are tagged unstable: only layers use them, and the doors to prompts and tools. */
const unstable =
  /^effect\/(ai|http|http-api|cli|sql|cluster|workflow|persistence|observability|process)(\/|$)|^effect\/(FileSystem|Path)$/

const doors = ["services/Ai.ts", "services/AiTool.ts"]

interface Import {
  readonly specifier: string
  readonly offset: number
  /** Erased by the compiler: `import type`, `export type ... from`, `import("...")` in a type. */
  readonly isType: boolean
}

const importsOf = (source: Source): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  const add = (node: { readonly value: unknown; readonly start: number } | null, isType: boolean) => {
    if (node !== null && typeof node.value === "string")
      found.push({ specifier: node.value, offset: node.start, isType })
  }
  visit(source, {
    ImportDeclaration: (node) => add(node.source, node.importKind === "type"),
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === "type"),
    ExportNamedDeclaration: (node) => add(node.source, node.exportKind === "type"),
    ImportExpression: (node) => {
      if (node.source.type === "Literal") add({ value: node.source.value, start: node.source.start }, false)
    },
    TSImportType: (node) => add(node.source, true)
  })
  return found
}

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

/** What is wrong with a package import, if anything. */
const packageOffence = (
  path: string,
  specifier: string,
  peers: ReadonlySet<string>,
  self: string
): string | undefined => {
  const floor = floorOf(path)
  const name = packageOf(specifier)
  if (floor === 4) return undefined
  if (name === self) {
    return floor === 3
      ? undefined
      : "the library does not import itself by name; use a relative path to the module that you need"
  }
  if (floor <= 1) {
    if (name !== "effect")
      return `${floorNames[floor]} imports effect and ${floor === 0 ? "nothing else" : "services only"}`
    if (specifier !== "effect" && unstable.test(specifier) && !doors.includes(path)) {
      return `this module of effect is unstable; only layers import it, and ${doors.join(" and ")}`
    }
    return undefined
  }
  if (specifier.startsWith("node:")) return undefined
  if (builtinModules.includes(specifier)) return `write node:${specifier}`
  // What the pages import is bundled: users never install it.
  return peers.has(name) || path.startsWith("layers/apps/studio/web/")
    ? undefined
    : `${name} is neither a dependency nor a peer dependency in package.json`
}

/** What is wrong with an import from one file of the repository to another, if anything. */
const fileOffence = (from: string, to: string): string | undefined => {
  const floor = floorOf(from)
  const target = floorOf(to)
  if (floor === 4) return undefined
  if (target > floor)
    return `${floorNames[floor]} (floor ${floor}) may not import from ${floorNames[target]} (floor ${target})`
  if (floor === 2 && target === 2 && roomOf(from) !== roomOf(to)) {
    return `a room of layers does not import another one (${roomOf(to)}); what composes several belongs in layers/apps`
  }
  if (posix.basename(to) === "index.ts" && floor !== 3)
    return "nobody inside imports a barrel; import the module itself"
  return undefined
}

/** Statements of a barrel other than re-exports. */
const barrelOffences = (source: Source): ReadonlyArray<Finding> =>
  source.program.body
    .filter(
      (node) =>
        node.type !== "ExportAllDeclaration" && !(node.type === "ExportNamedDeclaration" && node.source !== null)
    )
    .map((node) => ({
      file: source.path,
      line: source.lineAt(node.start),
      message: "a barrel only re-exports; move this into a module of its own"
    }))

interface Edge {
  readonly to: string
  readonly line: number
}

/** One finding per group of files that import each other in a circle, with a circle as the proof. */
const cycles = (edges: ReadonlyMap<string, ReadonlyArray<Edge>>): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const done = new Set<string>()
  const trail: Array<string> = []
  const reported = new Set<string>()
  const walk = (file: string): void => {
    trail.push(file)
    for (const { to, line } of edges.get(file) ?? []) {
      const at = trail.indexOf(to)
      if (at >= 0) {
        const circle = trail.slice(at)
        const key = [...circle].sort().join(" ")
        if (!reported.has(key)) {
          reported.add(key)
          findings.push({ file, line, message: `imports form a cycle: ${[...circle, to].join(" -> ")}` })
        }
      } else if (!done.has(to)) walk(to)
    }
    trail.pop()
    done.add(file)
  }
  for (const file of edges.keys()) if (!done.has(file)) walk(file)
  return findings
}

const percentile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0

/** Checks every `.ts` file below `root`. */
export const checkFloors = (root: string): Report => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const peers = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }))
  const sources = parseFiles(root, [...library, "examples", "test", "scripts"])
  const findings: Array<Finding> = []
  const edges = new Map<string, ReadonlyArray<Edge>>()
  const lengths: Array<number> = []

  for (const source of sources) {
    const from = source.path
    const own: Array<Edge> = []
    for (const { specifier, offset, isType } of importsOf(source)) {
      const line = source.lineAt(offset)
      const relative = specifier.startsWith(".")
      const to = posix.join(posix.dirname(from), specifier)
      const offence = relative ? fileOffence(from, to) : packageOffence(from, specifier, peers, manifest.name)
      if (offence !== undefined) findings.push({ file: from, line, message: `import "${specifier}": ${offence}` })
      if (relative && !(isType && roomOf(from) === roomOf(to)) && existsSync(join(root, to))) own.push({ to, line })
    }
    edges.set(from, own)
    if (floorOf(from) === 4) continue
    if (posix.basename(from) === "index.ts") findings.push(...barrelOffences(source))
    const length = source.text.split("\n").length - 1
    lengths.push(length)
    if (length > maxLines) {
      findings.push({
        file: from,
        line: maxLines,
        message: `${length} lines, more than ${maxLines}; split it by concept`
      })
    }
  }
  findings.push(...cycles(edges))
  lengths.sort((a, b) => a - b)
  const note = `${sources.length} files; library lines: median ${percentile(lengths, 0.5)}, p90 ${percentile(lengths, 0.9)}, max ${lengths.at(-1) ?? 0}`
  return { findings, note }
}
