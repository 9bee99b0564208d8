// The types of sessions and knowledge: what lies around an agent adds its failures and needs to those of the agent.
// Nothing here runs; `npm run check` compiles it.
import { Effect, Schema } from "effect"
import {
  Agent,
  type AgentError,
  Knowledge,
  type ModelResponse,
  Output,
  type ResponseAborted,
  Session,
  SessionWindow
} from "effigent"
import type { EmbeddingProvider } from "effigent/services/EmbeddingProvider"
import type { KnowledgeStore } from "effigent/services/KnowledgeStore"
import type { ModelProvider } from "effigent/services/ModelProvider"
import type { SessionStore } from "effigent/services/SessionStore"
import type { Tokenizer } from "effigent/services/Tokenizer"
import { OfflineModel } from "effigent/layers/offline"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equals<A, B>): void => {}

const Reply = Schema.Struct({ answer: Output.ensure(Schema.String, "A"), notes: Schema.optionalKey(Schema.String) })
type Reply = typeof Reply.Type
const agent = Agent.make({ output: Reply })

const plain = Agent.run(agent.pipe(Session.attach(Session.make(), "a")))
same<typeof plain, Effect.Effect<Reply, AgentError | Session.SessionError, ModelProvider | SessionStore>>(true)

const first = Agent.run(Session.attach(agent, Session.make({ window: SessionWindow.tokens(100) })))
same<typeof first, Effect.Effect<Reply, AgentError | Session.SessionError, ModelProvider | SessionStore | Tokenizer>>(
  true
)

// The failures of what lies around an agent are failures of its readers.
Effect.gen(function* () {
  const response = yield* agent.pipe(Session.attach(Session.make(), "a"), Agent.respond)
  same<
    typeof response,
    ModelResponse<Reply, Session.SessionError | AgentError | ResponseAborted, typeof Reply.Encoded>
  >(true)
})

// A window of one's own brings its own.
declare class JudgeError {
  readonly _tag: "JudgeError"
}
declare const judge: Effect.Effect<"drop" | undefined, JudgeError, Tokenizer>
const custom = SessionWindow.custom({ judge: () => judge, resize: { drop: () => Effect.succeed({ messages: [] }) } })
same<typeof custom, SessionWindow.SessionWindow<JudgeError, Tokenizer>>(true)
// @ts-expect-error there is no handler for what the judge may name
SessionWindow.custom({ judge: () => judge, resize: {} })

// A recorder takes what the agent gives, and its paths lead somewhere.
const keyed = Session.make({ output: Session.keys<Reply>("answer") })
agent.pipe(Session.attach(keyed, "a"))
// @ts-expect-error no such path
Session.keys<Reply>("anwser")
// @ts-expect-error this agent gives a text
Agent.make({}).pipe(Session.attach(keyed, "a"))

const informed = Agent.run(agent.pipe(Knowledge.info({ collection: "c" }), Agent.provideModel(OfflineModel.layer)))
same<typeof informed, Effect.Effect<Reply, AgentError | Knowledge.KnowledgeError, EmbeddingProvider | KnowledgeStore>>(
  true
)
