/**
 * Spans of effect's tracer around work: begun below the span of the fiber that does it, and ended with what may be told of
 * how it went. A span may be absent, where tracing is switched off (`Effect.withTracerEnabled(false)`); times are there
 * nevertheless.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { type Capture, valueOf } from "./Content.ts"
import { type Attributes, errorType, Key } from "./Conventions.ts"

/** An error as it is told: its class, and its message where that is captured. It has no stack, which names files. */
class Told extends Error {
  constructor(name: string, message: string) {
    super(message)
    this.name = name
    this.stack = message === "" ? name : `${name}: ${message}`
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : typeof error === "string" ? error : ""

/** The class of what went wrong; absent where nothing did, or the work was only cancelled. @category conversions */
export const errorTypeOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return undefined
  return Cause.hasFails(exit.cause) ? errorType(Cause.squash(exit.cause)) : "Defect"
}

// The parent of new spans. Those that hand nothing on are passed over.
const parentOf = (span: Tracer.AnySpan | undefined): Option.Option<Tracer.AnySpan> => {
  let at = span
  while (at !== undefined && Context.get(at.annotations, Tracer.DisablePropagation))
    at = at._tag === "Span" ? Option.getOrUndefined(at.parent) : undefined
  return Option.fromUndefinedOr(at)
}

/**
 * Work that is measured, with its span.
 *
 * @category models
 */
export class Traced {
  readonly span: Tracer.Span | undefined
  /** With its span as the parent of what is begun in it. */
  readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly startedAt: bigint
  private readonly capture: Capture

  constructor(
    context: Context.Context<never>,
    capture: Capture,
    name: string,
    kind: Tracer.SpanKind,
    attributes: Attributes
  ) {
    this.capture = capture
    this.clock = Context.get(context, Clock.Clock)
    this.startedAt = this.clock.currentTimeNanosUnsafe()
    if (!Context.get(context, References.TracerEnabled)) {
      this.span = undefined
      this.context = context
      return
    }
    const parent = parentOf(Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan)))
    this.span = Context.get(context, Tracer.Tracer).span({
      name,
      parent,
      annotations: Context.empty(),
      links: [...Context.get(context, References.TracerSpanLinks)],
      startTime: this.startedAt,
      kind,
      root: false,
      sampled: Option.isNone(parent) || parent.value.sampled
    })
    const given = Context.get(context, References.TracerSpanAnnotations)
    for (const key in given) this.span.attribute(key, given[key])
    this.set(attributes)
    this.context = Context.add(context, Tracer.ParentSpan, this.span)
  }

  /** Sets what is known; what is not, is absent. */
  set(attributes: Attributes): void {
    const { span } = this
    if (span === undefined) return
    for (const key in attributes) if (attributes[key] !== undefined) span.attribute(key, attributes[key])
  }

  /** Something has happened in it. */
  event(name: string, attributes: Attributes = {}): void {
    const known: Attributes = {}
    for (const key in attributes) if (attributes[key] !== undefined) known[key] = attributes[key]
    this.span?.event(name, this.clock.currentTimeNanosUnsafe(), known)
  }

  /** Seconds since it began. */
  get seconds(): number {
    return Number(this.clock.currentTimeNanosUnsafe() - this.startedAt) / 1e9
  }

  /** It is over. `failure` is a class of error for work that has not failed, but gave one. Gives how long it took. */
  end(exit: Exit.Exit<unknown, unknown>, failure?: string): number {
    const now = this.clock.currentTimeNanosUnsafe()
    const { span } = this
    if (span !== undefined) {
      const type = failure ?? errorTypeOf(exit)
      if (type !== undefined) {
        span.attribute(Key.errorType, type)
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        const message = this.capture.errors === true ? valueOf(this.capture, wordsOf(error), "error").text : ""
        span.end(now, Exit.fail(new Told(type, message)))
      } else if (Exit.isSuccess(exit)) span.end(now, Exit.void)
      else {
        span.attribute(Key.cancelled, true)
        span.end(now, Exit.interrupt())
      }
    }
    return Number(now - this.startedAt) / 1e9
  }

  /** Runs work in it. */
  readonly around = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const { span } = this
    if (span === undefined) return work
    const inside: Effect.Effect<A, E, R> = Effect.updateContext(work, (context: Context.Context<R>) =>
      Context.add(context, Tracer.ParentSpan, span)
    )
    return inside
  }
}
