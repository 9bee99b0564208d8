// Runners and clients in this process, on storages that they share.
import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Redacted, Schedule, Schema, Scope } from "effect"
import { ClusterError, EntityAddress, EntityId, EntityType, ShardId, Snowflake } from "effect/cluster"
import { SqlClient } from "effect/sql"
import { Cluster, type RunnerOptions } from "effigent/layers/cluster"
import { JournalStores } from "effigent/layers/sql-store"
import { ExecutionHost, ExecutionHostError } from "effigent/services/ExecutionHost"
import { ExecutionKeeper } from "effigent/services/ExecutionKeeper"
import { Chain, Interrupt, Signal, TriggerFlow } from "effigent/triggerflow"
import * as Errors from "../../../layers/cluster/Errors.ts"
import * as Purging from "../../../layers/cluster/Purging.ts"
import * as Postgres from "../../support/postgres.ts"
import * as Processes from "./Processes.ts"

const Note = Signal.make("Note", Schema.String)
const Late = Interrupt.make("Late", { payload: Schema.Null, resume: Schema.String })
const Work = TriggerFlow.define("work", {
  input: Schema.Struct({ waits: Schema.optionalKey(Schema.Int) }),
  state: Schema.Struct({ notes: Schema.Array(Schema.String) }),
  initial: { notes: [] },
  result: Schema.String,
  signals: [Note],
  interrupts: [Late]
})

/** It waits for an answer for so many milliseconds, or is at work until the gate opens. */
const work = (gate: Deferred.Deferred<void>) =>
  Work.build(
    Work.start.pipe(
      Chain.to("work", ({ waits }) =>
        waits === undefined ? Effect.as(Deferred.await(gate), 1) : Effect.succeed(waits)
      ),
      Chain.to("wait", (waits, run) => run.pause(Late, null, { expires: waits, otherwise: "late" })),
      Chain.result
    ),
    Work.on(Note).pipe(Chain.to("note", (note, run) => run.state.append("notes", note)))
  )

const settings = { autoClose: false } as const
const start = (id: string, input: { readonly waits?: number }) =>
  ExecutionHost.use((host) => host.start({ flow: "work", id, input, settings }))

/** A database with its journal; processes on it are made by `join`. */
const shared = Effect.gen(function* () {
  const url = yield* Postgres.database
  const database = yield* Layer.build(
    Layer.provideMerge(JournalStores.layer(), PgClient.layer({ url: Redacted.make(url), maxConnections: 12 }))
  )
  const gate = yield* Deferred.make<void>()
  const scope = yield* Effect.scope
  const runner = (options: Partial<RunnerOptions> = {}) =>
    Effect.gen(function* () {
      const own = yield* Scope.fork(scope)
      const port = yield* Processes.freePort
      const layer = TriggerFlow.toLayer(work(gate)).pipe(
        Layer.provideMerge(
          Cluster.runner({ host: "127.0.0.1", port, shards: 8, lockExpiry: 2000, settle: 5, drain: 200, ...options })
        ),
        Layer.provide(Layer.succeedContext(database))
      )
      const context = yield* Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), own)
      yield* Effect.provide(
        Cluster.ClusterMember.use((member) => member.joined),
        context
      )
      return { context, close: Scope.close(own, Exit.void) }
    })
  const client = (options: Parameters<typeof Cluster.client>[0] = {}) =>
    Layer.fresh(Cluster.client({ shards: 8, lockExpiry: 2000, patience: "10 seconds", ...options })).pipe(
      Layer.provide(Layer.succeedContext(database))
    )
  return { database, gate, runner, client }
})

const view = (id: string) => ExecutionHost.use((host) => host.get(id))
const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : "it has not failed"))
const hostFailure = (error: unknown): ExecutionHostError => {
  assert.instanceOf(error, ExecutionHostError)
  // By the line above.
  return error as ExecutionHostError
}

const live = (
  name: string,
  body: (parts: Effect.Success<typeof shared>) => Effect.Effect<void, unknown, Scope.Scope>
) => it.live(name, () => Effect.scoped(Effect.flatMap(shared, body)), 40_000)

describe("runners of a cluster", () => {
  live("a signal that is sent again under its id, to the next runner, does nothing twice", ({ client, runner }) =>
    Effect.gen(function* () {
      const one = yield* runner()
      const host = yield* ExecutionHost
      yield* start("a", { waits: 60_000 })
      const note = (requestId: string) => host.signal("a", "Note", requestId, { wait: true, requestId })
      yield* note("n1")
      yield* note("n1")
      yield* runner()
      yield* one.close
      yield* note("n1")
      yield* note("n2")
      assert.deepStrictEqual((yield* view("a")).state, { notes: ["n1", "n2"] })
      // The other changes know their ids, too.
      yield* host.answer("a", "work/1", "yes", { requestId: "r", interrupt: "Late" }).pipe(Effect.ignore)
      const [question] = (yield* view("a")).questions
      const id = question?.id ?? ""
      yield* host.answer("a", id, "yes", { requestId: "r" })
      yield* host.answer("a", id, "yes", { requestId: "r" })
      yield* host.close("a")
      assert.strictEqual((yield* host.await("a")).result, "yes")
    }).pipe(Effect.provide(client()))
  )

  live("what waits leaves the memory, and is woken by its time although nobody asks", ({ client, runner }) =>
    Effect.gen(function* () {
      const { context } = yield* runner({ idle: 100 })
      yield* start("a", { waits: 2500 })
      const active = Effect.provide(
        ExecutionKeeper.use((keeper) => Effect.map(keeper.health, (health) => health.active)),
        context
      )
      const until = (wanted: number) =>
        Effect.retry(
          Effect.flatMap(active, (is) => (is === wanted ? Effect.void : Effect.fail(is))),
          { schedule: Schedule.spaced(25), times: 400 }
        )
      yield* until(0)
      // Looking at it does not take it in.
      assert.strictEqual((yield* view("a")).status, "waiting")
      assert.strictEqual(yield* active, 0)
      yield* until(1)
      const host = yield* ExecutionHost
      yield* host.close("a")
      assert.strictEqual((yield* view("a")).result, "late")
    }).pipe(Effect.provide(client()))
  )

  live(
    "a second runner is given a part of what runs, and what is at work there ends there",
    ({ client, gate, runner }) =>
      Effect.gen(function* () {
        const one = yield* runner()
        const ids = Array.from({ length: 24 }, (_, index) => `e${index}`)
        yield* Effect.forEach(ids, (id) => start(id, { waits: 60_000 }), { concurrency: 8 })
        const two = yield* runner()
        const activeOf = ({ context }: typeof one) =>
          Effect.provide(
            ExecutionKeeper.use((keeper) => Effect.map(keeper.health, (health) => health.active)),
            context
          )
        yield* Effect.retry(
          Effect.flatMap(Effect.all([activeOf(one), activeOf(two)]), ([first]) =>
            first < 24 && first > 0 ? Effect.void : Effect.fail(first)
          ),
          { schedule: Schedule.spaced(50), times: 200 }
        )
        const host = yield* ExecutionHost
        yield* Effect.forEach(ids, (id) => host.signal(id, "Note", id, { wait: true }), { concurrency: 8 })
        const [first, second] = yield* Effect.all([activeOf(one), activeOf(two)])
        assert.isAbove(first, 0)
        assert.isAbove(second, 0)
        assert.strictEqual(first + second, 24)
        yield* Effect.forEach(ids, (id) =>
          Effect.map(view(id), (view) => assert.deepStrictEqual(view.state, { notes: [id] }))
        )
        yield* Deferred.succeed(gate, undefined)
      }).pipe(Effect.provide(client()))
  )

  live("a runner that is full says so and lets those in that find room", ({ client, gate, runner }) =>
    Effect.gen(function* () {
      yield* runner({ resident: 2 })
      yield* start("a", {})
      yield* start("b", {})
      const error = hostFailure(yield* failureOf(Effect.provide(start("c", {}), client({ patience: 1000 }))))
      assert.isTrue(error.retryable)
      assert.include(error.detail, "2 executions")
      const waiting = yield* Effect.forkChild(start("c", {}), { startImmediately: true })
      const host = yield* ExecutionHost
      yield* host.cancel("a")
      assert.strictEqual(yield* Fiber.join(waiting), "c")
      yield* Deferred.succeed(gate, undefined)
    }).pipe(Effect.provide(client()))
  )

  live(
    "more requests to one execution than its mailbox holds are refused, and can be repeated",
    ({ client, gate, runner }) =>
      Effect.gen(function* () {
        yield* runner({ mailbox: 2 })
        const host = yield* ExecutionHost
        // It closes by itself: a request to close it would have to wait for room, too.
        yield* host.start({ flow: "work", id: "a", input: {}, settings: { autoClose: 100 } })
        const waiting = yield* Effect.forkChild(Effect.all([host.await("a"), host.await("a")], { concurrency: 2 }), {
          startImmediately: true
        })
        const full = Effect.provide(
          ExecutionHost.use((host) => failureOf(host.get("a"))),
          client({ patience: 1000 })
        )
        const error = hostFailure(
          yield* Effect.repeat(full, { until: (error) => error instanceof ExecutionHostError, times: 50 })
        )
        assert.isTrue(error.retryable)
        assert.include(error.detail, "as many requests")
        yield* Deferred.succeed(gate, undefined)
        yield* host.close("a")
        assert.lengthOf(yield* Fiber.join(waiting), 2)
      }).pipe(Effect.provide(client()))
  )

  live("says when it has joined, and when it has left", ({ runner }) =>
    Effect.gen(function* () {
      const { close, context } = yield* runner()
      const isJoined = Effect.provide(
        Cluster.ClusterMember.use((member) => member.isJoined),
        context
      )
      assert.isTrue(yield* isJoined)
      yield* Effect.provide(
        ExecutionKeeper.use((keeper) => keeper.drain),
        context
      )
      assert.isFalse(yield* isJoined)
      yield* close
    })
  )

  live(
    "requests that were done are forgotten with their replies, and nothing else is",
    ({ client, database, runner }) =>
      Effect.gen(function* () {
        yield* runner()
        yield* start("a", { waits: 60_000 })
        const host = yield* ExecutionHost
        yield* host.signal("a", "Note", "n", { wait: true })
        const counts = SqlClient.SqlClient.use((sql) =>
          Effect.map(
            sql<{
              readonly messages: number
              readonly replies: number
            }>`SELECT (SELECT count(*)::int FROM cluster_messages) AS messages, (SELECT count(*)::int FROM cluster_replies) AS replies`,
            ([row]) => [row?.messages ?? -1, row?.replies ?? -1] as const
          )
        )
        const [before] = yield* counts
        assert.isAtLeast(before, 2)
        assert.strictEqual(yield* Purging.purge(60_000), 0)
        assert.strictEqual(yield* Purging.purge(-1000), before)
        assert.deepStrictEqual(yield* counts, [0, 0])
        // What is known of requests is in the journal.
        yield* host.signal("a", "Note", "n2", { wait: true })
        assert.deepStrictEqual((yield* view("a")).state, { notes: ["n", "n2"] })
      }).pipe(Effect.provide([client(), Layer.succeedContext(database)]))
  )

  live("what cannot be asked for is said in words", ({ client, runner }) =>
    Effect.gen(function* () {
      const host = yield* ExecutionHost
      const unknown = yield* failureOf(host.get("nobody"))
      assert.propertyVal(unknown, "_tag", "UnknownExecution")
      assert.propertyVal(yield* failureOf(start("a", {})), "_tag", "UnknownFlow")
      const one = yield* runner()
      yield* start("a", { waits: 60_000 })
      assert.include(
        hostFailure(yield* failureOf(host.start({ flow: "work", id: "x".repeat(256), input: {} }))).detail,
        "255"
      )
      // Not what types allow.
      const noJson = undefined as unknown as string
      assert.include(hostFailure(yield* failureOf(host.start({ flow: "work", input: noJson }))).detail, "no JSON")
      const registering = Effect.scoped(Layer.build(TriggerFlow.toLayer(work(yield* Deferred.make<void>()))))
      assert.include(hostFailure(yield* failureOf(registering)).detail, "Cluster.runner")
      yield* one.close
      const gone = hostFailure(
        yield* failureOf(
          Effect.provide(
            ExecutionHost.use((host) => host.signal("a", "Note", "n", { wait: true })),
            client({ patience: 1000 })
          )
        )
      )
      assert.isTrue(gone.retryable)
      assert.include(gone.detail, 'no runner has registered the flow "work"')
    }).pipe(Effect.provide(client()))
  )

  it("every failure of the cluster is told as one of the host", () => {
    const shardId = ShardId.make("group", 1)
    const address = EntityAddress.make({
      shardId,
      entityType: EntityType.make("t"),
      entityId: EntityId.make("e")
    })
    const all = [
      new ClusterError.MailboxFull({ address }),
      new ClusterError.AlreadyProcessingMessage({ envelopeId: Snowflake.Snowflake(1n), address }),
      new ClusterError.EntityNotAssignedToRunner({ address }),
      new ClusterError.PersistenceError({ cause: new Error("no disk") })
    ].map((error) => Errors.fromSend("do it", error))
    assert.deepStrictEqual(
      all.map(({ retryable }) => retryable),
      [true, true, true, true]
    )
    assert.include(all[3]?.message, "no disk")
    const defect = Errors.fromDefect("do it", Cause.die(new Error("a bug")))
    assert.isFalse(defect.retryable)
    assert.include(defect.message, "a bug")
  })
})
