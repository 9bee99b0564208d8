import { assert, describe, it } from "@effect/vitest"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, FileSystem, Schema } from "effect"
import { Agent, Attachment, Output } from "effigent"
import { Files } from "effigent/layers/files"
import { OfflineModel } from "effigent/layers/offline"
import { AnthropicCompatible } from "effigent/layers/anthropic"
import { OpenAICompatible } from "effigent/layers/openai"

const png = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10])
const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0))

const fileOf = (attachment: Attachment.Attachment) => {
  if (attachment._tag !== "File") return assert.fail("no file")
  return attachment
}

const userParts = Effect.fnUntraced(function* (agent: Agent.Agent<unknown, unknown, unknown>) {
  const { prompt } = yield* Agent.preview(agent)
  const last = prompt.content.at(-1)
  return last?.role === "user" ? last.content : []
})

describe("attachments", () => {
  it("media types come from the data URL, the first bytes or the name, in this order", () => {
    const types = [
      Attachment.fromUrl("https://example.com/a/b.PNG?x=1#y"),
      Attachment.fromUrl(new URL("https://example.com/a.mp3")),
      Attachment.fromUrl("https://example.com/"),
      Attachment.fromUrl("data:image/webp;base64,UklGRg=="),
      Attachment.fromUrl("https://example.com/x", { mediaType: "image/gif" }),
      Attachment.fromBytes(png, { name: "wrong.jpg" }),
      Attachment.fromBytes(latin1("RIFF\x10\x00\x00\x00WAVEfmt ")),
      Attachment.fromBytes(latin1("RIFF\x10\x00\x00\x00WEBPVP8 ")),
      Attachment.fromBytes(latin1("%PDF-1.7")),
      Attachment.fromBytes(latin1("\xff\xd8\xff\xe0")),
      Attachment.fromBytes(latin1("ID3\x03")),
      Attachment.fromBytes(latin1("\xff"), { name: "table.csv" }),
      Attachment.fromBytes(new Uint8Array())
    ].map((attachment) => fileOf(attachment).mediaType)
    assert.deepStrictEqual(types, [
      "image/png",
      "audio/mpeg",
      "application/octet-stream",
      "image/webp",
      "image/gif",
      "image/png",
      "audio/wav",
      "image/webp",
      "application/pdf",
      "image/jpeg",
      "audio/mpeg",
      "text/csv",
      "application/octet-stream"
    ])
    assert.strictEqual(Attachment.fromUrl("https://example.com/a/b.png?x").name, "b.png")
    assert.isUndefined(Attachment.fromUrl("data:text/plain,a/b").name)
  })

  it.effect("files are read by path: what is text becomes a text", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      yield* files.writeFile(`${folder}/a.bin`, png)
      yield* files.writeFileString(`${folder}/notes.md`, "# Grüße")
      const image = fileOf(yield* Files.attachment(`${folder}/a.bin`, { detail: "high" }))
      assert.deepStrictEqual([image.mediaType, image.name, image.detail], ["image/png", "a.bin", "high"])
      assert.deepStrictEqual(image.data, Uint8Array.from(png))
      assert.deepStrictEqual(yield* Files.attachment(`${folder}/notes.md`), {
        _tag: "Text",
        text: "# Grüße",
        name: "notes.md"
      })
      const error = yield* Effect.flip(Files.attachment(`${folder}/none.png`))
      assert.strictEqual(error._tag, "PlatformError")
      assert.include(error.message, "none.png")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("they stand before the text, in the order in which they were attached", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ attachments: [Attachment.fromUrl("https://example.com/1.png")] }).pipe(
        Agent.attach([Attachment.fromBytes(png), Attachment.text("log", { name: "a.log" })]),
        Agent.attach(Attachment.text("plain")),
        Agent.input("Which?")
      )
      const parts = yield* userParts(agent)
      assert.deepStrictEqual(
        parts.map((part) => (part.type === "text" ? part.text : part.mediaType)),
        ["image/png", "image/png", "[ATTACHMENT a.log]:\nlog", "plain", "Which?"]
      )
    })
  )

  it.effect("attachments alone are the whole message; the output requirement still follows", () =>
    Effect.gen(function* () {
      const image = Attachment.fromBytes(png)
      assert.strictEqual((yield* userParts(Agent.attach(Agent.make({}), image))).length, 1)
      const agent = Agent.make({ output: { a: Schema.String } }).pipe(Agent.attach(image))
      const [first, second, ...others] = yield* userParts(agent)
      assert.strictEqual(first?.type, "file")
      assert.match(second?.type === "text" ? second.text : "", /^\[OUTPUT REQUIREMENT\]:\n[^]*\[OUTPUT\]:$/)
      assert.strictEqual(others.length, 0)
    })
  )

  it.effect("a provider that cannot take one says so, and nothing is sent", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ input: "go" }).pipe(
        Agent.attach(Attachment.fromBytes(png, { mediaType: "video/mp4" }))
      )
      const nowhere = { model: "m", baseUrl: "http://127.0.0.1:9" }
      for (const layer of [OpenAICompatible.layer(nowhere), AnthropicCompatible.layer(nowhere)]) {
        const error = yield* Effect.flip(Agent.run(agent).pipe(Effect.provide(layer)))
        assert.strictEqual(error._tag, "ModelError")
        assert.strictEqual(error._tag === "ModelError" ? error.reason._tag : "", "Unsupported")
        assert.include(error.message, "video/mp4")
      }
    })
  )

  it.effect("the offline model answers the input beside them", () =>
    Effect.gen(function* () {
      const answer = yield* Agent.make({ output: { amount: Output.ensure(Schema.Finite, "The amount") } }).pipe(
        Agent.attach([Attachment.fromBytes(png), Attachment.text("about the invoice", { name: "note" })]),
        Agent.input("The invoice is over EUR 12.50."),
        Agent.run
      )
      assert.deepStrictEqual(answer, { amount: 12.5 })
    }).pipe(Effect.provide(OfflineModel.layer))
  )
})
