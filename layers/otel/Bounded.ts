/**
 * The HTTP client of exporters, so that a collector which is slow, or gone, costs a bounded amount of memory: a request has a
 * limit of time, and only so many batches may be under way or wait to be tried again. What is over that is dropped, and the
 * exporter rests for a minute, as it does wherever it fails.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"

/**
 * How much exporters may have under way.
 *
 * @category models
 */
export interface Bounds {
  /** Milliseconds that one request may take. Default 10,000. */
  readonly requestTimeout?: number | undefined
  /** Batches that may be under way, or have failed since the last one that arrived. Default 8. */
  readonly maxBatches?: number | undefined
}

const rest = 60_000
const longestWait = 30

// Neither is tried again: the exporter drops the batch and rests.
const refused = (request: HttpClientRequest.HttpClientRequest, description: string) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.EncodeError({ request, description }) })

const bounded = ({ maxBatches = 8, requestTimeout = 10_000 }: Bounds, client: HttpClient.HttpClient) => {
  let underWay = 0
  let failures = 0
  let refusedAt: number | undefined
  const mayBegin = (now: number): boolean => {
    if (refusedAt !== undefined && now - refusedAt >= rest) {
      failures = 0
      refusedAt = undefined
    }
    if (underWay + failures < maxBatches) return true
    refusedAt ??= now
    return false
  }
  return HttpClient.transform(client, (sent, request) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (!mayBegin(now)) return Effect.fail(refused(request, "too many batches have not arrived"))
      underWay++
      const late = new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request, description: `no answer in ${requestTimeout} ms` })
      })
      return sent.pipe(
        Effect.timeoutOrElse({ duration: requestTimeout, orElse: () => Effect.fail(late) }),
        Effect.flatMap((response) => {
          if (response.status < 400) {
            failures = 0
            return Effect.succeed(response)
          }
          failures++
          const wait = response.headers["retry-after"]
          // A number of seconds, or a date.
          return response.status === 429 && wait !== undefined && !(Number(wait) <= longestWait)
            ? Effect.fail(refused(request, `the collector asks to wait for ${wait}`))
            : Effect.succeed(response)
        }),
        Effect.tapError(() => Effect.sync(() => void failures++)),
        Effect.ensuring(Effect.sync(() => void underWay--))
      )
    })
  )
}

/** The client of exporters over that of the program. @category layers */
export const layer = (bounds: Bounds): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (client) => bounded(bounds, client))
  )
