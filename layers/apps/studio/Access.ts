/**
 * Who may use the studio: a browser or a program of this machine that has its token. Pages of other sites may not, by
 * whatever name they reach it (cross-site requests, DNS rebinding).
 */
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Problem from "../../http/Problem.ts"
import * as Assets from "./Assets.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** What is admitted. @category models */
export interface Settings {
  /** The token; absent: none is asked for. */
  readonly token: string | undefined
  /** The port that it listens on, by which its cookie is named: cookies do not know ports. */
  readonly port: number
  /** Names that it is reached by besides those of this machine. With a token, addresses need not be named. */
  readonly hosts: ReadonlyArray<string>
}

const loopback = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i

// No DNS gives such a name an address.
const isLiteral = (name: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}$|^\[[\da-f:.]+\]$/i.test(name)

const nameOf = (host: string): string => host.replace(/:\d+$/, "").toLowerCase()

const digest = (text: string): Buffer => Crypto.createHash("sha256").update(text).digest()

const isSame = (a: string, b: string): boolean => Crypto.timingSafeEqual(digest(a), digest(b))

// What somebody has sent need not be well-formed.
const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The name of the cookie. @category constants */
export const cookieOf = (port: number): string => `effigent-studio-${port}`

const cookie = (header: string | undefined, name: string): string | undefined => {
  for (const part of (header ?? "").split(";")) {
    const [key, value] = part.trim().split("=", 2)
    if (key === name && value !== undefined) return decoded(value)
  }
  return undefined
}

/** Whether a path is one of the API, and none of a page. @category guards */
export const isApi = (path: string): boolean => /^\/(api|studio)(\/|$)/.test(path)

// Pages of other sites are refused whatever they ask for, except for following a link to a page.
const foreign = (request: Request, settings: Settings, path: string): Problem.Refused | undefined => {
  const { host, origin, "sec-fetch-mode": mode, "sec-fetch-site": site } = request.headers
  const name = nameOf(host ?? "")
  const isOwn = loopback.test(name) || settings.hosts.includes(name)
  if (!isOwn && !(settings.token !== undefined && isLiteral(name)))
    return Problem.refuse(403, "ForeignHost", `The studio answers to names of this machine, not to "${host ?? ""}".`)
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
    return Problem.refuse(403, "ForeignOrigin", `Pages of ${origin} may not use the studio.`)
  const isLink = mode === "navigate" && request.method === "GET" && !isApi(path)
  if (site !== undefined && site !== "same-origin" && site !== "none" && !isLink)
    return Problem.refuse(403, "ForeignOrigin", "Pages of other sites may not use the studio.")
  return undefined
}

/** What is answered instead; nothing where the request is admitted. @category checks */
export const check = (request: Request, settings: Settings): Effect.Effect<Response | undefined> =>
  Effect.suspend((): Effect.Effect<Response | undefined> => {
    const url = URL.parse(request.url, "http://localhost")
    if (url === null) return Problem.response(Problem.refuse(400, "UnreadablePath", "The path is not well-formed."))
    const refused = foreign(request, settings, url.pathname)
    if (refused !== undefined) return Problem.response(refused)
    const { port, token } = settings
    if (token === undefined) return Effect.undefined
    const given = url.searchParams.get("token")
    if (given !== null && request.method === "GET" && !isApi(url.pathname) && isSame(given, token)) {
      url.searchParams.delete("token")
      // A path with two slashes at its begin would lead to another site.
      const location = `/${url.pathname.replace(/^\/+/, "")}${url.search}`
      return Effect.succeed(
        HttpServerResponse.empty({
          status: 303,
          headers: {
            ...Assets.headers,
            location,
            "cache-control": "no-store",
            "set-cookie": `${cookieOf(port)}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict`
          }
        })
      )
    }
    const [, bearer] = /^bearer +(\S+)$/i.exec(request.headers["authorization"] ?? "") ?? []
    const shown = bearer ?? cookie(request.headers["cookie"], cookieOf(port))
    if (shown !== undefined && isSame(shown, token)) return Effect.undefined
    if (isApi(url.pathname))
      return Problem.response(
        Problem.refuse(401, "Unauthorized", "Open the studio by the address that its command has printed.")
      )
    return Effect.succeed(
      Assets.plain(
        401,
        "Open the studio by its own address",
        "The command <code>effigent studio</code> prints an address with a token. Open that one."
      )
    )
  })
