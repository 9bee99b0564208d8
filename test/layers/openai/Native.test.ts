import { describe } from "@effect/vitest"
import { nativeMode } from "../wire/Native.ts"
import { responsesWire } from "./responsesWire.ts"
import { wire } from "./wire.ts"

const ticket = {
  type: "object",
  properties: {
    title: { type: "string", description: "One line" },
    stars: { type: "integer", minimum: 1, maximum: 5 },
    tags: { type: "array", items: { type: "string" } },
    urgent: { type: ["boolean", "null"] },
    due: {
      type: ["string", "null"],
      description: "ISO 8601 date-time such as 2025-01-31T09:30:00.000Z"
    },
    from: {
      type: "object",
      properties: { name: { type: "string" }, phone: { type: ["string", "null"] } },
      required: ["name", "phone"],
      additionalProperties: false
    }
  },
  required: ["title", "stars", "tags", "urgent", "due", "from"],
  additionalProperties: false
}

// Every key is required there, so that what is absent comes as null.
const answer = {
  title: "Printer on fire",
  stars: 5,
  tags: ["hot"],
  urgent: null,
  due: "2026-02-01T09:00:00.000Z",
  from: { name: "Ann", phone: null }
}

const tree = {
  type: "object",
  properties: { v: { type: "string" }, kids: { type: "array", items: { $ref: "#" } } },
  required: ["v", "kids"],
  additionalProperties: false
}

describe("OpenAICompatible's JSON-Schema mode", () => {
  nativeMode({
    wire,
    dialect: "openai",
    title: "OpenAI's strict mode",
    field: "response_format",
    ticket: { type: "json_schema", json_schema: { name: "Ticket", strict: true, schema: ticket } },
    answer,
    tree: { type: "json_schema", json_schema: { name: "Tree", strict: true, schema: tree } }
  })
})

describe("OpenAIResponsesCompatible's JSON-Schema mode", () => {
  nativeMode({
    wire: responsesWire,
    dialect: "openai",
    title: "OpenAI's strict mode",
    field: "text",
    ticket: { format: { type: "json_schema", name: "Ticket", strict: true, schema: ticket } },
    answer,
    tree: { format: { type: "json_schema", name: "Tree", strict: true, schema: tree } }
  })
})
