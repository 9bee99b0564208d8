/**
 * Telemetry that writes into the traces of the studio, with what was said and answered: the studio runs on the machine of
 * whoever looks at it. Where the project traces already, both do (`both`).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { ActionRecord } from "../../../services/Action.ts"
import type { Json } from "../../../services/Json.ts"
import type { ModelEvent, Usage } from "../../../services/ModelProvider.ts"
import type {
  AgentEnd,
  AgentStart,
  ChatStart,
  ExecutionStart,
  ExecutionTrace,
  Telemetry,
  ToolStart
} from "../../../services/Telemetry.ts"
import * as Watching from "../../../src/request/Watching.ts"
import { wordsOf } from "../config/Open.ts"
import type { Price } from "../config/Project.ts"
import * as Prices from "./Prices.ts"
import { defaultRoom, requestOf, Room } from "./Rendered.ts"
import type { Ending, Opening, Span, Traces } from "./Traces.ts"

/** The span that the current fiber works in. @category references */
export const Here: Context.Reference<Span | undefined> = Context.Reference("effigent/studio/Span", {
  defaultValue: (): Span | undefined => undefined
})

/** The outermost run that a context works for; absent where nobody watches. @category reading */
export const runOf = (context: Context.Context<never>): string | undefined =>
  Context.get(context, Here)?.trace.run ?? nonEmpty(Context.get(context, Watching.Current)?.run)

// The entrance of a log has no id of its own.
const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text)

/** What is captured. @category models */
export interface Options {
  readonly prices?: { readonly [model: string]: Price } | undefined
  /** Characters of what was said that are kept of one span. Default 262,144. */
  readonly characters?: number | undefined
}

const attributesOf = (fields: { readonly [key: string]: Json | undefined }): { readonly [key: string]: Json } => {
  const known: { [key: string]: Json } = {}
  for (const key in fields) {
    const value = fields[key]
    if (value !== undefined) known[key] = value
  }
  return known
}

// The longest message of an error that is kept whole.
const longest = 4_096

const failureOf = (cause: Cause.Cause<unknown>): Pick<Ending, "status" | "error"> => {
  if (Cause.hasInterruptsOnly(cause)) return { status: "cancelled" }
  const { detail, tag } = wordsOf(cause)
  return { status: "error", error: { tag, message: new Room(longest).text(detail) } }
}

const endOf = (exit: Exit.Exit<unknown, unknown>): Pick<Ending, "status" | "error"> =>
  Exit.isSuccess(exit) ? { status: "ok" } : failureOf(exit.cause)

// One request, as the provider tells of it.
class Chat {
  usage: Usage = {}
  id: string | undefined
  model: string | undefined
  finishReason: string | undefined
  firstAt: number | undefined
  text = ""
  reasoning = ""
  refusal = ""
  restarts = 0
  /** Characters of the text that were not kept. */
  more = 0
  readonly calls: Array<{ readonly id: string; readonly name: string; readonly arguments: string }> = []
  private readonly limit: number
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock, limit: number) {
    this.clock = clock
    this.limit = limit
  }

  readonly see = (event: ModelEvent): void => {
    switch (event._tag) {
      case "Text":
        this.first()
        if (this.text.length <= this.limit) this.text += event.text
        else this.more += event.text.length
        return
      case "Reasoning":
        this.first()
        if (this.reasoning.length <= this.limit) this.reasoning += event.text
        return
      case "Refusal":
        this.first()
        if (this.refusal.length <= this.limit) this.refusal += event.text
        return
      case "ToolCallDelta":
        this.first()
        return
      case "ToolCall":
        this.first()
        this.calls.push({ id: event.id, name: event.name, arguments: event.arguments })
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
        this.restarts++
        this.text = ""
        this.more = 0
        this.reasoning = ""
        this.refusal = ""
        this.calls.length = 0
    }
  }

  private first(): void {
    this.firstAt ??= nowOf(this.clock)
  }
}

// With fractions of a millisecond.
const nowOf = (clock: Clock.Clock): number => Number(clock.currentTimeNanosUnsafe()) / 1e6

/** Telemetry into traces. @category constructors */
export const make = (traces: Traces, options: Options = {}): Telemetry => {
  const { characters = defaultRoom, prices = {} } = options

  const open = (context: Context.Context<never>, about: Omit<Opening, "at">) => {
    const clock = Context.get(context, Clock.Clock)
    const parent = Context.get(context, Here)
    const run = parent === undefined ? runOf(context) : undefined
    const { isKept, span } = traces.begin(parent, { ...about, at: nowOf(clock), run })
    return {
      span,
      isKept,
      clock,
      inside: Context.add(context, Here, span),
      put: (room: Room, content: Parameters<Traces["put"]>[1]) => {
        if (isKept) traces.put(span, room.truncated ? { ...content, truncated: true } : content, room.used)
      },
      end: (ending: Omit<Ending, "at">) => {
        if (isKept) traces.end(span, { ...ending, at: nowOf(clock) })
      }
    }
  }

  const here = <A, E, R>(f: (context: Context.Context<never>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.contextWith((context: Context.Context<never>) => f(context))

  const around = <A, E, R>(
    opened: ReturnType<typeof open>,
    work: Effect.Effect<A, E, R>,
    ended: (exit: Exit.Exit<A, E>) => Omit<Ending, "at"> = endOf
  ): Effect.Effect<A, E, R> =>
    Effect.onExit(Effect.provideService(work, Here, opened.span), (exit) => Effect.sync(() => opened.end(ended(exit))))

  const agent = <A, E, R>(
    { input, model, name, provider }: AgentStart,
    work: Effect.Effect<A, E, R>,
    endOfValue: (value: A) => AgentEnd
  ): Effect.Effect<A, E, R> =>
    here((context) => {
      const opened = open(context, {
        kind: "agent",
        name: name ?? "agent",
        model,
        attributes: attributesOf({ provider, model })
      })
      const room = new Room(characters)
      const asked = room.value(input)
      if (asked !== undefined) opened.put(room, { input: asked })
      return around(opened, work, (exit) => {
        if (Exit.isSuccess(exit) && opened.isKept) {
          const { attempts, text, usage } = endOfValue(exit.value)
          opened.span.usage = Watching.usageOf(usage)
          opened.span.attributes["attempts"] = attempts
          const room = new Room(characters)
          opened.put(room, { output: room.text(text) })
        }
        return endOf(exit)
      })
    })

  const chat = <E, R>(about: ChatStart, stream: Stream.Stream<ModelEvent, E, R>): Stream.Stream<ModelEvent, E, R> =>
    Stream.unwrap(
      here((context) =>
        Effect.sync(() => {
          const { agent, provider, request } = about
          const opened = open(context, {
            kind: "chat",
            name: request.model ?? provider,
            attempt: request.attempt,
            model: request.model,
            attributes: attributesOf({ provider, agent, model: request.model })
          })
          const { clock, isKept, span } = opened
          if (!isKept) return stream
          const room = new Room(characters)
          opened.put(room, { request: requestOf(room, provider, request) })
          const chat = new Chat(clock, characters)
          return stream.pipe(
            Stream.provideService(Here, span),
            Stream.mapArray((events) => {
              for (const event of events) chat.see(event)
              return events
            }),
            Stream.onExit((exit) =>
              Effect.sync(() => {
                const usage = Watching.usageOf(chat.usage)
                const model = chat.model ?? request.model
                span.model = model
                const first = chat.firstAt === undefined ? undefined : chat.firstAt - span.at
                if (chat.firstAt !== undefined || Exit.isSuccess(exit))
                  traces.used(span, usage, Prices.costOf(prices, usage, model), first)
                const room = new Room(characters)
                opened.put(room, { response: responseOf(room, chat) })
                opened.end(endOf(exit))
              })
            )
          )
        })
      )
    )

  const tool = <A, E, R>(
    { call, description }: ToolStart,
    work: Effect.Effect<A, E, R>,
    recordOf: (value: A) => ActionRecord
  ): Effect.Effect<A, E, R> =>
    here((context) => {
      const opened = open(context, {
        kind: "tool",
        name: call.action,
        attributes: attributesOf({ call: call.id, round: call.round, description })
      })
      const room = new Room(characters)
      const input = room.value(call.input)
      if (input !== undefined) opened.put(room, { input })
      return around(opened, work, (exit) => {
        if (Exit.isFailure(exit)) return endOf(exit)
        const record = recordOf(exit.value)
        const room = new Room(characters)
        const output = room.value(record.result)
        if (output !== undefined) opened.put(room, { output })
        if (opened.isKept) Object.assign(opened.span.attributes, toolAttributes(record))
        return toolEnd(record)
      })
    })

  const notRun = (record: ActionRecord): Effect.Effect<void> =>
    here((context) =>
      Effect.sync(() => {
        const parent = Context.get(context, Here)
        if (parent === undefined) return
        const opened = open(context, {
          kind: "tool",
          name: record.call.action,
          attributes: { call: record.call.id, round: record.call.round, ...toolAttributes(record) }
        })
        const room = new Room(characters)
        const input = room.value(record.call.input)
        const output = room.value(record.result)
        opened.put(room, { ...(input === undefined ? {} : { input }), ...(output === undefined ? {} : { output }) })
        opened.end(toolEnd(record))
      })
    )

  const group = <A, E, R>(name: string | undefined, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    here((context) => around(open(context, { kind: "group", name: name ?? "run" }), work))

  const execution = (about: ExecutionStart, context: Context.Context<never>): ExecutionTrace => {
    const { flow, resumed } = about
    const opened = open(context, {
      kind: "flow",
      name: flow,
      execution: about.execution,
      attributes: attributesOf({ execution: about.execution, resumed: resumed ? true : undefined })
    })
    return {
      step: (step, work, isPause) =>
        here((context) => {
          const opening = {
            kind: "step" as const, // The literal that it is.
            name: step.step,
            attempt: step.resumes + 1,
            attributes: attributesOf({ run: step.run, resumes: step.resumes === 0 ? undefined : step.resumes })
          }
          const below = open(Context.add(context, Here, opened.span), opening)
          return around(below, work, (exit) => {
            // It is what the work gives.
            if (Exit.isSuccess(exit) && isPause(exit.value as never) && below.isKept)
              traces.event(below.span, nowOf(below.clock), "waits for an answer", {})
            return endOf(exit)
          })
        }),
      failedTry: (attempt, error) =>
        here((context) =>
          Effect.map(Clock.Clock, (clock) => {
            const span = Context.get(context, Here)
            const { detail, tag } = wordsOf(Cause.fail(error))
            if (span === undefined) return
            const room = new Room(longest)
            const message = room.text(detail)
            traces.event(span, nowOf(clock), "try failed", { attempt, tag, message }, room.used)
          })
        ),
      inside: (about) => execution(about, opened.inside),
      end: (exit, status) => {
        if (opened.isKept) opened.span.attributes["status"] = status
        opened.end(
          status === "failed" && Exit.isFailure(exit)
            ? failureOf(exit.cause)
            : { status: status === "cancelled" ? "cancelled" : "ok" }
        )
      }
    }
  }

  return { agent, chat, tool, notRun, group, execution }
}

const responseOf = (room: Room, chat: Chat) => ({
  ...(chat.id === undefined ? {} : { id: chat.id }),
  ...(chat.model === undefined ? {} : { model: chat.model }),
  ...(chat.refusal === "" ? {} : { refusal: room.text(chat.refusal) }),
  text: room.text(chat.text, chat.more),
  reasoning: room.text(chat.reasoning),
  calls: chat.calls.map((call) => ({ ...call, arguments: room.text(call.arguments) })),
  ...(chat.finishReason === undefined ? {} : { finishReason: chat.finishReason }),
  restarts: chat.restarts
})

const toolAttributes = ({ decision, sideEffect, status, tries }: ActionRecord): { readonly [key: string]: Json } =>
  attributesOf({ status, sideEffect, tries, decision })

const toolEnd = ({ result, status }: ActionRecord): Omit<Ending, "at"> => {
  if (status === "success" || status === "retry") return { status: "ok" }
  if (status === "interrupted") return { status: "cancelled" }
  return { status: "error", error: { tag: status, message: new Room(longest).text(messageOf(result)) } }
}

// What models are told of a failure: `{ error: "..." }`.
const messageOf = (result: Json): string =>
  typeof result === "object" && result !== null && "error" in result && typeof result["error"] === "string"
    ? result["error"]
    : JSON.stringify(result)

/** What traces with both: the first stands outside. @category combinators */
export const both = (outer: Telemetry, inner: Telemetry): Telemetry => {
  const pair = (a: ExecutionTrace, b: ExecutionTrace): ExecutionTrace => ({
    step: (about, work, isPause) => a.step(about, b.step(about, work, isPause), isPause),
    failedTry: (attempt, error) => Effect.andThen(a.failedTry(attempt, error), b.failedTry(attempt, error)),
    inside: (about) => pair(a.inside(about), b.inside(about)),
    end: (exit, status) => {
      a.end(exit, status)
      b.end(exit, status)
    }
  })
  return {
    agent: (about, work, endOf) => outer.agent(about, inner.agent(about, work, endOf), endOf),
    chat: (about, stream) => outer.chat(about, inner.chat(about, stream)),
    tool: (about, work, recordOf) => outer.tool(about, inner.tool(about, work, recordOf), recordOf),
    notRun: (record) => Effect.andThen(outer.notRun(record), inner.notRun(record)),
    group: (name, work) => outer.group(name, inner.group(name, work)),
    execution: (about, context) => pair(outer.execution(about, context), inner.execution(about, context))
  }
}
