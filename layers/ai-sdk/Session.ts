/**
 * Reads the web stream of an AI SDK model. The stream gives one part at a time, whatever the network brought: parts that
 * are there within one turn of the event loop are handed on together, so that a network read is about one chunk.
 *
 * The request is bound to the stream: its end, failure, interruption or early exit aborts what is left of it.
 */
import type { LanguageModelV4StreamResult, SharedV4Warning } from "@ai-sdk/provider"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ModelErrorReason } from "../../services/ModelError.ts"
import type { Failures } from "../../src/wire/Failure.ts"
import { type Limits, Watch } from "../../src/wire/Timeouts.ts"
import * as Errors from "./Errors.ts"
import { isContent, type Part } from "./Parts.ts"

/** One request. @category models */
export interface Exchange {
  /** Sends the request. Called once. */
  readonly open: (signal: AbortSignal) => PromiseLike<LanguageModelV4StreamResult>
  readonly limits: Limits
  readonly failures: Failures
  /** Who answers, for warnings. */
  readonly who: string
}

type Batch = Arr.NonEmptyReadonlyArray<Part>

// A reader that is slower than the model gets at most so many parts at once.
const maxBatch = 1024
const drainMillis = 100

const said = (warning: SharedV4Warning): string => {
  switch (warning.type) {
    case "unsupported":
    case "compatibility":
      return `${warning.type} ${warning.feature}${warning.details === undefined ? "" : `: ${warning.details}`}`
    case "deprecated":
      return `deprecated ${warning.setting}: ${warning.message}`
    case "other":
      return warning.message
  }
}

class Session {
  private readonly exchange: Exchange
  private readonly clock: Clock.Clock
  private readonly controller = new AbortController()
  private readonly watch: Watch
  private reader: ReadableStreamDefaultReader<Part> | undefined
  private buffer: Array<Part> = []
  private warnings: ReadonlyArray<SharedV4Warning> = []
  private failure: ModelErrorReason | undefined
  private wake: (() => void) | undefined
  private isReading = false
  private isGathering = false
  private sawFinish = false
  private atEnd = false
  private closed = false

  constructor(exchange: Exchange, clock: Clock.Clock) {
    this.exchange = exchange
    this.clock = clock
    this.watch = new Watch(exchange.limits, clock, (stage, millis) => {
      this.failure ??= exchange.failures.timedOut(stage, millis)
      this.controller.abort()
      this.wake?.()
    })
  }

  readonly close = Effect.sync(() => {
    this.closed = true
    if (this.atEnd) return
    this.controller.abort()
    // Rejects where the stream has already failed, which is no news.
    this.reader?.cancel().catch(() => {})
  })

  readonly start = Effect.suspend(() => this.watch.start())

  readonly connect: Effect.Effect<void, ModelErrorReason> = Effect.suspend(() => {
    // A model may throw before it gives a promise.
    Promise.resolve()
      .then(() => this.exchange.open(this.controller.signal))
      .then(
        ({ stream }) => {
          // A model that does not listen to the signal has answered too late.
          if (this.closed) return void stream.cancel().catch(() => {})
          this.reader = stream.getReader()
          this.watch.connected()
          this.wake?.()
        },
        (cause) => this.fails(cause, "request")
      )
    return this.wait(() => this.reader !== undefined || this.failure !== undefined)
  }).pipe(Effect.andThen(Effect.suspend(() => (this.failure === undefined ? Effect.void : Effect.fail(this.failure)))))

  /** The next batch of parts. */
  readonly pull: Pull.Pull<Batch, ModelErrorReason> = Effect.suspend(() => {
    const batch = this.buffer
    if (Arr.isArrayNonEmpty(batch)) {
      this.buffer = []
      const { warnings } = this
      if (warnings.length === 0) return Effect.succeed(batch)
      this.warnings = []
      const text = `${this.exchange.who}: ${warnings.map(said).join("; ")}`
      return Effect.as(Effect.logWarning(text), batch)
    }
    // A connection that breaks after the finish part takes nothing from the answer.
    if (this.sawFinish) return this.drain
    if (this.failure !== undefined) return Effect.fail(this.failure)
    if (this.atEnd) return Cause.done()
    return Effect.andThen(this.more, this.pull)
  })

  private wait(isReady: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (isReady()) return resume(Effect.void)
      this.watch.wait()
      this.wake = () => {
        this.wake = undefined
        this.watch.rest()
        resume(Effect.void)
      }
      this.read()
    })
  }

  private readonly more = Effect.suspend(() =>
    this.wait(() => this.buffer.length > 0 || this.atEnd || this.failure !== undefined)
  )

  private readonly drain: Pull.Pull<never> = Effect.suspend(() => {
    const rest: Effect.Effect<void> = Effect.suspend(() => {
      this.buffer = []
      return this.atEnd || this.failure !== undefined ? Effect.void : Effect.andThen(this.more, rest)
    })
    return Effect.flatMap(Effect.timeoutOption(rest, drainMillis), () => Cause.done())
  })

  private read(): void {
    const { reader } = this
    if (reader === undefined || this.isReading || this.atEnd || this.failure !== undefined) return
    this.isReading = true
    reader.read().then(
      ({ done, value }) => {
        this.isReading = false
        if (done) this.atEnd = true
        else this.accept(value)
        this.arrived()
      },
      (cause) => {
        this.isReading = false
        this.fails(cause, "answer")
      }
    )
  }

  private accept(part: Part): void {
    if (part.type === "stream-start") this.warnings = part.warnings
    if (part.type === "finish") this.sawFinish = true
    if (isContent(part)) this.watch.content()
    this.buffer.push(part)
  }

  // Without a reader that waits nothing more is read: the model goes no faster than its reader.
  private arrived(): void {
    if (this.wake === undefined) return
    if (this.atEnd || this.sawFinish || this.buffer.length >= maxBatch) return this.wake()
    if (!this.isGathering) {
      this.isGathering = true
      setImmediate(() => {
        this.isGathering = false
        this.wake?.()
      })
    }
    this.read()
  }

  private fails(cause: unknown, phase: Errors.Phase): void {
    this.failure ??= Errors.thrown(cause, phase, this.exchange.failures, this.clock.currentTimeMillisUnsafe())
    this.wake?.()
  }
}

const run = Effect.fnUntraced(function* (exchange: Exchange) {
  const session = new Session(exchange, yield* Clock.Clock)
  yield* Effect.addFinalizer(() => session.close)
  yield* session.start
  yield* session.connect
  return Stream.fromPull(Effect.succeed(session.pull))
})

/** The parts of one answer. Cold: each run is one request. @category streaming */
export const stream = (exchange: () => Exchange): Stream.Stream<Part, ModelErrorReason> =>
  Stream.unwrap(Effect.suspend(() => run(exchange())))
