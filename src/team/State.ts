/**
 * State that a team shares. Each member works on a copy of its own, which nobody else changes while it works; when it has
 * succeeded, what it did is done again on what the others have made of the state in the meantime. Nothing is lost: updates
 * are functions and are replayed one after the other, values that were set are compared key by key, and where two members
 * have set the same place to different values the first one stands and the other is reported as a conflict.
 *
 * What a member did that failed or was stopped is dropped with its copy.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { canonical, type Json } from "../../services/Json.ts"

const TypeId = "~effigent/team/State"

/**
 * A place that two members have set to different values, or an update that could not be done again.
 *
 * @category schemas
 */
export const Conflict = Schema.Struct({
  /** The member whose change was not taken. */
  member: Schema.String,
  /** Where, as a JSON pointer: `/plan/title`. Empty: the whole state. */
  path: Schema.String,
  /** What stands in the state. */
  kept: Schema.Json,
  /** What the member wanted there; null where it took the place away or an update failed. */
  refused: Schema.Json,
  /** What was wrong with an update that could not be done again. */
  issue: Schema.optionalKey(Schema.String)
})

/** A change that was not taken, as a type. @category models */
export type Conflict = typeof Conflict.Type

/**
 * A value that the Schema of the state does not admit.
 *
 * @category errors
 */
export class StateError extends Schema.TaggedError<StateError>()("TeamStateError", {
  /** The name of the state. */
  state: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `The team state "${this.state}" was not changed: ${this.issue}. Give a value that its Schema admits.`
  }
}

/**
 * What stands in an Effect's requirements where it uses a state: the team provides it.
 *
 * @category models
 */
export interface Cell<in out Id extends string> {
  readonly "~effigent/team/Cell": (id: Id) => Id
}

/**
 * A state as an agent's actions use it.
 *
 * @category models
 */
export interface Copy<S> {
  /** The value now. */
  readonly get: Effect.Effect<S>
  /** Changes it on the ground of what it is, in one go. Gives what it has become. */
  readonly update: (f: (state: S) => S) => Effect.Effect<S, StateError>
  /** Replaces it. */
  readonly set: (state: S) => Effect.Effect<S, StateError>
}

/**
 * What is done to a state: a function of it, or a value in the place of another one. Values are encoded.
 *
 * @category models
 */
export type Op<S> =
  | { readonly _tag: "Update"; readonly f: (state: S) => S }
  | { readonly _tag: "Set"; readonly before: Json; readonly after: Json }

/**
 * How a state is made.
 *
 * @category models
 */
export interface Options<S> {
  /** What it is at the start of each run of the team. */
  readonly initial: NoInfer<S>
  /**
   * Makes one of two, where a member has set values: what it began with, what it has made of that, and what the others
   * have made of it. Pure. Default: key by key, with conflicts reported.
   */
  readonly merge?: ((base: S, mine: S, current: S) => S) | undefined
}

/**
 * A state that a team shares: `get`, `update` and `set` work on the copy of the member that runs them.
 *
 * @category models
 */
export interface State<Id extends string, S> {
  readonly [TypeId]: typeof TypeId
  readonly id: Id
  readonly schema: Schema.Codec<S, unknown>
  readonly options: Options<S>
  /** The service behind it. */
  readonly tag: Context.Service<Cell<Id>, Copy<S>>
  /** The value now. */
  readonly get: Effect.Effect<S, never, Cell<Id>>
  /**
   * Changes the value on the ground of what it is, in one go. The function is pure: it is run again on what other members
   * have made of the state, so that none of their changes is lost.
   */
  readonly update: (f: (state: S) => S) => Effect.Effect<S, StateError, Cell<Id>>
  /** Replaces the value: what differs is what this member has changed. For counters and lists take `update`. */
  readonly set: (state: S) => Effect.Effect<S, StateError, Cell<Id>>
}

/** Any state of a team. @category models */
export interface Any {
  readonly [TypeId]: typeof TypeId
  readonly id: string
}

/**
 * Makes a state for a team to share.
 *
 * @param id names it: the same everywhere, and another one for each state
 * @category constructors
 */
export const make = <const Id extends string, S>(
  id: Id,
  schema: Schema.Codec<S, unknown>,
  options: Options<S>
): State<Id, S> => {
  const tag = Context.Service<Cell<Id>, Copy<S>>(`effigent/team/State/${id}`)
  return {
    [TypeId]: TypeId,
    id,
    schema,
    options,
    tag,
    get: Effect.flatMap(tag, (copy) => copy.get),
    update: (f) => Effect.flatMap(tag, (copy) => copy.update(f)),
    set: (state) => Effect.flatMap(tag, (copy) => copy.set(state))
  }
}

/**
 * A state outside of a team: for tests of actions, and for agents by themselves.
 *
 * @category layers
 */
export const layer = <Id extends string, S>(state: State<Id, S>, value?: S): Layer.Layer<Cell<Id>, StateError> =>
  Layer.effect(
    state.tag,
    Effect.suspend(() => {
      const codec = codecOf(state)
      return Effect.fromResult(
        Result.map(codec.encode(value ?? state.options.initial), (json): Copy<S> => new Isolated(codec, json))
      )
    })
  )

/**
 * A state's values to and from JSON.
 *
 * @category models
 */
export interface Codec<S> {
  readonly id: string
  readonly encode: (value: S) => Result.Result<Json, StateError>
  readonly decode: (json: Json) => Result.Result<S, StateError>
  readonly merge: Options<S>["merge"]
}

/** How values of a state are read and written. @category conversions */
export const codecOf = <S>({ id, options, schema }: Pick<State<string, S>, "id" | "options" | "schema">): Codec<S> => {
  const json = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownResult(json)
  const decode = Schema.decodeUnknownResult(json)
  const wrong = (error: Schema.SchemaError) => new StateError({ state: id, issue: error.message })
  return {
    id,
    merge: options.merge,
    encode: (value) => Result.mapError(encode(value), wrong),
    decode: (value) => Result.mapError(decode(value), wrong)
  }
}

/** What a function makes of an encoded value; a function that throws has failed. */
const updated = <S>(codec: Codec<S>, json: Json, f: (state: S) => S): Result.Result<Json, StateError> =>
  Result.flatMap(codec.decode(json), (value) =>
    Result.flatMap(
      Result.try({
        try: () => f(value),
        catch: (error) => new StateError({ state: codec.id, issue: `the update threw: ${String(error)}` })
      }),
      codec.encode
    )
  )

/**
 * A copy that belongs to one member while it works. It remembers what was done to it.
 *
 * @category models
 */
export class Isolated<S> implements Copy<S> {
  readonly base: Json
  readonly ops: Array<Op<S>> = []
  private readonly codec: Codec<S>
  private json: Json

  constructor(codec: Codec<S>, json: Json) {
    this.codec = codec
    this.base = json
    this.json = json
  }

  get get(): Effect.Effect<S> {
    // What stands in a copy has been encoded by the same Schema.
    return Effect.suspend(() => Effect.orDie(Effect.fromResult(this.codec.decode(this.json))))
  }

  readonly update = (f: (state: S) => S): Effect.Effect<S, StateError> => this.effect(() => this.updateNow(f))

  readonly set = (state: S): Effect.Effect<S, StateError> => this.effect(() => this.setNow(state))

  private effect(change: () => Result.Result<S, StateError>): Effect.Effect<S, StateError> {
    return Effect.suspend(() => Effect.fromResult(change()))
  }

  /** `update`, at once: nothing comes between reading and writing. */
  updateNow(f: (state: S) => S): Result.Result<S, StateError> {
    return this.put(updated(this.codec, this.json, f), () => ({ _tag: "Update", f }))
  }

  /** `set`, at once. */
  setNow(state: S): Result.Result<S, StateError> {
    return this.put(this.codec.encode(state), (before, after) => ({ _tag: "Set", before, after }))
  }

  private put(
    next: Result.Result<Json, StateError>,
    op: (before: Json, after: Json) => Op<S>
  ): Result.Result<S, StateError> {
    if (Result.isSuccess(next)) {
      this.ops.push(op(this.json, next.success))
      this.json = next.success
    }
    return Result.flatMap(next, this.codec.decode)
  }

  /** What was done. */
  get work(): Work<S> {
    return { base: this.base, mine: this.json, ops: this.ops }
  }

  /** Does the work of another copy that was made of this one. What cannot be done again is told by whoever merges last. */
  absorb(member: string, work: Work<S>): void {
    const { json } = merged(this.codec, member, this.json, work)
    this.json = json
    this.ops.push(...work.ops)
  }
}

/**
 * What was done to a copy: what it began as, what it became, and how.
 *
 * @category models
 */
export interface Work<S> {
  readonly base: Json
  readonly mine: Json
  readonly ops: ReadonlyArray<Op<S>>
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

interface Change {
  readonly path: ReadonlyArray<string>
  readonly before: Json | undefined
  readonly after: Json | undefined
}

const alike = (a: Json | undefined, b: Json | undefined): boolean =>
  a === undefined || b === undefined ? a === b : canonical(a) === canonical(b)

/** What differs between two values: objects key by key, everything else as a whole. @category merging */
const changes = (
  before: Json | undefined,
  after: Json | undefined,
  path: ReadonlyArray<string> = []
): ReadonlyArray<Change> => {
  if (!isObject(before) || !isObject(after)) return alike(before, after) ? [] : [{ path, before, after }]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    changes(own(before, key), own(after, key), [...path, key])
  )
}

const own = (value: { readonly [key: string]: Json }, key: string): Json | undefined =>
  Object.hasOwn(value, key) ? value[key] : undefined

const at = (value: Json, path: ReadonlyArray<string>): Json | undefined =>
  path.reduce<Json | undefined>((inner, key) => (isObject(inner) ? own(inner, key) : undefined), value)

const put = (
  value: Json | undefined,
  [key, ...rest]: ReadonlyArray<string>,
  next: Json | undefined
): Json | undefined => {
  if (key === undefined) return next
  const all = isObject(value) ? value : {}
  const inner = put(own(all, key), rest, next)
  const others = Object.entries(all).filter(([name]) => name !== key)
  return Object.fromEntries(inner === undefined ? others : [...others, [key, inner]])
}

const pointer = (path: ReadonlyArray<string>): string =>
  path.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

/**
 * Does the work of a member again on what the state is now. Pure.
 *
 * @category merging
 */
export const merged = <S>(
  codec: Codec<S>,
  member: string,
  current: Json,
  { base, mine, ops }: Work<S>
): { readonly json: Json; readonly conflicts: ReadonlyArray<Conflict> } => {
  const refused = (json: Json, issue: string) => ({
    json,
    conflicts: [{ member, path: "", kept: json, refused: null, issue }]
  })
  if (codec.merge !== undefined && ops.some(({ _tag }) => _tag === "Set")) {
    const { merge } = codec
    const all = Result.all({ base: codec.decode(base), mine: codec.decode(mine) })
    const next = Result.flatMap(all, (known) => updated(codec, current, (now) => merge(known.base, known.mine, now)))
    return Result.isFailure(next) ? refused(current, next.failure.issue) : { json: next.success, conflicts: [] }
  }
  let json = current
  const conflicts: Array<Conflict> = []
  for (const op of ops) {
    if (op._tag === "Update") {
      const next = updated(codec, json, op.f)
      if (Result.isFailure(next)) conflicts.push(...refused(json, next.failure.issue).conflicts)
      else json = next.success
      continue
    }
    let changed = json
    const clashes: Array<Conflict> = []
    for (const { after, before, path } of changes(op.before, op.after)) {
      const now = at(json, path)
      if (alike(now, after)) continue
      if (alike(now, before)) changed = put(changed, path, after) ?? null
      else clashes.push({ member, path: pointer(path), kept: now ?? null, refused: after ?? null })
    }
    // Two changes that are fine by themselves may not be fine together.
    const fits = codec.decode(changed)
    if (Result.isFailure(fits)) {
      conflicts.push({ ...clashOf(member, json, op.after), issue: fits.failure.issue })
      continue
    }
    conflicts.push(...clashes)
    json = changed
  }
  return { json, conflicts }
}

const clashOf = (member: string, kept: Json, refused: Json): Conflict => ({ member, path: "", kept, refused })
