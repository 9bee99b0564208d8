/**
 * The promises of `ModelProvider` as cases that any implementation can be put to, with any test framework or none. A
 * harness knows how to make one implementation meet a scenario (a scripted peer on a loopback socket, a script, a
 * recording); a case prepares the scenario it needs, runs the provider and checks one promise.
 *
 * Cases run on the real clock, under a TestClock too: they wait for real peers. What a harness cannot bring about is
 * reported as skipped with a reason, never as passed.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ModelError, ModelErrorReason } from "../../services/ModelError.ts"
import type { ModelEvent, ModelProvider } from "../../services/ModelProvider.ts"
import * as Scenarios from "./Scenarios.ts"
import type { Scenario } from "./Scenarios.ts"

export type { Answer, Scenario, ToolCallScript } from "./Scenarios.ts"

/**
 * A provider that is ready to meet a scenario.
 *
 * @category models
 */
export interface Subject {
  readonly provider: ModelProvider["Service"]
  /** How many requests have reached the other side. Absent: cannot be told. */
  readonly requests?: Effect.Effect<number> | undefined
  /**
   * How many answers are under way on the other side: begun there, neither finished nor left by the provider. Absent:
   * cannot be told.
   */
  readonly open?: Effect.Effect<number> | undefined
  /** True for a provider that answers in words of its own, so that only the form of its answers is checked. */
  readonly ownWords?: boolean | undefined
}

/**
 * A scenario that a harness cannot bring about, and why.
 *
 * @category errors
 */
export class Skip extends Data.TaggedError("Skip")<{ readonly reason: string }> {}

/** Says that a scenario cannot be brought about. @category constructors */
export const skip = (reason: string): Effect.Effect<never, Skip> => Effect.fail(new Skip({ reason }))

/**
 * How one implementation is put to the cases.
 *
 * @category models
 */
export interface Harness {
  /** Name of the implementation, for reports. */
  readonly name: string
  /** Makes a provider that meets the scenario; what it opens lives in the Scope. Called once per case. */
  readonly prepare: (scenario: Scenario) => Effect.Effect<Subject, Skip, Scope.Scope>
  /** How soon after an interruption an answer has to be closed on the other side. Default 1 second. */
  readonly closesWithin?: Duration.Input | undefined
  /** How long a case waits for what should come at once; four times as long it may take in all. Default 5 seconds. */
  readonly patience?: Duration.Input | undefined
}

/**
 * A promise that is not kept.
 *
 * @category errors
 */
export class ConformanceFailure extends Data.TaggedError("ConformanceFailure")<{
  readonly harness: string
  readonly case: string
  readonly detail: string
}> {
  override get message(): string {
    return `${this.harness} does not conform: ${this.case}: ${this.detail}`
  }
}

/** How a case ended that found nothing wrong. @category models */
export type Outcome = { readonly _tag: "Passed" } | { readonly _tag: "Skipped"; readonly reason: string }

/**
 * One promise.
 *
 * @category models
 */
export interface Case {
  readonly name: string
  readonly run: (harness: Harness) => Effect.Effect<Outcome, ConformanceFailure, Scope.Scope>
}

/** The result of one case. @category models */
export type CaseResult = Outcome | { readonly _tag: "Failed"; readonly detail: string }

/**
 * The results of all cases.
 *
 * @category models
 */
export interface Report {
  readonly harness: string
  /** True when no case failed. */
  readonly conforms: boolean
  readonly results: ReadonlyArray<{ readonly name: string; readonly result: CaseResult }>
}

// What one run of a stream showed.
interface Observed {
  readonly chunks: ReadonlyArray<ReadonlyArray<ModelEvent>>
  readonly events: ReadonlyArray<ModelEvent>
  readonly error: ModelError | undefined
}

type Body = Effect.Effect<void, string | Skip, Scope.Scope>

const patienceOf = (harness: Harness) => Duration.fromInputUnsafe(harness.patience ?? "5 seconds")
const interruptLimit = Duration.seconds(1)
const pollEvery = Duration.millis(5)

const realClock = Clock.Clock.defaultValue()

const make = (
  name: string,
  scenario: Scenario,
  body: (subject: Subject, scenario: Scenario, harness: Harness) => Body
): Case => ({
  name,
  run: (harness) => {
    const failure = (detail: string) => new ConformanceFailure({ harness: harness.name, case: name, detail })
    const limit = Duration.times(patienceOf(harness), 4)
    return harness.prepare(scenario).pipe(
      Effect.flatMap((subject) => body(subject, scenario, harness)),
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(`has not come to an end after ${Duration.format(limit)}`)
      }),
      Effect.as<Outcome>({ _tag: "Passed" }),
      Effect.catch((error) =>
        typeof error === "string"
          ? Effect.fail(failure(error))
          : Effect.succeed<Outcome>({ _tag: "Skipped", reason: error.reason })
      ),
      Effect.provideService(Clock.Clock, realClock)
    )
  }
})

const check = (holds: boolean, detail: () => string): Effect.Effect<void, string> =>
  holds ? Effect.void : Effect.fail(detail())

const observe = Effect.fnUntraced(function* (stream: Stream.Stream<ModelEvent, ModelError>) {
  const chunks: Array<ReadonlyArray<ModelEvent>> = []
  const result = yield* Effect.result(
    Stream.runForEachArray(stream, (chunk) =>
      Effect.sync(() => {
        chunks.push(chunk)
      })
    )
  )
  const observed: Observed = {
    chunks,
    events: chunks.flat(),
    error: Result.isFailure(result) ? result.failure : undefined
  }
  return observed
})

const succeeded = Effect.fnUntraced(function* (subject: Subject, scenario: Scenario) {
  const observed = yield* observe(subject.provider.stream(scenario.request))
  yield* check(observed.error === undefined, () => `failed: ${observed.error?.message}`)
  return observed
})

const failed = Effect.fnUntraced(function* (subject: Subject, scenario: Scenario) {
  const observed = yield* observe(subject.provider.stream(scenario.request))
  const { error } = observed
  if (error === undefined) return yield* Effect.fail(`succeeded with ${tags(observed.events)}`)
  yield* check(error.provider === subject.provider.name, () => `the error names ${error.provider}`)
  yield* check(!observed.events.some((event) => event._tag === "Finish"), () => "a Finish came before the failure")
  return { ...observed, error }
})

const counter = (what: Effect.Effect<number> | undefined, name: string): Effect.Effect<Effect.Effect<number>, Skip> =>
  what === undefined ? skip(`the harness cannot count ${name}`) : Effect.succeed(what)

const tags = (events: ReadonlyArray<ModelEvent>) => `[${events.map((event) => event._tag).join(", ")}]`

// A provider that replays says that all before is void.
const valid = (events: ReadonlyArray<ModelEvent>) =>
  events.slice(events.findLastIndex((event) => event._tag === "Restarted") + 1)

const textOf = (events: ReadonlyArray<ModelEvent>) =>
  valid(events)
    .map((event) => (event._tag === "Text" ? event.text : ""))
    .join("")

const textIsWhole = (subject: Subject, scenario: Scenario, events: ReadonlyArray<ModelEvent>) => {
  const text = textOf(events)
  const said = Scenarios.textOf(scenario.answer)
  return subject.ownWords === true
    ? check(text !== "", () => "there is no text")
    : check(text === said, () => `the text is ${JSON.stringify(text)}, the other side said ${JSON.stringify(said)}`)
}

const endsWell = Effect.fnUntraced(function* (events: ReadonlyArray<ModelEvent>) {
  const finishes = valid(events).filter((event) => event._tag === "Finish")
  yield* check(finishes.length === 1, () => `there are ${finishes.length} Finish events: ${tags(events)}`)
  const after = events.slice(events.findLastIndex((event) => event._tag === "Finish") + 1)
  yield* check(
    after.every((event) => event._tag === "Usage" || event._tag === "Raw"),
    () => `after Finish came ${tags(after)}`
  )
  return finishes[0]
})

// Polls a number of the other side until it is as wanted: sockets tell late.
const becomes = Effect.fnUntraced(function* (
  what: string,
  read: Effect.Effect<number>,
  wanted: (n: number) => boolean,
  within: Duration.Input
) {
  const deadline = realClock.currentTimeMillisUnsafe() + Duration.toMillis(within)
  for (;;) {
    const now = yield* read
    if (wanted(now)) return
    if (realClock.currentTimeMillisUnsafe() > deadline) {
      return yield* Effect.fail(`${what}: still ${now} after ${Duration.format(Duration.fromInputUnsafe(within))}`)
    }
    yield* Effect.sleep(pollEvery)
  }
})

const closes = (harness: Harness, open: Effect.Effect<number>) =>
  becomes("answers open on the other side", open, (n) => n === 0, harness.closesWithin ?? "1 second")

const interruptInTime = Effect.fnUntraced(function* (fiber: Fiber.Fiber<unknown, unknown>) {
  const interrupted = yield* Effect.timeoutOption(Fiber.interrupt(fiber), interruptLimit)
  yield* check(Option.isSome(interrupted), () => `interrupting took longer than ${Duration.format(interruptLimit)}`)
})

// Runs a stalling stream until all that was said has arrived, then interrupts it.
const interruptAfterText = Effect.fnUntraced(function* (subject: Subject, scenario: Scenario, harness: Harness) {
  const arrived = yield* Deferred.make<void>()
  const wanted = Scenarios.textOf(scenario.answer)
  let text = ""
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(subject.provider.stream(scenario.request), (event) => {
      if (event._tag !== "Text") return Effect.void
      text += event.text
      return text === wanted || subject.ownWords === true ? Deferred.succeed(arrived, undefined) : Effect.void
    }),
    { startImmediately: true }
  )
  const ended = Effect.flatMap(Fiber.await(fiber), (exit) =>
    Effect.fail(`the stream ended by itself: ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "well"}`)
  )
  yield* Effect.raceFirst(Deferred.await(arrived), ended).pipe(
    Effect.timeoutOrElse({
      duration: patienceOf(harness),
      orElse: () => Effect.fail(`what was said did not arrive while the answer went on: ${JSON.stringify(text)}`)
    })
  )
  yield* interruptInTime(fiber)
})

const rejection = (status: number, reason: ModelErrorReason["_tag"]): Case =>
  make(
    `a ${status} before the first token is the reason ${reason}, after one request`,
    Scenarios.rejects(status),
    Effect.fnUntraced(function* (subject, scenario) {
      const { error, events } = yield* failed(subject, scenario)
      yield* check(error.reason._tag === reason, () => `the reason is ${error.reason._tag}: ${error.message}`)
      yield* check(textOf(events) === "", () => "there is text")
      if (subject.requests === undefined) return
      const sent = yield* subject.requests
      yield* check(sent === 1, () => `${sent} requests were sent; retrying is not the provider's business`)
    })
  )

/**
 * The cases, in the order of the promises.
 *
 * @category cases
 */
export const cases: ReadonlyArray<Case> = [
  make(
    "nothing is sent before the stream is run",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const requests = yield* counter(subject.requests, "requests")
      const stream = subject.provider.stream(scenario.request)
      yield* Effect.sleep("30 millis")
      const before = yield* requests
      yield* check(before === 0, () => `${before} requests were sent by making the stream`)
      yield* observe(stream)
      const after = yield* requests
      yield* check(after === 1, () => `${after} requests were sent by running it once`)
    })
  ),
  make(
    "a second run of the same stream is a second request, with the whole answer again",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const requests = yield* counter(subject.requests, "requests")
      const stream = subject.provider.stream(scenario.request)
      const first = yield* observe(stream)
      const second = yield* observe(stream)
      yield* textIsWhole(subject, scenario, first.events)
      yield* textIsWhole(subject, scenario, second.events)
      const sent = yield* requests
      yield* check(sent === 2, () => `${sent} requests were sent by two runs`)
    })
  ),
  make(
    "the pieces of text are never empty, and together they are the answer",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const { chunks, events } = yield* succeeded(subject, scenario)
      yield* check(
        chunks.every((chunk) => chunk.length > 0),
        () => "there is an empty chunk"
      )
      yield* check(
        events.every((event) => event._tag !== "Text" || event.text !== ""),
        () => "there is an empty piece of text"
      )
      yield* textIsWhole(subject, scenario, events)
    })
  ),
  make(
    "a success has exactly one Finish, followed by Usage and Raw alone",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const { events } = yield* succeeded(subject, scenario)
      const finish = yield* endsWell(events)
      yield* check(finish?.reason === "stop", () => `the reason is ${finish?.reason}`)
    })
  ),
  make(
    "an answer that was cut for its length says so",
    Scenarios.saysTooMuch,
    Effect.fnUntraced(function* (subject, scenario) {
      const { events } = yield* succeeded(subject, scenario)
      const finish = yield* endsWell(events)
      yield* check(finish?.reason === "length", () => `the reason is ${finish?.reason}`)
      yield* textIsWhole(subject, scenario, events)
    })
  ),
  make(
    "usage is a running total whose last one counts",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const { events } = yield* succeeded(subject, scenario)
      const usages = valid(events).flatMap((event) => (event._tag === "Usage" ? [event.usage] : []))
      const last = usages.at(-1)
      if (last === undefined) return yield* Effect.fail("there is no Usage")
      const outputs = usages.map((usage) => usage.outputTokens ?? 0)
      yield* check(
        outputs.every((tokens, i) => tokens >= (outputs[i - 1] ?? 0)),
        () => `the output tokens go down: ${outputs.join(", ")}`
      )
      const told = Scenarios.usage
      yield* subject.ownWords === true
        ? check((last.inputTokens ?? 0) > 0 && (last.outputTokens ?? 0) > 0, () => JSON.stringify(last))
        : check(
            last.inputTokens === told.inputTokens && last.outputTokens === told.outputTokens,
            () => `the last Usage is ${JSON.stringify(last)}, the other side told ${JSON.stringify(told)}`
          )
    })
  ),
  make(
    "frames come as Raw only where the request asks for them",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const plain = yield* succeeded(subject, scenario)
      yield* check(!plain.events.some((event) => event._tag === "Raw"), () => "there is a Raw nobody asked for")
      const request = { ...scenario.request, includeRaw: true }
      const raw = yield* succeeded(subject, { ...scenario, request })
      yield* endsWell(raw.events)
      yield* textIsWhole(subject, scenario, raw.events)
    })
  ),
  make(
    "runs at the same time do not mix",
    Scenarios.says,
    Effect.fnUntraced(function* (subject, scenario) {
      const runs = yield* Effect.all(
        Array.from({ length: 4 }, () => succeeded(subject, scenario)),
        { concurrency: "unbounded" }
      )
      for (const { events } of runs) {
        yield* textIsWhole(subject, scenario, events)
        yield* endsWell(events)
      }
    })
  ),
  make(
    "tool calls come in pieces and then whole, once each, and are the reason of the finish",
    Scenarios.callsTools,
    Effect.fnUntraced(function* (subject, scenario) {
      const { events } = yield* succeeded(subject, scenario)
      const finish = yield* endsWell(events)
      yield* check(finish?.reason === "tool-calls", () => `the reason is ${finish?.reason}`)
      const calls = events.flatMap((event) => (event._tag === "ToolCall" ? [event] : []))
      const expected = Scenarios.callsOf(scenario.answer)
      yield* subject.ownWords === true
        ? check(calls.length > 0, () => "there is no tool call")
        : check(
            Equal.equals(
              calls.map(({ input, name }) => ({ name, input })),
              expected.map(({ input, name }) => ({ name, input }))
            ),
            () => `the calls are ${JSON.stringify(calls)}`
          )
      yield* check(
        new Set(calls.map((call) => call.id)).size === calls.length && calls.every((call) => call.id !== ""),
        () => `the calls' ids are not their own: ${calls.map((call) => JSON.stringify(call.id)).join(", ")}`
      )
      for (const call of calls) {
        const whole = events.indexOf(call)
        const deltas = events.flatMap((event, at) =>
          event._tag === "ToolCallDelta" && event.index === call.index ? [{ ...event, at }] : []
        )
        yield* check(
          deltas.every((delta) => delta.at < whole),
          () => `a piece of ${call.name} came after the whole`
        )
        const joined = deltas.map((delta) => delta.delta).join("")
        yield* check(
          deltas.length === 0 || joined === call.arguments,
          () =>
            `the pieces of ${call.name} are ${JSON.stringify(joined)}, the whole is ${JSON.stringify(call.arguments)}`
        )
      }
    })
  ),
  rejection(401, "Unauthorized"),
  rejection(429, "RateLimited"),
  rejection(503, "ProviderUnavailable"),
  make(
    "an end without proof of success is a failure after the text that came",
    Scenarios.breaksOff,
    Effect.fnUntraced(function* (subject, scenario) {
      const { error, events } = yield* failed(subject, scenario)
      yield* textIsWhole(subject, scenario, events)
      yield* check(
        error.reason._tag === "Incomplete" || error.reason._tag === "ConnectionLost",
        () => `the reason is ${error.reason._tag}: ${error.message}`
      )
    })
  ),
  make(
    "text arrives while the answer goes on, and interrupting returns at once",
    Scenarios.stalls,
    (subject, scenario, harness) => interruptAfterText(subject, scenario, harness)
  ),
  make(
    "interrupting in mid-answer closes the connection",
    Scenarios.stalls,
    Effect.fnUntraced(function* (subject, scenario, harness) {
      const open = yield* counter(subject.open, "open answers")
      yield* interruptAfterText(subject, scenario, harness)
      yield* closes(harness, open)
    })
  ),
  make(
    "interrupting before the first token closes the connection",
    Scenarios.stallsAtOnce,
    Effect.fnUntraced(function* (subject, scenario, harness) {
      const open = yield* counter(subject.open, "open answers")
      const fiber = yield* Effect.forkChild(Stream.runDrain(subject.provider.stream(scenario.request)), {
        startImmediately: true
      })
      yield* becomes("answers open on the other side", open, (n) => n === 1, patienceOf(harness))
      yield* interruptInTime(fiber)
      yield* closes(harness, open)
    })
  ),
  make(
    "a reader who leaves early closes the connection",
    Scenarios.stalls,
    Effect.fnUntraced(function* (subject, scenario, harness) {
      const open = yield* counter(subject.open, "open answers")
      yield* Effect.result(
        subject.provider.stream(scenario.request).pipe(
          Stream.filter((event) => event._tag === "Text"),
          Stream.take(1),
          Stream.runDrain
        )
      )
      yield* closes(harness, open)
    })
  )
]

/**
 * Puts an implementation to all cases, one after the other, and reports. Never fails: read `conforms`, or print the
 * report with `render`. With a test framework, make one test of each of `cases` instead.
 *
 * @example
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { ModelProvider } from "effigent/services/ModelProvider"
 * import { ModelProviderConformance, ScriptedModel } from "effigent/testing"
 *
 * const harness: ModelProviderConformance.Harness = {
 *   name: "scripted",
 *   prepare: ({ answer }) =>
 *     answer._tag === "Says"
 *       ? Effect.map(Layer.build(ScriptedModel.always(ScriptedModel.chunks(answer.texts, answer))), (context) => ({
 *           provider: Context.get(context, ModelProvider)
 *         }))
 *       : ModelProviderConformance.skip("this example plays plain answers alone")
 * }
 * const report = await Effect.runPromise(ModelProviderConformance.run(harness))
 * console.log(report.conforms) // => true
 * console.log(report.results[2]?.result) // => { _tag: 'Passed' }
 * ```
 *
 * @category running
 */
export const run = (harness: Harness): Effect.Effect<Report> =>
  Effect.map(
    Effect.forEach(cases, (one) =>
      Effect.scoped(one.run(harness)).pipe(
        Effect.exit,
        Effect.map((exit) => {
          const result: CaseResult = Exit.isSuccess(exit)
            ? exit.value
            : {
                _tag: "Failed",
                detail: Option.match(Cause.findErrorOption(exit.cause), {
                  onNone: () => Cause.pretty(exit.cause),
                  onSome: (failure) => failure.detail
                })
              }
          return { name: one.name, result }
        })
      )
    ),
    (results) => ({
      harness: harness.name,
      conforms: results.every(({ result }) => result._tag !== "Failed"),
      results
    })
  )

/** A report as text, one line per case. @category running */
export const render = (report: Report): string =>
  [
    `${report.harness}: ${report.conforms ? "conforms" : "does not conform"}`,
    ...report.results.map(({ name, result }) => {
      switch (result._tag) {
        case "Passed":
          return `  passed   ${name}`
        case "Skipped":
          return `  skipped  ${name} (${result.reason})`
        case "Failed":
          return `  FAILED   ${name}: ${result.detail}`
      }
    })
  ].join("\n")
