/** What was run, in digests: two runs with equal parts can be compared without a word. */
import * as Result from "effect/Result"
import { canonical, type Json, type JsonObject } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import { slotsOf } from "../agent/Requests.ts"
import * as Contract from "../output/Contract.ts"
import * as Output from "../output/Output.ts"
import * as Text from "../prompt/Text.ts"
import type { FlowData } from "../triggerflow/Node.ts"
import * as Shape from "../triggerflow/definition/Shape.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Fingerprint } from "./Report.ts"

const jsonOf = (value: unknown): Json => Result.getOrElse(Text.toJson("fingerprint", value), () => String(value))

const digestOf = (value: unknown): string => Shape.hash(canonical(jsonOf(value)))

/**
 * The parts of an agent: its prompt without the input, its model and sampling options, its output contract, its settings,
 * the actions that it is offered. What lies around it (guards, hooks, validators, knowledge) is code and does not count.
 *
 * @category fingerprint
 */
export const agentParts = <A, E, R>(agent: Agent.Agent<A, E, R>): { readonly [part: string]: string } => {
  const { config } = agent
  const { input: _input, ...slots } = slotsOf(config)
  const { ensureAllKeys, ensureKeys, format, maxRetries, model, native, onExhausted, options, output, repair } = config
  const acts = Agent.actsOf(agent)
  return {
    prompt: digestOf(slots),
    model: digestOf({ model, options }),
    output: digestOf({
      schema: output === undefined ? "text" : Shape.jsonSchemaOf(schemaOf(output)),
      // The marks of a Schema stand in no JSON Schema.
      marked: output === undefined ? [] : markedIn(output),
      ensureKeys,
      ensureAllKeys,
      format,
      native,
      onExhausted,
      maxRetries,
      repair
    }),
    actions: digestOf(
      acts === undefined
        ? []
        : (acts.offer().tools ?? []).map((tool) => ({
            name: tool.name,
            description: tool.description,
            input: Tool.getJsonSchema(tool)
          }))
    )
  }
}

const markedIn = (output: Output.Source) =>
  Contract.compile(Output.toSchema(output)).ensureKeys.map(({ level, path }) => [path, level])

const schemaOf = (output: Output.Source) =>
  // Only its JSON Schema is asked for, which no service takes part in.
  Output.toSchema(output) as unknown as Parameters<typeof Shape.jsonSchemaOf>[0]

/** The part of a flow: its own fingerprint. @category fingerprint */
export const flowParts = (data: FlowData): { readonly [part: string]: string } => ({
  flow: Shape.fingerprint(Shape.of(data))
})

/** The part of what stands in JSON. @category fingerprint */
export const jsonPart = (json: Json | JsonObject): string => Shape.hash(canonical(json))

/** All parts together. @category fingerprint */
export const whole = (parts: { readonly [part: string]: string }): Fingerprint => ({
  whole: Shape.hash(canonical(parts)),
  parts
})
