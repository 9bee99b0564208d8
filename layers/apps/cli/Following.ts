/**
 * An execution from the command line: shown while it is at work, asked for at the terminal where it asks, and left where
 * it waits. Steps, items and the agents that handlers ask are told as events of one run.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import type {
  ExecutionView,
  HistoryEntry,
  Question,
  RequestError,
  WatchEntry
} from "../../../services/ExecutionHost.ts"
import type { RunEnvelope } from "../../../services/Run.ts"
import * as Runs from "../../../src/run/Runs.ts"
import { writtenOf } from "../../../src/durable/Kept.ts"
import * as Open from "../config/Open.ts"
import type { Platform, Project } from "../config/Project.ts"
import { base, show, told } from "./Asking.ts"
import { codes, Ended } from "./Exits.ts"
import { jsonOf } from "./Flags.ts"
import { clean, note, result, Screen, shown } from "./Screen.ts"

/** How far an execution has come: what stands behind it is told. @category models */
export interface Place {
  /** The last append. */
  readonly seq: number
  /** The next entry of its runtime stream. */
  readonly cursor: number
}

/** How an execution is followed. @category models */
export interface Options {
  /** With `--json`: each event as a line. */
  readonly events: boolean
  /** Waits also for timers, signals, and answers that come from elsewhere. */
  readonly wait: boolean
}

const seconds = (millis: number): string => (millis < 1000 ? `${millis} ms` : `${(millis / 1000).toFixed(1)} s`)

const Step = Schema.Struct({
  step: Schema.optionalKey(Schema.String),
  what: Schema.String,
  name: Schema.optionalKey(Schema.String),
  path: Schema.Array(Schema.String),
  seq: Schema.Int,
  at: Schema.Finite,
  /** Milliseconds since the execution began. */
  after: Schema.Finite
})
const isStep = Schema.is(Step)

/** A row for people. @category conversions */
export const rowOf = ({ name, path, step, what }: Pick<HistoryEntry, "name" | "path" | "step" | "what">): string =>
  [path.length === 0 ? "" : `${path.join("/")}:`, step ?? "", what, name ?? ""].filter((part) => part !== "").join(" ")

// Steps are told to programs as they are, and to people in words.
const worded = (envelope: RunEnvelope): RunEnvelope => {
  const { event } = envelope
  if (event._tag !== "Custom" || event.name !== "step" || !isStep(event.value)) return envelope
  return { ...envelope, event: { ...event, name: rowOf(event.value), value: `after ${seconds(event.value.after)}` } }
}

/**
 * Tells what happens in an execution, until it has closed or waits; gives how it stands then. What was before `since` is
 * not told.
 */
const watch = (
  { host, keeper, resting, store }: Open.Hosting,
  id: string,
  since: Place,
  wait: (view: ExecutionView) => boolean
): Effect.Effect<ExecutionView, RequestError> =>
  Effect.gen(function* () {
    let seen = since.seq
    let rested = false
    let last = -1
    const steps = Effect.gen(function* () {
      if (keeper === undefined) return
      const head = store === undefined ? Option.none() : Option.flatten(yield* Effect.option(store.get(id)))
      if (Option.isSome(head) && head.value.seq === last) return
      if (Option.isSome(head)) last = head.value.seq
      const history = yield* Effect.orElseSucceed(keeper.history(id), (): ReadonlyArray<HistoryEntry> => [])
      const began = history[0]?.at ?? 0
      for (const entry of history) {
        if (entry.seq > seen) yield* Runs.emit("step", { ...entry, after: entry.at - began })
      }
      seen = Math.max(seen, history.at(-1)?.seq ?? 0)
    })
    const told = ({ event }: WatchEntry) => {
      if (event._tag === "item") return Runs.emit("item", event.item)
      return event._tag === "intervention" ? Runs.emit(event._tag, { id: event.id, action: event.action }) : Effect.void
    }
    // How it fails is told by how it stands in the end.
    const items = yield* Effect.forkChild(Effect.exit(Stream.runForEach(host.watch(id, since.cursor), told)), {
      startImmediately: true
    })
    for (;;) {
      const view = yield* host.get(id)
      yield* steps
      if (view.lifecycle === "closed") {
        yield* Fiber.await(items)
        yield* steps
        return yield* host.get(id)
      }
      // An execution that is open for signals rests without waiting for anything that it knows of.
      const rests = (yield* resting(id)) === true
      const leaves = view.status === "waiting" || (rests && rested)
      rested = rests
      if (leaves && !wait(view)) {
        yield* Fiber.interrupt(items)
        return view
      }
      yield* Effect.sleep("50 millis")
    }
  })

/** How an execution stands, for people. @category conversions */
export const standingOf = (view: ExecutionView, keeps: boolean): string => {
  const lines = [`${view.flow} ${view.id}: ${view.status}`]
  for (const { id, interrupt, payload } of view.questions) {
    lines.push(`  asks ${interrupt}: ${JSON.stringify(payload)}`)
    if (keeps) lines.push(`  answer it: effigent flow answer ${view.id} ${id} '<json>'`)
  }
  if (view.status === "waiting" && !keeps)
    lines.push("  It ended with this process. Give the configuration a JournalStore to keep executions.")
  if (view.failure !== undefined) lines.push(`  ${view.failure.message}`)
  for (const { message } of view.failures) lines.push(`  ${message}`)
  if (Object.keys(view.state).length > 0) lines.push(`  state: ${JSON.stringify(view.state)}`)
  if (view.result !== undefined) lines.push(`  result: ${JSON.stringify(view.result)}`)
  return `${lines.map(clean).join("\n")}\n`
}

const answerAt = ({ host }: Open.Hosting, id: string, { id: question, interrupt, payload }: Question) =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const terminal = yield* Terminal.Terminal
    for (;;) {
      yield* screen.out(`${clean(`${interrupt}: ${shown(payload)}`)}\nYour answer, as JSON (Ctrl-D leaves it open): `)
      const line = yield* Effect.option(terminal.readLine)
      if (Option.isNone(line)) return false
      const given = yield* Effect.result(
        Effect.flatMap(jsonOf(line.value, "The answer"), (value) => host.answer(id, question, value, { interrupt }))
      )
      if (given._tag === "Success") return true
      yield* note(given.failure.message)
    }
  })

/** The exit code that says how an execution stands. @category conversions */
export const codeOf = ({ lifecycle, status }: ExecutionView): number =>
  status === "completed" ? codes.ok : lifecycle !== "closed" ? codes.waiting : codes.failed

/**
 * Opens the flows of a project, lets something be done that gives the id of an execution, and follows it until it has
 * closed or waits. How it stands then is the result of the command.
 *
 * @category running
 */
export const follow = <E, R>(
  project: Project,
  name: string,
  act: (hosting: Open.Hosting) => Effect.Effect<{ readonly id: string; readonly since?: Place }, E, R>,
  options: Options
): Effect.Effect<void, unknown, R | Platform | Screen> =>
  Effect.scoped(
    Effect.gen(function* () {
      const screen = yield* Screen
      const job = Effect.gen(function* () {
        const services = yield* Open.services(project, base)
        const hosting = yield* Open.hosting(project, services)
        const { id, since } = yield* act(hosting)
        yield* Runs.emit("execution", id)
        for (let from = since ?? beginning; ;) {
          const view = yield* watch(hosting, id, from, ({ questions }) => options.wait && questions.length === 0)
          const [question] = view.questions
          const ends = { view, keeps: hosting.keeps }
          if (view.lifecycle === "closed" || question === undefined) return ends
          if (screen.interactive) {
            if (!(yield* answerAt(hosting, id, question))) return ends
          } else if (!options.wait || !hosting.keeps) return ends
          else yield* Effect.sleep("500 millis")
          from = yield* placeOf(hosting, id)
        }
      })
      // The Scope is given here, and `R` is that of commands, which need none.
      const run = yield* Runs.start(Effect.scoped(job) as Effect.Effect<Ends, unknown, R | Platform | Screen>, { name })
      yield* show(Stream.map(run.events(), screen.json ? (event) => event : worded), {
        events: options.events,
        quiet: false,
        still: true
      })
      const { keeps, view } = yield* told(run.result, !screen.json)
      if (!(screen.json && options.events)) yield* result(view, standingOf(view, keeps))
      const code = codeOf(view)
      if (code !== codes.ok) return yield* new Ended({ code })
    })
    // As above.
  ) as Effect.Effect<void, unknown, R | Platform | Screen>

interface Ends {
  readonly view: ExecutionView
  readonly keeps: boolean
}

const beginning: Place = { seq: 0, cursor: 0 }

/** How far an execution has come, as far as it is written down. @category reading */
export const placeOf = ({ host, keeper, runnerOf, store }: Open.Hosting, id: string): Effect.Effect<Place> =>
  Effect.gen(function* () {
    if (keeper === undefined) return beginning
    const seq = (yield* keeper.history(id)).at(-1)?.seq ?? 0
    if (store === undefined) return { seq, cursor: 0 }
    const { flow, version } = yield* host.get(id)
    const runner = runnerOf(flow, version)
    const journal = Option.getOrUndefined(yield* store.read(id))
    if (runner === undefined || journal === undefined) return { seq, cursor: 0 }
    const { entries } = yield* runner.read(writtenOf(journal))
    return { seq, cursor: (entries.at(-1)?.cursor ?? -1) + 1 }
  }).pipe(Effect.orElseSucceed(() => beginning))
