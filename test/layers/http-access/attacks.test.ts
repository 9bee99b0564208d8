// What tries to reach what is private, and what tries to break who reads an answer. Every entry is refused by the rule
// that it names, or bounded, and the canary has no connection.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import { GuardedHttp } from "effigent/layers/http-access"
import type { ExecutorError } from "effigent/services/ActionExecutor"
import type { HttpAsk } from "effigent/services/HttpAccess"
import type { IncomingHttpHeaders, RequestListener } from "node:http"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { names, serve } from "./fixture.ts"

const reasonOf = (result: Result.Result<unknown, ExecutorError>) =>
  Result.isSuccess(result)
    ? `let through: ${JSON.stringify(result.success)}`
    : result.failure.reason._tag === "Refused"
      ? result.failure.reason.rule
      : result.failure.reason._tag === "LimitExceeded"
        ? `LimitExceeded ${result.failure.reason.limit}`
        : result.failure.reason._tag

// PORT stands for the port of the canary.
const forms: ReadonlyArray<readonly [url: string, rule: string]> = [
  ["http://127.0.0.1:PORT/", "host.private"],
  ["http://127.1:PORT/", "host.private"],
  ["http://127.0.1:PORT/", "host.private"],
  ["http://2130706433:PORT/", "host.private"],
  ["http://0x7f000001:PORT/", "host.private"],
  ["http://0x7f.1:PORT/", "host.private"],
  ["http://0x7f.0x0.0x0.0x1:PORT/", "host.private"],
  ["http://0177.0.0.1:PORT/", "host.private"],
  ["http://017700000001:PORT/", "host.private"],
  ["http://0177.0x0.0.1:PORT/", "host.private"],
  ["http://127.0.0.1.:PORT/", "host.private"],
  ["http://127.127.127.127:PORT/", "host.private"],
  ["http://127.255.255.254:PORT/", "host.private"],
  ["http://0:PORT/", "host.private"],
  ["http://0.0.0.0:PORT/", "host.private"],
  ["http://0x0:PORT/", "host.private"],
  ["http://000.000.000.000:PORT/", "host.private"],
  ["http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:PORT/", "host.private"], // digits in circles
  ["http://\uff11\uff12\uff17.\uff10.\uff10.\uff11:PORT/", "host.private"], // full-width digits
  ["http://127\u3002000.000.001:PORT/", "host.private"], // ideographic full stop
  ["http://127%2e0%2e0%2e1:PORT/", "host.private"],
  ["http://[::1]:PORT/", "host.private"],
  ["http://[0:0:0:0:0:0:0:1]:PORT/", "host.private"],
  ["http://[0000::1]:PORT/", "host.private"],
  ["http://[::]:PORT/", "host.private"],
  ["http://[::ffff:127.0.0.1]:PORT/", "host.private"],
  ["http://[::ffff:7f00:1]:PORT/", "host.private"],
  ["http://[::ffff:0:127.0.0.1]:PORT/", "host.private"],
  ["http://[::127.0.0.1]:PORT/", "host.private"],
  ["http://[64:ff9b::127.0.0.1]:PORT/", "host.private"],
  ["http://[64:ff9b:1::7f00:1]:PORT/", "host.private"],
  ["http://[2002:7f00:1::]:PORT/", "host.private"], // 6to4
  ["http://[2001:0:7f00:1::]:PORT/", "host.private"], // Teredo
  ["http://[2001:db8::1]/", "host.private"],
  ["http://[fe80::1]/", "host.private"],
  ["http://[fe80::1%25eth0]/", "url.malformed"],
  ["http://[fc00::1]/", "host.private"],
  ["http://[fd00:ec2::254]/latest/meta-data/", "host.private"],
  ["http://[fec0::1]/", "host.private"],
  ["http://[ff02::1]/", "host.private"],
  ["http://[100::1]/", "host.private"],
  ["http://[5f00::1]/", "host.private"],
  ["http://localhost:PORT/", "host.private"],
  ["http://LOCALHOST:PORT/", "host.private"],
  ["http://localhost.:PORT/", "host.private"],
  ["http://localhost..:PORT/", "host.private"],
  ["http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:PORT/", "host.private"], // letters in circles
  ["http://app.localhost:PORT/", "host.private"],
  ["http://localhost.localdomain:PORT/", "host.private"],
  ["http://intranet/", "host.private"],
  ["http://printer.local/", "host.private"],
  ["http://db.internal/", "host.private"],
  ["http://router.home.arpa/", "host.private"],
  ["http://kubernetes.default.svc.cluster.local/", "host.private"],
  ["http://metadata.google.internal/computeMetadata/v1/", "host.private"],
  ["http://169.254.169.254/latest/meta-data/", "host.private"],
  ["http://2852039166/latest/meta-data/", "host.private"],
  ["http://0xa9fea9fe/", "host.private"],
  ["http://0251.0376.0251.0376/", "host.private"],
  ["http://169.254.43518/", "host.private"],
  ["http://[::ffff:169.254.169.254]/", "host.private"],
  ["http://[::ffff:a9fe:a9fe]/", "host.private"],
  ["http://100.100.100.200/", "host.private"],
  ["http://168.63.129.16/", "host.private"],
  ["http://192.0.0.192/", "host.private"],
  ["http://10.0.0.1/", "host.private"],
  ["http://10.1/", "host.private"],
  ["http://172.16.0.1/", "host.private"],
  ["http://172.31.255.255/", "host.private"],
  ["http://192.168.0.1/", "host.private"],
  ["http://192.168.257/", "host.private"],
  ["http://100.64.0.1/", "host.private"],
  ["http://198.18.0.1/", "host.private"],
  ["http://203.0.113.7/", "host.private"],
  ["http://224.0.0.1/", "host.private"],
  ["http://239.255.255.250:1900/", "host.private"],
  ["http://240.0.0.1/", "host.private"],
  ["http://255.255.255.255/", "host.private"],
  // Names whose addresses are private, as the resolver below answers.
  ["http://loop.evil.com/", "host.private"],
  ["http://loop6.evil.com/", "host.private"],
  ["http://mapped.evil.com/", "host.private"],
  ["http://metadata.evil.com/", "host.private"],
  ["http://mixed.evil.com/", "host.private"],
  ["http://mixed-last.evil.com/", "host.private"],
  ["http://zone.evil.com/", "host.private"],
  ["http://nonsense.evil.com/", "host.private"],
  ["http://127.0.0.1.nip.io/", "host.private"],
  ["http://nowhere.evil.com/", "Unavailable"],
  ["http://empty.evil.com/", "Unavailable"],
  // Hosts that are not what they seem.
  ["http://good.com@127.0.0.1:PORT/", "url.userinfo"],
  ["http://good.com:80@127.0.0.1:PORT/", "url.userinfo"],
  ["http://good.com%2f@127.0.0.1:PORT/", "url.userinfo"],
  ["http://user:pass@good.com/", "url.userinfo"],
  ["http://@good.com/", "url.userinfo"],
  ["http://:@good.com/", "url.userinfo"],
  ["http://a@b@127.0.0.1:PORT/", "url.userinfo"],
  ["http://127.0.0.1:PORT#@good.com/", "host.private"],
  ["http://127.0.0.1:PORT?@good.com/", "host.private"],
  ["http://127.0.0.1:PORT/@good.com", "host.private"],
  ["http://127.0.0.1:PORT\\@good.com/", "url.malformed"],
  ["http://good.com\\@127.0.0.1:PORT/", "url.malformed"],
  ["http:\\\\127.0.0.1:PORT\\", "url.malformed"],
  ["http://127.0.0.1:PORT /", "url.malformed"],
  [" http://127.0.0.1:PORT/", "url.malformed"],
  ["http://127.0.0.1\t:PORT/", "url.malformed"],
  ["http://good.com\r\nHost: evil/", "url.malformed"],
  ["ht\ntp://127.0.0.1:PORT/", "url.malformed"],
  ["http://good.com\u0000.evil.com/", "url.malformed"],
  ["http:127.0.0.1:PORT/", "url.malformed"],
  ["http:/127.0.0.1:PORT/", "url.malformed"],
  ["http:///127.0.0.1:PORT/", "url.malformed"],
  ["//127.0.0.1:PORT/", "url.malformed"],
  ["/etc/passwd", "url.malformed"],
  ["127.0.0.1:PORT", "url.malformed"],
  ["", "url.malformed"],
  ["http://", "url.malformed"],
  ["http://[::1", "url.malformed"],
  ["http://good.com:99999/", "url.malformed"],
  [`http://good.com/${"x".repeat(9000)}`, "url.malformed"],
  // Schemes.
  ["file:///etc/passwd", "url.scheme"],
  ["ftp://good.com/", "url.scheme"],
  ["gopher://127.0.0.1:PORT/_GET", "url.scheme"],
  ["dict://127.0.0.1:PORT/", "url.scheme"],
  ["data:text/plain,hello", "url.scheme"],
  ["javascript:alert(1)", "url.scheme"],
  ["blob:http://127.0.0.1:PORT/x", "url.scheme"],
  ["ws://127.0.0.1:PORT/", "url.scheme"],
  ["unix:/var/run/docker.sock", "url.scheme"],
  ["jar:http://127.0.0.1:PORT/!/", "url.scheme"],
  // Ports.
  ["http://good.com:22/", "host.port"],
  ["http://good.com:6379/", "host.port"],
  ["https://good.com:80/", "host.port"]
]

const answers = names({
  "good.com": ["93.184.216.34"],
  "loop.evil.com": ["127.0.0.1"],
  "loop6.evil.com": ["::1"],
  "mapped.evil.com": ["::ffff:127.0.0.1"],
  "metadata.evil.com": ["169.254.169.254"],
  "mixed.evil.com": ["93.184.216.34", "10.0.0.1"],
  "mixed-last.evil.com": ["2606:2800:220:1::1", "93.184.216.34", "::1"],
  "zone.evil.com": ["fe80::1%eth0"],
  "nonsense.evil.com": ["nonsense"],
  "127.0.0.1.nip.io": ["127.0.0.1"],
  "empty.evil.com": []
})

describe("URLs that lead to what is private", () => {
  for (const [form, rule] of forms) {
    it.live(`${rule}: ${JSON.stringify(form.slice(0, 80))}`, () =>
      Effect.gen(function* () {
        const canary = yield* serve((_, response) => response.end("CANARY"))
        const http = yield* GuardedHttp.make({ hosts: ["*"], schemes: ["http", "https"], resolve: answers })
        const url = form.replace("PORT", String(canary.port))
        assert.strictEqual(reasonOf(yield* Effect.result(http.fetch({ url }))), rule)
        assert.strictEqual(canary.connections(), 0)
      })
    )
  }

  const pairs: ReadonlyArray<readonly [hosts: ReadonlyArray<string>, url: string, rule: string]> = [
    [["good.com"], "https://evil.com/", "host.notAllowed"],
    [["good.com"], "https://good.com.evil.com/", "host.notAllowed"],
    [["good.com"], "https://evilgood.com/", "host.notAllowed"],
    [["good.com"], "https://www.good.com/", "host.notAllowed"],
    [["*.good.com"], "https://good.com/", "host.notAllowed"],
    [["*.good.com"], "https://evilgood.com/", "host.notAllowed"],
    [["*.good.com"], "https://good.com.evil.com/", "host.notAllowed"],
    [["good.com:8443"], "https://good.com/", "host.port"],
    [["good.com"], "http://good.com/", "url.scheme"],
    [["g\u00f6od.com"], "https://good.com/", "host.notAllowed"],
    [[], "https://good.com/", "host.notAllowed"],
    [["good.com"], "https://93.184.216.34/", "host.notAllowed"],
    [["127.0.0.1"], "https://127.0.0.1/", "host.private"],
    [["localhost"], "https://localhost/", "host.private"],
    [["loop.evil.com"], "https://loop.evil.com/", "host.private"]
  ]
  for (const [hosts, url, rule] of pairs) {
    it.live(`${rule}: ${url} where ${JSON.stringify(hosts)} may be asked`, () =>
      Effect.gen(function* () {
        const http = yield* GuardedHttp.make({ hosts, resolve: answers })
        assert.strictEqual(reasonOf(yield* Effect.result(http.fetch({ url }))), rule)
      })
    )
  }

  for (const host of ["", "https://good.com", "good.com/path", "*good.com", "a@b", "**", "good.com:port", "a b"]) {
    it.live(`a policy with a host that is none is refused when it is made: ${JSON.stringify(host)}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(reasonOf(yield* Effect.result(GuardedHttp.make({ hosts: [host] }))), "Broken")
      })
    )
  }
})

/** A server that may be asked as `good.test`, with what leads to the canary as `evil.test`. */
const setting = (handler: RequestListener, options: Partial<GuardedHttp.Options> = {}) =>
  Effect.gen(function* () {
    const canary = yield* serve((_, response) => response.end("CANARY"))
    const server = yield* serve(handler)
    const asked: Array<string> = []
    const http = yield* GuardedHttp.make({
      hosts: [`good.test:${server.port}`, `other.test:${server.port}`, "*"],
      schemes: ["http", "https"],
      privateHosts: ["good.test", "other.test"],
      resolve: names({ "good.test": ["127.0.0.1"], "other.test": ["127.0.0.1"], "evil.com": ["127.0.0.1"] }, asked),
      ...options,
      limits: { millis: 3000, bytes: 100_000, ...options.limits }
    })
    const fetch = (path: string, ask: Partial<HttpAsk> = {}) =>
      Effect.result(http.fetch({ url: `http://good.test:${server.port}${path}`, ...ask }))
    return { canary, server, http, fetch, asked }
  })

describe("redirections", () => {
  const places: ReadonlyArray<readonly [location: string, outcome: string]> = [
    ["http://127.0.0.1:CANARY/", "host.private"],
    ["http://[::ffff:127.0.0.1]:CANARY/", "host.private"],
    ["//127.0.0.1:CANARY/", "host.private"],
    ["http://localhost:CANARY/", "host.private"],
    ["http://2130706433:CANARY/", "host.private"],
    ["http://evil.com/", "host.private"],
    ["http://good.test:CANARY/", "host.port"],
    ["http://169.254.169.254/latest/", "host.private"],
    ["file:///etc/passwd", "url.scheme"],
    ["gopher://127.0.0.1:CANARY/", "url.scheme"],
    ["http://x@127.0.0.1:CANARY/", "url.userinfo"],
    ["//x@127.0.0.1:CANARY/", "url.userinfo"],
    ["http:\\\\127.0.0.1:CANARY", "url.malformed"],
    ["http://[", "url.malformed"]
  ]
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [place, rule] of places) {
      it.live(`${rule}: ${status} to ${place}`, () =>
        Effect.gen(function* () {
          let port = 0
          const { canary, fetch } = yield* setting((_, response) => {
            response.writeHead(status, { location: place.replace("CANARY", String(port)) }).end("moved")
          })
          port = canary.port
          assert.strictEqual(reasonOf(yield* fetch("/")), rule)
          assert.strictEqual(canary.connections(), 0)
        })
      )
    }
  }

  it.live("without end are stopped", () =>
    Effect.gen(function* () {
      let hops = 0
      const { fetch } = yield* setting((_, response) => {
        response.writeHead(302, { location: `/${++hops}` }).end()
      })
      assert.strictEqual(reasonOf(yield* fetch("/")), "LimitExceeded redirects")
      assert.strictEqual(hops, 6)
    })
  )

  it.live("take no headers, credentials or bodies to another host", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [string | undefined, string | undefined, IncomingHttpHeaders]> = []
      const { fetch, server } = yield* setting(
        (request, response) => {
          seen.push([request.method, request.headers.host?.split(":")[0], request.headers])
          const to = `http://other.test:${server.port}/end`
          if (request.url === "/end") response.end("end")
          else response.writeHead(request.url === "/307" ? 307 : 302, { location: to, "set-cookie": "a=b" }).end()
        },
        {
          methods: ["GET", "POST"],
          requestHeaders: ["x-secret", "accept", "content-type"],
          credentials: { "good.test": { Authorization: Redacted.make("Bearer token") } }
        }
      )
      const headers = { "X-Secret": "mine", accept: "text/plain" }
      const moved = yield* fetch("/302", { headers })
      assert.isTrue(Result.isSuccess(moved) && moved.success.body === "end" && moved.success.redirects === 1)
      const [first, second] = seen
      assert.deepInclude(first?.[2], { authorization: "Bearer token", "x-secret": "mine", accept: "text/plain" })
      assert.strictEqual(second?.[1], "other.test")
      assert.strictEqual(second?.[2].accept, "text/plain")
      for (const name of ["authorization", "x-secret", "cookie", "traceparent", "b3"])
        assert.notProperty(second?.[2], name)
      assert.strictEqual(reasonOf(yield* fetch("/307", { method: "POST", body: "secret" })), "redirect.body")
      assert.strictEqual(seen.length, 3)
      const posted = yield* fetch("/302", { method: "POST", body: "x", headers: { "content-type": "text/plain" } })
      assert.isTrue(Result.isSuccess(posted))
      assert.strictEqual(seen.at(-1)?.[0], "GET")
      assert.notProperty(seen.at(-1)?.[2], "content-type")
    })
  )
})

describe("names", () => {
  it.live("are looked up once for each hop, and the connection goes to the address that was checked", () =>
    Effect.gen(function* () {
      const { asked, fetch, server } = yield* setting((request, response) => {
        if (request.url === "/") response.writeHead(302, { location: "/next" }).end()
        else response.end(request.headers.host)
      })
      const result = yield* fetch("/")
      assert.isTrue(Result.isSuccess(result) && result.success.body === `good.test:${server.port}`)
      assert.deepStrictEqual(asked, ["good.test", "good.test"])
    })
  )

  it.live("that answer otherwise the second time (DNS rebinding) are refused with the second answer", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end("CANARY"))
      let times = 0
      const http = yield* GuardedHttp.make({
        hosts: ["*"],
        schemes: ["http"],
        // Public when it is checked; whoever asked again to connect would get the canary.
        resolve: () => Effect.sync(() => [times++ === 0 ? "192.88.99.1" : "127.0.0.1"]),
        limits: { millis: 500 }
      })
      assert.strictEqual(reasonOf(yield* Effect.result(http.fetch({ url: "http://rebind.com/" }))), "host.private")
      assert.strictEqual(reasonOf(yield* Effect.result(http.fetch({ url: "http://rebind.com/" }))), "host.private")
      assert.strictEqual(times, 2)
      assert.strictEqual(server.connections(), 0)
    })
  )
})

describe("requests", () => {
  const headers: ReadonlyArray<readonly [name: string, value: string, rule: string]> = [
    ["accept", "a\r\nx-evil: 1", "header.malformed"],
    ["accept", "a\nx-evil: 1", "header.malformed"],
    ["accept", "a\u0000b", "header.malformed"],
    ["accept", "\u010d\u010ax-evil: 1", "header.malformed"], // low bytes of a line end
    ["accept", "x".repeat(5000), "header.malformed"],
    ["acc ept", "a", "header.malformed"],
    ["accept:", "a", "header.malformed"],
    ["accept\r\nx-evil", "1", "header.malformed"],
    ["", "a", "header.malformed"],
    ["Host", "127.0.0.1", "header.notAllowed"],
    ["host", "evil", "header.notAllowed"],
    ["Authorization", "Bearer x", "header.notAllowed"],
    ["Cookie", "a=b", "header.notAllowed"],
    ["X-Forwarded-For", "127.0.0.1", "header.notAllowed"],
    ["Forwarded", "for=127.0.0.1", "header.notAllowed"],
    ["Transfer-Encoding", "chunked", "header.notAllowed"],
    ["Content-Length", "0", "header.notAllowed"],
    ["Connection", "upgrade", "header.notAllowed"],
    ["Upgrade", "websocket", "header.notAllowed"],
    ["Proxy-Authorization", "x", "header.notAllowed"],
    ["Metadata-Flavor", "Google", "header.notAllowed"],
    ["X-aws-ec2-metadata-token", "x", "header.notAllowed"]
  ]
  for (const [name, value, rule] of headers) {
    it.live(`${rule}: ${JSON.stringify(name)}: ${JSON.stringify(value.slice(0, 30))}`, () =>
      Effect.gen(function* () {
        const { fetch, server } = yield* setting((_, response) => response.end())
        assert.strictEqual(reasonOf(yield* fetch("/", { headers: { [name]: value } })), rule)
        assert.strictEqual(server.connections(), 0)
      })
    )
  }

  it.live("what belongs to the connection is not set, even where the policy names it", () =>
    Effect.gen(function* () {
      const { fetch } = yield* setting((_, response) => response.end(), {
        requestHeaders: ["host", "proxy-connection"]
      })
      assert.strictEqual(reasonOf(yield* fetch("/", { headers: { host: "x" } })), "header.notAllowed")
      assert.strictEqual(reasonOf(yield* fetch("/", { headers: { "proxy-connection": "x" } })), "header.notAllowed")
    })
  )

  const methods = [
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "CONNECT",
    "TRACE",
    "OPTIONS",
    "GET / HTTP/1.1\r\nX: ",
    "",
    "get\0"
  ]
  for (const method of methods) {
    it.live(`method.notAllowed: ${JSON.stringify(method)}`, () =>
      Effect.gen(function* () {
        const { fetch, server } = yield* setting((_, response) => response.end())
        assert.strictEqual(reasonOf(yield* fetch("/", { method })), "method.notAllowed")
        assert.strictEqual(server.connections(), 0)
      })
    )
  }

  it.live("TRACE and CONNECT are not sent, even where the policy names them", () =>
    Effect.gen(function* () {
      const { fetch, server } = yield* setting((_, response) => response.end(), { methods: ["TRACE", "CONNECT"] })
      assert.strictEqual(reasonOf(yield* fetch("/", { method: "TRACE" })), "method.notAllowed")
      assert.strictEqual(reasonOf(yield* fetch("/", { method: "CONNECT" })), "method.notAllowed")
      assert.strictEqual(server.connections(), 0)
    })
  )

  it.live("a body is for methods that have one, and is bounded", () =>
    Effect.gen(function* () {
      const { fetch, server } = yield* setting((_, response) => response.end(), {
        methods: ["GET", "POST"],
        limits: { requestBytes: 10 }
      })
      const body = { body: "x" }
      assert.strictEqual(reasonOf(yield* fetch("/", body)), "body.notAllowed")
      assert.strictEqual(reasonOf(yield* fetch("/", { method: "POST", body: "é".repeat(6) })), "LimitExceeded input")
      assert.strictEqual(server.connections(), 0)
    })
  )
})

describe("answers", () => {
  const zeros = Buffer.alloc(50_000_000)
  const bombs: ReadonlyArray<readonly [string, () => Buffer]> = [
    ["gzip", () => gzipSync(zeros)],
    ["x-gzip", () => gzipSync(zeros)],
    ["deflate", () => deflateSync(zeros)],
    ["br", () => brotliCompressSync(zeros)]
  ]
  for (const [encoding, make] of bombs) {
    it.live(`a bomb packed with ${encoding} is not unpacked further than the limit`, () =>
      Effect.gen(function* () {
        const bomb = make()
        assert.isBelow(bomb.length, 100_000)
        const { fetch } = yield* setting((_, response) => {
          response.writeHead(200, { "content-type": "text/plain", "content-encoding": encoding }).end(bomb)
        })
        assert.strictEqual(reasonOf(yield* fetch("/")), "LimitExceeded output")
      })
    )
  }

  for (const encoding of ["gzip, gzip", "gzip,br", "compress", "zstd", "nonsense", "gzip;q=1"]) {
    it.live(`body.encoding: ${encoding}`, () =>
      Effect.gen(function* () {
        const { fetch } = yield* setting((_, response) => {
          response.writeHead(200, { "content-encoding": encoding }).end("x")
        })
        assert.strictEqual(reasonOf(yield* fetch("/")), "body.encoding")
      })
    )
  }

  it.live("what is not packed as it says is an error", () =>
    Effect.gen(function* () {
      const { fetch } = yield* setting((request, response) => {
        const whole = gzipSync("x".repeat(1000))
        response
          .writeHead(200, { "content-encoding": "gzip" })
          .end(request.url === "/cut" ? whole.subarray(0, 20) : "no gzip")
      })
      assert.strictEqual(reasonOf(yield* fetch("/")), "Broken")
      assert.strictEqual(reasonOf(yield* fetch("/cut")), "Broken")
    })
  )

  it.live("a body without end is stopped, and its socket closed", () =>
    Effect.gen(function* () {
      let sent = 0
      const { fetch, server } = yield* setting((_, response) => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(10_000))) sent += 10_000
        }
        response.on("drain", more)
        more()
      })
      assert.strictEqual(reasonOf(yield* fetch("/")), "LimitExceeded output")
      yield* Effect.repeat(Effect.sleep(10), { until: () => server.open.size === 0, times: 200 })
      assert.strictEqual(server.open.size, 0)
      assert.isBelow(sent, 30_000_000)
    })
  )

  it.live("a length that says too much is believed, and nothing is read", () =>
    Effect.gen(function* () {
      const { fetch } = yield* setting((_, response) => {
        response.writeHead(200, { "content-length": "1000000000" }).write("x")
      })
      assert.strictEqual(reasonOf(yield* fetch("/")), "LimitExceeded output")
    })
  )

  const slow: ReadonlyArray<readonly [string, RequestListener]> = [
    ["no answer at all", () => undefined],
    [
      "a body drop by drop",
      (_, response) => {
        const timer = setInterval(() => response.write("x"), 20)
        response.on("close", () => clearInterval(timer))
      }
    ],
    ["a body that stops", (_, response) => response.writeHead(200, { "content-length": "10" }).write("x")]
  ]
  for (const [name, handler] of slow) {
    it.live(`${name}: stopped in time, and its socket closed`, () =>
      Effect.gen(function* () {
        const { fetch, server } = yield* setting(handler, { limits: { millis: 200 } })
        assert.strictEqual(reasonOf(yield* fetch("/")), "TimedOut")
        yield* Effect.repeat(Effect.sleep(10), { until: () => server.open.size === 0, times: 200 })
        assert.strictEqual(server.open.size, 0)
      }).pipe(Effect.timeout(3000))
    )
  }

  it.live("a name that is never found is stopped in time", () =>
    Effect.gen(function* () {
      const http = yield* GuardedHttp.make({ hosts: ["*"], resolve: () => Effect.never, limits: { millis: 50 } })
      assert.strictEqual(reasonOf(yield* Effect.result(http.fetch({ url: "https://slow.com/" }))), "TimedOut")
    })
  )

  it.live("headers beyond the limit are not read", () =>
    Effect.gen(function* () {
      const { fetch } = yield* setting((_, response) => {
        response.writeHead(200, { "x-large": "x".repeat(50_000) }).end("x")
      })
      assert.strictEqual(reasonOf(yield* fetch("/")), "LimitExceeded output")
    })
  )

  it.live("cookies and what the policy does not name are not shown", () =>
    Effect.gen(function* () {
      const { fetch } = yield* setting((_, response) => {
        response.writeHead(200, { "set-cookie": "session=secret", "x-internal": "1", etag: '"1"' }).end("x")
      })
      const result = yield* fetch("/")
      assert.isTrue(Result.isSuccess(result))
      if (Result.isSuccess(result)) {
        assert.notInclude(JSON.stringify(result.success), "secret")
        assert.strictEqual(result.success.headers["etag"], '"1"')
        assert.notProperty(result.success.headers, "x-internal")
      }
    })
  )

  const binaries: ReadonlyArray<readonly [type: string, bytes: Uint8Array]> = [
    ["application/octet-stream", Uint8Array.of(1, 2, 3)],
    ["image/png", Uint8Array.of(0x89, 0x50, 0x4e, 0x47)],
    ["application/zip", Uint8Array.of(0x50, 0x4b, 3, 4)],
    ["text/plain", Uint8Array.of(65, 0, 66)],
    ["application/json", Uint8Array.of(0, 1)],
    ["text/plain; charset=nonsense", Uint8Array.of(65)]
  ]
  for (const [type, bytes] of binaries) {
    it.live(`body.binary: ${type}`, () =>
      Effect.gen(function* () {
        const { fetch } = yield* setting((_, response) => response.writeHead(200, { "content-type": type }).end(bytes))
        assert.strictEqual(reasonOf(yield* fetch("/")), "body.binary")
      })
    )
  }

  it.live("errors do not show what may be secret in a URL", () =>
    Effect.gen(function* () {
      const { http } = yield* setting((_, response) => response.end())
      for (const url of ["https://nowhere.com/a?token=SECRET", "http://user:SECRET@good.com/", "http://[SECRET"]) {
        const error = yield* Effect.flip(http.fetch({ url }))
        assert.notInclude(`${error.message} ${error.subject}`, "SECRET")
      }
    })
  )
})
