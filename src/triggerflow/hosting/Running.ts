/**
 * An execution as an `ExecutionHost` sees it: names and JSON on the outside, the engine inside. What comes in is decoded
 * by the contract, what goes out is encoded by it, and every failure has a form that crosses.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
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
import type { Writing } from "../journal/Writing.ts"
import type { FlowData } from "../Node.ts"
import * as FlowError from "../FlowError.ts"
import type * as Plan from "../engine/Plan.ts"
import type { Entry } from "../engine/RuntimeStream.ts"
import type { Spec } from "../Spec.ts"

/** What the ways of a failure are called in words: never nothing. */
const wordsOf = (cause: Cause.Cause<unknown>): string => {
  const words = Cause.prettyErrors(cause).map(({ message, name }) =>
    message === "" ? name : name === "Error" || name === "" ? message : `${name}: ${message}`
  )
  return words.length === 0 ? "it ended without saying why" : [...new Set(words)].join("; ")
}

/** Time that passes for the process, whatever clock its programs are given. */
const realTime = Context.get(Context.empty(), Clock.Clock)

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

/** A flow refuses something, by its name. @category conversions */
export const refusedBy = (flow: string, id: string, reason: FlowError.Reason): Host.FlowFailed =>
  new Host.FlowFailed({
    flow,
    id,
    failure: encodedFlowError(new FlowError.FlowError({ flow, execution: id, reason }))
  })

/** A flow refuses something. @category conversions */
export const refused = ({ contract }: FlowData, id: string, reason: FlowError.Reason): Host.FlowFailed =>
  refusedBy(contract.name, id, reason)

/** What is wrong with a signal whose name the contract does not have. @category constants */
export const noSuchSignal = "the contract has no such signal"

/** The id of a question of a sub-flow has the id of the sub-flow before it. */
const idOf = (path: ReadonlyArray<string>, id: string): string => {
  const inner = path.at(-1)
  return inner === undefined ? id : `${inner}:${id}`
}

/** An entry of the runtime stream in the form in which it crosses. @category conversions */
export const encodedEntry = ({ cursor, event, path }: Entry): Host.WatchEntry => {
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

const statusOf = (engine: Engine): Host.ExecutionStatus =>
  engine.journal === undefined ? Outside.standing(engine) : Outside.durablyStanding(engine)

/** What an execution knows of itself. @category getters */
export const progressOf = (engine: Engine): Host.Progress => {
  const { cells, failures, lifecycle, result } = engine.machine
  const { exit } = engine
  return {
    status: statusOf(engine),
    lifecycle,
    questions: questionsOf(engine, []).toSorted((one, other) => one.at - other.at),
    state: cells.toJson(),
    ...(result === undefined ? {} : { result }),
    ...(exit !== undefined && Exit.isFailure(exit) ? { failure: failureOf(engine.plan, exit.cause) } : {}),
    failures: failures.map((cause) => failureOf(engine.plan, cause))
  }
}

/** Reads something, and gives it once everything that it depends on is written down. */
const safely = <A>(engine: Engine, read: () => A): Effect.Effect<A> => {
  const safe = Effect.callback<A>((resume) => {
    let value = Effect.sync(read)
    const make = () => {
      value = Effect.succeed(read())
      return undefined
    }
    engine.submit({ _tag: "Later", make, then: () => resume(value) })
  })
  const over = Effect.andThen(Effect.ignoreCause(engine.awaitClosed), Effect.sync(read))
  return Effect.suspend(() => (engine.exit === undefined ? Effect.raceFirst(safe, over) : Effect.sync(read)))
}

/** Gives once everything that was handed in before is written down; false where that did not come to be. */
const written = (engine: Engine): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    let isSafe = false
    const safe = Effect.callback<boolean>((resume) => {
      const then = () => {
        isSafe = true
        resume(Effect.succeed(true))
      }
      engine.submit({ _tag: "Later", make: () => undefined, then })
    })
    // It may close by what is written down together with it: all of that is told first.
    const over = Effect.andThen(
      Effect.ignoreCause(engine.awaitClosed),
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => isSafe)
      )
    )
    return engine.exit === undefined ? Effect.raceFirst(safe, over) : Effect.succeed(false)
  })

/**
 * An execution at work, as a host sees it.
 *
 * @category constructors
 */
export const running = (engine: Engine, writing: Writing | undefined): Host.RunningExecution => {
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

  const signal: Host.RunningExecution["signal"] = (name, json, wait, request) =>
    Effect.suspend(() => {
      const codecs = plan.codecs.signals.get(name)
      if (codecs === undefined) return violation(`signal ${name}`, noSuchSignal)
      const payload = codecs.payload.decode(json)
      if (Result.isFailure(payload)) return violation(`signal ${name}`, payload.failure)
      const sent = engine.request<unknown>((ticket) => ({
        _tag: "Signal",
        signal: name,
        payload: payload.success,
        ticket,
        mode: wait ? "await" : "none",
        request
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
      // One that was answered before is known by its id as well, so that the same answer again is told the same.
      const asked = machine.interrupts?.get(place.id) ?? machine.answered?.get(place.id)
      const named = options.interrupt ?? asked?.interrupt ?? place.id.split("#")[0] ?? ""
      const codec = plan.codecs.interrupts.get(named)?.resume
      if (codec === undefined) {
        const { ended } = engine.machine
        const reason =
          ended === undefined
            ? new FlowError.AnswerRejected({ id: question, why: "unknown" })
            : new FlowError.NotOpen({ lifecycle: "closed", what: `The answer to "${question}"`, status: ended })
        return Effect.fail(failed(engine.error(reason)))
      }
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
    progress: writing === undefined ? Effect.sync(() => progressOf(engine)) : safely(engine, () => progressOf(engine)),
    standing: Effect.sync(() => ({ status: statusOf(engine), lifecycle: engine.machine.lifecycle })),
    signal,
    answer,
    intervene: (json, options) =>
      Effect.suspend(() => {
        const payload = plan.codecs.intervention.decode(json)
        if (Result.isFailure(payload)) return violation("intervention", payload.failure)
        const taken = encodeFailure(execution.intervene(payload.success, options))
        if (writing === undefined) return taken
        return Effect.flatMap(taken, (id) =>
          Effect.flatMap(written(engine), (isWritten) =>
            isWritten ? Effect.succeed(id) : Effect.fail(failed(engine.error(new FlowError.Left({}))))
          )
        )
      }),
    watch: (from) =>
      Stream.map(engine.stream.read(from), encodedEntry).pipe(Stream.catchCause((cause) => Stream.fail(failed(cause)))),
    save: Effect.suspend(() =>
      engine.exit === undefined
        ? // A snapshot is JSON, as its Schema says.
          Effect.map(encodeFailure(execution.save()), (snapshot) => snapshot as unknown as Json)
        : Effect.fail(failed(engine.error(new FlowError.NotOpen({ lifecycle: "closed", what: "The save" }))))
    ),
    seal: writing === undefined ? execution.seal : Effect.andThen(execution.seal, Effect.asVoid(written(engine))),
    // That the execution has failed is told by its progress; what is left is that it refuses to close.
    close: (options) =>
      Effect.catchCause(Effect.asVoid(execution.close(options)), (cause) =>
        engine.exit === undefined ? Effect.fail(failed(cause)) : Effect.void
      ),
    cancel: (reason) => engine.shutdown(reason),
    closed: Effect.ignoreCause(engine.awaitClosed),
    resting: Effect.sync(() => Outside.isDormant(engine)),
    abandon: Effect.suspend(() => {
      const cause = engine.error(new FlowError.Left({}))
      return writing === undefined ? engine.abandon(cause) : writing.abandon(cause)
    }),
    leave: (drain) => {
      const cause = engine.error(new FlowError.Left({}))
      return writing === undefined
        ? engine.shutdown("it is left, and nothing of it was written down")
        : writing.leave(cause, Effect.provideService(Effect.sleep(drain), Clock.Clock, realTime))
    }
  }
}
