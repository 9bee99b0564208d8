/**
 * The loop for models that cannot call tools: the model writes a plan, as structured output, which calls are to be made
 * next or that it is ready to answer. Calls, limits and records are those of native calls. Before the answer is asked for
 * the prompt is given the results as its slot `action results`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ActionRound } from "../../services/Action.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Json } from "../../services/Json.ts"
import type { Begun, Opening } from "../agent/Acts.ts"
import type { AgentError, Config } from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import type { Said } from "../request/Acting.ts"
import type { Attempt } from "../request/ModelResponse.ts"
import * as Rounds from "./Rounds.ts"

const Call = Schema.Struct({
  purpose: Schema.String.annotate({ description: "What the call is for, in a few words" }),
  action: Schema.String.annotate({ description: "The name of one of the actions" }),
  input: Schema.Json.annotate({ description: "Its input, as its Schema says" })
})

/** What the model is asked for in a round. @category models */
export const Plan = Schema.Struct({
  next: Output.ensure(
    Schema.Literals(["call", "answer"]),
    "`call` to run the calls below; `answer` when nothing more has to be called"
  ),
  calls: Schema.Array(Call).annotate({ description: "Calls that do not depend on each other; empty for `answer`" })
})

const thought = Output.ensure(
  Schema.String,
  "What is known, what is missing, and what follows for the next step",
  "notEmpty"
)

/** The same, begun with a thought. @category models */
export const ThoughtfulPlan = Schema.Struct({ thought, ...Plan.fields })

const instruct =
  "Decide what to do next to fulfil the task. Do not answer it yet: name the calls that are needed now, or say that everything needed is known. Use the results so far and do not repeat calls that succeeded."

const described = (work: Rounds.Work): Json =>
  Rounds.toolsOf(work).map((tool) => ({
    action: String(tool.name),
    description: Tool.getDescription(tool) ?? "",
    // JSON Schema is JSON.
    input: Tool.getJsonSchema(tool) as unknown as Json
  }))

/** What the calls gave, for a prompt. @category rendering */
export const resultsOf = (rounds: ReadonlyArray<ActionRound>): Json =>
  rounds.flatMap(({ records, steering = [], text }): ReadonlyArray<Json> => [
    ...(text === "" ? [] : [{ thought: text }]),
    ...records.map(({ call, result, status }): Json => ({
      call: call.id,
      action: call.action,
      input: call.input,
      ...(status === "success" ? {} : { status }),
      result
    })),
    ...steering.map((text): Json => ({ user: text }))
  ])

const list = (value: unknown): ReadonlyArray<unknown> =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]

const withResults = (config: Config, work: Rounds.Work): Config =>
  work.state.rounds.length === 0
    ? config
    : { ...config, custom: { ...config.custom, "action results": resultsOf(work.state.rounds) } }

const planning = (config: Config, work: Rounds.Work): Config => {
  const { ensureAllKeys: _all, ensureKeys: _keys, format: _format, onExhausted: _exhausted, ...rest } = config
  const { validators: _validators, ...plain } = rest
  const results = withResults(plain, work)
  return {
    ...results,
    // Those who watch see a run of its own for each plan.
    role: "plan",
    custom: { ...results.custom, actions: described(work) },
    instruct: [...list(config.instruct), instruct]
  }
}

/**
 * Asks for the calls of one round; undefined where the model is ready to answer.
 *
 * @category running
 */
export const plan = Effect.fnUntraced(function* <E1, R1>(
  work: Rounds.Work,
  opening: Opening<E1, R1>,
  thoughts: boolean
): Effect.fn.Return<
  { readonly said: Said; readonly attempts: ReadonlyArray<Attempt> } | undefined,
  E1 | AgentError,
  R1
> {
  const full = yield* opening.ask(planning(opening.config, work), thoughts ? ThoughtfulPlan : Plan)
  // What was asked for is one of the two.
  const { calls, next, thought = "" } = full.data as typeof Plan.Type & { readonly thought?: string }
  if (next === "answer" || calls.length === 0) return undefined
  const made = calls.map(({ action, input }) => ({ id: "", name: action, arguments: JSON.stringify(input), input }))
  return { said: { text: thought, thoughts: [], calls: made }, attempts: full.attempts }
})

/** What the agent is to be asked for its answer, which may be there already. @category running */
export const answering = (work: Rounds.Work, config: Config, answer: string | undefined): Begun<never, never> => ({
  config: withResults(config, work),
  acting: {
    offer: () => {
      // The model is asked, as in `Rounds.native`.
      work.answeredBy = undefined
      return { tools: [] }
    },
    messages: () => [],
    isOpen: () => false,
    act: () => Effect.succeed({ _tag: "Ask" }),
    summary: () => Rounds.summaryOf(work),
    ...(answer === undefined ? {} : { answer })
  }
})

/**
 * Runs all rounds, and gives what the agent is then to be asked for its answer.
 *
 * @category running
 */
export const run = Effect.fnUntraced(function* <E, R, E1, R1>(
  work: Rounds.Work,
  options: Rounds.Options<E, R> & { readonly thoughts?: boolean | undefined },
  opening: Opening<E1, R1>
): Effect.fn.Return<Begun<E, R>, E | E1 | AgentError, R | R1> {
  while (Rounds.isOpen(work.state.status)) {
    if (options.steer !== undefined) yield* Rounds.steering(work, options.steer)
    const planned = yield* plan(work, opening, options.thoughts === true)
    if (planned === undefined) break
    const next = yield* Rounds.act(work, options, planned.said)
    if (next._tag === "Answer") return answering(work, opening.config, next.text)
  }
  return answering(work, opening.config, undefined)
})
