/** What the errors of databases mean for a store: why it failed, and whether trying again can help. */
import type { SqlError } from "effect/sql/SqlError"

/** Why a statement failed, as `JournalStoreError` names it. @category models */
export type Reason = "unavailable" | "full" | "readOnly" | "schema" | "damaged" | "other"

/** A statement that failed. @category models */
export class StoreFailure {
  readonly _tag = "StoreFailure"
  readonly reason: Reason
  /** What happened and what to do. */
  readonly detail: string
  constructor(reason: Reason, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

const advice: Readonly<Record<Reason, string>> = {
  unavailable: "It was tried again for as long as the option `retryFor` says. Look whether the database runs.",
  full: "Make room on its disk.",
  readOnly: "Connect to the primary, or allow this user to write.",
  schema:
    "Its tables are not the ones that this version makes. Restore them, or give this store a `prefix` of its own.",
  damaged: "Restore the database from a backup.",
  other: "What the database says is above."
}

/** A failure with what happened, and what to do. @category constructors */
export const failure = (reason: Reason, happened: string): StoreFailure =>
  new StoreFailure(reason, `${happened}. ${advice[reason]}`)

const field = (value: unknown, name: string): unknown =>
  // Errors of drivers are objects with fields that no type knows.
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined

const postgres = (code: string): Reason | undefined => {
  if (code === "53100") return "full"
  if (code === "25006") return "readOnly"
  if (code === "42P01" || code === "42703" || code === "3F000") return "schema"
  if (code.startsWith("XX00") && code !== "XX000") return "damaged"
  // Connections (08), resources (53), an operator who intervenes (57), and losing against another transaction (40).
  if (/^(?:08|53|57|40)/.test(code) || code === "55P03") return "unavailable"
  return undefined
}

const sqlite = (code: number): Reason | undefined => {
  switch (code & 0xff) {
    case 5: // busy
    case 6: // locked
    case 14: // cannot be opened
      return "unavailable"
    case 8:
      return "readOnly"
    case 11: // corrupt
    case 26: // not a database
      return "damaged"
    case 13:
      return "full"
    default:
      return undefined
  }
}

const tags: Readonly<Record<string, Reason>> = {
  ConnectionError: "unavailable",
  DeadlockError: "unavailable",
  SerializationError: "unavailable",
  LockTimeoutError: "unavailable",
  StatementTimeoutError: "unavailable"
}

/** What an error of a database means. @category converting */
export const fromSql = (error: SqlError): StoreFailure => {
  let reason: Reason | undefined
  let happened = error.message
  // The driver's own error is the innermost cause.
  for (let cause: unknown = error.reason, depth = 0; cause !== undefined && depth < 8; depth++) {
    const code = field(cause, "errcode") ?? field(cause, "errno") ?? field(cause, "code")
    const found = typeof code === "number" ? sqlite(code) : typeof code === "string" ? postgres(code) : undefined
    reason ??= found
    const message = field(cause, "message")
    if (typeof message === "string" && message !== "") {
      happened = message
      if (/no such (?:table|column)/.test(message)) reason ??= "schema"
    }
    cause = field(cause, "cause")
  }
  return failure(reason ?? tags[error.reason._tag] ?? "other", happened)
}
