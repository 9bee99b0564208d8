/** What P5 parses: an object with an array of objects of seven fields, as a Schema, as a shape and as a text of any size. */
import * as Schema from "effect/Schema"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import type { Shape } from "../../src/parse/Shape.ts"

const Item = Schema.Struct({
  id: Schema.Number,
  name: Schema.String,
  text: Schema.String,
  price: Schema.Number,
  active: Schema.Boolean,
  note: Schema.NullOr(Schema.String),
  tags: Schema.Array(Schema.String)
})
/** The contract. */
export const Answer = Schema.Struct({ items: Schema.Array(Item) })

const text: Shape = { kind: "string" }
const itemKeys: ReadonlyArray<readonly [string, Shape]> = [
  ["id", { kind: "number" }],
  ["name", text],
  ["text", text],
  ["price", { kind: "number" }],
  ["active", { kind: "boolean" }],
  ["note", { kind: "union", members: [text, { kind: "null" }] }],
  ["tags", { kind: "array", prefix: [], item: text }]
]
const object = (keys: ReadonlyArray<readonly [string, Shape]>): Shape => ({
  kind: "object",
  keys: new Map(keys),
  required: new Set(keys.map(([key]) => key))
})
/** The contract as the parser sees it. */
export const shape = object([["items", { kind: "array", prefix: [], item: object(itemKeys) }]])

/** A text of about `size` characters. */
export const document = (size: number): string => {
  const items: Array<string> = []
  let length = 0
  for (let id = 0; length < size - 14; id++) {
    const item = JSON.stringify({
      id,
      name: `Product ${id}`,
      text: `The "${id}th" thing, as seen from\nthe ${id % 7} sides that it has.`,
      price: id * 1.25,
      active: id % 3 === 0,
      note: id % 2 === 0 ? null : "in stock",
      tags: ["new", `t${id % 10}`]
    })
    items.push(item)
    length += item.length + 1
  }
  return `{"items":[${items.join(",")}]}`
}

/** The text in chunks of four characters. */
export const inChunks = (source: string): ReadonlyArray<string> => source.match(/[^]{1,4}/g) ?? []

/** What the events and values that were looked at add up to; kept, so that no compiler may leave the looking out. */
export const seen = { total: 0 }

/** Parses the chunks, and looks at the path of every field event. */
export const scan = (chunks: ReadonlyArray<string>): JsonScanner.JsonScanner => {
  const scanner = JsonScanner.make({ shape, attempt: 1 })
  for (const chunk of chunks) for (const event of scanner.write(chunk)) seen.total += event.path.length
  for (const event of scanner.end("complete")) seen.total += event.path.length
  return scanner
}
