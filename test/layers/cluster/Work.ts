/** What the runner processes of the tests run. */
import { Effect, Schema } from "effect"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"

/** Says which process has it. */
export const Who = Signal.make("Who", Schema.Int, { reply: Schema.Struct({ pid: Schema.Int, sum: Schema.Int }) })
/** Is at work for so many milliseconds, and says so before and after. */
export const Busy = Signal.make("Busy", Schema.Int)

export const Work = TriggerFlow.define("work", {
  version: "1.2",
  input: Schema.Int,
  state: Schema.Struct({ sum: Schema.Int }),
  initial: { sum: 0 },
  stream: Schema.String,
  signals: [Who, Busy]
})

export const work = Work.build(
  Work.start.pipe(Chain.to("begin", (n, run) => run.state.set("sum", n))),
  Work.on(Who).pipe(
    Chain.to("who", (n, run) =>
      Effect.map(
        run.state.update("sum", (sum) => sum + n),
        (sum) => ({ pid: process.pid, sum })
      )
    )
  ),
  Work.on(Busy).pipe(
    Chain.to("busy", (time, run) =>
      Effect.gen(function* () {
        yield* run.put(`begins in ${process.pid}`)
        yield* Effect.sleep(time)
        yield* run.put(`ends in ${process.pid}`)
      })
    )
  )
)
