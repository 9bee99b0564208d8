/**
 * Output Schemas: how an answer has to look. Any Effect Schema will do; `make` is a shorthand for the common case,
 * `ensure` marks what must be there, `field` says what a leaf is for, and `fromStandard` takes the Schemas of other
 * libraries. The types of paths into an output stand here as well.
 */
export { ensure, field } from "./Ensure.ts"
export type { Ensured, EnsureLevel } from "./Ensure.ts"
export { make } from "./Shorthand.ts"
export type { Fields, Node } from "./Shorthand.ts"
export type { At, DeepPartial, KeyPaths, Partial, Paths } from "./Paths.ts"
export { fromStandard, toSchema } from "./Standard.ts"
export type { EncodedOf, ServicesOf, Source, StandardSource, TypeOf } from "./Standard.ts"
