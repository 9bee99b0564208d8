/** A vendor's own JSON-Schema mode, from an agent to the bytes that its layer sends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { ModelProvider } from "effigent/services/ModelProvider"
import { type Answer, type Manner, peer, type Wire } from "./Play.ts"

export interface NativeMode {
  readonly wire: Wire
  readonly dialect: "openai" | "anthropic"
  /** The dialect's name in reasons. */
  readonly title: string
  /** The field of the body that asks for the mode. */
  readonly field: string
  /** What stands in it for `Ticket`. */
  readonly ticket: unknown
  /** A Ticket as a model writes it whom that schema binds. */
  readonly answer: { readonly [key: string]: unknown }
  /** What stands in it for `Tree`; absent where the dialect knows no recursion. */
  readonly tree?: unknown
}

/** Has what the dialects treat differently: bounds, optional keys and unions. */
export const Ticket = Schema.Struct({
  title: Output.ensure(Schema.String, "One line", "notEmpty"),
  stars: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
  tags: Schema.Array(Schema.String),
  urgent: Schema.optionalKey(Schema.Boolean),
  due: Schema.NullOr(Schema.DateFromString),
  from: Schema.Struct({ name: Schema.String, phone: Schema.optional(Schema.String) })
}).annotate({ identifier: "Ticket" })

const ticket: typeof Ticket.Type = {
  title: "Printer on fire",
  stars: 5,
  tags: ["hot"],
  due: new Date("2026-02-01T09:00:00.000Z"),
  from: { name: "Ann" }
}

interface Tree {
  readonly v: string
  readonly kids: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  v: Schema.String,
  kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })
const tree: Tree = { v: "a", kids: [{ v: "b", kids: [] }] }

const manner: Manner = { name: "an honest peer", writes: "bytes", breaksOff: "end", silence: "headers" }

const says = (text: string): Answer => ({
  _tag: "Says",
  // As tokens come: in small pieces.
  texts: text.match(/[^]{1,7}/g) ?? [],
  finish: "stop",
  usage: { inputTokens: 21, outputTokens: 9 }
})

/** Makes the tests for one vendor. */
export const nativeMode = (mode: NativeMode): void => {
  const { dialect, field, title, wire } = mode

  // Asks over a real socket for what the schema says, and gives the data, the facts and all bodies that were sent.
  const ask = Effect.fnUntraced(function* <A>(
    schema: Schema.Codec<A, unknown>,
    answers: readonly [unknown, ...ReadonlyArray<unknown>],
    native: boolean = true
  ) {
    const [first, ...more] = answers
    const { received, url } = yield* peer(
      wire,
      [says(JSON.stringify(first)), ...more.map((answer) => says(JSON.stringify(answer)))],
      manner
    )
    const agent = Agent.make({ instruct: "Read the letter.", input: "The printer is on fire!", output: schema, native })
    const { attempts, data, meta } = yield* Effect.flatMap(Agent.respond(agent), ({ full }) => full).pipe(
      Effect.provide(wire.layer(url))
    )
    const bodies = received.map(({ body }): Record<string, unknown> => JSON.parse(body))
    return { attempts, bodies, data, meta }
  })

  it.effect("the layer says which dialect its mode speaks", () =>
    Effect.gen(function* () {
      const provider = yield* ModelProvider
      assert.strictEqual(provider.dialect, dialect)
    }).pipe(Effect.provide(wire.layer("http://127.0.0.1:9")))
  )

  it.live("the body carries the strict schema, and the answer that it binds decodes", () =>
    Effect.gen(function* () {
      const { bodies, data, meta } = yield* ask(Ticket, [mode.answer])
      assert.lengthOf(bodies, 1)
      assert.deepStrictEqual(bodies[0]?.[field], mode.ticket)
      assert.isTrue(meta.native)
      assert.deepStrictEqual(data, ticket)
    })
  )

  it.live("the prompt still says what is wanted, word for word as without the mode", () =>
    Effect.gen(function* () {
      const { [field]: schema, ...native } = (yield* ask(Ticket, [mode.answer])).bodies[0] ?? {}
      const plain = (yield* ask(Ticket, [mode.answer], false)).bodies[0]
      assert.isDefined(schema)
      assert.deepStrictEqual(native, plain)
    })
  )

  it.live("an agent that does not ask for it does not get it", () =>
    Effect.gen(function* () {
      const { bodies, meta } = yield* ask(Ticket, [mode.answer], false)
      assert.notProperty(bodies[0], field)
      assert.isFalse(meta.native)
    })
  )

  it.live("a correction asks for it again", () =>
    Effect.gen(function* () {
      // What no strict schema hinders: the text is there, and blank.
      const { attempts, bodies, data } = yield* ask(Ticket, [{ ...mode.answer, title: " " }, mode.answer])
      assert.deepStrictEqual(
        attempts.map(({ findings }) => findings.length),
        [1, 0]
      )
      assert.deepStrictEqual(
        bodies.map((body) => body[field]),
        [mode.ticket, mode.ticket]
      )
      assert.deepStrictEqual(data, ticket)
    })
  )

  it.live(`a recursive value ${mode.tree === undefined ? "turns it off" : "is written by reference"}`, () =>
    Effect.gen(function* () {
      const { bodies, data, meta } = yield* ask(Tree, [tree])
      assert.deepStrictEqual(bodies[0]?.[field], mode.tree)
      assert.strictEqual(meta.native, mode.tree !== undefined || `${title} cannot express a recursive value (kids[*])`)
      assert.deepStrictEqual(data, tree)
    })
  )

  describe("what the dialect cannot express turns it off, and meta says why:", () => {
    const turnsOff = <A>(what: string, schema: Schema.Codec<A, unknown>, answer: A, reason: string) =>
      it.live(what, () =>
        Effect.gen(function* () {
          const { bodies, data, meta } = yield* ask(schema, [answer])
          assert.lengthOf(bodies, 1)
          assert.notProperty(bodies[0], field)
          assert.strictEqual(meta.native, `${title} cannot express ${reason}`)
          assert.deepStrictEqual(data, answer)
        })
      )
    const record = Schema.Record(Schema.String, Schema.Int)
    turnsOff("a record at the root", record, { a: 1 }, "a record (the whole value)")
    turnsOff("a record below", Schema.Struct({ by: record }), { by: { a: 1 } }, "a record (by)")
    turnsOff("an array at the root", Schema.Array(Schema.Int), [1, 2], "a root that is no object")
    turnsOff("a number", Schema.Number, 4, "a root that is no object")
    turnsOff("a tuple", Schema.Struct({ at: Schema.Tuple([Schema.Int, Schema.Int]) }), { at: [1, 2] }, "a tuple (at)")
    turnsOff("anything", Schema.Struct({ v: Schema.Unknown }), { v: [1] }, "a value of any type (v)")
  })

  it.live("free text has no schema", () =>
    Effect.gen(function* () {
      const { received, url } = yield* peer(wire, [says("All is well.")], manner)
      const response = yield* Effect.provide(Agent.respond(Agent.make({ input: "Hi", native: true })), wire.layer(url))
      assert.strictEqual(yield* response.data, "All is well.")
      assert.notProperty(JSON.parse(received[0]?.body ?? ""), field)
      assert.strictEqual((yield* response.meta).native, `${title} cannot express a root that is no object`)
    })
  )
}
