/** What is needed to open an execution: a flow that was checked, an id, and settings. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Check from "./definition/Check.ts"
import type { Finding } from "./definition/Check.ts"
import { type Settings } from "./engine/Engine.ts"
import type { Flow } from "./Flow.ts"
import * as FlowError from "./FlowError.ts"
import type { FlowData, TriggerData } from "./Node.ts"
import type { Spec } from "./Spec.ts"

import type { Options } from "./Execution.ts"

/** Milliseconds of a duration, where there is one. @category conversions */
export const millis = (input: Duration.Input | undefined): number | undefined =>
  input === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(input))

/** What is wrong with the options of a run. @category getters */
export const wrongOptions = (options: Options): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const limit = (name: string, value: number | undefined): void => {
    if (value === undefined || value === Infinity || (Number.isSafeInteger(value) && value >= 1)) return
    findings.push({ at: "options", problem: `${name} is ${value}`, fix: "Give a whole number from 1, or leave it out" })
  }
  limit("concurrency", options.concurrency)
  limit("maxEmitDepth", options.maxEmitDepth)
  if (options.stream !== undefined && options.stream._tag !== "unbounded")
    limit("the capacity of the stream", options.stream.capacity)
  for (const name of ["timeout", "idleTimeout"] as const) {
    const input = options[name]
    const duration = input === undefined ? Option.none() : Duration.fromInput(input)
    if (input !== undefined && (Option.isNone(duration) || !(Duration.toMillis(duration.value) > 0)))
      findings.push({
        at: "options",
        problem: `${name} is ${String(input)}`,
        fix: "Give a time above zero, or leave it out"
      })
  }
  return findings
}

const checked = new WeakMap<FlowData, ReadonlyArray<Finding>>()

/**
 * Checks a flow, once, and the options of a run; fails with all findings.
 *
 * @category constructors
 */
export const check = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  options?: Options
): Effect.Effect<Flow<C, E, R>, FlowError.FlowError> =>
  Effect.suspend(() => {
    const known = checked.get(flow.data) ?? Check.check(flow.data)
    checked.set(flow.data, known)
    const findings = options === undefined ? known : [...known, ...wrongOptions(options)]
    return findings.length === 0
      ? Effect.succeed(flow)
      : Effect.fail(
          new FlowError.FlowError({
            flow: flow.name,
            execution: "",
            reason: new FlowError.InvalidDefinition({ findings })
          })
        )
  })

const fromOutside = (trigger: TriggerData): boolean =>
  trigger._tag === "any" || trigger._tag === "all"
    ? trigger.of.some(([, source]) => fromOutside(source))
    : trigger._tag === "state" || trigger._tag === "flowData"

/**
 * After how much idleness an execution is closed where nobody says so: at once where nobody outside could start
 * anything any more (no signal, no chain on the state or on shared data), else after 10 seconds.
 *
 * @category constructors
 */
export const autoCloseOf = ({ contract, chains }: FlowData): Duration.Input =>
  contract.signals.length > 0 || chains.some(({ trigger }) => fromOutside(trigger)) ? "10 seconds" : 0

/** The settings of an engine. @category constructors */
export const settingsOf = (
  options: Options,
  id: string,
  kind: { readonly recorded: boolean; readonly failOnPause: boolean; readonly autoClose: Duration.Input | false }
): Settings => {
  const autoClose = options.autoClose ?? kind.autoClose
  return {
    executionId: id,
    concurrency: options.concurrency ?? Infinity,
    failures: options.failures ?? "fail",
    maxEmitDepth: options.maxEmitDepth ?? 1000,
    recorded: kind.recorded,
    failOnPause: kind.failOnPause,
    autoClose: autoClose === false ? undefined : millis(autoClose),
    timeout: millis(options.timeout),
    idleTimeout: millis(options.idleTimeout),
    stream: options.stream ?? { _tag: "unbounded" },
    keepSnapshots: options.keepSnapshots ?? 3
  }
}

/** Makes an id for an execution, with the random numbers of the program. @category constructors */
export const newId = (context: Context.Context<never>): string => {
  const random = Context.get(context, Random.Random)
  const part = () =>
    Math.floor(random.nextDoubleUnsafe() * 2 ** 32)
      .toString(16)
      .padStart(8, "0")
  return part() + part()
}

/** Makes an id for an execution. @category constructors */
export const freshId: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.sync(() => newId(context))
)
