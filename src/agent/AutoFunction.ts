/**
 * A function whose body is the model: its signature is a name, a description, a Schema for what goes in and one for what
 * comes out. Calling it gives an Effect; nothing is sent before that is run.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ModelProvider } from "../../services/ModelProvider.ts"
import * as Contract from "../output/Contract.ts"
import * as Output from "../output/Output.ts"
import { PromptError } from "../prompt/PromptError.ts"
import * as Agent from "./Agent.ts"

/**
 * The signature of a function and, optionally, the agent that computes it.
 *
 * @category models
 */
export interface Signature<I extends Schema.Top, O extends Output.Source, E, R> {
  /** What it is called, for the model and in errors: `extractDates`. */
  readonly name: string
  /** What it computes. */
  readonly description: string
  /** What it takes. Keys with a constructor default may be left out by the caller; the model sees the encoded value. */
  readonly input: I
  /** What it gives: a Schema, a Standard Schema or a shorthand. Scalars and arrays will do. */
  readonly output: O
  /** An agent with a system prompt, a model, options or guards for it. Its own output is not used. */
  readonly agent?: Agent.Agent<unknown, E, R> | undefined
}

/** A function whose body is the model. @category models */
export type AutoFunction<I extends Schema.Top, O extends Output.Source, E, R> = (
  input: I["~type.make.in"]
) => Effect.Effect<
  Output.TypeOf<O>,
  E | Agent.AgentError,
  Exclude<R | I["EncodingServices"] | Output.ServicesOf<O>, Scope.Scope>
>

// Models write objects most reliably, so that what is no object is asked for under one key.
const returned = "return_value"

/**
 * Makes a function of its signature. The input is made and encoded by its Schema (a value that the Schema rejects is a
 * `PromptError`, and nothing is sent), the output is an agent's output with all that goes with it: ensured leaves,
 * corrections, decoding. What is not an object is asked for as `{ "return_value": ... }` and unwrapped.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { AutoFunction } from "effigent"
 * import { ScriptedModel } from "effigent/testing"
 *
 * const calc = AutoFunction.make({
 *   name: "calc",
 *   description: "Computes the formula, rounded to k digits after the point.",
 *   input: Schema.Struct({
 *     formula: Schema.String,
 *     k: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(3)))
 *   }),
 *   output: Schema.Finite
 * })
 *
 * const model = ScriptedModel.layer([ScriptedModel.json({ return_value: 42 })])
 * console.log(await Effect.runPromise(calc({ formula: "6*7" }).pipe(Effect.provide(model)))) // => 42
 * ```
 *
 * @category constructors
 */
export const make = <const I extends Schema.Top, const O extends Output.Source, E = never, R = ModelProvider>(
  signature: Signature<I, O, E, R>
): AutoFunction<I, O, E, R> => {
  const { agent, description, input, name } = signature
  const inner: Schema.Top = Output.toSchema(signature.output)
  const isObject = Contract.compile(inner).shape.kind === "object"
  const outer = isObject
    ? inner
    : Schema.Struct({ [returned]: Output.ensure(inner, `What ${name} gives`) }).annotate({ identifier: name })
  // Where no agent is given, E and R are their defaults.
  const base = agent ?? (Agent.make({}) as unknown as Agent.Agent<unknown, E, R>)
  const body = base.pipe(
    Agent.settings({ name }),
    Agent.instruct(`You are the function \`${name}\`. Give what it gives for the input.\n\n${description}`),
    Agent.output(outer)
  )
  const encode = Schema.encodeEffect(input)
  const call = Effect.fnUntraced(function* (value: I["~type.make.in"]) {
    const encoded = yield* input.makeEffect(value).pipe(
      Effect.mapError((issue) => new Schema.SchemaError(issue)),
      Effect.flatMap(encode),
      Effect.mapError(
        ({ message }) =>
          new PromptError({ slot: "input", detail: `is not what ${name} takes: ${message}; pass what its Schema says` })
      )
    )
    const data = yield* Agent.run(Agent.input(body, encoded))
    // The struct above holds this key, and no other.
    return isObject ? data : (data as { readonly [returned]: unknown })[returned]
  })
  // `inner` is the Schema of `O`, which does not show in its type.
  return call as unknown as AutoFunction<I, O, E, R>
}
