/** Asking the offline model in tests. */
import { Effect, Schema, Stream } from "effect"
import { OfflineModel } from "effigent/layers/offline"
import { Prompt, type Tool } from "effigent/services/Ai"
import type { JsonObject } from "effigent/services/Json"
import { type ModelEvent, ModelProvider, type ModelRequest } from "effigent/services/ModelProvider"

const isJsonObject = Schema.is(Schema.Record(Schema.String, Schema.Json))

export const jsonSchemaOf = (schema: Schema.Constraint): JsonObject => {
  const document = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" })
  const whole: unknown = JSON.parse(JSON.stringify({ ...document.schema, $defs: document.definitions }))
  if (!isJsonObject(whole)) throw new Error("not a JSON Schema")
  return whole
}

/** As the runtime renders it. */
export const rendered = (input: string) =>
  `[INSTRUCT]:\nRead it.\n\n[INPUT]:\n${input}\n\n[OUTPUT REQUIREMENT]:\nData format: JSON\n\n[OUTPUT]:`

export const request = (prompt: string | Prompt.Prompt, over: Partial<ModelRequest> = {}): ModelRequest => ({
  prompt: typeof prompt === "string" ? Prompt.make(prompt) : prompt,
  tools: [],
  output: { name: "answer", format: "text", jsonSchema: { type: "string" }, strict: {}, native: false },
  options: {},
  includeRaw: false,
  attempt: 1,
  ...over
})

export const jsonRequest = (input: string, schema: Schema.Constraint, over: Partial<ModelRequest> = {}): ModelRequest =>
  request(rendered(input), {
    output: { name: "answer", format: "json", jsonSchema: jsonSchemaOf(schema), strict: {}, native: false },
    ...over
  })

export const ask = (of: ModelRequest, options: OfflineModel.Options = {}) =>
  ModelProvider.use((provider) => Stream.runCollect(provider.stream(of))).pipe(
    Effect.provide(OfflineModel.layerWith(options))
  )

export const textOf = (events: ReadonlyArray<ModelEvent>) =>
  events.map((event) => (event._tag === "Text" ? event.text : "")).join("")

export const text = (of: ModelRequest, options?: OfflineModel.Options) => Effect.map(ask(of, options), textOf)

/** The answer to a letter, decoded. */
export const fill = <S extends Schema.Codec<unknown, unknown>>(
  input: string,
  schema: S,
  options?: OfflineModel.Options
): Effect.Effect<S["Type"], unknown> =>
  Effect.flatMap(text(jsonRequest(input, schema), options), (answer) =>
    Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.toCodecJson(schema)), { onExcessProperty: "error" })(answer)
  )

export const toolRequest = (input: string, tools: ReadonlyArray<Tool.Any>, over: Partial<ModelRequest> = {}) =>
  request(input, { tools, ...over })
