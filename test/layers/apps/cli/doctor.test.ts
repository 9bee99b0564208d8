// `effigent doctor`: what is broken is named, with what to do, and the rest is looked at all the same.
import { assert, describe, it } from "@effect/vitest"
import type { ServerResponse } from "node:http"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { nodeOf } from "../../../../layers/apps/cli/Doctor.ts"
import { answer, effigent, folder, json, project, serve } from "./support.ts"

interface Check {
  readonly name: string
  readonly status: string
  readonly detail: string
  readonly fix?: string
}

const doctor = async (cwd: string, env: Record<string, string> = {}, args: ReadonlyArray<string> = []) => {
  const { code, out } = await effigent(cwd, ["doctor", "--json", ...args], { env })
  const { checks, ok } = json(out) as { ok: boolean; checks: ReadonlyArray<Check> }
  assert.strictEqual(code, ok ? 0 : 1)
  return { ok, checks, of: (name: string) => checks.find((check) => check.name === name) }
}

const refused = (status: number, message: string) => (response: ServerResponse) => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify({ error: { message } }))
}

const sample = project()

const isBroken = (check: Check | undefined, detail: RegExp, fix: RegExp) => {
  assert.strictEqual(check?.status, "broken", JSON.stringify(check))
  assert.match(check?.detail ?? "", detail)
  assert.match(check?.fix ?? "", fix)
}

const config = (text: string) => project({ "effigent.config.ts": text })

describe("effigent doctor", () => {
  it("finds a whole project well, with a round trip to the model, and warns of the offline model", async () => {
    const offline = await doctor(sample)
    assert.isTrue(offline.ok)
    assert.deepInclude(offline.of("environment"), { status: "warning" })
    const server = await serve((_, response) => answer(response, "ok"))
    const real = await doctor(sample, server.env)
    server.close()
    assert.deepStrictEqual(
      real.checks.filter(({ status }) => status !== "ok"),
      []
    )
    assert.match(real.of("model")?.detail ?? "", /answered in \d+ ms/)
    assert.strictEqual(real.of("store")?.detail, "it can be read and written")
    assert.notInclude(JSON.stringify(real.checks), "sk-secret")
    const { code, out } = await effigent(sample, ["doctor", "--no-model"])
    assert.strictEqual(code, 0)
    assert.include(out, "- model: not asked (--no-model)\n")
  })

  it("1: Node is too old", () => {
    isBroken(nodeOf("20.20.2"), /20\.20\.2 is too old/, /Install Node 22\.19/)
    assert.strictEqual(nodeOf("24.0.0").status, "ok")
  })

  it("2: there is no configuration", async () => {
    const { of } = await doctor(folder({}))
    isBroken(of("configuration"), /There is no effigent\.config\.ts/, /effigent init/)
    assert.strictEqual(of("model")?.status, "skipped")
  })

  it("3: the configuration throws, has a syntax error, or what Node cannot strip", async () => {
    isBroken((await doctor(config("throw new Error('no such luck')"))).of("configuration"), /no such luck/, /with node/)
    isBroken((await doctor(config("export default {{"))).of("configuration"), /SyntaxError/, /syntax/)
    isBroken((await doctor(config("enum A { B }\nexport default A"))).of("configuration"), /enum/, /no enum/)
  })

  it("4: the configuration exports something else", async () => {
    isBroken((await doctor(config("export const a = 1"))).of("configuration"), /no default export/, /defineConfig/)
    isBroken((await doctor(config("export default { agents: {} }"))).of("configuration"), /no project/, /defineConfig/)
    const wrong = `import { defineConfig } from "effigent/config"\nexport default defineConfig({ agents: { a: {} as never } })`
    isBroken((await doctor(config(wrong))).of("configuration"), /agents\.a is no agent/, /Agent\.make/)
  })

  it("5: a package is missing, one of effigent's or one of the project's", async () => {
    const lacks = project({}, ["effigent", "effect"])
    isBroken(
      (await doctor(lacks)).of("package @effect/platform-node"),
      /not installed/,
      /npm install @effect\/platform-node/
    )
    const mine = config(`import "left-pad"\nexport default 1`)
    isBroken((await doctor(mine)).of("configuration"), /left-pad/, /npm install left-pad/)
    isBroken(
      (
        await doctor(
          project({}, ["effigent", "effect", "@effect/platform-node"]),
          { OPENAI_API_KEY: "k", OPENAI_BASE_URL: "http://127.0.0.1:9/v1" },
          ["--no-model"]
        )
      ).of("package openai"),
      /not installed/,
      /npm install openai/
    )
  })

  it("6: a package has another version", async () => {
    const root = project({}, ["effigent", "effect"])
    mkdirSync(join(root, "node_modules/@effect/platform-node"), { recursive: true })
    writeFileSync(join(root, "node_modules/@effect/platform-node/package.json"), '{"version":"3.9.0"}')
    isBroken(
      (await doctor(root)).of("package @effect/platform-node"),
      /3\.9\.0 is installed, and effigent needs >=4/,
      /npm install/
    )
  })

  it("7: the address of the endpoint is none", async () => {
    const { of } = await doctor(sample, { OPENAI_BASE_URL: "localhost:11434" }, ["--no-model"])
    isBroken(of("environment"), /OPENAI_BASE_URL is no address/, /http:\/\/localhost:11434\/v1/)
  })

  it("8: nothing listens at the address", async () => {
    const server = await serve(() => undefined)
    server.close()
    isBroken((await doctor(sample, server.env)).of("model"), /could not be reached/, /the server runs/)
  })

  it("9: the endpoint refuses the key, the model, or any more requests", async () => {
    for (const [status, message, fix] of [
      [401, "Incorrect API key", /a key that this endpoint accepts/],
      [404, "The model m1 does not exist", /EFFIGENT_MODEL/],
      [429, "Rate limit reached", /Wait/]
    ] as const) {
      const server = await serve((_, response) => refused(status, message)(response))
      const { of } = await doctor(sample, server.env)
      server.close()
      isBroken(of("model"), new RegExp(message), fix)
      assert.strictEqual(of("store")?.status, "ok", "the rest is looked at all the same")
    }
  })

  it("10: what answers is no model, or does not answer", async () => {
    const page = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/html" })
      response.end("<html>Welcome to nginx</html>")
    })
    isBroken((await doctor(sample, page.env)).of("model"), /./, /\/v1/)
    page.close()
    const silent = await serve(() => undefined)
    isBroken((await doctor(sample, silent.env, ["--timeout", "1"])).of("model"), /no answer in 1 s/, /busy/)
    silent.close()
  })

  it("11: the store cannot be opened", async () => {
    const root = project()
    rmSync(join(root, "effigent.db"), { force: true })
    mkdirSync(join(root, "effigent.db"))
    const { of } = await doctor(root)
    isBroken(of("layer"), /./, /folder of the database/)
    assert.strictEqual(of("store")?.status, "skipped")
  })
})
