import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineConfig } from "../../../layers/apps/config/Project.ts"
import * as Studio from "../../../layers/apps/studio/Studio.ts"
import { open, token } from "./support.ts"

const project = defineConfig({})

const pages = () => {
  const folder = mkdtempSync(join(tmpdir(), "studio-pages-"))
  mkdirSync(join(folder, "assets"))
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>the pages</title>")
  writeFileSync(join(folder, "assets", "index-a1B2c3D4.js"), "export {}")
  writeFileSync(join(folder, "icon.svg"), "<svg/>")
  writeFileSync(join(folder, "..", "studio-secret.txt"), "a secret")
  return folder
}

const bearer = { authorization: `Bearer ${token}` }

describe("who may use the studio", () => {
  it.live("asks for the token that its address brings, and keeps it in a cookie that scripts do not see", () =>
    Effect.gen(function* () {
      const { baseUrl, raw, url } = yield* open(project, { pages: pages() })
      assert.strictEqual(url, `${baseUrl}/?token=${token}`)
      const api = yield* raw("/studio/project")
      assert.deepStrictEqual([api.status, JSON.parse(api.text).tag], [401, "Unauthorized"])
      assert.strictEqual((yield* raw("/api/health/live")).status, 401)
      const page = yield* raw("/agents")
      assert.strictEqual(page.status, 401)
      assert.include(page.text, "effigent studio")
      assert.strictEqual((yield* raw("/?token=wrong")).status, 401)
      assert.strictEqual((yield* raw("/studio/project", { headers: { authorization: "Bearer wrong" } })).status, 401)
      // A token in the address is for pages alone.
      assert.strictEqual((yield* raw(`/studio/project?token=${token}`)).status, 401)

      const opened = yield* raw(`/traces?token=${token}&kind=agent`)
      assert.strictEqual(opened.status, 303)
      assert.strictEqual(opened.headers["location"], "/traces?kind=agent")
      const [cookie = ""] = [opened.headers["set-cookie"] ?? []].flat()
      assert.match(cookie, /; Path=\/; HttpOnly; SameSite=Strict$/)
      const headers = { cookie: `other=1; ${cookie.split(";")[0]}` }
      assert.strictEqual((yield* raw("/studio/project", { headers })).status, 200)
      assert.strictEqual((yield* raw("/", { headers })).status, 200)
      assert.strictEqual((yield* raw("/studio/project", { headers: bearer })).status, 200)
      const elsewhere = yield* raw(`//evil.example/?token=${token}`)
      assert.notMatch(String(elsewhere.headers["location"]), /^\/\//)
      for (const path of ["//", "http://"]) {
        const nowhere = yield* raw(path)
        assert.strictEqual(nowhere.status, 400, path)
        assert.include(nowhere.text, "UnreadablePath")
      }
    })
  )

  it.live("takes any token, also one that has to be written otherwise in addresses and cookies", () =>
    Effect.gen(function* () {
      const odd = "a b;c=%ä"
      const { raw, url } = yield* open(project, { token: odd, pages: pages() })
      const { search } = new URL(url)
      const opened = yield* raw(`/${search}`)
      const [cookie = ""] = [opened.headers["set-cookie"] ?? []].flat()
      const headers = { cookie: cookie.split(";")[0] ?? "" }
      assert.strictEqual((yield* raw("/studio/project", { headers })).status, 200)
      const broken = yield* raw("/studio/project", { headers: { cookie: `${headers.cookie.split("=")[0]}=%E0%A4%A` } })
      assert.strictEqual(broken.status, 401)
    })
  )

  it.live("makes a token of its own for each start", () =>
    Effect.gen(function* () {
      const one = yield* open(project, { token: undefined })
      const two = yield* open(project, { token: undefined })
      assert.match(one.token ?? "", /^[\w-]{32}$/)
      assert.notStrictEqual(one.token, two.token)
    })
  )

  it.live("answers to names of this machine alone, whatever DNS gives its address (DNS rebinding)", () =>
    Effect.gen(function* () {
      const { baseUrl, raw } = yield* open(project, { hosts: ["studio.test"] })
      const { host, port } = new URL(baseUrl)
      const ask = (name: string) =>
        Effect.map(raw("/studio/project", { headers: { ...bearer, host: name } }), ({ status }) => status)
      for (const name of [
        "evil.example",
        `evil.example:${port}`,
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1.evil.example"
      ])
        assert.strictEqual(yield* ask(name), 403, name)
      for (const name of [host, `localhost:${port}`, `[::1]:${port}`, "studio.test"])
        assert.strictEqual(yield* ask(name), 200, name)
      // With a token it may be reached by its address, which no DNS can claim.
      assert.strictEqual(yield* ask("192.168.1.5:4319"), 200)
      // Also where no token is asked for, and for pages.
      const free = yield* open(project, { token: false })
      for (const path of ["/", "/studio/project", "/api/runs"])
        for (const host of ["evil.example", "192.168.1.5"])
          assert.strictEqual((yield* free.raw(path, { headers: { host } })).status, 403)
      assert.strictEqual((yield* free.raw("/studio/project")).status, 200)
    })
  )

  it.live("refuses requests of pages of other sites, and lets a link to a page be followed", () =>
    Effect.gen(function* () {
      const { baseUrl, raw } = yield* open(project, { token: false, pages: pages() })
      const { host } = new URL(baseUrl)
      const ask = (path: string, headers: Record<string, string>, method = "GET") =>
        Effect.map(raw(path, { method, headers, ...(method === "GET" ? {} : { body: "{}" }) }), ({ status }) => status)
      assert.strictEqual(yield* ask("/studio/project", { origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* ask("/studio/project", { origin: "null" }), 403)
      assert.strictEqual(yield* ask("/studio/project", { origin: `http://${host}` }), 200)
      // Another port is another site.
      assert.strictEqual(yield* ask("/studio/project", { origin: "http://127.0.0.1:1" }), 403)
      for (const site of ["cross-site", "same-site"]) {
        assert.strictEqual(yield* ask("/studio/project", { "sec-fetch-site": site }), 403)
        assert.strictEqual(yield* ask("/studio/approvals/1", { "sec-fetch-site": site }, "POST"), 403)
        const link = { "sec-fetch-site": site, "sec-fetch-mode": "navigate" }
        assert.strictEqual(yield* ask("/traces", link), 200)
        assert.strictEqual(yield* ask("/studio/project", link), 403)
      }
      assert.strictEqual(yield* ask("/studio/project", { "sec-fetch-site": "same-origin" }), 200)
      // A form of another site has no JSON to send.
      const form = { "content-type": "text/plain", host }
      assert.strictEqual(yield* ask("/studio/approvals/1", form, "POST"), 415)
      const { headers } = yield* raw("/studio/project", { headers: { origin: `http://${host}` } })
      assert.isUndefined(headers["access-control-allow-origin"])
    })
  )

  it.live("does not listen to other machines without a token", () =>
    Effect.gen(function* () {
      const layer = Studio.layer(project, { token: false }).pipe(
        Layer.provide(NodeHttpServer.layerServer(() => createServer(), { host: "0.0.0.0", port: 0 })),
        Layer.provide(NodeServices.layer)
      )
      const error = yield* Effect.flip(Layer.build(layer))
      assert.strictEqual(error._tag, "StudioExposed")
      assert.include(error.message, "--host 127.0.0.1")
    })
  )
})

describe("the pages", () => {
  it.live("are served with a strict policy, hashed files for ever, and every other path as the page", () =>
    Effect.gen(function* () {
      const { raw } = yield* open(project, { token: false, pages: pages() })
      const index = yield* raw("/")
      assert.include(index.text, "the pages")
      assert.include(String(index.headers["content-security-policy"]), "default-src 'self'")
      assert.notInclude(String(index.headers["content-security-policy"]), "unsafe-eval")
      assert.strictEqual(index.headers["x-frame-options"], "DENY")
      assert.strictEqual(index.headers["cache-control"], "no-cache")
      const script = yield* raw("/assets/index-a1B2c3D4.js")
      assert.strictEqual(script.headers["content-type"], "text/javascript; charset=utf-8")
      assert.strictEqual(script.headers["cache-control"], "public, max-age=31536000, immutable")
      assert.strictEqual((yield* raw("/icon.svg")).headers["content-type"], "image/svg+xml")
      assert.include((yield* raw("/executions/order-17.5")).text, "the pages")
      assert.strictEqual((yield* raw("/assets/index-old.js")).status, 404)
      const api = yield* raw("/studio/project")
      assert.strictEqual(api.headers["cache-control"], "no-store")
      const unknown = yield* raw("/studio/nothing")
      assert.deepStrictEqual([unknown.status, JSON.parse(unknown.text).tag], [404, "UnknownPath"])
      assert.strictEqual((yield* raw("/", { method: "PUT", body: "" })).status, 404)
    })
  )

  it.live("never leave their folder", () =>
    Effect.gen(function* () {
      const { raw } = yield* open(project, { token: false, pages: pages() })
      for (const path of [
        "/../studio-secret.txt",
        "/..%2fstudio-secret.txt",
        "/%2e%2e/studio-secret.txt",
        "/assets/..%2f..%2fstudio-secret.txt",
        "/assets/..%5c..%5cstudio-secret.txt",
        "/%00.txt",
        "/%E0%A4%A.txt"
      ])
        assert.notInclude((yield* raw(path)).text, "a secret", path)
    })
  )

  it.live("say what to do where they are not built", () =>
    Effect.gen(function* () {
      const { raw } = yield* open(project, { token: false, pages: join(tmpdir(), "nothing-there") })
      const page = yield* raw("/")
      assert.strictEqual(page.status, 503)
      assert.include(page.text, "npm run build")
      assert.strictEqual((yield* raw("/studio/project")).status, 200)
    })
  )
})
