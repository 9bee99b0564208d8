/** Many runs at once, with actions that fail, hang and break: all is accounted for, and nothing is left at work. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Ref, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionAudit, type ActionEvent } from "effigent/services/Action"
import { ActionExecutor, ExecutorError, Unavailable } from "effigent/services/ActionExecutor"
import { type ModelEvent, ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"
import { Tool } from "effect/ai"

const runs = 1_000

const callsOf = (request: ModelRequest) => request.prompt.content.filter(({ role }) => role === "tool").length

// Two rounds of two calls, then an answer. The number of the run is in its input.
const model = Layer.succeed(ModelProvider, {
  name: "busy",
  stream: (request) => {
    const round = callsOf(request)
    const last = request.prompt.content.find(({ role }) => role === "user")
    const id = Number(/run (\d+)/.exec(JSON.stringify(last?.content))?.[1])
    const call = (index: number): ModelEvent => ({
      _tag: "ToolCall",
      index,
      id: `${round}-${index}`,
      name: "work",
      arguments: "",
      input: { run: id, step: round * 2 + index }
    })
    return round < 2 && request.toolChoice !== "none"
      ? Stream.make(call(0), call(1), { _tag: "Finish", reason: "tool-calls" } as const)
      : Stream.make({ _tag: "Text", text: `done ${id}` } as const, { _tag: "Finish", reason: "stop" } as const)
  }
})

const Work = Tool.make("work", {
  parameters: Schema.Struct({ run: Schema.Int, step: Schema.Int }),
  success: Schema.Int
})
const work = Action.remote(Work, { sideEffect: "idempotent", timeout: "10 seconds" })

describe("1,000 runs with actions at once, every tenth call of which fails", () => {
  it.effect("end, each call is in the audit log once, and none is at work after its run", () =>
    Effect.gen(function* () {
      const atWork = yield* Ref.make(0)
      const dispatched = yield* Ref.make(0)
      const executor = Layer.succeed(ActionExecutor, {
        name: "shaky",
        execute: ({ input }) => {
          const { run, step } = Schema.decodeUnknownSync(Work.parametersSchema)(input)
          const n = run * 4 + step
          const act =
            n % 10 !== 3
              ? Effect.as(Effect.sleep(n % 7), { _tag: "Success" as const, value: n })
              : n % 30 === 3
                ? Effect.fail(
                    new ExecutorError({
                      executor: "shaky",
                      subject: "work",
                      reason: new Unavailable({ detail: "gone", uncertain: true })
                    })
                  )
                : n % 30 === 13
                  ? Effect.never
                  : Effect.die("broken")
          return Ref.update(dispatched, (k) => k + 1).pipe(
            Effect.andThen(
              Effect.acquireUseRelease(
                Ref.update(atWork, (k) => k + 1),
                () => act,
                () => Ref.update(atWork, (k) => k - 1)
              )
            )
          )
        }
      })
      const log: Array<ActionEvent> = []
      const agent = Agent.make({ system: "You work." }).pipe(Actions.use([work]))
      const one = (n: number) => Agent.whole(agent.pipe(Agent.input(`run ${n}`)))
      const all = yield* Effect.forEach(
        Array.from({ length: runs }, (_, n) => n),
        one,
        { concurrency: "unbounded" }
      ).pipe(
        Effect.provide([model, executor]),
        Effect.provideService(ActionAudit, (event) => Effect.sync(() => void log.push(event))),
        Effect.forkChild
      )
      yield* TestClock.adjust("1 minute")
      const done = yield* Fiber.join(all)
      assert.deepStrictEqual(
        done.map(({ data }) => data),
        Array.from({ length: runs }, (_, n) => `done ${n}`)
      )
      assert.strictEqual(yield* Ref.get(atWork), 0)
      assert.strictEqual(yield* Ref.get(dispatched), runs * 4)
      const started = log.filter(({ _tag }) => _tag === "ActionStarted")
      const ended = log.flatMap((event) => (event._tag === "ActionEnded" ? [event.record] : []))
      assert.strictEqual(started.length, runs * 4)
      assert.strictEqual(ended.length, runs * 4)
      const count = (status: string) => ended.filter((record) => record.status === status).length
      assert.strictEqual(count("success"), runs * 4 * 0.9)
      assert.strictEqual(count("timeout") + count("failed") + count("uncertain"), runs * 4 * 0.1)
      for (const status of ["timeout", "failed", "uncertain"]) assert.isAbove(count(status), 100)
      const places = new Set(ended.map(({ call }) => JSON.stringify(call.input)))
      assert.strictEqual(places.size, runs * 4)
    })
  )
})
