import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Mark, Transcript } from "../../src/request/Transcript.ts"

type Entry = readonly ["text" | "reasoning", string] | readonly ["mark", number]

const mark = (attempt: number): Mark => ({ _tag: "Begun", attempt, format: "json" })

const write = (transcript: Transcript, entries: ReadonlyArray<Entry>) => {
  for (const [kind, value] of entries) {
    if (kind === "mark") transcript.mark(mark(value))
    else transcript[kind](value)
  }
}

const reader = (transcript: Transcript) => {
  const cursor = transcript.cursor()
  const seen: Array<Entry> = []
  const visitor = {
    text: (text: string) => void seen.push(["text", text]),
    reasoning: (text: string) => void seen.push(["reasoning", text]),
    mark: (m: Mark) => void seen.push(["mark", m._tag === "Begun" ? m.attempt : -1])
  }
  return { seen, cursor, visitor }
}

const readAll = (transcript: Transcript, limit: number) => {
  const { cursor, seen, visitor } = reader(transcript)
  while (cursor.hasNext()) cursor.advance(visitor, limit)
  return seen
}

const EntrySchema = Schema.Union([
  Schema.Tuple([Schema.Literals(["text", "reasoning"]), Schema.NonEmptyString]),
  Schema.Tuple([Schema.Literal("mark"), Schema.Int])
])

describe("Transcript", () => {
  it.effect.prop(
    "gives early and late readers the same entries, whatever the batch size",
    [Schema.Array(EntrySchema), Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))],
    ([entries, repeat]) =>
      Effect.sync(() => {
        const transcript = new Transcript()
        const early = reader(transcript)
        const all: Array<Entry> = []
        for (let i = 0; i < repeat * 10; i++) {
          write(transcript, entries)
          all.push(...entries)
          early.cursor.advance(early.visitor, 7)
        }
        while (early.cursor.hasNext()) early.cursor.advance(early.visitor, 7)
        assert.deepStrictEqual(early.seen, all)
        assert.deepStrictEqual(readAll(transcript, 1), all)
        assert.deepStrictEqual(readAll(transcript, 1_000), all)
      }),
    { arbitrary: { runs: 50 } }
  )

  it("splits long texts without breaking a surrogate pair", () => {
    const transcript = new Transcript()
    const text = `x${"🎉".repeat(20_000)}`
    transcript.text(text)
    const parts = readAll(transcript, 10).map(([, value]) => String(value))
    assert.strictEqual(parts.join(""), text)
    assert.isAbove(parts.length, 1)
    for (const part of parts) assert.isTrue(part.isWellFormed())
  })

  it("gives the text since a place", () => {
    const transcript = new Transcript()
    for (let i = 0; i < 1_000; i++) transcript.text(`a${i}`)
    transcript.reasoning("thinking")
    const { reasoning, text } = transcript.position()
    for (let i = 0; i < 1_000; i++) transcript.text(`b${i}`)
    transcript.reasoning(" more")
    assert.strictEqual(transcript.textSince(text), Array.from({ length: 1_000 }, (_, i) => `b${i}`).join(""))
    assert.strictEqual(transcript.reasoningSince(reasoning), " more")
  })

  it("wakes those who wait, once per flush, until they leave", () => {
    const transcript = new Transcript()
    let woken = 0
    const leave = transcript.onAppend(() => woken++)
    transcript.text("a")
    assert.strictEqual(woken, 0)
    transcript.flush()
    assert.strictEqual(woken, 1)
    leave()
    transcript.close()
    assert.strictEqual(woken, 1)
    assert.isTrue(transcript.isClosed)
  })
})
