/** The conformance suite, run for each vendor's layer over a real socket. No case is skipped: a skip fails its test. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Queue, Scope, Stream } from "effect"
import type * as Cause from "effect/Cause"
import type { ModelError } from "effigent/services/ModelError"
import { type ModelEvent, ModelProvider } from "effigent/services/ModelProvider"
import { ModelProviderConformance } from "effigent/testing"
import { type Manner, peer, type Wire } from "./Play.ts"

type Service = ModelProvider["Service"]

const manners = [
  { name: "a peer that keeps to the rules of HTTP", writes: "frames", breaksOff: "end", silence: "first frame" },
  { name: "a peer whose frames come in pieces", writes: "bytes", breaksOff: "end", silence: "headers" },
  { name: "a peer that drops its connections", writes: "frames", breaksOff: "cut", silence: "nothing" }
] as const satisfies ReadonlyArray<Manner>

/** A vendor's layer as a subject of the suite. `change` replaces the provider under test by another. */
export const harness = (
  wire: Wire,
  manner: Manner = manners[0],
  change: (provider: Service, scope: Scope.Scope) => Service = (provider) => provider
): ModelProviderConformance.Harness => ({
  name: wire.name,
  prepare: Effect.fnUntraced(function* ({ answer }: ModelProviderConformance.Scenario) {
    const { open, received, url } = yield* peer(wire, [answer], manner)
    const provider = Context.get(yield* Layer.build(wire.layer(url)), ModelProvider)
    return {
      provider: change(provider, yield* Scope.Scope),
      requests: Effect.sync(() => received.length),
      open: Effect.sync(open)
    }
  })
})

// Reads on after its reader has left.
const keepsReading = (provider: Service, scope: Scope.Scope): Service => ({
  ...provider,
  stream: (request) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const queue = yield* Queue.unbounded<ModelEvent, ModelError | Cause.Done>()
        yield* Effect.forkIn(Stream.runIntoQueue(provider.stream(request), queue), scope)
        return Stream.fromQueue(queue)
      })
    )
})

const retries = (provider: Service): Service => ({
  ...provider,
  stream: (request) =>
    Stream.catchIf(
      provider.stream(request),
      (error) => error.isRetryable,
      () => provider.stream(request)
    )
})

const sendsTwice = (provider: Service): Service => ({
  ...provider,
  stream: (request) =>
    Stream.unwrap(Effect.as(Stream.runDrain(Stream.take(provider.stream(request), 1)), provider.stream(request)))
})

const { cases } = ModelProviderConformance

/** Makes a test of each case, and shows that the counts of the harness tell a bad provider from a good one. */
export const conforms = (wire: Wire): void => {
  for (const manner of manners) {
    describe(`with ${manner.name}`, () => {
      for (const one of cases) {
        it.effect(one.name, () =>
          Effect.map(one.run(harness(wire, manner)), (outcome) => assert.deepStrictEqual(outcome, { _tag: "Passed" }))
        )
      }
    })
  }

  it("the suite has all its cases", () => {
    assert.lengthOf(cases, 17)
    assert.strictEqual(new Set(cases.map(({ name }) => name)).size, 17)
  })

  describe("the harness sees a provider that", () => {
    const finds = (
      what: string,
      change: (provider: Service, scope: Scope.Scope) => Service,
      found: ReadonlyArray<readonly [name: string, detail: RegExp]>
    ) =>
      it.effect(what, () =>
        Effect.forEach(
          found,
          Effect.fnUntraced(function* ([name, detail]) {
            const one = cases.filter((one) => one.name.startsWith(name))
            assert.lengthOf(one, 1, name)
            const suspect = { ...harness(wire, manners[0], change), closesWithin: "300 millis" } as const
            const failure = yield* Effect.flip(Effect.all(one.map(({ run }) => run(suspect))))
            assert.match(failure.detail, detail)
          }, Effect.scoped)
        )
      )
    finds("leaves its connections open", keepsReading, [
      ["interrupting in mid-answer", /^answers open on the other side: still 1 after/],
      ["interrupting before the first token", /^answers open on the other side: still 1 after/],
      ["a reader who leaves early", /^answers open on the other side: still 1 after/]
    ])
    finds("retries by itself", retries, [
      ["a 429", /^2 requests were sent/],
      ["a 503", /^2 requests were sent/]
    ])
    finds("sends a request too many", sendsTwice, [
      ["nothing is sent before", /^2 requests were sent by running it once/],
      ["a second run", /^4 requests were sent by two runs/]
    ])
  })
}
