/** Flows as blueprints: what is data is written, what is code is named, and what has no name is reported. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { canonical, type Json, type JsonObject } from "../../../services/Json.ts"
import {
  type Blueprint,
  type BlueprintError,
  type ContractDocument,
  errorOf,
  type Fault,
  type FlowDocument,
  FORMAT,
  type On,
  type SchemaRef,
  type Source,
  type Step
} from "./BlueprintDocument.ts"
import type { Registry } from "./BlueprintLoad.ts"
import * as Check from "./Check.ts"
import { pointOf } from "../engine/SleepTime.ts"
import type {
  Body,
  CollectorData,
  ContractData,
  FlowData,
  Handler,
  Node,
  SingleTrigger,
  SleepNode,
  TriggerData
} from "../Node.ts"
import * as Shape from "./Shape.ts"
import * as StepKey from "./StepKey.ts"

type Codec = Schema.Codec<unknown, unknown>

// Leaves out what is absent, so that it is absent in the text too.
const present = <A extends object>(fields: { readonly [K in keyof A]: A[K] | undefined }): A =>
  // What is left has the types of its fields; whether a field may be absent is the caller's matter.
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as A

/** Writes one blueprint. It remembers which function is called what, through all flows of it. */
class Writer {
  readonly faults: Array<Fault> = []
  readonly flows = new Map<string, { readonly data: FlowData; document: FlowDocument | undefined }>()
  private readonly names: Registry
  private readonly handlers = new Map<string, unknown>()

  constructor(names: Registry) {
    this.names = names
    for (const [name, handler] of Object.entries(names.handlers ?? {})) this.handlers.set(name, handler)
  }

  fault(at: string, problem: string, fix: string): void {
    this.faults.push({ at, path: [], problem, fix })
  }

  // The name of a handler: the one that it is given, else that of its chunk, with that of the flow where it is taken.
  private handler(flow: FlowData, chunk: string, handler: Handler): string {
    for (const [name, known] of this.handlers) if (known === handler) return name
    const wanted = [chunk, `${flow.contract.name}/${chunk}`]
    let name = wanted.find((one) => !this.handlers.has(one))
    for (let count = 2; name === undefined; count++) {
      const next = `${flow.contract.name}/${chunk}#${count}`
      if (!this.handlers.has(next)) name = next
    }
    this.handlers.set(name, handler)
    return name
  }

  private named(at: string, what: string, kind: keyof Registry, value: unknown): string {
    if (value === undefined) return ""
    const list: Readonly<Record<string, unknown>> = this.names[kind] ?? {}
    for (const [name, known] of Object.entries(list)) if (known === value) return name
    this.fault(at, `${what} has no name`, `Give it one in \`${kind}\`: functions cannot be written as data`)
    return ""
  }

  private optional(at: string, what: string, kind: keyof Registry, value: unknown): string | undefined {
    return value === undefined ? undefined : this.named(at, what, kind, value)
  }

  private schema(schema: Codec): SchemaRef {
    const found = Object.entries(this.names.schemas ?? {}).find(([, known]) => known === schema)
    return found === undefined ? Shape.jsonSchemaOf(schema) : found[0]
  }

  private time(input: Duration.Input | undefined): number | undefined {
    const millis = input === undefined ? Infinity : Duration.toMillis(input)
    return Number.isFinite(millis) ? millis : undefined
  }

  private steps(flow: FlowData, keys: ReadonlyMap<Node, string>, body: Body): ReadonlyArray<Step> {
    return body.map((node) => this.step(flow, keys, node))
  }

  private step(flow: FlowData, keys: ReadonlyMap<Node, string>, node: Node): Step {
    const at = keys.get(node) ?? node.kind
    const steps = (body: Body) => this.steps(flow, keys, body)
    switch (node.kind) {
      case "chunk": {
        const { concurrency, idleTimeout, maxResumes, output, retry, timeout } = node.settings
        const handler = this.handler(flow, node.name, node.handler)
        return present<Extract<Step, { readonly step: "chunk" }>>({
          step: "chunk",
          name: node.name,
          handler: handler === node.name ? undefined : handler,
          catch: this.optional(at, "Its catch", "handlers", node.settings.catch),
          retry: this.optional(at, "Its retry Schedule", "schedules", retry),
          timeout: this.time(timeout),
          idleTimeout: this.time(idleTimeout),
          concurrency,
          maxResumes,
          output: output === undefined ? undefined : this.schema(output)
        })
      }
      case "batch":
        return present<Extract<Step, { readonly step: "batch" }>>({
          step: "batch",
          name: node.name,
          concurrency: node.concurrency,
          onError: node.onError === "collect" ? node.onError : undefined,
          keep: node.keep,
          branches: Object.fromEntries(node.branches.map(([name, body]) => [name, steps(body)]))
        })
      case "forEach":
        return present<Extract<Step, { readonly step: "forEach" }>>({
          step: "forEach",
          name: node.name,
          concurrency: node.concurrency,
          onError: node.onError === "fail" ? undefined : node.onError,
          steps: steps(node.body)
        })
      case "match":
        return present<Extract<Step, { readonly step: "match" }>>({
          step: "match",
          name: node.name,
          mode: node.mode === "first" ? undefined : node.mode,
          cases: node.cases.map(({ body, name, test }) =>
            test._tag === "is"
              ? { name, is: this.value(at, name, test.value), steps: steps(body) }
              : {
                  name,
                  if: this.named(at, `The condition of the case "${name}"`, "conditions", test.condition),
                  steps: steps(body)
                }
          ),
          otherwise: node.otherwise === undefined ? undefined : steps(node.otherwise)
        })
      case "loop":
        return present<Extract<Step, { readonly step: "loop" }>>({
          step: "loop",
          name: node.name,
          while: this.named(at, "Its while", "conditions", node.while),
          max: node.max,
          steps: steps(node.body)
        })
      case "side":
        return present<Extract<Step, { readonly step: "side" }>>({
          step: "side",
          name: node.name,
          steps: steps(node.body)
        })
      case "collect":
        return { step: "collect", collector: node.collector.name, branch: node.branch }
      case "subFlow":
        this.flow(at, node.flow)
        return present<Extract<Step, { readonly step: "subFlow" }>>({
          step: "subFlow",
          name: node.name,
          flow: node.flow.contract.name,
          capture: this.optional(at, "Its capture", "functions", node.capture),
          result: this.optional(at, "Its result", "functions", node.result),
          writeBack: this.optional(at, "Its writeBack", "functions", node.writeBack)
        })
      case "point":
        return { step: "point", name: node.name }
      case "sleep":
        return this.sleep(at, node)
      case "result":
        return present<Extract<Step, { readonly step: "result" }>>({ step: "result", stop: node.stop })
    }
  }

  private sleep(at: string, { name, time }: SleepNode): Step {
    const step = { step: "sleep", name } as const
    if (typeof time === "function") return { ...step, time: this.named(at, "Its time", "functions", time) }
    const point = pointOf(time)
    if (point === undefined) {
      // What is no point in time is a duration.
      const millis = Duration.toMillis(time as Duration.Input)
      if (Number.isFinite(millis)) return { ...step, for: millis }
    } else if (Number.isFinite(point)) return { ...step, until: new Date(point).toISOString() }
    this.fault(at, "It sleeps until no time", "Give a duration, a DateTime or a Date")
    return step
  }

  // What a case compares with has to be JSON to come back as it was.
  private value(at: string, name: string, value: unknown): Json {
    if (isJson(value)) return value
    this.fault(at, `The case "${name}" compares with a value that is no JSON`, "Use a condition with a name")
    return null
  }

  private source(trigger: SingleTrigger): Source {
    switch (trigger._tag) {
      case "signal":
        return { signal: trigger.signal.name }
      case "state":
        return { state: trigger.key }
      case "flowData":
        return { flowData: trigger.key }
      case "chunk":
        return { chunk: trigger.chunk }
      case "collect":
        return { collector: trigger.collector.name }
    }
  }

  private on(at: string, trigger: TriggerData): On {
    if (trigger._tag === "start") return "start"
    if (trigger._tag === "any") {
      const sources = trigger.of.map(([name, of]) => [name, this.source(of)] as const)
      return { any: trigger.named ? Object.fromEntries(sources) : sources.map(([, source]) => source) }
    }
    if (trigger._tag !== "all") return this.source(trigger)
    const by = Object.entries(trigger.by ?? {}).map(
      ([name, f]) => [name, this.named(at, `The key of "${name}"`, "functions", f)] as const
    )
    return present<Extract<On, { readonly all: unknown }>>({
      all: Object.fromEntries(trigger.of.map(([name, of]) => [name, this.source(of)])),
      by: trigger.by === undefined ? undefined : Object.fromEntries(by),
      scope: trigger.scope === "root" ? undefined : trigger.scope
    })
  }

  private contract(data: ContractData): ContractDocument {
    const json = (schema: Codec | undefined, absent?: string): JsonObject | undefined => {
      const value = schema === undefined ? undefined : Shape.jsonSchemaOf(schema)
      return value === undefined || canonical(value) === absent ? undefined : value
    }
    const state = json(data.state, defaults.state)
    const initial = Schema.encodeUnknownExit(Schema.toCodecJson(data.state))(data.initial)
    const signals = data.signals.map(
      ({ name, payload, reply }) =>
        [
          name,
          present<{ readonly payload: JsonObject; readonly reply?: JsonObject }>({
            payload: Shape.jsonSchemaOf(payload),
            reply: json(reply)
          })
        ] as const
    )
    const interrupts = data.interrupts.map(
      ({ name, payload, resume }) =>
        [name, { payload: Shape.jsonSchemaOf(payload), resume: Shape.jsonSchemaOf(resume) }] as const
    )
    return present<ContractDocument>({
      fingerprint: Shape.fingerprint(Shape.contract(data)),
      input: json(data.input, defaults.input),
      state,
      initial:
        state === undefined || initial._tag === "Failure" || !isRecord(initial.value) ? undefined : initial.value,
      stream: json(data.stream, defaults.stream),
      result: json(data.result),
      error: json(data.error),
      intervention: json(data.intervention, defaults.intervention),
      signals: signals.length === 0 ? undefined : Object.fromEntries(signals),
      interrupts: interrupts.length === 0 ? undefined : Object.fromEntries(interrupts)
    })
  }

  document(data: FlowData): FlowDocument {
    const keys = StepKey.stepKeys(data)
    const chainKeys = StepKey.chainKeys(data)
    const collectors = new Map<string, CollectorData>()
    for (const node of keys.keys()) if (node.kind === "collect") collectors.set(node.collector.name, node.collector)
    const written = [...collectors].map(
      ([name, { branches, mode }]) =>
        [
          name,
          present<{ readonly mode?: "update"; readonly branches: Readonly<Record<string, SchemaRef>> }>({
            mode: mode === "reset" ? undefined : mode,
            branches: Object.fromEntries(branches.map(([branch, schema]) => [branch, this.schema(schema)]))
          })
        ] as const
    )
    return present<FlowDocument>({
      version: data.contract.version,
      contract: this.contract(data.contract),
      collectors: written.length === 0 ? undefined : Object.fromEntries(written),
      chains: data.chains.map(({ body, trigger }, index) => ({
        on: this.on(chainKeys[index] ?? "", trigger),
        steps: this.steps(data, keys, body)
      }))
    })
  }

  // Sub-flows stand beside the flow, each once.
  private flow(at: string, data: FlowData): void {
    const { name } = data.contract
    const known = this.flows.get(name)
    if (known !== undefined) {
      if (known.data !== data)
        this.fault(at, `Two flows of this blueprint are called "${name}"`, "Give each flow a name of its own")
      return
    }
    const entry: { readonly data: FlowData; document: FlowDocument | undefined } = { data, document: undefined }
    this.flows.set(name, entry)
    entry.document = this.document(data)
  }

  blueprint(data: FlowData): Blueprint {
    const { chains, ...head } = this.document(data)
    const flows = [...this.flows].flatMap(([name, { document }]) =>
      document === undefined ? [] : [[name, document] as const]
    )
    return {
      format: FORMAT,
      name: data.contract.name,
      ...head,
      chains,
      ...(flows.length === 0 ? {} : { flows: Object.fromEntries(flows) })
    }
  }
}

// The JSON Schemas of what a contract takes where a part is absent.
const defaults = {
  input: canonical(Shape.jsonSchemaOf(Schema.Void)),
  state: canonical(Shape.jsonSchemaOf(Schema.Struct({}))),
  stream: canonical(Shape.jsonSchemaOf(Schema.Never)),
  intervention: canonical(Shape.jsonSchemaOf(Schema.Json))
}

const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isJson = (value: unknown): value is Json => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0)
  if (Array.isArray(value)) return value.every(isJson)
  return (
    typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson)
  )
}

/** Writes a flow as a blueprint. @category conversions */
export const write = (flow: { readonly data: FlowData }, names: Registry): Result.Result<Blueprint, BlueprintError> => {
  const { name } = flow.data.contract
  const wrong = Check.check(flow.data)
  if (wrong.length > 0)
    return Result.fail(
      errorOf(
        name,
        wrong.map((finding) => ({ ...finding, path: [] }))
      )
    )
  const writer = new Writer(names)
  const blueprint = writer.blueprint(flow.data)
  return writer.faults.length === 0 ? Result.succeed(blueprint) : Result.fail(errorOf(name, writer.faults))
}
