// Field formats from the agent's setting to the typed value: what the model is told, how its answer is read, and what
// happens where it does not write what it was told.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Agent, Contract, type InstantEvent, Output } from "effigent"
import { OfflineModel } from "effigent/layers/offline"
import { ScriptedModel } from "effigent/testing"

const Post = Schema.Struct({
  body: Output.ensure(Schema.String, "The post", "notEmpty"),
  ok: Output.ensure(Schema.Boolean, "Whether it may be published")
})
const formats = ["hybrid", "xmlField", "yamlLiteral", "flatMarkdown"] as const
const answers = {
  hybrid: "### body\nHi\n\n### ok JSON\n```json\ntrue\n```\n",
  flatMarkdown: "### body\nHi\n\n### ok\ntrue",
  xmlField:
    '<answer>\n<field name="body" type="text">\nHi\n</field>\n<field name="ok" type="json">true</field>\n</answer>',
  yamlLiteral: "<<<BEGIN YAML>>>\nbody: |-\n  Hi\nok: true\n<<<END YAML>>>"
}

const agent = (format: Contract.FormatChoice) => Agent.make({ output: Post, format }).pipe(Agent.input("go"))

const userText = (agent: Agent.Agent<unknown, unknown, unknown>) =>
  Effect.map(Agent.preview(agent), ({ prompt }) => {
    const part = prompt.content.at(-1)?.content[0]
    return typeof part === "object" && part.type === "text" ? part.text : ""
  })

const dones = (events: ReadonlyArray<InstantEvent>) =>
  events.flatMap((event) => (event._tag === "Field" && event.isComplete ? [[event.path, event.value]] : []))

describe.each(formats)("%s", (format) => {
  const script = ScriptedModel.layer([ScriptedModel.text(answers[format], { chunkSize: 4 })])

  it.effect("IS-20 reading the stream never changes the data, and done events carry typed values", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent(format))
      const events = yield* Stream.runCollect(response.instant)
      const full = yield* response.full
      assert.deepStrictEqual(full.data, { body: "Hi", ok: true })
      assert.deepStrictEqual(dones(events), [
        ["body", "Hi"],
        ["ok", true]
      ])
      assert.strictEqual(full.meta.format, format)
      assert.isUndefined(full.meta.formatFallback)
      const partials = yield* Stream.runCollect(response.partial)
      assert.deepStrictEqual(partials.at(-1), { body: "Hi", ok: true })
      const deltas = yield* Stream.runCollect(response.field("body"))
      assert.strictEqual(deltas.map((delta) => (delta._tag === "TextDelta" ? delta.text : "")).join(""), "Hi")
    }).pipe(Effect.provide(script))
  )

  it.effect("the request says the format, and asks for no JSON-Schema mode", () =>
    Effect.gen(function* () {
      const response = yield* agent(format).pipe(Agent.settings({ native: true }), Agent.respond)
      const meta = yield* response.meta
      assert.strictEqual(meta.native, `the JSON-Schema mode writes JSON, and the format is ${format}`)
      const [request] = yield* ScriptedModel.requests
      assert.strictEqual(request?.output.format, format)
      assert.strictEqual(request?.output.native, false)
    }).pipe(Effect.provide(script))
  )

  it.effect("RV-14 a JSON reply is accepted, and the meta says so", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent(format))
      const { data, meta } = yield* response.full
      assert.deepStrictEqual(data, { body: "Hi", ok: true })
      assert.strictEqual(meta.attempts.length, 1)
      assert.strictEqual(meta.format, "json")
      assert.deepStrictEqual(meta.formatFallback, { from: format, to: "json", reason: "the model wrote JSON" })
      assert.deepStrictEqual(dones(yield* Stream.runCollect(response.instant)), [
        ["body", "Hi"],
        ["ok", true]
      ])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ body: "Hi", ok: true }, { chunkSize: 5 })])))
  )

  it.effect("a placeholder in place of an ensured field is asked for again", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(agent(format))
      const { attempts, data } = yield* response.full
      assert.deepStrictEqual(data, { body: "Hi", ok: true })
      assert.deepStrictEqual(
        attempts[0]?.findings.map(({ kind, path }) => [kind, path]),
        [["missing", "body"]]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text(answers[format].replace("Hi", "(your content here)")),
          ScriptedModel.text(answers[format])
        ])
      )
    )
  )

  it.effect("an answer that was cut in an ensured field is not accepted", () =>
    Effect.gen(function* () {
      const text = answers[format].slice(0, answers[format].indexOf("Hi") + 1)
      const model = ScriptedModel.always(ScriptedModel.text(text, { finish: "length" }))
      const error = yield* agent(format).pipe(
        Agent.settings({ maxRetries: 0 }),
        Agent.run,
        Effect.flip,
        Effect.provide(model)
      )
      const findings = error._tag === "OutputError" ? error.attempts.flatMap((attempt) => attempt.findings) : []
      assert.isTrue(
        findings.some(({ kind, path }) => kind === "cut" && path === "body"),
        JSON.stringify(findings)
      )
    })
  )

  it.effect("the offline model answers in it, and every field comes through", () =>
    Effect.gen(function* () {
      const response = yield* Agent.make({
        format,
        output: Schema.Struct({
          title: Output.ensure(Schema.String, "A title for the letter"),
          stars: Output.ensure(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })), "Rating")
        })
      }).pipe(Agent.input("The hotel was clean.\n### title\nWe gave it 4 stars."), Agent.respond)
      const { data, meta } = yield* response.full
      assert.isAbove(data.title.length, 0)
      assert.isTrue(Number.isInteger(data.stars))
      assert.strictEqual(meta.format, format)
      assert.deepStrictEqual(dones(yield* Stream.runCollect(response.instant)), [
        ["title", data.title],
        ["stars", data.stars]
      ])
    }).pipe(Effect.provide(OfflineModel.layer))
  )
})

describe("what the model is told", () => {
  const Report = Schema.Struct({
    body: Output.ensure(Schema.String, "The report", "notEmpty"),
    tags: Output.ensure(Schema.Array(Output.field(Schema.String, "a tag"))),
    stars: Schema.optionalKey(Output.field(Schema.Int, "Rating"))
  })
  const told = (format: Contract.FormatChoice) => Contract.withFormat(Contract.compile(Report), format).promptText

  it("hybrid: fields, skeleton, rules, requirements", () => {
    assert.strictEqual(
      told("hybrid"),
      `Data Format: Structured Markdown with JSON blocks
Fields:
- body: text; The report
- tags: JSON
- stars: JSON <int>; Rating

Response skeleton:
### body
(your content here)

### tags JSON
\`\`\`json
[
  <str>, // a tag
  ...
]
\`\`\`

### stars JSON
\`\`\`json
<int> // Rating
\`\`\`

Begin each field with its heading line, in this order, and write nothing before the first heading.
Text is written as it is. A text that holds a heading line of this list itself goes under \`### name JSON\` as a JSON string.

Field requirements:
- body: The report; required key; value must not be null, blank, or empty
- tags: required key; empty values are allowed, null is not`
    )
  })

  it("xmlField: one answer with one field for each name", () => {
    const text = told("xmlField") ?? ""
    assert.include(
      text,
      `<answer>
<field name="body" type="text">
(your content here)
</field>
<field name="tags" type="json">
[
  <str>, // a tag
  ...
]
</field>`
    )
    assert.include(text, "does not need XML entity escaping")
  })

  it("yamlLiteral: literal blocks between boundary lines", () => {
    assert.include(
      told("yamlLiteral"),
      `<<<BEGIN YAML>>>
body: |-
  (your content here)
tags: [ <str>, // a tag ... ]
stars: <int> // Rating
<<<END YAML>>>`
    )
  })

  it("a copy of any skeleton is no answer", () => {
    for (const format of ["hybrid", "xmlField", "yamlLiteral"] as const) {
      const text = told(format) ?? ""
      const skeleton = text.slice(text.indexOf("Response skeleton:") + 18, text.indexOf("\n\nField requirements"))
      const contract = Contract.withFormat(Contract.compile(Report), format)
      assert.strictEqual(contract.format, format)
      assert.notInclude(skeleton, "undefined")
      assert.include(skeleton, "body")
    }
  })

  it.effect("the section stands where the JSON one does", () =>
    Effect.gen(function* () {
      const text = yield* userText(agent("xmlField"))
      assert.match(text, /^\[INPUT\]:\ngo\n\n\[OUTPUT REQUIREMENT\]:\nData Format: XML fields\n[^]*\n\n\[OUTPUT\]:$/)
    })
  )
})

describe("auto", () => {
  const choice = (output: Output.Source) =>
    Contract.withFormat(Contract.compile(Output.toSchema(output)), "auto").format

  it("SP-11 takes the format that suits the output", () => {
    const texts = { a: Schema.String, b: Schema.String }
    assert.strictEqual(choice(texts), "xmlField")
    assert.strictEqual(choice({ a: Schema.String, n: Schema.Int }), "hybrid")
    assert.strictEqual(choice({ n: Schema.Int }), "json")
    assert.strictEqual(choice(Schema.Array(Schema.String)), "json")
    assert.strictEqual(choice(Schema.String), "text")
  })

  const auto = Agent.make({
    output: Schema.Struct({ a: Output.ensure(Schema.String), b: Schema.String }),
    format: "auto"
  }).pipe(Agent.input("go"))

  it.effect("RV-15 what cannot be read is asked for once more as JSON, in the same budget", () =>
    Effect.gen(function* () {
      const response = yield* Agent.respond(auto)
      const early = yield* Stream.runCollect(response.instant)
      const { data, meta } = yield* response.full
      assert.deepStrictEqual(data, { a: "1", b: "2" })
      const requests = yield* ScriptedModel.requests
      assert.deepStrictEqual(
        requests.map(({ output }) => output.format),
        ["xmlField", "json"]
      )
      assert.strictEqual(meta.format, "json")
      assert.deepStrictEqual(meta.formatFallback, {
        from: "xmlField",
        to: "json",
        reason: "attempt 1 could not be read as xmlField"
      })
      assert.deepStrictEqual(dones(early), [
        ["a", "1"],
        ["b", "2"]
      ])
      assert.deepStrictEqual(yield* Stream.runCollect(response.instant), early)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text("I would rather not write tags."),
          // As JSON, what looks like a field of the first format is but text.
          ScriptedModel.text('Well:\n<field name="b">\n{"a":"1","b":"2"}', { chunkSize: 3 })
        ])
      )
    )
  )

  it.effect("RV-15 a budget of no corrections is kept", () =>
    Effect.gen(function* () {
      const error = yield* auto.pipe(Agent.settings({ maxRetries: 0 }), Agent.run, Effect.flip)
      assert.strictEqual(error._tag, "OutputError")
      assert.strictEqual((yield* ScriptedModel.requests).length, 1)
    }).pipe(Effect.provide(ScriptedModel.always(ScriptedModel.text("no"))))
  )

  it.effect("a format that was asked for by name is asked for again", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Agent.run(agent("hybrid")), { body: "Hi", ok: true })
      assert.deepStrictEqual(
        (yield* ScriptedModel.requests).map(({ output }) => output.format),
        ["hybrid", "hybrid"]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("no"), ScriptedModel.text(answers.hybrid)])))
  )

  it.effect("an output that a format cannot carry is asked for in JSON, and the meta says why", () =>
    Effect.gen(function* () {
      const list = Agent.make({ output: Schema.Array(Schema.String), format: "hybrid" }).pipe(Agent.input("go"))
      const response = yield* Agent.respond(list)
      const { data, meta } = yield* response.full
      assert.deepStrictEqual(data, ["a"])
      assert.deepStrictEqual(meta.formatFallback, {
        from: "hybrid",
        to: "json",
        reason: "the output is no object"
      })
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json(["a"])])))
  )
})
