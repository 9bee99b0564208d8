import { assert, describe, it } from "@effect/vitest"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, FileSystem, Result, Schema } from "effect"
import { Agent, Contract, Output, PromptFile } from "effigent"
import { Files } from "effigent/layers/files"
import { ScriptedModel } from "effigent/testing"
import * as Placeholders from "../../src/prompt/Placeholders.ts"

const read = (text: string, options: PromptFile.Options = {}) => Result.getOrThrow(PromptFile.parse(text, options))

const errorOf = (text: string, options: PromptFile.Options = {}) => {
  const result = PromptFile.parse(text, { file: "p.yaml", ...options })
  return Result.isFailure(result) ? result.failure.message : "no error"
}

const contractOf = (file: PromptFile.PromptFile) => Contract.compile(file.output ?? Schema.String)

const userText = (file: PromptFile.PromptFile) =>
  Effect.map(Agent.preview(Agent.fromPromptFile(file)), ({ prompt }) =>
    prompt.content.flatMap((message) =>
      typeof message.content === "string"
        ? [message.content]
        : message.content.flatMap((part) => (part.type === "text" ? [part.text] : []))
    )
  )

describe("placeholders", () => {
  const { fill } = Placeholders

  it("SP-06 names of slots become pointers, other names stay", () => {
    assert.strictEqual(
      fill("${INPUT.c} ${info.p} ${OUTPUT} ${UNKNOWN.x} ${Instruct} ${INPUT.a[0].b}", {}),
      "[INPUT > c] [INFO > p] [OUTPUT REQUIREMENT] ${UNKNOWN.x} [INSTRUCT] [INPUT > a[0] > b]"
    )
  })

  it("SP-07 mapped names are filled; a text that is one placeholder keeps the type of the value", () => {
    const mappings = { name: "Bob", n: 3, list: [1, { a: 2 }], nothing: null }
    assert.strictEqual(fill("hi ${name} ${ missing }", mappings), "hi Bob ${ missing }")
    assert.deepStrictEqual(fill({ a: "${n}", b: ["${list}"], c: "n=${n}, ${list}", d: "${nothing}" }, mappings), {
      a: 3,
      b: [[1, { a: 2 }]],
      c: 'n=3, [1,{"a":2}]',
      d: null
    })
    assert.deepStrictEqual(fill({ "${name}": 1 }, mappings), { Bob: 1 })
  })

  it("what was filled in is not read again, and no name reaches what is inherited", () => {
    assert.strictEqual(fill("${a} ${b}", { a: "${b} ${INPUT}", b: "x" }), "${b} ${INPUT} x")
    assert.strictEqual(fill("${toString} ${constructor}", {}), "${toString} ${constructor}")
    assert.strictEqual(fill("$& $1 ${a}", { a: "$& $1" }), "$& $1 $& $1")
  })

  it("a mapped name wins over a slot", () => {
    assert.strictEqual(fill("${INPUT}", { INPUT: "mine" }), "mine")
  })
})

describe("prompt files", () => {
  it.effect("sections and bare keys fill the slots; the request is laid over the agent", () =>
    Effect.gen(function* () {
      const file = read(
        `
.agent:
  system: You are terse.
  info: { k1: 1 }
  $glossary: words
$instruct: [base]
.execution:
  info: { k2: 2 }
  instruct: [first]
input: \${letter}
`,
        { mappings: { letter: "Hello" } }
      )
      assert.deepStrictEqual(yield* userText(file), [
        "You are terse.",
        "[INFO]:\n- k1: 1\n- k2: 2\n\n[GLOSSARY]:\nwords\n\n[INSTRUCT]:\n- first\n- base\n\n[INPUT]:\nHello\n\n[OUTPUT]:"
      ])
    })
  )

  it("SP-08 objects of agent and request are merged, texts replaced, lists joined", () => {
    const { slots } = read(
      ".agent: { info: { k1: 1 }, instruct: a, examples: [x] }\ninfo: { k2: 2 }\ninstruct: b\nexamples: [y]"
    )
    assert.deepStrictEqual(slots, { info: { k1: 1, k2: 2 }, instruct: "b", examples: ["y", "x"] })
  })

  it("texts in place of sections are the system text and the input", () => {
    assert.deepStrictEqual(read(".agent: Be brief.\n.execution: Hello").slots, { system: "Be brief.", input: "Hello" })
  })

  it("SP-05 an input of false, 0 or the empty text is an input", () => {
    for (const input of [false, 0, ""]) assert.deepStrictEqual(read(JSON.stringify({ input })).slots, { input })
  })

  it("SP-09 $type, $desc, $ensure and $format load to the same contract as in code", () => {
    const inCode = Output.make({
      title: Output.ensure(Schema.String, "Title"),
      items: [{ name: Output.ensure(Schema.String, "Name", "notEmpty"), value: Output.field(Schema.Int, "Value") }],
      level: Schema.Literals(["low", "high"]),
      meta: { tags: Output.field(Schema.Array(Schema.String), "Tags"), note: Schema.NullOr(Schema.Finite) }
    })
    const yaml = `
output:
  $format: hybrid
  $ensure_all_keys: true
  title: { $type: str, $desc: Title, $ensure: true }
  items:
    - name: { .type: string, $type: int, .desc: Name, $ensure: not_null }
      value: { $type: int, $desc: Value }
  level: { $type: '"low" | "high"' }
  meta:
    tags: { $type: [str], $desc: Tags }
    note: float | null
`
    const file = read(yaml)
    assert.strictEqual(contractOf(file).promptText, Contract.compile(inCode).promptText)
    assert.deepStrictEqual(contractOf(file).request.jsonSchema, Contract.compile(inCode).request.jsonSchema)
    assert.strictEqual(file.format, "hybrid")
    assert.isTrue(file.ensureAllKeys)
  })

  it("types in words", () => {
    const schemaOf = (words: string) =>
      contractOf(read(JSON.stringify({ output: { f: { $type: words, $ensure: true } } }))).request.jsonSchema
    const expected = (schema: Schema.Top) =>
      Contract.compile(Output.make({ f: Output.ensure(schema) })).request.jsonSchema
    const table: ReadonlyArray<readonly [string, Schema.Top]> = [
      ["str", Schema.String],
      ["Integer", Schema.Int],
      ["number", Schema.Finite],
      ["bool", Schema.Boolean],
      ["list[int]", Schema.Array(Schema.Int)],
      ["List[list[str]]", Schema.Array(Schema.Array(Schema.String))],
      ["str[]", Schema.Array(Schema.String)],
      ["dict[str, int]", Schema.Record(Schema.String, Schema.Int)],
      ["Optional[str]", Schema.NullOr(Schema.String)],
      ["str | int", Schema.Union([Schema.String, Schema.Int])],
      ['Literal["a|b", "c,d"]', Schema.Literals(["a|b", "c,d"])],
      ["1 | 2", Schema.Literals([1, 2])]
    ]
    for (const [words, schema] of table) assert.deepStrictEqual(schemaOf(words), expected(schema), words)
  })

  it("scalars and lists may be the whole output; a text that is no type says what the value is", () => {
    assert.strictEqual(contractOf(read("output: { $type: int, $desc: The answer }")).format, "json")
    assert.strictEqual(contractOf(read("output: str")).format, "text")
    assert.include(contractOf(read("output: [str]")).promptText, "<str>")
    assert.include(contractOf(read("output: { a: What it is about }")).promptText, '"a": <any> // What it is about')
  })

  it("options, model, name and aliases", () => {
    const file = read(`
.agent:
  name: clerk
  model: big
  options: { temperature: 0.2, max_tokens: 100, stop: END, top_k: 5 }
  .alias:
    instruct: { .args: [Be kind] }
    info: { .args: [city, Oslo], country: Norway }
    role: Clerk
options: { temperature: 0.5 }
input: hi
`)
    assert.deepStrictEqual([file.name, file.model], ["clerk", "big"])
    assert.deepStrictEqual(file.options, { temperature: 0.5, maxTokens: 100, stop: ["END"], provider: { top_k: 5 } })
    assert.deepStrictEqual(file.slots, {
      instruct: "Be kind",
      info: { city: "Oslo", country: "Norway" },
      system: "Clerk",
      input: "hi"
    })
  })

  it("YAML, JSON with comments and TOML say the same", () => {
    const yaml = ".agent:\n  system: A\ninput: b\noutput:\n  n: { $type: int, $ensure: true }"
    const json = `{
  // an agent
  ".agent": { "system": "A", },
  input: 'b',
  "output": { "n": { "$type": "int", "$ensure": true } }
}`
    const toml = `input = "b"\n[".agent"]\nsystem = "A"\n[output.n]\n"$type" = "int"\n"$ensure" = true\n`
    const files = [read(yaml), read(json), read(toml, { syntax: "toml" })]
    for (const file of files) {
      assert.deepStrictEqual(file.slots, { system: "A", input: "b" })
      assert.deepStrictEqual(contractOf(file).promptText, contractOf(read(yaml)).promptText)
    }
    assert.deepStrictEqual(read(toml, { file: "a.toml" }).slots, { system: "A", input: "b" })
    assert.deepStrictEqual(read(json, { file: "a.json5" }).slots, { system: "A", input: "b" })
  })

  it("a key leads to one of several prompts", () => {
    const text = "prompts:\n  a: { input: x }\n  b: { input: y }\n"
    assert.deepStrictEqual(read(text, { key: "prompts.b" }).slots, { input: "y" })
    assert.strictEqual(errorOf(text, { key: "prompts.c" }), "p.yaml:1: prompts > c: is not there")
  })

  it("what was read can be written again, and reads the same", () => {
    const file = read(
      `
.agent: { system: "two\\nlines", $rules: [a, "b: c"] }
.alias: { info: { .args: [k, v] } }
input: \${x}
output: { $format: xml_field, a: { $type: str, $desc: "Say: \\"hi\\"", $ensure: not_null }, b: [int] }
`,
      { mappings: { x: { deep: [1, null, true] } } }
    )
    for (const text of [PromptFile.toYaml(file), PromptFile.toJson(file)]) {
      const again = read(text)
      assert.deepStrictEqual(again.document, file.document)
      assert.deepStrictEqual(again.slots, file.slots)
      assert.strictEqual(again.format, file.format)
      assert.deepStrictEqual(contractOf(again).request, contractOf(file).request)
    }
  })

  it("SP-09 errors name file, line and key", () => {
    assert.strictEqual(
      errorOf("input: a\noutput:\n  b:\n    $type: str\n    $default: x\n"),
      "p.yaml:5: output > b > $default: there are no defaults in an output; say in $desc what to write where nothing is known"
    )
    assert.strictEqual(errorOf("\n.request:\n  input: a\n"), "p.yaml:2: .request: is called .execution now; rename it")
    assert.match(errorOf(".turn: a"), /^p\.yaml:1: \.turn: is called \.execution now/)
    assert.match(errorOf(".agnet: a"), /^p\.yaml:1: \.agnet: is no section; there are \.agent/)
    assert.match(
      errorOf("output:\n  a:\n    $type: integr"),
      /^p\.yaml:3: output > a > \$type: "integr" is no type; there are str/
    )
    assert.match(
      errorOf("output:\n  a: { $type: str, $ensure: maybe }"),
      /^p\.yaml:2: output > a > \$ensure: is "maybe"/
    )
    assert.match(errorOf("output:\n  a: { $type: str, min: 1 }"), /^p\.yaml:2: output > a > min: a leaf has/)
    assert.match(errorOf("output:\n  a: [str, int]"), /^p\.yaml:2: output > a: a list holds one item/)
    assert.match(errorOf("output: 3"), /^p\.yaml:1: output: is 3, which says nothing/)
    assert.match(
      errorOf("output:\n  $format: xml\n  a: str"),
      /^p\.yaml:2: output > \$format: "xml" is no format; there are json/
    )
    assert.match(errorOf(".alias:\n  fly: 1"), /^p\.yaml:2: \.alias > fly: is no method of an agent/)
    assert.match(errorOf("options:\n  temperature: hot"), /^p\.yaml:2: options > temperature: is no number/)
    assert.match(errorOf("name: 3"), /^p\.yaml:1: name: is no text/)
    assert.match(errorOf("just a text"), /^p\.yaml: is no object; a prompt file is an object of slots/)
  })

  it("errors of the syntax name the line", () => {
    assert.match(errorOf('a: "x\nb: ['), /^p\.yaml(?::\d+)?: is no YAML: /)
    assert.match(errorOf("a: 1\n\tb: 2"), /^p\.yaml:2: is no YAML: .* at line 2$/)
    assert.match(errorOf("a = 1\nb = \n", { file: "p.toml" }), /^p\.toml:\d: is no TOML: /)
    assert.strictEqual(errorOf('{"a": 1,\n "b": [', { file: "p.json" }), "p.json:2: the JSON ends within a value")
    assert.strictEqual(errorOf("nothing here", { file: "p.json" }), "p.json: holds no JSON object")
  })

  it.effect("an agent of a file runs; with a Schema its answer is typed", () =>
    Effect.gen(function* () {
      const file = read("input: go\noutput:\n  $format: xmlField\n  a: { $type: str, $ensure: true }")
      assert.deepStrictEqual(yield* Agent.run(Agent.fromPromptFile(file)), { a: "1" })
      const typed = Agent.fromPromptFile(file).pipe(Agent.output(Schema.Struct({ a: Schema.String })))
      const answer = yield* Agent.run(typed)
      assert.strictEqual(answer.a, "2")
      const text = yield* Agent.run(Agent.fromPromptFile(read("input: go")))
      assert.strictEqual(text, "plain")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.text('<answer><field name="a">1</field></answer>'),
          ScriptedModel.text('<answer><field name="a">2</field></answer>'),
          ScriptedModel.text("plain")
        ])
      )
    )
  )

  it.effect("files are read by path, and errors name it", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      yield* files.writeFileString(`${folder}/a.toml`, 'input = "${x}"')
      const file = yield* Files.prompt(`${folder}/a.toml`, { mappings: { x: 1 } })
      assert.deepStrictEqual(file.slots, { input: 1 })
      yield* files.writeFileString(`${folder}/b.yaml`, "input: a\n.request: b")
      const error = yield* Effect.flip(Files.prompt(`${folder}/b.yaml`))
      assert.strictEqual(error.message, `${folder}/b.yaml:2: .request: is called .execution now; rename it`)
      const missing = yield* Effect.flip(Files.prompt(`${folder}/c.yaml`))
      assert.strictEqual(missing._tag, "PlatformError")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
