/**
 * A new project, written with nothing but Node: `npx effigent init` is the first thing that somebody runs, in a place where
 * the packages that the other commands stand on are not installed yet.
 */
import { existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { basename, dirname, join, relative, resolve } from "node:path"
import * as Manifest from "./Manifest.ts"
import * as Template from "./Template.ts"

/**
 * What has become of it.
 *
 * @category models
 */
export type Begun =
  | {
      readonly _tag: "Written"
      readonly folder: string
      /** Relative to the folder. */
      readonly files: ReadonlyArray<string>
      /** The commands to go on with. */
      readonly next: ReadonlyArray<string>
    }
  /** Something is there already, and nothing was written. */
  | { readonly _tag: "Refused"; readonly detail: string }
  | { readonly _tag: "Failed"; readonly detail: string }

const packageName = (folder: string): string => {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "")
  return name === "" ? "agents" : name
}

/**
 * Writes a new project. `effigent`: what its package.json says of effigent; by default the version of this one.
 *
 * @category programs
 */
export const begin = async (folder: string, effigent?: string): Promise<Begun> => {
  const root = resolve(folder)
  const { name, peers, version } = Manifest.own()
  const files = Template.files({ name: packageName(root), effigent: effigent ?? `^${version}`, peers })
  const there = Object.keys(files).filter((path) => existsSync(join(root, path)))
  if (there.length > 0)
    return {
      _tag: "Refused",
      detail: `${root} has ${there.join(", ")} already, and nothing is written over. Choose another folder: ${name} init <folder>`
    }
  for (const [path, text] of Object.entries(files)) {
    try {
      await mkdir(dirname(join(root, path)), { recursive: true })
      // Whatever has come meanwhile stays as it is.
      await writeFile(join(root, path), text, { flag: "wx" })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return { _tag: "Failed", detail: `Cannot write ${join(root, path)}: ${why}` }
    }
  }
  const at = relative(process.cwd(), root)
  const next = [
    ...(at === "" ? [] : [`cd ${at}`]),
    "npm install",
    "npm test",
    'npx effigent run triage "The printer is on fire!"'
  ]
  return { _tag: "Written", folder: root, files: Object.keys(files), next }
}

/** What people are told of it. @category conversions */
export const textOf = ({ files, folder, next }: Extract<Begun, { readonly _tag: "Written" }>): string =>
  `Wrote to ${folder}:\n${files.map((path) => `  ${path}\n`).join("")}Next:\n${next.map((line) => `  ${line}\n`).join("")}`

/**
 * `init` without the packages of the command line: gives the exit code, or nothing where the arguments are not those of a
 * plain `init [folder] [--effigent x]`.
 *
 * @category programs
 */
export const alone = async (args: ReadonlyArray<string>): Promise<number | undefined> => {
  const [command, ...rest] = args
  const flag = rest.indexOf("--effigent")
  const effigent = flag < 0 ? undefined : rest[flag + 1]
  const folders = flag < 0 ? rest : rest.toSpliced(flag, 2)
  const isPlain = folders.length <= 1 && !folders.some((one) => one.startsWith("-"))
  if (command !== "init" || !isPlain || (flag >= 0 && effigent === undefined)) return undefined
  const begun = await begin(folders[0] ?? ".", effigent)
  if (begun._tag === "Written") {
    process.stdout.write(textOf(begun))
    return 0
  }
  process.stderr.write(`✗ ${begun.detail}\n`)
  return begun._tag === "Refused" ? 2 : 5
}
