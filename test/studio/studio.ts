// A studio as the tests of its pages need it: the demo project, served by this process, with a list of 10,000 executions
// and one of them with a long timeline.
import "./pace.ts"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { JournalStore } from "effigent/services/JournalStore"
import { Chain, Interrupt, TriggerFlow } from "effigent/triggerflow"
import { createServer } from "node:http"
import { mkdtempSync, mkdirSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Project } from "../../layers/apps/config/Project.ts"
import * as Studio from "../../layers/apps/studio/Studio.ts"
import * as JournalStores from "../../layers/store/JournalStores.ts"
import demo from "../support/studio/effigent.config.ts"
import { studioPages } from "../support/studioPages.ts"

const pages = join(import.meta.dirname, "../..", studioPages)

/** How much there is to look at. */
export interface Size {
  readonly executions: number
  /** Rows of the timeline of the execution `long`; 0: there is none. */
  readonly rows: number
}

export interface OpenStudio {
  /** The address, without the token. */
  readonly url: string
  readonly token: string
  readonly close: () => Promise<void>
}

const statuses = ["completed", "failed", "cancelled", "completed"] as const

// Executions that have ended, as another process might have left them.
const seeded = (size: Size) =>
  Layer.effect(
    JournalStore,
    Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(JournalStores.memory), JournalStore)
      for (let index = 0; index < size.executions; index++)
        yield* store.create({
          id: `order-${String(index).padStart(5, "0")}`,
          flow: "publish",
          status: statuses[index % statuses.length] ?? "completed",
          lifecycle: "closed",
          input: "{}",
          tags: index % 7 === 0 ? ["night"] : [],
          owner: { runner: "seed", incarnation: "1" },
          records: []
        })
      return store
    })
  )

const Long = TriggerFlow.define("long", { input: Schema.Int, result: Schema.Int })
const long = Long.build(
  Long.start.pipe(
    Chain.to("list", (rows) => Effect.succeed(Array.from({ length: rows }, (_, index) => index))),
    Chain.forEach((item) => item.pipe(Chain.to("work", (index) => Effect.succeed(index))), { concurrency: 256 }),
    Chain.to("count", (all) => Effect.succeed(all.length)),
    Chain.result
  )
)

// It asks nothing but yes or no.
const Sure = Interrupt.make("Sure", { payload: Schema.String, resume: Schema.Boolean })
const YesNo = TriggerFlow.define("yesno", {
  input: Schema.Struct({ loud: Schema.optionalKey(Schema.Boolean) }),
  interrupts: [Sure],
  result: Schema.String
})
const yesno = YesNo.build(
  YesNo.start.pipe(
    Chain.to("ask", ({ loud }, run) => run.pause(Sure, loud === true ? "SURE?" : "Sure?")),
    Chain.to("say", (sure) => Effect.succeed(sure ? "sure" : "not sure")),
    Chain.result
  )
)

// Two reports of an eval, of which the second is better in one case and worse in another; and one of another eval.
const report = (index: number) => ({
  format: "effigent-eval-1",
  id: `letters-${index}`,
  name: "letters",
  startedAt: 1_700_000_000_000 + index * 60_000,
  status: "completed",
  summary: { cases: 30, passRate: { mean: 0.8 + index / 100 }, scores: { exact: { mean: 0.8 } } },
  scorers: [{ name: "exact" }, { name: "judge" }],
  cases: Array.from({ length: 30 }, (_, at) => ({
    id: `letter-${at + 1}`,
    passed: at % 5 !== index,
    input: { text: "The lift is stuck." },
    scores: { exact: at % 5 === index ? 0 : 1, judge: 0.75 }
  }))
})

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "studio-"))
  const evals = join(made, ".effigent", "evals")
  mkdirSync(evals, { recursive: true })
  const other = {
    ...report(0),
    id: "replies-1",
    name: "replies",
    summary: { cases: 1, passRate: { mean: 1 }, scores: {} },
    cases: [{ id: "reply-1", passed: true, input: "Hello", scores: { exact: 1 } }]
  }
  writeFileSync(join(evals, "replies-1.json"), JSON.stringify(other))
  for (const index of [1, 2]) writeFileSync(join(evals, `letters-${index}.json`), JSON.stringify(report(index)))
  return made
}

/** Opens a studio on a free port. */
export const openStudio = async (size: Size): Promise<OpenStudio> => {
  const token = "test"
  const project: Project = {
    ...demo,
    flows: [...demo.flows, long, yesno],
    layer: Layer.mergeAll(demo.layer, seeded(size))
  }
  const scope = Scope.makeUnsafe()
  const layer = Studio.layer(project, { title: "demo", token, folder: folder(), pages }).pipe(
    Layer.provide(
      NodeHttpServer.layerServer(() => createServer(), {
        host: "127.0.0.1",
        port: 0,
        gracefulShutdownTimeout: "500 millis"
      })
    ),
    Layer.provide(NodeServices.layer)
  )
  const built = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const { baseUrl } = Context.get(built, Studio.Studio)
  const url = baseUrl.replace(/\/$/, "")
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  if (size.rows > 0) await startLong(url, token, size.rows)
  return { url, token, close }
}

const ask = async (url: string, token: string, path: string, body?: unknown): Promise<unknown> => {
  const response = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) })
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

// Gives once it has ended.
const startLong = async (url: string, token: string, rows: number): Promise<void> => {
  await ask(url, token, "/api/flows/long/executions", { id: "long", input: rows })
  await ask(url, token, "/api/flows/long/executions/long/result")
}
