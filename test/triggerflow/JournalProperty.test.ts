// Random flows, written down while they run: what the journal says after any record is what the execution is, and an
// execution that is ended after any record, again and again, ends as if it never had been.
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Context, Effect, Result, type Schema } from "effect"
import type { ExecutionJournal, JournalBatch } from "effigent/services/ExecutionHost"
import { fromData } from "../../src/triggerflow/Flow.ts"
import { Engine } from "../../src/triggerflow/engine/Engine.ts"
import * as Plan from "../../src/triggerflow/engine/Plan.ts"
import * as Execution from "../../src/triggerflow/Execution.ts"
import * as Folding from "../../src/triggerflow/journal/Folding.ts"
import { Writing } from "../../src/triggerflow/journal/Writing.ts"
import * as Opening from "../../src/triggerflow/Opening.ts"
import * as Loading from "../../src/triggerflow/saving/Loading.ts"
import * as Saving from "../../src/triggerflow/saving/Saving.ts"
import type { Snapshot } from "../../src/triggerflow/saving/Snapshot.ts"
import { drive, generate, type Random, randomly, type Types } from "./randomFlows.ts"

const kind = { recorded: true, failOnPause: false, autoClose: 0 } as const

/** A journal in memory, as text; it breaks after some batches. */
class Paper implements ExecutionJournal {
  readonly snapshotEvery: number
  snapshot: Schema.Json | undefined = undefined
  records: Array<Schema.Json> = []
  batches = 0
  breaksAt = Infinity
  onBatch: (() => void) | undefined = undefined

  constructor(snapshotEvery: number) {
    this.snapshotEvery = snapshotEvery
  }

  readonly append = (batch: JournalBatch): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      if (this.batches++ >= this.breaksAt) return Effect.fail("the process has ended")
      const text: { readonly records: ReadonlyArray<Schema.Json>; readonly snapshot?: Schema.Json } = JSON.parse(
        JSON.stringify(batch)
      )
      this.records.push(...text.records)
      if (text.snapshot !== undefined) {
        this.snapshot = text.snapshot
        this.records = []
      }
      this.onBatch?.()
      return this.batches % 3 === 0 ? Effect.yieldNow : Effect.void
    })
}

const open = (flow: Random, concurrency: number, paper: Paper) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      const engine = new Engine(Plan.of(flow.data), Opening.settingsOf({ concurrency }, "x", kind), context)
      const writing = new Writing(engine, paper)
      assert.isTrue(Result.isSuccess(writing.open()))
      engine.start(4)
      return { engine, execution: Execution.fromEngine<Types, "odd">(engine, 4) }
    })
  )

const folded = (flow: Random, paper: Paper) =>
  Effect.contextWith((context: Context.Context<never>) => {
    const result = Folding.fold(flow.data, paper, context)
    return Result.isSuccess(result) ? Effect.succeed(result.success) : Effect.die(new Error(result.failure.issue))
  })

const recover = (flow: Random, paper: Paper) =>
  Effect.flatMap(folded(flow, paper), ({ snapshot }) =>
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() => {
        const loaded = Loading.engineOf(flow.data, snapshot, Loading.settingsOf(snapshot), context)
        if (Result.isFailure(loaded)) throw new Error(loaded.failure.issue)
        const { engine } = loaded.success
        if (engine.exit === undefined) new Writing(engine, paper)
        engine.resume()
        return { engine, execution: Execution.fromEngine<Types, "odd">(engine, 4) }
      })
    )
  )

const comparable = ({ savedAt: _, stream: __, ...snapshot }: Snapshot) => JSON.parse(JSON.stringify(snapshot))

/** Nothing is half done: reading the journal would not bring anything to its end. */
const isCalm = (engine: Engine): boolean =>
  engine.isQuiet() &&
  [...(engine.children?.values() ?? [])].every(({ engine }) => engine.machine.lifecycle !== "closed" && isCalm(engine))

const inRow = Effect.fnUntraced(function* (seed: number, crashes: number) {
  const random = randomly(seed + 5000)
  const flow: Random = fromData(generate(seed))
  const concurrency = [1, 2, Infinity][random(3)] ?? 1
  const where = `seed ${seed}, concurrency ${concurrency}`
  const paper = new Paper(1 + random(30))
  // Undisturbed, and compared with what its journal says after each batch.
  const whole = yield* open(flow, concurrency, paper)
  const context = yield* Effect.context<never>()
  let compared = 0
  paper.onBatch = () => {
    if (!isCalm(whole.engine)) return
    const now = Saving.write(whole.engine, undefined, undefined)
    const then = Folding.fold(flow.data, paper, context)
    if (Result.isFailure(now)) return
    if (Result.isFailure(then)) return assert.fail(`${where}, batch ${paper.batches}: ${then.failure.issue}`)
    // What the stream tells is told once the batch is safe.
    compared++
    assert.deepStrictEqual(
      comparable(then.success.snapshot),
      comparable(now.success),
      `${where}, batch ${paper.batches}`
    )
  }
  const ended = yield* drive(whole.execution, random)
  const batches = paper.batches
  paper.onBatch = undefined
  assert.isAbove(compared, 0, where)

  // Ended several times on the way.
  const torn = new Paper(paper.snapshotEvery)
  torn.breaksAt = random(batches)
  let life = yield* open(flow, concurrency, torn)
  for (let crash = 0; ; crash++) {
    const broken = Effect.flatMap(Effect.exit(life.engine.awaitClosed), (exit) =>
      torn.batches > torn.breaksAt ? exit : Effect.never
    )
    const outcome = yield* Effect.exit(Effect.raceFirst(drive(life.execution, random), broken))
    if (torn.batches <= torn.breaksAt) {
      assert.deepStrictEqual(
        outcome._tag === "Success" ? outcome.value : outcome,
        ended,
        `${where}, torn at ${torn.breaksAt}`
      )
      return
    }
    yield* life.engine.abandon(Cause.die("the process has ended"))
    torn.batches = 0
    torn.breaksAt = crash < crashes ? 1 + random(batches) : Infinity
    if (torn.snapshot === undefined && torn.records.length === 0) life = yield* open(flow, concurrency, torn)
    else life = yield* recover(flow, torn)
  }
})

describe("any flow, written down", () => {
  for (let block = 0; block < 6; block++)
    it.live(`ends as if it had never been ended on the way (${block})`, () =>
      Effect.gen(function* () {
        for (let seed = block * 50; seed < block * 50 + 50; seed++) yield* inRow(seed, 4)
      })
    )
})
