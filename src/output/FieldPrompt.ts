/**
 * The output contract in words for the field formats: what each field is, a skeleton of the answer with a place for every
 * field, the rules of the format, then the same field requirements as for JSON.
 */
import type { OutputFormat } from "../../services/ModelProvider.ts"
import type { Demands } from "./Check.ts"
import * as Render from "./Render.ts"
import type { Part } from "./Wire.ts"
import * as Wire from "./Wire.ts"

type FieldFormat = Exclude<OutputFormat, "json" | "text">

const titles: { readonly [K in FieldFormat]: string } = {
  flatMarkdown: "Structured Markdown",
  hybrid: "Structured Markdown with JSON blocks",
  xmlField: "XML fields",
  yamlLiteral: "YAML with literal blocks"
}

const rules: { readonly [K in FieldFormat]: ReadonlyArray<string> } = {
  flatMarkdown: [
    "Begin each field with its heading line, in this order, and write nothing before the first heading.",
    "Text is written as it is. A text that holds a heading line of this list itself goes under `### name JSON` as a JSON string."
  ],
  hybrid: [
    "Begin each field with its heading line, in this order, and write nothing before the first heading.",
    "Text is written as it is. A text that holds a heading line of this list itself goes under `### name JSON` as a JSON string."
  ],
  xmlField: [
    "Write one <answer> with one <field> for each name, in this order, and nothing around it.",
    "Text is written as it is and does not need XML entity escaping; JSON fields hold valid JSON."
  ],
  yamlLiteral: [
    "Write the boundary lines as they are, and nothing around them.",
    "Text fields are literal block scalars: every line of the text is indented by two spaces. JSON fields hold JSON on one line."
  ]
}

const isText = ({ node, nullable }: Part): boolean => node.kind === "string" && node.values === undefined && !nullable

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ")

const kindOf = (part: Part): string => {
  if (isText(part)) return "text"
  const type = Wire.isLeaf(part.node) ? ` ${Render.typeOf(part)}` : ""
  return `JSON${type}${part.nullable && type !== "" ? " or null" : ""}`
}

const here = "(your content here)"

const skeleton = (format: FieldFormat, key: string, part: Part): ReadonlyArray<string> => {
  const text = isText(part)
  const json = text ? [] : Render.structure(part, [key])
  switch (format) {
    case "flatMarkdown":
      return [`### ${key}`, ...(text ? [here] : json), ""]
    case "hybrid":
      return text ? [`### ${key}`, here, ""] : [`### ${key} JSON`, "```json", ...json, "```", ""]
    case "xmlField":
      return [`<field name="${key}" type="${text ? "text" : "json"}">`, ...(text ? [here] : json), "</field>"]
    case "yamlLiteral":
      return text ? [`${key}: |-`, `  ${here}`] : [`${key}: ${json.map((line) => line.trim()).join(" ")}`]
  }
}

const frame: { readonly [K in FieldFormat]: readonly [open: ReadonlyArray<string>, close: ReadonlyArray<string>] } = {
  flatMarkdown: [[], []],
  hybrid: [[], []],
  xmlField: [["<answer>"], ["</answer>"]],
  yamlLiteral: [["<<<BEGIN YAML>>>"], ["<<<END YAML>>>"]]
}

/**
 * The body of the OUTPUT REQUIREMENT section for an answer in a field format.
 *
 * @param root an object with declared keys: see `FieldScanner.unfit`
 * @category rendering
 */
export const render = (format: FieldFormat, root: Part, demands: Demands): string => {
  const fields = root.node.kind === "object" ? root.node.fields : []
  const [open, close] = frame[format]
  const body = fields.flatMap(({ key, part }) => skeleton(format, key, part))
  if (body.at(-1) === "") body.pop()
  return [
    `Data Format: ${titles[format]}`,
    ...(root.description === undefined ? [] : [`Data: ${oneLine(root.description)}`]),
    "Fields:",
    ...fields.map(({ key, part }) => {
      const said = part.description === undefined ? "" : `; ${oneLine(part.description)}`
      return `- ${key}: ${kindOf(part)}${said}`
    }),
    "",
    "Response skeleton:",
    ...open,
    ...body,
    ...close,
    "",
    ...rules[format],
    ...Render.demanded(root, demands)
  ].join("\n")
}
