/** Random programs: the same seed gives the same program. */
import {
  type Chain,
  type Chunk,
  chunksOf,
  allNodes,
  type End,
  type Expr,
  type Instruction,
  type Key,
  keys,
  type MatchCase,
  type Node,
  type Nodes,
  type Outside,
  pauseSignals,
  type Program,
  repair,
  type Single,
  singlesOf,
  sourceName,
  type Trigger
} from "./Program.ts"
import { expected } from "./Oracle.ts"
import { Random } from "./Random.ts"
import { TooLong } from "./Threads.ts"

/** What a program is rich in: most have a few of these alone, so that the rest can be foretold exactly. */
interface Profile {
  readonly sleeps: number
  readonly fails: number
  readonly pauses: number
  readonly emits: number
  readonly writes: number
  readonly limits: number
  readonly gates: number
  readonly depth: number
}

class Generator {
  readonly random: Random
  readonly profile: Profile
  readonly signals: ReadonlyArray<{ readonly name: string; readonly reply: boolean }>
  readonly collectors: Program["collectors"]
  /** Which chains a source is listened to by: none of those may touch it, nor any behind them. */
  readonly firstListener = new Map<string, number>()
  readonly pauseOnly = new Set<string>()
  chunks = 0
  budget: number
  chain = 0

  readonly failures: Program["failures"]
  readonly limitOfAll: number | undefined
  /** Whether it is a sub-flow: these have names of their own, and less in them. */
  readonly prefix: string
  /** Whether there are sub-flows in it. Then nothing lingers: how long their parent waits for that is left open. */
  readonly hasSubs: boolean
  /** Whether some step may end the execution. */
  readonly stops: boolean
  subs = 0

  constructor(seed: number, outer?: Generator) {
    const random = new Random(seed)
    this.random = random
    this.prefix = outer === undefined ? "" : `${outer.prefix}${outer.subs++}_`
    const some = (probability: number, most: number) => (random.chance(probability) ? random.next() * most : 0)
    this.profile = {
      sleeps: random.pick([0.1, 0.5, 0.8]),
      fails: some(0.5, 0.5),
      pauses: some(0.3, 0.4),
      emits: some(0.9, 1.5),
      writes: some(0.7, 0.9),
      limits: some(0.4, 0.5),
      gates: some(0.5, 0.8),
      depth: random.int(1, 3)
    }
    this.failures = outer === undefined && random.chance(0.25) ? "continue" : "fail"
    this.limitOfAll = outer === undefined && random.chance(this.profile.limits) ? random.int(1, 3) : undefined
    this.hasSubs = outer === undefined && this.failures === "fail" && random.chance(0.25)
    if (outer !== undefined) {
      this.profile = { ...this.profile, pauses: 0, depth: 1 }
      this.hasSubs = true
    }
    this.stops = outer === undefined && random.chance(0.15)
    this.budget = random.int(5, outer === undefined ? random.pick([10, 20, 36]) : 6)
    this.signals = Array.from({ length: random.int(1, 4) }, (_, index) => ({
      name: `${this.prefix}S${index}`,
      reply: random.chance(0.4)
    }))
    this.collectors = Array.from({ length: random.chance(this.profile.gates * 0.5) ? 1 : 0 }, (_, index) => ({
      name: `${this.prefix}C${index}`,
      branches: ["x", "y"],
      mode: random.pick(["reset", "update"] as const)
    }))
  }

  listen(source: string): void {
    if (!this.firstListener.has(source)) this.firstListener.set(source, this.chain)
  }

  /** Whether the chain that is being made may touch a source. */
  mayTouch(source: string): boolean {
    return (this.firstListener.get(source) ?? Number.POSITIVE_INFINITY) > this.chain
  }

  expr(): Expr {
    return {
      add: this.random.int(0, 40),
      ofInput: this.random.chance(0.7) ? 1 : 0,
      ofAcc: this.random.chance(0.7) ? 1 : 0
    }
  }

  signal(): string | undefined {
    const open = this.signals.filter(({ name }) => this.mayTouch(`signal ${name}`) && !this.pauseOnly.has(name))
    // Most are heard by somebody.
    const heard = open.filter(({ name }) => this.firstListener.has(`signal ${name}`))
    if (heard.length > 0 && this.random.chance(0.9)) return this.random.pick(heard).name
    return open.length === 0 ? undefined : this.random.pick(open).name
  }

  key<K extends Key>(of: ReadonlyArray<K>): K | undefined {
    const open = of.filter((key) => this.mayTouch(`state ${key}`))
    return open.length === 0 ? undefined : this.random.pick(open)
  }

  instruction(retried: boolean): Instruction | undefined {
    const { random, profile } = this
    const kind = random.weighted([
      [profile.sleeps, "sleep"],
      [0.2, "yield"],
      [this.hasSubs ? 0 : profile.fails, "linger"],
      [0.1 * profile.writes, "commit"],
      [profile.writes, "write"],
      [0.2 * profile.writes, "read"],
      [0.5, "put"],
      [0.1, "setResult"],
      [retried ? 0 : 1.5 * profile.emits, "emit"],
      [profile.fails, "fail"]
    ] as const)
    const silent = random.chance(0.15)
    switch (kind) {
      case "sleep":
        return { op: "sleep", ms: random.int(1, 97) }
      case "linger":
        return { op: "linger", ms: random.int(1, 40) }
      case "yield":
      case "commit":
        return { op: kind }
      case "write": {
        const key = this.key(keys)
        if (key === undefined) return undefined
        if (key === "n0" || key === "n1") return { op: "update", key, value: this.expr(), silent }
        if (key === "l0" || key === "l1") return { op: "append", key, value: this.expr(), silent }
        return random.chance(0.25) ? { op: "delete", key, silent } : { op: "set", key, value: this.expr(), silent }
      }
      case "read":
        return { op: "read", key: random.pick(keys) }
      case "put":
        return { op: "put", value: this.expr(), volatile: random.chance(0.15) }
      case "setResult":
        return { op: "setResult", value: this.expr() }
      case "emit": {
        const signal = this.signal()
        if (signal === undefined) return undefined
        if (random.chance(0.2)) {
          const of = Array.from({ length: random.int(2, 3) }, () => ({
            signal: this.signal() ?? signal,
            value: this.expr()
          }))
          return { op: "emitAll", of }
        }
        return {
          op: random.weighted([
            [3, "emit"],
            [1, "emitExit"],
            [1.5, "emitFork"]
          ] as const),
          signal,
          value: this.expr()
        }
      }
      case "fail":
        return {
          op: "fail",
          every: random.int(1, 3),
          attempts: random.weighted([
            [2, 99],
            [1, 1]
          ] as const),
          defect: random.chance(0.1)
        }
    }
  }

  pause(): End {
    const { random } = this
    const open = this.signals.filter(({ name }) => this.mayTouch(`signal ${name}`))
    const signals = open.filter(({ name }) => !this.used.has(name))
    const to =
      signals.length > 0 && random.chance(0.25)
        ? { signal: random.pick(signals).name }
        : random.pick(["next", "self"] as const)
    if (typeof to === "object") this.pauseOnly.add(to.signal)
    return {
      end: "pause",
      to,
      payload: this.expr(),
      answer: random.int(0, 500),
      when: random.weighted([
        [1, "before"],
        [1, "during"],
        [3, "after"]
      ] as const),
      delay: random.int(1, 60)
    }
  }

  /** Signals that some script emits: a pause takes none of these. */
  readonly used = new Set<string>()

  chunk(last: End["end"] | undefined): Chunk {
    const { random, profile } = this
    const retried = random.chance(profile.fails * 0.4)
    const script: Array<Instruction> = []
    for (let left = random.int(0, 4); left > 0; left--) {
      const one = this.instruction(retried)
      if (one === undefined) continue
      script.push(one)
      if (one.op === "emit" || one.op === "emitExit" || one.op === "emitFork") this.used.add(one.signal)
      if (one.op === "emitAll") for (const { signal } of one.of) this.used.add(signal)
    }
    const end: End =
      last === "list"
        ? { end: "list", value: this.expr(), length: random.int(0, 4) }
        : random.chance(profile.pauses)
          ? this.pause()
          : { end: "value", value: this.expr() }
    this.budget--
    return {
      kind: "chunk",
      name: `${this.prefix}h${this.chunks++}`,
      script,
      end,
      ...(random.chance(profile.limits * 0.5) ? { concurrency: random.int(1, 2) } : {}),
      ...(random.chance(profile.fails * 0.5) ? { catch: { ...this.expr(), ofAcc: 0 as const } } : {}),
      ...(retried ? { retry: { times: random.int(1, 2), ms: random.int(1, 30) } } : {})
    }
  }

  limit(): { readonly concurrency?: number } {
    return this.random.chance(this.profile.limits) ? { concurrency: this.random.int(1, 2) } : {}
  }

  node(depth: number): Nodes {
    const { random } = this
    const deeper = depth > 0 && this.budget > 1
    const kind = random.weighted([
      [4, "chunk"],
      [deeper ? 1 : 0, "batch"],
      [deeper ? 1.2 : 0, "forEach"],
      [deeper ? 1 : 0, "match"],
      [deeper ? 0.6 : 0, "loop"],
      [deeper ? 0.6 : 0, "side"],
      [this.collectors.some(({ name }) => this.mayTouch(`collector ${name}`)) ? 1.5 : 0, "collect"],
      [this.prefix === "" ? 0.3 : 2, "result"],
      [this.stops ? 0.4 : 0, "stop"],
      [this.hasSubs && this.prefix === "" ? 1 : 0, "sub"]
    ] as const)
    const body = (): Nodes => this.body(depth - 1, random.int(1, 2))
    switch (kind) {
      case "chunk":
        return [this.chunk(undefined)]
      case "batch":
        return [
          {
            kind: "batch",
            branches: Array.from({ length: random.int(1, 3) }, body),
            ...this.limit(),
            ...(random.chance(0.25) ? { onError: "collect" as const } : {})
          }
        ]
      case "forEach": {
        const before: Nodes = random.chance(0.85) ? [this.chunk("list")] : []
        const onError = random.weighted([
          [2, "fail"],
          [1, "skip"],
          [1, "collect"]
        ] as const)
        return [...before, { kind: "forEach", body: body(), onError, ...this.limit() }]
      }
      case "match": {
        const cases = Array.from({ length: random.int(1, 3) }, (): MatchCase => ({
          ...(random.chance(0.3) ? { is: random.int(0, 40) } : { every: random.int(1, 3) }),
          effect: random.chance(0.3),
          then: body()
        }))
        const otherwise = random.chance(0.5) ? { otherwise: body() } : {}
        return [{ kind: "match", cases, mode: random.pick(["first", "all"] as const), ...otherwise }]
      }
      case "loop":
        return [
          { kind: "loop", body: body(), rounds: random.int(0, 3), every: random.int(2, 5), effect: random.chance(0.3) }
        ]
      case "side":
        return [{ kind: "side", body: body() }]
      case "collect": {
        const collector = random.pick(this.collectors.filter(({ name }) => this.mayTouch(`collector ${name}`)))
        return [{ kind: "collect", collector: collector.name, branch: random.pick(collector.branches) }]
      }
      case "result":
      case "stop":
        return [this.chunk("value"), { kind }]
      case "sub":
        this.budget -= 3
        return [{ kind: "sub", program: new Generator(random.int(0, 2 ** 30), this).program(0) }]
    }
  }

  body(depth: number, length: number): Nodes {
    const nodes: Array<Node> = []
    for (let left = length; left > 0 && this.budget > 0; left--) nodes.push(...this.node(depth))
    return nodes.some(({ kind }) => kind !== "collect" && kind !== "result" && kind !== "stop")
      ? nodes
      : [...nodes, this.chunk(undefined)]
  }

  single(): Single {
    const kind = this.random.weighted([
      [5, "signal"],
      [2 * this.profile.writes, "state"],
      [this.collectors.length > 0 ? 2 : 0, "collector"]
    ] as const)
    switch (kind) {
      case "signal":
        return { on: "signal", signal: this.random.pick(this.signals).name }
      case "state":
        return { on: "state", key: this.random.pick(keys) }
      case "collector":
        return { on: "collector", collector: this.random.pick(this.collectors).name }
    }
  }

  trigger(): Trigger {
    const { random, profile } = this
    if (!random.chance(profile.gates * 0.6)) return this.single()
    const of: Array<Single> = []
    for (let left = random.int(2, 3); left > 0; left--) {
      const one = this.single()
      if (!of.some((other) => sourceName(other) === sourceName(one))) of.push(one)
    }
    const [only] = of
    if (of.length === 1 && only !== undefined) return only
    if (random.chance(0.4)) return { on: "any", of }
    return {
      on: "all",
      of,
      scope: random.pick(["root", "execution"] as const),
      ...(random.chance(0.3) ? { by: 2 } : {})
    }
  }

  program(seed: number): Program {
    const { random, profile } = this
    // Triggers come first: what a chain may touch depends on who listens behind it.
    const count = random.int(1, 6)
    const triggers: Array<Trigger | "chunk"> = [{ on: "start" }]
    for (this.chain = 1; this.chain <= count; this.chain++) {
      const trigger = random.chance(0.15) ? ("chunk" as const) : this.trigger()
      if (trigger !== "chunk") for (const single of singlesOf(trigger)) this.listen(sourceName(single))
      triggers.push(trigger)
    }
    if (random.chance(0.15)) triggers.push({ on: "start" })
    const chains: Array<Chain> = []
    triggers.forEach((made, index) => {
      this.chain = index
      const known = chunksOf(chains.flatMap(({ nodes }) => allNodes(nodes))).filter(
        ({ end, name }) => name.startsWith(`${this.prefix}h`) && (end.end !== "pause" || typeof end.to === "string")
      )
      const trigger: Trigger =
        made !== "chunk" ? made : known.length > 0 ? { on: "chunk", chunk: random.pick(known).name } : { on: "start" }
      if (this.budget <= 0) this.budget = 1
      chains.push({ trigger, nodes: this.body(profile.depth, random.int(1, 3)) })
    })
    const bare: Program = {
      seed,
      input: random.int(0, 200),
      failures: this.failures,
      ...(this.limitOfAll === undefined ? {} : { concurrency: this.limitOfAll }),
      signals: this.signals,
      collectors: this.collectors,
      chains,
      outside: []
    }
    return repair({ ...bare, outside: this.prefix === "" ? this.outside(bare) : [] })
  }

  outside(program: Program): ReadonlyArray<Outside> {
    const { random } = this
    if (!random.chance(0.4)) return []
    const taken = pauseSignals(program)
    const signals = this.signals.filter(({ name }) => !taken.has(name))
    const acts = Array.from({ length: random.int(1, 3) }, (_, index): ReadonlyArray<Outside> => {
      const at = random.int(0, 150) + (index + 1) / 16
      if (taken.size === 0 && random.chance(0.08)) return [{ at, act: "seal" }]
      if (random.chance(0.08)) return [{ at, act: "cancel" }]
      if (signals.length === 0) return []
      const act = random.weighted([
        [2, "emit"],
        [1, "emitFork"],
        [1, "emitExit"]
      ] as const)
      return [{ at, act, signal: random.pick(signals).name, value: random.int(0, 500) }]
    })
    return acts.flat().toSorted((a, b) => a.at - b.at)
  }
}

const isShort = (program: Program): boolean => {
  try {
    expected(program)
    return true
  } catch (error) {
    if (error instanceof TooLong) return false
    throw error
  }
}

/** Makes the program of a seed. */
export const generate = (seed: number): Program => {
  for (let salt = 0; ; salt++) {
    const program = new Generator(seed + salt * 0x10000000).program(seed)
    if (isShort(program)) return program
  }
}
