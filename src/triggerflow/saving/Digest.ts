/** Digests of JSON: what tells two values apart where neither is kept. */
import { canonical } from "../../../services/Json.ts"
import * as Shape from "../definition/Shape.ts"

/**
 * The digest of JSON: 16 hexadecimal digits; the order of keys does not count. It tells apart what differs by accident,
 * and is no protection against somebody who looks for two values with one digest.
 *
 * @category conversions
 */
export const of = (json: unknown): string => Shape.hash(canonical(json))
