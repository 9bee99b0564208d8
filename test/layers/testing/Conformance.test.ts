import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { ModelEvent, ModelProvider } from "effigent/services/ModelProvider"
import { ModelProviderConformance } from "effigent/testing"
import { scripted } from "./harness.ts"

describe("ModelProviderConformance", () => {
  describe("the scripted model keeps every promise", () => {
    for (const one of ModelProviderConformance.cases) {
      it.effect(one.name, () =>
        Effect.map(one.run(scripted()), (outcome) => assert.deepStrictEqual(outcome, { _tag: "Passed" }))
      )
    }
  })

  it.effect("reports all cases, with the reasons of those that were skipped", () =>
    Effect.gen(function* () {
      const harness = scripted()
      const report = yield* ModelProviderConformance.run({
        name: "half a provider",
        prepare: (scenario) =>
          scenario.answer._tag === "Rejects"
            ? ModelProviderConformance.skip("has no statuses")
            : Effect.map(harness.prepare(scenario), ({ provider }) => ({ provider }))
      })
      assert.isTrue(report.conforms)
      assert.lengthOf(report.results, ModelProviderConformance.cases.length)
      const skipped = report.results.flatMap(({ result }) => (result._tag === "Skipped" ? [result.reason] : []))
      assert.deepStrictEqual(
        [...new Set(skipped)],
        ["the harness cannot count requests", "has no statuses", "the harness cannot count open answers"]
      )
      const text = ModelProviderConformance.render(report)
      assert.include(text, "half a provider: conforms")
      assert.include(text, "(has no statuses)")
    })
  )

  // A suite that finds nothing is worth nothing: each of these breaks one promise, and the case for it must see it.
  type Break = (provider: ModelProvider["Service"], count: () => void) => ModelProvider["Service"]["stream"]
  const mapped =
    (change: (event: ModelEvent) => ReadonlyArray<ModelEvent>): Break =>
    (provider) =>
    (request) =>
      Stream.flatMap(provider.stream(request), (event) => Stream.fromIterable(change(event)))
  const broken: ReadonlyArray<readonly [name: string, found: string, stream: Break]> = [
    [
      "sends when the stream is made",
      "nothing is sent before",
      (provider, count) => (request) => {
        count()
        return provider.stream(request)
      }
    ],
    [
      "gives a second run what the first one had",
      "a second run",
      (provider) => (request) => {
        let used = false
        return Stream.suspend(() => {
          if (used) return Stream.make<[ModelEvent]>({ _tag: "Finish", reason: "stop" })
          used = true
          return provider.stream(request)
        })
      }
    ],
    [
      "sends empty pieces",
      "the pieces of text",
      mapped((event) => (event._tag === "Text" ? [{ _tag: "Text", text: "" }, event] : [event]))
    ],
    [
      "loses text",
      "the pieces of text",
      mapped((event) => (event._tag === "Text" && event.text === "." ? [] : [event]))
    ],
    ["has two ends", "exactly one Finish", mapped((event) => (event._tag === "Finish" ? [event, event] : [event]))],
    ["has no end", "exactly one Finish", mapped((event) => (event._tag === "Finish" ? [] : [event]))],
    [
      "goes on after the end",
      "exactly one Finish",
      mapped((event) => (event._tag === "Finish" ? [event, { _tag: "Info", id: "late" }] : [event]))
    ],
    [
      "calls every end a stop",
      "cut for its length",
      mapped((event) => (event._tag === "Finish" ? [{ _tag: "Finish", reason: "stop" }] : [event]))
    ],
    [
      "adds to usage",
      "usage is a running total",
      mapped((event) => (event._tag === "Usage" ? [event, { _tag: "Usage", usage: { outputTokens: 1 } }] : [event]))
    ],
    ["shows frames unasked", "frames come as Raw", mapped((event) => [{ _tag: "Raw", frame: 1 }, event])],
    [
      "repeats tool calls",
      "tool calls come",
      mapped((event) => (event._tag === "ToolCall" ? [event, event] : [event]))
    ],
    [
      "loses pieces of arguments",
      "tool calls come",
      mapped((event) => (event._tag === "ToolCallDelta" && event.delta.startsWith("{") ? [] : [event]))
    ],
    [
      "retries by itself",
      "a 429 before",
      (provider) => (request) =>
        Stream.catchIf(
          provider.stream(request),
          (error) => error.reason._tag === "RateLimited",
          () => provider.stream(request)
        )
    ],
    [
      "takes a broken answer for a whole one",
      "without proof of success",
      (provider) => (request) =>
        Stream.catchIf(
          provider.stream(request),
          (error) => error.reason._tag === "Incomplete",
          () => Stream.make<[ModelEvent]>({ _tag: "Finish", reason: "stop" })
        )
    ],
    [
      "keeps back what has arrived",
      "text arrives while",
      (provider) => (request) =>
        Stream.unwrap(Effect.map(Stream.runCollect(provider.stream(request)), (events) => Stream.fromArray(events)))
    ],
    [
      "does not let itself be interrupted",
      "interrupting returns at once",
      (provider) => (request) =>
        Stream.onExit(provider.stream(request), () => Effect.uninterruptible(Effect.sleep("1500 millis")))
    ]
  ]

  for (const [name, found, stream] of broken) {
    it.effect(`finds a provider that ${name}`, () =>
      Effect.gen(function* () {
        const harness = scripted()
        let extra = 0
        const broken: ModelProviderConformance.Harness = {
          name,
          patience: "300 millis",
          prepare: (scenario) =>
            Effect.map(harness.prepare(scenario), ({ open, provider, requests }) => ({
              provider: { name: provider.name, stream: stream(provider, () => extra++) },
              open,
              requests: requests === undefined ? undefined : Effect.map(requests, (sent) => sent + extra)
            }))
        }
        const failure = yield* Effect.flip(
          Effect.all(
            ModelProviderConformance.cases.filter((one) => one.name.includes(found)).map((one) => one.run(broken))
          )
        )
        assert.include(failure.message, `${name} does not conform: `)
      })
    )
  }
})
