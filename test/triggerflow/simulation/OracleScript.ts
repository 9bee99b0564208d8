/** The oracle's way through one run of a script: what it writes, reads, emits and ends with. */
import type { Context, Item, Walk } from "./Oracle.ts"
import { type Chunk, digest, evaluate, type Instruction, type Key, mix, replies, valueOf } from "./Program.ts"
import { dropped, Isolator, type Limit, lost, type Proc } from "./Threads.ts"

type Write = Extract<Instruction, { op: "set" | "delete" | "append" }> | { readonly op: "put"; readonly item: Item }

/** What a script gives: a value or a pause. */
export type Output =
  | { readonly value: unknown }
  | { readonly pause: Extract<Chunk["end"], { end: "pause" }>; readonly payload: number }

interface Failing {
  readonly kind: "error" | "defect"
}

/** What a script ends with. */
export type Made = Output | Failing

/** One run of a script: what it wrote and what it has read. */
export class Script {
  readonly walk: Walk
  readonly node: Chunk
  readonly input: unknown
  readonly attempt: number
  readonly resumed: number | undefined
  readonly context: Context
  readonly isolator: Isolator
  readonly limits: ReadonlyArray<Limit>
  writes: Array<{ readonly write: Write | { readonly op: "result"; readonly value: number }; readonly value: number }> =
    []
  acc = 0

  constructor(
    walk: Walk,
    node: Chunk,
    input: unknown,
    attempt: number,
    resumed: number | undefined,
    context: Context,
    isolator: Isolator,
    limits: ReadonlyArray<Limit>
  ) {
    this.walk = walk
    this.node = node
    this.input = input
    this.attempt = attempt
    this.resumed = resumed
    this.context = context
    this.isolator = isolator
    this.limits = limits
  }

  *run(): Proc<Made> {
    const { end } = this.node
    if (this.resumed !== undefined && end.end === "pause")
      return { value: evaluate(end.payload, this.input, mix(0, this.resumed)) }
    for (const one of this.node.script) {
      if (one.op === "fail") {
        if (digest(this.input) % one.every === 0 && this.attempt <= one.attempts)
          return { kind: one.defect ? "defect" : "error" }
      } else yield* this.instruction(one)
    }
    if (end.end === "pause") return { pause: end, payload: evaluate(end.payload, this.input, this.acc) }
    return { value: valueOf(end, this.input, this.acc) }
  }

  *instruction(one: Exclude<Instruction, { op: "fail" }>): Proc<void> {
    const { walk, input, context } = this
    switch (one.op) {
      case "sleep":
        return yield* walk.threads.sleep(one.ms)
      case "linger":
        walk.threads.me.linger = one.ms
        walk.threads.event(() => walk.threads.undetermined("how long it takes to stop"))
        return
      case "yield":
        return yield* walk.threads.hop()
      case "commit":
        return this.flush()
      case "set":
      case "append":
        this.writes.push({ write: one, value: evaluate(one.value, input, this.acc) })
        return
      case "delete":
        this.writes.push({ write: one, value: 0 })
        return
      case "update": {
        this.flush()
        const { key, silent } = one
        walk.access(key, "add")
        const before = walk.state[key]
        const after = (typeof before === "number" ? before : 0) + evaluate(one.value, input, this.acc)
        walk.state[key] = after
        if (!silent) walk.listeners({ on: "state", key }, after, context)
        return
      }
      case "read":
        walk.access(one.key, "read")
        this.acc = mix(this.acc, this.view(one.key))
        return
      case "put": {
        const value = evaluate(one.value, input, this.acc)
        const item: Item = {
          chunk: this.node.name,
          value,
          time: walk.threads.now,
          volatile: one.volatile,
          maybe: false
        }
        if (one.volatile) this.show(item)
        else this.writes.push({ write: { op: "put", item }, value })
        return
      }
      case "setResult":
        this.writes.push({ write: { op: "result", value: 0 }, value: evaluate(one.value, input, this.acc) })
        return
      case "emit":
      case "emitAll": {
        const of = "of" in one ? one.of : [one]
        const heard = yield* this.emit(
          of.map(({ signal, value }) => ({ signal, value: evaluate(value, input, this.acc) })),
          this.isolator
        )
        for (const replied of heard) this.acc = mix(this.acc, replied)
        return
      }
      case "emitExit": {
        const inner = new Isolator(this.isolator, true)
        const value = evaluate(one.value, input, this.acc)
        const [replied] = yield* this.emit([{ signal: one.signal, value }], inner)
        if (inner.failures.length > 0) yield* walk.threads.stopped(inner)
        this.acc = mix(this.acc, inner.failures.length > 0 ? "failed" : ["ok", replied])
        return
      }
      case "emitFork": {
        this.flush()
        walk.threads.event(() => walk.threads.undetermined("a fork beside a failure"))
        const value = evaluate(one.value, input, this.acc)
        walk.forks.push(
          walk.threads.spawn(walk.fork({ on: "signal", signal: one.signal }, value, context.root), walk.root, true)
        )
        return
      }
    }
  }

  *emit(
    of: ReadonlyArray<{ readonly signal: string; readonly value: number }>,
    isolator: Isolator
  ): Proc<ReadonlyArray<unknown>> {
    const { walk, context, limits } = this
    this.flush()
    const frames = of.map(({ signal, value }) =>
      walk.frame(walk.bodies({ on: "signal", signal }, value, context.root), isolator, context.root)
    )
    const threads = frames.flat()
    if (threads.length > 0) {
      for (const limit of limits) walk.threads.release(limit)
      yield* walk.threads.join(threads)
      const isKept = isolator !== this.isolator && isolator.failures.length > 0
      if (!isKept && lost(threads, this.isolator)) throw dropped
      for (const limit of limits) yield* walk.threads.acquire(limit, "back")
    }
    return frames.map((frame, index) =>
      replies(walk.program, of[index]?.signal ?? "")
        ? frame.filter(({ isDropped }) => !isDropped).map(({ value }) => value)
        : undefined
    )
  }

  show(item: Item): void {
    this.walk.items.push(item)
    this.walk.threads.event(() => (item.maybe = true))
  }

  /** What the handler sees: the state under its own writes. */
  view(key: Key): unknown {
    let value = this.walk.state[key]
    for (const { write, value: written } of this.writes) {
      if (!("key" in write) || write.key !== key) continue
      value =
        write.op === "set"
          ? written
          : write.op === "delete"
            ? undefined
            : [...(Array.isArray(value) ? value : []), written]
    }
    return value
  }

  /** Makes visible what was written, then tells the listeners. */
  flush(): void {
    const { walk, context } = this
    const told: Array<() => void> = []
    for (const { write, value } of this.writes.splice(0)) {
      switch (write.op) {
        case "put":
          this.show({ ...write.item, time: walk.threads.now })
          break
        case "result":
          walk.access("result", "set")
          walk.result = value
          break
        default: {
          const { key, silent } = write
          walk.access(key, write.op)
          const before = walk.state[key]
          const existed = key in walk.state
          if (write.op === "set") walk.state[key] = value
          else if (write.op === "append") walk.state[key] = [...(Array.isArray(before) ? before : []), value]
          else delete walk.state[key]
          const now = walk.state[key]
          if (!silent && (write.op !== "delete" || existed))
            told.push(() => walk.listeners({ on: "state", key }, now, context))
        }
      }
    }
    for (const tell of told) tell()
  }
}
