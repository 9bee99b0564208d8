/** What stands in the rows of the stores: texts as databases take them, heads, and checksums over what is written once. */
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { crc32 } from "node:zlib"
import { JournalHead } from "../../services/JournalStore.ts"

const mark = "\u0001"

/** Text as every database takes it: one with a NUL or half a character is written as JSON. @category converting */
export const stored = (text: string): string =>
  !text.includes("\0") && !text.startsWith(mark) && text.isWellFormed() ? text : mark + JSON.stringify(text)

/** The text that was stored. @category converting */
export const original = (text: string): string => (text.startsWith(mark) ? String(parse(text.slice(1))) : text)

/** The first text behind all that begin with a prefix, in the order of bytes; absent: there is none. @category converting */
export const behind = (prefix: string): string | undefined => {
  const points = [...prefix]
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = (last.codePointAt(0) ?? 0) + 1
    // Half characters are no text.
    if (point <= 0x10ffff) return points.join("") + String.fromCodePoint(point === 0xd800 ? 0xe000 : point)
  }
  return undefined
}

/** JSON as a value; undefined where it is none. @category converting */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A checksum over JSON text, its execution and its number. @category checksums */
export const checksum = (id: string, seq: number, text: string): number => crc32(text, crc32(`${id}\n${seq}\n`))

/** The columns of a head. @category columns */
export const columns =
  "id, flow, version, fingerprint, status, lifecycle, input, tags, started_at, closed_at, updated_at, seq, snapshot, " +
  "fence, owner_runner, owner_incarnation, wake_at, tries, dead"

/** A row of executions, by `columns`. @category models */
export interface HeadRow {
  readonly id: string
  readonly flow: string
  readonly version: string | null
  readonly fingerprint: string | null
  readonly status: string
  readonly lifecycle: string
  readonly input: string
  readonly tags: string
  readonly started_at: number
  readonly closed_at: number | null
  readonly updated_at: number
  readonly seq: number
  readonly snapshot: number
  readonly fence: number
  readonly owner_runner: string | null
  readonly owner_incarnation: string | null
  readonly wake_at: number | null
  readonly tries: number
  readonly dead: string | null
}

const decode = Schema.decodeUnknownOption(JournalHead)

/** The head of a row; none where the row is damaged. @category converting */
export const headOf = (row: HeadRow): Option.Option<JournalHead> =>
  decode({
    id: original(row.id),
    flow: original(row.flow),
    ...(row.version !== null && { version: original(row.version) }),
    ...(row.fingerprint !== null && { fingerprint: original(row.fingerprint) }),
    status: row.status,
    lifecycle: row.lifecycle,
    input: original(row.input),
    tags: parse(row.tags),
    startedAt: row.started_at,
    ...(row.closed_at !== null && { closedAt: row.closed_at }),
    updatedAt: row.updated_at,
    seq: row.seq,
    snapshot: row.snapshot,
    fence: row.fence,
    ...(row.owner_runner !== null && {
      owner: { runner: original(row.owner_runner), incarnation: original(row.owner_incarnation ?? "") }
    }),
    ...(row.wake_at !== null && { wakeAt: row.wake_at }),
    tries: row.tries,
    ...(row.dead !== null && { dead: parse(row.dead) })
  })

/** A row of the journal. @category models */
export interface EntryRow {
  readonly seq: number
  readonly at: number
  readonly records: string
  readonly crc: number
}

/** What is wrong with text that was written with a checksum; undefined: nothing. @category checksums */
export const damage = (id: string, seq: number, text: string, crc: number): string | undefined =>
  checksum(id, seq, text) === crc ? undefined : "its checksum is not the one that was written"

/** Whether a value is JSON that `parse` has given. @category guards */
export const isJson = (value: unknown): value is Schema.Json => value !== undefined

/** A number that tells one write from any other, also from one that is made again. @category constructors */
export const token = (): number => {
  const [low = 0, high = 0] = crypto.getRandomValues(new Uint32Array(2))
  // Up to 2^53, and never a checksum, which is below 2^32.
  return 2 ** 32 + (high % 2 ** 20) * 2 ** 32 + low
}
