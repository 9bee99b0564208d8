/**
 * The mode `tasks`: the leader plans tasks, says who does them and what they wait for; the members do them, each as soon as
 * what it waits for is done. What has failed fails those that wait for it; what waits for a task that does not exist is
 * blocked. The leader may then plan again, until all is done or its rounds are spent, and writes the answer.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Json } from "../../services/Json.ts"
import * as Agent from "../agent/Agent.ts"
import * as Output from "../output/Output.ts"
import * as Validation from "../request/Validation.ts"
import * as Chain from "../triggerflow/Chain.ts"
import type { Flow } from "../triggerflow/Flow.ts"
import type { Written } from "../triggerflow/tasks/TaskHandlers.ts"
import * as TaskHandlers from "../triggerflow/tasks/TaskHandlers.ts"
import * as TaskFlow from "../triggerflow/tasks/TaskFlow.ts"
import * as Report from "./Report.ts"
import * as Site from "./Site.ts"

const { ensure, field } = Output

/** What the leader plans. */
const planOf = (names: ReadonlyArray<string>) =>
  Schema.Struct({
    tasks: ensure(
      Schema.Array(
        Schema.Struct({
          id: ensure(Schema.String, "Names the task: letters, digits, _ and -", "notEmpty"),
          task: ensure(Schema.String, "What is to be done, in words that say all the member has to know", "notEmpty"),
          assignee: ensure(Schema.Literals(names), "The name of the member who does it"),
          depends_on: field(Schema.Array(Schema.String), "Ids of the tasks whose results it needs; empty where none")
        })
      ),
      "The tasks"
    )
  }).annotate({ identifier: "TeamPlan" })

type Plan = ReturnType<typeof planOf>["Type"]

const planning = `You lead a team. Plan what its members are to do as tasks. A task starts when all tasks in its depends_on are done, and is given their results; tasks that do not need each other are worked on at the same time.`

const reviewing = `You lead a team. "board" shows its tasks and what became of them. Say what is still to be done: new tasks, or tasks that failed or are blocked, once more under their ids, in other words or by another member. What waits for such a task is then done as well. No tasks: you give up what is left.`

const answering = `You lead a team. "board" shows its tasks and what became of them. Answer by what they gave; where a task failed, say what is missing.`

const validId = /^[A-Za-z0-9_-]{1,64}$/

/** Where the tasks of a plan wait for each other: the ids of one such circle. */
const circle = (tasks: ReadonlyArray<Pick<Report.Task, "id" | "depends_on">>): ReadonlyArray<string> => {
  let rest = tasks
  for (;;) {
    const ids = new Set(rest.map(({ id }) => id))
    const waiting = rest.filter(({ depends_on }) => depends_on.some((id) => ids.has(id)))
    if (waiting.length === rest.length) return rest.map(({ id }) => id)
    rest = waiting
  }
}

const faultsOf = (board: ReadonlyArray<Report.Task>, plan: Plan): ReadonlyArray<Validation.Fault> => {
  const ids = plan.tasks.map(({ id }) => id)
  const faults = plan.tasks.flatMap(({ id }, index): ReadonlyArray<Validation.Fault> => [
    ...(validId.test(id) ? [] : [{ path: `tasks[${index}].id`, reason: "take letters, digits, _ and -, at most 64" }]),
    ...(ids.indexOf(id) === index ? [] : [{ path: `tasks[${index}].id`, reason: `"${id}" stands twice` }])
  ])
  const around = circle(merge(board, plan).filter(({ status }) => status !== "completed"))
  return around.length === 0
    ? faults
    : [...faults, { path: "tasks", reason: `these tasks wait for each other: ${around.join(", ")}` }]
}

/**
 * Puts a plan on the board: new tasks, and those once more that have not been completed. What waited for something that
 * failed or was missing waits again. Pure.
 *
 * @category planning
 */
export const merge = (board: ReadonlyArray<Report.Task>, plan: Plan): ReadonlyArray<Report.Task> => {
  const planned = new Map(
    plan.tasks.map(({ assignee, depends_on, id, task }): [string, Report.Task] => [
      id,
      { id, task, assignee, depends_on: [...new Set(depends_on)], status: "pending" }
    ])
  )
  const kept = board.map((task): Report.Task => {
    const again = task.status === "completed" ? undefined : planned.get(task.id)
    planned.delete(task.id)
    if (again !== undefined) return again
    if (task.because === undefined) return task
    const { because: _because, error: _error, ...rest } = task
    return { ...rest, status: "pending" }
  })
  return [...kept, ...planned.values()]
}

/**
 * Settles what cannot be done: tasks that wait for one that does not exist are blocked, those that wait for one that failed
 * have failed, and so on behind them. Pure.
 *
 * @category planning
 */
export const settle = (board: ReadonlyArray<Report.Task>): ReadonlyArray<Report.Task> => {
  let tasks = board
  for (;;) {
    const byId = new Map(tasks.map((task) => [task.id, task]))
    const next = tasks.map((task): Report.Task => {
      if (task.status !== "pending") return task
      for (const id of task.depends_on) {
        const before = byId.get(id)
        if (before === undefined || before.status === "blocked") {
          const message = before === undefined ? `there is no task "${id}"` : `the task "${id}" is blocked`
          return { ...task, status: "blocked", because: id, error: { name: "Blocked", message } }
        }
        if (before.status === "failed") {
          const error = { name: "DependencyFailed", message: `the task "${id}" failed` }
          return { ...task, status: "failed", because: id, error }
        }
      }
      return task
    })
    if (next.every((task, index) => task === tasks[index])) return tasks
    tasks = next
  }
}

/** Which round of work follows, and whether one does. */
interface Round {
  readonly round: number
  readonly goes: boolean
}

const isDone = (tasks: ReadonlyArray<Report.Task>): boolean => tasks.every(({ status }) => status === "completed")

const asJson = (tasks: ReadonlyArray<Report.Task>): Json =>
  // Tasks are JSON by their Schema.
  tasks as unknown as Json

/** The flow of a team that works on tasks. @category conversions */
export const flow = (data: Site.Data, unfinished: "fail" | "answer"): Flow<Site.TeamSpec, unknown, unknown> => {
  const contract = Site.contractOf(data)
  const plan = planOf(data.members.map(({ name }) => name))

  const show = (run: Site.TeamRun, change: (tasks: ReadonlyArray<Report.Task>) => ReadonlyArray<Report.Task>) =>
    Effect.gen(function* () {
      const tasks = yield* run.state.update("tasks", change)
      yield* run.put({ type: "team.tasks", tasks })
      yield* run.commit
      yield* Site.tasksSeen(data, tasks)
      return tasks
    })

  const plans = (step: "plan" | "review", round: number, run: Site.TeamRun): Effect.Effect<Round, unknown, unknown> =>
    Effect.gen(function* () {
      const { tasks: board } = yield* run.state.all
      const info = { members: Site.roster(data), ...(step === "plan" ? {} : { board: asJson(board) }) }
      const { value } = yield* Site.lead(
        data,
        step,
        (leader) =>
          leader.pipe(
            Agent.info(info),
            Agent.instruct(step === "plan" ? planning : reviewing),
            Agent.output(plan),
            Agent.validate((made) => Effect.succeed(Validation.faults(faultsOf(board, made))))
          ),
        run
      )
      const tasks = yield* show(run, (now) => settle(merge(now, value)))
      // A first plan that cannot be begun is reviewed; a review that leaves nothing to do gives up.
      return { round, goes: step === "plan" ? !isDone(tasks) : tasks.some(({ status }) => status === "pending") }
    })

  const work = ({ round }: Round, run: Site.TeamRun): Effect.Effect<Round, unknown, unknown> =>
    Effect.gen(function* () {
      const { tasks } = yield* run.state.all
      const pending = new Map(tasks.flatMap((task) => (task.status === "pending" ? [[task.id, task] as const] : [])))
      const handlers: { readonly [member: string]: Written } = Object.fromEntries(
        data.members.map((member) => [
          member.name,
          (_: TaskHandlers.Inputs, { task: { id } }: TaskHandlers.TaskRun) =>
            Effect.gen(function* () {
              const { tasks: board } = yield* run.state.all
              const task = board.find((one) => one.id === id)
              if (task === undefined) return yield* Effect.die(new Error(`There is no task "${id}"`))
              const results = Object.fromEntries(
                board.flatMap((one) =>
                  task.depends_on.includes(one.id) ? [[one.id, one.result ?? null] as const] : []
                )
              )
              const info = task.depends_on.length === 0 ? {} : { "results of other tasks": results }
              const done = yield* Site.ask(data, member, { task: task.task, info }, run)
              const ended: Pick<Report.Task, "status" | "result" | "error"> = Result.isSuccess(done)
                ? { status: "completed", result: done.success.answer }
                : { status: "failed", error: Report.failureOf(done.failure) }
              // At once, for whoever looks while others are still at work.
              yield* show(run, (now) => settle(now.map((one) => (one.id === id ? { ...one, ...ended } : one))))
              return yield* Result.isSuccess(done) ? Effect.succeed(done.success.answer) : Effect.fail(done.failure)
            })
        ])
      )
      const graph = {
        graph_id: `${data.name}.${round}`,
        tasks: [...pending.values()].map(({ assignee, depends_on, id }) => ({
          id: id,
          binding: assignee,
          // What is done already need not be waited for.
          depends_on: depends_on.filter((before) => pending.has(before))
        }))
      }
      if (pending.size > 0) {
        yield* TaskFlow.run(graph, TaskHandlers.handlers(handlers), null, {
          onFailure: "skip",
          concurrency: data.concurrency
        })
      }
      const { tasks: board } = yield* run.state.all
      return { round: round + 1, goes: !isDone(board) && round + 1 < data.limits.rounds }
    })

  const answers = (_: unknown, run: Site.TeamRun): Effect.Effect<Json, unknown, unknown> =>
    Effect.gen(function* () {
      const { tasks } = yield* run.state.all
      if (!isDone(tasks) && unfinished === "fail") return yield* Site.fail(data, { _tag: "Unfinished", tasks })
      const { answer, value } = yield* Site.lead(
        data,
        "answer",
        (leader) => leader.pipe(Agent.info({ board: asJson(tasks) }), Agent.instruct(answering)),
        run
      )
      yield* Site.answered(data, value)
      return answer
    })

  const status = (run: Site.TeamRun) =>
    Effect.map(run.state.get("tasks"), (tasks) => (isDone(tasks) ? "completed" : "incomplete"))

  return contract.build(
    contract.start.pipe(
      Chain.to("take in", Site.begin(data)),
      Chain.to("leader plans", (_, run) => plans("plan", 0, run)),
      Chain.loop(
        (c: Chain.Chain<Site.TeamSpec, Round, never, never>) =>
          c.pipe(
            Chain.to("members work", work),
            Chain.if((next) => next.goes, {
              then: (more) => more.pipe(Chain.to("leader reviews", ({ round }, run) => plans("review", round, run)))
            })
          ),
        { while: ({ goes }) => goes, max: data.limits.rounds }
      ),
      Chain.to("leader answers", answers),
      Chain.to("give", Site.end(status)),
      Chain.result
    )
  )
}
