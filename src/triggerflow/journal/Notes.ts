/** Records as they are written down: those of one engine, with the forms of its flow. */
import * as Exit from "effect/Exit"
import type { Json } from "effect/Schema"
import type { Engine } from "../engine/Engine.ts"
import type { ChunkStep } from "../engine/Plan.ts"
import type { Record, Writes } from "../engine/Record.ts"
import * as Forms from "../saving/Forms.ts"
import { plain, type Problem, Writer } from "../saving/Values.ts"
import type { JournalRecord } from "./JournalRecord.ts"

/**
 * Writes the records of one engine.
 *
 * @category models
 */
export class Notes {
  private readonly engine: Engine
  private readonly forms: Forms.Forms
  private readonly writer: Writer
  private readonly path: { readonly path?: ReadonlyArray<number> }
  /** Listeners of this process, by a number. */
  private listeners: Map<ChunkStep, number> | undefined = undefined

  constructor(engine: Engine) {
    this.engine = engine
    this.forms = Forms.of(engine.plan)
    this.writer = new Writer(this.forms.error)
    this.path = engine.path.length === 0 ? {} : { path: engine.path }
  }

  /** What was wrong with the record that was written last. */
  get problems(): ReadonlyArray<Problem> {
    return this.writer.problems
  }

  /** A record as JSON; what cannot be written stands in `problems`. */
  write(record: Record): JournalRecord {
    this.writer.problems.length = 0
    const { path } = this
    switch (record._tag) {
      case "Start": {
        const { deadline } = this.engine
        const input = this.writer.write(record.input, this.forms.input, "the input")
        return { _tag: "Start", input, ...(deadline === undefined ? {} : { deadline }), ...path }
      }
      case "Signal": {
        const { mode, request, signal } = record
        const payload = this.payload(signal, record.payload)
        return { _tag: "Signal", signal, payload, mode, ...(request === undefined ? {} : { request }), ...path }
      }
      case "Write":
        return { _tag: "Write", writes: record.writes, ...path }
      case "Emit": {
        const { key, mode, op, run, signal } = record
        return {
          _tag: "Emit",
          run: run.id,
          op,
          ...(key === undefined ? {} : { key }),
          signal,
          payload: this.payload(signal, record.payload),
          mode,
          ...writesOf(record.writes),
          ...path
        }
      }
      case "EmitStopped":
        return { _tag: "EmitStopped", run: record.run.id, op: record.op, ...path }
      case "Commit":
        return { _tag: "Commit", run: record.run.id, ...writesOf(record.writes), ...path }
      case "Done": {
        const { run, writes } = record
        const form = this.forms.outputs.get(run.step) ?? plain
        // Nobody outlives this process that reads what its listeners give.
        const output =
          run.step.id < 0 ? null : this.writer.write(record.output, form, `the output of chunk "${run.step.node.name}"`)
        return { _tag: "Done", run: run.id, output, ...writesOf(writes), ...path }
      }
      case "Failed":
        return { _tag: "Failed", run: record.run.id, cause: this.exit(Exit.failCause(record.cause)), ...path }
      case "Paused":
        return this.paused(record)
      case "Asleep":
        return { _tag: "Asleep", run: record.run.id, ...path }
      case "Awake":
        return { _tag: "Awake", run: record.run.id, op: record.op, ...path }
      case "Decided":
        return { _tag: "Decided", frame: record.decision.frame.id, hits: this.exit(record.hits), ...path }
      case "ChildEnded": {
        const { exit, frame } = record
        const form = (frame.step === undefined ? undefined : this.forms.outputs.get(frame.step)) ?? plain
        const value = Exit.map(exit, ({ value }) => value)
        const at = `what the sub-flow ${frame.step === undefined ? "" : (this.forms.keys.get(frame.step) ?? "")} gives`
        const json = Exit.isSuccess(value) ? this.writer.writeExit(value, form, at) : this.exit(value)
        const writes = Exit.isSuccess(exit) ? exit.value.writes : undefined
        return { _tag: "ChildEnded", frame: frame.id, exit: json, ...writesOf(writes), ...path }
      }
      case "Answer": {
        const { digest, id, interrupt, request } = record
        const value = this.answer(interrupt, record.value, id)
        return {
          _tag: "Answer",
          interrupt,
          id,
          value,
          ...(request === undefined ? {} : { request }),
          digest,
          ...path
        }
      }
      case "Expired":
        return { _tag: "Expired", id: record.id, ...path }
      case "Sleeping":
        return { _tag: "Sleeping", frame: record.frame.id, until: this.exit(record.until), ...path }
      case "Slept":
        return { _tag: "Slept", frame: record.frame.id, ...path }
      case "Bind":
      case "Unbind":
        return { _tag: record._tag, signal: record.signal, step: this.listener(record.step), ...path }
      case "Intervene": {
        const { author, id, json, target } = record
        return {
          _tag: "Intervene",
          id,
          json,
          ...(author === undefined ? {} : { author }),
          ...(target === undefined ? {} : { target }),
          ...path
        }
      }
      case "SettleIntervention":
        return { _tag: "SettleIntervention", id: record.id, status: record.status, ...path }
      case "StopChild":
        return { _tag: "StopChild", frame: record.frame.id, ...path }
      case "Close":
        return { _tag: "Close", pending: record.pending, ...path }
      case "Cancel":
        return { _tag: "Cancel", reason: record.reason, ...path }
      case "Fail":
        return { _tag: "Fail", cause: this.exit(Exit.failCause(record.cause)), ...path }
      case "Seal":
      case "AutoClose":
      case "Resume":
        return { _tag: record._tag, ...path }
    }
  }

  private payload(signal: string, value: unknown): Json {
    return this.writer.write(value, this.forms.of(`signal ${signal}`), `the payload of ${signal}`)
  }

  private answer(interrupt: string, value: unknown, id: string): Json {
    return this.writer.write(value, this.forms.of(`the answer to ${interrupt}`), `the answer to ${id}`)
  }

  private paused(record: Extract<Record, { readonly _tag: "Paused" }>): JournalRecord {
    const { at, request, run, writes } = record
    const { expiresIn, id, interrupt, otherwise, payload, target } = request
    return {
      _tag: "Paused",
      run: run.id,
      request: {
        interrupt,
        ...(id === undefined ? {} : { id }),
        payload: this.writer.write(payload, this.forms.of(`interrupt ${interrupt}`), `the question ${interrupt}`),
        target,
        ...(expiresIn === undefined ? {} : { expiresIn }),
        ...(otherwise === undefined ? {} : { otherwise: this.answer(interrupt, otherwise.value, interrupt) })
      },
      ...writesOf(writes),
      at,
      ...this.path
    }
  }

  /** How something ended. A failure that no Schema knows is told in words: it is a failure all the same. */
  private exit(exit: Exit.Exit<unknown, unknown>): Json {
    const { problems } = this.writer
    const before = problems.length
    const json = this.writer.writeExit(exit, plain, "how it ended")
    if (problems.length === before || Exit.isSuccess(exit)) return json
    problems.length = before
    return { $: "cause", is: this.writer.showCause(exit.cause) }
  }

  private listener(step: ChunkStep): number {
    const listeners = (this.listeners ??= new Map())
    const known = listeners.get(step)
    if (known !== undefined) return known
    listeners.set(step, listeners.size)
    return listeners.size - 1
  }
}

const writesOf = (writes: Writes) => (writes === undefined ? {} : { writes })
