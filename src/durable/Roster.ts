/**
 * What one runner has, and how it stands: the flows that it can run, the executions that are in its memory, and those
 * that it had to stop and tries again. Whoever changes something about an execution as a whole takes a turn of it first.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Host from "../../services/ExecutionHost.ts"
import type { EffectLedger } from "../../services/EffectLedger.ts"
import type { KeeperHealth } from "../../services/ExecutionKeeper.ts"
import type * as Journals from "../../services/JournalStore.ts"
import { Turns } from "../triggerflow/Turns.ts"
import type { Kept } from "./Kept.ts"
import type { Settings } from "./Settings.ts"

/**
 * Whether an execution is this runner's to look after, where something else spreads executions over the runners. It is
 * asked again and again; what is not this runner's any more is let go of.
 *
 * @category models
 */
export type IsOurs = (id: string, flow: { readonly flow: string; readonly version?: string | undefined }) => boolean

const keyOf = (flow: string, version: string | undefined): string => JSON.stringify([flow, version ?? null])

/**
 * What one runner has.
 *
 * @category models
 */
export class Roster {
  readonly store: Journals.JournalStore["Service"]
  /** Where it is there: what it holds of executions that are forgotten is forgotten with them. */
  readonly ledger: EffectLedger["Service"] | undefined
  readonly settings: Settings
  readonly owner: Journals.Owner
  readonly host: string
  readonly scope: Scope.Scope
  /** Undefined: whatever nobody has is this runner's. */
  readonly isOurs: IsOurs | undefined
  readonly flows = new Map<string, Host.FlowRunner>()
  /** The executions in memory. */
  readonly entries = new Map<string, Kept>()
  /** Executions that had to stop here since the store did not write, and how often; they are tried again. */
  readonly stranded = new Map<string, number>()
  /** A claim has failed, and nobody knows whether it was made: there may be some that count as this runner's. */
  isUnsure = false
  /** How many may be read and begun again at once. */
  readonly reading: Semaphore.Semaphore
  status: KeeperHealth["status"] = "up"
  renewedAt: number
  trouble: string | undefined = undefined
  /** Whoever changes something about an execution as a whole has a turn of it. */
  readonly turns = new Turns()

  constructor(
    store: Journals.JournalStore["Service"],
    settings: Settings,
    owner: Journals.Owner,
    host: string,
    scope: Scope.Scope,
    now: number,
    isOurs?: IsOurs,
    ledger?: EffectLedger["Service"]
  ) {
    this.store = store
    this.ledger = ledger
    this.settings = settings
    this.owner = owner
    this.host = host
    this.scope = scope
    this.renewedAt = now
    this.isOurs = isOurs
    this.reading = Semaphore.makeUnsafe(Math.max(1, settings.recoveries))
  }

  // ---------------------------------------------------------------------------------------------- failures

  failed(operation: string, detail: string, retryable = false): Host.ExecutionHostError {
    return new Host.ExecutionHostError({ host: this.host, operation, detail, retryable })
  }

  /** A failure of the store, told as one of the host. */
  readonly storeFailed =
    (operation: string) =>
    (error: Journals.JournalStoreError | Journals.JournalCorrupt | Journals.JournalConflict): Host.ExecutionHostError =>
      this.failed(
        operation,
        error.message,
        error._tag === "JournalConflict" || (error._tag === "JournalStoreError" && error.retryable)
      )

  /** Why it takes nothing new, where it does not. */
  get refusal(): string | undefined {
    switch (this.status) {
      case "draining":
        return "it is about to end. Try again: another runner takes over."
      case "deposed":
        return "another life of this runner has begun. Give each process a runner name of its own."
      case "closed":
        return "it has been closed. Keep its Layer open for as long as it is used."
      default:
        return undefined
    }
  }

  admit(operation: string): Effect.Effect<void, Host.ExecutionHostError> {
    return Effect.suspend(() => {
      const { refusal } = this
      return refusal === undefined
        ? Effect.void
        : Effect.fail(this.failed(operation, refusal, this.status === "draining"))
    })
  }

  // ---------------------------------------------------------------------------------------------- flows

  /** Adds a flow; false where it is there already. */
  add(runner: Host.FlowRunner): boolean {
    const key = keyOf(runner.flow, runner.version)
    if (this.flows.has(key)) return false
    this.flows.set(key, runner)
    return true
  }

  remove({ flow, version }: Host.FlowRunner): void {
    this.flows.delete(keyOf(flow, version))
  }

  /** What this runner can go on with. */
  get claimable(): ReadonlyArray<{ readonly flow: string; readonly version?: string }> {
    const found = new Map<string, { readonly flow: string; readonly version?: string }>()
    const add = (flow: string, version: string | undefined) =>
      found.set(keyOf(flow, version), { flow, ...(version === undefined ? {} : { version }) })
    for (const { flow, migrates, version } of this.flows.values()) {
      add(flow, version)
      if (migrates === undefined) continue
      add(flow, undefined)
      for (const from of migrates) add(flow, from)
    }
    return [...found.values()]
  }

  /** Who runs executions of a flow: whoever is registered for the version, else whoever migrates it. */
  runnerOf(flow: string, version: string | undefined): Host.FlowRunner | undefined {
    const own = this.flows.get(keyOf(flow, version))
    if (own !== undefined) return own
    for (const runner of this.flows.values()) {
      const { migrates } = runner
      if (runner.flow !== flow || migrates === undefined) continue
      if (version === undefined || migrates.includes(version)) return runner
    }
    return undefined
  }

  /** The runner of exactly this version. */
  exactly(flow: string, version: string): Host.FlowRunner | undefined {
    return this.flows.get(keyOf(flow, version))
  }

  /** There is nobody here who can run an execution. */
  unregistered(operation: string, { flow, version }: Journals.JournalHead): Host.ExecutionHostError {
    const what = version === undefined ? flow : `${flow}, version ${version},`
    return this.failed(operation, `the flow ${what} is not registered here`)
  }

  // ---------------------------------------------------------------------------------------------- executions

  isOwn(owner: Journals.Owner | undefined): boolean {
    return owner?.runner === this.owner.runner && owner.incarnation === this.owner.incarnation
  }

  /** Whether an execution counts as this runner's although nothing of it is in memory: nobody else would take it. */
  isAdrift(head: Journals.JournalHead): boolean {
    return (
      head.lifecycle !== "closed" && head.dead === undefined && this.isOwn(head.owner) && !this.entries.has(head.id)
    )
  }

  /** It had to stop here, and is tried again. */
  strand(id: string, spared: number): void {
    this.stranded.set(id, spared + 1)
  }
}
