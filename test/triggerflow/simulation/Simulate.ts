/** Runs a program for real under a schedule, checks it against the oracle and the invariants, and makes failing ones small. */
import { Effect, Exit, Option, Stream } from "effect"
import * as TriggerFlow from "../../../src/triggerflow/TriggerFlow.ts"
import type { Closed } from "../../../src/triggerflow/Closed.ts"
import { compare, type Observed } from "./Compare.ts"
import { Ask, flowOf, idOf, type Item, plain, signalsOf, type Spec, type Trace } from "./Interpret.ts"
import { violations, Watch } from "./Invariants.ts"
import { expected, type Expected, show } from "./Oracle.ts"
import { chunksOf, nodesOf, print, type Program } from "./Program.ts"
import { Random } from "./Random.ts"
import { World } from "./World.ts"

/** Which way a program is run: 0 takes tasks in their order, every other one in an order of its own. */
export type Schedule = number

const failureOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Die") return String(reason.defect)
    if (reason._tag !== "Fail") continue
    const { error } = reason
    if (typeof error === "object" && error !== null && "code" in error) return String(error.code)
    return error instanceof Error ? error.message : show(error)
  }
  return "interrupted"
}

/** Runs a program under a schedule; gives what is wrong, nothing where all is well. */
export const check = (
  program: Program,
  schedule: Schedule,
  oracle: Expected = expected(program)
): ReadonlyArray<string> =>
  simulate(program, schedule, oracle).problems.map((problem) => `schedule ${schedule}: ${problem}`)

/** Runs a program under a schedule; gives what is wrong and what its handlers wrote down. */
export const simulate = (
  program: Program,
  schedule: Schedule,
  oracle: Expected = expected(program)
): { readonly problems: ReadonlyArray<string>; readonly entries: Trace["entries"] } => {
  const world = new World(schedule === 0 ? undefined : new Random(program.seed * 7919 + schedule))
  const items: Array<Item & { readonly time: number }> = []
  const claimed = new Set<string>()
  const watch = new Watch(program)
  const signals = signalsOf(program)
  let ask: Parameters<typeof answers>[0] | undefined
  const trace: Trace = {
    now: () => world.now,
    waits: () => world.random?.chance(0.3) ?? false,
    runs: [],
    entries: [],
    pausing: (chunk, payload) => {
      if (ask === undefined) throw new Error("paused before it was opened")
      const execution = ask
      const { end } = chunk
      if (end.end !== "pause" || end.when === "before") return
      if (end.when === "during") world.fork(Effect.ignoreCause(execution.answer(Ask, end.answer, { id: idOf(chunk) })))
      else
        world.fork(
          Effect.gen(function* () {
            yield* Effect.sleep(end.delay)
            const waiting = yield* execution.interrupts
            const found = waiting.find(
              (one) => one.chunk === chunk.name && one.payload === payload && !claimed.has(one.id)
            )
            if (found === undefined) return
            claimed.add(found.id)
            yield* Effect.ignoreCause(execution.answer(Ask, end.answer, { id: found.id }))
          })
        )
    }
  }
  const flow = flowOf(program, trace)
  const answers = (execution: Effect.Success<ReturnType<typeof TriggerFlow.open<Spec, unknown, never>>>) => execution

  const act = Effect.scoped(
    Effect.gen(function* () {
      const execution = yield* TriggerFlow.create(flow, program.input, {
        id: "simulated",
        autoClose: false,
        failures: program.failures,
        concurrency: program.concurrency,
        onStep: watch.onStep
      })
      ask = answers(execution)
      for (const chunk of chunksOf(nodesOf(program)))
        if (chunk.end.end === "pause" && chunk.end.when === "before")
          world.fork(Effect.ignoreCause(execution.answer(Ask, chunk.end.answer, { id: idOf(chunk) })))
      world.fork(
        Effect.ignoreCause(
          Stream.runForEach(execution.stream, (item) => Effect.sync(() => items.push({ ...item, time: world.now })))
        )
      )
      yield* execution.start
      let sealed = false
      for (const one of program.outside) {
        yield* Effect.sleep(one.at - world.now)
        if (one.act === "seal") {
          sealed = true
          yield* execution.seal
        } else if (one.act === "cancel") yield* execution.cancel()
        else {
          const signal = signals.get(one.signal)
          if (signal === undefined) throw new Error(`no signal ${one.signal}`)
          const lifecycle = yield* execution.lifecycle
          const isRefused = sealed
          if (lifecycle === "open")
            trace.entries.push({ kind: "emit", run: undefined, signals: [one.signal], waits: true })
          const emitting = Effect.exit<unknown, unknown, never>(execution[one.act](signal, one.value))
          world.fork(
            Effect.map(emitting, (exit) => {
              if (isRefused && Exit.isSuccess(exit)) watch.problems.add("a sealed execution took a signal")
            })
          )
        }
      }
      yield* world.quiet
      const exit = yield* Effect.exit<Closed<Spec>, unknown, never>(execution.close())
      const closed = Exit.isSuccess(exit) ? exit.value : yield* Effect.option(execution.close())
      return { exit, closed: Option.isOption(closed) ? Option.getOrUndefined(closed) : closed }
    })
  )

  const problems: Array<string> = []
  const fiber = world.fork(act)
  try {
    world.run()
  } catch (error) {
    return { problems: [String(error)], entries: trace.entries }
  }
  const outcome = fiber.pollUnsafe()
  const { entries } = trace
  if (outcome === undefined) return { problems: [`it is stuck; at work: ${stuck(trace)}`, ...watch.problems], entries }
  if (Exit.isFailure(outcome)) return { problems: [`the driver failed: ${String(outcome.cause)}`], entries }
  const { exit, closed } = outcome.value
  const status = closed?.status ?? "failed"
  const observed: Observed = {
    status,
    failure: failureOf(exit),
    runs: trace.runs,
    items,
    state: closed?.state,
    result: closed === undefined ? undefined : Option.getOrUndefined(closed.result)
  }
  problems.push(...watch.problems, ...compare(oracle, observed))
  problems.push(...violations({ program, entries: trace.entries, runs: trace.runs, items, status }))
  const { tasks, timers } = world.left
  if (tasks > 0 || timers > 0) problems.push(`${tasks} tasks and ${timers} timers are left`)
  return { problems, entries }
}

const stuck = (trace: Trace): string =>
  trace.runs
    .filter(({ end }) => end === undefined)
    .map(({ chunk, input }) => `${chunk} on ${show(plain(input))}`)
    .join(", ") || "nothing"

/** What to show of a program that fails. */
export const report = (program: Program, problems: ReadonlyArray<string>): string =>
  [`seed ${program.seed}`, ...problems.slice(0, 8).map((problem) => `  ${problem}`), print(program)].join("\n")
