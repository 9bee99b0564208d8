/**
 * Runs examples of the documentation, one after the other in one process, and writes what their asserted calls printed:
 * `node snippet-runner.ts <folder> <result file> <name>...`. What an example prints elsewhere is dropped.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { formatWithOptions } from "node:util"

const perExample = 20_000
const forTheRest = 5_000

const [folder = "", result = "", ...names] = process.argv.slice(2)

/** As `Outcome` of `snippets.ts`. */
interface Running {
  readonly name: string
  readonly printed: Record<number, Array<string>>
  readonly drawn: Record<string, string>
  failure: string | undefined
}
const outcomes = names.map((name): Running => ({ name, printed: {}, drawn: {}, failure: undefined }))
const byName = new Map(outcomes.map((outcome) => [outcome.name, outcome]))
let current = outcomes[0]

const exit = process.exit.bind(process)
const finish = () => {
  writeFileSync(result, JSON.stringify(outcomes))
  exit(0)
}

const fail = (error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : formatWithOptions({ colors: false }, error)
  const owner = outcomes.find(({ name }) => text.includes(`/${name}.ts`)) ?? current
  if (owner !== undefined)
    owner.failure ??= text.replaceAll(pathToFileURL(folder).href + "/", "").replace(/\n\s+at .*node:internal.*/g, "")
}

Object.assign(globalThis, {
  __snippet:
    (name: string, line: number) =>
    (...args: ReadonlyArray<unknown>) => {
      const printed = byName.get(name)?.printed
      if (printed !== undefined)
        (printed[line] ??= []).push(formatWithOptions({ colors: false, breakLength: Infinity }, ...args))
    },
  __diagram: (name: string, what: string, text: string) => {
    const outcome = byName.get(name)
    if (outcome !== undefined) outcome.drawn[what] = text
  }
})
for (const method of ["log", "info", "warn", "error", "debug", "dir", "table"] as const) console[method] = () => {}
process.on("unhandledRejection", fail)
process.on("uncaughtException", fail)
process.once("beforeExit", finish)
Object.assign(process, {
  exit: (code?: number) => {
    if (code !== undefined && code !== 0) fail(new Error(`ended the process with code ${code}`))
  }
})

for (const outcome of outcomes) {
  current = outcome
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      outcome.failure = `did not end within ${perExample / 1000} s`
      resolve()
    }, perExample)
  })
  await Promise.race([import(pathToFileURL(join(folder, `${outcome.name}.ts`)).href).catch(fail), late])
  clearTimeout(timer)
}
// Work that an example did not wait for may still print; what never ends does not hold the check up.
setTimeout(finish, forTheRest).unref()
