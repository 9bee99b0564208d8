/**
 * `generateObject` of effect/ai on our output contracts: the contract's words go into the prompt, its JSON Schema to
 * providers that have a mode for it, and what came back is read tolerantly and judged with its ensured places.
 */
import * as Effect from "effect/Effect"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Prompt } from "../../services/Ai.ts"
import type { ModelProvider, OutputRequest } from "../../services/ModelProvider.ts"
import * as Contract from "../../src/output/Contract.ts"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import * as StrictJson from "../../src/parse/StrictJson.ts"

type Format = LanguageModel.ProviderOptions["responseFormat"]

const maxDepth = 512

/**
 * Decodes what the model wrote as the contract of the Schema judges it: encoded as JSON, null for what is absent, ensured
 * places there.
 *
 * @category codecs
 */
export const codecTransformer: LanguageModel.CodecTransformer = (schema) => {
  const contract = Contract.compile(schema)
  const codec = Schema.Unknown.pipe(
    Schema.decodeTo(
      Schema.toType(schema),
      SchemaTransformation.transformEffect({
        decode: (value: unknown) =>
          Effect.flatMap(Contract.judge(contract, { found: true, value, repaired: new Set() }), (verdict) =>
            verdict._tag === "Accepted"
              ? Effect.succeed(verdict.value)
              : Effect.fail(
                  new SchemaIssue.InvalidValue({ message: verdict.findings.map(({ message }) => message).join("; ") })
                )
          ),
        encode: (value) => Effect.mapError(Schema.encodeEffect(schema)(value), ({ issue }): SchemaIssue.Issue => issue)
      })
    )
  )
  return { codec, jsonSchema: contract.request.jsonSchema }
}

/** What an operation asks of the answer. @category conversions */
export const outputRequest = (format: Format, provider: ModelProvider["Service"]): OutputRequest => {
  if (format.type === "text") return Contract.text.request
  const { request } = Contract.compile(format.schema)
  const name = format.objectName.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 64)
  const native = provider.dialect !== undefined && request.strict[provider.dialect] !== undefined
  return { ...request, name: name === "" ? request.name : name, native }
}

/**
 * The prompt with the contract's words in its system message: at the very beginning, where every chat template takes
 * one. The history of a `Chat` never sees them.
 *
 * @category conversions
 */
export const withRequirement = (prompt: Prompt.Prompt, format: Format): Prompt.Prompt => {
  const text = format.type === "text" ? undefined : Contract.compile(format.schema).promptText
  if (text === undefined) return prompt
  const said = `[OUTPUT REQUIREMENT]:\n${text}`
  const [first, ...rest] = prompt.content
  return Prompt.fromMessages(
    first?.role === "system"
      ? [Prompt.makeMessage("system", { content: `${first.content}\n\n${said}`, options: first.options }), ...rest]
      : [Prompt.makeMessage("system", { content: said }), ...prompt.content]
  )
}

/**
 * The content of an answer with its JSON freed of fences and prose, and mended where it was not strict. What is no JSON,
 * or was cut, stays as it is: effect/ai then fails with the whole text.
 *
 * @category reading
 */
export const withJson = (content: Array<Response.PartEncoded>, format: Format): Array<Response.PartEncoded> => {
  if (format.type === "text") return content
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("")
  if (StrictJson.read(text, maxDepth) !== undefined) return content
  const { found, problem, repaired, value } = JsonScanner.parse(text, {
    shape: Contract.compile(format.schema).shape,
    emit: false,
    maxDepth
  })
  if (!found || problem !== undefined || repaired.size > 0) return content
  const json: Response.PartEncoded = { type: "text", text: JSON.stringify(value) }
  const first = content.findIndex(({ type }) => type === "text")
  return content.flatMap((part, at): ReadonlyArray<Response.PartEncoded> =>
    part.type !== "text" ? [part] : at === first ? [json] : []
  )
}
