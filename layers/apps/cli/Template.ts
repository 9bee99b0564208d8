/** What `effigent init` writes: a project that runs and tests green with no key and no network. */

/** The files of a new project, by their paths. @category constants */
export const files = (options: {
  /** The name of the package. */
  readonly name: string
  /** What stands for `effigent` in its dependencies: a version or a tarball. */
  readonly effigent: string
  /** The versions of what effigent stands on. */
  readonly peers: { readonly [name: string]: string }
}): { readonly [path: string]: string } => ({
  "package.json": `${JSON.stringify(
    {
      name: options.name,
      version: "0.0.0",
      private: true,
      type: "module",
      engines: { node: ">=22.19" },
      scripts: {
        start: "node src/main.ts",
        chat: "effigent chat triage",
        test: "node --test test/*.test.ts",
        types: "tsc"
      },
      dependencies: {
        "@effect/platform-node": options.peers["@effect/platform-node"],
        effect: options.peers["effect"],
        effigent: options.effigent
      },
      devDependencies: { "@types/node": "^24.0.0", typescript: ">=5.9.0" }
    },
    undefined,
    2
  )}\n`,
  "tsconfig.json": `${JSON.stringify(
    {
      compilerOptions: {
        target: "ES2024",
        module: "NodeNext",
        moduleDetection: "force",
        lib: ["ES2024", "ESNext.Disposable"],
        types: ["node"],
        strict: true,
        noUncheckedIndexedAccess: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
        noEmit: true
      },
      include: ["src", "test", "effigent.config.ts"]
    },
    undefined,
    2
  )}\n`,
  ".gitignore": "node_modules\n.effigent\n*.db\n*.db-shm\n*.db-wal\n",
  "effigent.config.ts": `// What the command line and servers run: agents, flows, evals, and what they need.
import { Layer } from "effect"
import { defineConfig } from "effigent/config"
import { ModelProviders } from "effigent/layers/apps"
import { JournalStores } from "effigent/layers/sql-store"
import { SqliteClient } from "effigent/layers/sqlite"
import { join } from "node:path"
import { urgency } from "./src/evals.ts"
import { refund, triage } from "./src/main.ts"

// Executions of flows stand in this file, so that they outlive the process.
const filename = join(import.meta.dirname, "effigent.db")
const store = JournalStores.layer().pipe(Layer.provide(SqliteClient.layer({ filename })))

export default defineConfig({
  agents: { triage },
  flows: [refund],
  evals: [urgency],
  // OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY pick the model; without one it is the offline model.
  layer: Layer.merge(ModelProviders.fromEnv, store)
})
`,
  "src/main.ts": `// One agent and one flow. Try: npx effigent run triage "The printer is on fire!"
import { Effect, Schema } from "effect"
import { Agent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"

export const Ticket = Schema.Struct({
  title: Output.ensure(Schema.String, "What it is about, in one line"),
  urgent: Output.ensure(Schema.Boolean, "Whether it has to be done today")
})

export const triage = Agent.make({
  name: "triage",
  system: "You triage letters for a support team.",
  instruct: "Read the letter.",
  output: Ticket
})

// A person has to agree to refunds of more than 5.00.
const Approval = Interrupt.make("Approval", { payload: Schema.Int, resume: Schema.Boolean })

export const Refund = TriggerFlow.define("refund", {
  input: Schema.Struct({ cents: Schema.Int, letter: Schema.String }),
  result: Schema.String,
  interrupts: [Approval]
})

export const refund = Refund.build(
  Refund.start.pipe(
    Chain.to("triage", ({ cents, letter }) =>
      triage.pipe(
        Agent.input(letter),
        Agent.run,
        Effect.map(({ title }) => ({ cents, title }))
      )
    ),
    Chain.if(({ cents }) => cents > 500, {
      then: (large) => large.pipe(Chain.to("approve", ({ cents }, run) => run.pause(Approval, cents))),
      else: (small) => small.pipe(Chain.to("agree", () => Effect.succeed(true)))
    }),
    Chain.to("pay", (approved) => Effect.succeed(approved ? "paid" : "kept")),
    Chain.result
  )
)

if (import.meta.main) {
  const ticket = triage.pipe(Agent.input(process.argv[2] ?? "The printer on floor 2 is on fire!"), Agent.run)
  console.log(await Effect.runPromise(ticket.pipe(Effect.provide(ModelProviders.fromEnv))))
}
`,
  "src/evals.ts": `// How good the agent is over cases whose answer is known. Try: npx effigent eval
import { Schema } from "effect"
import { Dataset, Evals, Scorer } from "effigent/evals"
import { triage } from "./main.ts"

const letters = Dataset.make({
  name: "letters",
  input: Schema.String,
  expected: Schema.Boolean,
  cases: [
    { id: "fire", input: "The printer is on fire!", expected: true, tags: ["danger"] },
    { id: "lunch", input: "Is there lunch on Friday?", expected: false }
  ]
})

export const urgency = Evals.make("urgency", { dataset: letters, subject: triage }, [
  Scorer.on(({ expected, output }) => ({ output: output.urgent, expected }), Scorer.exact({ name: "urgent" })),
  Scorer.on(({ output }) => ({ output: output.title }), Scorer.matches(/^.{1,60}$/, { name: "one line" }))
])
`,
  "test/main.test.ts": `import { Effect } from "effect"
import { Agent } from "effigent"
import { ScriptedModel } from "effigent/testing"
import { TriggerFlow } from "effigent/triggerflow"
import assert from "node:assert/strict"
import { test } from "node:test"
import { refund, triage } from "../src/main.ts"

const model = ScriptedModel.layer([ScriptedModel.json({ title: "Printer on fire", urgent: true })])

test("a letter becomes a ticket", async () => {
  const ticket = triage.pipe(Agent.input("The printer is on fire!"), Agent.run, Effect.provide(model))
  assert.deepEqual(await Effect.runPromise(ticket), { title: "Printer on fire", urgent: true })
})

test("a small refund is paid without asking", async () => {
  const program = TriggerFlow.runResult(refund, { cents: 400, letter: "My cup is broken." }).pipe(Effect.provide(model))
  assert.equal(await Effect.runPromise(program), "paid")
})
`
})
