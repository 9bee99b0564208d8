// Workflows as AGNO has them, over the public API: what ends a loop, what a failed step does, what agents are as steps,
// and who asks.
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Schedule, Schema, Stream } from "effect"
import { Agent } from "effigent"
import { ExecutionHosts } from "effigent/layers/host"
import { InvalidRequest, ProviderUnavailable } from "effigent/services/ModelError"
import { Chain, type FlowErrors, TriggerFlow } from "effigent/triggerflow"
import { ScriptedModel } from "effigent/testing"
import { Boom, during, errorOf } from "../triggerflow/support.ts"

const W = TriggerFlow.define("w", {
  input: Schema.String,
  state: Schema.Struct({ log: Schema.Array(Schema.String) }),
  initial: { log: [] },
  stream: Schema.String,
  result: Schema.Unknown
})
const note =
  (text: string) => (run: { readonly state: { append: (key: "log", item: string) => Effect.Effect<void> } }) =>
    run.state.append("log", text)

describe("loops", () => {
  it.effect("S53 an end condition that holds at the third of five rounds: three rounds", () =>
    Effect.gen(function* () {
      const flow = W.build(
        W.start.pipe(
          Chain.to("begin", () => Effect.succeed({ text: "", quality: 0 })),
          Chain.loop(
            (c) =>
              c.pipe(
                Chain.to("improve", ({ quality, text }, run) =>
                  Effect.as(note(`round ${quality}`)(run), { text: `${text}.`, quality: quality + 1 })
                )
              ),
            { while: ({ quality }) => quality < 3, max: 5 }
          ),
          Chain.result
        )
      )
      const closed = yield* TriggerFlow.run(flow, "")
      assert.deepStrictEqual(closed.result, Option.some({ text: "...", quality: 3 }))
      assert.lengthOf(closed.state.log, 3)
    })
  )
})

describe("failed steps", () => {
  const second = W.chunk("second", (_: string): Effect.Effect<string, Boom> => Effect.fail(new Boom({ at: "second" })))
  const skipped = W.chunk("second", (_: string) => Effect.fail(new Boom({ at: "second" })), {
    catch: () => Effect.succeed("skipped")
  })
  const before = W.start.pipe(Chain.to("first", (text, run) => Effect.as(note("first")(run), text)))
  const third = W.chunk("third", (text: string, run) => Effect.as(note("third")(run), text))
  const failing = W.build(before.pipe(Chain.to(second), Chain.to(third), Chain.result))
  const skipping = W.build(before.pipe(Chain.to(skipped), Chain.to(third), Chain.result))

  it.effect(
    "S55 by default the workflow fails with the step's error, keeps what it had, and says so in its snapshot",
    () =>
      Effect.gen(function* () {
        const execution = yield* TriggerFlow.open(failing, "x")
        assert.deepStrictEqual(yield* Effect.flip(Effect.asVoid(execution.await)), new Boom({ at: "second" }))
        assert.strictEqual(yield* execution.status, "failed")
        assert.deepStrictEqual((yield* execution.state.all).log, ["first"])
        const snapshot = yield* execution.save()
        assert.strictEqual(snapshot.execution.ended, "failed")
        // What was saved says how it had failed.
        const loaded = yield* TriggerFlow.load(failing, JSON.parse(JSON.stringify(snapshot)))
        assert.strictEqual(yield* loaded.status, "failed")
      })
  )

  it.effect("S55 a failure is skipped where it is said, at the step", () =>
    Effect.gen(function* () {
      const closed = yield* TriggerFlow.run(skipping, "x")
      assert.deepStrictEqual([closed.result, closed.state.log], [Option.some("skipped"), ["first", "third"]])
    })
  )

  const writer = Agent.make({ name: "writer", instruct: "Write." })
  const busy = new ProviderUnavailable({ status: 503, detail: "busy" })

  it.effect("S56 an agent that failed is a failed step: its retries apply, then the next step has its answer", () =>
    Effect.gen(function* () {
      const flow = W.build(
        W.start.pipe(
          Chain.to("write", (topic) => writer.pipe(Agent.input(topic), Agent.run), {
            retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 }))
          }),
          Chain.result
        )
      )
      const script = (...steps: ReadonlyArray<ScriptedModel.Step>) => ScriptedModel.layer(steps)
      const ran = TriggerFlow.runResult(flow, "tea")
      const late = yield* during(
        2000,
        ran.pipe(
          Effect.provide(script(ScriptedModel.fail(busy), ScriptedModel.fail(busy), ScriptedModel.text("On tea")))
        )
      )
      assert.strictEqual(late, "On tea")
      const never = yield* during(
        2000,
        Effect.exit(ran).pipe(Effect.provide(script(...[1, 2, 3].map(() => ScriptedModel.fail(busy)))))
      )
      assert.isTrue(Exit.isFailure(never))
      assert.include(String(errorOf(never)), "busy")
    })
  )

  it.effect("S56 a retry policy sees the agent's own error, and what cannot get better is not tried again", () =>
    Effect.gen(function* () {
      const flow = W.build(
        W.start.pipe(
          Chain.to("write", (topic) => writer.pipe(Agent.input(topic), Agent.run), {
            retry: Schedule.recurs(5).pipe(
              Schedule.setInputType<Agent.AgentError | FlowErrors.ChunkTimeout>(),
              Schedule.while(({ input }) => input._tag === "ModelError" && input.reason._tag !== "InvalidRequest")
            )
          })
        )
      )
      const wrong = ScriptedModel.fail(new InvalidRequest({ detail: "no such model" }))
      // A second request would find no step in the script, and say so instead.
      const exit = yield* Effect.exit(TriggerFlow.run(flow, "tea")).pipe(Effect.provide(ScriptedModel.layer([wrong])))
      assert.include(String(errorOf(exit)), "no such model")
    })
  )
})

describe("parallel steps", () => {
  const slow = (name: string, millis: number) => Effect.as(Effect.sleep(millis), name)

  it.effect("S57 give their results in the order in which they are written, streamed or not", () =>
    Effect.gen(function* () {
      const flow = W.build(
        W.start.pipe(
          Chain.batch({
            slow: (c) => c.pipe(Chain.to("slow", (_, run) => Effect.tap(slow("slow", 30), (name) => run.put(name)))),
            fast: (c) => c.pipe(Chain.to("fast", (_, run) => Effect.tap(slow("fast", 10), (name) => run.put(name)))),
            middle: (c) =>
              c.pipe(Chain.to("middle", (_, run) => Effect.tap(slow("middle", 20), (name) => run.put(name))))
          }),
          Chain.to("names", (all, run) => Effect.as(run.put(Object.keys(all).join(" ")), Object.values(all))),
          Chain.result
        )
      )
      assert.deepStrictEqual(yield* during(30, TriggerFlow.runResult(flow, "")), ["slow", "fast", "middle"])
      // What happens is told as it happens; the results stand as they are written.
      const items = yield* during(30, Stream.runCollect(TriggerFlow.runStream(flow, "")))
      assert.deepStrictEqual(items, ["fast", "middle", "slow", "slow fast middle"])
    })
  )
})

// ------------------------------------------------------------------------------------------------------ who asks

/** Who asks; nobody, where nobody said. */
const User = Context.Reference<string>("test/User", { defaultValue: () => "nobody" })

const who = (place: string) => Effect.map(User, (user) => `${place}: ${user}`)

describe("S59 who asks", () => {
  const Inner = TriggerFlow.define("inner", { result: Schema.String })
  const inner = Inner.build(
    Inner.start.pipe(
      Chain.to("inside", () => who("sub-flow")),
      Chain.result
    )
  )
  const everywhere = W.build(
    W.start.pipe(
      Chain.batch({
        left: (c) => c.pipe(Chain.to("left", () => Effect.andThen(Effect.sleep(5), who("left")))),
        right: (c) =>
          c.pipe(
            Chain.to("two", () => Effect.succeed([1, 2])),
            Chain.forEach((item) => item.pipe(Chain.to("item", (n) => who(`item ${n}`))))
          ),
        sub: (c) => c.pipe(Chain.subFlow(inner, { capture: () => undefined })),
        tried: (c) =>
          c.pipe(
            Chain.to("tried", (_, run) => (run.attempt < 2 ? Effect.fail("again") : who(`try ${run.attempt}`)), {
              retry: Schedule.recurs(1),
              catch: () => who("catch")
            })
          ),
        asked: (c) =>
          c.pipe(
            Chain.if(() => Effect.map(User, (user) => user === "Ada"), {
              then: (ada) => ada.pipe(Chain.to("ada", () => who("condition"))),
              else: (other) => other.pipe(Chain.to("other", () => Effect.succeed("somebody else")))
            })
          )
      }),
      Chain.result
    )
  )
  const wanted = (user: string) => ({
    left: `left: ${user}`,
    right: [`item 1: ${user}`, `item 2: ${user}`],
    sub: `sub-flow: ${user}`,
    tried: `try 2: ${user}`,
    asked: user === "Ada" ? "condition: Ada" : "somebody else"
  })

  it.effect("S59 a Reference that the caller provides is seen in every step, for each run its own", () =>
    Effect.gen(function* () {
      const users = ["Ada", "Bob", "Cy"]
      const results = yield* during(
        5,
        Effect.forEach(users, (user) => Effect.provideService(TriggerFlow.runResult(everywhere, ""), User, user), {
          concurrency: "unbounded"
        })
      )
      assert.deepStrictEqual(results, users.map(wanted))
      assert.deepStrictEqual(yield* during(5, TriggerFlow.runResult(everywhere, "")), wanted("nobody"))
    })
  )

  it.effect("S59 an execution that is open keeps who opened it, whoever sends it signals later", () =>
    Effect.gen(function* () {
      const execution = yield* Effect.provideService(TriggerFlow.create(everywhere, ""), User, "Ada")
      const closed = yield* during(
        5,
        Effect.provideService(Effect.andThen(execution.start, execution.await), User, "Eve")
      )
      assert.deepStrictEqual(closed.result, Option.some(wanted("Ada")))
    })
  )

  // A host runs with services of its own, perhaps in another process: there it is a part of the input.
  const Hosted = TriggerFlow.define("hosted", {
    input: Schema.Struct({ user: Schema.String }),
    state: Schema.Struct({ user: Schema.String }),
    initial: { user: "nobody" },
    result: Schema.Unknown
  })
  const Part = TriggerFlow.define("part", { input: Schema.Struct({ user: Schema.String }), result: Schema.String })
  const part = Part.build(
    Part.start.pipe(
      Chain.to("part", ({ user }) => Effect.succeed(`sub-flow: ${user}`)),
      Chain.result
    )
  )
  const hosted = Hosted.build(
    Hosted.start.pipe(
      Chain.to("begin", ({ user }, run) => run.state.set("user", user)),
      Chain.batch({
        left: (c) => c.pipe(Chain.to("left", (_, run) => Effect.map(run.state.get("user"), (user) => `left: ${user}`))),
        right: (c) =>
          c.pipe(Chain.to("right", (_, run) => Effect.map(run.state.get("user"), (user) => `right: ${user}`))),
        sub: (c) => c.pipe(Chain.subFlow(part, { capture: (_, { user }) => ({ user }) }))
      }),
      Chain.result
    )
  )

  it.effect("S59 in hosted executions it is in the input and the state, typed, in every branch and sub-flow", () =>
    Effect.gen(function* () {
      const results = yield* Effect.forEach(
        ["Ada", "Bob"],
        (user) => Effect.scoped(Effect.flatMap(TriggerFlow.start(Hosted, { user }), ({ result }) => result)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        results,
        ["Ada", "Bob"].map((user) => ({ left: `left: ${user}`, right: `right: ${user}`, sub: `sub-flow: ${user}` }))
      )
    }).pipe(Effect.provide(TriggerFlow.toLayer(hosted).pipe(Layer.provideMerge(ExecutionHosts.inProcess()))))
  )
})
