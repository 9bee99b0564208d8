/** What a model may ask a database: the options, their defaults, and the names of all rules that refuse. */
import { Refused } from "../../services/ActionExecutor.ts"

/**
 * What may be asked.
 *
 * @category models
 */
export interface Options {
  /**
   * The tables that may be read, without regard to case; in PostgreSQL `schema.table` where it is not in `public`. A view
   * may be read where the tables behind it may be. All by default.
   */
  readonly tables?: ReadonlyArray<string> | undefined
  readonly limits?: Partial<Limits> | undefined
}

/**
 * How much at once.
 *
 * @category models
 */
export interface Limits {
  /** Milliseconds of a query. Default: 10,000. */
  readonly millis: number
  /** Rows that a query gives. Default: 200. */
  readonly rows: number
  /** Bytes of these rows, about. Default: 1 MiB. */
  readonly bytes: number
  /** Characters of a statement. Default: 20,000. */
  readonly statement: number
}

/** How much at once where nobody says. @category constants */
export const limits: Limits = { millis: 10_000, rows: 200, bytes: 1024 * 1024, statement: 20_000 }

/**
 * The rules that refuse, by the names that stand in `Refused.rule`.
 *
 * @category constants
 */
export const rules = {
  /** A call is one statement. */
  "sql.statements": "a call is one statement",
  /** A statement reads: SELECT, WITH ... SELECT, VALUES. */
  "sql.readOnly": "a statement only reads",
  /** Texts, names, comments and parentheses have an end. */
  "sql.malformed": "a statement is whole",
  /** No function with effects outside of the query. */
  "sql.function": "a function only computes",
  /** The tables are those of the policy. */
  "sql.table": "the policy allows the table",
  /** Parameters are texts, numbers, booleans or NULL. */
  "sql.parameters": "parameters are plain values"
} as const

/** The name of a rule. @category models */
export type Rule = keyof typeof rules

/** A refusal by a rule of this room. */
export const refused = (rule: Rule, detail: string): Refused =>
  new Refused({ rule, detail: `${detail} (${rules[rule]})` })
