/** Rounds of a loop as messages of a prompt: the model's calls, and what they gave, in the order of the calls. */
import type { ActionRound } from "../../services/Action.ts"
import { Prompt } from "../../services/Ai.ts"
import { isFailure, nameOf, reasoning } from "../agent/Messages.ts"

/** The messages of a round. @category conversions */
export const ofRound = ({ records, steering = [], text, thoughts }: ActionRound): ReadonlyArray<Prompt.Message> => [
  Prompt.makeMessage("assistant", {
    content: [
      ...thoughts.map((thought) => Prompt.makePart("reasoning", reasoning(thought))),
      ...(text === "" ? [] : [Prompt.makePart("text", { text })]),
      ...records.map(({ call }) =>
        Prompt.makePart("tool-call", { id: call.id, name: nameOf(call), params: call.input, providerExecuted: false })
      )
    ]
  }),
  Prompt.makeMessage("tool", {
    content: records.map((record) =>
      Prompt.makePart("tool-result", {
        id: record.call.id,
        name: nameOf(record.call),
        isFailure: isFailure(record),
        providerExecuted: false,
        result: record.result
      })
    )
  }),
  ...(steering.length === 0
    ? []
    : [Prompt.makeMessage("user", { content: steering.map((text) => Prompt.makePart("text", { text })) })])
]
