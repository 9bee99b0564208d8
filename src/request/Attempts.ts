/**
 * The work behind a response: runs attempts until one fulfils the output contract or the budget is spent. Whatever is
 * wrong with an attempt goes back to the model in words, with the next one.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Incomplete, ModelError, type ModelErrorReason, Refused } from "../../services/ModelError.ts"
import type { ModelEvent, ModelRequest, OutputFormat } from "../../services/ModelProvider.ts"
import * as Contract from "../output/Contract.ts"
import * as Correction from "../output/Correction.ts"
import type { Finding } from "../output/Finding.ts"
import { OutputError } from "../output/OutputError.ts"
import * as FieldScanner from "../parse/FieldScanner.ts"
import * as JsonScanner from "../parse/JsonScanner.ts"
import type { Shape } from "../parse/Shape.ts"
import * as StrictJson from "../parse/StrictJson.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import type { Acting, Said } from "./Acting.ts"
import * as Budget from "./Budget.ts"
import type { Attempt, FullResponse } from "./ModelResponse.ts"
import type { Recorder } from "./Recorder.ts"
import * as Repair from "./Repair.ts"
import * as Validation from "./Validation.ts"

/**
 * How a request differs from the agent's first one.
 *
 * @category models
 */
export interface Ask {
  readonly attempt: number
  /** What was wrong with the attempt before. */
  readonly correction: string | undefined
  /** What is asked for instead of the agent's own output: the places of a repair, or the same in another format. */
  readonly contract: Contract.Contract<unknown, unknown> | undefined
  /** What validators changed. */
  readonly change: Validation.Change
  /** Whether only places of the answer are asked for: nothing is to be called then. */
  readonly repairs?: boolean | undefined
  /** What may be called, and what was. */
  readonly acting?: Pick<Acting, "offer" | "messages"> | undefined
}

/**
 * Where answers come from: a model provider, with whatever stands around it.
 *
 * @category models
 */
export interface Source<out E = never, out R = never> {
  /** The provider's name. */
  readonly name: string
  /** Runs one request, whose answer will be read as it says. */
  readonly stream: (request: ModelRequest, reading: Reading) => Stream.Stream<ModelEvent, ModelError | E, R>
  /** What becomes of an answer for which no model is asked, where it does not stay as it is. */
  readonly answer?: (
    text: string,
    attempt: number,
    reading: Reading
  ) => Effect.Effect<ReadonlyArray<ModelEvent>, ModelError | E, R>
}

/**
 * How an answer is read.
 *
 * @category models
 */
export type Reading = Pick<Contract.Contract<unknown>, "format" | "shape">

/**
 * A source whose requests are counted when they are sent, and refused where a budget is spent.
 *
 * @category combinators
 */
export const counting = <E, R, A>(
  source: Source<E, R>,
  budgets: ReadonlyArray<Budget.Budget>,
  recorder: Pick<Recorder<A>, "sent">
): Source<E | Budget.BudgetExceeded, R> =>
  budgets.length === 0
    ? source
    : {
        name: source.name,
        stream: (request, reading) =>
          Budget.count(
            Stream.suspend(() => {
              recorder.sent()
              return source.stream(request, reading)
            }),
            budgets
          )
      }

/**
 * What a response has to do.
 *
 * @category models
 */
export interface Plan<A, E, R> {
  readonly provider: Source<E, R>
  readonly contract: Contract.Contract<A, R>
  /** What the value has to fulfil beyond the contract. */
  readonly validators: ReadonlyArray<Validation.Validator<A, E, R>>
  /** Renders the request of an attempt. */
  readonly request: (ask: Ask) => Result.Result<ModelRequest, PromptError>
  /** What every request is charged to. */
  readonly budgets: ReadonlyArray<Budget.Budget>
  /** How many corrections may follow the first attempt. */
  readonly maxRetries: number
  /** What a correction asks for: the whole again, or where possible only the places that were wrong. */
  readonly repair: "all" | "missing"
  /** Whether a correction quotes the answer that was wrong. */
  readonly quoteAnswer: boolean
  /** What is given when they are spent, made of the latest value; absent: the response fails. */
  readonly salvage: ((value: unknown) => Effect.Effect<A, unknown, R>) | undefined
  /** Whether the provider's own JSON-Schema mode is used, or why not. */
  readonly native: boolean | string
  /** What is done when the model calls instead of answering. Absent: calls are of no account. */
  readonly acting?: Acting<E, R> | undefined
}

/** How a plan can fail, besides its validators. @category errors */
export type PlanError = ModelError | OutputError | PromptError | Budget.BudgetExceeded

/**
 * Runs a plan to its end. All that the model sends stands in the recorder's transcript when this ends, well or not; the
 * caller closes it.
 *
 * @category running
 */
export const run = Effect.fnUntraced(function* <A, E, R>(
  given: Plan<A, E, R>,
  recorder: Recorder<A>
): Effect.fn.Return<FullResponse<A>, PlanError | E, R> {
  let plan = given
  let formatFallback = plan.contract.formatFallback
  const from = given.acting?.from
  let change: Validation.Change = from?.change ?? {}
  let correction = from?.correction
  let repair: Repair.Repair | undefined
  for (let retry = from?.retry ?? 0; ; retry++) {
    recorder.begin(plan.contract.format, repair !== undefined)
    const ask: Omit<Ask, "attempt"> = {
      correction,
      contract: repair?.contract ?? (plan === given ? undefined : plan.contract),
      change,
      repairs: repair !== undefined,
      acting: plan.acting
    }
    const answered = yield* plan.acting === undefined || repair !== undefined
      ? attempt(plan, recorder, { ...ask, attempt: recorder.attempt })
      : acting(plan, recorder, ask, plan.acting, retry)
    const { ended, format, scan } =
      repair === undefined ? read(plan.contract, answered) : repaired(repair, answered, recorder)
    const facts = {
      provider: plan.provider.name,
      native: plan.native,
      ...(plan.acting === undefined ? {} : { actions: plan.acting.summary() }),
      format,
      formatFallback:
        format === plan.contract.format || repair !== undefined
          ? formatFallback
          : { from: plan.contract.format, to: format, reason: recorder.whyJson }
    }
    const judged = yield* Effect.tapError(judge(plan, scan, ended, retry), (error) =>
      Effect.sync(() => recorder.fail(ended, `a validator failed: ${messageOf(error)}`))
    )
    if (judged._tag === "Accepted") return recorder.succeed(ended, judged.value, facts)
    const { findings, stop } = judged
    change = Validation.combine(change, judged.change)
    const rejected = { ...ended, findings }
    if (!stop && retry < plan.maxRetries) {
      const refused = Budget.refusal(plan.budgets)
      if (refused !== undefined) {
        recorder.fail(rejected, refused.message)
        return yield* refused
      }
      recorder.restart(rejected, findings.map((finding) => finding.message).join("; "))
      repair = plan.repair === "missing" && scan.found ? Repair.of(plan.contract, scan.value, findings) : undefined
      correction =
        repair === undefined
          ? Correction.render(findings) + (plan.quoteAnswer ? `\nThe previous response was:\n${ended.text}` : "")
          : Repair.render(repair, findings)
      if (plan.contract.isAuto && !scan.found && plan.contract.format !== "json") {
        // The model does not master the format that was chosen for it.
        const reason = `attempt ${ended.attempt} could not be read as ${plan.contract.format}`
        formatFallback = { from: plan.contract.format, to: "json", reason }
        plan = { ...plan, contract: Contract.withFormat(plan.contract, "json") }
      }
      continue
    }
    // Never what a validator rejects, nor what was cut off.
    if (plan.salvage !== undefined && findings.every(({ kind }) => kind !== "validator")) {
      const salvaged = yield* Effect.result(plan.salvage(Repair.without(scan.value, scan.repaired)))
      if (Result.isSuccess(salvaged)) return recorder.succeed(rejected, salvaged.success, facts)
    }
    return yield* exhausted(plan, recorder, rejected)
  }
})

type Judgement<A> =
  | { readonly _tag: "Accepted"; readonly value: A }
  | {
      readonly _tag: "Rejected"
      readonly findings: ReadonlyArray<Finding>
      readonly change: Validation.Change
      /** Whether asking again is of no use. */
      readonly stop: boolean
    }

// The contract first, then the validators, who see nothing that the contract rejects.
const judge = Effect.fnUntraced(function* <A, E, R>(
  plan: Plan<A, E, R>,
  scan: Contract.Scan,
  ended: Attempt,
  retry: number
): Effect.fn.Return<Judgement<A>, E, R> {
  const verdict = yield* Contract.judge(plan.contract, scan)
  const isCut = ended.finishReason === "length" && scan.repaired.has("")
  if (verdict._tag === "Rejected" || isCut) {
    const findings = [...(isCut ? [cut] : []), ...(verdict._tag === "Rejected" ? verdict.findings : [])]
    return { _tag: "Rejected", findings, change: {}, stop: false }
  }
  const context = { attempt: ended.attempt, retry, maxRetries: plan.maxRetries, text: ended.text }
  const valid = yield* Validation.runAll(plan.validators, verdict.value, context)
  if (valid._tag === "Pass") return verdict
  const change = valid._tag === "Fail" ? valid.change : undefined
  return {
    _tag: "Rejected",
    findings: Validation.toFindings(valid),
    change: change ?? {},
    stop: valid._tag === "Stop"
  }
})

// Asks until the model answers instead of calling. Each round is an attempt of its own, which no correction counts.
const acting = Effect.fnUntraced(function* <A, E, R, B>(
  plan: Plan<A, E, R>,
  recorder: Recorder<B>,
  ask: Omit<Ask, "attempt">,
  acting: Acting<E, R>,
  retry: number
): Effect.fn.Return<Attempt, PlanError | E, R> {
  if (acting.answer !== undefined && ask.correction === undefined) {
    return yield* answered(plan, recorder, acting.answer)
  }
  for (;;) {
    if (acting.prepare !== undefined) yield* acting.prepare
    const open = acting.isOpen()
    const ended = yield* attempt(plan, recorder, { ...ask, attempt: recorder.attempt })
    const calls = recorder.calls
    if (calls.length === 0 || !open) return ended
    const said = { text: ended.text, thoughts: ended.thoughts, calls }
    if (acting.leave !== undefined) {
      recorder.acted(ended, calledOf(calls))
      const { change, correction } = ask
      return yield* acting.leave({ said, retry, correction, change, attempts: recorder.ended })
    }
    const next = yield* acting
      .act(said, recorder.tell)
      .pipe(Effect.tapError((error) => Effect.sync(() => recorder.fail(ended, messageOf(error)))))
    recorder.acted(ended, calledOf(calls))
    recorder.begin(plan.contract.format, false)
    if (next._tag === "Answer") return yield* answered(plan, recorder, next.text)
    const refused = Budget.refusal(plan.budgets)
    if (refused === undefined) continue
    recorder.fail(undefined, refused.message)
    return yield* refused
  }
})

const calledOf = (calls: Said["calls"]): string => `called ${calls.map(({ name }) => name).join(", ")}`

// Takes a text as the answer, for which no model is asked; what checks answers checks it too.
const answered = <A, E, R, B>(
  { contract, provider }: Plan<A, E, R>,
  recorder: Recorder<B>,
  text: string
): Effect.Effect<Attempt, ModelError | E, R> => {
  const events = provider.answer?.(text, recorder.attempt, contract)
  if (events === undefined) {
    recorder.answer(text)
    return Effect.succeed(recorder.current([]))
  }
  return Effect.map(
    Effect.tapError(events, (error) => Effect.sync(() => recorder.fail(recorder.current([]), messageOf(error)))),
    (events) => {
      recorder.receiveAll(events)
      return recorder.current([])
    }
  )
}

// Sends one request and takes in the whole answer. Fails where the model fails or declines.
const attempt = Effect.fnUntraced(function* <A, E, R, B>(
  plan: Plan<A, E, R>,
  recorder: Recorder<B>,
  ask: Ask
): Effect.fn.Return<Attempt, PlanError | E, R> {
  const request = plan.request(ask)
  if (Result.isFailure(request)) {
    recorder.fail(undefined, request.failure.message)
    return yield* request.failure
  }
  const receive = (events: ReadonlyArray<ModelEvent>) =>
    Effect.suspend(() => {
      recorder.receiveAll(events)
      const replays = plan.budgets.length > 0 && events.some((event) => event._tag === "Restarted")
      const refused = replays ? Budget.countOne(plan.budgets) : undefined
      return refused === undefined ? Effect.void : Effect.fail(refused)
    })
  const source = plan.provider.stream(request.success, ask.contract ?? plan.contract)
  const sent = Stream.runForEachArray(source, receive)
  yield* Budget.charge(sent, plan.budgets, () => recorder.spent()).pipe(
    Effect.tapError((error) => Effect.sync(() => recorder.fail(recorder.current([]), messageOf(error))))
  )
  const ended = recorder.current([])
  if (ended.finishReason === undefined) {
    const incomplete = modelError(plan, request.success, ended, new Incomplete({ detail: "no finish reason came" }))
    recorder.fail(ended, incomplete.message)
    return yield* incomplete
  }
  if (ended.refusal === "" && ended.finishReason !== "content-filter") return ended
  // A refusal, or an answer that the provider's filter stopped, is no answer; asking again changes nothing.
  const code = ended.refusal === "" ? "content_filter" : "refusal"
  const detail = ended.refusal.slice(0, 300)
  const refused = modelError(plan, request.success, ended, new Refused({ detail, code }))
  recorder.fail(ended, refused.message)
  return yield* refused
})

const modelError = <A, E, R>(plan: Plan<A, E, R>, request: ModelRequest, ended: Attempt, reason: ModelErrorReason) => {
  const model = ended.model ?? request.model
  return new ModelError({ provider: plan.provider.name, ...(model === undefined ? {} : { model }), reason })
}

/** Why something failed, in its own words. @category errors */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Scanned {
  readonly ended: Attempt
  readonly scan: Contract.Scan
  /** The format in which the value stood. */
  readonly format: OutputFormat
}

// What the contract judges: the value that stands in the text, and which parts of it were cut off.
const read = (reading: Reading, ended: Attempt): Scanned => ({
  ended,
  ...scanText(reading, ended.text, ended.finishReason === "length")
})

/**
 * The value that stands in a text, and the format in which it stood.
 *
 * @category reading
 */
export const scanText = ({ format, shape }: Reading, text: string, isCut: boolean): Omit<Scanned, "ended"> => {
  if (format === "text") return { format, scan: { found: true, value: text, repaired: new Set() } }
  if (format === "json") return { format, scan: scanJson(shape, text, isCut) }
  const scan = FieldScanner.parse(format, text, { shape, cut: isCut, maxDepth })
  return { format: scan.format, scan: trusted(scan) }
}

const scanJson = (shape: Shape, text: string, isCut: boolean): Contract.Scan => {
  const strict = StrictJson.read(text, maxDepth)
  if (strict !== undefined) return { found: true, value: strict, repaired: new Set() }
  return trusted(JsonScanner.parse(text, { shape, cut: isCut, maxDepth }))
}

const trusted = (scan: JsonScanner.ScanResult): Contract.Scan => ({
  ...scan,
  found: scan.found && scan.problem === undefined,
  detail: scan.problem?.detail
})

// A repair is read by the contract of its places; the whole that it makes is what readers see and the contract judges.
const repaired = <B>(repair: Repair.Repair, answered: Attempt, recorder: Recorder<B>): Scanned => {
  const patch = scanJson(repair.contract.shape, recorder.hiddenText(), answered.finishReason === "length")
  const value = Repair.merge(repair, patch.found ? patch.value : undefined, patch.repaired)
  recorder.reveal(JSON.stringify(value))
  return { ended: recorder.current([]), format: "json", scan: { found: true, value, repaired: new Set() } }
}

// The scanner's own limit, for both ways of reading.
const maxDepth = 512

const cut: Finding = {
  path: "",
  kind: "cut",
  message: "The answer was cut off at the token limit; write a shorter one that is complete"
}

const exhausted = <A, E, R, B>(plan: Plan<A, E, R>, recorder: Recorder<B>, last: Attempt) =>
  Effect.suspend(() => {
    const attempts = recorder.fail(last, last.findings.map((finding) => finding.message).join("; "))
    return new OutputError({
      // A validator may have stopped before the corrections were spent.
      maxRetries: Math.max(0, Math.min(plan.maxRetries, attempts.length - 1)),
      attempts: attempts.map(({ attempt, findings, text }) => ({ attempt, findings, text: text.slice(0, 2_000) }))
    })
  })
