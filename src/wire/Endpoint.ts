/** Where requests go and with what: the options that every vendor's layer has, unwrapped in one place. */
import * as Redacted from "effect/Redacted"
import type { Timeouts } from "./Timeouts.ts"

/**
 * The options that every vendor's layer has.
 *
 * @category models
 */
export interface EndpointOptions {
  /** The model that is asked where the request names none. */
  readonly model: string
  /** The API key. Not needed by local servers. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** Further headers; a secret one as `Redacted`. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /** Time-outs of one request. */
  readonly timeouts?: Timeouts | undefined
  /** Another `fetch`: one with a proxy, with client certificates, or with longer limits than Node's own. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** An endpoint in the clear. It stays inside the layer that asked for it. @category models */
export interface Endpoint {
  readonly apiKey: string | undefined
  /** By lower-case names; null takes away what the SDK would send. */
  readonly headers: Record<string, string | null>
  /** What must not stand in any error. */
  readonly secrets: ReadonlyArray<string>
}

/** Unwraps an endpoint. @category constructors */
export const open = (options: Omit<EndpointOptions, "model">, baseUrl: string | undefined): Endpoint => {
  const apiKey = options.apiKey === undefined ? undefined : Redacted.value(options.apiKey)
  const secrets = apiKey === undefined ? [] : [apiKey]
  const headers: Record<string, string | null> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    const clear = Redacted.isRedacted(value) ? Redacted.value(value) : value
    headers[name.toLowerCase()] = clear
    // `Bearer secret` may come back as `secret`.
    if (Redacted.isRedacted(value)) secrets.push(clear, ...clear.split(/\s+/))
  }
  const url = baseUrl !== undefined && URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url !== undefined) secrets.push(url.password, ...url.searchParams.values())
  return { apiKey, headers, secrets }
}
