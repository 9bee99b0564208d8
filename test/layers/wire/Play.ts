/** The other side of a provider: plays answers over a loopback socket, in the wire bytes of a vendor, and counts them. */
import type { ServerResponse } from "node:http"
import { Effect, type Layer, type Scope } from "effect"
import type { ModelProvider } from "effigent/services/ModelProvider"
import type { ModelProviderConformance } from "effigent/testing"
import { type Received, serve, writeSegments } from "./Server.ts"

export type Answer = ModelProviderConformance.Answer
export type ToolCallScript = ModelProviderConformance.ToolCallScript
export type Tokens = Extract<Answer, { readonly _tag: "Says" }>["usage"]
export type Finish = Extract<Answer, { readonly _tag: "Says" }>["finish"] | "tool-calls"

/** How a vendor writes an answer, and the layer that reads it. */
export interface Wire {
  readonly name: string
  readonly path: string
  readonly layer: (baseUrl: string) => Layer.Layer<ModelProvider>
  /** What comes before the first content. */
  readonly begin: (inputTokens: number) => string
  /** The piece of text at this place, counted from 0. */
  readonly text: (text: string, index: number) => string
  /** One tool call: its head, its arguments piece by piece, and what ends it. */
  readonly call: (call: ToolCallScript, index: number) => ReadonlyArray<string>
  /** The finish reason, the tokens and the closing event. */
  readonly end: (finish: Finish, usage: Tokens) => string
  /** The body of an answer with this status. */
  readonly rejection: (status: number, detail: string) => unknown
}

/** What a scenario leaves open. */
export interface Manner {
  readonly name: string
  /** What one network write holds: a frame, or 7 bytes, wherever these begin and end. */
  readonly writes: "frames" | "bytes"
  /** Whether a broken answer ends its body as if it were whole, or the socket goes in the middle of the body. */
  readonly breaksOff: "end" | "cut"
  /** How far an answer gets that never says anything. */
  readonly silence: "first frame" | "headers" | "nothing"
}

/** A peer that is up. */
export interface Peer {
  readonly url: string
  readonly received: ReadonlyArray<Received>
  /** How many answers were begun, and neither finished nor left by the provider. Connections outlive answers. */
  readonly open: () => number
}

const stream = (wire: Wire, answer: Exclude<Answer, { readonly _tag: "Rejects" }>): Array<string> => {
  switch (answer._tag) {
    case "Says":
      return [
        wire.begin(answer.usage.inputTokens),
        ...answer.texts.map(wire.text),
        wire.end(answer.finish, answer.usage)
      ]
    case "CallsTools":
      return [
        wire.begin(answer.usage.inputTokens),
        ...answer.calls.flatMap(wire.call),
        wire.end("tool-calls", answer.usage)
      ]
    case "BreaksOff":
    case "Stalls":
      return [wire.begin(1), ...answer.texts.map(wire.text)]
  }
}

const cut = (frames: ReadonlyArray<string>): Array<Uint8Array> => {
  const bytes = Buffer.from(frames.join(""))
  return Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(7 * i, 7 * i + 7))
}

const reject = (wire: Wire, response: ServerResponse, status: number, detail: string) => {
  // A vendor may ask for a retry; whether there is one is for the caller of the provider to say.
  const headers = { "content-type": "application/json", "x-should-retry": "true", "retry-after-ms": "0" }
  response.writeHead(status, headers).end(JSON.stringify(wire.rejection(status, detail)))
}

const play = async (wire: Wire, answer: Answer, manner: Manner, response: ServerResponse) => {
  if (answer._tag === "Rejects") return reject(wire, response, answer.status, answer.detail)
  const isSilent = answer._tag === "Stalls" && answer.texts.length === 0
  if (isSilent && manner.silence === "nothing") return
  response.writeHead(200, { "content-type": "text/event-stream" })
  const frames = isSilent && manner.silence === "headers" ? [] : stream(wire, answer)
  await writeSegments(response, manner.writes === "frames" ? frames : cut(frames))
  if (answer._tag === "Stalls") return
  if (answer._tag === "BreaksOff" && manner.breaksOff === "cut") response.socket?.destroy()
  else response.end()
}

/** Runs a peer for the life of the scope. The first request gets the first answer; the last answer is repeated. */
export const peer = (
  wire: Wire,
  answers: readonly [Answer, ...ReadonlyArray<Answer>],
  manner: Manner
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.suspend(() => {
    let open = 0
    const server = serve((response, request, ordinal) => {
      open++
      response.once("close", () => void open--)
      const answer = answers[ordinal] ?? answers.at(-1) ?? answers[0]
      if (request.method !== "POST" || request.path !== wire.path) {
        return reject(wire, response, 404, `there is no ${request.method} ${request.path} here`)
      }
      return play(wire, answer, manner, response)
    })
    return Effect.map(server, ({ received, url }) => ({ url, received, open: () => open }))
  })
