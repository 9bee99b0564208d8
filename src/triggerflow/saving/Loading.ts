/** Reads a snapshot for a flow: whether it fits, what is in the way if not, and the engine that goes on with it. */
import type * as Context from "effect/Context"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Engine, type Settings } from "../engine/Engine.ts"
import type { Options } from "../Execution.ts"
import { millis } from "../Opening.ts"
import * as Forms from "./Forms.ts"
import type * as FlowError from "../FlowError.ts"
import * as Migration from "./Migration.ts"
import type { FlowData } from "../Node.ts"
import * as Plan from "../engine/Plan.ts"
import * as Saving from "./Saving.ts"
import * as ShapeDiff from "../definition/ShapeDiff.ts"
import * as Snapshots from "./Snapshot.ts"
import type { Snapshot } from "./Snapshot.ts"
import { Reader } from "./Values.ts"

/** Something that is in the way of loading. @category models */
export interface Finding {
  readonly why: FlowError.NotLoadable["why"]
  /** What it is and what to do. */
  readonly issue: string
}

/** What was found in a snapshot. @category models */
export interface Examined {
  readonly findings: ReadonlyArray<Finding>
  /** What differs between the definition that it was saved with (behind its migrations) and the flow. */
  readonly differences: ReadonlyArray<ShapeDiff.Difference>
  /** The keys of services that the flow says it needs and that are not provided. */
  readonly missing: ReadonlyArray<string>
  /** The snapshot behind its migrations, where it can be read at all. */
  readonly snapshot: Snapshot | undefined
}

const decode = Schema.decodeUnknownResult(Snapshots.Snapshot, { errors: "all" })

const fieldOf = (json: unknown, key: string): unknown =>
  // What an object has under a key is not known.
  typeof json === "object" && json !== null ? (json as { readonly [key: string]: unknown })[key] : undefined

const stopped = (why: Finding["why"], issue: string, snapshot?: Snapshot): Examined => ({
  findings: [{ why, issue }],
  differences: [],
  missing: [],
  snapshot
})

/** Looks at everything but the values. @category checks */
export const examine = (
  flow: FlowData,
  json: unknown,
  context: Context.Context<never>,
  migrations: ReadonlyArray<Migration.Migration>
): Examined => {
  const kind = fieldOf(json, "kind")
  if (kind !== Snapshots.kind)
    return stopped(
      "kind",
      `it is no snapshot of an execution: its kind is ${JSON.stringify(kind) ?? "absent"}, and not "${Snapshots.kind}". Pass what execution.save has given, as JSON and not as text.`
    )
  const version = fieldOf(json, "schemaVersion")
  if (version !== Snapshots.schemaVersion)
    return stopped(
      "version",
      `its format has the version ${JSON.stringify(version) ?? "undefined"}, and this program reads ${Snapshots.schemaVersion}. Load it with the version of effigent that has saved it.`
    )
  const decoded = decode(json)
  if (Result.isFailure(decoded)) return stopped("value", `it is damaged: ${decoded.failure.message}`)
  const saved = decoded.success
  const { contract } = flow
  if (saved.flow.name !== contract.name)
    return stopped("flow", `it is of the flow "${saved.flow.name}", and this is "${contract.name}"`, saved)
  const migrated = Migration.run(saved, migrations)
  if (Result.isFailure(migrated)) return stopped("definition", migrated.failure, saved)
  const now = Saving.definitionOf(flow)
  const { snapshot, through } = migrated.success
  const arrived = through.length > 0 && snapshot.flow.version === contract.version
  const findings: Array<Finding> = []
  const fits = arrived || snapshot.definition.fingerprint === now.fingerprint
  const differences = fits ? [] : ShapeDiff.diff(snapshot.definition.shape, now.shape)
  if (!fits) {
    const of = (version: string | undefined) => (version === undefined ? "" : ` (version ${version})`)
    findings.push({
      why: "definition",
      issue: [
        `the flow "${contract.name}"${of(contract.version)} has changed since the snapshot${of(snapshot.flow.version)} was saved:`,
        ...differences.map(({ what }) => `- ${what}`),
        "Load it with the definition that has saved it, or pass a migration."
      ].join("\n")
    })
  }
  const missing = [...new Set([...saved.services, ...Saving.servicesOf(flow)])].filter(
    (key) => !context.mapUnsafe.has(key)
  )
  if (missing.length > 0)
    findings.push({
      why: "services",
      issue: `the flow needs services that are not provided: ${missing.join(", ")}. Provide them where it is loaded.`
    })
  if (snapshot.reduced !== undefined && snapshot.reduced.length > 0)
    findings.push({
      why: "value",
      issue: `only the digests of ${snapshot.reduced.map(({ at }) => at).join(", ")} were kept. Keep the whole snapshot of what is to be loaded.`
    })
  return {
    findings,
    differences,
    missing,
    snapshot: arrived ? { ...snapshot, definition: now } : snapshot
  }
}

/** The settings that an execution was saved with. @category conversions */
export const settingsOf = (snapshot: Snapshot): Settings => {
  const { settings } = snapshot
  return {
    executionId: snapshot.execution.executionId,
    concurrency: settings.concurrency ?? Infinity,
    failures: settings.failures,
    maxEmitDepth: settings.maxEmitDepth,
    recorded: true,
    failOnPause: false,
    autoClose: settings.autoClose,
    timeout: undefined,
    idleTimeout: settings.idleTimeout,
    stream: settings.stream,
    keepSnapshots: settings.keepSnapshots
  }
}

/** Settings with what options say otherwise. @category constructors */
export const overridden = (settings: Settings, options: Options): Settings => ({
  ...settings,
  concurrency: options.concurrency ?? settings.concurrency,
  failures: options.failures ?? settings.failures,
  maxEmitDepth: options.maxEmitDepth ?? settings.maxEmitDepth,
  autoClose:
    options.autoClose === undefined
      ? settings.autoClose
      : options.autoClose === false
        ? undefined
        : millis(options.autoClose),
  timeout: millis(options.timeout),
  idleTimeout: millis(options.idleTimeout) ?? settings.idleTimeout,
  stream: options.stream ?? settings.stream,
  keepSnapshots: options.keepSnapshots ?? settings.keepSnapshots
})

/** The engine that goes on with a snapshot, and the input that it starts with if it has not been started. @category models */
export interface Loaded {
  readonly engine: Engine
  readonly input: unknown
}

/** Makes the engine; fails with the values that cannot be read. Nothing moves before `engine.resume`. @category conversions */
export const engineOf = (
  flow: FlowData,
  snapshot: Snapshot,
  settings: Settings,
  context: Context.Context<never>
): Result.Result<Loaded, Finding> => {
  const plan = Plan.of(flow)
  const engine = new Engine(plan, settings, context)
  const reader = new Reader(Forms.of(plan).codec)
  const { entries, head } = snapshot.stream
  engine.createdAt = snapshot.createdAt
  engine.deadline = settings.timeout === undefined ? snapshot.settings.deadline : engine.now() + settings.timeout
  const before = (entries ?? []).map((entry) => {
    const { event } = entry
    if (event._tag !== "interrupt") return { ...entry, event }
    // Questions of sub-flows have Schemas of their own: they are given as they are.
    const codec = entry.path.length > 0 ? undefined : plan.codecs.interrupts.get(event.interrupt)?.payload
    const payload = codec?.decode(event.json) ?? Result.succeed(event.json)
    if (Result.isFailure(payload)) reader.wrong(payload.failure, `entry ${entry.cursor} of the stream`)
    return { ...entry, event: { ...event, payload: Result.getOrUndefined(payload) } }
  })
  engine.stream.restore(before, head)
  engine.restore(snapshot.execution, reader)
  const { input: json } = snapshot.execution
  const input = json === undefined ? undefined : reader.read(json, "the input")
  if (reader.problems.length === 0) return Result.succeed({ engine, input })
  const lines = reader.problems.map(({ at, issue }) => `- ${at}: ${issue}`)
  return Result.fail({ why: "value", issue: ["values in it cannot be read:", ...lines].join("\n") })
}

/** Restores nothing: whether all values can be read. @category checks */
export const readable = (flow: FlowData, snapshot: Snapshot, context: Context.Context<never>): Finding | undefined => {
  const made = engineOf(flow, snapshot, settingsOf(snapshot), context)
  return Result.isFailure(made) ? made.failure : undefined
}
