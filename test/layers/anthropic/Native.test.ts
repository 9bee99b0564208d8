import { describe } from "@effect/vitest"
import { nativeMode } from "../wire/Native.ts"
import { wire } from "./wire.ts"

describe("AnthropicCompatible's JSON-Schema mode", () => {
  nativeMode({
    wire,
    dialect: "anthropic",
    title: "Anthropic's structured outputs",
    field: "output_config",
    ticket: {
      format: {
        type: "json_schema",
        schema: {
          type: "object",
          properties: {
            title: { type: "string", description: "One line" },
            stars: { type: "integer", description: "value: >= 1 and <= 5" },
            tags: { type: "array", items: { type: "string" } },
            urgent: { type: "boolean" },
            due: {
              type: ["string", "null"],
              description: "ISO 8601 date-time such as 2025-01-31T09:30:00.000Z"
            },
            from: {
              type: "object",
              properties: { name: { type: "string" }, phone: { type: "string" } },
              required: ["name"],
              additionalProperties: false
            }
          },
          required: ["title", "stars", "tags", "due", "from"],
          additionalProperties: false
        }
      }
    },
    answer: {
      title: "Printer on fire",
      stars: 5,
      tags: ["hot"],
      due: "2026-02-01T09:00:00.000Z",
      from: { name: "Ann" }
    }
  })
})
