/**
 * Runs the rows of `wire-cases.jsonl`: bytes that real endpoints have sent, and what a provider has to make of them.
 * Rows 1 to 74 are chat completions, 75 to 99 Anthropic messages; those of the Responses protocol stand beside its
 * tests.
 */
import { readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import { Effect, type Exit, Exit as Exits, Result, type Scope, Stream } from "effect"
import { Prompt } from "effect/ai"
import type { ModelError } from "effigent/services/ModelError"
import type { ModelEvent, ModelProvider, ModelRequest, Usage } from "effigent/services/ModelProvider"
import { type Answer, serve, writeSegments } from "./Server.ts"

type Segment = string | { readonly repeat: string; readonly times: number }

export interface WireCase {
  readonly case: number
  readonly name: string
  readonly protocol: "openai-chat-completions" | "openai-responses" | "anthropic-messages"
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body: ReadonlyArray<Segment>
  readonly bytes?: boolean
  readonly seg?: number
  readonly reset?: boolean
  readonly stall?: boolean
  readonly expect: {
    readonly text?: string
    readonly textLen?: number
    readonly reasoning?: string
    readonly refusal?: string
    readonly signature?: string
    readonly redacted?: string
    readonly finish?: string
    readonly usage?: {
      readonly in: number
      readonly out: number
      readonly cached?: number
      readonly reasoning?: number
    }
    readonly tools?: ReadonlyArray<{ readonly name: string; readonly args: unknown }>
    readonly toolInvalid?: boolean
    readonly error?: string
    readonly orError?: boolean
    readonly incomplete?: boolean
    readonly retryable?: boolean
  }
}

export const cases = (protocol: WireCase["protocol"]): ReadonlyArray<WireCase> =>
  readFileSync(new URL("./wire-cases.jsonl", import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
    .map((line): WireCase => JSON.parse(line))
    .filter((row) => row.protocol === protocol)

const segments = (row: WireCase): Array<Uint8Array> => {
  const texts = row.body.map((segment) =>
    typeof segment === "string" ? segment : segment.repeat.repeat(segment.times)
  )
  if (row.bytes !== true) return texts.map((text) => Buffer.from(text))
  const all = Buffer.from(texts.join(""))
  const size = row.seg ?? 1
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.subarray(i * size, (i + 1) * size))
}

const answer =
  (row: WireCase): Answer =>
  async (response) => {
    response.writeHead(row.status ?? 200, { "content-type": "text/event-stream", ...row.headers })
    await writeSegments(response, segments(row))
    if (row.stall === true) return
    if (row.reset === true) response.socket?.resetAndDestroy()
    else response.end()
  }

/** A plain request: one user message, no tools, free text. */
export const plainRequest = (change: Partial<ModelRequest> = {}): ModelRequest => ({
  prompt: Prompt.make("hi"),
  tools: [],
  output: { name: "answer", format: "text", jsonSchema: {}, strict: {}, native: false },
  options: {},
  includeRaw: false,
  attempt: 1,
  ...change
})

/** What came out of one run of a stream. */
export interface Outcome {
  readonly events: ReadonlyArray<ModelEvent>
  readonly chunks: ReadonlyArray<ReadonlyArray<ModelEvent>>
  readonly exit: Exit.Exit<void, ModelError>
  readonly error: ModelError | undefined
  readonly text: string
  readonly reasoning: string
  readonly refusal: string
  readonly usage: Usage | undefined
  readonly finish: Extract<ModelEvent, { readonly _tag: "Finish" }> | undefined
  readonly tools: ReadonlyArray<Extract<ModelEvent, { readonly _tag: "ToolCall" }>>
}

const only = <Tag extends ModelEvent["_tag"]>(events: ReadonlyArray<ModelEvent>, tag: Tag) =>
  events.filter((event): event is Extract<ModelEvent, { readonly _tag: Tag }> => event._tag === tag)

/** Runs a stream to its end and keeps everything. */
export const run = (stream: Stream.Stream<ModelEvent, ModelError>): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const chunks: Array<ReadonlyArray<ModelEvent>> = []
    const exit = yield* Effect.exit(
      Stream.runForEachArray(stream, (chunk) =>
        Effect.sync(() => {
          assert.isAbove(chunk.length, 0, "an empty chunk")
          chunks.push([...chunk])
        })
      )
    )
    const events = chunks.flat()
    const failure = Exits.findError(exit)
    const outcome: Outcome = {
      events,
      chunks,
      exit,
      error: Result.isSuccess(failure) ? failure.success : undefined,
      text: only(events, "Text")
        .map(({ text }) => text)
        .join(""),
      reasoning: only(events, "Reasoning")
        .map(({ text }) => text)
        .join(""),
      refusal: only(events, "Refusal")
        .map(({ text }) => text)
        .join(""),
      usage: only(events, "Usage").at(-1)?.usage,
      finish: only(events, "Finish")[0],
      tools: only(events, "ToolCall")
    }
    keepsPromises(outcome)
    return outcome
  })

// What every provider's stream promises, whatever the bytes.
const keepsPromises = ({ error, events, exit }: Outcome): void => {
  if (Exits.isFailure(exit)) assert.isDefined(error, `not a ModelError: ${String(exit.cause)}`)
  const finishes = events.filter(({ _tag }) => _tag === "Finish").length
  assert.strictEqual(finishes, error === undefined ? 1 : 0, "one Finish where it succeeds, none where it fails")
  const last = events.filter(({ _tag }) => _tag !== "Usage" && _tag !== "Raw").at(-1)
  if (error === undefined) assert.strictEqual(last?._tag, "Finish", "Finish is the last event")
  for (const event of events) if (event._tag === "Text") assert.notStrictEqual(event.text, "", "an empty text")
}

const check = (row: WireCase, outcome: Outcome): void => {
  const { expect } = row
  const { error } = outcome
  if (expect.error !== undefined || expect.incomplete === true) {
    assert.isDefined(error, `a success where a failure is due: ${JSON.stringify(outcome.events)}`)
    if (expect.incomplete === true) assert.strictEqual(error.reason._tag, "Incomplete")
    if (expect.error !== undefined) assert.match(error.message, new RegExp(expect.error))
    if (expect.retryable !== undefined) assert.strictEqual(error.isRetryable, expect.retryable)
  } else {
    if (error !== undefined) assert.fail(error.message)
  }
  if (expect.text !== undefined) assert.strictEqual(outcome.text, expect.text)
  if (expect.textLen !== undefined) assert.strictEqual(outcome.text.length, expect.textLen)
  if (expect.reasoning !== undefined) assert.strictEqual(outcome.reasoning, expect.reasoning)
  if (expect.refusal !== undefined) assert.strictEqual(outcome.refusal, expect.refusal)
  if (expect.finish !== undefined) assert.strictEqual(outcome.finish?.reason, expect.finish)
  if (expect.signature !== undefined) {
    assert.deepStrictEqual(
      only(outcome.events, "Reasoning").flatMap(({ signature }) => signature ?? []),
      [expect.signature]
    )
  }
  if (expect.redacted !== undefined) {
    assert.deepStrictEqual(
      only(outcome.events, "Reasoning").flatMap(({ redacted }) => redacted ?? []),
      [expect.redacted]
    )
  }
  if (expect.usage !== undefined) {
    assert.strictEqual(outcome.usage?.inputTokens, expect.usage.in)
    assert.strictEqual(outcome.usage?.outputTokens, expect.usage.out)
    assert.strictEqual(outcome.usage?.cachedInputTokens, expect.usage.cached)
    if (expect.usage.reasoning !== undefined) {
      assert.strictEqual(outcome.usage?.reasoningTokens, expect.usage.reasoning)
    }
  }
  if (expect.tools !== undefined) {
    assert.deepStrictEqual(
      outcome.tools.map(({ input, name }) => ({ name, args: input })),
      expect.tools
    )
    assertToolEvents(outcome)
  }
  if (expect.toolInvalid === true) {
    assert.isNotEmpty(outcome.tools)
    for (const tool of outcome.tools) assert.isFalse("input" in tool, "cut arguments have an input")
  }
}

/** The deltas of each call make up its arguments, and ids are unique. */
export const assertToolEvents = ({ events, tools }: Outcome): void => {
  assert.strictEqual(new Set(tools.map(({ id }) => id)).size, tools.length, "ids are unique")
  for (const tool of tools) {
    const deltas = only(events, "ToolCallDelta").filter(({ index }) => index === tool.index)
    const said = deltas.map(({ delta }) => delta).join("")
    if (said !== "") assert.strictEqual(said, tool.arguments)
    for (const delta of deltas) assert.strictEqual(delta.name, tool.name)
    for (const delta of deltas) assert.strictEqual(delta.id, tool.id)
  }
}

/** Runs one row over a real socket. Dies by an assertion where the provider gets it wrong. */
export const runCase = (
  row: WireCase,
  provider: (url: string) => ModelProvider["Service"]
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* serve(answer(row))
    const outcome = yield* run(provider(server.url).stream(plainRequest()))
    check(row, outcome)
    assert.strictEqual(server.received.length, 1, "physical requests")
  })
