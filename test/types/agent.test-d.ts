// The programs of the README and the guides with their inferred types written out. Nothing here runs; `npm run check`
// compiles it.
import { Effect, Layer, Schema, type Scope, Stream } from "effect"
import { Agent, type AgentError, Effigent, type ModelResponse, Output, type ResponseAborted } from "effigent"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { OfflineModel } from "effigent/layers/offline"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.String, since: Schema.DateFromString }) {}

const Ticket = Schema.Struct({
  title: Output.ensure(Schema.String, "Title"),
  owner: Owner,
  actions: Output.ensure(
    Schema.Array(Schema.Struct({ task: Schema.String, hours: Schema.optionalKey(Schema.Finite) })),
    "Actions"
  )
})
type Ticket = typeof Ticket.Type

const letter = "The printer is on fire!"
const triage = Agent.make({ name: "triage", instruct: "...", output: Ticket })

const ticket = triage.pipe(Agent.input(letter), Agent.run)
same<typeof ticket, Effect.Effect<Ticket, AgentError, ModelProvider>>(true)

declare class DispatchError {
  readonly _tag: "DispatchError"
}
declare const dispatch: (action: { readonly task: string }) => Effect.Effect<void, DispatchError>

const withSideWork = Effect.scoped(
  Effect.gen(function* () {
    const response = yield* triage.pipe(Agent.input(letter), Agent.respond)
    same<typeof response, ModelResponse<Ticket, AgentError | ResponseAborted, typeof Ticket.Encoded>>(true)
    const [, value] = yield* Effect.all(
      [response.each("actions[*]").pipe(Stream.runForEach(dispatch)), response.data],
      { concurrency: "unbounded" }
    )
    return value
  })
)
same<typeof withSideWork, Effect.Effect<Ticket, AgentError | ResponseAborted | DispatchError, ModelProvider>>(true)

// The same without a model is not runnable; with one it is.
const provided = withSideWork.pipe(Effect.provide(OfflineModel.layer))
same<typeof provided, Effect.Effect<Ticket, AgentError | ResponseAborted | DispatchError>>(true)
// @ts-expect-error ModelProvider is missing
Effect.runPromise(withSideWork)
void Effect.runPromise(provided)

// An error tag that nobody handles stays in the type.
const handled = ticket.pipe(
  Effect.catchTag("ModelError", () => Effect.succeed(undefined)),
  Effect.catchTag("OutputError", () => Effect.succeed(undefined))
)
// @ts-expect-error OutputPathError and PromptError are not handled
const total: Effect.Effect<Ticket | undefined, never, ModelProvider> = handled
void total
// @ts-expect-error there is no such tag
ticket.pipe(Effect.catchTag("NoSuchError", () => Effect.void))

// Paths are checked, items are decoded types.
Effect.gen(function* () {
  const response = yield* Agent.respond(triage)
  const items = response.each("actions[*]")
  same<Stream.Success<typeof items>, { readonly task: string; readonly hours?: number }>(true)
  const since = response.each("owner.since")
  same<Stream.Success<typeof since>, Date>(true)
  response.field("owner.name")
  // @ts-expect-error no such field
  response.field("owner.nmae")
  // @ts-expect-error no such item
  response.each("actions[*].tusk")
  const events = response.events(["Finish", "Usage"])
  same<Stream.Success<typeof events>["_tag"], "Finish" | "Usage">(true)
})

// Ensure keys are checked as well.
Agent.make({ output: Ticket, ensureKeys: ["actions[*].hours", "owner"] })
triage.pipe(Agent.ensureKeys(["actions[*].task"]))
// @ts-expect-error no such path
Agent.make({ output: Ticket, ensureKeys: ["actions[*].nope"] })
// @ts-expect-error no such path
triage.pipe(Agent.ensureKeys(["nope"]))

// What a spent budget returns is in the type.
const lenient = Agent.make({ output: Ticket, onExhausted: "return" })
same<Effect.Success<ReturnType<typeof Agent.run<Effect.Success<typeof ticket>, never, never, never>>>, Ticket>(true)
const partial = Agent.run(lenient)
same<Effect.Success<typeof partial>, Output.Partial<Ticket>>(true)
const partialToo = triage.pipe(Agent.returnPartial, Agent.run)
same<Effect.Success<typeof partialToo>, Output.Partial<Ticket>>(true)

// The shorthand; free text; another output.
const shorthand = Agent.make({
  output: { title: Output.ensure(Schema.String, "Title"), score: Output.field(Schema.Finite, "0 to 1") }
})
const scored = Agent.run(shorthand)
same<Effect.Success<typeof scored>, { readonly title: string; readonly score?: number }>(true)
const text = Agent.make({ instruct: "Say hello." })
const said = Agent.run(text)
same<Effect.Success<typeof said>, string>(true)
const counted = text.pipe(Agent.output(Schema.Int), Agent.run)
same<Effect.Success<typeof counted>, number>(true)

// An agent with a model of its own needs none from outside; what its layer needs and how it fails is in the type.
declare class Keys {
  readonly _: string
}
declare const keyed: Layer.Layer<ModelProvider, "no key", Keys>
const bound = triage.pipe(Agent.provideModel(keyed), Agent.run)
same<typeof bound, Effect.Effect<Ticket, AgentError | "no key", Keys>>(true)

// A Schema that needs a service to decode makes the agent need it.
declare class Users {
  readonly _: string
}
declare const UserId: Schema.Codec<string, string, Users, never>
const needy = Agent.make({ output: Schema.Struct({ id: UserId }) }).pipe(Agent.run)
same<Effect.Services<typeof needy>, ModelProvider | Users>(true)

const responding = Agent.respond(triage)
same<Effect.Services<typeof responding>, ModelProvider | Scope.Scope>(true)

// Without Effect.
const promised: Promise<Ticket> = Effigent.runPromise(triage, letter, { layer: OfflineModel.layer })
void promised
// @ts-expect-error a layer that gives no model
void Effigent.runPromise(triage, letter, { layer: Layer.empty })
