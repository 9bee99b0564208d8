import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import { A, Approval, Ask, B, beside, Boom, during, E, errorOf, F, Meter, pure, reasonOf, settle } from "./support.ts"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

/** How many bytes are in use, garbage apart. */
const heap = (): number => {
  if (typeof collect === "function") collect()
  return process.memoryUsage().heapUsed
}

describe("Signals", () => {
  it.effect("TF-58 an awaited emit gives the replies of its chains in their order, after everything they started", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      let replies: ReadonlyArray<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (n, run) =>
            Effect.gen(function* () {
              replies = yield* run.emit(Ask, n)
              log.push("after")
            })
          )
        ),
        F.on(Ask).pipe(
          Chain.to("r1", (n) => Effect.andThen(Effect.yieldNow, Effect.succeed(n))),
          Chain.to("r1b", (n) => Effect.sync(() => (log.push("a"), `r1-${n}`)))
        ),
        F.on(Ask).pipe(
          Chain.side((s) =>
            s.pipe(
              Chain.to("side", () =>
                Effect.andThen(
                  Effect.yieldNow,
                  Effect.sync(() => log.push("side"))
                )
              )
            )
          ),
          Chain.to("r2", (n) => Effect.sync(() => (log.push("b"), `r2-${n}`)))
        )
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(replies, ["r1-1", "r2-1"])
      assert.strictEqual(log.at(-1), "after")
      assert.sameMembers(log, ["a", "b", "side", "after"])
      const execution = yield* TriggerFlow.open(flow, 1)
      assert.deepStrictEqual(yield* execution.emit(Ask, 2), ["r1-2", "r2-2"])
      const exit = yield* execution.emitExit(Ask, 3)
      assert.deepStrictEqual(exit, Exit.succeed(["r1-3", "r2-3"]))
    })
  )

  it.effect("TF-58 a reply that its Schema does not admit fails who waits for it", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(Chain.to("s", (n, run) => run.emit(Ask, n))),
        F.on(Ask).pipe(Chain.to("r", (n) => Effect.succeed(n)))
      )
      const exit = yield* Effect.exit(TriggerFlow.run(flow, 1))
      assert.strictEqual(reasonOf(exit), "ContractViolation")
      assert.include(String(errorOf(exit)), "Ask")
      const outside = yield* TriggerFlow.open(F.build(F.on(Ask).pipe(Chain.to("r", (n) => Effect.succeed(n)))), 1)
      assert.strictEqual(reasonOf(yield* Effect.exit(outside.emit(Ask, 1))), "ContractViolation")
    })
  )

  it.effect("a signal without chains is done at once", () =>
    Effect.gen(function* () {
      let replies: unknown
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (n, run) =>
            Effect.gen(function* () {
              yield* run.emit(E, n)
              replies = yield* run.emit(Ask, n)
              yield* run.emitFork(E, n)
            })
          )
        )
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(replies, [])
    })
  )

  it.effect("TF-59 a forked emit runs after its emitter's step and what follows it, and before close", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s3", (n, run) =>
            Effect.andThen(
              run.emitFork(E, n),
              Effect.sync(() => log.push("s3-end"))
            )
          ),
          Chain.to(
            "next",
            pure(() => log.push("next"))
          )
        ),
        F.on(E).pipe(
          Chain.to("slow", () => Effect.yieldNow),
          Chain.to(
            "e",
            pure(() => log.push("E"))
          )
        )
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(log, ["s3-end", "next", "E"])
    })
  )

  it.effect("forked signals start in the order in which they were emitted", () =>
    Effect.gen(function* () {
      const log: Array<number> = []
      const flow = F.build(
        F.start.pipe(Chain.to("s", (_, run) => Effect.forEach([1, 2, 3], (n) => run.emitFork(E, n)))),
        F.on(E).pipe(
          Chain.to("e", (n, run) =>
            Effect.andThen(
              Effect.sync(() => log.push(n)),
              n < 10 ? run.emitFork(E, n * 10) : Effect.void
            )
          )
        )
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(log, [1, 2, 3, 10, 20, 30])
    })
  )

  it.effect("emits can wait beside each other", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.forEach([1, 2, 3, 4], (n) => run.emit(Ask, n), { concurrency: "unbounded" })
          ),
          Chain.result
        ),
        F.on(Ask).pipe(Chain.to("e", (n) => meter.during(Effect.delay(Effect.succeed(`${n}`), 10))))
      )
      const fiber = yield* beside(TriggerFlow.runResult(flow, 1))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [["1"], ["2"], ["3"], ["4"]])
      assert.strictEqual(meter.max, 4)
    })
  )

  it.effect("a failing subtree fails the execution and interrupts its emitter", () =>
    Effect.gen(function* () {
      let interrupted = false
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (n, run) =>
            Effect.onInterrupt(run.emit(E, n), () => Effect.sync(() => void (interrupted = true)))
          )
        ),
        F.on(E).pipe(Chain.to("e", (n) => Effect.fail(new Boom({ at: n }))))
      )
      assert.deepStrictEqual(yield* Effect.flip(TriggerFlow.run(flow, 4)), new Boom({ at: 4 }))
      assert.isTrue(interrupted)
    })
  )

  it.effect("emitExit keeps a failure to itself, stops what else the signal started, and leaves others alone", () =>
    Effect.gen(function* () {
      const inside = new Meter()
      const outside = new Meter()
      const free = yield* Deferred.make<void>()
      const exits: Array<Exit.Exit<void, unknown>> = []
      const flow = F.build(
        F.start.pipe(
          Chain.side((s) => s.pipe(Chain.to("sibling", () => outside.during(Deferred.await(free))))),
          Chain.to("s", (n, run) =>
            Effect.gen(function* () {
              exits.push(yield* run.emitExit(E, n))
              assert.deepStrictEqual([inside.total, inside.now, outside.now], [2, 0, 1])
              exits.push(yield* run.emitExit(A, n))
              yield* Deferred.succeed(free, undefined)
            })
          ),
          Chain.to("end", () => Effect.succeed("end")),
          Chain.result
        ),
        F.on(E).pipe(Chain.to("e1", (n) => Effect.andThen(Effect.yieldNow, Effect.fail(new Boom({ at: n }))))),
        F.on(E).pipe(Chain.to("e2", () => inside.during(Effect.never))),
        F.on(E).pipe(
          Chain.to("e3", (n, run) => run.emit(B, n)),
          Chain.to("never", () => Effect.die("goes on"))
        ),
        F.on(B).pipe(Chain.to("b", () => inside.during(Effect.never)))
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 4), "end")
      assert.deepStrictEqual(exits, [Exit.fail(new Boom({ at: 4 })), Exit.void])
    })
  )

  it.effect("the innermost emitExit keeps the failure; a defect is kept as one", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (n, run) => Effect.map(run.emitExit(A, n), (exit) => seen.push(`outer ${exit._tag}`)))
        ),
        F.on(A).pipe(
          Chain.to("a", (n, run) => Effect.map(run.emitExit(B, n), (exit) => seen.push(`inner ${exit._tag}`)))
        ),
        F.on(B).pipe(Chain.to("b", (n, run) => run.emit(E, n))),
        F.on(E).pipe(Chain.to("e", () => Effect.die("defect")))
      )
      yield* TriggerFlow.run(flow, 1)
      assert.deepStrictEqual(seen, ["inner Failure", "outer Success"])
    })
  )

  it.effect("emitExit from outside keeps the execution running", () =>
    Effect.gen(function* () {
      const flow = F.build(F.on(E).pipe(Chain.to("e", (n) => (n < 0 ? Effect.fail(new Boom({ at: n })) : Effect.void))))
      const execution = yield* TriggerFlow.open(flow, 0)
      assert.deepStrictEqual(yield* execution.emitExit(E, -1), Exit.fail(new Boom({ at: -1 })))
      assert.deepStrictEqual(yield* execution.emitExit(E, 1), Exit.void)
      yield* execution.emit(E, 1)
      assert.strictEqual((yield* execution.close()).status, "completed")
    })
  )

  it.effect("interrupting an emit stops everything it started before it returns", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (n, run) =>
            Effect.gen(function* () {
              yield* Effect.timeoutOption(run.emit(E, n), 100)
              log.push(`late ${meter.now} of ${meter.total}`)
              yield* run.emit(A, n)
              return "on"
            })
          ),
          Chain.result
        ),
        F.on(E).pipe(
          Chain.to("e", (n, run) => meter.during(run.emit(B, n))),
          Chain.to(
            "not",
            pure(() => log.push("goes on"))
          )
        ),
        F.on(B).pipe(
          Chain.to("b", () =>
            meter.during(
              Effect.onInterrupt(Effect.never, () =>
                Effect.delay(
                  Effect.sync(() => log.push("stopped")),
                  50
                )
              )
            )
          )
        ),
        F.on(A).pipe(
          Chain.to(
            "a",
            pure(() => log.push("a"))
          )
        )
      )
      const fiber = yield* beside(TriggerFlow.runResult(flow, 1))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(fiber), "on")
      assert.deepStrictEqual(log, ["stopped", "late 0 of 2", "a"])
    })
  )

  it.effect("one of two emits can be interrupted, the other goes on", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.all([Effect.timeoutOption(run.emit(Ask, 1000), 100), run.emit(Ask, 200)], { concurrency: 2 })
          ),
          Chain.to(
            "json",
            pure(([first, second]) => [first._tag, second])
          ),
          Chain.result
        ),
        F.on(Ask).pipe(Chain.to("sleep", (n) => Effect.as(Effect.sleep(n), `${n}`)))
      )
      const fiber = yield* beside(TriggerFlow.runResult(flow, 1))
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["None", ["200"]])
    })
  )

  const Down = Signal.make("Down", Schema.Number)
  const Deep = TriggerFlow.define("deep", { input: Schema.Number, result: Schema.Number, signals: [Down] })
  const deep = Deep.build(
    Deep.start.pipe(
      Chain.to("s", (n, run) => Effect.as(run.emit(Down, n), n)),
      Chain.result
    ),
    Deep.on(Down).pipe(Chain.to("down", (n, run) => (n > 1 ? run.emit(Down, n - 1) : Effect.void)))
  )

  it.effect("emits wait inside each other to a depth of 1,000, and no deeper", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* TriggerFlow.runResult(deep, 1_000), 1_000)
      assert.strictEqual(reasonOf(yield* Effect.exit(TriggerFlow.runResult(deep, 1_001))), "EmitTooDeep")
      const options = { maxEmitDepth: 20_000 }
      assert.strictEqual(yield* TriggerFlow.runResult(deep, 20_000, options), 20_000)
      assert.strictEqual(
        reasonOf(yield* Effect.exit(TriggerFlow.runResult(deep, 3, { maxEmitDepth: 2 }))),
        "EmitTooDeep"
      )
    })
  )

  it.effect("emits that wait inside each other are stopped from the innermost on, without growing the stack", () =>
    Effect.gen(function* () {
      const flow = Deep.build(
        Deep.start.pipe(Chain.to("s", (n, run) => run.emit(Down, n))),
        Deep.on(Down).pipe(
          Chain.to("down", (n, run) => (n > 1 ? run.emit(Down, n - 1) : Effect.fail(new Boom({ at: n }))))
        )
      )
      assert.deepStrictEqual(yield* Effect.flip(TriggerFlow.run(flow, 1_000)), new Boom({ at: 1 }))
    })
  )

  it.live(
    "a million forked hops keep neither stack nor heap",
    () =>
      Effect.gen(function* () {
        const hops = 1_000_000
        let most = 0
        const flow = Deep.build(
          Deep.start.pipe(Chain.to("s", (n, run) => run.emitFork(Down, n))),
          Deep.on(Down).pipe(
            Chain.to("down", (n, run) => {
              if (n % 100_000 === 0) most = Math.max(most, heap())
              return n > 1 ? run.emitFork(Down, n - 1) : Effect.void
            })
          )
        )
        yield* TriggerFlow.run(flow, 10_000)
        const before = heap()
        assert.strictEqual((yield* TriggerFlow.run(flow, hops)).status, "completed")
        // Anything that is kept for each hop would be 50 MB and more.
        assert.isBelow(most - before, 5 * 2 ** 20)
      }),
    60_000
  )

  it.live("one handler can fork a hundred thousand signals", () =>
    Effect.gen(function* () {
      let sum = 0
      const flow = Deep.build(
        Deep.start.pipe(
          Chain.to("s", (n, run) =>
            Effect.gen(function* () {
              for (let at = 0; at < n; at++) yield* run.emitFork(Down, at)
            })
          )
        ),
        Deep.on(Down).pipe(
          Chain.to(
            "down",
            pure((n) => (sum += n))
          )
        )
      )
      yield* TriggerFlow.run(flow, 100_000)
      assert.strictEqual(sum, 4_999_950_000)
    })
  )

  it.effect("a handle that is used late is a defect that says so, and harms nobody else", () =>
    Effect.gen(function* () {
      const late: Array<string> = []
      const go = yield* Deferred.make<void>()
      const flow = F.build(
        F.start.pipe(
          Chain.to("leak", (n, run) =>
            Effect.asVoid(
              Effect.forkDetach(
                Effect.gen(function* () {
                  yield* Deferred.await(go)
                  for (const use of [
                    run.emit(E, n),
                    run.emitExit(E, n),
                    run.emitFork(E, n),
                    run.put(1),
                    run.setResult(1),
                    run.commit,
                    run.heartbeat,
                    run.state.get("n"),
                    run.state.all,
                    run.state.set("n", 1),
                    run.state.append("list", 1),
                    run.state.update("n", (n) => n + 1),
                    run.state.delete("note"),
                    run.interventions,
                    run.settleIntervention("x", "applied"),
                    Effect.scoped(run.on(E, () => Effect.void))
                  ] as ReadonlyArray<Effect.Effect<unknown, unknown>>)
                    late.push(String(yield* Effect.exit(use)).includes("RunHandleClosed") ? "closed" : "used")
                })
              )
            )
          )
        ),
        F.on(E).pipe(Chain.to("e", () => Effect.die("started")))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      yield* settle
      yield* Deferred.succeed(go, undefined)
      yield* settle
      assert.deepStrictEqual(new Set(late), new Set(["closed"]))
      assert.strictEqual(late.length, 16)
      const closed = yield* execution.close()
      assert.deepStrictEqual(closed.state, { n: 0, list: [] })
    })
  )

  it.effect("fibers that a handler forks end with it", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("forks", () =>
            Effect.gen(function* () {
              yield* Effect.forkChild(meter.during(Effect.never), { startImmediately: true })
              yield* Effect.forkScoped(meter.during(Effect.never), { startImmediately: true })
            })
          ),
          Chain.to(
            "after",
            pure(() => meter.now)
          ),
          Chain.result
        )
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 1), 0)
      assert.strictEqual(meter.total, 2)
    })
  )

  it.effect("an emit of a fiber that ends with its handler is stopped with it", () =>
    Effect.gen(function* () {
      const meter = new Meter()
      const flow = F.build(
        F.start.pipe(
          Chain.to("forks", (n, run) => Effect.asVoid(Effect.forkChild(run.emit(E, n), { startImmediately: true }))),
          Chain.to(
            "after",
            pure(() => meter.now)
          ),
          Chain.result
        ),
        F.on(E).pipe(Chain.to("e", () => meter.during(Effect.never)))
      )
      assert.strictEqual(yield* TriggerFlow.runResult(flow, 1), 0)
    })
  )

  it.effect("what a chunk acquires is released before the chunk counts as done", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("scoped", (_, run) =>
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() =>
                Effect.andThen(
                  Effect.sleep(10),
                  Effect.andThen(
                    run.put("last words"),
                    Effect.sync(() => log.push("released"))
                  )
                )
              )
              log.push("body")
            })
          ),
          Chain.to(
            "next",
            pure(() => log.push("next"))
          )
        )
      )
      const fiber = yield* beside(TriggerFlow.run(flow, 1))
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["body", "released", "next"])
    })
  )

  it.effect("two emits at once under one key are told apart or refused, and neither waits for ever", () =>
    Effect.gen(function* () {
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) =>
            Effect.all([run.emit(A, 1, { key: "k" }), run.emit(A, 2, { key: "k" })], { concurrency: 2 })
          )
        ),
        F.on(A).pipe(Chain.to("a", () => Effect.sleep(10)))
      )
      const execution = yield* TriggerFlow.open(flow, 1)
      assert.strictEqual(reasonOf(yield* during(10, Effect.exit(execution.close()))), "ContractViolation")
    })
  )

  it.effect("what a handler gives that listens from outside is no reply", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const flow = F.build(
        F.start.pipe(
          Chain.to("s", (_, run) => run.emit(Ask, 1)),
          Chain.result
        ),
        F.on(Ask).pipe(
          Chain.to(
            "a",
            pure((n) => `${n}`)
          )
        )
      )
      const execution = yield* TriggerFlow.create(flow, 1)
      yield* execution.on(Ask, (n) => Effect.sync(() => seen.push(n)))
      yield* execution.start
      assert.deepStrictEqual(yield* execution.emit(Ask, 2), ["2"])
      assert.deepStrictEqual((yield* execution.close()).result, Option.some(["1"]))
      assert.deepStrictEqual(seen, [1, 2])
    })
  )

  it.effect("an emit of a fiber that outlives its handler is stopped with it, and refused", () =>
    Effect.gen(function* () {
      const once = ["stopped", "refused"]
      for (const end of ["value", "pause", "failure"] as const)
        for (const caught of [false, true]) {
          const seen: Array<string> = []
          const say = (what: string) => Effect.sync(() => seen.push(what))
          const outliving = (run: { readonly emit: (signal: typeof A, n: number) => Effect.Effect<unknown> }) =>
            Effect.forkDetach(
              Effect.onExit(run.emit(A, 1), (exit) => say(Exit.hasDies(exit) ? "refused" : exit._tag)),
              { startImmediately: true }
            )
          const flow = F.build(
            F.start.pipe(
              Chain.to(
                "s",
                (_, run) =>
                  Effect.gen(function* () {
                    yield* outliving(run)
                    if (end === "failure") return yield* Effect.fail(new Boom({ at: 0 }))
                    if (end === "pause") return yield* run.pause(Approval, "?", { id: "q" })
                    return undefined
                  }),
                {
                  retry: Schedule.recurs(1),
                  catch: (error) => (caught ? Effect.void : Effect.fail(error))
                }
              ),
              Chain.to("behind", () => say("behind"))
            ),
            F.on(A).pipe(
              Chain.to("a", () => Effect.onInterrupt(Effect.andThen(Effect.sleep(100), say("a")), () => say("stopped")))
            )
          )
          const execution = yield* TriggerFlow.open(flow, 1, { concurrency: 2 })
          yield* settle
          if (end === "pause") yield* execution.answer(Approval, { ok: true }, { id: "q" })
          const closed = yield* Effect.exit(execution.close())
          const failed = end === "failure" && !caught
          assert.strictEqual(closed._tag, failed ? "Failure" : "Success")
          assert.deepStrictEqual(seen, [
            ...(end === "failure" ? [...once, ...once] : once),
            ...(failed ? [] : ["behind"])
          ])
          assert.strictEqual(execution.engine.machine.permits.all.active, 0)
        }
    })
  )
})
