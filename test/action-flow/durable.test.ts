/** Runs that are kept while they run: what a crash leaves, who goes on with it, and what is not done twice. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { SnapshotStores } from "effigent/layers/store"
import { SnapshotStore, SnapshotStoreError } from "effigent/services/SnapshotStore"
import { ScriptedModel } from "effigent/testing"
import { Chain, TriggerFlow } from "effigent/triggerflow"
import { done, office } from "./office.ts"

const { text, toolCalls } = ScriptedModel
const approved = { _tag: "Approved" } as const

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(`${tmpdir()}/effigent-`)),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

// Runs the program until it has said so many lines, and kills it there.
const killed = (directory: string, lines: number) =>
  Effect.callback<string>((resume) => {
    const program = new URL("./crash.ts", import.meta.url).pathname
    const child = spawn(process.execPath, ["--conditions=effigent:source", program, directory])
    let said = ""
    const hear = (data: Buffer) => {
      said += data.toString()
      if (said.trim().split("\n").length >= lines) child.kill("SIGKILL")
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.on("exit", (_, signal) => resume(Effect.succeed(`${signal} ${said.trim().split("\n").toSorted().join(" ")}`)))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("durable flows of actions", () => {
  it.live(
    "S46 S35 killed while all is at work: what must not run twice is reconciled or asked for, the rest runs again",
    () =>
      Effect.gen(function* () {
        const directory = yield* folder
        assert.strictEqual(yield* killed(directory, 5), "SIGKILL charge mail put read ship")
        const store = SnapshotStores.file({ directory: `${directory}/runs` }).pipe(Layer.provide(NodeFileSystem.layer))
        yield* Effect.gen(function* () {
          const flow = ActionFlow.make(office(directory, false), { durable: true })
          const execution = yield* ActionFlow.open(flow, "Another input, which is ignored.", { id: "job" })
          const [question, ...more] = yield* execution.rest
          assert.strictEqual(more.length, 0)
          if (question === undefined) return assert.fail("nobody asks what became of the call")
          assert.strictEqual(question.interrupt, "UnknownOutcome")
          assert.strictEqual(question.id, "call_2:outcome")
          assert.deepInclude(question.payload, { key: "job/call_2" })
          const outcome = { _tag: "Done", result: "it lies in the outbox" } as const
          yield* execution.answer(ActionFlow.UnknownOutcome, outcome, { id: question.id })
          const { result, state } = yield* execution.close()
          assert.deepStrictEqual(result, Option.some("all is done"))
          assert.strictEqual(state.input, "Do it all.")
          assert.deepStrictEqual(
            state.loop.rounds[0]?.records.map(({ result, status }) => [status, result]),
            [
              ["success", "the bank knows job/call_1"],
              ["success", "it lies in the outbox"],
              ["success", "ship done"],
              ["success", "put done"],
              ["success", "read done"]
            ]
          )
          // Each under the key that it had before; those that must not run twice did so only where they had not run.
          const again = ["put job/call_4", "read job/call_5", "ship job/call_3"]
          assert.deepStrictEqual(done(directory).slice(5).toSorted(), again)
          assert.strictEqual((yield* ScriptedModel.requests).length, 1)
          // S36: the same id again gives the same run, which has ended.
          const ended = yield* ActionFlow.open(flow, "Do it all.", { id: "job" })
          assert.deepStrictEqual((yield* ended.await).result, Option.some("all is done"))
        }).pipe(Effect.scoped, Effect.provide([store, ScriptedModel.layer([text("all is done")])]))
      }),
    300_000
  )

  // What the first of two programs has begun, the second goes on with.
  const shop = (did: Array<string>, hang: Effect.Effect<void> | undefined) => {
    const pay = Action.make("pay", {
      description: "Pays.",
      approval: "always",
      run: () =>
        Effect.andThen(
          Effect.sync(() => did.push("pay")),
          hang ?? Effect.void
        )
    })
    const read = Action.make("read", {
      description: "Reads.",
      sideEffect: "pure",
      run: () => Effect.sync(() => did.push("read"))
    })
    const agent = Agent.make({ name: "shop" }).pipe(Actions.use([pay, read]))
    return ActionFlow.make(agent, { durable: true })
  }

  it.effect("S35 a round that has ended is not run again, nor is the model asked for it again", () =>
    Effect.gen(function* () {
      const did: Array<string> = []
      const crash = Scope.makeUnsafe()
      const asked = yield* Deferred.make<void>()
      const model = ScriptedModel.layer([
        toolCalls([{ name: "read", input: {} }]),
        ScriptedModel.respond(() => {
          Deferred.doneUnsafe(asked, Effect.void)
          return ScriptedModel.hang
        })
      ])
      yield* ActionFlow.open(shop(did, undefined), "Go.", { id: "a" }).pipe(
        Effect.andThen(Deferred.await(asked)),
        Effect.provide(model),
        Scope.provide(crash)
      )
      yield* Scope.close(crash, Exit.void)
      const model2 = ScriptedModel.layer([text("done")])
      const result = yield* ActionFlow.open(shop(did, undefined), "Go.", { id: "a" }).pipe(
        Effect.flatMap((execution) => execution.await),
        Effect.scoped,
        Effect.provide(model2)
      )
      assert.deepStrictEqual([result.result, did], [Option.some("done"), ["read"]])
    }).pipe(Effect.provide(SnapshotStores.memory))
  )

  it.effect("S36 the same id goes on and ignores another input; a new id is a new run", () =>
    Effect.gen(function* () {
      const did: Array<string> = []
      const flow = shop(did, undefined)
      const open = (input: string, id: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const execution = yield* ActionFlow.open(flow, input, { id })
            const questions = yield* execution.rest
            return [questions.length, yield* execution.state.get("input"), (yield* ScriptedModel.requests).length]
          })
        )
      assert.deepStrictEqual(yield* open("Pay.", "a"), [1, "Pay.", 1])
      assert.deepStrictEqual(yield* open("Do not pay.", "a"), [1, "Pay.", 1])
      assert.deepStrictEqual(yield* open("Pay twice.", "b"), [1, "Pay twice.", 2])
    }).pipe(
      Effect.provide([
        SnapshotStores.memory,
        ScriptedModel.layer([toolCalls([{ name: "pay", input: {} }]), toolCalls([{ name: "pay", input: {} }])])
      ])
    )
  )

  it.effect(
    "S42 of two programs that go on with one run, one runs the call and the other is refused before it does",
    () =>
      Effect.gen(function* () {
        const did: Array<string> = []
        const flow = shop(did, undefined)
        yield* Effect.scoped(Effect.flatMap(ActionFlow.open(flow, "Pay.", { id: "a" }), (execution) => execution.rest))
        const one = yield* ActionFlow.open(shop(did, undefined), "Pay.", { id: "a" })
        const two = yield* ActionFlow.open(shop(did, undefined), "Pay.", { id: "a" })
        const [question] = yield* one.rest
        yield* two.rest
        yield* one.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
        assert.deepStrictEqual((yield* one.close()).result, Option.some("done"))
        yield* two.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
        const refused = yield* Effect.flip(two.await)
        assert.strictEqual(refused._tag, "SnapshotConflict")
        assert.deepStrictEqual(did, ["pay"])
      }).pipe(
        Effect.provide([
          SnapshotStores.memory,
          ScriptedModel.layer([toolCalls([{ name: "pay", input: {} }]), text("done")])
        ])
      )
  )

  it.effect("S46 not done, or once more: what a person says of a call of which nobody knows", () =>
    Effect.gen(function* () {
      for (const answer of ["NotDone", "Again"] as const) {
        const did: Array<string> = []
        const crash = Scope.makeUnsafe()
        const begun = yield* Deferred.make<void>()
        const hang = Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        const before = yield* Scope.provide(ActionFlow.open(shop(did, hang), "Pay.", { id: answer }), crash)
        const [question] = yield* before.rest
        yield* before.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
        yield* Deferred.await(begun)
        yield* Scope.close(crash, Exit.void)
        const flow = shop(did, undefined)
        // Nothing is decided by opening it, however often.
        yield* Effect.scoped(Effect.flatMap(ActionFlow.open(flow, "", { id: answer }), ({ rest }) => rest))
        const after = yield* ActionFlow.open(flow, "", { id: answer })
        const [unknown] = yield* after.rest
        assert.deepStrictEqual(did, ["pay"])
        yield* after.answer(ActionFlow.UnknownOutcome, { _tag: answer }, { id: unknown?.id ?? "" })
        const { state } = yield* after.close()
        const record = state.loop.rounds[0]?.records[0]
        assert.strictEqual(record?.status, answer === "Again" ? "success" : "interrupted")
        assert.deepStrictEqual(record?.decision, approved)
        assert.deepStrictEqual(did, answer === "Again" ? ["pay", "pay"] : ["pay"])
      }
    }).pipe(
      Effect.provide([
        SnapshotStores.memory,
        ScriptedModel.layer([
          toolCalls([{ name: "pay", input: {} }]),
          text("done"),
          toolCalls([{ name: "pay", input: {} }]),
          text("done")
        ])
      ])
    )
  )

  it.effect(
    "S37 a store that is away does not end the run, but nothing that must not run twice is run without it",
    () =>
      Effect.gen(function* () {
        const did: Array<string> = []
        const away = new SnapshotStoreError({ store: "test", id: "a", operation: "put", detail: "no space" })
        const store = Layer.succeed(SnapshotStore, {
          put: () => Effect.fail(away),
          get: () => Effect.succeed(Option.none()),
          list: () => Effect.succeed([]),
          prune: () => Effect.void,
          remove: () => Effect.void
        })
        const execution = yield* Effect.provide(ActionFlow.open(shop(did, undefined), "Go.", { id: "a" }), store)
        const [question] = yield* execution.rest
        assert.deepStrictEqual(did, ["read"])
        yield* execution.answer(ActionFlow.Approval, approved, { id: question?.id ?? "" })
        assert.strictEqual((yield* Effect.flip(execution.await))._tag, "SnapshotStoreError")
        assert.deepStrictEqual(did, ["read"])
      }).pipe(
        Effect.provide(
          ScriptedModel.layer([
            toolCalls([
              { name: "read", input: {} },
              { name: "pay", input: {} }
            ])
          ])
        )
      )
  )

  it.effect("S75 what is said to a run is kept with `keep`, and a durable flow is none inside another one", () =>
    Effect.gen(function* () {
      const flow = shop([], undefined)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const execution = yield* ActionFlow.open(flow, "Pay.", { id: "a" })
          yield* execution.rest
          yield* execution.intervene("Hurry.")
          yield* flow.keep(execution)
        })
      )
      const execution = yield* ActionFlow.open(flow, "Pay.", { id: "a" })
      const [question] = yield* execution.rest
      yield* execution.answer(ActionFlow.Approval, { _tag: "Denied" }, { id: question?.id ?? "" })
      const { state } = yield* execution.close()
      assert.deepStrictEqual(state.loop.rounds[0]?.steering, ["Hurry."])

      const Outer = TriggerFlow.define("outer", { input: Schema.String, result: Schema.Unknown })
      const outer = Outer.build(Outer.start.pipe(Chain.subFlow(flow), Chain.result))
      const inside = yield* Effect.flip(TriggerFlow.run(outer, "Pay."))
      assert.include(String(inside), "not as a sub-flow")
    }).pipe(
      Effect.provide([
        SnapshotStores.memory,
        ScriptedModel.layer([toolCalls([{ name: "pay", input: {} }]), text("done")])
      ])
    )
  )
})
