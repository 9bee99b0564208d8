/** Reports of evals as they lie in a folder of the project: a file of JSON each. A broken one is told, and does no harm. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import type { Json } from "../../../services/Json.ts"
import * as Problem from "../../http/Problem.ts"
import type * as Api from "./Api.ts"

// What a report has to have; whatever else it has, it keeps.
const Head = Schema.Struct({ id: Schema.String, name: Schema.String })
const decodeHead = Schema.decodeUnknownResult(Head)

// Larger files are no reports.
const mostBytes = 67_108_864

interface File {
  readonly file: string
  readonly size: number
  readonly changedAt: number
  readonly report: Result.Result<
    {
      readonly id: string
      readonly name: string
      readonly head: { readonly [key: string]: Json }
      readonly at: number
    },
    string
  >
}

const timeOf = (value: unknown): number => {
  const time = typeof value === "number" ? value : typeof value === "string" ? Date.parse(value) : NaN
  return Number.isNaN(time) ? 0 : time
}

const isPlain = (value: unknown): boolean => typeof value !== "object" || value === null

const reportOf = (text: string): File["report"] => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return Result.fail(`it is no JSON: ${String(error)}`)
  }
  const decoded = decodeHead(json)
  if (Result.isFailure(decoded)) return Result.fail(`it is no report: ${decoded.failure.message}`)
  // What JSON.parse gives is JSON, and an object, as it has an id.
  const fields = json as { readonly [key: string]: Json }
  const head = Object.fromEntries(Object.entries(fields).filter(([key, item]) => key === "summary" || isPlain(item)))
  return Result.succeed({ ...decoded.success, head, at: timeOf(fields["startedAt"]) })
}

/**
 * The reports of a project.
 *
 * @category models
 */
export class Evals {
  private readonly folder: string
  private readonly known = new Map<string, File>()

  constructor(folder: string) {
    this.folder = folder
  }

  /** Whether there is a folder with reports. */
  get exists(): Effect.Effect<boolean> {
    return Effect.promise(() =>
      stat(this.folder).then(
        (found) => found.isDirectory(),
        () => false
      )
    )
  }

  // A file that has not changed is not read again.
  private async files(): Promise<ReadonlyArray<File>> {
    const names = await readdir(this.folder).catch((): ReadonlyArray<string> => [])
    const files: Array<File> = []
    for (const file of names.filter((name) => name.endsWith(".json"))) {
      const path = join(this.folder, file)
      const about = await stat(path).catch(() => undefined)
      if (about === undefined || !about.isFile()) continue
      const known = this.known.get(file)
      if (known !== undefined && known.changedAt === about.mtimeMs && known.size === about.size) {
        files.push(known)
        continue
      }
      const report =
        about.size > mostBytes
          ? Result.fail(`it is larger than ${mostBytes} bytes`)
          : await readFile(path, "utf8").then(reportOf, (error: unknown) => Result.fail(String(error)))
      const read = { file, size: about.size, changedAt: about.mtimeMs, report }
      this.known.set(file, read)
      files.push(read)
    }
    return files
  }

  /** All reports, newest first. */
  get list(): Effect.Effect<typeof Api.EvalList.Type> {
    return Effect.promise(async () => {
      const reports: Array<typeof Api.EvalRow.Type & { readonly at: number }> = []
      const broken: Array<{ readonly file: string; readonly detail: string }> = []
      for (const { file, report, size } of await this.files())
        if (Result.isFailure(report)) broken.push({ file, detail: report.failure })
        else {
          const { at, head, id, name } = report.success
          const startedAt = head["startedAt"]
          const isTime = typeof startedAt === "number" || typeof startedAt === "string"
          reports.push({ id, name, size, head, at, ...(isTime ? { startedAt } : {}) })
        }
      reports.sort((a, b) => b.at - a.at)
      return { reports: reports.map(({ at: _, ...row }) => row), broken }
    })
  }

  /** One report, as it is. */
  get(id: string): Effect.Effect<Json, Problem.Refused> {
    return Effect.flatMap(
      Effect.promise(async () => {
        const found = (await this.files()).find(({ report }) => Result.isSuccess(report) && report.success.id === id)
        if (found === undefined) return undefined
        return readFile(join(this.folder, found.file), "utf8").catch(() => undefined)
      }),
      (text) =>
        text === undefined
          ? Effect.fail(Problem.refuse(404, "UnknownReport", `There is no report "${id}" in ${this.folder}.`))
          : Effect.try({
              // What JSON.parse gives is JSON.
              try: () => JSON.parse(text) as Json,
              catch: () => Problem.refuse(500, "BrokenReport", `The report "${id}" cannot be read. Run the eval again.`)
            })
    )
  }
}
