/** The main entry: agents, output contracts, and what a response gives. Depends on `effect` alone. */

/** Agents: immutable values that say what to ask a model and what to get back. @category modules */
export * as Agent from "./agent/Agent.ts"

/** Budgets: what a piece of work may spend. @category modules */
export * as Budget from "./request/Budget.ts"

/** Texts, images, audio and documents that go with a request. @category modules */
export * as Attachment from "./prompt/Attachment.ts"

/** Functions whose body is the model. @category modules */
export * as AutoFunction from "./agent/AutoFunction.ts"

/** Many agents at once: map, broadcast, scatter, race, spawn. @category modules */
export * as Concurrent from "./agent/Concurrent.ts"

/** Compiled output contracts: what a Schema asks of an answer, and the judgement of one. @category modules */
export * as Contract from "./output/Contract.ts"

/** Stored sessions as a whole: reading, forking, taking out and putting in. @category modules */
export * as Conversation from "./agent/Conversation.ts"

/** What goes back to the model with the next attempt. @category modules */
export * as Correction from "./output/Correction.ts"

/** The time, for a model that does not know it. @category modules */
export * as CurrentTime from "./agent/CurrentTime.ts"

/** Deltas as plain text. @category modules */
export * as Deltas from "./request/Deltas.ts"

/** For programs without Effect: Promises and async iterables. @category modules */
export * as Effigent from "./Effigent.ts"

/** Filters of knowledge: which passages count. @category modules */
export * as Filter from "./knowledge/Filter.ts"

/** Checks of what is sent to a model and of what comes back. @category modules */
export * as Guard from "./guard/Guard.ts"

/** The same for the field formats: Markdown headings, tags, YAML. @category modules */
export * as FieldScanner from "./parse/FieldScanner.ts"

/** The incremental, tolerant JSON parser by itself. @category modules */
export * as JsonScanner from "./parse/JsonScanner.ts"

/** Passages that are found by meaning and laid into prompts. @category modules */
export * as Knowledge from "./knowledge/Knowledge.ts"

/** Output contracts: Schema as prompt, with ensure. @category modules */
export * as Output from "./output/Output.ts"

/** Prompts as YAML, JSON or TOML. @category modules */
export * as PromptFile from "./prompt/PromptFile.ts"

/** Paths into values, and how they print. @category modules */
export * as Path from "./parse/Path.ts"

/** Conversations over many runs: what is sent of them and what is recorded. @category modules */
export * as Session from "./agent/Session.ts"

/** Which part of a conversation a model is shown. @category modules */
export * as SessionWindow from "./agent/SessionWindow.ts"

/** Validators: what an answer has to fulfil beyond its Schema. @category modules */
export * as Validation from "./request/Validation.ts"

export type { AgentError } from "./agent/Agent.ts"
export { SessionTurnError } from "./agent/SessionHistory.ts"
export { GuardBlocked } from "./guard/GuardBlocked.ts"
export { OutputError, OutputPathError, OutputSourceError } from "./output/OutputError.ts"
export type { Finding } from "./output/Finding.ts"
export type { Field, FieldSource, InstantEvent, Reset, Status, ToolCall } from "./parse/InstantEvent.ts"
export { PromptError } from "./prompt/PromptError.ts"
export type { Hooks, Restart } from "./request/Hooks.ts"
export type {
  Attempt,
  Delta,
  FinishedValue,
  FullResponse,
  HandledKey,
  KeyHandlers,
  KeyValue,
  ModelResponse,
  ResponseEvent,
  ResponseEventKind,
  ResponseMeta,
  Thought
} from "./request/ModelResponse.ts"
export { KeyMissing, OriginalNotKept, ResponseAborted } from "./request/ResponseError.ts"
