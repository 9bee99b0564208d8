/** P3: what an execution that waits keeps in memory, and what is left of those that have ended. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import assert from "node:assert/strict"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { type Figure, figure, kept, median, ownFirst, race, slope } from "./measure.ts"
import * as Peers from "./peers.ts"

/** Executions that wait, and what ends them. */
interface Waiting {
  readonly held: unknown
  readonly close?: () => Promise<unknown>
}

interface Contender {
  /** Starts so many executions and leaves them waiting. */
  readonly wait: (count: number) => Waiting | Promise<Waiting>
  /** Runs so many short executions to their end, one after the other, and gives what outlives them: a store. */
  readonly run: (count: number) => unknown
  /** How many of them there are at a time; fewer for those who take milliseconds for each. */
  readonly count: number
}

const Go = Signal.make("Go", Schema.Void)
const Waits = TriggerFlow.define("waits", { signals: [Go], result: Schema.String })
const waits = Waits.build(
  Waits.start.pipe(Chain.to("begin", () => Effect.void)),
  Waits.on(Go).pipe(
    Chain.to("go", () => Effect.succeed("done")),
    Chain.result
  )
)

/** An execution that waits for a signal: it can be read, talked to, and saved. */
const effigent = (): Contender => ({
  count: 10_000,
  wait: async (count) => {
    const scope = Scope.makeUnsafe()
    const open = Scope.provide(TriggerFlow.open(waits, undefined, { autoClose: false }), scope)
    const held = await Effect.runPromise(Effect.all(Array.from({ length: count }, () => open)))
    return { held, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
  },
  run: async (count) => {
    const short = Effect.scoped(
      Effect.gen(function* () {
        const execution = yield* TriggerFlow.open(waits, undefined)
        yield* execution.emit(Go, undefined)
        const { result } = yield* execution.close()
        assert.equal(Option.getOrThrow(result), "done")
      })
    )
    for (let index = 0; index < count; index++) await Effect.runPromise(short)
  }
})

/** What an execution comes to if it is put together from Effect's parts and does nothing else. */
const queueAndFiberSet = (): Contender => {
  const open = Effect.gen(function* () {
    const queue = yield* Queue.unbounded<Effect.Effect<void>>()
    const handlers = yield* FiberSet.make<void>()
    const result = yield* Deferred.make<string>()
    const dispatch = Effect.flatMap(Queue.take(queue), (handler) => FiberSet.run(handlers, handler))
    yield* Effect.forkScoped(Effect.forever(dispatch), { startImmediately: true })
    return { queue, result }
  })
  const short = Effect.scoped(
    Effect.gen(function* () {
      const { queue, result } = yield* open
      yield* Queue.offer(queue, Effect.asVoid(Deferred.succeed(result, "done")))
      assert.equal(yield* Deferred.await(result), "done")
    })
  )
  return {
    count: 10_000,
    wait: async (count) => {
      const held: Array<unknown> = []
      const scopes: Array<Scope.Closeable> = []
      for (let index = 0; index < count; index++) {
        const scope = Scope.makeUnsafe()
        scopes.push(scope)
        held.push(await Effect.runPromise(Scope.provide(open, scope)))
      }
      const close = Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { discard: true })
      return { held, close: () => Effect.runPromise(close) }
    },
    run: async (count) => {
      for (let index = 0; index < count; index++) await Effect.runPromise(short)
    }
  }
}

/** A machine that waits for an event. */
const xState = ({ createActor, createMachine }: Peers.XState): Contender => {
  const machine = createMachine({
    context: { count: 0 },
    initial: "waiting",
    states: { waiting: { on: { go: "done" } }, done: { type: "final" } }
  })
  return {
    count: 10_000,
    wait: (count) => {
      const held = Array.from({ length: count }, () => createActor(machine).start())
      return { held, close: async () => held.forEach((actor) => actor.stop()) }
    },
    run: (count) => {
      for (let index = 0; index < count; index++) {
        const actor = createActor(machine).start()
        actor.send({ type: "go" })
        assert.equal(actor.getSnapshot().status, "done")
      }
    }
  }
}

/** A context whose handler waits for its event; it holds no result, no scope, and nothing that could be saved. */
const llamaIndex = ({ createWorkflow, workflowEvent }: Peers.LlamaIndex): Contender => {
  const go = workflowEvent()
  const done = workflowEvent()
  const workflow = createWorkflow()
  workflow.handle([go], async () => done.with())
  return {
    count: 10_000,
    wait: (count) => ({ held: Array.from({ length: count }, () => workflow.createContext()) }),
    run: async (count) => {
      for (let index = 0; index < count; index++) {
        const { sendEvent, stream } = workflow.createContext()
        sendEvent(go.with())
        for await (const event of stream) if (done.include(event)) break
      }
    }
  }
}

/** A run that a step has suspended, in the store in memory. */
const mastra = ({ InMemoryStore, Mastra, createStep, createWorkflow }: Peers.Mastra, zod: Peers.Zod): Contender => {
  const schemas = { inputSchema: zod.number(), outputSchema: zod.number() }
  const host = (waits: boolean) => {
    const step = createStep<number>({
      id: "step",
      ...schemas,
      suspendSchema: zod.number(),
      resumeSchema: zod.number(),
      execute: ({ inputData, suspend }) => (waits ? suspend(inputData) : Promise.resolve(inputData))
    })
    const workflow = createWorkflow({ id: "flow", ...schemas })
      .then(step)
      .commit()
    return new Mastra({ workflows: { flow: workflow }, logger: false, storage: new InMemoryStore() })
  }
  const start = async (mastra: ReturnType<typeof host>, expected: string) => {
    const run = await mastra.getWorkflow("flow").createRun()
    const { status } = await run.start({ inputData: 1 })
    assert.equal(status, expected)
    return run
  }
  return {
    count: 500,
    wait: async (count) => {
      const suspending = host(true)
      const runs: Array<unknown> = []
      for (let index = 0; index < count; index++) runs.push(await start(suspending, "suspended"))
      return { held: [suspending, runs] }
    },
    run: async (count) => {
      const ending = host(false)
      for (let index = 0; index < count; index++) await start(ending, "success")
      return ending
    }
  }
}

/** A thread that a node has interrupted, in the checkpointer in memory. */
const langGraph = (peer: Peers.LangGraph): Contender => {
  const { Annotation, END, MemorySaver, START, StateGraph, interrupt } = peer
  const fields = Annotation.Root({ count: Annotation() })
  const host = (waits: boolean) => {
    const checkpointer = new MemorySaver()
    const graph = new StateGraph<{ readonly count: number }>(fields)
      .addNode("step", async ({ count }) => {
        if (waits) interrupt("?")
        return { count: count + 1 }
      })
      .addEdge(START, "step")
      .addEdge("step", END)
      .compile({ checkpointer })
    const start = async (thread: number) => {
      const { __interrupt__ } = await graph.invoke({ count: 0 }, { configurable: { thread_id: String(thread) } })
      assert.equal(__interrupt__ !== undefined, waits)
    }
    return { checkpointer, start }
  }
  return {
    count: 500,
    wait: async (count) => {
      const { checkpointer, start } = host(true)
      for (let index = 0; index < count; index++) await start(index)
      return { held: checkpointer }
    },
    run: async (count) => {
      const { checkpointer, start } = host(false)
      for (let index = 0; index < count; index++) await start(index)
      return checkpointer
    }
  }
}

/** Bytes of each of the executions that wait. They are closed in the end, so that none meets the next measurement. */
const idle = async ({ count, wait }: Contender): Promise<number> => {
  const close: Array<Waiting["close"]> = []
  const bytes = await kept(async () => {
    const waiting = await wait(count)
    close.push(waiting.close)
    return waiting.held
  })
  await close[0]?.()
  return bytes / count
}

/** Bytes that are left of each of the executions that have ended. */
const left = async ({ count, run }: Contender): Promise<number> => (await kept(() => run(count))) / count

/** Medians over rounds in which the contenders take turns; the first round warms up and does not count. */
const medians = async (
  contenders: Readonly<Record<string, Contender>>,
  bytes: (contender: Contender) => Promise<number>
): Promise<Record<string, number>> => {
  const samples: Record<string, Array<number>> = {}
  for (let round = 0; round <= 5; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const sample = await bytes(contender)
      if (round > 0) (samples[name] ??= []).push(sample)
    }
  }
  return Object.fromEntries(Object.entries(samples).map(([name, each]) => [name, median(each)]))
}

/** Microseconds for each execution of three chunks, when so many are run to their end. */
const many = async (): Promise<Figure> => {
  const Three = TriggerFlow.define("three", { input: Schema.Number, result: Schema.Number })
  const add = (n: number) => Effect.succeed(n + 1)
  const three = Three.build(
    Three.start.pipe(Chain.to("one", add), Chain.to("two", add), Chain.to("three", add), Chain.result)
  )
  const points: Array<readonly [number, number]> = []
  for (const count of [1_000, 10_000, 100_000]) {
    const all = Effect.forEach(Array.from({ length: count }), () => TriggerFlow.run(three, 0), {
      concurrency: 100,
      discard: true
    })
    const { own } = await race({ own: () => Effect.runPromise(all) }, { rounds: 5, warmUp: 2 })
    points.push([count, own * 1000])
  }
  const [count, time] = points.at(-1) ?? [NaN, NaN]
  return figure({
    id: "P3.many",
    value: time / count,
    unit: "us",
    anchor: "one of 100,000 executions of three chunks, run to its end; for orientation",
    exponent: slope(points),
    maxExponent: 1.05
  })
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  // The first is the one whose figure it is; the others are its peers.
  const contenders: Record<string, Contender> = {
    effigent: effigent(),
    "queue + FiberSet": queueAndFiberSet(),
    "XState actor": xState(await Peers.xState()),
    "LlamaIndex context": llamaIndex(await Peers.llamaIndex()),
    "Mastra run, in its memory store": mastra(await Peers.mastra(), await Peers.zod()),
    "LangGraph thread, MemorySaver": langGraph(await Peers.langGraph())
  }
  const waiting = ownFirst(await medians(contenders, idle))
  const ended = ownFirst(await medians(contenders, left))
  return [
    await many(),
    figure({
      id: "P3.idle",
      value: waiting.own,
      unit: "B",
      bound: 4096,
      anchor: "4 KiB",
      peers: waiting.peers
    }),
    figure({
      id: "P3.closed",
      value: ended.own,
      unit: "B",
      bound: 82,
      anchor: "2 % of 4 KiB: what is left of each of 10,000 short executions (500 of Mastra and LangGraph)",
      peers: ended.peers
    })
  ]
}
