// Flows whose journals are kept from version to version. What stands here is never changed, only added to: a journal that
// an older version has left is read with the flow that has left it.
import { Effect, Schedule, Schema } from "effect"
import { Chain, Interrupt, Signal, Trigger, TriggerFlow } from "effigent/triggerflow"
import type { FlowData } from "../../src/triggerflow/Node.ts"

/** Something that is done to an execution from outside. */
export type Act =
  | { readonly do: "signal"; readonly name: string; readonly payload: Schema.Json; readonly request?: string }
  | { readonly do: "answer"; readonly id: string; readonly interrupt: string; readonly value: Schema.Json }
  | { readonly do: "intervene"; readonly payload: Schema.Json }
  | { readonly do: "seal" }
  | { readonly do: "close" }
  | { readonly do: "drop" }

/** A flow, what is done to it before its process ends, and after. */
export interface Scenario {
  readonly flow: FlowData
  readonly input: Schema.Json
  readonly before: ReadonlyArray<Act>
  readonly after: ReadonlyArray<Act>
}

const Go = Signal.make("Go", Schema.Int, { reply: Schema.Int })
const Left = Signal.make("Left", Schema.String)
const Right = Signal.make("Right", Schema.String)
const Ask = Interrupt.make("Ask", { payload: Schema.String, resume: Schema.Int })

const define = (name: string) =>
  TriggerFlow.define(name, {
    input: Schema.Int,
    state: Schema.Struct({ log: Schema.Array(Schema.String), n: Schema.Int }),
    initial: { log: [], n: 0 },
    stream: Schema.String,
    result: Schema.Json,
    error: Schema.Literal("odd"),
    signals: [Go, Left, Right],
    interrupts: [Ask],
    intervention: Schema.String
  })

const signal = (name: string, payload: Schema.Json): Act => ({ do: "signal", name, payload })
const answer = (value: Schema.Json, id = "Ask#1"): Act => ({ do: "answer", id, interrupt: "Ask", value })
const close: Act = { do: "close" }

/** All of them. `held`: handlers that call `at` with their name do not come back, for they end with their process. */
export const scenarios = (held: boolean): Readonly<Record<string, Scenario>> => {
  const at = held ? Effect.never : Effect.void
  const plus = (by: number) => (n: number) => Effect.succeed(n + by)
  const scenario = (
    name: string,
    build: (F: ReturnType<typeof define>) => { readonly data: FlowData },
    before: ReadonlyArray<Act> = [],
    after: ReadonlyArray<Act> = [close],
    input = 4
  ): readonly [string, Scenario] => [name, { flow: build(define(name)).data, input, before, after }]
  const inner = (name: string, wait: boolean) => {
    const I = define(name)
    const asking = I.build(
      I.start.pipe(
        Chain.to("inner", (n, run) => run.pause(Ask, `inner ${n}`)),
        Chain.result
      )
    )
    const doing = I.build(
      I.start.pipe(
        Chain.to("inner", (n) => Effect.as(at, n * 2)),
        Chain.result
      )
    )
    return wait ? asking : doing
  }
  return Object.fromEntries([
    scenario("chain", (F) =>
      F.build(
        F.start.pipe(
          Chain.to("one", plus(1)),
          Chain.to("two", (n) => Effect.as(at, n * 2)),
          Chain.result
        )
      )
    ),
    scenario("written", (F) =>
      F.build(
        F.start.pipe(
          Chain.to("one", (n, run) =>
            Effect.gen(function* () {
              yield* run.state.append("log", "begun")
              yield* run.state.set("n", n)
              yield* run.put("item")
              yield* run.commit
              yield* run.state.append("log", "lost")
              yield* at
              return n
            })
          ),
          Chain.result
        )
      )
    ),
    scenario(
      "asked next",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.to("ask", (n, run) => run.pause(Ask, `${n}?`)),
            Chain.to("add", plus(1)),
            Chain.result
          )
        ),
      [],
      [answer(7), close]
    ),
    scenario(
      "asked self",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.to("ask", (n, run) =>
              Effect.gen(function* () {
                const answer = run.resumed(Ask)
                if (answer._tag === "None") return yield* run.pause(Ask, `${n}?`, { to: "self" })
                yield* at
                return answer.value + n
              })
            ),
            Chain.result
          )
        ),
      [answer(1)]
    ),
    scenario(
      "answered early",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.to("wait", () => at),
            Chain.to("ask", (_, run) => run.pause(Ask, "?", { id: "a" })),
            Chain.result
          )
        ),
      [answer(3, "a")]
    ),
    scenario(
      "expiring",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.to("ask", (_, run) => run.pause(Ask, "soon?", { expires: "30 days", otherwise: 9 })),
            Chain.result
          )
        ),
      [],
      [answer(5), close]
    ),
    scenario("batch", (F) =>
      F.build(
        F.start.pipe(
          Chain.batch({
            a: (c) => c.pipe(Chain.to("a", plus(1))),
            b: (c) => c.pipe(Chain.to("b", (n) => Effect.as(at, n * 2)))
          }),
          Chain.result
        )
      )
    ),
    scenario("items", (F) =>
      F.build(
        F.start.pipe(
          Chain.to("list", (n) => Effect.succeed(Array.from({ length: n }, (_, i) => i))),
          Chain.forEach(
            (item) => item.pipe(Chain.to("item", (i) => (i === 2 ? Effect.as(at, 20) : Effect.succeed(i)))),
            {
              concurrency: 1
            }
          ),
          Chain.result
        )
      )
    ),
    scenario("items collected", (F) =>
      F.build(
        F.start.pipe(
          Chain.to("list", () => Effect.succeed([1, 2, 3])),
          Chain.forEach(
            (item) =>
              item.pipe(
                Chain.to("item", (i) =>
                  i === 1 ? Effect.fail("odd" as const) : i === 3 ? Effect.as(at, i) : Effect.succeed(i)
                )
              ),
            { onError: "skip" }
          ),
          Chain.result
        )
      )
    ),
    scenario("loop", (F) =>
      F.build(
        F.start.pipe(
          Chain.loop(
            (round) => round.pipe(Chain.to("round", (n) => (n >= 6 ? Effect.as(at, n + 1) : Effect.succeed(n + 1)))),
            {
              while: (n) => n < 8,
              name: "rounds"
            }
          ),
          Chain.result
        )
      )
    ),
    scenario("choice", (F) =>
      F.build(
        F.start.pipe(
          Chain.if((n) => n > 3, {
            name: "large?",
            then: (c) => c.pipe(Chain.to("large", (n) => Effect.as(at, n * 10))),
            else: (c) => c.pipe(Chain.to("small", plus(0)))
          }),
          Chain.result
        )
      )
    ),
    scenario("beside", (F) =>
      F.build(
        F.start.pipe(
          Chain.side((c) => c.pipe(Chain.to("beside", (n, run) => Effect.andThen(at, run.state.set("n", n))))),
          Chain.to("main", plus(1)),
          Chain.result
        )
      )
    ),
    scenario("emits", (F) =>
      F.build(
        F.start.pipe(
          Chain.to("emit", (n, run) =>
            Effect.gen(function* () {
              const first = yield* run.emit(Go, n)
              const second = yield* run.emit(Go, n + 1)
              return [...first, ...second]
            })
          ),
          Chain.result
        ),
        F.on(Go).pipe(Chain.to("go", (n) => (n === 5 ? Effect.as(at, 50) : Effect.succeed(n * 10))))
      )
    ),
    scenario("forks", (F) =>
      F.build(
        F.start.pipe(
          Chain.to("fork", (_, run) => Effect.andThen(run.emitFork(Left, "l"), run.emitFork(Right, "r"))),
          Chain.to("after", () => at)
        ),
        F.on(Left).pipe(Chain.to("left", (text, run) => run.state.append("log", text))),
        F.on(Right).pipe(Chain.to("right", (text, run) => Effect.andThen(at, run.state.append("log", text))))
      )
    ),
    scenario(
      "signals",
      (F) => F.build(F.on(Left).pipe(Chain.to("left", (text, run) => run.state.append("log", text)))),
      [signal("Left", "a"), { do: "signal", name: "Left", payload: "b", request: "r1" }],
      [{ do: "signal", name: "Left", payload: "b", request: "r1" }, signal("Left", "c"), close]
    ),
    scenario(
      "both",
      (F) =>
        F.build(
          F.on(Trigger.all({ left: Left, right: Right }, { scope: "execution" })).pipe(
            Chain.to("both", ({ left, right }, run) => run.state.append("log", left + right))
          )
        ),
      [signal("Left", "a")],
      [signal("Right", "b"), close]
    ),
    scenario(
      "listening to the state",
      (F) =>
        F.build(
          F.on(Go).pipe(Chain.to("set", (n, run) => Effect.as(run.state.set("n", n), n))),
          F.on(F.state("n")).pipe(
            Chain.to("seen", (n, run) => Effect.andThen(at, run.state.append("log", `n is ${n}`)))
          )
        ),
      [{ do: "signal", name: "Go", payload: 3 }]
    ),
    scenario("in a sub-flow", (F) => F.build(F.start.pipe(Chain.subFlow(inner("inner", false)), Chain.result))),
    scenario(
      "asked in a sub-flow",
      (F) => F.build(F.start.pipe(Chain.subFlow(inner("asking", true)), Chain.result)),
      [],
      [answer(8, "x/asking#2:Ask#1"), close]
    ),
    scenario("tried again", (F) => {
      let tries = 0
      return F.build(
        F.start.pipe(
          Chain.to(
            "try",
            (n): Effect.Effect<number, "odd"> => (tries++ < 1 ? Effect.fail("odd" as const) : Effect.as(at, n)),
            { retry: Schedule.recurs(3) }
          ),
          Chain.result
        )
      )
    }),
    scenario(
      "advised",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.to("ask", (_, run) => run.pause(Ask, "?")),
            Chain.interventionPoint("here"),
            Chain.to("read", (_, run) => Effect.map(run.interventions, (all) => all.map(({ payload }) => payload))),
            Chain.result
          )
        ),
      [{ do: "intervene", payload: "be kind" }],
      [answer(1), close]
    ),
    scenario(
      "asleep",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.sleep("a day", (n) => new Date(n)),
            Chain.sleep("for long", "30000 days"),
            Chain.result
          )
        ),
      [],
      [{ do: "drop" }],
      1000
    ),
    scenario("slept", (F) =>
      F.build(
        F.start.pipe(
          Chain.sleep("no time", (n) => new Date(n)),
          Chain.to("after", (n) => Effect.as(at, n)),
          Chain.result
        )
      )
    ),
    scenario(
      "sealed",
      (F) =>
        F.build(
          F.start.pipe(
            Chain.to("work", (n) => Effect.as(at, n)),
            Chain.result
          )
        ),
      [{ do: "seal" }],
      []
    ),
    scenario("ended", (F) => F.build(F.start.pipe(Chain.to("one", plus(1)), Chain.result)), [close], []),
    scenario("failed", (F) => F.build(F.start.pipe(Chain.to("one", () => Effect.fail("odd" as const)))), [], [])
  ])
}
