/** `ExecutionKeeper` over the executions of one runner: what people who operate it ask for. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Host from "../../services/ExecutionHost.ts"
import type { ExecutionKeeper, ForkOptions } from "../../services/ExecutionKeeper.ts"
import type { JournalHead } from "../../services/JournalStore.ts"
import { freshId } from "../triggerflow/Opening.ts"
import { summaryOf } from "./Hosting.ts"
import type { Keeper } from "./Keeper.ts"
import { keptOf, versionOf, writtenOf } from "./Kept.ts"

type Trouble = Host.UnknownExecution | Host.ExecutionHostError

/** What operators of a runner ask for. @category constructors */
export const of = (keeper: Keeper): ExecutionKeeper["Service"] => {
  const { store } = keeper

  const headOf = (id: string): Effect.Effect<JournalHead, Trouble> =>
    Effect.flatMap(Effect.mapError(store.get(id), keeper.storeFailed(`find ${id}`)), (head) =>
      Option.isNone(head) ? Effect.fail(new Host.UnknownExecution({ id })) : Effect.succeed(head.value)
    )

  const runnerOf = ({ flow, version }: JournalHead, operation: string) => {
    const runner = keeper.runnerOf(flow, version)
    return runner === undefined
      ? Effect.fail(keeper.failed(operation, `the flow ${flow} is not registered here`))
      : Effect.succeed(runner)
  }

  const history: ExecutionKeeper["Service"]["history"] = (id, options) =>
    Effect.gen(function* () {
      const operation = `read the history of ${id}`
      const runner = yield* runnerOf(yield* headOf(id), operation)
      const { entries, snapshot } = yield* Effect.mapError(keptOf(store, id), keeper.storeFailed(operation))
      if (options?.runs !== true || runner.reader === undefined) return yield* runner.history(snapshot?.json, entries)
      return yield* (yield* runner.reader(snapshot?.json)).take(entries)
    })

  const place = (id: string, { seq, step }: ForkOptions) =>
    Effect.gen(function* () {
      if (step === undefined) return seq
      const ended = (yield* history(id)).findLast(
        (entry) => entry.step === step && (entry.what === "done" || entry.what === "failed")
      )
      if (ended !== undefined) return ended.seq - 1
      return yield* Effect.fail(
        keeper.failed(
          `fork ${id}`,
          `the step "${step}" has not ended in it, as far as the journal is kept. See its history.`
        )
      )
    })

  const fork: ExecutionKeeper["Service"]["fork"] = (id, options = {}) =>
    Effect.gen(function* () {
      const operation = `fork ${id}`
      const head = yield* headOf(id)
      const runner = yield* runnerOf(head, operation)
      const until = yield* place(id, options)
      const found = yield* Effect.mapError(
        store.read(id, until === undefined ? {} : { until }),
        keeper.storeFailed(operation)
      )
      if (Option.isNone(found)) {
        return yield* Effect.fail(keeper.failed(operation, `the journal does not reach back to ${until ?? "there"}`))
      }
      const as = options.id ?? (yield* freshId)
      const json = yield* runner.fork(writtenOf(found.value), as)
      const made = yield* Effect.mapError(
        store.create({
          id: as,
          flow: head.flow,
          ...versionOf(runner),
          status: "running",
          lifecycle: "open",
          input: head.input,
          tags: [...head.tags, `fork:${id}`],
          owner: keeper.owner,
          records: [],
          snapshot: json
        }),
        keeper.storeFailed(operation)
      )
      if (!made.created) return yield* Effect.fail(keeper.failed(operation, `there is an execution "${as}" already`))
      // It is there. Where it cannot go on here now, it does so later, here or elsewhere.
      yield* Effect.catchTag(keeper.activate(as), "ExecutionHostError", () =>
        Effect.mapError(store.release(keeper.owner, [as]), keeper.storeFailed(operation))
      )
      return as
    })

  return {
    recover: keeper.recover,
    deadLetters: (query) =>
      Effect.map(
        Effect.mapError(store.list({ ...query, dead: true }), keeper.storeFailed("list dead letters")),
        ({ heads, next }) => ({
          executions: heads.flatMap((head) => (head.dead === undefined ? [] : { ...summaryOf(head), dead: head.dead })),
          ...(next === undefined ? {} : { next })
        })
      ),
    retry: (id) =>
      Effect.gen(function* () {
        yield* headOf(id)
        const revived = yield* Effect.mapError(store.revive(id), keeper.storeFailed(`retry ${id}`))
        if (!revived) return yield* Effect.fail(keeper.failed(`retry ${id}`, "it is no dead letter"))
        yield* Effect.catchTag(keeper.activate(id), "FlowFailed", ({ failure }) =>
          Effect.fail(keeper.failed(`retry ${id}`, failure.message))
        )
      }),
    discard: (id) =>
      Effect.gen(function* () {
        const { dead, fence, lifecycle, seq } = yield* headOf(id)
        const operation = `discard ${id}`
        if (dead === undefined) return yield* Effect.fail(keeper.failed(operation, "it is no dead letter"))
        yield* Effect.mapError(
          Effect.gen(function* () {
            // It ends while it is dead: nobody may take it in between, and run any of it.
            if (lifecycle !== "closed")
              yield* store.append({
                id,
                fence,
                expected: seq,
                records: [],
                status: "cancelled",
                lifecycle: "closed",
                closed: true,
                wakeAt: null
              })
            yield* store.revive(id)
          }),
          keeper.storeFailed(operation)
        )
      }),
    fork,
    history,
    health: keeper.health,
    drain: keeper.drain
  }
}
