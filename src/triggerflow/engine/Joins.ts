/** Places where values wait for each other: the gates of `all` triggers, and collectors. */
import * as Result from "effect/Result"
import type { CollectorData } from "../Node.ts"
import type { Gate } from "./Plan.ts"

type Slots = Map<string, unknown>

const scoped = (maps: Map<string, Slots>, key: string): Slots => {
  const found = maps.get(key)
  if (found !== undefined) return found
  const made: Slots = new Map()
  maps.set(key, made)
  return made
}

const recordOf = (names: ReadonlyArray<string>, slots: Slots): Readonly<Record<string, unknown>> =>
  Object.fromEntries(names.map((name) => [name, slots.get(name)]))

/**
 * The gates of one execution. A slot keeps the last value; a full gate gives all of them and starts anew.
 *
 * @category models
 */
export class Gates {
  readonly progress = new Map<string, Slots>()

  /** Nothing comes to a scope any more. */
  forget(gates: number, scope: number): void {
    for (let id = 0; id < gates; id++) this.progress.delete(`${id}:${scope}`)
  }

  /** Fills a slot. Gives the record when it was the last one; fails with what a `by` function has thrown. */
  fill(
    gate: Gate,
    slot: string,
    value: unknown,
    scope: number
  ): Result.Result<Readonly<Record<string, unknown>> | undefined, unknown> {
    const by = gate.by?.[slot]
    return Result.map(
      by === undefined
        ? Result.succeed(gate.scope === "execution" ? "" : `${scope}`)
        : // The type of `all` gives each function the value of its own source.
          Result.try({ try: () => `=${String(by(value as never))}`, catch: (defect) => defect }),
      (key) => {
        const place = `${gate.id}:${key}`
        const slots = scoped(this.progress, place)
        slots.set(slot, value)
        if (slots.size < gate.slots.length) return undefined
        this.progress.delete(place)
        return recordOf(gate.slots, slots)
      }
    )
  }
}

/**
 * The collectors of one execution, apart for each signal from outside.
 *
 * @category models
 */
export class Collectors {
  readonly progress = new Map<string, Slots>()

  /** Nothing comes to a scope any more. */
  forget(names: Iterable<string>, scope: number): void {
    for (const name of names) this.progress.delete(`${name}:${scope}`)
  }

  /** Brings a value. Gives the record once all branches have one. */
  bring(
    collector: CollectorData,
    branch: string,
    value: unknown,
    scope: number
  ): Readonly<Record<string, unknown>> | undefined {
    const place = `${collector.name}:${scope}`
    const slots = scoped(this.progress, place)
    slots.set(branch, value)
    if (slots.size < collector.branches.length) return undefined
    if (collector.mode === "reset") this.progress.delete(place)
    return recordOf(
      collector.branches.map(([name]) => name),
      slots
    )
  }
}
