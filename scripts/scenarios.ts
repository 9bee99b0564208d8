/**
 * `npm run scenarios`: the scenarios that this library is built to, which tests cover each, and which are still to come.
 * A test covers a scenario by its id in its title or in that of a `describe` around it. Ids in titles that no scenario
 * has are told at the end. `npm run scenarios -- --open` tells only what is not covered; `-- TR S18` only these.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseFiles, type Source, visit } from "./sources.ts"

/** A scenario and the tests that cover it. */
export interface Scenario {
  readonly id: string
  readonly title: string
  /** Why no test covers it; absent where one has to. */
  readonly reason: string | undefined
  readonly tests: ReadonlyArray<Test>
}

/** One test: where it stands, and its title with the titles around it. */
export interface Test {
  readonly file: string
  readonly line: number
  readonly title: string
}

/** A group of scenarios that belong together. */
export interface Group {
  readonly name: string
  readonly scenarios: ReadonlyArray<Scenario>
}

/** What is covered, and what the tests name that is no scenario. */
export interface Coverage {
  readonly groups: ReadonlyArray<Group>
  readonly unknown: ReadonlyArray<{ readonly id: string; readonly test: Test }>
}

const idPattern = /\b(?:[A-Z]{2}-\d{2}|S\d{2})\b/g

/** The ids in a text, also those of a range (`S63 to S66`, `RV-01 to RV-03`), in order and once each. */
export const idsIn = (text: string): ReadonlyArray<string> => {
  const found = new Set(text.match(idPattern))
  for (const [, prefix = "", from, again, to] of text.matchAll(/\b([A-Z]{2}-|S)(\d{2}) to ([A-Z]{2}-|S)(\d{2})\b/g)) {
    if (prefix !== again) continue
    for (let n = Number(from); n <= Number(to); n++) found.add(`${prefix}${String(n).padStart(2, "0")}`)
  }
  return [...found]
}

type Argument = { readonly type: string; readonly start: number; readonly end: number }

// The text of a title: a string, a template, or any expression as it is written.
const titleOf = (source: Source, node: Argument): string =>
  source.text.slice(node.start, node.end).replace(/^["'`]|["'`]$/g, "")

const callee = /^(?:it|test|describe)(?:\.|$)/

// In a table of cases, a text that begins with an id is the title of a test.
const row = /^(?:[A-Z]{2}-\d{2}|S\d{2}) /

// Every call that makes a test or a group of tests, it("..."), it.effect("..."), it.live.each([...])("..."), and the
// titles in tables of cases.
const testsIn = (source: Source): ReadonlyArray<Test> => {
  const around: Array<string> = []
  const found: Array<Test> = []
  const add = (start: number, text: string): void => {
    const title = [...around, text].filter((part) => part !== "").join(" > ")
    found.push({ file: source.path, line: source.lineAt(start), title })
  }
  visit(source, {
    ArrayExpression: (node) => {
      for (const cell of node.elements) {
        if (cell?.type === "Literal" && typeof cell.value === "string" && row.test(cell.value)) {
          add(cell.start, cell.value)
        }
      }
    },
    CallExpression: (node) => {
      const name = source.text.slice(node.callee.start, node.callee.end)
      const first = node.arguments[0]
      const isTest = callee.test(name) && first !== undefined && node.arguments.length > 1
      if (isTest && !name.startsWith("describe")) add(node.start, titleOf(source, first))
      around.push(isTest && name.startsWith("describe") ? titleOf(source, first) : "")
    },
    "CallExpression:exit": () => void around.pop()
  })
  return found
}

// A scenario is its title, or its title and the reason why no test covers it.
type Entry = string | { readonly title: string; readonly reason: string }

const readScenarios = (root: string): ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, Entry]>]> => {
  const read: Record<string, Record<string, Entry>> = JSON.parse(
    readFileSync(join(root, "test/scenarios.json"), "utf8")
  )
  return Object.entries(read).map(([group, scenarios]) => [group, Object.entries(scenarios)] as const)
}

/** Compares `test/scenarios.json` with the titles of the tests of a repository. */
export const coverage = (root: string): Coverage => {
  const byId = new Map<string, Array<Test>>()
  for (const source of parseFiles(root, ["test"])) {
    if (!source.path.endsWith(".test.ts") && !/\b(?:it|describe)\b/.test(source.text)) continue
    for (const test of testsIn(source)) {
      for (const id of idsIn(test.title)) byId.set(id, [...(byId.get(id) ?? []), test])
    }
  }
  const groups = readScenarios(root).map(([name, scenarios]) => ({
    name,
    scenarios: scenarios.map(([id, entry]) => ({
      id,
      ...(typeof entry === "string" ? { title: entry, reason: undefined } : entry),
      tests: byId.get(id) ?? []
    }))
  }))
  const known = new Set(groups.flatMap(({ scenarios }) => scenarios.map(({ id }) => id)))
  const unknown = [...byId].flatMap(([id, tests]) => (known.has(id) ? [] : tests.map((test) => ({ id, test }))))
  return { groups, unknown }
}

const count = (scenarios: ReadonlyArray<Scenario>): string =>
  `${scenarios.filter(({ tests }) => tests.length > 0).length} of ${scenarios.length}`

/**
 * The listing as text. `only`: ids, or beginnings of ids; all where there are none. `open`: only what no test covers.
 */
export const render = (
  { groups, unknown }: Coverage,
  { only = [], open = false }: { readonly only?: ReadonlyArray<string>; readonly open?: boolean } = {}
): string => {
  const isWanted = ({ id, tests }: Scenario): boolean =>
    (only.length === 0 || only.some((start) => id.startsWith(start))) && !(open && tests.length > 0)
  const out: Array<string> = []
  for (const { name, scenarios } of groups) {
    const wanted = scenarios.filter(isWanted)
    if (wanted.length === 0) continue
    out.push(`${name}: ${count(scenarios)}`)
    for (const { id, reason, tests, title } of wanted) {
      out.push(`  ${tests.length > 0 ? "x" : reason === undefined ? "-" : "~"} ${id.padEnd(5)} ${title}`)
      if (tests.length === 0 && reason !== undefined) out.push(`            ${reason}`)
      for (const test of tests) out.push(`            ${test.file}:${test.line} ${test.title}`)
    }
    out.push("")
  }
  if (unknown.length > 0) {
    out.push("Ids that no scenario has:")
    for (const { id, test } of unknown) out.push(`  ${id} ${test.file}:${test.line}`)
    out.push("")
  }
  out.push(`${count(groups.flatMap(({ scenarios }) => scenarios))} scenarios are covered.`)
  return out.join("\n")
}

if (import.meta.main) {
  const args = process.argv.slice(2)
  const only = args.filter((arg) => !arg.startsWith("--"))
  console.log(render(coverage(join(import.meta.dirname, "..")), { only, open: args.includes("--open") }))
}
