/** `effigent replay` and `effigent flow export`: what has happened in an execution, and how it stood after each step. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import type { HistoryEntry, Progress } from "../../../services/ExecutionHost.ts"
import { JournalEntry, type JournalStore } from "../../../services/JournalStore.ts"
import * as Open from "../config/Open.ts"
import { base } from "./Asking.ts"
import { NotThere, Usage } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import { rowOf } from "./Following.ts"
import { clean, result } from "./Screen.ts"

/** A journal as a file. @category models */
export const JournalFile = Schema.Struct({
  format: Schema.Literal("effigent-journal-1"),
  id: Schema.String,
  flow: Schema.String,
  version: Schema.optionalKey(Schema.String),
  /** Where the beginning is no longer kept: how it stood before the first entry. */
  snapshot: Schema.optionalKey(Schema.Struct({ seq: Schema.Int, json: Schema.Json })),
  entries: Schema.Array(JournalEntry)
})

/** A journal as a file, as a type. @category models */
export type JournalFile = typeof JournalFile.Type

const page = 1000

/** All that is kept of the journal of an execution. @category reading */
export const read = (store: JournalStore["Service"], id: string) =>
  Effect.gen(function* () {
    const head = yield* store.get(id)
    if (Option.isNone(head))
      return yield* new NotThere({ detail: `There is no execution "${id}" in the journal, and no file of this name.` })
    const entries: Array<JournalEntry> = []
    for (let from = 1; ;) {
      const next = yield* store.history(id, { from, limit: page })
      entries.push(...next)
      const last = next.at(-1)
      if (last === undefined || next.length < page) break
      from = last.seq + 1
    }
    const [first] = entries
    const before = first === undefined ? Option.none() : yield* store.read(id, { until: first.seq })
    const snapshot = Option.getOrUndefined(before)?.snapshot
    const { flow, version } = head.value
    const file: JournalFile = {
      format: "effigent-journal-1",
      id,
      flow,
      ...(version === undefined ? {} : { version }),
      ...(snapshot === undefined ? {} : { snapshot }),
      entries: snapshot === undefined ? entries : entries.filter(({ seq }) => seq > snapshot.seq)
    }
    return file
  })

const storeOf = ({ store }: Open.Hosting): Effect.Effect<JournalStore["Service"], Usage> =>
  store === undefined
    ? Effect.fail(
        new Usage({ detail: "The host of the configuration shows no journal: put its JournalStore into the Layer." })
      )
    : Effect.succeed(store)

const fromFile = (file: string) =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: () => readFile(file, "utf8"),
      catch: (error) => new NotThere({ detail: `Cannot read ${file}: ${String(error)}` })
    })
    const json = yield* Flags.jsonOf(text, file)
    return yield* Effect.mapError(
      Schema.decodeUnknownEffect(JournalFile)(json),
      (error) =>
        new Usage({ detail: `${file} is no journal: ${error.message}. "effigent flow export <id>" writes one.` })
    )
  })

/** A step with how the execution stood after it. @category models */
export type Replayed = HistoryEntry & Pick<Progress, "status" | "state" | "questions" | "result" | "failure">

/** How an execution stood after each step. @category reading */
export const replayed = (
  { runnerOf }: Pick<Open.Hosting, "runnerOf">,
  { entries, flow, id, snapshot, version }: JournalFile,
  until: number
) =>
  Effect.gen(function* () {
    const runner = runnerOf(flow, version)
    if (runner === undefined)
      return yield* new Usage({
        detail: `The journal is one of the flow "${flow}", which the configuration does not name.`
      })
    const history = yield* runner.history(snapshot?.json, entries)
    const steps: Array<Replayed> = []
    let at = 0
    let standing: Progress | undefined
    const records: Array<Schema.Json> = []
    for (const step of history) {
      if (step.seq > until) break
      for (let entry = entries[at]; entry !== undefined && entry.seq <= step.seq; entry = entries[++at]) {
        records.push(...entry.records)
        standing = undefined
      }
      standing ??= (yield* runner.read({ id, snapshot: snapshot?.json, records })).progress
      const { failure, questions, result, state, status } = standing
      steps.push({
        ...step,
        status,
        state,
        questions,
        ...(result === undefined ? {} : { result }),
        ...(failure === undefined ? {} : { failure })
      })
    }
    return steps
  })

const textOf = (id: string, flow: string, steps: ReadonlyArray<Replayed>): string => {
  const began = steps[0]?.at ?? 0
  let before = ""
  const rows = steps.map((step) => {
    const now = [
      Object.keys(step.state).length === 0 ? "" : `state ${JSON.stringify(step.state)}`,
      ...step.questions.map(({ interrupt, payload }) => `asks ${interrupt} ${JSON.stringify(payload)}`),
      step.result === undefined ? "" : `result ${JSON.stringify(step.result)}`,
      step.failure === undefined ? "" : step.failure.message
    ].filter((part) => part !== "")
    const text = now.map((part) => `\n        ${part}`).join("")
    const changed = text === before ? "" : text
    before = text
    return `${String(step.seq).padStart(6)}  +${step.at - began} ms  ${rowOf(step)}  (${step.status})${changed}\n`
  })
  return clean(`${flow} ${id}\n${rows.join("")}`)
}

/** `effigent replay`. @category commands */
export const replay = Command.make(
  "replay",
  {
    source: Argument.String("journal").pipe(
      Argument.withDescription("The id of an execution, or a file of effigent flow export")
    ),
    until: Flag.Int("until").pipe(Flag.withDescription("Up to this append"), Flag.optional)
  },
  ({ source, until }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { project } = yield* Flags.loaded
        const file = existsSync(resolve(source)) ? yield* fromFile(resolve(source)) : undefined
        const hosting = yield* Open.hosting(project, yield* Open.services(project, base))
        const journal = file ?? (yield* read(yield* storeOf(hosting), source))
        const steps = yield* replayed(
          hosting,
          journal,
          Option.getOrElse(until, () => Number.POSITIVE_INFINITY)
        )
        yield* result({ id: journal.id, flow: journal.flow, steps }, textOf(journal.id, journal.flow, steps))
      })
    )
).pipe(
  Command.withDescription("Tell what has happened in an execution, with its state after each step; nothing is run"),
  Command.withExamples([{ command: "effigent replay order-1", description: "From the journal of the configuration" }])
)

/** `effigent flow export`. @category commands */
export const exportJournal = Command.make(
  "export",
  { id: Argument.String("id").pipe(Argument.withDescription("The id of the execution")) },
  ({ id }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { project } = yield* Flags.loaded
        const hosting = yield* Open.hosting(project, yield* Open.services(project, base))
        const journal = yield* read(yield* storeOf(hosting), id)
        yield* result(journal, `${JSON.stringify(journal, undefined, 2)}\n`)
      })
    )
).pipe(Command.withDescription("Write the journal of an execution, for effigent replay"))
