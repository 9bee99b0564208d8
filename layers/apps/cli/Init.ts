/** `effigent init`: a new project. It writes what is not there, and nothing over what is. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { basename, dirname, join, relative, resolve } from "node:path"
import * as Option from "effect/Option"
import { NotThere, Usage } from "./Exits.ts"
import * as Manifest from "./Manifest.ts"
import { result } from "./Screen.ts"
import * as Template from "./Template.ts"

const packageName = (folder: string): string => {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "")
  return name === "" ? "agents" : name
}

/** `effigent init`. @category commands */
export const init = Command.make(
  "init",
  {
    folder: Argument.String("folder").pipe(
      Argument.withDescription("Where to; default: here"),
      Argument.withDefault(".")
    ),
    effigent: Flag.String("effigent").pipe(
      Flag.withDescription("What package.json says of effigent: a version, or file:../effigent-0.1.0.tgz"),
      Flag.optional
    )
  },
  ({ effigent, folder }) =>
    Effect.gen(function* () {
      const root = resolve(folder)
      const { name, peers, version } = Manifest.own()
      const files = Template.files({
        name: packageName(root),
        effigent: Option.getOrElse(effigent, () => `^${version}`),
        peers
      })
      const there = Object.keys(files).filter((path) => existsSync(join(root, path)))
      if (there.length > 0)
        return yield* new Usage({
          detail: `${root} has ${there.join(", ")} already, and nothing is written over. Choose another folder: ${name} init <folder>`
        })
      for (const [path, text] of Object.entries(files)) {
        yield* Effect.tryPromise({
          try: async () => {
            await mkdir(dirname(join(root, path)), { recursive: true })
            // Whatever has come meanwhile stays as it is.
            await writeFile(join(root, path), text, { flag: "wx" })
          },
          catch: (error) =>
            new NotThere({
              detail: `Cannot write ${join(root, path)}: ${error instanceof Error ? error.message : String(error)}`
            })
        })
      }
      const at = relative(process.cwd(), root)
      const next = [
        ...(at === "" ? [] : [`cd ${at}`]),
        "npm install",
        "npm test",
        'npx effigent run triage "The printer is on fire!"'
      ]
      const written = Object.keys(files)
      yield* result(
        { folder: root, files: written, next },
        `Wrote to ${root}:\n${written.map((path) => `  ${path}\n`).join("")}Next:\n${next.map((line) => `  ${line}\n`).join("")}`
      )
    })
).pipe(Command.withDescription("Begin a project with an agent, a flow, a test and a configuration"))
