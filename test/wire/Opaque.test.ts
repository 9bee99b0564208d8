import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Prompt } from "effect/ai"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import * as Opaque from "../../src/wire/Opaque.ts"
import { plainRequest, run } from "../layers/wire/Cases.ts"
import { serve } from "../layers/wire/Server.ts"

describe("what vendors attach", () => {
  it("travels as a signature and comes back, with the call that it belongs to", () => {
    const metadata = { google: { thoughtSignature: "g1" } }
    assert.deepStrictEqual(Opaque.fromSignature(Opaque.toSignature(metadata)), { metadata, toolCall: undefined })
    assert.deepStrictEqual(Opaque.fromSignature(Opaque.toSignature(metadata, "a")), { metadata, toolCall: "a" })
  })

  it("nothing attached is no signature", () => {
    for (const nothing of [undefined, null, {}, { acme: {} }, { acme: null }, "text"]) {
      assert.isUndefined(Opaque.toSignature(nothing))
    }
  })

  it("a vendor's own signature, or a broken one of ours, is none of ours", () => {
    for (const other of ["ErUB...", "", undefined, 1, "metadata:", "metadata:{", 'metadata:{"metadata":1}']) {
      assert.isUndefined(Opaque.fromSignature(other))
    }
  })

  it("a prompt without attachments stays the same value", () => {
    const prompt = Prompt.make([{ role: "assistant", content: [{ type: "reasoning", text: "hm" }] }])
    assert.strictEqual(Opaque.restore(prompt), prompt)
  })

  it.live("is not sent to another vendor as its signature", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => void response.writeHead(400).end("{}"))
      const thought = (signature: string) =>
        ({ type: "reasoning", text: "hm", options: { effigent: { signature } } }) as const
      const prompt = Prompt.make([
        { role: "user", content: "hi" },
        {
          role: "assistant",
          content: [
            thought(Opaque.toSignature({ acme: { id: 1 } }) ?? ""),
            thought("own"),
            { type: "text", text: "well" }
          ]
        },
        { role: "user", content: "and?" }
      ])
      yield* run(AnthropicCompatible.make({ model: "m", baseUrl: server.url }).stream(plainRequest({ prompt })))
      assert.deepStrictEqual(JSON.parse(server.received[0]?.body ?? "{}").messages[1].content, [
        { type: "thinking", thinking: "hm", signature: "own" },
        { type: "text", text: "well" }
      ])
    })
  )
})
