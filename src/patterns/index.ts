/** Ways of asking as small programs over agents: they take an agent and give an agent or an Effect of its answer. */

/** The reasoning is written before the answer. @category modules */
export * as ChainOfThought from "./ChainOfThought.ts"
/** The answer that most of several samples agree on. @category modules */
export * as SelfConsistency from "./SelfConsistency.ts"
/** A plan, its steps one after the other, and an answer from their results. @category modules */
export * as PlanAndSolve from "./PlanAndSolve.ts"
/** One writes, one judges, until an answer is accepted. @category modules */
export * as EvaluatorOptimizer from "./EvaluatorOptimizer.ts"
/** Thoughts and actions in turns, for models without tool calls. @category modules */
export * as ReAct from "./ReAct.ts"
