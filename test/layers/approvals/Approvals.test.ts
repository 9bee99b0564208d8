import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Scheduler, type Schema, Stdio, Stream, Terminal } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { Approvals } from "effigent/layers/approvals"
import { ApprovalGate, type ApprovalRequest } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"

const request = (id: string, input: Schema.Json = {}): ApprovalRequest => ({
  call: { id, action: "pay", input, round: 1, index: 0 },
  description: "Pays.",
  sideEffect: "once",
  digest: `${id}abcdef`
})

const ask = (one: ApprovalRequest) => Effect.flatMap(ApprovalGate, (gate) => gate(one))

// A terminal on which lines are typed by the test, and what it shows.
const fake = (options: { readonly tty?: boolean } = {}) => {
  const shown: Array<string> = []
  const lines = Effect.runSync(Queue.unbounded<string>())
  const tty = options.tty ?? true
  const terminal = Terminal.make({
    columns: Effect.succeed(80),
    rows: Effect.succeed(24),
    size: Effect.die("unused"),
    readInput: Effect.die("unused"),
    readLine: Effect.flatMap(Queue.take(lines), (line) =>
      line === "^D" ? Effect.fail(new Terminal.QuitError({})) : Effect.succeed(line)
    ),
    display: (text) => Effect.sync(() => void shown.push(text))
  })
  const layer = (given?: Approvals.TerminalOptions) =>
    Approvals.terminal(given).pipe(
      Layer.provide([
        Layer.succeed(Terminal.Terminal, terminal),
        Stdio.layerTest({ stdinIsTerminal: Effect.succeed(tty), stdoutIsTerminal: Effect.succeed(true) })
      ])
    )
  return { shown, layer, type: (line: string) => Queue.offer(lines, line) }
}

describe("policies", () => {
  it.effect("allow, deny, and a function of the request that needs a service", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.provide(ask(request("a")), Approvals.allow()))._tag, "Approved")
      assert.deepInclude(yield* Effect.provide(ask(request("a")), Approvals.deny("no")), { _tag: "Denied", note: "no" })
      class Limit extends Context.Service<Limit, number>()("test/Limit") {}
      const policy = Approvals.byPolicy(({ call }) =>
        Limit.useSync((limit) =>
          Number(call.input) <= limit ? { _tag: "Approved" as const } : { _tag: "Denied" as const, note: "too much" }
        )
      ).pipe(Layer.provide(Layer.succeed(Limit, 10)))
      assert.strictEqual((yield* Effect.provide(ask(request("a", 10)), policy))._tag, "Approved")
      assert.strictEqual((yield* Effect.provide(ask(request("a", 11)), policy))._tag, "Denied")
    })
  )
})

describe("the terminal", () => {
  it.effect("y approves, a text is the note, nothing and no deny; one question after the other", () => {
    const { layer, shown, type } = fake()
    return Effect.gen(function* () {
      const gate = yield* ApprovalGate
      const all = yield* Effect.forkChild(
        Effect.forEach(["a", "b", "c"], (id) => gate(request(id)), { concurrency: "unbounded" })
      )
      yield* type("y")
      yield* type("not today")
      yield* type("")
      assert.deepStrictEqual(yield* Fiber.join(all), [
        { _tag: "Approved", by: "Ada" },
        { _tag: "Denied", note: "not today", by: "Ada" },
        { _tag: "Denied", note: "it was not approved", by: "Ada" }
      ])
      assert.strictEqual(shown.length, 3)
    }).pipe(Effect.provide(layer({ by: "Ada" })))
  })

  it.effect("denies at once where nobody sits there, and where the input has ended", () =>
    Effect.gen(function* () {
      const piped = fake({ tty: false })
      assert.match(String((yield* Effect.provide(ask(request("a")), piped.layer())).by), /terminal/)
      assert.deepStrictEqual(piped.shown, [])
      const closed = fake()
      yield* closed.type("^D")
      const decision = yield* Effect.provide(ask(request("a")), closed.layer())
      assert.deepInclude(decision, { _tag: "Denied", note: "it needs approval, and the terminal was closed" })
    })
  )

  it.effect("no answer in time denies, and the late y approves nothing else", () => {
    const { layer, shown, type } = fake()
    return Effect.gen(function* () {
      const gate = yield* ApprovalGate
      const first = yield* Effect.forkChild(gate(request("aaaa")))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(first))._tag, "Denied")
      yield* type("y")
      assert.strictEqual((yield* gate(request("bbbb")))._tag, "Denied")
      yield* type("y cccc")
      assert.strictEqual((yield* gate(request("cccc")))._tag, "Approved")
      assert.include(shown[2], "y cccc to approve")
    }).pipe(Effect.provide(layer({ timeout: "1 minute" })))
  })

  it.effect("what a model wrote cannot move the cursor or turn the text around", () => {
    const { layer, shown, type } = fake()
    return Effect.gen(function* () {
      yield* type("y")
      yield* ask(request("a", { to: "\u001b[2K\u009b1A\u202eevil\r\n" }))
      const [question = ""] = shown
      for (const char of ["\u001b", "\u009b", "\u202e", "\r"]) assert.notInclude(question, char)
      assert.include(question, "\\u202eevil")
    }).pipe(Effect.provide(layer()))
  })
})

describe("the queue", () => {
  it.effect("keeps no call whose run is interrupted, at whatever step", () =>
    Effect.gen(function* () {
      const queue = yield* Approvals.ApprovalQueue
      for (let steps = 0; steps < 60; steps++) {
        const asking = yield* ask(request("a")).pipe(
          // Other fibers get their turn after every few steps.
          Effect.provideService(Scheduler.MaxOpsBeforeYield, 3),
          Effect.forkChild({ startImmediately: true })
        )
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        yield* Fiber.interrupt(asking)
        assert.deepStrictEqual(yield* queue.waiting, [], `interrupted after ${steps} steps`)
      }
    }).pipe(Effect.provide(Approvals.queue))
  )

  it.effect("requests come as a stream and are answered by id, once; an interrupted run takes its own back", () =>
    Effect.gen(function* () {
      const queue = yield* Approvals.ApprovalQueue
      const early = yield* Effect.forkChild(ask(request("a")), { startImmediately: true })
      const seen = yield* Effect.forkChild(queue.requests.pipe(Stream.take(2), Stream.runCollect), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      const late = yield* Effect.forkChild(ask(request("b")), { startImmediately: true })
      const waited = yield* Fiber.join(seen)
      assert.deepStrictEqual(
        waited.map(({ request }) => request.call.id),
        ["a", "b"]
      )
      const [first = "", second = ""] = waited.map(({ id }) => id)
      // No number that a queue of another process would give, too.
      assert.match(first, /^[\da-f-]{36}$/)
      assert.notStrictEqual(first, second)
      yield* queue.answer(first, { _tag: "Approved", by: "Ada" })
      assert.deepStrictEqual(yield* Fiber.join(early), { _tag: "Approved", by: "Ada" })
      assert.strictEqual((yield* Effect.flip(queue.answer(first, { _tag: "Approved" })))._tag, "NotWaiting")
      yield* Fiber.interrupt(late)
      assert.deepStrictEqual(yield* queue.waiting, [])
      assert.include((yield* Effect.flip(queue.answer(second, { _tag: "Approved" }))).message, `"${second}"`)
    }).pipe(Effect.provide(Approvals.queue))
  )

  it.effect("an agent waits for it in the middle of its run", () =>
    Effect.gen(function* () {
      const pay = Action.make("pay", { description: "Pays.", approval: "always", run: () => Effect.succeed("paid") })
      const answered = yield* Effect.forkChild(Agent.run(Agent.make({ input: "?" }).pipe(Actions.use([pay]))))
      const queue = yield* Approvals.ApprovalQueue
      const [waiting] = yield* queue.requests.pipe(Stream.take(1), Stream.runCollect)
      yield* queue.answer(waiting?.id ?? "", { _tag: "Approved" })
      assert.strictEqual(yield* Fiber.join(answered), "done")
    }).pipe(
      Effect.provide([
        Approvals.queue,
        ScriptedModel.layer([ScriptedModel.toolCalls([{ name: "pay", input: {} }]), ScriptedModel.text("done")])
      ])
    )
  )
})
