/**
 * Puts guards around a model provider. Everything that is sent passes the input guards, attempt by attempt, corrections
 * included; everything that comes back is held until the attempt has ended and passed the output guards, and only then
 * given to the response. Readers stand behind this point, all of them, so that none sees what a guard has not passed.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Prompt } from "../../services/Ai.ts"
import type { Json } from "../../services/Json.ts"
import type { ModelError } from "../../services/ModelError.ts"
import type { ModelEvent, ModelRequest, OutputFormat } from "../../services/ModelProvider.ts"
import { GuardBlocked } from "../guard/GuardBlocked.ts"
import type { Answer, Guard, Origin, Piece, Subject } from "../guard/Verdict.ts"
import { messageOf, type Reading, scanText, type Source } from "./Attempts.ts"
import type { Recorder } from "./Recorder.ts"

/**
 * The guards of one response.
 *
 * @category models
 */
export interface Guards<out E, out R> {
  readonly input: ReadonlyArray<Guard<E, R>>
  readonly output: ReadonlyArray<Guard<E, R>>
  /** The agent's name. */
  readonly agent: string | undefined
}

// Something with texts in it: shows each to a function, and is made anew of what that gives.
type Texts<T> = (see: (text: string, origin: Origin) => string) => T

const piecesOf = (texts: Texts<unknown>): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  texts((text, origin) => {
    if (text !== "") pieces.push({ text, origin })
    return text
  })
  return pieces
}

// The same walk again, which meets the same texts in the same order.
const withTexts = <T>(texts: Texts<T>, given: ReadonlyArray<string>): T => {
  let next = 0
  return texts((text) => (text === "" ? text : (given[next++] ?? "")))
}

const isPlain = (value: object): boolean => {
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === null || proto === Object.prototype
}

// The texts of a JSON value, keys and numbers included. A number that is rewritten becomes a text.
const jsonTexts =
  (value: unknown, origin: Origin): Texts<unknown> =>
  (see) => {
    const walk = (u: unknown): unknown => {
      if (typeof u === "string") return see(u, origin)
      if (typeof u === "number" || typeof u === "bigint") {
        const given = see(String(u), origin)
        return given === String(u) ? u : given
      }
      if (typeof u !== "object" || u === null) return u
      if (Array.isArray(u)) return u.map(walk)
      if ("toJSON" in u && typeof u.toJSON === "function") return walk(u.toJSON())
      if (!isPlain(u)) return u
      return Object.fromEntries(Object.entries(u).map(([key, item]) => [see(key, origin), walk(item)]))
    }
    return walk(value)
  }

const textPart = (part: Prompt.TextPart, text: string): Prompt.TextPart =>
  part.text === text ? part : Prompt.makePart("text", { text, options: part.options })

const filePart = (part: Prompt.FilePart, see: (text: string) => string): Prompt.FilePart => {
  if (part.fileName === undefined) return part
  const fileName = see(part.fileName)
  return fileName === part.fileName ? part : Prompt.makePart("file", { ...part, fileName })
}

const toolResult = (
  part: Prompt.ToolResultPart,
  see: (text: string, origin: Origin) => string
): Prompt.ToolResultPart =>
  Prompt.makePart("tool-result", {
    ...part,
    result: jsonTexts(part.result, "tool")(see),
    modelOutput: part.modelOutput?.map((output) =>
      output.type === "text"
        ? textPart(output, see(output.text, "tool"))
        : filePart(output, (text) => see(text, "tool"))
    )
  })

const isDeveloper = ({ options }: Prompt.SystemMessage): boolean => {
  const own = options["effigent"]
  return typeof own === "object" && own !== null && "role" in own && own["role"] === "developer"
}

const messageTexts =
  (message: Prompt.Message): Texts<Prompt.Message> =>
  (see) => {
    switch (message.role) {
      case "system":
        return { ...message, content: see(message.content, isDeveloper(message) ? "developer" : "system") }
      case "user":
        return {
          ...message,
          content: message.content.map((part) =>
            part.type === "text" ? textPart(part, see(part.text, "user")) : filePart(part, (text) => see(text, "user"))
          )
        }
      case "assistant":
        return {
          ...message,
          content: message.content.map((part) => {
            switch (part.type) {
              case "text":
                return textPart(part, see(part.text, "assistant"))
              case "reasoning": {
                const text = see(part.text, "reasoning")
                // The provider's signature is of the text as it was.
                return text === part.text ? part : Prompt.makePart("reasoning", { text })
              }
              case "file":
                return filePart(part, (text) => see(text, "assistant"))
              case "tool-call":
                return Prompt.makePart("tool-call", { ...part, params: jsonTexts(part.params, "tool-call")(see) })
              case "tool-result":
                return toolResult(part, see)
              default:
                return part
            }
          })
        }
      case "tool":
        return {
          ...message,
          content: message.content.map((part) => (part.type === "tool-result" ? toolResult(part, see) : part))
        }
    }
  }

const promptTexts =
  (prompt: Prompt.Prompt): Texts<Prompt.Prompt> =>
  (see) =>
    Prompt.fromMessages(prompt.content.map((message) => messageTexts(message)(see)))

const filesOf = (prompt: Prompt.Prompt): ReadonlyArray<string> =>
  prompt.content.flatMap((message) =>
    message.role === "system" ? [] : message.content.flatMap((part) => (part.type === "file" ? [part.mediaType] : []))
  )

// What one attempt brought, but for what is given at once.
class Held {
  private text = ""
  private reasoning: Array<Extract<ModelEvent, { readonly _tag: "Reasoning" }>> = []
  private refusal = ""
  private calls: Array<Extract<ModelEvent, { readonly _tag: "ToolCall" }>> = []
  private finish: Extract<ModelEvent, { readonly _tag: "Finish" }> | undefined

  /** Whether an event is given at once: it holds nothing that the model wrote. */
  readonly passes = (event: ModelEvent): boolean => {
    switch (event._tag) {
      case "Info":
      case "Usage":
        return true
      case "Restarted":
        this.text = ""
        this.reasoning = []
        this.refusal = ""
        this.calls = []
        this.finish = undefined
        return true
      case "Text":
        this.text += event.text
        return false
      case "Reasoning": {
        const last = this.reasoning.at(-1)
        const open = last !== undefined && last.signature === undefined && last.redacted === undefined
        if (open) this.reasoning[this.reasoning.length - 1] = { ...event, text: last.text + event.text }
        else this.reasoning.push(event)
        return false
      }
      case "Refusal":
        this.refusal += event.text
        return false
      case "ToolCall":
        this.calls.push(event)
        return false
      case "Finish":
        this.finish = event
        return false
      // Pieces of tool calls come whole as well, and frames are not kept behind output guards.
      case "ToolCallDelta":
      case "Raw":
        return false
    }
  }

  /** The end of the attempt, with another answer. */
  answered(text: string): ReadonlyArray<ModelEvent> {
    const finish: ModelEvent = { _tag: "Finish", reason: "stop" }
    return text === "" ? [finish] : [{ _tag: "Text", text }, finish]
  }

  /** Whether the model wrote JSON where another format was asked for. */
  isJson(reading: Reading): boolean {
    const isJson = reading.format === "json" || reading.format === "text"
    return isJson || scanText(reading, this.text, this.finish?.reason === "length").format === "json"
  }

  texts(reading: Reading): Texts<ReadonlyArray<ModelEvent>> {
    const { calls, finish, reasoning, refusal, text } = this
    const isCut = finish?.reason === "length"
    const answer = reading.format === "text" ? plain(text) : structured(text, reading, isCut)
    return (see) => {
      const events: Array<ModelEvent> = reasoning.map((event) => {
        const given = see(event.text, "reasoning")
        return given === event.text ? event : { _tag: "Reasoning", text: given }
      })
      const given = answer(see)
      if (given !== "") events.push({ _tag: "Text", text: given })
      if (refusal !== "") events.push({ _tag: "Refusal", text: see(refusal, "refusal") })
      for (const call of calls) {
        if (call.input === undefined) {
          events.push({ ...call, arguments: see(call.arguments, "tool-call") })
          continue
        }
        // A walk over JSON gives JSON.
        const input = jsonTexts(call.input, "tool-call")(see) as Json
        events.push({ ...call, input, arguments: JSON.stringify(input) })
      }
      if (finish !== undefined) events.push(finish)
      return events
    }
  }
}

const plain =
  (text: string): Texts<string> =>
  (see) =>
    see(text, "answer")

const unescape = (text: string): string =>
  text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

// A structured answer is read as the contract reads it, shown value by value, and written anew, as JSON whatever its
// format (which every reader of a format takes as well): prose around it, values that lost against it, duplicate keys and
// escapes, none of which the guards saw, are gone. What was cut off stays cut off.
const structured = (text: string, reading: Reading, isCut: boolean): Texts<string> => {
  const { scan } = scanText(reading, text, isCut)
  if (!scan.found) return plain(unescape(text))
  const value = jsonTexts(scan.value, "answer")
  const isOpen = scan.repaired.has("")
  return (see) => {
    const json = JSON.stringify(value(see)) ?? ""
    return isOpen ? json.replace(/["\]}]+$/, "") : json
  }
}

const textOf = (value: Json, format: OutputFormat): string =>
  format === "text" && typeof value === "string" ? value : JSON.stringify(value)

type Outcome<T> = { readonly _tag: "Given"; readonly value: T } | (Answer & { readonly guard: string })

// Shows something to guards, one after the other, each with what those before it made of it.
const judge = Effect.fnUntraced(function* <T, E, R>(
  guards: ReadonlyArray<Guard<E, R>>,
  initial: T,
  textsOf: (value: T) => Texts<T>,
  subject: Omit<Subject, "pieces">
): Effect.fn.Return<Outcome<T>, E | GuardBlocked, R> {
  let value = initial
  for (const guard of guards) {
    const texts = textsOf(value)
    const pieces = piecesOf(texts)
    const stop = (reason: string, kinds: ReadonlyArray<string>, crashed: boolean) =>
      new GuardBlocked({ guard: guard.name, stage: subject.stage, attempt: subject.attempt, reason, kinds, crashed })
    const verdict = yield* Effect.suspend(() => guard.check({ ...subject, pieces })).pipe(
      Effect.catchCause((cause): Effect.Effect<never, E | GuardBlocked> =>
        // What cannot be checked does not pass. Typed failures and interruption stay what they are.
        Cause.hasDies(cause)
          ? Effect.fail(stop(`it broke down: ${messageOf(Cause.squash(cause))}`, [], true))
          : Effect.failCause(cause)
      )
    )
    switch (verdict._tag) {
      case "Pass":
        break
      case "Rewrite":
        if (verdict.texts.length !== pieces.length) {
          return yield* stop(`it gave ${verdict.texts.length} texts for ${pieces.length}`, [], true)
        }
        value = withTexts(texts, verdict.texts)
        break
      case "Answer":
        return { ...verdict, guard: guard.name }
      case "Block":
        return yield* stop(verdict.reason, verdict.kinds, false)
      default:
        return yield* stop("it gave no verdict", [], true)
    }
  }
  return { _tag: "Given", value }
})

/**
 * Puts guards around a source of answers. What they write themselves is noted in the books.
 *
 * @category constructors
 */
export const make = <E, R, E2, R2, A>(
  source: Source<E, R>,
  guards: Guards<E2, R2>,
  books: Pick<Recorder<A>, "whyJson">
): Source<E | E2 | GuardBlocked, R | R2> => {
  if (guards.input.length === 0 && guards.output.length === 0) return source
  // Guards that answered. An answer that its contract refuses would be given again and again.
  const answered = new Set<string>()

  const reply = (
    { guard, value }: Answer & { readonly guard: string },
    stage: Subject["stage"],
    attempt: number,
    { format }: Reading
  ) => {
    if (answered.has(`${stage} ${guard}`)) {
      const reason = "its answer does not fulfil the output contract"
      return Effect.fail(new GuardBlocked({ guard, stage, attempt, reason, kinds: [], crashed: false }))
    }
    answered.add(`${stage} ${guard}`)
    books.whyJson = `the guard "${guard}" answered in the model's place`
    return Effect.succeed(textOf(value, format))
  }

  const release = (held: Held, attempt: number, reading: Reading) => {
    const subject = { stage: "output", attempt, agent: guards.agent, files: [] } as const
    const textsOf = (events: ReadonlyArray<ModelEvent>): Texts<ReadonlyArray<ModelEvent>> => {
      const again = new Held()
      for (const event of events) again.passes(event)
      return again.texts(reading)
    }
    if (!held.isJson(reading)) books.whyJson = "the output guards write as JSON what they let through"
    // Made anew even where every guard passes: what is given is what they saw.
    const begin = withTexts(
      held.texts(reading),
      piecesOf(held.texts(reading)).map(({ text }) => text)
    )
    return Effect.flatMap(judge(guards.output, begin, textsOf, subject), (outcome) =>
      outcome._tag === "Given"
        ? Effect.succeed(outcome.value)
        : Effect.map(reply(outcome, "output", attempt, reading), (text) => held.answered(text))
    )
  }

  const receive = (
    request: ModelRequest,
    reading: Reading
  ): Stream.Stream<ModelEvent, ModelError | E | E2 | GuardBlocked, R | R2> => {
    if (guards.output.length === 0) return source.stream(request, reading)
    return Stream.suspend(() => {
      const held = new Held()
      return Stream.concat(
        Stream.filter(source.stream({ ...request, includeRaw: false }, reading), held.passes),
        Stream.unwrap(
          Effect.map(
            Effect.suspend(() => release(held, request.attempt, reading)),
            Stream.fromArray
          )
        )
      )
    })
  }

  const send = Effect.fnUntraced(function* (request: ModelRequest, reading: Reading) {
    const { attempt, prompt } = request
    const subject = { stage: "input", attempt, agent: guards.agent, files: filesOf(prompt) } as const
    const outcome = yield* judge(guards.input, prompt, promptTexts, subject)
    if (outcome._tag === "Given") return receive({ ...request, prompt: outcome.value }, reading)
    return Stream.fromArray(new Held().answered(yield* reply(outcome, "input", attempt, reading)))
  })

  const answer = (text: string, attempt: number, reading: Reading) =>
    Effect.suspend(() => {
      const given = new Held()
      const events = given.answered(text)
      if (guards.output.length === 0) return Effect.succeed(events)
      for (const event of events) given.passes(event)
      return release(given, attempt, reading)
    })

  return { name: source.name, stream: (request, reading) => Stream.unwrap(send(request, reading)), answer }
}
