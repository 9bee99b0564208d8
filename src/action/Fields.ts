/**
 * The arguments of calls, field by field, while the model still writes them: each call has a parser of its own, the one
 * that answers are read with.
 */
import * as Stream from "effect/Stream"
import type { Field, InstantEvent } from "../parse/InstantEvent.ts"
import * as JsonScanner from "../parse/JsonScanner.ts"
import type { ModelResponse } from "../request/ModelResponse.ts"

/**
 * A field of a call's arguments that grew or finished.
 *
 * @category models
 */
export interface CallField {
  /** Which call: its place in the round, its name and the provider's id of it. */
  readonly call: { readonly index: number; readonly name: string; readonly id: string }
  readonly field: Field
}

interface Reading {
  readonly call: CallField["call"]
  readonly scanner: ReturnType<typeof JsonScanner.make>
}

/**
 * Every field of every call's arguments as it grows and finishes. A call that the provider gives in one piece is given
 * so. What a model writes is not what runs: a call runs when it is whole and fits its Schema.
 *
 * @category readers
 */
export const fields = <A, E, I>(response: Pick<ModelResponse<A, E, I>, "instant">): Stream.Stream<CallField, E> =>
  Stream.suspend(() => {
    const open = new Map<number, Reading>()
    let attempt = 0
    const read = (event: InstantEvent): ReadonlyArray<CallField> => {
      if (event._tag !== "ToolCall") return []
      if (event.attempt !== attempt) {
        attempt = event.attempt
        open.clear()
      }
      const known = open.get(event.index)
      const { id, index, name } = event
      const reading = known ?? { call: { index, name, id }, scanner: JsonScanner.make({ attempt }) }
      if (known === undefined) open.set(index, reading)
      const text = event.isComplete ? (known === undefined ? event.arguments : "") : (event.delta ?? "")
      const events = [
        ...(text === "" ? [] : reading.scanner.write(text)),
        ...(event.isComplete ? reading.scanner.end("complete") : [])
      ]
      return events.flatMap((field) => (field._tag === "Field" ? [{ call: reading.call, field }] : []))
    }
    return Stream.flattenIterable(Stream.map(response.instant, read))
  })
