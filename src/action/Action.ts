/**
 * An action: something that a model may call. It is a tool of `effect/ai` (a name, a description, Schemas of input and
 * result) with a policy (what running it again does, who has to approve it, how long it may take, how much of its result
 * the model sees) and a handler. Arguments are decoded by the Schema before the handler sees them: a call that does not
 * fit goes back to the model in words.
 *
 * The type parameters: `In` is what the handler takes, `Out` what it gives, `E` how it fails (the model is told, unless it
 * is an `Abort`, which fails the run), `R` what it needs.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { ActionCall, SideEffect } from "../../services/Action.ts"
import { ActionExecutor, type ExecutorError } from "../../services/ActionExecutor.ts"
import { Tool, type Toolkit } from "../../services/AiTool.ts"
import { fromValue, type Json, type JsonObject } from "../../services/Json.ts"
export { Abort, type AbortOf, abort, type FailureOf, Retry, retry, Stop, stop } from "./Signal.ts"

/**
 * What a handler is told about its call.
 *
 * @category models
 */
export interface ActionContext {
  readonly call: ActionCall
  /**
   * The same for every try of this call, also after a restart, and for no other call: what a service that takes
   * idempotency keys is given.
   */
  readonly key: string
  /** Tells those who watch how far it is; the value has a JSON form. */
  readonly progress: (value: unknown) => Effect.Effect<void>
}

/**
 * Whether a call needs approval: never, always, or as the decoded input says.
 *
 * @category models
 */
export type Approval<In, R = never> =
  | "never"
  | "always"
  | ((input: In, call: ActionCall) => boolean | Effect.Effect<boolean, never, R>)

/**
 * How an action may be run.
 *
 * @category models
 */
export interface PolicyOptions<in In, out R = never> {
  /**
   * What running it again does. Default: what the tool's annotations say (`Readonly` is `pure`, `Idempotent` is
   * `idempotent`), else `once`.
   */
  readonly sideEffect?: SideEffect | undefined
  /** Whether a call needs approval. Default: what the tool's `needsApproval` says, else `never`. */
  readonly approval?: Approval<In, R> | undefined
  /**
   * What an approval is bound to besides the action and its input: the version of a file, a balance. Where it has changed
   * when the call is to be run, the approval is void and is asked for again. Default: nothing.
   */
  readonly resources?: ((input: In, call: ActionCall) => Effect.Effect<Json, never, R>) | undefined
  /** After how long a call is stopped and reported as `timeout`. Default: never. */
  readonly timeout?: Duration.Input | undefined
  /** How a failure is tried again before the model is told. Signals (`retry`, `stop`, `abort`) are not. Default: not. */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  /** How many calls of it run at once in this program, in all runs together. Default: any number. */
  readonly concurrency?: number | undefined
  /** How often it may be called in one run. Default: as often as the run's limits allow. */
  readonly maxCalls?: number | undefined
  /**
   * How many characters of a result, or of what went wrong, the model is shown. A longer one is kept as an artifact, which the model reads in
   * ranges; it is shown the beginning. Default 20,000.
   */
  readonly maxResult?: number | undefined
  /** Whether its result is the run's answer. Default false. */
  readonly returns?: boolean | undefined
  /** Whether the model first has to search for it. For agents with very many actions. Default false. */
  readonly onDemand?: boolean | undefined
}

/**
 * How an action may be run, with all defaults.
 *
 * @category models
 */
export interface Policy {
  readonly sideEffect: SideEffect
  readonly timeout: Duration.Duration | undefined
  readonly retry: Schedule.Schedule<unknown, unknown> | undefined
  readonly concurrency: number | undefined
  readonly maxCalls: number | undefined
  readonly maxResult: number
  readonly returns: boolean
  readonly onDemand: boolean
}

/**
 * Finds out what became of a call of which nobody knows, because the program ended while it was at work: `Some` with the
 * result if it was done, `None` if it was not and is to be run now. A failure says that it cannot be found out; then a
 * person is asked. For actions that must not run twice, in flows that go on after a crash.
 *
 * @category models
 */
export type Reconcile<In, Out, R = never> = (
  input: In,
  context: ActionContext
) => Effect.Effect<Option.Option<Out>, unknown, R>

const TypeId = "~effigent/Action"

/**
 * An action.
 *
 * @category models
 */
export interface Action<in In, out Out, out E = never, out R = never> extends Pipeable {
  readonly [TypeId]: {
    readonly _In: (input: In) => void
    readonly _Out: () => Out
    readonly _E: () => E
    readonly _R: () => R
  }
  /** Its name, by which models call it: letters, digits, `_` and `-`, at most 64. */
  readonly name: string
  /** What a model is told of it. */
  readonly tool: Tool.Any
  readonly policy: Policy
}

/** Any action. @category models */
export type Any = Action<never, unknown, unknown, unknown>

/**
 * How the loop runs an action.
 *
 * @category models
 */
export interface Runner<in out In, out Out, out E, out R> {
  /** What the model passed, decoded and completed with what the host adds. Fails with what is wrong, in words. */
  readonly decode: (input: Json) => Effect.Effect<In, Schema.SchemaError, R>
  readonly approval: Approval<In, R>
  readonly resources: PolicyOptions<In, R>["resources"]
  readonly reconcile: Reconcile<In, Out, R> | undefined
  readonly run: (input: In, context: ActionContext) => Effect.Effect<Out, E, R>
  readonly encode: (result: unknown) => Effect.Effect<Json, Schema.SchemaError, R>
  /** A failure of its own Schema, encoded; absent where it is none of it. */
  readonly encodeFailure: (error: unknown) => Effect.Effect<Json | undefined, never, R>
  /** How many may run at once. */
  readonly permits: Semaphore.Semaphore | undefined
}

class Impl<In, Out, E, R> implements Action<In, Out, E, R> {
  declare readonly [TypeId]: Action<In, Out, E, R>[typeof TypeId]
  readonly tool: Tool.Any
  readonly policy: Policy
  readonly runner: Runner<In, Out, E, R>

  constructor(tool: Tool.Any, policy: Policy, runner: Runner<In, Out, E, R>) {
    this.tool = tool
    this.policy = policy
    this.runner = runner
  }

  get name(): string {
    return String(this.tool.name)
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

/** Whether a value is an action. @category guards */
export const isAction = (value: unknown): value is Any => value instanceof Impl

/** How the loop runs an action. @category reading */
export const runnerOf = <In, Out, E, R>(self: Action<In, Out, E, R>): Runner<In, Out, E, R> =>
  // Actions are made in this file only, so that every Action is an Impl.
  (self as Impl<In, Out, E, R>).runner

const defaultMaxResult = 20_000

const policyOf = (tool: Tool.Any, options: PolicyOptions<never, unknown>): Policy => ({
  sideEffect:
    options.sideEffect ??
    (Context.get(tool.annotations, Tool.Readonly)
      ? "pure"
      : Context.get(tool.annotations, Tool.Idempotent)
        ? "idempotent"
        : "once"),
  timeout: options.timeout === undefined ? undefined : Duration.fromInputUnsafe(options.timeout),
  retry: options.retry,
  concurrency: options.concurrency,
  maxCalls: options.maxCalls,
  maxResult: options.maxResult ?? defaultMaxResult,
  returns: options.returns ?? false,
  onDemand: options.onDemand ?? false
})

const permitsOf = (concurrency: number | undefined) =>
  concurrency === undefined ? undefined : Semaphore.makeUnsafe(concurrency)

/** What the host adds to an action's input, unseen by the model: an Effect for each key. @category models */
export type Host = { readonly [key: string]: Effect.Effect<unknown, never, unknown> }

/** The values of what the host adds. @category models */
export type HostValues<H extends Host> = { readonly [K in keyof H]: Effect.Success<H[K]> }

const parsing = { errors: "all" } as const

/**
 * Makes an action.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "effigent"
 * import { Action, Actions } from "effigent/action"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const weather = Action.make("get_weather", {
 *   description: "The weather in a city now.",
 *   input: Schema.Struct({ city: Schema.String }),
 *   output: Schema.Struct({ celsius: Schema.Number }),
 *   sideEffect: "pure",
 *   run: ({ city }) => Effect.succeed({ celsius: city === "Oslo" ? -4 : 21 })
 * })
 *
 * const answer = Agent.make({ input: "Is it cold in Oslo?" }).pipe(Actions.use([weather]), Agent.run)
 *
 * const model = ScriptedModel.layer([
 *   ScriptedModel.toolCalls([{ name: "get_weather", input: { city: "Oslo" } }]),
 *   ScriptedModel.text("Yes: -4 degrees.")
 * ])
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide(model)))) // => Yes: -4 degrees.
 * ```
 *
 * @category constructors
 */
export const make = <
  Ran extends Effect.Effect<Output["Type"], unknown, unknown>,
  Input extends Schema.Top = typeof Tool.EmptyParams,
  Output extends Schema.Top = typeof Schema.Unknown,
  Failure extends Schema.Top = typeof Schema.Never,
  H extends Host = {},
  RA = never
>(
  name: string,
  config: Omit<PolicyOptions<never>, "approval" | "resources"> & {
    /** What it does and when to call it, for the model. */
    readonly description: string
    /** What the model passes. Default: nothing. */
    readonly input?: Input | undefined
    /** What the handler gives. Default: anything that has a JSON form. */
    readonly output?: Output | undefined
    /** Failures that the model is told as data. All others are told in words: their message. */
    readonly failure?: Failure | undefined
    /** What the handler gets besides, unseen by the model and by no means its to set: who asks, keys, limits. */
    readonly host?: H | undefined
    readonly approval?: Approval<NoInfer<Input["Type"] & HostValues<H>>, RA> | undefined
    readonly resources?: PolicyOptions<NoInfer<Input["Type"] & HostValues<H>>, RA>["resources"]
    readonly reconcile?: Reconcile<NoInfer<Input["Type"] & HostValues<H>>, NoInfer<Output["Type"]>, RA> | undefined
    readonly run: (input: NoInfer<Input["Type"] & HostValues<H>>, context: ActionContext) => Ran
  }
): Action<
  Input["Type"] & HostValues<H>,
  Output["Type"],
  Effect.Error<Ran>,
  // Where it stands, as in `Actions.use([...])`, says nothing of what it needs.
  Effect.Services<Ran> | NoInfer<RA> | Effect.Services<H[keyof H]> | ServicesOf<Input, Output, Failure>
> => {
  type Needs = Effect.Services<Ran> | RA | Effect.Services<H[keyof H]> | ServicesOf<Input, Output, Failure>
  const input = config.input ?? Tool.EmptyParams
  const tool = Tool.make(name, {
    description: config.description,
    parameters: input,
    success: config.output ?? Schema.Unknown,
    failure: config.failure ?? Schema.Never
  })
  const decode: (json: Json) => Effect.Effect<unknown, Schema.SchemaError, unknown> =
    config.input === undefined
      ? () => Effect.succeed({})
      : Schema.decodeUnknownEffect(Schema.toCodecJson(config.input), parsing)
  const host: Host | undefined = config.host
  const values = host === undefined ? undefined : Effect.all(host)
  const runner = {
    decode:
      values === undefined
        ? decode
        : (json: Json) =>
            Effect.flatMap(decode(json), (own) => Effect.map(values, (given) => Object.assign({}, own, given))),
    approval: config.approval ?? "never",
    resources: config.resources,
    reconcile: config.reconcile,
    run: config.run,
    encode: encoderOf(config.output),
    encodeFailure: failureEncoderOf(config.failure),
    permits: permitsOf(config.concurrency)
  }
  // The Schemas and the host's Effects are those of the type parameters.
  const typed = runner as Runner<Input["Type"] & HostValues<H>, Output["Type"], Effect.Error<Ran>, Needs>
  return new Impl(tool, policyOf(tool, config), typed)
}

/** What the Schemas of an action need. @category models */
export type ServicesOf<Input extends Schema.Top, Output extends Schema.Top, Failure extends Schema.Top> =
  | Input["DecodingServices"]
  | Output["EncodingServices"]
  | Failure["EncodingServices"]

// Results that come without a Schema are told as JSON.stringify tells them; what has no JSON form is nothing.
const encoderOf = (schema: Schema.Top | undefined) =>
  schema === undefined || schema === Schema.Unknown
    ? (result: unknown) => Effect.sync(() => fromValue(result))
    : Schema.encodeUnknownEffect(Schema.toCodecJson(schema))

const failureEncoderOf = (schema: Schema.Top | undefined) => {
  if (schema === undefined || schema === Schema.Never) return () => Effect.undefined
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(schema))
  return (error: unknown) => Effect.catch(encode(error), () => Effect.undefined)
}

/**
 * The action of an `effect/ai` tool as it is, with a handler. A call needs approval where the tool says so, unless the
 * policy says otherwise. Whatever the tool's `failureMode`: the model is told of a failure, and `Action.abort` fails the
 * run.
 *
 * @category constructors
 */
export const fromTool = <T extends Tool.Any, E, R, RA = never>(
  tool: T,
  run: (input: Tool.Parameters<T>, context: ActionContext) => Effect.Effect<Tool.Success<T>, E, R>,
  options: PolicyOptions<Tool.Parameters<T>, RA> & {
    readonly reconcile?: Reconcile<Tool.Parameters<T>, Tool.Success<T>, RA> | undefined
  } = {}
): Action<Tool.Parameters<T>, Tool.Success<T>, E, R | NoInfer<RA> | Tool.HandlerServices<T>> => {
  const runner = {
    decode: Schema.isSchema(tool.parametersSchema)
      ? Schema.decodeUnknownEffect(Schema.toCodecJson(tool.parametersSchema), parsing)
      : Effect.succeed,
    approval: options.approval ?? approvalOf(tool),
    resources: options.resources,
    reconcile: options.reconcile,
    run,
    encode: encoderOf(tool.successSchema),
    encodeFailure: failureEncoderOf(tool.failureSchema),
    permits: permitsOf(options.concurrency)
  }
  return new Impl(
    tool,
    policyOf(tool, options),
    // The Schemas are those of the tool, whose types T carries.
    runner as Runner<Tool.Parameters<T>, Tool.Success<T>, E, R | RA | Tool.HandlerServices<T>>
  )
}

/**
 * The action of a tool that others define, and whose input is therefore said by a JSON Schema. The model is shown it as
 * it is; `check` has the first word on what the model passes, and the handler is given it unchanged. The result is JSON.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Action } from "effigent/action"
 *
 * const echo = Action.fromJsonSchema("echo", {
 *   description: "Says it again.",
 *   input: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
 *   run: (input) => Effect.succeed(input)
 * })
 * console.log(await Effect.runPromise(Action.call(echo, { text: "Hi" }))) // => { text: 'Hi' }
 * ```
 *
 * @category constructors
 */
export const fromJsonSchema = <E, R, RA = never>(
  name: string,
  config: PolicyOptions<Json, RA> & {
    /** What it does and when to call it, for the model. */
    readonly description?: string | undefined
    /** The JSON Schema of its input: an object. */
    readonly input: JsonObject
    /** Fails where the input is not to be passed on. Default: nothing is checked. */
    readonly check?: ((input: Json) => Effect.Effect<unknown, Schema.SchemaError>) | undefined
    readonly reconcile?: Reconcile<Json, Json, RA> | undefined
    readonly run: (input: Json, context: ActionContext) => Effect.Effect<Json, E, R>
  }
): Action<Json, Json, E, R | RA> => {
  const { check } = config
  const runner: Runner<Json, Json, E, R | RA> = {
    decode: check === undefined ? Effect.succeed : (input) => Effect.as(check(input), input),
    approval: config.approval ?? "never",
    resources: config.resources,
    reconcile: config.reconcile,
    run: config.run,
    encode: (result) => Effect.sync(() => fromValue(result)),
    encodeFailure: () => Effect.undefined,
    permits: permitsOf(config.concurrency)
  }
  const tool = Tool.dynamic(name, { description: config.description, parameters: config.input })
  return new Impl(tool, policyOf(tool, config), runner)
}

/**
 * The same action under another policy: what is not named stays as it is.
 *
 * @category combinators
 */
export const configure = <In, Out, E, R, RA = never>(
  self: Action<In, Out, E, R>,
  options: PolicyOptions<In, RA>
): Action<In, Out, E, R | RA> => {
  const { policy, tool } = self
  const runner: Runner<In, Out, E, R | RA> = runnerOf(self)
  const own = { ...runner }
  if (options.approval !== undefined) own.approval = options.approval
  if (options.resources !== undefined) own.resources = options.resources
  if (options.concurrency !== undefined) own.permits = permitsOf(options.concurrency)
  return new Impl(
    tool,
    policyOf(tool, {
      sideEffect: options.sideEffect ?? policy.sideEffect,
      timeout: options.timeout ?? policy.timeout,
      retry: options.retry ?? policy.retry,
      concurrency: options.concurrency ?? policy.concurrency,
      maxCalls: options.maxCalls ?? policy.maxCalls,
      maxResult: options.maxResult ?? policy.maxResult,
      returns: options.returns ?? policy.returns,
      onDemand: options.onDemand ?? policy.onDemand
    }),
    own
  )
}

const approvalOf = (tool: Tool.Any): Approval<unknown> => {
  const needs = tool.needsApproval
  if (needs === undefined || needs === false) return "never"
  if (needs === true) return "always"
  return (input, call) => needs(input, { toolCallId: call.id, messages: [] })
}

/**
 * The actions of an `effect/ai` toolkit as it is: its handlers come from its own Layer. `options` says for each tool what
 * its policy is, by name.
 *
 * @category constructors
 */
export const fromToolkit = <Tools extends Record<string, Tool.Any>>(
  toolkit: Toolkit.Toolkit<Tools>,
  options: { readonly [K in keyof Tools]?: PolicyOptions<Tool.Parameters<Tools[K]>> } = {}
): ReadonlyArray<
  Action<never, unknown, unknown, Tool.HandlersFor<Tools> | Tool.HandlerServices<Tools[keyof Tools]>>
> => {
  type Needs = Tool.HandlersFor<Tools> | Tool.HandlerServices<Tools[keyof Tools]>
  return Object.entries(toolkit.tools).map(([name, tool]) => {
    const own: PolicyOptions<never> = options[name] ?? {}
    const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(tool.parametersSchema), parsing)
    const runner: Runner<{ readonly json: Json }, Json, unknown, unknown> = {
      // The toolkit decodes for itself; here it is told what is wrong, and what approval is asked for.
      decode: (json) => Effect.as(decode(json), { json }),
      approval: asGiven(own.approval ?? approvalOf(tool), decode),
      resources: resourcesAsGiven(own.resources, decode),
      reconcile: undefined,
      run: ({ json }, { call, progress }) =>
        Effect.gen(function* () {
          const handlers = yield* toolkit
          // The toolkit decodes the parameters, which have been seen to fit.
          const results = yield* handlers.handle(name, json as never, call.id)
          let last: { readonly isFailure: boolean; readonly encodedResult: unknown } | undefined
          yield* Stream.runForEach(results, (result) => {
            if (result.preliminary) return progress(result.encodedResult)
            last = result
            return Effect.void
          })
          if (last === undefined) return null
          if (last.isFailure) return yield* Effect.fail(new ToolFailure(last.encodedResult))
          return fromValue(last.encodedResult)
        }),
      encode: (result) => Effect.sync(() => fromValue(result)),
      encodeFailure: (error) =>
        error instanceof ToolFailure ? Effect.succeed(fromValue(error.encoded)) : Effect.undefined,
      permits: permitsOf(own.concurrency)
    }
    // Its input is opaque: it comes from `decode` alone.
    return new Impl(tool, policyOf(tool, own), runner) as unknown as Action<never, unknown, unknown, Needs>
  })
}

// A failure that a toolkit has encoded already.
class ToolFailure {
  readonly encoded: unknown
  constructor(encoded: unknown) {
    this.encoded = encoded
  }
}

const asGiven = (
  approval: Approval<never>,
  decode: (json: unknown) => Effect.Effect<unknown, Schema.SchemaError, unknown>
): Approval<{ readonly json: Json }, unknown> =>
  typeof approval === "string"
    ? approval
    : ({ json }, call) =>
        decode(json).pipe(
          Effect.flatMap((input) => {
            // The tool's own Schema gave it.
            const needs = approval(input as never, call)
            return typeof needs === "boolean" ? Effect.succeed(needs) : needs
          }),
          Effect.orDie
        )

const resourcesAsGiven = (
  resources: PolicyOptions<never>["resources"],
  decode: (json: unknown) => Effect.Effect<unknown, Schema.SchemaError, unknown>
): PolicyOptions<{ readonly json: Json }, unknown>["resources"] =>
  resources === undefined
    ? undefined
    : ({ json }, call) =>
        // The tool's own Schema gives the input.
        Effect.orDie(Effect.flatMap(decode(json), (input) => resources(input as never, call)))

/**
 * The action of a tool that runs elsewhere: the `ActionExecutor` is given the encoded call. Approval, time-outs and
 * retries are the loop's, here.
 *
 * @category constructors
 */
export const remote = <T extends Tool.Any>(
  tool: T,
  options: PolicyOptions<Tool.Parameters<T>> = {}
): Action<
  Tool.Parameters<T>,
  Tool.Success<T>,
  ExecutorError | Tool.Failure<T>,
  | ActionExecutor
  | Tool.ParametersDecodingServices<T>
  | Tool.ParametersEncodingServices<T>
  | Tool.ResultEncodingServices<T>
  | Tool.ResultDecodingServices<T>
> => {
  const encodeInput = Schema.encodeUnknownEffect(Schema.toCodecJson(tool.parametersSchema))
  const decodeResult = Schema.decodeUnknownEffect(Schema.toCodecJson(tool.successSchema))
  const decodeFailure = Schema.decodeUnknownEffect(Schema.toCodecJson(tool.failureSchema))
  const action = fromTool(
    tool,
    (input, { call, key }) =>
      Effect.gen(function* () {
        const executor = yield* ActionExecutor
        const encoded = fromValue(yield* Effect.orDie(encodeInput(input)))
        const outcome = yield* executor.execute({ id: call.id, key, action: String(tool.name), input: encoded })
        // What the tool's own Schema decodes.
        if (outcome._tag === "Success") return (yield* decodeResult(outcome.value)) as Tool.Success<T>
        return yield* Effect.flatMap(decodeFailure(outcome.value), Effect.fail)
      }),
    options
  )
  // The Schemas are those of the tool, whose types T carries; what does not fit them is a failure that the model is told.
  return action as ReturnType<typeof remote<T>>
}

/**
 * Runs an action directly, as a function: with a typed input and a typed result. For tests, and for programs that act
 * without a model.
 *
 * @category running
 */
export const call = <In, Out, E, R>(self: Action<In, Out, E, R>, input: In): Effect.Effect<Out, E, R> =>
  runnerOf(self).run(input, {
    call: { id: "direct", action: self.name, input: fromValue(input), round: 0, index: 0 },
    key: "direct",
    progress: () => Effect.void
  })
