/** What holds at every step and at the end of every execution, whatever its program and its schedule. */
import type { Machine } from "../../../src/triggerflow/engine/Machine.ts"
import type { Entry, Item, Traced } from "./Interpret.ts"
import { type Chunk, chunksOf, nodesOf, type Program, singlesOf } from "./Program.ts"

const order = { open: 0, sealed: 1, closed: 2 } as const

/** Watches the machine: called after each of its steps. */
export class Watch {
  readonly program: Program
  readonly problems = new Set<string>()
  readonly chunks: ReadonlyMap<string, Chunk>
  /** What each machine, that of the execution or of a sub-flow, was like before. */
  private readonly before = new WeakMap<Machine, Pick<Machine, "lifecycle" | "ended">>()

  constructor(program: Program) {
    this.program = program
    this.chunks = new Map(chunksOf(nodesOf(program)).map((chunk) => [chunk.name, chunk]))
  }

  readonly onStep = (record: { readonly _tag: string } | undefined, machine: Machine): void => {
    const after = `after ${record?._tag ?? "a fork"}`
    const { lifecycle, ended } = this.before.get(machine) ?? { lifecycle: "open", ended: undefined }
    if (order[machine.lifecycle] < order[lifecycle])
      this.problems.add(`the lifecycle went from ${lifecycle} to ${machine.lifecycle} ${after}`)
    if (ended !== undefined && machine.ended !== ended)
      this.problems.add(`the end went from ${ended} to ${String(machine.ended)} ${after}`)
    this.before.set(machine, { lifecycle: machine.lifecycle, ended: machine.ended })
    if (machine.lifecycle === "closed" && machine.runs.size > 0) this.problems.add(`closed with runs at work ${after}`)
    // Active by the machine's own account: a run that waits for its emits, sleeps or is paused is not.
    const active = new Map<string, number>()
    let all = 0
    for (const run of machine.runs) {
      if (run.state !== "active") continue
      all++
      const { name } = run.step.node
      active.set(name, (active.get(name) ?? 0) + 1)
    }
    if (all > (this.program.concurrency ?? Infinity)) this.problems.add(`${all} handlers at work ${after}`)
    for (const [name, count] of active)
      if (count > (this.chunks.get(name)?.concurrency ?? Infinity))
        this.problems.add(`${count} runs of ${name} at work ${after}`)
  }
}

export interface History {
  readonly program: Program
  readonly entries: ReadonlyArray<Entry>
  readonly runs: ReadonlyArray<Traced>
  readonly items: ReadonlyArray<Item>
  readonly status: string
}

/** What is wrong with a whole execution. */
export const violations = ({ program, entries, runs, items, status }: History): ReadonlyArray<string> => [
  ...limits(program, entries),
  ...streams(program, entries, runs, items),
  ...runs.filter(({ end }) => end === undefined).map(({ chunk }) => `a run of ${chunk} never ended`),
  ...(status === "completed" && !stops(program) && runs.every(({ outcome }) => /^(value|pause)/.test(outcome))
    ? signals(program, entries, runs)
    : []),
  ...(status === "completed" ? causes(program, runs) : [])
]

/** Whether a step may end it before everything has been done. */
const stops = (program: Program): boolean => nodesOf(program).some(({ kind }) => kind === "stop")

/** By the definition: a handler is active from its start to its end, but not while it waits for an emit of its own. */
const limits = (program: Program, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const problems = new Set<string>()
  const most = new Map(chunksOf(nodesOf(program)).map(({ name, concurrency }) => [name, concurrency ?? Infinity]))
  const active = new Map<string, number>()
  const waiting = new Set<Traced>()
  for (const entry of entries) {
    const run = entry.run
    if (run === undefined || entry.kind === "put" || (entry.kind === "emit" && !entry.waits)) continue
    // One that ends while it waits for an emit was not active any more.
    const change = entry.kind === "start" || entry.kind === "emitted" ? 1 : waiting.has(run) ? 0 : -1
    if (entry.kind === "emit") waiting.add(run)
    if (entry.kind === "emitted") waiting.delete(run)
    const add = (key: string) => {
      const count = (active.get(key) ?? 0) + change
      active.set(key, count)
      return count
    }
    const all = add(run.execution)
    const count = add(`${run.execution} ${run.chunk}`)
    if (all > (program.concurrency ?? Infinity)) problems.add(`${all} handlers at work at ${run.start}`)
    if (count > (most.get(run.chunk) ?? Infinity)) problems.add(`${count} runs of ${run.chunk} at work`)
  }
  return [...problems]
}

/**
 * What a run has put and made visible is there once, in its order. A run that was told to stop while it came to its end
 * may have ended in vain: where something failed or was stopped, a part of what was put is enough.
 */
const streams = (
  program: Program,
  entries: ReadonlyArray<Entry>,
  runs: ReadonlyArray<Traced>,
  items: ReadonlyArray<Item>
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const seen = new Set<string>()
  for (const { run, index, chunk } of items) {
    if (seen.has(`${run} ${index}`)) problems.push(`an item of ${chunk} came twice`)
    seen.add(`${run} ${index}`)
  }
  const isCalm = !stops(program) && runs.every(({ outcome }) => /^(value|pause)/.test(outcome))
  const wantedOf = new Map<number, Array<number>>()
  for (const entry of entries)
    if (entry.kind === "put" && !entry.volatile)
      wantedOf.set(entry.run.id, [...(wantedOf.get(entry.run.id) ?? []), entry.index])
  const givenOf = new Map<number, Array<number>>()
  for (const { run, index } of items)
    if (wantedOf.get(run)?.includes(index) === true) givenOf.set(run, [...(givenOf.get(run) ?? []), index])
  for (const run of runs) {
    const wanted = wantedOf.get(run.id) ?? []
    const given = givenOf.get(run.id) ?? []
    if (`${given}` !== `${isCalm ? wanted : wanted.slice(0, given.length)}`)
      problems.push(`${run.chunk} put ${wanted}, and ${given} came (${run.outcome})`)
  }
  return problems
}

/** Where nothing failed, every signal has started each of its chains once, and every chunk its listeners. */
const signals = (
  program: Program,
  entries: ReadonlyArray<Entry>,
  runs: ReadonlyArray<Traced>
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const emitted = new Map<string, number>()
  const count = (name: string) => emitted.set(name, (emitted.get(name) ?? 0) + 1)
  for (const entry of entries) if (entry.kind === "emit") for (const signal of entry.signals) count(`signal ${signal}`)
  const paused = new Set<string>()
  const shared = new Map<string, number>()
  const ends = new Map(chunksOf(nodesOf(program)).map(({ name, end }) => [name, end]))
  for (const run of runs) {
    const end = ends.get(run.chunk)
    if (end?.end === "pause" && typeof end.to === "object") {
      const name = `signal ${end.to.signal}`
      // One answer may have answered every question that waited for the signal.
      if (paused.has(name)) shared.set(name, (shared.get(name) ?? 0) + 1)
      paused.add(name)
      count(name)
    }
    // A pause to next completes with its answer, one to self when it is run again.
    if (end?.end !== "pause" || end.to === "next" || run.resumed) count(`chunk ${run.chunk}`)
  }
  for (const { trigger, nodes } of program.chains) {
    const [first] = nodes
    const singles = trigger.on === "all" ? [] : singlesOf(trigger)
    const names = singles.flatMap((one) =>
      one.on === "signal" ? [`signal ${one.signal}`] : one.on === "chunk" ? [`chunk ${one.chunk}`] : []
    )
    if (first?.kind !== "chunk" || names.length === 0 || names.length < singles.length) continue
    const wanted = names.reduce((sum, name) => sum + (emitted.get(name) ?? 0), 0)
    const given = runs.filter((run) => run.chunk === first.name && !run.resumed).length
    const fewest = wanted - names.reduce((sum, name) => sum + (shared.get(name) ?? 0), 0)
    if (given > wanted || given < fewest)
      problems.push(`${names.join(" and ")} came ${wanted} times, ${first.name} ran ${given} times`)
  }
  return problems
}

/** A completed execution has lost no run without a reason: some failure that was taken care of, or a stop. */
const causes = (program: Program, runs: ReadonlyArray<Traced>): ReadonlyArray<string> => {
  const failed = stops(program) || runs.some(({ outcome }) => /^(error|defect)/.test(outcome))
  const cut = runs.find(({ outcome }) => outcome === "interrupted")
  return cut !== undefined && !failed
    ? [`${cut.chunk} was interrupted though nothing failed (program ${program.seed})`]
    : []
}
