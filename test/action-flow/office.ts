// An agent whose actions write down that they were done, for programs that are killed. `hangs`: they never come back.
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { Effect, Option } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { ScriptedModel } from "effigent/testing"

/** What the model calls in its one turn. */
export const calls = ScriptedModel.toolCalls(
  ["charge", "mail", "ship", "put", "read"].map((name) => ({ name, input: {} }))
)

/** What was done, in order. */
export const done = (directory: string): ReadonlyArray<string> =>
  existsSync(`${directory}/done`) ? readFileSync(`${directory}/done`, "utf8").trim().split("\n") : []

/** The agent; what it does stands in the file `done`. */
export const office = (directory: string, hangs: boolean) => {
  const work = (name: string, key: string) =>
    Effect.suspend(() => {
      appendFileSync(`${directory}/done`, `${name} ${key}\n`)
      console.log(name)
      return hangs ? Effect.never : Effect.succeed(`${name} done`)
    })
  const charge = Action.make("charge", {
    description: "Charges the card; the bank can be asked what it knows.",
    run: (_, { key }) => work("charge", key),
    reconcile: (_, { key }) => Effect.sync(() => Option.some(`the bank knows ${key}`))
  })
  const mail = Action.make("mail", { description: "Sends a letter.", run: (_, { key }) => work("mail", key) })
  const ship = Action.make("ship", {
    description: "Ships; the carrier says that it knows nothing.",
    run: (_, { key }) => work("ship", key),
    reconcile: () => Effect.succeed(Option.none())
  })
  const put = Action.make("put", {
    description: "Puts a record under its key.",
    sideEffect: "idempotent",
    run: (_, { key }) => work("put", key)
  })
  const read = Action.make("read", {
    description: "Reads.",
    sideEffect: "pure",
    run: (_, { key }) => work("read", key)
  })
  return Agent.make({ name: "office" }).pipe(Actions.use([charge, mail, ship, put, read]))
}
