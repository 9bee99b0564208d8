import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent } from "effigent"
import { type Action, Actions } from "effigent/action"
import { CommandActions } from "effigent/action/packages"
import { Arguments, CodeRunners, CommandRunners } from "effigent/layers/executors"
import { ActionAudit, type ActionRecord, ApprovalGate } from "effigent/services/Action"
import type { CodeRunner } from "effigent/services/CodeRunner"
import type { CommandRunner } from "effigent/services/CommandRunner"
import type { JsonObject } from "effigent/services/Json"
import { ScriptedModel } from "effigent/testing"

const layers = Layer.mergeAll(
  CommandRunners.layer({ roots: [import.meta.dirname], commands: { echo: { operands: "any" }, ls: Arguments.ls } }),
  CodeRunners.layer({ languages: { python: true } })
)

const approve = Layer.succeed(ApprovalGate, () => Effect.succeed({ _tag: "Approved" }))

/** Runs an agent whose model makes one call; what became of it. */
const recordOf = Effect.fnUntraced(function* (
  action: Action.Action<never, unknown, unknown, CommandRunner | CodeRunner>,
  input: JsonObject,
  gate: Layer.Layer<never>
) {
  const records: Array<ActionRecord> = []
  const model = ScriptedModel.layer([
    ScriptedModel.toolCalls([{ name: action.name, input }]),
    ScriptedModel.text("done")
  ])
  const audit = Layer.succeed(ActionAudit, (event) =>
    Effect.sync(() => void (event._tag === "ActionEnded" && records.push(event.record)))
  )
  yield* Agent.make({ input: "go" }).pipe(
    Actions.use([action]),
    Agent.run,
    Effect.provide(Layer.mergeAll(model, layers, audit, gate))
  )
  return records[0]
})

describe("actions over commands and code", () => {
  it.live("AC-07 run_command runs once it is approved, and not without", () =>
    Effect.gen(function* () {
      const action = CommandActions.runCommand(["echo", "ls"])
      const input = { command: "echo", args: ["a; b"] }
      const done = yield* recordOf(action, input, approve)
      assert.deepInclude(done, {
        status: "success",
        result: { exitCode: 0, stdout: "a; b\n", stderr: "", truncated: false }
      })
      const denied = yield* recordOf(action, input, Layer.empty)
      assert.strictEqual(denied?.status, "denied")
    })
  )

  it.live("tells the model of a refusal, by its rule, and of names that there are not", () =>
    Effect.gen(function* () {
      const action = CommandActions.runCommand(["echo", "ls"], { approval: "never" })
      const refused = yield* recordOf(action, { command: "ls", args: ["--hyperlink"] }, Layer.empty)
      assert.strictEqual(refused?.status, "failed")
      assert.include(JSON.stringify(refused?.result), "argument.option")
      const unknown = yield* recordOf(action, { command: "rm", args: ["-rf", "/"] }, Layer.empty)
      assert.strictEqual(unknown?.status, "invalid")
    })
  )

  it.live("run_code gives output and files, as text or as base64", () =>
    Effect.gen(function* () {
      const action = CommandActions.runCode(["python"], { approval: "never" })
      const code = "print(open('in.txt').read()); open('t','w').write('ä'); open('b','wb').write(bytes([255, 0]))"
      const input = { language: "python", code, files: { "in.txt": "hello" }, outputs: ["t", "b", "gone"] }
      const record = yield* recordOf(action, input, Layer.empty)
      assert.deepInclude(record?.result, {
        stdout: "hello\n",
        files: [
          { path: "t", encoding: "utf8", content: "ä" },
          { path: "b", encoding: "base64", content: "/wA=" }
        ],
        missing: [{ path: "gone", why: "absent" }]
      })
    })
  )
})
