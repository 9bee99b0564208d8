// What the tests of memory share: a model that answers, one that extracts, and what they were told.
import { Effect, Layer } from "effect"
import { Agent } from "effigent"
import { OfflineEmbeddings } from "effigent/layers/offline"
import { KnowledgeStores } from "effigent/layers/store"
import { Memory } from "effigent/memory"
import type { ModelRequest } from "effigent/services/ModelProvider"
import { ScriptedModel } from "effigent/testing"

export const stores = Layer.mergeAll(OfflineEmbeddings.layer, KnowledgeStores.memory)

export const answers = (text: string, options?: ScriptedModel.TextOptions) =>
  ScriptedModel.always(ScriptedModel.text(text, options))

export type Operation =
  | { readonly op: "add"; readonly text: string }
  | { readonly op: "update"; readonly memory: number; readonly text: string }
  | { readonly op: "forget"; readonly memory: number }

export const learns = (operations: ReadonlyArray<Operation>, options?: ScriptedModel.TextOptions) =>
  ScriptedModel.json({ operations }, options)

export const promptOf = ({ prompt }: ModelRequest): string =>
  prompt.content
    .map(({ content }) =>
      typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join("\n")
    )
    .join("\n")

/** An extractor with a script of its own, and the prompts that it was given. */
export const extractor = (
  steps: ReadonlyArray<ScriptedModel.Step> | ScriptedModel.Step
): { readonly agent: Agent.Agent<unknown, never, never>; readonly prompts: Array<string> } => {
  const prompts: Array<string> = []
  const script = Array.isArray(steps) ? [...steps] : undefined
  const step = ScriptedModel.respond((request) => {
    prompts.push(promptOf(request))
    const next = script === undefined ? steps : script.shift()
    return next === undefined || Array.isArray(next) ? learns([]) : (next as ScriptedModel.Step) // one of the two above
  })
  return { agent: Agent.make({}).pipe(Agent.provideModel(ScriptedModel.always(step))), prompts }
}

/** Collects what is reported. */
export const reports = () => {
  const told: Array<Memory.Report> = []
  return { told, report: (report: Memory.Report) => Effect.sync(() => void told.push(report)) }
}

export const texts = (memory: Memory.Memory<unknown>, user: string) =>
  Effect.map(Memory.list(memory, user), (facts) => facts.map(({ text }) => text).toSorted())
