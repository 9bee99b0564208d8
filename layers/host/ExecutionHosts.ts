/**
 * Executions of flows in this process. The host owns them: when its Scope closes they are cancelled, and nothing of them
 * outlives it. Ended ones are kept for a while, so that their outcome can be asked for and a repeated start joins them.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Host from "../../services/ExecutionHost.ts"
import { canonical } from "../../services/Json.ts"

/**
 * How long ended executions are kept: as long as both limits allow.
 *
 * @category models
 */
export interface Options {
  /** How many at most, the last to end. Default 1,000. */
  readonly keep?: number | undefined
  /** How long at most after their end. Default 1 hour. */
  readonly keepFor?: Duration.Input | undefined
}

interface Registration {
  readonly runner: Host.FlowRunner
}

interface Entry {
  readonly id: string
  readonly registration: Registration
  readonly tags: ReadonlyArray<string>
  /** The input as canonical JSON: what another start under the same id has to bring. */
  readonly input: string
  readonly startedAt: number
  closedAt: number | undefined
  readonly opened: Deferred.Deferred<Host.RunningExecution, Host.FlowFailed>
}

/** JSON in which the keys of objects stand in order; what is wrong where it is no JSON, against its type. */
const inputText = (json: Json): Result.Result<string, string> =>
  Result.try({
    try: () => canonical(json),
    catch: (error) => `the input is no JSON (${String(error)}). Encode it first.`
  })

const freshId: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 32), Random.nextIntBetween(0, 2 ** 32)]),
  (parts) => parts.map((part) => part.toString(16).padStart(8, "0")).join("")
)

const keyOf = (flow: string, version: string | undefined): string => JSON.stringify([flow, version ?? null])

class InProcess {
  readonly flows = new Map<string, Registration>()
  /** In the order of their start. */
  readonly entries = new Map<string, Entry>()
  /** Ended ones, in the order of their end. */
  readonly ended = new Set<Entry>()
  readonly keep: number
  readonly keepFor: number
  readonly scope: Scope.Scope
  closed = false

  constructor(options: Options, scope: Scope.Scope) {
    this.keep = options.keep ?? 1000
    this.keepFor = Duration.toMillis(Duration.fromInputUnsafe(options.keepFor ?? "1 hour"))
    this.scope = scope
  }

  private failed(
    operation: string,
    detail = "it has been closed. Keep its Layer open for as long as it is used."
  ): Host.ExecutionHostError {
    return new Host.ExecutionHostError({ host: "in process", operation, detail, retryable: false })
  }

  private forget(now: number): void {
    for (const entry of this.ended) {
      const old = entry.closedAt !== undefined && now - entry.closedAt > this.keepFor
      if (!old && this.ended.size <= this.keep) return
      this.ended.delete(entry)
      this.entries.delete(entry.id)
    }
  }

  register(runner: Host.FlowRunner): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError, Scope.Scope> {
    const { flow, version } = runner
    const key = keyOf(flow, version)
    const registration: Registration = { runner }
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.suspend((): Effect.Effect<void, Host.FlowRegistered | Host.ExecutionHostError> => {
          if (this.closed) return Effect.fail(this.failed("register a flow"))
          if (this.flows.has(key))
            return Effect.fail(new Host.FlowRegistered({ flow, ...(version === undefined ? {} : { version }) }))
          this.flows.set(key, registration)
          return Effect.void
        }),
        () =>
          Effect.suspend(() => {
            this.flows.delete(key)
            // What its handlers need is about to be closed.
            return this.cancelAll("its flow is no longer registered", (entry) => entry.registration === registration)
          })
      )
    )
  }

  cancelAll(reason: string, which: (entry: Entry) => boolean): Effect.Effect<void> {
    const open = [...this.entries.values()].filter((entry) => entry.closedAt === undefined && which(entry))
    return Effect.forEach(
      open,
      (entry) => Effect.exit(Effect.flatMap(Deferred.await(entry.opened), (running) => running.cancel(reason))),
      { concurrency: "unbounded", discard: true }
    )
  }

  private registered({ flow, version }: Host.StartRequest): Registration | undefined {
    if (version !== undefined) return this.flows.get(keyOf(flow, version))
    let last: Registration | undefined
    for (const registration of this.flows.values()) if (registration.runner.flow === flow) last = registration
    return last
  }

  private conflict(entry: Entry, request: Host.StartRequest, input: string): Host.ExecutionConflict | undefined {
    const { runner } = entry.registration
    const differs =
      runner.flow !== request.flow
        ? "flow"
        : request.version !== undefined && runner.version !== request.version
          ? "version"
          : entry.input !== input
            ? "input"
            : undefined
    return differs === undefined ? undefined : new Host.ExecutionConflict({ id: entry.id, differs })
  }

  start(
    request: Host.StartRequest
  ): Effect.Effect<string, Host.UnknownFlow | Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError> {
    const id = request.id === undefined ? freshId : Effect.succeed(request.id)
    // Whoever starts it may be interrupted; the execution belongs to the host.
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.all([id, Clock.currentTimeMillis]), ([id, now]) => this.enter(id, now, request, restore))
    )
  }

  /** In one go, so that of several starts under one id one opens it and the others find it. */
  private enter(
    id: string,
    startedAt: number,
    request: Host.StartRequest,
    restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  ): Effect.Effect<string, Host.UnknownFlow | Host.ExecutionConflict | Host.FlowFailed | Host.ExecutionHostError> {
    return Effect.suspend((): ReturnType<InProcess["start"]> => {
      if (this.closed) return Effect.fail(this.failed(`start ${request.flow}`))
      this.forget(startedAt)
      const input = inputText(request.input)
      if (Result.isFailure(input)) return Effect.fail(this.failed(`start ${request.flow}`, input.failure))
      const known = this.entries.get(id)
      if (known !== undefined) {
        const conflict = this.conflict(known, request, input.success)
        return conflict === undefined ? restore(Effect.as(Deferred.await(known.opened), id)) : Effect.fail(conflict)
      }
      const registration = this.registered(request)
      if (registration === undefined) return Effect.fail(this.unknown(request))
      const entry: Entry = {
        id,
        registration,
        tags: request.tags ?? [],
        input: input.success,
        startedAt,
        closedAt: undefined,
        opened: Deferred.makeUnsafe()
      }
      this.entries.set(id, entry)
      return this.open(entry, request)
    })
  }

  private unknown({ flow, version }: Host.StartRequest): Host.UnknownFlow {
    const known = [...this.flows.values()].flatMap(({ runner }) => (runner.flow === flow ? [runner.version ?? ""] : []))
    return new Host.UnknownFlow({ flow, ...(version === undefined ? {} : { version }), known })
  }

  private open(entry: Entry, request: Host.StartRequest): Effect.Effect<string, Host.FlowFailed> {
    const { id, opened, registration } = entry
    return Effect.gen({ self: this }, function* () {
      const exit = yield* Effect.exit(
        registration.runner.open({ id, input: request.input, settings: request.settings ?? {} })
      )
      if (Exit.isFailure(exit)) this.entries.delete(id)
      else yield* Effect.forkIn(this.follow(entry, exit.value), this.scope, { startImmediately: true })
      Deferred.doneUnsafe(opened, exit)
      return yield* Effect.as(exit, id)
    })
  }

  /** Waits for the end of an execution. */
  private follow(entry: Entry, running: Host.RunningExecution): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* running.closed
      const now = yield* Clock.currentTimeMillis
      this.settle(entry, now)
      this.forget(now)
    })
  }

  /** An execution has ended; whoever sees it first notes it. */
  private settle(entry: Entry, now: number): void {
    if (entry.closedAt !== undefined) return
    entry.closedAt = now
    this.ended.add(entry)
  }

  private find(id: string): Effect.Effect<Entry, Host.UnknownExecution | Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      if (this.closed) return yield* Effect.fail(this.failed(`reach ${id}`))
      this.forget(yield* Clock.currentTimeMillis)
      const entry = this.entries.get(id)
      return entry ?? (yield* Effect.fail(new Host.UnknownExecution({ id })))
    })
  }

  private running(
    id: string
  ): Effect.Effect<readonly [Host.RunningExecution, Entry], Host.UnknownExecution | Host.ExecutionHostError> {
    return Effect.flatMap(this.find(id), (entry) =>
      Effect.mapBoth(Deferred.await(entry.opened), {
        onSuccess: (running) => [running, entry] as const,
        // Its start was refused meanwhile.
        onFailure: () => new Host.UnknownExecution({ id })
      })
    )
  }

  private summary(
    entry: Entry,
    { lifecycle, status }: Pick<Host.Progress, "status" | "lifecycle">,
    now: number
  ): Host.ExecutionSummary {
    if (lifecycle === "closed") this.settle(entry, now)
    const { closedAt, id, registration, startedAt } = entry
    const { fingerprint, flow, version } = registration.runner
    return {
      id,
      flow,
      ...(version === undefined ? {} : { version }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      status,
      lifecycle,
      startedAt,
      ...(closedAt === undefined ? {} : { closedAt })
    }
  }

  private view(running: Host.RunningExecution, entry: Entry): Effect.Effect<Host.ExecutionView> {
    return Effect.map(Effect.all([running.progress, Clock.currentTimeMillis]), ([progress, now]) => ({
      ...progress,
      ...this.summary(entry, progress, now)
    }))
  }

  list(query: Host.ListQuery = {}): Effect.Effect<Host.ListPage, Host.ExecutionHostError> {
    return Effect.gen({ self: this }, function* () {
      if (this.closed) return yield* Effect.fail(this.failed("list executions"))
      const now = yield* Clock.currentTimeMillis
      this.forget(now)
      const limit = query.limit ?? 100
      const executions: Array<Host.ExecutionSummary> = []
      let last = ""
      for (const entry of [...this.entries.values()].toSorted(inOrder)) {
        const place = placeOf(entry)
        if (query.after !== undefined && place <= query.after) continue
        const { flow, version } = entry.registration.runner
        if (query.flow !== undefined && query.flow !== flow) continue
        if (query.version !== undefined && query.version !== version) continue
        if (query.tags?.every((tag) => entry.tags.includes(tag)) === false) continue
        if (!(yield* Deferred.isDone(entry.opened))) continue
        const running = yield* Effect.option(Deferred.await(entry.opened))
        if (running._tag === "None") continue
        const summary = this.summary(entry, yield* running.value.standing, now)
        if (query.status !== undefined && query.status !== summary.status) continue
        if (executions.length === limit) return { executions, next: last }
        executions.push(summary)
        last = place
      }
      return { executions }
    })
  }

  clear(): void {
    this.entries.clear()
    this.ended.clear()
    this.flows.clear()
  }

  /** The service. */
  readonly service = (): Host.ExecutionHost["Service"] => ({
    register: (runner) => this.register(runner),
    start: (request) => this.start(request),
    signal: (id, signal, payload, { requestId, wait }) =>
      Effect.flatMap(this.running(id), ([running]) => running.signal(signal, payload, wait, requestId)),
    answer: (id, question, value, options = {}) =>
      Effect.flatMap(this.running(id), ([running]) => running.answer(question, value, options)),
    intervene: (id, payload, options = {}) =>
      Effect.flatMap(this.running(id), ([running]) => running.intervene(payload, options)),
    watch: (id, from = 0) => Stream.unwrap(Effect.map(this.running(id), ([running]) => running.watch(from))),
    get: (id) => Effect.flatMap(this.running(id), ([running, entry]) => this.view(running, entry)),
    list: (query) => this.list(query),
    save: (id) => Effect.flatMap(this.running(id), ([running]) => running.save),
    seal: (id) => Effect.flatMap(this.running(id), ([running]) => running.seal),
    close: (id, options = {}) =>
      Effect.flatMap(this.running(id), ([running, entry]) =>
        Effect.andThen(running.close(options), this.view(running, entry))
      ),
    cancel: (id, reason = "somebody asked for it") =>
      Effect.flatMap(this.running(id), ([running, entry]) =>
        Effect.andThen(running.cancel(reason), this.view(running, entry))
      ),
    await: (id) =>
      Effect.flatMap(this.running(id), ([running, entry]) => Effect.andThen(running.closed, this.view(running, entry)))
  })
}

/** Where an entry stands in lists: text that is in the order of the starts. */
const placeOf = ({ id, startedAt }: Entry): string => `${startedAt.toString().padStart(16, "0")}:${id}`

const inOrder = (one: Entry, other: Entry): number => (placeOf(one) < placeOf(other) ? -1 : 1)

/**
 * Executions in this process. Closing the Layer cancels them and waits until nothing of them is left.
 *
 * @category layers
 */
export const inProcess = (options: Options = {}): Layer.Layer<Host.ExecutionHost> =>
  Layer.effect(
    Host.ExecutionHost,
    Effect.gen(function* () {
      const host = yield* Effect.acquireRelease(
        Effect.map(Effect.scope, (scope) => new InProcess(options, scope)),
        (host) =>
          Effect.suspend(() => {
            host.closed = true
            return Effect.ensuring(
              host.cancelAll("its host was closed", () => true),
              Effect.sync(() => host.clear())
            )
          })
      )
      return host.service()
    })
  )

export {
  /**
   * Executions that outlive this process: see `DurableHost.ts`.
   *
   * @category layers
   */
  durable
} from "./DurableHost.ts"
