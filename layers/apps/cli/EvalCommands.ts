/** `effigent eval`: the evals of the project, run, compared and listed. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createReadStream, existsSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import type { SessionStore } from "../../../services/SessionStore.ts"
import * as Compare from "../../../src/evals/Compare.ts"
import type { EncodedCase } from "../../../src/evals/Dataset.ts"
import * as Gate from "../../../src/evals/Gate.ts"
import type { Report, Sample } from "../../../src/evals/Report.ts"
import * as Running from "../../../src/evals/Running.ts"
import * as Tables from "../../../src/evals/Tables.ts"
import * as SessionStores from "../../store/SessionStores.ts"
import * as Open from "../config/Open.ts"
import type { AnyEval, Project } from "../config/Project.ts"
import * as Files from "./EvalFiles.ts"
import { codes, Ended, NotThere, Usage } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import { clean, counted, dim, green, note, red, result, Screen, table } from "./Screen.ts"

const listed = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

const chosen = (project: Project, names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<AnyEval>, Usage> => {
  const there = project.evals.map(({ name }) => name)
  const unknown = names.find((name) => !there.includes(name))
  if (unknown !== undefined)
    return Effect.fail(
      new Usage({ detail: `There is no eval "${unknown}". Evals of the configuration: ${listed(there)}.` })
    )
  if (there.length === 0)
    return Effect.fail(
      new Usage({ detail: "The configuration has no evals. Write: defineConfig({ evals: [Evals.make(...)], ... })." })
    )
  return Effect.succeed(names.length === 0 ? project.evals : project.evals.filter(({ name }) => names.includes(name)))
}

// `0.9` is for the part that passes, `exact=0.9` for a scorer.
const limitsOf = (given: ReadonlyArray<string>, flag: string): Effect.Effect<Record<string, number>, Usage> =>
  Effect.suspend(() => {
    const limits: Record<string, number> = {}
    for (const one of given) {
      const at = one.lastIndexOf("=")
      const [name, text] = at < 0 ? ["passed", one] : [one.slice(0, at), one.slice(at + 1)]
      const limit = Number(text)
      if (text.trim() === "" || !(limit >= 0 && limit <= 1))
        return Effect.fail(
          new Usage({ detail: `--${flag} ${one} is no limit. Give 0 to 1, or a scorer with it: --${flag} exact=0.9` })
        )
      limits[name] = limit
    }
    return Effect.succeed(limits)
  })

// A part of the id, or a whole tag.
const filterOf = (texts: ReadonlyArray<string>) =>
  texts.length === 0
    ? undefined
    : ({ id, tags }: EncodedCase): boolean => texts.some((text) => id.includes(text) || tags.includes(text))

const readLines = (file: string): Stream.Stream<Uint8Array, NotThere> =>
  // Opened when it is read: what goes wrong before anybody looks would end the process.
  Stream.suspend(() =>
    Stream.fromAsyncIterable<Uint8Array, NotThere>(
      createReadStream(file),
      (error) =>
        new NotThere({
          detail: `The dataset ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`
        })
    )
  )

const millis = (value: number): string => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`)

const whyOf = (sample: Sample): string =>
  clean(
    Tables.reasonOf({ id: "", tags: [], input: null, passed: sample.passed, scores: {}, samples: [sample] })
  ).replaceAll(/\s+/g, " ")

// A row for each sample; on a terminal only those that do not pass, above a line that counts.
const follow = (running: Running.Running<unknown, unknown>): Effect.Effect<void, never, Screen> =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const isLive = screen.live && screen.color.err
    let [done, passed, all, name] = [0, 0, 0, ""]
    const erase = isLive ? "\r\u001b[K" : ""
    const line = () =>
      isLive ? dim(true, `${name}  ${done} of ${all}, ${passed} passed`.slice(0, Math.max(20, screen.width - 1))) : ""
    yield* Stream.runForEach(running.events, (event) => {
      if (event._tag === "EvalStarted") {
        name = clean(event.name)
        all = event.samples
        return screen.json ? Effect.void : screen.err(isLive ? line() : `● ${name}: ${counted(event.cases, "case")}\n`)
      }
      if (event._tag === "EvalEnded") return screen.json ? Effect.void : screen.err(erase)
      if (event._tag === "SampleStarted" || screen.json) return Effect.void
      done++
      if (event.sample.passed) passed++
      const { duration, sample } = event.sample
      const color = screen.color.err
      const mark = event.sample.passed ? green(color, "✓") : red(color, "✗")
      const number = sample === 1 ? "" : ` #${sample}`
      const why = event.sample.passed ? "" : `  ${whyOf(event.sample).slice(0, 160)}`
      const row = `${mark} ${clean(event.case)}${number} ${millis(duration)}${why}\n`
      return screen.err(`${erase}${isLive && event.sample.passed ? "" : row}${line()}`)
    })
  })

const baselineOf = (folder: string, named: string, name: string) =>
  Effect.gen(function* () {
    if (named !== "last") {
      const found = yield* Files.read(Files.find(folder, named))
      return found.name === name ? found : undefined
    }
    // One that was interrupted has only some of the cases: it would let through what got worse in the others.
    const last = yield* Files.latest(folder, name, ({ status, summary }) => status === "completed" && summary.cases > 0)
    return last?.report
  })

const runnable = (self: AnyEval, options: Running.RunOptions<NotThere>) =>
  // What it needs is in the Layer of the project, as the type of `defineConfig` says.
  Running.start(self, options) as Effect.Effect<Running.Running<unknown, unknown>, unknown, Scope.Scope | SessionStore>

interface Ran {
  readonly report: Report
  readonly file: string
  readonly misses: ReadonlyArray<Gate.Miss>
  readonly comparison: Compare.Comparison | undefined
}

const optionalInt = (name: string, text: string) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (value) => value > 0,
      (value) => `--${name} ${value}: give a whole number from 1 on`
    ),
    Flag.withDescription(text),
    Flag.optional
  )

const runFlags = {
  names: Argument.String("name").pipe(
    Argument.withDescription("Evals of the configuration; default: all"),
    Argument.variadic()
  ),
  dataset: Flag.String("dataset").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("Cases of a JSONL file instead of those of the eval"),
    Flag.optional
  ),
  filter: Flag.String("filter").pipe(
    Flag.withDescription("Cases with this in their id, or with this tag; several: any of them"),
    Flag.atLeast(0)
  ),
  sample: optionalInt("sample", "So many cases by chance"),
  seed: optionalInt("seed", "The seed of --sample; default 1"),
  concurrency: optionalInt("concurrency", "Cases at work at once; default: as the eval says, else 4"),
  repeat: optionalInt("repeat", "How often each case is run"),
  baseline: Flag.String("baseline").pipe(
    Flag.withMetavar("<file or id>"),
    Flag.withDescription("A report that must not be better; last: the latest whole run of the eval"),
    Flag.optional
  ),
  worse: Flag.String("worse").pipe(
    Flag.withDescription("By how much a mean may be below the baseline: 0.02, or exact=0.02; default 0"),
    Flag.atLeast(0)
  ),
  min: Flag.String("min").pipe(
    Flag.withDescription("The least part of samples that pass, 0.9, or mean of a scorer, exact=0.9"),
    Flag.atLeast(0)
  ),
  out: Flag.String("out").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("Where the report goes; default: .effigent/evals/<name>-<time>-<id>.json"),
    Flag.optional
  )
}

const run = Command.make("eval", runFlags, (flags) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { file: configuration, project } = yield* Flags.loaded
      const evals = yield* chosen(project, flags.names)
      const folder = Files.folderOf(configuration)
      const out = Option.getOrUndefined(flags.out)
      if (out !== undefined && evals.length > 1)
        return yield* new Usage({ detail: `--out takes one report, and there are ${evals.length} evals. Name one.` })
      if (out !== undefined && existsSync(out) && statSync(out).isDirectory())
        return yield* new Usage({ detail: `--out ${out} is a folder. Name a file in it: ${join(out, "report.json")}` })
      const data = Option.getOrUndefined(flags.dataset)
      const dataFile = data === undefined ? undefined : resolve(data)
      if (dataFile !== undefined && !existsSync(dataFile))
        return yield* new NotThere({ detail: `There is no dataset ${dataFile}.` })
      const min = yield* limitsOf(flags.min, "min")
      const worse = yield* limitsOf(flags.worse, "worse")
      // A number alone is for all of them, unless they are named.
      const { passed: forAll } = worse
      const named = Option.getOrUndefined(flags.baseline)
      const baselines = new Map<string, Report>()
      if (named !== undefined)
        for (const { name } of evals) {
          const baseline = yield* baselineOf(folder, named, name)
          if (baseline !== undefined) baselines.set(name, baseline)
          else if (named === "last") yield* note(`There is no whole report of ${name} yet: nothing to compare with.`)
        }
      if (named !== undefined && named !== "last" && baselines.size === 0)
        return yield* new Usage({
          detail: `The baseline ${named} is no report of ${listed(evals.map(({ name }) => name))}.`
        })
      const services = yield* Open.services(project, SessionStores.memory)
      const ran: Array<Ran> = []
      for (const self of evals) {
        const filter = filterOf(flags.filter)
        const size = Option.getOrUndefined(flags.sample)
        const concurrency = Option.getOrUndefined(flags.concurrency)
        const repeat = Option.getOrUndefined(flags.repeat)
        const running = yield* Effect.provideContext(
          runnable(self, {
            ...(dataFile === undefined ? {} : { jsonl: readLines(dataFile) }),
            ...(filter === undefined ? {} : { filter }),
            ...(size === undefined ? {} : { sample: { size, seed: Option.getOrUndefined(flags.seed) } }),
            ...(concurrency === undefined ? {} : { concurrency }),
            ...(repeat === undefined ? {} : { repeat })
          }),
          services
        )
        const keep = (report: Report) =>
          Files.save(out === undefined ? join(folder, Files.nameOf(report)) : resolve(out), report)
        const shown = yield* Effect.forkChild(follow(running), { startImmediately: true })
        const { report } = yield* running.outcome.pipe(
          // What is done is kept, whoever stops it.
          Effect.onInterrupt(() =>
            running.stop.pipe(
              Effect.andThen(running.outcome),
              Effect.flatMap(({ report }) => keep(report)),
              Effect.flatMap((file) => note(`Interrupted; what was done is in ${file}`)),
              Effect.catch(({ message }) => note(message))
            )
          )
        )
        const screen = yield* Screen
        // Before anything else may go wrong; and where it cannot be kept, it is at least told.
        const file = yield* Effect.uninterruptible(keep(report)).pipe(
          Effect.tapError(() => (screen.json ? Effect.void : screen.out(Tables.report(report))))
        )
        yield* Fiber.join(shown)
        const baseline = baselines.get(self.name)
        const gate: Gate.Gate = {
          min,
          ...(baseline === undefined
            ? {}
            : {
                baseline,
                worse:
                  forAll === undefined
                    ? worse
                    : { ...Object.fromEntries(report.scorers.map(({ name }) => [name, forAll])), ...worse }
              })
        }
        const one: Ran = {
          report,
          file,
          misses: Gate.misses(report, gate),
          comparison: baseline === undefined ? undefined : Compare.reports(baseline, report)
        }
        ran.push(one)
        if (screen.json) continue
        const compared = one.comparison === undefined ? "" : Tables.comparison(one.comparison)
        // Where it is piped the cases are told already.
        const text = `${Tables.report(report, { cases: screen.live ? "none" : "failed" })}${compared}`
        yield* screen.out(text)
        yield* note(`report: ${one.file}`)
        for (const { message } of one.misses) yield* screen.err(`${red(screen.color.err, "✗")} ${clean(message)}\n`)
      }
      const documents = ran.map(({ comparison, file, misses, report: { cases: _cases, ...head } }) => ({
        ...head,
        file,
        misses,
        ...(comparison === undefined ? {} : { comparison })
      }))
      yield* result({ evals: documents }, "")
      if (ran.some(({ misses }) => misses.length > 0)) return yield* new Ended({ code: codes.failed })
    })
  )
)

const compare = Command.make(
  "compare",
  {
    before: Argument.String("before").pipe(Argument.withDescription("The earlier report: a file, or the id of a run")),
    after: Argument.String("after").pipe(
      Argument.withDescription("The reports that are compared with it"),
      Argument.variadic({ min: 1 })
    )
  },
  ({ after, before }) =>
    Effect.gen(function* () {
      const found = yield* Effect.result(Flags.loaded)
      // Files can be compared anywhere.
      const folder = Files.folderOf(found._tag === "Success" ? found.success.file : resolve("effigent.config.ts"))
      const first = yield* Files.read(Files.find(folder, before))
      const comparisons: Array<Compare.Comparison> = []
      for (const name of after) comparisons.push(Compare.reports(first, yield* Files.read(Files.find(folder, name))))
      yield* result(
        comparisons.length === 1 ? comparisons[0] : comparisons,
        comparisons.map((one) => Tables.comparison(one)).join("\n")
      )
    })
).pipe(
  Command.withDescription("Compare reports: cases fixed and broken, scores with their intervals, what was changed")
)

const list = Command.make("list", {}, () =>
  Effect.gen(function* () {
    const { file, project } = yield* Flags.loaded
    const folder = Files.folderOf(file)
    const rows: Array<{
      readonly name: string
      readonly description?: string
      readonly scorers: ReadonlyArray<string>
      readonly last?: object
    }> = []
    const cells: Array<ReadonlyArray<string>> = []
    for (const { description, name, scorers } of project.evals) {
      const { file: latest, report: last } = (yield* Files.latest(folder, name)) ?? {}
      const names = scorers.map((scorer) => scorer.name)
      const { passed = 0, cases = 0 } = last?.summary ?? {}
      rows.push({
        name,
        ...(description === undefined ? {} : { description }),
        scorers: names,
        ...(last === undefined || latest === undefined
          ? {}
          : { last: { id: last.id, file: latest, startedAt: last.startedAt, status: last.status, passed, cases } })
      })
      cells.push([
        name,
        names.join(", "),
        last === undefined ? "never" : `${new Date(last.startedAt).toISOString()}  ${passed} of ${cases} passed`
      ])
    }
    yield* result(rows, table([["EVAL", "SCORERS", "LAST RUN"], ...cells]))
  })
).pipe(Command.withDescription("List the evals of the configuration, with the latest report of each"))

/** `effigent eval`. @category commands */
export const evaluate = run.pipe(
  Command.withDescription("Run evals: score an agent, a flow or a function over a dataset"),
  Command.withExamples([
    { command: "effigent eval", description: "All evals of the configuration" },
    { command: "effigent eval triage --min 0.9 --baseline last", description: "A gate, for CI: code 1 where it fails" },
    { command: "effigent eval compare before.json after.json", description: "Two reports beside each other" }
  ]),
  Command.withSubcommands([compare, list])
)
