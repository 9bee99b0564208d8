/** P4: what making an agent value costs, in time and in bytes, against a frozen record. */
import * as Schema from "effect/Schema"
import * as Agent from "../../src/agent/Agent.ts"
import { type Figure, figure, kept, race } from "./measure.ts"
import { aiSdk, aiSdkTest } from "./peers.ts"

const count = 200_000

/** Holds what was made last, so that no compiler may leave the making out. */
const ring: Array<unknown> = Array.from({ length: 1024 }, () => undefined)
const many = (make: (index: number) => unknown) => () => {
  for (let index = 0; index < count; index++) ring[index & 1023] = make(index)
}

const bytesOf = async (make: (index: number) => unknown): Promise<number> => {
  many(make)()
  const slots = Array.from({ length: count }, () => undefined as unknown)
  const bytes = await kept(() => {
    for (let index = 0; index < count; index++) slots[index] = make(index)
    return slots
  })
  return bytes / count
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const { ToolLoopAgent } = await aiSdk()
  const { MockLanguageModelV4 } = await aiSdkTest()
  const model = new MockLanguageModelV4({})
  const output = Schema.Struct({ title: Schema.String })
  const makers = {
    effigent: () => Agent.make({ name: "triage", instruct: "Triage the letter.", output }),
    "frozen record": () => Object.freeze({ name: "triage", instruct: "Triage the letter.", output }),
    "ai ToolLoopAgent": () => new ToolLoopAgent({ id: "triage", instructions: "Triage the letter.", model })
  }
  const base = makers.effigent()
  const contenders = {
    effigent: many(makers.effigent),
    "frozen record": many(makers["frozen record"]),
    "ai ToolLoopAgent": many(makers["ai ToolLoopAgent"]),
    input: many((index) => Agent.input(base, index))
  }
  const times = await race(contenders, { rounds: 9, warmUp: 3 })
  const each = (name: keyof typeof times) => (times[name] * 1000) / count
  const record = await bytesOf(makers["frozen record"])
  return [
    figure({
      id: "P4",
      value: each("effigent"),
      unit: "us",
      bound: 4 * each("frozen record"),
      anchor: "4x a frozen record of the same keys",
      peers: { "frozen record": each("frozen record"), "ai ToolLoopAgent": each("ai ToolLoopAgent") }
    }),
    figure({
      id: "P4.bytes",
      value: await bytesOf(makers.effigent),
      unit: "B",
      bound: 200,
      anchor: "200 B",
      peers: { "frozen record": record, "ai ToolLoopAgent": await bytesOf(makers["ai ToolLoopAgent"]) }
    }),
    figure({ id: "P4.input", value: each("input"), unit: "us", anchor: "an agent with another input, for orientation" })
  ]
}
