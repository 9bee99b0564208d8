/** Random definitions that pass the check, built from a tape of numbers so that they shrink with it. */
import { Duration, Effect, Schedule, Schema } from "effect"
import * as Interrupt from "../../src/triggerflow/Interrupt.ts"
import type {
  Body,
  ChainData,
  CollectorData,
  FlowData,
  Node,
  SingleTrigger,
  TriggerData
} from "../../src/triggerflow/Node.ts"
import * as Signal from "../../src/triggerflow/Signal.ts"
import type { Tape } from "../parse/support.ts"

/** A definition with names for all of its functions. */
export interface Made {
  readonly flow: FlowData
  readonly registry: {
    readonly handlers: Record<string, (...args: never) => Effect.Effect<unknown, unknown, unknown>>
    readonly conditions: Record<string, () => boolean>
    readonly functions: Record<string, () => string>
    readonly schedules: Record<string, Schedule.Schedule<unknown, never, unknown, unknown>>
  }
}

/** Names that diagrams and documents could trip over. */
export const oddNames = [
  "end",
  'say "x"',
  "a]b[c",
  "graph TD",
  "a --> b",
  "%%{init}%%",
  "style: a#b;",
  "漢字 🚀",
  "`md`",
  "<b>",
  "a|b",
  "line\nbreak",
  "- no: [list]",
  "true",
  "1",
  "#quot;",
  "a/b.c",
  "\\"
]

const schemas: ReadonlyArray<Schema.Codec<unknown, unknown>> = [
  Schema.String,
  Schema.Number,
  Schema.Struct({ flag: Schema.String, n: Schema.optionalKey(Schema.Int) }),
  Schema.Array(Schema.Struct({ id: Schema.String.annotate({ description: "An id" }) })),
  Schema.Union([Schema.Null, Schema.Literals(["a", "b"])]),
  Schema.Void,
  Schema.Date
]

export const make = (tape: Tape): Made => {
  const registry: Made["registry"] = { handlers: {}, conditions: {}, functions: {}, schedules: {} }
  let count = 0
  const fresh = (prefix: string): string => {
    count++
    return tape.int(4) === 0 ? `${oddNames[tape.int(oddNames.length)]} ${prefix}${count}` : `${prefix}${count}`
  }
  const pick = <A>(items: ReadonlyArray<A>): A => {
    const item = items[tape.int(items.length)]
    if (item === undefined) throw new Error("nothing to pick from")
    return item
  }
  const maybe = <A>(f: () => A): A | undefined => (tape.int(2) === 0 ? f() : undefined)
  const limit = () => maybe(() => 1 + tape.int(5))
  const register = <A>(list: Record<string, A>, prefix: string, item: A): A => {
    list[fresh(prefix)] = item
    return item
  }
  const condition = () => register(registry.conditions, "cond", () => true)
  const caught = () => {
    const handler = () => Effect.void
    register(registry.handlers, "catch", handler)
    return handler
  }
  const pure = () => register(registry.functions, "fn", () => "")

  const flow = (depth: number): FlowData => {
    const signals = Array.from({ length: 1 + tape.int(3) }, () =>
      Signal.make(fresh("Signal"), pick(schemas), tape.int(3) === 0 ? { reply: pick(schemas) } : undefined)
    )
    const chunks: Array<string> = []
    const collectors: Array<CollectorData> = []

    const steps = (level: number, least: number): Body =>
      Array.from({ length: least + tape.int(3) }, () => step(level)).flat()

    const name = () => maybe(() => fresh("op"))

    const step = (level: number): ReadonlyArray<Node> => {
      switch (tape.int(level > 2 ? 4 : 10)) {
        case 3:
          return [{ kind: "point", name: fresh("point") }]
        case 4: {
          const branches = Array.from({ length: 1 + tape.int(3) }, () => [fresh("b"), steps(level + 1, 0)] as const)
          return [{ kind: "batch", name: name(), concurrency: limit(), branches }]
        }
        case 5: {
          const onError = pick(["fail", "skip", "collect"] as const)
          return [{ kind: "forEach", name: name(), concurrency: limit(), onError, body: steps(level + 1, 0) }]
        }
        case 6:
          return [
            {
              kind: "match",
              name: name(),
              mode: pick(["first", "all"] as const),
              cases: Array.from({ length: 1 + tape.int(3) }, () => ({
                name: fresh("case"),
                test:
                  tape.int(2) === 0
                    ? { _tag: "if" as const, condition: condition() }
                    : { _tag: "is" as const, value: pick([1, "x", null, { a: [true, 0.5] }, "yes"]) },
                body: steps(level + 1, 0)
              })),
              otherwise: maybe(() => steps(level + 1, 0))
            }
          ]
        case 7:
          return [
            { kind: "loop", name: name(), while: condition(), max: 1 + tape.int(9), body: steps(level + 1, 0) },
            { kind: "side", name: name(), body: steps(level + 1, 0) }
          ]
        case 8: {
          if (depth > 1) return [{ kind: "result" }]
          const node: Node = {
            kind: "subFlow",
            name: name(),
            flow: flow(depth + 1),
            capture: maybe(pure),
            result: maybe(pure),
            writeBack: maybe(pure)
          }
          return [node]
        }
        case 9: {
          const collector: CollectorData = {
            name: fresh("Collector"),
            mode: pick(["update", "reset"] as const),
            branches: [
              ["left", pick(schemas)],
              ["right", pick(schemas)]
            ]
          }
          collectors.push(collector)
          return [
            { kind: "collect", collector, branch: "left" },
            { kind: "collect", collector, branch: "right" }
          ]
        }
        default: {
          const chunk = fresh("chunk")
          chunks.push(chunk)
          return [
            {
              kind: "chunk",
              name: chunk,
              handler: () => Effect.void,
              settings: {
                concurrency: limit(),
                maxResumes: limit(),
                timeout: maybe(() => pick([5, "2 seconds", Duration.minutes(1)] as const)),
                idleTimeout: undefined,
                retry: tape.int(5) === 0 ? register(registry.schedules, "retry", Schedule.recurs(2)) : undefined,
                catch: tape.int(5) === 0 ? caught() : undefined,
                output: tape.int(3) === 0 ? pick(schemas) : undefined
              }
            }
          ]
        }
      }
    }

    const single = (): SingleTrigger => {
      const signal: SingleTrigger = { _tag: "signal", signal: pick(signals) }
      switch (tape.int(5)) {
        case 1:
          return chunks.length === 0 ? signal : { _tag: "chunk", chunk: pick(chunks) }
        case 2:
          return chunks.length === 0 ? signal : { _tag: "state", key: pick(["words", "n"]) }
        case 3:
          return collectors.length === 0 ? signal : { _tag: "collect", collector: pick(collectors) }
        case 4:
          return { _tag: "flowData", key: fresh("key") }
        default:
          return signal
      }
    }
    const trigger = (): TriggerData => {
      const kind = tape.int(4)
      if (kind < 2) return single()
      const of = Array.from({ length: 1 + tape.int(3) }, () => [fresh("source"), single()] as const)
      if (kind === 2) {
        const named = tape.int(2) === 0
        return { _tag: "any", named, of: named ? of : of.map(([, one], index) => [`${index}`, one] as const) }
      }
      const by = maybe(() => Object.fromEntries(of.map(([key]) => [key, pure()])))
      return { _tag: "all", of, by, scope: pick(["root", "execution"] as const) }
    }

    // Triggers come before the steps behind them: a chain listens to what stands before it, so there are no circles.
    const chains: Array<ChainData> = [{ trigger: { _tag: "start" }, body: steps(0, 1) }]
    for (let more = tape.int(4); more > 0; more--) chains.push({ trigger: trigger(), body: steps(0, 1) })
    return {
      chains,
      contract: {
        name: fresh("flow"),
        version: maybe(() => "2"),
        input: pick(schemas),
        state: Schema.Struct({ words: Schema.Array(Schema.String), n: Schema.Int }),
        initial: { words: ["a"], n: tape.int(9) },
        stream: pick([Schema.Never, ...schemas]),
        result: maybe(() => pick(schemas)),
        error: maybe(() => pick(schemas)),
        signals,
        interrupts: Array.from({ length: tape.int(2) }, () =>
          Interrupt.make(fresh("Ask"), { payload: pick(schemas), resume: pick(schemas) })
        ),
        intervention: pick([Schema.Json, ...schemas])
      }
    }
  }
  return { flow: flow(0), registry }
}
