// What the workers run: a flow with a bit of everything that has to survive, and an agent that acts.
import { writeFileSync } from "node:fs"
import { Clock, Effect, Option, Random, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ActionFlow } from "effigent/action-flow"
import { Once } from "effigent/durable"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import * as Ledger from "./ledger.ts"

/** Something that is said to an order while it runs. */
export const Note = Signal.make("Note", Schema.String)
/** Asked before an order is packed. */
export const Approval = Interrupt.make("Approval", { payload: Schema.String, resume: Schema.Boolean })
/** Nobody answers it: time does. */
const Later = Interrupt.make("Later", { payload: Schema.Null, resume: Schema.Null })

/** An order: what it has to come to stands in its input. */
export const Order = TriggerFlow.define("order", {
  input: Schema.Struct({ items: Schema.Int, wait: Schema.Int }),
  state: Schema.Struct({ notes: Schema.Array(Schema.String), packed: Schema.Array(Schema.Int) }),
  initial: { notes: [], packed: [] },
  stream: Schema.String,
  result: Schema.Struct({ packed: Schema.Array(Schema.Int), sent: Schema.String }),
  signals: [Note],
  interrupts: [Approval, Later]
})

const Shipping = TriggerFlow.define("shipping", { input: Schema.Int, result: Schema.String })

// A handler is at work for a while, so that it can be met there.
const work = Effect.flatMap(Random.nextIntBetween(2, 20), (millis) => Effect.sleep(millis))

/** The flow of orders; what it does in the world stands in the ledger. */
export const orders = (ledger: string) => {
  const step = (run: { readonly executionId: string; readonly chunk: string }, key: string) =>
    Effect.sync(() => Ledger.write(ledger, { kind: "step", execution: run.executionId, key: `${run.chunk} ${key}` }))
  // The world takes each attempt once, from whoever comes first: the bill, or the question whether it was done.
  const attempt = (key: string, number: number, by: "done" | "refused"): boolean => {
    try {
      writeFileSync(`${ledger}-${key.replaceAll(/[^\w-]/g, "_")}.${number}`, by, { flag: "wx" })
      return true
    } catch {
      return false
    }
  }
  const bill = (key: string, number: number, execution: string) =>
    Effect.andThen(
      work,
      Effect.suspend(() => {
        if (!attempt(key, number, "done")) return Effect.die(new Error("the bank takes this attempt no more"))
        Ledger.write(ledger, { kind: "once", execution, key })
        return Effect.void
      })
    )
  const known = (key: string, number: number) =>
    Effect.sync(() => (attempt(key, number, "refused") ? Option.none() : Option.some("billed")))
  const shipping = Shipping.build(
    Shipping.start.pipe(
      Chain.to("label", (parcels, run) => Effect.as(Effect.andThen(step(run, ""), work), parcels)),
      Chain.to("send", (parcels, run) => Effect.as(Effect.andThen(step(run, ""), work), `sent ${parcels}`)),
      Chain.result
    )
  )
  return Order.build(
    Order.start.pipe(
      Chain.to("plan", (input, run) => Effect.as(Effect.andThen(step(run, ""), work), input)),
      Chain.to("ask", (input, run) =>
        Effect.andThen(step(run, ""), run.pause(Approval, `${input.items} items`, { id: "approval" }))
      ),
      Chain.to("bill", (_, run) =>
        Effect.andThen(
          step(run, ""),
          Once.perform(run, "bill", { output: Schema.String, reconcile: known }, (key, number) =>
            Effect.as(bill(key, number, run.executionId), "billed")
          )
        )
      ),
      Chain.to("items", (_, run) =>
        Effect.map(run.state.get("packed"), () => Array.from({ length: 4 }, (_, item) => item))
      ),
      Chain.forEach(
        (item) =>
          item.pipe(
            Chain.to("pack", (item, run) =>
              Effect.gen(function* () {
                yield* step(run, `${item}`)
                yield* work
                yield* run.state.append("packed", item)
                yield* run.put(`packed ${item}`)
                return item
              })
            )
          ),
        { concurrency: 2 }
      ),
      Chain.to("dry", (_, run) =>
        Effect.andThen(step(run, ""), run.pause(Later, null, { expires: 150, otherwise: null }))
      ),
      Chain.to("parcels", () => Effect.succeed(2)),
      Chain.subFlow(shipping),
      Chain.to("report", (sent, run) =>
        Effect.gen(function* () {
          yield* step(run, "")
          const packed = yield* run.state.get("packed")
          return { packed: packed.toSorted(), sent }
        })
      ),
      Chain.result
    ),
    Order.on(Note).pipe(
      Chain.to("note", (note, run) =>
        Effect.gen(function* () {
          Ledger.write(ledger, { kind: "signal", execution: run.executionId, key: note })
          yield* work
          yield* run.state.append("notes", note)
        })
      )
    )
  )
}

/** A flow that is always at work: it ticks so many times, and says each. */
export const ticks = (ledger: string, version: string) => {
  const Ticks = TriggerFlow.define("ticks", {
    version,
    input: Schema.Struct({ times: Schema.Int, pause: Schema.Int }),
    state: Schema.Struct({ done: Schema.Array(Schema.Int), notes: Schema.Array(Schema.String) }),
    initial: { done: [], notes: [] },
    stream: Schema.Int,
    result: Schema.Int,
    signals: [Note]
  })
  return Ticks.build(
    Ticks.start.pipe(
      Chain.to("times", ({ pause, times }) =>
        Effect.succeed(Array.from({ length: times }, (_, tick) => ({ tick, pause })))
      ),
      Chain.forEach(
        (tick) =>
          tick.pipe(
            Chain.to("tick", ({ pause, tick }, run) =>
              Effect.gen(function* () {
                Ledger.write(ledger, { kind: "step", execution: run.executionId, key: `tick ${tick} of ${version}` })
                yield* Effect.sleep(pause)
                yield* run.state.append("done", tick)
                yield* run.put(tick)
                return tick
              })
            )
          ),
        { concurrency: 1 }
      ),
      Chain.to("count", (done) => Effect.succeed(done.length)),
      Chain.result
    ),
    Ticks.on(Note).pipe(Chain.to("note", (note, run) => run.state.append("notes", note)))
  )
}

/** The steps that every order comes to, by what its ledger says. */
export const steps: ReadonlyArray<string> = [
  "plan ",
  "ask ",
  "bill ",
  "pack 0",
  "pack 1",
  "pack 2",
  "pack 3",
  "dry ",
  "label ",
  "send ",
  "report "
]

/** An agent that pays a bill by an action that must not run twice, and that cannot tell whether it has: a person can. */
export const clerk = (ledger: string) => {
  const pay = Action.make("pay", {
    description: "Pays the bill.",
    sideEffect: "once",
    run: (_, { key }) =>
      Effect.gen(function* () {
        yield* work
        const at = yield* Clock.currentTimeMillis
        Ledger.write(ledger, { kind: "once", execution: key, key })
        yield* work
        return `paid at ${at}`
      })
  })
  return ActionFlow.make(Agent.make({ name: "clerk" }).pipe(Actions.use([pay])))
}
