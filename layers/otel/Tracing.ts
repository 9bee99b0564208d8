/** Agents, requests, actions and flows as spans and metrics: what stands behind `Telemetry` of `effigent/services/Telemetry`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { ActionRecord, ActionStatus } from "../../services/Action.ts"
import type { ModelEvent, ModelRequest, Usage } from "../../services/ModelProvider.ts"
import type {
  AgentEnd,
  AgentStart,
  ChatStart,
  ExecutionStart,
  ExecutionTrace,
  Telemetry,
  ToolStart
} from "../../services/Telemetry.ts"
import { answerOf, type Capture, type Captured, inputOf, promptOf, valueOf } from "./Content.ts"
import { type Attributes, errorType, Event, Key, usageOf } from "./Conventions.ts"
import * as Metrics from "./Metrics.ts"
import { errorTypeOf, Traced } from "./Spans.ts"

const named = (what: string, name: string | undefined): string => (name === undefined ? what : `${what} ${name}`)

const put = (traced: Traced, key: string, captured: Captured | undefined): void => {
  if (captured === undefined) return
  traced.set({ [key]: captured.text })
  if (captured.truncated) traced.set({ [Key.truncated]: true })
}

const requestOf = ({ agent, provider, request }: ChatStart): Attributes => {
  const { attempt, model, options, output } = request
  return {
    [Key.operation]: "chat",
    [Key.provider]: provider,
    [Key.requestModel]: model,
    [Key.agent]: agent,
    [Key.requestStream]: true,
    [Key.outputType]: output.format === "text" ? "text" : "json",
    [Key.temperature]: options.temperature,
    [Key.topP]: options.topP,
    [Key.maxTokens]: options.maxTokens,
    [Key.stop]: options.stop,
    [Key.seed]: options.seed,
    [Key.attempt]: attempt
  }
}

// One request, as the provider tells of it.
class Chat {
  private readonly capture: Capture
  private readonly limit: number
  usage: Usage = {}
  id: string | undefined
  model: string | undefined
  finishReason: string | undefined
  firstAt: number | undefined
  text = ""
  reasoning = ""
  readonly calls: Array<{ readonly id: string; readonly name: string; readonly arguments: string }> = []
  private readonly traced: Traced

  constructor(traced: Traced, capture: Capture) {
    this.traced = traced
    this.capture = capture
    // A redactor has to see what it looks for as a whole: some more than what is shown is kept.
    this.limit = capture.answers === true ? (capture.limit ?? 16_384) + 4_096 : 0
  }

  readonly see = (event: ModelEvent): void => {
    switch (event._tag) {
      case "Text":
        this.firstAt ??= this.traced.seconds
        if (this.text.length < this.limit) this.text += event.text
        return
      case "Reasoning":
        this.firstAt ??= this.traced.seconds
        if (this.reasoning.length < this.limit) this.reasoning += event.text
        return
      case "ToolCallDelta":
        this.firstAt ??= this.traced.seconds
        return
      case "ToolCall":
        this.firstAt ??= this.traced.seconds
        if (this.limit > 0) this.calls.push(event)
        return
      case "Usage":
        this.usage = event.usage
        return
      case "Finish":
        this.finishReason = event.reason
        return
      case "Info":
        this.id = event.id ?? this.id
        this.model = event.model ?? this.model
        return
      case "Restarted":
        this.text = ""
        this.reasoning = ""
        this.calls.length = 0
        this.traced.event(Event.restarted)
    }
  }

  end(exit: Exit.Exit<unknown, unknown>, { provider, request }: ChatStart): void {
    const { finishReason, firstAt, id, model, traced, usage } = this
    traced.set({
      [Key.responseId]: id,
      [Key.responseModel]: model,
      [Key.finishReasons]: finishReason === undefined ? undefined : [finishReason],
      [Key.timeToFirstChunk]: firstAt,
      ...usageOf(usage)
    })
    if (this.capture.answers === true) put(traced, Key.output, answerOf(this.capture, this))
    const seconds = traced.end(exit)
    const about: Attributes = {
      [Key.operation]: "chat",
      [Key.provider]: provider,
      [Key.requestModel]: request.model,
      [Key.responseModel]: model
    }
    const { context } = traced
    Metrics.record(context, Metrics.operationDuration, seconds, { ...about, [Key.errorType]: errorTypeOf(exit) })
    if (firstAt !== undefined) Metrics.record(context, Metrics.timeToFirstChunk, firstAt, about)
    Metrics.recordUsage(context, usage, about)
  }
}

// What a call came to, as a class of error; absent where it is none.
const failureOf = (status: ActionStatus): string | undefined =>
  status === "success" || status === "retry" || status === "interrupted" ? undefined : status

/** What puts spans around agents and flows. @category constructors */
export const make = (capture: Capture): Telemetry => {
  const begin = (
    context: Context.Context<never>,
    name: string,
    kind: Tracer.SpanKind,
    attributes: Attributes
  ): Traced => new Traced(context, capture, name, kind, attributes)

  // Work in a span; `ended` is told before the span ends, and gives a class of error where what it gave is one.
  const around = <A, E, R>(
    traced: Traced,
    work: Effect.Effect<A, E, R>,
    ended: (exit: Exit.Exit<A, E>) => string | undefined,
    measure: (seconds: number, failure: string | undefined) => void
  ): Effect.Effect<A, E, R> =>
    Effect.onExit(traced.around(work), (exit) =>
      Effect.sync(() => {
        const failure = ended(exit)
        measure(traced.end(exit, failure), failure ?? errorTypeOf(exit))
      })
    )

  const here = <A, E, R>(f: (context: Context.Context<never>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.contextWith((context: Context.Context<never>) => f(context))

  const agent = <A, E, R>(
    { input, model, name, provider }: AgentStart,
    work: Effect.Effect<A, E, R>,
    endOf: (value: A) => AgentEnd
  ): Effect.Effect<A, E, R> =>
    here((context) => {
      const about: Attributes = {
        [Key.operation]: "invoke_agent",
        [Key.provider]: provider,
        [Key.agent]: name,
        [Key.requestModel]: model
      }
      const traced = begin(context, named("invoke_agent", name), "internal", about)
      if (capture.prompts === true && input !== undefined) put(traced, Key.input, inputOf(capture, input))
      const ended = (exit: Exit.Exit<A, E>): undefined => {
        if (Exit.isFailure(exit)) return
        const { attempts, text, usage } = endOf(exit.value)
        traced.set({ [Key.attempts]: attempts, ...usageOf(usage) })
        if (capture.answers === true)
          put(traced, Key.output, answerOf(capture, { text, reasoning: "", calls: [], finishReason: undefined }))
      }
      return around(traced, work, ended, (seconds, failure) =>
        Metrics.record(context, Metrics.agentDuration, seconds, { ...about, [Key.errorType]: failure })
      )
    })

  const chat = <E, R>(about: ChatStart, stream: Stream.Stream<ModelEvent, E, R>): Stream.Stream<ModelEvent, E, R> =>
    Stream.unwrap(
      here((context) =>
        Effect.sync(() => {
          const { request } = about
          const traced = begin(context, named("chat", request.model), "client", requestOf(about))
          if (capture.prompts === true) promptInto(traced, request)
          const chat = new Chat(traced, capture)
          const { span } = traced
          const inside: Stream.Stream<ModelEvent, E, R> =
            span === undefined
              ? stream
              : Stream.updateContext(stream, (context: Context.Context<R>) =>
                  Context.add(context, Tracer.ParentSpan, span)
                )
          return inside.pipe(
            Stream.mapArray((events) => {
              for (const event of events) chat.see(event)
              return events
            }),
            Stream.onExit((exit) => Effect.sync(() => chat.end(exit, about)))
          )
        })
      )
    )

  const promptInto = (traced: Traced, { prompt }: ModelRequest): void => {
    const { messages, system } = promptOf(capture, prompt)
    put(traced, Key.system, system)
    put(traced, Key.input, messages)
  }

  const tool = <A, E, R>(
    { call, description }: ToolStart,
    work: Effect.Effect<A, E, R>,
    recordOf: (value: A) => ActionRecord
  ): Effect.Effect<A, E, R> =>
    here((context) => {
      const about: Attributes = { [Key.operation]: "execute_tool", [Key.toolName]: call.action }
      const traced = begin(context, `execute_tool ${call.action}`, "internal", {
        ...about,
        [Key.toolCall]: call.id,
        [Key.toolType]: "function",
        [Key.toolDescription]: description,
        [Key.actionRound]: call.round
      })
      if (capture.arguments === true) put(traced, Key.toolArguments, valueOf(capture, call.input, "arguments"))
      const ended = (exit: Exit.Exit<A, E>): string | undefined => {
        if (Exit.isFailure(exit)) return undefined
        const { result, status, tries } = recordOf(exit.value)
        traced.set({ [Key.actionStatus]: status, [Key.actionTries]: tries })
        if (capture.results === true) put(traced, Key.toolResult, valueOf(capture, result, "result"))
        return failureOf(status)
      }
      return around(traced, work, ended, (seconds, failure) =>
        Metrics.record(context, Metrics.toolDuration, seconds, { ...about, [Key.errorType]: failure })
      )
    })

  // Something has happened in the span of the current fiber.
  const happened = (name: string, attributes: Attributes): Effect.Effect<void> =>
    Effect.flatMap(
      Effect.clockWith((clock) => Effect.succeed(clock.currentTimeNanosUnsafe())),
      (now) =>
        here((context) =>
          Effect.sync(() => {
            const span = Context.getOption(context, Tracer.ParentSpan)
            if (span._tag === "Some" && span.value._tag === "Span") span.value.event(name, now, attributes)
          })
        )
    )

  const notRun = ({ call, status }: ActionRecord): Effect.Effect<void> =>
    happened(Event.notRun, { [Key.toolName]: call.action, [Key.toolCall]: call.id, [Key.actionStatus]: status })

  const group = <A, E, R>(name: string | undefined, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    here((context) => {
      const about: Attributes = { [Key.workflow]: name }
      const traced = begin(context, named("invoke_workflow", name), "internal", {
        [Key.operation]: "invoke_workflow",
        ...about
      })
      return around(
        traced,
        work,
        () => undefined,
        (seconds, failure) =>
          Metrics.record(context, Metrics.workflowDuration, seconds, { ...about, [Key.errorType]: failure })
      )
    })

  const execution = (about: ExecutionStart, context: Context.Context<never>): ExecutionTrace => {
    const { flow, resumed } = about
    const traced = begin(context, `invoke_workflow ${flow}`, "internal", {
      [Key.operation]: "invoke_workflow",
      [Key.workflow]: flow,
      [Key.execution]: about.execution,
      [Key.resumed]: resumed ? true : undefined
    })
    if (resumed) traced.event(Event.resumed)
    return {
      step: (about, work, isPause) =>
        here((context) => {
          const below = traced.span === undefined ? context : Context.add(context, Tracer.ParentSpan, traced.span)
          const step = begin(below, `step ${about.step}`, "internal", {
            [Key.workflow]: flow,
            [Key.step]: about.step,
            [Key.stepRun]: about.run,
            [Key.stepResumes]: about.resumes === 0 ? undefined : about.resumes
          })
          const ended = (exit: Exit.Exit<unknown, unknown>): undefined => {
            // It is what the work gives.
            if (Exit.isSuccess(exit) && isPause(exit.value as never)) step.event(Event.paused)
          }
          return around(step, work, ended, () => {})
        }),
      failedTry: (attempt, error) => {
        const type = errorType(error)
        const words = capture.errors === true && error instanceof Error ? error.message : undefined
        const message = words === undefined ? {} : { "exception.message": valueOf(capture, words, "error").text }
        return happened(Event.failedTry, { [Key.attempt]: attempt, [Key.errorType]: type, ...message })
      },
      inside: (about) => execution(about, traced.context),
      end: (exit, status) => {
        traced.set({ [Key.executionStatus]: status })
        if (status === "left") traced.event(Event.left, { [Key.errorType]: errorTypeOf(exit) })
        const how =
          status === "completed" || status === "left" ? Exit.void : status === "cancelled" ? Exit.interrupt() : exit
        const seconds = traced.end(how)
        const failure = errorTypeOf(how)
        Metrics.record(context, Metrics.workflowDuration, seconds, { [Key.workflow]: flow, [Key.errorType]: failure })
      }
    }
  }

  return { agent, chat, tool, notRun, group, execution }
}
