/** Task graphs planned by models, and tasks done by them. Depends on `effect` alone. */

/** Plans a goal as a graph of tasks; does a task with an agent. @category modules */
export * as TaskPlanner from "./TaskPlanner.ts"
