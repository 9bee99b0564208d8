/** P1: what a hop costs: a handler that runs as an effect, and makes the next one run. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import * as Chains from "../../src/triggerflow/Chain.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { type Figure, figure, ownFirst, race, slope } from "./measure.ts"
import * as Peers from "./peers.ts"

/** Makes so many hops, one after the other, and tells how many handlers have run. */
type Chain = (hops: number) => number | Promise<number>

const Hop = Signal.make("Hop", Schema.Number)
const Hops = TriggerFlow.define("hops", { input: Schema.Number, signals: [Hop] })

/** A chain on a signal that it emits again, and goes on at once or waits; `count` is called for each hop. */
const hopping = (mode: "emitFork" | "emit", count: () => void) =>
  Hops.build(
    Hops.start.pipe(Chains.to("begin", (hops, run) => run[mode](Hop, hops))),
    Hops.on(Hop).pipe(
      Chains.to("hop", (left, run) =>
        Effect.suspend(() => {
          count()
          return left > 1 ? run[mode](Hop, left - 1) : Effect.void
        })
      )
    )
  )

const effigent =
  (mode: "emitFork" | "emit"): Chain =>
  async (hops) => {
    let count = 0
    await Effect.runPromise(
      TriggerFlow.run(
        hopping(mode, () => void count++),
        hops
      )
    )
    return count
  }

/** The same as an execution that can be talked to and saved. */
const effigentOpen: Chain = async (hops) => {
  let count = 0
  await Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(
        TriggerFlow.open(
          hopping("emitFork", () => void count++),
          hops
        ),
        (execution) => execution.close()
      )
    )
  )
  return count
}

/** The floor: an array as the queue, and a fiber of its own, owned by a scope, for each handler. */
const queueAndFiber: Chain = (hops) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const queue = [hops]
        let count = 0
        const handle = (left: number) =>
          Effect.sync(() => {
            count++
            if (left > 1) queue.push(left - 1)
          })
        for (let left = queue.shift(); left !== undefined; left = queue.shift()) {
          yield* Effect.forkIn(handle(left), scope, { startImmediately: true })
        }
        return count
      })
    )
  )

/** What no engine can have, as it knows all hops beforehand and supervises none. */
const forEach: Chain = async (hops) => {
  let count = 0
  const handle = () =>
    Effect.sync(() => {
      count++
    })
  await Effect.runPromise(Effect.forEach(Array.from({ length: hops }), handle, { discard: true }))
  return count
}

/** A machine that sends itself the next event. */
const xState = ({ assign, createActor, createMachine, sendTo }: Peers.XState): Chain => {
  interface Of {
    readonly context: { readonly count: number; readonly hops: number }
  }
  const machine = createMachine({
    context: ({ input }: { readonly input: number }) => ({ count: 0, hops: input }),
    on: {
      hop: {
        guard: ({ context }: Of) => context.count < context.hops,
        actions: [
          assign({ count: ({ context }: Of) => context.count + 1 }),
          sendTo(({ self }) => self, { type: "hop" })
        ]
      }
    }
  })
  return (hops) => {
    const actor = createActor(machine, { input: hops }).start()
    actor.send({ type: "hop" })
    const { count } = actor.getSnapshot().context
    actor.stop()
    return count
  }
}

/** A handler that returns the next event. It has to be async: synchronous ones overflow the stack before 1,000. */
const llamaIndex = ({ createWorkflow, workflowEvent }: Peers.LlamaIndex): Chain => {
  const hop = workflowEvent<{ readonly count: number; readonly hops: number }>()
  const done = workflowEvent<number>()
  const workflow = createWorkflow()
  workflow.handle([hop], async (_, { data: { count, hops } }) =>
    count + 1 < hops ? hop.with({ count: count + 1, hops }) : done.with(count + 1)
  )
  return async (hops) => {
    const { sendEvent, stream } = workflow.createContext()
    sendEvent(hop.with({ count: 0, hops }))
    for await (const event of stream) if (done.include(event)) return event.data
    return 0
  }
}

/** A step in a loop, which costs less than a chain of as many steps. */
const mastra = ({ createStep, createWorkflow }: Peers.Mastra, zod: Peers.Zod): Chain => {
  const schemas = { inputSchema: zod.number(), outputSchema: zod.number() }
  const hop = createStep<number>({ id: "hop", ...schemas, execute: async ({ inputData }) => inputData + 1 })
  return async (hops) => {
    const workflow = createWorkflow({ id: "hops", ...schemas })
      .dountil<number>(hop, async ({ inputData }) => inputData >= hops)
      .commit()
    const { result } = await (await workflow.createRun()).start({ inputData: 0 })
    return Number(result)
  }
}

/** A node with an edge to itself. */
const langGraph = ({ Annotation, END, START, StateGraph }: Peers.LangGraph): Chain => {
  const fields = Annotation.Root({ count: Annotation(), hops: Annotation() })
  const graph = new StateGraph<{ readonly count: number; readonly hops: number }>(fields)
    .addNode("hop", async ({ count }) => ({ count: count + 1 }))
    .addEdge(START, "hop")
    .addConditionalEdges("hop", ({ count, hops }) => (count < hops ? "hop" : END))
    .compile()
  return async (hops) => (await graph.invoke({ count: 0, hops }, { recursionLimit: hops + 1 })).count
}

/** A figure of a contender that makes fewer hops would be worth nothing. */
const verify = async (contenders: Readonly<Record<string, Chain>>): Promise<void> => {
  for (const [name, chain] of Object.entries(contenders)) assert.equal(await chain(100), 100, name)
}

const sizes = [
  ["1k", 1_000],
  ["10k", 10_000],
  ["100k", 100_000]
] as const

/** Microseconds for each hop. One sample makes so many hops in all, that warm-up weighs the same for every size. */
const perHop = async (
  contenders: Readonly<Record<string, Chain>>,
  hops: number,
  options: { readonly total: number; readonly rounds: number; readonly warmUp: number }
): Promise<Record<string, number>> => {
  const repeated = (chain: Chain) => async () => {
    for (let done = 0; done < options.total; done += hops) await chain(hops)
  }
  const times = await race(
    Object.fromEntries(Object.entries(contenders).map(([name, chain]) => [name, repeated(chain)])),
    options
  )
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, (time * 1000) / options.total]))
}

const hopFigures = async (): Promise<ReadonlyArray<Figure>> => {
  // The first is the one whose figure it is; the others are its peers.
  const contenders: Record<string, Chain> = {
    effigent: effigent("emitFork"),
    "effigent, open": effigentOpen,
    "queue + fiber": queueAndFiber,
    "Effect.forEach": forEach,
    "XState sendTo self": xState(await Peers.xState())
  }
  const slow: Record<string, Chain> = {
    "LlamaIndex workflow-core": llamaIndex(await Peers.llamaIndex()),
    "Mastra dountil": mastra(await Peers.mastra(), await Peers.zod()),
    "LangGraph loop": langGraph(await Peers.langGraph())
  }
  await verify({ ...contenders, ...slow })
  const results: Array<{ name: string; hops: number; own: number; peers: Record<string, number> }> = []
  for (const [name, hops] of sizes) {
    const times = await perHop(contenders, hops, { total: 100_000, rounds: 7, warmUp: 3 })
    if (hops === 1_000) Object.assign(times, await perHop(slow, hops, { total: 3_000, rounds: 5, warmUp: 2 }))
    results.push({ name, hops, ...ownFirst(times) })
  }
  const exponent = slope(results.map(({ hops, own }) => [hops, own * hops]))
  return results.map(({ name, own, peers }) =>
    figure({
      id: `P1.${name}`,
      value: own,
      unit: "us",
      anchor: "4x an array queue and a fiber for each handler, the floor of a hop",
      peers,
      ...(name === "1k" ? { bound: 4 * (peers["queue + fiber"] ?? NaN) } : {}),
      ...(name === "100k" ? { exponent, maxExponent: 1.05 } : {})
    })
  )
}

/** A chain whose handlers each wait for the one that they have started: here fibers that join the next one. */
const nestedJoins: Chain = async (depth) => {
  let count = 0
  const handle = (left: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (left > 1) yield* Fiber.join(yield* Effect.forkChild(handle(left - 1)))
      count++
    })
  await Effect.runPromise(handle(depth))
  return count
}

const awaitedFigure = async (): Promise<Figure> => {
  // The first is the one whose figure it is; the others are its peers.
  const contenders: Record<string, Chain> = { effigent: effigent("emit"), "nested joins": nestedJoins }
  await verify(contenders)
  const results: Array<{ depth: number; own: number; peers: Record<string, number> }> = []
  for (const depth of [10, 100, 1_000]) {
    const times = await perHop(contenders, depth, { total: 10_000, rounds: 9, warmUp: 5 })
    results.push({ depth, ...ownFirst(times) })
  }
  const { own, peers } = results.at(-1) ?? ownFirst({})
  return figure({
    id: "P1.awaited",
    value: own,
    unit: "us",
    anchor: "1,000 handlers deep, each awaiting the next one; for orientation",
    peers,
    maxExponent: 1.05,
    exponent: slope(results.map((each) => [each.depth, each.own * each.depth]))
  })
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => [...(await hopFigures()), await awaitedFigure()]
