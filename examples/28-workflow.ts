// A content workflow as teams write them: a filter that may end it early, research by three at once of which one fails,
// a loop until an editor is content, a router, and a person who reads the text before it goes out.
//
//   npm run example examples/28-workflow.ts
import { NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Fiber, Option, Result, Schema, Stream } from "effect"
import { Agent, Output } from "effigent"
import { ProviderUnavailable } from "effigent/services/ModelError"
import { ScriptedModel } from "effigent/testing"
import { Chain, Review, TriggerFlow } from "effigent/triggerflow"

/** Who asks: seen by every step of the run. */
const User = Context.Reference<string>("example/User", { defaultValue: () => "nobody" })

const Piece = Schema.Struct({ title: Schema.String, body: Schema.String })
const Publish = Review.make("Publish", Piece)

// ---------------------------------------------------------------------------------------------------------- agents

const web = Agent.make({ name: "web", instruct: "Find what the web says." })
const papers = Agent.make({ name: "papers", instruct: "Find papers." })
const archive = Agent.make({ name: "archive", instruct: "Look into our archive." })
const writer = Agent.make({ name: "writer", instruct: "Write the piece.", output: Piece })
const editor = Agent.make({
  name: "editor",
  instruct: "Judge the piece.",
  output: Schema.Struct({
    score: Output.ensure(Schema.Int, "From 1 to 10"),
    advice: Output.ensure(Schema.String, "What to do better")
  })
})
const ask = <A>(agent: Agent.Agent<A>, text: string) => agent.pipe(Agent.input(text), Agent.run)

// -------------------------------------------------------------------------------------------------------- workflow

const Content = TriggerFlow.define("content", {
  input: Schema.Struct({ topic: Schema.String, kind: Schema.Literals(["post", "thread"]) }),
  interrupts: [Publish],
  stream: Schema.String,
  result: Schema.String
})

const content = Content.build(
  Content.start.pipe(
    // Early stop: the whole is completed, and nothing behind it runs.
    Chain.if(({ topic }) => topic.trim() === "", {
      then: (c) =>
        c.pipe(
          Chain.to("nothing to do", () => Effect.succeed("no topic, no text")),
          Chain.stop
        )
    }),
    // Parallel research; who fails is left out, and said.
    Chain.bind("research", (c) =>
      c.pipe(
        Chain.batch(
          {
            web: (b) => b.pipe(Chain.to("search the web", ({ topic }) => ask(web, topic))),
            papers: (b) => b.pipe(Chain.to("search papers", ({ topic }) => ask(papers, topic))),
            archive: (b) => b.pipe(Chain.to("search the archive", ({ topic }) => ask(archive, topic)))
          },
          { onError: "collect" }
        ),
        Chain.to("gather", (found, run) =>
          Effect.gen(function* () {
            const notes: Array<string> = []
            for (const [name, slot] of Object.entries(found)) {
              if (Result.isSuccess(slot)) notes.push(`${name}: ${slot.success}`)
              else yield* run.put(`${name} is left out: ${slot.failure._tag}`)
            }
            return notes
          })
        )
      )
    ),
    // A loop with an end condition about quality, and a budget.
    Chain.bind("draft", (c) =>
      c.pipe(
        Chain.to("first draft", ({ research, topic }) =>
          Effect.map(ask(writer, `${topic}\n${research.join("\n")}`), (piece) => ({ piece, score: 0, advice: "" }))
        ),
        Chain.loop(
          (round) =>
            round.pipe(
              Chain.bind("verdict", (b) => b.pipe(Chain.to("judge", ({ piece }) => ask(editor, piece.body)))),
              Chain.to("improve", ({ piece, verdict }, run) =>
                Effect.gen(function* () {
                  yield* run.put(`the editor gives ${verdict.score}: ${verdict.advice}`)
                  if (verdict.score >= 8) return { piece, ...verdict }
                  return { piece: yield* ask(writer, `${piece.body}\nBetter: ${verdict.advice}`), ...verdict }
                })
              )
            ),
          { while: ({ score }) => score < 8, max: 5, name: "polish" }
        ),
        Chain.to("polished", ({ piece }) => Effect.succeed(piece))
      )
    ),
    // A person accepts, edits or sends back; after a day without an answer it goes out as it is.
    Chain.bind("approved", (c) =>
      c.pipe(
        Review.step(
          Publish,
          "final text",
          ({ draft }, run, again) =>
            again === undefined
              ? Effect.succeed(draft)
              : Effect.andThen(
                  run.put(`sent back: ${again.reason}`),
                  ask(writer, `${again.output.body}\nThe chief says: ${again.reason}`)
                ),
          { retries: 2, expires: "1 day", onTimeout: "accept" }
        ),
        // Without a policy to skip it, what is approved is a piece.
        Chain.to("sign", (piece) => Effect.map(User, (user) => ({ ...piece, by: user })))
      )
    ),
    // A router: every earlier result is at hand, by its name.
    Chain.match(
      {
        thread: {
          if: ({ kind }) => kind === "thread",
          then: (c) =>
            c.pipe(
              Chain.to("as a thread", ({ approved }) =>
                Effect.succeed(
                  approved.body
                    .split(". ")
                    .map((line, index) => `${index + 1}/ ${line}`)
                    .join("\n")
                )
              )
            )
        }
      },
      {
        otherwise: (c) =>
          c.pipe(
            Chain.to("as a post", ({ approved, research }) =>
              Effect.succeed(`# ${approved.title}\n${approved.body}\n(${approved.by}, ${research.length} sources)`)
            )
          )
      }
    ),
    Chain.result
  )
)

// ------------------------------------------------------------------------------------------------------------- a run

const run = (topic: string, kind: "post" | "thread") =>
  Effect.scoped(
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.open(content, { topic, kind }, { autoClose: 0 })
      // The chief: sends the first text back, accepts the second.
      const chief = yield* Stream.runForEach(execution.entries(), ({ event }) => {
        if (event._tag === "item") return Console.log(`  ${event.item}`)
        if (event._tag !== "interrupt") return Effect.void
        const verdict = event.id === "Publish#1" ? Review.reject("name a price") : Review.accept
        return execution.answer(Publish, verdict, { id: event.id })
      }).pipe(Effect.forkChild)
      const { result } = yield* execution.await
      yield* Fiber.join(chief)
      yield* Console.log(Option.getOrElse(result, () => "nothing"))
    })
  )

// Offline: what the agents say, by who is asked.
const drafts = [
  { title: "Heat pumps", body: "They are quiet" },
  { title: "Heat pumps", body: "They are quiet. They halve the bill" },
  { title: "Heat pumps", body: "They are quiet. They halve the bill. They cost 9,000" }
]
let draft = 0
const answer = ScriptedModel.respond((request) => {
  const said = JSON.stringify(request.prompt)
  if (said.includes("Find papers")) return ScriptedModel.fail(new ProviderUnavailable({ detail: "down", status: 503 }))
  if (said.includes("Find what the web")) return ScriptedModel.text("they are quiet")
  if (said.includes("our archive")) return ScriptedModel.text("they halve the bill")
  if (said.includes("Judge")) {
    return ScriptedModel.json(draft === 1 ? { score: 5, advice: "say what it saves" } : { score: 8, advice: "fine" })
  }
  return ScriptedModel.json(drafts[draft++] ?? {})
})

const model = ScriptedModel.layer(Array.from({ length: 16 }, () => answer))

const program = Effect.gen(function* () {
  yield* Console.log("a post:")
  yield* Effect.provideService(run("heat pumps", "post"), User, "Ada")
  draft = 0
  yield* Console.log("a thread:")
  yield* run("heat pumps", "thread")
  yield* Console.log("nothing:")
  yield* run(" ", "post")
})

NodeRuntime.runMain(Effect.provide(program, model))
