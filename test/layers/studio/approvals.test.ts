// Calls that wait for a decision: those that ask the studio, and those that ask whoever watches their run, of the studio's
// own server and of one beside it, as `effigent serve --studio` has it.
import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as HttpServer from "effect/http/HttpServer"
import { createServer } from "node:http"
import { definitionOf } from "../../../layers/apps/config/Served.ts"
import * as Studio from "../../../layers/apps/studio/Studio.ts"
import type { WaitingCall } from "../../../layers/http/Approving.ts"
import * as Http from "../../../layers/http/Http.ts"
import { clientOf, eventually, token } from "./support.ts"

process.env["EFFIGENT_DEMO_DELAY"] = "0"
const { default: project } = await import("../../support/studio/effigent.config.ts")

const listening = Layer.fresh(NodeHttpServer.layerServer(() => createServer(), { host: "127.0.0.1", port: 0 }))

// The studio, and a server of the same project beside it.
const both = Effect.gen(function* () {
  const opened = yield* Studio.open(project)
  const beside = yield* Layer.build(listening)
  // What the agents need is in the Layer of the project, as the type of `defineConfig` says.
  const api = Http.layer(definitionOf(project, { title: "Demo" })) as Layer.Layer<
    never,
    Http.UnsafeBinding,
    HttpServer.HttpServer
  >
  yield* Effect.provideContext(Layer.build(api), Context.merge(opened.services, beside))
  const layer = Studio.serve(opened, { token }).pipe(Layer.provide(listening))
  const { baseUrl } = Context.get(yield* Layer.build(layer), Studio.Studio)
  const { address } = Context.get(beside, HttpServer.HttpServer)
  return { studio: clientOf(baseUrl), server: clientOf(HttpServer.formatAddress(address)) }
}).pipe(Effect.provide(NodeServices.layer))

type Client = ReturnType<typeof clientOf>

const waitingIn = ({ get }: Client, path: string, count: number) =>
  Effect.map(
    eventually(get(path), ({ json }) => json.length === count),
    // By the contract.
    ({ json }) => json as ReadonlyArray<WaitingCall>
  )

const one = (client: Client, path: string) =>
  Effect.flatMap(waitingIn(client, path, 1), ([call]) =>
    call === undefined ? Effect.die("nothing waits") : Effect.succeed(call)
  )

// What became of the payment of a run that has ended.
const payment = ({ sse }: Client, run: string) =>
  Effect.map(sse(`/runs/${run}/events`), (events) => {
    const records = events.flatMap(({ data }) => (data.event?._tag === "ActionEnded" ? [data.event.record] : []))
    const { call, decision, status } = records.find(({ call }) => call.action === "pay")
    return [call.input.euros, status, decision]
  })

describe("calls that wait for a decision", () => {
  it.live("of two that wait in one process, who is asked differs, and deciding one leaves the other", () =>
    Effect.gen(function* () {
      const { server, studio } = yield* both
      yield* server.post("/agents/clerk/runs?run=plain&disconnect=detach", "Please pay 800 euros of rent.")
      const plain = yield* one(studio, "/studio/approvals")
      const ask = "run=asked&session=s&disconnect=detach&approvals=ask"
      yield* server.post(`/agents/clerk/runs?${ask}`, "Please pay 900 euros of rent.")
      const all = yield* waitingIn(studio, "/studio/approvals", 2)
      assert.deepStrictEqual(
        all.map(({ agent, asks, request, run }) => [run, agent, asks, request.call.input]),
        [
          ["plain", "clerk", "program", { bill: "rent", euros: 800 }],
          ["asked", "clerk", "watchers", { bill: "rent", euros: 900 }]
        ]
      )
      // Each is known to its run, and has an id that nothing else has.
      assert.deepStrictEqual(yield* one(server, "/runs/plain/approvals"), plain)
      const asked = yield* one(server, "/runs/asked/approvals")
      assert.deepStrictEqual(all, [plain, asked])
      for (const call of all) assert.match(call.id, /^[\da-f-]{36}$/)
      assert.notStrictEqual(plain.id, asked.id)
      assert.deepStrictEqual((yield* studio.post("/studio/approvals/1", { _tag: "Approved" })).status, 404)

      // The studio decides on the one that its page shows, and on that alone.
      const decided = yield* studio.post(`/studio/approvals/${asked.id}`, { _tag: "Approved" })
      assert.strictEqual(decided.status, 204)
      assert.deepStrictEqual(yield* payment(server, "asked"), [900, "success", { _tag: "Approved", by: "studio" }])
      assert.deepStrictEqual(yield* waitingIn(studio, "/studio/approvals", 1), [plain])
      assert.deepStrictEqual(yield* one(server, "/runs/plain/approvals"), plain)

      const denied = yield* studio.post(`/studio/approvals/${plain.id}`, { _tag: "Denied", note: "no", by: "Ada" })
      assert.strictEqual(denied.status, 204)
      const decision = { _tag: "Denied", note: "no", by: "Ada" }
      assert.deepStrictEqual(yield* payment(server, "plain"), [800, "denied", decision])
      assert.deepStrictEqual((yield* studio.get("/studio/approvals")).json, [])
    })
  )

  it.live("over HTTP only calls of the named run are decided, and of those only what asks its watchers", () =>
    Effect.gen(function* () {
      const { server, studio } = yield* both
      for (const [run, more] of [
        ["plain", ""],
        ["asked", "&approvals=ask"],
        ["other", "&approvals=ask"]
      ])
        yield* server.post(`/agents/clerk/runs?run=${run}&disconnect=detach${more}`, "Please pay 900 euros of rent.")
      const plain = yield* one(server, "/runs/plain/approvals")
      const asked = yield* one(server, "/runs/asked/approvals")
      const other = yield* one(server, "/runs/other/approvals")
      const decide = (run: string, id: string) =>
        Effect.map(server.post(`/runs/${run}/approvals/${id}`, { _tag: "Approved", by: "Eve" }), ({ json, status }) => [
          status,
          json?.tag
        ])
      assert.deepStrictEqual(yield* decide("other", asked.id), [404, "NotWaiting"])
      assert.deepStrictEqual(yield* decide("asked", plain.id), [404, "NotWaiting"])
      // It asks the studio.
      assert.deepStrictEqual(yield* decide("plain", plain.id), [403, "NotAsked"])
      assert.strictEqual((yield* waitingIn(studio, "/studio/approvals", 3)).length, 3)

      assert.deepStrictEqual(yield* decide("asked", asked.id), [204, undefined])
      const [euros, status, decision] = yield* payment(server, "asked")
      assert.deepStrictEqual([euros, status, decision._tag], [900, "success", "Approved"])
      assert.match(decision.by, /^Eve \(.+\)$/)
      const late = yield* studio.post(`/studio/approvals/${asked.id}`, { _tag: "Approved" })
      assert.deepStrictEqual([late.status, late.json.tag], [404, "NotWaiting"])
      // The others wait on, until their runs are cancelled.
      assert.sameDeepMembers([...(yield* waitingIn(studio, "/studio/approvals", 2))], [plain, other])
      for (const run of ["plain", "other"]) yield* server.post(`/runs/${run}/cancel`)
      assert.deepStrictEqual((yield* studio.get("/studio/approvals")).json, [])
    })
  )
})
