/**
 * How a flow refuses what is said to an execution, in the words of HTTP: what there is not, what does not fit, and what
 * comes too late. That an execution itself has failed is told as it is (`FlowFailed`).
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { FlowFailed } from "../../services/ExecutionHost.ts"
import { FlowError, type Reason } from "../../src/triggerflow/FlowError.ts"
import { noSuchSignal } from "../../src/triggerflow/hosting/Running.ts"
import * as Problem from "./Problem.ts"

const read = Schema.decodeUnknownOption(Schema.toCodecJson(FlowError))

const refusalOf = (id: string, reason: Reason): Problem.Refused | undefined => {
  switch (reason._tag) {
    case "AnswerRejected":
      return reason.why === "unknown"
        ? Problem.refuse(
            404,
            "UnknownQuestion",
            `The execution "${id}" has no question "${reason.id}". \`questions\` of GET /executions/{id} are those that wait.`
          )
        : Problem.refuse(409, "AnswerRejected", reason.message)
    case "ContractViolation":
      // What a handler of the flow gives, or replies, was not sent by whoever asks.
      if (reason.chunk !== undefined || reason.part.startsWith("the reply to")) return undefined
      return reason.issue === noSuchSignal
        ? Problem.refuse(404, "UnknownSignal", `The flow of the execution "${id}" has no ${reason.part}.`)
        : Problem.refuse(400, "InvalidRequest", `What was sent does not fit ${reason.part}: ${reason.issue}`)
    case "NotOpen":
      return Problem.refuse(409, "NotOpen", reason.message)
    case "PendingInterrupts":
      return Problem.refuse(
        409,
        "PendingInterrupts",
        `The execution "${id}" waits for answers to ${reason.ids.join(", ")}. Answer them, or close it with {"pending": "cancel"}.`
      )
    default:
      return undefined
  }
}

/** Gives what a flow refuses the status that it has over HTTP. @category handlers */
export const refusals = <A, E, R>(asked: Effect.Effect<A, E, R>): Effect.Effect<A, E | Problem.Refused, R> =>
  Effect.mapError(asked, (error) => {
    if (!(error instanceof FlowFailed) || error.failure._tag !== "FlowError") return error
    const { id } = error
    return Option.getOrUndefined(Option.map(read(error.failure.error), ({ reason }) => refusalOf(id, reason))) ?? error
  })
