/** What a URL and the headers of a request say, before anything is connected: a host that may be asked, or a rule. */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { Refused } from "../../services/ActionExecutor.ts"
import { isPublicAddress, isPublicName } from "./Addresses.ts"
import { ownHeaders, type Rule, rules } from "./Policy.ts"

/** A refusal by a rule of this room. */
export const refused = (rule: Rule, detail: string): Refused =>
  new Refused({ rule, detail: `${detail} (${rules[rule]})` })

/** A host, as the policy names it. */
export interface HostPattern {
  readonly host: string
  /** Whether its subdomains are meant, not itself; with an empty host: all hosts. */
  readonly below: boolean
  readonly port: string
}

/** The host of a URL as it is compared: in small letters, without brackets, without a dot at the end. */
export const hostOf = (url: URL): string => {
  const host = url.hostname.replace(/\.+$/, "")
  return host.startsWith("[") ? host.slice(1, -1) : host
}

/** Reads a host of the policy. Fails where it is none. */
export const patternOf = (text: string): Result.Result<HostPattern, string> => {
  const wrong = Result.fail(
    `${JSON.stringify(text)} is no host: write example.com, *.example.com or *, with :port where it has one of its own`
  )
  const [, stars = "", host = "", port = ""] =
    /^(\*\.?)?(\[[0-9a-f:.]+\]|[^*:/?#@\s\\[\]]*)(?::(\d+))?$/i.exec(text) ?? []
  if (stars === "*" && host === "") return Result.succeed({ host: "", below: true, port })
  if (host === "" || stars === "*") return wrong
  const url = `http://${host}`
  if (!URL.canParse(url)) return wrong
  return Result.succeed({ host: hostOf(new URL(url)), below: stars === "*.", port })
}

/** What the targets of requests are checked against. */
export interface Targets {
  readonly hosts: ReadonlyArray<HostPattern>
  readonly schemes: ReadonlySet<string>
  readonly privateHosts: ReadonlySet<string>
}

const defaultPort = (url: URL): string => (url.protocol === "https:" ? "443" : "80")

/** Reads a URL that a model, or a redirection, gives. Relative ones are read against `base`. */
export const targetOf = (targets: Targets, text: string, base?: URL): Result.Result<URL, Refused> => {
  const refuse = (rule: Rule, detail: string) => Result.fail(refused(rule, detail))
  if (text.length > 8192) return refuse("url.malformed", "it has more than 8192 characters")
  // The parser would drop or turn these, and then another URL is asked than the one that is read here.
  if (/[\u0000-\u0020\u007f-\u009f\\]/.test(text) || !text.isWellFormed()) {
    return refuse("url.malformed", "there is a space, a control character or a backslash in it; encode it")
  }
  if (base === undefined && !/^[a-z][a-z0-9+.-]*:/i.test(text)) {
    return refuse("url.malformed", "it has no scheme; write https://...")
  }
  if (base === undefined && /^https?:(?!\/\/[^/])/i.test(text)) {
    return refuse("url.malformed", "two slashes and a host follow the scheme")
  }
  if (!URL.canParse(text, base?.href)) return refuse("url.malformed", "it is no URL")
  const url = new URL(text, base)
  if (!targets.schemes.has(url.protocol.slice(0, -1))) {
    return refuse("url.scheme", `use ${[...targets.schemes].join(" or ")}`)
  }
  // An empty user counts too: it is there to mislead.
  const authority = /^[a-z][a-z0-9+.-]*:\/*([^/?#]*)/i.exec(text)?.[1] ?? ""
  if (url.username !== "" || url.password !== "" || authority.includes("@")) {
    return refuse("url.userinfo", "leave out what stands before the @")
  }
  const host = hostOf(url)
  if (!targets.privateHosts.has(host)) {
    if (isIP(host) === 0 ? !isPublicName(host) : !isPublicAddress(host)) {
      return refuse("host.private", `${JSON.stringify(host)} is not a public host`)
    }
  }
  const named = targets.hosts.filter((one) =>
    one.below ? one.host === "" || host.endsWith(`.${one.host}`) : host === one.host
  )
  if (named.length === 0)
    return refuse("host.notAllowed", `${JSON.stringify(host)} is not one of the hosts that may be asked`)
  const port = url.port === "" ? defaultPort(url) : url.port
  const fits = named.some((one) => port === (one.port === "" ? defaultPort(url) : one.port))
  if (!fits) return refuse("host.port", `the port ${port} of ${JSON.stringify(host)} is not one that may be asked`)
  return Result.succeed(url)
}

/** Checks the headers of a request; names come back in small letters. */
export const headersOf = (
  given: Readonly<Record<string, string>>,
  allowed: ReadonlySet<string>
): Result.Result<Record<string, string>, Refused> => {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase()
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/.test(lower) || !/^[\t\u0020-\u007e\u00a0-\u00ff]{0,4000}$/.test(value)) {
      return Result.fail(refused("header.malformed", `the header ${JSON.stringify(name.slice(0, 100))}`))
    }
    const isOwn = ownHeaders.has(lower) || lower.startsWith("proxy-") || lower.startsWith("sec-")
    if (isOwn || !allowed.has(lower)) return Result.fail(refused("header.notAllowed", `the header ${name}`))
    headers[lower] = value
  }
  return Result.succeed(headers)
}
