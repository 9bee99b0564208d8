/**
 * Which chains of a definition can ever start, and which can never end: the part of the check that looks at chains
 * together. Signals come from outside; chunks, fields of the state and collectors only from chains that have started.
 *
 * Chains that would go on for ever are reported only where nothing but a failure could end them: along chunks that
 * always complete (not inside forEach, match or loop; and not in a flow with interrupts, where a chunk may pause
 * instead) and collectors that always emit.
 */
import type { Body, ChainData, CollectorData, FlowData, TriggerData } from "../Node.ts"
import * as StepKey from "./StepKey.ts"

/** Takes a finding: where, what is wrong, what to do. @category models */
export type Report = (at: string, problem: string, fix: string) => void

/** The sources that a trigger is made of, or the trigger itself. @category models */
export const singles = (trigger: TriggerData): ReadonlyArray<TriggerData> =>
  trigger._tag === "any" || trigger._tag === "all" ? trigger.of.map(([, of]) => of) : [trigger]

/** What the steps of a chain can do to other chains. */
interface Effects {
  readonly chunks: ReadonlySet<string>
  readonly brings: ReadonlyMap<CollectorData, ReadonlySet<string>>
}

// `sure`: only what happens each time that the chain runs to its end.
const effectsOf = (body: Body, sure: boolean): Effects => {
  const chunks = new Set<string>()
  const brings = new Map<CollectorData, Set<string>>()
  const walk = (steps: Body): void => {
    for (const node of steps) {
      if (node.kind === "chunk") chunks.add(node.name)
      if (node.kind === "collect")
        brings.set(node.collector, new Set([...(brings.get(node.collector) ?? []), node.branch]))
      if (sure && node.kind !== "batch" && node.kind !== "side") continue
      for (const [, inner] of StepKey.bodies(node)) walk(inner)
    }
  }
  walk(body)
  return { chunks, brings }
}

/**
 * Reports the chains that nothing can start, and gives those that can. `faulty` chains and those that wait for a
 * collector in `vain` were reported before.
 *
 * @category checks
 */
export const checkReach = (
  flow: FlowData,
  keys: ReadonlyArray<string>,
  faulty: ReadonlySet<ChainData>,
  collectors: ReadonlySet<CollectorData>,
  vain: ReadonlySet<CollectorData>,
  report: Report
): ReadonlySet<ChainData> => {
  const reached = new Set<ChainData>()
  const chunks = new Set<string>()
  const brought = new Map([...collectors].map((collector) => [collector, new Set<string>()]))
  const fires = (trigger: TriggerData): boolean => {
    switch (trigger._tag) {
      case "start":
      case "signal":
      case "flowData":
      // The state can be written from outside.
      case "state":
        return true
      case "chunk":
        return chunks.has(trigger.chunk)
      case "collect":
        return trigger.collector.branches.every(([name]) => brought.get(trigger.collector)?.has(name) === true)
      case "any":
        return trigger.of.some(([, of]) => fires(of))
      case "all":
        return trigger.of.every(([, of]) => fires(of))
    }
  }
  for (let grew = true; grew;) {
    grew = false
    for (const chain of flow.chains) {
      if (reached.has(chain) || !fires(chain.trigger)) continue
      grew = true
      reached.add(chain)
      const effects = effectsOf(chain.body, false)
      for (const name of effects.chunks) chunks.add(name)
      for (const [collector, names] of effects.brings) for (const name of names) brought.get(collector)?.add(name)
    }
  }
  flow.chains.forEach((chain, index) => {
    if (reached.has(chain) || faulty.has(chain)) return
    // The collectors themselves are reported already.
    if (singles(chain.trigger).some((of) => of._tag === "collect" && vain.has(of.collector))) return
    report(
      keys[index] ?? "",
      "Nothing that runs can start this chain: what it listens to comes only from chains that wait for it",
      "Listen to something that comes from the start or from a signal"
    )
  })
  return reached
}

/** Reports the chains that start each other without end. @category checks */
export const checkEndless = (
  flow: FlowData,
  keys: ReadonlyArray<string>,
  reached: ReadonlySet<ChainData>,
  report: Report
): void => {
  // A chunk that pauses with a signal as its target ends its chain there.
  if (flow.contract.interrupts.length > 0) return
  const listeners = new Map<string | CollectorData, Array<number>>()
  flow.chains.forEach(({ trigger }, index) => {
    for (const of of trigger._tag === "all" ? [] : singles(trigger)) {
      const source = of._tag === "chunk" ? of.chunk : of._tag === "collect" ? of.collector : undefined
      if (source === undefined) continue
      const known = listeners.get(source)
      if (known === undefined) listeners.set(source, [index])
      else known.push(index)
    }
  })
  const next = flow.chains.map((chain): ReadonlyArray<number> => {
    if (!reached.has(chain)) return []
    const { body, trigger: own } = chain
    const { brings, chunks } = effectsOf(body, true)
    const emits = [...brings].filter(([collector, branches]) => {
      // A collector that updates is full once this chain has been started by it.
      const full = own._tag === "collect" && own.collector === collector && collector.mode === "update"
      return full || collector.branches.every(([name]) => branches.has(name))
    })
    const sources = [...chunks, ...emits.map(([collector]) => collector)]
    return [...new Set(sources.flatMap((source) => listeners.get(source) ?? []))]
  })
  const told = new Set<number>()
  const left = withoutEnds(next)
  next.forEach((_, from) => {
    if (told.has(from) || !left.has(from)) return
    const cycle = pathBack(next, from)
    if (cycle === undefined) return
    for (const index of cycle) told.add(index)
    const way = [...cycle, from].map((index) => keys[index] ?? "").join(" -> ")
    report(
      keys[from] ?? "",
      `Once started, these chains start each other without end: ${way}`,
      "Put the step that starts the next one into a match or a loop that ends"
    )
  })
}

// The chains that are left when those are taken away, one after another, that nothing starts: all circles are in them.
const withoutEnds = (next: ReadonlyArray<ReadonlyArray<number>>): ReadonlySet<number> => {
  const before = next.map(() => 0)
  for (const to of next.flat()) before[to] = (before[to] ?? 0) + 1
  const left = new Set(next.keys())
  const free = [...left].filter((index) => before[index] === 0)
  for (const index of free) {
    left.delete(index)
    for (const to of next[index] ?? []) {
      const count = (before[to] ?? 0) - 1
      before[to] = count
      if (count === 0) free.push(to)
    }
  }
  return left
}

// The shortest way from a chain to itself.
const pathBack = (next: ReadonlyArray<ReadonlyArray<number>>, from: number): ReadonlyArray<number> | undefined => {
  const cameFrom = new Map<number, number>()
  const queue = [from]
  for (const at of queue) {
    for (const to of next[at] ?? []) {
      if (to === from) {
        const path = [at]
        for (let step = at; step !== from;) {
          step = cameFrom.get(step) ?? from
          path.unshift(step)
        }
        return path
      }
      if (cameFrom.has(to)) continue
      cameFrom.set(to, at)
      queue.push(to)
    }
  }
  return undefined
}
