/** Which statements may run on a connection that only reads. */

/** Comments and space before a statement. */
const leading = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/
const writes = /\b(?:insert|update|delete|replace)\b/i
// These tell of the connection that they run on.
const own = /\b(?:changes|total_changes|last_insert_rowid)\b/i
const gap = String.raw`(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)+`
const ofConnection = new RegExp(String.raw`\b(?:attach|detach)\b|\bcreate${gap}temp(?:orary)?\b`, "i")
// A setting, except for those that do not change what a connection reads.
const setting =
  /\bpragma\s+(?!application_id|busy_timeout|cache_size|defer_foreign_keys|foreign_key|incremental_vacuum|index_|integrity_check|journal_size_limit|max_page_count|optimize|query_only|quick_check|synchronous|table_|user_version|wal_)\w[^;=(]*[=(]/i

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
