/** What the commands of a machine say in the runtime stream, before or without being carried out. */
import * as Result from "effect/Result"
import type { Engine } from "./Engine.ts"
import type { Command } from "./Record.ts"
import type { Event } from "./RuntimeStream.ts"

/** What a command says in the runtime stream, if anything. @category conversions */
export const eventOf = (engine: Engine, command: Command): Event | undefined => {
  switch (command._tag) {
    case "Item":
      return { _tag: "item", json: command.json, volatile: false }
    case "Waiting": {
      const { id, interrupt, payload } = command.waiting
      const json = engine.plan.codecs.interrupts.get(interrupt)?.payload.encode(payload)
      // `run.pause` has refused what has no encoding.
      const is = json !== undefined && Result.isSuccess(json) ? json.success : null
      return { _tag: "interrupt", id, interrupt, payload, json: is }
    }
    case "Answered":
      return { _tag: "answered", id: command.waiting.id, interrupt: command.waiting.interrupt }
    case "Intervention":
      return { _tag: "intervention", id: command.id, action: command.action }
    default:
      return undefined
  }
}
