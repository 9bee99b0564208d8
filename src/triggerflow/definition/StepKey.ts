/**
 * Step keys: one stable text for each step of a flow. Snapshots, shapes, diagrams and findings all call a step by it.
 *
 * A chunk, a point and an operator with a name are called by their name, wherever they stand. An operator without one is
 * called by its place: the chain, the operators around it, its kind, and its number where the same body has several of
 * a kind (`start/forEach`, `on:Prepared/batch.words/loop#2`). So a rename or a move of an unnamed operator gives it a new
 * key, a change beside it does not. A sub-flow has keys of its own: they are not among those of the flow around it.
 */
import type { Body, ChainData, FlowData, Node, TriggerData } from "../Node.ts"

/** Writes what a chain listens to, as it stands in keys: `start`, `on:Prepared`, `on:state.words`. @category keys */
export const triggerKey = (trigger: TriggerData): string =>
  trigger._tag === "start" ? "start" : `on:${source(trigger)}`

const source = (trigger: TriggerData): string => {
  switch (trigger._tag) {
    case "start":
      return "start"
    case "signal":
      return trigger.signal.name
    case "state":
    case "flowData":
      return `${trigger._tag}.${trigger.key}`
    case "chunk":
      return `chunk.${trigger.chunk}`
    case "collect":
      return `collector.${trigger.collector.name}`
    case "any":
    case "all": {
      const names = trigger.of.map(([, of]) => source(of))
      return `${trigger._tag}(${names.toSorted().join(",")})`
    }
  }
}

/** The name of a step, where it has one of its own. @category keys */
export const nameOf = (node: Node): string | undefined =>
  node.kind === "collect" || node.kind === "result" ? undefined : node.name

/**
 * The bodies inside a step, each with the name that it has there: the branches of a batch, the cases of a match and its
 * `otherwise`; the one body of the others has the name `""`. Sub-flows are not entered.
 *
 * @category keys
 */
export const bodies = (node: Node): ReadonlyArray<readonly [name: string, body: Body]> => {
  switch (node.kind) {
    case "batch":
      return node.branches
    case "match": {
      const cases = node.cases.map(({ body, name }) => [name, body] as const)
      return node.otherwise === undefined ? cases : [...cases, ["otherwise", node.otherwise]]
    }
    case "forEach":
    case "loop":
    case "side":
      return [["", node.body]]
    default:
      return []
  }
}

// Gives each text once: the second time it gets a number. Numbers below the last one that a text got are taken, so that
// a thousand chains on one trigger are not counted anew for each.
const makeUnique = (taken: Set<string>) => {
  const last = new Map<string, number>()
  return (wanted: string) => {
    let key = wanted
    let count = last.get(wanted) ?? 1
    while (taken.has(key)) key = `${wanted}#${++count}`
    last.set(wanted, count)
    taken.add(key)
    return key
  }
}

/** The keys of the chains of a flow, in their order: what they listen to, with a number where several do. @category keys */
export const chainKeys = (flow: FlowData): ReadonlyArray<string> => {
  const unique = makeUnique(new Set())
  return flow.chains.map(({ trigger }) => unique(triggerKey(trigger)))
}

/**
 * A step with where it stands.
 *
 * @category models
 */
export interface Place {
  readonly node: Node
  readonly key: string
  /** The body that it stands in: the key of the chain, or that of the step around it with the name of the branch. */
  readonly body: string
  readonly chain: ChainData
}

/**
 * All steps of a flow with their keys, in the order in which they are written, a step before what is inside it. Keys are
 * unique also where names are not (`InvalidDefinition` says so): the second of a name gets a number.
 *
 * @category keys
 */
export const places = (flow: FlowData): ReadonlyArray<Place> => {
  const keys = chainKeys(flow)
  // Names first: a place never takes a name away.
  const taken = new Set<string>()
  const unique = makeUnique(taken)
  const named: Array<string> = []
  const claim = (body: Body): void => {
    for (const node of body) {
      const name = nameOf(node)
      if (name !== undefined) named.push(unique(name))
      for (const [, inner] of bodies(node)) claim(inner)
    }
  }
  for (const { body } of flow.chains) claim(body)

  const out: Array<Place> = []
  let next = 0
  const walk = (chain: ChainData, at: string, body: Body): void => {
    const counts = new Map<string, number>()
    for (const node of body) {
      let key: string | undefined
      if (nameOf(node) === undefined) {
        const count = (counts.get(node.kind) ?? 0) + 1
        counts.set(node.kind, count)
        key = unique(`${at}/${node.kind}${count === 1 ? "" : `#${count}`}`)
      } else key = named[next++]
      if (key === undefined) continue
      out.push({ node, key, body: at, chain })
      for (const [name, inner] of bodies(node)) walk(chain, name === "" ? key : `${key}.${name}`, inner)
    }
  }
  flow.chains.forEach((chain, index) => walk(chain, keys[index] ?? "", chain.body))
  return out
}

/**
 * The key of every step of a flow. A step value that stands in several places (which `InvalidDefinition` reports) has
 * the key of the first.
 *
 * @category keys
 */
export const stepKeys = (flow: FlowData): ReadonlyMap<Node, string> => {
  const keys = new Map<Node, string>()
  for (const { key, node } of places(flow)) if (!keys.has(node)) keys.set(node, key)
  return keys
}
