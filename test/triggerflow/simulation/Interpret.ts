/**
 * Makes a real flow of a program. Its handlers carry out their scripts through the run handle and write down what they
 * do.
 */
import { Effect, Exit, Option, Result, Schedule, Schema } from "effect"
import * as Chain from "../../../src/triggerflow/Chain.ts"
import type * as Flow from "../../../src/triggerflow/Flow.ts"
import * as TriggerFlow from "../../../src/triggerflow/TriggerFlow.ts"
import * as Interrupt from "../../../src/triggerflow/Interrupt.ts"
import type { Run } from "../../../src/triggerflow/Run.ts"
import * as Signal from "../../../src/triggerflow/Signal.ts"
import * as Trigger from "../../../src/triggerflow/Trigger.ts"
import { show } from "./Oracle.ts"
import {
  type Chunk,
  codeOf,
  digest,
  evaluate,
  type Instruction,
  mix,
  type MatchCase,
  type Nodes,
  type Program,
  replies,
  type Single,
  valueOf
} from "./Program.ts"

/** One run of a handler, as its handler saw it. */
export interface Traced {
  readonly id: number
  /** Its execution: that of the program, or one of a sub-flow. */
  readonly execution: string
  readonly chunk: string
  readonly input: unknown
  readonly attempt: number
  readonly resumed: boolean
  readonly start: number
  end: number | undefined
  outcome: string
  /** How long it takes to stop. */
  linger: number
}

/** What handlers write down, in the order in which it happens. */
export type Entry =
  | { readonly kind: "start" | "end"; readonly run: Traced }
  | {
      readonly kind: "emit"
      readonly run: Traced | undefined
      readonly signals: ReadonlyArray<string>
      readonly waits: boolean
    }
  | { readonly kind: "emitted"; readonly run: Traced }
  | { readonly kind: "put"; readonly run: Traced; readonly index: number; readonly volatile: boolean }

/** What a program is told and asked while it runs. */
export interface Trace {
  readonly now: () => number
  readonly runs: Array<Traced>
  readonly entries: Array<Entry>
  /** Whether a handler lets others go first before its next step: schedules differ in that too. */
  readonly waits: () => boolean
  /** A handler is about to return a pause. */
  readonly pausing: (chunk: Chunk, payload: number) => void
}

export const Item = Schema.Struct({ chunk: Schema.String, value: Schema.Int, run: Schema.Int, index: Schema.Int })
export type Item = typeof Item.Type

export const State = Schema.Struct({
  n0: Schema.Int,
  n1: Schema.Int,
  l0: Schema.Array(Schema.Int),
  l1: Schema.Array(Schema.Int),
  c0: Schema.optionalKey(Schema.Int),
  c1: Schema.optionalKey(Schema.Int)
})

export const Ask = Interrupt.make("Ask", { payload: Schema.Int, resume: Schema.Int })

/** How scripts fail. */
export class ProgramError {
  readonly _tag = "ProgramError"
  readonly code: string
  constructor(code: string) {
    this.code = code
  }
}

export interface Spec {
  readonly input: number
  readonly state: typeof State.Type
  readonly shared: {}
  readonly item: Item
  readonly result: number
  readonly failure: never
  readonly signals: Signal.Signal<string, number, number>
  readonly interrupts: typeof Ask
  readonly intervention: Schema.Json
}

type Link = Chain.Chain<Spec, unknown, ProgramError, never>

/** A value without the classes of Effect: what scripts compute with and what is compared. */
export const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  if (Result.isResult(value))
    return Result.match(value, {
      onSuccess: (item) => ({ _tag: "ok", value: plain(item) }),
      onFailure: (error) => ({ _tag: "error", code: error instanceof ProgramError ? error.code : String(error) })
    })
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

export const signalsOf = (program: Program): ReadonlyMap<string, Signal.Signal<string, number, number>> =>
  new Map(
    program.signals.map(({ name }) => {
      const made = replies(program, name)
        ? Signal.make(name, Schema.Int, { reply: Schema.Int })
        : Signal.make(name, Schema.Int)
      // Whether it replies is known where the program runs.
      return [name, made as Signal.Signal<string, number, number>]
    })
  )

class Builder {
  readonly program: Program
  readonly trace: Trace
  readonly signals: ReadonlyMap<string, Signal.Signal<string, number, number>>
  readonly contract: Flow.Contract<Spec>
  readonly collectors: ReadonlyMap<string, Trigger.Collector<Readonly<Record<string, unknown>>>>
  readonly chunks = new Map<string, ReturnType<Builder["define"]>>()

  constructor(program: Program, trace: Trace) {
    this.program = program
    this.trace = trace
    this.signals = signalsOf(program)
    this.contract = TriggerFlow.define("simulated", {
      input: Schema.Int,
      state: State,
      initial: { n0: 0, n1: 0, l0: [], l1: [] },
      stream: Item,
      result: Schema.Int,
      signals: [...this.signals.values()],
      interrupts: [Ask]
      // The same contract with the signals as one type.
    }) as Flow.Contract<Spec>
    this.collectors = new Map(
      program.collectors.map(({ name, branches, mode }) => [
        name,
        Trigger.collector(name, Object.fromEntries(branches.map((branch) => [branch, Schema.Int])), { mode })
      ])
    )
  }

  signal(name: string): Signal.Signal<string, number, number> {
    const found = this.signals.get(name)
    if (found === undefined) throw new Error(`no signal ${name}`)
    return found
  }

  source(single: Single): Trigger.Source {
    switch (single.on) {
      case "signal":
        return this.signal(single.signal)
      case "state":
        return this.contract.state(single.key)
      case "chunk": {
        const chunk = this.chunks.get(single.chunk)
        if (chunk === undefined) throw new Error(`no chunk ${single.chunk}`)
        return chunk
      }
      case "collector": {
        const collector = this.collectors.get(single.collector)
        if (collector === undefined) throw new Error(`no collector ${single.collector}`)
        return collector
      }
    }
  }

  build(): Flow.Flow<Spec, ProgramError, never> {
    const { contract, program } = this
    // Chunks are defined in the order of the chains; a chain listens to chunks of chains before it.
    const chains = program.chains.map(({ trigger, nodes }): Link => {
      const bodies = (link: Link) => this.nodes(nodes, link)
      const all = (singles: ReadonlyArray<Single>) =>
        Object.fromEntries(singles.map((single, index) => [`s${index}`, this.source(single)]))
      switch (trigger.on) {
        case "start":
          return bodies(contract.start)
        case "any":
          return bodies(contract.on(Trigger.any(all(trigger.of))))
        case "all": {
          const { by, scope } = trigger
          const key = (value: unknown) => `${digest(plain(value)) % (by ?? 1)}`
          const keyed = Object.fromEntries(trigger.of.map((_, index) => [`s${index}`, key]))
          return bodies(contract.on(Trigger.all(all(trigger.of), by === undefined ? { scope } : { by: keyed })))
        }
        default:
          return bodies(
            contract.on(this.source(trigger) as Exclude<Trigger.Source, Signal.Any> /* one of its signals */)
          )
      }
    })
    return contract.build(...chains)
  }

  nodes(nodes: Nodes, from: Link): Link {
    let link = from
    const inside = (body: Nodes) => (chain: Chain.Chain<Spec, unknown, never, never>) => this.nodes(body, chain)
    for (const node of nodes) {
      switch (node.kind) {
        case "chunk": {
          const chunk = this.define(node)
          this.chunks.set(node.name, chunk)
          link = link.pipe(Chain.to(chunk))
          break
        }
        case "batch": {
          const branches = Object.fromEntries(node.branches.map((body, index) => [`b${index}`, inside(body)]))
          const { concurrency, onError } = node
          link =
            onError === undefined
              ? link.pipe(Chain.batch(branches, { concurrency }))
              : link.pipe(Chain.batch(branches, { concurrency, onError }))
          break
        }
        case "forEach": {
          // What a forEach is given may be any value in programs, which are data.
          const list = link as Chain.Chain<Spec, ReadonlyArray<unknown>, ProgramError, never>
          const { concurrency, onError } = node
          link =
            onError === "fail"
              ? list.pipe(Chain.forEach(inside(node.body), { concurrency }))
              : onError === "skip"
                ? list.pipe(Chain.forEach(inside(node.body), { concurrency, onError }))
                : list.pipe(Chain.forEach(inside(node.body), { concurrency, onError }))
          break
        }
        case "match": {
          const test = (one: MatchCase): Chain.Case<Spec, unknown> => {
            const then = inside(one.then)
            const { every, is } = one
            if (is !== undefined) return { is, then }
            const holds = (value: unknown) => digest(plain(value)) % (every ?? 1) === 0
            if (!one.effect) return { if: holds, then }
            return { if: (value: unknown) => Effect.as(Effect.yieldNow, holds(value)), then }
          }
          const cases = Object.fromEntries(node.cases.map((one, index) => [`c${index}`, test(one)]))
          const otherwise = node.otherwise === undefined ? undefined : inside(node.otherwise)
          // Failures of conditions are none: the type of a case leaves them open.
          link = link.pipe(Chain.match(cases, { mode: node.mode, otherwise })) as Link
          break
        }
        case "loop": {
          const { rounds, every, effect } = node
          const holds = (value: unknown, round: number) => round < rounds && digest(plain(value)) % every !== 0
          link = link.pipe(
            Chain.loop(inside(node.body), {
              while: effect ? (value, round) => Effect.as(Effect.yieldNow, holds(value, round)) : holds
            })
          )
          break
        }
        case "side":
          link = link.pipe(Chain.side(inside(node.body)))
          break
        case "collect": {
          const collector = this.collectors.get(node.collector)
          if (collector === undefined) throw new Error(`no collector ${node.collector}`)
          link = link.pipe(Chain.collect(collector, node.branch))
          break
        }
        case "sub": {
          const flow = new Builder(node.program, this.trace).build()
          const capture = (value: unknown) => digest(plain(value))
          // Programs need not set a result.
          link = link.pipe(Chain.subFlow(flow, { capture, result: ({ result }) => Option.getOrUndefined(result) }))
          break
        }
        case "result":
          // A number stands before it.
          link = (link as Chain.Chain<Spec, number, ProgramError, never>).pipe(Chain.result)
          break
        case "stop":
          // As above.
          link = (link as Chain.Chain<Spec, number, ProgramError, never>).pipe(Chain.stop)
          break
      }
    }
    return link
  }

  define(node: Chunk) {
    const { concurrency, retry } = node
    const handler = (input: unknown, run: Run<Spec>) => this.handle(node, plain(input), run)
    const options = {
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(retry === undefined ? {} : { retry: Schedule.spaced(retry.ms).pipe(Schedule.upTo({ times: retry.times })) })
    }
    const value = node.catch
    if (value === undefined) return this.contract.chunk(node.name, handler, options)
    return this.contract.chunk(node.name, handler, {
      ...options,
      catch: (_: unknown, input: unknown) => Effect.succeed(evaluate(value, plain(input), 0))
    })
  }

  handle(node: Chunk, input: unknown, run: Run<Spec>): Effect.Effect<unknown, ProgramError> {
    const { trace } = this
    return Effect.suspend(() => {
      const traced: Traced = {
        id: trace.runs.length,
        execution: run.executionId,
        chunk: node.name,
        input,
        attempt: run.attempt,
        resumed: run.resumed(Ask)._tag === "Some",
        start: trace.now(),
        end: undefined,
        outcome: "?",
        linger: 0
      }
      trace.runs.push(traced)
      trace.entries.push({ kind: "start", run: traced })
      return this.script(node, input, run, traced).pipe(
        Effect.onInterrupt(() => (traced.linger === 0 ? Effect.void : Effect.sleep(traced.linger))),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            traced.end = trace.now()
            traced.outcome = outcomeOf(exit)
            trace.entries.push({ kind: "end", run: traced })
          })
        )
      )
    })
  }

  private *steps(
    node: Chunk,
    input: unknown,
    run: Run<Spec>,
    traced: Traced
  ): Generator<Effect.Effect<unknown, ProgramError>, unknown, never> {
    const { end } = node
    const answer = run.resumed(Ask)
    if (answer._tag === "Some" && end.end === "pause") return evaluate(end.payload, input, mix(0, answer.value))
    const acc = { value: 0 }
    for (const [index, one] of node.script.entries()) {
      if (one.op !== "fail") yield this.instruction(one, index, input, run, traced, acc)
      else if (digest(input) % one.every === 0 && run.attempt <= one.attempts) {
        const code = codeOf(node.name, input)
        yield one.defect ? Effect.die(code) : Effect.fail(new ProgramError(code))
      }
    }
    if (end.end !== "pause") return valueOf(end, input, acc.value)
    const payload = evaluate(end.payload, input, acc.value)
    this.trace.pausing(node, payload)
    const id = end.when === "after" ? {} : { id: idOf(node) }
    if (end.to === "next") return yield run.pause(Ask, payload, { to: end.to, ...id })
    return yield run.pause(Ask, payload, { to: end.to === "self" ? end.to : this.signal(end.to.signal), ...id })
  }

  private script(node: Chunk, input: unknown, run: Run<Spec>, traced: Traced): Effect.Effect<unknown, ProgramError> {
    return Effect.suspend(() => {
      const steps = this.steps(node, input, run, traced)
      const from = (value: unknown): Effect.Effect<unknown, ProgramError> => {
        // What a step gives is what it was asked for.
        const next = steps.next(value as never)
        const step = next.done === true ? Effect.succeed(next.value) : Effect.flatMap(next.value, from)
        return this.trace.waits() ? Effect.andThen(Effect.yieldNow, step) : step
      }
      return from(undefined)
    })
  }

  private instruction(
    one: Exclude<Instruction, { op: "fail" }>,
    index: number,
    input: unknown,
    run: Run<Spec>,
    traced: Traced,
    acc: { value: number }
  ): Effect.Effect<unknown> {
    const { trace } = this
    const heard = (value: unknown) => {
      acc.value = mix(acc.value, plain(value))
    }
    switch (one.op) {
      case "sleep":
        return Effect.sleep(one.ms)
      case "linger":
        return Effect.sync(() => {
          traced.linger = one.ms
        })
      case "yield":
        return Effect.yieldNow
      case "commit":
        return run.commit
      case "set":
        return run.state.set(one.key, evaluate(one.value, input, acc.value), { silent: one.silent })
      case "append":
        return run.state.append(one.key, evaluate(one.value, input, acc.value), { silent: one.silent })
      case "update": {
        const by = evaluate(one.value, input, acc.value)
        return run.state.update(one.key, (value) => value + by, { silent: one.silent })
      }
      case "delete":
        return run.state.delete(one.key, { silent: one.silent })
      case "read":
        return Effect.map(run.state.get(one.key), heard)
      case "put": {
        const value = evaluate(one.value, input, acc.value)
        trace.entries.push({ kind: "put", run: traced, index, volatile: one.volatile })
        return run.put({ chunk: traced.chunk, value, run: traced.id, index }, { volatile: one.volatile })
      }
      case "setResult":
        return run.setResult(evaluate(one.value, input, acc.value))
      case "emit":
      case "emitAll": {
        const of = "of" in one ? one.of : [one]
        trace.entries.push({ kind: "emit", run: traced, signals: of.map(({ signal }) => signal), waits: true })
        const emits = of.map(({ signal, value }, at) =>
          run.emit(this.signal(signal), evaluate(value, input, acc.value), "of" in one ? { key: `${index}.${at}` } : {})
        )
        return Effect.map(Effect.all(emits, { concurrency: "unbounded" }), (all) => {
          trace.entries.push({ kind: "emitted", run: traced })
          all.forEach((replied, at) => heard(this.replied(of[at]?.signal ?? "", replied)))
        })
      }
      case "emitExit":
        trace.entries.push({ kind: "emit", run: traced, signals: [one.signal], waits: true })
        return Effect.map(run.emitExit(this.signal(one.signal), evaluate(one.value, input, acc.value)), (exit) => {
          trace.entries.push({ kind: "emitted", run: traced })
          heard(Exit.isSuccess(exit) ? ["ok", this.replied(one.signal, exit.value)] : "failed")
        })
      case "emitFork":
        trace.entries.push({ kind: "emit", run: traced, signals: [one.signal], waits: false })
        return run.emitFork(this.signal(one.signal), evaluate(one.value, input, acc.value))
    }
  }

  /** What an emit has given; something that no oracle expects where it should have been nothing. */
  private replied(signal: string, value: unknown): unknown {
    return replies(this.program, signal) || value === undefined ? value : { unasked: value }
  }
}

/** The id of a pause that is answered before it is asked. */
export const idOf = (chunk: Chunk): string => `pause-${chunk.name}`

const outcomeOf = (exit: Exit.Exit<unknown, ProgramError>): string => {
  if (Exit.isSuccess(exit))
    return Interrupt.isPause(exit.value) ? `pause ${show(exit.value.request.payload)}` : `value ${show(exit.value)}`
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return `error ${reason.error.code}`
    if (reason._tag === "Die") return `defect ${String(reason.defect)}`
  }
  return "interrupted"
}

/** The flow of a program. */
export const flowOf = (program: Program, trace: Trace): Flow.Flow<Spec, ProgramError, never> =>
  new Builder(program, trace).build()
