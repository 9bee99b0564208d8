/**
 * What a path says, before anything is asked of the file system: the names that it is made of, or the rule that it breaks.
 * Strict on purpose: a path that some file system, or some reader, takes for another one is refused.
 */
import * as Result from "effect/Result"
import { Refused } from "../../services/ActionExecutor.ts"
import { compile } from "./Glob.ts"
import { type Rule, rules } from "./Policy.ts"

/** A refusal by a rule of this room. */
export const refused = (rule: Rule, detail: string): Refused =>
  new Refused({ rule, detail: `${detail} (${rules[rule]})` })

const encoder = new TextEncoder()
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i
// Characters that are not seen, or turn the direction of writing.
const unseen = /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Zl}\p{Zp}\ufff9-\ufffb]/u

/** The names of a path; none for the folder itself. */
export const namesOf = (path: string): Result.Result<ReadonlyArray<string>, Refused> => {
  const refuse = (rule: Rule, detail: string) => Result.fail(refused(rule, detail))
  if (path.length > 4096 || encoder.encode(path).length > 4096)
    return refuse("path.long", "a path has at most 4096 bytes")
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return refuse("path.control", "there is a control character in it")
  if (path.includes("\\")) return refuse("path.backslash", "there is a backslash in it; use /")
  if (/^(\/|~|[a-z][a-z0-9+.-]*:)/i.test(path)) return refuse("path.absolute", "use a path relative to the workspace")
  if (/%(2e|2f|5c|00|25)/i.test(path)) return refuse("path.encoded", "there are encoded characters in it; write them")
  const all = path.split("/")
  if (all.some((name) => name === ".."))
    return refuse("path.outside", "there is a .. in it; name the path from the workspace")
  const names = all.filter((name) => name !== "" && name !== ".")
  if (names.length > 64) return refuse("path.long", "a path has at most 64 names")
  for (const name of names) {
    if (encoder.encode(name).length > 255) return refuse("path.long", "a name has at most 255 bytes")
    const plain = name.normalize("NFKC")
    if (!name.isWellFormed() || unseen.test(name))
      return refuse("path.name", "there is a character in it that is not seen")
    // Full-width dots and slashes, one-dot leaders: what some system would read as a path.
    if ((plain !== name && /[/\\:]/.test(plain)) || /^\.+$/.test(plain)) {
      return refuse("path.name", `${JSON.stringify(name)} looks like a path of its own`)
    }
    if (name.includes(":")) return refuse("path.name", `there is a colon in ${JSON.stringify(name)}`)
    if (/[. \u00a0\u3000]$/u.test(name) || /^[ \u00a0\u3000]/u.test(name)) {
      return refuse("path.name", `${JSON.stringify(name)} begins with a space, or ends with a dot or a space`)
    }
    if (reserved.test(plain)) return refuse("path.name", `${JSON.stringify(name)} is a device on some systems`)
  }
  return Result.succeed(names)
}

/** How a name counts for what is hidden: a spelling that some file system takes for the same is the same. */
const folded = (name: string): string => name.normalize("NFKC").toLowerCase().replaceAll("ſ", "s")

/**
 * Makes patterns into a function that says whether a path, or a folder that it stands in, fits one of them. Fails with what
 * is wrong with a pattern.
 */
export const anyOf = (
  patterns: ReadonlyArray<string>
): Result.Result<(names: ReadonlyArray<string>) => boolean, string> => {
  const made: Array<(names: ReadonlyArray<string>) => boolean> = []
  for (const pattern of patterns) {
    const one = compile(folded(pattern))
    if (Result.isFailure(one)) return Result.fail(`the pattern ${JSON.stringify(pattern)}: ${one.failure}`)
    made.push(one.success)
  }
  return Result.succeed((names) => {
    const all = names.map(folded)
    for (let length = 1; length <= all.length; length++) {
      const part = all.slice(0, length)
      if (made.some((matches) => matches(part))) return true
    }
    return false
  })
}
