/** What the tests of this room look at: spans that are kept, as trees of text. */
import { Cause, Exit, Layer, Metric, Option, Tracer } from "effect"
import { Otel } from "effigent/layers/otel"

/** The spans of a program. */
export class Kept {
  readonly spans: Array<Tracer.NativeSpan> = []

  readonly tracer: Layer.Layer<never> = Layer.succeed(
    Tracer.Tracer,
    Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        this.spans.push(span)
        return span
      }
    })
  )

  /** The tracer, and what makes spans; metrics go to a registry of their own. */
  readonly layer = (options: Otel.Options = {}): Layer.Layer<never> =>
    Layer.mergeAll(Otel.layer(options), this.tracer, Layer.succeed(Metric.MetricRegistry, new Map()))

  private below(parent: Tracer.NativeSpan | undefined): ReadonlyArray<Tracer.NativeSpan> {
    return this.spans.filter((span) => {
      const up = Option.getOrUndefined(span.parent)
      return parent === undefined ? up === undefined : up?.spanId === parent.spanId
    })
  }

  /** A line for each span, indented; what went wrong, and events, in brackets. */
  get tree(): ReadonlyArray<string> {
    const lines: Array<string> = []
    const add = (span: Tracer.NativeSpan, depth: number): void => {
      lines.push("  ".repeat(depth) + span.name + endOf(span) + span.events.map(([name]) => ` [${name}]`).join(""))
      for (const child of this.below(span)) add(child, depth + 1)
    }
    for (const root of this.below(undefined)) add(root, 0)
    return lines
  }

  /** The attributes of the first span of a name. */
  of(name: string): Record<string, unknown> {
    const span = this.spans.find((span) => span.name === name)
    if (span === undefined) throw new Error(`no span ${name} among ${this.spans.map(({ name }) => name).join(", ")}`)
    return Object.fromEntries(span.attributes)
  }

  /** Everything that stands in the spans. */
  get text(): string {
    return JSON.stringify(
      this.spans.map((span) => [
        span.name,
        [...span.attributes],
        span.events.map(([name, , attributes]) => [name, attributes]),
        span.status._tag === "Ended" && Exit.isFailure(span.status.exit) ? Cause.pretty(span.status.exit.cause) : ""
      ])
    )
  }
}

const endOf = ({ attributes, status }: Tracer.NativeSpan): string => {
  if (status._tag === "Started") return " (open)"
  if (Exit.isSuccess(status.exit)) return ""
  return Cause.hasInterruptsOnly(status.exit.cause) ? " (cancelled)" : ` (${String(attributes.get("error.type"))})`
}
