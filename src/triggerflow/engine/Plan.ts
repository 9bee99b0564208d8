/**
 * The plan of a flow: its chains as numbered steps that know what follows them, and for every trigger who listens to it.
 * It is compiled once for each flow; the engine walks it.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Codec from "./Codec.ts"
import type {
  BatchNode,
  Body,
  ChainData,
  ChunkNode,
  CollectNode,
  CollectorData,
  ContractData,
  FlowData,
  ForEachNode,
  LoopNode,
  MatchNode,
  PointNode,
  Pure,
  ResultNode,
  SideNode,
  SingleTrigger,
  SleepNode,
  SubFlowNode,
  TriggerData
} from "../Node.ts"

interface Base {
  /** Its number in the plan. */
  readonly id: number
  /** The step behind it; none at the end of a body. */
  readonly next: Step | undefined
}

/** Runs a handler. @category models */
export interface ChunkStep extends Base {
  readonly node: ChunkNode
  /** Who listens to its completion. */
  readonly listeners: ReadonlyArray<Listener>
}

/** Starts a body for each branch. @category models */
export interface BatchStep extends Base {
  readonly node: BatchNode
  readonly bodies: ReadonlyArray<Step | undefined>
}

/** Starts a body for each item. @category models */
export interface ForEachStep extends Base {
  readonly node: ForEachNode
  readonly body: Step | undefined
}

/** Starts the bodies of the cases that hold. The last of `bodies` is that of `otherwise`. @category models */
export interface MatchStep extends Base {
  readonly node: MatchNode
  readonly bodies: ReadonlyArray<Step | undefined>
}

/** Starts a body again and again. @category models */
export interface LoopStep extends Base {
  readonly node: LoopNode
  readonly body: Step | undefined
}

/** Starts a body beside the chain. @category models */
export interface SideStep extends Base {
  readonly node: SideNode
  readonly body: Step | undefined
}

/** Every other step. @category models */
export interface PlainStep extends Base {
  readonly node: CollectNode | SubFlowNode | PointNode | SleepNode | ResultNode
}

/** A step of a plan. @category models */
export type Step = ChunkStep | BatchStep | ForEachStep | MatchStep | LoopStep | SideStep | PlainStep

/** What a trigger brings about. @category models */
export interface Listener {
  /** The chain's place among the chains of the flow, which is the order of replies. */
  readonly chain: number
  readonly entry: Step | undefined
  /** Under which name the value is given to an `any` chain. */
  readonly tag: string | undefined
  /** The gate that the value fills a slot of, and which one. */
  readonly gate: Gate | undefined
  readonly slot: string
}

/** A place where the values of several triggers wait for each other. @category models */
export interface Gate {
  readonly id: number
  readonly chain: number
  readonly entry: Step | undefined
  readonly slots: ReadonlyArray<string>
  readonly by: Readonly<Record<string, Pure>> | undefined
  readonly scope: "root" | "execution"
}

/** A field of the state. @category models */
export interface Field {
  readonly codec: Codec.Codec
  /** The codec of the items where the field is a list. */
  readonly item: Codec.Codec | undefined
}

/** A compiled flow. @category models */
export interface Plan {
  readonly data: FlowData
  readonly steps: ReadonlyArray<Step>
  readonly start: ReadonlyArray<Listener>
  readonly signals: ReadonlyMap<string, ReadonlyArray<Listener>>
  readonly states: ReadonlyMap<string, ReadonlyArray<Listener>>
  readonly collectors: ReadonlyMap<string, ReadonlyArray<Listener>>
  /** Where values wait for each other: the number of gates, and the names of collectors; absent where nowhere. */
  readonly joins: { readonly gates: number; readonly collectors: ReadonlySet<string> } | undefined
  readonly fields: ReadonlyMap<string, Field>
  /** The shared fields that chains listen to. */
  readonly shared: ReadonlySet<string>
  readonly input: Codec.Codec
  readonly stream: Codec.Codec
  readonly result: Codec.Codec | undefined
  readonly codecs: {
    readonly signals: ReadonlyMap<string, { readonly payload: Codec.Codec; readonly reply: Codec.Codec | undefined }>
    readonly interrupts: ReadonlyMap<string, { readonly payload: Codec.Codec; readonly resume: Codec.Codec }>
    readonly intervention: Codec.Codec
  }
}

const none: ReadonlyArray<Listener> = []

// An AST of a field is the AST of a Schema without services: the contract admits no others.
const schemaOf = (ast: AST.AST): Schema.Codec<unknown, unknown> => Schema.make<Schema.Codec<unknown, unknown>>(ast)

const fieldsOf = (schema: Schema.Codec<unknown, unknown>): ReadonlyMap<string, Field> => {
  const fields = new Map<string, Field>()
  const ast = schema.ast
  if (!AST.isObjects(ast)) return fields
  for (const { name, type } of ast.propertySignatures) {
    if (typeof name !== "string") continue
    // What is asked of a list as a whole can only be asked of the whole list.
    const free = type.encoding === undefined && type.checks === undefined
    const item = AST.isArrays(type) && type.elements.length === 0 && free ? type.rest[0] : undefined
    fields.set(name, {
      codec: Codec.of(schemaOf(type)),
      item: item === undefined ? undefined : Codec.of(schemaOf(item))
    })
  }
  return fields
}

/** A step while it is being made: what follows it is known last. */
type Draft = { -readonly [K in keyof Base]: Base[K] } & { node: Step["node"] }

class Compiler {
  readonly steps: Array<Step> = []
  readonly start: Array<Listener> = []
  readonly signals = new Map<string, Array<Listener>>()
  readonly states = new Map<string, Array<Listener>>()
  readonly collectors = new Map<string, Array<Listener>>()
  readonly chunks = new Map<string, Array<Listener>>()
  readonly shared = new Set<string>()
  gates = 0

  listeners(map: Map<string, Array<Listener>>, key: string): Array<Listener> {
    const list = map.get(key) ?? []
    map.set(key, list)
    return list
  }

  /** Compiles a body from its end, since a step knows the one behind it. */
  body(body: Body): Step | undefined {
    let next: Step | undefined
    for (const node of body.toReversed()) {
      const draft: Draft = { id: this.steps.length, next, node }
      // Takes its number before the bodies inside take theirs; made whole below.
      const step = draft as Step
      this.steps.push(step)
      Object.assign(draft, this.parts(node))
      next = step
    }
    return next
  }

  parts(node: Step["node"]): object {
    switch (node.kind) {
      case "chunk":
        return { listeners: this.listeners(this.chunks, node.name) }
      case "batch":
        return { bodies: node.branches.map(([, body]) => this.body(body)) }
      case "match":
        return { bodies: [...node.cases.map(({ body }) => this.body(body)), this.body(node.otherwise ?? [])] }
      case "forEach":
      case "loop":
      case "side":
        return { body: this.body(node.body) }
      default:
        return {}
    }
  }

  subscribe(source: SingleTrigger | { readonly _tag: "start" }, listener: Listener): void {
    switch (source._tag) {
      case "start":
        this.start.push(listener)
        return
      case "signal":
        this.listeners(this.signals, source.signal.name).push(listener)
        return
      case "state":
        this.listeners(this.states, source.key).push(listener)
        return
      case "flowData":
        this.shared.add(source.key)
        this.listeners(this.signals, sharedSignal(source.key)).push(listener)
        return
      case "chunk":
        this.listeners(this.chunks, source.chunk).push(listener)
        return
      case "collect":
        this.listeners(this.collectors, source.collector.name).push(listener)
        return
    }
  }

  chain({ trigger, body }: ChainData, chain: number): void {
    const entry = this.body(body)
    const plain: Listener = { chain, entry, tag: undefined, gate: undefined, slot: "" }
    switch (trigger._tag) {
      case "any":
        for (const [name, source] of trigger.of) this.subscribe(source, trigger.named ? { ...plain, tag: name } : plain)
        return
      case "all": {
        const gate: Gate = {
          id: this.gates++,
          chain,
          entry,
          slots: trigger.of.map(([name]) => name),
          by: trigger.by,
          scope: trigger.scope
        }
        for (const [slot, source] of trigger.of) this.subscribe(source, { ...plain, gate, slot })
        return
      }
      default:
        this.subscribe(trigger, plain)
    }
  }
}

const joinsOf = ({ gates, steps }: Compiler): Plan["joins"] => {
  const collectors = new Set(steps.flatMap(({ node }) => (node.kind === "collect" ? [node.collector.name] : [])))
  return gates === 0 && collectors.size === 0 ? undefined : { gates, collectors }
}

const compile = (data: FlowData): Plan => {
  const compiler = new Compiler()
  data.chains.forEach((chain, index) => compiler.chain(chain, index))
  const { contract } = data
  return {
    data,
    steps: compiler.steps,
    joins: joinsOf(compiler),
    start: compiler.start,
    signals: compiler.signals,
    states: compiler.states,
    collectors: compiler.collectors,
    fields: fieldsOf(contract.state),
    shared: compiler.shared,
    input: Codec.of(contract.input),
    stream: Codec.of(contract.stream),
    result: contract.result === undefined ? undefined : Codec.of(contract.result),
    codecs: {
      signals: new Map(
        contract.signals.map(({ name, payload, reply }) => [
          name,
          { payload: Codec.of(payload), reply: reply === undefined ? undefined : Codec.of(reply) }
        ])
      ),
      interrupts: new Map(
        contract.interrupts.map(({ name, payload, resume }) => [
          name,
          { payload: Codec.of(payload), resume: Codec.of(resume) }
        ])
      ),
      intervention: Codec.of(contract.intervention)
    }
  }
}

/** What the executions of a flow share. @category models */
export interface SharedFields {
  readonly fields: ReadonlyMap<string, Field>
  /** What the fields are before anybody writes them. */
  readonly initial: ReadonlyMap<string, unknown>
}

const sharedFields = new WeakMap<ContractData, SharedFields>()

/** The shared fields of a contract. @category getters */
export const sharedOf = (contract: ContractData): SharedFields => {
  const known = sharedFields.get(contract)
  if (known !== undefined) return known
  const shared: SharedFields = {
    fields: contract.shared === undefined ? new Map() : fieldsOf(contract.shared),
    initial: new Map(Object.entries(Codec.freeze(contract.initialShared ?? {})))
  }
  sharedFields.set(contract, shared)
  return shared
}

/** The name under which writes of a shared field come as a signal: no signal of a contract has it. @category getters */
export const sharedSignal = (key: string): string => `\u0000shared ${key}`

const plans = new WeakMap<FlowData, Plan>()

/** The plan of a flow. @category constructors */
export const of = (data: FlowData): Plan => {
  const known = plans.get(data)
  if (known !== undefined) return known
  const plan = compile(data)
  plans.set(data, plan)
  return plan
}

/** Who listens to a signal. @category getters */
export const listeners = (map: ReadonlyMap<string, ReadonlyArray<Listener>>, key: string): ReadonlyArray<Listener> =>
  map.get(key) ?? none

/** What a collector needs before it gives anything. @category getters */
export const branchesOf = (collector: CollectorData): ReadonlyArray<string> => collector.branches.map(([name]) => name)

const initials = new WeakMap<Plan, ReadonlyArray<readonly [string, never]>>()

/** The fields of the initial state as JSON; those that do not fit were found by the check of the flow. @category getters */
export const initialOf = (plan: Plan): ReadonlyArray<readonly [string, never]> => {
  const known = initials.get(plan)
  if (known !== undefined) return known
  const made = Object.entries(plan.data.contract.initial).flatMap(([key, value]) => {
    const json = plan.fields.get(key)?.codec.encode(value)
    // JSON by its codec.
    return json !== undefined && Result.isSuccess(json) ? [[key, json.success as never] as const] : []
  })
  initials.set(plan, made)
  return made
}

/** Any trigger. @category models */
export type { TriggerData }
