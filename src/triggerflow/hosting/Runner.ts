/**
 * A flow as an `ExecutionHost` runs it: names and JSON on the outside, the engine inside. What comes in is decoded by
 * the contract before anything runs, what goes out is encoded by it, and every failure has a form that crosses.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Host from "../../../services/ExecutionHost.ts"
import * as Codec from "../engine/Codec.ts"
import type { Engine } from "../engine/Engine.ts"
import * as Execution from "../Execution.ts"
import * as Outside from "../engine/Outside.ts"
import * as Opening from "../Opening.ts"
import type { Flow } from "../Flow.ts"
import * as FlowError from "../FlowError.ts"
import * as Plan from "../engine/Plan.ts"
import type { Entry } from "../engine/RuntimeStream.ts"
import type { Spec } from "../Spec.ts"

const kind = { recorded: true, failOnPause: false } as const

/** What the ways of a failure are called in words: never nothing. */
const wordsOf = (cause: Cause.Cause<unknown>): string => {
  const words = Cause.prettyErrors(cause).map(({ message, name }) =>
    message === "" ? name : name === "Error" || name === "" ? message : `${name}: ${message}`
  )
  return words.length === 0 ? "it ended without saying why" : [...new Set(words)].join("; ")
}

const flowErrors = () => Codec.of(FlowError.FlowError)

const encodedFlowError = (error: FlowError.FlowError): Host.Failure => {
  const json = flowErrors().encode(error)
  return Result.isSuccess(json)
    ? { _tag: "FlowError", error: json.success, message: error.message }
    : { _tag: "Defect", message: error.message }
}

/**
 * A failure in the form in which it crosses: as the contract's `error` or as a `FlowError` where one of its parts is
 * one, in words otherwise.
 *
 * @category conversions
 */
export const failureOf = (plan: Plan.Plan, cause: Cause.Cause<unknown>): Host.Failure => {
  const { error: schema } = plan.data.contract
  for (const reason of cause.reasons) {
    if (!Cause.isFailReason(reason)) continue
    if (reason.error instanceof FlowError.FlowError) return encodedFlowError(reason.error)
    const json = schema === undefined ? undefined : Codec.of(schema).encode(reason.error)
    if (json !== undefined && Result.isSuccess(json))
      return { _tag: "Error", error: json.success, message: wordsOf(Cause.fromReasons([reason])) }
  }
  return { _tag: "Defect", message: wordsOf(cause) }
}

/** The id of a question of a sub-flow has the id of the sub-flow before it. */
const idOf = (path: ReadonlyArray<string>, id: string): string => {
  const inner = path.at(-1)
  return inner === undefined ? id : `${inner}:${id}`
}

const encodedEntry = ({ cursor, event, path }: Entry): Host.WatchEntry => {
  switch (event._tag) {
    case "item":
      return { cursor, path, event: { _tag: "item", item: event.json, volatile: event.volatile } }
    case "interrupt": {
      const { interrupt, json } = event
      return { cursor, path, event: { _tag: "interrupt", id: idOf(path, event.id), interrupt, payload: json } }
    }
    case "answered":
      return { cursor, path, event: { ...event, id: idOf(path, event.id) } }
    case "intervention":
      return { cursor, path, event }
  }
}

const questionsOf = (engine: Engine, path: ReadonlyArray<string>): ReadonlyArray<Host.Question> => {
  const own = [...(engine.machine.interrupts?.values() ?? [])].map((waiting): Host.Question => {
    const { at, expires, id, interrupt, payload, run } = waiting
    const json = engine.plan.codecs.interrupts.get(interrupt)?.payload.encode(payload)
    return {
      id: idOf(path, id),
      interrupt,
      // `run.pause` has refused what has no encoding.
      payload: json !== undefined && Result.isSuccess(json) ? json.success : null,
      chunk: run.step.node.name,
      at,
      ...(expires === undefined ? {} : { expires })
    }
  })
  const below = [...(engine.children?.values() ?? [])].flatMap(({ engine: child }) =>
    questionsOf(child, [...path, child.settings.executionId])
  )
  return [...own, ...below]
}

const progressOf = (engine: Engine): Host.Progress => {
  const { cells, failures, lifecycle, result, status } = engine.machine
  const { exit } = engine
  return {
    status,
    lifecycle,
    questions: questionsOf(engine, []).toSorted((one, other) => one.at - other.at),
    state: cells.toJson(),
    ...(result === undefined ? {} : { result }),
    ...(exit !== undefined && Exit.isFailure(exit) ? { failure: failureOf(engine.plan, exit.cause) } : {}),
    failures: failures.map((cause) => failureOf(engine.plan, cause))
  }
}

const running = (engine: Engine): Host.RunningExecution => {
  const { plan } = engine
  const flow = plan.data.contract.name
  const id = engine.settings.executionId
  // The type of its contract is not known here; everything goes by the plan's codecs.
  const execution = Execution.fromEngine<Spec, unknown>(engine, undefined)

  const failed = (cause: Cause.Cause<unknown>) => new Host.FlowFailed({ flow, id, failure: failureOf(plan, cause) })
  const encodeFailure = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, Host.FlowFailed> =>
    Effect.catchCause(effect, (cause) => Effect.fail(failed(cause)))
  const violation = (part: string, issue: string) =>
    Effect.fail(failed(engine.error(new FlowError.ContractViolation({ part, issue }))))

  const signal: Host.RunningExecution["signal"] = (name, json, wait) =>
    Effect.suspend(() => {
      const codecs = plan.codecs.signals.get(name)
      if (codecs === undefined) return violation(`signal ${name}`, "the contract has no such signal")
      const payload = codecs.payload.decode(json)
      if (Result.isFailure(payload)) return violation(`signal ${name}`, payload.failure)
      const sent = engine.request<unknown>((ticket) => ({
        _tag: "Signal",
        signal: name,
        payload: payload.success,
        ticket,
        mode: wait ? "await" : "none"
      }))
      return Effect.flatMap(encodeFailure(sent), (replies) => {
        const out: Array<Json> = []
        if (!wait || codecs.reply === undefined || !Array.isArray(replies)) return Effect.succeed(out)
        for (const reply of replies) {
          const encoded = codecs.reply.encode(reply)
          if (Result.isFailure(encoded)) return violation(`the reply to ${name}`, encoded.failure)
          out.push(encoded.success)
        }
        return Effect.succeed(out)
      })
    })

  const answer: Host.RunningExecution["answer"] = (question, json, options) =>
    Effect.suspend(() => {
      const place = Outside.locate(engine, question) ?? { engine, id: question }
      const { machine, plan } = place.engine
      const named = options.interrupt ?? machine.interrupts?.get(place.id)?.interrupt ?? place.id.split("#")[0] ?? ""
      const codec = plan.codecs.interrupts.get(named)?.resume
      if (codec === undefined)
        return Effect.fail(failed(engine.error(new FlowError.AnswerRejected({ id: question, why: "unknown" }))))
      const value = codec.decode(json)
      if (Result.isFailure(value)) return violation(`the answer to ${named}`, value.failure)
      // The digest is that of the value, however its JSON was written.
      const canonical = codec.encode(value.success)
      return encodeFailure(
        place.engine.request<void>((ticket) => ({
          _tag: "Answer",
          interrupt: named,
          id: place.id,
          value: value.success,
          request: options.requestId,
          digest: JSON.stringify(Result.isSuccess(canonical) ? canonical.success : json),
          ticket
        }))
      )
    })

  return {
    progress: Effect.sync(() => progressOf(engine)),
    standing: Effect.sync(() => ({ status: engine.machine.status, lifecycle: engine.machine.lifecycle })),
    signal,
    answer,
    intervene: (json, options) =>
      Effect.suspend(() => {
        const payload = plan.codecs.intervention.decode(json)
        if (Result.isFailure(payload)) return violation("intervention", payload.failure)
        return encodeFailure(execution.intervene(payload.success, options))
      }),
    watch: (from) =>
      Stream.map(engine.stream.read(from), encodedEntry).pipe(Stream.catchCause((cause) => Stream.fail(failed(cause)))),
    seal: execution.seal,
    // That the execution has failed is told by its progress; what is left is that it refuses to close.
    close: (options) =>
      Effect.catchCause(Effect.asVoid(execution.close(options)), (cause) =>
        engine.exit === undefined ? Effect.fail(failed(cause)) : Effect.void
      ),
    cancel: (reason) => engine.shutdown(reason),
    closed: Effect.ignoreCause(engine.awaitClosed)
  }
}

/**
 * The runner of a flow, with the services that its handlers need. `fingerprint` tells definitions apart.
 *
 * @category constructors
 */
export const make = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  fingerprint?: string
): Effect.Effect<Host.FlowRunner, never, R> =>
  Effect.contextWith((context) =>
    Effect.sync((): Host.FlowRunner => {
      const plan = Plan.of(flow.data)
      const { name, version } = flow.data.contract
      const autoClose = Opening.autoCloseOf(flow.data)
      return {
        flow: name,
        version,
        fingerprint,
        open: ({ id, input, settings }) =>
          Effect.suspend(() => {
            const refuse = (reason: FlowError.Reason) => {
              const error = new FlowError.FlowError({ flow: name, execution: id, reason })
              return Effect.fail(new Host.FlowFailed({ flow: name, id, failure: encodedFlowError(error) }))
            }
            const findings = Opening.wrongOptions(settings)
            if (findings.length > 0) return refuse(new FlowError.InvalidDefinition({ findings }))
            const value = plan.input.decode(input)
            if (Result.isFailure(value))
              return refuse(new FlowError.ContractViolation({ part: "input", issue: value.failure }))
            const engine = Execution.engineOf(
              flow,
              Opening.settingsOf(settings, id, { ...kind, autoClose }),
              context,
              {}
            )
            engine.start(value.success)
            return Effect.succeed(running(engine))
          })
      }
    })
  )
