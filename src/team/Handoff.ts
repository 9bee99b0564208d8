/**
 * The mode `handoff`: one member has the conversation at a time. It answers, or hands on to another one, who is given all
 * that was said and done so far. The answer of the member who does not hand on is the team's.
 *
 * To hand on is an action, `Team.handoff`, that ends the member's run with a `Handoff`; a team understands it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Prompt } from "../../services/Ai.ts"
import type { Json } from "../../services/Json.ts"
import type { ModelRequest } from "../../services/ModelProvider.ts"
import * as Action from "../action/Action.ts"
import * as Actions from "../action/Actions.ts"
import * as Agent from "../agent/Agent.ts"
import * as Messages from "../agent/Messages.ts"
import type { Attempt } from "../request/ModelResponse.ts"
import * as Chain from "../triggerflow/Chain.ts"
import type { Flow } from "../triggerflow/Flow.ts"
import type * as Member from "./Member.ts"
import { Handoff, type Request } from "./Report.ts"
import * as Site from "./Site.ts"

/** Whether the conversation may be handed on once more; absent outside of a team. */
const Handoffs = Context.Reference<{ readonly left: number; readonly limit: number } | undefined>(
  "effigent/team/Handoffs",
  {
    defaultValue: () => undefined
  }
)

/** The name of the action that hands on to a member. @category reading */
export const actionName = (to: string): string => `transfer_to_${to}`

/**
 * The action of handing the conversation on. Where it has been handed on as often as it may, the model is told to answer
 * itself.
 *
 * @category constructors
 */
export const handoff = (
  to: string,
  description: string
): Action.Action<{ readonly reason: string }, never, Action.Abort<Handoff> | string> => {
  const action = Action.make(actionName(to), {
    description: `Hands the conversation over to ${to}, who then answers. ${description}`,
    input: Schema.Struct({ reason: Schema.String.annotate({ description: "Why, in one sentence" }) }),
    output: Schema.Never,
    sideEffect: "pure",
    run: ({ reason }, { call }) =>
      Effect.flatMap(Handoffs, (site): Effect.Effect<never, Action.Abort<Handoff> | string> =>
        site !== undefined && site.left <= 0
          ? Effect.fail(`the conversation was handed on ${site.limit} times, as often as it may; answer it yourself`)
          : Action.abort(new Handoff({ to, reason, call: call.id }))
      )
  })
  return action
}

/** Where the conversation is. */
interface At {
  readonly member: string
  readonly messages: ReadonlyArray<Json>
  readonly handed: number
  /** The encoded answer, once there is one. */
  readonly answer?: Json
}

const encodeMessages = Schema.encodeUnknownEffect(Schema.Array(Prompt.Message))

/** What one member has said and done before it handed on: what its requests had behind their first one, and its last words. */
const saidBy = (
  first: ModelRequest | undefined,
  last: ModelRequest | undefined,
  attempt: Pick<Attempt, "text"> | undefined,
  { call, reason, to }: Handoff
): Effect.Effect<Member.Messages> => {
  const rounds = last === undefined ? [] : last.prompt.content.slice(first?.prompt.content.length ?? 0)
  const text = attempt?.text ?? ""
  const handing: Member.Messages = [
    {
      role: "assistant",
      content: [
        ...(text === "" ? [] : [{ type: "text" as const, text }]),
        { type: "tool-call", id: call, name: actionName(to), params: { reason }, providerExecuted: false }
      ]
    },
    {
      role: "tool",
      content: [
        {
          type: "tool-result",
          id: call,
          name: actionName(to),
          isFailure: false,
          providerExecuted: false,
          result: `The conversation is now with ${to}.`
        }
      ]
    }
  ]
  // What a request was made of has an encoded form.
  return Effect.map(Effect.orDie(encodeMessages(rounds)), (encoded) => [...encoded, ...handing])
}

/** The flow of a team that hands on. @category conversions */
export const flow = (data: Site.Data, first: string): Flow<Site.TeamSpec, unknown, unknown> => {
  const contract = Site.contractOf(data)
  const names = data.members.map(({ name }) => name)
  const limit = data.limits.handoffs
  const descriptionOf = (name: string) => data.members.find((member) => member.name === name)?.config.description ?? ""

  const answers =
    (member: Member.Any) =>
    (at: At, run: Site.TeamRun): Effect.Effect<At, unknown, unknown> =>
      Effect.gen(function* () {
        const { request } = yield* run.state.all
        const others = member.config.handoffs ?? names.filter((name) => name !== member.name)
        const sent: Array<ModelRequest> = []
        let attempts: () => ReadonlyArray<Attempt> = () => []
        const watched: Agent.Around = (config, work, soFar) => {
          attempts = soFar
          return work(config)
        }
        const done = yield* Site.ask(
          data,
          member,
          {
            task: request.input,
            // The messages are those of the request and of members: encoded messages.
            history: at.messages as unknown as Member.Messages,
            prepare: (agent) =>
              (at.handed === 0 ? agent : Agent.input(agent, "The conversation is now with you. Go on with it.")).pipe(
                Agent.hooks({ beforeRequest: (sending) => Effect.sync(() => sent.push(sending)) }),
                Agent.around(watched),
                (asked) =>
                  others.length === 0
                    ? asked
                    : Actions.use(
                        asked,
                        others.map((name) => handoff(name, descriptionOf(name)))
                      )
              )
          },
          run
        ).pipe(Effect.provideService(Handoffs, { left: limit - at.handed, limit }))
        if (Result.isSuccess(done)) {
          yield* Site.answered(data, done.success.value)
          return { ...at, answer: done.success.answer }
        }
        const error = done.failure
        if (!(error instanceof Handoff)) return yield* Effect.fail(error)
        if (!names.includes(error.to)) {
          return yield* Site.fail(data, { _tag: "UnknownMember", member: error.to, members: names })
        }
        if (at.handed >= limit) return yield* Site.fail(data, { _tag: "HandoffLimit", limit })
        const said = yield* saidBy(sent[0], sent.at(-1), attempts().at(-1), error)
        const asked = at.handed === 0 ? [Messages.user(textOf(request.input))] : []
        return {
          member: error.to,
          // Encoded messages are JSON.
          messages: [...at.messages, ...asked, ...said] as unknown as ReadonlyArray<Json>,
          handed: at.handed + 1
        }
      })

  const cases = Object.fromEntries(
    data.members.map((member) => {
      const one: Chain.Case<Site.TeamSpec, At> = {
        if: (at) => at.member === member.name,
        then: (c) => c.pipe(Chain.to(`member ${member.name}`, answers(member)))
      }
      return [member.name, one]
    })
  )
  return contract.build(
    contract.start.pipe(
      Chain.to("take in", (request: Request, run) =>
        Effect.map(Site.begin(data)(request, run), (taken): At => ({
          member: first,
          messages: taken.history,
          handed: 0
        }))
      ),
      Chain.loop(
        (c: Chain.Chain<Site.TeamSpec, At, never, never>) =>
          // Each case gives where the conversation is then, and one of them holds: the names are checked.
          c.pipe(Chain.match(cases)) as Chain.Chain<Site.TeamSpec, At, unknown, unknown>,
        { while: (at) => at.answer === undefined, max: limit + 1 }
      ),
      Chain.to("give", (at: At, run) => Site.end()(at.answer ?? null, run)),
      Chain.result
    )
  )
}

const textOf = (input: Json): string => (typeof input === "string" ? input : JSON.stringify(input))
