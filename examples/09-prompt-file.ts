// Prompts as files: what an agent says and what it gives back stands in a YAML file, which people who do not write
// TypeScript can change. Placeholders are filled when it is read; errors name file, line and key.
//
//   npm run example examples/09-prompt-file.ts
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, Output, PromptFile } from "effigent"
import { Files } from "effigent/layers/files"
import { OfflineModel } from "effigent/layers/offline"

const path = new URL("data/triage.yaml", import.meta.url).pathname
const letter = "The printer is on fire! Please send someone at once. The repair cost EUR 120.50 last time."

// The file says the output; the Schema here says it to the compiler as well.
const Ticket = Schema.Struct({
  title: Output.ensure(Schema.String, "What it is about"),
  urgency: Output.ensure(Schema.Literals(["low", "high"]), "How soon it has to be done")
})

const program = Effect.gen(function* () {
  const file = yield* Files.prompt(path, { mappings: { company: "Ada's Print Shop", letter } })
  yield* Console.log("output as the file says:", yield* Agent.run(Agent.fromPromptFile(file)))

  const typed = Agent.fromPromptFile(file).pipe(Agent.output(Ticket))
  const { urgency } = yield* Agent.run(typed) // "low" | "high"
  yield* Console.log("typed:", urgency)

  // What was read can be written again, in either syntax.
  const again = yield* Effect.fromResult(PromptFile.parse(PromptFile.toJson(file)))
  yield* Console.log("round trip:", PromptFile.toYaml(again) === PromptFile.toYaml(file))

  const broken = PromptFile.parse("input: hi\noutput:\n  n:\n    $type: integr\n", { file: "broken.yaml" })
  yield* Effect.fromResult(broken).pipe(Effect.catch((error) => Console.log(error.message)))
})

NodeRuntime.runMain(program.pipe(Effect.provide([OfflineModel.layer, NodeFileSystem.layer])))
