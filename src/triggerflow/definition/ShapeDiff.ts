/** What differs between two shapes of a flow, in words, for those whose saved executions no longer fit. */
import { canonical, type Json, type JsonObject } from "../../../services/Json.ts"
import { type ContractShape, type FlowShape, type StepShape } from "./Shape.ts"

/**
 * One difference: where it is and what it is.
 *
 * @category models
 */
export interface Difference {
  readonly change: "added" | "removed" | "changed"
  /** A place of the contract (`contract.state.words`), the key of a chain or a body, or the key of a step. */
  readonly at: string
  /** In words: `chunk "draft" was added behind "prepare" in start`. */
  readonly what: string
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const show = (value: Json | undefined): string => {
  if (value === undefined) return "nothing"
  const text = typeof value === "string" ? value : canonical(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

const same = (a: unknown, b: unknown): boolean => canonical(a ?? null) === canonical(b ?? null)

interface Found {
  readonly step: StepShape
  readonly body: string
  readonly behind: string | undefined
}

// The steps of a flow by key, and the order of the steps in each body.
const index = (shape: FlowShape) => {
  const steps = new Map<string, Found>()
  const orders = new Map<string, ReadonlyArray<string>>()
  const walk = (body: string, list: ReadonlyArray<StepShape>): void => {
    orders.set(
      body,
      list.map(({ key }) => key)
    )
    list.forEach((step, at) => {
      steps.set(step.key, { step, body, behind: list[at - 1]?.key })
      for (const { name, steps: inner } of step.bodies) walk(name === "" ? step.key : `${step.key}.${name}`, inner)
    })
  }
  for (const { key, steps: list } of shape.chains) walk(key, list)
  return { steps, orders }
}

const called = ({ key, kind }: StepShape): string => `${kind} "${key}"`

const place = ({ behind, body }: Found): string =>
  behind === undefined ? `in ${body}` : `behind "${behind}" in ${body}`

const fields = (before: JsonObject, after: JsonObject): ReadonlyArray<string> =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !same(before[key], after[key]))

/**
 * What differs between two contracts.
 *
 * @category comparison
 */
export const diffContract = (before: ContractShape, after: ContractShape): ReadonlyArray<Difference> => {
  const out: Array<Difference> = []
  const note = (at: string, old: Json | undefined, now: Json | undefined, name: string) => {
    if (same(old, now)) return
    const change = isNothing(old) ? "added" : isNothing(now) ? "removed" : "changed"
    const what =
      change === "changed" ? `${name} was changed from ${show(old)} to ${show(now)}` : `${name} was ${change}`
    out.push({ change, at, what })
  }
  for (const part of ["input", "stream", "result", "error", "intervention"] as const)
    note(`contract.${part}`, before[part], after[part], `the ${part}`)

  const [old, now] = [before.state["properties"], after.state["properties"]]
  if (isObject(old) && isObject(now)) {
    const count = out.length
    for (const key of fields(old, now))
      note(`contract.state.${key}`, old[key], now[key], `the field "${key}" of the state`)
    const required = (schema: JsonObject) => {
      const list = schema["required"]
      return Array.isArray(list) ? list.map(String) : []
    }
    const [was, is] = [required(before.state), required(after.state)]
    for (const key of Object.keys(now)) {
      if (!(key in old) || was.includes(key) === is.includes(key)) continue
      const what = `the field "${key}" of the state ${is.includes(key) ? "has to be there now" : "may be absent now"}`
      out.push({ change: "changed", at: `contract.state.${key}`, what })
    }
    if (out.length === count) note("contract.state", before.state, after.state, "the state")
  } else note("contract.state", before.state, after.state, "the state")

  for (const [kind, one] of [
    ["signals", "signal"],
    ["interrupts", "interrupt"]
  ] as const) {
    const [old, now]: readonly [JsonObject, JsonObject] = [before[kind], after[kind]]
    for (const name of fields(old, now)) {
      const [a, b] = [old[name], now[name]]
      if (isObject(a) && isObject(b)) {
        for (const part of fields(a, b))
          note(`contract.${kind}.${name}`, a[part], b[part], `the ${part} of the ${one} "${name}"`)
      } else note(`contract.${kind}.${name}`, a, b, `the ${one} "${name}"`)
    }
  }
  return out
}

const isNothing = (value: Json | undefined): boolean => value === undefined || value === null

/**
 * What differs between two shapes, the contract first, then the chains, then the steps; empty where the fingerprints are
 * equal.
 *
 * @category comparison
 */
export const diff = (before: FlowShape, after: FlowShape): ReadonlyArray<Difference> => {
  const out: Array<Difference> = []
  if (before.name !== after.name)
    out.push({ change: "changed", at: "name", what: `the flow "${before.name}" is called "${after.name}"` })
  out.push(...diffContract(before.contract, after.contract))

  const old = new Map(before.chains.map((chain) => [chain.key, chain]))
  const now = new Map(after.chains.map((chain) => [chain.key, chain]))
  for (const [key] of old)
    if (!now.has(key)) out.push({ change: "removed", at: key, what: `the chain ${key} was removed` })
  for (const [key, { trigger }] of now) {
    const was = old.get(key)
    if (was === undefined) out.push({ change: "added", at: key, what: `the chain ${key} was added` })
    else if (!same(was.trigger, trigger))
      out.push({
        change: "changed",
        at: key,
        what: `the chain ${key} listens to ${show(trigger)} and no longer to ${show(was.trigger)}`
      })
  }
  order(out, "the flow", "chains", [...old.keys()], [...now.keys()])

  const a = index(before)
  const b = index(after)
  for (const [key, found] of a.steps)
    if (!b.steps.has(key))
      out.push({ change: "removed", at: key, what: `${called(found.step)} was removed, ${place(found)}` })
  for (const [key, found] of b.steps) {
    const was = a.steps.get(key)
    if (was === undefined)
      out.push({ change: "added", at: key, what: `${called(found.step)} was added ${place(found)}` })
    else changes(out, was, found)
  }
  for (const [body, keys] of b.orders) order(out, body, "steps", a.orders.get(body) ?? [], keys)
  return out
}

// Whether what both have still comes in the same order.
const order = (
  out: Array<Difference>,
  at: string,
  what: string,
  before: ReadonlyArray<string>,
  after: ReadonlyArray<string>
): void => {
  const old = before.filter((key) => after.includes(key))
  const now = after.filter((key) => before.includes(key))
  if (same(old, now)) return
  const text = `the order of the ${what} in ${at} was changed from ${old.join(", ")} to ${now.join(", ")}`
  out.push({ change: "changed", at, what: text })
}

const changes = (out: Array<Difference>, before: Found, after: Found): void => {
  const [old, now] = [before.step, after.step]
  const note = (what: string) => out.push({ change: "changed", at: now.key, what })
  if (old.kind !== now.kind) {
    note(`"${now.key}" was a ${old.kind} and is a ${now.kind}`)
    return
  }
  if (before.body !== after.body) note(`${called(now)} was moved from ${before.body} to ${after.body}`)
  for (const key of fields(old.settings, now.settings))
    note(`${key} of ${called(now)} was changed from ${show(old.settings[key])} to ${show(now.settings[key])}`)
  const names = (step: StepShape) => step.bodies.map(({ name }) => name)
  if (!same(names(old), names(now)))
    note(`the branches of ${called(now)} were ${names(old).join(", ")} and are ${names(now).join(", ")}`)
  if (old.flow === undefined || now.flow === undefined) return
  for (const { at, change, what } of diff(old.flow, now.flow))
    out.push({ change, at: `${now.key} > ${at}`, what: `in ${called(now)}: ${what}` })
}
