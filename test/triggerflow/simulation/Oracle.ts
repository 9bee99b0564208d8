/**
 * What a program has to do, found by walking it one thread at a time without any engine, and how far that is determined.
 *
 * What depends on a race is left out of the comparison (`tainted`, `unordered`), or the whole program is (`exact:
 * false`). Where a race for permits makes the times unsure, the program is walked again with cause alone as order. What
 * happens beside a failure without order is a `maybe`.
 */
import {
  type Chunk,
  codeOf,
  digest,
  evaluate,
  type Node,
  type Nodes,
  type Program,
  type Single,
  singlesOf,
  sourceName
} from "./Program.ts"
import { type Made, type Output, Script } from "./OracleScript.ts"
import type { Random } from "./Random.ts"
import { dropped, Isolator, type Limit, lost, type Proc, type Shared, type Thread, Threads } from "./Threads.ts"

/** A thread that ended with a pause to a signal. */
const ended = Symbol("ended")

/** One run of a handler. `end` is absent where it may end in several ways. */
export interface Ran {
  readonly chunk: string
  readonly input: unknown
  readonly start: number
  end: number | undefined
  /** `value ...`, `pause ...`, `error ...`, `defect ...`, `interrupted`. */
  outcome: string
  /** It may not have begun. */
  startMaybe: boolean
  /** It may have been interrupted instead. */
  endMaybe: boolean
}

export interface Item {
  readonly chunk: string
  readonly value: number
  readonly time: number
  readonly volatile: boolean
  maybe: boolean
}

export interface Expected {
  /** Whether a comparison is possible; otherwise why not. */
  readonly exact: boolean
  readonly why: string | undefined
  /** Whether times are determined too. */
  readonly timed: boolean
  readonly status: "completed" | "failed" | "cancelled"
  /** How it may fail first. */
  readonly failures: ReadonlyArray<string>
  readonly runs: ReadonlyArray<Ran>
  readonly items: ReadonlyArray<Item>
  readonly state: Readonly<Record<string, unknown>>
  /** Keys of the state, and `result`, that may have other values. */
  readonly tainted: ReadonlySet<string>
  /** Lists whose items may stand in another order. */
  readonly unordered: ReadonlySet<string>
  readonly result: unknown
}

/** Where a step stands: its body waits for what `children` holds. */
export interface Context {
  readonly children: Array<Thread>
  readonly isolator: Isolator
  /** The scope of gates and collectors. */
  readonly root: string
}

export interface Body {
  readonly nodes: Nodes
  readonly value: unknown
}

/** A value as text, the same for equal values. */
export const show = (value: unknown): string => JSON.stringify(value) ?? "undefined"

/** The walk through one program. */
export class Walk {
  readonly program: Program
  readonly threads: Threads
  /** Where failures go that nobody inside takes; for a sub-flow that is around its step. */
  readonly root: Isolator
  /** Tells the fields and gates of sub-flows apart. */
  readonly prefix: string
  /** Signals that nobody waits for. */
  readonly forks: Array<Thread> = []
  readonly state: Record<string, unknown> = { n0: 0, n1: 0, l0: [], l1: [] }
  readonly runs: Array<Ran>
  readonly items: Array<Item>
  readonly tainted = new Set<string>()
  readonly unordered = new Set<string>()
  readonly gates = new Map<string, Map<string, unknown>>()
  /** How many pauses wait for a signal now. */
  readonly waits = new Map<string, number>()
  readonly pausedOnce = new Set<string>()
  readonly listened: ReadonlySet<string>
  readonly limit: Limit | undefined
  readonly limits = new Map<string, Limit>()
  result: unknown
  sealed = false

  constructor(program: Program, threads: Threads, parent?: Walk, root: Isolator = threads.root) {
    this.program = program
    this.threads = threads
    this.root = root
    this.runs = parent?.runs ?? []
    this.items = parent?.items ?? []
    this.prefix = parent === undefined ? "" : `${parent.prefix}${parent.children++}/`
    this.listened = new Set(program.chains.flatMap(({ trigger }) => singlesOf(trigger).map(sourceName)))
    this.limit = program.concurrency === undefined ? undefined : threads.limit(program.concurrency)
  }

  children = 0

  /** Whether a failure that no isolator takes ends its own thread only. */
  get keeps(): boolean {
    return this.program.failures === "continue"
  }

  /** Uses a field of the state, or the result. */
  access(name: string, kind: string): void {
    const shared: Shared = {
      isListened: this.listened.has(`state ${name}`),
      taint: () => this.tainted.add(name),
      unorder: () => this.unordered.add(name),
      isUnsure: () => this.tainted.has(name) || this.unordered.has(name)
    }
    this.threads.access(this.prefix + name, kind, shared)
  }

  /** Brings something to a gate or collector: in which order matters to everything behind. */
  come(name: string): void {
    const unsure = () => this.threads.undetermined(name)
    this.threads.access(this.prefix + name, "come", {
      isListened: false,
      taint: unsure,
      unorder: unsure,
      isUnsure: () => false
    })
  }

  // Triggers

  /** The bodies that a value of a source starts, in the order of the chains. */
  bodies(source: Single, value: unknown, root: string): ReadonlyArray<Body> {
    const name = sourceName(source)
    const found: Array<Body> = []
    this.program.chains.forEach(({ trigger, nodes }, chain) => {
      const slot = singlesOf(trigger).findIndex((one) => sourceName(one) === name)
      if (slot < 0) return
      if (trigger.on === "any") found.push({ nodes, value: { _tag: `s${slot}`, value } })
      else if (trigger.on === "all") {
        const scope =
          trigger.by !== undefined ? `key ${digest(value) % trigger.by}` : trigger.scope === "root" ? root : "execution"
        const gate = `gate ${chain} ${scope}`
        this.come(gate)
        const slots = this.gates.get(gate) ?? new Map<string, unknown>()
        this.gates.set(gate, slots)
        slots.set(`s${slot}`, value)
        if (slots.size < trigger.of.length) return
        this.gates.delete(gate)
        found.push({
          nodes,
          value: Object.fromEntries(trigger.of.map((_, index) => [`s${index}`, slots.get(`s${index}`)]))
        })
      } else found.push({ nodes, value })
    })
    return found
  }

  frame(bodies: ReadonlyArray<Body>, isolator: Isolator, root: string): ReadonlyArray<Thread> {
    return bodies.map(({ nodes, value }) => this.threads.spawn(this.body(nodes, value, isolator, root), isolator))
  }

  /** A frame of its own, which starts after the emitter has gone on. */
  *fork(source: Single, value: unknown, root: string): Proc<void> {
    yield* this.threads.hop()
    yield* this.threads.join(this.frame(this.bodies(source, value, root), this.root, root))
  }

  /** Starts what listens to something inside of a body, which waits for it. */
  listeners(source: Single, value: unknown, context: Context): void {
    context.children.push(...this.frame(this.bodies(source, value, context.root), context.isolator, context.root))
  }

  // Bodies and nodes

  *body(nodes: Nodes, input: unknown, isolator: Isolator, root: string): Proc<unknown> {
    const context: Context = { children: [], isolator, root }
    let value: unknown = input
    let isDropped = false
    try {
      for (const node of nodes) value = yield* this.node(node, value, context)
    } catch (cause) {
      if (cause === dropped) isDropped = true
      else if (cause !== ended) throw cause
      value = undefined
    }
    // Children may start more while they are waited for.
    for (let index = 0; index < context.children.length; index++)
      yield* this.threads.join(context.children.slice(index, index + 1))
    if (isDropped || lost(context.children, isolator)) throw dropped
    return value
  }

  *all(threads: ReadonlyArray<Thread>): Proc<ReadonlyArray<unknown>> {
    yield* this.threads.join(threads)
    if (threads.some(({ isDropped }) => isDropped)) throw dropped
    return threads.map(({ value }) => value)
  }

  *node(node: Node, value: unknown, context: Context): Proc<unknown> {
    const { isolator, root } = context
    const start = (body: Nodes, input: unknown) => this.threads.spawn(this.body(body, input, isolator, root), isolator)
    switch (node.kind) {
      case "chunk":
        return yield* this.chunk(node, value, context)
      case "result":
        this.access("result", "set")
        this.result = value
        return value
      case "stop":
        this.access("result", "set")
        this.result = value
        return this.threads.stop()
      case "side":
        context.children.push(start(node.body, value))
        return value
      case "collect":
        this.collect(node.collector, node.branch, value, context)
        return value
      case "sub": {
        const { concurrency } = this.program
        const program = { ...node.program, input: digest(value), ...(concurrency === undefined ? {} : { concurrency }) }
        const child = new Walk(program, this.threads, this, isolator)
        yield* this.all([this.threads.spawn(child.execution(), isolator)])
        if (child.tainted.has("result")) this.threads.undetermined("the result of a sub-flow")
        return child.result
      }
      case "batch": {
        const collects = node.onError === "collect"
        const made = yield* this.each(node.branches, node.concurrency, (body) =>
          collects ? this.threads.spawn(this.isolated(body, value, context, "collect"), isolator) : start(body, value)
        )
        const outputs = collects ? made.flatMap((output) => (Array.isArray(output) ? output : [])) : made
        return Object.fromEntries(outputs.map((output, index) => [`b${index}`, output]))
      }
      case "match": {
        const hits: Array<Nodes> = []
        for (const one of node.cases) {
          yield* this.threads.hop()
          if (one.is !== undefined ? one.is === value : digest(value) % (one.every ?? 1) === 0) hits.push(one.then)
          if (hits.length > 0 && node.mode === "first") break
        }
        if (hits.length > 0) {
          const outputs = yield* this.all(hits.map((body) => start(body, value)))
          return node.mode === "first" ? outputs[0] : outputs
        }
        return node.otherwise === undefined ? value : (yield* this.all([start(node.otherwise, value)]))[0]
      }
      case "loop": {
        let current = value
        for (let round = 0; ; round++) {
          yield* this.threads.hop()
          if (!(round < node.rounds && digest(current) % node.every !== 0)) return current
          current = (yield* this.all([start(node.body, current)]))[0]
        }
      }
      case "forEach": {
        const items: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
        if (node.onError === "fail") return yield* this.each(items, node.concurrency, (item) => start(node.body, item))
        const policy = node.onError
        const outputs = yield* this.each(items, node.concurrency, (item) =>
          this.threads.spawn(this.isolated(node.body, item, context, policy), isolator)
        )
        return outputs.flatMap((output) => (Array.isArray(output) ? output : []))
      }
    }
  }

  /** An item that fails by itself: a list of its output, or of nothing. */
  *isolated(body: Nodes, item: unknown, context: Context, policy: "skip" | "collect"): Proc<ReadonlyArray<unknown>> {
    const isolator = new Isolator(context.isolator, false)
    const thread = this.threads.spawn(this.body(body, item, isolator, context.root), isolator)
    yield* this.threads.join([thread])
    const [failure, another] = isolator.failures
    if (failure !== undefined) {
      yield* this.threads.stopped(isolator)
      if (another !== undefined && policy === "collect") this.threads.undetermined("which failure is collected")
      return policy === "skip" ? [] : [{ _tag: "error", code: failure.code }]
    }
    if (thread.isDropped) throw dropped
    return policy === "skip" ? [thread.value] : [{ _tag: "ok", value: thread.value }]
  }

  *each<A>(
    list: ReadonlyArray<A>,
    concurrency: number | undefined,
    start: (one: A) => Thread
  ): Proc<ReadonlyArray<unknown>> {
    const threads: Array<Thread> = []
    for (const one of list) {
      if (concurrency === 1) yield* this.threads.join(threads.slice(-1))
      else if (concurrency !== undefined) {
        for (;;) {
          const working = threads.filter(({ isEnded }) => !isEnded)
          if (working.length < concurrency) break
          yield* this.threads.oneOf(working)
        }
      }
      threads.push(start(one))
    }
    return yield* this.all(threads)
  }

  collect(name: string, branch: string, value: unknown, context: Context): void {
    const collector = this.program.collectors.find((one) => one.name === name)
    if (collector === undefined) throw new Error(`no collector ${name}`)
    const key = `collector ${name} ${context.root}`
    this.come(key)
    const slots = this.gates.get(key) ?? new Map<string, unknown>()
    this.gates.set(key, slots)
    slots.set(branch, value)
    if (slots.size < collector.branches.length) return
    if (collector.mode === "reset") this.gates.delete(key)
    const record = Object.fromEntries(collector.branches.map((one) => [one, slots.get(one)]))
    this.listeners({ on: "collector", collector: name }, record, context)
  }

  // Chunks

  *chunk(node: Chunk, input: unknown, context: Context): Proc<unknown> {
    let resumed: number | undefined
    for (;;) {
      const output = yield* this.tries(node, input, resumed, context, context.isolator)
      if ("value" in output) {
        this.listeners({ on: "chunk", chunk: node.name }, output.value, context)
        return output.value
      }
      const { to, answer, when, delay } = output.pause
      if (when !== "after") {
        // These are answered by a name of their own, which is used once.
        if (this.pausedOnce.has(node.name)) this.threads.undetermined(`${node.name} pauses twice under one id`)
        this.pausedOnce.add(node.name)
      }
      // An answer is a signal that answers every question that waits for it.
      const waits = typeof to === "string" ? "" : to.signal
      const others = this.waits.get(waits) ?? 0
      if (waits !== "" && others > 0) this.threads.undetermined(`two pauses wait for ${waits}`)
      this.waits.set(waits, others + 1)
      if (when === "after") yield* this.threads.sleep(delay)
      else yield* this.threads.hop()
      this.waits.set(waits, (this.waits.get(waits) ?? 1) - 1)
      if (to === "self") {
        resumed = answer
        continue
      }
      if (to === "next") {
        this.listeners({ on: "chunk", chunk: node.name }, answer, context)
        return answer
      }
      const source: Single = { on: "signal", signal: to.signal }
      const threads = this.frame(this.bodies(source, answer, context.root), context.isolator, context.root)
      yield* this.threads.join(threads)
      if (lost(threads, context.isolator)) throw dropped
      throw ended
    }
  }

  limitsOf(chunk: Chunk): ReadonlyArray<Limit> {
    const found: Array<Limit> = []
    if (chunk.concurrency !== undefined) {
      const limit = this.limits.get(chunk.name) ?? this.threads.limit(chunk.concurrency)
      this.limits.set(chunk.name, limit)
      found.push(limit)
    }
    if (this.limit !== undefined) found.push(this.limit)
    // Who waits for which of two limits first is the engine's choice.
    if (found.length > 1) this.threads.timeRace = true
    return found
  }

  *tries(node: Chunk, input: unknown, resumed: number | undefined, context: Context, isolator: Isolator): Proc<Output> {
    const { threads } = this
    for (let attempt = 1; ; attempt++) {
      const limits = this.limitsOf(node)
      // A try that follows another one is no new handler.
      for (const limit of limits) yield* threads.acquire(limit, attempt === 1 ? "new" : "back")
      yield* threads.hop()
      const { me } = threads
      const run: Ran = {
        chunk: node.name,
        input,
        start: threads.now,
        end: undefined,
        outcome: "?",
        startMaybe: false,
        endMaybe: false
      }
      this.runs.push(run)
      threads.event(() => (run.startMaybe = true))
      const end = (outcome: string, time = threads.now) => {
        run.end = time
        run.outcome = outcome
        me.onKill = undefined
        const { linger } = me
        me.linger = 0
        threads.event(() => {
          run.endMaybe = true
          if (linger > 0 && outcome !== "interrupted") threads.undetermined("how long it takes to stop")
        }, me)
      }
      const release = () => {
        for (const limit of limits) if (me.held.has(limit)) threads.release(limit)
      }
      me.onKill = (time) => end("interrupted", time)
      const script = new Script(this, node, input, attempt, resumed, context, isolator, limits)
      let made: Made
      try {
        made = yield* script.run()
      } catch (cause) {
        if (cause === dropped) {
          if (me.linger > 0) yield* threads.sleep(me.linger)
          end("interrupted")
          release()
        }
        throw cause
      }
      if (!("kind" in made)) {
        end("value" in made ? `value ${show(made.value)}` : `pause ${made.payload}`)
        script.flush()
        release()
        return made
      }
      const code = codeOf(node.name, input)
      end(`${made.kind} ${code}`)
      release()
      if (node.retry === undefined || made.kind === "defect" || attempt > node.retry.times) {
        // `catch` takes the failure of the handler itself; what fails below its emits goes on upward.
        if (node.catch !== undefined && made.kind === "error") return { value: evaluate(node.catch, input, 0) }
        return threads.fail(isolator, code, made.kind, this.keeps)
      }
      yield* threads.sleep(node.retry.ms)
    }
  }

  // The execution

  starts(): ReadonlyArray<Thread> {
    const starts = this.program.chains.filter(({ trigger }) => trigger.on === "start")
    const bodies = starts.map(({ nodes }) => ({ nodes, value: this.program.input }))
    return this.frame(bodies, this.root, "execution")
  }

  /** All of a sub-flow. */
  *execution(): Proc<void> {
    yield* this.all(this.starts())
    for (let index = 0; index < this.forks.length; index++) yield* this.all(this.forks.slice(index, index + 1))
  }

  *outside(): Proc<void> {
    const threads: Array<Thread> = []
    let index = 0
    for (const one of this.program.outside) {
      yield* this.threads.sleep(one.at - this.threads.now)
      if (one.act === "seal") this.sealed = true
      else if (one.act === "cancel") {
        this.threads.cancel()
        return
      } else if (!this.sealed) {
        const root = `outside ${index++}`
        const isolator = one.act === "emitExit" ? new Isolator(this.root, true) : this.root
        const bodies = this.bodies({ on: "signal", signal: one.signal }, one.value, "execution")
        threads.push(...this.frame(bodies, isolator, root))
      }
    }
    yield* this.threads.join(threads)
  }

  walk(): Expected {
    const { program, threads } = this
    threads.run(() => {
      this.starts()
      threads.spawn(this.outside(), this.root)
    })
    const failures = this.root.failures
    const isCancelled = failures.some(({ kind }) => kind === "cancel")
    if (!threads.timed && program.outside.some(({ act }) => act === "cancel"))
      threads.undetermined("a cancel at an unsure time")
    return {
      exact: threads.why === undefined,
      why: threads.why,
      timed: threads.timed,
      status: failures.every(({ kind }) => kind === "stop") ? "completed" : isCancelled ? "cancelled" : "failed",
      failures: failures.map(({ code }) => code),
      runs: this.runs,
      items: this.items,
      state: this.state,
      tainted: this.tainted,
      unordered: this.unordered,
      result: this.result
    }
  }
}

const known = new WeakMap<Program, Expected>()

/** What a program has to do. Throws `TooLong` where that is too much. */
export const expected = (program: Program): Expected => {
  const before = known.get(program)
  if (before !== undefined) return before
  const timed = new Threads(true)
  const found = new Walk(program, timed).walk()
  const made = timed.timeRace ? new Walk(program, new Threads(false)).walk() : found
  known.set(program, made)
  return made
}

/** One way in which a program may go: threads take turns at random, and a failure interrupts at once. */
export const sample = (program: Program, random: Random): Expected =>
  new Walk(program, new Threads(true, random)).walk()
