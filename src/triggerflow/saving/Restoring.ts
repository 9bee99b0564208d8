/**
 * Makes a machine what a snapshot says. Nothing moves yet: the record `Resume` lets it. What the snapshot says and the
 * flow does not know is noted, never guessed.
 */
import * as Exit from "effect/Exit"
import type { Json } from "effect/Schema"
import * as Forms from "./Forms.ts"
import { emitted, Frame, type OperatorStep, Run } from "../engine/Frame.ts"
import { Collectors, Gates } from "../engine/Joins.ts"
import { Ledger } from "../engine/Ledger.ts"
import type { Machine } from "../engine/Machine.ts"
import { skipped } from "../engine/Operators.ts"
import type { Plan, Step } from "../engine/Plan.ts"
import * as Signals from "../engine/Signals.ts"
import { Sleepers } from "../engine/Sleepers.ts"
import { payloadDigest } from "./Saving.ts"
import type { Image, SavedFrame, SavedRun } from "./Snapshot.ts"
import { Reader } from "./Values.ts"

/** What the engine has to do about a machine that was restored. @category models */
export interface Restored {
  /** The sub-flows at work, and what they are. */
  readonly children: ReadonlyArray<readonly [Frame, Image]>
}

/** Reads the values of a flow; of a sub-flow into the problems of the flow around it. @category constructors */
export const readerOf = (plan: Plan, around?: Reader): Reader => new Reader(Forms.of(plan).codec, around?.problems)

/** Restores a machine; what is wrong is added to the problems of the reader. @category conversions */
export const restore = (machine: Machine, image: Image, reader: Reader): Restored =>
  new Restorer(machine, image, reader).restore()

class Restorer {
  readonly machine: Machine
  readonly image: Image
  readonly reader: Reader
  readonly forms: Forms.Forms
  readonly frames = new Map<number, Frame>()
  readonly runs = new Map<number, Run>()
  readonly asking: Array<Frame> = []
  readonly childFrames: Array<Frame> = []
  readonly children: Array<readonly [Frame, Image]> = []

  constructor(machine: Machine, image: Image, reader: Reader) {
    this.machine = machine
    this.image = image
    this.reader = reader
    this.forms = Forms.of(machine.plan)
  }

  restore(): Restored {
    const { image, machine } = this
    machine.lifecycle = image.lifecycle
    machine.ended = image.ended
    machine.closing = image.closing === true
    machine.started = image.started
    machine.ids = image.ids
    for (const [key, how] of Object.entries(image.passed ?? {})) {
      const step = this.forms.steps.get(key)
      if (step === undefined) continue
      machine.passed ??= new Uint8Array(machine.plan.steps.length)
      machine.passed[step.id] = how
    }
    this.state()
    machine.failure = image.failure === undefined ? undefined : this.reader.readCause(image.failure, "the failure")
    machine.failures = (image.failures ?? []).map((cause) => this.reader.readCause(cause, "a failure"))

    // What something stands in is older than itself.
    const all = [
      ...image.frames.map((frame) => ({ id: frame.id, make: () => this.frame(frame) })),
      ...image.runs.map((run) => ({ id: run.id, make: () => this.run(run) }))
    ].toSorted((a, b) => a.id - b.id)
    for (const { make } of all) make()
    for (const run of image.runs) this.operations(run)
    const line = image.runs.flatMap(({ id, state }) => {
      const run = this.runs.get(id)
      return run === undefined || state === "paused" ? [] : run
    })
    machine.loaded = {
      runs: line,
      asking: this.asking,
      children: this.childFrames,
      digest: payloadDigest(this.forms)
    }
    this.forks()
    this.questions()
    this.joins()
    for (const { author, id, payload, status, target } of image.interventions) {
      this.check(machine.plan.codecs.intervention.decode(payload), `the intervention ${id}`)
      machine.ledger ??= new Ledger()
      machine.ledger.entries.push({ id, json: payload, author, target, status })
    }
    return { children: this.children }
  }

  private wrong(issue: string, at: string): undefined {
    return this.reader.wrong(issue, at)
  }

  private check(result: { readonly _tag: string; readonly failure?: unknown }, at: string): void {
    if (result._tag === "Failure") this.wrong(String(result.failure), at)
  }

  private state(): void {
    const { image, machine } = this
    const { cells, plan } = machine
    cells.cells.clear()
    for (const [key, json] of Object.entries(image.state)) {
      const field = plan.fields.get(key)
      if (field === undefined) {
        this.wrong("the contract has no such field", `state.${key}`)
        continue
      }
      this.check(field.codec.decode(json), `state.${key}`)
      cells.apply({ _tag: "set", key, json, silent: true })
    }
    if (image.result === undefined) return
    this.check(plan.result?.decode(image.result) ?? { _tag: "Success" }, "the result")
    machine.result = image.result
  }

  private step(key: string | undefined, at: string): Step | undefined {
    return this.forms.steps.get(key ?? "") ?? this.wrong(`the flow has no step "${key ?? ""}"`, at)
  }

  // -------------------------------------------------------------------------------------------------- frames, runs

  private frame(saved: SavedFrame): void {
    const at = `frame ${saved.id}`
    const parent = saved.parent === undefined ? undefined : this.frames.get(saved.parent)
    const run = saved.run === undefined ? undefined : this.runs.get(saved.run)
    const astray = saved.parent !== undefined && parent === undefined
    if (astray || (saved.run !== undefined && run === undefined) || (saved.kind !== "signal" && parent === undefined))
      return this.wrong("what it stands in is missing", at)
    const frame = new Frame(saved.kind, saved.id, parent, saved.slot ?? 0)
    this.frames.set(saved.id, frame)
    if (parent !== undefined) parent.live++
    frame.dropped = saved.dropped === true
    frame.next = saved.next ?? 0
    if (saved.value !== undefined) frame.value = this.reader.read(saved.value, at)
    if (saved.kind === "signal") return this.signal(frame, saved, run)
    if (saved.kind === "operator") this.operator(frame, saved)
  }

  private signal(frame: Frame, saved: SavedFrame, run: Run | undefined): void {
    frame.name = saved.name ?? ""
    frame.mode = saved.mode ?? "none"
    frame.depth = saved.depth ?? 0
    frame.scope = saved.scope ?? 0
    frame.root = saved.root ?? 0
    frame.key = saved.key
    frame.run = run
    if (run !== undefined) emitted(run, frame)
    if (saved.results !== undefined) frame.results = this.results(saved, 0)
    if (frame.parent === undefined && run === undefined) Signals.rootBegins(this.machine, frame)
  }

  private operator(frame: Frame, saved: SavedFrame): void {
    const at = `frame ${saved.id}`
    const step = this.step(saved.step, at)
    if (step === undefined) return
    const { node } = step
    if (!holds(step)) return this.wrong(`the step "${saved.step ?? ""}" is a ${node.kind} and holds nothing`, at)
    frame.step = step
    const items = saved.items ?? []
    switch (node.kind) {
      case "forEach": {
        // Items that were started are needed no longer, but for their number.
        const started = Array.from({ length: frame.next }, (): unknown => undefined)
        frame.items = [...started, ...items.map((item, index) => this.reader.read(item, `item ${index} of ${at}`))]
        frame.results = this.results(saved, frame.items.length)
        for (const slot of saved.skipped ?? []) frame.results[slot] = skipped
        return
      }
      case "batch":
        frame.items = node.branches
        frame.results = this.results(saved, node.branches.length)
        return
      case "match":
        if (saved.asks === true) this.asking.push(frame)
        else {
          frame.items = items
          frame.results = this.results(saved, items.length)
        }
        return
      case "loop":
        if (saved.asks === true) this.asking.push(frame)
        return
      case "sleep":
        ;(this.machine.sleepers ??= new Sleepers()).add(frame, saved.until)
        return
      case "subFlow":
        this.childFrames.push(frame)
        if (saved.child !== undefined) this.children.push([frame, saved.child])
        return
    }
  }

  private results({ id, results }: SavedFrame, length: number): Array<unknown> {
    const out = Array.from({ length }, (): unknown => undefined)
    for (const [slot, json] of results ?? []) out[slot] = this.reader.read(json, `result ${slot} of frame ${id}`)
    return out
  }

  private run(saved: SavedRun): void {
    const at = `the run of "${saved.step}"`
    const step = this.step(saved.step, at)
    const body = this.frames.get(saved.body)
    if (step === undefined) return
    if (step.node.kind !== "chunk") return this.wrong(`it is a ${step.node.kind} and no chunk`, at)
    if (body === undefined) return this.wrong("what it stands in is missing", at)
    const input = this.reader.read(saved.input, `the input of "${saved.step}"`)
    // By the kind of its node.
    const run = new Run(saved.id, step as Run["step"], body, input)
    body.live++
    run.state = saved.state === "paused" ? "paused" : "queued"
    run.again = saved.state === "again"
    run.resumes = saved.resumes ?? 0
    run.tries = saved.tries ?? 0
    if (saved.answer !== undefined)
      run.answer = {
        interrupt: saved.answer.interrupt,
        value: this.reader.read(saved.answer.value, `the answer to "${saved.step}"`),
        asked:
          saved.answer.asked === undefined
            ? undefined
            : this.reader.read(saved.answer.asked, `the question of "${saved.step}"`)
      }
    this.runs.set(saved.id, run)
    this.machine.runs.add(run)
  }

  private operations({ id, ops }: SavedRun): void {
    const run = this.runs.get(id)
    if (run === undefined || ops === undefined) return
    run.ops = new Map()
    for (const { digest, exit, frame, key, signal } of ops) {
      const at = `the emit ${key} of "${run.step.node.name}"`
      const outcome =
        exit !== undefined ? this.reader.readExit(exit, at) : frame === undefined ? Exit.void : this.frames.get(frame)
      if (outcome === undefined) this.wrong("what it has started is missing", at)
      else run.ops.set(key, { signal, payload: undefined, digest: digest === "" ? undefined : digest, outcome })
    }
  }

  // -------------------------------------------------------------------------------------------------- what waits

  private forks(): void {
    for (const { frame: id, payload, signal } of this.image.forks) {
      const frame = this.frames.get(id)
      if (frame === undefined) this.wrong("its frame is missing", `the signal ${signal}`)
      else this.machine.forks.push({ frame, signal, payload: this.reader.read(payload, `the payload of ${signal}`) })
    }
  }

  private questions(): void {
    const { image, machine } = this
    for (const { at, expires, id, interrupt, otherwise, payload, run: number, target } of image.interrupts) {
      const run = this.runs.get(number)
      if (run === undefined || run.state !== "paused") this.wrong("nobody waits for its answer", `the question ${id}`)
      else if (!machine.plan.codecs.interrupts.has(interrupt))
        this.wrong(`the contract has no interrupt "${interrupt}"`, `the question ${id}`)
      else
        machine.addWaiting({
          id,
          interrupt,
          payload: this.reader.read(payload, `the question of ${id}`),
          target,
          run,
          at,
          expires,
          otherwise: otherwise === undefined ? undefined : { value: this.reader.read(otherwise, `the answer to ${id}`) }
        })
    }
    for (const { digest, how, id, interrupt, request } of image.answered)
      (machine.answered ??= new Map()).set(id, { interrupt, request, digest, how })
    for (const { digest, id, interrupt, request, value } of image.early)
      (machine.early ??= new Map()).set(id, {
        value: this.reader.read(value, `the answer to ${id}`),
        answered: { interrupt, request, digest, how: "answered" }
      })
    if (image.requests !== undefined) machine.requests = new Set(image.requests)
    if (Object.keys(image.asked).length > 0) machine.asked = new Map(Object.entries(image.asked))
  }

  private joins(): void {
    const { image, machine } = this
    const slotsOf = (slots: { readonly [slot: string]: Json }, at: string) =>
      new Map(Object.entries(slots).map(([slot, json]) => [slot, this.reader.read(json, `${at}.${slot}`)]))
    for (const { by, chain, slots } of image.gates) {
      const number = this.forms.gates.findIndex(({ key }) => key === chain)
      if (number < 0) this.wrong("the flow has no such chain", `the gate of ${chain}`)
      else (machine.gates ??= new Gates()).progress.set(`${number}:${by}`, slotsOf(slots, `the gate of ${chain}`))
    }
    for (const { branches, name, scope } of image.collectors)
      (machine.collectors ??= new Collectors()).progress.set(
        `${name}:${scope}`,
        slotsOf(branches, `the collector ${name}`)
      )
  }
}

const holds = (step: Step): step is OperatorStep =>
  ["batch", "forEach", "match", "loop", "subFlow", "sleep"].includes(step.node.kind)
