/** What the studio tells of a project before anything runs: its agents, its flows, and pictures of them. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json, JsonObject } from "../../../services/Json.ts"
import * as Agent from "../../../src/agent/Agent.ts"
import { slotsOf } from "../../../src/agent/Requests.ts"
import * as Picture from "../../../src/triggerflow/definition/Picture.ts"
import * as Shape from "../../../src/triggerflow/definition/Shape.ts"
import type { AnyAgent, AnyFlow } from "../config/Project.ts"
import { named, typed } from "../config/Served.ts"
import type * as Api from "./Api.ts"
import { defaultRoom, requestOf, Room } from "./Rendered.ts"

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

// The beginning of a text, up to the end of a line.
const headline = (text: string): string => {
  const [line = ""] = text.trim().split("\n")
  return line.length > 200 ? `${line.slice(0, 199).toWellFormed()}…` : line
}

const textOf = (value: Json | undefined): string | undefined => {
  if (typeof value === "string") return value === "" ? undefined : value
  if (Array.isArray(value)) return textOf(value.find((item: Json) => typeof item === "string"))
  return undefined
}

/** An agent as it is made. One whose prompt is completed by what lies around it is told without its tools. @category reading */
export const agentOf = (name: string, agent: AnyAgent): Effect.Effect<typeof Api.AgentInfo.Type> =>
  Effect.gen(function* () {
    const { config } = agent
    const room = new Room(defaultRoom)
    const prompt: { [key: string]: Json } = {}
    for (const [key, value] of Object.entries(slotsOf(config))) {
      const json = room.value(value)
      if (json !== undefined && json !== null) prompt[key] = json
    }
    const { input } = prompt
    // It is rendered as it would be with an input; where it has none, any does.
    const asked = config.input === undefined ? agent.pipe(Agent.input("")) : agent
    const request = yield* Effect.result(Agent.preview(named(asked, name)))
    const rendered = Result.isSuccess(request) ? requestOf(room, "", request.success) : undefined
    const description = textOf(prompt["instruct"]) ?? textOf(prompt["system"]) ?? textOf(prompt["developer"])
    return {
      name,
      prompt,
      actions: rendered?.tools ?? [],
      ...(description === undefined ? {} : { description: headline(description) }),
      ...(config.model === undefined ? {} : { model: config.model }),
      ...(rendered === undefined ? {} : { format: rendered.output.format }),
      ...(input === undefined ? {} : { input }),
      ...(rendered !== undefined && config.output !== undefined && isObject(rendered.output.jsonSchema)
        ? { output: rendered.output.jsonSchema }
        : {})
    }
  })

/** A flow as it is defined. @category reading */
export const flowOf = (flow: AnyFlow, name: string): typeof Api.FlowInfo.Type => {
  const { contract } = flow.data
  const json = Shape.jsonSchemaOf
  const optional = (schema: Parameters<typeof json>[0] | undefined) => (schema === undefined ? null : json(schema))
  const byName = <A, B>(items: ReadonlyArray<A>, name: (item: A) => string, of: (item: A) => B) =>
    Object.fromEntries(items.map((item) => [name(item), of(item)]))
  return {
    name: flow.name,
    path: name,
    ...(contract.version === undefined ? {} : { version: contract.version }),
    fingerprint: Shape.fingerprint(Shape.of(flow.data)),
    contract: {
      input: json(contract.input),
      state: json(contract.state),
      stream: json(contract.stream),
      result: optional(contract.result),
      error: optional(contract.error),
      signals: byName(
        contract.signals,
        ({ name }) => name,
        ({ payload, reply }) => ({ payload: json(payload), reply: optional(reply) })
      ),
      interrupts: byName(
        contract.interrupts,
        ({ name }) => name,
        ({ payload, resume }) => ({ payload: json(payload), resume: json(resume) })
      )
    }
  }
}

/** The picture of a flow. @category reading */
export const graphOf = (flow: AnyFlow): Api.Graph => {
  const { edges, items } = Picture.of(typed(flow))
  const groups: Array<string> = []
  const nodes: Array<Api.Graph["nodes"][number]> = []
  for (const item of items) {
    const parent = groups.at(-1)
    const inside = parent === undefined ? {} : { parent }
    if (item._tag === "close") groups.pop()
    else if (item._tag === "open") {
      nodes.push({ id: item.id, shape: "group", label: item.label, key: item.key, ...inside })
      groups.push(item.id)
    } else {
      const key = item.key === undefined || item.key === "" ? {} : { key: item.key }
      nodes.push({ id: item.id, shape: item.shape, label: item.label, ...key, ...inside })
    }
  }
  return {
    nodes,
    edges: edges.map(({ dotted, from, label, to }) => ({
      from,
      to,
      ...(label === undefined ? {} : { label }),
      ...(dotted ? { dotted } : {})
    }))
  }
}
