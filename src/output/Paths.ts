/**
 * Paths into a value as types: which paths an output type has, what stands at a path, and the value while it grows.
 *
 * A path is written in dot style with wildcards, `items[*].name`, `scores.*`; what is a leaf takes no further step. The
 * paths are listed to depth 6; below that, and in parts of type `unknown`, any string is taken and checked at run time.
 */

type Primitive = string | number | bigint | boolean | symbol | null | undefined

/**
 * Values that are one thing to a path: everything but plain records and arrays. Built-in and library classes show by a
 * symbol key, by a key that begins with `~`, or by `toJSON`. A class of plain data (`Schema.Class`) is not opaque.
 */
type Opaque<A> = A extends Primitive
  ? true
  : A extends ReadonlyArray<unknown>
    ? false
    : A extends (...args: never) => unknown
      ? true
      : A extends { readonly toJSON: unknown }
        ? true
        : [Hidden<A>] extends [never]
          ? false
          : true

/** The declared keys by which a class of a library shows. */
type Hidden<A> = keyof {
  [K in keyof A as string extends K ? never : K extends symbol | `~${string}` ? K : never]-?: true
}

/** The declared string keys that hold data. */
type Keys<A> = keyof {
  [
    K in keyof A as K extends string
      ? string extends K
        ? never
        : NonNullable<A[K]> extends (...args: never) => unknown
          ? never
          : K
      : never
  ]-?: true
}

/** The value type of a record's undeclared keys; `never` where it has none. */
type Rest<A> = string extends keyof A ? A[keyof A & string] : never

type Syntax = "." | "[" | "]" | "/" | '"'

/** How a key continues a path: a key that would read as syntax is quoted. */
type Step<P extends string, K extends string> = K extends `${string}${'"' | "\\"}${string}`
  ? `${P}[${string}`
  : K extends "" | "*" | `${string}${Syntax}${string}`
    ? `${P}["${K}"]`
    : P extends ""
      ? K
      : `${P}.${K}`

type Open<P extends string> = P extends "" ? string : `${P}.${string}` | `${P}[${string}`

type Deeper<D extends ReadonlyArray<1>> = [...D, 1]

/** Without null and undefined; what may be anything stays so. */
type Given<A> = unknown extends A ? A : NonNullable<A>

type IsAny<A> = 0 extends 1 & A ? true : false

type Walk<A, P extends string, D extends ReadonlyArray<1>> =
  IsAny<A> extends true
    ? Open<P>
    : unknown extends A
      ? Open<P>
      : A extends unknown
        ? Opaque<A> extends true
          ? never
          : D["length"] extends 6
            ? Open<P>
            : A extends ReadonlyArray<infer I>
              ?
                  | At0<`${P}[*]`, I, D>
                  | (number extends A["length"]
                      ? never
                      : { [K in keyof A & `${number}`]: At0<`${P}[${K}]`, A[K], D> }[keyof A & `${number}`])
              :
                  | { [K in Keys<A>]: At0<Step<P, K>, A[K & keyof A], D> }[Keys<A>]
                  | ([Rest<A>] extends [never] ? never : At0<P extends "" ? "*" : `${P}.*`, Rest<A>, D>)
        : never

type At0<P extends string, A, D extends ReadonlyArray<1>> = P | Walk<Given<A>, P, Deeper<D>>

/**
 * The wildcard paths of a value of type `A`.
 *
 * @example
 * ```ts
 * import type { Output } from "effigent"
 *
 * const path: Output.Paths<{ readonly items: ReadonlyArray<{ readonly name: string }> }> = "items[*].name"
 * console.log(path) // => items[*].name
 * ```
 *
 * @category type-level
 */
export type Paths<A> = Walk<Given<A>, "", []>

type Indexed<P extends string> = P extends `${infer H}[*]${infer T}`
  ? `${H}[${"*" | number}]${Indexed<T>}`
  : P extends "*" | `${string}.*`
    ? P | (P extends `${infer H}.*` ? `${H}.${string}` : string)
    : P

/**
 * The paths of a value of type `A`, with wildcards or with the index or key of one place: `items[*].name` and
 * `items[0].name`.
 *
 * @category type-level
 */
export type KeyPaths<A> = Indexed<Paths<A>>

type Trim<P extends string> = P extends `.${infer R}` ? R : P

type Item<A, I extends string> =
  A extends ReadonlyArray<infer X> ? (I extends keyof A ? A[I] : I extends "*" | `${number}` ? X : never) : never

type Key<A, K extends string> = A extends Primitive | ReadonlyArray<unknown>
  ? never
  : K extends keyof A
    ? A[K]
    : K extends "*"
      ? Rest<A>
      : Rest<A>

type Known<T> = Exclude<T, undefined>

type Down<A, P extends string> =
  IsAny<A> extends true
    ? unknown
    : unknown extends A
      ? unknown
      : string extends P
        ? unknown
        : P extends ""
          ? A
          : A extends null | undefined
            ? never
            : P extends `["${infer K}"]${infer R}`
              ? Down<Known<Key<A, K>>, Trim<R>>
              : P extends `[${infer I}]${infer R}`
                ? Down<Known<Item<A, I>>, Trim<R>>
                : P extends `${infer H}.${infer R}`
                  ? H extends `${infer K}[${infer T}`
                    ? Down<Known<Key<A, K>>, `[${T}.${R}`>
                    : Down<Known<Key<A, H>>, R>
                  : P extends `${infer K}[${infer T}`
                    ? Down<Known<Key<A, K>>, `[${T}`>
                    : Known<Key<A, P>>

/**
 * What stands at a path of a value of type `A`, when it is there; `unknown` where the type does not say.
 *
 * @category type-level
 */
export type At<A, P extends string> = Down<A, P>

type PartialContainer<A> =
  Opaque<A> extends true
    ? A
    : A extends ReadonlyArray<infer I>
      ? number extends A["length"]
        ? ReadonlyArray<Partial<I>>
        : { readonly [K in keyof A]: Partial<A[K]> }
      : { readonly [K in keyof A]?: Partial<A[K]> }

/**
 * A value that the contract could not be fulfilled for: properties may be missing, leaves are whole. The ensure marks of
 * a plain Schema do not show in its type, so that all properties are optional here.
 *
 * @category type-level
 */
export type Partial<A> = unknown extends A ? A : A extends unknown ? PartialContainer<A> : never

type Growing<A> = A extends string
  ? string
  : A extends Primitive
    ? A
    : Opaque<A> extends true
      ? unknown
      : A extends ReadonlyArray<infer I>
        ? ReadonlyArray<DeepPartial<I>>
        : { readonly [K in keyof A]?: DeepPartial<A[K]> }

/**
 * A value while it grows: properties come one by one, a text may be cut anywhere (so that a literal is a plain string).
 *
 * @category type-level
 */
export type DeepPartial<A> = unknown extends A ? A : A extends unknown ? Growing<A> : never
