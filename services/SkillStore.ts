/**
 * Skills as a service: instructions for a kind of task, with reference files and scripts, which a model is shown when it
 * needs them. It is told names and descriptions; the whole text of a skill and its files are read on demand.
 *
 * A skill is what the public SKILL.md convention says: a folder with a file `SKILL.md`, which begins with YAML front
 * matter (`name`, `description`, ...). Where the folders are is the layer's affair: see `effigent/layers/skills`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutorError } from "./ActionExecutor.ts"

/**
 * What `SKILL.md` says in its front matter.
 *
 * @category models
 */
export interface SkillManifest {
  /** Small letters, digits and single dashes, at most 64; the name of its folder too. */
  readonly name: string
  /** What it does and when to use it, at most 1,024 characters: all that a model is told before it reads the skill. */
  readonly description: string
  readonly license?: string | undefined
  /** What it needs to be used: a program, a system, the network. */
  readonly compatibility?: string | undefined
  /** The tools that it expects, as it names them. Nothing is allowed by it. */
  readonly allowedTools: ReadonlyArray<string>
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * A file of a skill besides `SKILL.md`.
 *
 * @category models
 */
export interface SkillFile {
  /** Its path in the folder of the skill, with forward slashes: `references/forms.md`. */
  readonly path: string
  /** In bytes. */
  readonly size: number
}

/**
 * A skill that can be used.
 *
 * @category models
 */
export interface SkillInfo extends SkillManifest {
  /** Where it stands, for people: its folder. */
  readonly location: string
  /** Its files, in the order of their paths. */
  readonly files: ReadonlyArray<SkillFile>
}

/**
 * Something that is wrong with a skill. `error`: the skill is not offered. `warning`: it is.
 *
 * @category models
 */
export const SkillFinding = Schema.Struct({
  level: Schema.Literals(["error", "warning"]),
  file: Schema.String,
  /** From 1; 1 also where it concerns the file as a whole. */
  line: Schema.Int,
  problem: Schema.String,
  /** What to do. */
  fix: Schema.String
})

/** Something that is wrong with a skill, as a type. @category models */
export type SkillFinding = typeof SkillFinding.Type

/** A finding in one line: `file:line: problem. fix.` @category rendering */
export const sayFinding = ({ file, fix, line, problem }: SkillFinding): string => `${file}:${line}: ${problem}. ${fix}.`

/**
 * There are skills that cannot be used, and all of them were wanted.
 *
 * @category errors
 */
export class InvalidSkills extends Schema.TaggedError<InvalidSkills>()("InvalidSkills", {
  findings: Schema.Array(SkillFinding)
}) {
  override get message(): string {
    return `Skills cannot be used:\n${this.findings.map(sayFinding).join("\n")}`
  }
}

/**
 * Skills that can be read. Errors: `NotFound` where there is no such skill or file; `Refused` with one of `skillRules`;
 * `LimitExceeded` for a file that is too large; `Broken` where it cannot be read.
 *
 * @category services
 */
export class SkillStore extends Context.Service<
  SkillStore,
  {
    /** The skills that can be used, in the order of their names. */
    readonly skills: ReadonlyArray<SkillInfo>
    /** All that is wrong with skills that were found, also with those that cannot be used. */
    readonly findings: ReadonlyArray<SkillFinding>
    /** The instructions of a skill: what follows the front matter. */
    readonly read: (name: string) => Effect.Effect<string, ExecutorError>
    /** A file of a skill, by its path in the folder of the skill. Nothing outside of it is ever read. */
    readonly file: (name: string, path: string) => Effect.Effect<Uint8Array, ExecutorError>
  }
>()("effigent/SkillStore") {}

/**
 * The rules by which reading is refused, with what each is for: the `rule` of the reason `Refused`. The names do not
 * change.
 *
 * @category rules
 */
export const skillRules = {
  "path.syntax": "A path is relative, with forward slashes, and without null characters.",
  "path.outside": "The path leads out of the folder of the skill, links followed.",
  "file.type": "It is no regular file.",
  "file.binary": "It is no text, and a text was wanted.",
  "script.type": "It is no script of a language that is run here."
} as const

/** A rule by which reading is refused. @category rules */
export type SkillRule = keyof typeof skillRules
