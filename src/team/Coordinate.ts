/**
 * The mode `coordinate`: the leader has one action for each member, asks as many of them as it likes, at once or one after
 * the other, and writes the answer. What a member answers is a result; a member that fails is a failed call, with the error.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Action from "../action/Action.ts"
import * as Actions from "../action/Actions.ts"
import * as Agent from "../agent/Agent.ts"
import * as Chain from "../triggerflow/Chain.ts"
import type { Flow } from "../triggerflow/Flow.ts"
import * as Signal from "../triggerflow/Signal.ts"
import type * as Member from "./Member.ts"
import * as Report from "./Report.ts"
import * as Site from "./Site.ts"

/** The name of the action that asks a member. @category reading */
export const actionName = (member: string): string => `ask_${member}`

const Task = Schema.Struct({ task: Schema.String })

const rules = `You lead a team. Give its members tasks by your ask_... tools: several at once where they do not need each other. A member knows nothing but the task that you write. When you have what you need, answer yourself.`

/** The flow of a team that is coordinated. @category conversions */
export const flow = (data: Site.Data): Flow<Site.TeamSpec, unknown, unknown> => {
  const asking = data.members.map((member) => ({
    member,
    signal: Signal.make<string, Site.AskPayload, Site.Reply>(`ask ${member.name}`, Task, { reply: Site.Reply })
  }))
  const contract = Site.contractOf(
    data,
    asking.map(({ signal }) => signal)
  )
  const actionsOf = (run: Site.TeamRun) =>
    asking.map(({ member, signal }) =>
      Action.make(actionName(member.name), {
        description: `Gives a task to ${member.name}. ${member.config.description}`,
        input: Task,
        failure: Report.Failure,
        run: ({ task }, { call }) =>
          Effect.flatMap(run.emit(signal, { task }, { key: `${call.round}.${call.index}` }), ([reply]) =>
            reply?._tag === "Answer"
              ? Effect.succeed(reply.answer)
              : Effect.fail(reply?.error ?? { name: "Error", message: "the member gave no answer" })
          )
      })
    )
  const leads = (_: unknown, run: Site.TeamRun): Effect.Effect<Schema.Json, unknown, unknown> =>
    Effect.gen(function* () {
      const { answer, value } = yield* Site.lead(
        data,
        "lead",
        (leader) =>
          leader.pipe(
            Agent.instruct(rules),
            Actions.use(actionsOf(run), { rounds: data.limits.rounds, concurrency: data.concurrency })
          ),
        run
      )
      yield* Site.answered(data, value)
      return answer
    })
  return contract.build(
    contract.start.pipe(
      Chain.to("take in", Site.begin(data)),
      Chain.to("leader", leads),
      Chain.to("give", Site.end()),
      Chain.result
    ),
    ...asking.map(({ member, signal }) => {
      const answer = ({ task }: Site.AskPayload, run: Site.TeamRun): Effect.Effect<Site.Reply, unknown, unknown> =>
        Effect.map(
          Site.ask(data, member, { task }, run),
          Result.match({
            onSuccess: ({ answer }: Member.Done): Site.Reply => ({ _tag: "Answer", answer }),
            onFailure: (error): Site.Reply => ({ _tag: "Failed", error: Report.failureOf(error) })
          })
        )
      return contract.on(signal).pipe(Chain.to(`member ${member.name}`, answer))
    })
  )
}
