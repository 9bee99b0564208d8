/** Writes an execution as a snapshot: what is alive, as it is between two records. Everything else is left out. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import * as Digest from "./Digest.ts"
import { FlowData as Shared } from "../../../services/FlowData.ts"
import type { Engine } from "../engine/Engine.ts"
import * as FlowError from "../FlowError.ts"
import * as Forms from "./Forms.ts"
import { Frame, type Operation, type Run } from "../engine/Frame.ts"
import type { Machine } from "../engine/Machine.ts"
import type { Entry } from "../engine/RuntimeStream.ts"
import type { FlowData } from "../Node.ts"
import { skipped } from "../engine/Operators.ts"
import type { Step } from "../engine/Plan.ts"
import * as Shape from "../definition/Shape.ts"
import * as Snapshots from "./Snapshot.ts"
import type { Image, SavedFrame, SavedRun, Snapshot } from "./Snapshot.ts"
import { type Form, plain, type Problem, Writer } from "./Values.ts"

/**
 * What a snapshot holds besides what it has to.
 *
 * @category models
 */
export interface Options {
  /** The entries of the runtime stream, so that readers behind a load can read them. Default false: only where it is. */
  readonly stream?: boolean | undefined
  /** What has happened and is in the runtime stream only in a moment. */
  readonly soon?: ReadonlyArray<Omit<Entry, "cursor">> | undefined
  /** What handlers are doing in this process, so that records which are written after it can be read. Default false. */
  readonly live?: boolean | undefined
}

const shapes = new WeakMap<FlowData, { readonly shape: Shape.FlowShape; readonly fingerprint: string }>()

/** The shape of a flow and its fingerprint. @category getters */
export const definitionOf = (flow: FlowData): { readonly shape: Shape.FlowShape; readonly fingerprint: string } => {
  const known = shapes.get(flow)
  if (known !== undefined) return known
  const shape = Shape.of(flow)
  const made = { shape, fingerprint: Shape.fingerprint(shape) }
  shapes.set(flow, made)
  return made
}

/** The digest of what a signal carries; undefined where it cannot be written. @category getters */
export const payloadDigest =
  (forms: Forms.Forms) =>
  (signal: string, payload: unknown): string | undefined => {
    const json = new Writer(forms.error).maybe(payload, forms.of(`signal ${signal}`))
    return json === undefined ? undefined : Digest.of(json)
  }

/** The services that a flow and its sub-flows say they need. @category getters */
export const servicesOf = (flow: FlowData): ReadonlyArray<string> => {
  const keys = new Set<string>()
  const seen = new Set<FlowData>()
  const visit = (data: FlowData): void => {
    if (seen.has(data)) return
    seen.add(data)
    for (const key of data.services ?? []) keys.add(key)
    if (data.contract.shared !== undefined) keys.add(Shared.key)
    for (const flow of Forms.subFlows(data)) visit(flow)
  }
  visit(flow)
  return [...keys].toSorted()
}

/** Writes an execution; fails with everything that cannot be written. @category conversions */
export const write = (
  engine: Engine,
  input: unknown,
  options: Options | undefined
): Result.Result<Snapshot, ReadonlyArray<Problem>> => {
  const { machine, plan, settings, stream } = engine
  const problems: Array<Problem> = []
  const execution = new Imager(engine, input, "", problems, options?.live === true).image()
  const { contract } = plan.data
  const soon = (options?.soon ?? []).map((told, index): Entry => ({ cursor: stream.head + index, ...told }))
  const snapshot: Snapshot = {
    kind: Snapshots.kind,
    schemaVersion: Snapshots.schemaVersion,
    flow: { name: contract.name, ...(contract.version === undefined ? {} : { version: contract.version }) },
    definition: definitionOf(plan.data),
    services: servicesOf(plan.data),
    createdAt: engine.createdAt,
    savedAt: engine.now(),
    status: machine.status,
    settings: {
      ...(Number.isFinite(settings.concurrency) ? { concurrency: settings.concurrency } : {}),
      failures: settings.failures,
      maxEmitDepth: settings.maxEmitDepth,
      ...(settings.autoClose === undefined ? {} : { autoClose: settings.autoClose }),
      ...(engine.deadline === undefined ? {} : { deadline: engine.deadline }),
      ...(settings.idleTimeout === undefined ? {} : { idleTimeout: settings.idleTimeout }),
      stream: settings.stream,
      keepSnapshots: settings.keepSnapshots
    },
    ...(options?.live === true ? { live: true as const } : {}),
    stream: {
      head: stream.head + soon.length,
      ...(options?.stream === true ? { entries: entriesOf([...stream.counted(), ...soon]) } : {})
    },
    execution
  }
  return problems.length > 0 ? Result.fail(problems) : Result.succeed(snapshot)
}

type SavedEntry = NonNullable<Snapshot["stream"]["entries"]>[number]

const entriesOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<SavedEntry> =>
  entries.map(({ cursor, event, path }): SavedEntry => {
    if (event._tag !== "interrupt") return { cursor, path, event }
    const { id, interrupt, json } = event
    return { cursor, path, event: { _tag: "interrupt", id, interrupt, json } }
  })

/** Writes one machine: that of the execution or of a sub-flow. */
class Imager {
  readonly engine: Engine
  readonly input: unknown
  readonly machine: Machine
  readonly forms: Forms.Forms
  readonly writer: Writer
  readonly problems: Array<Problem>
  /** Names the sub-flow in what is said of problems. */
  readonly place: string
  readonly live: boolean
  readonly frames = new Map<number, Frame>()
  readonly runs = new Map<number, Run>()
  readonly asking = new Set<Frame>()
  /** Runs that the answer runs again. */
  readonly again = new Set<Run>()

  constructor(engine: Engine, input: unknown, place: string, problems: Array<Problem>, live: boolean) {
    this.live = live
    this.engine = engine
    this.input = input
    this.machine = engine.machine
    this.forms = Forms.of(engine.plan)
    this.writer = new Writer(this.forms.error)
    this.place = place
    this.problems = problems
  }

  image(): Image {
    const { machine } = this
    this.gather()
    const { cells, ledger } = machine
    const image: Image = {
      executionId: this.engine.settings.executionId,
      lifecycle: machine.lifecycle,
      ...(machine.ended === undefined ? {} : { ended: machine.ended }),
      ...(machine.closing ? { closing: true } : {}),
      started: machine.started,
      ...(machine.started ? {} : { input: this.write(this.input, this.forms.input, "the input") }),
      ids: machine.ids,
      ...(machine.passed === undefined ? {} : { passed: this.passed(machine.passed) }),
      state: cells.toJson(),
      ...(machine.result === undefined ? {} : { result: machine.result }),
      ...(machine.failure === undefined ? {} : { failure: this.writer.showCause(machine.failure) }),
      ...(machine.failures.length === 0
        ? {}
        : { failures: machine.failures.map((cause) => this.writer.showCause(cause)) }),
      frames: [...this.frames.values()].toSorted((a, b) => a.id - b.id).map((frame) => this.frame(frame)),
      runs: this.inLine().map((run) => this.run(run)),
      forks: [...machine.forks].map(({ frame, payload, signal }) => ({
        frame: frame.id,
        signal,
        payload: this.write(payload, this.forms.of(`signal ${signal}`), `the payload of ${signal}`)
      })),
      interrupts: [...(machine.interrupts?.values() ?? [])].map(
        ({ at, expires, id, interrupt, otherwise, payload, run, target }) => ({
          id,
          interrupt,
          payload: this.write(payload, this.forms.of(`interrupt ${interrupt}`), `the question of ${id}`),
          target,
          run: run.id,
          at,
          ...(expires === undefined ? {} : { expires }),
          ...(otherwise === undefined
            ? {}
            : {
                otherwise: this.write(
                  otherwise.value,
                  this.forms.of(`the answer to ${interrupt}`),
                  `the answer to ${id}`
                )
              })
        })
      ),
      answered: [...(machine.answered ?? [])].map(([id, { digest, how, interrupt, request }]) => ({
        id,
        interrupt,
        ...(request === undefined ? {} : { request }),
        digest,
        how
      })),
      early: [...(machine.early ?? [])].map(([id, { answered, value }]) => ({
        id,
        interrupt: answered.interrupt,
        value: this.write(value, this.forms.of(`the answer to ${answered.interrupt}`), `the answer to ${id}`),
        ...(answered.request === undefined ? {} : { request: answered.request }),
        digest: answered.digest
      })),
      asked: Object.fromEntries(machine.asked ?? []),
      ...(machine.requests === undefined ? {} : { requests: [...machine.requests] }),
      interventions: (ledger?.entries ?? []).map(({ author, id, json, status, target }) => ({
        id,
        payload: json,
        ...(author === undefined ? {} : { author }),
        ...(target === undefined ? {} : { target }),
        status
      })),
      ...this.joins()
    }
    const at = (text: string) => (this.place === "" ? text : `${text} of ${this.place}`)
    this.problems.push(...this.writer.problems.map((problem) => ({ ...problem, at: at(problem.at) })))
    return image
  }

  private passed(passed: Uint8Array): NonNullable<Image["passed"]> {
    return Object.fromEntries(
      this.machine.plan.steps.flatMap((step) => {
        const how = passed[step.id] ?? 0
        return how === 0 ? [] : [[this.forms.keys.get(step) ?? "", how]]
      })
    )
  }

  private write(value: unknown, form: Form, at: string): Json {
    return this.writer.write(value, form, at)
  }

  // -------------------------------------------------------------------------------------------------- what is alive

  /** Finds every frame that something alive stands in. */
  private gather(): void {
    const { machine } = this
    for (const run of machine.runs) if (!isBinding(run)) this.take(run)
    for (const { run, target } of machine.interrupts?.values() ?? []) if (target === "self") this.again.add(run)
    for (const { frame } of machine.decisions ?? []) {
      this.asking.add(frame)
      this.climb(frame)
    }
    for (const frame of machine.children ?? []) this.climb(frame)
    for (const frame of machine.sleepers ?? []) this.climb(frame)
    for (const { frame } of machine.forks) this.climb(frame)
  }

  private take(run: Run): void {
    if (this.runs.has(run.id)) return
    this.runs.set(run.id, run)
    this.climb(run.body)
  }

  private climb(from: Frame): void {
    let at: Frame | undefined = from
    while (at !== undefined && !this.frames.has(at.id)) {
      this.frames.set(at.id, at)
      const { run }: Frame = at
      // Who listens from outside is not saved: what such a handler waits for goes on by itself.
      if (run !== undefined && !isBinding(run)) {
        this.runs.set(run.id, run)
        at = run.body
      } else at = at.parent
    }
  }

  /** The runs in the order in which they are to begin: those that were at work, then those that stand in line. */
  private inLine(): ReadonlyArray<Run> {
    const places = new Map<Run, number>()
    const { permits } = this.machine
    if (this.live) for (const run of permits.returning()) if (!places.has(run)) places.set(run, places.size + 1)
    for (const run of permits.waiting()) if (!places.has(run)) places.set(run, places.size + 1)
    const waits = (run: Run) => run.state === "queued" || (this.live && run.state === "returning")
    const place = (run: Run) => (waits(run) ? (places.get(run) ?? Infinity) : 0)
    return [...this.runs.values()].toSorted((a, b) => Math.sign(place(a) - place(b)) || a.id - b.id)
  }

  private key(step: Step, at: string): string {
    const key = this.forms.keys.get(step) ?? ""
    if (this.forms.ambiguous.has(key))
      this.writer.problems.push({ at, issue: `the step "${key}" stands in more than one place of the flow` })
    return key
  }

  private run(run: Run): SavedRun {
    const { answer, ops, step } = run
    const chunk = step.node.name
    const of = `the input of chunk "${chunk}"`
    return {
      id: run.id,
      step: this.key(step, `chunk "${chunk}"`),
      body: run.body.id,
      // Nothing reads the input of a handler that has ended by its question.
      input:
        run.state === "paused" && !this.again.has(run)
          ? null
          : this.write(run.input, this.forms.inputs.get(step) ?? plain, of),
      state: run.state === "paused" ? "paused" : run.state === "queued" && !run.again ? "queued" : "again",
      ...(this.live ? { live: { state: run.state, ...(run.again ? { again: true as const } : {}) } } : {}),
      ...(run.resumes === 0 ? {} : { resumes: run.resumes }),
      ...(run.tries === 0 ? {} : { tries: run.tries }),
      ...(answer === undefined
        ? {}
        : {
            answer: {
              interrupt: answer.interrupt,
              value: this.write(
                answer.value,
                this.forms.of(`the answer to ${answer.interrupt}`),
                `an answer to "${chunk}"`
              ),
              ...(answer.asked === undefined
                ? {}
                : {
                    asked: this.write(
                      answer.asked,
                      this.forms.of(`interrupt ${answer.interrupt}`),
                      `a question of "${chunk}"`
                    )
                  })
            }
          }),
      ...(ops === undefined || ops.size === 0 || (run.state === "paused" && !this.again.has(run))
        ? {}
        : { ops: [...ops].map(([key, operation]) => this.operation(run, key, operation)) })
    }
  }

  private operation(run: Run, key: string, operation: Operation): NonNullable<SavedRun["ops"]>[number] {
    const { outcome, signal } = operation
    const chunk = run.step.node.name
    const digest = operation.digest ?? payloadDigest(this.forms)(signal, operation.payload) ?? ""
    if (outcome instanceof Frame && this.frames.has(outcome.id)) return { key, signal, digest, frame: outcome.id }
    const exit = outcome instanceof Frame ? Exit.void : outcome
    const reply = this.forms.of(`the reply to ${signal}`)
    const replies: Form = reply._tag === "plain" ? plain : { _tag: "list", item: reply }
    return {
      key,
      signal,
      digest,
      exit: this.writer.writeExit(
        reply._tag === "plain" ? withoutReplies(exit) : exit,
        replies,
        `what the emit ${key} of chunk "${chunk}" has given`
      )
    }
  }

  // -------------------------------------------------------------------------------------------------- frames

  private frame(frame: Frame): SavedFrame {
    const { id, kind, parent, slot } = frame
    const base = {
      id,
      kind,
      ...(parent === undefined ? {} : { parent: parent.id }),
      ...(slot === 0 ? {} : { slot }),
      ...(frame.dropped ? { dropped: true as const } : {})
    }
    switch (kind) {
      case "signal":
        return { ...base, ...this.signal(frame) }
      case "operator":
        return { ...base, ...this.operator(frame) }
      case "body":
        return {
          ...base,
          ...(frame.value === undefined || parent === undefined || !this.used(parent)
            ? {}
            : { value: this.write(frame.value, this.outOf(parent, slot), this.bodyOf(parent, slot)) })
        }
    }
  }

  private signal(frame: Frame): Partial<SavedFrame> {
    const { depth, key, name, root, run, scope } = frame
    const waits = run !== undefined && !isBinding(run)
    return {
      name,
      mode: frame.mode,
      ...(waits ? { run: run.id } : {}),
      ...(waits && key !== undefined ? { key } : {}),
      ...(waits && this.live && frame.op !== 0 ? { op: frame.op } : {}),
      ...(depth === 0 ? {} : { depth }),
      ...(scope === 0 ? {} : { scope }),
      ...(root === 0 ? {} : { root }),
      ...(frame.results === undefined ? {} : { results: this.used(frame) ? this.results(frame) : [] })
    }
  }

  private operator(frame: Frame): Partial<SavedFrame> {
    const { items, next, results, step } = frame
    if (step === undefined) return {}
    const node = step.node
    const key = this.key(step, `${node.kind} ${this.forms.keys.get(step) ?? ""}`)
    const input = (value: unknown) => this.write(value, this.forms.inputs.get(step) ?? plain, `what ${key} was given`)
    const base = { step: key, ...(next === 0 ? {} : { next }) }
    const ended = results === undefined ? {} : { results: this.results(frame) }
    switch (node.kind) {
      case "forEach": {
        const left = (items ?? []).slice(next)
        const form: Form = { _tag: "list", item: this.forms.itemOf(this.forms.inputs.get(step) ?? plain) }
        const written = this.write(left, form, `the items of ${key}`)
        const out = (results ?? []).flatMap((result, slot) => (result === skipped ? [slot] : []))
        return {
          ...base,
          ...ended,
          items: Array.isArray(written) ? written : [],
          ...(out.length === 0 ? {} : { skipped: out })
        }
      }
      case "batch":
        return {
          ...base,
          ...ended,
          ...(next < node.branches.length || node.keep === true ? { value: input(frame.value) } : {})
        }
      case "match":
        return this.asking.has(frame)
          ? { ...base, asks: true, value: input(frame.value) }
          : { ...base, ...ended, items: (items ?? []).map(Number) }
      case "loop":
        return this.asking.has(frame) ? { ...base, asks: true, value: input(frame.value) } : base
      case "sleep": {
        const until = this.machine.sleepers?.asleep.get(frame.id)?.until
        return { ...base, value: input(frame.value), ...(until === undefined ? {} : { until }) }
      }
      default: {
        const child = this.engine.children?.get(frame)
        return {
          ...base,
          value: input(frame.value),
          ...(child === undefined ? {} : { child: this.childOf(child.engine) })
        }
      }
    }
  }

  private childOf(engine: Engine): Image {
    return new Imager(engine, undefined, engine.settings.executionId, this.problems, this.live).image()
  }

  /** What has ended in an operator or a signal. */
  private results(frame: Frame): ReadonlyArray<readonly [number, Json]> {
    const out: Array<readonly [number, Json]> = []
    for (const [slot, result] of (frame.results ?? []).entries())
      if (result !== undefined && result !== skipped)
        out.push([slot, this.write(result, this.outOf(frame, slot), this.bodyOf(frame, slot))])
      else if (result === undefined && frame.kind === "signal" && slot in (frame.results ?? []))
        out.push([slot, this.write(undefined, plain, "")])
    return out
  }

  /** Whether anybody reads what the bodies of a frame end with. */
  private used(frame: Frame): boolean {
    if (frame.kind === "signal")
      return frame.results !== undefined && this.forms.of(`the reply to ${frame.name}`)._tag !== "plain"
    return frame.kind === "operator"
  }

  private outOf(frame: Frame, slot: number): Form {
    if (frame.kind === "signal") return this.forms.of(`the reply to ${frame.name}`)
    const outs = frame.step === undefined ? undefined : this.forms.bodies.get(frame.step)
    const node = frame.step?.node
    // Bodies of a match are those of the cases that hold.
    const at = node?.kind === "batch" ? slot : node?.kind === "match" ? Number(frame.items?.[slot]) : 0
    return outs?.[at] ?? plain
  }

  private bodyOf(frame: Frame, slot: number): string {
    if (frame.kind === "signal") return `the reply ${slot} to ${frame.name}`
    const node = frame.step?.node
    const key = (frame.step === undefined ? undefined : this.forms.keys.get(frame.step)) ?? ""
    const branch = node?.kind === "batch" ? `.${node.branches[slot]?.[0] ?? ""}` : `[${slot}]`
    return `the output of ${key}${branch}`
  }

  // -------------------------------------------------------------------------------------------------- joins

  /** Gates and collectors; without those of signals that have ended, which nothing can reach any more. */
  private joins(): Pick<Image, "gates" | "collectors"> {
    const { collectors, gates } = this.machine
    const alive = new Set([0, ...[...this.frames.values()].map(({ root }) => root)])
    const slotsOf = (slots: ReadonlyMap<string, unknown>, form: (slot: string) => Form, at: string) =>
      Object.fromEntries([...slots].map(([slot, value]) => [slot, this.write(value, form(slot), `${at}.${slot}`)]))
    return {
      gates: [...(gates?.progress ?? [])].flatMap(([place, slots]) => {
        const colon = place.indexOf(":")
        const by = place.slice(colon + 1)
        if (/^\d+$/.test(by) && !alive.has(Number(by))) return []
        const chain = this.forms.gates[Number(place.slice(0, colon))]
        if (chain === undefined) return []
        return { chain: chain.key, by, slots: slotsOf(slots, chain.form, `the gate of ${chain.key}`) }
      }),
      collectors: [...(collectors?.progress ?? [])].flatMap(([place, slots]) => {
        const colon = place.lastIndexOf(":")
        const name = place.slice(0, colon)
        const scope = Number(place.slice(colon + 1))
        if (!alive.has(scope)) return []
        const form = (branch: string) => this.forms.of(`collector ${name}.${branch}`)
        return { name, scope, branches: slotsOf(slots, form, `the collector ${name}`) }
      })
    }
  }
}

const isBinding = (run: Run): boolean => run.step.id === -1

/** An Exit whose replies nobody reads. */
const withoutReplies = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(exit)
    ? exit
    : Exit.isExit(exit.value)
      ? // With mode exit the value is the Exit of what was started.
        Exit.succeed(withoutReplies(exit.value as Exit.Exit<unknown, unknown>))
      : Exit.void

/** Writes an execution at a moment in which nothing is half done. @category conversions */
export const save = (
  engine: Engine,
  input: unknown,
  options: Options | undefined
): Effect.Effect<Snapshot, FlowError.FlowError> =>
  Effect.flatMap(
    engine.whenQuiet(() => write(engine, input, options)),
    (written) => {
      if (Result.isSuccess(written)) return Effect.succeed(written.success)
      const { plan, settings } = engine
      const reason = new FlowError.NotSaveable({ problems: written.failure })
      return Effect.fail(
        new FlowError.FlowError({ flow: plan.data.contract.name, execution: settings.executionId, reason })
      )
    }
  )
