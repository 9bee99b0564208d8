/**
 * What is known of the values that move through a flow, by where they stand: which Schema of the contract, a collector
 * or a chunk admits them. Snapshots use it where a value is not plain data.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Codec from "../engine/Codec.ts"
import type { ChunkNode, FlowData, SingleTrigger, TriggerData } from "../Node.ts"
import type * as Plans from "../engine/Plan.ts"
import { type Plan, sharedSignal, type Step } from "../engine/Plan.ts"
import * as StepKey from "../definition/StepKey.ts"
import { type Form, list, oneOf, plain } from "./Values.ts"

/**
 * The keys of the steps of a plan, and the forms of the values at them.
 *
 * @category models
 */
export class Forms {
  /** Keys of chains, in their order. */
  readonly chains: ReadonlyArray<string>
  readonly keys = new Map<Step, string>()
  readonly steps = new Map<string, Step>()
  /** Keys that several steps have: a definition that is not valid. */
  readonly ambiguous = new Set<string>()
  /** What a step is given. */
  readonly inputs = new Map<Step, Form>()
  /** What a step gives. */
  readonly outputs = new Map<Step, Form>()
  /** What the bodies of a step end with, in their order. */
  readonly bodies = new Map<Step, ReadonlyArray<Form>>()
  readonly error: Form
  readonly input: Form
  /** Every answer that the contract admits. */
  readonly answers: Form

  /** The gates of the plan, by their number: the key of the chain, and what comes to it. */
  readonly gates: ReadonlyArray<{ readonly key: string; readonly form: (slot: string) => Form }>

  private readonly named = new Map<string, Schema.Codec<unknown, unknown>>()
  private readonly known = new Map<string, Form>()

  constructor(plan: Plan) {
    const { data } = plan
    const { contract } = data
    this.chains = StepKey.chainKeys(data)
    const keys = StepKey.stepKeys(data)
    for (const step of plan.steps) {
      const key = keys.get(step.node) ?? ""
      if (this.steps.has(key)) this.ambiguous.add(key)
      this.keys.set(step, key)
      this.steps.set(key, step)
    }
    this.input = this.name("the input", contract.input)
    this.error = contract.error === undefined ? plain : this.name("the error", contract.error)
    for (const { name, payload, reply } of contract.signals) {
      this.name(`signal ${name}`, payload)
      if (reply !== undefined) this.name(`the reply to ${name}`, reply)
    }
    for (const { name, payload, resume } of contract.interrupts) {
      this.name(`interrupt ${name}`, payload)
      this.name(`the answer to ${name}`, resume)
    }
    // A chunk may give one of its own, too.
    const guess = (form: Form): Form => (form._tag === "schema" ? { ...form, guess: true } : form)
    this.answers = oneOf(...contract.interrupts.map(({ name }) => guess(this.of(`the answer to ${name}`))))
    if (AST.isObjects(contract.state.ast))
      for (const { name, type } of contract.state.ast.propertySignatures)
        // A field of a contract without services is a Schema without services.
        if (typeof name === "string") this.name(`state.${name}`, Schema.make<Schema.Codec<unknown, unknown>>(type))
    if (contract.shared !== undefined && AST.isObjects(contract.shared.ast))
      for (const { name, type } of contract.shared.ast.propertySignatures)
        // As above.
        if (typeof name === "string")
          this.name(`signal ${sharedSignal(name)}`, Schema.make<Schema.Codec<unknown, unknown>>(type))
    const entries: ReadonlyArray<readonly [TriggerData, Step | undefined]> = data.chains.map(({ body, trigger }) => [
      trigger,
      body[0] === undefined ? undefined : this.steps.get(keys.get(body[0]) ?? "")
    ])
    for (const [trigger, entry] of entries) this.walk(entry, this.trigger(trigger))
    // The plan numbers gates in the order of their chains.
    this.gates = data.chains.flatMap(({ trigger }, index) => {
      if (trigger._tag !== "all") return []
      const form = this.trigger(trigger)
      const slot = (name: string) => (form._tag === "record" ? form.fields.get(name) : undefined) ?? plain
      return { key: this.chains[index] ?? "", form: slot }
    })
  }

  /** The form of what a Schema with a name admits; plain where there is none. */
  of(name: string): Form {
    return this.known.get(name) ?? plain
  }

  /** The codec of a Schema by its name; `[]` behind a name is what its lists are made of. */
  readonly codec = (name: string): Codec.Codec | undefined => {
    const schema = this.named.get(name)
    if (schema !== undefined) return Codec.of(schema)
    if (!name.endsWith("[]")) return undefined
    const form = this.item(this.of(name.slice(0, -2)))
    return form._tag === "schema" ? form.codec : undefined
  }

  private name(name: string, schema: Schema.Codec<unknown, unknown>): Form {
    this.named.set(name, schema)
    const form: Form = { _tag: "schema", name, codec: Codec.of(schema) }
    this.known.set(name, form)
    return form
  }

  /** What the items of a value of a form are; a value that is no list is an item itself. */
  itemOf(form: Form): Form {
    return oneOf(this.item(form), form)
  }

  private item(form: Form): Form {
    switch (form._tag) {
      case "list":
        return form.item
      case "oneOf":
        return oneOf(...form.of.map((one) => this.item(one)))
      case "schema": {
        const ast = this.named.get(form.name)?.ast
        if (ast === undefined || !AST.isArrays(ast) || ast.elements.length > 0 || ast.encoding !== undefined)
          return plain
        const rest = ast.rest[0]
        const known = this.known.get(`${form.name}[]`)
        if (known !== undefined) return known
        // An item of a Schema without services is one too.
        return rest === undefined
          ? plain
          : this.name(`${form.name}[]`, Schema.make<Schema.Codec<unknown, unknown>>(rest))
      }
      default:
        return plain
    }
  }

  /** The forms of the fields of a value, as far as they are known. */
  private fieldsOf(form: Form): ReadonlyMap<string, Form> {
    if (form._tag === "record") return form.fields
    const ast = form._tag === "schema" ? this.named.get(form.name)?.ast : undefined
    if (form._tag !== "schema" || ast === undefined || !AST.isObjects(ast) || ast.encoding !== undefined)
      return new Map()
    return new Map(
      ast.propertySignatures.flatMap(({ name, type }): ReadonlyArray<readonly [string, Form]> => {
        if (typeof name !== "string") return []
        const field = `${form.name}.${name}`
        // A field of a Schema without services is one too.
        return [[name, this.known.get(field) ?? this.name(field, Schema.make<Schema.Codec<unknown, unknown>>(type))]]
      })
    )
  }

  /** What a chunk gives: by its own Schema, or the answer that it has waited for. */
  private chunk(node: ChunkNode, key: string): Form {
    const { output } = node.settings
    const name = `chunk ${key}`
    return oneOf(output === undefined ? plain : (this.known.get(name) ?? this.name(name, output)), this.answers)
  }

  private trigger(trigger: TriggerData): Form {
    switch (trigger._tag) {
      case "start":
        return this.input
      case "any":
        return oneOf(
          ...trigger.of.map(([, source]): Form => {
            const form = this.source(source)
            return trigger.named && form._tag !== "plain"
              ? { _tag: "record", fields: new Map([["value", form]]) }
              : form
          })
        )
      case "all":
        return { _tag: "record", fields: new Map(trigger.of.map(([slot, source]) => [slot, this.source(source)])) }
      default:
        return this.source(trigger)
    }
  }

  /** What a source gives. */
  source(source: SingleTrigger): Form {
    switch (source._tag) {
      case "signal":
        return this.of(`signal ${source.signal.name}`)
      case "state":
        return this.of(`state.${source.key}`)
      case "chunk": {
        const step = this.steps.get(source.chunk)
        return step?.node.kind === "chunk" ? this.chunk(step.node, source.chunk) : this.answers
      }
      case "collect":
        return {
          _tag: "record",
          fields: new Map(
            source.collector.branches.map(([branch, schema]) => [
              branch,
              this.branch(source.collector.name, branch, schema)
            ])
          )
        }
      case "flowData":
        return this.of(`signal ${sharedSignal(source.key)}`)
    }
  }

  /** What a branch of a collector is brought. */
  branch(collector: string, branch: string, schema: Schema.Codec<unknown, unknown>): Form {
    const name = `collector ${collector}.${branch}`
    return this.known.get(name) ?? this.name(name, schema)
  }

  // What a body ends with.
  private walk(entry: Step | undefined, form: Form): Form {
    let at = entry
    let value = form
    while (at !== undefined) {
      this.inputs.set(at, oneOf(this.inputs.get(at) ?? plain, value))
      value = this.pass(at, value)
      this.outputs.set(at, value)
      at = at.next
    }
    return value
  }

  private pass(step: Step, value: Form): Form {
    const { node } = step
    switch (node.kind) {
      case "chunk":
        return this.chunk(node, this.keys.get(step) ?? node.name)
      case "batch": {
        // By kind.
        const outs = (step as Plans.BatchStep).bodies.map((body): Form => {
          const of = this.walk(body, value)
          return node.onError === "collect" ? { _tag: "result", of } : of
        })
        this.bodies.set(step, outs)
        const fields = new Map(node.branches.map(([name], slot) => [name, outs[slot] ?? plain]))
        return { _tag: "record", fields: node.keep === true ? new Map([...this.fieldsOf(value), ...fields]) : fields }
      }
      case "forEach": {
        // By kind.
        const out = this.walk((step as Plans.ForEachStep).body, this.itemOf(value))
        const item: Form = node.onError === "collect" ? { _tag: "result", of: out } : out
        this.bodies.set(step, [item])
        return list(item)
      }
      case "match": {
        // By kind.
        const outs = (step as Plans.MatchStep).bodies.map((body) => this.walk(body, value))
        this.bodies.set(step, outs)
        const one = oneOf(value, ...outs)
        return node.mode === "all" ? oneOf(one, list(one)) : one
      }
      case "loop": {
        // By kind. What one round ends with the next one is given.
        const { body } = step as Plans.LoopStep
        const out = oneOf(value, this.walk(body, value))
        this.walk(body, out)
        this.inputs.set(step, out)
        this.bodies.set(step, [out])
        return out
      }
      case "side":
        // By kind.
        this.walk((step as Plans.SideStep).body, value)
        return value
      case "subFlow": {
        const { contract } = node.flow
        const name = `sub-flow ${this.keys.get(step) ?? ""}`
        return this.name(name, contract.result ?? contract.state)
      }
      default:
        return value
    }
  }
}

/** The flows that are parts of a flow, one level down. @category getters */
export const subFlows = (flow: FlowData): ReadonlyArray<FlowData> =>
  StepKey.places(flow).flatMap(({ node }) => (node.kind === "subFlow" ? node.flow : []))

const forms = new WeakMap<Plan, Forms>()

/** The forms of a plan. @category constructors */
export const of = (plan: Plan): Forms => {
  const known = forms.get(plan)
  if (known !== undefined) return known
  const made = new Forms(plan)
  forms.set(plan, made)
  return made
}
