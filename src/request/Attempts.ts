/**
 * The work behind a response: runs attempts until one fulfils the output contract or the budget is spent. Whatever is
 * wrong with an attempt goes back to the model in words, with the next one.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ModelError, Refused } from "../../services/ModelError.ts"
import type { ModelProvider, ModelRequest } from "../../services/ModelProvider.ts"
import * as Contract from "../output/Contract.ts"
import * as Correction from "../output/Correction.ts"
import type { Finding } from "../output/Finding.ts"
import { OutputError } from "../output/OutputError.ts"
import * as JsonScanner from "../parse/JsonScanner.ts"
import * as StrictJson from "../parse/StrictJson.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import type { Attempt, FullResponse } from "./ModelResponse.ts"
import type { Recorder } from "./Recorder.ts"

/**
 * What a response has to do.
 *
 * @category models
 */
export interface Plan<A, R> {
  readonly provider: ModelProvider["Service"]
  readonly contract: Contract.Contract<A, R>
  /** Renders the request of an attempt, with what was wrong with the one before. */
  readonly request: (attempt: number, correction: string | undefined) => Result.Result<ModelRequest, PromptError>
  /** How many corrections may follow the first attempt. */
  readonly maxRetries: number
  /** What is given when they are spent, made of the latest value; absent: the response fails. */
  readonly salvage: ((value: unknown) => Effect.Effect<A, unknown, R>) | undefined
  /** Whether the provider's own JSON-Schema mode is used, or why not. */
  readonly native: boolean | string
}

/** How a plan can fail. @category errors */
export type PlanError = ModelError | OutputError | PromptError

/**
 * Runs a plan to its end. All that the model sends stands in the recorder's transcript when this ends, well or not; the
 * caller closes it.
 *
 * @category running
 */
export const run = Effect.fnUntraced(function* <A, R>(
  plan: Plan<A, R>,
  recorder: Recorder<A>
): Effect.fn.Return<FullResponse<A>, PlanError, R> {
  const facts = { provider: plan.provider.name, native: plan.native }
  let correction: string | undefined
  for (let retries = 0; ; retries++) {
    recorder.begin()
    const ended = yield* attempt(plan, recorder, correction)
    const scan = read(plan.contract, ended)
    const verdict = yield* Contract.judge(plan.contract, scan)
    const cutOff = ended.finishReason === "length" && scan.repaired.has("")
    if (verdict._tag === "Accepted" && !cutOff) return recorder.succeed(ended, verdict.value, facts)
    const findings = [...(cutOff ? [cut] : []), ...(verdict._tag === "Rejected" ? verdict.findings : [])]
    const rejected = { ...ended, findings }
    if (retries < plan.maxRetries) {
      recorder.restart(rejected, findings.map((finding) => finding.message).join("; "))
      correction = Correction.render(findings)
      continue
    }
    if (plan.salvage !== undefined) {
      const salvaged = yield* Effect.result(plan.salvage(scan.value))
      if (Result.isSuccess(salvaged)) return recorder.succeed(rejected, salvaged.success, facts)
    }
    return yield* exhausted(plan, recorder, rejected)
  }
})

// Sends one request and takes in the whole answer. Fails where the model fails or declines.
const attempt = Effect.fnUntraced(function* <A, R, B>(
  plan: Plan<A, R>,
  recorder: Recorder<B>,
  correction: string | undefined
): Effect.fn.Return<Attempt, PlanError> {
  const request = plan.request(recorder.attempt, correction)
  if (Result.isFailure(request)) {
    recorder.fail(undefined, request.failure.message)
    return yield* request.failure
  }
  const receive = (events: Parameters<typeof recorder.receiveAll>[0]) => Effect.sync(() => recorder.receiveAll(events))
  yield* plan.provider.stream(request.success).pipe(
    Stream.runForEachArray(receive),
    Effect.tapError((error) => Effect.sync(() => recorder.fail(recorder.current([]), error.message)))
  )
  const ended = recorder.current([])
  if (ended.refusal === "" && ended.finishReason !== "content-filter") return ended
  // A refusal, or an answer that the provider's filter stopped, is no answer; asking again changes nothing.
  const model = ended.model ?? request.success.model
  const refused = new ModelError({
    provider: plan.provider.name,
    ...(model === undefined ? {} : { model }),
    reason: new Refused({ detail: ended.refusal.slice(0, 300) })
  })
  recorder.fail(ended, refused.message)
  return yield* refused
})

// What the contract judges: the value that stands in the text, and which parts of it were cut off.
const read = <A, R>(contract: Contract.Contract<A, R>, { finishReason, text }: Attempt): Contract.Scan => {
  if (contract.format === "text") return { found: true, value: text, repaired: new Set() }
  const strict = StrictJson.read(text, maxDepth)
  if (strict !== undefined) return { found: true, value: strict, repaired: new Set() }
  const scan = JsonScanner.parse(text, { shape: contract.shape, cut: finishReason === "length", maxDepth })
  return { ...scan, found: scan.found && scan.problem === undefined, detail: scan.problem?.detail }
}

// The scanner's own limit, for both ways of reading.
const maxDepth = 512

const cut: Finding = {
  path: "",
  kind: "cut",
  message: "The answer was cut off at the token limit; write a shorter one that is complete"
}

const exhausted = <A, R, B>(plan: Plan<A, R>, recorder: Recorder<B>, last: Attempt) =>
  Effect.suspend(() => {
    const findings = last.findings.map((finding) => finding.message).join("; ")
    const attempts = recorder.fail(last, findings)
    return new OutputError({
      maxRetries: plan.maxRetries,
      attempts: attempts.map(({ attempt, findings, text }) => ({ attempt, findings, text: text.slice(0, 2_000) }))
    })
  })
