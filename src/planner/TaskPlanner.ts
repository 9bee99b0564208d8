/**
 * Task graphs and models: an agent that plans a goal as a graph of the tasks that there are handlers for, and a handler
 * that does a task with an agent. A plan that cannot run goes back to the model with everything that is wrong with it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ModelProvider } from "../../services/ModelProvider.ts"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import type { ResponseAborted } from "../request/ResponseError.ts"
import * as Validation from "../request/Validation.ts"
import { check } from "../triggerflow/tasks/TaskCheck.ts"
import { type Finding, type Graph, type InvalidGraph, read } from "../triggerflow/tasks/TaskDocument.ts"
import * as TaskHandlers from "../triggerflow/tasks/TaskHandlers.ts"

const { ensure, field } = Output

/**
 * What a model is asked for: the parts of a graph that a plan needs.
 *
 * @category schemas
 */
export const Plan = Schema.Struct({
  graph_id: ensure(Schema.String, "A short name for the plan, in lower case with dashes", "notEmpty"),
  tasks: ensure(
    Schema.Array(
      Schema.Struct({
        id: ensure(Schema.String, "Names the task in the plan: letters, digits, _ and -", "notEmpty"),
        binding: ensure(Schema.String, "The name of the handler that does it", "notEmpty"),
        purpose: field(Schema.String, "Why the plan needs it, in one sentence"),
        depends_on: field(Schema.Array(Schema.String), "Ids of the tasks whose results it needs; empty where none"),
        inputs: field(
          Schema.Record(Schema.String, Schema.Json),
          "What the handler is given: values and placeholders by name"
        )
      })
    ),
    "The tasks"
  ),
  semantic_outputs: field(
    Schema.Record(Schema.String, Schema.String),
    "What the plan is for: for each result a name and the id of the task that gives it"
  )
}).annotate({ identifier: "Plan" })

/** What a model answers. @category models */
export type Plan = typeof Plan.Type

/**
 * How a goal is planned.
 *
 * @category models
 */
export interface Options<E, R> {
  /** The handlers that tasks may be given to. Their descriptions and the Schemas of their inputs are told to the model. */
  readonly handlers: TaskHandlers.Handlers<unknown, unknown>
  /** An agent with a system prompt, a model, options or guards for it. Its own output is not used. */
  readonly agent?: Agent.Agent<unknown, E, R> | undefined
  /** What the graph will be started with, as the model should know it: an example, or a description. */
  readonly init?: unknown
  /** How many tasks a plan may have. Default 20. */
  readonly maxTasks?: number | undefined
}

const rules = `Plan how to reach the goal as a graph of tasks, each done by one of the handlers.

- A task starts when all tasks in its depends_on are done. Tasks that do not need each other run at the same time, so name only what is needed.
- No task may depend on itself, directly or through others.
- inputs may hold placeholders: \${DEPS.task_id.path} is a part of the result of a task that is done before, \${INIT.path} a part of what the plan is started with. A text that is one placeholder takes the value as it is.
- Use the handlers that are listed, by their names, and no others.`

// A Schema that JSON Schema cannot say is told by its description alone.
const inputsOf = ({ inputs }: TaskHandlers.Config<unknown, unknown>): unknown =>
  inputs === undefined
    ? "any"
    : Result.getOrElse(
        Result.try((): unknown => Schema.toJsonSchemaDocument(inputs).schema),
        () => "any"
      )

const reasonOf = ({ fix, problem }: Finding): string => `${problem}. ${fix}.`

// Where the findings of a graph stand in the answer: tasks are numbered there.
const pathOf = (plan: Plan, at: string): string => {
  const index = plan.tasks.findIndex(({ id }) => at === `tasks.${id}` || at.startsWith(`tasks.${id}.`))
  const id = plan.tasks[index]?.id
  return id === undefined ? at : `tasks[${index}]${at.slice(`tasks.${id}`.length)}`
}

/** What is wrong with a plan. */
const faults = (plan: Plan, handlers: TaskHandlers.Handlers<unknown, unknown>, max: number) => {
  const graph = read(plan)
  const findings = Result.isFailure(graph) ? graph.failure.findings : check(graph.success, handlers)
  const found = findings.map((finding): Validation.Fault => ({
    reason: reasonOf(finding),
    path: pathOf(plan, finding.at)
  }))
  return plan.tasks.length <= max
    ? found
    : [{ reason: `${plan.tasks.length} tasks are more than ${max}. Join some.`, path: "tasks" }, ...found]
}

/**
 * The agent that plans: its input is the goal. A plan that cannot run (a cycle, a handler that is not there, a
 * placeholder that cannot be filled, too many tasks) is corrected within the budget of the agent's corrections.
 *
 * @category constructors
 */
export const agent = <E = never, R = ModelProvider>({
  agent: given,
  handlers,
  init,
  maxTasks = 20
}: Options<E, R>): Agent.Agent<Plan, E, R, typeof Plan.Encoded> => {
  // Where no agent is given, E and R are their defaults.
  const base = given ?? (Agent.make({ name: "planner" }) as unknown as Agent.Agent<unknown, E, R>)
  const known = [...handlers.byName].map(([name, { config }]) => ({
    name,
    ...(config.description === undefined ? {} : { description: config.description }),
    inputs: inputsOf(config)
  }))
  return base.pipe(
    Agent.instruct(rules),
    Agent.info({ handlers: known, ...(init === undefined ? {} : { INIT: init }) }),
    Agent.output(Plan),
    Agent.validate((plan) => Effect.succeed(Validation.faults(faults(plan, handlers, maxTasks))))
  )
}

/**
 * Plans a goal: gives a graph that has been checked against the handlers and can be run with them.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { TaskPlanner } from "effigent/planner"
 * import { TaskGraph } from "effigent/triggerflow"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const handlers = TaskGraph.handlers({
 *   search: TaskGraph.handler({ description: "Looks a topic up" }, ({ topic }) => Effect.succeed(`all about ${topic}`)),
 *   write: TaskGraph.handler({ description: "Writes a text" }, ({ from }) => Effect.succeed(`${from}, in short`))
 * })
 * const program = Effect.gen(function* () {
 *   const graph = yield* TaskPlanner.plan("Write about tea.", { handlers })
 *   return yield* TaskGraph.run(graph, handlers)
 * })
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.json({
 *     graph_id: "tea",
 *     tasks: [
 *       { id: "look", binding: "search", purpose: "Facts", depends_on: [], inputs: { topic: "tea" } },
 *       { id: "text", binding: "write", purpose: "The text", depends_on: ["look"], inputs: { from: "${DEPS.look}" } }
 *     ],
 *     semantic_outputs: { text: "text" }
 *   })
 * ])
 * const { semantic_outputs } = await Effect.runPromise(program.pipe(Effect.provide(model)))
 * console.log(semantic_outputs["text"]?.result) // => all about tea, in short
 * ```
 *
 * @category running
 */
export const plan = <E = never, R = ModelProvider>(
  goal: unknown,
  options: Options<E, R>
): Effect.Effect<Graph, E | Agent.AgentError | InvalidGraph, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Agent.run(Agent.input(agent(options), goal)), (made) =>
    // The validator of the agent has accepted it.
    Effect.fromResult(read(made))
  )

/**
 * A handler that does its task with an agent: the inputs are the agent's input, and the fields of its answer are passed
 * on to the stream of the graph as they grow.
 *
 * @category constructors
 */
export const handler = <A, E, R, I>(
  doer: Agent.Agent<A, E, R, I>,
  config: Pick<TaskHandlers.Config<TaskHandlers.Inputs, A>, "description" | "output" | "retry" | "timeout"> = {}
): TaskHandlers.Handler<E | Agent.AgentError | ResponseAborted, Exclude<R, Scope.Scope>> =>
  TaskHandlers.handler(
    config,
    Effect.fnUntraced(function* (inputs: TaskHandlers.Inputs, { field: pass, task }: TaskHandlers.TaskRun) {
      const asked = doer.pipe(
        Agent.input({ ...(task.purpose === undefined ? {} : { purpose: task.purpose }), ...inputs })
      )
      const response = yield* Agent.respond(asked)
      yield* Stream.runForEach(response.instant, (event) => (event._tag === "Field" ? pass(event) : Effect.void))
      return yield* response.data
    })
  )
