/**
 * Which arguments a command may be given. Options are refused unless they are listed: an option that runs programs, writes
 * files or opens connections need not be known to be kept out.
 */
import type { CommandRule } from "../../services/CommandRunner.ts"

/**
 * What may be passed to a command. An empty rule lets nothing through but operands.
 *
 * @category models
 */
export interface ArgumentRule {
  /** The first argument has to be one of these: `git log`. They do not count as operands. */
  readonly subcommands?: ReadonlyArray<string> | undefined
  /**
   * Options by their exact name: `true` for one without a value, a pattern for the value of one that has it, which may
   * stand in the next argument, behind `=`, or right behind an option of one letter. Abbreviations and bundles (`-la`) are
   * refused unless they are listed. Where `--` is listed, all that follows it are operands.
   */
  readonly options?: Readonly<Record<string, true | RegExp>> | undefined
  /**
   * What the other arguments may be: anything, nothing, what matches, or paths within the allowed roots. Links are
   * followed when the command is about to start; what changes later is not seen. Default `paths`.
   */
  readonly operands?: "any" | "none" | "paths" | RegExp | undefined
  /** How many of the first operands are no paths, but a pattern for example. Default 0. */
  readonly leading?: number | undefined
  /** Says what is wrong with the arguments, or nothing. Asked first. */
  readonly check?: ((args: ReadonlyArray<string>) => string | undefined) | undefined
  /** Whether all arguments are let through; the rest of the rule is then not asked, but for `check`. Default false. */
  readonly unchecked?: boolean | undefined
  /** Put in front of the arguments, unchecked. */
  readonly before?: ReadonlyArray<string> | undefined
  /** What is put behind a subcommand, unchecked. */
  readonly after?: Readonly<Record<string, ReadonlyArray<string>>> | undefined
}

/** What is wrong with arguments. @category models */
export interface Offence {
  readonly rule: CommandRule
  readonly detail: string
}

/** Whether all of a text matches. */
const whole = (pattern: RegExp, text: string): boolean =>
  new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gmy]/g, "")).test(text)

const list = (names: Iterable<string>): string => [...names].join(", ") || "none"

/**
 * What is wrong with arguments, or the operands that have to be paths within the roots.
 *
 * @category checking
 */
export const inspect = (rule: ArgumentRule, args: ReadonlyArray<string>): Offence | ReadonlyArray<string> => {
  const paths: Array<string> = []
  const wrong = rule.check?.(args)
  if (wrong !== undefined) return { rule: "argument.check", detail: wrong }
  if (rule.unchecked === true) return paths
  const options = new Map(Object.entries(rule.options ?? {}))
  const operands = rule.operands ?? "paths"
  let rest = args
  if (rule.subcommands !== undefined) {
    const [first, ...others] = args
    if (first === undefined || !rule.subcommands.includes(first))
      return { rule: "argument.subcommand", detail: `${first ?? "nothing"}; allowed: ${list(rule.subcommands)}` }
    rest = others
  }
  let leading = rule.leading ?? 0
  let literal = false
  for (let index = 0; index < rest.length; index++) {
    const argument = rest[index] ?? ""
    if (!literal && argument.startsWith("-") && argument !== "-") {
      const equals = argument.indexOf("=")
      const short = argument.slice(0, 2)
      const exact = options.get(argument)
      const refused = { rule: "argument.option", detail: `${argument}; allowed: ${list(options.keys())}` } as const
      if (exact === true) {
        if (argument === "--") literal = true
        continue
      }
      const [pattern, value] =
        exact !== undefined
          ? [exact, rest[++index]]
          : equals > 0
            ? [options.get(argument.slice(0, equals)), argument.slice(equals + 1)]
            : argument[1] === "-"
              ? []
              : [options.get(short), argument.slice(2)]
      if (!(pattern instanceof RegExp)) return refused
      if (value === undefined || !whole(pattern, value))
        return { rule: "argument.option", detail: `the value of ${argument} has to match ${pattern.source}` }
      continue
    }
    if (operands === "none") return { rule: "argument.operand", detail: `${argument}; it takes options only` }
    if (leading > 0) leading--
    else if (operands === "paths") paths.push(argument)
    else if (operands !== "any" && !whole(operands, argument))
      return { rule: "argument.operand", detail: `${argument}; it has to match ${operands.source}` }
  }
  return paths
}

/** The arguments with what the rule adds. @category checking */
export const complete = (rule: ArgumentRule, args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { after = {}, before = [], subcommands } = rule
  const [first, ...rest] = args
  if (subcommands === undefined || first === undefined) return [...before, ...args]
  return [...before, first, ...(Object.hasOwn(after, first) ? (after[first] ?? []) : []), ...rest]
}

const number = /\d{1,6}/
const glob = /[^/]{1,200}/

/** Files of the allowed roots and no options: `cat`, `wc`, `sort`. @category presets */
export const paths: ArgumentRule = { options: { "--": true } }

/** Anything at all. What the command can be made to do by options, it can be made to do. @category presets */
export const anything: ArgumentRule = { unchecked: true }

/** Nothing: `date`, `uname`. @category presets */
export const none: ArgumentRule = { operands: "none" }

/** `ls`, on paths of the allowed roots. @category presets */
export const ls: ArgumentRule = {
  options: {
    "-l": true,
    "-a": true,
    "-la": true,
    "-al": true,
    "-1": true,
    "-R": true,
    "-t": true,
    "-h": true,
    "--": true
  }
}

/** `head` and `tail`, on paths of the allowed roots; no following. @category presets */
export const head: ArgumentRule = { options: { "-n": number, "-c": number, "--": true } }

/** `grep`: first the pattern, then paths of the allowed roots. Without `-e` and `-f`, which would make both paths. @category presets */
export const grep: ArgumentRule = {
  leading: 1,
  options: {
    "-n": true,
    "-i": true,
    "-r": true,
    "-rn": true,
    "-l": true,
    "-c": true,
    "-w": true,
    "-v": true,
    "-E": true,
    "-F": true,
    "-A": number,
    "-B": number,
    "-C": number,
    "-m": number,
    "--include": glob,
    "--exclude": glob,
    "--": true
  }
}

/** `find`: paths of the allowed roots and tests; nothing that runs, writes or deletes. @category presets */
export const find: ArgumentRule = {
  options: {
    "-name": glob,
    "-iname": glob,
    "-path": /.{1,200}/,
    "-type": /[fdl]/,
    "-maxdepth": number,
    "-mindepth": number,
    "-size": /[+-]?\d{1,9}[bcwkMG]?/,
    "-mtime": /[+-]?\d{1,6}/,
    "-newer": /(?!\/)(?!.*\.\.).{1,200}/,
    "-empty": true,
    "-print": true,
    "-not": true,
    "-o": true
  }
}

const plain = ["--no-ext-diff", "--no-textconv"]

/**
 * `git`, to read: `status`, `log`, `diff`, `show`, `ls-files`, `rev-parse`, `blame`; no options that run programs or write
 * files, no pager, no external diff, no file monitor. A repository whose own `.git/config` is not trusted can still name
 * filters: run it in namespaces, or not at all.
 *
 * @category presets
 */
export const git: ArgumentRule = {
  subcommands: ["status", "log", "diff", "show", "ls-files", "rev-parse", "blame"],
  before: [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "log.showSignature=false",
    "protocol.allow=never"
  ].reduce((options, setting) => [...options, "-c", setting], ["--no-pager", "--no-optional-locks"]),
  after: { log: plain, diff: plain, show: plain, blame: ["--no-textconv"] },
  options: {
    "--oneline": true,
    "--stat": true,
    "--short": true,
    "--porcelain": true,
    "--cached": true,
    "--staged": true,
    "--name-only": true,
    "--name-status": true,
    "--all": true,
    "--graph": true,
    "--abbrev-ref": true,
    "--show-toplevel": true,
    "-p": true,
    "-n": number,
    "-L": /\d{1,7},\+?\d{1,7}/,
    "--max-count": number,
    "--since": /[\w .:+-]{1,40}/,
    "--until": /[\w .:+-]{1,40}/,
    "--author": /[^-].{0,80}/,
    "--": true
  },
  operands: /(?!\/)(?!(.*\/)?\.\.(\/|$)).{1,400}/
}
