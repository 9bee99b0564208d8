/** Blueprints as flows: names become functions again, and everything that does not fit is found at once. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Schedule from "effect/Schedule"
import { canonical, type JsonObject } from "../../../services/Json.ts"
import { fromJsonSchema } from "../../output/JsonSchemaImport.ts"
import type {
  Blueprint,
  Case,
  ContractDocument,
  Fault,
  FlowDocument,
  On,
  SchemaRef,
  Source,
  Step
} from "./BlueprintDocument.ts"
import * as Check from "./Check.ts"
import { define } from "../Flow.ts"
import type {
  Body,
  ChainData,
  CollectorData,
  Condition,
  ContractData,
  FlowData,
  Handler,
  LoopNode,
  MatchCase,
  Node,
  Pure,
  SingleTrigger,
  SleepNode,
  TriggerData
} from "../Node.ts"
import * as Shape from "./Shape.ts"
import { diffContract } from "./ShapeDiff.ts"
import * as Signal from "../Signal.ts"
import * as StepKey from "./StepKey.ts"

type Codec = Schema.Codec<unknown, unknown>
type Path = ReadonlyArray<string | number>

/**
 * What the names of a blueprint stand for. The same registry serves to write a flow and to load it.
 *
 * @category models
 */
export interface Registry {
  /** What chunks run: functions of `(input, run)`; and what their `catch` runs: functions of `(error, input, run)`. */
  readonly handlers?: Readonly<Record<string, (...args: never) => Effect.Effect<unknown, unknown, unknown>>> | undefined
  /** The conditions of matches, `(value, run)`, and of loops, `(value, round, run)`. */
  readonly conditions?:
    | Readonly<Record<string, (...args: never) => boolean | Effect.Effect<boolean, unknown, unknown>>>
    | undefined
  /** Pure functions: the keys of gates, and `capture`, `result` and `writeBack` of sub-flows. */
  readonly functions?: Readonly<Record<string, Pure>> | undefined
  /** When failed chunks are tried again. */
  readonly schedules?: Readonly<Record<string, Schedule.Schedule<unknown, never, unknown, unknown>>> | undefined
  /** Schemas of outputs and of collector branches, where JSON Schema does not say enough. */
  readonly schemas?: Readonly<Record<string, Codec>> | undefined
}

/** The parts of a program that a blueprint is put together with. @category models */
export interface Parts extends Registry {
  readonly contract?: ContractData | undefined
  readonly collectors?: ReadonlyArray<CollectorData> | undefined
  readonly flows?: ReadonlyArray<FlowData> | undefined
}

// Stands for a flow that was not found.
const nowhere: FlowData = { contract: define("nowhere", {}).data, chains: [{ trigger: { _tag: "start" }, body: [] }] }
const missing = () => Effect.die("This handler stands for one that was not found; the flow was not loaded.")

/** Puts together one blueprint. */
class Loader {
  readonly faults: Array<Fault> = []
  // Where in the document each flow and each step stands.
  private readonly flowPaths = new Map<FlowData, Path>()
  private readonly stepPaths = new Map<Node, Path>()
  // Collectors that the blueprint uses and does not have.
  private readonly unknown = new Set<string>()
  private readonly built = new Map<string, FlowData>()
  private readonly blueprint: Blueprint
  private readonly parts: Parts

  constructor(blueprint: Blueprint, parts: Parts) {
    this.blueprint = blueprint
    this.parts = parts
  }

  private fault(path: Path, problem: string, fix: string): void {
    this.faults.push({ path, problem, fix })
  }

  private find<A>(
    kind: keyof Registry,
    list: Readonly<Record<string, A>> | undefined,
    name: string,
    path: Path
  ): A | undefined {
    if (list !== undefined && Object.hasOwn(list, name)) return list[name]
    this.fault(
      path,
      `Nothing called "${name}" was given in \`${kind}\``,
      `Give it to Blueprint.load, or use another name`
    )
    return undefined
  }

  private handler(name: string, path: Path): Handler | undefined {
    // The types of its arguments are erased: what the chain gives it is what it was written for.
    return this.find("handlers", this.parts.handlers, name, path) as Handler | undefined
  }

  private json(schema: JsonObject, path: Path): Codec {
    const wrong = unknownTypes(schema, path)
    for (const at of wrong)
      this.fault(at, "There is no such type in JSON Schema", `Write one of ${[...types].join(", ")}`)
    const read = fromJsonSchema(schema)
    if (Result.isFailure(read)) {
      const why = read.failure.replace(/\s*\n\s*/g, " ")
      this.fault(path, `This is no JSON Schema that can be read: ${why}`, "Mend it, or give the Schema in code")
      return Schema.Unknown
    }
    // Schemas that are read from JSON Schema need no services.
    return Shape.withJsonSchema(read.success as Codec, schema)
  }

  private schema(ref: SchemaRef, path: Path): Codec {
    if (typeof ref !== "string") return this.json(ref, path)
    return this.find("schemas", this.parts.schemas, ref, path) ?? Schema.Unknown
  }

  // ---------------------------------------------------------------------------------------------------- contract

  private fromDocument(
    name: string,
    version: string | undefined,
    document: ContractDocument,
    path: Path
  ): ContractData {
    const part = (key: "input" | "state" | "stream" | "result" | "error" | "intervention"): Codec | undefined => {
      const schema = document[key]
      return schema === undefined ? undefined : this.json(schema, [...path, key])
    }
    const state = part("state") ?? Schema.Struct({})
    const initial = Schema.decodeUnknownExit(Schema.toCodecJson(state))(document.initial ?? {})
    if (initial._tag === "Failure")
      this.fault([...path, "initial"], "The initial state does not fit the Schema of the state", "Mend one of them")
    return {
      name,
      version,
      input: part("input") ?? Schema.Void,
      state,
      // A state that is no object is refused by the check of the flow.
      initial: initial._tag === "Success" ? (initial.value as object) : {},
      stream: part("stream") ?? Schema.Never,
      result: part("result"),
      error: part("error"),
      signals: Object.entries(document.signals ?? {}).map(([name, { payload, reply }]) => {
        const at = [...path, "signals", name]
        return Signal.make(
          name,
          this.json(payload, [...at, "payload"]),
          reply === undefined ? undefined : { reply: this.json(reply, [...at, "reply"]) }
        )
      }),
      interrupts: Object.entries(document.interrupts ?? {}).map(([name, { payload, resume }]) => ({
        name,
        payload: this.json(payload, [...path, "interrupts", name, "payload"]),
        resume: this.json(resume, [...path, "interrupts", name, "resume"])
      })),
      intervention: part("intervention") ?? Schema.Json
    }
  }

  private contract(given: ContractData | undefined, name: string, document: FlowDocument, path: Path): ContractData {
    const written = document.contract ?? {}
    const at = [...path, "contract"]
    if (given === undefined) return this.fromDocument(name, document.version, written, at)
    if (given.name !== name)
      this.fault(
        [...path, "name"],
        `The blueprint is of "${name}" and the contract of "${given.name}"`,
        "Load it with the contract of its flow"
      )
    const shape = Shape.contract(given)
    if (written.fingerprint !== undefined && written.fingerprint !== Shape.fingerprint(shape)) {
      const old = Shape.contract(this.fromDocument(name, document.version, written, at))
      const differences = diffContract(old, shape).map(({ what }) => what)
      const what = differences.length === 0 ? "" : `: ${differences.join("; ")}`
      this.fault(
        [...at, "fingerprint"],
        `The contract is not the one that the blueprint was made with${what}`,
        "Export the blueprint anew, or load it with the contract that it was made with"
      )
    }
    return given
  }

  // ------------------------------------------------------------------------------------------------------- steps

  private collectors(document: FlowDocument, path: Path): (name: string, at: Path, branch?: string) => CollectorData {
    const known = new Map<string, CollectorData>()
    for (const [name, { branches, mode }] of Object.entries(document.collectors ?? {})) {
      const at = [...path, "collectors", name]
      const made: CollectorData = {
        name,
        mode: mode ?? "reset",
        branches: Object.entries(branches).map(
          ([branch, ref]) => [branch, this.schema(ref, [...at, "branches", branch])] as const
        )
      }
      const given = this.parts.collectors?.find((collector) => collector.name === name)
      known.set(name, given ?? made)
      if (given !== undefined && canonical(Shape.collector(given)) !== canonical(Shape.collector(made)))
        this.fault(
          at,
          `The collector "${name}" that was given has another shape`,
          "Give the collector that the blueprint was made with"
        )
    }
    for (const given of this.parts.collectors ?? []) if (!known.has(given.name)) known.set(given.name, given)
    return (name, at, branch) => {
      const found = known.get(name)
      if (found !== undefined) return found
      this.unknown.add(`collector.${name}`)
      this.fault(at, `There is no collector "${name}"`, "Add it to the collectors of the blueprint")
      return { name, mode: "reset", branches: branch === undefined ? [] : [[branch, Schema.Unknown]] }
    }
  }

  private flowOf(name: string, path: Path, around: ReadonlyArray<string>): FlowData {
    const given = this.parts.flows?.find(({ contract }) => contract.name === name)
    const flows = this.blueprint.flows ?? {}
    const document = Object.hasOwn(flows, name) ? flows[name] : undefined
    if (given !== undefined) {
      const wanted = document?.contract?.fingerprint
      if (wanted !== undefined && wanted !== Shape.fingerprint(Shape.contract(given.contract)))
        this.fault(
          path,
          `The flow "${name}" that was given has another contract`,
          "Give the flow that the blueprint was made with"
        )
      return given
    }
    if (around.includes(name)) {
      this.fault(path, `The flow "${name}" contains itself`, "Repeat with a loop or a signal instead")
      return nowhere
    }
    if (document === undefined) {
      this.fault(
        path,
        `There is no flow "${name}"`,
        "Add it to the flows of the blueprint, or give it to Blueprint.load"
      )
      return nowhere
    }
    const known = this.built.get(name)
    if (known !== undefined) return known
    const built = this.flow(undefined, name, document, ["flows", name], [...around, name])
    this.built.set(name, built)
    return built
  }

  flow(
    given: ContractData | undefined,
    name: string,
    document: FlowDocument,
    path: Path,
    around: ReadonlyArray<string>
  ): FlowData {
    const contract = this.contract(given, name, document, path)
    const collector = this.collectors(document, path)
    const body = (steps: ReadonlyArray<Step>, at: Path): Body =>
      steps.map((step, index) => {
        const here = [...at, index]
        const node = this.step(step, here, body, collector, around)
        this.stepPaths.set(node, here)
        return node
      })
    const chains: ReadonlyArray<ChainData> = document.chains.map(({ on, steps }, index) => ({
      trigger: this.trigger(on, contract, collector, [...path, "chains", index, "on"]),
      body: body(steps, [...path, "chains", index, "steps"])
    }))
    const data: FlowData = { contract, chains }
    this.flowPaths.set(data, path)
    return data
  }

  private step(
    step: Step,
    path: Path,
    body: (steps: ReadonlyArray<Step>, path: Path) => Body,
    collector: (name: string, path: Path, branch?: string) => CollectorData,
    around: ReadonlyArray<string>
  ): Node {
    const { conditions, functions, schedules } = this.parts
    switch (step.step) {
      case "chunk": {
        const { concurrency, idleTimeout, maxResumes, name, output, retry, timeout } = step
        const handlerPath = [...path, step.handler === undefined ? "name" : "handler"]
        return {
          kind: "chunk",
          name,
          handler: this.handler(step.handler ?? name, handlerPath) ?? missing,
          settings: {
            concurrency,
            maxResumes,
            // A text is read as a duration; the check of the flow reports one that is none.
            timeout: timeout as Duration.Input | undefined,
            // As above.
            idleTimeout: idleTimeout as Duration.Input | undefined,
            retry: retry === undefined ? undefined : this.find("schedules", schedules, retry, [...path, "retry"]),
            catch: step.catch === undefined ? undefined : this.handler(step.catch, [...path, "catch"]),
            output: output === undefined ? undefined : this.schema(output, [...path, "output"])
          }
        }
      }
      case "batch":
        return {
          kind: "batch",
          name: step.name,
          concurrency: step.concurrency,
          onError: step.onError,
          keep: step.keep,
          branches: Object.entries(step.branches).map(
            ([name, steps]) => [name, body(steps, [...path, "branches", name])] as const
          )
        }
      case "forEach":
        return {
          kind: "forEach",
          name: step.name,
          concurrency: step.concurrency,
          onError: step.onError ?? "fail",
          body: body(step.steps, [...path, "steps"])
        }
      case "match":
        return {
          kind: "match",
          name: step.name,
          mode: step.mode ?? "first",
          cases: step.cases.map((one, index): MatchCase => {
            const at = [...path, "cases", index]
            return { name: one.name, test: this.test(one, at), body: body(one.steps, [...at, "steps"]) }
          }),
          otherwise: step.otherwise === undefined ? undefined : body(step.otherwise, [...path, "otherwise"])
        }
      case "loop": {
        const condition = this.find("conditions", conditions, step.while, [...path, "while"]) ?? (() => false)
        return {
          kind: "loop",
          name: step.name,
          // A condition takes fewer arguments than a loop gives it, or those of a loop.
          while: condition as LoopNode["while"],
          max: step.max ?? 1000,
          body: body(step.steps, [...path, "steps"])
        }
      }
      case "side":
        return { kind: "side", name: step.name, body: body(step.steps, [...path, "steps"]) }
      case "collect": {
        const { branch } = step
        return { kind: "collect", collector: collector(step.collector, [...path, "collector"], branch), branch }
      }
      case "subFlow": {
        const flow = this.flowOf(step.flow, [...path, "flow"], around)
        const pure = (key: "capture" | "result" | "writeBack") => {
          const name = step[key]
          return name === undefined ? undefined : this.find("functions", functions, name, [...path, key])
        }
        const maps = { capture: pure("capture"), result: pure("result"), writeBack: pure("writeBack") }
        return { kind: "subFlow", name: step.name, flow, ...maps }
      }
      case "point":
        return { kind: "point", name: step.name }
      case "sleep":
        return { kind: "sleep", name: step.name, time: this.sleep(step, path) }
      case "result":
        return { kind: "result", stop: step.stop }
    }
  }

  private sleep(step: Extract<Step, { readonly step: "sleep" }>, path: Path): SleepNode["time"] {
    const { for: duration, time, until } = step
    const given = [duration, time, until].filter((one) => one !== undefined)
    if (given.length !== 1)
      this.fault(path, `A sleep has ${given.length} of \`for\`, \`until\` and \`time\``, "Give one of them")
    if (time !== undefined) return this.find("functions", this.parts.functions, time, [...path, "time"]) ?? (() => 0)
    // The check of the flow reports a text that is no date or no duration.
    return until === undefined ? ((duration ?? 0) as Duration.Input) : new Date(until)
  }

  private test(one: Case, path: Path): MatchCase["test"] {
    if ("is" in one) return { _tag: "is", value: one.is }
    const condition = this.find("conditions", this.parts.conditions, one.if, [...path, "if"]) ?? (() => false)
    // What a loop may ask is more than what a case gives; a condition of a case is one that takes what a case gives.
    return { _tag: "if", condition: condition as Condition }
  }

  private trigger(
    on: On,
    contract: ContractData,
    collector: (name: string, path: Path) => CollectorData,
    path: Path
  ): TriggerData {
    if (on === "start") return { _tag: "start" }
    const single = (source: Source, at: Path): SingleTrigger => {
      if ("signal" in source) {
        const known = contract.signals.find(({ name }) => name === source.signal)
        // One that the contract does not have is reported by the check of the flow.
        return { _tag: "signal", signal: known ?? Signal.make(source.signal, Schema.Unknown) }
      }
      if ("state" in source) return { _tag: "state", key: source.state }
      if ("flowData" in source) return { _tag: "flowData", key: source.flowData }
      if ("chunk" in source) return { _tag: "chunk", chunk: source.chunk }
      return { _tag: "collect", collector: collector(source.collector, [...at, "collector"]) }
    }
    const named = (sources: { readonly [name: string]: Source }, at: Path) =>
      Object.entries(sources).map(([name, source]) => [name, single(source, [...at, name])] as const)
    if ("any" in on) {
      const at = [...path, "any"]
      return isList(on.any)
        ? { _tag: "any", named: false, of: on.any.map((source, index) => [`${index}`, single(source, [...at, index])]) }
        : { _tag: "any", named: true, of: named(on.any, at) }
    }
    if (!("all" in on)) return single(on, path)
    const by = Object.entries(on.by ?? {}).map(
      ([name, key]) =>
        [name, this.find("functions", this.parts.functions, key, [...path, "by", name]) ?? (() => "")] as const
    )
    return {
      _tag: "all",
      of: named(on.all, [...path, "all"]),
      by: on.by === undefined ? undefined : Object.fromEntries(by),
      scope: on.scope ?? "root"
    }
  }

  // ------------------------------------------------------------------------------------------------------- check

  // The path in the document of a place that the check of the flow names.
  private pathOf(flow: FlowData, at: string, otherwise: Path): Path {
    const places = StepKey.places(flow)
    for (const { key, node } of places) {
      const path = this.stepPaths.get(node) ?? otherwise
      if (key === at) return path
      if (node.kind === "subFlow" && at.startsWith(`${key} > `))
        return this.pathOf(node.flow, at.slice(key.length + 3), path)
      if (StepKey.bodies(node).some(([name]) => `${key}.${name}` === at)) return path
    }
    const path = this.flowPaths.get(flow)
    if (path === undefined) return otherwise
    const index = StepKey.chainKeys(flow).indexOf(at)
    if (index >= 0) return [...path, "chains", index]
    return at.startsWith("collector.") ? [...path, "collectors", at.slice(10)] : [...path, ...at.split(".")]
  }

  check(flow: FlowData): void {
    for (const { at, fix, problem } of Check.check(flow)) {
      // One that does not exist was reported where it is used.
      if (this.unknown.has(at.slice(at.indexOf("collector.")))) continue
      this.fault(this.pathOf(flow, at, []), problem, fix)
    }
  }
}

const types = new Set<unknown>(["null", "boolean", "object", "array", "number", "integer", "string"])

// Where a JSON Schema names a type that there is not: the reader would take it as any type.
const unknownTypes = (schema: unknown, path: Path): ReadonlyArray<Path> => {
  if (typeof schema !== "object" || schema === null) return []
  return Object.entries(schema).flatMap(([key, value]: readonly [string, unknown]) => {
    const at = [...path, Array.isArray(schema) ? Number(key) : key]
    if (["enum", "const", "default", "examples"].includes(key)) return []
    if (key === "properties" || key === "$defs")
      return typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([name, inner]) => unknownTypes(inner, [...at, name]))
        : []
    if (key !== "type") return unknownTypes(value, at)
    return (Array.isArray(value) ? value : [value]).every((one) => types.has(one)) ? [] : [at]
  })
}

const isList = (value: { readonly [name: string]: Source } | ReadonlyArray<Source>): value is ReadonlyArray<Source> =>
  Array.isArray(value)

/** Puts together the flow of a blueprint, or says everything that is wrong with it. @category conversions */
export const build = (blueprint: Blueprint, parts: Parts): Result.Result<FlowData, ReadonlyArray<Fault>> => {
  const loader = new Loader(blueprint, parts)
  const { contract } = parts
  const flow = loader.flow(contract, blueprint.name, blueprint, [], [blueprint.name])
  loader.check(flow)
  return loader.faults.length === 0 ? Result.succeed(flow) : Result.fail(loader.faults)
}
