/** Rows of a catalogue, one for each column, as tables. */
import type { SqlTable } from "../../services/SqlAccess.ts"

/** The tables of a catalogue that may be read. */
export const tablesOf = (
  rows: ReadonlyArray<Readonly<Record<string, unknown>>>,
  allowed: ReadonlySet<string> | undefined
): ReadonlyArray<SqlTable> => {
  const tables = new Map<string, { kind: SqlTable["kind"]; columns: Array<SqlTable["columns"][number]> }>()
  for (const { kind, name, nullable, table, type } of rows) {
    const key = String(table)
    if (allowed !== undefined && !allowed.has(key.toLowerCase())) continue
    const known = tables.get(key) ?? { kind: kind === "view" ? "view" : "table", columns: [] }
    tables.set(key, known)
    // SQLite has no booleans.
    known.columns.push({
      name: String(name),
      type: String(type),
      nullable: nullable === true || Number(nullable) === 1
    })
  }
  return Array.from(tables, ([name, { columns, kind }]) => ({ name, kind, columns }))
}
