import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Ref, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  Agent,
  type AgentError,
  Budget,
  Deltas,
  Guard,
  type GuardBlocked,
  type ModelResponse,
  Output,
  type ResponseAborted,
  Validation
} from "effigent"
import { ConnectionLost } from "effigent/services/ModelError"
import type { ModelProvider, ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

const sentOf = (request: ModelRequest | undefined): string => JSON.stringify(request?.prompt.content ?? [])
const textsOf = (request: ModelRequest | undefined): ReadonlyArray<string> =>
  (request?.prompt.content ?? []).flatMap((message) =>
    message.role === "system"
      ? [message.content]
      : message.content.flatMap((part) => (part.type === "text" ? [part.text] : []))
  )

const requestCount = Effect.map(ScriptedModel.requests, (all) => all.length)
const talk = Agent.make({ name: "talk" })
const Contact = Schema.Struct({ name: Schema.String, email: Output.ensure(Schema.String, "E-mail") })
const contact = Agent.make({ name: "contact", output: Contact }).pipe(Agent.input("go"))

class Down extends Schema.TaggedError<Down>()("Down", {}) {}

const settle = Effect.gen(function* () {
  for (let i = 0; i < 20; i++) yield* Effect.yieldNow
})

describe("input guards", () => {
  it.effect("S61 mask: the model receives stars of the same length", () =>
    Effect.gen(function* () {
      yield* talk.pipe(
        Agent.system("Support is at help@example.com."),
        Agent.info({ customer: "jane@example.com" }),
        Agent.input("Charge 4111 1111 1111 1111."),
        Agent.guardInput(Guard.pii()),
        Agent.run
      )
      const [request] = yield* ScriptedModel.requests
      const [system, user] = textsOf(request)
      assert.strictEqual(system, "Support is at ****************.")
      assert.include(user, "- customer: ****************\n")
      assert.include(user, "Charge *******************.")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Done.")])))
  )

  it.effect("S61 block: fails with the kinds that were found, and nothing is sent", () =>
    Effect.gen(function* () {
      const error = yield* talk.pipe(
        Agent.input("jane@example.com, +49 30 123456"),
        Agent.guardInput(Guard.pii({ mode: "block" })),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(error._tag, "GuardBlocked")
      if (error._tag !== "GuardBlocked") return
      assert.deepStrictEqual(
        { ...error },
        {
          ...error,
          guard: "pii",
          stage: "input",
          attempt: 1,
          kinds: ["email", "phone"],
          crashed: false
        }
      )
      assert.include(error.message, "nothing was sent")
      assert.notInclude(JSON.stringify(error), "jane")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("S61 keeps a mask of one's own, on kinds of one's own", () =>
    Effect.gen(function* () {
      yield* talk.pipe(
        Agent.input("K-1 a@b.io"),
        Agent.guardInput(Guard.pii({ patterns: { customer: /K-\d/ }, mask: (_, kind) => `<${kind}>` })),
        Agent.run
      )
      assert.deepStrictEqual(textsOf((yield* ScriptedModel.requests)[0]), ["<customer> <email>"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Done.")])))
  )

  it.effect(
    "S61 masks all of a history: texts, tool calls with their numbers, tool results, file names, reasoning",
    () =>
      Effect.gen(function* () {
        yield* talk.pipe(
          Agent.history([
            {
              role: "user",
              content: [
                { type: "text", text: "secret@a.io" },
                { type: "file", mediaType: "text/plain", fileName: "secret@a.io.txt", data: "eA==" }
              ]
            },
            {
              role: "assistant",
              content: [
                { type: "reasoning", text: "secret@a.io", options: { x: { signature: "s" } } },
                { type: "text", text: "secret@a.io" },
                {
                  type: "tool-call",
                  id: "1",
                  name: "charge",
                  params: { "secret@a.io": { deep: ["secret@a.io", 4111111111111111, 7, true, null] } },
                  providerExecuted: false
                }
              ]
            },
            {
              role: "tool",
              content: [
                {
                  type: "tool-result",
                  id: "1",
                  name: "charge",
                  isFailure: false,
                  result: { by: "secret@a.io" },
                  providerExecuted: false
                }
              ]
            }
          ]),
          Agent.input("go on"),
          Agent.guardInput(Guard.pii()),
          Agent.run
        )
        const sent = sentOf((yield* ScriptedModel.requests)[0])
        assert.notInclude(sent, "secret")
        assert.notInclude(sent, "4111")
        assert.notInclude(sent, "signature")
        assert.include(sent, "[7,true,null]".slice(1))
      }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Done.")])))
  )

  it.effect("sees every attempt: what a correction quotes does not slip out", () =>
    Effect.gen(function* () {
      const email = Schema.String.check(Schema.isPattern(/^nobody$/))
      yield* Agent.make({ output: Schema.Struct({ email }) }).pipe(
        Agent.input("go"),
        Agent.guardInput(Guard.pii()),
        Agent.run
      )
      const [, second] = yield* ScriptedModel.requests
      assert.include(sentOf(second), "OUTPUT CORRECTION")
      assert.notInclude(sentOf(second), "jane@example.com")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ email: "jane@example.com" }),
          ScriptedModel.json({ email: "nobody" })
        ])
      )
    )
  )

  it.effect("S60 a guard that breaks down blocks, however it breaks down", () =>
    Effect.gen(function* () {
      const broken = [
        Guard.make("dies", () => Effect.die(new TypeError("boom"))),
        Guard.make("throws", () => {
          throw new TypeError("boom")
        }),
        Guard.make("counts wrongly", () => Effect.succeed(Guard.rewrite([]))),
        // What a guard in plain JavaScript may do.
        Guard.make("says nothing", () => Effect.succeed({ _tag: "?" } as unknown as Guard.Verdict))
      ]
      for (const guard of broken) {
        const error = yield* talk.pipe(Agent.input("hi"), Agent.guardInput(guard), Agent.run, Effect.flip)
        assert.strictEqual(error._tag, "GuardBlocked", guard.name)
        if (error._tag === "GuardBlocked") assert.deepStrictEqual([error.guard, error.crashed], [guard.name, true])
      }
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("S60 a guard's own error is the run's error, and nothing is sent", () =>
    Effect.gen(function* () {
      const guard = Guard.moderation(() => Effect.fail(new Down()))
      const error = yield* talk.pipe(Agent.input("hi"), Agent.guardInput(guard), Agent.run, Effect.flip)
      assert.strictEqual(error._tag, "Down")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("a guard that never ends is interrupted with the run, and nothing is sent", () =>
    Effect.gen(function* () {
      const guard = Guard.make("stuck", () => Effect.never)
      const fiber = yield* talk.pipe(
        Agent.input("hi"),
        Agent.guardInput(guard),
        Agent.run,
        Effect.timeoutOption(100),
        Effect.forkChild
      )
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "None")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("S62 a guard may answer in the model's place, without a request", () =>
    Effect.gen(function* () {
      const closed = Guard.make("closed", () => Effect.succeed(Guard.answer("We are closed.")))
      const response = yield* talk.pipe(Agent.input("hi"), Agent.guardInput(closed), Agent.respond)
      assert.strictEqual(yield* response.data, "We are closed.")
      assert.strictEqual(yield* Stream.mkString(Deltas.inBand(response.deltas)), "We are closed.")
      assert.strictEqual((yield* response.meta).finishReason, "stop")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("S62 such an answer costs no request, and is given where the budget is spent", () =>
    Effect.gen(function* () {
      let prices = 0
      const greeting = Guard.make("greeting", ({ pieces }) =>
        Effect.succeed(pieces.some(({ text }) => text === "hi") ? Guard.answer("Hello!") : Guard.pass)
      )
      const of = () => {
        prices++
        return 1
      }
      const budget = yield* Budget.make({ requests: 1, cost: { limit: 10, of } })
      const say = (text: string) => talk.pipe(Agent.input(text), Agent.guardInput(greeting), Agent.run)
      const answers = yield* Effect.forEach(["hi", "go", "hi"], say).pipe(Budget.provide(budget))
      assert.deepStrictEqual(answers, ["Hello!", "Done.", "Hello!"])
      assert.deepInclude(yield* budget.spent, { requests: 1, cost: 1 })
      assert.strictEqual(prices, 1)
      const error = yield* say("go").pipe(Budget.provide(budget), Effect.flip)
      assert.strictEqual(error._tag, "BudgetExceeded")
      assert.strictEqual(yield* requestCount, 1)
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Done.")])))
  )

  it.effect("a request that a guard blocks is not counted", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ requests: 1 })
      const blocked = talk.pipe(Agent.input("jane@example.com"), Agent.guardInput(Guard.pii({ mode: "block" })))
      yield* blocked.pipe(Agent.run, Effect.flip, Budget.provide(budget))
      assert.deepInclude(yield* budget.spent, { requests: 0 })
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect(
    "S62 such an answer is judged by the contract; one that does not fulfil it is not given over and over",
    () =>
      Effect.gen(function* () {
        const say = (value: { readonly [key: string]: string }) =>
          Guard.make("static", () => Effect.succeed(Guard.answer(value)))
        const good = contact.pipe(Agent.guardInput(say({ name: "n", email: "e" })), Agent.run)
        assert.deepStrictEqual(yield* good, { name: "n", email: "e" })
        const error = yield* contact.pipe(Agent.guardInput(say({ name: "n" })), Agent.run, Effect.flip)
        assert.strictEqual(error._tag, "GuardBlocked")
        assert.include(error.message, "does not fulfil the output contract")
      }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("guards see one after the other what those before them made of it; a block ends the row", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make<ReadonlyArray<string>>([])
      const add = (letter: string) =>
        Guard.text(letter, (text) =>
          Effect.as(
            Ref.update(seen, (all) => [...all, text]),
            text + letter
          )
        )
      yield* talk.pipe(Agent.input("x"), Agent.guardInput(add("a")), Agent.guardInput(add("b")), Agent.run)
      assert.deepStrictEqual(yield* Ref.get(seen), ["x", "xa"])
      assert.deepStrictEqual(textsOf((yield* ScriptedModel.requests)[0]), ["xab"])
      const stop = Guard.text("stop", () => Effect.succeed(Guard.block("no")))
      yield* Effect.flip(talk.pipe(Agent.input("y"), Agent.guardInput(stop), Agent.guardInput(add("c")), Agent.run))
      assert.deepStrictEqual(yield* Ref.get(seen), ["x", "xa"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Done.")])))
  )

  it.effect("the moderation hook sees all texts together and names what it objects to", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make("")
      const guard = Guard.moderation((text, { agent }) => Effect.as(Ref.set(seen, `${agent}: ${text}`), ["violence"]))
      const error = yield* talk.pipe(
        Agent.system("be kind"),
        Agent.input("fight"),
        Agent.guardInput(guard),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(yield* Ref.get(seen), "talk: be kind\nfight")
      assert.deepStrictEqual(error._tag === "GuardBlocked" ? error.kinds : [], ["violence"])
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )
})

// Everything that the readers of a response can give, as one text.
const everything = Effect.fnUntraced(function* <A, E, I>(response: ModelResponse<A, E, I>) {
  const [full, ...streams] = yield* Effect.all(
    [
      Effect.exit(response.full),
      ...[
        response.deltas,
        response.reasoning,
        response.instant,
        response.partial,
        response.events("all"),
        response.original
      ].map((stream) =>
        Effect.flatMap(Ref.make<ReadonlyArray<unknown>>([]), (seen) =>
          Effect.andThen(
            Effect.exit(
              Stream.runForEach(stream as Stream.Stream<unknown>, (x) => Ref.update(seen, (all) => [...all, x]))
            ),
            Ref.get(seen)
          )
        )
      )
    ],
    { concurrency: "unbounded" }
  )
  return JSON.stringify([full, ...streams])
})

describe("output guards", () => {
  const leaky = (text: string) => [
    ScriptedModel.text(text, { chunkSize: 3, reasoning: "She is jane@example.com", usage: { outputTokens: 3 } })
  ]

  it.effect("mask: no reader is given anything but the masked answer", () =>
    Effect.gen(function* () {
      const response = yield* contact.pipe(
        Agent.settings({ keepOriginal: true }),
        Agent.guardOutput(Guard.pii()),
        Agent.respond
      )
      const all = yield* everything(response)
      assert.notInclude(all, "jane@")
      assert.deepStrictEqual(yield* response.data, { name: "Jane", email: "****************" })
      assert.strictEqual(yield* response.text, '{"name":"Jane","email":"****************"}')
      assert.strictEqual(yield* response.awaitKey("email"), "****************")
      assert.strictEqual((yield* response.full).reasoning, "She is ****************")
      assert.strictEqual((yield* response.meta).usage.outputTokens, 3)
      const original = yield* Effect.flip(Stream.runDrain(response.original))
      assert.strictEqual(original._tag, "OriginalNotKept")
      assert.isFalse((yield* ScriptedModel.requests)[0]?.includeRaw)
    }).pipe(Effect.provide(ScriptedModel.layer(leaky('{"name":"Jane","email":"jane@example.com"}'))))
  )

  const hidden: ReadonlyArray<readonly [string, string]> = [
    ["escapes", '{"name":"J","email":"jane\\u0040example.com"}'],
    ["duplicate keys", '{"email":"jane@example.com","name":"J","email":"-"}'],
    ["prose around it", 'jane@example.com says {"name":"J","email":"-"} jane@example.com'],
    ["a value that lost", '{"email":"jane\\u0040example.com"} better: {"name":"J","email":"-"}'],
    ["comments", '{"name":"J", /* jane@example.com */ "email":"-"}'],
    ["a key", '{"name":"J","email":"-","jane@example.com":1}'],
    ["no JSON at all", "jane\\u0040example.com"],
    ["a cut", '{"name":"J","email":"jane@example.com"']
  ]
  for (const [where, text] of hidden) {
    it.effect(`mask: ${where} hide nothing`, () =>
      Effect.gen(function* () {
        const response = yield* contact.pipe(
          Agent.settings({ maxRetries: 0 }),
          Agent.guardOutput(Guard.pii()),
          Agent.respond
        )
        const all = yield* everything(response)
        assert.notInclude(all, "jane@")
        assert.notInclude(all, "jane\\\\u0040")
        assert.include(all, "Status")
      }).pipe(Effect.provide(ScriptedModel.layer(leaky(text))))
    )
  }

  const formats = [
    ["flatMarkdown", "## name\nJane\n\n## email\njane@example.com\n"],
    ["hybrid", "## name\nJane\n\n## email\njane@example.com\n"],
    [
      "xmlField",
      '<answer>\n<field name="name" type="text">Jane</field>\n<field name="email" type="text">jane@example.com</field>\n</answer>'
    ],
    ["yamlLiteral", "name: |-\n  Jane\nemail: |-\n  jane@example.com\n"]
  ] as const
  for (const [format, text] of formats) {
    it.effect(`mask: an answer in ${format} is given masked, to all readers, as the same value`, () =>
      Effect.gen(function* () {
        const response = yield* contact.pipe(
          Agent.settings({ format, maxRetries: 0 }),
          Agent.guardOutput(Guard.pii()),
          Agent.respond
        )
        const all = yield* everything(response)
        assert.notInclude(all, "jane@")
        const { email, name } = yield* response.data
        assert.strictEqual(name, "Jane")
        assert.match(email, /^\*+$/)
        assert.strictEqual(yield* response.awaitKey("email"), email)
        const meta = yield* response.meta
        assert.strictEqual(meta.format, "json")
        const reason = "the output guards write as JSON what they let through"
        assert.deepStrictEqual(meta.formatFallback, { from: format, to: "json", reason })
      }).pipe(Effect.provide(ScriptedModel.layer(leaky(text))))
    )
  }

  it.effect("why the answer is JSON: the model wrote it, or a guard did", () =>
    Effect.gen(function* () {
      const why = Effect.fnUntraced(function* <E>(guarded: Agent.Agent<typeof Contact.Type, E>) {
        const response = yield* guarded.pipe(Agent.settings({ format: "hybrid", maxRetries: 0 }), Agent.respond)
        return (yield* response.meta).formatFallback?.reason
      })
      const instead = Guard.make("static", () => Effect.succeed(Guard.answer({ name: "n", email: "e" })))
      assert.strictEqual(yield* why(contact.pipe(Agent.guardOutput(Guard.pii()))), "the model wrote JSON")
      const byGuard = `the guard "static" answered in the model's place`
      assert.strictEqual(yield* why(contact.pipe(Agent.guardOutput(instead))), byGuard)
      assert.strictEqual(yield* why(contact.pipe(Agent.guardInput(instead))), byGuard)
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ name: "Jane", email: "-" }),
          ScriptedModel.text("## name\nJane\n\n## email\n-\n")
        ])
      )
    )
  )

  it.effect("an answer that was cut off stays cut off behind a guard", () =>
    Effect.gen(function* () {
      const error = yield* contact.pipe(
        Agent.settings({ maxRetries: 0 }),
        Agent.guardOutput(Guard.pii()),
        Agent.run,
        Effect.flip
      )
      assert.strictEqual(error._tag, "OutputError")
      if (error._tag !== "OutputError") return
      assert.deepStrictEqual(
        error.findings.map(({ kind, path }) => [kind, path]),
        [
          ["cut", ""],
          ["cut", "email"]
        ]
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.text('{"name":"J","email":"jane@example.com', { finish: "length" })])
      )
    )
  )

  it.effect("block: no reader is given any of the attempt, and all fail with the same typed error", () =>
    Effect.gen(function* () {
      const response = yield* contact.pipe(Agent.guardOutput(Guard.pii({ mode: "block" })), Agent.respond)
      const all = yield* everything(response)
      assert.notInclude(all, "Jane")
      assert.notInclude(all, "jane@")
      const error = yield* Effect.flip(Stream.runDrain(response.instant))
      assert.strictEqual(error._tag, "GuardBlocked")
      if (error._tag === "GuardBlocked") assert.deepStrictEqual([error.stage, error.kinds], ["output", ["email"]])
      assert.strictEqual(yield* requestCount, 1)
    }).pipe(Effect.provide(ScriptedModel.layer(leaky('{"name":"Jane","email":"jane@example.com"}'))))
  )

  it.effect("holds every reader back until the attempt has passed", () =>
    Effect.gen(function* () {
      const verdict = yield* Deferred.make<Guard.Verdict>()
      const guard = Guard.make("slow", () => Deferred.await(verdict))
      const response = yield* contact.pipe(Agent.guardOutput(guard), Agent.respond)
      const seen = yield* Ref.make(0)
      const count = Ref.update(seen, (n) => n + 1)
      const readers = yield* Effect.forEach(
        [response.deltas, response.instant, response.events(["Text", "Finish", "Done"]), response.each("name")],
        (stream) => Effect.forkChild(Stream.runForEach(stream as Stream.Stream<unknown>, () => count))
      )
      yield* settle
      assert.strictEqual(yield* Ref.get(seen), 0)
      assert.strictEqual(yield* ScriptedModel.openStreams, 0)
      yield* Deferred.succeed(verdict, Guard.pass)
      yield* Effect.forEach(readers, Fiber.join)
      assert.isAbove(yield* Ref.get(seen), 6)
    }).pipe(Effect.provide(ScriptedModel.layer(leaky('{"name":"Jane","email":"-"}'))))
  )

  it.effect("each attempt is guarded by itself; a rejected one is seen as its guards left it", () =>
    Effect.gen(function* () {
      const response = yield* contact.pipe(Agent.guardOutput(Guard.pii()), Agent.respond)
      const all = yield* everything(response)
      assert.notInclude(all, "jane@")
      const { attempts } = yield* response.full
      assert.deepStrictEqual(
        attempts.map(({ text }) => text),
        ['{"name":"****************"}', '{"name":"J","email":"****************"}']
      )
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ name: "jane@example.com" }),
          ScriptedModel.json({ name: "J", email: "jane@example.com" })
        ])
      )
    )
  )

  it.effect("RV-16 a repair of single places is guarded as the attempt it is, whatever stands around it", () =>
    Effect.gen(function* () {
      const response = yield* contact.pipe(
        Agent.settings({ repair: "missing" }),
        Agent.guardOutput(Guard.pii()),
        Agent.respond
      )
      const all = yield* everything(response)
      assert.notInclude(all, "jane@")
      assert.deepStrictEqual(yield* response.data, { name: "****************", email: "****************" })
      assert.include(sentOf((yield* ScriptedModel.requests)[1]), "Missing ensure key: email")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.json({ name: "jane@example.com" }),
          ScriptedModel.text('jane@example.com:\n```json\n{"email": "jane\\u0040example.com",}\n```')
        ])
      )
    )
  )

  it.effect("validators see what the guards left", () =>
    Effect.gen(function* () {
      const seen = yield* Ref.make("")
      const agent = contact.pipe(
        Agent.validate(({ email }) => Effect.as(Ref.set(seen, email), Validation.pass)),
        Agent.guardOutput(Guard.pii())
      )
      yield* Agent.run(agent)
      assert.strictEqual(yield* Ref.get(seen), "****************")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({ name: "J", email: "jane@example.com" })])))
  )

  it.effect("what a provider that replays took back is never given", () =>
    Effect.gen(function* () {
      const response = yield* talk.pipe(Agent.input("go"), Agent.guardOutput(Guard.pii()), Agent.respond)
      const all = yield* everything(response)
      assert.notInclude(all, "void")
      assert.include(all, "Restarted")
      assert.strictEqual(yield* response.text, "final")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "Text", text: "void " }],
            [
              { _tag: "Restarted", reason: "lost" },
              { _tag: "Text", text: "fin" }
            ],
            [
              { _tag: "Text", text: "al" },
              { _tag: "Finish", reason: "stop" }
            ]
          ])
        ])
      )
    )
  )

  it.effect("an attempt that breaks off is not given at all", () =>
    Effect.gen(function* () {
      const response = yield* talk.pipe(Agent.input("go"), Agent.guardOutput(Guard.pii()), Agent.respond)
      const all = yield* everything(response)
      assert.notInclude(all, "half")
      assert.strictEqual((yield* Effect.flip(response.data))._tag, "ModelError")
    }).pipe(
      Effect.provide(ScriptedModel.layer([ScriptedModel.failAfter(["half"], new ConnectionLost({ detail: "x" }))]))
    )
  )

  it.effect("S60 a broken output guard blocks; S62 an output guard may answer instead", () =>
    Effect.gen(function* () {
      const dies = Guard.make("dies", () => Effect.die("boom"))
      const error = yield* talk.pipe(Agent.input("go"), Agent.guardOutput(dies), Agent.run, Effect.flip)
      assert.isTrue(error._tag === "GuardBlocked" && error.crashed && error.stage === "output")
      const instead = Guard.make("instead", () => Effect.succeed(Guard.answer("I would rather not say.")))
      const response = yield* talk.pipe(Agent.input("go"), Agent.guardOutput(instead), Agent.respond)
      const all = yield* everything(response)
      assert.notInclude(all, "jane@")
      assert.strictEqual(yield* response.data, "I would rather not say.")
    }).pipe(Effect.provide(ScriptedModel.layer([...leaky("jane@example.com"), ...leaky("jane@example.com")])))
  )

  it.effect("sees refusals and tool calls, decoded", () =>
    Effect.gen(function* () {
      const response = yield* talk.pipe(Agent.input("go"), Agent.guardOutput(Guard.pii()), Agent.respond)
      const all = yield* everything(response)
      assert.notInclude(all, "jane@")
      assert.notInclude(all, "u0040")
      assert.include(all, "****************")
      const error = yield* Effect.flip(response.data)
      assert.strictEqual(error._tag, "ModelError")
      assert.include(error.message, "sorry ****************")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "ToolCallDelta", index: 0, id: "1", name: "mail", delta: '{"to":"jane\\u0040example.com"}' }],
            [
              {
                _tag: "ToolCall",
                index: 0,
                id: "1",
                name: "mail",
                arguments: '{"to":"jane\\u0040example.com"}',
                input: { to: "jane@example.com" }
              }
            ],
            [{ _tag: "Refusal", text: "sorry " }],
            [{ _tag: "Refusal", text: "jane@example.com" }],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )
})

describe("guards and models", () => {
  const judge = Agent.make({ name: "judge", output: Schema.Struct({ ok: Schema.Boolean }) })
  const byModel = Guard.text("judge", (text) =>
    Effect.map(judge.pipe(Agent.input(text), Agent.run), ({ ok }) => (ok ? text : Guard.block("the judge objects")))
  )

  it.effect("a guard that asks a model asks the agent's own, bound before or after", () =>
    Effect.gen(function* () {
      const own = () =>
        ScriptedModel.layer([
          ScriptedModel.json({ ok: true }, { expect: (request) => sentOf(request).includes("hi") }),
          ScriptedModel.text("yes")
        ])
      const guarded = talk.pipe(Agent.input("hi"), Agent.guardInput(byModel), Agent.provideModel(own()))
      const runnable: Effect.Effect<string, unknown> = Agent.run(guarded)
      assert.strictEqual(yield* runnable, "yes")
      const bound = talk.pipe(Agent.input("hi"), Agent.provideModel(own()), Agent.guardInput(byModel))
      assert.strictEqual(yield* Agent.run(bound), "yes")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )
})

describe("hooks", () => {
  const log = Effect.gen(function* () {
    const lines = yield* Ref.make<ReadonlyArray<string>>([])
    const note = (line: string) => Ref.update(lines, (all) => [...all, line])
    return { lines: Ref.get(lines), note }
  })

  it.effect("are run in order: before each request, after each attempt, on restart, after the response", () =>
    Effect.gen(function* () {
      const { lines, note } = yield* log
      const agent = contact.pipe(
        Agent.guardInput(Guard.text("upper", (text) => Effect.succeed(text.toUpperCase()))),
        Agent.hooks({
          beforeRequest: (request) => note(`send ${request.attempt} ${sentOf(request).includes("GO")}`),
          afterAttempt: ({ attempt, findings, text }) => note(`ended ${attempt} ${findings.length} ${text}`),
          onRestart: ({ attempt, nextAttempt, reason }) => note(`restart ${attempt} ${nextAttempt} ${reason !== ""}`),
          afterResponse: ({ attempts, text }) => note(`complete ${attempts.length} ${text}`)
        }),
        Agent.hooks({ afterResponse: () => note("second") })
      )
      assert.deepStrictEqual(yield* Agent.run(agent), { name: "J", email: "e" })
      assert.deepStrictEqual(yield* lines, [
        "send 1 true",
        'ended 1 1 {"name":"J"}',
        "restart 1 2 true",
        "send 2 true",
        'ended 2 0 {"name":"J","email":"e"}',
        'complete 2 {"name":"J","email":"e"}',
        "second"
      ])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([ScriptedModel.json({ name: "J" }), ScriptedModel.json({ name: "J", email: "e" })])
      )
    )
  )

  it.effect("see a provider's replay as a restart", () =>
    Effect.gen(function* () {
      const { lines, note } = yield* log
      yield* talk.pipe(
        Agent.input("go"),
        Agent.hooks({
          beforeRequest: () => note("send"),
          afterAttempt: ({ attempt, text }) => note(`ended ${attempt} ${text}`),
          onRestart: ({ nextAttempt, reason }) => note(`restart ${nextAttempt} ${reason}`)
        }),
        Agent.run
      )
      assert.deepStrictEqual(yield* lines, ["send", "ended 1 old", "restart 2 lost", "ended 2 new"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.events([
            [{ _tag: "Text", text: "old" }],
            [{ _tag: "Restarted", reason: "lost" }],
            [{ _tag: "Text", text: "new" }],
            [{ _tag: "Finish", reason: "stop" }]
          ])
        ])
      )
    )
  )

  it.effect("a hook that fails fails the response, typed; before the request nothing is sent", () =>
    Effect.gen(function* () {
      const agent = talk.pipe(Agent.input("go"), Agent.hooks({ beforeRequest: () => Effect.fail(new Down()) }))
      assert.strictEqual((yield* Effect.flip(Agent.run(agent)))._tag, "Down")
      assert.strictEqual(yield* requestCount, 0)
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("no reader is told of success before the hooks have run; a failing one turns it into a failure", () =>
    Effect.gen(function* () {
      const audit = yield* Deferred.make<void, Down>()
      const agent = talk.pipe(Agent.input("go"), Agent.hooks({ afterResponse: () => Deferred.await(audit) }))
      const response = yield* Agent.respond(agent)
      const seen = yield* Ref.make<ReadonlyArray<string>>([])
      const fiber = yield* Effect.forkChild(
        Effect.exit(
          Stream.runForEach(response.events("all"), (event) =>
            Ref.update(seen, (all) => [...all, event._tag === "Status" ? event.state : event._tag])
          )
        )
      )
      yield* settle
      assert.deepStrictEqual(yield* Ref.get(seen), ["Text", "Finish"])
      yield* Deferred.fail(audit, new Down())
      const exit = yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* Ref.get(seen), ["Text", "Finish", "failed"])
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof Down)
      assert.strictEqual((yield* Effect.flip(response.data))._tag, "Down")
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.text("Hello")])))
  )

  it.effect("a failed attempt is told of as well; the response keeps its own error even where that hook fails", () =>
    Effect.gen(function* () {
      const { lines, note } = yield* log
      const agent = contact.pipe(
        Agent.settings({ maxRetries: 0 }),
        Agent.hooks({
          afterAttempt: ({ attempt }) => Effect.andThen(note(`ended ${attempt}`), Effect.fail(new Down())),
          afterResponse: () => note("never")
        })
      )
      assert.strictEqual((yield* Effect.flip(Agent.run(agent)))._tag, "OutputError")
      assert.deepStrictEqual(yield* lines, ["ended 1"])
    }).pipe(Effect.provide(ScriptedModel.layer([ScriptedModel.json({})])))
  )
})

// The types: what guards and hooks need and how they fail stands in the agent's type.
type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

class Moderator extends Context.Service<Moderator, { readonly ask: Effect.Effect<ReadonlyArray<string>, Down> }>()(
  "test/Moderator"
) {}
const moderated = Guard.moderation(() => Moderator.use((moderator) => moderator.ask))
same<typeof moderated, Guard.Guard<Down, Moderator>>(true)
const guarded = talk.pipe(Agent.guardInput(moderated), Agent.guardOutput(Guard.pii()))
same<typeof guarded, Agent.Agent<string, Down | GuardBlocked, ModelProvider | Moderator, string>>(true)
const ran = Agent.run(guarded)
same<typeof ran, Effect.Effect<string, Down | GuardBlocked | AgentError, ModelProvider | Moderator>>(true)
const responded = Agent.respond(guarded)
same<
  Effect.Success<typeof responded>["data"],
  Effect.Effect<string, Down | GuardBlocked | AgentError | ResponseAborted>
>(true)
declare class Hooked {
  readonly _tag: "Hooked"
}
const hooked = Agent.hooks(talk, { afterAttempt: (): Effect.Effect<void, Hooked, Moderator> => Effect.void })
same<typeof hooked, Agent.Agent<string, Hooked, ModelProvider | Moderator, string>>(true)
const boundToo = hooked.pipe(Agent.provideModel(ScriptedModel.layer([])))
same<typeof boundToo, Agent.Agent<string, Hooked, Moderator, string>>(true)
