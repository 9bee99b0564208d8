/** Streams as the three protocols send them, frame by frame, each ending with its proof of success. */

export interface Recording {
  readonly name: string
  readonly frames: ReadonlyArray<string>
  /** Whether its reasoning stands in the text, so that the text is another one while it is cut. */
  readonly inline?: boolean
}

const long = Array.from({ length: 12 }, (_, n) => `${n}: Grüße aus "Köln" \\ 😀\n`)

// Chat completions.

const chunk = (choice: object, more: object = {}) =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", model: "m", choices: [{ index: 0, finish_reason: null, ...choice }], ...more })}\n\n`
const say = (content: string) => chunk({ delta: { content } })
const tools = (...tool_calls: ReadonlyArray<object>) => chunk({ delta: { tool_calls } })
const chatEnd = (finish_reason: string) => [
  chunk({ delta: {}, finish_reason }),
  `data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"prompt_tokens_details":null}}\n\n`,
  "data: [DONE]\n\n"
]
const chatStart = chunk({ delta: { role: "assistant", content: "" } })

export const chat: ReadonlyArray<Recording> = [
  { name: "text", frames: [chatStart, ...long.map(say), ...chatEnd("stop")] },
  {
    name: "reasoning",
    frames: [
      chatStart,
      ...["let me", " see: ", "6 × 7"].map((reasoning_content) =>
        chunk({ delta: { content: null, reasoning_content } })
      ),
      ...['{"answer":', " 42", "}"].map(say),
      ...chatEnd("stop")
    ]
  },
  {
    name: "inline reasoning",
    inline: true,
    frames: [chatStart, ...["<th", "ink>\nlet me", " see</thi", "nk>\n\n4", "2"].map(say), ...chatEnd("stop")]
  },
  {
    name: "tools",
    frames: [
      chatStart,
      say("one moment"),
      tools({ index: 0, id: "a", type: "function", function: { name: "get", arguments: "" } }),
      tools({ index: 1, id: "b", type: "function", function: { name: "put", arguments: "" } }),
      tools({ index: 0, function: { arguments: `{"city":` } }),
      tools({ index: 1, function: { arguments: `{"x":[1,` } }, { index: 0, function: { arguments: `"Köln"}` } }),
      tools({ index: 1, function: { arguments: "2]}" } }),
      ...chatEnd("tool_calls")
    ]
  }
]

// Messages and responses name each event.

const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`

const block = (index: number, content_block: object) => event("content_block_start", { index, content_block })
const delta = (index: number, delta: object) => event("content_block_delta", { index, delta })
const stop = (index: number) => event("content_block_stop", { index })
const texts = (index: number, texts: ReadonlyArray<string>) => [
  block(index, { type: "text", text: "" }),
  ...texts.map((text) => delta(index, { type: "text_delta", text })),
  stop(index)
]
const tool = (index: number, id: string, pieces: ReadonlyArray<string>) => [
  block(index, { type: "tool_use", id, name: "get", input: {} }),
  ...pieces.map((partial_json) => delta(index, { type: "input_json_delta", partial_json })),
  stop(index)
]
const messageStart = event("message_start", {
  message: { id: "m1", role: "assistant", model: "m", content: [], stop_reason: null, usage: { input_tokens: 9 } }
})
const messageEnd = (stop_reason: string) => [
  event("message_delta", { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 12 } }),
  event("message_stop")
]

export const messages: ReadonlyArray<Recording> = [
  { name: "text", frames: [messageStart, event("ping"), ...texts(0, long), ...messageEnd("end_turn")] },
  {
    name: "thinking",
    frames: [
      messageStart,
      block(0, { type: "thinking", thinking: "", signature: "" }),
      ...["let me", " see: ", "6 × 7"].map((thinking) => delta(0, { type: "thinking_delta", thinking })),
      delta(0, { type: "signature_delta", signature: "SIG==" }),
      stop(0),
      ...texts(1, [`{"answer":`, " 42", "}"]),
      ...messageEnd("end_turn")
    ]
  },
  {
    name: "tools",
    frames: [
      messageStart,
      ...texts(0, ["one", " moment"]),
      ...tool(1, "a", [`{"city":`, `"Köln"}`]),
      ...tool(2, "b", ["", `{"x":[1,`, "2]}"]),
      ...messageEnd("tool_use")
    ]
  }
]

const where = (output_index: number) => ({ output_index, item_id: `item_${output_index}`, content_index: 0 })
const message = (output_index: number, pieces: ReadonlyArray<string>) => {
  const text = pieces.join("")
  const item = { type: "message", id: `item_${output_index}`, role: "assistant" }
  return [
    event("response.output_item.added", { output_index, item: { ...item, content: [] } }),
    event("response.content_part.added", { ...where(output_index), part: { type: "output_text", text: "" } }),
    ...pieces.map((delta) => event("response.output_text.delta", { ...where(output_index), delta })),
    event("response.output_text.done", { ...where(output_index), text }),
    event("response.content_part.done", { ...where(output_index), part: { type: "output_text", text } }),
    event("response.output_item.done", { output_index, item: { ...item, content: [{ type: "output_text", text }] } })
  ]
}
const call = (output_index: number, id: string, pieces: ReadonlyArray<string>) => {
  const item = { type: "function_call", id: `fc_${id}`, call_id: id, name: "get" }
  const args = pieces.join("")
  return [
    event("response.output_item.added", { output_index, item: { ...item, arguments: "" } }),
    ...pieces.map((delta) => event("response.function_call_arguments.delta", { ...where(output_index), delta })),
    event("response.function_call_arguments.done", { ...where(output_index), arguments: args }),
    event("response.output_item.done", { output_index, item: { ...item, arguments: args } })
  ]
}
const responseStart = event("response.created", { response: { id: "resp_1", model: "m", status: "in_progress" } })
const responseEnd = event("response.completed", {
  response: { id: "resp_1", model: "m", status: "completed", usage: { input_tokens: 9, output_tokens: 12 } }
})
const summary = { ...where(0), summary_index: 0 }

export const responses: ReadonlyArray<Recording> = [
  { name: "text", frames: [responseStart, ...message(0, long), responseEnd] },
  {
    name: "reasoning",
    frames: [
      responseStart,
      event("response.output_item.added", { output_index: 0, item: { type: "reasoning", id: "item_0", summary: [] } }),
      ...["let me", " see: ", "6 × 7"].map((delta) =>
        event("response.reasoning_summary_text.delta", { ...summary, delta })
      ),
      event("response.reasoning_summary_text.done", { ...summary, text: "let me see: 6 × 7" }),
      event("response.output_item.done", {
        output_index: 0,
        item: { type: "reasoning", id: "item_0", summary: [], encrypted_content: "ENC" }
      }),
      ...message(1, [`{"answer":`, " 42", "}"]),
      responseEnd
    ]
  },
  {
    name: "tools",
    frames: [
      responseStart,
      ...message(0, ["one", " moment"]),
      ...call(1, "a", [`{"city":`, `"Köln"}`]),
      ...call(2, "b", [`{"x":[1,`, "2]}"]),
      responseEnd
    ]
  }
]
