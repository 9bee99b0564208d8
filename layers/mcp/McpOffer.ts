/**
 * The server: actions, agents and flows of a program as tools for the models of other programs, over stdio or HTTP. A
 * call goes the way that a call of an own model goes: checked, approved, limited, audited. Failures are told in words,
 * faults of the program say nothing of what is inside, and a call that is cancelled is interrupted.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as Fiber from "effect/Fiber"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import type { Stdio } from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { ActionEvent, ActionRecord } from "../../services/Action.ts"
import { Tool } from "../../services/AiTool.ts"
import type { Json } from "../../services/Json.ts"
import * as Action from "../../src/action/Action.ts"
import type { NeedsOf } from "../../src/action/Actions.ts"
import * as Artifacts from "../../src/action/Artifacts.ts"
import * as Dispatch from "../../src/action/Dispatch.ts"
import * as Toolset from "../../src/action/Toolset.ts"
import * as Agent from "../../src/agent/Agent.ts"
import * as Output from "../../src/output/Output.ts"
import type { Flow } from "../../src/triggerflow/Flow.ts"
import { FlowError, NoResult, Paused } from "../../src/triggerflow/FlowError.ts"
import type { Spec } from "../../src/triggerflow/Spec.ts"
import * as TriggerFlow from "../../src/triggerflow/TriggerFlow.ts"
import * as ToolSchema from "../../src/wire/ToolSchema.ts"
import { isObject } from "./Protocol.ts"

/**
 * What a server says of itself, and what it offers.
 *
 * @category models
 */
export interface Options<U extends ReadonlyArray<Action.Any>> {
  readonly name: string
  readonly version: string
  /** How its tools are best used, for the models that are given them. */
  readonly instructions?: string | undefined
  /** What it offers: actions, and agents and flows by `McpOffer.agent` and `McpOffer.flow`. */
  readonly tools: U
}

/**
 * A server behind HTTP.
 *
 * @category models
 */
export interface HttpOptions<U extends ReadonlyArray<Action.Any>> extends Options<U> {
  /** Where it stands in the router, such as `/mcp`. */
  readonly path: HttpRouter.PathInput
  /** Origins from which browsers may call it. Default: none. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
}

const protocols = [
  McpProtocol.v2025_11_25,
  McpProtocol.v2025_06_18,
  McpProtocol.v2025_03_26,
  McpProtocol.v2024_11_05,
  McpProtocol.v2026_07_28
] as const

/**
 * Offers actions over stdin and stdout, to the program that has started this one. Logs go to stderr.
 *
 * @category layers
 */
export const layerStdio = <const U extends ReadonlyArray<Action.Any>>(
  options: Options<U>
): Layer.Layer<McpServer.McpServer, Toolset.ActionNameError, NeedsOf<U[number]> | Stdio> => {
  const layer = McpServer.layerStdio({
    ...described(options),
    protocols,
    registrations: registered(options.tools)
  }).pipe(Layer.provide(Layer.succeed(References.LogToStderr, true)))
  return typed<U, Stdio>(layer)
}

/**
 * Offers actions behind a path of an `HttpRouter`. Who may call it is for the router to say.
 *
 * @category layers
 */
export const layerHttp = <const U extends ReadonlyArray<Action.Any>>(
  options: HttpOptions<U>
): Layer.Layer<McpServer.McpServer, Toolset.ActionNameError, NeedsOf<U[number]> | HttpRouter.HttpRouter> =>
  typed<U, HttpRouter.HttpRouter>(
    McpServer.layerHttp({
      ...described(options),
      path: options.path,
      ...(options.allowedOrigins === undefined ? {} : { allowedOrigins: options.allowedOrigins }),
      allowSessionTermination: true,
      protocols,
      registrations: registered(options.tools)
    })
  )

const described = ({ instructions, name, version }: Options<ReadonlyArray<Action.Any>>) => ({
  name,
  version,
  ...(instructions === undefined ? {} : { instructions })
})

const typed = <U extends ReadonlyArray<Action.Any>, R>(
  layer: Layer.Layer<McpServer.McpServer, Toolset.ActionNameError | Cause.IllegalArgumentError, unknown>
) =>
  // What the actions need stands in their types. Arguments that would be illegal (cache hints) are not passed.
  layer as unknown as Layer.Layer<McpServer.McpServer, Toolset.ActionNameError, NeedsOf<U[number]> | R>

const registered = (
  actions: ReadonlyArray<Action.Any>
): Layer.Layer<never, Toolset.ActionNameError, McpServer.McpServer> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { wrong } = Toolset.make(actions)
      if (wrong !== undefined) return yield* wrong
      const server = yield* McpServer.McpServer
      const services = yield* Effect.context<never>()
      // What makes the ids and the keys of calls unique.
      const run = (yield* Effect.all([Random.nextInt, Random.nextInt])).map((n) => (n >>> 0).toString(36)).join("")
      let calls = 0
      for (const action of actions) {
        const offered = offer(action)
        yield* server.addTool({
          tool: offered.tool,
          annotations: action.tool.annotations,
          services,
          handle: (input: Json) =>
            // What the action needs is in `services`.
            handle(server, offered, input, run, ++calls) as Effect.Effect<
              McpSchema.CallToolResult,
              never,
              McpSchema.McpRequestContext
            >
        })
      }
    })
  )

interface Offered {
  readonly action: Action.Any
  readonly tool: McpSchema.Tool
  /** Whether its input stands under the key `input`, since tools take objects only. */
  readonly wrapped: boolean
  /** Whether it promises data. */
  readonly structured: boolean
}

const offer = (given: Action.Any): Offered => {
  // The whole result goes out: there is no loop here that could read an artifact.
  const action = Action.configure(given, { maxResult: Infinity })
  const { policy, tool } = action
  const input = ToolSchema.parameters(tool)
  const wrapped = input["type"] !== "object"
  const output = ToolSchema.inlined(Tool.getJsonSchemaFromSchema(tool.successSchema))
  const structured = output["type"] === "object"
  const title = Option.getOrUndefined(Context.getOption(tool.annotations, Tool.Title))
  return {
    action,
    wrapped,
    structured,
    tool: new McpSchema.Tool({
      name: action.name,
      description: tool.description,
      ...(title === undefined ? {} : { title }),
      inputSchema: objectSchema(input, wrapped),
      ...(structured ? { outputSchema: output } : {}),
      annotations: {
        readOnlyHint: policy.sideEffect === "pure",
        idempotentHint: policy.sideEffect !== "once",
        destructiveHint: policy.sideEffect !== "pure" && Context.get(tool.annotations, Tool.Destructive),
        openWorldHint: Context.get(tool.annotations, Tool.OpenWorld)
      }
    })
  }
}

const objectSchema = (schema: Record<string, unknown>, wrapped: boolean): McpSchema.ToolJson => {
  // Its type was looked at: it is an object's.
  if (!wrapped) return schema as McpSchema.ToolJson
  const { $defs, ...own } = schema
  return {
    type: "object",
    properties: { input: own },
    required: ["input"],
    additionalProperties: false,
    ...($defs === undefined ? {} : { $defs })
  }
}

const handle = Effect.fnUntraced(function* (
  server: McpServer.McpServer["Service"],
  offered: Offered,
  input: Json,
  run: string,
  count: number
) {
  const { action, structured, wrapped } = offered
  const request = yield* McpSchema.McpRequestContext
  const token = request.requestMetadata?.["progressToken"]
  const news = yield* Queue.unbounded<Json, Cause.Done>()
  const telling =
    typeof token === "string" || typeof token === "number"
      ? yield* Effect.forkChild(told(server, token, news), { startImmediately: true })
      : undefined
  const call = {
    id: `mcp_${count}`,
    action: action.name,
    input: wrapped && isObject(input) ? (input["input"] ?? null) : (input ?? {}),
    round: 0,
    index: 0
  }
  const site: Dispatch.Site = {
    find: () => action,
    names: () => [action.name],
    gated: () => false,
    artifacts: Artifacts.inMemory(),
    tell: (event: ActionEvent) => {
      if (event._tag === "ActionProgress" && telling !== undefined) Queue.offerUnsafe(news, event.value)
      return Effect.void
    },
    deadline: Infinity,
    run,
    begun: new Map()
  }
  const settled = yield* Effect.result(Dispatch.told(site, call, Dispatch.dispatch(site, call)))
  // What was said on the way comes before the end.
  yield* Queue.end(news)
  if (telling !== undefined) yield* Fiber.await(telling)
  // Nothing but an `Abort` fails a call.
  if (settled._tag === "Failure")
    return failure(settled.failure instanceof Action.Abort ? settled.failure.message : "the call was given up")
  const { answer, record } = settled.success
  if (record.status !== "success") return failure(words(record))
  const value = answer === undefined ? record.result : answer.value
  return new McpSchema.CallToolResult({
    content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }],
    ...(structured && isObject(value) ? { structuredContent: value } : {})
  })
}, Effect.scoped)

const failure = (text: string) => new McpSchema.CallToolResult({ isError: true, content: [{ type: "text", text }] })

const words = ({ result }: ActionRecord): string => {
  if (typeof result === "string") return result
  const error = isObject(result) ? result["error"] : undefined
  return typeof error === "string" ? error : JSON.stringify(error ?? result)
}

const told = (
  server: McpServer.McpServer["Service"],
  token: string | number,
  news: Queue.Dequeue<Json, Cause.Done>
) => {
  let count = 0
  return Stream.runForEach(Stream.fromQueue(news), (value) =>
    Effect.ignore(
      server.notifications["notifications/progress"]({ progressToken: token, ...progressOf(value, ++count) })
    )
  )
}

// A value that is made like a progress notification is one; anything else is said in its message.
const progressOf = (value: Json, count: number) => {
  if (isObject(value) && typeof value["progress"] === "number") {
    const { message, progress, total } = value
    return {
      progress: value["progress"] === progress ? value["progress"] : count,
      ...(typeof total === "number" ? { total } : {}),
      ...(typeof message === "string" ? { message } : {})
    }
  }
  return { progress: count, message: typeof value === "string" ? value : JSON.stringify(value) }
}

const Text = Schema.Struct({
  input: Schema.String.annotate({ description: "What is to be done, or what is asked" })
})

/**
 * An agent as an action: what it is given becomes the agent's input, its answer the result, as data where the agent has an
 * output Schema. How it fails is told in words.
 *
 * @category constructors
 */
export const agent = <A, E, R, I, S extends Schema.Top = typeof Text>(
  name: string,
  self: Agent.Agent<A, E, R, I>,
  options: Omit<Action.PolicyOptions<never>, "approval" | "resources"> & {
    readonly description: string
    /** What it is given: an object. Default: `{ input }`, a text. */
    readonly input?: S | undefined
    readonly approval?: Action.Approval<S["Type"]> | undefined
    readonly resources?: Action.PolicyOptions<S["Type"]>["resources"]
  }
): Action.Action<S["Type"], A, E | Agent.AgentError, R | S["DecodingServices"]> => {
  const { input } = options
  const { output } = self.config
  const action = Action.make(name, {
    ...options,
    input: input ?? Text,
    output: output === undefined ? Schema.String : Output.toSchema(output),
    run: (given: unknown) =>
      Agent.run(Agent.input(self, input === undefined && isObject(given) ? given["input"] : given))
  })
  // The output's Schema is that of A, and the input's S.
  return action as unknown as ReturnType<typeof agent<A, E, R, I, S>>
}

/**
 * A flow as an action: its input is the flow's, its result the flow's result. What the flow puts into its runtime stream
 * is progress. A question of the flow fails it, since nobody could answer.
 *
 * @category constructors
 */
export const flow = <C extends Spec, E, R>(
  self: Flow<C, E, R>,
  options: Omit<Action.PolicyOptions<never>, "approval" | "resources"> & {
    readonly description: string
    /** Default: the flow's name. */
    readonly name?: string | undefined
    readonly approval?: Action.Approval<C["input"]> | undefined
    readonly resources?: Action.PolicyOptions<C["input"]>["resources"]
  }
): Action.Action<C["input"], C["result"], E | FlowError, R> => {
  const { contract } = self.data
  const action = Action.make(options.name ?? self.name, {
    ...options,
    input: contract.input,
    output: contract.result ?? Schema.Null,
    run: (input: unknown, { progress }) => run(self, input, progress)
  })
  // The Schemas are those of the contract.
  return action as unknown as Action.Action<C["input"], C["result"], E | FlowError, R>
}

const run = Effect.fnUntraced(function* <C extends Spec, E, R>(
  self: Flow<C, E, R>,
  input: unknown,
  progress: (value: unknown) => Effect.Effect<void>
) {
  const execution = yield* TriggerFlow.create(self, input, { autoClose: 0 })
  const asked = yield* Deferred.make<never, FlowError>()
  const failed = (reason: Paused | NoResult) => new FlowError({ flow: self.name, execution: execution.id, reason })
  const watching = yield* execution.entries().pipe(
    Stream.runForEach(({ event }) => {
      if (event._tag === "item") return progress(event.item)
      if (event._tag !== "interrupt") return Effect.void
      return Deferred.fail(asked, failed(new Paused({ interrupt: event.interrupt, id: event.id })))
    }),
    Effect.ignore,
    Effect.forkScoped({ startImmediately: true })
  )
  yield* execution.start
  const closed = yield* Effect.raceFirst(execution.await, Deferred.await(asked))
  yield* Fiber.await(watching)
  if (self.data.contract.result === undefined) return null
  return Option.isSome(closed.result) ? closed.result.value : yield* failed(new NoResult({}))
}, Effect.scoped)
