import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { GuardedHttp } from "effigent/layers/http-access"
import { HttpAccess } from "effigent/services/HttpAccess"
import type { RequestListener } from "node:http"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { isPublicAddress } from "../../../layers/http-access/Addresses.ts"
import { textOf } from "../../../layers/http-access/HtmlText.ts"
import { names, serve } from "./fixture.ts"

const access = (handler: RequestListener, options: Partial<GuardedHttp.Options> = {}) =>
  Effect.gen(function* () {
    const server = yield* serve(handler)
    const host = `good.test:${server.port}`
    const http = yield* GuardedHttp.make({
      hosts: [host],
      schemes: ["http"],
      privateHosts: ["good.test"],
      resolve: names({ "good.test": ["127.0.0.1"] }),
      ...options
    })
    return { server, http, origin: `http://${host}` }
  })

describe("HttpAccess", () => {
  it.live("gives an answer, whatever its status", () =>
    Effect.gen(function* () {
      const { http, origin } = yield* access((request, response) => {
        response.writeHead(request.url === "/none" ? 404 : 200, { "content-type": "application/json", "x-more": "1" })
        response.end(JSON.stringify({ url: request.url, agent: request.headers["user-agent"] }))
      })
      assert.deepStrictEqual(yield* http.fetch({ url: `${origin}/a?b=c#d` }), {
        url: `${origin}/a?b=c#d`,
        status: 200,
        headers: (yield* http.fetch({ url: `${origin}/a` })).headers,
        body: '{"url":"/a?b=c","agent":"effigent"}',
        encoding: "text",
        size: 35,
        truncated: false,
        redirects: 0
      })
      const none = yield* http.fetch({ url: `${origin}/none` })
      assert.deepStrictEqual([none.status, none.headers["content-type"]], [404, "application/json"])
    })
  )

  it.live("sends methods, headers and bodies that the policy allows", () =>
    Effect.gen(function* () {
      const { http, origin } = yield* access(
        (request, response) => {
          let body = ""
          request.on("data", (chunk) => (body += chunk))
          request.on("end", () => response.end(`${request.method} ${request.headers["content-type"]} ${body}`))
        },
        { methods: ["post"] }
      )
      const headers = { "Content-Type": "application/json" }
      const sent = yield* http.fetch({ url: origin, method: "Post", headers, body: '{"a":"é"}' })
      assert.strictEqual(sent.body, 'POST application/json {"a":"é"}')
    })
  )

  it.live("unpacks, and reads charsets", () =>
    Effect.gen(function* () {
      const bodies: Readonly<Record<string, readonly [Record<string, string>, Uint8Array]>> = {
        "/gzip": [{ "content-encoding": "gzip" }, gzipSync("héllo")],
        "/deflate": [{ "content-encoding": "deflate" }, deflateSync("héllo")],
        "/br": [{ "content-encoding": "br" }, brotliCompressSync("héllo")],
        "/latin": [{ "content-type": "text/plain; charset=ISO-8859-1" }, Buffer.from("héllo", "latin1")],
        "/wide": [{ "content-type": 'text/plain; charset="utf-16le"' }, Buffer.from("héllo", "utf16le")],
        "/bom": [{ "content-type": "text/plain" }, Buffer.from("\ufeffhéllo")],
        "/json": [{ "content-type": "application/problem+json" }, Buffer.from("héllo")]
      }
      const { http, origin } = yield* access((request, response) => {
        const [headers, body] = bodies[request.url ?? ""] ?? [{}, Buffer.from("")]
        response.writeHead(200, headers).end(body)
      })
      for (const path of Object.keys(bodies))
        assert.strictEqual((yield* http.fetch({ url: origin + path })).body, "héllo", path)
    })
  )

  it.live("cuts long texts, and gives binary data as Base64 where the policy says so", () =>
    Effect.gen(function* () {
      const { http, origin } = yield* access(
        (request, response) => {
          if (request.url === "/long") response.end("x".repeat(500))
          else response.writeHead(200, { "content-type": "image/png" }).end(Uint8Array.of(1, 0, 255))
        },
        { binary: "base64", limits: { textLength: 100 } }
      )
      const long = yield* http.fetch({ url: `${origin}/long` })
      assert.deepStrictEqual([long.body.length, long.size, long.truncated], [100, 500, true])
      const image = yield* http.fetch({ url: `${origin}/image` })
      assert.deepStrictEqual([image.body, image.encoding, image.size], ["AQD/", "base64", 3])
    })
  )

  it.live("has no body for HEAD, and takes relative redirections", () =>
    Effect.gen(function* () {
      const { http, origin } = yield* access((request, response) => {
        if (request.url === "/a/b") response.writeHead(302, { location: "../c?d=e" }).end()
        else
          response
            .writeHead(200, { "content-length": "3", "content-type": "image/png" })
            .end(request.method === "HEAD" ? "" : "abc")
      })
      const head = yield* http.fetch({ url: `${origin}/a/b`, method: "HEAD" })
      assert.deepStrictEqual(
        [head.url, head.body, head.headers["content-length"], head.redirects],
        [`${origin}/c?d=e`, "", "3", 1]
      )
    })
  )

  it.live("closes the socket when it is interrupted", () =>
    Effect.gen(function* () {
      let arrived = () => {}
      const here = new Promise<void>((resolve) => (arrived = resolve))
      const { http, origin, server } = yield* access(() => arrived())
      const fiber = yield* Effect.forkChild(http.fetch({ url: origin }), { startImmediately: true })
      yield* Effect.promise(() => here)
      assert.strictEqual(server.open.size, 1)
      yield* Fiber.interrupt(fiber)
      yield* Effect.repeat(Effect.sleep(5), { until: () => server.open.size === 0, times: 200 })
      assert.strictEqual(server.open.size, 0)
    })
  )

  it.live("tells who cannot be reached, and whether it may have been done", () =>
    Effect.gen(function* () {
      const { http, origin, server } = yield* access((_, response) => response.destroy(), { methods: ["GET", "POST"] })
      const broken = yield* Effect.flip(http.fetch({ url: origin }))
      assert.strictEqual(broken.reason._tag, "Broken")
      const { reason } = yield* Effect.flip(http.fetch({ url: origin, method: "POST", body: "x" }))
      assert.isTrue(reason._tag === "Unavailable" && reason.uncertain)
      yield* Effect.promise(() => new Promise((resolve) => server.server.close(resolve)))
      const gone = yield* Effect.flip(http.fetch({ url: origin, method: "POST", body: "x" }))
      assert.isTrue(gone.reason._tag === "Unavailable" && !gone.reason.uncertain)
    })
  )

  it.effect("its layer fails with a policy that is none", () =>
    Effect.gen(function* () {
      const layer = GuardedHttp.layer({ hosts: ["https://a.com"] })
      const error = yield* Effect.flip(
        Effect.provide(
          HttpAccess.use(() => Effect.void),
          layer
        )
      )
      assert.include(error.message, "https://a.com")
    })
  )
})

describe("pages", () => {
  const base = "https://example.com/docs/"
  const cases: ReadonlyArray<readonly [string, string, string]> = [
    ["headings and paragraphs", "<h1>Title</h1><p>One\n  two</p><p>Three</p>", "# Title\n\nOne two\n\nThree"],
    [
      "links, resolved",
      '<a href="a.html">A</a> <a href=/b>B</a> <a href="javascript:x()">C</a>',
      "[A](https://example.com/docs/a.html) [B](https://example.com/b) C"
    ],
    ["lists", "<ul><li>a<li>b</ul>", "- a\n- b"],
    ["tables", "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a | b |\n\n1 | 2 |"],
    [
      "no scripts, styles or comments",
      "a<script>x < y</script><STYLE>b{}</STYLE><!-- <p>c</p> --><svg><text>d</text></svg>e",
      "ae"
    ],
    ["entities", "&lt;b&gt; &amp;amp; &#233;&#xe9; &unknown; &#0; &#xd800;", "<b> &amp; éé &unknown; \ufffd \ufffd"],
    ["preformatted text", "<pre>a\n    b</pre>", "a\n    b"],
    ["a lonely sign", "1 < 2 and 3 > 2", "1 < 2 and 3 > 2"],
    ["what is cut off", "<p>a<scr", "a"],
    ["an open script", "a<script>b", "a"],
    ["an open comment", "a<!-- b", "a"],
    ["letters that are longer in small", "\u0130\u0130<SCRIPT>x</SCRIPT>a", "\u0130\u0130a"],
    ["nothing", "", ""]
  ]
  for (const [name, html, text] of cases) {
    it(`become text: ${name}`, () => assert.strictEqual(textOf(html, base), text))
  }

  for (const piece of ["<", "<a href=", "<script", "<!--", "&#", "<pre>", "</", "<p ", "   ", "<a href='x'>", "]]>"]) {
    it(`are read in time, whatever they are: ${JSON.stringify(piece)} a million times`, () => {
      const begin = performance.now()
      const page = piece.repeat(Math.ceil(1_000_000 / piece.length))
      textOf(page, base)
      textOf(`${page}>`, base)
      assert.isBelow(performance.now() - begin, 4000)
    })
  }
})

describe("addresses", () => {
  const open = [
    "1.1.1.1",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.0",
    "100.128.0.0",
    "2606:4700::1111",
    "2a00:1450::1"
  ]
  for (const address of open) it(`${address} is public`, () => assert.isTrue(isPublicAddress(address)))
  for (const address of ["::ffff:1.1.1.1", "fe80::1%lo", "", "example.com", "1.1.1", "2002:101:101::", "4000::1"]) {
    it(`${JSON.stringify(address)} is not`, () => assert.isFalse(isPublicAddress(address)))
  }
})
