/** P2: what one of many tasks costs that are all there at once, of which only so many may be in flight. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { type Figure, figure, ownFirst, race, slope } from "./measure.ts"
import * as Peers from "./peers.ts"

const limit = 16

/** Runs so many tasks to their end. */
type FanOut = (tasks: number) => Promise<unknown>

/** The tasks that have ended, and how many were in flight at a time. */
const seen = { inFlight: 0, most: 0, ended: 0 }
const begin = () => {
  seen.most = Math.max(seen.most, ++seen.inFlight)
}
const end = () => {
  seen.inFlight--
  seen.ended++
}

/** The task: it lets others run once. */
const task = Effect.suspend(() => {
  begin()
  return Effect.map(Effect.yieldNow, end)
})

/** The same for those who take functions. */
const asyncTask = async () => {
  begin()
  await undefined
  end()
}

const forEach =
  (concurrency: number | "unbounded"): FanOut =>
  (tasks) =>
    Effect.runPromise(
      Effect.forEach(
        Array.from({ length: tasks }, (_, index) => index),
        () => task,
        { concurrency, discard: true }
      )
    )

const Items = TriggerFlow.define("items", { input: Schema.Array(Schema.Unknown) })
const items = Items.build(
  Items.start.pipe(Chain.forEach((item) => item.pipe(Chain.to("task", () => task)), { concurrency: limit }))
)

/** A chain for each item. */
const effigent: FanOut = (tasks) =>
  Effect.runPromise(
    TriggerFlow.run(
      items,
      Array.from({ length: tasks }, (_, index) => index)
    )
  )

/** A step for each item of an array. */
const mastra = ({ createStep, createWorkflow }: Peers.Mastra, zod: Peers.Zod): FanOut => {
  const item = createStep<number>({
    id: "item",
    inputSchema: zod.number(),
    outputSchema: zod.number(),
    execute: async ({ inputData }) => {
      await asyncTask()
      return inputData
    }
  })
  const items = zod.array(zod.number())
  const workflow = createWorkflow({ id: "items", inputSchema: items, outputSchema: items })
    .foreach(item, { concurrency: limit })
    .commit()
  return async (tasks) => {
    const run = await workflow.createRun()
    return run.start({ inputData: Array.from({ length: tasks }, (_, index) => index) })
  }
}

/** A packet for each item, all of them in one step of the graph. */
const langGraph = ({ Annotation, END, START, Send, StateGraph }: Peers.LangGraph): FanOut => {
  const ended = Annotation({ reducer: (sum, change) => sum + change, default: () => 0 })
  const fields = Annotation.Root({ tasks: Annotation(), ended })
  const graph = new StateGraph<{ readonly tasks: number; readonly ended: number }>(fields)
    .addNode("item", async () => {
      await asyncTask()
      return { ended: 1 }
    })
    .addConditionalEdges(START, ({ tasks }) => Array.from({ length: tasks }, (_, index) => new Send("item", index)))
    .addEdge("item", END)
    .compile()
  return (tasks) => graph.invoke({ tasks }, { maxConcurrency: limit })
}

/** An event for each item; there is no limit that it could honour. */
const llamaIndex = ({ createWorkflow, workflowEvent }: Peers.LlamaIndex): FanOut => {
  const item = workflowEvent()
  const done = workflowEvent()
  const workflow = createWorkflow()
  workflow.handle([item], async () => {
    await asyncTask()
    return done.with()
  })
  return async (tasks) => {
    const { sendEvent, stream } = workflow.createContext()
    for (let index = 0; index < tasks; index++) sendEvent(item.with())
    let left = tasks
    for await (const event of stream) if (done.include(event) && --left === 0) break
  }
}

/** A figure of a contender that leaves tasks out, or runs more at a time, would be worth nothing. */
const verify = async (limited: Readonly<Record<string, FanOut>>, others: Readonly<Record<string, FanOut>>) => {
  for (const [name, fanOut] of Object.entries({ ...limited, ...others })) {
    Object.assign(seen, { inFlight: 0, most: 0, ended: 0 })
    await fanOut(100)
    assert.deepEqual([seen.ended, seen.inFlight], [100, 0], name)
    if (name in limited) assert.equal(seen.most, limit, name)
  }
}

/** Microseconds for each task. One sample runs so many in all, that warm-up weighs the same for every size. */
const perTask = async (
  contenders: Readonly<Record<string, FanOut>>,
  tasks: number,
  options: { readonly total: number; readonly rounds: number; readonly warmUp: number }
): Promise<Record<string, number>> => {
  const repeated = (fanOut: FanOut) => async () => {
    for (let done = 0; done < options.total; done += tasks) await fanOut(tasks)
  }
  const times = await race(
    Object.fromEntries(Object.entries(contenders).map(([name, fanOut]) => [name, repeated(fanOut)])),
    options
  )
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, (time * 1000) / options.total]))
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  // The first is the one whose figure it is; the others are its peers.
  const contenders: Record<string, FanOut> = { effigent, "Effect.forEach": forEach(limit) }
  const unlimited = { "Effect.forEach, no limit": forEach("unbounded") }
  const slow = {
    "Mastra foreach": mastra(await Peers.mastra(), await Peers.zod()),
    "LangGraph Send": langGraph(await Peers.langGraph())
  }
  const slowUnlimited = { "LlamaIndex sendEvent, no limit": llamaIndex(await Peers.llamaIndex()) }
  await verify({ ...contenders, ...slow }, { ...unlimited, ...slowUnlimited })
  const results: Array<{ name: string; tasks: number; own: number; peers: Record<string, number> }> = []
  for (const [name, tasks] of [
    ["1k", 1_000],
    ["10k", 10_000],
    ["100k", 100_000]
  ] as const) {
    const times = await perTask({ ...contenders, ...unlimited }, tasks, { total: 100_000, rounds: 7, warmUp: 3 })
    if (tasks === 1_000) {
      const options = { total: 3_000, rounds: 5, warmUp: 2 }
      Object.assign(times, await perTask({ ...slow, ...slowUnlimited }, tasks, options))
    }
    // LlamaIndex takes seconds here, as it is quadratic.
    if (tasks === 10_000) Object.assign(times, await perTask(slow, tasks, { total: tasks, rounds: 5, warmUp: 0 }))
    results.push({ name, tasks, ...ownFirst(times) })
  }
  const exponent = slope(results.map(({ own, tasks }) => [tasks, own * tasks]))
  return results.map(({ name, own, peers }) =>
    figure({
      id: `P2.${name}`,
      value: own,
      unit: "us",
      anchor: `7x Effect.forEach over tasks that yield once, ${limit} at a time`,
      bound: 7 * (peers["Effect.forEach"] ?? NaN),
      peers,
      ...(name === "100k" ? { exponent, maxExponent: 1.1 } : {})
    })
  )
}
