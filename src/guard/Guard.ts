/**
 * Guards: checks of what is sent to a model and of what comes back. `Agent.guardInput` and `Agent.guardOutput` put them
 * around an agent. The built-in ones mask or block personal data, find the common prompt injections, and ask a moderation
 * service.
 */
export { answer, block, make, moderation, only, pass, rewrite, text } from "./Verdict.ts"
export type { Answer, Block, Guard, Origin, Piece, Subject, Verdict } from "./Verdict.ts"
export { findPii, pii } from "./Pii.ts"
export type { PiiFound, PiiKind, PiiOptions } from "./Pii.ts"
export { promptInjection } from "./PromptInjection.ts"
export type { PromptInjectionOptions, PromptInjectionRule } from "./PromptInjection.ts"
