/** A flow as an `ExecutionHost` runs it: what opens executions of it, and goes on with those that were written down. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Host from "../../../services/ExecutionHost.ts"
import * as Execution from "../Execution.ts"
import * as Opening from "../Opening.ts"
import * as Recovery from "../journal/Recovery.ts"
import { Writing } from "../journal/Writing.ts"
import type { Migration } from "../saving/Migration.ts"
import type { Flow } from "../Flow.ts"
import * as FlowError from "../FlowError.ts"
import * as Plan from "../engine/Plan.ts"
import * as Tracing from "../engine/Tracing.ts"
import type { Spec } from "../Spec.ts"
import { refused, running } from "./Running.ts"

const kind = { recorded: true, failOnPause: false } as const

/**
 * The runner of a flow, with the services that its handlers need. `fingerprint` tells definitions apart.
 *
 * @category constructors
 */
export const make = <C extends Spec, E, R>(
  flow: Flow<C, E, R>,
  fingerprint?: string,
  migrations: ReadonlyArray<Migration> = []
): Effect.Effect<Host.FlowRunner, never, R> =>
  Effect.contextWith((context) =>
    Effect.sync((): Host.FlowRunner => {
      const plan = Plan.of(flow.data)
      const { name, version } = flow.data.contract
      const autoClose = Opening.autoCloseOf(flow.data)
      return {
        flow: name,
        version,
        fingerprint,
        ...(migrations.length === 0 ? {} : { migrates: migrations.map(({ from }) => from) }),
        open: ({ id, input, journal, settings }) =>
          Effect.contextWith((caller: Context.Context<never>) => {
            const refuse = (reason: FlowError.Reason) => Effect.fail(refused(flow.data, id, reason))
            const findings = Opening.wrongOptions(settings)
            if (findings.length > 0) return refuse(new FlowError.InvalidDefinition({ findings }))
            const value = plan.input.decode(input)
            if (Result.isFailure(value))
              return refuse(new FlowError.ContractViolation({ part: "input", issue: value.failure }))
            const engine = Execution.engineOf(
              flow,
              Opening.settingsOf(settings, id, { ...kind, autoClose }),
              Tracing.below(context, caller),
              {}
            )
            const writing = journal === undefined ? undefined : new Writing(engine, journal)
            const opened = writing?.open()
            if (opened !== undefined && Result.isFailure(opened)) return refuse(opened.failure)
            engine.start(value.success)
            return Effect.succeed(running(engine, writing))
          }),
        ...Recovery.of(flow.data, context, migrations)
      }
    })
  )
