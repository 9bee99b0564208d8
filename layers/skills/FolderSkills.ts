/**
 * Skills in folders: each folder in one of the directories that holds a `SKILL.md` is a skill. They are discovered when
 * the layer is built; instructions and files are read when they are asked for, and only from within the skill's folder,
 * links followed. What is wrong with a skill is a finding with file and line, which is logged or fails the layer.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { ExecutorError, NotFound } from "../../services/ActionExecutor.ts"
import {
  InvalidSkills,
  sayFinding,
  type SkillFile,
  type SkillFinding,
  type SkillInfo,
  SkillStore
} from "../../services/SkillStore.ts"
import * as SkillMd from "../../src/skills/SkillMd.ts"
import { brokenBy, isBelow, read } from "./Contained.ts"

/**
 * Where skills are.
 *
 * @category models
 */
export interface Options {
  /** Directories whose folders are skills; of two skills of one name the one in the earlier directory counts. */
  readonly directories: ReadonlyArray<string>
  /** What findings do: they are logged as warnings, or errors among them fail the layer. Default `log`. */
  readonly onFindings?: "log" | "fail" | undefined
  /** How large a file may be that is read. Default 1 MiB. */
  readonly maxFileBytes?: number | undefined
  /** How many files of a skill are listed. More are a finding. Default 500. */
  readonly maxFiles?: number | undefined
}

const entry = "SKILL.md"
const maxDepth = 8

type Needs = FileSystem.FileSystem | Path.Path

interface Found {
  readonly skill: SkillInfo | undefined
  readonly findings: ReadonlyArray<SkillFinding>
}

const warning = (file: string, problem: string, fix: string): SkillFinding => ({
  level: "warning",
  file,
  line: 1,
  problem,
  fix
})

// Names that tools and systems leave behind; nobody means them as a part of a skill.
const isHidden = (name: string) => name.startsWith(".") || name === "node_modules" || name === "__pycache__"

// The files of a skill, walked without following links to folders; a link to a file counts where it stays inside.
const filesOf = Effect.fnUntraced(function* (
  folder: string,
  maxFiles: number
): Effect.fn.Return<
  { readonly files: ReadonlyArray<SkillFile>; readonly findings: ReadonlyArray<SkillFinding> },
  ExecutorError,
  Needs
> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files: Array<SkillFile> = []
  const findings: Array<SkillFinding> = []
  const waiting: Array<{ readonly at: string; readonly depth: number }> = [{ at: "", depth: 0 }]
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { at, depth } = next
    const names = yield* Effect.mapError(fs.readDirectory(path.join(folder, at)), brokenBy(path.join(folder, at)))
    for (const name of names.toSorted()) {
      const relative = at === "" ? name : `${at}/${name}`
      const full = path.join(folder, relative)
      if (relative === entry || isHidden(name)) continue
      const isLink = (yield* Effect.mapError(fs.lstat(full), brokenBy(full))).type === "SymbolicLink"
      const real = yield* Effect.orElseSucceed(fs.realPath(full), () => undefined)
      if (real === undefined || !isBelow(path, folder, real)) {
        findings.push(warning(full, "the link leads out of the skill, or nowhere", "Copy what it leads to"))
        continue
      }
      const { size, type } = yield* Effect.mapError(fs.stat(real), brokenBy(full))
      if (type === "Directory") {
        if (isLink) findings.push(warning(full, "a link to a folder is not followed", "Copy the folder"))
        else if (depth >= maxDepth) findings.push(warning(full, `it is deeper than ${maxDepth} folders`, "Move it up"))
        else waiting.push({ at: relative, depth: depth + 1 })
      } else if (type !== "File") findings.push(warning(full, "it is no regular file", "Remove it"))
      else if (files.length >= maxFiles) {
        const problem = `there are more than ${maxFiles} files; the others are not offered`
        findings.push(warning(path.join(folder, entry), problem, "Remove some, or raise `maxFiles`"))
        return { files, findings }
      } else files.push({ path: relative, size: Number(size) })
    }
  }
  return { files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)), findings }
})

const utf8 = new TextDecoder()

const discover = Effect.fnUntraced(function* (
  directory: string,
  name: string,
  maxBytes: number,
  maxFiles: number
): Effect.fn.Return<Found, ExecutorError, Needs> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const shown = path.join(directory, name)
  const info = yield* Effect.orElseSucceed(fs.stat(shown), () => undefined)
  if (info?.type !== "Directory") return { skill: undefined, findings: [] }
  const names = yield* Effect.mapError(fs.readDirectory(shown), brokenBy(shown))
  if (!names.includes(entry)) {
    const other = names.find((one) => one.toLowerCase() === entry.toLowerCase())
    const finding =
      other === undefined
        ? warning(shown, `the folder has no ${entry}`, `Write one, or move the folder elsewhere`)
        : { ...warning(path.join(shown, other), `it is not called ${entry}`, "Rename it"), level: "error" as const }
    return { skill: undefined, findings: [finding] }
  }
  // The folder itself may be a link: whoever gave the directory has put it there.
  const folder = yield* Effect.mapError(fs.realPath(shown), brokenBy(shown))
  const file = path.join(shown, entry)
  const outcome = yield* Effect.result(read(folder, entry, file, maxBytes))
  if (outcome._tag === "Failure") {
    const finding = { ...warning(file, outcome.failure.message, "Make it a readable file"), level: "error" as const }
    return { skill: undefined, findings: [finding] }
  }
  const { findings, manifest } = SkillMd.parse(utf8.decode(outcome.success), { file, folder: name })
  if (manifest === undefined) return { skill: undefined, findings }
  const listed = yield* filesOf(folder, maxFiles)
  return {
    skill: { ...manifest, location: folder, files: listed.files },
    findings: [...findings, ...listed.findings]
  }
})

/** The store as a value. Fails where a directory cannot be read, or by findings where it is to. @category constructors */
export const make = Effect.fnUntraced(function* ({
  directories,
  maxFileBytes = 1_048_576,
  maxFiles = 500,
  onFindings = "log"
}: Options): Effect.fn.Return<SkillStore["Service"], ExecutorError | InvalidSkills, Needs> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const context = yield* Effect.context<Needs>()
  const found = new Map<string, SkillInfo>()
  const findings: Array<SkillFinding> = []
  for (const directory of directories) {
    const names = yield* Effect.mapError(fs.readDirectory(directory), brokenBy(directory))
    for (const name of names.toSorted()) {
      if (isHidden(name)) continue
      const { findings: own, skill } = yield* discover(directory, name, maxFileBytes, maxFiles)
      findings.push(...own)
      if (skill === undefined) continue
      const first = found.get(skill.name)
      if (first === undefined) found.set(skill.name, skill)
      else {
        const problem = `there is a skill of this name in ${first.location}, which comes first`
        findings.push({
          ...warning(path.join(directory, name, entry), problem, "Remove or rename one"),
          level: "error"
        })
      }
    }
  }
  if (onFindings === "fail" && findings.some(({ level }) => level === "error")) {
    return yield* new InvalidSkills({ findings })
  }
  yield* Effect.forEach(findings, (finding) => Effect.logWarning(sayFinding(finding)), { discard: true })

  const fileOf = (name: string, relative: string) =>
    Effect.suspend(() => {
      const skill = found.get(name)
      const detail = "there is no such skill"
      return skill === undefined
        ? Effect.fail(new ExecutorError({ executor: "skills", subject: name, reason: new NotFound({ detail }) }))
        : read(skill.location, relative, `${name}/${relative}`, maxFileBytes)
    }).pipe(Effect.provide(context))
  return {
    skills: [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    findings,
    read: (name) => Effect.map(fileOf(name, entry), (bytes) => SkillMd.parse(utf8.decode(bytes)).body),
    file: fileOf
  }
})

/** The skills in directories, discovered when the layer is built. @category layers */
export const layer = (options: Options): Layer.Layer<SkillStore, ExecutorError | InvalidSkills, Needs> =>
  Layer.effect(SkillStore, make(options))
