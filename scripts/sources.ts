/** What all checks share: which files there are, how one is parsed, and how a finding is told. */
import { execFile } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { type Comment, parseSync, type Program, Visitor, type VisitorObject } from "oxc-parser"

/** One thing that is wrong, told as `file:line: message`. `line` 0 stands for the file as a whole. */
export interface Finding {
  readonly file: string
  readonly line: number
  readonly message: string
}

/** What a step says: its findings, and one line for the summary where there is something to tell. */
export interface Report {
  readonly findings: ReadonlyArray<Finding>
  readonly note?: string
}

/** A parsed source file. `path` is relative to the root, with forward slashes. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly program: Program
  readonly comments: ReadonlyArray<Comment>
  /** The 1-based line of an offset. */
  readonly lineAt: (offset: number) => number
}

/** A finding as it is printed. */
export const printFinding = ({ file, line, message }: Finding): string =>
  `${file}${line > 0 ? `:${line}` : ""}: ${message}`

const ignoredFolders = new Set(["node_modules", "dist", ".git", ".cache", "coverage"])

/** All files below the folders of `root` whose name ends in `ending`, sorted. Folders that are not there are skipped. */
export const filesIn = (root: string, folders: ReadonlyArray<string>, ending: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && !ignoredFolders.has(entry.name)) walk(path)
      else if (entry.isFile() && entry.name.endsWith(ending)) found.push(path)
    }
  }
  for (const folder of folders) if (existsSync(join(root, folder))) walk(folder)
  return found.sort()
}

/** Gives the 1-based line of an offset into `text`. */
export const lines = (text: string): ((offset: number) => number) => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** Parses one file. A file that does not parse gives what could be read of it; `tsc` tells the error. */
export const parseText = (path: string, text: string): Source => {
  const { program, comments } = parseSync(path, text, { sourceType: "module" })
  return { path, text, program, comments, lineAt: lines(text) }
}

/** Reads and parses every `.ts` and `.tsx` file of the folders. */
export const parseFiles = (root: string, folders: ReadonlyArray<string>): ReadonlyArray<Source> =>
  [...filesIn(root, folders, ".ts"), ...filesIn(root, folders, ".tsx")].map((path) =>
    parseText(path, readFileSync(join(root, path), "utf8"))
  )

/** Calls the visitor for the nodes of a source. */
export const visit = (source: Source, visitor: VisitorObject): void => new Visitor(visitor).visit(source.program)

/** The outcome of a child process; `output` holds both of its streams. */
export interface Outcome {
  readonly code: number
  readonly output: string
  readonly stdout: string
}

/**
 * Runs a program to its end. The binaries of the repository, its own Node among them, come first on the PATH, and no
 * key of a model provider is passed on, so that a check never reaches the network.
 */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly timeout?: number }
): Promise<Outcome> => {
  const bin = join(import.meta.dirname, "../node_modules/.bin")
  const env: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries(process.env)) if (!/_API_KEY$|_BASE_URL$/.test(name)) env[name] = value
  env["PATH"] = `${bin}${delimiter}${process.env["PATH"] ?? ""}`
  env["NO_COLOR"] = "1"
  delete env["FORCE_COLOR"]
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      {
        cwd: options.cwd,
        env,
        timeout: options.timeout ?? 0,
        maxBuffer: 64 << 20,
        shell: process.platform === "win32"
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1
        const killed = error?.killed === true ? `\n${command} did not end within ${options.timeout} ms` : ""
        const missing = error?.code === "ENOENT" ? `${command} is not installed; run npm ci` : ""
        resolve({ code, stdout, output: stdout + stderr + killed + missing })
      }
    )
  })
}
