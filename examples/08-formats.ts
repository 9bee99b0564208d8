// Formats: a long text as JSON has every line break and quote escaped. In a field format the model writes it as it is,
// and each field still arrives typed. The same agent in every format, with the built-in offline model.
//
//   npm run example examples/08-formats.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { OfflineModel } from "effigent/layers/offline"

const Review = Schema.Struct({
  title: Output.ensure(Schema.String, "Headline of the review"),
  body: Output.ensure(Schema.String, "The review itself, in Markdown"),
  stars: Output.ensure(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })), "Rating")
})

const letter = `The hotel "Zum Adler" was spotless and quiet.
The breakfast was cold on both days, though. We rate it 4 stars.`

const ask = (format: "json" | "flatMarkdown" | "hybrid" | "xmlField" | "yamlLiteral" | "auto") =>
  Effect.scoped(
    Effect.gen(function* () {
      const review = Agent.make({ instruct: "Write a review.", output: Review, format }).pipe(Agent.input(letter))
      const response = yield* Agent.respond(review)
      const done = yield* response.instant.pipe(
        Stream.filter((event) => event._tag === "Field" && event.isComplete),
        Stream.map((event) => event.path),
        Stream.runCollect
      )
      const { data, meta, text } = yield* response.full
      yield* Console.log(`--- ${format}${format === "auto" ? ` (took ${meta.format})` : ""}\n${text.trim()}`)
      yield* Console.log(`=> ${done.join(", ")}; ${typeof data.stars} ${data.stars}\n`)
      return data
    })
  )

const program = Effect.gen(function* () {
  const all = yield* Effect.forEach(["json", "flatMarkdown", "hybrid", "xmlField", "yamlLiteral", "auto"] as const, ask)
  const same = all.every((data) => JSON.stringify(data) === JSON.stringify(all[0]))
  yield* Console.log(`the same value in every format: ${same}`)
})

NodeRuntime.runMain(program.pipe(Effect.provide(OfflineModel.layer)))
