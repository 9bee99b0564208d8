/**
 * The mode `broadcast`: all members are given the same task at once. Their results, failures as failures, are what the
 * leader makes an answer of; without a leader they are the answer.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import * as Chain from "../triggerflow/Chain.ts"
import type { Flow } from "../triggerflow/Flow.ts"
import * as Report from "./Report.ts"
import * as Site from "./Site.ts"

const rules = `The members of your team have worked on this, each by itself: what they gave stands in "results", by member; where one failed, it says how. Make one answer of it.`

/** What a member has given, as the leader reads it. */
type Given = { readonly answer: Json } | { readonly error: Report.Failure }

/** The flow of a team that broadcasts. @category conversions */
export const flow = (data: Site.Data): Flow<Site.TeamSpec, unknown, unknown> => {
  const contract = Site.contractOf(data)
  const branches = Object.fromEntries(
    data.members.map((member) => {
      const work = ({ input }: Report.Request, run: Site.TeamRun): Effect.Effect<Given, unknown, unknown> =>
        Effect.map(
          Site.ask(data, member, { task: input }, run),
          Result.match({
            onSuccess: ({ answer }): Given => ({ answer }),
            onFailure: (error): Given => ({ error: Report.failureOf(error) })
          })
        )
      return [
        member.name,
        (c: Chain.Chain<Site.TeamSpec, Report.Request, never, never>) => c.pipe(Chain.to(`member ${member.name}`, work))
      ]
    })
  )
  const concludes = (
    results: { readonly [name: string]: Given },
    run: Site.TeamRun
  ): Effect.Effect<Json, unknown, unknown> =>
    Effect.gen(function* () {
      // Made of encoded answers.
      const known = results as { readonly [name: string]: Json }
      if (data.leader === undefined) {
        yield* Site.answered(data, yield* Site.resultsOf(data))
        return known
      }
      const { answer, value } = yield* Site.lead(
        data,
        "answer",
        (leader) => leader.pipe(Agent.info({ results: known }), Agent.instruct(rules)),
        run
      )
      yield* Site.answered(data, value)
      return answer
    })
  return contract.build(
    contract.start.pipe(
      Chain.to("take in", Site.begin(data)),
      Chain.batch(branches, { concurrency: data.concurrency }),
      Chain.to(data.leader === undefined ? "gather" : "leader answers", concludes),
      Chain.to("give", Site.end()),
      Chain.result
    )
  )
}
