/**
 * What is wrong with a task graph, all of it at once, before anything runs: what it says (ids, dependencies, cycles,
 * placeholders, outputs) and whether somebody handles its tasks.
 */
import * as Graphs from "effect/Graph"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import type { Finding, Graph, Task } from "./TaskDocument.ts"
import { version } from "./TaskDocument.ts"
import type { Handlers } from "./TaskHandlers.ts"
import { resolve } from "./TaskHandlers.ts"
import * as Placeholder from "./TaskPlaceholder.ts"

const isRecord = (value: Json | undefined): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What is done where a task fails. @category models */
export type Fallback =
  | { readonly _tag: "none" }
  | { readonly _tag: "skip" }
  | { readonly _tag: "value"; readonly value: Json }

/** What a task says is done where it fails; `undefined` where it says nothing that is understood. @category getters */
export const fallbackOf = ({ fallback }: Task): Fallback | undefined => {
  if (fallback === undefined) return { _tag: "none" }
  if (isRecord(fallback) && fallback["value"] !== undefined) return { _tag: "value", value: fallback["value"] }
  const action = isRecord(fallback) ? (fallback["on_error"] ?? fallback["action"]) : fallback
  return action === "skip" || action === "fail" ? { _tag: action === "skip" ? "skip" : "none" } : undefined
}

/** Whether somebody has to approve a task before it starts. @category getters */
export const needsApproval = ({ approval, kind }: Task): boolean =>
  kind === "approval" ||
  approval === true ||
  (isRecord(approval) &&
    (approval["required"] === true || approval["mode"] === "required" || approval["mode"] === "pause"))

const taskId = /^[A-Za-z_][A-Za-z0-9_.-]*$/
const quote = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join(", ")

// Names that are near enough to be meant: the same letters but for one or two.
const near = (name: string, names: Iterable<string>): string => {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "")
  const wanted = plain(name)
  for (const other of names) {
    const candidate = plain(other)
    if (candidate !== "" && wanted !== "" && (candidate.includes(wanted) || wanted.includes(candidate)))
      return ` (perhaps "${other}")`
  }
  return ""
}

class Checker {
  readonly graph: Graph
  readonly handlers: Handlers<unknown, unknown> | undefined
  readonly found: Array<Finding> = []
  readonly byId = new Map<string, Task>()

  constructor(graph: Graph, handlers: Handlers<unknown, unknown> | undefined) {
    this.graph = graph
    this.handlers = handlers
  }

  report(at: string, problem: string, fix: string): void {
    this.found.push({ at, problem, fix })
  }

  run(): ReadonlyArray<Finding> {
    const { graph } = this
    if (graph.graph_id === "") this.report("graph_id", "The graph has no id", "Give it one")
    if (graph.task_schema_version !== version)
      this.report(
        "task_schema_version",
        `"${graph.task_schema_version}" is not understood`,
        `Write "${version}", or leave it out`
      )
    if (graph.tasks.length === 0) this.report("tasks", "The graph has no tasks", "Give it one")
    this.ids()
    for (const task of graph.tasks) this.task(task)
    this.cycles()
    for (const [name, id] of Object.entries(graph.semantic_outputs)) this.output(name, id)
    this.approvals()
    return this.found
  }

  private ids(): void {
    const count = new Map<string, number>()
    for (const task of this.graph.tasks) {
      const times = (count.get(task.id) ?? 0) + 1
      count.set(task.id, times)
      if (times === 1) this.byId.set(task.id, task)
      if (times === 2) this.report(`tasks.${task.id}`, `Several tasks have the id "${task.id}"`, "Rename all but one")
      if (times === 1 && !taskId.test(task.id))
        this.report(
          `tasks.${task.id}`,
          `The id "${task.id}" is none`,
          "Begin it with a letter or _, and go on with letters, digits, _, . and -"
        )
      if (task.id === "__proto__") this.report(`tasks.${task.id}`, "Records cannot hold this id", "Rename the task")
    }
  }

  private task(task: Task): void {
    const at = `tasks.${task.id}`
    for (const id of new Set(task.depends_on))
      if (!this.byId.has(id))
        this.report(
          `${at}.depends_on`,
          `There is no task "${id}"`,
          `Name a task of the graph${near(id, this.byId.keys())}, or leave it out`
        )
    if (task.timeout_ms !== undefined && !(task.timeout_ms > 0))
      this.report(`${at}.timeout_ms`, `A try may take ${task.timeout_ms} ms`, "Give a time above zero, or leave it out")
    if (task.retries !== undefined && task.retries < 0)
      this.report(`${at}.retries`, `${task.retries} tries may follow`, "Give a number from 0, or leave it out")
    if (fallbackOf(task) === undefined)
      this.report(`${at}.fallback`, "It says nothing that is understood", 'Write "skip", "fail" or { "value": ... }')
    this.handled(task, at)
    this.placeholders(task, at)
  }

  private handled(task: Task, at: string): void {
    const { handlers } = this
    if (handlers === undefined || task.optional === true || task.kind === "approval") return
    if (resolve(handlers, task) !== undefined) return
    const names = [...handlers.byName.keys()]
    const wanted = [task.binding, task.id, task.kind].filter((name) => name !== undefined)
    this.report(
      `${at}.${task.binding === undefined ? "kind" : "binding"}`,
      `No handler is called ${[...new Set(wanted)].map((name) => `"${name}"`).join(" or ")}`,
      `Take one of ${quote(names)}${near(task.binding ?? task.kind, names)}`
    )
  }

  // Whether a task is done before another one starts.
  private isBefore(id: string, task: Task): boolean {
    if (task.depends_on.includes(id)) return true
    const seen = new Set<string>()
    const stack = [...task.depends_on]
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (next === id) return true
      if (seen.has(next)) continue
      seen.add(next)
      for (const dependency of this.byId.get(next)?.depends_on ?? []) stack.push(dependency)
    }
    return false
  }

  private placeholders(task: Task, at: string): void {
    const { refs, unknown } = Placeholder.compile(task.inputs)
    for (const { input, text } of unknown)
      this.report(`${at}.inputs.${input}`, `${text} stands for nothing`, "Begin it with INIT, DEPS or STATE")
    for (const ref of refs) {
      const prefix = ref.root === "STATE" ? Placeholder.results.exec(ref.rest)?.[0] : ""
      if (ref.root === "INIT" || prefix === undefined || ref.rest === "") continue
      const where = `${at}.inputs.${ref.input}`
      const named = ref.rest.slice(prefix.length)
      const target = Placeholder.target(named, (id) => this.byId.has(id))
      if (target === undefined)
        this.report(
          where,
          `${ref.text} names no task`,
          `Name a task that is done before "${task.id}"${near(named, task.depends_on)}`
        )
      else if (target.id === task.id || !this.isBefore(target.id, task))
        this.report(
          where,
          `${ref.text} asks for "${target.id}", which is not done before "${task.id}"`,
          target.id === task.id ? "Name another task" : `Add "${target.id}" to its depends_on`
        )
    }
  }

  private cycles(): void {
    const { tasks } = this.graph
    if (tasks.length === 0) return
    const graph = Graphs.directed<string, undefined>((draft) => {
      const index = new Map([...this.byId.keys()].map((id) => [id, Graphs.addNode(draft, id)] as const))
      for (const task of this.byId.values())
        for (const id of new Set(task.depends_on)) {
          const from = index.get(id)
          const to = index.get(task.id)
          if (from !== undefined && to !== undefined) Graphs.addEdge(draft, from, to, undefined)
        }
    })
    const nameOf = (node: Graphs.NodeIndex): string => Option.getOrElse(Graphs.getNode(graph, node), () => "")
    if (!Graphs.isAcyclic(graph))
      // In the order of the document.
      for (const component of Graphs.stronglyConnectedComponents(graph).toSorted(
        (a, b) => Math.min(...a) - Math.min(...b)
      )) {
        const cycle = Graphs.findCycle(Graphs.inducedSubgraph(graph, component))
        if (Option.isNone(cycle)) continue
        const path = cycle.value.path.map(nameOf)
        this.report(
          `tasks.${path[0] ?? ""}.depends_on`,
          `The tasks wait for each other: ${path.join(" -> ")}`,
          "Take one of these dependencies away"
        )
      }
    if (tasks.every((task) => task.depends_on.length > 0))
      this.report(
        "tasks",
        "No task can start, since each depends on another one",
        "Give the graph a task without depends_on"
      )
  }

  private output(name: string, id: string): void {
    const at = `semantic_outputs.${name}`
    const { handlers } = this
    const task = this.byId.get(id)
    if (task === undefined)
      return this.report(at, `There is no task "${id}"`, `Name a task of the graph${near(id, this.byId.keys())}`)
    if (handlers === undefined) return
    const seen = new Set<string>()
    const stack = [id]
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      const needed = this.byId.get(next)
      if (needed === undefined) continue
      if (needed.optional === true && needed.kind !== "approval" && resolve(handlers, needed) === undefined)
        this.report(
          at,
          `It needs the optional task "${next}", which nobody handles`,
          `Give it a handler, or take "${next}" out of what it depends on`
        )
      stack.push(...needed.depends_on)
    }
  }

  // Policies of the graph may ask for approval of everything that changes something.
  private approvals(): void {
    const { policies } = this.graph
    const policy = isRecord(policies) ? (policies["approval"] ?? policies["side_effect_approval"]) : undefined
    if (policy !== "require" && policy !== "required" && policy !== "fail_closed") return
    for (const task of this.graph.tasks) {
      const effects = isRecord(task.side_effect_policy) ? task.side_effect_policy : {}
      const changes = ["external_write", "credential_usage", "local_write", "network"].some(
        (name) => effects[name] !== undefined && effects[name] !== false && effects[name] !== null
      )
      if (changes && !needsApproval(task))
        this.report(
          `tasks.${task.id}.approval`,
          "The task changes something, and the policies of the graph want that approved",
          'Write "approval": true'
        )
    }
  }
}

/**
 * What is wrong with a graph; nothing where it can run. Without handlers it is not asked who handles its tasks.
 *
 * @category checks
 */
export const check = (graph: Graph, handlers?: Handlers<unknown, unknown>): ReadonlyArray<Finding> =>
  new Checker(graph, handlers).run()
