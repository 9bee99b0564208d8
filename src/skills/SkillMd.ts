/**
 * Reads `SKILL.md`: YAML front matter between two lines of three dashes, then the instructions. What does not keep to the
 * convention is told as findings with their lines, all of them at once; errors make the skill unusable, warnings do not.
 */
import * as Yaml from "effect/encoding/Yaml"
import * as Result from "effect/Result"
import type { SkillFinding, SkillManifest } from "../../services/SkillStore.ts"

/**
 * What was read: the manifest where the skill can be used, the instructions, and what is wrong.
 *
 * @category models
 */
export interface SkillMd {
  readonly manifest: SkillManifest | undefined
  readonly body: string
  readonly findings: ReadonlyArray<SkillFinding>
}

/**
 * Where a text comes from.
 *
 * @category models
 */
export interface Source {
  /** The file's name in findings. Default `SKILL.md`. */
  readonly file?: string | undefined
  /** The name of its folder, which has to be the name of the skill. Default: not checked. */
  readonly folder?: string | undefined
}

const maxName = 64
const maxDescription = 1_024
const maxCompatibility = 500
const maxLines = 500

const known = ["name", "description", "license", "compatibility", "metadata", "allowed-tools"]

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"

// Blanks and commas part tools, except within brackets: `Bash(git add:*) Read`.
const toolsOf = (value: unknown): ReadonlyArray<string> | undefined => {
  if (typeof value === "string") return value.match(/(?:\([^)]*\)|[^\s,(])+/g) ?? []
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined
}

const nameProblem = (name: string): string | undefined =>
  name.length > maxName
    ? `the name has ${name.length} characters, more than ${maxName}`
    : /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)
      ? undefined
      : `the name ${JSON.stringify(name)} is not made of small letters, digits and single dashes`

interface Front {
  readonly yaml: string
  readonly body: string
}

const split = (text: string): Front | string => {
  const lines = text.split("\n")
  if (lines[0]?.trimEnd() !== "---") return "it does not begin with front matter"
  const end = lines.findIndex((line, index) => index > 0 && /^---\s*$/.test(line))
  if (end < 0) return "the front matter has no end"
  return {
    yaml: lines.slice(1, end).join("\n"),
    body: lines
      .slice(end + 1)
      .join("\n")
      .trim()
  }
}

/**
 * Reads the text of a `SKILL.md`.
 *
 * @example
 * ```ts
 * import { SkillMd } from "effigent/skills"
 *
 * const { findings, manifest } = SkillMd.parse("---\nname: Forms\ndescription: Fills forms in.\n---\nRead the form.")
 * console.log(manifest) // => undefined
 * console.log(findings[0]?.problem) // => the name "Forms" is not made of small letters, digits and single dashes
 * ```
 *
 * @category reading
 */
export const parse = (source: string, { file = "SKILL.md", folder }: Source = {}): SkillMd => {
  const findings: Array<SkillFinding> = []
  const tell = (level: SkillFinding["level"], line: number, problem: string, fix: string) =>
    findings.push({ level, file, line, problem, fix })
  const front = split(source.replace(/^\ufeff/, "").replaceAll("\r\n", "\n"))
  if (typeof front === "string") {
    tell("error", 1, front, "Begin the file with a line ---, the keys name and description, and a line ---")
    return { manifest: undefined, body: "", findings }
  }
  const { body, yaml } = front
  const parsed = Result.try((): unknown => Yaml.parse(yaml))
  if (Result.isFailure(parsed)) {
    const what = parsed.failure instanceof Error ? parsed.failure.message : String(parsed.failure)
    const line = Number(/\bline (\d+)/i.exec(what)?.[1] ?? 0)
    tell("error", line + 1, `the front matter is no YAML: ${what}`, "Quote texts that hold a colon")
    return { manifest: undefined, body, findings }
  }
  const front_ = parsed.success
  if (!isRecord(front_)) {
    tell("error", 1, "the front matter has no keys", "Give it the keys name and description")
    return { manifest: undefined, body, findings }
  }
  // Keys stand at the beginning of their lines; the first line of the file is the dashes.
  const yamlLines = yaml.split("\n")
  const lineOf = (key: string) => {
    const at = yamlLines.findIndex((line) => line.replace(/^["']/, "").startsWith(key))
    return at < 0 ? 1 : at + 2
  }
  const text = (key: "name" | "description"): string => {
    const value = front_[key]
    if (isScalar(value) && String(value).trim() !== "") return String(value).trim()
    const problem = value === undefined ? `the ${key} is missing` : `the ${key} is blank or no text`
    tell("error", lineOf(key), problem, `Add a line \`${key}: ...\` to the front matter`)
    return ""
  }
  const optional = (key: "license" | "compatibility"): string | undefined => {
    const value = front_[key]
    if (value === undefined || value === null) return undefined
    if (isScalar(value)) return String(value)
    tell("warning", lineOf(key), `the ${key} is no text`, "Write it in one line")
    return undefined
  }

  const name = text("name")
  const problem = name === "" ? undefined : nameProblem(name)
  if (problem !== undefined) tell("error", lineOf("name"), problem, "Name it like `fill-forms`")
  else if (name !== "" && folder !== undefined && folder !== name) {
    tell("error", lineOf("name"), `the name is ${name} and the folder ${folder}`, "Give both one name")
  }
  const description = text("description")
  if (description.length > maxDescription) {
    const size = `the description has ${description.length} characters, more than ${maxDescription}`
    tell("error", lineOf("description"), size, "Say what the skill does and when to use it; move the rest below")
  }
  const license = optional("license")
  const compatibility = optional("compatibility")
  if (compatibility !== undefined && compatibility.length > maxCompatibility) {
    const size = `the compatibility has ${compatibility.length} characters, more than ${maxCompatibility}`
    tell("warning", lineOf("compatibility"), size, "Shorten it")
  }
  const allowedTools = toolsOf(front_["allowed-tools"] ?? [])
  if (allowedTools === undefined) {
    tell(
      "warning",
      lineOf("allowed-tools"),
      "the allowed-tools are no text",
      "Write them in one line, parted by blanks"
    )
  }
  const facts = front_["metadata"] ?? {}
  const metadata: Record<string, string> = {}
  if (!isRecord(facts) || !Object.values(facts).every(isScalar)) {
    tell(
      "warning",
      lineOf("metadata"),
      "the metadata are no texts by name",
      "Write `metadata:` and below it `key: value`"
    )
  } else for (const [key, value] of Object.entries(facts)) metadata[key] = String(value)
  for (const key of Object.keys(front_)) {
    if (!known.includes(key)) tell("warning", lineOf(key), `${key} is no key of a skill`, "Move it below metadata")
  }
  const lines = body.split("\n").length
  if (body === "")
    tell("warning", yamlLines.length + 2, "there are no instructions", "Write them below the front matter")
  else if (lines > maxLines) {
    const size = `the instructions have ${lines} lines, more than ${maxLines}`
    tell("warning", yamlLines.length + 2, size, "Move what is not always needed into files of the skill")
  }

  const manifest: SkillManifest = {
    name,
    description,
    ...(license === undefined ? {} : { license }),
    ...(compatibility === undefined ? {} : { compatibility }),
    allowedTools: allowedTools ?? [],
    metadata
  }
  return { manifest: findings.some(({ level }) => level === "error") ? undefined : manifest, body, findings }
}
