/**
 * What a statement says, before the database sees it: that it is one, that it is whole, and what it calls. This is for a
 * clear refusal, and for what databases do not refuse by themselves (a second statement, functions that act); that nothing
 * is written is the database's business, and does not rest on words.
 */
import * as Result from "effect/Result"
import { type ExecutorErrorReason, LimitExceeded } from "../../services/ActionExecutor.ts"
import { refused, type Rule } from "./Policy.ts"

/** The SQL that is spoken. */
export type Dialect = "sqlite" | "pg"

interface Token {
  /** `word`: a bare name or key word, in small letters; `name`: a quoted one; `text`: a literal; `sign`: all else. */
  readonly kind: "word" | "name" | "text" | "sign"
  readonly text: string
  /** In how many parentheses it stands. */
  readonly depth: number
}

const refuse = (rule: Rule, detail: string) => Result.fail(refused(rule, detail))

/** The end of what is quoted, behind the closing sign; -1 where there is none. */
const closing = (sql: string, from: number, sign: string, escapes: boolean): number => {
  for (let at = from; at < sql.length; at++) {
    if (escapes && sql[at] === "\\") at++
    else if (sql[at] === sign) {
      if (sign !== "]" && sql[at + 1] === sign) at++
      else return at + 1
    }
  }
  return -1
}

const tokensOf = (sql: string, dialect: Dialect): Result.Result<ReadonlyArray<Token>, ExecutorErrorReason> => {
  const tokens: Array<Token> = []
  let depth = 0
  for (let at = 0; at < sql.length;) {
    const char = sql[at] ?? ""
    const two = sql.slice(at, at + 2)
    if (/\s/.test(char)) at++
    else if (two === "--") {
      const end = sql.indexOf("\n", at)
      at = end < 0 ? sql.length : end + 1
    } else if (two === "/*") {
      const end = sql.indexOf("*/", at + 2)
      if (end < 0) return refuse("sql.malformed", "a comment has no end")
      // Databases differ on where a comment in a comment ends.
      if (sql.slice(at + 2, end + 1).includes("/*")) return refuse("sql.malformed", "there is a comment in a comment")
      at = end + 2
    } else if (char === "'" || char === '"' || (dialect === "sqlite" && (char === "`" || char === "["))) {
      const last = tokens.at(-1)
      // Behind an E, PostgreSQL has escapes in texts.
      const escapes =
        char === "'" &&
        dialect === "pg" &&
        last?.kind === "word" &&
        /^(e|u&)$/.test(last.text) &&
        /[eE&]/.test(sql[at - 1] ?? "")
      const end = closing(sql, at + 1, char === "[" ? "]" : char, escapes)
      if (end < 0) return refuse("sql.malformed", "a text or a name has no end")
      const text = sql.slice(at + 1, end - 1)
      tokens.push({
        kind: char === "'" ? "text" : "name",
        text: text.replaceAll(char + char, char).toLowerCase(),
        depth
      })
      at = end
    } else if (dialect === "pg" && char === "$" && !/[0-9]/.test(sql[at + 1] ?? "")) {
      return refuse("sql.malformed", "write texts in single quotes, not between $ signs")
    } else if (/[a-z_\u0080-\uffff]/i.test(char)) {
      let end = at + 1
      while (end < sql.length && /[a-z0-9_$\u0080-\uffff]/i.test(sql[end] ?? "")) end++
      // U&'...' and U&"...": escapes that spell names otherwise than they read.
      if (dialect === "pg" && end === at + 1 && /u/i.test(char) && /^&['"]/.test(sql.slice(end, end + 2))) {
        return refuse("sql.malformed", "write characters as they are, not as U& escapes")
      }
      tokens.push({ kind: "word", text: sql.slice(at, end).toLowerCase(), depth })
      at = end
    } else {
      if (char === ")") depth--
      if (depth < 0) return refuse("sql.malformed", "a parenthesis is closed that was not opened")
      tokens.push({ kind: "sign", text: char, depth })
      if (char === "(") depth++
      at++
    }
  }
  return depth === 0 ? Result.succeed(tokens) : refuse("sql.malformed", "a parenthesis is not closed")
}

const writes = new Set(["insert", "update", "delete", "merge", "replace"])

// What acts, reads files, waits, or runs a text as SQL: by the names that it is known by.
const acts: Readonly<Record<Dialect, RegExp>> = {
  sqlite:
    /^(load_extension|readfile|writefile|lsdir|edit|fts3_tokenizer|fsdir|sqlar_.*|zipfile.*|sqlite_(compileoption|dbpage|dbptr|memstat|stmt).*|shell_.*|eval|icu_load_collation)$/,
  pg: /^(pg_(?!typeof$|get_|table_is_visible$|column_size$|size_pretty$).*|lo_.*|loread|lowrite|dblink.*|(query|table|schema|database|cursor)_to_xml.*|xmltable_from_.*|ts_stat|set_config|nextval|setval|currval|lastval|txid_.*|inet_.*|version|current_setting|crosstab.*|connectby|has_.*_privilege|to_reg.*|binary_upgrade_.*|plpgsql_.*)$/
}

/** A statement that may be given to the database. */
export interface Statement {
  /** Without the semicolon at the end. */
  readonly sql: string
}

/** Checks a statement. */
export const check = (
  text: string,
  dialect: Dialect,
  maxLength: number
): Result.Result<Statement, ExecutorErrorReason> => {
  if (text.length > maxLength) {
    return Result.fail(new LimitExceeded({ limit: "input", detail: `a statement has at most ${maxLength} characters` }))
  }
  if (text.includes("\0") || !text.isWellFormed())
    return refuse("sql.malformed", "there is a character in it that is none")
  const result = tokensOf(text, dialect)
  if (Result.isFailure(result)) return Result.fail(result.failure)
  const tokens = result.success
  const firstEnd = tokens.findIndex(({ kind, text }) => kind === "sign" && text === ";")
  const body = firstEnd < 0 ? tokens : tokens.slice(0, firstEnd)
  if (tokens.slice(body.length).some(({ text }) => text !== ";"))
    return refuse("sql.statements", "there is another one behind the ;")
  const [first] = body
  if (first === undefined) return refuse("sql.malformed", "there is no statement")
  if (first.kind !== "word" || !["select", "with", "values"].includes(first.text)) {
    return refuse(
      "sql.readOnly",
      `it begins with ${JSON.stringify(first.text.slice(0, 20))}; use SELECT, WITH or VALUES`
    )
  }
  for (const [index, { depth, kind, text: word }] of body.entries()) {
    const next = body[index + 1]
    const isCall = next?.kind === "sign" && next.text === "("
    if ((kind === "word" || kind === "name") && isCall && acts[dialect].test(word)) {
      return refuse("sql.function", `${word} does more than compute`)
    }
    if (kind !== "word") continue
    if (word === "into") return refuse("sql.readOnly", "there is an INTO in it")
    const before = body[index - 1]
    const isVerb = before?.kind === "sign" && (before.text === "(" || (before.text === ")" && depth === 0))
    if (writes.has(word) && isVerb && !(isCall && word === "replace")) {
      return refuse("sql.readOnly", `there is an ${word.toUpperCase()} in it`)
    }
  }
  // What stands behind the last token is a comment, or the end.
  let sql = text
  if (firstEnd >= 0) sql = withoutEnd(text, dialect)
  return Result.succeed({ sql })
}

/** The text up to its first semicolon that is a sign. */
const withoutEnd = (text: string, dialect: Dialect): string => {
  for (let at = text.indexOf(";"); at >= 0; at = text.indexOf(";", at + 1)) {
    const before = tokensOf(text.slice(0, at), dialect)
    const upTo = tokensOf(text.slice(0, at + 1), dialect)
    // In a text, a name or a comment it adds no token.
    if (Result.isSuccess(before) && Result.isSuccess(upTo) && upTo.success.length > before.success.length) {
      return text.slice(0, at)
    }
  }
  return text
}

/** What PostgreSQL says of a row that is too large. */
export const rowTooLarge = "effigent: the row is too large"

/**
 * The statement as a part of one that ends with the rows that are wanted, so that a line comment at its end ends with the
 * line. PostgreSQL also refuses a row that is too large, before it is sent: SQL has no word for that but a cast that fails,
 * of a text that is not known before there is a row.
 */
export const bounded = (
  { sql }: Statement,
  dialect: Dialect,
  { bytes, rows }: { readonly bytes: number; readonly rows: number }
): string => {
  const fits =
    dialect === "sqlite"
      ? ""
      : ` WHERE CASE WHEN octet_length(effigent_rows::text) <= ${bytes} THEN true
          ELSE (left(effigent_rows::text, 0) || '${rowTooLarge}')::boolean END`
  return `SELECT * FROM (${sql}\n) AS effigent_rows${fits} LIMIT ${rows + 1}`
}
