/** What a terminal is given: rows, escape sequences of our own only, nothing wider than the screen. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Sink, Stdio, Stream } from "effect"
import { Agent } from "effigent"
import { Printer } from "effigent/layers/terminal"
import type { RunEnvelope, RunEvent } from "effigent/services/Run"
import { ScriptedModel } from "effigent/testing"
import { truncate, width } from "../../../layers/terminal/Cells.ts"

const envelopes = (events: ReadonlyArray<RunEvent>, agent = "bot"): ReadonlyArray<RunEnvelope> =>
  events.map((event, i) => ({ sequence: i + 1, at: i * 10, run: "r", root: "r", agent, depth: 0, event }))

const text = (words: string): RunEvent => ({ _tag: "Text", attempt: 1, text: words })
const begun: RunEvent = { _tag: "RunStarted", role: "main", input: "Hi" }
const done: RunEvent = { _tag: "RunCompleted", usage: {} }

const painted = (
  events: ReadonlyArray<RunEnvelope>,
  look: Partial<Parameters<typeof Printer.render>[1]> = {}
): Effect.Effect<string> =>
  Stream.mkString(Printer.render(Stream.fromArray(events), { color: false, live: false, width: 40, ...look }))

const escapes = /\u001b\[[0-9;]*[mK]/g

describe("the printer", () => {
  it.effect("appends plain rows where there are no colours", () =>
    Effect.gen(function* () {
      const call = { id: "c", action: "look", input: { at: "x" }, round: 1, index: 0 }
      const record = { call, status: "success", result: 4, tries: 1, at: 0, duration: 12 } as const
      const out = yield* painted(
        envelopes([
          begun,
          { _tag: "Reasoning", attempt: 1, text: "Let me see" },
          { _tag: "ActionStarted", call },
          { _tag: "ActionEnded", record },
          text("# Title\n- **o"),
          text("ne**\n"),
          done
        ])
      )
      assert.strictEqual(
        out,
        '● bot\n> Hi\nLet me see\n→ look {"at":"x"}\n✓ look 4 (12 ms)\n# Title\n- **one**\n✓ done in 60 ms\n'
      )
    })
  )

  it.effect("renders Markdown in colours, and draws its line of state anew", () =>
    Effect.gen(function* () {
      const out = yield* painted(envelopes([begun, text("# T\n- **o"), text("ne** `x`\n"), done]), {
        color: true,
        live: true
      })
      assert.include(out, "\u001b[1;4mT\u001b[0m\n")
      assert.include(out, "• \u001b[1mone\u001b[0m \u001b[36mx\u001b[0m\n")
      assert.include(out, "\u001b[2m… bot: - **o\u001b[0m\r\u001b[2K")
      assert.isTrue(out.endsWith("\n"))
    })
  )

  it.effect("no escape sequence or control character of a model, a tool or a name reaches the terminal", () =>
    Effect.gen(function* () {
      const evil = "a\u001b[31mred\u001b]0;title\u0007\u009b2J\rb\u0008\u202ec\u2028d\u007f\ud800"
      const call = { id: "c", action: evil, input: evil, round: 1, index: 0 }
      const events: ReadonlyArray<RunEvent> = [
        { ...begun, input: evil },
        { _tag: "Reasoning", attempt: 1, text: evil },
        // An escape sequence in two parts.
        text("x\u001b"),
        text(`[2J${evil}\n`),
        { _tag: "ActionStarted", call },
        { _tag: "ActionProgress", call, value: evil },
        { _tag: "Restarted", attempt: 2, reason: evil },
        { _tag: "Custom", name: evil, value: evil },
        { _tag: "RunPaused", reason: evil },
        { _tag: "RunFailed", tag: evil, message: evil }
      ]
      for (const color of [false, true]) {
        const out = yield* painted(envelopes(events, evil), { color, live: color })
        const rest = color ? out.replace(escapes, "").replaceAll("\r", "") : out
        assert.notMatch(rest, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/)
        assert.include(rest, "␛[31mred")
        assert.isTrue(rest.isWellFormed())
      }
    })
  )

  it.live(
    "a line without an end, such as a long JSON, costs no more with each piece of it",
    () =>
      Effect.gen(function* () {
        const pieces = Array.from({ length: 80_000 }, () => text("abcd"))
        const startedAt = performance.now()
        const out = yield* painted(envelopes([begun, ...pieces, done]), { live: true, width: 80 })
        // Some hundred milliseconds; it was 15 seconds when each piece looked at the whole line.
        assert.isBelow(performance.now() - startedAt, 6_000)
        assert.include(out, "abcd".repeat(15))
      }),
    30_000
  )

  it.effect("no row is wider than the terminal, down to one cell, with wide characters and emoji", () =>
    Effect.gen(function* () {
      const words = "これは日本語の長い文です 👩‍👩‍👧 and a-very-long-word-without-any-space é 🇯🇵 end\n"
      for (const columns of [2, 3, 5, 11, 20, 40, 80]) {
        const nested = envelopes([begun, text(`- ${words}> ${words}${words}`), done]).map((one) => ({
          ...one,
          run: "r.1",
          depth: 3
        }))
        const out = yield* painted(nested, { width: columns, color: true, live: true })
        for (const row of out.replace(escapes, "").split(/[\n\r]/)) assert.isAtMost(width(row), columns, row)
      }
      assert.strictEqual(width("日本"), 4)
      assert.strictEqual(width("👩‍👩‍👧e\u0301"), 3)
      assert.strictEqual(truncate("日本語", 5), "日本…")
    })
  )

  it.effect("shows a job to its end on standard output and gives its result; members stand behind bars", () =>
    Effect.gen(function* () {
      const written: Array<string | Uint8Array> = []
      const stdio = Stdio.layerTest({
        stdout: () => Sink.forEach((chunk) => Effect.sync(() => void written.push(chunk)))
      })
      const both = Effect.all([
        Agent.run(Agent.make({ name: "a", input: "1" })),
        Agent.run(Agent.make({ name: "b", input: "2" }))
      ])
      const model = ScriptedModel.layer([ScriptedModel.text("one"), ScriptedModel.text("two")])
      const shown = Printer.run(both, { name: "team" }).pipe(Effect.provide(Layer.merge(stdio, model)))
      assert.deepStrictEqual(yield* shown, ["one", "two"])
      assert.strictEqual(
        written.join(""),
        "● team\n│ ● a\n│ > 1\n│ one\n│ ✓ done in 0 ms\n│ ● b\n│ > 2\n│ two\n│ ✓ done in 0 ms\n● team\n✓ done in 0 ms\n"
      )
    })
  )
})
