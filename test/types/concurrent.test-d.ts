// What the concurrency helpers infer, written out. Nothing here runs; `npm run check` compiles it.
import { Effect, type Exit, type Fiber, type Result, Schema, type Scope } from "effect"
import { Agent, type AgentError, AutoFunction, Concurrent } from "effigent"
import type { ModelProvider } from "effigent/services/ModelProvider"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

const rate = Agent.make({ output: Schema.Struct({ stars: Schema.Int }) })
type Rating = { readonly stars: number }
const poet = Agent.make({ system: "You are a poet." })

declare class Missing {
  readonly _tag: "Missing"
}
declare class Users {
  readonly _: "Users"
}
declare const lookUp: (id: number) => Effect.Effect<string, Missing, Users>

// map: data first and data last, agents and functions.
const first = Concurrent.map(["a", "b"], rate)
same<typeof first, Effect.Effect<ReadonlyArray<Rating>, AgentError, ModelProvider>>(true)
const last = Effect.succeed([1, 2]).pipe(Effect.flatMap(Concurrent.map(rate, { concurrency: 3 })))
same<typeof last, Effect.Effect<ReadonlyArray<Rating>, AgentError, ModelProvider>>(true)
const found = Concurrent.map([1, 2], (id) => lookUp(id))
same<typeof found, Effect.Effect<ReadonlyArray<string>, Missing, Users>>(true)
const foundLast = Concurrent.map(lookUp)([1])
same<typeof foundLast, Effect.Effect<ReadonlyArray<string>, Missing, Users>>(true)
// @ts-expect-error lookUp takes numbers
Concurrent.map(["a"], lookUp)

// What becomes of failures and time-outs.
const timed = Concurrent.map([1], lookUp, { timeout: "1 second" })
same<typeof timed, Effect.Effect<ReadonlyArray<string>, Missing | Concurrent.SlotTimedOut, Users>>(true)
const results = Concurrent.map([1], lookUp, { timeout: 50, collect: "results" })
same<
  typeof results,
  Effect.Effect<ReadonlyArray<Result.Result<string, Missing | Concurrent.SlotTimedOut>>, never, Users>
>(true)
const exits = Concurrent.map([1], lookUp, { collect: "exits" })
same<typeof exits, Effect.Effect<ReadonlyArray<Exit.Exit<string, Missing>>, never, Users>>(true)
const all = Concurrent.map([1], lookUp, { collect: "all" })
same<typeof all, Effect.Effect<ReadonlyArray<string>, Concurrent.SlotsFailed<Missing>, Users>>(true)

// scatter: tuples and records of agents and Effects.
const tuple = Concurrent.scatter([rate.pipe(Agent.input("x")), poet.pipe(Agent.input("y")), lookUp(1)])
same<typeof tuple, Effect.Effect<readonly [Rating, string, string], AgentError | Missing, ModelProvider | Users>>(true)
const record = Concurrent.scatter({ rating: rate, owner: lookUp(1) }, { collect: "results" })
same<
  typeof record,
  Effect.Effect<
    { readonly rating: Result.Result<Rating, AgentError>; readonly owner: Result.Result<string, Missing> },
    never,
    ModelProvider | Users
  >
>(true)

// broadcast: one input for all.
const both = Concurrent.broadcast(7, [rate, lookUp])
same<typeof both, Effect.Effect<readonly [Rating, string], AgentError | Missing, ModelProvider | Users>>(true)
const named = Concurrent.broadcast({ rating: rate, owner: lookUp })
same<
  typeof named,
  (
    input: number
  ) => Effect.Effect<{ readonly rating: Rating; readonly owner: string }, AgentError | Missing, ModelProvider | Users>
>(true)
// @ts-expect-error lookUp takes a number
Concurrent.broadcast("seven", [rate, lookUp])

// race and spawn.
const raced = Concurrent.race([rate, lookUp(1)], { timeout: 10 })
same<
  typeof raced,
  Effect.Effect<Rating | string, AgentError | Missing | Concurrent.SlotTimedOut, ModelProvider | Users>
>(true)
// @ts-expect-error nobody runs
Concurrent.race([])
const spawned = Concurrent.spawn(rate)
same<typeof spawned, Effect.Effect<Fiber.Fiber<Rating, AgentError>, never, ModelProvider | Scope.Scope>>(true)

// A function whose body is the model.
declare const UserId: Schema.Codec<string, string, never, Users>
const calc = AutoFunction.make({
  name: "calc",
  description: "Compute the formula, k digits after the point.",
  input: Schema.Struct({
    formula: Schema.String,
    k: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(3)))
  }),
  output: Schema.Finite
})
const computed = calc({ formula: "1+1" })
same<typeof computed, Effect.Effect<number, AgentError, ModelProvider>>(true)
// @ts-expect-error formula is a text
calc({ formula: 1 })
const shorthand = AutoFunction.make({
  name: "describe",
  description: "Describe the user.",
  input: Schema.Struct({ id: UserId }),
  output: { note: Schema.String }
})({ id: "u1" })
same<typeof shorthand, Effect.Effect<{ readonly note?: string }, AgentError, ModelProvider | Users>>(true)
