/** The mode `route`: the leader chooses one member, whose answer is the team's, as it is. One call of the leader. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Json } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import * as Chain from "../triggerflow/Chain.ts"
import type { Flow } from "../triggerflow/Flow.ts"
import * as Site from "./Site.ts"

const { ensure } = Output

const rules = `Choose the one member who answers this best. Do not answer yourself: the member's answer is given as it stands.`

/** What the leader answers. */
const choiceOf = (names: ReadonlyArray<string>, writes: boolean) =>
  Schema.Struct({
    member: ensure(Schema.Literals(names), "The name of the member who is to answer"),
    task: writes
      ? ensure(Schema.String, "What the member is to do, in words that say all it has to know", "notEmpty")
      : Schema.optionalKey(Schema.Never)
  })

interface Chosen {
  readonly member: string
  readonly task: Json
}

/** The flow of a team that routes. @category conversions */
export const flow = (data: Site.Data, writes: boolean): Flow<Site.TeamSpec, unknown, unknown> => {
  const contract = Site.contractOf(data)
  const choice = choiceOf(
    data.members.map(({ name }) => name),
    writes
  )
  const choose = (_: unknown, run: Site.TeamRun): Effect.Effect<Chosen, unknown, unknown> =>
    Effect.gen(function* () {
      const { request } = yield* run.state.all
      const { value } = yield* Site.lead(
        data,
        "choose",
        (leader) =>
          leader.pipe(Agent.info({ members: Site.roster(data) }), Agent.instruct(rules), Agent.output(choice)),
        run
      )
      return { member: value.member, task: value.task ?? request.input }
    })
  const cases = Object.fromEntries(
    data.members.map((member) => {
      const answer = ({ task }: Chosen, run: Site.TeamRun): Effect.Effect<Json, unknown, unknown> =>
        Effect.gen(function* () {
          const done = yield* Site.ask(data, member, { task }, run)
          if (Result.isFailure(done)) return yield* Effect.fail(done.failure)
          yield* Site.answered(data, done.success.value)
          return done.success.answer
        })
      const one: Chain.Case<Site.TeamSpec, Chosen> = {
        if: (chosen) => chosen.member === member.name,
        then: (c) => c.pipe(Chain.to(`member ${member.name}`, answer))
      }
      return [member.name, one]
    })
  )
  return contract.build(
    contract.start.pipe(
      Chain.to("take in", Site.begin(data)),
      Chain.to("leader chooses", choose),
      Chain.match(cases),
      // Each case ends with the encoded answer, and one of them holds: the choice is one of the names.
      Chain.to("give", (answer, run) => Site.end()(answer as Json, run)),
      Chain.result
    )
  )
}
