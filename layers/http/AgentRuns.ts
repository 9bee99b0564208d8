/**
 * Runs of agents over HTTP: asked for and awaited, asked for and watched, or found again by id. A run is watched by any
 * number of readers; each reads from where it says, and all of them see all of it.
 */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ApprovalGate } from "../../services/Action.ts"
import type { Prompt } from "../../services/Ai.ts"
import type { Json } from "../../services/Json.ts"
import type { RunConflict, RunEnvelope } from "../../services/Run.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { freshId } from "../../src/agent/Conversation.ts"
import type { InstantEvent } from "../../src/parse/InstantEvent.ts"
import * as Runs from "../../src/run/Runs.ts"
import type { Approving } from "./Approving.ts"
import type { Translator } from "./Chats.ts"
import * as Problem from "./Problem.ts"
import { Client, type Serving } from "./Serving.ts"
import { closing, closingFrame, frame, type Source } from "./Streams.ts"

type AnyAgent = Agent.Agent<unknown, unknown, unknown>

/**
 * What an agent is asked with over HTTP.
 *
 * @category models
 */
export interface Asked {
  /** The input, encoded by its Schema. */
  readonly input: Json
  readonly run?: string | undefined
  readonly session?: string | undefined
  readonly disconnect?: "abort" | "detach" | undefined
  readonly fields?: boolean | undefined
  /** Whether those who watch the run decide on its calls. */
  readonly approvals?: "ask" | undefined
  /** What was said before, where the client keeps the conversation. */
  readonly history?: ReadonlyArray<Prompt.MessageEncoded> | undefined
  /** Makes it idempotent, for this client. */
  readonly requestId?: string | undefined
}

/**
 * An agent as a server asks it.
 *
 * @category models
 */
export interface ServedAgent {
  readonly name: string
  readonly agent: AnyAgent
  readonly output: Schema.Top
  /** Makes the agent of a request: with a session, for one. */
  readonly prepare:
    | ((agent: AnyAgent, about: { readonly session: string | undefined; readonly client: string }) => AnyAgent)
    | undefined
}

// What is told of a field: leaves as they grow and when they are whole, and what became void. Containers are live values
// and are told by their leaves.
const fieldOf = (event: InstantEvent): Json | undefined => {
  if (event._tag === "Reset") return { _tag: "Reset", path: event.path, attempt: event.attempt, reason: event.reason }
  if (event._tag !== "Field") return undefined
  const { attempt, delta, isComplete, path, value } = event
  if (typeof value === "object" && value !== null) return undefined
  // A leaf of a JSON value that is no object is JSON.
  const leaf = isComplete ? { value: value as Json } : {}
  return { _tag: "Field", path, attempt, isComplete, ...(delta === undefined ? {} : { delta }), ...leaf }
}

const tellField = (event: InstantEvent): Effect.Effect<void> => {
  const field = fieldOf(event)
  return field === undefined ? Effect.void : Runs.emit("field", field)
}

// The agent as one Effect that gives the encoded answer.
const jobOf = ({ agent, name, output, prepare }: ServedAgent, asked: Asked, client: string) => {
  const prepared = prepare === undefined ? agent : prepare(agent, { session: asked.session, client })
  const told = asked.history === undefined ? prepared : Agent.history(prepared, asked.history)
  const ready = Agent.input(told, asked.input)
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(output))
  const answer =
    asked.fields === true
      ? Effect.scoped(
          Effect.flatMap(Agent.respond(ready), (response) =>
            Effect.map(
              Effect.all([response.data, Stream.runForEach(response.instant, tellField)], { concurrency: 2 }),
              ([data]) => data
            )
          )
        )
      : Agent.run(ready)
  return Effect.mapError(Effect.flatMap(answer, encode), (error) =>
    Schema.isSchemaError(error)
      ? Problem.refuse(
          502,
          "OutputDoesNotFit",
          `The answer of ${name} cannot be encoded by its Schema: ${error.message}`
        )
      : error
  ) as Effect.Effect<Json, unknown, unknown> // Encoded by a JSON codec.
}

/** The last event of a run's stream. @category conversions */
export const endFrame = (run: Runs.AnyRun): Effect.Effect<string> =>
  Effect.map(run.status, (status) => frame(JSON.stringify({ status }), { event: "end" }))

// Which of the two ids of a start is taken: that of the run, or the idempotency key.
const taken = ({ run }: RunConflict, id: string, key: string | undefined): Problem.Refused =>
  key === undefined || run === id
    ? Problem.refuse(409, "RunConflict", `There is a run "${run}" already. Name another one in \`run\`, or none.`)
    : Problem.refuse(
        409,
        "RunConflict",
        `The Idempotency-Key "${key}" has started the run "${run}" with another input or session. Send that again, or use a new key for another question.`
      )

const ringSize = 64

// The last events of a run as JSON: readers of one run are told an event at the same time, and it is made once for all.
class Recent {
  private readonly events: Array<RunEnvelope | undefined> = Array.from({ length: ringSize })
  private readonly texts: Array<string> = []

  of(event: RunEnvelope): string {
    const slot = event.sequence % ringSize
    const known = this.texts[slot]
    if (known !== undefined && this.events[slot] === event) return known
    const text = JSON.stringify(event)
    this.events[slot] = event
    this.texts[slot] = text
    return text
  }
}

interface Watched {
  recent: Recent | undefined
  readers: number
  readonly disconnect: "abort" | "detach"
}

/**
 * Runs of the agents of one server.
 *
 * @category models
 */
export class AgentRuns {
  private readonly serving: Serving
  private readonly scope: Scope.Scope
  private readonly watched = new Map<string, Watched>()
  readonly approving: Approving

  constructor(serving: Serving, scope: Scope.Scope, approving: Approving) {
    this.serving = serving
    this.scope = scope
    this.approving = approving
  }

  /** Starts a run, or joins the one of the same idempotency key. */
  start(agent: ServedAgent, asked: Asked): Effect.Effect<Runs.AnyRun, unknown, unknown> {
    return Effect.gen({ self: this }, function* () {
      if (this.serving.state.isClosing)
        return yield* Problem.refuse(503, "ServerClosing", "The server is closing. Try again shortly.", 1)
      const client = yield* Client
      const id = asked.run ?? (yield* freshId)
      const job = jobOf(agent, asked, client)
      const gated =
        asked.approvals === undefined
          ? job
          : Effect.provideService(job, ApprovalGate, (request) =>
              this.approving.wait(request, { run: id, agent: agent.name, asks: "watchers" })
            )
      const launched = this.serving.registry.launch(gated, {
        name: agent.name,
        input: asked.session === undefined ? asked.input : { input: asked.input, session: asked.session },
        id,
        keep: this.serving.keep,
        // Keys of one client mean nothing to another.
        requestId: asked.requestId === undefined ? undefined : JSON.stringify([client, agent.name, asked.requestId])
      })
      return yield* Effect.mapError(launched, (conflict) => taken(conflict, id, asked.requestId))
    })
  }

  /**
   * What becomes of a run when nobody reads it any more. Who gave an idempotency key will ask again where the connection
   * broke, and is to find the run.
   */
  disconnectOf({ disconnect, requestId }: Asked): "abort" | "detach" {
    return disconnect ?? (requestId === undefined ? this.serving.disconnect : "detach")
  }

  /** Waits for the answer. Whoever leaves before it stops the run, unless it is to be detached. */
  run(agent: ServedAgent, asked: Asked): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, unknown> {
    return Effect.flatMap(this.start(agent, asked), (run) => {
      const abort = this.disconnectOf(asked) === "abort"
      const waited = Effect.map(run.result, (value) =>
        HttpServerResponse.jsonUnsafe(value, { headers: { "x-run-id": run.id } })
      )
      const limited = Effect.timeoutOrElse(waited, {
        duration: this.serving.time,
        orElse: () =>
          Effect.andThen(
            abort ? run.cancel("the request took too long") : Effect.void,
            Effect.fail(
              Problem.refuse(
                504,
                "TimedOut",
                `No answer within ${this.serving.time} ms. Watch the run (/agents/${agent.name}/stream), or allow more time.`
              )
            )
          )
      })
      return abort ? Effect.onInterrupt(limited, () => run.cancel("the client has left")) : limited
    })
  }

  /** Streams the events of a run behind an event. The Scope is that of the request. */
  watch(
    run: Runs.AnyRun,
    options: { readonly after: number; readonly disconnect: "abort" | "detach" }
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, Problem.Refused, Scope.Scope> {
    return this.read(run, options.disconnect, {
      events: run.events({ after: Math.max(0, options.after) }),
      encode: this.encoder(run),
      end: endFrame(run),
      closing: closingFrame(closing.run),
      headers: { "x-run-id": run.id }
    })
  }

  /** An event of a run on the wire; its id is its sequence number. */
  private encoder(run: Runs.AnyRun): (event: RunEnvelope) => string {
    return (event) => frame(this.jsonOf(run, event), { id: event.sequence })
  }

  /** An event of a run as JSON. */
  jsonOf({ id }: Runs.AnyRun, event: RunEnvelope): string {
    const watched = this.watched.get(id)
    if (watched === undefined || watched.readers < 2) return JSON.stringify(event)
    watched.recent ??= new Recent()
    return watched.recent.of(event)
  }

  /** Starts a run for a chat client and streams it as that reads it. */
  chat(
    agent: ServedAgent,
    asked: Asked,
    make: (run: string) => Translator
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, unknown> {
    return Effect.flatMap(this.start(agent, asked), (run) => {
      const { encode, failed, headers } = make(run.id)
      return this.read(run, this.disconnectOf(asked), {
        events: run.events(),
        encode,
        headers: { ...headers, "x-run-id": run.id },
        failed: (problem) => failed(problem.detail),
        closing: failed("The server is closing. Ask again shortly.")
      })
    })
  }

  /** Streams what a reader of a run makes of it. */
  read<A, E>(
    run: Runs.AnyRun,
    disconnect: "abort" | "detach",
    source: Source<A, E, never>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, Problem.Refused, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.attend(run, disconnect)
      return yield* this.serving.streams.respond(yield* Client, source)
    })
  }

  /** Counts a reader of a run until the Scope closes: the last one that leaves stops it, unless it is to be detached. */
  attend(run: Runs.AnyRun, disconnect: "abort" | "detach"): Effect.Effect<void, never, Scope.Scope> {
    return Effect.suspend(() => {
      const watched = this.watched.get(run.id) ?? { readers: 0, disconnect, recent: undefined }
      this.watched.set(run.id, watched)
      watched.readers++
      return Effect.addFinalizer(() => this.leave(run, watched))
    })
  }

  // When the last reader has left a run that is at work, and none has come back for a while, the run is stopped.
  private leave(run: Runs.AnyRun, watched: Watched): Effect.Effect<void> {
    const stop = Effect.suspend(() => {
      if (watched.readers > 0) return Effect.void
      if (this.watched.get(run.id) === watched) this.watched.delete(run.id)
      return run.cancel("its last reader has left")
    })
    return Effect.suspend(() => {
      watched.readers--
      if (watched.readers > 0) return Effect.void
      if (watched.disconnect === "detach") {
        this.watched.delete(run.id)
        return Effect.void
      }
      return Effect.asVoid(
        Effect.forkIn(Effect.andThen(Effect.sleep(this.serving.grace), stop), this.scope, { startImmediately: true })
      )
    })
  }
}
