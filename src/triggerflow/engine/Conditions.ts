/** The conditions of a match or a loop, asked: plain functions at once, Effects as one Effect. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import type { Decision } from "./Frame.ts"
import type { Reading } from "./Handle.ts"
import { attempt, call } from "./UserCode.ts"

type Asked = Exit.Exit<ReadonlyArray<number>, unknown>

/** Asks the conditions of an operator in order; an Exit at once where all of them are plain. @category constructors */
export const ask = (
  { frame, step }: Decision,
  run: Reading
): Asked | Effect.Effect<ReadonlyArray<number>, unknown, unknown> => {
  if (step.node.kind === "loop") {
    const { while: condition } = step.node
    const holds = attempt(() => call(condition, frame.value, frame.next, run))
    return Exit.isFailure(holds) ? Exit.failCause(holds.cause) : later(holds.value, (yes) => (yes ? [0] : []))
  }
  const { cases, mode } = step.node
  const hits: Array<number> = []
  const from = (index: number): Asked | Effect.Effect<ReadonlyArray<number>, unknown, unknown> => {
    for (let at = index; at < cases.length; at++) {
      const test = cases[at]?.test
      if (test === undefined) break
      const holds = attempt(() =>
        test._tag === "is" ? Equal.equals(test.value, frame.value) : call(test.condition, frame.value, run)
      )
      if (Exit.isFailure(holds)) return Exit.failCause(holds.cause)
      if (Effect.isEffect(holds.value))
        return Effect.flatMap(holds.value, (yes) => {
          if (yes) hits.push(at)
          return yes && mode === "first" ? Effect.succeed(hits) : from(at + 1)
        })
      if (!holds.value) continue
      hits.push(at)
      if (mode === "first") break
    }
    return Exit.succeed(hits)
  }
  return from(0)
}

const later = (
  value: unknown,
  hits: (yes: unknown) => ReadonlyArray<number>
): Asked | Effect.Effect<ReadonlyArray<number>, unknown, unknown> =>
  Effect.isEffect(value) ? Effect.map(value, hits) : Exit.succeed(hits(value))
