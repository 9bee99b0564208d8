/** A workspace in a folder of its own, with a canary outside that nothing may see or change. */
import { Effect } from "effect"
import type { FileWorkspace } from "effigent/layers/workspace"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { make } from "../../../layers/workspace/FileWorkspace.ts"
import type { Holding } from "../../../layers/workspace/Folder.ts"

export const canary = "CANARY: nothing of this may get out"

/** Files below a fresh folder; removed with the Scope. */
export const ground = (files: Readonly<Record<string, string | Uint8Array>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const base = realpathSync(mkdtempSync(join(tmpdir(), "effigent-workspace-")))
      const root = join(base, "root")
      const outside = join(base, "outside")
      mkdirSync(root)
      mkdirSync(join(outside, "deep"), { recursive: true })
      writeFileSync(join(outside, "secret.txt"), canary)
      writeFileSync(join(outside, "deep", "secret.txt"), canary)
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(root, path, ".."), { recursive: true })
        writeFileSync(join(root, path), text)
      }
      return { base, root, outside }
    }),
    ({ base }) => Effect.sync(() => rmSync(base, { recursive: true, force: true }))
  )

/** Everything below a folder, as text: to compare before and after. */
export const picture = (folder: string): string => {
  const rows: Array<string> = []
  const into = (path: string) => {
    for (const one of readdirSync(path, { withFileTypes: true })) {
      const at = join(path, one.name)
      if (one.isDirectory()) into(at)
      else
        rows.push(
          `${at} ${one.isFile() ? `${statSync(at).mode.toString(8)} ${readFileSync(at, "base64")}` : "no file"}`
        )
    }
  }
  into(folder)
  return rows.toSorted().join("\n")
}

export const everything = ["create", "update", "delete"] as const

/** The workspace of a folder, with all changes allowed unless said otherwise. */
export const workspace = (root: string, options: Partial<FileWorkspace.Options> = {}, hold?: Holding) =>
  make({ root, allow: everything, ...options }, hold)
