/**
 * What was said to an execution from outside while it ran: kept until a place on the way takes it in, and marked by who
 * uses it. It neither stops nor changes anything by itself.
 */
import type { Json } from "effect/Schema"
import type { Command } from "./Record.ts"

/** One intervention. @category models */
export interface Entry {
  readonly id: string
  readonly json: Json
  readonly author: string | undefined
  readonly target: string | undefined
  status: "pending" | "inserted" | "applied" | "ignored" | "expired"
}

/**
 * The interventions of one execution, oldest first.
 *
 * @category models
 */
export class Ledger {
  readonly entries: Array<Entry> = []
  /** Nothing before it is pending. */
  private first = 0

  /** Adds one; an id that was there before is refused. */
  add(entry: Omit<Entry, "status">): "append" | "reject" {
    const { entries } = this
    if (entries.some(({ id }) => id === entry.id)) return "reject"
    entries.push({ id: entry.id, json: entry.json, author: entry.author, target: entry.target, status: "pending" })
    return "append"
  }

  /** A thread has come to a place: what waits for it, or for any place, is inserted. */
  reach(place: string, commands: Array<Command>): void {
    const { entries } = this
    // Every step comes here: what is over is not looked at again.
    while (this.first < entries.length && entries[this.first]?.status !== "pending") this.first++
    for (let at = this.first; at < entries.length; at++) {
      const entry = entries[at]
      if (entry?.status !== "pending" || (entry.target !== undefined && entry.target !== place)) continue
      entry.status = "inserted"
      commands.push({ _tag: "Intervention", id: entry.id, action: "insert" })
    }
  }

  /** Marks one that was inserted. */
  settle(id: string, status: "applied" | "ignored"): boolean {
    const entry = this.entries.find((one) => one.id === id && one.status === "inserted")
    if (entry === undefined) return false
    entry.status = status
    return true
  }

  /** Nothing that is pending will be reached any more. */
  expire(commands: Array<Command>): void {
    for (const entry of this.entries)
      if (entry.status === "pending") {
        entry.status = "expired"
        commands.push({ _tag: "Intervention", id: entry.id, action: "expire" })
      }
  }
}
