/**
 * The code in the documentation as a check. Every ```ts block of the Markdown files and of the doc comments is
 * type-checked, all in one run of the compiler. A block is run when it asserts something, or when its fence says
 * `ts run`. An assertion stands behind a call of `console.log`, and is what that call prints; more lines of it may follow:
 *
 *     console.log({ title: "a" }) // => { title: "a" }
 *     console.log("beneath it")
 *     // => beneath it
 *     for (const n of [1, 2]) console.log(n) // => 1
 *     // => 2
 *
 * In ```sh blocks each npm script and each file of the repository that is named must exist. ```mermaid blocks are drawn
 * by snippets; see `diagrams.ts`.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { compareDiagrams, type Diagram, diagramsOf, drawing } from "./diagrams.ts"
import { filesIn, type Finding, parseFiles, parseText, type Report, run, visit } from "./sources.ts"

/** One fenced block. `line` is that of its first line of code. */
export interface Block {
  readonly file: string
  readonly line: number
  readonly info: string
  readonly code: string
}

/** An assertion: the lines that the `console.log` call on `line` of the block prints. */
export interface Assertion {
  readonly line: number
  readonly expected: ReadonlyArray<string>
}

/** What the runner tells of one block: what each asserted call printed, what it drew, and how it failed, if it did. */
export interface Outcome {
  readonly name: string
  readonly printed: Readonly<Record<number, ReadonlyArray<string>>>
  readonly drawn: Readonly<Record<string, string>>
  readonly failure: string | undefined
}

/** The blocks of a text whose lines begin at `firstLine` of `file`. */
export const blocksOf = (file: string, text: string, firstLine = 1): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let open: { indent: string; fence: string; info: string; line: number; code: Array<string> } | undefined
  for (const [index, line] of text.split("\n").entries()) {
    if (open === undefined) {
      const [, indent = "", fence = "", info = ""] = /^(\s*)(`{3,}|~{3,})\s*([^`]*)$/.exec(line) ?? []
      if (fence !== "") open = { indent, fence, info: info.trim(), line: firstLine + index + 1, code: [] }
    } else if (line.trim() === open.fence) {
      blocks.push({ file, line: open.line, info: open.info, code: open.code.join("\n") + "\n" })
      open = undefined
    } else open.code.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line)
  }
  return blocks
}

/** The code of the documentation below `root`: all blocks, and the diagrams among them. */
export interface Collected {
  readonly blocks: ReadonlyArray<Block>
  readonly diagrams: ReadonlyArray<Diagram>
  readonly findings: ReadonlyArray<Finding>
}

/** All blocks of the documentation below `root`. */
export const collectBlocks = (root: string): Collected => {
  const pages = [
    ...["README.md", "AGENTS.md"].filter((page) => existsSync(join(root, page))),
    ...filesIn(root, ["docs"], ".md")
  ]
  const blocks: Array<Block> = []
  const diagrams: Array<Diagram> = []
  const findings: Array<Finding> = []
  for (const page of pages) {
    const text = readFileSync(join(root, page), "utf8")
    const own = blocksOf(page, text)
    const drawn = diagramsOf(text, own)
    blocks.push(...own)
    diagrams.push(...drawn.diagrams)
    findings.push(...drawn.findings)
  }
  for (const source of parseFiles(root, ["services", "src", "layers"])) {
    for (const { type, value, start } of source.comments) {
      if (type !== "Block" || !value.startsWith("*") || !value.includes("```")) continue
      const text = value.replace(/^[ \t]*\*(?: |$)?/gm, "")
      blocks.push(...blocksOf(source.path, text, source.lineAt(start)))
    }
  }
  return { blocks, diagrams, findings }
}

/** Names under which a block's calls report to the runner; see `snippet-runner.ts`. */
const reporter = (name: string, line: number) => `globalThis.__snippet(${JSON.stringify(name)}, ${line})`

/** Finds the assertions of a block, and rewrites the calls that they stand behind so that they tell what they print. */
export const instrument = (
  name: string,
  code: string
): {
  readonly code: string
  readonly assertions: ReadonlyArray<Assertion>
  readonly findings: ReadonlyArray<[number, string]>
} => {
  const source = parseText(`${name}.ts`, code)
  const calls: Array<{ readonly callee: [number, number]; readonly start: number; readonly end: number }> = []
  visit(source, {
    CallExpression: ({ callee, start, end }) => {
      if (code.slice(callee.start, callee.end) === "console.log")
        calls.push({ callee: [callee.start, callee.end], start, end })
    }
  })
  const assertions: Array<{ line: number; expected: Array<string>; lastLine: number }> = []
  const findings: Array<[number, string]> = []
  const rewrites = new Map<number, [number, number, number]>()
  for (const { type, value, start } of source.comments) {
    const expected = /^\s*=>\s?(.*)$/.exec(value)?.[1]
    if (type !== "Line" || expected === undefined) continue
    const line = source.lineAt(start)
    const alone = code.slice(code.lastIndexOf("\n", start) + 1, start).trim() === ""
    const last = assertions.at(-1)
    // The last call that ends on this line, or on the line above where the assertion stands alone.
    const callLine = alone ? line - 1 : line
    const call = calls.filter((one) => source.lineAt(one.end) === callLine && one.end <= start).at(-1)
    if (alone && last?.lastLine === line - 1) {
      last.expected.push(expected)
      last.lastLine = line
    } else if (call === undefined) {
      findings.push([line, "this assertion stands behind no console.log(...) call, so that it asserts nothing"])
    } else {
      assertions.push({ line: callLine, expected: [expected], lastLine: line })
      rewrites.set(call.callee[0], [...call.callee, callLine])
    }
  }
  let rewritten = code
  for (const [start, end, line] of [...rewrites.values()].sort((a, b) => b[0] - a[0])) {
    rewritten = rewritten.slice(0, start) + reporter(name, line) + rewritten.slice(end)
  }
  return { code: rewritten, assertions: assertions.map(({ line, expected }) => ({ line, expected })), findings }
}

/** One way to write a printed value: quotes alike, white space collapsed, none inside brackets. */
const canonical = (text: string): string =>
  text
    .replace(/[`']/g, '"')
    .replace(/\s+/g, " ")
    .replace(/([[{(]) | ([\]})])/g, "$1$2")
    .trim()

/** What a quoted text says; any other text as it is. */
const unquoted = (text: string): string => {
  const [, quote, inner = ""] = /^(["'`])([^]*)\1$/.exec(text.trim()) ?? []
  if (quote === undefined) return text
  try {
    return quote === '"' ? String(JSON.parse(text.trim())) : inner
  } catch {
    return inner
  }
}

const agree = (expected: string, printed: string): boolean =>
  canonical(expected) === canonical(printed) || canonical(unquoted(expected)) === canonical(printed)

/** Whether the printed lines are those of the assertion. */
export const agrees = (expected: ReadonlyArray<string>, printed: ReadonlyArray<string>): boolean =>
  agree(expected.join("\n"), printed.join("\n")) ||
  (expected.length === printed.length && expected.every((line, index) => agree(line, printed[index] ?? "")))

const shellFindings = (root: string, block: Block): ReadonlyArray<Finding> => {
  const { scripts = {} } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const findings: Array<Finding> = []
  for (const [index, text] of block.code.split("\n").entries()) {
    const refuse = (message: string) => findings.push({ file: block.file, line: block.line + index, message })
    const command = text.replace(/(^|\s)#.*$/, "")
    for (const [, verb = "", name = ""] of command.matchAll(/\bnpm (run|start|test)\b(?:\s+([\w:-]+))?/g)) {
      const script = verb === "run" ? name : verb
      if (!Object.hasOwn(scripts, script)) refuse(`package.json has no script "${script}"`)
    }
    for (const [path] of command.matchAll(/(?<=^|\s)(?:\.\/)?(?:examples|docs|test|scripts|layers|src)\/[\w./-]+/g)) {
      if (!existsSync(join(root, path))) refuse(`${path} does not exist`)
    }
  }
  return findings
}

interface Snippet extends Block {
  readonly name: string
  readonly runs: boolean
  readonly assertions: ReadonlyArray<Assertion>
}

/** Type errors, told at the line of the page they stand on. Those of the library itself are told by the step `types`. */
const typeFindings = (
  output: string,
  snippets: ReadonlyMap<string, Snippet>
): { readonly findings: ReadonlyArray<Finding>; readonly broken: ReadonlySet<string> } => {
  const findings: Array<Finding> = []
  const broken = new Set<string>()
  for (const line of output.split("\n")) {
    const [, path = "", row = "0", message = ""] = /^(.*?)\((\d+),\d+\): error (.*)$/.exec(line) ?? []
    const snippet = path.includes(".cache/snippets-") ? snippets.get(basename(path, ".ts")) : undefined
    if (snippet !== undefined) {
      findings.push({ file: snippet.file, line: snippet.line + Number(row) - 1, message })
      broken.add(snippet.name)
    } else if (line.startsWith("error ")) findings.push({ file: "docs", line: 0, message: line })
  }
  return { findings, broken }
}

const assertionFindings = (snippet: Snippet, outcome: Outcome | undefined): ReadonlyArray<Finding> => {
  const at = (line: number, message: string): Finding => ({
    file: snippet.file,
    line: snippet.line + line - 1,
    message
  })
  if (outcome === undefined) return [at(1, "the example was not run: the process ended before it")]
  if (outcome.failure !== undefined) {
    const row = new RegExp(`${snippet.name}\\.ts:(\\d+)`).exec(outcome.failure)?.[1] ?? "1"
    return [at(Number(row), `the example fails: ${outcome.failure}`)]
  }
  return snippet.assertions.flatMap(({ line, expected }) => {
    const printed = outcome.printed[line] ?? []
    if (agrees(expected, printed)) return []
    return [
      at(
        line,
        printed.length === 0
          ? `prints nothing, expected: ${expected.join("\n")}`
          : `prints: ${printed.join("\n")}\n  expected: ${expected.join("\n")}`
      )
    ]
  })
}

/** Checks all code in the documentation below `root`. `write`: diagrams that are out of date are written anew. */
export const checkSnippets = async (root: string, options: { readonly write?: boolean } = {}): Promise<Report> => {
  mkdirSync(join(root, ".cache"), { recursive: true })
  // Inside the repository, so that `effigent` and `effect` resolve as they do in its own files.
  const folder = mkdtempSync(join(root, ".cache/snippets-"))
  try {
    return await checkIn(root, folder, options.write === true)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const checkIn = async (root: string, folder: string, write: boolean): Promise<Report> => {
  mkdirSync(join(folder, "run"))
  const collected = collectBlocks(root)
  const findings: Array<Finding> = [...collected.findings]
  const snippets = new Map<string, Snippet>()
  for (const block of collected.blocks) {
    const [language = "", ...flags] = block.info.split(/\s+/)
    if (/^(sh|bash|shell)$/.test(language)) findings.push(...shellFindings(root, block))
    if (/^(typescript|tsx|js|javascript)$/.test(language)) {
      findings.push({
        file: block.file,
        line: block.line - 1,
        message: `write this block as "ts", so that it is checked`
      })
    }
    if (language !== "ts") continue
    for (const flag of flags.filter((one) => one !== "run")) {
      findings.push({
        file: block.file,
        line: block.line - 1,
        message: `a ts block takes no "${flag}": all code in the docs is checked`
      })
    }
    const name = `${block.file.replace(/\.\w+$/, "").replace(/[^\w]+/g, "-")}-${block.line}`
    const { code, assertions, findings: idle } = instrument(name, block.code)
    findings.push(...idle.map(([line, message]) => ({ file: block.file, line: block.line + line - 1, message })))
    const draws = collected.diagrams.filter(({ snippet }) => snippet === block).map(({ what }) => what)
    const runs = assertions.length > 0 || flags.includes("run") || draws.length > 0
    snippets.set(name, { ...block, name, runs, assertions })
    writeFileSync(join(folder, `${name}.ts`), block.code)
    if (runs) writeFileSync(join(folder, "run", `${name}.ts`), code + drawing(name, draws))
  }
  const executed = [...snippets.values()].filter((snippet) => snippet.runs)
  const note = `${snippets.size} ts blocks, ${executed.length} run`
  if (snippets.size === 0) return { findings, note }

  const options = { noUnusedLocals: false, noUnusedParameters: false }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", compilerOptions: options, include: ["*.ts"] })
  )
  const names = executed.map(({ name }) => name)
  const result = join(folder, "result.json")
  const runner = join(import.meta.dirname, "snippet-runner.ts")
  const [types, ran] = await Promise.all([
    run("tsc", ["-p", folder, "--pretty", "false"], { cwd: root }),
    names.length === 0
      ? undefined
      : run("node", ["--conditions=effigent:source", runner, join(folder, "run"), result, ...names], {
          cwd: root,
          timeout: 300_000
        })
  ])
  const { findings: typeErrors, broken } = typeFindings(types.code === 0 ? "" : types.output, snippets)
  findings.push(...typeErrors)
  const outcomes: ReadonlyArray<Outcome> = existsSync(result) ? JSON.parse(readFileSync(result, "utf8")) : []
  for (const snippet of executed) {
    // A block that does not compile is not worth a second finding for the way it fails when it is run.
    if (broken.has(snippet.name)) continue
    findings.push(
      ...assertionFindings(
        snippet,
        outcomes.find((one) => one.name === snippet.name)
      )
    )
  }
  if (ran !== undefined && ran.code !== 0 && outcomes.length === 0) {
    findings.push({ file: "docs", line: 0, message: `the examples could not be run: ${ran.output}` })
  }
  const drawn = new Map(
    executed.map((snippet) => [`${snippet.file}:${snippet.line}`, outcomes.find((one) => one.name === snippet.name)])
  )
  const look = ({ snippet, what }: Diagram) => drawn.get(`${snippet.file}:${snippet.line}`)?.drawn[what]
  findings.push(...compareDiagrams(root, collected.diagrams, look, write))
  return { findings, note }
}
