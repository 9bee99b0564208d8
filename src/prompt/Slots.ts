/**
 * A prompt as data: named slots that an agent fills in advance and a request completes. How two layers of slots merge
 * stands here; how slots become messages stands in `Render.ts`.
 *
 * Merging, the later layer over the earlier: objects merge key by key, lists are the later items followed by those
 * earlier ones that are not among them, all else is replaced. History and attachments are appended. A key that is `undefined` is absent;
 * every other value counts, `0`, `false` and `""` included.
 */
import * as Equal from "effect/Equal"
import type { Prompt } from "../../services/Ai.ts"
import type { Attachment } from "./Attachment.ts"

/**
 * The slots of a prompt. Values are texts or anything that has a JSON form; structured values are rendered as YAML.
 *
 * @category models
 */
export interface Slots {
  /** Who the model is: a system message. */
  readonly system?: unknown
  /** Rules of the application: a message of the developer role, or of the system role where there is no such role. */
  readonly developer?: unknown
  /** What the model should know. */
  readonly info?: unknown
  /** What the model should do. */
  readonly instruct?: unknown
  /** Examples of good answers. */
  readonly examples?: unknown
  /** What this request is about. */
  readonly input?: unknown
  /** The conversation so far, oldest first. */
  readonly history?: ReadonlyArray<Prompt.MessageEncoded> | undefined
  /** Texts, images, audio and documents of this request, in this order. */
  readonly attachments?: ReadonlyArray<Attachment> | undefined
  /** Further slots, each rendered as a section of its own name, in this order, after INFO. */
  readonly custom?: { readonly [name: string]: unknown } | undefined
}

const isPlain = (value: unknown): value is { readonly [key: string]: unknown } => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === null || proto === Object.prototype
}

const mergeValue = (base: unknown, next: unknown): unknown => {
  if (next === undefined) return base
  if (Array.isArray(base) && Array.isArray(next)) {
    return [...next, ...base.filter((old) => !next.some((item) => Equal.equals(old, item)))]
  }
  return isPlain(base) && isPlain(next) ? mergeObject(base, next) : next
}

const mergeObject = (
  base: { readonly [key: string]: unknown },
  next: { readonly [key: string]: unknown }
): { readonly [key: string]: unknown } => {
  const out = new Map(Object.entries(base))
  for (const [key, value] of Object.entries(next)) {
    const merged = mergeValue(out.get(key), value)
    if (merged !== undefined) out.set(key, merged)
  }
  return Object.fromEntries(out)
}

const appended = <A>(
  before: ReadonlyArray<A> | undefined,
  after: ReadonlyArray<A> | undefined
): ReadonlyArray<A> | undefined =>
  before === undefined || after === undefined ? (before ?? after) : [...before, ...after]

/**
 * Lays one layer of slots over another, by the rules at the top of this file.
 *
 * @category combinators
 */
export const merge = (base: Slots, next: Slots): Slots => {
  const { attachments: filesBefore, history: before, ...rest } = base
  const { attachments: filesAfter, history: after, ...over } = next
  const merged: Slots = mergeObject({ ...rest }, { ...over })
  const history = appended(before, after)
  const attachments = appended(filesBefore, filesAfter)
  return {
    ...merged,
    ...(history === undefined ? {} : { history }),
    ...(attachments === undefined ? {} : { attachments })
  }
}
