/**
 * Reads the streamed answer of a provider: runs the request, frames the server-sent events of its body, hands them to
 * a vendor's decoder, and makes of it the stream that a `ModelProvider` promises.
 *
 * - One network read is one array of the stream.
 * - Success is proven by the decoder (a finish reason) and by the absence of an error frame, never by the mere end.
 * - The request is bound to the stream: its end, failure, interruption or early exit aborts what is left of it.
 * - Once the closing event has come the answer is whole, and what the peer still sends is read for a moment only, so
 *   that the connection can be used again.
 *
 * The SDKs' own readers are not used: they swallow aborts, end in silence on some garbage, lose a last event without
 * its blank line, and give one element at a time whatever the network brought.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ModelError, ModelErrorReason } from "../../services/ModelError.ts"
import type { ModelEvent } from "../../services/ModelProvider.ts"
import type { Failures } from "./Failure.ts"
import { type Limits, Watch } from "./Timeouts.ts"

/**
 * What a vendor's decoder does. It is made anew for each request and called synchronously.
 *
 * @category models
 */
export interface Decoder {
  /** Whether the vendor's closing event has come; all that follows it is ignored. */
  readonly isClosed: boolean
  /** Decodes one event into `out`. A returned reason ends the stream with that failure, after what is in `out`. */
  readonly event: (name: string, data: string, out: Array<ModelEvent>) => ModelErrorReason | undefined
  /** Completes the answer into `out` where success is proven; false where it is not, and then no `Finish` is said. */
  readonly finish: (out: Array<ModelEvent>) => boolean
}

/** One request. @category models */
export interface Exchange {
  /** Sends the request; resolves with an answer whose status is success, else rejects. Called once. */
  readonly open: (signal: AbortSignal) => Promise<Response>
  /** The reason for a rejection of `open`; `now` is the wall clock in milliseconds. */
  readonly onRejected: (cause: unknown, now: number) => ModelErrorReason
  readonly decoder: Decoder
  readonly limits: Limits
  readonly failures: Failures
  readonly model: string
}

type Batch = Arr.NonEmptyReadonlyArray<ModelEvent>
type Read = { readonly done: boolean; readonly value?: Uint8Array | undefined }

const drainMillis = 100
const isContent = ({ _tag }: ModelEvent) =>
  _tag === "Text" || _tag === "Reasoning" || _tag === "ToolCallDelta" || _tag === "ToolCall" || _tag === "Refusal"

class Session {
  private readonly exchange: Exchange
  private readonly clock: Clock.Clock
  private readonly controller = new AbortController()
  private readonly watch: Watch
  private readonly parser: Sse.Parser
  private readonly text = new TextDecoder()
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  private isJson = false
  private contentType = ""
  private body = ""
  private lastText = ""
  private sawEvent = false
  private atEnd = false
  private sawEnd = false
  private out: Array<ModelEvent> = []
  private failure: ModelErrorReason | undefined
  private ended = false
  private timedOut: ModelErrorReason | undefined
  private cancelWait: ((reason: ModelErrorReason) => void) | undefined

  constructor(exchange: Exchange, clock: Clock.Clock) {
    this.exchange = exchange
    this.clock = clock
    this.watch = new Watch(exchange.limits, clock, (stage, millis) => {
      const reason = exchange.failures.timedOut(stage, millis)
      this.timedOut = reason
      this.cancelWait?.(reason)
      this.controller.abort()
    })
    this.parser = Sse.makeParser((event) => {
      if (event._tag === "Event") this.event(event.event, event.data)
    })
  }

  readonly close = Effect.sync(() => {
    if (this.sawEnd) return
    this.controller.abort()
    // Rejects where the body has already failed, which is no news.
    this.reader?.cancel().catch(() => {})
  })

  readonly start = Effect.suspend(() => this.watch.start())

  readonly connect = Effect.suspend(() =>
    this.wait(
      () => this.exchange.open(this.controller.signal),
      (cause) => this.exchange.onRejected(cause, this.clock.currentTimeMillisUnsafe())
    )
  ).pipe(
    Effect.map((response) => {
      this.contentType = response.headers.get("content-type") ?? ""
      this.isJson = /^application\/([\w.-]+\+)?json\b/i.test(this.contentType)
      this.reader = response.body?.getReader()
      this.watch.connected()
    }),
    Effect.mapError((reason) => this.error(reason))
  )

  /** The next batch: one network read that brought something to say. */
  readonly pull: Pull.Pull<Batch, ModelError> = Effect.suspend(() => {
    if (this.failure !== undefined) return Effect.fail(this.error(this.failure))
    if (this.ended) return this.drain
    return this.next
  })

  // A broken connection or a time-out after the finish reason takes nothing from the answer.
  private readonly next: Pull.Pull<Batch, ModelError> = Effect.suspend(() =>
    this.wait(
      () => this.read(),
      (cause) => this.exchange.failures.lost(cause)
    )
  ).pipe(
    Effect.matchEffect({
      onSuccess: (read) => this.advance(() => this.accept(read)),
      onFailure: (reason) => this.advance(() => this.end(reason))
    })
  )

  private advance(step: () => void): Pull.Pull<Batch, ModelError> {
    step()
    const out = this.out
    if (!Arr.isArrayNonEmpty(out)) return this.pull
    this.out = []
    if (out.some(isContent)) this.watch.content()
    return Effect.succeed(out)
  }

  private accept(read: Read): void {
    const text = read.value === undefined ? this.text.decode() : this.text.decode(read.value, { stream: true })
    if (text !== "") this.feed(text)
    if (read.done) this.finishBody()
    if (this.failure === undefined && (this.exchange.decoder.isClosed || read.done)) this.end(undefined)
  }

  private feed(text: string): void {
    this.lastText = text
    if (this.isJson) {
      this.body += text
      return
    }
    // Kept only to tell what came instead of events.
    if (!this.sawEvent && this.body.length < 256) this.body += text
    const error = this.parser.feed(text)
    if (error !== undefined) this.failure ??= this.exchange.failures.malformed(error.message, text)
  }

  private finishBody(): void {
    this.atEnd = true
    if (this.isJson) this.event("", this.body)
    else this.parser.feed("\n\n")
  }

  private event(name: string, data: string): void {
    this.sawEvent = true
    const { decoder } = this.exchange
    if (this.failure !== undefined || decoder.isClosed) return
    // A comment that a gateway has wrapped as data.
    if (data === "" || data.startsWith(":")) return
    const reason = decoder.event(name, data, this.out)
    // An event that the end of the body has cut is no garbage: the answer is incomplete.
    if (reason !== undefined && !(this.atEnd && reason._tag === "Malformed" && !this.isJson)) this.failure = reason
  }

  private end(reason: ModelErrorReason | undefined): void {
    this.ended = true
    if (this.exchange.decoder.finish(this.out)) return
    this.failure = reason ?? this.unproven()
  }

  private unproven(): ModelErrorReason {
    const { failures } = this.exchange
    if (!this.sawEvent && this.contentType !== "" && !this.contentType.startsWith("text/event-stream")) {
      return failures.malformed(`expected an event stream, got ${this.contentType}`, this.body)
    }
    return failures.incomplete(this.sawEvent ? this.lastText : this.body)
  }

  private read(): Promise<Read> {
    if (this.reader === undefined) return Promise.resolve({ done: true })
    return this.reader.read().then((read) => {
      this.sawEnd = read.done
      return read
    })
  }

  private readonly drain: Pull.Pull<never> = Effect.suspend(() => {
    if (this.atEnd || this.timedOut !== undefined) return Cause.done()
    const rest: Effect.Effect<void> = Effect.suspend(() =>
      this.wait(
        () => this.read(),
        () => undefined
      )
    ).pipe(
      Effect.matchEffect({
        onFailure: () => Effect.void,
        onSuccess: (read) => (read.done ? Effect.void : rest)
      })
    )
    return Effect.flatMap(Effect.timeoutOption(rest, drainMillis), () => Cause.done())
  })

  // The promise may outlive the wait: the abort that ends the wait makes it settle, and nobody listens any more.
  private wait<A, E>(promise: () => Promise<A>, onRejected: (cause: unknown) => E) {
    return Effect.callback<A, E | ModelErrorReason>((resume) => {
      this.watch.wait()
      const settle = (effect: Effect.Effect<A, E | ModelErrorReason>) => {
        this.watch.rest()
        this.cancelWait = undefined
        resume(effect)
      }
      this.cancelWait = (reason) => settle(Effect.fail(reason))
      promise().then(
        (value) => settle(Effect.succeed(value)),
        (cause) => settle(Effect.fail(this.timedOut ?? onRejected(cause)))
      )
    })
  }

  private error(reason: ModelErrorReason): ModelError {
    return this.exchange.failures.error(this.exchange.model, reason)
  }
}

const run = Effect.fnUntraced(function* (exchange: Exchange) {
  const session = new Session(exchange, yield* Clock.Clock)
  yield* Effect.addFinalizer(() => session.close)
  yield* session.start
  yield* session.connect
  return Stream.fromPull(Effect.succeed(session.pull))
})

/**
 * The stream of one request. Cold: `exchange` is asked for, and the request sent, when the stream is run, and anew for
 * each run.
 *
 * @category streaming
 */
export const stream = (exchange: () => Exchange): Stream.Stream<ModelEvent, ModelError> =>
  Stream.unwrap(Effect.suspend(() => run(exchange())))
