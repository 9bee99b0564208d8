// Journals of every released version: how they are made, and how they are read.
import { Effect } from "effect"
import type {
  ExecutionJournal,
  FlowFailed,
  JournalBatch,
  Progress,
  RunningExecution,
  WrittenExecution
} from "effigent/services/ExecutionHost"
import type { Schema } from "effect"
import { fromData } from "../../src/triggerflow/Flow.ts"
import * as Runner from "../../src/triggerflow/hosting/Runner.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"
import type { Act, Scenario } from "./scenarios.ts"

/** A journal that a version has left. */
export interface Kept {
  readonly scenario: string
  readonly snapshot: Schema.Json | undefined
  readonly records: ReadonlyArray<Schema.Json>
  /** How the execution stood when its process ended. */
  readonly stands: Progress
  /** How it ended in another process, when it was done to it what the scenario says. */
  readonly ends: Progress
}

/** A journal in memory, as text. */
export class Paper implements ExecutionJournal {
  readonly snapshotEvery: number
  snapshot: Schema.Json | undefined
  records: Array<Schema.Json>
  constructor(snapshotEvery: number, written?: Pick<WrittenExecution, "snapshot" | "records">) {
    this.snapshotEvery = snapshotEvery
    this.snapshot = written?.snapshot
    this.records = [...(written?.records ?? [])]
  }
  readonly append = (batch: JournalBatch): Effect.Effect<void> =>
    Effect.sync(() => {
      const text: Pick<JournalBatch, "records" | "snapshot"> = JSON.parse(JSON.stringify(batch))
      this.records.push(...text.records)
      if (text.snapshot === undefined) return
      this.snapshot = text.snapshot
      this.records = []
    })
}

const act = (running: RunningExecution, one: Act): Effect.Effect<unknown, FlowFailed> => {
  switch (one.do) {
    case "signal":
      return running.signal(one.name, one.payload, false, one.request)
    case "answer":
      return running.answer(one.id, one.value, { interrupt: one.interrupt })
    case "intervene":
      return running.intervene(one.payload, { id: "said" })
    case "seal":
      return running.seal
    case "close":
      return running.close({})
    case "drop":
      return running.close({ pending: "cancel" })
  }
}

const settled = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

const doAll = (running: RunningExecution, acts: ReadonlyArray<Act>) =>
  Effect.forEach(acts, (one) => Effect.andThen(act(running, one), settled), { discard: true })

// None of them needs a service.
const runnerOf = ({ flow }: Scenario) => Runner.make(fromData<Spec, unknown, never>(flow))

/** Runs a scenario until its process ends; gives what is in the journal then. */
export const record = (scenario: Scenario, snapshotEvery: number) =>
  Effect.gen(function* () {
    const paper = new Paper(snapshotEvery)
    const runner = yield* runnerOf(scenario)
    const running = yield* runner.open({
      id: "x",
      input: scenario.input,
      settings: { autoClose: false },
      journal: paper
    })
    yield* settled
    yield* doAll(running, scenario.before)
    const { records, snapshot } = paper
    const written = { snapshot, records: [...records] }
    yield* running.abandon
    return written
  })

/** How an execution stands by its journal. */
export const stands = (scenario: Scenario, written: Pick<WrittenExecution, "snapshot" | "records">) =>
  Effect.gen(function* () {
    const runner = yield* runnerOf(scenario)
    const { progress } = yield* runner.read({ id: "x", ...written })
    return comparable(progress)
  })

/** Goes on from a journal, in another process, until the end of the scenario. */
export const goOn = (scenario: Scenario, written: Pick<WrittenExecution, "snapshot" | "records">) =>
  Effect.gen(function* () {
    const runner = yield* runnerOf(scenario)
    const running = yield* runner.recover({ id: "x", ...written }, new Paper(7, written))
    yield* settled
    yield* doAll(running, scenario.after)
    yield* settled
    const progress = yield* running.progress
    if (progress.lifecycle !== "closed") yield* running.close({ pending: "cancel" })
    return comparable(yield* running.progress)
  })

/** Without what differs from run to run. */
const comparable = (progress: Progress): Progress => ({
  ...JSON.parse(JSON.stringify(progress)),
  questions: progress.questions.map((question) => ({
    ...question,
    at: 0,
    ...(question.expires === undefined ? {} : { expires: 0 })
  }))
})
