/** Where reports of evals are kept: `.effigent/evals` beside the configuration, a file for each run. */
import * as Effect from "effect/Effect"
import { readdirSync } from "node:fs"
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import * as Report from "../../../src/evals/Report.ts"
import type { ReportInvalid } from "../../../src/evals/EvalError.ts"
import { NotThere, Usage } from "./Exits.ts"

/** The folder of the reports of a configuration. @category places */
export const folderOf = (configuration: string): string => join(dirname(configuration), ".effigent", "evals")

const stem = (name: string): string => name.replaceAll(/[^\p{L}\p{N}_-]+/gu, "-")

// With milliseconds: of two runs in one second one is the latest.
const stamp = (at: number): string => new Date(at).toISOString().replaceAll(/[-:.]/g, "")

/** The name of the file of a report: `<name>-<time>-<id>.json`. @category places */
export const nameOf = ({ id, name, startedAt }: Pick<Report.Head, "id" | "name" | "startedAt">): string =>
  `${stem(name)}-${stamp(startedAt)}-${stem(id)}.json`

/** Writes a report, whole or not at all, and gives its file. @category writing */
export const save = (file: string, report: Report.Report): Effect.Effect<string, Usage> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(dirname(file), { recursive: true })
      const part = `${file}.${report.id}.part`
      try {
        await writeFile(part, Report.toText(report))
        await rename(part, file)
      } catch (error) {
        await rm(part, { force: true })
        throw error
      }
      return file
    },
    catch: (error) => new Usage({ detail: `The report cannot be written to ${file}: ${String(error)}` })
  })

/** The files of the reports of a folder, the latest last; of one eval where its name is given. @category reading */
export const list = (folder: string, name?: string): ReadonlyArray<string> => {
  let files: ReadonlyArray<string>
  try {
    files = readdirSync(folder)
  } catch {
    // There was no run yet.
    return []
  }
  const timeOf = (file: string): string => /-(\d{8}T\d{6,9}Z)-[^-]/.exec(file)?.[1] ?? ""
  return files
    .filter((file) => file.endsWith(".json") && (name === undefined || isOf(file, name)))
    .toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : a < b ? -1 : 1))
    .map((file) => join(folder, file))
}

const isOf = (file: string, name: string): boolean =>
  file.startsWith(`${stem(name)}-`) && /^\d{8}T\d{6,9}Z-/.test(file.slice(stem(name).length + 1))

/** Reads a report. @category reading */
export const read = (file: string): Effect.Effect<Report.Report, NotThere | ReportInvalid> =>
  Effect.flatMap(
    Effect.tryPromise({
      try: () => readFile(file, "utf8"),
      catch: () => new NotThere({ detail: `There is no report ${file}. "effigent eval list" names what there is.` })
    }),
    (text) => Report.fromText(text, file)
  )

/**
 * The latest report of an eval by its whole name, as several may have one in file names; `isWanted` says of which kind.
 *
 * @category reading
 */
export const latest = Effect.fnUntraced(function* (
  folder: string,
  name: string,
  isWanted: (report: Report.Report) => boolean = () => true
) {
  for (const file of list(folder, name).toReversed()) {
    const report = yield* read(file)
    if (report.name === name && isWanted(report)) return { file, report }
  }
  return undefined
})

/** The file of a report by its path, or by its id or the beginning of it, among those of a folder. @category reading */
export const find = (folder: string, named: string): string => {
  const inFolder = list(folder).filter((file) => {
    const id = /-\d{8}T\d{6,9}Z-(.+)\.json$/.exec(basename(file))?.[1] ?? ""
    return id !== "" && named.length >= 4 && id.startsWith(named)
  })
  const [only, ...others] = inFolder
  return only !== undefined && others.length === 0 ? only : resolve(named)
}
