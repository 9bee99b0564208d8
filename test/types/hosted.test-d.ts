// What hosted flows and shared data look like to the compiler.
import { Effect, type Layer, Schema } from "effect"
import type { ExecutionHost } from "effigent/services/ExecutionHost"
import type { FlowData, FlowDataError } from "effigent/services/FlowData"
import { Chain, Signal, TriggerFlow } from "effigent/triggerflow"
import type { Flow } from "../../src/triggerflow/Flow.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>) => undefined

class Boom extends Schema.TaggedError<Boom>()("Boom", {}) {}
const Paid = Signal.make("Paid", Schema.Int, { reply: Schema.String })
const Packed = Signal.make("Packed", Schema.Int)
const Order = TriggerFlow.define("order", {
  input: Schema.NumberFromString,
  shared: Schema.Struct({ total: Schema.Number, note: Schema.optionalKey(Schema.String) }),
  initialShared: { total: 0 },
  result: Schema.Date,
  error: Boom,
  signals: [Paid]
})

// A flow that shares data needs the service, whether a handler uses it or a chain listens; others do not.
const order = Order.build(
  Order.start.pipe(Chain.to("add", (n, run) => run.shared.update("total", (total) => total + n)))
)
type ServicesOf<T> = T extends Flow<infer _C extends Spec, infer _E, infer R> ? R : never
type FailureOf<T> = T extends Flow<infer _C extends Spec, infer E, infer _R> ? E : never
same<ServicesOf<typeof order>, FlowData>(true)
same<FailureOf<typeof order>, FlowDataError>(true)
const Plain = TriggerFlow.define("plain", {})
const plain = Plain.build()
same<ServicesOf<typeof plain>, never>(true)

// @ts-expect-error the contract shares nothing
Plain.start.pipe(Chain.to("x", (_, run) => run.shared.get("total")))
// @ts-expect-error no such field
Order.start.pipe(Chain.to("x", (_, run) => run.shared.get("none")))
// @ts-expect-error it may not be absent
Order.start.pipe(Chain.to("x", (_, run) => run.shared.delete("total")))
// @ts-expect-error no such field to listen to
Order.on(Order.shared("none"))

// What registers it asks for what its handlers need; what starts it asks for the host alone.
const layer = TriggerFlow.toLayer(order)
same<Layer.Services<typeof layer>, ExecutionHost | FlowData>(true)
const started = TriggerFlow.start(Order, 3)
same<Effect.Services<typeof started>, ExecutionHost>(true)
// @ts-expect-error the input is a number here, and text only where it crosses
TriggerFlow.start(Order, "3")

export const program = Effect.gen(function* () {
  const execution = yield* started
  same<Effect.Success<typeof execution.result>, Date>(true)
  const replies = yield* execution.emit(Paid, 1)
  same<typeof replies, ReadonlyArray<string>>(true)
  // @ts-expect-error another signal
  yield* execution.emit(Packed, 1)
  // @ts-expect-error another payload
  yield* execution.emit(Paid, "1")
  const failed = yield* Effect.flip(execution.await)
  if (failed._tag === "Boom") same<typeof failed, Boom>(true)
  same<typeof failed._tag, "Boom" | "FlowError" | "FlowDefect" | "UnknownExecution" | "ExecutionHostError">(true)
})
