// `effigent run`, `chat` and `init`, and what all commands share.
import { assert, describe, it } from "@effect/vitest"
import { execFileSync, spawnSync } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { answer, atTerminal, chunk, effigent, ended, folder, json, project, serve, start } from "./support.ts"

const escape = String.fromCharCode(27)
const letter = "The printer is on fire!"
const sample = project()

const withAction = {
  "effigent.config.ts": `import { Effect, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { defineConfig } from "effigent/config"
import { ScriptedModel } from "effigent/testing"
const wipe = Action.make("wipe", {
  description: "Wipes a disk.", input: Schema.Struct({ disk: Schema.String }), output: Schema.String,
  sideEffect: "once", approval: "always", run: ({ disk }) => Effect.succeed("wiped " + disk)
})
const keeper = Agent.make({ name: "keeper", input: "Wipe sda." }).pipe(Actions.use([wipe]))
const model = ScriptedModel.layer([
  ScriptedModel.toolCalls([{ name: "wipe", input: { disk: "sda" } }]),
  ScriptedModel.respond((request) => ScriptedModel.text(JSON.stringify(request.prompt).includes("wiped sda") ? "It is wiped." : "It was not allowed."))
])
export default defineConfig({ agents: { keeper }, layer: model })
`
}

describe("effigent", () => {
  it("tells its version, its help and completions for shells", async () => {
    const { version } = json(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"))
    assert.deepStrictEqual(await effigent(sample, ["--version"]), { code: 0, out: `effigent v${version}\n`, err: "" })
    const help = await effigent(sample, ["--help"])
    assert.strictEqual(help.code, 0)
    for (const command of ["init", "run", "chat", "flow", "replay", "doctor"])
      assert.match(help.out, new RegExp(`^  ${command} `, "m"))
    const completions = await effigent(sample, ["--completions", "bash"])
    assert.match(completions.out, /complete .*effigent/)
  })

  it("ends with code 2 and one line where it is used wrongly", async () => {
    for (const [args, said] of [
      [["frob"], 'Unknown subcommand "frob"'],
      [["run", "triage", "x", "--frob"], "--frob"],
      [["run", "nobody", "x"], 'There is no agent "nobody". Agents of the configuration: triage.'],
      [["run", "triage"], 'Run: effigent run triage "the input"'],
      [["run", "triage", "{", "--input-json"], "The input is no JSON"]
    ] as const) {
      const { code, err, out } = await effigent(sample, args)
      assert.strictEqual(code, 2, args.join(" "))
      assert.include(err, said)
      assert.strictEqual(out, "")
    }
    const { code, out } = await effigent(sample, ["run", "nobody", "x", "--json"])
    assert.strictEqual(code, 2)
    assert.deepStrictEqual(json(out), {
      error: { tag: "Usage", message: 'There is no agent "nobody". Agents of the configuration: triage.' }
    })
  })

  it("ends with code 4 where the configuration is missing or named wrongly", async () => {
    const empty = folder({}, [])
    const missing = await effigent(empty, ["run", "triage", letter])
    assert.strictEqual(missing.code, 4)
    assert.match(missing.err, /There is no effigent\.config\.ts in .* or above it\. Run "effigent init"/)
    const named = await effigent(empty, ["run", "triage", letter, "--config", "other.ts", "--json"])
    assert.strictEqual(named.code, 4)
    assert.deepNestedInclude(json(named.out), { "error.tag": "ConfigMissing" })
    const elsewhere = await effigent(empty, [
      "run",
      "triage",
      letter,
      "-q",
      "--config",
      join(sample, "effigent.config.ts")
    ])
    assert.strictEqual(elsewhere.code, 0)
    assert.deepInclude(json(elsewhere.out), { title: letter })
  })
})

describe("effigent run", () => {
  it("gives the answer on standard output and a log on standard error where it is piped", async () => {
    const { code, err, out } = await effigent(sample, ["run", "triage", letter])
    assert.strictEqual(code, 0)
    assert.deepInclude(json(out), { title: letter })
    assert.match(err, /^● triage\n> The printer is on fire!\n/)
    assert.match(err, /✓ done in [\d.]+ m?s, \d+ tokens in, \d+ out\n$/)
    assert.notInclude(out + err, escape)
  })

  it("reads standard input, also as JSON, and is quiet on request", async () => {
    const text = await effigent(sample, ["run", "triage", "-q"], { input: `${letter}\n` })
    assert.deepInclude(json(text.out), { title: letter })
    assert.strictEqual(text.err, "")
    const given = await effigent(sample, ["run", "triage", "-", "-q", "--input-json"], { input: '{"letter":"Help!"}' })
    assert.strictEqual(given.code, 0)
  })

  it("gives JSON: a document with tokens and times, or each event as a line", async () => {
    const document = await effigent(sample, ["run", "triage", letter, "--json"])
    assert.strictEqual(document.err, "")
    const { agent, metrics, value } = json(document.out)
    assert.strictEqual(agent, "triage")
    assert.deepInclude(value, { title: letter })
    assert.deepInclude(metrics, { requests: 1 })
    const stream = await effigent(sample, ["run", "triage", letter, "--json", "--events"])
    const events = stream.out.trimEnd().split("\n").map(json)
    assert.deepStrictEqual(
      events.map(({ sequence }) => sequence),
      events.map((_, at) => at + 1)
    )
    assert.deepNestedInclude(events.at(-1), { "event._tag": "RunCompleted" })
  })

  it("asks the model that the environment names, and ends with code 1 where that fails", async () => {
    const good = await serve((_, response) => answer(response, '{"title":"From the server","urgent":true}'))
    const given = await effigent(sample, ["run", "triage", letter, "--json"], { env: good.env })
    good.close()
    assert.deepNestedInclude(json(given.out), { "value.title": "From the server" })
    const bad = await serve((_, response) => {
      response.writeHead(401, { "content-type": "application/json" })
      response.end('{"error":{"message":"Incorrect API key provided"}}')
    })
    const refused = await effigent(sample, ["run", "triage", letter], { env: bad.env })
    const told = await effigent(sample, ["run", "triage", letter, "--json"], { env: bad.env })
    bad.close()
    assert.strictEqual(refused.code, 1)
    assert.match(refused.err, /Unauthorized/)
    assert.notInclude(refused.err, "sk-secret")
    assert.strictEqual(refused.out, "")
    assert.strictEqual(told.code, 1)
    assert.deepNestedInclude(json(told.out), { "error.tag": "ModelError" })
  })

  it("aborts the request and ends with code 130 on Ctrl-C", async () => {
    let aborted: Promise<unknown> = Promise.resolve()
    const asked = Promise.withResolvers<void>()
    const server = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write(chunk({ content: '{"title":"Half' }))
      aborted = once(response, "close")
      asked.resolve()
    })
    const child = start(sample, ["run", "triage", letter], { env: server.env })
    const end = ended(child)
    await asked.promise
    child.kill("SIGINT")
    const { code } = await end
    await aborted
    server.close()
    assert.strictEqual(code, 130)
  })

  it("shows the answer as it is written, in colours, on a terminal, and none with NO_COLOR", async () => {
    const colored = await atTerminal(sample, ["run", "triage", letter], [])
    assert.strictEqual(colored.code, 0)
    assert.include(colored.out, `${escape}[1;35m●`)
    assert.include(colored.out, "\r", "a line of state is drawn anew")
    const plain = await atTerminal(sample, ["run", "triage", letter], [], { NO_COLOR: "1" })
    assert.include(plain.out, "● triage")
    assert.notInclude(plain.out, escape)
  })

  it("asks for approval at the terminal, and denies where nobody sits there", async () => {
    const root = project(withAction)
    const approved = await atTerminal(root, ["run", "keeper"], [["anything else denies", "y\n"]])
    assert.include(approved.out, "It is wiped.")
    const denied = await effigent(root, ["run", "keeper", "-q"])
    assert.deepStrictEqual(denied, { code: 0, out: "It was not allowed.\n", err: "" })
  })
})

describe("effigent chat", () => {
  it("goes on with the conversation, knows its commands, and saves without writing over", async () => {
    const root = project()
    const asked: Array<string> = []
    const chatting = await serve((_, response, body) => {
      asked.push(body)
      answer(response, `{"title":"Answer ${asked.length}","urgent":false}`)
    })
    const input = "First\n/help\n/save\n/save\n/nope\nSecond\n/reset\nThird\n/save third.json\n/quit\nNever\n"
    const { code, err, out } = await effigent(root, ["chat", "triage", "--json"], { env: chatting.env, input })
    chatting.close()
    assert.strictEqual(code, 0)
    const answers = out.trimEnd().split("\n").map(json)
    assert.deepStrictEqual(
      answers.map(({ value }) => (value as { title: string }).title),
      ["Answer 1", "Answer 2", "Answer 3"]
    )
    assert.strictEqual(answers[0]?.["session"], answers[1]?.["session"])
    assert.notStrictEqual(answers[1]?.["session"], answers[2]?.["session"])
    assert.include(asked[1], "First", "the second question is sent with the first")
    assert.notInclude(asked[2], "First", "and the third begins anew")
    assert.include(err, "/quit")
    const saved = json(readFileSync(join(root, "conversation.json"), "utf8"))
    assert.lengthOf(saved["turns"] as ReadonlyArray<unknown>, 1)
    assert.lengthOf(json(readFileSync(join(root, "third.json"), "utf8"))["turns"] as ReadonlyArray<unknown>, 1)
  })

  it("goes on after a failure, tells what is wrong with a command, and ends with its input", async () => {
    const root = project()
    let count = 0
    const server = await serve((_, response) => {
      if (++count > 1) return answer(response, '{"title":"Back again","urgent":false}')
      response.writeHead(400, { "content-type": "application/json" })
      response.end('{"error":{"message":"no such model"}}')
    })
    const { code, err, out } = await effigent(root, ["chat", "triage"], {
      env: server.env,
      input: "One\n/nope\n/save a/b.json\nTwo\n"
    })
    server.close()
    assert.strictEqual(code, 0)
    assert.match(err, /no such model/)
    assert.include(err, "There is no /nope. /help tells what there is.")
    assert.match(err, /Cannot save to .*a\/b\.json/)
    assert.deepInclude(json(out), { title: "Back again" })
  })

  it("prompts on a terminal", async () => {
    const { code, out } = await atTerminal(
      sample,
      ["chat", "triage"],
      [
        ["Talking to triage", `${letter}\n`],
        ["✓ done", "/quit\n"]
      ]
    )
    assert.strictEqual(code, 0)
    assert.include(stripVTControlCharacters(out), "● triage")
  })

  it("stops an answer on Ctrl-C, aborts its request, and goes on from what had come", async () => {
    const asked: Array<string> = []
    const aborted = Promise.withResolvers<void>()
    const half = Promise.withResolvers<void>()
    const server = await serve((_, response, body) => {
      asked.push(body)
      if (asked.length === 2) return answer(response, '{"title":"Second","urgent":false}')
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write(chunk({ content: '{"title":"Half' }))
      response.once("close", aborted.resolve)
      half.resolve()
    })
    const child = start(project(), ["chat", "triage", "--json"], { env: server.env, input: "One\nTwo\n" })
    const end = ended(child)
    await half.promise
    child.kill("SIGINT")
    await aborted.promise
    const { code, out } = await end
    server.close()
    assert.strictEqual(code, 0)
    const [first, second] = out.trimEnd().split("\n").map(json)
    assert.deepInclude(first, { input: "One", stopped: true })
    assert.deepNestedInclude(second, { input: "Two", "value.title": "Second" })
    assert.match(asked[1] ?? "", /One.*Half.*Two/)
  })
})

describe("effigent init", () => {
  it("makes a project whose tests, types and program are green, with no network", async () => {
    const root = folder({})
    const made = await effigent(root, ["init", "--json", "--effigent", "file:../effigent.tgz"])
    assert.strictEqual(made.code, 0)
    const { files } = json(made.out)
    assert.includeMembers(files as Array<string>, [
      "package.json",
      "effigent.config.ts",
      "src/main.ts",
      "test/main.test.ts"
    ])
    const manifest = json(readFileSync(join(root, "package.json"), "utf8"))
    assert.deepNestedInclude(manifest, { "dependencies.effigent": "file:../effigent.tgz" })
    const env = { PATH: process.env["PATH"] ?? "", NODE_OPTIONS: "--conditions=effigent:source" }
    const node = (...args: ReadonlyArray<string>) =>
      execFileSync(process.execPath, args, { cwd: root, env, encoding: "utf8" })
    assert.match(node("--test", "test/main.test.ts"), /pass 2\n.*fail 0/)
    assert.match(node("src/main.ts"), /title: 'The printer on floor 2 is on fire!?'/)
    const tsc = new URL("../../../../node_modules/.bin/tsc", import.meta.url).pathname
    execFileSync(tsc, ["--customConditions", "effigent:source", "--exactOptionalPropertyTypes"], {
      cwd: root,
      encoding: "utf8"
    })
    const run = await effigent(root, ["run", "triage", letter, "-q"])
    assert.deepInclude(json(run.out), { title: letter })
  }, 90_000)

  it("needs nothing but Node: it is what people begin with, where no package is installed", () => {
    const root = folder({ "package.json": `{ "name": "effigent", "version": "1.2.3" }` }, [])
    for (const file of ["main", "process", "Begin", "Manifest", "Template"])
      copyFileSync(new URL(`../../../../layers/apps/cli/${file}.ts`, import.meta.url), join(root, `${file}.ts`))
    const bare = (...args: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [join(root, "main.ts"), ...args], { cwd: root, encoding: "utf8" })
    const made = bare("init", "mine")
    assert.strictEqual(made.status, 0, made.stderr)
    assert.match(made.stdout, /mine:\n {2}package\.json[^]*Next:\n {2}cd mine\n {2}npm install/)
    const manifest = json(readFileSync(join(root, "mine/package.json"), "utf8"))
    assert.deepNestedInclude(manifest, { name: "mine", "dependencies.effigent": "^1.2.3" })
    const again = bare("init", "mine", "--effigent", "2.0.0")
    assert.strictEqual(again.status, 2)
    assert.include(again.stderr, "nothing is written over")
    for (const args of [
      ["run", "triage"],
      ["init", "a", "b"],
      ["init", "--effigent"],
      ["init", "--json"]
    ]) {
      const other = bare(...args)
      assert.strictEqual(other.status, 4)
      assert.include(other.stderr, "npm install effect @effect/platform-node")
    }
  })

  it("writes nothing over what is there", async () => {
    const root = folder({}, [])
    writeFileSync(join(root, "tsconfig.json"), "mine")
    const { code, err } = await effigent(root, ["init"])
    assert.strictEqual(code, 2)
    assert.include(err, "tsconfig.json already, and nothing is written over")
    assert.strictEqual(readFileSync(join(root, "tsconfig.json"), "utf8"), "mine")
    assert.isFalse(existsSync(join(root, "package.json")))
  })
})
