/**
 * How responses are watched. A program that wants to see what its agents do puts a watcher into its fibers (`Runs.start`
 * does, of `effigent/run`); every response below it then tells what happens to it, and is told apart from those that it
 * was started in. Where there is no watcher, a response costs one look at a reference.
 *
 * What a reader of the response may not see (what an output guard holds back) a watcher is not told either.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Json } from "../../services/Json.ts"
import type { ModelEvent, Usage } from "../../services/ModelProvider.ts"
import type { RunEvent, RunUsage } from "../../services/Run.ts"
import * as Text from "../prompt/Text.ts"
import type { Source } from "./Attempts.ts"
import type { FullResponse } from "./ModelResponse.ts"
import { type Recorder, totalUsage } from "./Recorder.ts"
import type { Mark, Transcript, Visitor } from "./Transcript.ts"

/**
 * Who a run is.
 *
 * @category models
 */
export interface Opening {
  /** The agent's name. */
  readonly agent: string | undefined
  /** What its model is used for. Absent: what `Role` says. */
  readonly role?: string | undefined
}

/**
 * A run that is watched.
 *
 * @category models
 */
export interface Watched {
  /** Its id. */
  readonly run: string
  /** Tells something of it. Synchronous; does not throw. */
  readonly publish: (event: RunEvent) => void
  /** Why it is being cancelled, where somebody said so. */
  readonly reason: () => string | undefined
  /** The run that is about to begin inside it. */
  readonly open: (opening: Opening) => Watched
}

/**
 * The run that the current fiber works for; absent where nobody watches. Forked fibers inherit it.
 *
 * @category references
 */
export const Current: Context.Reference<Watched | undefined> = Context.Reference("effigent/Watching/Current", {
  defaultValue: (): Watched | undefined => undefined
})

/** What the models of runs are used for that begin in the current fiber. @category references */
export const Role: Context.Reference<string> = Context.Reference("effigent/Watching/Role", {
  defaultValue: () => "main"
})

/** A value as JSON; absent where it has no JSON form. @category conversions */
export const jsonOf = (value: unknown): Json | undefined =>
  value === undefined ? undefined : Result.getOrUndefined(Text.toJson("value", value))

/** Tokens without what is not known. @category conversions */
export const usageOf = (usage: Usage): RunUsage => {
  const known: { -readonly [K in keyof RunUsage]: RunUsage[K] } = {}
  if (usage.inputTokens !== undefined) known.inputTokens = usage.inputTokens
  if (usage.cachedInputTokens !== undefined) known.cachedInputTokens = usage.cachedInputTokens
  if (usage.cacheWriteInputTokens !== undefined) known.cacheWriteInputTokens = usage.cacheWriteInputTokens
  if (usage.outputTokens !== undefined) known.outputTokens = usage.outputTokens
  if (usage.reasoningTokens !== undefined) known.reasoningTokens = usage.reasoningTokens
  return known
}

/** How a run that did not complete has ended. @category conversions */
export const endOf = (cause: Cause.Cause<unknown>, text: string, reason: string | undefined): RunEvent => {
  if (Cause.hasInterruptsOnly(cause))
    return {
      _tag: "RunCancelled",
      ...(reason === undefined ? {} : { reason }),
      ...(text === "" ? {} : { text })
    }
  const error = Cause.squash(cause)
  const tag =
    Cause.hasFails(cause) && typeof error === "object" && error !== null && "_tag" in error
      ? String(error._tag)
      : Cause.hasFails(cause)
        ? "Failure"
        : "Defect"
  return { _tag: "RunFailed", tag, message: error instanceof Error ? error.message : String(error) }
}

// The request under way, as the provider tells of it.
interface Sent {
  attempt: number
  readonly startedAt: number
  firstAt: number | undefined
  usage: Usage
  model: string | undefined
  finishReason: string | undefined
}

/**
 * Tells of one response.
 *
 * @category models
 */
export class Watch implements Visitor {
  private node: Watched | undefined
  private readonly cursor: ReturnType<Transcript["cursor"]>
  private sent: Sent | undefined
  private attempt = 0
  private pending = ""
  private kind: "Text" | "Reasoning" = "Text"
  private readonly parent: Watched
  private readonly opening: Opening
  private readonly input: unknown
  private readonly recorder: Recorder<unknown>
  private readonly transcript: Transcript
  private readonly clock: Clock.Clock

  constructor(
    parent: Watched,
    agent: { readonly name?: string | undefined; readonly role?: string | undefined; readonly input?: unknown },
    recorder: Recorder<unknown>,
    transcript: Transcript,
    clock: Clock.Clock
  ) {
    this.parent = parent
    this.opening = { agent: agent.name, role: agent.role }
    this.input = agent.input
    this.recorder = recorder
    this.transcript = transcript
    this.clock = clock
    this.cursor = transcript.cursor()
  }

  /** A source that tells what is sent and how it is answered. It stands next to the provider. */
  readonly source = <E, R>(source: Source<E, R>): Source<E, R> => ({
    name: source.name,
    stream: (request, reading) =>
      Stream.suspend(() => {
        this.drain()
        this.begin(this.recorder.attempt, request.model)
        return source.stream(request, reading).pipe(
          Stream.mapArray((events) => {
            for (const event of events) this.see(event)
            return events
          }),
          Stream.ensuring(Effect.sync(() => this.answered()))
        )
      })
  })

  /** The work of the response, with all that it starts inside it. */
  readonly around = <A, E, R>(work: Effect.Effect<FullResponse<A>, E, R>): Effect.Effect<FullResponse<A>, E, R> =>
    Effect.flatMap(Role, (role) => {
      const node = this.parent.open({ agent: this.opening.agent, role: this.opening.role ?? role })
      this.node = node
      const stop = this.transcript.onAppend(this.drain)
      const input = jsonOf(this.input)
      node.publish({
        _tag: "RunStarted",
        ...(input === undefined ? {} : { input }),
        role: this.opening.role ?? role
      })
      return work.pipe(
        Effect.provideService(Current, node),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            stop()
            this.drain()
            node.publish(this.end(exit))
          })
        )
      )
    })

  private end(exit: Exit.Exit<FullResponse<unknown>, unknown>): RunEvent {
    if (Exit.isFailure(exit)) return endOf(exit.cause, this.recorder.soFar().at(-1)?.text ?? "", this.node?.reason())
    const value = jsonOf(exit.value.data)
    return {
      _tag: "RunCompleted",
      ...(value === undefined ? {} : { value }),
      // Plans are runs of their own.
      usage: usageOf(totalUsage(exit.value.attempts))
    }
  }

  private readonly drain = (): void => {
    while (this.cursor.hasNext()) this.cursor.advance(this, Number.POSITIVE_INFINITY)
    this.flush()
  }

  private flush(): void {
    if (this.pending === "") return
    const event: RunEvent = { _tag: this.kind, attempt: this.attempt, text: this.pending }
    this.pending = ""
    this.node?.publish(event)
  }

  readonly text = (text: string): void => {
    if (this.kind !== "Text") this.flush()
    this.kind = "Text"
    this.pending += text
  }

  readonly reasoning = (text: string): void => {
    if (this.kind !== "Reasoning") this.flush()
    this.kind = "Reasoning"
    this.pending += text
  }

  readonly mark = (mark: Mark): void => {
    switch (mark._tag) {
      case "Begun":
        this.flush()
        this.attempt = mark.attempt
        return
      case "ActionStarted":
      case "ActionProgress":
      case "ActionEnded":
        this.flush()
        this.node?.publish(mark)
        return
      case "Status":
        this.flush()
        if (mark.state === "failed" && mark.retry)
          this.node?.publish({
            _tag: "Restarted",
            attempt: mark.nextAttempt ?? mark.attempt + 1,
            reason: mark.reason ?? ""
          })
    }
  }

  private now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  private begin(attempt: number, model: string | undefined): void {
    this.sent = {
      attempt,
      startedAt: this.now(),
      firstAt: undefined,
      usage: {},
      model: undefined,
      finishReason: undefined
    }
    this.node?.publish({ _tag: "ModelRequested", attempt, ...(model === undefined ? {} : { model }) })
  }

  private see(event: ModelEvent): void {
    const { sent } = this
    if (sent === undefined) return
    switch (event._tag) {
      case "Text":
      case "Reasoning":
        sent.firstAt ??= this.now()
        break
      case "Usage":
        sent.usage = event.usage
        break
      case "Finish":
        sent.finishReason = event.reason
        break
      case "Info":
        sent.model = event.model ?? sent.model
        break
      case "Restarted":
        // A provider that replays has given up one request and sent the next.
        this.answered()
        this.begin(sent.attempt + 1, undefined)
    }
  }

  private answered(): void {
    const { sent } = this
    if (sent === undefined) return
    this.sent = undefined
    this.node?.publish({
      _tag: "ModelAnswered",
      attempt: sent.attempt,
      ...(sent.model === undefined ? {} : { model: sent.model }),
      usage: usageOf(sent.usage),
      ...(sent.firstAt === undefined ? {} : { timeToFirstToken: sent.firstAt - sent.startedAt }),
      duration: this.now() - sent.startedAt,
      ...(sent.finishReason === undefined ? {} : { finishReason: sent.finishReason })
    })
  }
}
