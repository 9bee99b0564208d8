/**
 * What a guard is: a check of the texts that are about to be sent to a model, or that came from it. It passes them,
 * rewrites them, blocks, or answers in the model's place. Checks are Effects: what they need and how they fail goes into
 * the type of the agent that they guard.
 */
import * as Effect from "effect/Effect"
import type { Json } from "../../services/Json.ts"

/**
 * Where a text stands: in a message of that role, or in what the model wrote. `tool-call` are the arguments of a call,
 * `tool` what a tool gave.
 *
 * @category models
 */
export type Origin =
  | "system"
  | "developer"
  | "user"
  | "assistant"
  | "tool"
  | "tool-call"
  | "reasoning"
  | "answer"
  | "refusal"

/**
 * One text to check. What is structured (a JSON answer, the arguments of a call) is shown key by key and value by value,
 * decoded, so that no escape hides anything; numbers are shown as texts.
 *
 * @category models
 */
export interface Piece {
  readonly text: string
  readonly origin: Origin
}

/**
 * All that is about to be sent with one attempt, or all that came with it.
 *
 * @category models
 */
export interface Subject {
  readonly stage: "input" | "output"
  /** 1 for the first attempt, 2 for the first correction, ... */
  readonly attempt: number
  /** The agent's name, where it has one. */
  readonly agent: string | undefined
  readonly pieces: ReadonlyArray<Piece>
  /** Media types of the files of a request, which are not looked into. */
  readonly files: ReadonlyArray<string>
}

/** Blocks. @category models */
export interface Block {
  readonly _tag: "Block"
  readonly reason: string
  readonly kinds: ReadonlyArray<string>
}

/** Answers in the model's place. @category models */
export interface Answer {
  readonly _tag: "Answer"
  readonly value: Json
}

/**
 * What a guard says.
 *
 * @category models
 */
export type Verdict =
  | { readonly _tag: "Pass" }
  /** The texts in place of those of the pieces, in their order and as many. */
  | { readonly _tag: "Rewrite"; readonly texts: ReadonlyArray<string> }
  | Block
  | Answer

/**
 * A guard.
 *
 * @category models
 */
export interface Guard<out E = never, out R = never> {
  readonly name: string
  readonly check: (subject: Subject) => Effect.Effect<Verdict, E, R>
}

/** Lets everything pass. @category verdicts */
export const pass: Verdict = { _tag: "Pass" }

/** Replaces the texts of the pieces: as many as there are, in their order. @category verdicts */
export const rewrite = (texts: ReadonlyArray<string>): Verdict => ({ _tag: "Rewrite", texts })

/**
 * Blocks: the run fails with `GuardBlocked`.
 *
 * @param reason why, in words that may be shown; without the text itself
 * @param kinds what was found
 * @category verdicts
 */
export const block = (reason: string, kinds: ReadonlyArray<string> = []): Block => ({ _tag: "Block", reason, kinds })

/**
 * Answers in the model's place. In front of a request the model is not asked; behind it, its answer is dropped. The
 * value is a text, or the encoded value of the agent's output; it is judged by the output contract as a model's would be.
 *
 * @category verdicts
 */
export const answer = (value: Json): Answer => ({ _tag: "Answer", value })

/**
 * A guard that sees all pieces at once.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Guard } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const closed = Guard.make("opening hours", () => Effect.succeed(Guard.answer("We are closed until Monday.")))
 * const answer = Agent.make({}).pipe(Agent.guardInput(closed), Agent.input("Hello?"), Agent.run)
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide(ScriptedModel.layer([]))))) // => We are closed until Monday.
 * ```
 *
 * @category constructors
 */
export const make = <E = never, R = never>(
  name: string,
  check: (subject: Subject) => Effect.Effect<Verdict, E, R>
): Guard<E, R> => ({ name, check })

/**
 * A guard that sees one text after the other, and gives each back, changed or not, or a verdict on the whole.
 *
 * @category constructors
 */
export const text = <E = never, R = never>(
  name: string,
  check: (text: string, piece: Piece) => Effect.Effect<string | Block | Answer, E, R>
): Guard<E, R> =>
  make(
    name,
    Effect.fnUntraced(function* ({ pieces }) {
      const texts: Array<string> = []
      for (const piece of pieces) {
        const given = yield* check(piece.text, piece)
        if (typeof given !== "string") return given
        texts.push(given)
      }
      return texts.some((given, i) => given !== pieces[i]?.text) ? rewrite(texts) : pass
    })
  )

/**
 * A guard that asks an external service about all texts together, one below the other. The service gives the kinds of
 * what it objects to; none means that it has no objection.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Guard } from "effigent"
 *
 * declare class ModerationDown {
 *   readonly _tag: "ModerationDown"
 * }
 * declare const classify: (text: string) => Effect.Effect<ReadonlyArray<string>, ModerationDown>
 *
 * // Agent<string, GuardBlocked | ModerationDown, ModelProvider>
 * export const careful = (agent: Agent.Agent<string>) => agent.pipe(Agent.guardOutput(Guard.moderation(classify)))
 * ```
 *
 * @category constructors
 */
export const moderation = <E = never, R = never>(
  check: (text: string, subject: Subject) => Effect.Effect<ReadonlyArray<string>, E, R>
): Guard<E, R> =>
  make("moderation", (subject) =>
    Effect.map(check(subject.pieces.map((piece) => piece.text).join("\n"), subject), (kinds) =>
      kinds.length === 0 ? pass : block("the moderation objects", kinds)
    )
  )

/**
 * The same guard for texts of some origins only; it does not see the others.
 *
 * @category combinators
 */
export const only = <E, R>(guard: Guard<E, R>, origins: ReadonlyArray<Origin>): Guard<E, R> =>
  make(guard.name, (subject) => {
    const indexes = subject.pieces.flatMap(({ origin }, i) => (origins.includes(origin) ? [i] : []))
    const pieces = subject.pieces.filter((_, i) => indexes.includes(i))
    if (pieces.length === 0) return Effect.succeed(pass)
    return Effect.map(guard.check({ ...subject, pieces }), (verdict) => {
      // As many texts as pieces: what is not is for the caller to refuse.
      if (verdict._tag !== "Rewrite" || verdict.texts.length !== pieces.length) return verdict
      const texts = subject.pieces.map(({ text }) => text)
      indexes.forEach((at, i) => {
        texts[at] = verdict.texts[i] ?? ""
      })
      return rewrite(texts)
    })
  })
