// Random flows, saved after a random record and loaded from text: they end as if they had never been saved, and no chunk
// that had ended is run again.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type Snapshot, TriggerFlow } from "effigent/triggerflow"
import type { Execution } from "../../src/triggerflow/Execution.ts"
import { fromData } from "../../src/triggerflow/Flow.ts"
import type { Machine } from "../../src/triggerflow/engine/Machine.ts"
import type { Record } from "../../src/triggerflow/engine/Record.ts"
import { drive, generate, type Random, randomly, type Types } from "./randomFlows.ts"

/** Runs a flow and saves it after some records. */
const saved = (flow: Random, concurrency: number, after: number, random: (below: number) => number) =>
  Effect.scoped(
    Effect.gen(function* () {
      let records = 0
      let saving: Fiber.Fiber<Snapshot.Snapshot, unknown> | undefined
      const execution: Execution<Types, "odd"> = yield* TriggerFlow.create(flow, 4, {
        concurrency,
        autoClose: 0,
        onStep: () => {
          if (records++ === after) saving = Effect.runFork(execution.save())
        }
      })
      yield* execution.start
      const ended = yield* drive(execution, random)
      return { records, ended, text: saving === undefined ? undefined : JSON.stringify(yield* Fiber.join(saving)) }
    })
  )

/** Notes every run of a chunk that had ended before a snapshot was taken and was begun again after it was loaded. */
const repeated = (snapshot: Snapshot.Snapshot) => {
  const images = new Map<string, Snapshot.Image>()
  const visit = (image: Snapshot.Image): void => {
    images.set(image.executionId, image)
    for (const { child } of image.frames) if (child !== undefined) visit(child)
  }
  visit(snapshot.execution)
  const found: Array<string> = []
  const onStep = (record: Record | undefined, { options: { executionId } }: Machine) => {
    if (record?._tag !== "Done" && record?._tag !== "Failed" && record?._tag !== "Paused") return
    const { id, step } = record.run
    const image = images.get(executionId)
    if (image !== undefined && id < image.ids && !image.runs.some((run) => run.id === id))
      found.push(`${executionId} ${id} ${step.node.name}`)
  }
  return { found, onStep }
}

describe("any flow, saved at any time", () => {
  for (let block = 0; block < 6; block++)
    it.live(`ends as if it had not been saved (${block})`, () =>
      Effect.gen(function* () {
        for (let seed = block * 50; seed < block * 50 + 50; seed++) {
          const random = randomly(seed + 1000)
          const flow: Random = fromData(generate(seed))
          const concurrency = [1, 2, Infinity][random(3)] ?? 1
          const { ended, records } = yield* saved(flow, concurrency, Infinity, random)
          const at = random(records)
          const { text } = yield* saved(flow, concurrency, at, random)
          if (text === undefined) continue
          // Saved once more on the way, as often as not.
          const first: Snapshot.Snapshot = JSON.parse(text)
          const again = yield* Effect.scoped(
            Effect.gen(function* () {
              const execution = yield* TriggerFlow.load(flow, first)
              for (let i = random(12); i > 0; i--) yield* Effect.yieldNow
              return JSON.parse(JSON.stringify(yield* execution.save()))
            })
          )
          const chosen = random(2) === 0 ? first : again
          const { found, onStep } = repeated(chosen)
          const whole = yield* Effect.scoped(
            Effect.flatMap(TriggerFlow.load(flow, chosen, { onStep }), (execution) => drive(execution, random))
          )
          const where = `seed ${seed}, concurrency ${concurrency}, saved after record ${at} of ${records}`
          assert.deepStrictEqual(whole, ended, where)
          assert.deepStrictEqual(found, [], where)
        }
      })
    )
})
