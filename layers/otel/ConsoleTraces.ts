/**
 * Traces for people: when a trace is over, its spans as a tree, with how long each took, its tokens, and what went wrong.
 * In memory is what is under way; a trace keeps only so many spans.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { Key } from "./Conventions.ts"

/**
 * How traces are shown.
 *
 * @category models
 */
export interface Options {
  /** Where the text of a trace goes, whole lines. Default: the Console. */
  readonly write?: ((text: string) => void) | undefined
  /** Whether times are shown. Default true. */
  readonly times?: boolean | undefined
  /** Whether colours are used. Default false. */
  readonly color?: boolean | undefined
  /** How many spans of a trace are kept; those above are counted. Default 1,000. */
  readonly maxSpans?: number | undefined
}

// A span with those below it.
class Noted extends Tracer.NativeSpan {
  readonly below: Array<Noted> = []
  /** Of the root: how many were kept, and how many were not. */
  kept = 1
  left = 0
  readonly root: Noted
  private readonly over: (span: Noted) => void

  constructor(
    options: ConstructorParameters<typeof Tracer.NativeSpan>[0],
    maxSpans: number,
    over: (span: Noted) => void
  ) {
    super(options)
    this.over = over
    const parent = Option.getOrUndefined(this.parent)
    // Below one that was shown already, or that another tracer or process has begun, it is a root of its own.
    if (!(parent instanceof Noted) || parent.root.status._tag === "Ended") {
      this.root = this
      return
    }
    this.root = parent.root
    if (this.root.kept >= maxSpans) this.root.left++
    else {
      this.root.kept++
      parent.below.push(this)
    }
  }

  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (this.status._tag === "Ended") return
    super.end(endTime, exit)
    if (this.root === this) this.over(this)
  }
}

const timeOf = (nanos: bigint): string => {
  const millis = Number(nanos) / 1e6
  if (millis < 1) return `${millis.toFixed(2)} ms`
  if (millis < 1000) return `${millis.toFixed(millis < 10 ? 1 : 0)} ms`
  return millis < 60_000 ? `${(millis / 1000).toFixed(2)} s` : `${(millis / 60_000).toFixed(1)} min`
}

const paint = (color: boolean, code: string, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text)

// Names come from models too (a tool that does not exist): one line, no escape sequences.
const harmless = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").slice(0, 200)

const lineOf = (span: Noted, { color = false, times = true }: Options): string => {
  const { attributes, status } = span
  const facts: Array<string> = []
  if (times && status._tag === "Ended") facts.push(timeOf(status.endTime - status.startTime))
  const first = attributes.get(Key.timeToFirstChunk)
  if (times && typeof first === "number") facts.push(`first token ${timeOf(BigInt(Math.round(first * 1e9)))}`)
  const tokens = [
    [attributes.get(Key.inputTokens), "in"],
    [attributes.get(Key.outputTokens), "out"]
  ].flatMap(([many, way]) => (typeof many === "number" ? [`${many} ${String(way)}`] : []))
  if (tokens.length > 0) facts.push(tokens.join(", "))
  const attempts = attributes.get(Key.attempts)
  if (typeof attempts === "number" && attempts > 1) facts.push(`${attempts} requests`)
  for (const [name, , of] of span.events) {
    const type = of?.[Key.errorType] ?? of?.[Key.actionStatus]
    facts.push(paint(color, "33", harmless(typeof type === "string" ? `${name} (${type})` : name)))
  }
  if (status._tag === "Started") facts.push("still at work")
  else if (Exit.isFailure(status.exit)) {
    const cancelled = Cause.hasInterruptsOnly(status.exit.cause)
    const error = Cause.squash(status.exit.cause)
    const type = attributes.get(Key.errorType)
    const words = error instanceof Error && error.message !== "" ? `: ${error.message}` : ""
    const what = typeof type === "string" ? type : error instanceof Error ? error.name : "failed"
    facts.push(cancelled ? paint(color, "33", "cancelled") : paint(color, "31", harmless(`FAILED ${what}${words}`)))
  }
  return [paint(color, "1", harmless(span.name)), facts.join("  ")].filter((part) => part !== "").join("  ")
}

const treeOf = (root: Noted, options: Options): string => {
  const lines = [lineOf(root, options)]
  const add = (span: Noted, before: string): void => {
    for (const [at, child] of span.below.entries()) {
      const isLast = at === span.below.length - 1
      lines.push(`${before}${isLast ? "`- " : "|- "}${lineOf(child, options)}`)
      add(child, `${before}${isLast ? "   " : "|  "}`)
    }
  }
  add(root, "")
  if (root.left > 0) lines.push(`... and ${root.left} more spans`)
  return `${lines.join("\n")}\n`
}

/**
 * A tracer that writes each trace when its outermost span ends. It shows all spans of the program, those of HTTP requests
 * among them; content that `Otel.layer` captures is not shown.
 *
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(
    Tracer.Tracer,
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() => {
        const console = Context.get(context, Console.Console)
        const write = options.write ?? ((text: string) => console.log(text.slice(0, -1)))
        const over = (span: Noted): void => {
          if (span.sampled) write(treeOf(span, options))
        }
        return Tracer.make({ span: (given) => new Noted(given, options.maxSpans ?? 1_000, over) })
      })
    )
  )
