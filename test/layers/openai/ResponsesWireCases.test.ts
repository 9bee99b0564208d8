/** What endpoints of the Responses protocol send, well or badly, and what the provider has to make of it. */
import { describe, it } from "@effect/vitest"
import { OpenAIResponsesCompatible } from "effigent/layers/openai"
import { runCase, type WireCase } from "../wire/Cases.ts"

const provider = (url: string) =>
  OpenAIResponsesCompatible.make({
    baseUrl: `${url}/v1`,
    model: "m",
    timeouts: { idle: "60 millis", firstToken: "2 seconds" }
  })

const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const created = event("response.created", { response: { id: "resp_1", object: "response", model: "m", output: [] } })
const ended = (status: string, more: object = {}, type = status) =>
  event(`response.${type}`, { response: { id: "resp_1", object: "response", model: "m", status, ...more } })
const completed = ended("completed")
const at = (output_index: number, item_id = `item_${output_index}`) => ({ output_index, item_id })
const added = (output_index: number, item: object | null) => event("response.output_item.added", { output_index, item })
const done = (output_index: number, item: object | null) => event("response.output_item.done", { output_index, item })
const text = (delta: unknown, where: object = at(0)) =>
  event("response.output_text.delta", { ...where, content_index: 0, delta })
const message = (text: string) => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  content: [{ type: "output_text", text, annotations: [] }]
})
const call = (call_id: string, args: string, name = "get") => ({
  type: "function_call",
  id: `fc_${call_id}`,
  call_id,
  name,
  arguments: args
})
const args = (output_index: number, delta: string) =>
  event("response.function_call_arguments.delta", { ...at(output_index), delta })
const reasoning = (more: object) => ({ type: "reasoning", id: "rs_1", summary: [], ...more })
const summary = (delta: string, summary_index: number) =>
  event("response.reasoning_summary_text.delta", { ...at(0), summary_index, delta })
const refusal = (delta: string) => event("response.refusal.delta", { ...at(0), content_index: 0, delta })
const usage = {
  input_tokens: 2006,
  input_tokens_details: { cached_tokens: 1920 },
  output_tokens: 300,
  output_tokens_details: { reasoning_tokens: 250 },
  total_tokens: 2306
}
const hello = [created, text("Hel"), text("lo")]

const whole = [
  created,
  event("response.in_progress", { response: { id: "resp_1" } }),
  added(0, { ...message(""), content: [] }),
  event("response.content_part.added", { ...at(0), content_index: 0, part: { type: "output_text", text: "" } }),
  text("Hel"),
  text("lo"),
  event("response.output_text.done", { ...at(0), content_index: 0, text: "Hello" }),
  event("response.content_part.done", { ...at(0), content_index: 0, part: { type: "output_text", text: "Hello" } }),
  done(0, message("Hello")),
  ended("completed", { output: [message("Hello")], usage })
]

type Row = readonly [name: string, body: WireCase["body"], expect: WireCase["expect"], more?: Partial<WireCase>]

const stop = { text: "Hello", finish: "stop" }

const rows: ReadonlyArray<Row> = [
  [
    "baseline: everything is said three times and counts once",
    whole,
    { ...stop, usage: { in: 2006, out: 300, cached: 1920, reasoning: 250 } }
  ],
  [
    "one byte per packet",
    [created, text("Grüße 😀"), completed],
    { text: "Grüße 😀", finish: "stop" },
    { bytes: true }
  ],
  ["CRLF", [whole.join("").replaceAll("\n", "\r\n")], stop],
  [
    "CRLF cut between packets",
    whole
      .join("")
      .replaceAll("\n", "\r\n")
      .split(/(?<=\r)/),
    stop
  ],
  ["bare CR", [whole.join("").replaceAll("\n", "\r")], stop],
  ["byte order mark, no space after data:", [`\uFEFF${hello.join("").replaceAll("data: ", "data:")}`, completed], stop],
  ["no event lines: the type stands in the data", whole.map((frame) => frame.replace(/^event:.*\n/, "")), stop],
  [
    "no type in the data: it stands in the event line",
    [...hello, completed].map((frame) => frame.replace(/"type":"[^"]*",?/, "")),
    stop
  ],
  [
    "pings: comments, bare colons, events",
    [": ping\n\n", created, ":\n\n", event("ping"), text("Hel"), event("keepalive"), text("lo"), ": x\n\n", completed],
    stop
  ],
  [
    "unknown events, items and parts",
    [
      created,
      event("response.queued", { response: null }),
      added(0, { type: "web_search_call", id: "ws_1", status: "in_progress" }),
      event("response.web_search_call.searching", at(0)),
      done(0, { type: "future_item", content: [{ type: "output_text", text: "XXX" }] }),
      event("response.content_part.added", { ...at(1), content_index: 0, part: { type: "future_part", text: "XXX" } }),
      event("response.output_text.annotation.added", { ...at(1), annotation: { text: "XXX" } }),
      event("response.future", { delta: "XXX" }),
      event("rate_limits.updated", { delta: "XXX" }),
      text("Hello", at(1)),
      completed
    ],
    stop
  ],
  [
    "null and wrong types in every field",
    [
      data({ type: "response.created", response: null }),
      added(0, null),
      done(0, null),
      text(null),
      text(7),
      text({ text: "XXX" }),
      event("response.output_text.delta"),
      event("response.content_part.added", { part: null }),
      event("response.function_call_arguments.delta", { delta: "{}" }),
      data([1]),
      data("XXX"),
      data(null),
      text("Hello"),
      event("response.completed", { response: { usage: null, output: null, incomplete_details: null } })
    ],
    stop
  ],
  ["text in output_text.done alone", [created, event("response.output_text.done", { text: "Hello" }), completed], stop],
  [
    "text in content_part.done alone",
    [created, event("response.content_part.done", { part: { type: "output_text", text: "Hello" } }), completed],
    stop
  ],
  ["text in output_item.done alone", [created, done(0, message("Hello")), completed], stop],
  ["text in response.completed alone", [created, ended("completed", { output: [message("Hello")] })], stop],
  [
    "the end of a text in output_text.done",
    [created, text("Hel"), event("response.output_text.done", { ...at(0), text: "Hello" }), completed],
    stop
  ],
  ["deltas and the whole disagree: deltas stay", [...hello, done(0, message("Howdy, world")), completed], stop],
  [
    "ids of items that change from event to event",
    [
      created,
      added(0, { ...message(""), id: "a" }),
      text("Hel", at(0, "b")),
      text("lo", at(0, "c")),
      done(0, { ...message("Hello"), id: "d" }),
      ended("completed", { output: [{ ...message("Hello"), id: "e" }] })
    ],
    stop
  ],
  [
    "no places in the output, ids alone",
    [
      created,
      text("Hel", { item_id: "msg_1" }),
      text("lo", { item_id: "msg_1" }),
      event("response.output_item.done", { item: message("Hello") }),
      ended("completed", { output: [reasoning({}), message("Hello")] })
    ],
    stop
  ],
  [
    "several messages",
    [created, text("Hel", at(0)), text("lo", at(1)), ended("completed", { output: [message("Hel"), message("lo")] })],
    stop
  ],
  ["a single event of 1 MB", [created, text("x".repeat(1_000_000)), completed], { textLen: 1_000_000, finish: "stop" }],
  ["last event without the blank line", [...hello, completed.trimEnd()], stop],
  ["bytes after the closing event", [...hello, completed, text("XXX"), event("error", { message: "XXX" })], stop],
  ["[DONE] after the closing event", [created, text("Hello"), completed, "data: [DONE]\n\n"], stop],
  ["end without response.completed", hello, { text: "Hello", incomplete: true, retryable: true }],
  [
    "end after output_item.done, without response.completed",
    whole.slice(0, -1),
    { text: "Hello", incomplete: true, retryable: true }
  ],
  ["end after [DONE] alone", [...hello, "data: [DONE]\n\n"], { text: "Hello", incomplete: true }],
  ["end inside the closing event", [...hello, completed.slice(0, -20)], { text: "Hello", incomplete: true }],
  ["a closing event that is still under way", [...hello, ended("in_progress", {}, "completed")], { incomplete: true }],
  ["reset", hello, { error: "ConnectionLost", retryable: true }, { reset: true }],
  ["stall", hello, { error: "TimedOut.*idle", retryable: true }, { stall: true }],
  ["no JSON", [...hello, "data: upstream connect error\n\n"], { text: "Hello", error: "Malformed.*upstream connect" }],
  [
    "response.failed: server_error",
    [...hello, ended("failed", { error: { code: "server_error", message: "boom" } })],
    { text: "Hello", error: "StreamFailed.*boom", retryable: true }
  ],
  [
    "response.failed: rate_limit_exceeded",
    [created, ended("failed", { error: { code: "rate_limit_exceeded", message: "slow down" } })],
    { error: "RateLimited.*slow down", retryable: true }
  ],
  [
    "response.failed: context_length_exceeded",
    [created, ended("failed", { error: { code: "context_length_exceeded", message: "too long" } })],
    { error: "ContextOverflow", retryable: false }
  ],
  [
    "response.failed: a policy",
    [created, ended("failed", { error: { code: "content_policy_violation", message: "no" } })],
    { error: "Refused", retryable: false }
  ],
  [
    "response.failed: insufficient_quota",
    [created, ended("failed", { error: { code: "insufficient_quota", message: "pay" } })],
    { error: "QuotaExhausted", retryable: false }
  ],
  [
    "response.failed: another policy",
    [created, ended("failed", { error: { code: "bio_policy", message: "no" } })],
    { error: "Refused", retryable: false }
  ],
  ["response.failed without an error", [...hello, ended("failed", { error: null })], { error: "was failed" }],
  ["response.cancelled", [...hello, ended("cancelled")], { error: "was cancelled" }],
  [
    "response.completed that says failed",
    [...hello, ended("failed", { error: { code: "server_error", message: "boom" } }, "completed")],
    { error: "StreamFailed.*boom" }
  ],
  [
    "response.incomplete: max_output_tokens",
    [...hello, ended("incomplete", { incomplete_details: { reason: "max_output_tokens" }, usage })],
    { text: "Hello", finish: "length", usage: { in: 2006, out: 300, cached: 1920 } }
  ],
  [
    "response.incomplete: content_filter",
    [...hello, ended("incomplete", { incomplete_details: { reason: "content_filter" } })],
    { text: "Hello", finish: "content-filter" }
  ],
  [
    "response.incomplete for a reason of later times",
    [...hello, ended("incomplete", { incomplete_details: { reason: "moon_phase" } })],
    { text: "Hello", finish: "other" }
  ],
  ["response.incomplete without a reason", [...hello, ended("incomplete")], { finish: "length" }],
  [
    "response.completed that says incomplete",
    [...hello, ended("incomplete", { incomplete_details: { reason: "max_output_tokens" } }, "completed")],
    { finish: "length" }
  ],
  [
    "error event",
    [...hello, event("error", { code: "server_error", message: "boom", param: null })],
    { text: "Hello", error: "StreamFailed.*boom", retryable: true }
  ],
  [
    "error event, nested",
    [...hello, event("error", { error: { type: "server_error", code: null, message: "boom" } })],
    { error: "StreamFailed.*boom", retryable: true }
  ],
  ["error event as text", [created, "event: error\ndata: upstream died\n\n"], { error: "StreamFailed.*upstream died" }],
  ["error event as text in JSON", [created, `event: error\ndata: "died"\n\n`], { error: "StreamFailed.*died" }],
  [
    "error as the first event",
    [event("error", { code: "rate_limit_exceeded", message: "slow down" })],
    { error: "RateLimited", retryable: true }
  ],
  ["error without a type", [data({ error: { message: "quota", code: 429 } })], { error: "RateLimited.*quota" }],
  [
    "a JSON error with status 200",
    [`{"error":{"message":"model not found"}}`],
    { error: "model not found" },
    { headers: { "content-type": "application/json" } }
  ],
  [
    "the whole response as JSON though a stream was asked for",
    [
      JSON.stringify({
        object: "response",
        id: "resp_1",
        status: "completed",
        output: [reasoning({ encrypted_content: "ENC" }), message("Hello"), call("a", `{"x":1}`)],
        usage
      })
    ],
    {
      text: "Hello",
      finish: "tool-calls",
      redacted: "ENC",
      tools: [{ name: "get", args: { x: 1 } }],
      usage: { in: 2006, out: 300, cached: 1920 }
    },
    { headers: { "content-type": "application/json; charset=utf-8" } }
  ],
  ["refusal in deltas", [created, refusal("I can"), refusal("not."), completed], { refusal: "I cannot.", text: "" }],
  [
    "refusal in refusal.done alone",
    [created, event("response.refusal.done", { ...at(0), content_index: 0, refusal: "I cannot." }), completed],
    { refusal: "I cannot." }
  ],
  [
    "refusal in deltas and whole",
    [
      created,
      refusal("I can"),
      refusal("not."),
      event("response.refusal.done", { ...at(0), refusal: "I cannot." }),
      done(0, { type: "message", content: [{ type: "refusal", refusal: "I cannot." }] }),
      completed
    ],
    { refusal: "I cannot." }
  ],
  [
    "a call with its arguments in deltas",
    [
      created,
      added(0, call("a", "")),
      args(0, `{"x":`),
      args(0, "1}"),
      event("response.function_call_arguments.done", { ...at(0), arguments: `{"x":1}` }),
      done(0, call("a", `{"x":1}`)),
      ended("completed", { output: [call("a", `{"x":1}`)] })
    ],
    { tools: [{ name: "get", args: { x: 1 } }], finish: "tool-calls" }
  ],
  [
    "parallel calls, interleaved, with text between",
    [
      created,
      added(0, call("a", "")),
      added(1, call("b", "", "put")),
      args(0, `{"x":`),
      args(1, `{"y":`),
      text("Hello", at(2)),
      args(0, "1}"),
      args(1, "2}"),
      completed
    ],
    {
      text: "Hello",
      finish: "tool-calls",
      tools: [
        { name: "get", args: { x: 1 } },
        { name: "put", args: { y: 2 } }
      ]
    }
  ],
  [
    "calls that share one place",
    [
      created,
      added(0, call("a", "")),
      args(0, `{"x":1}`),
      done(0, call("a", `{"x":1}`)),
      added(0, call("b", "")),
      args(0, `{"x":2}`),
      done(0, call("b", `{"x":2}`)),
      completed
    ],
    {
      tools: [
        { name: "get", args: { x: 1 } },
        { name: "get", args: { x: 2 } }
      ]
    }
  ],
  [
    "arguments in function_call_arguments.done alone",
    [
      created,
      added(0, call("a", "")),
      event("response.function_call_arguments.done", { ...at(0), arguments: "[]" }),
      completed
    ],
    { tools: [{ name: "get", args: [] }] }
  ],
  [
    "a call in output_item.done alone",
    [created, done(0, call("a", `{"x":1}`)), completed],
    { tools: [{ name: "get", args: { x: 1 } }] }
  ],
  [
    "a call in response.completed alone",
    [created, ended("completed", { output: [call("a", `{"x":1}`)] })],
    { tools: [{ name: "get", args: { x: 1 } }], finish: "tool-calls" }
  ],
  ["no arguments are none", [created, added(0, call("a", "")), completed], { tools: [{ name: "get", args: {} }] }],
  [
    "arguments that the limit has cut",
    [
      created,
      added(0, call("a", "")),
      args(0, `{"city":"Pa`),
      done(0, { ...call("a", `{"city":"Pa`), status: "incomplete" }),
      ended("incomplete", { incomplete_details: { reason: "max_output_tokens" } })
    ],
    { toolInvalid: true, finish: "length" }
  ],
  [
    "a summary of two parts and a cipher",
    [
      created,
      added(0, reasoning({ encrypted_content: "EN" })),
      summary("thin", 0),
      summary("king", 0),
      event("response.reasoning_summary_text.done", { ...at(0), summary_index: 0, text: "thinking" }),
      summary("more", 1),
      done(
        0,
        reasoning({
          summary: [
            { type: "summary_text", text: "thinking" },
            { type: "summary_text", text: "more" }
          ],
          encrypted_content: "ENC"
        })
      ),
      text("Hello", at(1)),
      ended("completed", { output: [reasoning({ encrypted_content: "ENC" }), message("Hello")] })
    ],
    { ...stop, reasoning: "thinking\n\nmore", redacted: "ENC" }
  ],
  [
    "a cipher without a summary",
    [
      created,
      added(0, reasoning({})),
      done(0, reasoning({ encrypted_content: "ENC" })),
      text("Hello", at(1)),
      completed
    ],
    { ...stop, reasoning: "", redacted: "ENC" }
  ],
  [
    "reasoning in the clear",
    [
      created,
      event("response.reasoning_text.delta", { ...at(0), content_index: 0, delta: "thin" }),
      event("response.reasoning_text.delta", { ...at(0), content_index: 0, delta: "king" }),
      done(0, reasoning({ content: [{ type: "reasoning_text", text: "thinking" }] })),
      text("Hello", at(1)),
      completed
    ],
    { ...stop, reasoning: "thinking" }
  ],
  [
    "<think> inline, cut over chunks",
    [created, ...["<th", "ink>thin", "king</thi", "nk>Hel", "lo"].map((piece) => text(piece)), completed],
    { ...stop, reasoning: "thinking" }
  ]
]

describe("wire cases of the Responses protocol", () => {
  rows.forEach(([name, body, expect, more], i) => {
    const row: WireCase = { case: i + 1, name, protocol: "openai-responses", body, expect, ...more }
    it.live(`R${row.case} ${name}`, () => runCase(row, provider))
  })
})
