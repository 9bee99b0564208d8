import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent, type ResponseMeta } from "effigent"
import { Action, Actions } from "effigent/action"
import { HttpActions, SqlActions, WorkspaceActions } from "effigent/action/packages"
import { GuardedHttp } from "effigent/layers/http-access"
import { SqliteFile } from "effigent/layers/sql-access"
import { FileWorkspace } from "effigent/layers/workspace"
import { ApprovalGate, type ApprovalRequest } from "effigent/services/Action"
import { ScriptedModel } from "effigent/testing"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { names, serve } from "../../layers/http-access/fixture.ts"
import { shop } from "../../layers/sql-access/fixture.ts"
import { ground } from "../../layers/workspace/fixture.ts"

const { text, toolCalls } = ScriptedModel
const digestOf = (content: string) => createHash("sha256").update(content).digest("hex").slice(0, 12)

const everything = ["create", "update", "delete"] as const

/** What became of each call, and what the model was told of it. */
const records = ({ actions }: Pick<ResponseMeta, "actions">) =>
  (actions?.rounds ?? []).flatMap(({ records }) => records.map(({ result, status }) => [status, result] as const))

/** Approves what it is asked, and keeps it. */
const approving = (asked: Array<ApprovalRequest>) =>
  Layer.succeed(ApprovalGate, (request: ApprovalRequest) =>
    Effect.sync(() => {
      asked.push(request)
      return { _tag: "Approved" as const }
    })
  )

describe("WorkspaceActions", () => {
  it.live("a model reads, edits and is told why not; changes are approved, reading is not", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "a.txt": "one\n" })
      const asked: Array<ApprovalRequest> = []
      const model = ScriptedModel.layer([
        toolCalls([
          { name: "read_file", input: { path: "a.txt" } },
          { name: "list_files", input: {} },
          { name: "find_files", input: { pattern: "*.txt" } },
          { name: "search_files", input: { pattern: "ONE", ignoreCase: true } },
          { name: "read_file", input: { path: "../outside/secret.txt" } }
        ]),
        toolCalls([
          {
            name: "edit_file",
            input: { path: "a.txt", edits: [{ old: "one", new: "two" }], digest: digestOf("one\n") }
          }
        ]),
        toolCalls([
          { name: "edit_file", input: { path: "a.txt", edits: [{ old: "two", new: "3" }], digest: digestOf("one\n") } }
        ]),
        text("Done.")
      ])
      const agent = Agent.make({ input: "Change it." }).pipe(Actions.use(WorkspaceActions.all()))
      const whole = yield* Agent.whole(agent).pipe(
        Effect.provide([model, FileWorkspace.layer({ root, allow: everything }), approving(asked)])
      )
      const [read, list, found, lines, outside, edited, stale] = records(whole.meta)
      assert.deepInclude(read?.[1], { text: "one\n", digest: digestOf("one\n") })
      assert.deepStrictEqual(list, [
        "success",
        { entries: [{ path: "a.txt", kind: "file", size: 4 }], truncated: false }
      ])
      assert.deepStrictEqual(found, list)
      assert.deepStrictEqual(lines?.[1], {
        matches: [{ path: "a.txt", line: 1, text: "one" }],
        files: 1,
        truncated: false
      })
      assert.strictEqual(outside?.[0], "failed")
      assert.include(JSON.stringify(outside?.[1]), "path.outside")
      assert.deepStrictEqual(edited?.[1], { path: "a.txt", change: "updated", size: 4, digest: digestOf("two\n") })
      assert.strictEqual(stale?.[0], "failed")
      assert.include(JSON.stringify(stale?.[1]), "read it again")
      assert.strictEqual(readFileSync(join(root, "a.txt"), "utf8"), "two\n")
      assert.deepStrictEqual(
        asked.map(({ call }) => call.action),
        ["edit_file", "edit_file"]
      )
    })
  )

  it.live("without anybody to ask, nothing is changed", () =>
    Effect.gen(function* () {
      const { root } = yield* ground()
      const model = ScriptedModel.layer([
        toolCalls([
          { name: "write_file", input: { path: "a.txt", text: "x" } },
          { name: "make_folder", input: { path: "b" } }
        ]),
        text("Not allowed.")
      ])
      const agent = Agent.make({ input: "Write." }).pipe(Actions.use(WorkspaceActions.all()))
      const whole = yield* Agent.whole(agent).pipe(
        Effect.provide([model, FileWorkspace.layer({ root, allow: everything })])
      )
      assert.deepStrictEqual(
        records(whole.meta).map(([status]) => status),
        ["denied", "denied"]
      )
      assert.isFalse(existsSync(join(root, "a.txt")) || existsSync(join(root, "b")))
    })
  )

  it.live("each changes what it says", () =>
    Effect.gen(function* () {
      const { root } = yield* ground()
      const [write, edit, patch, makeFolder, move, remove] = WorkspaceActions.changing({ approval: "never" })
      yield* Effect.gen(function* () {
        const { digest } = yield* Action.call(write, { path: "a.txt", text: "one\n" })
        assert.strictEqual(digest, digestOf("one\n"))
        yield* Action.call(edit, { path: "a.txt", edits: [{ old: "one", new: "two" }], digest })
        yield* Action.call(patch, { diff: "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-two\n+three\n" })
        yield* Action.call(makeFolder, { path: "b/c" })
        yield* Action.call(move, { from: "a.txt", to: "b/c/d.txt" })
        assert.strictEqual(readFileSync(join(root, "b/c/d.txt"), "utf8"), "three\n")
        assert.isNull(yield* Action.call(remove, { path: "b", recursive: true }))
        assert.isFalse(existsSync(join(root, "b")))
      }).pipe(Effect.provide(FileWorkspace.layer({ root, allow: everything })))
    })
  )
})

describe("HttpActions", () => {
  it.live("reading needs no approval, sending does", () =>
    Effect.gen(function* () {
      const server = yield* serve((request, response) => {
        response.writeHead(200, { "content-type": "text/html" }).end(`<h1>${request.method}</h1>`)
      })
      const host = `good.test:${server.port}`
      const http = GuardedHttp.layer({
        hosts: [host],
        schemes: ["http"],
        methods: ["GET", "POST"],
        privateHosts: ["good.test"],
        resolve: names({ "good.test": ["127.0.0.1"] })
      })
      const calls = [
        toolCalls([
          { name: "fetch_url", input: { url: `http://${host}/` } },
          { name: "fetch_url", input: { url: "http://169.254.169.254/" } },
          { name: "send_http_request", input: { url: `http://${host}/`, method: "POST", body: "x" } }
        ]),
        text("Done.")
      ]
      const agent = Agent.make({ input: "Ask." }).pipe(Actions.use(HttpActions.all()))
      const alone = yield* Agent.whole(agent).pipe(Effect.provide([ScriptedModel.layer(calls), http]))
      const [read, refused, denied] = records(alone.meta)
      assert.deepInclude(read?.[1], { status: 200, body: "# GET" })
      assert.include(JSON.stringify(refused?.[1]), "host.private")
      assert.strictEqual(denied?.[0], "denied")
      const asked: Array<ApprovalRequest> = []
      const approved = yield* Agent.whole(agent).pipe(
        Effect.provide([ScriptedModel.layer(calls), http, approving(asked)])
      )
      assert.deepInclude(records(approved.meta)[2]?.[1], { body: "# POST" })
      assert.strictEqual(asked.length, 1)
    })
  )
})

describe("SqlActions", () => {
  it.live("a model learns the tables, asks, and is told what it may not", () =>
    Effect.gen(function* () {
      const { file } = yield* shop
      const model = ScriptedModel.layer([
        toolCalls([{ name: "describe_database", input: {} }]),
        toolCalls([
          { name: "query_database", input: { sql: "SELECT name FROM orders WHERE id = ?", parameters: [1] } },
          { name: "query_database", input: { sql: "DROP TABLE orders" } },
          { name: "query_database", input: { sql: "SELECT * FROM users" } }
        ]),
        text("A lamp.")
      ])
      const agent = Agent.make({ input: "What was ordered first?" }).pipe(Actions.use(SqlActions.all))
      const whole = yield* Agent.whole(agent).pipe(
        Effect.provide([model, SqliteFile.layer({ file, tables: ["orders"] })])
      )
      const [tables, rows, drop, secret] = records(whole.meta)
      assert.deepInclude(tables?.[1], { dialect: "sqlite" })
      assert.deepStrictEqual(rows?.[1], { columns: ["name"], rows: [{ name: "lamp" }], truncated: false })
      assert.include(JSON.stringify(drop?.[1]), "sql.readOnly")
      assert.include(JSON.stringify(secret?.[1]), "sql.table")
    })
  )
})
