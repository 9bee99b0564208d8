// A coding assistant on a folder: it reads the code, mends it, runs the tests, and asks before it changes or runs
// anything. On a terminal you are asked; without one a policy decides. Files stay in the folder, commands are those of the
// policy and run within limits. The model is a script here; any other provider does as well.
//
//   npm run example examples/29-coding-assistant.ts
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { Agent } from "effigent"
import { Actions } from "effigent/action"
import { CommandActions, WorkspaceActions } from "effigent/action/packages"
import { Approvals } from "effigent/layers/approvals"
import { CommandRunners } from "effigent/layers/executors"
import { Printer } from "effigent/layers/terminal"
import { FileWorkspace } from "effigent/layers/workspace"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"
import { mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const { respond, text, toolCalls } = ScriptedModel

const root = realpathSync(mkdtempSync(join(tmpdir(), "effigent-project-")))
writeFileSync(join(root, "sum.mjs"), "export const sum = (a, b) => a - b\n")
writeFileSync(
  join(root, "test.mjs"),
  'import { sum } from "./sum.mjs"\nif (sum(2, 2) !== 4) throw new Error("2 + 2 is 4")\nconsole.log("all is well")\n'
)

const assistant = Agent.make({
  name: "assistant",
  system: "You are a careful programmer. Read before you write, and run the tests before you say that you are done.",
  input: "test.mjs fails. Mend it."
}).pipe(
  Actions.use([...WorkspaceActions.all(), CommandActions.runCommand(["node"])], { rounds: 10, time: "10 minutes" })
)

// What the script reads out of the conversation, as a model would: the digest of the file that it has read.
const digest = ({ prompt }: ModelRequest): string =>
  /"digest":"([0-9a-f]+)"/.exec(JSON.stringify(prompt.content.filter(({ role }) => role === "tool")))?.[1] ?? ""
const remove = toolCalls([{ name: "remove_file", input: { path: "test.mjs", digest: "00000000" } }])
const mend = respond((request) =>
  toolCalls([
    {
      name: "edit_file",
      input: { path: "sum.mjs", digest: digest(request), edits: [{ old: "a - b", new: "a + b" }] }
    }
  ])
)

const model = ScriptedModel.layer([
  toolCalls([
    { name: "read_file", input: { path: "sum.mjs" } },
    { name: "read_file", input: { path: "../../etc/passwd" } }
  ]),
  remove,
  mend,
  toolCalls([{ name: "run_command", input: { command: "node", args: ["test.mjs"], cwd: root } }]),
  text("`sum` subtracted. It adds now, and the test passes.\n")
])

const files = FileWorkspace.layer({ root, allow: ["create", "update", "delete"] })
const commands = CommandRunners.layer({
  roots: [root],
  commands: { node: { operands: "paths" } },
  limits: { wallTime: "30 seconds" },
  accept: ["hardLimits", "watch"]
})
const nobody = Approvals.byPolicy(({ call }) =>
  call.action === "remove_file" ? { _tag: "Denied", note: "never remove a test" } : { _tag: "Approved", by: "policy" }
)
const approvals = process.stdin.isTTY ? Approvals.terminal() : nobody

const program = Effect.gen(function* () {
  yield* Printer.run(assistant)
  yield* Console.log(readFileSync(join(root, "sum.mjs"), "utf8").trim())
})

NodeRuntime.runMain(
  Effect.scoped(program).pipe(
    Effect.provide([model, files, commands, approvals.pipe(Layer.provide(NodeServices.layer)), NodeServices.layer])
  )
)
