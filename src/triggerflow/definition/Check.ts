/**
 * What is wrong with a definition, all of it at once. What can be seen without running handlers is seen here: a flow
 * that passes can still fail, but not because of how it is put together.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type { InvalidDefinition } from "../FlowError.ts"
import type { ChainData, CollectorData, ContractData, FlowData, Node, SingleTrigger } from "../Node.ts"
import { checkEndless, checkReach, type Report, singles } from "./Reach.ts"
import { endOf } from "../engine/SleepTime.ts"
import * as StepKey from "./StepKey.ts"

/**
 * One thing that is wrong: where, what, and what to do. `at` is a part of the contract (`contract.signals`), the key of
 * a chain or of a step; inside a sub-flow it stands behind the key of the sub-flow and `>`.
 *
 * @category models
 */
export type Finding = InvalidDefinition["findings"][number]

/**
 * The findings about a flow and the flows inside it; none where it can be run. A flow that is used several times as a
 * sub-flow is reported once, at its first place.
 *
 * @category checks
 */
export const check = (flow: FlowData): ReadonlyArray<Finding> => {
  const out: Array<Finding> = []
  const seen = new Set<FlowData>()
  const visit = (data: FlowData, path: string, around: ReadonlyArray<FlowData>): void => {
    seen.add(data)
    const report: Report = (at, problem, fix) => {
      out.push({ at: path + at, problem, fix })
    }
    const places = StepKey.places(data)
    checkContract(data.contract, report)
    checkNames(places, report)
    checkStops(places, report)
    for (const place of places) {
      checkStep(place, report)
      checkReview(place, data.contract, report)
    }
    const collectors = collectorsOf(data, places)
    const vain = checkCollectors(collectors, places, report)
    checkTriggers(data, places, collectors, vain, report)
    for (const { key, node } of places) {
      if (node.kind !== "subFlow") continue
      const inside = [...around, data]
      if (inside.includes(node.flow))
        report(key, `The flow "${node.flow.contract.name}" contains itself`, "Repeat with a loop or a signal instead")
      else if (!seen.has(node.flow)) visit(node.flow, `${path}${key} > `, inside)
    }
  }
  visit(flow, "", [])
  return out
}

const quote = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(", ")

const repeated = (names: ReadonlyArray<string>): ReadonlySet<string> => {
  const seen = new Set<string>()
  return new Set(names.filter((name) => seen.size === seen.add(name).size))
}

// ----------------------------------------------------------------------------------------------------------- contract

const checkContract = (contract: ContractData, report: Report): void => {
  if (contract.name === "") report("contract.name", "The flow has no name", "Give it one")
  for (const [part, one, list] of [
    ["contract.signals", "signal", contract.signals],
    ["contract.interrupts", "interrupt", contract.interrupts]
  ] as const) {
    const names = list.map(({ name }) => name)
    for (const name of repeated(names))
      report(part, `The ${one} "${name}" is listed more than once`, "List it once, or rename one of them")
    if (names.includes("")) report(part, `A ${one} has no name`, "Give it one")
  }
  checkInitial("contract.initial", "initial state", contract.state, contract.initial, report)
  if (contract.shared !== undefined)
    checkInitial("contract.initialShared", "initial shared data", contract.shared, contract.initialShared ?? {}, report)
}

// It is a decoded value; the first snapshot, or the first write, encodes it.
const checkInitial = (
  at: string,
  what: string,
  schema: ContractData["state"],
  initial: object,
  report: Report
): void => {
  const decoded = Schema.decodeUnknownExit(Schema.toType(schema))(initial, excess)
  const exit = decoded._tag === "Success" ? Schema.encodeUnknownExit(schema)(initial) : decoded
  if (exit._tag === "Failure") {
    const fail = exit.cause.reasons.find((reason) => reason._tag === "Fail")
    const issue = fail === undefined ? "its Schema cannot be used without waiting" : oneLine(fail.error.message)
    report(at, `The ${what} does not fit its Schema: ${issue}`, "Give a value that the Schema admits")
  }
}

const excess = { onExcessProperty: "error", errors: "all" } as const

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ").trim()

// Names of the fields of a struct; undefined where the Schema does not list them.
const keysOf = (schema: ContractData["state"]): ReadonlyArray<string> | undefined => {
  const ast = SchemaAST.toType(schema.ast)
  if (!SchemaAST.isObjects(ast) || ast.indexSignatures.length > 0) return undefined
  return ast.propertySignatures.map(({ name }) => String(name))
}

// -------------------------------------------------------------------------------------------------------------- names

const checkNames = (places: ReadonlyArray<StepKey.Place>, report: Report): void => {
  const named = new Map<string, Array<StepKey.Place>>()
  const nodes = new Map<Node, Array<StepKey.Place>>()
  for (const place of places) {
    const name = StepKey.nameOf(place.node)
    if (name === undefined) nodes.set(place.node, [...(nodes.get(place.node) ?? []), place])
    else if (name === "") report(place.body, `A ${place.node.kind} has an empty name`, "Give it a name")
    else named.set(name, [...(named.get(name) ?? []), place])
  }
  for (const [name, same] of named) {
    const [first] = same
    if (first === undefined || same.length === 1) continue
    const where = same.map(({ body, node }) => `a ${node.kind} in ${body}`).join(", ")
    report(
      first.key,
      `The name "${name}" stands for ${same.length} steps: ${where}`,
      "Give each step a name of its own"
    )
  }
  for (const same of nodes.values()) {
    const [first] = same
    if (first === undefined || same.length === 1) continue
    const where = same.map(({ body }) => body).join(", ")
    report(
      first.key,
      `One ${first.node.kind} step stands in several places: ${where}`,
      "Build each chain from its trigger instead of from a part of another chain"
    )
  }
}

// Nothing comes behind what ends the execution.
const checkStops = (places: ReadonlyArray<StepKey.Place>, report: Report): void => {
  const over = new Set<string>()
  for (const { body, key, node } of places) {
    if (over.has(body)) {
      report(
        key,
        `It stands behind a stop in ${body}, so it can never run`,
        "Take it out, or end with Chain.result instead"
      )
      over.delete(body)
    } else if (node.kind === "result" && node.stop === true) over.add(body)
  }
}

// Names that become the keys of a record.
const checkKeys = (at: string, one: string, names: ReadonlyArray<string>, report: Report): void => {
  for (const name of repeated(names)) report(at, `There are several ${plural(one)} "${name}"`, "Rename all but one")
  for (const name of new Set(names)) {
    if (name === "") report(at, `A ${one} has an empty name`, "Give it a name")
    else if (/^(?:0|[1-9]\d*)$/.test(name))
      report(
        at,
        `The ${one} "${name}" is named by a number`,
        "Begin its name with a letter: JavaScript moves such keys to the front of a record"
      )
    else if (name === "__proto__")
      report(at, `The ${one} "${name}" has a name that records cannot hold`, "Give it another name")
  }
}

const plural = (one: string): string => (one.endsWith("ch") ? `${one}es` : `${one}s`)

// -------------------------------------------------------------------------------------------------------------- steps

const checkLimit = (at: string, name: string, value: number | undefined, least: number, report: Report): void => {
  if (value === undefined || value === Infinity || (Number.isSafeInteger(value) && value >= least)) return
  const kind = least === 0 ? "a whole number" : "a whole number from 1"
  report(at, `${name} is ${value}`, `Give ${kind}, or leave it out`)
}

const checkTime = (at: string, name: string, input: Duration.Input | undefined, report: Report): void => {
  if (input === undefined) return
  const duration = Duration.fromInput(input)
  if (Option.isNone(duration) || !(Duration.toMillis(duration.value) > 0))
    report(at, `${name} is ${String(input)}`, 'Give a time above zero, such as "5 seconds", or leave it out')
}

const checkReview = ({ key, node }: StepKey.Place, contract: ContractData, report: Report): void => {
  if (node.kind !== "chunk" || node.settings.review === undefined) return
  const { expires, interrupt, retries } = node.settings.review
  if (!contract.interrupts.some(({ name }) => name === interrupt))
    report(key, `The contract has no interrupt "${interrupt}" to review it with`, "Add the review to its interrupts")
  checkLimit(key, "retries", retries, 0, report)
  checkTime(key, "expires", expires, report)
}

const checkStep = ({ key, node }: StepKey.Place, report: Report): void => {
  switch (node.kind) {
    case "chunk": {
      checkLimit(key, "concurrency", node.settings.concurrency, 1, report)
      // That of a review follows from its retries.
      if (node.settings.review === undefined) checkLimit(key, "maxResumes", node.settings.maxResumes, 0, report)
      checkTime(key, "timeout", node.settings.timeout, report)
      return checkTime(key, "idleTimeout", node.settings.idleTimeout, report)
    }
    case "batch": {
      checkLimit(key, "concurrency", node.concurrency, 1, report)
      if (node.branches.length === 0) report(key, "The batch has no branches", "Give it a branch, or leave it out")
      return checkKeys(
        key,
        "branch",
        node.branches.map(([name]) => name),
        report
      )
    }
    case "forEach":
      return checkLimit(key, "concurrency", node.concurrency, 1, report)
    case "match": {
      if (node.cases.length === 0) report(key, "The match has no cases", "Give it a case, or leave it out")
      return checkKeys(
        key,
        "case",
        node.cases.map(({ name }) => name),
        report
      )
    }
    case "loop":
      return checkLimit(key, "max", node.max, 1, report)
    case "sleep": {
      const end = typeof node.time === "function" ? 0 : endOf(node.time, 0)
      if (typeof end === "string")
        report(key, `Nobody knows until when: ${end}`, 'Give a duration such as "2 hours", a DateTime or a Date')
      return
    }
    default:
      return
  }
}

// --------------------------------------------------------------------------------------------------------- collectors

const collectorsOf = (flow: FlowData, places: ReadonlyArray<StepKey.Place>): ReadonlySet<CollectorData> => {
  const found = new Set<CollectorData>()
  for (const { trigger } of flow.chains)
    for (const of of singles(trigger)) if (of._tag === "collect") found.add(of.collector)
  for (const { node } of places) if (node.kind === "collect") found.add(node.collector)
  return found
}

// Gives the collectors that never give anything.
const checkCollectors = (
  collectors: ReadonlySet<CollectorData>,
  places: ReadonlyArray<StepKey.Place>,
  report: Report
): ReadonlySet<CollectorData> => {
  const brings = new Map<CollectorData, Set<string>>()
  const vain = new Set<CollectorData>()
  for (const name of repeated([...collectors].map((collector) => collector.name)))
    report(`collector.${name}`, `Several collectors are called "${name}"`, "Use one collector value, or rename one")
  for (const collector of collectors) {
    const at = `collector.${collector.name}`
    const names = collector.branches.map(([name]) => name)
    if (collector.name === "") report(at, "A collector has an empty name", "Give it a name")
    if (names.length === 0) report(at, "The collector has no branches, so it never gives anything", "Give it a branch")
    checkKeys(at, "branch", names, report)
    brings.set(collector, new Set())
    if (names.length === 0) vain.add(collector)
  }
  for (const { key, node } of places) {
    if (node.kind !== "collect") continue
    const { branch, collector } = node
    brings.get(collector)?.add(branch)
    const names = collector.branches.map(([name]) => name)
    if (!names.includes(branch))
      report(key, `The collector "${collector.name}" has no branch "${branch}"`, `Bring one of ${quote(names)}`)
  }
  for (const [collector, brought] of brings) {
    const missing = collector.branches.map(([name]) => name).filter((name) => !brought.has(name))
    if (missing.length === 0) continue
    vain.add(collector)
    report(
      `collector.${collector.name}`,
      `Nobody brings ${quote(missing)}, so the collector never gives anything`,
      "Bring it with Chain.collect, or take it out of the collector"
    )
  }
  return vain
}

// ----------------------------------------------------------------------------------------------------------- triggers

const checkTriggers = (
  flow: FlowData,
  places: ReadonlyArray<StepKey.Place>,
  collectors: ReadonlySet<CollectorData>,
  vain: ReadonlySet<CollectorData>,
  report: Report
): void => {
  const chunks = new Set(places.flatMap(({ node }) => (node.kind === "chunk" ? [node.name] : [])))
  const fields = keysOf(flow.contract.state)
  const shared = flow.contract.shared === undefined ? [] : keysOf(flow.contract.shared)
  const keys = StepKey.chainKeys(flow)

  // What a source lacks in order to exist.
  const lack = (source: SingleTrigger): readonly [problem: string, fix: string] | undefined => {
    switch (source._tag) {
      case "signal": {
        const known = flow.contract.signals.find(({ name }) => name === source.signal.name)
        if (known === undefined)
          return [`The signal "${source.signal.name}" is not in the contract`, "Add it to the signals of the contract"]
        return known.payload === source.signal.payload && known.reply === source.signal.reply
          ? undefined
          : [`The contract has another signal that is called "${known.name}"`, "Listen to the one of the contract"]
      }
      case "chunk":
        return chunks.has(source.chunk)
          ? undefined
          : [`No chunk of the flow is called "${source.chunk}"`, "Use the chunk in a chain, or listen to another one"]
      case "state":
        return fields === undefined || fields.includes(source.key)
          ? undefined
          : [
              `The state has no field "${source.key}"`,
              fields.length === 0 ? "Give the contract a state" : `Listen to one of ${quote(fields)}`
            ]
      case "flowData":
        return shared === undefined || shared.includes(source.key)
          ? undefined
          : [
              `The contract shares no field "${source.key}"`,
              shared.length === 0 ? "Give the contract shared fields" : `Listen to one of ${quote(shared)}`
            ]
      default:
        return undefined
    }
  }

  const faulty = new Set<ChainData>()
  flow.chains.forEach((chain, index) => {
    const at = keys[index] ?? ""
    const fault: Report = (...args) => {
      faulty.add(chain)
      report(...args)
    }
    const { trigger } = chain
    if (trigger._tag === "start") return
    if (trigger._tag !== "any" && trigger._tag !== "all") {
      const lacks = lack(trigger)
      if (lacks !== undefined) fault(at, ...lacks)
      return
    }
    if (trigger.of.length === 0) fault(at, `The trigger "${trigger._tag}" has no sources`, "Give it at least one")
    const names = trigger.of.map(([name]) => name)
    if (trigger._tag === "all" || trigger.named) checkKeys(at, "source", names, fault)
    for (const [name, of] of trigger.of) {
      // The types admit no other; data that was put together by other means may hold one.
      const tag: string = of._tag
      if (tag === "any" || tag === "all" || tag === "start")
        fault(
          at,
          `The source "${name}" is the trigger "${tag}"`,
          "Make it of signals, chunks, fields of the state and collectors alone"
        )
      else {
        const lacks = lack(of)
        if (lacks !== undefined) fault(at, ...lacks)
      }
    }
    if (trigger._tag === "all" && trigger.by !== undefined) {
      const given = Object.keys(trigger.by)
      const missing = names.filter((name) => !given.includes(name))
      const extra = given.filter((name) => !names.includes(name))
      if (missing.length > 0) fault(at, `"by" gives no key for ${quote(missing)}`, "Give a function for each source")
      if (extra.length > 0) fault(at, `"by" gives keys for ${quote(extra)}, which are no sources`, "Take them out")
    }
  })

  const reached = checkReach(flow, keys, faulty, collectors, vain, report)
  checkEndless(flow, keys, reached, report)
}
