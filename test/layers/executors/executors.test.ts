import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import { Executors } from "effigent/layers/executors"
import { ActionExecutor, type ExecutorError } from "effigent/services/ActionExecutor"
import type { Json } from "effigent/services/Json"
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freshMark, isolations, openFiles, ownChildren, processesWith } from "./machine.ts"

const mebi = 1024 * 1024
const module = join(import.meta.dirname, "fixtures/actions.ts")

const call = (action: string, input: Json = null) =>
  ActionExecutor.use(({ execute }) => execute({ id: "call-1", key: "key-1", action, input }))

const folder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "executors-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const until = (what: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (what() ? Effect.void : Effect.andThen(Effect.sleep(5), until(what)))).pipe(
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error("it did not come to pass")) })
  )

interface Some {
  readonly size?: number
  readonly wallTime?: number
  readonly memory?: number
  readonly output?: number
  readonly input?: number
  readonly module?: string
  readonly env?: Readonly<Record<string, string>>
  readonly startTime?: number
}

const contract = (
  name: string,
  layer: (options?: Some) => Layer.Layer<ActionExecutor, ExecutorError>,
  startsProcesses: boolean
) =>
  describe(name, () => {
    it.live("runs Effects, and encodes what they fail with", () =>
      Effect.gen(function* () {
        assert.deepEqual(yield* call("effect", 4), { _tag: "Success", value: { doubled: 8 } })
        assert.deepEqual(yield* call("constant"), { _tag: "Success", value: "constant" })
        const tagged = yield* call("typedFailure", 5)
        assert.strictEqual(tagged._tag, "Failure")
        assert.deepInclude(tagged.value, { _tag: "TooMuch", limit: 5 })
        assert.deepEqual(yield* call("plainFailure"), { _tag: "Failure", value: { code: 7 } })
        const { reason } = yield* Effect.flip(call("dying"))
        assert.deepInclude(reason, { _tag: "Broken", detail: "the action broke down: dead" })
      }).pipe(Effect.provide(layer({ module: join(import.meta.dirname, "fixtures/effects.ts") })))
    )

    it.live("gives the success of functions and Promises", () =>
      Effect.gen(function* () {
        assert.deepEqual(yield* call("add", { a: 1, b: 2 }), { _tag: "Success", value: 3 })
        assert.deepEqual(yield* call("nothing"), { _tag: "Success", value: null })
        const input = { text: "grüße \u2028\0\n", deep: [[{}], null] }
        assert.deepEqual(yield* call("whoCalls", input), {
          _tag: "Success",
          value: { id: "call-1", key: "key-1", action: "whoCalls", input }
        })
      }).pipe(Effect.provide(layer()))
    )

    it.live("gives typed failures, encoded", () =>
      Effect.gen(function* () {
        assert.deepInclude((yield* call("thrownTagged")).value, { _tag: "TooMuch", limit: 9 })
        assert.deepEqual(yield* call("thrownFailure"), { _tag: "Failure", value: { code: 8 } })
      }).pipe(Effect.provide(layer()))
    )

    it.live("tells what broke down, and works on", () =>
      Effect.gen(function* () {
        for (const [action, text] of [
          ["broken", "out of order"],
          ["notJson", "no JSON"],
          ["deep", "Maximum call stack"]
        ] as const) {
          const { reason } = yield* Effect.flip(call(action))
          assert.strictEqual(reason._tag, "Broken")
          assert.include(reason._tag === "Broken" ? reason.detail : "", text)
        }
        assert.deepEqual(yield* call("count"), { _tag: "Success", value: 1 })
        assert.deepEqual(yield* call("count"), { _tag: "Success", value: 2 })
      }).pipe(Effect.provide(layer({ size: 1 })))
    )

    it.live("knows only what the module exports as functions or Effects", () =>
      Effect.gen(function* () {
        for (const action of ["gone", "notAnAction", "constructor", "__proto__", "toString", "then", ""]) {
          const { reason } = yield* Effect.flip(call(action))
          assert.strictEqual(reason._tag, "NotFound", action)
          assert.include(reason._tag === "NotFound" ? reason.detail : "", "add")
        }
      }).pipe(Effect.provide(layer()))
    )

    it.live("inherits no environment but what is named", () =>
      Effect.gen(function* () {
        process.env.EXECUTOR_SECRET = freshMark()
        const { value } = yield* call("environment").pipe(Effect.provide(layer({ env: { NAMED: "yes" } })))
        const names = Object.keys(typeof value === "object" && value !== null ? value : {})
        delete process.env.EXECUTOR_SECRET
        assert.deepEqual(names.filter((key) => !["EFFIGENT_RUN"].includes(key)).toSorted(), [
          "HOME",
          "LANG",
          "NAMED",
          "PATH"
        ])
      })
    )

    it.live("stops an endless loop and an endless wait in time, and goes on with another worker", () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "log")
        yield* Effect.gen(function* () {
          for (const action of ["spin", "wait"]) {
            const { reason } = yield* Effect.flip(call(action, path))
            assert.deepInclude(reason, { _tag: "TimedOut", millis: 300 })
          }
          assert.deepEqual(yield* call("count"), { _tag: "Success", value: 1 })
        }).pipe(Effect.provide(layer({ size: 1, wallTime: 300 })))
      })
    )

    it.live("interruption stops what is at work, at once", () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "log")
        yield* Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(call("spin", path), { startImmediately: true })
          yield* until(() => existsSync(path))
          yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
          assert.strictEqual((yield* call("add", { a: 1, b: 1 })).value, 2)
        }).pipe(Effect.provide(layer({ size: 1 })))
      })
    )

    it.live("a full heap is a limit, and not the end of this process", () =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(call("heapBomb"))
        assert.include(["LimitExceeded", "Unavailable"], reason._tag)
        assert.strictEqual((yield* call("add", { a: 1, b: 1 })).value, 2)
      }).pipe(Effect.provide(layer({ size: 1, memory: 128 * mebi })))
    )

    it.live("a crash is an error that says the action may have done its work; another takes the place", () =>
      Effect.gen(function* () {
        for (const [action, input] of [
          ["exit", 3],
          ["crash", null]
        ] as const) {
          const { reason } = yield* Effect.flip(call(action, input))
          assert.deepInclude(reason, { _tag: "Unavailable", uncertain: true })
          assert.deepEqual(yield* call("count"), { _tag: "Success", value: 1 })
        }
      }).pipe(Effect.provide(layer({ size: 1 })))
    )

    it.live("a module that cannot be loaded is an error of the call, which was not made", () =>
      Effect.gen(function* () {
        const missing = yield* Effect.flip(call("add")).pipe(Effect.provide(layer({ module: "/no/such/module.js" })))
        assert.deepInclude(missing.reason, { _tag: "Unavailable", uncertain: false })
        assert.include(missing.message, "could not be loaded")
        const wrong = yield* Effect.flip(call("add")).pipe(
          Effect.provide(layer({ module: "data:text/javascript,throw new Error('no')" }))
        )
        assert.deepInclude(wrong.reason, { _tag: "Unavailable", uncertain: false })
        const hangs = yield* Effect.flip(call("add")).pipe(
          Effect.provide(
            layer({ module: "data:text/javascript,setInterval(()=>{},100);await new Promise(()=>{})", startTime: 500 })
          )
        )
        assert.include(hangs.message, "not ready after 500 ms")
        const relative = yield* Effect.flip(Effect.scoped(Layer.build(layer({ module: "./actions.ts" }))))
        assert.strictEqual(relative.reason._tag, "Broken")
      })
    )

    it.live("what is said too long, in or out, is a limit", () =>
      Effect.gen(function* () {
        const out = yield* Effect.flip(call("big", 200_000))
        assert.deepInclude(out.reason, { _tag: "LimitExceeded", limit: "output" })
        const into = yield* Effect.flip(call("whoCalls", "x".repeat(200_000)))
        assert.deepInclude(into.reason, { _tag: "LimitExceeded", limit: "input" })
        assert.strictEqual((yield* call("big", 90_000)).value?.toString().length, 90_000)
      }).pipe(Effect.provide(layer({ output: 100_000, input: 100_000 })))
    )

    it.live("what is printed goes nowhere", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* call("loud", "hello")).value, "said")
      }).pipe(Effect.provide(layer()))
    )

    it.live("runs no more at once than it has workers, each one call at a time", () =>
      Effect.gen(function* () {
        const all = yield* Effect.all(
          Array.from({ length: 30 }, () => call("count")),
          { concurrency: "unbounded" }
        )
        const counts = all.map(({ value }) => Number(value))
        // Two members have counted up to 30 between them.
        const ones = counts.filter((count) => count === 1).length
        assert.isAtMost(ones, 2)
        assert.strictEqual(counts.length, 30)
        if (startsProcesses) assert.isAtMost(ownChildren().length, 2)
      }).pipe(Effect.provide(layer({ size: 2 })))
    )

    it.live("leaves no thread, process or open file behind when its layer closes", () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "log")
        yield* Effect.provide(call("count"), layer({ size: 1 }))
        const before = openFiles()
        for (let index = 0; index < 5; index++)
          yield* Effect.gen(function* () {
            yield* call("count")
            yield* Effect.forkChild(Effect.exit(call("wait", path)), { startImmediately: true })
          }).pipe(Effect.provide(layer({ size: 2 })))
        yield* until(() => openFiles() <= before + 1)
        yield* until(() => ownChildren().length === 0)
      })
    )
  })

contract(
  "Executors.worker",
  ({ env, input, memory, module: path = module, output, size, startTime, wallTime } = {}) =>
    Executors.worker({ module: path, env, heap: memory, input, output, size, startTime, wallTime }),
  false
)

for (const isolation of isolations) {
  const layer = ({ env, input, memory, module: path = module, output, size, startTime, wallTime }: Some = {}) =>
    Executors.childProcess({
      module: path,
      env,
      size,
      startTime,
      isolation,
      limits: { memory: memory ?? 256 * mebi, input, output, wallTime, grace: 100 }
    })
  // What differs by isolation is tested for each: it is the same for commands, and below.
  if (isolation === isolations[0]) contract(`Executors.childProcess, isolation ${isolation}`, layer, true)

  describe(`Executors.childProcess, isolation ${isolation}: attacks`, () => {
    it.live("memory outside of the heap is limited too", () =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(call("bufferBomb"))
        assert.deepInclude(reason, { _tag: "LimitExceeded", limit: "memory" })
        assert.strictEqual((yield* call("add", { a: 1, b: 1 })).value, 2)
      }).pipe(Effect.provide(layer({ size: 1 })))
    )

    it.live("printing without end is stopped", () =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(call("unending"))
        assert.deepInclude(reason, { _tag: "LimitExceeded", limit: "output" })
      }).pipe(Effect.provide(layer({ size: 1, output: mebi })))
    )

    it.live("what is written into its channel is no answer", () =>
      Effect.gen(function* () {
        for (const text of ["garbage\n", '{"type":"done","id":1}\n', "\xff\n"]) {
          const { reason } = yield* Effect.flip(call("scribble", text))
          assert.strictEqual(reason._tag, "Broken")
        }
        const line = yield* Effect.flip(call("scribble", "x".repeat(100_000)))
        assert.deepInclude(line.reason, { _tag: "LimitExceeded", limit: "output" })
      }).pipe(Effect.provide(layer({ size: 1, output: 20_000, input: mebi })))
    )

    it.live("what it leaves behind ends with it, at the latest when the layer closes", () =>
      Effect.gen(function* () {
        const seconds = "86377.125"
        yield* Effect.gen(function* () {
          assert.strictEqual((yield* call("leaveBehind", seconds)).value, "left")
          yield* until(() => processesWith(seconds).length === 1)
        }).pipe(Effect.provide(layer({ size: 1 })))
        assert.deepEqual(processesWith(seconds), [])
      })
    )
  })
}

describe("Executors.inProcess", () => {
  class Greeting extends Context.Service<Greeting, { readonly word: string }>()("test/Greeting") {}

  it.effect("runs handlers with what they need from the program", () =>
    Effect.gen(function* () {
      const layer = Executors.inProcess({
        greet: (name) => Greeting.use(({ word }) => Effect.succeed(`${word} ${String(name)}`)),
        fail: () => Effect.fail({ code: 1 }),
        key: (_, { key }) => Effect.succeed(key)
      }).pipe(Layer.provide(Layer.succeed(Greeting, { word: "hi" })))
      yield* Effect.gen(function* () {
        assert.deepEqual(yield* call("greet", "Ann"), { _tag: "Success", value: "hi Ann" })
        assert.deepEqual(yield* call("fail"), { _tag: "Failure", value: { code: 1 } })
        assert.deepEqual(yield* call("key"), { _tag: "Success", value: "key-1" })
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect(
    "keeps to the contract of the others: defects are broken, unknown names not found, interruption stops",
    () =>
      Effect.gen(function* () {
        let stopped = false
        const layer = Executors.inProcess({
          die: () => Effect.die(new Error("dead")),
          throws: () => {
            throw new Error("thrown")
          },
          never: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (stopped = true)))
        })
        yield* Effect.gen(function* () {
          for (const action of ["die", "throws"])
            assert.strictEqual((yield* Effect.flip(call(action))).reason._tag, "Broken", action)
          for (const action of ["gone", "constructor", "__proto__"])
            assert.strictEqual((yield* Effect.flip(call(action))).reason._tag, "NotFound", action)
          const fiber = yield* Effect.forkChild(call("never"), { startImmediately: true })
          yield* Fiber.interrupt(fiber)
          assert.isTrue(stopped)
        }).pipe(Effect.provide(layer))
      })
  )
})
