/** `effigent flow`: the flows of the project and their executions. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import { ExecutionStatus } from "../../../services/ExecutionHost.ts"
import type * as Flow from "../../../src/triggerflow/Flow.ts"
import * as Mermaid from "../../../src/triggerflow/definition/Mermaid.ts"
import * as Shape from "../../../src/triggerflow/definition/Shape.ts"
import * as Opening from "../../../src/triggerflow/Opening.ts"
import type { Spec } from "../../../src/triggerflow/Spec.ts"
import * as Open from "../config/Open.ts"
import type { AnyFlow } from "../config/Project.ts"
import { base } from "./Asking.ts"
import { codes, Ended, Usage } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import { codeOf, follow, placeOf, rowOf, standingOf } from "./Following.ts"
import { exportJournal } from "./Replay.ts"
import { note, result, table } from "./Screen.ts"

const id = Argument.String("id").pipe(Argument.withDescription("The id of the execution"))

const flowName = Argument.String("flow").pipe(Argument.withDescription("A flow of the configuration"))

const following = {
  events: Flag.Boolean("events").pipe(
    Flag.withDescription("With --json: each event as a line"),
    Flag.withDefault(false)
  ),
  wait: Flag.Boolean("wait").pipe(
    Flag.withDescription("Wait for timers, signals and answers from elsewhere instead of leaving with code 3"),
    Flag.withDefault(false)
  )
}

// What is done with a flow as a value needs none of its types.
const typed = (flow: AnyFlow) => flow as Flow.Flow<Spec, unknown, unknown>

const opened = <A, E, R>(use: (hosting: Open.Hosting) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { project } = yield* Flags.loaded
      const services = yield* Open.services(project, base)
      return yield* use(yield* Open.hosting(project, services))
    })
  )

const keeperOf = ({ keeper }: Open.Hosting) =>
  keeper === undefined
    ? Effect.fail(new Usage({ detail: "The host of the configuration keeps no journal: give it an ExecutionKeeper." }))
    : Effect.succeed(keeper)

const list = Command.make("list", {}, () =>
  Effect.gen(function* () {
    const { project } = yield* Flags.loaded
    const flows = project.flows.map((flow) => ({
      name: flow.name,
      version: flow.data.contract.version,
      signals: flow.data.contract.signals.map((signal) => signal.name),
      fingerprint: Shape.fingerprint(Shape.of(flow.data))
    }))
    const rows = flows.map(({ fingerprint, name, signals, version }) => [
      name,
      version ?? "-",
      signals.length === 0 ? "-" : signals.join(","),
      fingerprint.slice(0, 12)
    ])
    yield* result(flows, table([["FLOW", "VERSION", "SIGNALS", "FINGERPRINT"], ...rows]))
  })
).pipe(Command.withDescription("List the flows of the configuration"))

const executions = Command.make(
  "executions",
  {
    flow: Flag.String("flow").pipe(Flag.withDescription("Of this flow only"), Flag.optional),
    status: Flag.Literals("status", ExecutionStatus.literals).pipe(
      Flag.withDescription("In this state only"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(Flag.withDescription("How many at most"), Flag.withDefault(100)),
    after: Flag.String("after").pipe(Flag.withDescription("`next` of the page before"), Flag.optional)
  },
  ({ after, flow, limit, status }) =>
    opened(({ host }) =>
      Effect.gen(function* () {
        const page = yield* host.list({
          ...(Option.isSome(flow) ? { flow: flow.value } : {}),
          ...(Option.isSome(status) ? { status: status.value } : {}),
          ...(Option.isSome(after) ? { after: after.value } : {}),
          limit
        })
        const rows = page.executions.map((one) => [one.id, one.flow, one.status, new Date(one.startedAt).toISOString()])
        const more = page.next === undefined ? "" : `More: --after '${page.next}'\n`
        yield* result(page, table([["EXECUTION", "FLOW", "STATUS", "STARTED"], ...rows]) + more)
      })
    )
).pipe(Command.withDescription("List executions, the oldest first"))

const graph = Command.make(
  "graph",
  {
    flow: flowName,
    simplified: Flag.Boolean("simplified").pipe(
      Flag.withDescription("Leave out limits, joins and the inside of sub-flows"),
      Flag.withDefault(false)
    )
  },
  ({ flow: name, simplified }) =>
    Effect.gen(function* () {
      const { project } = yield* Flags.loaded
      const flow = yield* Flags.flowOf(project, name)
      yield* Opening.check(typed(flow))
      const mermaid = Mermaid.toMermaid(typed(flow), { mode: simplified ? "simplified" : "detailed" })
      yield* result({ flow: name, mermaid }, mermaid)
    })
).pipe(Command.withDescription("Draw a flow as a Mermaid diagram"))

const start = Command.make(
  "start",
  {
    flow: flowName,
    input: Argument.String("input").pipe(
      Argument.withDescription("The input as JSON, as the contract encodes it; - reads standard input"),
      Argument.optional
    ),
    id: Flag.String("id").pipe(
      Flag.withDescription("The id of the execution: started again under it, it is joined"),
      Flag.optional
    ),
    version: Flag.String("flow-version").pipe(Flag.withDescription("This version of the flow"), Flag.optional),
    open: Flag.Boolean("open").pipe(
      Flag.withDescription("Leave it open for signals; default: it closes when nothing is left to do"),
      Flag.withDefault(false)
    ),
    ...following
  },
  ({ events, flow: name, id, input, open, version, wait }) =>
    Effect.gen(function* () {
      const { project } = yield* Flags.loaded
      yield* Flags.flowOf(project, name)
      const text = yield* Flags.textOf(input)
      const json: Json = text === undefined ? null : yield* Flags.jsonOf(text, "The input")
      yield* follow(
        project,
        name,
        ({ host }) =>
          Effect.map(
            host.start({
              flow: name,
              input: json,
              ...(Option.isSome(id) ? { id: id.value } : {}),
              ...(Option.isSome(version) ? { version: version.value } : {}),
              settings: { autoClose: open ? false : 0 }
            }),
            (id) => ({ id })
          ),
        { events, wait }
      )
    })
).pipe(
  Command.withDescription("Start an execution and follow it until it has closed or waits"),
  Command.withExamples([
    { command: `effigent flow start refund '{"cents":900}' --id refund-1`, description: "Under an id of your own" }
  ])
)

const show = Command.make("show", { id }, ({ id }) =>
  opened(({ host, keeps }) => Effect.flatMap(host.get(id), (view) => result(view, standingOf(view, keeps))))
).pipe(Command.withDescription("Show how an execution stands"))

/** Something done to an execution, which is followed then. */
const acting = <E, R>(
  id: string,
  options: { readonly events: boolean; readonly wait: boolean },
  act: (hosting: Open.Hosting) => Effect.Effect<string | void, E, R>
) =>
  Effect.gen(function* () {
    const { project } = yield* Flags.loaded
    yield* follow(
      project,
      id,
      (hosting) =>
        Effect.gen(function* () {
          const since = yield* placeOf(hosting, id)
          const other = yield* act(hosting)
          return other === undefined ? { id, since } : { id: other }
        }),
      options
    )
  })

const requestId = Flag.String("request-id").pipe(
  Flag.withDescription("Makes it idempotent: the same under the same id does nothing more"),
  Flag.optional
)

const idOf = (given: Option.Option<string>) => (Option.isSome(given) ? { requestId: given.value } : {})

const signal = Command.make(
  "signal",
  {
    id,
    signal: Argument.String("signal").pipe(Argument.withDescription("The name of the signal")),
    payload: Argument.String("payload").pipe(Argument.withDescription("What it brings, as JSON"), Argument.optional),
    requestId,
    ...following
  },
  ({ events, id, payload, requestId, signal, wait }) =>
    Effect.gen(function* () {
      const json: Json = Option.isNone(payload) ? null : yield* Flags.jsonOf(payload.value, "The payload")
      yield* acting(id, { events, wait }, ({ host }) =>
        Effect.asVoid(host.signal(id, signal, json, { wait: true, ...idOf(requestId) }))
      )
    })
).pipe(Command.withDescription("Send a signal to an execution and follow it"))

const answer = Command.make(
  "answer",
  {
    id,
    question: Argument.String("question").pipe(Argument.withDescription("The id of the question")),
    value: Argument.String("value").pipe(Argument.withDescription("The answer, as JSON")),
    requestId,
    ...following
  },
  ({ events, id, question, requestId, value, wait }) =>
    Effect.gen(function* () {
      const json = yield* Flags.jsonOf(value, "The answer")
      yield* acting(id, { events, wait }, ({ host }) => host.answer(id, question, json, idOf(requestId)))
    })
).pipe(Command.withDescription("Answer a question of an execution and follow it"))

const watch = Command.make("watch", { id, ...following }, ({ events, id, wait }) =>
  acting(id, { events, wait }, () => Effect.void)
).pipe(Command.withDescription("Go on with an execution, where nobody else does, and follow it"))

const ended = (view: Parameters<typeof codeOf>[0], keeps: boolean) => result(view, standingOf(view, keeps))

const cancel = Command.make(
  "cancel",
  { id, reason: Flag.String("reason").pipe(Flag.withDescription("Why, for its history"), Flag.optional) },
  ({ id, reason }) =>
    opened(({ host, keeps }) =>
      Effect.flatMap(host.cancel(id, Option.getOrUndefined(reason)), (view) => ended(view, keeps))
    )
).pipe(Command.withDescription("Stop an execution; what it has done stays"))

const close = Command.make("close", { id }, ({ id }) =>
  opened(({ host, keeps }) =>
    Effect.gen(function* () {
      const view = yield* host.close(id)
      yield* ended(view, keeps)
      const code = codeOf(view)
      if (code !== codes.ok) return yield* new Ended({ code })
    })
  )
).pipe(Command.withDescription("Let an execution take no more signals and end"))

const retry = Command.make("retry", { id, ...following }, ({ events, id, wait }) =>
  acting(id, { events, wait }, (hosting) => Effect.flatMap(keeperOf(hosting), (keeper) => keeper.retry(id)))
).pipe(Command.withDescription("Let an execution that was put aside go on, and follow it"))

const discard = Command.make("discard", { id }, ({ id }) =>
  opened((hosting) =>
    Effect.gen(function* () {
      const keeper = yield* keeperOf(hosting)
      yield* keeper.discard(id)
      yield* ended(yield* hosting.host.get(id), hosting.keeps)
    })
  )
).pipe(Command.withDescription("End an execution that was put aside as cancelled"))

const fork = Command.make(
  "fork",
  {
    id,
    as: Flag.String("as").pipe(Flag.withDescription("The id of the new execution"), Flag.optional),
    seq: Flag.Int("seq").pipe(Flag.withDescription("As it was after this append: see history"), Flag.optional),
    step: Flag.String("step").pipe(Flag.withDescription("As it was before this step ended"), Flag.optional),
    ...following
  },
  ({ as, events, id, seq, step, wait }) =>
    acting(id, { events, wait }, (hosting) =>
      Effect.flatMap(keeperOf(hosting), (keeper) =>
        keeper.fork(id, {
          ...(Option.isSome(as) ? { id: as.value } : {}),
          ...(Option.isSome(seq) ? { seq: seq.value } : {}),
          ...(Option.isSome(step) ? { step: step.value } : {})
        })
      )
    )
).pipe(Command.withDescription("Begin a new execution where another one was at some step, and follow it"))

const history = Command.make("history", { id }, ({ id }) =>
  opened((hosting) =>
    Effect.gen(function* () {
      const keeper = yield* keeperOf(hosting)
      const entries = yield* keeper.history(id)
      const rows = entries.map((entry) => [`${entry.seq}`, new Date(entry.at).toISOString(), rowOf(entry)])
      yield* result(entries, table([["SEQ", "AT", "WHAT"], ...rows]))
    })
  )
).pipe(Command.withDescription("Tell what has happened in an execution"))

const dead = Command.make("dead", {}, () =>
  opened((hosting) =>
    Effect.gen(function* () {
      const keeper = yield* keeperOf(hosting)
      const page = yield* keeper.deadLetters()
      const rows = page.executions.map((one) => [one.id, one.flow, one.dead.reason])
      yield* result(page, table([["EXECUTION", "FLOW", "PUT ASIDE BECAUSE"], ...rows]))
      if (rows.length > 0) yield* note("effigent flow retry <id>, fork <id> --seq <n>, or discard <id>")
    })
  )
).pipe(Command.withDescription("List executions that were put aside"))

/** `effigent flow`. @category commands */
export const flow = Command.make("flow").pipe(
  Command.withDescription("Flows and their executions"),
  Command.withSubcommands([
    list,
    graph,
    start,
    executions,
    show,
    watch,
    signal,
    answer,
    close,
    cancel,
    history,
    exportJournal,
    fork,
    dead,
    retry,
    discard
  ])
)
