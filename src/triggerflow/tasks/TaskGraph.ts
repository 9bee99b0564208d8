/**
 * Task graphs: tasks that name what they depend on, given as data or planned by a model (`TaskPlanner`), checked before
 * anything runs, and run as a flow. `parse` or `decode` a document, `check` it, `run` it or take its flow (`toFlow`).
 */

export { check } from "./TaskCheck.ts"
export { Approval, Item, Outcome, Skipped, TaskError } from "./TaskContract.ts"
export type { GraphSpec, Reason } from "./TaskContract.ts"
export { decode, Finding, Graph, InvalidGraph, parse, Task, version } from "./TaskDocument.ts"
export type { ParseOptions, Source } from "./TaskDocument.ts"
export { type Failure, type Options, run, toFlow } from "./TaskFlow.ts"
export { handler, handlers, merge, resolve } from "./TaskHandlers.ts"
export type { Config, Handler, Handlers, Inputs, ModelField, TaskRun, Written } from "./TaskHandlers.ts"
