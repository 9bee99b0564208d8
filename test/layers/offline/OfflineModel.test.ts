import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, Attachment, Output } from "effigent"
import { OfflineModel } from "effigent/layers/offline"
import { Prompt } from "effigent/services/Ai"
import { Tool } from "effigent/services/AiTool"
import { ModelProvider } from "effigent/services/ModelProvider"
import { ModelProviderConformance } from "effigent/testing"
import { readFileSync } from "node:fs"
import { ask, fill, jsonRequest, rendered, request, text, textOf, toolRequest } from "./ask.ts"
import { contracts, inputs } from "./contracts.ts"

const letter = readFileSync(new URL("../../../examples/data/support-letter.txt", import.meta.url), "utf8")

describe("OfflineModel", () => {
  describe("answers every contract with a value that decodes, whatever the input", () => {
    for (const [name, schema] of Object.entries(contracts)) {
      it.effect(name, () =>
        Effect.forEach([...Object.entries(inputs), ["the letter", letter] as const], ([kind, input]) =>
          fill(input, schema).pipe(Effect.mapError((error) => new Error(`${kind}: ${String(error)}`)))
        )
      )
    }
  })

  it.live("answers in time whatever it is given to read", () =>
    Effect.gen(function* () {
      const noise = [
        "A",
        "1",
        "1-",
        "1,",
        "a@",
        "- x\n",
        "(",
        "A-1 ",
        "\n",
        "http://a",
        "a. B",
        "a b: c\n",
        "Please fail. "
      ]
      for (const unit of noise) {
        const input = unit.repeat(60_000 / unit.length)
        const started = performance.now()
        yield* fill(
          input,
          Schema.Struct({ amount: Schema.Finite, name: Schema.String, tags: Schema.Array(Schema.String) })
        )
        const took = performance.now() - started
        // Quadratic reading took seconds here; a slow machine does not.
        assert.isBelow(took, 1_500, JSON.stringify(unit))
      }
    })
  )

  describe("attachments", () => {
    const png = new Uint8Array([137, 80, 78, 71])
    const image = Attachment.fromBytes(png, { name: "a.png" })
    const offer = Attachment.fromBytes(new TextEncoder().encode("%PDF-1.7"), { name: "offer.pdf" })
    const page = Attachment.fromUrl("https://example.com/letter.txt")
    const answer = (agent: Agent.Agent<string>) => Effect.provide(Agent.run(agent), OfflineModel.layer)

    it.effect("files are told by number and kind, whatever is asked about them", () =>
      Effect.gen(function* () {
        const asked = Agent.make({ input: "What is on it?" })
        const one = yield* answer(Agent.attach(asked, image))
        assert.strictEqual(
          one,
          `You said: "What is on it?" 1 image is attached; the offline model looks into no files.`
        )
        const many = Agent.attach(asked, [image, offer, image, page])
        assert.include(yield* answer(many), "2 images and 1 PDF document and 1 text file are attached")
        assert.strictEqual(yield* answer(many), yield* answer(many))
        const alone = yield* answer(Agent.attach(Agent.make({}), image))
        assert.strictEqual(alone, "You said nothing. 1 image is attached; the offline model looks into no files.")
      })
    )

    it.effect("in a shape they are told where a text is asked for", () =>
      Effect.gen(function* () {
        const look = Agent.make({
          input: "Describe it.",
          output: { description: Output.ensure(Schema.String, "What is on it") }
        })
        const { description } = yield* look.pipe(Agent.attach(image), Agent.run, Effect.provide(OfflineModel.layer))
        assert.include(description, "1 image is attached")
      })
    )

    it.effect("texts and text files are read like the input", () =>
      Effect.gen(function* () {
        const Facts = Schema.Struct({ email: Schema.String, amount: Schema.Finite })
        const read = (attachment: Attachment.Attachment) =>
          Agent.make({ instruct: "Read it.", input: "Read the letter.", output: Facts }).pipe(
            Agent.attach(attachment),
            Agent.run,
            Effect.provide(OfflineModel.layer)
          )
        const said = "The amount is EUR 1,846.40. Write to jane@example.com."
        const facts = { email: "jane@example.com", amount: 1846.4 }
        assert.deepStrictEqual(yield* read(Attachment.text(said, { name: "letter" })), facts)
        assert.deepStrictEqual(
          yield* read(Attachment.fromBytes(new TextEncoder().encode(said), { name: "letter.txt" })),
          facts
        )
        const order = JSON.stringify(facts)
        assert.deepStrictEqual(
          yield* read(Attachment.fromBytes(new TextEncoder().encode(order), { name: "order.json" })),
          facts
        )
      })
    )
  })

  it.effect("gives the same request the same answer, id included", () =>
    Effect.gen(function* () {
      for (const [name, schema] of Object.entries(contracts)) {
        const of = jsonRequest(letter, schema)
        assert.deepStrictEqual(yield* ask(of), yield* ask(of), name)
      }
    })
  )

  it.effect("a seed varies what is made up, and nothing else", () =>
    Effect.gen(function* () {
      const schema = Schema.Struct({ id: Schema.String.check(Schema.isUUID()), subject: Schema.String })
      const [one, two] = [yield* fill(letter, schema, { seed: 1 }), yield* fill(letter, schema, { seed: 2 })]
      assert.notStrictEqual(one.id, two.id)
      assert.strictEqual(one.subject, two.subject)
      const bySeed = (seed: number) => text(jsonRequest(letter, schema, { options: { seed } }))
      assert.notStrictEqual(yield* bySeed(1), yield* bySeed(2))
      assert.strictEqual(yield* bySeed(1), yield* bySeed(1))
    })
  )

  describe("reads a letter", () => {
    const described = (description: string) => Schema.String.annotateKey({ description })

    it.effect("finds sender, addresses, numbers and dates", () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({
          customer: Schema.Struct({ name: Schema.String, email: Schema.String, phone: Schema.String }),
          order: Schema.String,
          accountNumber: Schema.String,
          tracking: Schema.String,
          amount: Schema.Finite,
          currency: Schema.String,
          boxes: Schema.Int,
          language: Schema.String
        })
        assert.deepStrictEqual(yield* fill(letter, schema), {
          customer: {
            name: "Marianne Okafor",
            email: "marianne.okafor@brightwaterclinic.example",
            phone: "+49 40 5550 1932"
          },
          order: "HH-20418",
          accountNumber: "77-4312-B",
          tracking: "1Z-77A-0091-55",
          amount: 1846.4,
          currency: "EUR",
          boxes: 12,
          language: "en"
        })
      })
    )

    it.effect("judges mood, urgency and yes-or-no questions by cue words", () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({
          mood: Schema.Literals(["calm", "annoyed", "angry"]),
          sentiment: Schema.Literals(["positive", "neutral", "negative"]),
          urgency: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
          refundRequested: Schema.Boolean,
          isUrgent: Schema.Boolean,
          isSpam: Schema.Boolean
        })
        assert.deepStrictEqual(yield* fill(letter, schema), {
          mood: "angry",
          sentiment: "negative",
          urgency: 5,
          refundRequested: true,
          isUrgent: true,
          isSpam: false
        })
        assert.deepStrictEqual(yield* fill("Thank you for the wonderful printers. I love them.", schema), {
          mood: "calm",
          sentiment: "positive",
          urgency: 2,
          refundRequested: false,
          isUrgent: false,
          isSpam: false
        })
      })
    )

    it.effect("lists every point that complains and every point that asks, each about itself", () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({
          issues: Schema.Array(Schema.Struct({ title: Schema.String, detail: Schema.String })),
          actions: Schema.Array(
            Schema.Struct({
              team: Schema.Literals(["support", "billing", "logistics", "engineering"]),
              task: described("What has to be done, as an instruction"),
              due: Schema.String
            })
          )
        })
        const { actions, issues } = yield* fill(letter, schema)
        assert.lengthOf(issues, 4)
        assert.include(issues[1]?.title, "charged twice")
        assert.include(issues[2]?.detail, "wrong size")
        assert.deepStrictEqual(
          actions.map((action) => action.team),
          ["engineering", "billing", "logistics", "logistics", "support"]
        )
        assert.strictEqual(actions[1]?.task, "Refund the second charge of EUR 1,846.40 and confirm it in writing.")
        assert.strictEqual(actions[0]?.due, "Friday, 13 November")
      })
    )

    it.effect("draws texts from the letter, by name and by description", () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({
          subject: Schema.String,
          x1: described("Email address of the sender"),
          summary: Schema.String,
          reply: Schema.String,
          keywords: Schema.Array(Schema.String)
        })
        const answer = yield* fill(letter, schema)
        assert.include(answer.subject, "two failed label printers")
        assert.strictEqual(answer.x1, "marianne.okafor@brightwaterclinic.example")
        const flat = letter.replaceAll(/\s+/g, " ")
        for (const sentence of answer.summary.split(/(?<=\.) (?=[A-Z])/)) assert.include(flat, sentence)
        assert.match(answer.reply, /^Dear Marianne Okafor, thank you/)
        assert.include(answer.keywords, "printers")
      })
    )

    it.effect("finds what has the form of a pattern", () =>
      Effect.gen(function* () {
        const output = {
          name: "answer",
          format: "json" as const,
          jsonSchema: {
            type: "object",
            properties: {
              error: { type: "string", pattern: "^E-\\d+$" },
              item: { type: "string", pattern: "^LR-\\d{4}$" }
            },
            required: ["error", "item"]
          },
          strict: {},
          native: false
        }
        const answer = yield* text(request(rendered(letter), { output }))
        assert.deepStrictEqual(JSON.parse(answer), { error: "E-31", item: "LR-2576" })
      })
    )

    it.effect("writes dates in the form that the format asks for", () =>
      Effect.gen(function* () {
        const output = {
          name: "answer",
          format: "json" as const,
          jsonSchema: {
            type: "object",
            properties: {
              due: { type: "string", format: "date" },
              at: { type: "string", format: "date-time" },
              mail: { type: "string", format: "email" },
              site: { type: "string", format: "uri" }
            },
            required: ["due", "at", "mail", "site"]
          },
          strict: {},
          native: false
        }
        const input = "Please answer a@b.example before 4 May 2027. I wrote on 2 March 2027, see https://x.example/y."
        assert.deepStrictEqual(JSON.parse(yield* text(request(rendered(input), { output }))), {
          due: "2027-05-04",
          at: "2027-05-04T09:00:00.000Z",
          mail: "a@b.example",
          site: "https://x.example/y"
        })
      })
    )

    it.effect("takes facts of a JSON input by their names", () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({ city: Schema.String, degrees: Schema.Int, sunny: Schema.Boolean })
        const facts = { city: "Oslo", degrees: -4, sunny: true }
        assert.deepStrictEqual(yield* fill(JSON.stringify({ weather: facts }), schema), facts)
      })
    )

    it.effect("leaves out an optional text that the letter does not have, and fills it where it does", () =>
      Effect.gen(function* () {
        const schema = Schema.Struct({
          email: Schema.optionalKey(Schema.String),
          phone: Schema.optional(Schema.String),
          note: Schema.optionalKey(Schema.String),
          actions: Schema.Array(Schema.Struct({ task: Schema.String, due: Schema.optionalKey(Schema.String) }))
        })
        const input = "Please write to a@b.example before 4 May.\n\n- Please send a box.\n- Please call by Friday."
        assert.deepStrictEqual(yield* fill(input, schema), {
          email: "a@b.example",
          phone: undefined,
          note: "Please write to a@b.example before 4 May.",
          actions: [{ task: "Send a box." }, { task: "Call by Friday.", due: "Friday" }]
        })
      })
    )

    it.effect("says so where nothing fits, rather than inventing", () =>
      Effect.gen(function* () {
        const answer = yield* fill("", Schema.Struct({ customerName: Schema.String }))
        assert.deepStrictEqual(answer, { customerName: "Customer name not found" })
      })
    )
  })

  describe("finds the input in the prompt", () => {
    const subject = Schema.Struct({ subject: Schema.String })

    it.effect("reads the INPUT section alone", () =>
      Effect.gen(function* () {
        const prompt =
          "[INFO]:\n- a: Subject: wrong\n\n[INSTRUCT]:\nTitle it.\n\n[INPUT]:\nSubject: right\n\nMore text here.\n\n[OUTPUT REQUIREMENT]:\nSubject: wrong\n\n[OUTPUT]:"
        const answer = yield* text(jsonRequest("", subject, { prompt: Prompt.make(prompt) }))
        assert.deepStrictEqual(JSON.parse(answer), { subject: "right" })
      })
    )

    it.effect("takes a message without sections as the input", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* text(request("Say hello.")), 'You said: "Say hello."')
      })
    )

    it.effect("goes back to the question when the last message speaks of the form alone", () =>
      Effect.gen(function* () {
        const prompt = Prompt.make([
          { role: "system", content: "You are brief." },
          { role: "user", content: [{ type: "text", text: "Subject: the question\n\nWell?" }] },
          { role: "user", content: [{ type: "text", text: "[OUTPUT REQUIREMENT]:\nJSON\n\n[OUTPUT]:" }] }
        ])
        const answer = yield* text(jsonRequest("", subject, { prompt }))
        assert.deepStrictEqual(JSON.parse(answer), { subject: "the question" })
      })
    )

    it.effect("answers a correction with the same value", () =>
      Effect.gen(function* () {
        const corrected = rendered(letter).replace("[OUTPUT]:", "[OUTPUT CORRECTION]:\n- subject: missing\n\n[OUTPUT]:")
        assert.strictEqual(
          yield* text(jsonRequest("", subject, { prompt: Prompt.make(corrected), attempt: 2 })),
          yield* text(jsonRequest(letter, subject))
        )
      })
    )
  })

  describe("answers with free text", () => {
    it.effect("extracts two sentences of a letter, in their order", () =>
      Effect.gen(function* () {
        const answer = yield* text(request(rendered(letter)))
        const flat = letter.replaceAll(/\s+/g, " ")
        const [first = "", second = ""] = answer.split(/(?<=\.) (?=[A-Z])/)
        assert.isBelow(flat.indexOf(first), flat.indexOf(second))
        assert.isAtLeast(flat.indexOf(first), 0)
      })
    )

    it.effect("has an answer to an empty prompt too", () =>
      Effect.map(text(request("")), (answer) => assert.strictEqual(answer, "You said nothing."))
    )
  })

  describe("streams", () => {
    it.effect("tells who answers, then text in small pieces, tokens, and the end", () =>
      Effect.gen(function* () {
        const events = yield* ask(request("Say hello."))
        assert.deepStrictEqual(
          events.map((event) => event._tag),
          ["Info", "Text", "Text", "Text", "Usage", "Finish"]
        )
        assert.isTrue(events.some((event) => event._tag === "Info" && event.model === "offline-1"))
        const usage = events.flatMap((event) => (event._tag === "Usage" ? [event.usage] : []))
        assert.deepStrictEqual(usage, [{ inputTokens: 3, outputTokens: 8 }])
      })
    )

    it.effect("puts as many tokens into a chunk as it is told", () =>
      Effect.gen(function* () {
        const of = request(rendered(letter))
        const pieces = (chunkSize: number) =>
          Effect.map(ask(of, { chunkSize }), (events) => events.filter((event) => event._tag === "Text").length)
        const single = yield* pieces(1)
        assert.strictEqual(yield* pieces(4), Math.ceil(single / 4))
        assert.strictEqual(yield* text(of, { chunkSize: 1 }), yield* text(of, { chunkSize: 1_000 }))
      })
    )

    it.effect("writes at the pace it is told, and without any pause by default", () =>
      Effect.gen(function* () {
        const of = request("Say hello.")
        const fiber = yield* Effect.forkChild(ask(of, { tokensPerSecond: 10, chunkSize: 1 }), {
          startImmediately: true
        })
        yield* TestClock.adjust("790 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("10 millis")
        assert.strictEqual(textOf(yield* Fiber.join(fiber)), yield* text(of))
      })
    )

    it.effect("stops when the tokens are spent, and says so", () =>
      Effect.gen(function* () {
        const whole = yield* text(request(rendered(letter)))
        const events = yield* ask(request(rendered(letter), { options: { maxTokens: 5 } }))
        assert.isTrue(whole.startsWith(textOf(events)))
        assert.deepStrictEqual(events.slice(-2), [
          {
            _tag: "Usage",
            usage: {
              inputTokens: events.flatMap((e) => (e._tag === "Usage" ? [e.usage.inputTokens] : []))[0],
              outputTokens: 5
            }
          },
          { _tag: "Finish", reason: "length" }
        ])
      })
    )

    it.effect("stops at a stop text, before it", () =>
      Effect.gen(function* () {
        const events = yield* ask(request("Say hello to Ada.", { options: { stop: ["never", "hello"] } }))
        assert.strictEqual(textOf(events), 'You said: "Say ')
        assert.deepStrictEqual(events.at(-1), { _tag: "Finish", reason: "stop" })
      })
    )
  })

  describe("calls tools", () => {
    const Weather = Tool.make("get_weather", {
      description: "The weather of a city",
      parameters: Schema.Struct({
        city: Schema.String,
        days: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))
      }),
      success: Schema.Struct({ degrees: Schema.Int })
    })
    const Refund = Tool.make("refund_order", {
      parameters: Schema.Struct({ order: Schema.String }),
      success: Schema.String
    })
    const calls = (of: Parameters<typeof ask>[0]) =>
      Effect.map(ask(of), (events) => events.flatMap((event) => (event._tag === "ToolCall" ? [event] : [])))

    it.effect("calls the tool whose name the input speaks of, with arguments that decode", () =>
      Effect.gen(function* () {
        const events = yield* ask(toolRequest("What is the weather in Oslo for 3 days?", [Refund, Weather]))
        const [call, ...others] = events.flatMap((event) => (event._tag === "ToolCall" ? [event] : []))
        assert.lengthOf(others, 0)
        assert.strictEqual(call?.name, "get_weather")
        const input = yield* Schema.decodeUnknownEffect(Weather.parametersSchema)(call?.input)
        assert.deepStrictEqual(input, { city: "Oslo", days: 3 })
        assert.deepStrictEqual(events.at(-1), { _tag: "Finish", reason: "tool-calls" })
        assert.strictEqual(textOf(events), "")
      })
    )

    it.effect("calls each tool that the input speaks of once, and none without reason", () =>
      Effect.gen(function* () {
        const both = yield* calls(toolRequest("Refund order AB-77 and tell me the weather.", [Weather, Refund]))
        assert.deepStrictEqual(
          both.map((call) => [call.index, call.name]),
          [
            [0, "get_weather"],
            [1, "refund_order"]
          ]
        )
        assert.deepStrictEqual(both[1]?.input, { order: "AB-77" })
        assert.lengthOf(yield* calls(toolRequest("Good morning.", [Weather, Refund])), 0)
      })
    )

    it.effect("keeps to the tool choice: required, none, one by name", () =>
      Effect.gen(function* () {
        const of = (input: string, toolChoice: "required" | "none" | { readonly tool: string }) =>
          Effect.map(calls(toolRequest(input, [Weather, Refund], { toolChoice })), (found) =>
            found.map((call) => call.name)
          )
        assert.deepStrictEqual(yield* of("Good morning.", "required"), ["get_weather"])
        assert.deepStrictEqual(yield* of("Please refund order AB-77.", "required"), ["refund_order"])
        assert.deepStrictEqual(yield* of("Please refund order AB-77.", "none"), [])
        assert.deepStrictEqual(yield* of("Please refund order AB-77.", { tool: "get_weather" }), ["get_weather"])
      })
    )

    it.effect("answers with what the tools said, once they have", () =>
      Effect.gen(function* () {
        const prompt = Prompt.make([
          { role: "user", content: [{ type: "text", text: "What is the weather in Oslo?" }] },
          {
            role: "assistant",
            content: [
              { type: "tool-call", id: "c1", name: "get_weather", params: { city: "Oslo" }, providerExecuted: false }
            ]
          },
          {
            role: "tool",
            content: [{ type: "tool-result", id: "c1", name: "get_weather", isFailure: false, result: { degrees: -4 } }]
          }
        ])
        const plain = yield* ask(request(prompt, { tools: [Weather] }))
        assert.strictEqual(textOf(plain), "Get weather: degrees -4.")
        const schema = Schema.Struct({ degrees: Schema.Int })
        const shaped = yield* text(jsonRequest("", schema, { prompt, tools: [Weather] }))
        assert.deepStrictEqual(JSON.parse(shaped), { degrees: -4 })
        const next = Prompt.concat(prompt, Prompt.make("And the weather in Rome?"))
        assert.lengthOf(yield* calls(request(next, { tools: [Weather] })), 1)
      })
    )
  })

  it.effect("refuses a contract that nothing satisfies, with a typed error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask(jsonRequest("x", Schema.Struct({ a: Schema.Never }))))
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.include(error.message, "finds no value for the output answer")
    })
  )

  describe("keeps the promises of a model provider", () => {
    const harness: ModelProviderConformance.Harness = {
      name: "OfflineModel",
      prepare: ({ answer }) =>
        Effect.gen(function* () {
          if (answer._tag === "Rejects" || answer._tag === "BreaksOff") {
            return yield* ModelProviderConformance.skip("the offline model does not fail")
          }
          if (answer._tag === "Stalls" && answer.texts.length === 0) {
            return yield* ModelProviderConformance.skip("the offline model always begins")
          }
          const pace = answer._tag === "Stalls" ? { tokensPerSecond: 20, chunkSize: 1 } : {}
          const context = yield* Layer.build(OfflineModel.layerWith(pace))
          const inner = yield* Effect.provide(ModelProvider, context)
          let requests = 0
          let open = 0
          return {
            ownWords: true,
            requests: Effect.sync(() => requests),
            open: Effect.sync(() => open),
            provider: {
              name: inner.name,
              stream: (request) =>
                Stream.suspend(() => {
                  requests++
                  open++
                  return Stream.ensuring(
                    inner.stream(request),
                    Effect.sync(() => open--)
                  )
                })
            }
          }
        })
    }
    for (const one of ModelProviderConformance.cases) {
      it.effect(one.name, () =>
        Effect.map(one.run(harness), (outcome) => {
          if (outcome._tag === "Skipped")
            assert.match(outcome.reason, /^the offline model (?:does not fail|always begins)$/)
        })
      )
    }
  })
})
