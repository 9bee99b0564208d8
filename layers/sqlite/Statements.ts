/** Which statements may run on a connection that only reads. */

/** Comments and space before a statement. */
const leading = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/
const writes = /\b(?:insert|update|delete|replace)\b/i
// These tell of the connection that they run on.
const own = /\b(?:changes|total_changes|last_insert_rowid|temp|sqlite_temp_schema|sqlite_temp_master)\b/i
const ofConnection = /\b(?:temp|temporary|attach|detach)\b/i
// A setting; what follows after the name does not change what a connection reads.
const setting =
  /\bpragma\s+(?!query_only|foreign_keys|defer_foreign_keys|synchronous|busy_timeout|max_page_count|user_version|application_id|wal_autocheckpoint)[^;=(]*=/i

/**
 * Whether a statement reads and nothing else, and gives the same on every connection. In doubt it does not: a statement
 * that only holds the word `insert` in a text counts as one that writes.
 *
 * @category predicates
 */
export const isRead = (sql: string): boolean => {
  const text = sql.replace(leading, "")
  return /^(?:select|values|with)\b/i.test(text) && !writes.test(text) && !own.test(text)
}

/**
 * Whether a statement changes what this one connection sees: temporary tables, attached files, settings.
 *
 * @category predicates
 */
export const isOfConnection = (sql: string): boolean => ofConnection.test(sql) || setting.test(sql)
