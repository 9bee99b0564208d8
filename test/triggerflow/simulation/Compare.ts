/** Compares how a program went with what the oracle expects of it. */
import type { Expected } from "./Oracle.ts"
import { show } from "./Oracle.ts"

/** How one execution of a program went. */
export interface Observed {
  readonly status: Expected["status"]
  /** How it failed, where that can be told. */
  readonly failure: string | undefined
  readonly runs: ReadonlyArray<{
    readonly chunk: string
    readonly input: unknown
    readonly start: number
    readonly end: number | undefined
    readonly outcome: string
  }>
  readonly items: ReadonlyArray<{ readonly chunk: string; readonly value: number; readonly time: number }>
  /** Absent where the execution gives none because it failed. */
  readonly state: Readonly<Record<string, unknown>> | undefined
  readonly result: unknown
}

const groups = <A>(list: ReadonlyArray<A>, key: (one: A) => string): ReadonlyMap<string, Array<A>> => {
  const found = new Map<string, Array<A>>()
  for (const one of list) {
    const known = found.get(key(one))
    if (known === undefined) found.set(key(one), [one])
    else known.push(one)
  }
  return found
}

/** What is wrong; nothing where all is as expected. */
export const compare = (expected: Expected, observed: Observed): ReadonlyArray<string> => {
  if (!expected.exact) return []
  const problems: Array<string> = []
  const { timed } = expected
  if (observed.status !== expected.status)
    return [
      `the execution ${observed.status}${observed.failure === undefined ? "" : ` (${observed.failure})`} instead of ${expected.status}`
    ]
  if (expected.status === "failed" && observed.failure !== undefined && !expected.failures.includes(observed.failure))
    problems.push(`it failed with ${observed.failure} instead of ${expected.failures.join(" or ")}`)

  const keyOf = (run: { readonly chunk: string; readonly input: unknown; readonly start: number }) =>
    `${run.chunk} on ${show(run.input)}${timed ? ` at ${run.start}` : ""}`
  const outcomeOf = (run: { readonly outcome: string; readonly end: number | undefined }) =>
    timed ? `${run.outcome} at ${run.end}` : run.outcome
  const wanted = groups(expected.runs, keyOf)
  const seen = groups(observed.runs, keyOf)
  for (const key of new Set([...wanted.keys(), ...seen.keys()])) {
    const left = [...(seen.get(key) ?? [])]
    const take = (hit: (run: Observed["runs"][number]) => boolean): boolean => {
      const index = left.findIndex(hit)
      if (index >= 0) left.splice(index, 1)
      return index >= 0
    }
    const runs = (wanted.get(key) ?? []).toSorted(
      (a, b) => Number(a.startMaybe) - Number(b.startMaybe) || Number(a.endMaybe) - Number(b.endMaybe)
    )
    for (const run of runs) {
      if (take((one) => outcomeOf(one) === outcomeOf(run))) continue
      if (run.endMaybe && take(({ outcome }) => outcome === "interrupted")) continue
      if (run.startMaybe && !run.endMaybe && take(({ outcome }) => outcome === "interrupted")) continue
      if (run.startMaybe) continue
      problems.push(`${key}: no run with ${outcomeOf(run)}${left.map((one) => `, but ${outcomeOf(one)}`).join("")}`)
    }
    for (const one of left) problems.push(`${key}: one run too many, with ${outcomeOf(one)}`)
  }

  const itemKey = (item: { readonly chunk: string; readonly value: number; readonly time: number }) =>
    `${item.chunk} put ${item.value}${timed ? ` at ${item.time}` : ""}`
  const items = groups(expected.items, itemKey)
  const put = groups(observed.items, itemKey)
  for (const key of new Set([...items.keys(), ...put.keys()])) {
    const most = items.get(key) ?? []
    const least = most.filter(({ maybe, volatile }) => !maybe && !volatile).length
    const count = put.get(key)?.length ?? 0
    if (count < least || count > most.length)
      problems.push(`${key}: ${count} times instead of ${least} to ${most.length}`)
  }

  if (observed.state !== undefined) {
    const same = (key: string, a: unknown, b: unknown): boolean =>
      expected.unordered.has(key) && Array.isArray(a) && Array.isArray(b)
        ? show([...a].sort()) === show([...b].sort())
        : show(a) === show(b)
    for (const key of new Set([...Object.keys(expected.state), ...Object.keys(observed.state)])) {
      if (expected.tainted.has(key) || same(key, expected.state[key], observed.state[key])) continue
      problems.push(`state ${key} is ${show(observed.state[key])} instead of ${show(expected.state[key])}`)
    }
    if (!expected.tainted.has("result") && show(expected.result) !== show(observed.result))
      problems.push(`the result is ${show(observed.result)} instead of ${show(expected.result)}`)
  }
  return problems
}
