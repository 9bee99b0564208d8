/** P7: what it costs to go on with a saved execution, after a short history and after a long one. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import assert from "node:assert/strict"
import * as Chain from "../../src/triggerflow/Chain.ts"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import { type Figure, figure, race } from "./measure.ts"

const Order = Signal.make("Order", Schema.Number)
const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })
const Desk = TriggerFlow.define("desk", {
  state: Schema.Struct({ orders: Schema.Int }),
  initial: { orders: 0 },
  signals: [Order],
  interrupts: [Approval]
})
const desk = Desk.build(
  Desk.start.pipe(Chain.to("ask", (_, run) => run.pause(Approval, "open?"))),
  Desk.on(Order).pipe(Chain.to("count", (_, run) => run.state.update("orders", (orders) => orders + 1)))
)

/** An execution that waits for an answer after so many signals, as text. */
const saved = (signals: number): Promise<string> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const execution = yield* TriggerFlow.open(desk, undefined)
        for (let index = 0; index < signals; index++) yield* execution.emit(Order, index)
        return JSON.stringify(yield* execution.save())
      })
    )
  )

/** Loads it a hundred times; each time its first step is done. */
const resume = (text: string, signals: number) => async () => {
  for (let index = 0; index < 100; index++) {
    const scope = Scope.makeUnsafe()
    const load = Effect.suspend(() => TriggerFlow.load(desk, JSON.parse(text)))
    const execution = await Effect.runPromise(Scope.provide(load, scope))
    await Effect.runPromise(execution.emit(Order, 0))
    assert.equal(await Effect.runPromise(execution.state.get("orders")), signals + 1)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const short = await saved(10)
  const long = await saved(1_000)
  const times = await race({ short: resume(short, 10), long: resume(long, 1_000) }, { rounds: 15, warmUp: 5 })
  return [
    figure({
      id: "P7",
      value: times.long * 10,
      unit: "us",
      bound: 1.5 * times.short * 10,
      anchor: "1.5x going on after 10 signals, where this is after 1,000: parse, load, first step"
    })
  ]
}
