/**
 * An agent: an immutable value that says what to ask a model and what to get back. It holds prompt slots, an output
 * contract and a few settings; every combinator gives a new agent. Nothing happens before `run` or `respond`.
 *
 * The type parameters: `A` is what a run gives, `E` how it can fail besides `AgentError`, `R` what it needs (the
 * `ModelProvider`, unless the agent brings its own), `I` the encoded value, whose paths the readers of a response take.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Prompt } from "../../services/Ai.ts"
import { type ModelOptions, ModelProvider, type ModelRequest } from "../../services/ModelProvider.ts"
import * as Telemetry from "../../services/Telemetry.ts"
import type { GuardBlocked } from "../guard/GuardBlocked.ts"
import type { Guard } from "../guard/Verdict.ts"
import * as Contract from "../output/Contract.ts"
import * as Output from "../output/Output.ts"
import type { OutputPathError } from "../output/OutputError.ts"
import type { PathStyle } from "../parse/Path.ts"
import type * as Attachment from "../prompt/Attachment.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import type * as PromptFile from "../prompt/PromptFile.ts"
import type * as Render from "../prompt/Render.ts"
import * as Slots from "../prompt/Slots.ts"
import * as Attempts from "../request/Attempts.ts"
import * as Budget from "../request/Budget.ts"
import * as Guarding from "../request/Guarding.ts"
import * as Hooks from "../request/Hooks.ts"
import type { Attempt, FullResponse, ModelResponse } from "../request/ModelResponse.ts"
import * as Response from "../request/Response.ts"
import { ResponseAborted } from "../request/ResponseError.ts"
import type * as Validation from "../request/Validation.ts"
import * as Traced from "../request/Traced.ts"
import * as Watching from "../request/Watching.ts"
import type { Acts } from "./Acts.ts"
import { continued, firstAskOf, isPlain, mergeOptions, nativeOf, requestOf, slotsOf } from "./Requests.ts"

/**
 * How a run can fail: the model, the output contract, a path that the contract lacks, a prompt that cannot be rendered,
 * a budget that is spent.
 *
 * @category errors
 */
export type AgentError = Attempts.PlanError | OutputPathError

/**
 * Settings of an agent besides its prompt slots and its output.
 *
 * @category models
 */
export interface Settings {
  /** A name for logs, spans and errors. */
  readonly name?: string | undefined
  /**
   * What its model is used for, by which those who watch runs count tokens: `main`, `parser`, `memory`, or any name.
   * Default: that of the work around it, else `main`.
   */
  readonly role?: string | undefined
  /** Name of a model in the provider's pool. Default: the provider's own. */
  readonly model?: string | undefined
  /** Sampling options; those set later win, key by key. */
  readonly options?: ModelOptions | undefined
  /** Require the whole shape of the output and nothing else. Default false. */
  readonly ensureAllKeys?: boolean | undefined
  /**
   * How the model is told to write an answer that is an object: `json`, a field format, whose long texts need no escaping,
   * or `auto`, which takes the one that suits the output and asks again in JSON where that fails. Default `json`.
   */
  readonly format?: Contract.FormatChoice | undefined
  /** How many corrections may follow the first attempt. Default 3. */
  readonly maxRetries?: number | undefined
  /** Also use the provider's own JSON-Schema mode, where it has one that can express the Schema. Default false. */
  readonly native?: boolean | undefined
  /**
   * What a correction asks for: the whole answer again (`all`), or, where the answer was right but for some places, these
   * places alone (`missing`), which saves tokens. Default `all`.
   */
  readonly repair?: "all" | "missing" | undefined
  /** Whether a correction quotes the answer that was wrong. Default false. */
  readonly quoteAnswer?: boolean | undefined
  /** What the agent may spend: limits for each response by itself, or one budget for all of them together. */
  readonly budget?: Budget.Limits | Budget.Budget | undefined
  /** Keep the provider's frames for `response.original`; behind output guards none are kept. Default false. */
  readonly keepOriginal?: boolean | undefined
  /** How paths of instant events are printed. Default `dot`. */
  readonly pathStyle?: PathStyle | undefined
  /** Bring the history into the role order that every vendor takes. Default true. */
  readonly strictRoles?: boolean | undefined
  /** Other titles of the prompt's sections: in the language of the prompt, for one. */
  readonly titles?: Render.Titles | undefined
}

/**
 * All that an agent can be made of.
 *
 * @category models
 */
export interface Config extends Slots.Slots, Settings {
  /** What the answer has to look like: a Schema, a Standard Schema or a shorthand. Absent: free text. */
  readonly output?: Output.Source | undefined
  /** Paths that must be there, besides those that the Schema marks. An empty list takes the Schema's marks away. */
  readonly ensureKeys?: ReadonlyArray<string> | undefined
  /** When the corrections are spent: fail, or give the latest value with its ensured leaves optional. Default `fail`. */
  readonly onExhausted?: "fail" | "return" | undefined
  /** What the value has to fulfil beyond its Schema; put there by `Agent.validate`, which types them. */
  readonly validators?: ReadonlyArray<Validation.Validator<never, unknown, unknown>> | undefined
}

const TypeId = "~effigent/Agent"

/**
 * An agent.
 *
 * @category models
 */
export interface Agent<out A, out E = never, out R = ModelProvider, out I = unknown> extends Pipeable {
  readonly [TypeId]: () => readonly [A, E, R, I]
  /** What it is made of. */
  readonly config: Config
}

/**
 * What lies around the work of a response: it is given what the agent is made of and the work, may change the one and
 * look at what comes of the other. It runs with the first read of each response, once. `soFar` gives the attempts at any
 * time, the one under way included: what there is of a response that fails or is interrupted.
 *
 * @category models
 */
export interface Around<out E = never, out R = never> {
  <A, E1, R1>(
    config: Config,
    work: (config: Config) => Effect.Effect<FullResponse<A>, E1, R1>,
    soFar: () => ReadonlyArray<Attempt>
  ): Effect.Effect<FullResponse<A>, E | E1, R | R1>
}

const nothingAround: Around = (config, work) => work(config)

// What checks and watches an agent's requests, and acts for it. GuardBlocked is in `E` where there are guards.
interface Attached<out E, out R> {
  readonly guards: ReadonlyArray<{ readonly stage: "input" | "output"; readonly guard: Guard<E, R> }>
  readonly hooks: ReadonlyArray<Hooks.Hooks<E, R>>
  readonly acts?: Acts<E, R>
}

const nothingAttached: Attached<never, never> = { guards: [], hooks: [] }

// The agent's own representation: `provider` is where its model comes from. The type parameters are phantoms.
class Impl<A, E, R, I> implements Agent<A, E, R, I> {
  declare readonly [TypeId]: () => readonly [A, E, R, I]
  readonly config: Config
  readonly provider: Effect.Effect<ModelProvider["Service"], E, R | Scope.Scope>
  readonly around: Around<E, R>
  readonly attached: Attached<E, R>

  constructor(
    config: Config,
    provider: Effect.Effect<ModelProvider["Service"], E, R | Scope.Scope>,
    around: Around<E, R> = nothingAround,
    attached: Attached<E, R> = nothingAttached
  ) {
    this.config = config
    this.provider = provider
    this.around = around
    this.attached = attached
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

// Agents are made in this file only, so that every Agent is an Impl.
const reveal = <A, E, R, I>(self: Agent<A, E, R, I>) => self as Impl<A, E, R, I>

// What `make` takes with types of its own, or not at all.
type Typed = "output" | "ensureKeys" | "onExhausted" | "validators"

/** Whether a value is an agent. @category guards */
export const isAgent = (value: unknown): value is Agent<unknown, unknown, unknown> => value instanceof Impl

/** What an output source makes of an agent. @category models */
export type Of<S extends Output.Source, X extends "fail" | "return" = "fail"> = Agent<
  X extends "return" ? Output.Partial<Output.TypeOf<S>> : Output.TypeOf<S>,
  never,
  ModelProvider | Output.ServicesOf<S>,
  Output.EncodedOf<S>
>

/**
 * Makes an agent.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent, Output } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const Ticket = Schema.Struct({
 *   title: Output.ensure(Schema.String, "One line"),
 *   urgent: Schema.Boolean
 * })
 * const triage = Agent.make({ name: "triage", instruct: "Triage the letter.", output: Ticket })
 *
 * const ticket = triage.pipe(Agent.input("The printer is on fire!"), Agent.run)
 *
 * const model = ScriptedModel.layer([ScriptedModel.json({ title: "Printer on fire", urgent: true })])
 * console.log(await Effect.runPromise(ticket.pipe(Effect.provide(model)))) // => { title: 'Printer on fire', urgent: true }
 * ```
 *
 * @category constructors
 */
export const make: {
  // The overload for outputs stands last, so that its errors are the ones that are told.
  (config: Omit<Config, Typed> & { readonly output?: undefined }): Agent<string, never, ModelProvider, string>
  <const S extends Output.Source, const X extends "fail" | "return" = "fail">(
    config: Omit<Config, Typed> & {
      readonly output: S
      readonly ensureKeys?: ReadonlyArray<Output.Paths<Output.EncodedOf<S>>> | undefined
      readonly onExhausted?: X | undefined
    }
  ): Of<S, X>
  // The overloads say of a config what Config says, with typed paths.
} = (config: object): Agent<never, never, ModelProvider, never> => new Impl(config as Config, ModelProvider)

/**
 * The agent that a prompt file says. What its output decodes to is not known to the compiler: `Agent.output` with a Schema
 * makes it known.
 *
 * @category constructors
 */
export const fromPromptFile = (file: PromptFile.PromptFile): Agent<unknown, never, ModelProvider, unknown> => {
  const { ensureAllKeys, format, model, name, options, output, slots } = file
  // The Schemas of prompt files are made of plain ones, which need no services.
  return new Impl({ ...slots, output, format, model, name, options, ensureAllKeys }, ModelProvider)
}

type Same = <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E, R, I>

const update = <A, E, R, I>(self: Agent<A, E, R, I>, change: Config): Agent<A, E, R, I> =>
  new Impl({ ...self.config, ...change }, reveal(self).provider, reveal(self).around, reveal(self).attached)

/**
 * Lays prompt slots over those that the agent has: objects merge, lists are joined (new items first), texts are
 * replaced, history is appended.
 *
 * @category combinators
 */
export const slots: {
  (slots: Slots.Slots): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, slots: Slots.Slots): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, next: Slots.Slots) =>
  update(self, Slots.merge(slotsOf(self.config), next))
)

/** Sets what this request is about: a text, or any value that has a JSON form. @category combinators */
export const input: {
  (input: unknown): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, input: unknown): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, value: unknown) => update(self, { input: value }))

/** Adds to what the model should know. @category combinators */
export const info: {
  (info: unknown): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, info: unknown): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, value: unknown) => slots(self, { info: value }))

/** Sets what the model should do; a list is put in front of the agent's list. @category combinators */
export const instruct: {
  (instruct: unknown): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, instruct: unknown): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, value: unknown) => slots(self, { instruct: value }))

/** Adds examples of good answers. @category combinators */
export const examples: {
  (examples: unknown): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, examples: unknown): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, value: unknown) => slots(self, { examples: value }))

/** Sets who the model is. @category combinators */
export const system: {
  (system: unknown): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, system: unknown): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, value: unknown) => slots(self, { system: value }))

/** Sets the application's rules. @category combinators */
export const developer: {
  (developer: unknown): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, developer: unknown): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, value: unknown) => slots(self, { developer: value }))

/** Appends messages to the conversation so far. @category combinators */
export const history: {
  (messages: ReadonlyArray<Prompt.MessageEncoded>): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, messages: ReadonlyArray<Prompt.MessageEncoded>): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, messages: ReadonlyArray<Prompt.MessageEncoded>) =>
  slots(self, { history: messages })
)

/**
 * Appends attachments, which stand before the text of the user message.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Attachment } from "effigent"
 *
 * const agent = Agent.make({ input: "What is on it?" }).pipe(Agent.attach(Attachment.fromUrl("https://example.com/a.png")))
 * const { prompt } = await Effect.runPromise(Agent.preview(agent))
 * const [message] = prompt.content
 * console.log(message?.role === "user" ? message.content.map((part) => part.type) : []) // => [ 'file', 'text' ]
 * ```
 *
 * @category combinators
 */
export const attach: {
  (attachments: Attachment.Attachment | ReadonlyArray<Attachment.Attachment>): Same
  <A, E, R, I>(
    self: Agent<A, E, R, I>,
    attachments: Attachment.Attachment | ReadonlyArray<Attachment.Attachment>
  ): Agent<A, E, R, I>
} = dual(
  2,
  <A, E, R, I>(self: Agent<A, E, R, I>, attachments: Attachment.Attachment | ReadonlyArray<Attachment.Attachment>) =>
    slots(self, { attachments: "_tag" in attachments ? [attachments] : attachments })
)

/** Sets sampling options; those that the agent has stay, unless named here. @category combinators */
export const options: {
  (options: ModelOptions): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, options: ModelOptions): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, next: ModelOptions) =>
  update(self, { options: mergeOptions(self.config.options ?? {}, next) })
)

/** Changes settings. @category combinators */
export const settings: {
  (settings: Settings): Same
  <A, E, R, I>(self: Agent<A, E, R, I>, settings: Settings): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, next: Settings) => {
  const { options: sampling, ...rest } = next
  return sampling === undefined ? update(self, rest) : options(update(self, rest), sampling)
})

/**
 * Sets what the answer has to look like. Ensure keys and validators, which spoke of another shape, are dropped.
 *
 * @category combinators
 */
export const output: {
  <const S extends Output.Source>(
    output: S
  ): <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<Output.TypeOf<S>, E, R | Output.ServicesOf<S>, Output.EncodedOf<S>>
  <A, E, R, I, const S extends Output.Source>(
    self: Agent<A, E, R, I>,
    output: S
  ): Agent<Output.TypeOf<S>, E, R | Output.ServicesOf<S>, Output.EncodedOf<S>>
} = dual(2, <A, E, R, I, S extends Output.Source>(self: Agent<A, E, R, I>, source: S) => {
  const { ensureKeys: _keys, onExhausted: _exhausted, validators: _validators, ...rest } = self.config
  return new Impl<Output.TypeOf<S>, E, R | Output.ServicesOf<S>, Output.EncodedOf<S>>(
    { ...rest, output: source },
    reveal(self).provider,
    reveal(self).around,
    reveal(self).attached
  )
})

/**
 * Names paths that must be there, besides those that the Schema marks: `Agent.ensureKeys(["resources[*].url"])`. An
 * empty list takes the Schema's marks away.
 *
 * @category combinators
 */
export const ensureKeys: {
  <I, const P extends Output.Paths<I>>(paths: ReadonlyArray<P>): <A, E, R>(self: Agent<A, E, R, I>) => Agent<A, E, R, I>
  <A, E, R, I>(self: Agent<A, E, R, I>, paths: ReadonlyArray<Output.Paths<I>>): Agent<A, E, R, I>
} = dual(2, <A, E, R, I>(self: Agent<A, E, R, I>, paths: ReadonlyArray<Output.Paths<I>>) =>
  update(self, { ensureKeys: paths })
)

/**
 * When the corrections are spent, gives the latest value with its ensured leaves optional instead of failing. Any other
 * violation of the Schema still fails.
 *
 * @category combinators
 */
export const returnPartial = <A, E, R, I>(self: Agent<A, E, R, I>): Agent<Output.Partial<A>, E, R, I> =>
  new Impl({ ...self.config, onExhausted: "return" }, reveal(self).provider, reveal(self).around, reveal(self).attached)

/**
 * Adds a validator: a function from the decoded value to an Effect of a `Validation.Verdict`. What it needs and how it
 * fails becomes part of the agent's type. Validators run in order, once per attempt, on values that the Schema accepts.
 *
 * @category combinators
 */
export const validate: {
  <A, E2, R2>(
    validator: Validation.Validator<NoInfer<A>, E2, R2>
  ): <E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E | E2, R | R2, I>
  <A, E, R, I, E2, R2>(
    self: Agent<A, E, R, I>,
    validator: Validation.Validator<NoInfer<A>, E2, R2>
  ): Agent<A, E | E2, R | R2, I>
} = dual(2, <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, validator: Validation.Validator<A, E2, R2>) => {
  const validators = [...(self.config.validators ?? []), validator]
  const { around, attached, provider } = reveal(self)
  return new Impl<A, E | E2, R | R2, I>({ ...self.config, validators }, provider, around, attached)
})

/**
 * Binds the agent to a model of its own: `ModelProvider` leaves its requirements, so that one program can use several.
 * The layer is built in the Scope of each response, once in a program where it is memoised.
 *
 * @category combinators
 */
export const provideModel: {
  <E2, R2>(
    layer: Layer.Layer<ModelProvider, E2, R2>
  ): <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E | E2, Exclude<R, ModelProvider> | R2, I>
  <A, E, R, I, E2, R2>(
    self: Agent<A, E, R, I>,
    layer: Layer.Layer<ModelProvider, E2, R2>
  ): Agent<A, E | E2, Exclude<R, ModelProvider> | R2, I>
} = dual(
  2,
  <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, layer: Layer.Layer<ModelProvider, E2, R2>) =>
    new Impl<A, E | E2, Exclude<R, ModelProvider> | R2, I>(
      self.config,
      Effect.map(Layer.build(layer), (context) => Context.get(context, ModelProvider)),
      // `respond` gives the agent's model to what lies around its work.
      reveal(self).around as Around<E, Exclude<R, ModelProvider>>,
      // And to what checks it.
      reveal(self).attached as Attached<E, Exclude<R, ModelProvider>>
    )
)

/**
 * Lays something around the work of each response: what `Session.attach` and `Knowledge.info` are made of. What is laid
 * later lies further out. `ModelProvider` is, inside it, the agent's own model.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const dated: Agent.Around = (config, work) => work({ ...config, info: { today: "2026-11-21" } })
 * const agent = Agent.make({ input: "Which day is it?" }).pipe(Agent.around(dated))
 *
 * const model = ScriptedModel.layer([ScriptedModel.text("Saturday.")])
 * console.log(await Effect.runPromise(Agent.run(agent).pipe(Effect.provide(model)))) // => Saturday.
 * ```
 *
 * @category combinators
 */
export const around: {
  <E2, R2>(outer: Around<E2, R2>): <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E | E2, R | R2, I>
  <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, outer: Around<E2, R2>): Agent<A, E | E2, R | R2, I>
} = dual(2, <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, outer: Around<E2, R2>) => {
  const { around: inner, attached, provider } = reveal(self)
  const both: Around<E | E2, R | R2> = (config, work, soFar) =>
    outer(config, (changed) => inner(changed, work, soFar), soFar)
  return new Impl<A, E | E2, R | R2, I>(self.config, provider, both, attached)
})

const guarded =
  (stage: "input" | "output") =>
  <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, guard: Guard<E2, R2>): Agent<A, E | E2 | GuardBlocked, R | R2, I> => {
    const { around, attached, config, provider } = reveal(self)
    const guards = [...attached.guards, { stage, guard }]
    return new Impl<A, E | E2 | GuardBlocked, R | R2, I>(config, provider, around, { ...attached, guards })
  }

/**
 * Checks everything that is about to be sent, attempt by attempt and with all rewriting of the guards before it. What is
 * blocked is not sent. How the guard fails and what it needs goes into the agent's type.
 *
 * @category guards
 */
export const guardInput: {
  <E2, R2>(guard: Guard<E2, R2>): <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E | E2 | GuardBlocked, R | R2, I>
  <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, guard: Guard<E2, R2>): Agent<A, E | E2 | GuardBlocked, R | R2, I>
} = dual(2, guarded("input"))

/**
 * Checks everything that the model wrote (the answer, reasoning, refusals, tool calls) before any reader is given any of
 * it: each attempt is held back until it has ended and passed, also for `instant`, `deltas` and all other streams.
 *
 * @category guards
 */
export const guardOutput: {
  <E2, R2>(guard: Guard<E2, R2>): <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E | E2 | GuardBlocked, R | R2, I>
  <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, guard: Guard<E2, R2>): Agent<A, E | E2 | GuardBlocked, R | R2, I>
} = dual(2, guarded("output"))

/**
 * Adds hooks: Effects at the turns of a response's life. They change nothing, unless they fail; how they fail and what
 * they need goes into the agent's type.
 *
 * @category combinators
 */
export const hooks: {
  <E2, R2>(hooks: Hooks.Hooks<E2, R2>): <A, E, R, I>(self: Agent<A, E, R, I>) => Agent<A, E | E2, R | R2, I>
  <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, hooks: Hooks.Hooks<E2, R2>): Agent<A, E | E2, R | R2, I>
} = dual(2, <A, E, R, I, E2, R2>(self: Agent<A, E, R, I>, more: Hooks.Hooks<E2, R2>) => {
  const { around, attached, config, provider } = reveal(self)
  return new Impl<A, E | E2, R | R2, I>(config, provider, around, { ...attached, hooks: [...attached.hooks, more] })
})

/**
 * Attaches what acts for the agent, made of what acts already: what `Action.use` is made of.
 *
 * @category combinators
 */
export const acts = <A, E, R, I, E2, R2>(
  self: Agent<A, E, R, I>,
  make: (before: Acts<E, R> | undefined) => Acts<E | E2, R | R2>
): Agent<A, E | E2, R | R2, I> => {
  const { around, attached, config, provider } = reveal(self)
  return new Impl<A, E | E2, R | R2, I>(config, provider, around, { ...attached, acts: make(attached.acts) })
}

/** What acts for an agent, if anything does. @category reading */
export const actsOf = <A, E, R, I>(self: Agent<A, E, R, I>): Acts<E, R> | undefined => reveal(self).attached.acts

const contractOf = <A, E, R, I>(self: Agent<A, E, R, I>): Result.Result<Contract.Contract<A, R>, OutputPathError> => {
  const { ensureAllKeys, ensureKeys: keys, format, output: source } = self.config
  const compiled =
    source === undefined
      ? Contract.text
      : Contract.withFormat(Contract.compile(Output.toSchema(source)), format ?? "json")
  const keyed =
    keys === undefined && ensureAllKeys !== true
      ? Result.succeed(compiled)
      : Contract.withKeys(compiled, { ensureKeys: keys, ensureAllKeys })
  // What the output source decodes to is the agent's A, by the types of `make`, `output` and `returnPartial`.
  return keyed as Result.Result<Contract.Contract<A, R>, OutputPathError>
}

const salvageOf = <A, R>(config: Config, contract: Contract.Contract<A, R>) =>
  config.onExhausted === "return"
    ? // The agent's A is the partial type then, by the types of `make` and `returnPartial`.
      (value: unknown) => Contract.salvage(contract, value) as Effect.Effect<A, unknown, R>
    : undefined

const validatorsOf = <A, E, R, I>(self: Agent<A, E, R, I>) =>
  // They were added by `validate` to an agent of this A, which made their E and R part of the agent's.
  (self.config.validators ?? []) as unknown as ReadonlyArray<Validation.Validator<A, E, R>>

const budgetOf = (budget: Budget.Limits | Budget.Budget) =>
  Budget.isBudget(budget) ? Effect.succeed(budget) : Budget.make(budget)

/**
 * The request that the first attempt would send, without sending it. `output.native` says whether native mode is asked
 * for; whether the provider can is known once there is one, and then stands in `meta.native`.
 *
 * @category running
 */
export const preview = <A, E, R, I>(
  self: Agent<A, E, R, I>
): Effect.Effect<ModelRequest, PromptError | OutputPathError> =>
  Effect.fromResult(
    Result.flatMap(contractOf(self), (contract) =>
      requestOf(self.config, contract, self.config.native === true, firstAskOf(reveal(self).attached.acts))
    )
  )

/**
 * A lazy response in the current Scope: nothing is sent before it is read. Fails at once where an ensure key names a
 * path that the Schema lacks or the prompt cannot be rendered; a prompt that is completed by what lies around the agent
 * is rendered at the first read.
 *
 * @category running
 */
export const respond = Effect.fnUntraced(function* <A, E, R, I>(
  self: Agent<A, E, R, I>
): Effect.fn.Return<ModelResponse<A, E | AgentError | ResponseAborted, I>, E | AgentError, R | Scope.Scope> {
  const config = self.config
  const contract = yield* Effect.fromResult(contractOf(self))
  const { around, attached, provider: open } = reveal(self)
  const provider = yield* open
  const native = nativeOf(config, contract, provider)
  const own = config.budget === undefined ? [] : [yield* budgetOf(config.budget)]
  const budgets = [...(yield* Budget.Current), ...own]
  // Rendered now, so that what cannot be rendered fails at once.
  const first =
    around === nothingAround ? requestOf(config, contract, native === true, firstAskOf(attached.acts)) : undefined
  if (first !== undefined) yield* Effect.fromResult(first)
  const plan = (config: Config): Attempts.Plan<A, E, R> => ({
    provider,
    contract,
    validators: validatorsOf(self),
    budgets,
    request: (ask) =>
      first !== undefined && config === self.config && isPlain(ask)
        ? Result.map(first, (request) => continued(request, ask))
        : requestOf(config, contract, native === true, ask),
    maxRetries: config.maxRetries ?? 3,
    repair: config.repair ?? "all",
    quoteAnswer: config.quoteAnswer ?? false,
    salvage: salvageOf(config, contract),
    native
  })
  const guards = {
    input: attached.guards.flatMap(({ guard, stage }) => (stage === "input" ? [guard] : [])),
    output: attached.guards.flatMap(({ guard, stage }) => (stage === "output" ? [guard] : [])),
    agent: config.name
  }
  // Frames would show what an output guard has not seen.
  const options = guards.output.length === 0 ? config : { ...config, keepOriginal: false }
  const watched = yield* Watching.Current
  const clock = watched === undefined ? undefined : yield* Clock.Clock
  const telemetry = yield* Telemetry.Current
  const response = Response.make<A, E | AgentError, R, I>(contract, options, (recorder, transcript) => {
    const watch =
      watched === undefined || clock === undefined
        ? undefined
        : new Watching.Watch(watched, config, recorder, transcript, clock)
    // Hooks stand behind the guards: they see what is sent. Between them requests are counted.
    const sent = telemetry === undefined ? provider : Traced.source(telemetry, provider, config.name)
    const hooked = Hooks.make(watch?.source(sent) ?? sent, attached.hooks, recorder)
    const counted = Attempts.counting(hooked.source, budgets, recorder)
    // What has guards has GuardBlocked in its E.
    const source = Guarding.make(counted, guards, recorder) as Attempts.Source<E, R>
    const attempts = (config: Config, acting?: Attempts.Plan<A, E, R>["acting"]) =>
      Attempts.run({ ...plan(config), provider: source, acting }, recorder)
    const { acts, ...checks } = attached
    const work = around(
      config,
      (changed) =>
        acts === undefined
          ? attempts(changed)
          : Effect.flatMap(
              acts.begin<E, R>({
                config: changed,
                tell: recorder.tell,
                ask: (config, output) =>
                  Effect.tap(
                    whole(new Impl({ ...config, output }, Effect.succeed(provider), nothingAround, checks)),
                    ({ meta }) => Effect.sync(() => recorder.charge(meta.usage))
                  )
              }),
              ({ acting, config }) => attempts(config, acting)
            ),
      () => recorder.soFar()
    )
    const limited = Budget.limitTime(hooked.around(work), budgets).pipe(Effect.provideService(Budget.Current, budgets))
    const seen = watch === undefined ? limited : watch.around(limited)
    return telemetry === undefined ? seen : Traced.around(telemetry, config, provider.name, seen)
  })
  // What the agent carries (validators, Schemas with services) is served by the model that it is bound to.
  return yield* Effect.provideService(response, ModelProvider, provider)
})

/**
 * Asks the model and gives everything about the finished response: the typed value, every attempt, tokens and times, what
 * was done.
 *
 * @category running
 */
export const whole = <A, E, R, I>(
  self: Agent<A, E, R, I>
): Effect.Effect<FullResponse<A>, E | AgentError, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.flatMap(respond(self), (response) =>
      // Nobody but this Effect reads the response or closes its Scope: what aborts it is an interruption from within.
      Effect.catch(response.full, (error) =>
        error instanceof ResponseAborted ? Effect.interrupt : Effect.fail<E | AgentError>(error)
      )
    )
  )

/**
 * Asks the model and gives the typed answer.
 *
 * @category running
 */
export const run = <A, E, R, I>(self: Agent<A, E, R, I>): Effect.Effect<A, E | AgentError, Exclude<R, Scope.Scope>> =>
  Effect.map(whole(self), (full) => full.data)
