/**
 * A conversation over many runs. A session is an immutable policy: which part of the history is sent (its window), what
 * of a run is recorded, and whether a turn that cannot be saved fails the run. `attach` lays it around an agent: each run
 * then reads the conversation, sends it before its own prompt, and records the user's input and the answer.
 *
 * Runs of one session follow each other, also when they are started at once; programs that share a store see each
 * other's turns, and a save that another one came before is done again on top of it. Of a run that is interrupted, the
 * answer is recorded as far as it came: whoever stopped it has seen that much, and goes on from there.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import {
  type SessionConflict,
  type SessionMessages,
  type SessionState,
  SessionStore,
  type SessionStoreError,
  type SessionTurn
} from "../../services/SessionStore.ts"
import type * as Output from "../output/Output.ts"
import * as Path from "../parse/Path.ts"
import type { PromptError } from "../prompt/PromptError.ts"
import * as Slots from "../prompt/Slots.ts"
import * as Text from "../prompt/Text.ts"
import type { Attempt, FullResponse } from "../request/ModelResponse.ts"
import { totalUsage } from "../request/Recorder.ts"
import { TurnLeft } from "./Acts.ts"
import * as Agent from "./Agent.ts"
import * as Messages from "./Messages.ts"
import { freshId, open, type OpenHistory, save, SessionTurnError, stateOf } from "./SessionHistory.ts"
import * as SessionWindow from "./SessionWindow.ts"

const TypeId = "~effigent/Session"

/**
 * What a session is made of.
 *
 * @category models
 */
export interface Options<in A = unknown, out E = never, out R = never> {
  /** What is sent of the conversation. Default: all of it. */
  readonly window?: SessionWindow.SessionWindow<E, R> | undefined
  /**
   * What the session's own facts (`Conversation.annotate`) add to the prompt of each run. What the run itself says comes
   * over it. Default: nothing.
   */
  readonly facts?: ((facts: SessionState["meta"]) => Slots.Slots) | undefined
  /** What is recorded as the user's words, made of the prompt's slots. Default: the input. */
  readonly input?: ((slots: Slots.Slots) => unknown) | undefined
  /** What is recorded as the answer, made of the typed value. Default: the answer's text as the model wrote it. */
  readonly output?: ((data: A) => unknown) | undefined
  /**
   * Which reasoning is recorded with the answer: what its vendor signed or encrypted and wants back, all, or none.
   * Default `signed`.
   */
  readonly reasoning?: "signed" | "all" | "none" | undefined
  /**
   * Of which runs that did not complete the answer is recorded as far as it came, marked as `partial`: those that were
   * interrupted, also those that failed (`all`), or none. Nothing is recorded before the first word, where `output`
   * selects (it takes a whole value), nor in place of a whole answer. Default `interrupted`.
   */
  readonly partial?: "interrupted" | "all" | "none" | undefined
  /** What happens to a run whose turn cannot be saved: it fails, or it gives its answer and a warning is logged. */
  readonly onUnsaved?: "fail" | "warn" | undefined
}

/**
 * A session's policy.
 *
 * @category models
 */
export interface Session<in A = unknown, out E = never, out R = never> {
  readonly [TypeId]: typeof TypeId
  readonly options: Options<A, E, R>
}

/** How the session of a run can fail. @category errors */
export type SessionError = SessionStoreError | SessionConflict | PromptError

/** Which session: its id, or an Effect that gives one for each run. @category models */
export type SessionId<R = never> = string | Effect.Effect<string, never, R>

/**
 * Makes a session's policy.
 *
 * @category constructors
 */
export const make = <A = unknown, E = never, R = never>(options: Options<A, E, R> = {}): Session<A, E, R> => ({
  [TypeId]: TypeId,
  options
})

/**
 * Records the values at these paths, each under its own title: `[answer]:` and the value on the next line. Paths that
 * lead nowhere are left out; where all do, the default is recorded.
 *
 * @example
 * ```ts
 * import { Session } from "effigent"
 *
 * const pick = Session.keys<{ readonly answer: string; readonly notes: string }>("answer")
 * console.log(pick({ answer: "42", notes: "long" })) // => [answer]:
 * // => 42
 * ```
 *
 * @category recording
 */
export const keys =
  <A>(...paths: ReadonlyArray<Output.Paths<A>>) =>
  (value: A): string | undefined => {
    const sections = paths.flatMap((path) => {
      const segments = Path.parse(path)
      const places = Result.isSuccess(segments) ? Path.each(value, segments.success) : []
      const found = places.filter((place) => place.found && place.value !== undefined)
      return found.flatMap((place) =>
        Result.match(Text.render("input", place.value), {
          onFailure: () => [],
          onSuccess: (text) => [`[${Path.print(place.path)}]:\n${text}`]
        })
      )
    })
    return sections.length === 0 ? undefined : sections.join("\n\n")
  }

const inputOf = (
  options: Options<never, unknown, unknown>,
  slots: Slots.Slots
): Result.Result<SessionMessages, PromptError> => {
  const value = options.input?.(slots) ?? slots.input ?? slots.instruct
  return value === undefined
    ? Result.succeed([])
    : Result.map(Text.render("input", value), (text) => [Messages.user(text)])
}

const thoughtsOf = ({ reasoning = "signed" }: Pick<Options, "reasoning">, attempt: Attempt | undefined) =>
  (attempt?.thoughts ?? []).filter(
    ({ redacted, signature }) =>
      reasoning === "all" || (reasoning === "signed" && (redacted ?? signature) !== undefined)
  )

const answerOf = <A>(options: Options<A, unknown, unknown>, full: FullResponse<A>) => {
  const value = options.output?.(full.data)
  const text = value === undefined ? Result.succeed(full.text) : Text.render("output", value)
  return Result.map(text, (text) => Messages.assistant(text, thoughtsOf(options, full.attempts.at(-1))))
}

// What there is of the answer of a run that ended so, where it is to be recorded. No tool call is part of it: what a call
// would have answered is not there.
const partOf = (
  options: Options<never, unknown, unknown>,
  cause: Cause.Cause<unknown>,
  attempt: Attempt | undefined
): Pick<SessionTurn, "messages" | "partial"> | undefined => {
  if (cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof TurnLeft)) return undefined
  const partial = Cause.hasInterruptsOnly(cause) ? "interrupted" : "failed"
  const wanted = options.partial ?? "interrupted"
  if (wanted === "none" || (wanted === "interrupted" && partial === "failed")) return undefined
  if (options.output !== undefined || attempt === undefined || attempt.text.trim() === "") return undefined
  return { messages: [Messages.assistant(attempt.text, thoughtsOf(options, attempt))], partial }
}

// What a run sends before its own prompt, and what the record of it begins with.
interface Opening {
  readonly config: Agent.Config
  readonly asked: Result.Result<SessionMessages, PromptError>
  readonly replaces: string | undefined
}

type Open<E> = (
  id: string,
  history: OpenHistory,
  config: Agent.Config
) => Effect.Effect<{ readonly history: OpenHistory; readonly go: (sent: SessionMessages) => Opening }, E>

const around =
  <S, E, R, E2, RI>(
    session: Session<S, E, R>,
    id: SessionId<RI>,
    begin: Open<E2>
  ): Agent.Around<E | E2 | SessionError, R | RI | SessionStore> =>
  (config, work, soFar) =>
    Effect.flatMap(SessionStore, (store) =>
      Effect.flatMap(typeof id === "string" ? Effect.succeed(id) : id, (id) =>
        store.exclusive(
          id,
          Effect.gen(function* () {
            const { options } = session
            const window = options.window ?? SessionWindow.all
            const first = yield* store.head(id)
            const facts = options.facts?.(first.meta)
            const informed = facts === undefined ? config : { ...config, ...Slots.merge(facts, config) }
            const { go, history } = yield* begin(id, open(store, id, first), informed)
            const fitted = yield* window.fit(history)
            const { state } = fitted
            // What a model wrote is kept before it is used: a run that fails does not write it again.
            const head =
              state === undefined
                ? first
                : yield* save(store, id, first, [], (current) => ({ ...state, meta: current.meta }))
            const { asked, config: complete, replaces } = go(fitted.messages)
            const question = yield* Effect.fromResult(asked)
            const memo = fitted.memo === undefined ? {} : { custom: { "chat session memo": fitted.memo } }
            const record = Effect.fnUntraced(function* (answer: Omit<SessionTurn, "id" | "at">) {
              const messages = [...question, ...answer.messages]
              const turn = { id: yield* freshId, at: yield* Clock.currentTimeMillis, ...answer, messages }
              yield* save(store, id, head, [turn], stateOf)
            })
            const warned = Effect.catch((error: SessionStoreError | SessionConflict) => Effect.logWarning(error))
            const full = yield* Effect.onExit(
              work({ ...complete, ...Slots.merge({ custom: complete.custom }, memo) }),
              (exit) => {
                const attempts = soFar()
                const part =
                  Exit.isSuccess(exit) || replaces !== undefined
                    ? undefined
                    : partOf(options, exit.cause, attempts.at(-1))
                if (part === undefined) return Effect.void
                // The run has its own end; what cannot be saved does not change it.
                return warned(record({ ...part, usage: totalUsage(attempts) }))
              }
            )
            // `attach` takes a session only whose recorder takes what the agent gives.
            const answered = yield* Effect.fromResult(answerOf(options as Options<unknown, E, R>, full))
            const recorded = record({
              messages: [...(full.meta.actions?.rounds ?? []).flatMap(Messages.round), answered],
              usage: full.meta.usage,
              ...(replaces === undefined ? {} : { replaces })
            })
            yield* options.onUnsaved === "warn" ? warned(recorded) : recorded
            return full
          })
        )
      )
    )

const isSession = (value: unknown): boolean => typeof value === "object" && value !== null && TypeId in value

/**
 * Gives an agent the memory of a session: each run reads the conversation of this id, sends its window before the
 * agent's own prompt, and records input and answer when it has succeeded. Without an id every run is a session of its
 * own.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Session, SessionWindow } from "effigent"
 * import { SessionStores } from "effigent/layers/store"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const chat = Session.make({ window: SessionWindow.turns(20) })
 * const agent = Agent.make({ system: "You are a waiter." }).pipe(Session.attach(chat, "table-4"))
 *
 * const program = Effect.gen(function* () {
 *   yield* agent.pipe(Agent.input("A coffee, please."), Agent.run)
 *   yield* agent.pipe(Agent.input("The same again."), Agent.run)
 *   const model = yield* ScriptedModel.ScriptedModel
 *   const [, second] = yield* model.requests
 *   return second?.prompt.content.map((message) => message.role)
 * })
 *
 * const model = ScriptedModel.layer([ScriptedModel.text("Coming."), ScriptedModel.text("One more coffee.")])
 * const roles = await Effect.runPromise(program.pipe(Effect.provide([model, SessionStores.memory])))
 * console.log(roles) // => [ 'system', 'user', 'assistant', 'user' ]
 * ```
 *
 * @category combinators
 */
export const attach: {
  <S, E2, R2, RI = never>(
    session: Session<S, E2, R2>,
    id?: SessionId<RI>
  ): <A extends S, E, R, I>(
    self: Agent.Agent<A, E, R, I>
  ) => Agent.Agent<A, E | E2 | SessionError, R | R2 | RI | SessionStore, I>
  <S, A extends S, E, R, I, E2, R2, RI = never>(
    self: Agent.Agent<A, E, R, I>,
    session: Session<S, E2, R2>,
    id?: SessionId<RI>
  ): Agent.Agent<A, E | E2 | SessionError, R | R2 | RI | SessionStore, I>
} = dual(
  (args) => !isSession(args[0]),
  <A, E, R, I, E2, R2, RI>(
    self: Agent.Agent<A, E, R, I>,
    session: Session<A, E2, R2>,
    id: SessionId<RI> = freshId
  ): Agent.Agent<A, E | E2 | SessionError, R | R2 | RI | SessionStore, I> =>
    Agent.around(self, around(session, id, goOn(session)))
)

const goOn =
  <S, E, R>({ options }: Session<S, E, R>): Open<never> =>
  (_id, history, config) =>
    Effect.succeed({
      history,
      go: (sent) => ({
        config: { ...config, history: [...(config.history ?? []), ...sent] },
        asked: inputOf(options, config),
        replaces: undefined
      })
    })

/**
 * Gives an agent that answers the last turn of a session anew: its question and what tools said in it stay, its answer
 * is replaced. The old turn stays in the store and is not shown any more. The agent's own input is not used.
 *
 * @category combinators
 */
export const regenerate: {
  <S, E2, R2>(
    session: Session<S, E2, R2>,
    id: string
  ): <A extends S, E, R, I>(
    self: Agent.Agent<A, E, R, I>
  ) => Agent.Agent<A, E | E2 | SessionError | SessionTurnError, R | R2 | SessionStore, I>
  <S, A extends S, E, R, I, E2, R2>(
    self: Agent.Agent<A, E, R, I>,
    session: Session<S, E2, R2>,
    id: string
  ): Agent.Agent<A, E | E2 | SessionError | SessionTurnError, R | R2 | SessionStore, I>
} = dual(
  3,
  <A, E, R, I, E2, R2>(
    self: Agent.Agent<A, E, R, I>,
    session: Session<A, E2, R2>,
    id: string
  ): Agent.Agent<A, E | E2 | SessionError | SessionTurnError, R | R2 | SessionStore, I> =>
    Agent.around(self, around<A, E2, R2, SessionTurnError | SessionStoreError, never>(session, id, again))
)

const again: Open<SessionTurnError | SessionStoreError> = Effect.fnUntraced(function* (id, history, config) {
  let count = 0
  const { shown } = yield* history.newest(() => count++ === 0)
  const last = shown[0]
  if (last === undefined)
    return yield* new SessionTurnError({ id, detail: "it has no turn that could be answered anew" })
  if (last.index < history.head.from) {
    const detail = "its last turn has become part of the memo; it can no longer be answered anew"
    return yield* new SessionTurnError({ id, detail })
  }
  const groups = Messages.groups(last.turn.messages)
  const kept = groups.slice(0, groups.findLastIndex((group) => group.length > 1 || group[0]?.role !== "assistant") + 1)
  const asked = kept.flat()
  const question = asked.length === 1 ? asked[0] : undefined
  const { input: _input, ...rest } = config
  return {
    history: history.without(last.turn.id),
    go: (sent: SessionMessages): Opening => ({
      config: {
        ...rest,
        history: [...(config.history ?? []), ...sent, ...(question === undefined ? asked : [])],
        ...(question === undefined ? {} : { input: Messages.textOf(question) })
      },
      asked: Result.succeed(asked),
      replaces: last.turn.id
    })
  }
})
