// What `Fields.toSignals` infers and refuses. Nothing here runs; `npm run check` compiles it.
import { Effect, Schema } from "effect"
import { Agent, type AgentError } from "effigent"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { Chain, Fields, Signal, TriggerFlow } from "effigent/triggerflow"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

const Action = Schema.Struct({ team: Schema.String, hours: Schema.Int })
const Plan = Schema.Struct({ subject: Schema.String, actions: Schema.Array(Action), due: Schema.DateFromString })
const planner = Agent.make({ output: Plan })

const Found = Signal.make("Found", Action)
const Numbered = Signal.make("Numbered", Schema.Struct({ index: Schema.Int, team: Schema.String }))
const Subject = Signal.make("Subject", Schema.String)
const Due = Signal.make("Due", Schema.Date)
const Foreign = Signal.make("Foreign", Schema.String)
const Flow = TriggerFlow.define("plan", {
  input: Schema.String,
  stream: Schema.Union([Fields.Event, Schema.String]),
  signals: [Found, Numbered, Subject, Due]
})

const good = Flow.start.pipe(
  Fields.toSignals("plan", (letter) => planner.pipe(Agent.input(letter), Agent.respond), {
    on: {
      "actions[*]": Found,
      "actions[0]": ({ indexes, value }) => [Numbered, { index: indexes[0] ?? 0, team: value.team }],
      subject: Subject,
      due: Due
    },
    forward: Fields.toEvent,
    deltas: ({ delta }) => delta
  })
)
same<
  typeof good,
  Chain.Chain<
    (typeof Flow)["start"] extends Chain.Chain<infer C, string, never, never> ? C : never,
    typeof Plan.Type,
    AgentError,
    ModelProvider
  >
>(true)

const given = Flow.start.pipe(
  Fields.toSignals("plan", (letter) => planner.pipe(Agent.input(letter), Agent.respond), {
    give: ({ meta }) => meta.attempts.length,
    onFailure: (_, { path }) => Effect.fail(path)
  }),
  Chain.to("n", (attempts) => Effect.succeed(attempts))
)
same<Chain.Out<typeof given>, number>(true)
same<Chain.Failure<typeof given>, AgentError | string>(true)

const respond = (letter: string) => planner.pipe(Agent.input(letter), Agent.respond)
const wrong = [
  // @ts-expect-error the output has no such path
  Flow.start.pipe(Fields.toSignals("a", respond, { on: { "actions[*].task": Subject } })),
  // @ts-expect-error the signal does not carry what stands there
  Flow.start.pipe(Fields.toSignals("b", respond, { on: { "actions[*]": Subject } })),
  // @ts-expect-error a signal that carries the encoded value, where the decoded one is given
  Flow.start.pipe(Fields.toSignals("c", respond, { on: { due: Subject } })),
  // @ts-expect-error the contract does not know the signal
  Flow.start.pipe(Fields.toSignals("d", respond, { on: { subject: Foreign } })),
  // @ts-expect-error the payload is not that of the signal
  Flow.start.pipe(Fields.toSignals("e", respond, { on: { subject: () => [Subject, 1] } })),
  // @ts-expect-error the stream has no such items
  Flow.start.pipe(Fields.toSignals("f", respond, { forward: () => 1 })),
  // @ts-expect-error nor such deltas
  Flow.start.pipe(Fields.toSignals("g", respond, { deltas: ({ attempt }) => attempt }))
]
void wrong
