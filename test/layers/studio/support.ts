// A studio on a real socket of the loopback interface, and what asks it.
import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { createServer, request as nodeRequest } from "node:http"
import type { Project } from "../../../layers/apps/config/Project.ts"
import * as Studio from "../../../layers/apps/studio/Studio.ts"

/** The token of the studios of these tests. */
export const token = "a-token"

/** An answer. */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
  readonly text: string
}

/** An event of a stream. */
export interface Sse {
  readonly id: string | undefined
  readonly event: string
  // Each test looks at what it knows to be there.
  readonly data: ReturnType<typeof JSON.parse>
}

/** Opens a studio for a test. */
export const open = (project: Project, options: Studio.Options = {}) =>
  Effect.gen(function* () {
    const layer = Studio.layer(project, { token, ...options }).pipe(
      Layer.provide(NodeHttpServer.layerServer(() => createServer(), { host: "127.0.0.1", port: 0 })),
      Layer.provideMerge(NodeServices.layer)
    )
    const studio = Context.get(yield* Layer.build(layer), Studio.Studio)
    return { ...studio, ...clientOf(studio.baseUrl) }
  })

/** What asks a server, by what is left of the network: the raw headers are its own. */
export const clientOf = (baseUrl: string) => {
  const raw = (
    path: string,
    options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {}
  ): Effect.Effect<Answer> =>
    Effect.callback((resume) => {
      const { hostname, port } = new URL(baseUrl)
      const sent = nodeRequest(
        { hostname, port, path, method: options.method ?? "GET", headers: options.headers ?? {}, agent: false },
        (response) => {
          let text = ""
          response.on("data", (chunk: Buffer) => void (text += chunk.toString()))
          response.on("end", () =>
            resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
          )
        }
      )
      sent.on("error", (error) => resume(Effect.die(error)))
      sent.end(options.body)
    })
  const bearer = { authorization: `Bearer ${token}` }
  const json = (answer: Answer) => ({ ...answer, json: answer.text === "" ? undefined : JSON.parse(answer.text) })
  const get = (path: string) => Effect.map(raw(path, { headers: bearer }), json)
  const post = (path: string, body: unknown = {}) =>
    Effect.map(
      raw(path, {
        method: "POST",
        headers: { ...bearer, "content-type": "application/json" },
        body: JSON.stringify(body)
      }),
      json
    )
  /** Reads a stream until it ends, or until an event is what one waits for. */
  const sse = (
    path: string,
    until: (event: Sse) => boolean = () => false,
    headers: Record<string, string> = {}
  ): Effect.Effect<ReadonlyArray<Sse>> =>
    Effect.promise(async (signal) => {
      const response = await fetch(baseUrl + path, { headers: { ...bearer, ...headers }, signal })
      const events: Array<Sse> = []
      let text = ""
      const decoder = new TextDecoder()
      const reader = response.body?.getReader()
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
        if (done) return events
        text += decoder.decode(value, { stream: true })
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const block = text.slice(0, end)
          text = text.slice(end + 2)
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1]
          const data = field("data")
          if (data === undefined) continue
          const event = { id: field("id"), event: field("event") ?? "message", data: JSON.parse(data) }
          events.push(event)
          if (until(event)) {
            await reader?.cancel()
            return events
          }
        }
      }
    })
  return { raw, get, post, sse }
}

/** Asks again until it is so: for what is told a moment later. */
export const eventually = <A, E, R>(ask: Effect.Effect<A, E, R>, isSo: (value: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(ask, (value) =>
    isSo(value) ? Effect.succeed(value) : Effect.andThen(Effect.sleep("20 millis"), eventually(ask, isSo))
  )
