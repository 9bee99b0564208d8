/**
 * Random flow programs as plain data. A program is a list of chains whose chunks run scripts: short lists of
 * instructions that every interpreter can execute. `Generate` makes them, `Interpret` makes real flows of them, `Oracle`
 * says what they have to do, `Shrink` makes failing ones small.
 *
 * Every program ends: a chain only touches what chains behind it listen to, and loops have a number of rounds.
 */

/** A number, made of what the script was given: `(add + digest(input) * ofInput + acc * ofAcc) mod 997`. */
export interface Expr {
  readonly add: number
  readonly ofInput: 0 | 1
  /** The accumulator: what the script has read, and what was replied to its emits. */
  readonly ofAcc: 0 | 1
}

/** The fields of the state that all programs share: numbers are added to, lists grow, cells are set and deleted. */
export const keys = ["n0", "n1", "l0", "l1", "c0", "c1"] as const
export type Key = (typeof keys)[number]

export type Instruction =
  | { readonly op: "sleep"; readonly ms: number }
  /** From now on the handler takes this long to stop when it is interrupted. */
  | { readonly op: "linger"; readonly ms: number }
  | { readonly op: "yield" }
  | { readonly op: "commit" }
  | { readonly op: "set"; readonly key: "c0" | "c1"; readonly value: Expr; readonly silent: boolean }
  | { readonly op: "delete"; readonly key: "c0" | "c1"; readonly silent: boolean }
  | { readonly op: "append"; readonly key: "l0" | "l1"; readonly value: Expr; readonly silent: boolean }
  | { readonly op: "update"; readonly key: "n0" | "n1"; readonly value: Expr; readonly silent: boolean }
  | { readonly op: "read"; readonly key: Key }
  | { readonly op: "put"; readonly value: Expr; readonly volatile: boolean }
  | { readonly op: "setResult"; readonly value: Expr }
  | { readonly op: "emit" | "emitExit" | "emitFork"; readonly signal: string; readonly value: Expr }
  /** Several awaited emits at once. */
  | { readonly op: "emitAll"; readonly of: ReadonlyArray<{ readonly signal: string; readonly value: Expr }> }
  /** Fails where `digest(input) mod every === 0` and the try is not later than `attempts`. */
  | { readonly op: "fail"; readonly every: number; readonly attempts: number; readonly defect: boolean }

export interface Pause {
  readonly end: "pause"
  readonly to: "next" | "self" | { readonly signal: string }
  readonly payload: Expr
  readonly answer: number
  /** `before`: sent by id at time 0; `during`: in the moment in which the handler returns; `after`: `delay` ms later. */
  readonly when: "before" | "during" | "after"
  readonly delay: number
}

export type End =
  | { readonly end: "value"; readonly value: Expr }
  | { readonly end: "list"; readonly value: Expr; readonly length: number }
  | Pause

export interface Chunk {
  readonly kind: "chunk"
  readonly name: string
  readonly script: ReadonlyArray<Instruction>
  readonly end: End
  readonly concurrency?: number
  /** Gives `value` for a failure. */
  readonly catch?: Expr
  readonly retry?: { readonly times: number; readonly ms: number }
}

export type Nodes = ReadonlyArray<Node>

export interface MatchCase {
  /** Holds where the value equals it. */
  readonly is?: number
  /** Holds where `digest(value) mod every === 0`. */
  readonly every?: number
  readonly effect: boolean
  readonly then: Nodes
}

export type Node =
  | Chunk
  | {
      readonly kind: "batch"
      readonly branches: ReadonlyArray<Nodes>
      readonly concurrency?: number
      readonly onError?: "collect"
    }
  | {
      readonly kind: "forEach"
      readonly body: Nodes
      readonly concurrency?: number
      readonly onError: "fail" | "skip" | "collect"
    }
  | {
      readonly kind: "match"
      readonly cases: ReadonlyArray<MatchCase>
      readonly otherwise?: Nodes
      readonly mode: "first" | "all"
    }
  | {
      readonly kind: "loop"
      readonly body: Nodes
      readonly rounds: number
      readonly every: number
      readonly effect: boolean
    }
  | { readonly kind: "side"; readonly body: Nodes }
  | { readonly kind: "collect"; readonly collector: string; readonly branch: string }
  | { readonly kind: "result" }
  /** Ends the execution, with a number as its result. Sub-flows have none. */
  | { readonly kind: "stop" }
  /** An execution of its own, given the digest of the value. It has no pauses and nothing comes from outside. */
  | { readonly kind: "sub"; readonly program: Program }

export type Single =
  | { readonly on: "signal"; readonly signal: string }
  | { readonly on: "state"; readonly key: Key }
  | { readonly on: "chunk"; readonly chunk: string }
  | { readonly on: "collector"; readonly collector: string }

export type Trigger =
  | { readonly on: "start" }
  | Single
  | { readonly on: "any"; readonly of: ReadonlyArray<Single> }
  | {
      readonly on: "all"
      readonly of: ReadonlyArray<Single>
      /** Correlates by `digest(value) mod by`. */
      readonly by?: number
      readonly scope: "root" | "execution"
    }

export interface Chain {
  readonly trigger: Trigger
  readonly nodes: Nodes
}

/** What is done from outside, and when. The times are never whole, so that they never meet those of the handlers. */
export type Outside = { readonly at: number } & (
  | { readonly act: "emit" | "emitFork" | "emitExit"; readonly signal: string; readonly value: number }
  | { readonly act: "seal" }
  | { readonly act: "cancel" }
)

export interface Program {
  readonly seed: number
  readonly input: number
  readonly failures: "fail" | "continue"
  readonly concurrency?: number
  /** Signals; those that may have replies: see `replies`. */
  readonly signals: ReadonlyArray<{ readonly name: string; readonly reply: boolean }>
  readonly collectors: ReadonlyArray<{
    readonly name: string
    readonly branches: ReadonlyArray<string>
    readonly mode: "reset" | "update"
  }>
  readonly chains: ReadonlyArray<Chain>
  readonly outside: ReadonlyArray<Outside>
}

/** How a failing script fails. */
export const codeOf = (chunk: string, input: unknown): string => `${chunk}:${digest(input)}`

const modulus = 997

/** A number for any value: what scripts compute with. */
export const digest = (value: unknown): number => {
  if (typeof value === "number") return ((value % modulus) + modulus) % modulus
  if (value === undefined || value === null) return 1
  if (typeof value === "string") return [...value].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % modulus, 7)
  if (typeof value === "boolean") return value ? 2 : 3
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => (sum * 17 + digest(item) + 5) % modulus, 11)
  return Object.entries(value).reduce((sum, [key, item]) => (sum * 13 + digest(key) + 3 * digest(item)) % modulus, 19)
}

export const evaluate = (expr: Expr, input: unknown, acc: number): number =>
  (expr.add + expr.ofInput * digest(input) + expr.ofAcc * acc) % modulus

export const mix = (acc: number, value: unknown): number => (acc * 7 + digest(value) + 1) % modulus

/** The value of an end that is no pause. */
export const valueOf = (end: Exclude<End, Pause>, input: unknown, acc: number): unknown => {
  const value = evaluate(end.value, input, acc)
  return end.end === "value" ? value : Array.from({ length: end.length }, (_, index) => (value + index * 3) % modulus)
}

/** The bodies inside a node. */
export const bodiesOf = (node: Node): ReadonlyArray<Nodes> => {
  switch (node.kind) {
    case "batch":
      return node.branches
    case "match":
      return [...node.cases.map(({ then }) => then), ...(node.otherwise === undefined ? [] : [node.otherwise])]
    case "forEach":
    case "loop":
    case "side":
      return [node.body]
    case "sub":
      return node.program.chains.map(({ nodes }) => nodes)
    default:
      return []
  }
}

/** All nodes below and beside each other. */
export const allNodes = (nodes: Nodes): ReadonlyArray<Node> =>
  nodes.flatMap((node) => [node, ...bodiesOf(node).flatMap(allNodes)])

export const nodesOf = (program: Program): ReadonlyArray<Node> => program.chains.flatMap(({ nodes }) => allNodes(nodes))

export const chunksOf = (nodes: ReadonlyArray<Node>): ReadonlyArray<Chunk> =>
  nodes.filter((node): node is Chunk => node.kind === "chunk")

export const singlesOf = (trigger: Trigger): ReadonlyArray<Single> =>
  trigger.on === "start" ? [] : trigger.on === "any" || trigger.on === "all" ? trigger.of : [trigger]

export const sameSource = (a: Single, b: Single): boolean => sourceName(a) === sourceName(b)

export const sourceName = (single: Single): string => {
  switch (single.on) {
    case "signal":
      return `signal ${single.signal}`
    case "state":
      return `state ${single.key}`
    case "chunk":
      return `chunk ${single.chunk}`
    case "collector":
      return `collector ${single.collector}`
  }
}

/** Whether a signal replies: all of its chains have to end in a chunk that gives a number. */
export const replies = (program: Program, signal: string): boolean =>
  program.signals.some(({ name, reply }) => name === signal && reply) &&
  program.chains
    .filter(({ trigger }) => singlesOf(trigger).some((single) => single.on === "signal" && single.signal === signal))
    .every(({ nodes }) => {
      const last = nodes.at(-1)
      return (
        last?.kind === "chunk" &&
        last.end.end !== "list" &&
        (last.end.end !== "pause" || typeof last.end.to === "string") &&
        // A chain that ends early replies with nothing.
        chunksOf(nodes).every(({ end }) => end.end !== "pause" || typeof end.to === "string")
      )
    })

/** The signals that a pause is answered by. */
export const pauseSignals = (program: Program): ReadonlySet<string> =>
  new Set(
    chunksOf(nodesOf(program)).flatMap(({ end }) =>
      end.end === "pause" && typeof end.to === "object" ? [end.to.signal] : []
    )
  )

/** Pauses that are answered by an id of their own before they wait: only where they come once. */
const pausesOnce = (program: Program): Program => {
  const later = (nodes: Nodes, isOnce: boolean): Nodes =>
    nodes.map((node) => {
      const inside = isOnce && node.kind !== "forEach" && node.kind !== "loop"
      const same = mapBodies(node, (body) => later(body, inside))
      if (same.kind !== "chunk" || same.end.end !== "pause" || same.end.when === "after" || isOnce) return same
      return { ...same, end: { ...same.end, when: "after" } }
    })
  return {
    ...program,
    chains: program.chains.map((chain) => ({ ...chain, nodes: later(chain.nodes, chain.trigger.on === "start") }))
  }
}

/** Takes out what refers to nothing any more, so that every program is a valid flow. */
export const repair = (program: Program): Program => {
  let current = pausesOnce(program)
  for (;;) {
    const nodes = nodesOf(current)
    const chunks = new Set(chunksOf(nodes).map(({ name }) => name))
    const fed = (name: string) => {
      const collector = current.collectors.find((one) => one.name === name)
      return collector?.branches.every((branch) =>
        nodes.some((node) => node.kind === "collect" && node.collector === name && node.branch === branch)
      )
    }
    const live = (single: Single): boolean =>
      single.on === "chunk"
        ? chunks.has(single.chunk)
        : single.on === "collector"
          ? fed(single.collector) === true
          : true
    const chains = current.chains.flatMap((chain): ReadonlyArray<Chain> => {
      const { trigger } = chain
      if (trigger.on === "start") return [chain]
      if (trigger.on !== "any" && trigger.on !== "all") return live(trigger) ? [chain] : []
      const of = trigger.of.filter(live)
      const [only] = of
      return only === undefined ? [] : [{ ...chain, trigger: of.length === 1 ? only : { ...trigger, of } }]
    })
    // A collector that is not fed whole is taken out, with what would bring values to it.
    const collectors = current.collectors.filter(({ name }) => fed(name))
    // What is collected or made the result is a number: it comes from a chunk right before.
    const strip = (body: Nodes): Nodes => {
      const kept: Array<Node> = []
      let number = false
      for (const node of body) {
        if (node.kind === "result" || node.kind === "stop" || node.kind === "collect") {
          // Nothing may stand behind a stop.
          if (kept.at(-1)?.kind === "stop") continue
          const known = node.kind !== "collect" || collectors.some(({ name }) => name === node.collector)
          if (known && number) kept.push(node)
        } else if (kept.at(-1)?.kind !== "stop") {
          kept.push(mapBodies(node, strip))
          number = node.kind === "chunk" ? node.end.end !== "list" : node.kind === "side" && number
        }
      }
      return kept
    }
    const next: Program = {
      ...current,
      chains: chains.map((chain) => ({ ...chain, nodes: strip(chain.nodes) })),
      collectors
    }
    if (JSON.stringify(next) === JSON.stringify(current)) return current
    current = next
  }
}

/** The same node with other bodies. */
export const mapBodies = (node: Node, f: (body: Nodes) => Nodes): Node => {
  switch (node.kind) {
    case "batch":
      return { ...node, branches: node.branches.map(f) }
    case "match":
      return {
        ...node,
        cases: node.cases.map((one) => ({ ...one, then: f(one.then) })),
        ...(node.otherwise === undefined ? {} : { otherwise: f(node.otherwise) })
      }
    case "forEach":
    case "loop":
    case "side":
      return { ...node, body: f(node.body) }
    case "sub": {
      const chains = node.program.chains.map((chain) => ({ ...chain, nodes: f(chain.nodes) }))
      return { ...node, program: { ...node.program, chains } }
    }
    default:
      return node
  }
}

const printExpr = ({ add, ofInput, ofAcc }: Expr): string =>
  [ofInput === 1 ? "input" : "", ofAcc === 1 ? "acc" : "", `${add}`].filter((part) => part !== "").join(" + ")

const printInstruction = (one: Instruction): string => {
  switch (one.op) {
    case "sleep":
    case "linger":
      return `${one.op} ${one.ms}`
    case "yield":
    case "commit":
      return one.op
    case "set":
    case "append":
    case "update":
      return `${one.op} ${one.key} ${printExpr(one.value)}${one.silent ? " silent" : ""}`
    case "delete":
      return `delete ${one.key}${one.silent ? " silent" : ""}`
    case "read":
      return `read ${one.key}`
    case "put":
      return `put ${printExpr(one.value)}${one.volatile ? " volatile" : ""}`
    case "setResult":
      return `setResult ${printExpr(one.value)}`
    case "emit":
    case "emitExit":
    case "emitFork":
      return `${one.op} ${one.signal} ${printExpr(one.value)}`
    case "emitAll":
      return `emitAll ${one.of.map(({ signal, value }) => `${signal} ${printExpr(value)}`).join(" | ")}`
    case "fail":
      return `${one.defect ? "die" : "fail"} where input mod ${one.every} = 0, tries <= ${one.attempts}`
  }
}

const printEnd = (end: End): string => {
  switch (end.end) {
    case "value":
      return `return ${printExpr(end.value)}`
    case "list":
      return `return list of ${end.length} from ${printExpr(end.value)}`
    case "pause": {
      const to = typeof end.to === "string" ? end.to : `signal ${end.to.signal}`
      return `pause to ${to} with ${printExpr(end.payload)}; answer ${end.answer} ${end.when}${end.when === "after" ? ` ${end.delay} ms` : ""}`
    }
  }
}

const printNode = (node: Node, indent: string): ReadonlyArray<string> => {
  const inside = (label: string, body: Nodes): ReadonlyArray<string> => [
    `${indent}  ${label}:`,
    ...body.flatMap((one) => printNode(one, `${indent}    `))
  ]
  const limit = "concurrency" in node && node.concurrency !== undefined ? ` concurrency ${node.concurrency}` : ""
  switch (node.kind) {
    case "chunk": {
      const retry = node.retry === undefined ? "" : ` retry ${node.retry.times} times after ${node.retry.ms} ms`
      const caught = node.catch === undefined ? "" : ` catch ${printExpr(node.catch)}`
      const lines = [...node.script.map(printInstruction), printEnd(node.end)]
      return [`${indent}to ${node.name}${limit}${retry}${caught}: ${lines.join("; ")}`]
    }
    case "batch":
      return [
        `${indent}batch${limit}${node.onError === undefined ? "" : " collects failures"}`,
        ...node.branches.flatMap((body, index) => inside(`b${index}`, body))
      ]
    case "forEach":
      return [`${indent}forEach${limit} onError ${node.onError}`, ...inside("item", node.body)]
    case "match":
      return [
        `${indent}match ${node.mode}`,
        ...node.cases.flatMap((one) =>
          inside(
            `${one.is === undefined ? `mod ${one.every ?? 1}` : `is ${one.is}`}${one.effect ? " (effect)" : ""}`,
            one.then
          )
        ),
        ...(node.otherwise === undefined ? [] : inside("otherwise", node.otherwise))
      ]
    case "loop":
      return [`${indent}loop at most ${node.rounds} rounds, while mod ${node.every} != 0`, ...inside("body", node.body)]
    case "side":
      return [`${indent}side`, ...inside("body", node.body)]
    case "collect":
      return [`${indent}collect ${node.collector}.${node.branch}`]
    case "result":
    case "stop":
      return [`${indent}${node.kind}`]
    case "sub":
      return [
        `${indent}subFlow`,
        ...print(node.program)
          .split("\n")
          .map((line) => `${indent}    ${line}`)
      ]
  }
}

const printTrigger = (trigger: Trigger): string => {
  switch (trigger.on) {
    case "start":
      return "start"
    case "any":
      return `any(${trigger.of.map(sourceName).join(", ")})`
    case "all": {
      const by = trigger.by === undefined ? "" : ` by mod ${trigger.by}`
      return `all(${trigger.of.map(sourceName).join(", ")})${by} scope ${trigger.scope}`
    }
    default:
      return sourceName(trigger)
  }
}

/** A program as text that one can read. */
export const print = (program: Program): string =>
  [
    `program ${program.seed}: input ${program.input}, failures ${program.failures}, concurrency ${program.concurrency ?? "none"}`,
    ...program.signals.map(({ name }) => `signal ${name}${replies(program, name) ? " with replies" : ""}`),
    ...program.collectors.map(({ name, branches, mode }) => `collector ${name}(${branches.join(", ")}) ${mode}`),
    ...program.chains.flatMap(({ trigger, nodes }) => [
      `on ${printTrigger(trigger)}`,
      ...nodes.flatMap((node) => printNode(node, "  "))
    ]),
    ...program.outside.map((one) => `at ${one.at}: ${one.act}${"signal" in one ? ` ${one.signal} ${one.value}` : ""}`)
  ].join("\n")
