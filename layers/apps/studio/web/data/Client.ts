/**
 * What the pages ask the server for. Pages and server are made of one package and come from one place, so what comes is
 * typed by the contract (`Api.ts`) and not decoded again: a page of 100,000 rows should not be read twice.
 */
import type { Json } from "./JsonSchema.ts"
import type * as Api from "../../Api.ts"

/** The server said no, or said nothing. `message` is what happened and what to do. */
export class ServerProblem extends Error {
  readonly status: number
  readonly tag: string

  constructor(status: number, tag: string, message: string) {
    super(message)
    this.status = status
    this.tag = tag
  }
}

const field = (value: unknown, name: string): string | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const found: unknown = Reflect.get(value, name)
  return typeof found === "string" ? found : undefined
}

const problemOf = async (response: Response): Promise<ServerProblem> => {
  const body: unknown = await response.json().catch(() => undefined)
  const tag = field(body, "tag") ?? response.statusText
  if (response.status === 401)
    return new ServerProblem(
      401,
      tag,
      "This page is not signed in, or the server was started anew. Open the address that effigent studio printed."
    )
  return new ServerProblem(response.status, tag, field(body, "detail") ?? `The server answered ${response.status}.`)
}

const ask = async (path: string, init: RequestInit): Promise<Response> => {
  const response = await fetch(path, init).catch((error: unknown) => {
    if (init.signal?.aborted === true) throw error
    throw new ServerProblem(
      0,
      "Unreachable",
      "The server of the studio does not answer. Is effigent studio still running?"
    )
  })
  if (!response.ok) throw await problemOf(response)
  return response
}

type Query = Readonly<Record<string, string | number | undefined>>

const withQuery = (path: string, query: Query): string => {
  const asked = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== "") asked.set(key, String(value))
  const text = asked.toString()
  return text === "" ? path : `${path}?${text}`
}

const get = async <A>(path: string, signal: AbortSignal | undefined, query: Query = {}): Promise<A> => {
  const response = await ask(withQuery(path, query), signal === undefined ? {} : { signal })
  // The contract says what this path gives.
  return (await response.json()) as A
}

const send = (method: "POST" | "DELETE", path: string, body: Json = {}): Promise<Response> =>
  ask(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) })

const post = async <A>(path: string, body: Json): Promise<A> => {
  const response = await send("POST", path, body)
  // The contract says what this path gives.
  return (await response.json()) as A
}

const id = encodeURIComponent

export type Decision = { readonly _tag: "Approved" } | { readonly _tag: "Denied"; readonly note?: string }

/** The project does not change while the studio is open. */
export const project = (signal?: AbortSignal) => get<Api.Project>("/studio/project", signal)

export const graph = (flow: string, version: string | undefined, signal?: AbortSignal) =>
  get<Api.Graph>(`/studio/flows/${id(flow)}/graph`, signal, { version })

export const runs = (
  query: { readonly agent?: string; readonly session?: string; readonly limit?: number },
  signal?: AbortSignal
) => get<ReadonlyArray<Api.RunRow>>("/studio/runs", signal, query)

export const run = (name: string, signal?: AbortSignal) => get<Api.RunRow>(`/studio/runs/${id(name)}`, signal)

export const beginRun = (agent: string, session: string, input: Json) =>
  post<{ readonly run: string }>(withQuery(`/api/agents/${id(agent)}/runs`, { session, fields: "true" }), input)

export const cancelRun = (name: string) =>
  send("POST", `/api/runs/${id(name)}/cancel`, { reason: "Stopped in the studio" })

export const decide = (approval: string, decision: Decision) =>
  send("POST", `/studio/approvals/${id(approval)}`, decision)

export interface ExecutionQuery {
  readonly flow?: string | undefined
  readonly status?: string | undefined
  readonly text?: string | undefined
  readonly dead?: "true" | undefined
}

export interface ExecutionList {
  readonly executions: ReadonlyArray<Api.ExecutionRow>
  readonly next?: string
  readonly total?: number
}

export const executions = (
  query: ExecutionQuery & { readonly limit: number; readonly after?: string | undefined },
  signal?: AbortSignal
) => get<ExecutionList>("/studio/executions", signal, { ...query })

export const execution = (name: string, signal?: AbortSignal) =>
  get<Api.ExecutionDetail>(`/studio/executions/${id(name)}`, signal)

export const timeline = (
  name: string,
  query: {
    readonly offset: number
    readonly limit: number
    readonly order?: string
    readonly kind?: string | undefined
    readonly key?: string | undefined
  },
  signal?: AbortSignal
) => get<Api.TimelinePage>(`/studio/executions/${id(name)}/timeline`, signal, query)

export const startFlow = (flow: string, input: Json) =>
  post<{ readonly execution: string }>(`/api/flows/${id(flow)}/executions`, { input })

export const answer = (name: string, question: string, value: Json) =>
  send("POST", `/api/executions/${id(name)}/questions/${id(question)}`, { value })

export const signal = (name: string, which: string, payload: Json) =>
  send("POST", `/api/executions/${id(name)}/signals/${id(which)}`, { payload })

/** Ends an execution, in good order or at once. */
export const end = (name: string, how: "close" | "cancel") => send("POST", `/api/executions/${id(name)}/${how}`)

export const fork = (name: string, from: { readonly step?: string; readonly seq?: number }) =>
  post<{ readonly execution: string }>(`/api/executions/${id(name)}/fork`, { ...from })

export const deadLetter = (name: string, how: "retry" | "discard") =>
  send("POST", `/api/dead-letters/${id(name)}/${how}`)

export interface TraceQuery {
  readonly kind?: string | undefined
  readonly status?: string | undefined
  readonly text?: string | undefined
  readonly run?: string | undefined
  readonly execution?: string | undefined
}

export interface TraceList {
  readonly traces: ReadonlyArray<Api.TraceRow>
  readonly next?: string
  readonly total: number
  readonly dropped: number
}

export const traces = (
  query: TraceQuery & { readonly limit: number; readonly after?: string | undefined },
  signal?: AbortSignal
) => get<TraceList>("/studio/traces", signal, { ...query })

export const spans = (
  trace: string,
  query: { readonly offset: number; readonly limit: number },
  signal?: AbortSignal
) => get<Api.SpanPage>(`/studio/traces/${id(trace)}`, signal, query)

export const span = (trace: string, name: string, signal?: AbortSignal) =>
  get<Api.SpanDetail>(`/studio/traces/${id(trace)}/spans/${id(name)}`, signal)

export const clearTraces = () => send("DELETE", "/studio/traces")

export const evals = (signal?: AbortSignal) => get<typeof Api.EvalList.Type>("/studio/evals", signal)

export const evalReport = (name: string, signal?: AbortSignal) => get<Json>(`/studio/evals/${id(name)}`, signal)
