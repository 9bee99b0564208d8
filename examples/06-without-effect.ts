// The same agents in a program that does not use Effect: a Promise, an async iterable, an AbortSignal.
//
//   npm run example examples/06-without-effect.ts
import { Schema } from "effect"
import { Agent, Effigent, Output } from "effigent"
import { ModelProviders } from "effigent/layers/apps"

const translator = Agent.make({
  instruct: "Say what the note asks for.",
  output: {
    subject: Output.ensure(Schema.String, "What it is about"),
    requests: [Output.ensure(Schema.String, "One request")]
  }
})

const note = "Subject: Heating\n\nPlease send a technician. Please call before you come."
const layer = ModelProviders.fromEnv
const controller = new AbortController()

const value = await Effigent.runPromise(translator, note, { layer, signal: controller.signal })
console.log(value.subject)

for await (const event of Effigent.stream(translator, note, { layer, signal: controller.signal })) {
  if (event._tag === "Field" && event.isComplete) console.log(event.path, "=", event.value)
}
