// Real folders of skills for tests.
import { NodeFileSystem, NodePath } from "@effect/platform-node"
import { Effect, FileSystem, Layer, Path } from "effect"
import { FolderSkills } from "effigent/layers/skills"

export const platform = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)

export const md = (name: string, body = `How to ${name}.`, more = "") =>
  `---\nname: ${name}\ndescription: Does ${name}.\n${more}---\n${body}\n`

/** Writes files below a temporary directory, and gives its real path. */
export const tree = Effect.fnUntraced(function* (files: Readonly<Record<string, string | Uint8Array>>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = yield* Effect.flatMap(fs.makeTempDirectoryScoped(), fs.realPath)
  for (const [name, content] of Object.entries(files)) {
    const full = path.join(root, name)
    yield* fs.makeDirectory(path.dirname(full), { recursive: true })
    yield* typeof content === "string" ? fs.writeFileString(full, content) : fs.writeFile(full, content)
  }
  return root
})

export const at = (root: string, options: Partial<FolderSkills.Options> = {}) =>
  FolderSkills.layer({ directories: [root], ...options })
