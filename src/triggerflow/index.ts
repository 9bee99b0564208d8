/** TriggerFlow: flows of chains that begin at signals, and executions of them. Depends on `effect` alone. */

/** Flows as YAML and JSON, with handlers by name. @category modules */
export * as Blueprint from "./definition/Blueprint.ts"

/** What a flow does when a trigger comes, step by step. @category modules */
export * as Chain from "./Chain.ts"

/** From the fields of a model's answer to signals. @category modules */
export * as Fields from "./Fields.ts"

/** What goes wrong with an execution itself. @category modules */
export * as FlowErrors from "./FlowError.ts"

/** Questions to the world outside of a flow. @category modules */
export * as Interrupt from "./Interrupt.ts"

/** Flows as diagrams. @category modules */
export * as Mermaid from "./definition/Mermaid.ts"

/** The named, typed events of a flow. @category modules */
export * as Signal from "./Signal.ts"

/** Steps whose output a person accepts, edits, or sends back. @category modules */
export * as Review from "./Review.ts"

/** The shape of a flow: what makes two definitions the same. @category modules */
export * as Shape from "./definition/Shape.ts"

/** What differs between two shapes, in words. @category modules */
export * as ShapeDiff from "./definition/ShapeDiff.ts"

/** Graphs of tasks, as data. @category modules */
export * as TaskGraph from "./tasks/TaskGraph.ts"

/** Saved executions. @category modules */
export * as Snapshot from "./saving/Snapshot.ts"

/** What chains begin at. @category modules */
export * as Trigger from "./Trigger.ts"

/** Contracts, and running flows. @category modules */
export * as TriggerFlow from "./TriggerFlow.ts"
