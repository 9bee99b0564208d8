/**
 * What can happen to a recorded stream on its way: each mutation makes a delivery of it, by random choices that a seed
 * repeats.
 */
import { constants, gunzipSync, gzipSync } from "node:zlib"
import type { Random } from "./Random.ts"
import type { Recording } from "./Recordings.ts"

/** What the server does. */
export interface Delivery {
  /** The body, in the pieces in which it is written. */
  readonly segments: ReadonlyArray<Uint8Array>
  readonly status?: number
  readonly headers?: Record<string, string>
  /** Milliseconds between pieces. Default: none. */
  readonly pause?: number
  /** What follows the pieces. Default: a clean end. */
  readonly end?: "end" | "reset" | "hold"
  /** Written again and again after the pieces, until the other side leaves. */
  readonly forever?: string
  /** What the pieces say, where they are packed. */
  readonly unpacked?: Uint8Array
  /** Written to the socket instead of an HTTP answer. */
  readonly raw?: ReadonlyArray<Uint8Array>
}

/**
 * - `harmless`: the outcome is that of the recording;
 * - `plain`: the bytes arrive as they are: the outcome is what they say;
 * - `odd`: what succeeds is what the bytes say, and anything may fail;
 * - `late`: likewise, and the answer does not end by itself.
 */
export type Kind = "harmless" | "plain" | "odd" | "late"

export interface Mutation {
  readonly name: string
  readonly kind: Kind
  readonly deliver: (random: Random, recording: Recording, others: ReadonlyArray<Recording>) => Delivery
}

const bytesOf = (frames: ReadonlyArray<string>) => Buffer.from(frames.join(""))

const chunks = (random: Random, bytes: Uint8Array, largest: number): Array<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let from = 0; from < bytes.length;) {
    const to = from + random.int(1, largest)
    pieces.push(bytes.subarray(from, to))
    from = to
  }
  return pieces
}

// Sizes from single bytes to everything at once.
const anyhow = (random: Random, bytes: Uint8Array): Delivery => ({
  segments: chunks(random, bytes, random.pick([7, 64, 512, 100_000]))
})

const framewise =
  (change: (random: Random, frames: Array<string>, others: ReadonlyArray<Recording>) => void) =>
  (random: Random, recording: Recording, others: ReadonlyArray<Recording>): Delivery => {
    const frames = [...recording.frames]
    change(random, frames, others)
    return anyhow(random, bytesOf(frames))
  }

const bytewise = (change: (random: Random, bytes: Buffer) => Uint8Array) => (random: Random, recording: Recording) =>
  anyhow(random, change(random, bytesOf(recording.frames)))

// Puts texts between frames.
const between = (make: (random: Random) => string) =>
  framewise((random, frames) => {
    for (let n = random.int(1, 4); n > 0; n--) frames.splice(random.int(0, frames.length), 0, make(random))
  })

const splice = (bytes: Uint8Array, at: number, remove: number, insert: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)])

const cut = (random: Random, { frames }: Recording) => {
  const bytes = bytesOf(frames)
  return bytes.subarray(0, random.int(0, bytes.length))
}

// Replaces or removes one value anywhere in a JSON value.
const distort = (random: Random, value: unknown): unknown => {
  const parents: Array<[object, string]> = []
  const visit = (node: unknown) => {
    if (typeof node !== "object" || node === null) return
    for (const key of Object.keys(node)) {
      parents.push([node, key])
      visit(Reflect.get(node, key))
    }
  }
  visit(value)
  const found = parents[parents.length === 0 ? 0 : random.at(parents)]
  if (found === undefined) return value
  const [parent, key] = found
  const wrong = random.pick([undefined, null, 7, -1, true, "XXX", "", [], {}, [7], "\u0000"])
  if (wrong === undefined && !Array.isArray(parent)) Reflect.deleteProperty(parent, key)
  else Reflect.set(parent, key, wrong ?? null)
  return value
}

const distortFrame = framewise((random, frames) => {
  for (let n = random.int(1, 3); n > 0; n--) {
    const at = random.at(frames)
    frames[at] = (frames[at] ?? "").replace(/^data: (\{.*\})$/m, (_, json: string) => {
      return `data: ${JSON.stringify(distort(random, JSON.parse(json)))}`
    })
  }
})

const ok = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
const chunked = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")])

const raw =
  (write: (random: Random, bytes: Buffer) => ReadonlyArray<Uint8Array | string>) =>
  (random: Random, { frames }: Recording): Delivery => {
    const bytes = bytesOf(frames)
    return { segments: [bytes], raw: write(random, bytes).map((part) => Buffer.from(part)) }
  }

const empty = new Uint8Array()

export const mutations: readonly [Mutation, ...ReadonlyArray<Mutation>] = [
  // The same bytes, otherwise cut or paced.
  {
    name: "as recorded",
    kind: "harmless",
    deliver: (_, { frames }) => ({ segments: frames.map((f) => Buffer.from(f)) })
  },
  { name: "random chunks", kind: "harmless", deliver: (random, { frames }) => anyhow(random, bytesOf(frames)) },
  {
    name: "single bytes",
    kind: "harmless",
    // Each takes a turn of the loop: a part is enough.
    deliver: (random, { frames }) => {
      const bytes = bytesOf(frames)
      const from = random.at(bytes)
      const pieces = [bytes.subarray(0, from), bytes.subarray(from, from + 400), bytes.subarray(from + 400)]
      const sizes = [512, 1, 512]
      return { segments: pieces.flatMap((piece, n) => chunks(random, piece, sizes[n] ?? 1)) }
    }
  },
  {
    name: "slow drip",
    kind: "harmless",
    deliver: (random, { frames }) => ({ segments: chunks(random, bytesOf(frames), 200), pause: random.int(1, 3) })
  },
  {
    name: "gzip",
    kind: "harmless",
    deliver: (random, { frames }) => ({
      segments: chunks(random, gzipSync(bytesOf(frames)), 64),
      headers: { "content-encoding": "gzip" }
    })
  },
  {
    name: "no content type",
    kind: "harmless",
    deliver: (random, { frames }) => ({ ...anyhow(random, bytesOf(frames)), headers: { "content-type": "" } })
  },
  // Other bytes that mean the same.
  {
    name: "other line ends",
    kind: "harmless",
    deliver: (random, { frames }) =>
      anyhow(random, Buffer.from(frames.join("").replaceAll("\n", random.pick(["\r\n", "\r"]))))
  },
  { name: "byte order mark", kind: "harmless", deliver: framewise((_, frames) => void frames.unshift("\uFEFF")) },
  { name: "comments", kind: "harmless", deliver: between((random) => random.pick([": ping\n\n", ":\n\n", ":x\n"])) },
  {
    name: "a large comment",
    kind: "harmless",
    deliver: (random, { frames }) => {
      const at = random.int(0, frames.length)
      const comment = `: ${"x".repeat(random.int(1, 300_000))}\n\n`
      return { segments: chunks(random, bytesOf(frames.toSpliced(at, 0, comment)), 40_000) }
    }
  },
  {
    name: "unknown events",
    kind: "harmless",
    deliver: between((random) =>
      random.pick([
        `event: ping\ndata: {"type":"ping"}\n\n`,
        `event: future\ndata: {"type":"future","delta":"XXX","content":"XXX"}\n\n`,
        "event: empty\n\n",
        "data:\n\n",
        "id: 7\nretry: 10\n\n",
        "data: []\n\n",
        "data: 7\n\n"
      ])
    )
  },
  {
    name: "no last blank line",
    kind: "harmless",
    deliver: (random, { frames }) => anyhow(random, Buffer.from(frames.join("").trimEnd()))
  },
  {
    name: "bytes after the end",
    kind: "harmless",
    deliver: framewise((random, frames) => void frames.push(random.bytes(random.int(1, 500)).toString("latin1")))
  },
  // Frames lost, repeated, out of order, mixed.
  { name: "lost frames", kind: "plain", deliver: framewise((r, f) => void f.splice(r.at(f), r.int(1, 3))) },
  {
    name: "repeated frame",
    kind: "plain",
    deliver: framewise((r, f) => void f.splice(r.int(0, f.length), 0, r.pick(["", ...f])))
  },
  {
    name: "swapped frames",
    kind: "plain",
    deliver: framewise((random, frames) => {
      const [a, b] = [random.at(frames), random.at(frames)]
      ;[frames[a], frames[b]] = [frames[b] ?? "", frames[a] ?? ""]
    })
  },
  {
    name: "shuffled frames",
    kind: "plain",
    deliver: framewise((random, frames) => {
      for (let at = frames.length - 1; at > 0; at--) {
        const other = random.int(0, at)
        ;[frames[at], frames[other]] = [frames[other] ?? "", frames[at] ?? ""]
      }
    })
  },
  {
    name: "two streams in one",
    kind: "odd",
    deliver: framewise((random, frames, others) => {
      const { frames: second } = random.pick([
        others[0] ?? { name: "", frames: [] },
        ...others.filter((o) => !o.inline)
      ])
      frames.splice(random.at(frames), frames.length, ...second.slice(random.at(second)))
    })
  },
  { name: "wrong types", kind: "odd", deliver: distortFrame },
  // Bytes lost, changed, added.
  { name: "cut", kind: "plain", deliver: (random, recording) => anyhow(random, cut(random, recording)) },
  {
    name: "garbage between frames",
    kind: "odd",
    deliver: between((random) => random.bytes(random.int(1, 40)).toString("latin1"))
  },
  {
    name: "garbage events",
    kind: "plain",
    deliver: between((random) => `data: ${random.pick(["<html>", "{", '{"a":', "nul", "}"])}\n\n`)
  },
  {
    name: "changed bytes",
    kind: "odd",
    deliver: bytewise((random, bytes) => {
      for (let n = random.int(1, 5); n > 0; n--) bytes[random.at(bytes)] = random.int(0, 255)
      return bytes
    })
  },
  {
    name: "flipped bits",
    kind: "odd",
    deliver: bytewise((random, bytes) => {
      const at = random.at(bytes)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(0, 7))
      return bytes
    })
  },
  {
    name: "lost bytes",
    kind: "odd",
    deliver: bytewise((random, bytes) => splice(bytes, random.at(bytes), random.int(1, 60), empty))
  },
  {
    name: "added bytes",
    kind: "odd",
    deliver: bytewise((random, bytes) => splice(bytes, random.at(bytes), 0, random.bytes(random.int(1, 60))))
  },
  {
    name: "repeated bytes",
    kind: "odd",
    deliver: bytewise((random, bytes) => {
      const from = random.at(bytes)
      return splice(bytes, from, 0, Buffer.from(bytes.subarray(from, from + random.int(1, 300))))
    })
  },
  {
    name: "another encoding",
    kind: "odd",
    deliver: (random, { frames }) => anyhow(random, Buffer.from(frames.join(""), random.pick(["utf16le", "latin1"])))
  },
  { name: "noise alone", kind: "odd", deliver: (random) => anyhow(random, random.bytes(random.int(0, 2000))) },
  // Other answers.
  {
    name: "wrong content type",
    kind: "odd",
    deliver: (random, { frames }) => ({
      ...anyhow(random, bytesOf(frames)),
      headers: { "content-type": random.pick(["application/json", "text/html", "image/png", "?"]) }
    })
  },
  {
    name: "wrong content encoding",
    kind: "odd",
    deliver: (random, { frames }) => ({
      ...anyhow(random, bytesOf(frames)),
      headers: { "content-encoding": random.pick(["gzip", "br", "deflate", "rot13"]) }
    })
  },
  {
    name: "gzip that is cut",
    kind: "odd",
    deliver: (random, { frames }) => {
      const whole = gzipSync(bytesOf(frames))
      const bytes = whole.subarray(0, random.at(whole))
      const unpacked = gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
      return { ...anyhow(random, bytes), headers: { "content-encoding": "gzip" }, unpacked }
    }
  },
  {
    name: "another status",
    kind: "odd",
    deliver: (random, { frames }) => ({
      ...anyhow(random, random.pick([bytesOf(frames), random.bytes(300)])),
      status: random.pick([201, 204, 301, 400, 401, 404, 429, 500, 503, 529, 599])
    })
  },
  // Broken connections and broken HTTP.
  {
    name: "reset",
    kind: "odd",
    deliver: (random, recording) => ({ ...anyhow(random, cut(random, recording)), end: "reset" })
  },
  { name: "no answer at all", kind: "odd", deliver: raw(() => []) },
  { name: "not HTTP", kind: "odd", deliver: raw((random) => [random.bytes(random.int(1, 200)), "\r\n\r\n"]) },
  { name: "headers cut", kind: "odd", deliver: raw((random) => [ok.slice(0, random.at(ok))]) },
  {
    name: "body longer than announced",
    kind: "odd",
    deliver: raw((random, bytes) => [`${ok}content-length: ${random.at(bytes)}\r\n\r\n`, bytes])
  },
  {
    name: "body shorter than announced",
    kind: "odd",
    deliver: raw((random, bytes) => [`${ok}content-length: ${bytes.length + random.int(1, 99)}\r\n\r\n`, bytes])
  },
  {
    name: "broken chunk sizes",
    kind: "odd",
    deliver: raw((random, bytes) => [
      `${ok}transfer-encoding: chunked\r\n\r\n`,
      chunked(bytes.subarray(0, random.at(bytes))),
      random.pick(["zz\r\nxx\r\n", "-1\r\n", "ffffffffffffffff\r\n", "5\r\nab"])
    ])
  },
  {
    name: "no last chunk",
    kind: "odd",
    deliver: raw((_, bytes) => [`${ok}transfer-encoding: chunked\r\n\r\n`, chunked(bytes)])
  },
  // Answers that do not end.
  {
    name: "stall",
    kind: "late",
    deliver: (random, recording) => ({ ...anyhow(random, cut(random, recording)), end: "hold" })
  },
  {
    name: "pings for ever",
    kind: "late",
    deliver: (random, recording) => ({
      ...anyhow(random, cut(random, recording)),
      forever: random.pick([": ping\n\n", "event: ping\ndata: {}\n\n", "\n\n"])
    })
  },
  {
    name: "one byte for ever",
    kind: "late",
    deliver: (random, recording) => ({ ...anyhow(random, cut(random, recording)), forever: "x" })
  },
  {
    name: "a drip beyond the limit",
    kind: "late",
    deliver: (random, { frames }) => ({ segments: chunks(random, bytesOf(frames), 20), pause: 25 })
  },
  {
    name: "no headers",
    kind: "late",
    deliver: (_, { frames }) => ({ segments: [bytesOf(frames)], raw: [], end: "hold" })
  },
  {
    name: "headers without an end",
    kind: "late",
    deliver: (_, { frames }) => ({ segments: [bytesOf(frames)], raw: [Buffer.from(ok)], end: "hold" })
  }
]

/** Too large to be drawn often: an event that never ends. */
export const huge: Mutation = {
  name: "an event of 11 MB",
  kind: "odd",
  deliver: (_, { frames }) => ({
    segments: [Buffer.from(frames[0] ?? ""), Buffer.from(`data: {"x":"`), Buffer.alloc(11 * 1024 * 1024, "x")]
  })
}
